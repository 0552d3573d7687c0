"""The timeline: named actions at known moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from twin.driver import SOURCES, Context, Post, Seen


class Timeline:
    """Entries such as `feeder_fault: {at: "21:40", do: grid.fault, line: L4}`.

    `at` is a local clock time, a date and time, or an offset such as `+12 min`; `do` names a model
    and its action; every other key is an argument of the action.
    """

    source: ClassVar[str] = "timeline"

    def __init__(self, posts: Sequence[Post]) -> None:
        self.posts = list(posts)

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the section."""
        entry = {
            "type": "object",
            "required": ["at", "do"],
            "properties": {
                "at": {"type": "string", "description": "'21:40', '2014-08-16 21:40' or '+12 min'"},
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
            if missing := [key for key in ("at", "do") if key not in entry]:
                for key in missing:
                    context.say(f"timeline.{name}: '{key}' is missing; write {{at: '21:40', do: model.action, ...}}", path)
                continue
            t_s = context.moment_s(entry["at"], (*path, "at"))
            arguments = {key: value for key, value in entry.items() if key not in ("at", "do")}
            model, verb, taken = context.action(entry["do"], arguments, path)
            # its place in the section is the order of the file's lines, also where a variant changed an entry
            posts.append(Post(t_s, SOURCES.index("timeline"), number, number, name, model, verb, taken))
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
