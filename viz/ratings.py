"""Rates a scenario's objectives P, S, M or U, from the verdicts of its KPIs and from nothing else."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twin.errors import StorageError
from twin.results import Run
from viz import written
from viz.words import judged

NEAR = 0.10
"""A target that was missed by no more than this share of it counts as some challenge, by more as a major one."""

WORDS = {
    "P": "performed without challenges",
    "S": "performed with some challenges",
    "M": "performed with major challenges",
    "U": "unable to be performed",
    "": "not assessed",
}
TONES = {"P": "good", "S": "fair", "M": "warn", "U": "bad", "": "quiet"}

_TARGET = re.compile(r"\s*(<=|>=|<|>)\s*([-+]?[0-9.,_]+(?:[eE][-+]?[0-9]+)?)\s*(.*)")


@dataclass(frozen=True)
class Rating:
    """An objective with its letter ('' is not assessed) and the reason, which names every KPI it rests on."""

    name: str
    text: str
    kpis: tuple[str, ...]
    letter: str
    why: str


def goal(row: Mapping[str, Any]) -> tuple[str, float] | None:
    """Return a KPI's target as a sign and a number in the KPI's own unit; None without one, or when the units do not meet."""
    match = _TARGET.fullmatch(str(row["target"] or ""))
    if not match:
        return None
    unit, own = match[3].strip(), str(row["unit"])
    number = written.quantity(f"{match[2].replace(',', '')} {unit}", own)
    return None if number is None else (match[1], number)


def missed_by(row: Mapping[str, Any]) -> float | None:
    """Return by what share of its target a missed KPI missed it; None when it has no value or no number to compare with."""
    aim, value = goal(row), row["value"]
    if aim is None or value is None or math.isnan(value):
        return None
    return abs(value - aim[1]) / abs(aim[1]) if aim[1] else math.inf


def rate(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return the letter and the reason for an objective with these KPI rows (`Run.kpis`).

    Only KPIs with a target count, and of these not those that the run could not reach for want of a section (`no plans`). None of
    those: not assessed. One of them not reached: U. All met: P. Each missed one by at most `NEAR` of its target: S. Some met: M.
    None met: U.
    """
    counted = [row for row in rows if judged(row)]
    if not counted:
        without = sorted({str(row["verdict"]) for row in rows if row["target"]})
        return (
            "",
            f"the run has {', '.join(without)}"
            if without
            else "no KPI of it has a target"
            if rows
            else "the run has no figures of its KPIs",
        )
    verdicts = [row["verdict"] for row in counted]
    missed = [row for row in counted if row["verdict"] == "missed"]
    names = ", ".join(str(row["name"]) for row in missed)
    unreached = [str(row["name"]) for row in counted if row["verdict"] == "not reached"]
    if unreached:
        return "U", f"not reached: {', '.join(unreached)}"
    if not missed:
        return "P", f"{len(counted)} of {len(counted)} targets met"
    if all((share := missed_by(row)) is not None and share <= NEAR + 1e-9 for row in missed):
        return "S", f"missed by at most {NEAR:.0%} of the target: {names}"
    if "met" in verdicts:
        return (
            "M",
            f"{verdicts.count('met')} of {len(counted)} targets met; missed by more than {NEAR:.0%} of the target: {names}",
        )
    return "U", f"no target met: {names}"


def ratings(run: Run) -> list[Rating]:
    """Return the objectives of a run in the scenario's order, each with its rating; none when the scenario states none.

    A run that did not reach its end is not rated: what was met or missed may yet have changed. What it came to so far is said.
    """
    cut = run.committed_s < run.duration_s
    figures = {str(row["name"]): row for row in run.kpis.to_dict("records")}
    found = []
    for said in run.manifest.get("objectives") or []:
        if not (isinstance(said, Mapping) and {"name", "text", "kpis"} <= said.keys() and isinstance(said["kpis"], list)):
            raise StorageError(f"{run.path / 'manifest.json'}: is damaged: an objective without name, text or kpis")
        kpis = tuple(str(name) for name in said["kpis"])
        letter, why = rate([figures[name] for name in kpis if name in figures])
        beside = [name for name in kpis if name not in figures or not judged(figures[name])]
        if letter and beside:
            why += f"; not counted, as without target or value: {', '.join(beside)}"
        if cut and letter:
            upto = run.clock(run.committed_s) if run.committed_s >= 0 else "its start"
            letter, why = "", f"the run is {run.status} and ends at {upto}; so far {letter} ({why})"
        found.append(Rating(str(said["name"]), str(said["text"]), kpis, letter, why))
    return found
