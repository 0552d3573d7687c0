"""Rain over space and time: design storms by the Chicago method, the warning levels, and cells that pass over."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

NANJING_A, NANJING_C, NANJING_B, NANJING_N = 2989.3, 0.671, 13.3, 0.8
"""q = A (1 + C lg P) / (t + b)^n in l/(s ha), t in minutes, P in years: Nanjing's older formula, from memory: take it for synthetic."""
L_PER_S_HA_MM_PER_H = 0.36
"""1 l/(s ha) is 0.36 mm/h."""
PEAK_SHARE = 0.4
"""The peak comes after this share of the storm: customary for Chinese design storms (0.3 to 0.5). Synthetic."""
WARNINGS = {"blue": (50.0, 12.0), "yellow": (50.0, 6.0), "orange": (50.0, 3.0), "red": (100.0, 3.0)}
"""Rain of China's warning levels: mm in hours."""


def idf_l_per_s_ha(return_years: float, minutes: float) -> float:
    """Return the mean intensity of a storm of this return period and duration, l/(s ha)."""
    return NANJING_A * (1 + NANJING_C * math.log10(return_years)) / (minutes + NANJING_B) ** NANJING_N


@dataclass(frozen=True)
class Storm:
    """A Chicago storm (Keifer and Chu 1957): `depth_mm` in `duration_s`, its shape that of the intensity-duration curve.

    Before the peak i = a ((1-n) t/r + b) / (t/r + b)^(1+n), after it the same with 1-r, t in minutes from the peak;
    scaled so that the whole storm gives `depth_mm`. `from_s` is when it begins.
    """

    depth_mm: float
    duration_s: float
    from_s: float = 0.0

    def _gathered(self, minutes: float) -> float:
        """Return t / (t + b)^n: the depth of the worst `minutes`, up to a factor."""
        return minutes / (minutes + NANJING_B) ** NANJING_N if minutes > 0 else 0.0

    def _shape(self, t_s: float) -> float:
        """Return the share of the depth fallen up to second `t_s` of the storm."""
        whole, peak = self.duration_s / 60, PEAK_SHARE * self.duration_s / 60
        at = min(max(t_s / 60, 0.0), whole)
        before = PEAK_SHARE * self._gathered((peak - min(at, peak)) / PEAK_SHARE)
        after = (1 - PEAK_SHARE) * self._gathered(max(at - peak, 0.0) / (1 - PEAK_SHARE))
        return (PEAK_SHARE * self._gathered(whole) - before + after) / self._gathered(whole)

    def mean_mm_per_h(self, start_s: float, end_s: float) -> float:
        """Return the mean intensity between two seconds of the run: exact in depth for any interval."""
        if end_s <= self.from_s or start_s >= self.from_s + self.duration_s:
            return 0.0
        share = self._shape(end_s - self.from_s) - self._shape(start_s - self.from_s)
        return self.depth_mm * share / (end_s - start_s) * 3600.0


def design_storm(return_years: float, duration_s: float) -> Storm:
    """Return the storm whose depth is that of Nanjing's formula."""
    mean = idf_l_per_s_ha(return_years, duration_s / 60) * L_PER_S_HA_MM_PER_H
    return Storm(mean * duration_s / 3600.0, duration_s)


@dataclass(frozen=True)
class Cell:
    """A storm cell: a Gaussian of rain that passes over; its strength rises and falls as half a sine over its life.

    `radius_m` is where the rain is exp(-1/2) of that in the middle. The shape is synthetic (cells of convective storms
    are commonly taken as Gaussian: Rodriguez-Iturbe, Cox, Isham 1987, doi 10.1098/rspa.1987.0039, use discs).
    """

    from_s: float
    x_m: float
    y_m: float
    radius_m: float
    peak_mm_per_h: float
    duration_s: float
    speed_m_per_s: float = 0.0
    heading_deg: float = 0.0

    def mm_per_h(self, t_s: float, xy: np.ndarray) -> np.ndarray:
        """Return the rain at points (k, 2) at second `t_s`."""
        age = t_s - self.from_s
        if not 0 <= age < self.duration_s:
            return np.zeros(len(xy))
        turned = math.radians(self.heading_deg)
        middle = np.array([self.x_m + self.speed_m_per_s * age * math.sin(turned), self.y_m + self.speed_m_per_s * age * math.cos(turned)])
        away = ((xy - middle) ** 2).sum(axis=1)
        return self.peak_mm_per_h * math.sin(math.pi * age / self.duration_s) * np.exp(-away / (2 * self.radius_m**2))
