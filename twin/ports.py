"""What a model shows the others: arrays over element sets, flows of records, notices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np

if TYPE_CHECKING:
    from twin.model import Model

FLOW = np.dtype([("id", "i8"), ("at", "i4"), ("destination", "i4"), ("size", "i4"), ("t_s", "i4")])
"""A record that changes hands: identity, element index at the port, destination code, people in it, when."""

TRACK = np.dtype([("id", "i8"), ("kind", "i2"), ("x_m", "f4"), ("y_m", "f4"), ("angle_deg", "f4"), ("speed_m_per_s", "f4")])
"""A moving thing at one instant: position in the pack's CRS, heading (0 = north, clockwise), speed."""


@dataclass(frozen=True)
class At:
    """Marks an action's argument as an element id: `Pipe = Annotated[str, At("pipe")]`."""

    elements: str


@dataclass(frozen=True)
class ElementSet:
    """The elements of one kind in a network: ids and geometry in the pack's CRS.

    `shapes[i]` is an (k, 2) array of metres: one row is a point, more a line, and with
    `closed` a ring. `label` names the set for people ("pumps").
    """

    ids: tuple[str, ...]
    shapes: Sequence[np.ndarray] = ()
    closed: bool = False
    label: str = ""

    def __post_init__(self) -> None:
        if len(set(self.ids)) != len(self.ids):
            twice = sorted({name for name in self.ids if self.ids.count(name) > 1})
            raise ValueError(f"ids that occur twice: {', '.join(twice[:5])}")
        if len(self.shapes) not in (0, len(self.ids)):
            raise ValueError(f"{len(self.ids)} ids but {len(self.shapes)} shapes")

    def __len__(self) -> int:
        return len(self.ids)


class Port:
    """One array per quantity over one element set; the descriptor gives and fills the bound array."""

    name: str = ""

    def __init__(
        self,
        *,
        at: str,
        unit: str = "1",
        dtype: type = float,
        fill: float | bool = 0,
        kind: str = "",
        label: str = "",
        cmap: str = "",
        range: tuple[float, float] | None = None,
    ) -> None:
        self.at, self.unit, self.dtype, self.fill = at, unit, np.dtype(dtype), fill
        self.kind, self.label, self.cmap, self.range = kind, label, cmap, range

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, model: None, owner: type) -> Port: ...
    @overload
    def __get__(self, model: Model, owner: type) -> np.ndarray: ...
    def __get__(self, model: Model | None, owner: type) -> Port | np.ndarray:
        return self if model is None else model.arrays[self.name]

    def __set__(self, model: Model, value: Any) -> None:
        array = model.arrays[self.name]
        if value is not array:
            array[...] = value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name} at {self.at}, {self.unit}, {self.dtype})"


class In(Port):
    """An input. `kind` is the coupling that feeds it; `reduce` says how several sources meet.

    `reduce`: "one" refuses two sources; "sum" adds them (bool: any); "all" (bool only) needs every one.
    `wake`: a delivered change beyond `tol` (absolute, in `unit`) wakes the model at once; otherwise
    the input is sampled whenever the model solves.
    """

    def __init__(self, *, reduce: str = "one", wake: bool = False, tol: float = 0.0, **port: Any) -> None:
        super().__init__(**port)
        if reduce not in ("one", "sum", "all"):
            raise ValueError(f"reduce={reduce!r}: one, sum or all")
        self.reduce, self.wake, self.tol = reduce, wake, tol


class Out(Port):
    """An output, written by `solve` only. `kind` is the coupling it gives."""


class State(Port):
    """An array that is part of every snapshot."""


class Notice:
    """A fact a model reports. Call it on the instance: `self.pump_stopped(index, head_m=12.0)`."""

    name: str = ""

    def __init__(self, *, at: str = "", severity: str = "info") -> None:
        self.at, self.severity = at, severity

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, model: None, owner: type) -> Notice: ...
    @overload
    def __get__(self, model: Model, owner: type) -> Callable[..., None]: ...
    def __get__(self, model: Model | None, owner: type) -> Notice | Callable[..., None]:
        if model is None:
            return self

        def emit(index: int | None = None, /, *, happened_s: int | None = None, **facts: float | str) -> None:
            element = model.elements[self.at].ids[index] if self.at and index is not None else ""
            model.notices.append(
                Report(model.name, self.name, element, model.now_s if happened_s is None else happened_s, self.severity, facts)
            )

        return emit


@dataclass(frozen=True)
class Report:
    """A notice that was given: who, what, which element, when it happened, details."""

    model: str
    notice: str
    element: str
    happened_s: int
    severity: str = "info"
    facts: dict[str, float | str] = field(default_factory=dict)


class Flow:
    """The end of a flow. A source calls `self.departures.emit(records)`, a target `self.arrivals.take()`.

    Records are `FLOW` arrays; `at` indexes this port's element set. Emitted only by `advance` or an
    action, delivered once, to one receiver.
    """

    name: str = ""

    def __init__(self, *, at: str, kind: str, gives: bool) -> None:
        self.at, self.kind, self.gives = at, kind, gives

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, model: None, owner: type) -> Flow: ...
    @overload
    def __get__(self, model: Model, owner: type) -> Box: ...
    def __get__(self, model: Model | None, owner: type) -> Flow | Box:
        return self if model is None else model.boxes[self.name]


def FlowOut(*, at: str, kind: str) -> Flow:  # noqa: N802 - reads as a declaration beside In and Out
    """Declare where records leave a model."""
    return Flow(at=at, kind=kind, gives=True)


def FlowIn(*, at: str, kind: str) -> Flow:  # noqa: N802
    """Declare where records enter a model."""
    return Flow(at=at, kind=kind, gives=False)


class Box:
    """The records waiting at one end of a flow, with the count of all that ever passed, and the sum of their sizes (at least 1 each)."""

    def __init__(self) -> None:
        self.waiting: list[np.ndarray] = []
        self.passed = self.sizes = 0

    def emit(self, records: np.ndarray | Iterable[tuple[int, int, int, int, int]]) -> None:
        """Put records in: (id, at, destination, size, t_s)."""
        array = np.asarray(records if isinstance(records, np.ndarray) else list(records), dtype=FLOW)
        if array.size:
            self.waiting.append(array)
            self.passed += array.size
            self.sizes += size_of(array)

    def take(self) -> np.ndarray:
        """Return everything that waits, in order of arrival, and empty the box."""
        if not self.waiting:
            return np.empty(0, FLOW)
        taken = self.waiting[0] if len(self.waiting) == 1 else np.concatenate(self.waiting)
        self.waiting = []
        return taken

    @property
    def taken(self) -> tuple[int, int]:
        """How many records were ever taken out, and the sum of their sizes."""
        left = np.concatenate([np.empty(0, FLOW), *self.waiting])
        return self.passed - left.size, self.sizes - size_of(left)


def size_of(records: np.ndarray) -> int:
    """Return the sum of the sizes of `FLOW` records; one that says none counts as one."""
    return int(np.maximum(records["size"], 1).sum())
