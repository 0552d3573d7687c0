"""A drainage network through time: whole routing steps under a log of plain commands that can be replayed to the bit.

Time. SWMM moves in fixed routing steps. `advance` routes every step that ends by the second asked for; a command given
between two steps acts from the next one on (at most one step later), so any split of an `advance` gives the same bits.

State. SWMM's hot start is not exact (some 0.05 m); the same commands at the same steps give the same bits, so a snapshot is
the log since second 0.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from models.drainage.engine import Swmm
from models.drainage.network import DrainageNetwork
from models.drainage.storm import Cell, Storm

Command = tuple[Any, ...]
"""("pump", index, may_run), ("link", name, 0|1), ("stage", outfall, level_m), ("inlet", node, share), ("scale", factor),
("storm", depth_mm, duration_s, from_s), ("inflow", node, m3_per_s),
("cell", from_s, x, y, radius_m, mm_per_h, duration_s, speed, heading)"""
RELEASE_S = 300.0
"""A cleared inlet swallows what stood before it within about this time. Synthetic."""
Base = Callable[[float, float], np.ndarray]
"""The rain that nobody changed: mean mm/h at each gage between two seconds."""


class Session:
    """SWMM on a copy of a network, moved by whole steps, with everything that is ever done to it in a log."""

    def __init__(self, network: DrainageNetwork, scratch: Path, step_s: int, wet_s: int, rain: Base | None) -> None:
        """`rain` None leaves the file's own rain to SWMM until a command changes it."""
        self.network, self.step_s, self.wet_s, self.rain = network, step_s, wet_s, rain
        self.swmm = Swmm(network, scratch, step_s)
        self.log: list[tuple[int, Command]] = []
        self._reset()

    def _reset(self) -> None:
        n = self.network
        self.t_s, self._done = 0, 0
        self.factor, self.taken = 1.0, False
        self.storms: list[Storm] = []
        self.cells: list[Cell] = []
        self.may_run = np.ones(len(n.pumps), bool)
        self.wants = np.array([pump.starts_on for pump in n.pumps], bool)
        self.setting = self.wants.astype(float)
        self.blocked: dict[int, float] = {}
        self.kept_m3 = np.zeros(len(n.nodes))
        self.given: dict[int, float] = {}
        self._inflow: dict[int, float] = {}
        self._on_m = np.array([pump.on_m for pump in n.pumps])
        self._off_m = np.array([pump.off_m for pump in n.pumps])

    def order(self, now_s: int, command: Command) -> None:
        """Take a command: it acts from the first routing step that begins at `now_s` or later."""
        self.log.append((now_s, command))

    def advance(self, until_s: int) -> bool:
        """Route every step that ends by `until_s`; return whether there was one."""
        before = self.t_s
        while self.t_s + self.step_s <= until_s:
            while self._done < len(self.log) and self.log[self._done][0] <= self.t_s:
                self._apply(self.log[self._done][1])
                self._done += 1
            self._rain()
            self._pumps()
            self._inlets()
            self.swmm.step()
            self.t_s += self.step_s
        return self.t_s > before

    # -- commands -----------------------------------------------------------------------------------------------------

    def _apply(self, command: Command) -> None:
        name, *given = command
        if name == "pump":
            self.may_run[given[0]] = given[1]
        elif name == "link":
            self.swmm.set_link(given[0], float(given[1]))
        elif name == "stage":
            self.swmm.set_stage(given[0], given[1])
        elif name == "inlet":
            self.blocked[given[0]] = given[1]
        elif name == "scale":
            self.factor = given[0]
        elif name == "storm":
            self.storms.append(Storm(*given))
        elif name == "cell":
            self.cells.append(Cell(*given))
        elif name == "inflow":
            self.given[given[0]] = given[1]
        else:
            raise ValueError(f"no command '{name}'")

    # -- before each step ---------------------------------------------------------------------------------------------

    def _rain(self) -> None:
        """Set the rain of the next runoff step; the file's own is left to SWMM until something changes it."""
        if self.t_s % self.wet_s or not (self.taken or self.rain is not None or self.factor != 1.0 or self.storms or self.cells):
            return
        end_s = self.t_s + self.wet_s
        base = self.rain(self.t_s, end_s) if self.rain is not None else self._file_rain()
        fallen = base + sum(storm.mean_mm_per_h(self.t_s, end_s) for storm in self.storms)
        for cell in self.cells:
            fallen = fallen + cell.mm_per_h(self.t_s + self.wet_s / 2, self.network.gage_xy)
        self.swmm.set_rain(fallen * self.factor)
        self.taken = True

    def _file_rain(self) -> np.ndarray:
        return np.array([series.at(self.t_s) for series in self.network.series]) * self.network.rain_mm

    def _pumps(self) -> None:
        """Start and stop pumps by the depth of their wet wells (SWMM 5.2, link_setTargetSetting), none that may not run."""
        if not len(self.may_run):
            return
        depth = self.swmm.depth_m(self.swmm.pump_from.tolist())
        self.wants &= ~((self._off_m > 0) & (depth < self._off_m))
        self.wants |= (self._on_m > 0) & (depth > self._on_m)
        setting = (self.wants & self.may_run).astype(float)
        for i in np.flatnonzero(setting != self.setting).tolist():
            self.swmm.set_link(self.network.pumps[i].id, setting[i])
        self.setting = setting

    def _inlets(self) -> None:
        """Keep on the street the share of the runoff that a blocked inlet does not take; let it in when it is cleared."""
        for node in self.blocked.keys() | self.given.keys():
            arriving = max(0.0, self.swmm.lateral_m3_per_s(node) - self._inflow.get(node, 0.0))
            share = self.blocked.get(node, 0.0)
            kept = share * arriving - (1 - share) * self.kept_m3[node] / RELEASE_S
            self.kept_m3[node] += kept * self.step_s
            self._inflow[node] = self.given.get(node, 0.0) - kept
            self.swmm.set_inflow(node, self._inflow[node])

    # -- snapshots ----------------------------------------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        """Return the log since second 0."""
        return {"log": [[second, list(command)] for second, command in self.log]}

    def restore(self, saved: dict[str, Any], now_s: int) -> None:
        """Come from second 0 to `now_s` again by the same commands."""
        self.swmm.start()
        self._reset()
        self.log = [(second, tuple(command)) for second, command in saved["log"]]
        self.advance(now_s)

    def close(self) -> None:
        """End SWMM."""
        self.swmm.close()
