"""What people breathe: air that comes in through windows, toxic load over 10, 30 and 60 minutes, AEGL levels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.air.substances import AEGL_MINUTES, NAMES, SUBSTANCES

SLOTS = max(AEGL_MINUTES) + 1
OPEN_PER_H, SHUT_PER_H = 2.0, 0.3
"""Synthetic: changes of a building's air in an hour with windows open and shut (0.1 to 3 are usual)."""
_NIL_MG_PER_M3 = 1e-6


class Exposure:
    """Per toxic substance that ever was in the air: what is breathed now, and C^n dt minute by minute over the last hour."""

    def __init__(self, indoor: np.ndarray) -> None:
        self.indoor = indoor
        self.breathed: dict[str, np.ndarray] = {}
        self.minutes: dict[str, np.ndarray] = {}

    @property
    def idle(self) -> bool:
        """Whether nobody breathed anything within the last hour."""
        return not self.breathed

    def step(self, outside_mg_per_m3: np.ndarray, now_s: int, seconds: int, sheltered: np.ndarray) -> None:
        """Breathe for `seconds` up to `now_s` what is outside at (substance, place): dCi/dt = n (Co - Ci) indoors."""
        mixed = 1.0 - np.exp(-np.where(sheltered, SHUT_PER_H, OPEN_PER_H) * seconds / 3600.0)
        mixed = np.where(self.indoor, mixed, 1.0)
        minute = (now_s - 1) // 60
        for k, name in enumerate(NAMES):
            if not SUBSTANCES[name].toxic or (name not in self.breathed and outside_mg_per_m3[k].max(initial=0.0) <= _NIL_MG_PER_M3):
                continue
            inside = self.breathed.setdefault(name, np.zeros(len(self.indoor)))
            held = self.minutes.setdefault(name, np.zeros((SLOTS, len(self.indoor))))
            inside += mixed * (outside_mg_per_m3[k] - inside)
            if (now_s - seconds) % 60 == 0:
                held[minute % SLOTS] = 0.0
            held[minute % SLOTS] += inside ** SUBSTANCES[name].exponent * seconds
        for name in [n for n in self.breathed if self.breathed[n].max(initial=0.0) <= _NIL_MG_PER_M3 and not self.minutes[n].any()]:
            del self.breathed[name], self.minutes[name]

    def levels(self, now_s: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (place,) the AEGL level of the last 10, 30 or 60 minutes, the worst; and the share of AEGL-3's toxic load.

        A window's concentration is (integral of C^n / T)^(1/n) (ten Berge et al. 1986, J. Hazard. Mater. 13:301): an hour
        counts as an hour although it was breathed for ten minutes only.
        """
        level, share = np.zeros(len(self.indoor), int), np.zeros(len(self.indoor))
        minute = (now_s - 1) // 60
        for name, held in self.minutes.items():
            substance = SUBSTANCES[name]
            limits = substance.aegl_mg_per_m3()
            for column, minutes in enumerate(AEGL_MINUTES):
                rows = np.arange(minute - minutes + 1, minute + 1) % SLOTS
                load = held[rows].sum(axis=0)
                equal = (load / (minutes * 60.0)) ** (1.0 / substance.exponent)
                level = np.maximum(level, (equal >= limits[:, column, None]).sum(axis=0))
                share = np.maximum(share, load / (limits[2, column] ** substance.exponent * minutes * 60.0))
        return level, share

    def now_mg_per_m3(self) -> np.ndarray:
        """Return (place,) what is breathed, all toxic substances together."""
        return sum(self.breathed.values(), np.zeros(len(self.indoor)))

    def save(self) -> dict[str, Any]:
        """Return the state as plain data."""
        return {"breathed": {n: a.copy() for n, a in self.breathed.items()}, "minutes": {n: a.copy() for n, a in self.minutes.items()}}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take up what `save` returned."""
        self.breathed = {n: np.array(a) for n, a in saved["breathed"].items()}
        self.minutes = {n: np.array(a) for n, a in saved["minutes"].items()}
