"""Who did what, when, why and with what effect: the deeds of a run, read from its journal alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from twin.errors import InputError
from twin.results import Run

DEEDS = ("action", "inject", "hazard", "plan")
"""Kinds of rows that somebody did or decided; all others are what models report."""
OWN = ("name", "why", "by", "effect", "message_en", "message_zh", "role")
"""Facts of a deed that are said elsewhere than among its arguments."""
PLANNED = "at its time"
"""Why a row of a list came, where nothing else brought it."""
DAY_S = 86_400
LASTS_S = 60
"""What an element reports so long after a deed on it is still told as what followed: later, anything may have brought it."""
SHOWN, NAMED = 6, 3
"""So many kinds of what followed, and elements of each, are written out; the others are counted."""
_SOURCES = {"msel": "MSEL row"}
"""What is said for a source where its own name would not be understood."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Followed:
    """What was reported after a deed: `how` says by which rule it is told (`job`, `element`, `instant`, `row`, `course`)."""

    t_s: int
    model: str
    name: str
    elements: Sequence[str]
    count: int
    how: str


@dataclass(frozen=True)
class Deed:
    """One deed: when, who (`by` a person or role, `source` and `entry` what brought it), what on which elements, why, what followed."""

    t_s: int
    clock: str
    kind: str
    source: str
    entry: str
    by: str
    what: str
    elements: Sequence[str]
    arguments: Mapping[str, Any]
    text: str
    why: str
    effect: str
    followed: Sequence[Followed]

    @property
    def who(self) -> str:
        """Who did it, in words: the person or role, and what of the scenario it came from."""
        if self.kind == "plan":
            return self.by or f"plan {self.entry.partition('.')[0]}"
        brought = "by hand" if self.source == "live" else f"{_SOURCES.get(self.source, self.source)} {self.entry}".strip()
        return ", ".join(one for one in (self.by if self.by != self.entry else "", brought) if one)

    @property
    def told(self) -> str:
        """What was done on which element, in words."""
        said = ", ".join(f"{key}={_figure(value)}" for key, value in self.arguments.items() if str(value) not in self.elements)
        return " ".join(one for one in (self.what, ", ".join(self.elements), f"({said})" if said else "", self.text) if one)

    @property
    def came(self) -> str:
        """What followed, in words."""
        parts = [self.effect] if self.effect else []
        for one in self.followed[:SHOWN]:
            more = f" and {len(one.elements) - NAMED} more" if len(one.elements) > NAMED else ""
            named = ", ".join(one.elements[:NAMED]) + more
            later = f" +{_span(one.t_s - self.t_s)}" if one.t_s > self.t_s else ""
            parts.append(f"{one.model}.{one.name}{f' {named}' if named else ''}{later}")
        left = len(self.followed) - SHOWN
        return "; ".join(parts) + (f"; and {left} more" if left > 0 else "")

    def line(self) -> str:
        """Return it in one line."""
        why = f" because {self.why}" if self.why and not self.why.endswith(PLANNED) else ""
        came = f" -> {self.came}" if self.came else ""
        return " ".join(f"{self.clock}  {self.who}: {self.told}{why}{came}".split("\n"))

    def plain(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self) | {"who": self.who}


def local(run: Run, second: int) -> str:
    """Return a local time, with its date where a run lasts longer than a day."""
    return f"{str(run.time(second))[:10]} {run.clock(second)}" if run.duration_s > DAY_S else run.clock(second)


def deeds(run: Run, *, of: str = "", first: object = "", last: object = "") -> list[Deed]:
    """Return the deeds of a run in order; those between two moments, and those that `of` names.

    `of`: part of an action's or entry's name, an element, a person or a role; capital letters do not matter. InputError: a
    moment that is none, or outside the run.
    """
    first_s, last_s = (run.second(one) if one else None for one in (first, last))
    for moment, second in ((first, first_s), (last, last_s)):
        if second is not None and not 0 <= second <= run.duration_s:
            raise InputError(f"{moment} is outside the run ({run.clock(0)} to {run.clock(run.duration_s)})")
    if first_s is not None and last_s is not None and last_s < first_s:
        raise InputError(f"{last} is before {first}")
    found = _Reader(run).deeds()
    found = [one for one in found if (first_s is None or one.t_s >= first_s) and (last_s is None or one.t_s <= last_s)]
    asked = of.casefold()
    return [one for one in found if asked in _named(one)] if asked else found


def _named(one: Deed) -> str:
    return "\n".join((one.what, one.entry, one.by, one.source, *one.elements)).casefold()


class _Reader:
    """Holds a run's journal, and finds what followed each deed by three rules; docs/scenarios.md states them."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.rows: list[Row] = run.events.to_dict("records")
        self.sets = {model: {name: set(held.ids) for name, held in run.static[model].elements.items()} for model in run.models}
        self.of_element: dict[tuple[str, str], list[int]] = {}
        self.of_job: dict[str, list[int]] = {}
        self.at_second: dict[int, list[int]] = {}
        for i, row in enumerate(self.rows):
            if row["severity"] == "debug":
                continue
            self.at_second.setdefault(int(row["t_seen_s"]), []).append(i)
            if row["facts"].get("job"):
                self.of_job.setdefault(str(row["facts"]["job"]), []).append(i)
            for id in self.elements(row):
                self.of_element.setdefault((row["model"], id), []).append(i)

    def deeds(self) -> list[Deed]:
        """Return every deed."""
        return [self._deed(i, row) for i, row in enumerate(self.rows) if row["kind"] in DEEDS]

    def elements(self, row: Row) -> list[str]:
        """Return the elements that a row is about: those that its facts name by their set (`pipe`, `line`), else its own."""
        sets = self.sets.get(row["model"], {})
        named = [value for key, value in row["facts"].items() if key in sets and isinstance(value, str) and value in sets[key]]
        return list(dict.fromkeys(named)) or ([row["element"]] if row["element"] else [])

    def _deed(self, i: int, row: Row) -> Deed:
        facts, kind, t_s = row["facts"], row["kind"], int(row["t_seen_s"])
        elements = self.elements(row)
        entry = {"action": str(facts.get("name", "")), "plan": str(row["element"])}.get(kind, str(row["name"]))
        if kind == "action" and row["source"] == "live":
            entry = ""
        message = str(facts.get("message_en") or facts.get("message_zh") or facts.get("what") or "")
        text = f'"{message}"' if message and kind == "inject" else message
        arguments = {key: value for key, value in facts.items() if key not in OWN and (kind == "action" or key in ("receiver", "level"))}
        why = str(facts.get("why", ""))
        by = str(facts.get("by", ""))
        return Deed(
            t_s,
            local(self.run, t_s),
            kind,
            str(row["source"]),
            entry,
            by,
            f"{row['model']}.{row['name']}",
            elements,
            arguments,
            text,
            why,
            str(facts.get("effect", "")),
            self._followed(i, row, elements),
        )

    def _followed(self, i: int, row: Row, elements: Iterable[str]) -> list[Followed]:
        """Return what followed a deed, what is told of the same by two rules once, by the first of them."""
        how: dict[int, str] = {}
        if row["kind"] == "action":
            job = str(row["facts"].get("job", ""))
            how = {j: "job" for j in self.of_job.get(job, ()) if self.rows[j]["kind"] not in DEEDS}
            for id in () if job else elements:
                for j in self._on(i, row, id):
                    how.setdefault(j, "element")
            for j in self._instant(i, row):
                how.setdefault(j, "instant")
        elif row["kind"] == "plan" and row["name"] == "called":
            how = dict.fromkeys(self._course(i, row), "course")
        elif row["kind"] in ("inject", "hazard"):
            how = dict.fromkeys(self._brought(i, row), "row")
        return self._grouped({j: said for j, said in how.items() if j > i})

    def _on(self, i: int, row: Row, id: str) -> Iterable[int]:
        """Yield what the element reported, until somebody acts on it again."""
        for j in self.of_element[row["model"], id]:
            if j <= i:
                continue
            later = self.rows[j]
            if later["kind"] == "action" and int(later["t_seen_s"]) > int(row["t_seen_s"]):
                return
            if int(later["t_seen_s"]) - int(row["t_seen_s"]) > LASTS_S:
                return
            if later["kind"] not in DEEDS and not self._another(j, i):
                yield j

    def _another(self, j: int, i: int) -> bool:
        """Whether something else was done in the very second of a row, before it, by its own model or as the only deed there."""
        row = self.rows[j]
        if row["t_seen_s"] == self.rows[i]["t_seen_s"]:
            return False
        done = [k for k in self.at_second.get(int(row["t_seen_s"]), ()) if self.rows[k]["kind"] == "action"]
        return any(k < j and (len(done) == 1 or self.rows[k]["model"] == row["model"]) for k in done)

    def _instant(self, i: int, row: Row) -> Iterable[int]:
        """Yield what was reported in the same second: by all models where nothing else was done in it, else by the deed's own."""
        here = self.at_second.get(int(row["t_seen_s"]), [])
        alone = sum(self.rows[j]["kind"] == "action" for j in here) == 1
        own = sum(self.rows[j]["kind"] == "action" and self.rows[j]["model"] == row["model"] for j in here) == 1
        for j in here:
            later = self.rows[j]
            if j > i and later["kind"] not in DEEDS and (alone or (own and later["model"] == row["model"])):
                yield j

    def _course(self, i: int, row: Row) -> Iterable[int]:
        """Yield what became of an action of a plan, until it is called again: the plan's own rows, and what was done for it."""
        for j in range(i + 1, len(self.rows)):
            later = self.rows[j]
            if later["kind"] == "plan" and later["element"] == row["element"]:
                if later["name"] == "called":
                    return
                yield j
            elif later["kind"] == "action" and later["facts"].get("name") == row["element"] and later["source"] == "plan":
                yield j

    def _brought(self, i: int, row: Row) -> Iterable[int]:
        """Yield the actions that a row of a list, or a hazard, did."""
        source = {"inject": "msel", "hazard": "hazard"}[row["kind"]]
        for j in range(i + 1, len(self.rows)):
            later = self.rows[j]
            if row["kind"] == "inject" and later["t_seen_s"] != row["t_seen_s"]:
                return
            if later["kind"] == "action" and later["source"] == source and later["facts"].get("name") == row["name"]:
                yield j

    def _grouped(self, how: Mapping[int, str]) -> list[Followed]:
        """Return rows of one second, model, name and rule together, in the order of the journal."""
        groups: dict[tuple[int, str, str, str], list[str]] = {}
        for j in sorted(how):
            row = self.rows[j]
            groups.setdefault((int(row["t_seen_s"]), row["model"], row["name"], how[j]), []).append(row["element"])
        return [
            Followed(t_s, model, name, list(dict.fromkeys(filter(None, ids))), len(ids), rule)
            for (t_s, model, name, rule), ids in groups.items()
        ]


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _span(seconds: int) -> str:
    minutes, left = divmod(seconds, 60)
    return f"{minutes} min {left} s" if minutes and left else f"{minutes} min" if minutes else f"{left} s"


COLUMNS = ("time", "who", "what", "why", "what followed")


def table(found: Sequence[Deed]) -> list[list[str]]:
    """Return deeds as a table, headers first."""
    return [list(COLUMNS), *([one.clock, one.who, one.told, one.why, one.came] for one in found)]
