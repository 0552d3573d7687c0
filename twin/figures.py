"""Reduces samples to one figure: over elements first, then over time."""

from __future__ import annotations

import re

import numpy as np

OF_VALUES = {
    "mean": "the mean of the samples",
    "min": "the lowest sample",
    "max": "the highest sample",
    "first": "the first sample",
    "last": "the last sample",
    "change": "the last sample less the first",
    "integral": "the integral over time (trapezoids)",
}
OF_THRESHOLD = {
    "time_above": "how long it was above `threshold` (a sample holds until the next)",
    "time_below": "how long it was below `threshold`",
    "longest_above": "the longest time without a break above `threshold`",
    "longest_below": "the longest time without a break below `threshold`",
    "share_above": "the share of the time above `threshold`",
    "share_below": "the share of the time below `threshold`",
    "first_above": "how long after `from` it was first above `threshold`",
    "first_below": "how long after `from` it was first below `threshold`",
    "last_above": "how long after `from` it was above `threshold` for the last time; not reached while it still is",
    "last_below": "how long after `from` it was below `threshold` for the last time; not reached while it still is",
}
PERCENTILE = re.compile(r"p([1-9]\d?)")
"""A percentile of the samples, linear between them: p5, p95."""


def across(values: np.ndarray, how: str | None, limit: float | None) -> np.ndarray:
    """Reduce (time, element) to (time,): mean, min, max, sum, or count and share above and below `limit`."""
    if how is None:
        return np.asarray(values[:, 0])
    if limit is None:
        return np.asarray(getattr(values, how)(axis=1))
    beyond = _beyond(values, how, limit)
    return np.asarray(beyond.sum(axis=1) if how.startswith("count_") else beyond.mean(axis=1))


def over(level: np.ndarray, times_s: np.ndarray, how: str, threshold: float | None, from_s: float) -> float | None:
    """Reduce (time,) to a number; moments are given from `from_s` on. None when a threshold was not reached."""
    if threshold is not None:
        return _by_threshold(_beyond(level, how, threshold), times_s, how.split("_", maxsplit=1)[0], from_s)
    percentile = PERCENTILE.fullmatch(how)
    if percentile:
        return float(np.percentile(level, int(percentile[1])))
    if how == "integral":
        return float(np.trapezoid(level, times_s))
    ends = {"first": level[0], "last": level[-1], "change": level[-1] - level[0]}
    return float(ends[how] if how in ends else getattr(level, how)())


def _beyond(values: np.ndarray, how: str, limit: float) -> np.ndarray:
    return values > limit if how.endswith("_above") else values < limit


def _by_threshold(beyond: np.ndarray, times_s: np.ndarray, how: str, from_s: float) -> float | None:
    held_s = np.append(np.diff(times_s), 0.0)
    where = np.flatnonzero(beyond)
    if how == "first":
        return float(times_s[where[0]] - from_s) if where.size else None
    if how == "last":
        if not where.size:
            return 0.0
        return None if beyond[-1] else float(times_s[where[-1] + 1] - from_s)
    if how == "longest":
        spells = np.split(np.where(beyond, held_s, 0.0), np.flatnonzero(~beyond))
        return float(max(spell.sum() for spell in spells))
    total_s = float(held_s[beyond].sum())
    return total_s if how == "time" else total_s / float(held_s.sum()) if held_s.sum() else float(beyond[0])
