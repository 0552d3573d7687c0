"""The section `hazards:` of a scenario: each entry strikes the models that take part, and says how hard and what it left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from pydantic import BaseModel, ValidationError

from scenarios.hazards.casualties import Casualties, Watch, watch
from scenarios.hazards.deeds import DEEDS
from scenarios.hazards.earthquake import Quake
from scenarios.hazards.effect import Effect
from scenarios.hazards.ground import Ground
from scenarios.hazards.kind import Kind
from scenarios.hazards.natural import NATURAL, Earthquake
from scenarios.hazards.outflow import Outflow
from scenarios.hazards.releases import RELEASES
from twin import yamlfile
from twin.driver import SOURCES, Context, Post, Said, Seen
from twin.errors import Problem, nearest
from twin.ports import Report

KINDS: dict[str, type[Kind]] = {**NATURAL, **RELEASES, **DEEDS, "casualties": Casualties}
EXAMPLE = "write {kind: earthquake, at: '21:40', magnitude: 6.5, epicentre: stadium}"
FREE = tuple(f"release_{k}" for k in range(1, 9))
"""The air's sources that stand nowhere; each entry that lets something out takes the next one."""


@dataclass
class Entry:
    """One entry as it was read: what it does at known moments, what it lets out, what the journal should say of it."""

    name: str
    number: int
    effects: Sequence[Effect] = ()
    outflow: Outflow | None = None
    watch: Watch | None = None
    notes: Sequence[str] = ()
    quakes: Sequence[Quake] = ()


@dataclass
class Running:
    """What a release remembers: when somebody shut it, and how many of its steps were posted since."""

    shut_s: int | None = None
    posted: int = 0
    steps: Sequence[Effect] = field(default_factory=tuple)

    @property
    def flows(self) -> bool:
        """Return whether something came out at its last step."""
        return self.posted > 0 and self.steps[self.posted - 1].action == "release"


class Hazards:
    """Entries such as `quake: {kind: earthquake, at: "21:40", magnitude: 6.5, epicentre: stadium}`.

    What is known beforehand waits on the agenda. What leaks is let out step by step, so that somebody can shut it: a stop of its
    source in the air (`air.stop`) is heard, and what still comes out afterwards is worked out anew.
    """

    source: ClassVar[str] = "hazard"

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = list(entries)
        self.running = {one.name: Running(steps=one.outflow.effects(None)) for one in entries if one.outflow is not None}
        self.told = False

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the section."""
        kinds = []
        for name, kind in KINDS.items():
            one = kind.model_json_schema()
            one["properties"] = {"kind": {"const": name}} | one.get("properties", {})
            one["required"] = ["kind", *one.get("required", [])]
            kinds.append(_inlined(one, one.pop("$defs", {})))
        return {"type": "object", "description": "what strikes the city", "additionalProperties": {"oneOf": kinds}}

    @classmethod
    def read(cls, section: Any, context: Context) -> Hazards:
        """Make it from its section; mistakes go to `context.problems`."""
        if section is None:
            return cls([])
        if not isinstance(section, Mapping):
            context.say(f"hazards: write named entries; {EXAMPLE}", ("hazards",))
            return cls([])
        free = list(FREE)
        entries = [_entry(name, number, said, context, free) for number, (name, said) in enumerate(section.items())]
        made = [one for one in entries if one is not None]
        _watches(made, context)
        return cls(made)

    def begin(self) -> list[Post]:
        """Return what strikes at known moments."""
        return [self._post(one, effect, k) for one in self.entries for k, effect in enumerate(one.effects)]

    def _post(self, entry: Entry, effect: Effect, sequence: int) -> Post:
        order = effect.t_s, SOURCES.index(self.source), entry.number, sequence
        return Post(*order, entry.name, effect.model, effect.action, effect.arguments, effect.why, entry.name)

    def hear(self, seen: Seen) -> list[Post | Said]:
        """Let out what is due, and take up that somebody shut what leaks."""
        given: list[Post | Said] = []
        if not self.told:
            self.told = True
            given += [_said(one.name, note, seen.now_s) for one in self.entries for note in one.notes]
        for entry in self.entries:
            if entry.watch is not None:
                for k, what in enumerate(entry.watch.hear(seen)):
                    given.append(_said(entry.name, what, seen.now_s) if isinstance(what, str) else self._post(entry, what, k))
            if entry.outflow is None:
                continue
            running, flow = self.running[entry.name], entry.outflow
            if running.shut_s is None and running.flows and _stopped(seen, flow):
                given.append(self._shut(entry, running, seen.now_s))
            while running.posted < len(running.steps) and running.steps[running.posted].t_s <= seen.now_s:
                given.append(self._post(entry, running.steps[running.posted], running.posted))
                running.posted += 1
        return given

    @staticmethod
    def _shut(entry: Entry, running: Running, now_s: int) -> Said:
        """Work out what still comes out of what was just shut."""
        assert entry.outflow is not None
        running.shut_s = now_s
        running.steps = _after(entry.outflow, now_s)
        running.posted = 0
        still = f"what lies between the valves still comes out: {running.steps[0].why}" if running.steps else "nothing more comes out"
        return _said(entry.name, f"shut: {still}", now_s)

    def next_s(self) -> int | None:
        """Return the second of the next step of what leaks, or of the next shaking that hurts people."""
        due = [one.steps[one.posted].t_s for one in self.running.values() if one.posted < len(one.steps)]
        shaken = (one.watch.next_s() for one in self.entries if one.watch is not None)
        return min([*due, *(t_s for t_s in shaken if t_s is not None)], default=None)

    def save(self) -> dict[str, Any]:
        """Return when what leaks was shut and how far it has come, and who was hurt."""
        kept = {name: {"shut_s": one.shut_s, "posted": one.posted} for name, one in self.running.items()}
        return {"running": kept, "told": self.told, "hurt": {one.name: one.watch.save() for one in self.entries if one.watch is not None}}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take that up; an entry that was not there then begins anew."""
        self.told = saved["told"]
        for one in self.entries:
            if one.watch is not None and one.name in saved["hurt"]:
                one.watch.load(saved["hurt"][one.name])
        flows = {one.name: one.outflow for one in self.entries}
        for name, kept in saved["running"].items():
            if (flow := flows.get(name)) is not None:
                shut_s = kept["shut_s"]
                self.running[name] = Running(shut_s, kept["posted"], flow.effects(None) if shut_s is None else _after(flow, shut_s))


def _after(flow: Outflow, shut_s: int) -> list[Effect]:
    """Return what comes out from the second on at which it was shut: what the valves left between them, at that second's rate."""
    found = flow.effects(shut_s)
    before = [one for one in found if one.t_s <= shut_s]
    later = [one for one in found if one.t_s > shut_s]
    if not before or before[-1].action == "stop":
        return later if any(one.action == "release" for one in later) else []
    now = before[-1]
    return [Effect(shut_s, now.model, now.action, now.element, now.arguments, now.why), *later]


def _stopped(seen: Seen, flow: Outflow) -> bool:
    return any((one.model, one.notice, one.element) == (flow.model, "stopped", flow.source) for one in seen.reports)


def _said(name: str, what: str, now_s: int) -> Said:
    return Said("hazard", Report("hazards", name, "", now_s, "info", {"what": what}))


def _kind(name: str, said: Any, context: Context) -> Kind | None:
    """Read an entry's keys; notes everything wrong with them."""
    path = ("hazards", name)
    if not isinstance(said, Mapping) or "kind" not in said:
        context.say(f"hazards.{name}: 'kind' is missing; {EXAMPLE}" if isinstance(said, Mapping) else f"hazards.{name}: {EXAMPLE}", path)
        return None
    cls = KINDS.get(str(said["kind"]))
    if cls is None:
        context.say(f"hazards.{name}.kind: {nearest(str(said['kind']), KINDS, what='kind of hazard')}", (*path, "kind"))
        return None
    try:
        return cls.model_validate({key: value for key, value in said.items() if key != "kind"})
    except ValidationError as error:
        _complain(error, cls, path, context)
        return None


def _entry(name: str, number: int, said: Any, context: Context, free: list[str]) -> Entry | None:
    """Make one entry; notes everything wrong with it."""
    path, before = ("hazards", name), len(context.problems)
    kind = _kind(name, said, context)
    ground = Ground(context, path, only=() if kind is None else _only(kind, context, path))
    if kind is None or len(context.problems) > before:
        return None
    effects = kind.effects(ground)
    if len(context.problems) > before:
        return None
    flows = kind.outflows(ground, free[0] if free else FREE[0])
    if flows and not free:
        context.say(f"hazards.{name}: the air has {len(FREE)} sources for releases, and entries before this one take all of them", path)
    flow = _into_the_air(flows[0], ground) if flows and ground.has("air") else None
    if flows and free:
        effects = [*effects, *_spark(kind, flows[0].source, ground)]
        free.pop(0)
    effects = [to for one in effects for to in ground.addressed(one, everywhere=kind.everywhere)]
    if len(context.problems) > before:
        return None
    ground.notes += [
        f"no model '{one}' in this scenario: what this would do to it is left out" for one in kind.strikes if not ground.has(one)
    ]
    for one in flow.effects(None)[:1] if flow is not None else ():
        context.action(f"{one.model}.{one.action}", one.arguments, path)
    quakes = kind.quakes(ground) if isinstance(kind, Earthquake) else ()
    hurt = watch(kind, ground) if isinstance(kind, Casualties) else None
    return Entry(name, number, _checked(effects, context, path), flow, hurt, ground.notes, quakes)


def _watches(entries: Sequence[Entry], context: Context) -> None:
    """Tell those who look for the hurt of all earthquakes; notes when two would count the same people."""
    watching = [one for one in entries if one.watch is not None]
    for one in watching:
        one.watch.expect([quake for other in entries for quake in other.quakes])
    for one in watching[1:]:
        what = f"hazards.{one.name}: '{watching[0].name}' counts the same people; write one entry of casualties"
        context.say(what, ("hazards", one.name))


def _only(kind: Kind, context: Context, path: tuple[Any, ...]) -> tuple[str, ...]:
    """Return the models that an entry names, each of them of a type that it strikes."""
    named = (kind.model,) if isinstance(kind.model, str) else kind.model or ()
    able = [name for one in (*kind.strikes, *kind.also) for name in context.of_type(one)]
    for name in named:
        if name not in able:
            what = nearest(name, able, what=f"model that '{path[-1]}' strikes")
            context.say(f"{'.'.join(map(str, path))}.model: {what}", (*path, "model"))
    return named


def _into_the_air(flow: Outflow, ground: Ground) -> Outflow:
    """Return a release into the air that the entry is for; notes when several would do, or it has no such source."""
    name = ground.one("air")
    if flow.source not in ground.elements(name)["source"].ids:
        ground.say("where", f"the air of this city has no source '{flow.source}'")
    return replace(flow, model=name)


def _spark(kind: Kind, source: str, ground: Ground) -> list[Effect]:
    """Return the spark at a known moment of what an entry lets out."""
    moment = getattr(kind, "ignition", None)
    if moment is None or not ground.has("air"):
        return []
    return [Effect(ground.moment_s("ignition", moment), "air", "ignite", source, {"source": source}, "a spark")]


def _checked(effects: Sequence[Effect], context: Context, path: tuple[Any, ...]) -> list[Effect]:
    """Return the effects on models that take part, within the run, with their arguments as the actions take them."""
    kept = []
    for one in sorted(effects):
        if one.model not in context.models or not 0 <= one.t_s <= context.duration_s:
            continue
        model, verb, taken = context.action(f"{one.model}.{one.action}", one.arguments, path)
        kept.append(Effect(one.t_s, model, verb, one.element, taken, one.why))
    return kept


def _complain(error: ValidationError, cls: type[BaseModel], path: tuple[Any, ...], context: Context) -> None:
    """Note pydantic's errors, each with its line."""
    lines: list[tuple[str, int]] = []

    def number(where: Any) -> int:
        lines.append(context.place(where))
        return len(lines) - 1

    for one in yamlfile.problems(error, "", number, cls, under=path):
        context.problems.append(Problem(one.what, *lines[one.line]))


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Return a schema whose references to its own definitions are written out."""
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            return _inlined(definitions[str(schema["$ref"]).rpartition("/")[2]], definitions)
        return {key: _inlined(value, definitions) for key, value in schema.items()}
    return [_inlined(one, definitions) for one in schema] if isinstance(schema, list) else schema
