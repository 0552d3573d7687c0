"""How gas demand goes through the day: a factor for each hour."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path

from twin.errors import InputError, Problem

HOUR_S, DAY_S = 3600, 86400
LIMIT_BYTES = 1_000_000

FLAT = (1.0,) * 24
DAILY = (
    0.45,
    0.40,
    0.38,
    0.38,
    0.45,
    0.70,
    1.25,
    1.45,
    1.10,
    0.95,
    1.05,
    1.35,
    1.20,
    0.90,
    0.85,
    0.90,
    1.15,
    1.60,
    1.90,
    1.70,
    1.35,
    1.10,
    0.85,
    0.59,
)
"""Synthetic factors of hours 0 to 23 with mean 1: peaks of cooking and hot water at breakfast, noon and evening; no measured source."""


class Profile:
    """Hourly factors against a start on the clock; constant within each hour."""

    def __init__(self, factors: tuple[float, ...], start: datetime) -> None:
        self.factors = factors
        self.start_s = start.hour * HOUR_S + start.minute * 60 + start.second

    def factor(self, now_s: int) -> float:
        """Return the factor at second `now_s` of the run."""
        return self.factors[(self.start_s + now_s) % DAY_S // HOUR_S]

    def next_change_s(self, now_s: int) -> int | None:
        """Return the first second after `now_s` at which the factor differs, or None."""
        stop = now_s + HOUR_S - (self.start_s + now_s) % HOUR_S
        for step in range(24):
            if self.factor(stop + step * HOUR_S) != self.factor(now_s):
                return stop + step * HOUR_S
        return None


def read(path: Path) -> tuple[float, ...]:
    """Read `hour,factor` rows for hours 0 to 23; InputError names every bad line."""
    problems: list[Problem] = []
    found: dict[int, float] = {}
    try:
        if path.stat().st_size > LIMIT_BYTES:
            raise InputError(Problem(f"larger than the {LIMIT_BYTES:,} bytes that are read", str(path)))
        rows = list(csv.reader(io.StringIO(path.read_text("utf-8"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(Problem(f"cannot be read: {error}", str(path))) from None
    if not rows or [cell.strip() for cell in rows[0]] != ["hour", "factor"]:
        raise InputError(Problem("its first line must be 'hour,factor'", str(path), 1))
    for line, row in enumerate(rows[1:], 2):
        try:
            hour, factor = int(row[0]), float(row[1])
        except (ValueError, IndexError):
            problems.append(Problem(f"'{','.join(row)}' is no hour and factor; write for example '18,1.9'", str(path), line))
            continue
        if not (0 <= hour < 24 and hour not in found and 0.0 <= factor < 100.0):
            problems.append(Problem("each hour 0 to 23 once, with a factor from 0 to 100", str(path), line))
        found[hour] = factor
    missing = [str(hour) for hour in range(24) if hour not in found]
    if missing:
        problems.append(Problem(f"hours without a factor: {', '.join(missing)}", str(path)))
    if problems:
        raise InputError(problems)
    return tuple(found[hour] for hour in range(24))
