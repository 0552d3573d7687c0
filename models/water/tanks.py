"""What the tanks hold: levels and volumes between two hydraulic solutions, and the limits EPANET does not keep."""

from __future__ import annotations

import numpy as np

from models.water.engine import Project
from models.water.network import WaterNetwork

FLOAT_M3_PER_S = 1e-7
"""Less than this into a full tank is left to EPANET."""


class Tanks:
    """The tanks of a project, in the network's order; volumes in m3, levels in m above the bottom."""

    def __init__(self, project: Project, network: WaterNetwork) -> None:
        p = self.project = project
        self.names = network.tanks
        self.nodes = p.tank_nodes
        self._curves = [p.volume_curve(name) for name in self.names]
        self._bottom = p.tank_values("ELEVATION")
        self._area = np.pi / 4 * p.tank_values("TANKDIAM") ** 2
        self.lowest_m, self.highest_m = p.tank_values("MINLEVEL") * p.length, p.tank_values("MAXLEVEL") * p.length
        self._least_m3, self._most_m3 = p.tank_values("MINVOLUME") * p.length**3, p.tank_values("MAXVOLUME") * p.length**3
        self.overflows = p.tank_values("CANOVERFLOW") > 0
        self.inflow_m3_per_s = np.zeros(len(self.names))
        self.read()

    def read(self) -> None:
        """Take volumes and levels from EPANET."""
        p = self.project
        self.volume_m3 = p.tank_values("TANKVOLUME") * p.length**3
        self.levels = p.at_nodes("HEAD")[self.nodes] - self._bottom

    @property
    def stored_m3(self) -> float:
        """What all tanks hold at EPANET's own time."""
        return float(self.volume_m3.sum())

    def empty(self) -> None:
        """Set a tank that would empty within a second to its lowest level.

        EPANET does so for tanks that fill, but overshoots by half a second with one that empties, or stops short of it by
        as much and then lets it give water it has not got for a whole step.
        """
        nearly = (self.inflow_m3_per_s < 0) & (self.volume_m3 + self.inflow_m3_per_s <= self._least_m3)
        for i in np.flatnonzero(nearly):
            self.project.set_level(self.names[i], self.lowest_m[i] / self.project.length)
        if nearly.any():
            self.read()

    def at_limit(self) -> set[str]:
        """Return the tanks that are full or empty."""
        low, high = self.lowest_m / self.project.length, self.highest_m / self.project.length
        return {name for i, name in enumerate(self.names) if not low[i] + 1e-6 < self.levels[i] < high[i] - 1e-6}

    def excess(self) -> list[int]:
        """Return the links that, in the solution just made, fill a full tank that cannot overflow or drain an empty one.

        EPANET means to shut them itself, but 2.3.5 lets water run into a full tank, where it is lost
        (OpenWaterAnalytics/EPANET issue 900), and out of an empty one over a short pipe (issue 623).
        """
        p = self.project
        inflow = p.at_nodes("DEMAND")[self.nodes] * p.flow
        full = (self.volume_m3 >= self._most_m3 * (1 - 1e-9)) & (inflow > FLOAT_M3_PER_S) & ~self.overflows
        empty = (self.volume_m3 <= self._least_m3 + self._most_m3 * 1e-9) & (inflow < -FLOAT_M3_PER_S)
        found: list[int] = []
        for node, into in [(n, 1) for n in self.nodes[full]] + [(n, -1) for n in self.nodes[empty]]:
            flow = p.at_links("FLOW") * into
            towards = ((p.ends[:, 1] == node) & (flow > 0)) | ((p.ends[:, 0] == node) & (flow < 0))
            found += (np.flatnonzero(towards) + 1).tolist()
        return found

    def levels_m(self, dt_s: int) -> np.ndarray:
        """Return the levels `dt_s` seconds after EPANET's own time, at most one hydraulic step on."""
        length = self.project.length
        now = self.levels * length
        levels = now.copy()
        for i, curve in enumerate(self._curves):
            gained = self.inflow_m3_per_s[i] * dt_s / length**3
            if curve is not None:
                levels[i] = np.interp(self.volume_m3[i] / length**3 + gained, curve[1], curve[0]) * length
            elif self._area[i] > 0:
                levels[i] += gained / self._area[i] * length
        return np.clip(levels, np.minimum(self.lowest_m, now), np.maximum(self.highest_m, now))
