"""What water on a road does to those who drive: slower with depth, closed and stalled where it is too deep."""

from __future__ import annotations

import numpy as np

SLOW_TO_KM_PER_H = 86.9448
"""Speed that the curve gives on a road without water."""
LOWEST_MM = 300.0
"""The curve is of measured depths up to some 300 mm, where it has its minimum (at 307 mm, 2 km/h)."""
STEP_M_PER_S = 0.25
"""Speed limits move in steps of this much, so that a slow rise of water does not give SUMO a new limit every minute."""


def wading_m_per_s(depth_m: np.ndarray) -> np.ndarray:
    """Return the speed at which drivers go through water of `depth_m`; endless where there is none.

    v = 0.0009 w^2 - 0.5529 w + 86.9448 km/h with w in mm: Pregnolato, Ford, Wilkinson, Dawson 2017,
    doi 10.1016/j.trd.2017.06.020, fitted for w up to about 300 mm and held there beyond.
    """
    w = np.minimum(np.asarray(depth_m, float) * 1000.0, LOWEST_MM)
    speed = (0.0009 * w**2 - 0.5529 * w + SLOW_TO_KM_PER_H) / 3.6
    steps = np.maximum(STEP_M_PER_S, np.round(speed / STEP_M_PER_S) * STEP_M_PER_S)
    return np.where(w > 0, steps, np.inf)
