"""What is to be reported of a crowd: dense and cleared areas, jammed gates, an empty venue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from models.crowd.model import Crowd

DENSE_PER_M2, THINNED_PER_M2 = 4.0, 3.5
"""An area is reported above the first and again below the second (planning limit 4 /m2; Fruin 1971: contact at 3.57)."""
JAMMED_S = 180.0
"""A gate is reported as jammed when those before it need longer than this at its capacity."""


class Watch:
    """What was reported last, so that a notice is given once, when something has become true."""

    def __init__(self, crowd: Crowd, areas: int, gates: int) -> None:
        self.crowd = crowd
        self.dense, self.jammed = np.zeros(areas, bool), np.zeros(gates, bool)
        self.clearing_s = np.full(areas, -1, np.int64)
        self.emptied = np.zeros(2, bool)

    def clears(self, area: int, why: str, people: int, now_s: int) -> None:
        """Report that people are sent away from an area, and look from now on whether it is empty."""
        self.clearing_s[area] = now_s
        self.crowd.area_clearing(area, why=why, people=people)

    def keep(self, cleared: np.ndarray) -> None:
        """Look no more at areas that are cleared no longer."""
        self.clearing_s[~cleared] = -1

    def jams(self, gate_s: np.ndarray, before: np.ndarray, now_s: int) -> None:
        """Report gates that have jammed and that flow again; `gate_s` is how long those `before` them need to pass."""
        jam = (before > 0) & (gate_s > JAMMED_S)
        flows = self.jammed & ((before == 0) | (gate_s < JAMMED_S / 2))
        for gate in np.flatnonzero(jam & ~self.jammed).tolist():
            self.crowd.gate_jammed(gate, happened_s=now_s, people=int(before[gate]))
        for gate in np.flatnonzero(flows).tolist():
            self.crowd.gate_flows(gate, happened_s=now_s)
        self.jammed = (self.jammed | jam) & ~flows

    def areas(self, density: np.ndarray, counts: np.ndarray, now_s: int) -> None:
        """Report areas that have become dense, thin again, or empty after they were cleared."""
        crowd = self.crowd
        for area in np.flatnonzero(~self.dense & (density > DENSE_PER_M2)).tolist():
            crowd.density_high(area, happened_s=now_s, density_per_m2=round(float(density[area]), 3))
        for area in np.flatnonzero(self.dense & (density < THINNED_PER_M2)).tolist():
            crowd.density_normal(area, happened_s=now_s)
        self.dense = np.where(self.dense, density >= THINNED_PER_M2, density > DENSE_PER_M2)
        for area in np.flatnonzero((self.clearing_s >= 0) & (counts == 0)).tolist():
            crowd.area_cleared(area, happened_s=now_s, took_s=float(now_s - self.clearing_s[area]))
            self.clearing_s[area] = -1

    def empty(self, venue: bool, town: bool, people: int, now_s: int) -> None:
        """Report once that nobody is left in the venue, and that everybody has gone home."""
        now = np.array([venue, town])
        for k, notice in enumerate((self.crowd.venue_empty, self.crowd.everybody_gone)):
            if now[k] and not self.emptied[k]:
                notice(0, happened_s=now_s, people=people)
        self.emptied |= now

    _SAVED = ("dense", "jammed", "clearing_s", "emptied")

    def save(self) -> dict[str, np.ndarray]:
        """Return what was reported last."""
        return {name: getattr(self, name).copy() for name in self._SAVED}

    def load(self, saved: dict[str, np.ndarray]) -> None:
        """Restore it."""
        for name in self._SAVED:
            getattr(self, name)[...] = saved[name]
