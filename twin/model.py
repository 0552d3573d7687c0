"""A domain adapted to the kernel: declared ports, declared verbs, and five methods."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol, get_args, get_origin, get_type_hints

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from twin import units
from twin.errors import EngineFailure, InputError, Problem, nearest
from twin.ports import FLOW, TRACK, At, Box, ElementSet, Flow, In, Notice, Out, Port, Report, State

Snapshot = dict[str, Any]
"""Plain data: numbers, strings, bytes, arrays, and lists and dicts of them."""


class Options(BaseModel):
    """The keys a model takes in a scenario's stanza; subclass it as `Model.Options`."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=False, use_attribute_docstrings=True)


class Network(Protocol):
    """What a model's `network.py` returns: read without the engine, checked, indexed."""

    def elements(self) -> Mapping[str, ElementSet]:
        """Return the element sets by name."""


@dataclass(frozen=True)
class Setup:
    """Everything a model is made from; plain data, so that it can be made in another process.

    `files`: the pack's files for this model by role. `offset_m`: added to the files' coordinates.
    `scratch`: a folder of the model's own, the only place it may write to.
    """

    name: str
    files: Mapping[str, Path]
    scratch: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    start: datetime = datetime(2014, 8, 16, 20, 0)
    duration_s: int = 3600
    seed: int = 1
    offset_m: tuple[float, float] = (0.0, 0.0)
    period_s: int | None = None

    def file(self, role: str) -> Path:
        """Return the pack's file for `role`; InputError says what to add when it is absent."""
        if role not in self.files:
            raise InputError(f"model '{self.name}' needs a file '{role}': add `{role}:` under `models.{self.name}.files` in city.yaml")
        return self.files[role]


@dataclass(frozen=True)
class Account:
    """One conserved quantity of a model since the start: what came in, went out, and is held now."""

    what: str
    unit: str
    gained: float
    lost: float
    held: float
    tolerance: float = 0.0

    @property
    def residual(self) -> float:
        """What is missing: gained - lost - held."""
        return self.gained - self.lost - self.held


class Action:
    """A verb on a model; its signature is its schema.

    A verb that is also a method of the kernel's (`open`, `close`) is written with a trailing underscore, which its name drops.
    """

    def __init__(self, method: Callable[..., None]) -> None:
        self.method, self.name = method, method.__name__.rstrip("_")
        self.doc = inspect.getdoc(method) or ""

    @cached_property
    def parameters(self) -> dict[str, tuple[Any, str, Any]]:
        """Return name -> (type, element set or "", default or `inspect.Parameter.empty`)."""
        hints = get_type_hints(self.method, include_extras=True)
        found = {}
        for name, parameter in list(inspect.signature(self.method).parameters.items())[1:]:
            at = next((mark.elements for mark in _marks(hints[name]) if isinstance(mark, At)), "")
            found[name] = (hints[name], at, parameter.default)
        return found

    def spelled(self, name: str) -> tuple[str, str]:
        """Return how a file names an argument, and the unit of its quantity: `area_m2` -> ("area", "m2")."""
        return _stem(name)

    def check(self, arguments: Mapping[str, Any], elements: Mapping[str, ElementSet]) -> tuple[dict[str, Any], list[str]]:
        """Return the arguments as the method takes them, and everything wrong with them.

        `area_m2` may be given as `area_m2: 0.01`, or as `area: 100 cm2` with a unit.
        """
        taken, wrong = {}, []
        by_stem = {_stem(name)[0]: name for name in self.parameters}
        for key, value in arguments.items():
            name = by_stem.get(key, key)
            if name not in self.parameters:
                wrong.append(f"{nearest(key, self.parameters, what=f'argument of {self.name}')}")
                continue
            try:
                unit = _stem(name)[1]
                if unit and (key != name or isinstance(value, str)):
                    value = units.quantity(value, unit)
                taken[name] = self._typed(name, value, elements)
            except ValidationError as error:
                wrong += [f"{key}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors()]
            except ValueError as error:
                wrong.append(f"{key}: {error}")
        missing = [n for n, (_, _, default) in self.parameters.items() if default is inspect.Parameter.empty and n not in taken]
        named = {by_stem.get(key, key) for key in arguments}
        wrong += [
            f"{self.name} needs '{_stem(name)[0]}'" + (f" (a quantity in {_stem(name)[1]})" if _stem(name)[1] else "")
            for name in missing
            if name not in named
        ]
        return taken, wrong

    def _typed(self, name: str, value: Any, elements: Mapping[str, ElementSet]) -> Any:
        kind, at, _ = self.parameters[name]
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{value} is no number that fits")
        value = TypeAdapter(kind).validate_python(value)
        if at and value is not None and value not in elements[at].ids:
            raise ValueError(nearest(value, elements[at].ids, what=at))
        return value


_UNITS = {
    **{"m": "m", "m2": "m2", "mm": "mm", "s": "s", "m_per_s": "m/s", "m3_per_s": "m3/s", "mm_per_h": "mm/h", "l": "l"},
    **{"mw": "MW", "kw": "kW", "bar": "bar", "kg": "kg", "kg_per_s": "kg/s", "deg": "deg"},
}


def _stem(name: str) -> tuple[str, str]:
    """Split `area_m2` into ("area", "m2"); a name without a unit keeps an empty one."""
    for ending in sorted(_UNITS, key=len, reverse=True):
        if name.endswith("_" + ending):
            return name[: -len(ending) - 1], _UNITS[ending]
    return name, ""


def _marks(kind: Any) -> list[Any]:
    """Return what annotates a type and the types inside it: of `Annotated[str, At("pipe")] | None`, the mark."""
    own = list(kind.__metadata__) if get_origin(kind) is Annotated else []
    return own + [mark for part in get_args(kind) for mark in _marks(part)]


def action(method: Callable[..., None]) -> Callable[..., None]:
    """Declare a method as a verb that scenarios, plans and people can call by name."""
    method.__twin_action__ = Action(method)  # type: ignore[attr-defined]
    return method


class Model:
    """The base of every domain. Declare ports and actions on the class; write the methods below.

    The kernel calls, in this order: `open` once; then, per settled instant, `advance` (time moves),
    actions, `solve` (outputs are written); `next_s` after each; `close` at the end.
    """

    period_s: int = 60
    host: ClassVar[str] = "inline"
    """Where it lives unless a scenario says otherwise: `inline` or `process`."""
    Options: ClassVar[type[Options]] = Options
    files: ClassVar[Mapping[str, str]] = {}
    """Roles of the pack's files and what each is; a role ending in `?` may be absent."""
    engines: ClassVar[tuple[str, ...]] = ()
    """Distributions whose versions belong in a run's manifest."""
    moving: ClassVar[Mapping[int, str]] = {}
    """Kinds of moving things that `positions` returns: code -> label; empty when there are none."""

    absent: frozenset[str] = frozenset()
    """Outs the engine cannot give in this configuration: not recorded, never zero."""

    ports: ClassVar[dict[str, Port]] = {}
    flows: ClassVar[dict[str, Flow]] = {}
    declared_notices: ClassVar[dict[str, Notice]] = {}
    actions: ClassVar[dict[str, Action]] = {}

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        named = {name: value for base in reversed(cls.__mro__) for name, value in vars(base).items()}
        cls.ports = {n: v for n, v in named.items() if isinstance(v, Port)}
        cls.flows = {n: v for n, v in named.items() if isinstance(v, Flow)}
        cls.declared_notices = {n: v for n, v in named.items() if isinstance(v, Notice)}
        cls.actions = {v.__twin_action__.name: v.__twin_action__ for v in named.values() if hasattr(v, "__twin_action__")}
        for port in cls.ports.values():
            if port.dtype != bool and not port.name.endswith(units.suffix(port.unit)):
                raise TypeError(f"{cls.__name__}.{port.name} is in {port.unit}: its name must end in '{units.suffix(port.unit)}'")

    def __init__(self, setup: Setup) -> None:
        """Read the network and the options; starts no engine. InputError for the user's mistakes."""
        self.setup, self.name, self.now_s = setup, setup.name, 0
        try:
            self.options: Any = self.Options.model_validate(dict(setup.options))
        except ValidationError as error:
            raise InputError([Problem(f"models.{setup.name}.{'.'.join(map(str, e['loc']))}: {e['msg']}") for e in error.errors()]) from None
        self.period_s = setup.period_s or type(self).period_s
        self.network: Any = self.read(setup)
        self.elements: dict[str, ElementSet] = dict(self.network.elements())
        self.rng = np.random.default_rng([setup.seed, *setup.name.encode()])
        self.notices: list[Report] = []
        self.degraded: list[Report] = []
        self.boxes = {name: Box() for name in self.flows}
        self._index: dict[str, dict[str, int]] = {}
        self.arrays: dict[str, np.ndarray] = {
            port.name: np.full(len(self.elements[port.at]), port.fill, port.dtype) for port in self.ports.values()
        }

    @classmethod
    def read(cls, setup: Setup) -> Network:
        """Read and check the model's own files without starting (or importing) its engine."""
        raise TypeError(f"{cls.__name__} must say how to read its network")

    @classmethod
    def demo(cls, folder: Path) -> Setup:
        """Write a tiny network into `folder` and return a setup of it: what the contract suite runs."""
        raise TypeError(f"{cls.__name__} must offer a tiny demo()")

    def index(self, elements: str, id: str) -> int:
        """Return the position of element `id` in the set `elements`."""
        if elements not in self._index:
            self._index[elements] = {name: i for i, name in enumerate(self.elements[elements].ids)}
        return self._index[elements][id]

    def degrade(self, element: str, what: str) -> None:
        """Say that from now on the result is less than asked for; the run ends as `degraded`."""
        self.degraded.append(Report(self.name, "degraded", element, self.now_s, "warning", {"what": what}))

    def fail(self, what: str, element: str = "", *, kind: type[EngineFailure] = EngineFailure) -> EngineFailure:
        """Make the error that names this model's engine, the time and the element."""
        return kind(f"{self.name} ({', '.join(self.engines) or type(self).__name__})", what, now_s=self.now_s, element=element)

    def open(self) -> None:
        """Start the engine at second 0."""

    def advance(self, until_s: int) -> bool | None:
        """Integrate [now_s, until_s) with inputs held. Return False when no output can have moved."""
        return False

    def solve(self) -> None:
        """Write every Out from state and inputs; idempotent; moves no time and draws no random number."""

    def next_s(self) -> int | None:
        """Return the second at which it wants to be woken besides its period, or None."""
        return None

    def save(self) -> Snapshot:
        """Return what `load` needs besides ports, time and random stream: the engine's state."""
        return {}

    def load(self, saved: Snapshot) -> None:
        """Bring a freshly opened engine to a saved state; arrays and `now_s` are already restored."""

    def positions(self) -> np.ndarray:
        """Return the moving things as a `TRACK` array, sorted by id."""
        return np.empty(0, TRACK)

    def ledger(self) -> list[Account]:
        """Return the conserved quantities since the start."""
        return []

    def looks(self) -> dict[str, Any]:
        """Return what a view should know that never changes: `Looks(...).plain()`, and what else is said of elements."""
        return {}

    def close(self) -> None:
        """End the engine."""

    def snapshot(self) -> Snapshot:
        """Return the whole state of the model as plain data."""
        return {
            "now_s": self.now_s,
            "rng": self.rng.bit_generator.state,
            "arrays": {name: array.copy() for name, array in self.arrays.items()},
            "boxes": {
                name: {"waiting": np.concatenate([np.empty(0, FLOW), *box.waiting]), "passed": box.passed, "sizes": box.sizes}
                for name, box in self.boxes.items()
            },
            "engine": self.save(),
        }

    def restore(self, snapshot: Snapshot) -> None:
        """Bring a freshly opened model to a snapshot."""
        self.now_s = snapshot["now_s"]
        self.rng.bit_generator.state = snapshot["rng"]
        for name, array in snapshot["arrays"].items():
            self.arrays[name][...] = array
        for name, box in snapshot["boxes"].items():
            self.boxes[name].waiting = [box["waiting"].copy()] if len(box["waiting"]) else []
            self.boxes[name].passed, self.boxes[name].sizes = box["passed"], box["sizes"]
        self.load(snapshot["engine"])


__all__ = ["Account", "Action", "In", "Model", "Network", "Options", "Out", "Setup", "Snapshot", "State", "action"]
