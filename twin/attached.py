"""Python processes beside a run: a generator that waits, reads, and acts through the agenda, on the SimPy clock of the kernel."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

import simpy

from twin import units
from twin.driver import SOURCES, Commanded, Context, Post, Seen
from twin.errors import InputError, TwinError, nearest
from twin.registry import registered

if TYPE_CHECKING:
    from twin.results import Run
    from twin.simulation import Simulation
    from twin.view import ModelView

Process = Callable[["LiveCity"], Generator[simpy.Event, Any, Any]]
"""A generator function: `def marshal(city): yield city.wait("5 min"); city.do("water.isolate", pipe="P100")`."""


class Condition(Protocol):
    """What a reader of conditions returns (entry points of group `twin.conditions`)."""

    @property
    def models(self) -> frozenset[str]:
        """The models that it asks."""

    def fresh(self) -> Any:
        """Return the state in which nothing has held yet."""

    def holds(self, seen: Seen, state: Any) -> bool:
        """Tell whether it holds, and remember in `state` what it must."""

    def next_s(self, state: Any, now_s: int) -> int | None:
        """Return the second after `now_s` at which it may change by time alone."""


@dataclass
class Asked:
    """A condition that a process waits for, what it remembers, and when time alone may make it hold."""

    condition: Condition
    state: Any
    event: simpy.Event
    next_s: int | None = None

    def ask(self, seen: Seen) -> bool:
        """Ask it; wake who waits for it if it holds."""
        holds = self.condition.holds(seen, self.state)
        self.next_s = self.condition.next_s(self.state, seen.now_s)
        if holds:
            self.event.succeed()
        return holds


class Waits:
    """The driver that wakes processes when a second has settled; what they wait for is no plain data, so no state of it is kept."""

    source: ClassVar[str] = "process"

    def __init__(self) -> None:
        self.moments: list[tuple[int, simpy.Event]] = []
        self.notices: list[tuple[str, str, str, simpy.Event]] = []
        self.conditions: list[Asked] = []

    def begin(self) -> list[Post]:
        """Return nothing: processes act by themselves."""
        return []

    def hear(self, seen: Seen) -> list[Post]:
        """Wake those who waited for what has come; they go on at this second, after all that was settled."""
        due = [event for t_s, event in self.moments if t_s <= seen.now_s]
        self.moments = [one for one in self.moments if one[0] > seen.now_s]
        for event in due:
            event.succeed()
        for report in seen.reports:
            for one in [one for one in self.notices if one[:2] == (report.model, report.notice) and one[2] in ("", report.element)]:
                self.notices.remove(one)
                one[3].succeed(report)
        spoke = seen.moved | {report.model for report in seen.reports}
        for asked in list(self.conditions):
            timely = asked.next_s is not None and asked.next_s <= seen.now_s
            if (timely or not spoke.isdisjoint(asked.condition.models)) and asked.ask(seen):
                self.conditions.remove(asked)
        return []

    def next_s(self) -> int | None:
        """Return the next second at which somebody may have to be woken though nothing moved."""
        timely = [asked.next_s for asked in self.conditions if asked.next_s is not None]
        return min([t_s for t_s, _ in self.moments] + timely, default=None)

    def save(self) -> dict[str, Any]:
        """Refuse: a generator cannot be written down."""
        raise TwinError("processes are attached: their state cannot be kept")

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take up nothing: what is attached begins anew."""


class LiveCity:
    """A run as an attached process sees it: `city["water"].pressure_m`, `city.do`, and what it may wait for.

    Every wait is a SimPy event on the kernel's own environment, `city.env`; `a | b` waits for the first of two.
    """

    def __init__(self, simulation: Simulation, waits: Waits, name: str) -> None:
        self._simulation, self._waits, self._name = simulation, waits, name

    @property
    def env(self) -> simpy.Environment:
        """The kernel's SimPy environment: its time is whole seconds after the start."""
        return self._simulation.orchestrator.env

    @property
    def now_s(self) -> int:
        """Simulated seconds since the start."""
        return self._simulation.now_s

    @property
    def clock(self) -> str:
        """The simulated local time."""
        return self._simulation.clock

    def __getitem__(self, model: str) -> ModelView:
        """Return a model's arrays, labelled: copies of what they are now."""
        return self._simulation[model]

    def do(self, action: str, /, **arguments: Any) -> None:
        """Apply an action now: `city.do("water.isolate", pipe="P100")`; the journal names this process as who did it."""
        simulation, ran = self._simulation, self._simulation.orchestrator
        name, verb, taken = simulation.plan.asked(action, arguments)
        if (driver := simulation.plan.drivers.get(name)) is not None:
            simulation.guarded(ran.post, cast(Commanded, driver).told(verb, taken, ran.now_s))
            return
        ran.sequence += 1
        order = (ran.now_s, SOURCES.index("process"), 0, ran.sequence)
        said = {key: value for key, value in taken.items() if key != "by"}
        simulation.guarded(ran.post, [Post(*order, self._name, name, verb, said, by=str(taken.get("by", self._name)))])

    def wait(self, time: int | str) -> simpy.Event:
        """Wait so long: whole seconds, or `'5 min'`."""
        try:
            seconds = time if isinstance(time, int) else units.quantity(time, "s")
        except ValueError as error:
            raise InputError(f"wait: {error}") from None
        if seconds < 0 or seconds != int(seconds):
            raise InputError(f"wait: {time}: whole seconds, 0 or more")
        event = self.env.event()
        if seconds == 0:
            return event.succeed()
        self._waits.moments.append((self.now_s + int(seconds), event))
        self._simulation.orchestrator.arm()
        return event

    def until(self, condition: str) -> simpy.Event:
        """Wait until a condition holds, in the words of triggers: `"water.pressure_m['J17'] < 14 m for 5 min"`."""
        read = _reader()
        try:
            made = read(condition, self._simulation.plan.context)
        except ValueError as error:
            raise InputError(f"until: {error}") from None
        ran = self._simulation.orchestrator
        asked = Asked(made, made.fresh(), self.env.event())
        if not asked.ask(Seen(ran.now_s, (), frozenset(), ran.arrays)):
            self._waits.conditions.append(asked)
            ran.arm()
        return asked.event

    def notice(self, notice: str, element: str = "") -> simpy.Event:
        """Wait for the next notice of a kind (`"grid.line_tripped"`), of one element where it is named; gives its `Report`."""
        model, _, name = notice.partition(".")
        models = self._simulation.plan.models
        if model not in models:
            raise InputError(f"notice: {nearest(model, models, what='model')}")
        known = models[model].declared_notices
        if name not in known:
            raise InputError(f"notice: {nearest(name, known, what=f'notice of {model}')}")
        if element and (at := known[name].at) and element not in models[model].elements[at].ids:
            raise InputError(f"notice: {nearest(element, models[model].elements[at].ids, what=at)}")
        event = self.env.event()
        self._waits.notices.append((model, name, element, event))
        return event


def attach(simulation: Simulation, process: Process, waits: Waits | None) -> Waits:
    """Start a process at the present second; returns the driver that wakes it, which is made for the first one."""
    name = _name(process)
    if simulation.checkpoint_every_s:
        raise InputError(f"{name}: a run with attached processes keeps no checkpoints, since no state of Python code can be written down")
    ran = simulation.orchestrator
    if waits is None:
        waits = Waits()
        ran.drivers.append(waits)
    made = process(LiveCity(simulation, waits, name))
    if not isinstance(made, Generator):
        raise InputError(f"{name}: a process is a generator function: it waits by `yield city.wait(60)`")
    ran.env.process(made)
    if simulation.recorder is not None:
        simulation.recorder.attached(name, ran.now_s)
    return waits


def _reader() -> Callable[[str, Context], Condition]:
    found = registered("twin.conditions")
    if not found:
        raise InputError("until: no package that reads conditions is installed")
    read: Callable[[str, Context], Condition] = found[0].load()
    return read


def refuse_others(run: Run, processes: Sequence[Process]) -> None:
    """Raise InputError when a run that is to go on had processes that are not attached again: it would be another run."""
    had = [(one["name"], one["at_s"]) for one in run.manifest.get("processes") or ()]
    given = [(_name(process), 0) for process in processes]
    if had != given:
        named = ", ".join(f"{name} at {run.clock(at_s)}" for name, at_s in had) or "none"
        how = (
            "attach them from the start again: twin.resume(folder, processes=[...])"
            if all(at_s == 0 for _, at_s in had)
            else "run it again"
        )
        raise InputError(f"{run.path}: had Python processes attached ({named}), of which no state is kept; {how}")


def _name(process: Process) -> str:
    return getattr(process, "__name__", type(process).__name__)
