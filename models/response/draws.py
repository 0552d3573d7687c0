"""How long things take: lognormal times about a stated mean, each drawn from a stream of its own name."""

from __future__ import annotations

import math
import zlib

import numpy as np

TURNOUT_S = {"power": 240.0, "water": 240.0, "gas": 120.0, "fire": 60.0, "ambulance": 60.0, "police": 30.0, "bus": 300.0}
"""Mean seconds from the order until wheels roll. Fire: one minute to turn out (建标 152-2017, from memory; NFPA 1710: 80 s, ambulance
60 s); the rest synthetic."""
TURNOUT_SPREAD = 0.3
"""Coefficient of variation, synthetic."""
READY_S = 15.0
"""Seconds until a crew on the road (returning, standing by) turns to a new job: synthetic."""


def lognormal_s(seed: int, mean_s: float, spread: float, *name: int | str) -> int:
    """Return whole seconds, at least 1, of a lognormal time with this mean and coefficient of variation.

    The stream is named, so that one job more changes no other's times.
    """
    if mean_s <= 0:
        return 1
    key = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in name]
    variance = math.log1p(spread**2)
    drawn = np.random.default_rng([seed, *b"response", *key]).normal(math.log(mean_s) - variance / 2, math.sqrt(variance))
    return max(1, round(math.exp(drawn)))
