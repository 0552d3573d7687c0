"""How the air mixes: the height of the sun, Turner's key to the stability classes, the wind over height and over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

CLASSES = "ABCDEF"
CALM_M_PER_S = 1.0
"""Below this the Gaussian formulas do not hold: the wind has no direction to speak of."""
DRIFT_M_PER_S = 0.5
"""Puffs go on growing in still air as if they moved this fast (an assumption; the result is flagged)."""

_SPEEDS_M_PER_S = np.array([0.75, 1.85, 2.85, 3.35, 3.85, 4.85, 5.45, 5.95])
_KEY = np.array(
    [
        [1, 1, 2, 3, 4, 6, 7],
        [1, 2, 2, 3, 4, 6, 7],
        [1, 2, 3, 4, 4, 5, 6],
        [2, 2, 3, 4, 4, 5, 6],
        [2, 2, 3, 4, 4, 4, 5],
        [2, 3, 3, 4, 4, 4, 5],
        [3, 3, 4, 4, 4, 4, 5],
        [3, 3, 4, 4, 4, 4, 4],
        [3, 4, 4, 4, 4, 4, 4],
    ]
)
"""(wind, net radiation index 4 to -2): Turner (1964), doi 10.1175/1520-0450(1964)003<0083:ADMFAU>2.0.CO;2; EPA-454/R-99-005 table 6-4."""
_EXPONENT = {
    "urban": (0.15, 0.15, 0.20, 0.25, 0.30, 0.30),
    "rural": (0.07, 0.07, 0.10, 0.15, 0.35, 0.55),
    "pasquill": (0.07, 0.07, 0.10, 0.15, 0.35, 0.55),
}
"""Exponent p of the wind over height: EPA-454/B-95-003b (ISC3), section 1.1.3."""


def sun_deg(moment: datetime, lon_deg: float, lat_deg: float) -> float:
    """Return the sun's elevation (Spencer 1971 series for declination and equation of time; good to some 0.3 degrees).

    A moment without a time zone is taken as mean solar time.
    """
    offset = moment.utcoffset()
    solar = moment.replace(tzinfo=None) if offset is None else moment.replace(tzinfo=None) - offset + timedelta(hours=lon_deg / 15.0)
    hours = solar.hour + solar.minute / 60.0 + solar.second / 3600.0
    day = 2.0 * np.pi * (solar.timetuple().tm_yday - 1 + (hours - 12.0) / 24.0) / 365.0
    one, two, three = day, 2.0 * day, 3.0 * day
    tilt = 0.006918 - 0.399912 * np.cos(one) + 0.070257 * np.sin(one) - 0.006758 * np.cos(two) + 0.000907 * np.sin(two)
    tilt += -0.002697 * np.cos(three) + 0.00148 * np.sin(three)
    minutes = 229.18 * (0.000075 + 0.001868 * np.cos(one) - 0.032077 * np.sin(one) - 0.014615 * np.cos(two) - 0.040849 * np.sin(two))
    angle = np.radians(15.0 * (hours + minutes / 60.0 - 12.0))
    lat = np.radians(lat_deg)
    return float(np.degrees(np.arcsin(np.sin(lat) * np.sin(tilt) + np.cos(lat) * np.cos(tilt) * np.cos(angle))))


def stability(wind_m_per_s: float, elevation_deg: float, cloud: float, ceiling_m: float = 3000.0) -> int:
    """Return the Pasquill-Gifford class, 0 = A to 5 = F (G is taken as F), by Turner's key.

    `cloud` is the covered share of the sky, `ceiling_m` the base of the clouds. Night is a sun below the horizon
    (Turner's hour before sunset and after sunrise is not added).
    """
    column = 4 - _radiation(elevation_deg, cloud, ceiling_m)
    return min(int(_KEY[int(np.searchsorted(_SPEEDS_M_PER_S, wind_m_per_s, side="right")), column]), 6) - 1


def _radiation(elevation_deg: float, cloud: float, ceiling_m: float) -> int:
    """Return the net radiation index (EPA-454/R-99-005 tables 6-5 and 6-6)."""
    low, middle = ceiling_m < 7000 * 0.3048, ceiling_m < 16000 * 0.3048
    if cloud >= 0.999 and low:
        return 0
    if elevation_deg <= 0.0:
        return -2 if cloud <= 0.4 else -1
    index = 1 + int(np.searchsorted([15.0, 35.0, 60.0], elevation_deg, side="left"))
    if cloud > 0.5:
        index -= 2 if low else 1 if middle or cloud >= 0.999 else 0
    return max(index, 1)


def profile(height_m: np.ndarray | float, stability_class: int, terrain: str) -> np.ndarray:
    """Return the wind at a height over that at 10 m; below 10 m it is taken as at 10 m."""
    return (np.maximum(height_m, 10.0) / 10.0) ** _EXPONENT[terrain][stability_class]


@dataclass(frozen=True)
class Wind:
    """A wind at 10 m: from `start_s` on it blows at `speed_m_per_s` out of `from_deg` (0 = north, clockwise)."""

    start_s: int
    speed_m_per_s: float
    from_deg: float

    def vector(self) -> tuple[float, float]:
        """Return the metres a second east and north in which air moves."""
        angle = np.radians(self.from_deg)
        return float(-self.speed_m_per_s * np.sin(angle)), float(-self.speed_m_per_s * np.cos(angle))


def at(series: Sequence[Wind], now_s: int) -> Wind:
    """Return the wind of a series (in order of time) at a second."""
    return next((one for one in reversed(series) if one.start_s <= now_s), series[0])


def change_s(series: Sequence[Wind], now_s: int) -> int | None:
    """Return when the wind changes next."""
    return next((one.start_s for one in series if one.start_s > now_s), None)
