"""What makes things happen: drivers post actions onto the agenda and hear what models report."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np

from twin import units
from twin.errors import Problem, nearest
from twin.ports import Report

if TYPE_CHECKING:
    from twin.city import City
    from twin.layered import Place
    from twin.model import Model

SOURCES = ("live", "timeline", "hazard", "msel", "plan", "trigger", "model", "process")
"""Who may post an action; at one instant they are applied in this order."""


@dataclass(frozen=True, order=True)
class Post:
    """An action that waits for its second: plain data, ordered as it will be applied.

    `why` and `by` are for the journal: what brought it about (a condition and the values it saw), and who decided it.
    """

    t_s: int
    source: int
    line: int
    sequence: int
    name: str = field(compare=False)
    model: str = field(compare=False)
    action: str = field(compare=False)
    arguments: Mapping[str, Any] = field(compare=False)
    why: str = field(default="", compare=False)
    by: str = field(default="", compare=False)


@dataclass(frozen=True)
class Said:
    """What a driver has to say for the journal: a row of its own of this kind, `report.model` being the driver's section.

    A driver may name its rows in a class variable `rows`, so that key figures of them are checked.
    """

    kind: str
    report: Report


@dataclass(frozen=True)
class Heard:
    """Something for the journal: a report or an applied action, and when the orchestrator saw it."""

    seen_s: int
    kind: str
    report: Report
    source: str


@dataclass(frozen=True)
class Seen:
    """What a driver sees when an instant has settled: what was reported, which models moved, and `seen[model][port]` (to read only)."""

    now_s: int
    reports: Sequence[Report]
    moved: AbstractSet[str]
    arrays: Mapping[str, Mapping[str, np.ndarray]]

    def __getitem__(self, model: str) -> Mapping[str, np.ndarray]:
        return self.arrays[model]


class Tells(NamedTuple):
    """An entry that tells a driver something, `plans.approve`, with its place in the scenario."""

    section: str
    verb: str
    arguments: Mapping[str, str]
    place: Place
    path: tuple[Any, ...]


@dataclass
class Context:
    """What a driver may know when it reads its section: the city, the models' datasheets, the clock, the lines.

    `folder` is what paths in the scenario are relative to, `kpis` the names of its key figures, `types` the registered
    name of each model.
    """

    city: City
    models: Mapping[str, Model]
    start: datetime
    duration_s: int
    place: Place
    folder: Path = Path()
    kpis: Collection[str] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    verbs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By section, what its driver may be told."""
    told: list[Tells] = field(default_factory=list)
    """What entries will tell drivers, to be checked when all of these are made."""

    def of_type(self, type_name: str) -> list[str]:
        """Return the models of a registered type, by the names the scenario gives them."""
        return [name for name in self.models if self.types.get(name, name) == type_name]

    def say(self, what: str, path: Sequence[Any]) -> None:
        """Note a mistake at a key of the scenario."""
        self.problems.append(Problem(what, *self.place(path)))

    def moment_s(self, text: object, path: Sequence[Any]) -> int:
        """Read a moment of the run as seconds after its start; notes a moment outside the run."""
        try:
            t_s = units.clock_s(text, self.start)
        except ValueError as error:
            self.say(f"{'.'.join(map(str, path))}: {error}", path)
            return 0
        if not 0 <= t_s <= self.duration_s:
            first, last = self.start, self.start.fromtimestamp(self.start.timestamp() + self.duration_s, self.start.tzinfo)
            self.say(f"{'.'.join(map(str, path))}: '{text}' is outside the run ({first:%H:%M:%S} to {last:%H:%M:%S})", path)
        return t_s

    def action(self, do: object, arguments: Mapping[str, Any], path: Sequence[Any]) -> tuple[str, str, dict[str, Any]]:
        """Check `grid.open` and its arguments against the datasheets; notes everything wrong."""
        path = tuple(path)
        model_name, _, verb = str(do).partition(".")
        if model_name in self.verbs and model_name not in self.models:
            if verb not in self.verbs[model_name]:
                what = nearest(verb, self.verbs[model_name], what=f"verb of {model_name}")
                self.say(f"{'.'.join(map(str, path))}: {what}", (*path, "do"))
                return "", "", {}
            said = {key: str(value) for key, value in arguments.items()}
            self.told.append(Tells(model_name, verb, said, self.place, path))
            return model_name, verb, said
        if model_name not in self.models:
            self.say(f"{'.'.join(map(str, path))}: {nearest(model_name, self.models, what='model')} (write model.action)", (*path, "do"))
            return "", "", {}
        model = self.models[model_name]
        if verb not in model.actions:
            self.say(f"{'.'.join(map(str, path))}: {nearest(verb, model.actions, what=f'action of {model_name}')}", (*path, "do"))
            return "", "", {}
        taken, wrong = model.actions[verb].check(arguments, model.elements)
        for what in wrong:
            key = what.partition(":")[0]
            self.say(f"{'.'.join(map(str, path))}: {what}", (*path, key))
        return model_name, verb, taken


class Listener(Protocol):
    """What the orchestrator asks when an instant has settled."""

    source: ClassVar[str]

    def begin(self) -> list[Post]:
        """Return what is known to happen before the start."""

    def hear(self, seen: Seen) -> Sequence[Post | Said]:
        """React to what was reported and what moved; called whenever an instant settles."""

    def next_s(self) -> int | None:
        """Return the second at which it wants to be asked again though nothing may have moved, or None."""

    def save(self) -> dict[str, Any]:
        """Return its state as plain data."""

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take up a state that `save` returned."""


class Driver(Listener, Protocol):
    """A driver: made from its section of a scenario, plain data and a state machine ever after."""

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of its section."""

    @classmethod
    def read(cls, section: Any, context: Context) -> Driver:
        """Make it from its section; mistakes go to `context.problems`."""


class Commanded(Driver, Protocol):
    """A driver that people may tell something while a run goes on: `sim.do("msel.skip", row="M3", by="Li")`."""

    verbs: ClassVar[Mapping[str, str]]
    """What it may be told, and what that does."""

    def wrong(self, verb: str, arguments: Mapping[str, Any]) -> str:
        """Say what is wrong with one of `verbs` at any moment of a run: a name that is not there; '' where nothing is."""

    def told(self, verb: str, arguments: Mapping[str, Any], now_s: int) -> Sequence[Post | Said]:
        """Take in one of `verbs` and return what is to be done now; InputError says what is wrong with it, and nothing is changed."""
