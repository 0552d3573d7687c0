"""Which rain falls when nobody interferes: none, a design storm, a warning level, or a file of steps."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from models.drainage.csvrows import read_rows
from models.drainage.network import DrainageNetwork
from models.drainage.storm import WARNINGS, Storm, design_storm
from twin.errors import InputError, Problem, nearest

MOST_MM_PER_H = 1000.0
"""More rain than ever fell in an hour."""


@dataclass(frozen=True)
class Steps:
    """Rain in steps: (rows,) seconds and (rows, gages) mm/h, each held until the next row."""

    starts_s: tuple[float, ...]
    mm_per_h: np.ndarray

    def mean(self, start_s: float, end_s: float) -> np.ndarray:
        """Return the mean rain at each gage between two seconds."""
        inside = [t for t in self.starts_s if start_s < t < end_s]
        cuts = [start_s, *inside, end_s]
        total = np.zeros(self.mm_per_h.shape[1])
        for a, b in pairwise(cuts):
            row = bisect_right(self.starts_s, a) - 1
            if row >= 0:
                total = total + self.mm_per_h[row] * (b - a)
        return total / (end_s - start_s)


def read_rain(file: Path, gages: tuple[str, ...]) -> Steps:
    """Read `minute,all` or `minute,<gage>,...`; InputError holds every problem found."""
    wrong: list[Problem] = []
    starts: list[float] = []
    rows: list[list[float]] = []
    (_, head), *lines = read_rows(file) or [(1, [])]
    if head[:1] != ["minute"] or len(head) < 2:
        raise InputError(Problem("the first line is 'minute,all', or 'minute' and the rain gages", str(file), 1))
    wrong += [Problem(nearest(name, (*gages, "all"), what="rain gage"), str(file), 1) for name in head[1:] if name not in (*gages, "all")]
    for line, row in lines:
        try:
            values = [float(value) for value in row]
        except ValueError:
            values = []
        if len(values) != len(head) or not isfinite(values[0]) or not all(0 <= v <= MOST_MM_PER_H for v in values[1:]):
            wrong.append(Problem(f"{len(head)} numbers are needed, rain from 0 to {MOST_MM_PER_H:g} mm/h", str(file), line))
        elif starts and not values[0] * 60 > starts[-1]:
            wrong.append(Problem("minutes must rise", str(file), line))
        else:
            starts.append(values[0] * 60)
            rows.append(values[1:])
    if wrong:
        raise InputError(wrong)
    column = {name: i for i, name in enumerate(head[1:])}
    which = [column.get(gage, column.get("all", -1)) for gage in gages]
    table = np.array([[row[i] if i >= 0 else 0.0 for i in which] for row in rows]).reshape(-1, len(gages))
    return Steps(tuple(starts), table)


def base_rain(options: Any, network: DrainageNetwork, steps: Steps | None) -> Callable[[float, float], np.ndarray] | None:
    """Return the mean rain (mm/h) at each gage between two seconds, or None where the .inp's own rain falls."""
    if options.rain == "file":
        return None
    if steps is not None:
        return steps.mean
    none = np.zeros(len(network.gages))
    if options.rain == "none":
        return lambda start_s, end_s: none
    if options.rain == "design":
        shaped = design_storm(options.return_years, options.storm_lasts)
    else:
        depth, hours = WARNINGS[options.rain]
        shaped = Storm(depth, hours * 3600.0)
    storm = Storm(shaped.depth_mm, shaped.duration_s, float(options.storm_from))
    return lambda start_s, end_s: none + storm.mean_mm_per_h(start_s, end_s)
