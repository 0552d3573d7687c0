"""Key figures a scenario asks for: declared in its file, checked before it runs, computed from the record after."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from twin import figures, units
from twin.errors import nearest
from twin.figures import OF_THRESHOLD, OF_VALUES, PERCENTILE
from twin.sheet import ModelSheet

if TYPE_CHECKING:
    from twin.results import Run

Across = Literal["mean", "min", "max", "sum", "count_above", "count_below", "share_above", "share_below"]
Fault = tuple[tuple[str, ...], str]
"""Where under `kpis:` something is wrong, and what."""

OF_EVENTS = {
    "count": "how many there were",
    "first": "how long after `from` the first happened",
    "last": "how long after `from` the last happened",
}
OF_FACTS = ("mean", "min", "max", "sum")
"""How the numbers in the facts of several rows are summed up, besides percentiles."""
_TARGET = re.compile(r"\s*(<=|>=|<|>)\s*(\S.*)")
_DUMMY = datetime(2000, 1, 1)


class Kpi(BaseModel):
    """One figure: a port over some elements, brought to one number a moment by `across`, then to one by `over`.

    `of`: `model.port`, or `events.model.name` for notices, actions and rows of drivers; with `fact` also `events.model`, all of its rows
    that tell the fact. `at`: ids of elements, default all.
    `across`: mean, min, max, sum of the elements, or how many (what share) of them are above or below `limit`.
    `over`: see `OF_VALUES`, `OF_THRESHOLD`, or a percentile of the samples (`p95`); of events, `OF_EVENTS`.
    `fact`: of events, a number in their facts (`waited_s`), summed up by `OF_FACTS` or a percentile; in seconds where it ends in `_s`.
    `from`, `to`: moments ('21:40', '+10 min'), default the whole run. `target`: '<= 8 min', '>= 20 m', '< 1'.
    `unit`: what to report it in; otherwise the target's unit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = ""
    of: str
    over: str
    fact: str = ""
    at: tuple[str, ...] = ()
    across: Across | None = None
    threshold: str | float | None = None
    limit: str | float | None = None
    from_: str = Field("", alias="from")
    to: str = ""
    target: str = ""
    unit: str = ""
    label: str = ""

    @field_validator("at", mode="before")
    @classmethod
    def _one_id_is_a_list_of_one(cls, at: object) -> object:
        return [at] if isinstance(at, str) else at

    @field_validator("from_", "to")
    @classmethod
    def _is_a_moment(cls, text: str) -> str:
        if text:
            units.clock_s(text, _DUMMY)
        return text

    @property
    def of_events(self) -> bool:
        """Whether it counts rows of the journal."""
        return self.of.startswith("events.")

    @property
    def goal(self) -> tuple[str, str] | None:
        """The target as a comparison and a quantity: ('<=', '8 min')."""
        match = _TARGET.fullmatch(self.target)
        return (match[1], match[2].strip()) if match else None

    def natural_unit(self, unit: str) -> str:
        """Return the unit the figure comes in, of a port in `unit`."""
        if self.of_events and self.fact:
            return "s" if self.fact.endswith("_s") else "1"
        if self.of_events:
            return "1" if self.over == "count" else "s"
        if self.over.startswith(("time_", "longest_", "first_", "last_")):
            return "s"
        if self.over.startswith("share_"):
            return "1"
        unit = self.level_unit(unit)
        if self.over == "integral":
            return unit[:-2] if unit.endswith("/s") else "s" if unit == "1" else f"{unit}*s"
        return unit

    def level_unit(self, unit: str) -> str:
        """Return the unit of the one number a moment that `across` makes."""
        return "1" if self.across and self.across.startswith(("count_", "share_")) else unit

    def shown_unit(self, natural: str) -> str:
        """Return the unit it is reported in: `unit`, else the target's, else `natural`."""
        if self.unit:
            return self.unit
        written = re.sub(r"^[-+0-9_.eE]+", "", self.goal[1]).strip() if self.goal else ""
        return written or natural


def read(
    declared: Mapping[str, Any], sheets: Mapping[str, ModelSheet], drivers: Mapping[str, Collection[str]] | None = None
) -> tuple[list[Kpi], list[Fault]]:
    """Read the section `kpis:` against the models' sheets; return the KPIs that hold, and everything wrong with the others.

    `drivers`: by section, the names of rows of the journal that a driver writes; empty where it does not say.
    """
    kpis, faults = [], []
    for name, said in declared.items():
        try:
            kpi = Kpi.model_validate({**said, "name": name} if isinstance(said, Mapping) else said)
        except ValidationError as error:
            faults += [_spoken(name, one) for one in error.errors()]
            continue
        wrong = check(kpi, sheets, drivers or {})
        faults += wrong
        kpis += [] if wrong else [kpi]
    return kpis, faults


def _spoken(name: str, error: Any) -> Fault:
    key = str(error["loc"][0]) if error["loc"] else ""
    fields = [field.alias or known for known, field in Kpi.model_fields.items() if known != "name"]
    if error["type"] == "extra_forbidden":
        return (name, key), nearest(key, fields, what="key of a KPI")
    if error["type"] == "missing":
        return (name,), f"a KPI needs `{key}:`"
    message = error["msg"].removeprefix("Value error, ")
    return ((name, key) if key else (name,)), f"{key}: {message}" if key else f"a KPI is a mapping with `of:` and `over:` ({message})"


def check(kpi: Kpi, sheets: Mapping[str, ModelSheet], drivers: Mapping[str, Collection[str]]) -> list[Fault]:
    """Return what is wrong with a KPI for these models: names, elements, units, a missing threshold."""
    found = _check_events(kpi, sheets, drivers) if kpi.of_events else _check_fields(kpi, sheets)
    return [((kpi.name, key), what) for key, what in found]


def _check_events(kpi: Kpi, sheets: Mapping[str, ModelSheet], drivers: Mapping[str, Collection[str]]) -> list[tuple[str, str]]:
    _, model, name = [*kpi.of.split(".", 2), "", ""][:3]
    if model not in sheets and model not in drivers:
        return [("of", nearest(model, [*sheets, *drivers], what="model"))]
    wrong = [(key, f"`{key}` has no meaning for events") for key in ("across", "threshold", "limit") if getattr(kpi, key) is not None]
    known_ways = OF_FACTS if kpi.fact else OF_EVENTS
    if kpi.over not in known_ways and not (kpi.fact and PERCENTILE.fullmatch(kpi.over)):
        wrong.append(("over", nearest(kpi.over, known_ways, what="way to sum up events")))
    if model in drivers:
        unknown = drivers[model] and name not in drivers[model] and not (kpi.fact and not name)
        wrong += [("of", nearest(name, drivers[model], what=f"row of {model}"))] if unknown else []
        return wrong + _check_target(kpi, kpi.natural_unit("1"))
    sheet = sheets[model]
    known = {**(sheet.notices or {}), **(sheet.actions or {})}
    if not name and kpi.fact:
        return wrong + _check_target(kpi, kpi.natural_unit("1"))
    if (sheet.notices is not None or sheet.actions is not None) and name not in known:
        return [*wrong, ("of", nearest(name, known, what=f"notice or action of {model}"))]
    if known.get(name):
        wrong += _check_at(kpi, sheet, known[name])
    return wrong + _check_target(kpi, kpi.natural_unit("1"))


def _check_fields(kpi: Kpi, sheets: Mapping[str, ModelSheet]) -> list[tuple[str, str]]:
    model, _, name = kpi.of.partition(".")
    if model not in sheets:
        return [("of", nearest(model, sheets, what="model"))]
    sheet = sheets[model]
    if name in sheet.absent:
        return [("of", f"{kpi.of} is absent: the engine cannot give it in this mode")]
    if name not in sheet.recorded:
        return [("of", nearest(name, sheet.recorded, what=f"recorded port of {model}"))]
    port = sheet.ports[name]
    wrong = _check_at(kpi, sheet, port.at)
    if not wrong and kpi.across is None and len(kpi.at or sheet.elements[port.at]) > 1:
        count = len(kpi.at or sheet.elements[port.at])
        wrong.append(
            ("across", f"{count} elements: say `across:` mean, min, max, sum, count_above, count_below, share_above or share_below")
        )
    if kpi.over not in OF_VALUES and kpi.over not in OF_THRESHOLD and not PERCENTILE.fullmatch(kpi.over):
        wrong.append(("over", nearest(kpi.over, [*OF_VALUES, *OF_THRESHOLD, "p95"], what="way to sum up time")))
    wrong += [("fact", "`fact` has a meaning for events alone")] if kpi.fact else []
    wrong += _check_level(kpi.threshold, "threshold", kpi.over in OF_THRESHOLD, kpi.level_unit(port.unit))
    wrong += _check_level(kpi.limit, "limit", bool(kpi.across) and "_" in str(kpi.across), port.unit)
    return wrong + _check_target(kpi, kpi.natural_unit(port.unit))


def _check_at(kpi: Kpi, sheet: ModelSheet, elements: str) -> list[tuple[str, str]]:
    ids = set(sheet.elements[elements].ids)
    return [("at", nearest(id, sorted(ids), what=elements)) for id in kpi.at if id not in ids]


def _check_level(level: str | float | None, key: str, wanted: bool, unit: str) -> list[tuple[str, str]]:
    if level is None or not wanted:
        if wanted:
            return [(key, f"`{key}` is missing, for example '5{'' if unit == '1' else ' ' + unit}'")]
        return [] if level is None else [(key, f"`{key}` has no meaning here")]
    try:
        units.quantity(level, unit)
    except ValueError as error:
        return [(key, f"{key}: {error}")]
    return []


def _check_target(kpi: Kpi, natural: str) -> list[tuple[str, str]]:
    wrong = []
    try:
        units.factor(natural, kpi.unit or natural)
    except ValueError as error:
        wrong.append(("unit", f"unit: {error}"))
    if kpi.target and kpi.goal is None:
        wrong.append(("target", f"'{kpi.target}' is no target; write for example '<= 8 min' or '>= 20 m'"))
    elif kpi.goal:
        try:
            units.quantity(kpi.goal[1], natural)
        except ValueError as error:
            wrong.append(("target", f"target: {error}"))
    return wrong


def compute(run: Run, kpis: Iterable[Kpi]) -> list[dict[str, Any]]:
    """Return one row a KPI from what a run recorded: name, value, unit, target, verdict, label.

    `value` is None when the figure has none: nothing in the window, or a threshold that was never reached.
    `verdict`: met, missed, `not reached`, or `no target`; of rows that a section of the scenario writes which this run does not have,
    `no` and the section: nobody could reach it, and nobody failed to.
    """
    return [_row(run, kpi) for kpi in kpis]


def _row(run: Run, kpi: Kpi) -> dict[str, Any]:
    natural = kpi.natural_unit("1" if kpi.of_events else run.port(kpi.of)[1].unit)
    first_s = units.clock_s(kpi.from_, run.start) if kpi.from_ else 0
    last_s = min(units.clock_s(kpi.to, run.start), run.committed_s) if kpi.to else run.committed_s
    value = _of_events(run, kpi, first_s, last_s) if kpi.of_events else _of_fields(run, kpi, first_s, last_s)
    shown = kpi.shown_unit(natural)
    scaled = None if value is None else value * units.factor(natural, shown)
    row = {"name": kpi.name, "value": scaled, "unit": shown, "target": kpi.target}
    absent = _absent(run, kpi)
    return row | {"verdict": f"no {absent}" if absent else _verdict(kpi, value, natural), "label": kpi.label or kpi.name.replace("_", " ")}


def _absent(run: Run, kpi: Kpi) -> str:
    """Return the section of the scenario whose rows a KPI is of, if the run is without; '' of all others."""
    section = kpi.of.split(".", 2)[1] if kpi.of_events else ""
    return section if section and section not in run.models and not run.scenario.get(section) else ""


def _verdict(kpi: Kpi, value: float | None, unit: str) -> str:
    if value is None:
        return "not reached"
    if kpi.goal is None:
        return "no target"
    sign, text = kpi.goal
    goal = units.quantity(text, unit)
    near = abs(value - goal) <= 1e-9 * max(1.0, abs(goal))
    met = {"<=": value < goal or near, ">=": value > goal or near, "<": value < goal and not near, ">": value > goal and not near}[sign]
    return "met" if met else "missed"


def _of_events(run: Run, kpi: Kpi, first_s: int, last_s: int) -> float | None:
    _, model, name = [*kpi.of.split(".", 2), ""][:3]
    rows = run.events
    taken = (rows["model"] == model) & ((rows["name"] == name) | (not name)) & rows["t_happened_s"].between(first_s, last_s)
    if kpi.at:
        taken &= rows["element"].isin(list(kpi.at))
    if kpi.fact:
        told = [facts.get(kpi.fact) for facts in rows.loc[taken, "facts"]]
        numbers = np.array([number for number in told if isinstance(number, int | float)], np.float64)
        if not numbers.size:
            return None
        return float(numbers.sum()) if kpi.over == "sum" else figures.over(numbers, np.arange(len(numbers)), kpi.over, None, 0.0)
    happened = rows.loc[taken, "t_happened_s"]
    if kpi.over == "count":
        return float(len(happened))
    if happened.empty:
        return None
    return float((happened.min() if kpi.over == "first" else happened.max()) - first_s)


def _of_fields(run: Run, kpi: Kpi, first_s: int, last_s: int) -> float | None:
    sheet, port = run.port(kpi.of)
    field = run.fields[sheet.name][port.name]
    chosen = field.sel({port.at: list(kpi.at)}) if kpi.at else field
    within = np.flatnonzero((run.times_s >= first_s) & (run.times_s <= last_s))
    if not within.size or not chosen.shape[1]:
        return None
    values = np.asarray(chosen.isel(time=slice(int(within[0]), int(within[-1]) + 1)).values, np.float64)
    times = run.times_s[within].astype(np.float64)
    limit = None if kpi.limit is None else units.quantity(kpi.limit, port.unit)
    threshold = None if kpi.threshold is None else units.quantity(kpi.threshold, kpi.level_unit(port.unit))
    return figures.over(figures.across(values, kpi.across, limit), times, kpi.over, threshold, first_s)
