"""Electric cars at charging points: state of charge, power and energy, without a traffic engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

CAPACITY_KWH = 60.0
"""Usable battery of a car; synthetic: one middle-class figure for every car."""
SOC_ON_ARRIVAL = (0.2, 0.8)
"""Range of the state of charge of a car that plugs in, uniform; synthetic."""
TAPER_FROM_SOC = 0.8
FULL_SOC = 0.995
EFFICIENCY = 0.9
"""Energy stored per energy drawn; synthetic, an ordinary figure for alternating current charging."""


@dataclass
class Charging:
    """The cars that are plugged in, in order of arrival, at sites with `points` outlets of `point_kw`.

    A car draws its point's power up to a state of charge of 0.8, then less in proportion to what is
    missing: the constant-current, constant-voltage curve in the shape of Montoya, Gueret, Mendoza and
    Villegas (2017), Transportation Research B 103, doi:10.1016/j.trb.2017.02.004.
    """

    points: np.ndarray
    point_kw: np.ndarray
    site: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    soc: np.ndarray = field(default_factory=lambda: np.empty(0))
    drawn_kwh: float = 0.0
    """Energy drawn from the grid since the start."""
    brought_kwh: float = 0.0
    """Energy that was in the cars when they plugged in."""
    taken_kwh: float = 0.0
    """Energy in the cars that unplugged."""

    def plug(self, site: int, soc: float) -> bool:
        """Plug a car in; False when every point of the site is taken."""
        if np.count_nonzero(self.site == site) >= self.points[site]:
            return False
        self.site, self.soc = np.append(self.site, site), np.append(self.soc, soc)
        self.brought_kwh += soc * CAPACITY_KWH
        return True

    def unplug(self, site: int) -> bool:
        """Let the car that has been plugged in longest at `site` go; False when there is none."""
        there = np.flatnonzero(self.site == site)
        if not there.size:
            return False
        self.taken_kwh += float(self.soc[there[0]]) * CAPACITY_KWH
        self.site, self.soc = np.delete(self.site, there[0]), np.delete(self.soc, there[0])
        return True

    def car_kw(self, powered: np.ndarray) -> np.ndarray:
        """Return what each car draws now; `powered` is bool per site."""
        taper = np.minimum(1.0, (1.0 - self.soc) / (1.0 - TAPER_FROM_SOC))
        return np.where(powered[self.site] & (self.soc < FULL_SOC), self.point_kw[self.site] * taper, 0.0)

    def site_mw(self, powered: np.ndarray) -> np.ndarray:
        """Return the power of each site in MW."""
        return np.bincount(self.site, self.car_kw(powered), len(self.points)) / 1000.0

    def plugged(self) -> np.ndarray:
        """Return how many points of each site are taken."""
        return np.bincount(self.site, minlength=len(self.points))

    def step(self, powered: np.ndarray) -> None:
        """Charge for one second."""
        if not self.site.size:
            return
        drawn = self.car_kw(powered) / 3600.0
        self.drawn_kwh += float(drawn.sum())
        self.soc = self.soc + drawn * EFFICIENCY / CAPACITY_KWH

    def held_kwh(self) -> float:
        """Return the energy in the cars that are plugged in."""
        return float(self.soc.sum()) * CAPACITY_KWH

    def save(self) -> dict[str, Any]:
        """Return the state as plain data."""
        return {"site": self.site.copy(), "soc": self.soc.copy(), "kwh": [self.drawn_kwh, self.brought_kwh, self.taken_kwh]}

    def load(self, saved: dict[str, Any]) -> None:
        """Take a saved state."""
        self.site, self.soc = saved["site"].copy(), saved["soc"].copy()
        self.drawn_kwh, self.brought_kwh, self.taken_kwh = saved["kwh"]
