"""A water network as it is laid along streets, before and after its mains have a size; writes itself as an .inp."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

GROUND_M = 8.0
"""Synthetic: the whole district lies at this height (Hexi is flat river land; the base carries no terrain)."""
CLEAR_WELL_M = 5.0
"""Synthetic: water level in the clear well that pumps draw from."""
TOWER_M = 33.0
"""Synthetic: bottom of the balancing tanks above ground."""
TANK_LEVELS_M = (4.5, 0.5, 6.5)
"""Synthetic: start, lowest and highest level of the balancing tanks above their bottom."""
MAIN_LOSS_M = 4.0
"""Synthetic: head that the duty point allows for the way to the tanks."""
ROUGHNESS = 120
"""Hazen-Williams C of cement-lined ductile iron some decades old (EPANET 2.2 manual, table 3.2 gives 130-140 when new)."""
EFFICIENCY_PERCENT = 75
"""Synthetic: wire to water, EPANET's own default."""
PATTERN = (
    0.45,
    0.38,
    0.35,
    0.35,
    0.42,
    0.70,
    1.20,
    1.50,
    1.40,
    1.15,
    1.05,
    1.10,
    1.20,
    1.10,
    1.00,
    1.00,
    1.10,
    1.25,
    1.45,
    1.55,
    1.40,
    1.20,
    0.95,
    0.75,
)
"""Synthetic: demand by hour of the day over its mean; mean 1, peaks at 07 and 19."""
STAGES = ((None, None), (6.3, 5.6), (5.8, 4.9), (4.2, 3.0))
"""Synthetic: (stop above, start below) level of its tank for the pumps of a station; the first never stops."""
STARTS_SHUT = 3
"""Pumps from this place in a station on are reserve and start shut."""


@dataclass(frozen=True)
class Main:
    """A pipe to lay: end nodes, course (k, 2) in metres, the least bore it may have, and the street it lies in, if any."""

    id: str
    start: str
    end: str
    course: np.ndarray
    least_mm: int
    street: str = ""

    @property
    def length_m(self) -> float:
        """Length along the course in metres."""
        return float(np.hypot(*np.diff(self.course, axis=0).T).sum())


@dataclass(frozen=True)
class Station:
    """A pumping station: its clear well, header junction, pumps and the tank whose level they follow."""

    id: str
    header: str
    xy: tuple[float, float]
    pumps: tuple[str, ...]
    tank: str
    duty_l_per_s: float
    duty_m: float


@dataclass
class Layout:
    """Everything but bores; `bores_mm` is what sizing fills."""

    junctions: dict[str, np.ndarray]
    demand_l_per_s: dict[str, float]
    mains: list[Main]
    stations: list[Station]
    tanks: dict[str, np.ndarray]
    tank_diameter_m: float
    bores_mm: dict[str, int] = field(default_factory=dict)

    def text(self, title: str) -> str:
        """Return the network as an EPANET input file: litres per second, metres, one format for each number."""
        start, low, high = TANK_LEVELS_M
        rows: list[str] = ["[TITLE]", title, "", "[JUNCTIONS]", ";id elevation demand pattern"]
        rows += [f"{name} {GROUND_M:.2f} {self.demand_l_per_s.get(name, 0.0):.4f} day" for name in self.junctions]
        rows += ["", "[RESERVOIRS]", *(f"{s.id} {CLEAR_WELL_M:.2f}" for s in self.stations), "", "[TANKS]"]
        rows += [f"{name} {GROUND_M + TOWER_M:.2f} {start:.2f} {low:.2f} {high:.2f} {self.tank_diameter_m:.2f} 0" for name in self.tanks]
        rows += ["", "[PIPES]", ";id start end length_m bore_mm roughness loss status"]
        rows += [f"{m.id} {m.start} {m.end} {max(m.length_m, 1.0):.2f} {self.bores_mm[m.id]} {ROUGHNESS} 0 Open" for m in self.mains]
        rows += ["", "[PUMPS]"]
        rows += [f"{pump} {s.id} {s.header} HEAD C{k}" for k, s in enumerate(self.stations, 1) for pump in s.pumps]
        rows += ["", "[VALVES]", "", "[STATUS]"]
        rows += [f"{pump} Closed" for s in self.stations for pump in s.pumps[STARTS_SHUT:]]
        rows += ["", "[CURVES]", *(f"C{k} {s.duty_l_per_s:.3f} {s.duty_m:.3f}" for k, s in enumerate(self.stations, 1)), "", "[PATTERNS]"]
        rows += [" ".join(["day", *(f"{x:.2f}" for x in PATTERN[i : i + 6])]) for i in range(0, 24, 6)]
        rows += ["", "[CONTROLS]"]
        for s in self.stations:
            for pump, (above, below) in zip(s.pumps, STAGES, strict=False):
                if above is not None:
                    rows += [f"LINK {pump} CLOSED IF NODE {s.tank} ABOVE {above}", f"LINK {pump} OPEN IF NODE {s.tank} BELOW {below}"]
        rows += ["", "[ENERGY]", f"Global Efficiency {EFFICIENCY_PERCENT}", "", "[TIMES]", "Duration 24:00", "Hydraulic Timestep 0:05"]
        rows += ["Pattern Timestep 1:00", "Report Timestep 0:05", "", "[OPTIONS]", "Units LPS", "Headloss H-W", "Trials 100"]
        rows += ["Accuracy 0.00001", "Unbalanced Continue 10", "", "[COORDINATES]"]
        places = {**self.junctions, **{s.id: (s.xy[0] - 20.0, s.xy[1]) for s in self.stations}, **self.tanks}
        rows += [f"{name} {xy[0]:.2f} {xy[1]:.2f}" for name, xy in places.items()]
        rows += ["", "[VERTICES]", *(f"{m.id} {x:.2f} {y:.2f}" for m in self.mains for x, y in m.course[1:-1]), "", "[END]", ""]
        return "\n".join(rows)
