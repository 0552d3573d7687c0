"""What came of a list's rows in a run, read from its journal alone: when each came, and whether what it expects was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scenarios import msel_rows, msel_words
from scenarios.journal import local
from twin.errors import InputError
from twin.results import Run
from twin.units import clock_s


def rows(run: Run) -> dict[str, Mapping[str, Any]]:
    """Return the rows of the list that a run was made with, by id; InputError when it had none."""
    found = run.scenario.get("msel")
    if not isinstance(found, Mapping) or not found:
        raise InputError(f"{run.path}: its scenario has no list; write `msel: ../msel/LIST.csv` into it (docs/scenarios.md, MSEL)")
    return {str(name): entry for name, entry in found.items() if isinstance(entry, Mapping)}


def came(run: Run) -> dict[str, tuple[str, str]]:
    """Return `actual` (local time) and `status` of every row."""
    return _Judge(run).all()


def table(run: Run) -> list[list[str]]:
    """Return the list as a table with what came of it, headers first."""
    return msel_rows.lines(rows(run), came(run))


class _Judge:
    """Reads a run's journal once and judges each row by it."""

    def __init__(self, run: Run) -> None:
        self.run, self.rows = run, rows(run)
        self.events: list[dict[str, Any]] = run.events.to_dict("records")
        told = [one for one in self.events if one["kind"] == "inject" and one["model"] == "msel"]
        self.came = {one["name"]: one for one in told if "type" in one["facts"]}
        self.skipped = {one["element"]: one for one in told if one["name"] == "skip" and one["element"]}

    def all(self) -> dict[str, tuple[str, str]]:
        """Judge every row."""
        return {name: self._row(name, entry) for name, entry in self.rows.items()}

    def _row(self, name: str, entry: Mapping[str, Any]) -> tuple[str, str]:
        if name not in self.came:
            return "", self._missing(name, entry)
        at_s = int(self.came[name]["t_seen_s"])
        if entry.get("type") == "expected action":
            return self._expected(name, entry, at_s)
        why = str(self.came[name]["facts"].get("why", ""))
        by = str(self.came[name]["facts"].get("by", ""))
        reserve = entry.get("type") == "contingency" or why == "published by hand"
        said = "; ".join(one for one in (why, by) if one) if reserve else ""
        status = f"done ({said})" if said else "done"
        if not entry.get("expected"):
            return self.clock(at_s), status
        return self.clock(at_s), f"{status}; {self._expected(name, entry, at_s)[1]}"

    def _missing(self, name: str, entry: Mapping[str, Any]) -> str:
        if name in self.skipped:
            said = self.skipped[name]
            by = f" by {said['facts']['by']}" if said["facts"].get("by") else ""
            return f"skipped{by} at {self.clock(int(said['t_seen_s']))}"
        ended = self.run.committed_s < self.run.duration_s
        if entry.get("type") == "contingency":
            return "not reached" if ended else "not used"
        at_s = clock_s(str(entry["at"]), self.run.start)
        return "not reached" if at_s > self.run.committed_s else "held back"

    def _expected(self, name: str, entry: Mapping[str, Any], at_s: int) -> tuple[str, str]:
        """Judge what a row expects: the first action or notice like it after it came, which no row of the list did itself."""
        if not entry.get("expected"):
            return self.clock(at_s), "told; not assessed: its column 'expected' is empty"
        deed = msel_words.expected(str(entry["expected"]))
        found = [one for one in self.events if self._like(deed, one) and int(one["t_happened_s"]) >= at_s]
        if not found:
            until_s = self.run.duration_s if deed.within_s is None else min(at_s + deed.within_s, self.run.duration_s)
            if self.run.committed_s < until_s:
                return "", f"not reached: the run ends at {self.clock(self.run.committed_s)}"
            return "", "not seen" + (f" within {_span(deed.within_s)}" if deed.within_s else "")
        first_s = min(int(one["t_happened_s"]) for one in found)
        took_s = first_s - at_s
        late = f"; late, {_span(deed.within_s)} was asked" if deed.within_s is not None and took_s > deed.within_s else ""
        return self.clock(first_s), f"seen at {self.clock(first_s)}, {_span(took_s)} after{late}"

    @staticmethod
    def _like(deed: msel_words.Deed, one: Mapping[str, Any]) -> bool:
        """Whether a row of the journal is the action or notice that is expected."""
        if one["kind"] not in ("action", "notice") or (one["model"], one["name"]) != (deed.model, deed.verb) or one["source"] == "msel":
            return False
        return all(one["facts"].get(key, one["element"]) == value for key, value in deed.arguments.items())

    def clock(self, second: int) -> str:
        """Return a local time."""
        return local(self.run, second)


def _span(seconds: int | None) -> str:
    if seconds is None or seconds == 0:
        return "0 s"
    minutes, left = divmod(seconds, 60)
    return " ".join(part for part in (f"{minutes} min" if minutes else "", f"{left} s" if left else "") if part)
