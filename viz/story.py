"""What happened, from the journal: rows for people, grouped, and the moments that a report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.results import Run
from viz import words, written

if TYPE_CHECKING:
    import pandas as pd

GIVEN = ("action", "inject")
"""Kinds of rows that somebody did to the city; all others are what the city did."""

QUIET = ("debug",)
DECIDED = ("plan", "hazard")
"""Rows of these kinds are what drivers decided."""
GRAVE = ("alarm", "error", "critical")
LOUD = ("warning", *GRAVE)
FACTS = 160
"""So many letters of a row's facts are written out."""
NAMED = 4
"""So many elements of a group are named; the others are counted."""


@dataclass(frozen=True)
class Row:
    """Rows of the journal that say the same of several elements at one second; `cite` is how a report refers to them."""

    seen_s: int
    happened_s: int
    kind: str
    model: str
    name: str
    severity: str
    source: str
    elements: tuple[str, ...]
    count: int
    facts: str
    why: str = ""
    by: str = ""

    @property
    def what(self) -> str:
        """The fact in words: `grid: bus dead`."""
        return f"{self.model}: {self.name.replace('_', ' ')}"

    @property
    def where(self) -> str:
        """The elements, the first few by name."""
        more = f" and {len(self.elements) - NAMED:,} more" if len(self.elements) > NAMED else ""
        return ", ".join(self.elements[:NAMED]) + more

    def cite(self, run: Run) -> str:
        """Return `journal 21:40:00, grid.fault L1`."""
        return f"journal {run.clock(self.happened_s)}, {self.model}.{self.name} {self.where}".strip()


def _shared(several: Sequence[Any]) -> dict[str, Any]:
    """Return the facts that all rows of a group share."""
    first = several[0] if isinstance(several[0], dict) else {}
    return {key: value for key, value in first.items() if all(isinstance(one, dict) and one.get(key) == value for one in several)}


def _facts(same: Mapping[str, Any]) -> str:
    said = ", ".join(f"{key} {words.number(value) if type(value) in (int, float) else value}" for key, value in same.items())
    return said if len(said) <= FACTS else said[: FACTS - 1].rsplit(" ", 1)[0].rstrip(",") + " …"


def rows(run: Run) -> list[Row]:
    """Return the journal, rows of one second, kind and name together, in order; without what is only for debugging."""
    found = []
    events = run.events
    loud = events[~events["severity"].isin(QUIET)]
    keys = ["t_seen_s", "t_happened_s", "kind", "model", "name", "severity", "source"]
    for (seen_s, happened_s, kind, model, name, severity, source), group in loud.groupby(keys, sort=False):
        elements = tuple(dict.fromkeys(one for one in group["element"] if one))
        said = (int(seen_s), int(happened_s), kind, model, name, severity, source, elements, len(group))
        same = _shared(list(group["facts"]))
        why, by = (str(same.pop(key, "")) if kind in (*GIVEN, *DECIDED) else "" for key in ("why", "by"))
        found.append(Row(*said, _facts(same), why, by))
    return found


def telling(found: Sequence[Row], most: int, *, repeats: bool = True) -> list[Row]:
    """Keep what was done and decided, then the first and last of each kind of what was degraded and noticed, then others, in order.

    `repeats` False: what was noticed between the first and the last of its kind is left out, however few rows there are.
    """
    first, last = {row.what: i for i, row in reversed(list(enumerate(found)))}, {row.what: i for i, row in enumerate(found)}

    def rank(i: int) -> tuple[int, int]:
        row = found[i]
        if row.kind in (*GIVEN, *DECIDED):
            return 0, i
        return (1 if first[row.what] == i else 2 if last[row.what] == i else 3), i

    kept = [i for i in sorted(range(len(found)), key=rank) if repeats or rank(i)[0] < 3]
    return [found[i] for i in sorted(kept[:most])]


def counts(run: Run) -> pd.DataFrame:
    """Return how often each kind of row stands in the journal: kind, model, name, severity, count, first and last second."""
    grouped = run.events.groupby(["kind", "model", "name", "severity"], sort=False)["t_happened_s"]
    return grouped.agg(count="size", first_s="min", last_s="max").reset_index().sort_values("first_s", kind="stable")


def stopped(run: Run) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Count the elements that were on at the first sample and are off: in all, and by `model: label`; both over the samples.

    In all, an element with several switches counts once.
    """
    by_name: dict[str, np.ndarray] = {}
    by_set: dict[tuple[str, str], np.ndarray] = {}
    for model in run.models:
        sheet = run.static[model]
        for name, port in sheet.recorded.items():
            values = run.fields[model][name].values if port.dtype == "bool" else np.empty((0, 0), bool)
            if values.size and (off := values[:1] & ~values).any():
                by_name[f"{model}: {port.label or name}"] = off.sum(axis=1)
                by_set[model, port.at] = by_set.get((model, port.at), False) | off
    total = np.zeros(len(run.times_s), int)
    for off in by_set.values():
        total = total + off.sum(axis=1)
    return total, by_name


@dataclass(frozen=True)
class Moment:
    """A second that a report shows, and the rule by which it was chosen."""

    second: int
    name: str
    why: str


def moments(run: Run, found: Sequence[Row]) -> list[Moment]:
    """Choose before, during and after: each one a sample of the record, by the rules that docs/reports.md states."""
    times = run.times_s
    if not len(times):
        return []
    worst = _worst(run, found)
    chosen = [_before(run, found, worst.second), worst, Moment(int(times[-1]), "after", "the last sample")]
    return sorted({one.second: one for one in reversed(chosen)}.values(), key=lambda one: one.second)


def _before(run: Run, found: Sequence[Row], worst_s: int) -> Moment:
    times, given = run.times_s, [row for row in found if row.kind in GIVEN]
    causes = given or [row for row in found if row.severity in LOUD]
    if not causes:
        return Moment(int(times[0]), "before", "the first sample: nothing was done to the city, and nothing was warned of")
    first = min(causes, key=lambda row: row.happened_s)
    said, earlier = f"{first.what} ({run.clock(first.happened_s)})", times[times < first.happened_s]
    if not len(earlier):
        return Moment(int(times[0]), "before", f"the first sample: none is earlier than {said}")
    if worst_s <= earlier[-1]:
        return Moment(int(times[0]), "before", "the first sample: the worst moment came before anything was done")
    return Moment(int(earlier[-1]), "before", f"the last sample before {said}")


def _worst(run: Run, found: Sequence[Row]) -> Moment:
    times = run.times_s
    off, _ = stopped(run)
    if off.any():
        at = int(np.argmax(off))
        return Moment(
            int(times[at]), "during", f"the first sample at which the most elements were off that were on at the start ({int(off[at]):,})"
        )
    warned = np.sort([row.seen_s for row in found if row.severity in LOUD for _ in range(row.count)])
    if len(warned):
        in_a_minute = np.searchsorted(warned, warned + 60) - np.arange(len(warned))
        second = int(warned[int(np.argmax(in_a_minute))]) + 60
        at = max(int(np.searchsorted(times, second, side="right")) - 1, 0)
        return Moment(int(times[at]), "during", f"the end of the minute with the most warnings ({int(in_a_minute.max()):,})")
    for name, said in written.measured(run).items():
        extreme = {"max": np.argmax, "min": np.argmin}.get(str(said.get("over")))
        level = written.level(run, said) if said.get("target") and extreme else None
        if level is not None and extreme and not np.isnan(level).any():
            second = int(times[written.window(run, said)][int(extreme(level[written.window(run, said)]))])
            return Moment(second, "during", f"the sample at which KPI {name} took its value; no element stopped, and nothing was warned of")
    return Moment(int(times[len(times) // 2]), "during", "the middle of the record: no element stopped, and nothing was warned of")
