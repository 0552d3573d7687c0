"""A drainage network as it is laid along streets: what its parts are, how large a sewer must be, and how it is written as .inp."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

GROUND_M = 7.0
"""Synthetic: the ground at the pumping stations; Hexi lies at 6 to 8 m."""
GROUND_RISE = 0.0006
"""Synthetic: how the ground rises along the sewers away from its station, m/m."""
RIVER_M = 8.5
"""Synthetic: the Yangtze at Nanjing in a flood season (8.5 m is its warning level, from memory): above the ground, so all is pumped."""
MANNING_N = 0.013
"""Concrete sewers (GB 50014: 0.013 to 0.014)."""
STEEPEST = 0.02
"""Steeper sewers would run faster than concrete bears (GB 50014: 5 m/s)."""
COVER_M = 0.8
"""Least cover over a sewer under a carriageway (GB 50014: 0.7 m)."""
CIRCLES_M = (0.6, 0.8, 1.0, 1.2, 1.35, 1.5, 1.65, 1.8, 2.0, 2.2, 2.4)
BOX_M = 2.4
"""Larger than the largest circle are boxes of this height, their width in steps of half a metre."""
SLOPES = ((0.8, 0.002), (1.5, 0.0012), (math.inf, 0.0008))
"""Least slopes by height of the section: near those of GB 50014, table 4.2.10, for flat land."""
PUMPS = 4
STEP_M, ON_M, OFF_M = 0.3, 1.0, 0.6
"""Pump k of a station starts at ON_M + k STEP_M in its wet well and stops at OFF_M + k 0.1."""
DIP_M, SUMP_M, SUMP_M2, DIP_M2, RIM_M2 = 5.0, 2.0, 12.0, 350.0, 1200.0
"""Synthetic: an underpass's road lies DIP_M below ground, its sump SUMP_M deeper; areas of sump, lowest road and at ground level."""
KERB_M = 0.1
"""Synthetic: street water this deep spills into an underpass."""
CHAMBER_M = 3.0


@dataclass(frozen=True)
class Section:
    """A sewer's section: a circle (width 0) or a closed box."""

    height_m: float
    width_m: float = 0.0

    @property
    def slope(self) -> float:
        """Least slope."""
        return next(slope for limit, slope in SLOPES if self.height_m <= limit)

    def full(self) -> tuple[float, float]:
        """Return area (m2) and speed (m/s) at full flow on its least slope: Manning, v = R^(2/3) S^(1/2) / n."""
        area = self.height_m * self.width_m if self.width_m else math.pi / 4 * self.height_m**2
        wetted = 2 * (self.height_m + self.width_m) if self.width_m else math.pi * self.height_m
        return area, (area / wetted) ** (2 / 3) * math.sqrt(self.slope) / MANNING_N

    @property
    def capacity_m3_per_s(self) -> float:
        """Flow at full section."""
        area, speed = self.full()
        return area * speed

    def larger(self) -> Section:
        """Return the next section."""
        if not self.width_m and self.height_m < CIRCLES_M[-1]:
            return Section(CIRCLES_M[CIRCLES_M.index(self.height_m) + 1])
        return Section(BOX_M, max(2.5, self.width_m + 0.5))

    def text(self) -> str:
        """Return the words of [XSECTIONS]."""
        return f"RECT_CLOSED {self.height_m} {self.width_m} 0 0" if self.width_m else f"CIRCULAR {self.height_m} 0 0 0"


def section_for(flow_m3_per_s: float, least: Section) -> Section:
    """Return the smallest section, no smaller than `least`, that carries the flow when full."""
    found = least
    while found.capacity_m3_per_s < flow_m3_per_s:
        found = found.larger()
    return found


@dataclass(frozen=True)
class Sewer:
    """A conduit to lay from one node to the next on the way to the station."""

    id: str
    start: str
    end: str
    course: np.ndarray
    street: str

    @property
    def length_m(self) -> float:
        """Length along the course."""
        return max(10.0, float(np.hypot(*np.diff(self.course, axis=0).T).sum()))


@dataclass(frozen=True)
class Cell:
    """A catchment: its ring, area (m2), imperviousness and the node its inlets lead to."""

    id: str
    node: str
    ring: np.ndarray
    area_m2: float
    impervious: float

    @property
    def runoff_share(self) -> float:
        """Composite runoff coefficient: 0.9 of what is sealed, 0.15 of the rest (GB 50014, table 4.1.8-1)."""
        return 0.9 * self.impervious + 0.15 * (1 - self.impervious)


@dataclass
class Station:
    """A pumping station: where it is, the node its sewers end at, its pumps' share of the design flow and its pond."""

    id: str
    node: str
    xy: np.ndarray
    pumps_m3_per_s: float = 0.0
    pond_m2: float = 400.0
    bottom_m: float = 0.0
    inlet_m: float = 0.0
    """Crown of the lowest sewer above the bottom: water above it backs up."""

    @property
    def lift_m(self) -> float:
        """Design head: from a wet well half full to the river, with losses."""
        return RIVER_M + 0.6 - (self.bottom_m + 1.5)


@dataclass(frozen=True)
class Underpass:
    """An underpass: its id, street, the two nodes at the street's ends, and where it is."""

    id: str
    street: str
    ends: tuple[str, str]
    xy: np.ndarray
    pump_m3_per_s: float


@dataclass
class Layout:
    """Everything laid; `sections` is what sizing fills, `levels` follow from it."""

    nodes: dict[str, np.ndarray]
    ground_m: dict[str, float]
    pond_m2: dict[str, float]
    sewers: dict[str, Sewer]
    """By the node it starts at."""
    order: list[str]
    """Nodes from the farthest down to the stations."""
    cells: list[Cell]
    stations: list[Station]
    underpasses: list[Underpass]
    sections: dict[str, Section] = field(default_factory=dict)
    invert_m: dict[str, float] = field(default_factory=dict)
    inlet_m: dict[str, float] = field(default_factory=dict)
    """Where each sewer arrives at its lower end, by the node it starts at."""
    start_m: dict[str, float] = field(default_factory=dict)
    """Where each sewer starts."""

    def level(self) -> None:
        """Set inverts from sections: crowns in line, least slopes, least cover; then the bottoms of the stations.

        A branch that arrives above the invert of its manhole is laid steeper instead, down to that invert: it carries more,
        and SWMM loses water where a sewer ends in free fall (its lower half then belongs to no node).
        """
        crown = {name: self.ground_m[name] - COVER_M for name in self.nodes}
        self.invert_m = {}
        lowest: dict[str, float] = {}
        for name in self.order:
            sewer = self.sewers.get(name)
            if sewer is None:
                self.invert_m[name] = lowest.get(name, crown[name] - 1.0)
                continue
            section = self.sections[name]
            start = crown[name] - section.height_m
            self.invert_m[name] = min(start, lowest.get(name, start))
            self.start_m[name] = start
            end = start - section.slope * sewer.length_m
            crown[sewer.end] = min(crown[sewer.end], end + section.height_m)
            lowest[sewer.end] = min(lowest.get(sewer.end, end), end)
        for name, sewer in self.sewers.items():
            self.inlet_m[name] = max(self.invert_m[sewer.end], self.start_m[name] - STEEPEST * sewer.length_m)
        for station in self.stations:
            at = self.invert_m[station.node]
            station.bottom_m = round(at - 2.5, 2)
            station.inlet_m = round(crown[station.node] - station.bottom_m, 2)

    def text(self, title: str) -> str:
        """Return the network as a SWMM input file in SI units."""
        from models.drainage.written import written

        return written(self, title)
