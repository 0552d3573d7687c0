"""The master scenario events list of an exercise (HSEEP): what is told to whom and done when, and what is held in reserve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from scenarios import acts, conditions, msel_rows, msel_words
from scenarios.acts import Act
from scenarios.conditions import Condition, State
from twin import units
from twin.driver import SOURCES, Context, Post, Said, Seen
from twin.errors import InputError, Problem, nearest
from twin.layered import READ
from twin.ports import Report

EXAMPLE = 'write {at: "21:40", type: contextual, message_en: "...", action: water.burst pipe=P100 area="100 cm2"}'
TOLD = ("type", "sender", "receiver", "method", "message_en", "message_zh", "objective")
"""What of an entry goes into the journal when it comes."""


@dataclass(frozen=True)
class Inject:
    """A row that was checked: when it comes (a moment, a condition, or only by hand), what it says and does."""

    name: str
    number: int
    entry: Mapping[str, str]
    at_s: int | None
    when: Condition | None
    acts: Sequence[Act]

    @property
    def reserve(self) -> bool:
        """Whether it is held back until its condition holds or somebody publishes it."""
        return self.entry["type"] == "contingency"


@dataclass
class Memory:
    """What is remembered of a row: `waits`, `came`, `skipped`; its condition's state, whether it holds, when that may change by itself."""

    state: State = field(default_factory=State)
    holds: bool = False
    next_s: int | None = None
    status: str = "waits"


class Msel:
    """Rows such as `M3: {at: "21:40", type: contextual, message_en: "...", action: water.burst pipe=P100 area="100 cm2"}`.

    A section names a list, `msel: ../msel/s04.csv` (or .xlsx), or holds its rows. What comes is told in the journal, and what it
    does is done in that second. Rows of type `contingency` wait until their `when` holds or somebody publishes them.
    """

    source: ClassVar[str] = "msel"
    verbs: ClassVar[Mapping[str, str]] = {
        "skip": "leave a row out: msel.skip row=M3",
        "publish": "let a row come now: msel.publish row=M3",
        "pause": "hold back every row until go_on",
        "go_on": "let rows come again; those that are due come at once",
    }

    def __init__(self, injects: Sequence[Inject]) -> None:
        self.injects = list(injects)
        self.memories = [_fresh(inject) for inject in injects]
        self.posted, self.paused, self._again = 0, False, False
        self._timed_s: int | None = None
        self._next_s: int | None = None
        self._wait()

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the section."""
        text = {"type": "string"}
        said: dict[str, Any] = {key: text | {"description": f"column '{name}'"} for key, name in msel_rows.KEYS.items()}
        said["type"] = {"enum": list(msel_rows.TYPES)}
        entry = {"type": "object", "required": ["type"], "properties": said, "additionalProperties": False}
        rows = {"type": "object", "additionalProperties": entry}
        return {"description": "the master scenario events list: a .csv or .xlsx, or its rows", "oneOf": [text, rows]}

    @classmethod
    def gather(cls, section: Any, folder: Path) -> Any:
        """Return the rows of the list that the section names, as the section could hold them itself."""
        return msel_rows.read(Path(_normal(folder / section)), section) if isinstance(section, str) else section

    @classmethod
    def read(cls, section: Any, context: Context) -> Msel:
        """Make it from its rows; mistakes go to `context.problems`, those of a file with its row."""
        if section is None:
            return cls([])
        if not isinstance(section, Mapping):
            context.say("msel: name a list, ../msel/s04.csv or .xlsx, or write its rows: {M1: {...}}", ("msel",))
            return cls([])
        found = [_inject(str(name), number, entry, context) for number, (name, entry) in enumerate(section.items())]
        return cls([inject for inject in found if inject is not None])

    def begin(self) -> list[Post]:
        """Return nothing: a row may still be skipped."""
        return []

    def hear(self, seen: Seen) -> list[Post | Said]:
        """Let every row come that is due, in the order of the list."""
        given: list[Post | Said] = []
        spoke = seen.moved | {report.model for report in seen.reports}
        due = self._next_s is not None and self._next_s <= seen.now_s
        if not (due or self._again) and spoke.isdisjoint(self._models):
            return given
        timely = due or self._again
        for inject, memory in self._waiting if timely else self._reserve:
            why = self._why(inject, memory, seen, spoke)
            if why and not self.paused:
                memory.status, memory.next_s = "came", None
                given += self._come(inject, seen.now_s, why)
        if given or timely:
            self._wait()
        self._next_s = _soonest(self._timed_s, *(memory.next_s for _, memory in self._reserve))
        return given

    def _wait(self) -> None:
        """Work out when a row may come next, and which models may make one come; what is held back is looked at again at once."""
        self._waiting = [pair for pair in zip(self.injects, self.memories, strict=True) if pair[1].status == "waits"]
        self._reserve = [(inject, memory) for inject, memory in self._waiting if inject.when is not None]
        self._timed_s = _soonest(*(inject.at_s for inject, _ in self._waiting if not inject.reserve))
        self._next_s = _soonest(self._timed_s, *(memory.next_s for _, memory in self._reserve))
        self._models: set[str] = set().union(*(inject.when.models for inject, _ in self._reserve if inject.when is not None))
        self._again = False

    def _why(self, inject: Inject, memory: Memory, seen: Seen, spoke: AbstractSet[str]) -> str:
        """Return why a row that waits comes now; '' when it does not."""
        if not inject.reserve:
            return "at its time" if inject.at_s is not None and inject.at_s <= seen.now_s else ""
        if inject.when is None:
            return ""
        timely = memory.next_s is not None and memory.next_s <= seen.now_s
        if inject.at_s is not None and seen.now_s < inject.at_s:
            return ""
        if timely or not spoke.isdisjoint(inject.when.models):
            memory.holds = inject.when.holds(seen, memory.state)
            memory.next_s = inject.when.next_s(memory.state, seen.now_s)
        return inject.when.saw(seen) if memory.holds else ""

    def _come(self, inject: Inject, now_s: int, why: str, by: str = "") -> list[Post | Said]:
        """Return a row's message for the journal and its actions."""
        facts: dict[str, float | str] = {key: inject.entry[key] for key in TOLD if key in inject.entry}
        by = by or inject.entry.get("controller", "")
        facts |= {key: text for key, text in (("why", why), ("by", by)) if text}
        given: list[Post | Said] = [Said("inject", Report("msel", inject.name, "", now_s, "info", facts))]
        for act in inject.acts:
            self.posted += 1
            said = f"row {inject.name}: {why}"
            order = now_s, SOURCES.index(self.source), inject.number, self.posted
            given.append(Post(*order, inject.name, act.model, act.verb, act.arguments, said, by))
        return given

    def wrong(self, verb: str, arguments: Mapping[str, Any]) -> str:
        """Say whether an argument is strange, or a row named that there is not."""
        taken = ("row", "by") if verb in ("skip", "publish") else ("by",)
        if strange := [key for key in arguments if key not in taken]:
            return nearest(strange[0], taken, what="argument")
        names, name = [inject.name for inject in self.injects], str(arguments.get("row", ""))
        return nearest(name, names, what="row") if "row" in taken and name not in names else ""

    def told(self, verb: str, arguments: Mapping[str, Any], now_s: int) -> list[Post | Said]:
        """Skip a row or let it come now (`row`), pause the list or let it go on, as somebody says (`by`)."""
        by = str(arguments.get("by") or "")
        if wrong := self.wrong(verb, arguments):
            raise InputError(f"msel.{verb}: {wrong}")
        if verb in ("pause", "go_on"):
            self.paused, self._again = verb == "pause", True
            return [_noted(verb, "", now_s, by)]
        names, name = [inject.name for inject in self.injects], str(arguments["row"])
        inject, memory = self.injects[names.index(name)], self.memories[names.index(name)]
        if memory.status == "came":
            raise InputError(f"msel.{verb}: row {name} has come already")
        memory.status, memory.next_s = ("skipped" if verb == "skip" else "came"), None
        self._wait()
        if verb == "skip":
            return [_noted("skip", name, now_s, by)]
        return self._come(inject, now_s, "published by hand", by)

    def next_s(self) -> int | None:
        """Return the next second at which a row comes, or time alone may make its condition hold."""
        return None if self.paused else self._next_s

    def save(self) -> dict[str, Any]:
        """Return what is remembered of every row, by name."""
        kept = {
            inject.name: vars(memory) | {"state": vars(memory.state)} for inject, memory in zip(self.injects, self.memories, strict=True)
        }
        return {"rows": kept, "posted": self.posted, "paused": self.paused}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take up what was remembered; a row that was not there then waits."""
        self.posted, self.paused = saved["posted"], saved["paused"]
        for i, inject in enumerate(self.injects):
            if (kept := saved["rows"].get(inject.name)) is not None:
                self.memories[i] = Memory(**{**kept, "state": State(**kept["state"])})
        self._wait()


def _soonest(*seconds: int | None) -> int | None:
    return min((t_s for t_s in seconds if t_s is not None), default=None)


def _noted(verb: str, name: str, now_s: int, by: str) -> Said:
    """Return the journal's row of what was told by hand: its element is the list's row."""
    return Said("inject", Report("msel", verb, name, now_s, "info", {"by": by} if by else {}))


def _fresh(inject: Inject) -> Memory:
    if inject.when is None:
        return Memory()
    state = inject.when.fresh()
    first_s = inject.when.next_s(state, -1)
    return Memory(state, next_s=first_s if inject.at_s is None else inject.at_s)


def _normal(path: Path) -> str:
    import os

    return os.path.normpath(path)


def _inject(name: str, number: int, entry: Any, context: Context) -> Inject | None:
    """Check one row against the models; what is wrong is said of its row of the list, or of its line of the scenario."""
    path = ("msel", name)
    if not isinstance(entry, Mapping) or not all(isinstance(text, str) for text in entry.values()):
        context.say(f"msel.{name}: {EXAMPLE}; every value is text", path)
        return None
    row = _Row(name, entry, context)
    for key in (key for key in entry if key not in msel_rows.KEYS):
        row.say(nearest(key, msel_rows.KEYS, what="key"), key)
    kind = entry.get("type", "")
    if kind not in msel_rows.TYPES:
        row.say(nearest(kind, msel_rows.TYPES, what="type of row"), "type")
    if not any(entry.get(key) for key in ("message_en", "message_zh", "action")):
        row.say("says and does nothing; write a message or an action", "message_en")
    at_s = row.moment_s("at") if "at" in entry else None
    if at_s is None and kind in msel_rows.TYPES[:2]:
        row.say("is empty; write for example 21:40 or T+12 min", "at")
    if "wall_time" in entry:
        row.wall_time()
    when = row.when()
    if "expected" in entry:
        row.expected(kind)
    done = row.acts()
    return None if row.context.problems else Inject(name, number, {**entry}, at_s, when, done)


class _Row:
    """One row while it is checked: what is wrong with it is said with its place and its column."""

    def __init__(self, name: str, entry: Mapping[str, str], context: Context) -> None:
        self.name, self.entry, self.whole = name, entry, context
        self.context = replace(context, problems=[])

    def say(self, what: str, key: str) -> None:
        """Note a mistake of a cell, in the list where it is written, or in the scenario or the override that says it."""
        file, line = self.whole.place(("msel", self.name, key))
        in_list = self.entry.get(READ, "")
        if in_list and (line or (file, line) == self.whole.place(("msel", ""))):
            said, _, number = in_list.rpartition(":")
            folder = Path(file).parent if line else self.whole.folder
            file, line = _normal(folder / said), int(number) if number.isdigit() else 0
        where = f"msel.{self.name}.{key}" if not in_list else f"row {self.name}, column '{msel_rows.KEYS.get(key, key)}'"
        problem = Problem(f"{where}: {what}", file, line)
        self.context.problems.append(problem)
        self.whole.problems.append(problem)

    def _said_so_far(self, key: str, begun: int) -> None:
        """Say what the kernel noted of a cell, since `begun`, in this row's words."""
        found = self.context.problems[begun:]
        del self.context.problems[begun:]
        for problem in found:
            what = problem.what
            for start in (f"msel.{self.name}.{key}: ", f"msel.{self.name}: "):
                what = what.removeprefix(start)
            self.say(what, key)

    def moment_s(self, key: str) -> int:
        """Read the moment at which it comes."""
        begun = len(self.context.problems)
        at_s = self.context.moment_s(self.entry[key], ("msel", self.name, key))
        self._said_so_far(key, begun)
        return at_s

    def wall_time(self) -> None:
        """Check the moment at which those who lead the exercise mean to give it; it is theirs alone."""
        try:
            units.clock_s(self.entry["wall_time"], self.whole.start)
        except ValueError as error:
            self.say(str(error), "wall_time")

    def when(self) -> Condition | None:
        """Read its condition; only what is held in reserve has one."""
        if not (text := self.entry.get("when")):
            return None
        if self.entry.get("type") != "contingency":
            self.say("only a row of type 'contingency' waits for a condition", "when")
            return None
        try:
            return conditions.read(text, self.whole)
        except ValueError as error:
            self.say(str(error), "when")
            return None

    def acts(self) -> list[Act]:
        """Read what it does."""
        if not (text := self.entry.get("action")):
            return []
        try:
            deeds = msel_words.actions(text)
        except ValueError as error:
            self.say(str(error), "action")
            return []
        done: list[Act] = []
        for deed in deeds:
            begun = len(self.context.problems)
            done += acts.read(f"{deed.model}.{deed.verb}", deed.arguments, ("msel", self.name, "action"), self.context)
            self._said_so_far("action", begun)
        return done

    def expected(self, kind: str) -> None:
        """Check what is looked for in the run afterwards: an action or a notice, of one element or any."""
        if kind == "contextual":
            self.say("nothing is expected of a contextual row; make its type 'expected action'", "expected")
            return
        try:
            deed = msel_words.expected(self.entry["expected"])
        except ValueError as error:
            self.say(str(error), "expected")
            return
        models = self.whole.models
        if deed.model not in models:
            self.say(nearest(deed.model, models, what="model"), "expected")
            return
        model = models[deed.model]
        verbs = {**model.actions, **model.declared_notices}
        if deed.verb not in verbs:
            self.say(nearest(deed.verb, verbs, what=f"action or notice of {deed.model}"), "expected")
            return
        named = (
            {name: at for name, (_, at, _) in model.actions[deed.verb].parameters.items() if at}
            if deed.verb in model.actions
            else {model.declared_notices[deed.verb].at: model.declared_notices[deed.verb].at}
        )
        for key, value in deed.arguments.items():
            if key not in named or not named[key]:
                self.say(nearest(key, [name for name in named if name], what=f"element of {deed.model}.{deed.verb}"), "expected")
            elif not isinstance(value, str) or value not in model.elements[named[key]].ids:
                self.say(nearest(str(value), model.elements[named[key]].ids, what=named[key]), "expected")
