"""Who feeds whom: traces supply paths over closed switches, and finds the breaker that protects a line."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from models.grid.network import GridNetwork


@dataclass(frozen=True)
class Positions:
    """The position of everything that switches, by row: the model's own arrays, seen, not copied."""

    line: np.ndarray
    trafo: np.ndarray
    switch: np.ndarray
    source: np.ndarray


@dataclass(frozen=True)
class Step:
    """One branch of a supply path, from the bus it feeds towards the source: `kind` is line, trafo, bus or other."""

    kind: str
    row: int
    near: int
    far: int


class Topology:
    """The graph of a network; rows of buses are nodes."""

    def __init__(self, network: GridNetwork) -> None:
        self.network = network
        self.at_line: dict[int, list[int]] = {}
        self.at_trafo: dict[int, list[int]] = {}
        ties = []
        switches = network.switches
        for i, (et, element) in enumerate(zip(switches.et, switches.element.tolist(), strict=True)):
            if et == "l":
                self.at_line.setdefault(element, []).append(i)
            elif et == "t":
                self.at_trafo.setdefault(element, []).append(i)
            elif et == "b":
                ties.append((i, int(switches.bus[i]), element))
        self.next: list[list[tuple[str, int, int]]] = [[] for _ in network.bus_on]
        branches = [("line", i, *pair) for i, pair in enumerate(network.lines.tolist())]
        branches += [("trafo", i, *pair) for i, pair in enumerate(network.trafos.tolist())]
        branches += [("bus", i, a, b) for i, a, b in ties]
        branches += [("other", i, *pair) for i, pair in enumerate(network.others.tolist())]
        for kind, row, a, b in branches:
            self.next[a].append((kind, row, b))
            self.next[b].append((kind, row, a))

    def switches(self, kind: str, row: int) -> list[int]:
        """Return the switches of a line, a transformer, or the bus coupler itself."""
        return {"line": self.at_line, "trafo": self.at_trafo}.get(kind, {}).get(row, [row] if kind == "bus" else [])

    def conducts(self, kind: str, row: int, at: Positions) -> bool:
        """Say whether a branch joins its two ends."""
        if (kind == "line" and not at.line[row]) or (kind == "trafo" and not at.trafo[row]):
            return False
        return all(at.switch[i] for i in self.switches(kind, row))

    def feed(self, at: Positions) -> dict[int, Step | None]:
        """Return each live bus with the step it is fed by (None at a source), nearest source first."""
        network = self.network
        start = sorted({int(bus) for bus, on in zip(network.sources, at.source, strict=True) if on and network.bus_on[bus]})
        fed: dict[int, Step | None] = dict.fromkeys(start)
        waiting = deque(start)
        while waiting:
            bus = waiting.popleft()
            for kind, row, other in self.next[bus]:
                if other not in fed and network.bus_on[other] and self.conducts(kind, row, at):
                    fed[other] = Step(kind, row, other, bus)
                    waiting.append(other)
        return fed

    def live_ends(self, line: int, fed: dict[int, Step | None], at: Positions) -> list[int]:
        """Return the live buses to which an end of `line` is connected: where a fault on it draws its current from."""
        if not at.line[line]:
            return []
        is_open = {int(self.network.switches.bus[i]) for i in self.at_line.get(line, []) if not at.switch[i]}
        return [bus for bus in self.network.lines[line].tolist() if bus in fed and bus not in is_open]

    def path(self, bus: int, fed: dict[int, Step | None]) -> list[Step]:
        """Return the steps from a live bus to its source."""
        steps = []
        step = fed[bus]
        while step is not None:
            steps.append(step)
            step = fed[step.far]
        return steps

    def protecting(self, line: int, bus: int, fed: dict[int, Step | None], at: Positions, *, fault: bool = True) -> tuple[str, int]:
        """Return what trips for `line` fed through `bus`: ("switch", row) or ("line", row).

        The nearest closed circuit breaker (a switch of type CB) towards the source. Where the file has
        none on the way: for a fault the first line after the last transformer, the feeder's head; for an
        overload the line itself.
        """
        end = self.network.lines[line].tolist()
        other = end[0] if end[1] == bus else end[1]
        steps = [Step("line", line, other, bus), *self.path(bus, fed)]
        breaker = self.network.switches.breaker
        for step in steps:
            on_step = [i for i in self.switches(step.kind, step.row) if breaker[i] and at.switch[i]]
            if step.row == line and step.kind == "line":
                on_step = [i for i in on_step if int(self.network.switches.bus[i]) == bus]
            if on_step:
                return "switch", on_step[0]
        if not fault:
            return "line", line
        head = line
        for step in steps:
            if step.kind == "trafo":
                break
            if step.kind == "line":
                head = step.row
        return "line", head

    def breakers(self) -> bool:
        """Say whether the file has any circuit breaker."""
        return bool(self.network.switches.breaker.any())
