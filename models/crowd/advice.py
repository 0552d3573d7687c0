"""What people are asked by telephone: only those whom an alert has reached heed it, and the others go on as they meant to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from models.crowd.decide import GONE, LEAVING, SEATED, Groups, Outlook


class Advice:
    """Areas to leave and gates to avoid, and the groups that know of it.

    A group hears of it once the share of people alerted where it is exceeds a number that is its own and never changes: among
    many groups exactly that share knows, and who knew keeps knowing. It acts after the time that news takes to reach it.
    """

    def __init__(self, areas: int, gates: int, groups: int, seed: list[int]) -> None:
        self.areas, self.gates = np.zeros(areas, bool), np.zeros(gates, bool)
        self.told = np.zeros(groups, bool)
        self._ear = np.random.default_rng([*seed, *b"telephone"]).random(groups)

    @property
    def given(self) -> bool:
        """Whether anything is asked of anybody."""
        return bool(self.areas.any() or self.gates.any())

    def take_back(self) -> None:
        """Forget who was told when nothing is asked any more."""
        if not self.given:
            self.told[:] = False

    def spread(self, groups: Groups, where: np.ndarray, alerted: np.ndarray, seats: np.ndarray, now_s: int) -> None:
        """Tell those whom the alert has reached by now; `where` (group,) is an area or -1, `seats` (group,) the area of its seats.

        Who sits in an area to be left stands up; who is on the way looks around. Between areas the mean share counts.
        """
        share = np.where(where >= 0, alerted[where], alerted.mean() if len(alerted) else 0.0)
        fresh = (self._ear < share) & ~self.told & (groups.state != GONE)
        self.told |= fresh
        up = fresh & (groups.state == SEATED) & self.areas[seats]
        groups.held[up] = False
        groups.leave_s[up] = np.minimum(groups.leave_s[up], now_s + groups.lag_s[up])
        on = fresh & (groups.state == LEAVING)
        groups.think_s[on] = np.minimum(groups.think_s[on], now_s + groups.lag_s[on])

    def outlook(self, seen: Outlook, target_area: np.ndarray) -> Outlook:
        """Return the outlook of those who know: targets in the areas are out of question, and the gates while another is open."""
        shunned = self.areas[target_area] & (target_area >= 0)
        gate_s = np.where(self.gates, np.inf, seen.gate_s)
        usable = np.isfinite(gate_s) & np.isfinite(seen.way_s).any(axis=1)
        return replace(seen, gate_s=gate_s if usable.any() else seen.gate_s, wait_s=np.where(shunned, np.inf, seen.wait_s))

    def save(self) -> dict[str, Any]:
        """Return the state as plain data."""
        return {name: getattr(self, name).copy() for name in ("areas", "gates", "told")}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take up what `save` returned."""
        for name in ("areas", "gates", "told"):
            getattr(self, name)[...] = saved[name]
