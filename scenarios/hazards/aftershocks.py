"""Aftershocks: how many follow a main shock, when, how strong and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scenarios.hazards.earthquake import Quake

A, B, C_DAYS, P = -1.67, 0.91, 0.05, 1.08
"""Reasenberg and Jones (1989, Science 243:1173), generic: rate of those of at least M after t days 10^(a + b (Mm - M)) (t + c)^-p a day
(from memory; California's mean, the spread between sequences is wide)."""
BATH = 1.2
"""Bath's law: the largest is some 1.2 below the main shock; none is drawn above."""
DAY_S = 86400.0


def expected(magnitude: float, least: float, until_s: float) -> float:
    """Return how many of at least `least` are expected within `until_s` of the main shock."""
    return float(10.0 ** (A + B * (magnitude - least)) * _integral(until_s / DAY_S))


def _integral(days: float | np.ndarray) -> float | np.ndarray:
    return (C_DAYS ** (1.0 - P) - (days + C_DAYS) ** (1.0 - P)) / (P - 1.0)


def rupture_m(magnitude: float) -> float:
    """Return the length of the rupture: lg L(km) = -2.44 + 0.59 M (Wells and Coppersmith 1994, subsurface, all kinds)."""
    return float(10.0 ** (-2.44 + 0.59 * magnitude) * 1e3)


def draw(main: Quake, seed: int, until_s: int, least: float) -> list[Quake]:
    """Return the aftershocks of at least `least` within `until_s` seconds of the run, in order of time; the same for the same seed.

    Times by the rate above, magnitudes by Gutenberg and Richter with that b, places along the rupture with a tenth of its length aside.
    """
    rng = np.random.default_rng([seed, *b"aftershocks", round(100 * main.magnitude)])
    span_s = until_s - main.start_s
    top = main.magnitude - BATH
    if span_s <= 0 or least > top:
        return []
    count = int(rng.poisson(expected(main.magnitude, least, span_s) - expected(main.magnitude, top, span_s)))
    part = rng.random(count) * _integral(span_s / DAY_S)
    days = (C_DAYS ** (1.0 - P) - part * (P - 1.0)) ** (1.0 / (1.0 - P)) - C_DAYS
    tail = 1.0 - 10.0 ** (-B * (top - least))
    strength = least - np.log10(1.0 - rng.random(count) * tail) / B
    along, aside = rupture_m(main.magnitude) * (rng.random(count) - 0.5), rupture_m(main.magnitude) * 0.1 * rng.standard_normal(count)
    angle = np.radians(main.strike_deg)
    x, y = main.x_m + along * np.sin(angle) + aside * np.cos(angle), main.y_m + along * np.cos(angle) - aside * np.sin(angle)
    times = main.start_s + np.round(days * DAY_S).astype(int)
    order = np.argsort(times, kind="stable")
    return numbered(
        main,
        [
            replace(main, magnitude=round(float(strength[i]), 1), x_m=float(x[i]), y_m=float(y[i]), start_s=int(times[i]))
            for i in order
            if times[i] > main.start_s
        ],
    )


def numbered(main: Quake, shocks: Sequence[Quake]) -> list[Quake]:
    """Return the shocks each with a name of its own, so that elements have a luck of their own in each."""
    return [replace(one, name=f"{main.name} aftershock {k}") for k, one in enumerate(shocks, 1)]
