"""How reports say things: numbers, spans of time, names, verdicts."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from twin.results import Run
from viz.page import Cell


def number(value: object, of: str = "", *, beside: object = None) -> str:
    """Return a figure for people: '7.5 min', '1,234', '-' where there is none.

    `beside`: another figure that it is compared with; where they are not the same, so many digits are written that it shows.
    """
    if not isinstance(value, int | float) or math.isnan(value):
        return "-"
    said = _rounded(value, 4)
    if isinstance(beside, int | float) and beside != value:
        said = next((more for digits in range(4, 17) if (more := _rounded(value, digits)) != _rounded(beside, digits)), said)
    return f"{said} {unit(of)}".strip()


def _rounded(value: float, digits: int) -> str:
    if not math.isfinite(value) or abs(value) < 1000:
        return f"{value:.{digits}g}"
    return f"{value:,.{max(digits - 4, 0)}f}" if abs(value) < 1e15 else f"{value:.{digits}g}"


def figure(row: Mapping[str, Any], *, units: bool = True) -> str:
    """Return a KPI's value; with more digits where rounding would make it look like the target that it missed."""
    from viz.ratings import goal

    aim = goal(row) if row["target"] else None
    return number(row["value"], row["unit"] if units else "", beside=aim[1] if aim else None)


def unit(written: object) -> str:
    """Return a unit as it is printed: '/m²' for '1/m2', nothing for '1'."""
    shown = re.sub(r"(?<=[A-Za-z])[23]\b", lambda found: "²³"[int(found[0]) - 2], str(written))
    return "" if shown == "1" else re.sub(r"^1/", "/", shown)


def target(row: Mapping[str, Any]) -> str:
    """Return a KPI's target as it is printed: '≤ 4 /m²'; '' without one."""
    sign, _, level = str(row["target"] or "").replace("<=", "≤ ").replace(">=", "≥ ").replace("<", "< ").replace(">", "> ").partition(" ")
    number, _, rest = level.strip().partition(" ")
    return f"{sign} {number} {unit(rest)}".strip()


def plural(count: int, noun: str) -> str:
    """Return '1 action', '1,234 actions'."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def duration(seconds: int) -> str:
    """Return '30 min', '1 h 30 min', '45 s'."""
    hours, rest = divmod(int(seconds), 3600)
    parts = [(hours, "h"), (rest // 60, "min"), (rest % 60, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


def clock_span(run: Run) -> str:
    """Return '2014-08-16, 21:30:00 to 22:00:00 (30 min, Asia/Shanghai)', with its second date where it ends on another."""
    end = str(run.time(run.duration_s))[:10]
    until = run.clock(run.duration_s) if end == f"{run.start:%Y-%m-%d}" else f"{end} {run.clock(run.duration_s)}"
    return f"{run.start:%Y-%m-%d}, {run.clock(0)} to {until} ({duration(run.duration_s)}, {run.timezone})"


def place_name(run: Run) -> str:
    """Return the city's name in the languages it has: 'Hexi, Nanjing 南京河西'."""
    title = run.city.title
    said = [str(title[tongue]) for tongue in ("en", "zh") if title.get(tongue)]
    return " ".join(said) or run.city.name or str((run.manifest.get("city") or {}).get("name") or "a city without a name")


def verdict_cell(row: Mapping[str, Any]) -> Cell:
    """Return a KPI's verdict, coloured."""
    verdict = str(row["verdict"] or "not assessed")
    if verdict == "not reached" and not row["target"]:
        return Cell("no value", "quiet")
    return Cell(verdict, {"met": "good", "missed": "bad", "not reached": "bad"}.get(verdict, "quiet"))


def judged(row: Mapping[str, Any]) -> bool:
    """Whether a KPI says something for or against a run: it has a target, and the run has what could reach it."""
    return bool(row["target"]) and row["verdict"] in ("met", "missed", "not reached")


def status_cell(run: Run) -> Cell:
    """Return how a run ended, coloured."""
    return Cell(run.status, {"done": "good", "degraded": "warn"}.get(run.status, "bad"))
