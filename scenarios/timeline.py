"""The timeline: named actions at known moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from scenarios import acts
from twin import units
from twin.driver import SOURCES, Context, Post, Seen

WHEN = ("at", "every", "from", "to")
MOST = 10_000
"""Actions that one entry may stand for: times that it repeats, by elements."""


class Timeline:
    """Entries such as `feeder_fault: {at: "21:40", do: grid.fault, line: L4}`.

    `at` is a local clock time, a date and time, or an offset such as `+12 min`; `every: 5 min` repeats, between `from` and `to`
    where they are given; `do` names a model and its action; every other key is an argument of the action, and one that names an
    element may name several (`scenarios.selectors`).
    """

    source: ClassVar[str] = "timeline"

    def __init__(self, posts: Sequence[Post]) -> None:
        self.posts = list(posts)

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the section."""
        entry = {
            "type": "object",
            "required": ["do"],
            "oneOf": [{"required": ["at"]}, {"required": ["every"]}],
            "properties": {
                "at": {"type": "string", "description": "'21:40', '2014-08-16 21:40' or '+12 min'"},
                "every": {"type": "string", "description": "again and again, for example 5 min"},
                "from": {"type": "string", "description": "the first time of `every`; the start when left out"},
                "to": {"type": "string", "description": "the latest time of `every`; the end when left out"},
                "do": {"type": "string", "description": "model.action, for example grid.open"},
            },
            "additionalProperties": True,
        }
        return {"type": "object", "description": "named actions at known moments", "additionalProperties": entry}

    @classmethod
    def read(cls, section: Any, context: Context) -> Timeline:
        """Make the timeline from its section; mistakes go to `context.problems`."""
        posts: list[Post] = []
        if section is None:
            return cls(posts)
        if not isinstance(section, Mapping):
            context.say("timeline: write named entries such as `fault: {at: '21:40', do: grid.open, line: L4}`", ("timeline",))
            return cls(posts)
        for number, (name, entry) in enumerate(section.items()):
            path = ("timeline", name)
            if not isinstance(entry, Mapping):
                context.say(f"timeline.{name}: write {{at: '21:40', do: model.action, ...}}", path)
                continue
            missing = [key for key in ("at", "do") if key not in entry and (key != "at" or "every" not in entry)]
            for key in missing:
                context.say(f"timeline.{name}: '{key}' is missing; write {{at: '21:40', do: model.action, ...}}", path)
            if missing:
                continue
            for key in [key for key in ("from", "to") if key in entry and "every" not in entry]:
                context.say(f"timeline.{name}.{key}: 'at' is one moment; write 'every' to repeat it from and to a moment", (*path, key))
            moments_s = _repeated_s(entry, path, context) if "every" in entry else [context.moment_s(entry["at"], (*path, "at"))]
            arguments = {key: value for key, value in entry.items() if key not in ("do", *WHEN)}
            # its place in the section is the order of the file's lines, also where a variant changed an entry
            done = acts.read(entry["do"], arguments, path, context)
            if "every" in entry and len(moments_s) * len(done) > MOST:
                times = f"{len(moments_s):,} times for {len(done):,} elements"
                context.say(f"timeline.{name}.every: {times}; at most {MOST:,} actions", (*path, "every"))
                continue
            for act in done:
                for t_s in moments_s:
                    posts.append(Post(t_s, SOURCES.index("timeline"), number, len(posts), name, act.model, act.verb, act.arguments))
        return cls(posts)

    def begin(self) -> list[Post]:
        """Return every entry."""
        return self.posts

    def hear(self, seen: Seen) -> list[Post]:
        """React to nothing: a timeline is known beforehand."""
        return []

    def next_s(self) -> int | None:
        """Ask for nothing."""
        return None

    def save(self) -> dict[str, Any]:
        """Return nothing: what is still to happen waits on the agenda."""
        return {}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take up nothing."""


def _repeated_s(entry: Mapping[str, Any], path: tuple[Any, ...], context: Context) -> list[int]:
    """Return the seconds of an entry that repeats."""
    where = ".".join(map(str, path))
    if "at" in entry:
        context.say(f"{where}: 'at' is one moment and 'every' many; write one of them", (*path, "at"))
        return []
    first_s = context.moment_s(entry["from"], (*path, "from")) if "from" in entry else 0
    last_s = context.moment_s(entry["to"], (*path, "to")) if "to" in entry else context.duration_s
    try:
        every_s = units.quantity(entry["every"], "s")
    except ValueError as error:
        context.say(f"{where}.every: {error}", (*path, "every"))
        return []
    if every_s < 1 or every_s != int(every_s):
        context.say(f"{where}.every: {entry['every']}: whole seconds, at least 1 s", (*path, "every"))
        return []
    if last_s < first_s:
        context.say(f"{where}: 'to' is before 'from'", (*path, "to"))
    times = range(first_s, last_s + 1, int(every_s))
    if len(times) > MOST:
        context.say(f"{where}.every: {len(times):,} times; at most {MOST:,}", (*path, "every"))
        return []
    return list(times)
