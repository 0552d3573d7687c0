"""Triggers: what is done when something comes to hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from scenarios import acts, conditions
from scenarios.acts import Act
from scenarios.conditions import Condition, State
from twin import units
from twin.driver import SOURCES, Context, Post, Seen

NEVER = -1
EXAMPLE = "write {when: \"water.pressure_m['J17'] < 14 m for 5 min\", do: water.isolate, pipe: P100}"
OWN = ("when", "do", "then", "after", "again", "from")
"""Keys of an entry that are no arguments of its action."""


@dataclass(frozen=True)
class Trigger:
    """A condition and what is done each time it comes to hold, from `from_s` on: once, or again after `again_s`."""

    name: str
    number: int
    when: Condition
    acts: Sequence[Act]
    again_s: int | None
    from_s: int = 0

    def first_s(self) -> int | None:
        """Return the first second at which it must be asked though nothing may have moved."""
        return self.from_s or self.when.next_s(self.when.fresh(), NEVER)


@dataclass
class Memory:
    """What a trigger remembers: its condition's state, whether it holds, when it last fired."""

    state: State
    holds: bool = False
    fired_s: int = NEVER
    next_s: int | None = None


class Triggers:
    """Entries such as `dry: {when: "water.pressure_m['J17'] < 14 m for 5 min", do: water.isolate, pipe: P100}`.

    `do` with its arguments, or `then:` a list of such, each with `after: 2 min` if it is not at once. A trigger fires when its
    condition comes to hold, the first time only; with `again: 10 min` also later, no sooner than that after it last fired. `from` is the
    first moment at which it is asked.
    """

    source: ClassVar[str] = "trigger"

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        self.triggers = list(triggers)
        self.memories = [Memory(trigger.when.fresh(), next_s=trigger.first_s()) for trigger in triggers]
        self.posted = 0
        self.asking: dict[str, list[int]] = {}
        for i, trigger in enumerate(self.triggers):
            for model in trigger.when.models:
                self.asking.setdefault(model, []).append(i)
        self.due_s = self._due_s()

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the section."""
        act = {
            "type": "object",
            "properties": {
                "do": {"type": "string", "description": "model.action, for example grid.open"},
                "after": {"type": "string", "description": "so long after the trigger, for example 2 min; at once when left out"},
            },
        }
        entry = {
            "type": "object",
            "required": ["when"],
            "properties": act["properties"]
            | {
                "when": {"type": "string", "description": "a condition, for example water.pressure_m['J17'] < 14 m for 5 min"},
                "then": {"type": "array", "items": act | {"required": ["do"]}},
                "from": {"type": "string", "description": "the first moment at which it is asked; the start when left out"},
                "again": {"type": "string", "description": "it may fire again, so long after it last did; once only when left out"},
            },
            "additionalProperties": True,
        }
        return {"type": "object", "description": "what is done when something comes to hold", "additionalProperties": entry}

    @classmethod
    def read(cls, section: Any, context: Context) -> Triggers:
        """Make the triggers from their section; mistakes go to `context.problems`."""
        if section is None:
            return cls([])
        if not isinstance(section, Mapping):
            context.say(f"triggers: write named entries; {EXAMPLE}", ("triggers",))
            return cls([])
        read = [_trigger(name, number, entry, context) for number, (name, entry) in enumerate(section.items())]
        return cls([trigger for trigger in read if trigger is not None])

    def begin(self) -> list[Post]:
        """Return nothing: what a trigger does is not known beforehand."""
        return []

    def hear(self, seen: Seen) -> list[Post]:
        """Ask every trigger whose models moved or reported, or whose time has come."""
        posts: list[Post] = []
        spoke = seen.moved | {report.model for report in seen.reports}
        asked = {i for model in spoke for i in self.asking.get(model, ())}
        if self.due_s is not None and self.due_s <= seen.now_s:
            asked |= {i for i, memory in enumerate(self.memories) if memory.next_s is not None and memory.next_s <= seen.now_s}
        for i in sorted(asked):
            trigger, memory = self.triggers[i], self.memories[i]
            if seen.now_s < trigger.from_s or (memory.fired_s != NEVER and trigger.again_s is None):
                memory.next_s = trigger.from_s if seen.now_s < trigger.from_s else None
                continue
            held, memory.holds = memory.holds, trigger.when.holds(seen, memory.state)
            turned = memory.holds and not held
            if turned and trigger.again_s is not None and trigger.when.notices:
                memory.holds = trigger.when.forget(seen, memory.state)  # the next one of them counts anew
            memory.next_s = trigger.when.next_s(memory.state, seen.now_s)
            if turned and self._may_fire(trigger, memory, seen.now_s):
                memory.fired_s = seen.now_s
                why = trigger.when.saw(seen)
                for act in trigger.acts:
                    self.posted += 1
                    t_s = seen.now_s + act.after_s
                    source = SOURCES.index(self.source)
                    order = (t_s, source, trigger.number, self.posted)
                    posts.append(Post(*order, trigger.name, act.model, act.verb, act.arguments, why))
        self.due_s = self._due_s() if asked else self.due_s
        return posts

    @staticmethod
    def _may_fire(trigger: Trigger, memory: Memory, now_s: int) -> bool:
        if memory.fired_s == NEVER:
            return True
        return trigger.again_s is not None and now_s - memory.fired_s >= trigger.again_s

    def next_s(self) -> int | None:
        """Return the next second at which time alone may make a condition hold."""
        return self.due_s

    def _due_s(self) -> int | None:
        return min((memory.next_s for memory in self.memories if memory.next_s is not None), default=None)

    def save(self) -> dict[str, Any]:
        """Return what every trigger remembers, by name."""
        kept = {
            trigger.name: vars(memory) | {"state": vars(memory.state)} for trigger, memory in zip(self.triggers, self.memories, strict=True)
        }
        return {"memories": kept, "posted": self.posted}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take up what was remembered; a trigger that was not there then has heard nothing."""
        self.posted = saved["posted"]
        for i, trigger in enumerate(self.triggers):
            if (kept := saved["memories"].get(trigger.name)) is not None:
                self.memories[i] = Memory(**{**kept, "state": State(**kept["state"])})
        self.due_s = self._due_s()


def _trigger(name: str, number: int, entry: Any, context: Context) -> Trigger | None:
    path, before = ("triggers", name), len(context.problems)
    if not isinstance(entry, Mapping):
        context.say(f"triggers.{name}: {EXAMPLE}", path)
        return None
    if "when" not in entry or ("do" in entry) == ("then" in entry):
        context.say(f"triggers.{name}: it needs 'when' and either 'do' or 'then'; {EXAMPLE}", path)
        return None
    when, again_s, from_s = None, None, 0
    try:
        when = conditions.read(entry["when"], context)
    except ValueError as error:
        context.say(f"triggers.{name}.when: {error}", (*path, "when"))
    if "again" in entry:
        again_s = _seconds(entry["again"], (*path, "again"), context)
    if "from" in entry:
        from_s = context.moment_s(entry["from"], (*path, "from"))
    if "then" in entry:
        listed = entry["then"] if isinstance(entry["then"], Sequence) and not isinstance(entry["then"], str) else []
        if not listed:
            context.say(f"triggers.{name}.then: write a list of actions such as {{do: grid.open, line: L4, after: 2 min}}", (*path, "then"))
        for stray in [key for key in entry if key not in ("when", "then", "again", "from")]:
            context.say(f"triggers.{name}.{stray}: with 'then', each of its actions has its own", (*path, stray))
        done = [act for i, one in enumerate(listed) for act in _acts(one, (*path, "then", i), context)]
    else:
        done = _acts({key: value for key, value in entry.items() if key not in ("when", "again", "from")}, path, context)
    if when is None or len(context.problems) > before:
        return None
    return Trigger(name, number, when, done, again_s, from_s)


def _acts(entry: Any, path: tuple[Any, ...], context: Context) -> list[Act]:
    if not isinstance(entry, Mapping) or "do" not in entry:
        context.say(f"{'.'.join(map(str, path))}: write {{do: model.action, ...}}", path)
        return []
    after_s = _seconds(entry["after"], (*path, "after"), context) if "after" in entry else 0
    return acts.read(entry["do"], {key: value for key, value in entry.items() if key not in OWN}, path, context, after_s=after_s)


def _seconds(text: object, path: tuple[Any, ...], context: Context) -> int:
    try:
        value = units.quantity(text, "s")
    except ValueError as error:
        context.say(f"{'.'.join(map(str, path))}: {error}", path)
        return 0
    if value < 0 or value != int(value):
        context.say(f"{'.'.join(map(str, path))}: {text}: whole seconds, not before its trigger", path)
    return int(value)
