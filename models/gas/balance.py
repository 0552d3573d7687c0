"""Brings demands, holes and a network together: leaks by their pressure, and who is cut off when there is too little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from models.gas.engine import Engine, Flow, Switches

Law = Callable[[int, float], float]
"""(hole, gauge bar inside) -> kg/s that leave through it."""

_BAR, _LOOSE_BAR = 1e-7, 1e-2
_TRIES, _SWEEPS = 80, 40


@dataclass(frozen=True)
class Task:
    """What is asked of the network: (sink,) demands that are connected, holes (pipes, rising) and the law of each."""

    demand_kg_per_s: np.ndarray
    least_bar: np.ndarray
    """(sink,) pressure below which a sink cannot be served."""
    priority: np.ndarray
    sink_at: np.ndarray
    stretch: np.ndarray
    """(junction,) connected stretch; who is cut off is sought where pressure is short."""
    supplied: np.ndarray
    """(junction,) bool."""
    switches: Switches
    holes: tuple[int, ...] = ()
    live: tuple[bool, ...] = ()
    """(hole,) whether the network feeds it."""
    law: Law = lambda _hole, _bar: 0.0


@dataclass(frozen=True)
class Balance:
    """A state the network can carry: its flow, the leaks, and who was cut off for it."""

    flow: Flow
    leak_kg_per_s: np.ndarray
    shed: np.ndarray


def balance(engine: Engine, task: Task) -> Balance | None:
    """Return the state with the fewest sinks cut off, lowest priority and then largest first; None if even none served fails.

    The order is fixed and cutting more only raises pressures, so the number is found by halving.
    """
    everyone = np.zeros(len(task.demand_kg_per_s), bool)
    flow, leak = leaking(engine, task)
    if flow is not None and not short(task, flow).any():
        return Balance(flow, leak, everyone)
    order = _order(task, None if flow is None else short(task, flow))
    for queue in (order, _order(task, None)):
        found = _fewest(engine, task, queue)
        if found is not None:
            return found
    return None


def short(task: Task, flow: Flow) -> np.ndarray:
    """Return (junction,) bool: a supplied junction below the air's pressure, or below what a user there needs."""
    low = task.supplied & (flow.p_bar < -_BAR)
    drawing = (task.demand_kg_per_s > 0) & task.supplied[task.sink_at]
    drawing &= ~flow.dry[task.sink_at]
    low[task.sink_at[drawing & (flow.p_bar[task.sink_at] < task.least_bar - _BAR)]] = True
    return low


def _order(task: Task, low: np.ndarray | None) -> np.ndarray:
    """Return the sinks that may be cut off, first to go first; with `low`, only those of the stretches it lies in."""
    drawing = (task.demand_kg_per_s > 0) & task.supplied[task.sink_at]
    if low is not None:
        drawing &= np.isin(task.stretch[task.sink_at], np.unique(task.stretch[low]))
    chosen = np.flatnonzero(drawing)
    return chosen[np.lexsort((chosen, -task.demand_kg_per_s[chosen], task.priority[chosen]))]


def _fewest(engine: Engine, task: Task, order: np.ndarray) -> Balance | None:
    enough, best = len(order), _cut(engine, task, order)
    if best is None:
        return None
    too_few = 0
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        found = _cut(engine, task, order[:middle])
        if found is None:
            too_few = middle
        else:
            enough, best = middle, found
    return best


def _cut(engine: Engine, task: Task, off: np.ndarray) -> Balance | None:
    shed = np.zeros(len(task.demand_kg_per_s), bool)
    shed[off] = True
    less = replace(task, demand_kg_per_s=np.where(shed, 0.0, task.demand_kg_per_s))
    flow, leak = leaking(engine, less)
    return None if flow is None or short(less, flow).any() else Balance(flow, leak, shed)


def leaking(engine: Engine, task: Task) -> tuple[Flow | None, np.ndarray]:
    """Return the state in which every leak is what its hole lets out at the pressure it leaves, or None where there is no such state."""
    leak = np.zeros(len(task.holes))
    live = [k for k in range(len(task.holes)) if task.live[k]]
    if not live:
        return engine.flow(task.demand_kg_per_s, task.switches, task.holes, leak), leak
    return _Leaks(engine, task, live).solve()


class _Leaks:
    """Finds the pressures at holes where what the network has there is what the outflow assumed.

    Hole by hole the root is enclosed: the network's pressure falls with a leak, the leak rises with pressure, so there
    is one. Several holes are then moved together by Newton's method, its derivative kept up by Broyden's rule
    (Math. Comp. 19, 1965, 577), and a step that the network cannot carry is shortened.
    """

    def __init__(self, engine: Engine, task: Task, live: list[int]) -> None:
        self.engine, self.task, self.live = engine, task, live
        self.bar = np.zeros(len(live))
        self.leak = np.zeros(len(task.holes))

    def solve(self) -> tuple[Flow | None, np.ndarray]:
        """Return (state or None, (hole,) leaks)."""
        if len(self.live) == 1:
            return self._enclose(0, _BAR), self.leak
        for _ in range(_SWEEPS):
            for k in range(len(self.live)):
                if self._enclose(k, _LOOSE_BAR) is None:
                    return None, self.leak
            flow = self._together()
            if flow is not None:
                return flow, self.leak
        return None, self.leak

    def _state(self, bar: np.ndarray) -> tuple[Flow | None, np.ndarray]:
        """Return the state with leaks at these pressures, and (hole,) how much higher the network's pressures are."""
        for k, hole in enumerate(self.live):
            self.leak[hole] = self.task.law(hole, float(bar[k]))
        flow = self.engine.flow(self.task.demand_kg_per_s, self.task.switches, self.task.holes, self.leak)
        return flow, -bar if flow is None else flow.leak_bar[self.live] - bar

    def _together(self) -> Flow | None:
        bar = self.bar.copy()
        flow, gap = self._state(bar)
        if flow is None:
            return None
        slope = np.empty((len(bar), len(bar)))
        for k in range(len(bar)):
            moved = bar.copy()
            moved[k] *= 1.0 - 1e-4
            less, there = self._state(moved)
            if less is None or moved[k] == bar[k]:
                return None
            slope[:, k] = (there - gap) / (moved[k] - bar[k])
        for _ in range(_SWEEPS):
            if np.abs(gap).max() <= _BAR:
                return flow
            step = -np.linalg.lstsq(slope, gap, rcond=None)[0]
            for part in (1.0, 0.5, 0.25, 0.1):
                moved = np.maximum(bar + part * step, 0.0)
                flow, there = self._state(moved)
                if flow is not None and np.abs(there).max() < np.abs(gap).max():
                    break
            else:
                return None
            took = moved - bar
            slope += np.outer(there - gap - slope @ took, took) / max(took @ took, 1e-300)
            bar, gap = moved, there
            self.bar = bar
        return None

    def _enclose(self, k: int, enough_bar: float) -> Flow | None:
        """Bring hole `k` to its root with the others held (false position, Illinois variant); None where there is no state."""

        def at(value: float) -> tuple[Flow | None, float]:
            self.bar[k] = value
            flow, gap = self._state(self.bar)
            return flow, float(gap[k])

        flow, gap_low = at(0.0)
        if flow is None or gap_low <= enough_bar:
            return flow
        low, high = 0.0, gap_low
        flow, gap_high = at(high)
        carried, kept = flow is not None, 0
        if carried and abs(gap_high) <= enough_bar:
            return flow
        for _ in range(_TRIES):
            flow, gap = at(_between(low, high, gap_low, gap_high) if carried else 0.5 * (low + high))
            if flow is not None and (abs(gap) <= enough_bar or (high - low <= _BAR and abs(gap) <= 1e2 * _BAR)):
                return flow
            if gap > 0:
                low, gap_low, gap_high = float(self.bar[k]), gap, 0.5 * gap_high if kept > 0 else gap_high
                kept = 1
            else:
                high, gap_high, gap_low = float(self.bar[k]), gap, 0.5 * gap_low if kept < 0 else gap_low
                carried, kept = flow is not None, -1
            if high - low <= 1e-3 * _BAR:
                break
        return None


def _between(low: float, high: float, gap_low: float, gap_high: float) -> float:
    """Return where the straight line between two gaps is zero, kept off the ends of the bracket."""
    bar = (low * gap_high - high * gap_low) / (gap_high - gap_low)
    return min(max(bar, low + 1e-4 * (high - low)), high - 1e-4 * (high - low))
