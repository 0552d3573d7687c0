"""What is drawn about a patient, from a random stream of its own: the same patient fares alike in every variant of a run.

START (Super, Groth, Hook 1994) sorts the injured into black (dead or expectant), red (immediate), yellow (delayed) and green
(minor); sorting takes 33 s a patient (Curran-Sills & Franc 2017, doi:10.1017/cem.2016.386: nine paper cases, 72 % of them right).
Everything else here is synthetic. Two anchors: of adult emergency patients in Tianjin 7.5 % were in a bed within 6 h
(5.3 % in urban tertiary hospitals; a survey of fifty hospitals, 2018), and travel times are lognormal with a standard deviation
of 40 % of their mean (Ingolfsson, Budge, Erkut 2008).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

BLACK, RED, YELLOW, GREEN = 0, 1, 2, 3
CLASSES = ("black", "red", "yellow", "green")
"""Triage classes by code; the code is the `destination` of a record of the flow `patient`."""

TRIAGE_S = 33
"""Seconds from the door to a place in the queue (START)."""
TREATMENT_S = (0.0, 5400.0, 3000.0, 1200.0)
"""Mean seconds in a treatment bay by class: synthetic."""
SPREAD = 0.6
"""Coefficient of variation of treatment: synthetic."""
ADMITTED = (0.0, 0.85, 0.35, 0.01)
"""Share of each class that needs a bed after treatment: synthetic."""
STAY_S = 5 * 86400.0
"""Mean stay in a bed, exponential: synthetic."""
WALK_IN = (0.0, 0.03, 0.12, 0.85)
"""Classes of walk-in patients: synthetic, so that 7.6 % of them are admitted."""
TRAVEL_SPREAD = 0.4
"""Standard deviation of a travel time over its mean (Ingolfsson, Budge, Erkut 2008)."""
BY_HOUR = (
    0.7,
    0.5,
    0.4,
    0.35,
    0.3,
    0.35,
    0.45,
    0.6,
    0.95,
    1.25,
    1.3,
    1.2,
    1.05,
    1.1,
    1.15,
    1.15,
    1.15,
    1.2,
    1.45,
    1.6,
    1.65,
    1.55,
    1.3,
    0.9,
)
"""Walk-ins by hour over their mean: synthetic, peak 18 to 22 h and trough 2 to 8 h after a Shanghai hospital's year 2016
(1,027 a day; Zhang et al. 2018, Chin J Emerg Med 27(4):409-414). Scaled to a mean of 1 where it is used."""


class Fate(NamedTuple):
    """What one patient will need: seconds in a bay, whether a bed, seconds in it."""

    treatment_s: int
    admitted: bool
    stay_s: int


def lognormal(rng: np.random.Generator, mean: float, spread: float) -> float:
    """Draw a lognormal value with this mean and coefficient of variation."""
    sigma2 = math.log1p(spread * spread)
    return float(rng.lognormal(math.log(mean) - sigma2 / 2.0, math.sqrt(sigma2)))


def fate(seed: list[int], id: int, triage: int, distribution: str) -> Fate:
    """Draw what patient `id` needs."""
    if triage == BLACK:
        return Fate(0, False, 0)
    rng = np.random.default_rng([*seed, 1, id])
    mean = TREATMENT_S[triage]
    seconds = lognormal(rng, mean, SPREAD) if distribution == "lognormal" else rng.exponential(mean)
    return Fate(max(1, round(seconds)), bool(rng.random() < ADMITTED[triage]), max(60, round(rng.exponential(STAY_S))))


def travel_s(seed: list[int], id: int, leg: int, metres: float, speed_m_per_s: float) -> int:
    """Draw the seconds of a patient's way; `leg` counts its ways."""
    rng = np.random.default_rng([*seed, 2, id, leg])
    return max(1, round(lognormal(rng, max(metres, 1.0) / speed_m_per_s, TRAVEL_SPREAD)))


def walk_ins(seed: list[int], hospital: int, day: int, per_day: float, midnight_s: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (second, class) of the walk-ins of one hospital on day `day` of the run, from 24 `day` hours after its start on.

    A Poisson process thinned by the hour. `midnight_s`: seconds from midnight to second 0 of the run. `day` -1 is the day before.
    """
    rng = np.random.default_rng([*seed, 3, hospital, day + 1])
    shape = np.asarray(BY_HOUR) / np.mean(BY_HOUR)
    count = int(rng.poisson(per_day * float(shape.max())))
    at_s = 86400.0 * day + np.sort(rng.uniform(0.0, 86400.0, count))
    hours = ((at_s + midnight_s) // 3600).astype(int) % 24
    kept = rng.random(count) * float(shape.max()) < shape[hours]
    kinds = rng.choice(len(CLASSES), size=count, p=np.asarray(WALK_IN))
    return np.floor(at_s[kept]).astype(int), kinds[kept]
