"""Scenario to models to wiring: finds what a scenario names, checks all of it, and joins the parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import ValidationError

from twin import kpi, yamlfile
from twin.city import MANIFEST, City
from twin.driver import Commanded, Context, Driver
from twin.errors import SHOWN_PROBLEMS, InputError, Problem, nearest
from twin.flows import FlowLink
from twin.host import Inline, Process, model_class
from twin.model import Model, Setup
from twin.ports import In, Out
from twin.registry import registered
from twin.scenario import Objective, Scenario, Stanza
from twin.sheet import ModelSheet, sheet_of
from twin.wiring import Link, Matcher, Wiring, wire

if TYPE_CHECKING:
    from twin.orchestrator import Node


@dataclass
class Plan:
    """A checked scenario: its city, the models as read (no engine started), what is coupled, what will happen."""

    scenario: Scenario
    city: City
    start: datetime
    models: dict[str, Model]
    stanzas: dict[str, Stanza]
    pairs: dict[tuple[str, str, str, str, str], list[tuple[int, int]]]
    drivers: dict[str, Driver]
    kpis: list[kpi.Kpi]
    objectives: dict[str, Objective]
    context: Context

    def sheets(self) -> dict[str, ModelSheet]:
        """Return every model's datasheet as plain data."""
        return {name: sheet_of(model) for name, model in self.models.items()}

    def asked(self, action: str, arguments: Mapping[str, Any]) -> tuple[str, str, Mapping[str, Any]]:
        """Check what is asked for by hand: an action of a model, or a verb that a driver takes; `by` says who asks.

        InputError: what is wrong with it.
        """
        name, _, verb = action.partition(".")
        if name in self.drivers:
            verbs = getattr(self.drivers[name], "verbs", {})
            if verb not in verbs:
                raise InputError(f"{action}: {nearest(verb, verbs, what=f'verb of {name}')}")
            return name, verb, dict(arguments)
        self.context.problems.clear()
        by = {"by": str(arguments["by"])} if "by" in arguments else {}
        name, verb, taken = self.context.action(action, {key: value for key, value in arguments.items() if key not in by}, ())
        if self.context.problems:
            raise InputError([Problem(problem.what.removeprefix(": ")) for problem in self.context.problems])
        return name, verb, {**taken, **by}


def plan(scenario: Scenario, scratch: Path | None = None) -> Plan:
    """Check everything a scenario names, without an engine; InputError carries all problems found.

    `scratch` is where engines may write later; a validation passes none.
    """
    city = _city(scenario)
    start = scenario.start.replace(tzinfo=ZoneInfo(city.manifest.timezone))
    problems: list[Problem] = []
    models: dict[str, Model] = {}
    try:
        city.check_places()
    except InputError as error:
        problems += error.problems
    for name, stanza in scenario.models.items():
        try:
            models[name] = _model(scenario, city, name, stanza, start, scratch or Path("scratch"))
        except InputError as error:
            place = scenario.place(("models", name))
            problems += [one if one.file else Problem(f"models.{name}: {one.what}", *place) for one in error.problems]
    if problems:
        raise InputError(dict.fromkeys(problems))
    matcher = _match(scenario, city, models, problems)
    types = {name: stanza.type or name for name, stanza in scenario.models.items()}
    context = Context(city, models, start, scenario.duration, scenario.place, scenario.folder, tuple(scenario.kpis), types)
    drivers: dict[str, Driver] = {}
    taken = {found.name: found.load() for found in registered("twin.drivers") if found.name in scenario.drivers}
    context.verbs = {name: driver.verbs for name, driver in taken.items() if hasattr(driver, "verbs")}
    for name, driver in taken.items():
        drivers[name] = driver.read(scenario.drivers[name], context)
    for one in context.told if not context.problems else ():  # what was not read cannot be told apart from what is not there
        if wrong := cast(Commanded, drivers[one.section]).wrong(one.verb, one.arguments):
            problems.append(Problem(f"{'.'.join(map(str, one.path))}: {wrong}", *one.place(one.path)))
    kpis = _kpis(scenario, models, problems)
    _check_objectives(scenario, problems)
    objectives = {name: one for driver in drivers.values() for name, one in getattr(driver, "objectives", {}).items()} | scenario.objectives
    problems += context.problems
    if problems:
        raise InputError(sorted(problems, key=lambda problem: (problem.file, problem.line)))
    return Plan(scenario, city, start, models, dict(scenario.models), matcher.pairs, drivers, kpis, objectives, context)


def _city(scenario: Scenario) -> City:
    where = scenario.place(("city",))
    try:
        folder = scenario.city_folder
        is_pack, is_folder = (folder / MANIFEST).exists(), folder.is_dir()
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(Problem(f"city: {str(error)[:80]}; write the pack's folder, relative to the scenario", *where)) from None
    if is_folder and not is_pack:
        raise InputError(Problem(f"city: {folder} is no city pack: it has no {MANIFEST}", *where))
    if not is_folder:
        beside = sorted(one.parent.name for one in folder.parent.glob(f"*/{MANIFEST}")) if folder.parent.is_dir() else []
        raise InputError(Problem(f"city: {nearest(folder.name, beside, what='city pack')} (looked in {folder.parent})", *where))
    return City(folder)


def _model(scenario: Scenario, city: City, name: str, stanza: Stanza, start: datetime, scratch: Path) -> Model:
    known = [found.name for found in registered("twin.models")]
    type_name = stanza.type or name
    if type_name not in known:
        key = ("models", name, "type") if stanza.type else ("models", name)
        raise InputError(Problem(nearest(type_name, known, what="model"), *scenario.place(key)))
    cls = model_class(type_name)
    try:
        cls.Options.model_validate(stanza.options)
    except ValidationError as error:
        lines: list[tuple[str, int]] = []

        def number(path: Any) -> int:
            lines.append(scenario.place(path))
            return len(lines) - 1

        found = yamlfile.problems(error, "", number, cls.Options, under=("models", name))
        raise InputError([Problem(one.what, *lines[one.line]) for one in found]) from None
    if stanza.period is not None and stanza.period < 1:
        raise InputError(Problem(f"models.{name}.period: at least 1 s", *scenario.place(("models", name, "period"))))
    if wrong := city.wrong_roles(name, cls.files):
        raise InputError(wrong)
    setup = Setup(
        name=name,
        files=city.files(name),
        scratch=scratch / name,
        options=stanza.options,
        start=start,
        duration_s=scenario.duration,
        seed=scenario.seed,
        offset_m=city.offset_m(name),
        period_s=stanza.period,
    )
    return cls(setup)


def _match(scenario: Scenario, city: City, models: Mapping[str, Model], problems: list[Problem]) -> Matcher:
    rows = city.couplings()
    matcher = Matcher(models, str(city.path("couplings")))
    kinds = {row.coupling.kind for row in rows}
    for kind in scenario.couplings:
        if kind not in kinds:
            problems.append(Problem(nearest(kind, sorted(kinds), what="kind of coupling"), *scenario.place(("couplings", kind))))
        elif scenario.couplings[kind].weight != 1 and _weightless(models, kind):
            what = f"couplings.{kind}.weight: switches and records have no weight; write `{kind}: off` to cut them"
            problems.append(Problem(what, *scenario.place(("couplings", kind, "weight"))))
    for line, row in rows:
        if len(matcher.problems) >= SHOWN_PROBLEMS:  # to look for the nearest names takes its time
            matcher.problems.append(Problem("not looked at: too many rows before it are wrong", matcher.file, line))
        elif not kind_off(scenario, row.kind):
            matcher.add(row, line)
    problems += matcher.problems
    return matcher


def _weightless(models: Mapping[str, Model], kind: str) -> bool:
    """Whether links of this kind carry something that cannot be multiplied."""
    flows = any(flow.kind == kind for model in models.values() for flow in model.flows.values())
    return flows or any(port.kind == kind and port.dtype == bool for model in models.values() for port in model.ports.values())


def kind_off(scenario: Scenario, kind: str) -> bool:
    """Whether the scenario cuts every link of this kind."""
    return kind in scenario.couplings and scenario.couplings[kind].off


def _kpis(scenario: Scenario, models: Mapping[str, Model], problems: list[Problem]) -> list[kpi.Kpi]:
    sheets = {name: sheet_of(model) for name, model in models.items()}
    named = {str(said.get("of", "")).split(".")[1] for said in scenario.kpis.values() if str(said.get("of", "")).startswith("events.")}
    drivers = {found.name: getattr(found.load(), "rows", ()) for found in registered("twin.drivers") if found.name in named - set(sheets)}
    found, wrong = kpi.read(scenario.kpis, sheets, drivers)
    for path, what in wrong:
        said = what if what.startswith("kpis") else f"{'.'.join(('kpis', *path[:1]))}: {what}"
        problems.append(Problem(said, *scenario.place(("kpis", *path))))
    return found


def _check_objectives(scenario: Scenario, problems: list[Problem]) -> None:
    for name, objective in scenario.objectives.items():
        for wrong in (one for one in objective.kpis if one not in scenario.kpis):
            where = scenario.place(("objectives", name, "kpis"))
            problems.append(Problem(f"objectives.{name}: {nearest(wrong, scenario.kpis, what='KPI')}", *where))


def join(plan: Plan, *, watchdog_s: float = 120.0, hosts: str = "") -> Wiring:
    """Put every model into its host and wire them; starts nothing. `hosts` overrides every stanza's choice."""
    from twin.orchestrator import Node

    nodes: dict[str, Node] = {}
    for name, model in plan.models.items():
        stanza = plan.stanzas[name]
        host = hosts or stanza.host or type(model).host
        nodes[name] = Node(Process(model, stanza.type or name, watchdog_s=watchdog_s) if host == "process" else Inline(model))
    links, flows = [], []
    for (source, out, target, into, kind), pairs in plan.pairs.items():
        give, take = plan.models[source], plan.models[target]
        if out in give.flows:
            route = {int(i): int(j) for i, j in pairs}
            flows.append(FlowLink(nodes[source], give.flows[out], nodes[target], take.flows[into], route, kind))
        else:
            change = plan.scenario.couplings.get(kind)
            ends = cast(Out, give.ports[out]), cast(In, take.ports[into])
            weight = change.weight if change else 1.0
            links.append(Link(nodes[source], ends[0], nodes[target], ends[1], np.array(pairs), kind=kind, weight=weight))
    return wire(nodes, links, flows)
