"""Small models for tests of the kernel: a chain, a leaky bucket, a chattering relay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from twin.flows import FlowLink
from twin.host import Inline
from twin.model import Account, Model, Setup, action
from twin.orchestrator import Node, Orchestrator
from twin.ports import At, ElementSet, FlowIn, FlowOut, In, Notice, Out, State
from twin.wiring import Link, wire

Cell = Annotated[str, At("cell")]


class Cells:
    """A network of `n` cells."""

    def __init__(self, n: int) -> None:
        self.n = n

    def elements(self) -> dict[str, ElementSet]:
        return {"cell": ElementSet(tuple(f"C{i}" for i in range(self.n)))}


class Tiny(Model):
    """A model over a few cells."""

    cells = 3
    period_s = 10

    @classmethod
    def read(cls, setup: Setup) -> Cells:
        return Cells(cls.cells)


class Follower(Tiny):
    """Says its input plus one; counts how often it was asked."""

    x = In(at="cell", kind="value", wake=True)
    y = Out(at="cell", kind="value")

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.solved = 0

    def solve(self) -> None:
        self.solved += 1
        np.add(self.x, 1, out=self.y)


class Clock(Tiny):
    """Says the second it has reached."""

    y = Out(at="cell", kind="value")

    def advance(self, until_s: int) -> None:
        self.now_s = until_s

    def solve(self) -> None:
        self.y = float(self.now_s)


class Bucket(Tiny):
    """Fills at the rate of its input; reports when it is full; can be emptied."""

    period_s = 60
    inflow_m3_per_s = In(at="cell", unit="m3/s", kind="water", reduce="sum")
    volume_m3 = State(at="cell", unit="m3")
    level_m3 = Out(at="cell", unit="m3", kind="level")
    full = Notice(at="cell")
    drops = FlowOut(at="cell", kind="drop")

    def advance(self, until_s: int) -> None:
        before = self.volume_m3 >= 100
        self.volume_m3 += self.inflow_m3_per_s * (until_s - self.now_s)
        for i in np.flatnonzero((self.volume_m3 >= 100) & ~before):
            self.full(int(i), volume_m3=float(self.volume_m3[i]))
        self.drops.emit([(until_s * 10 + i, i, -1, 1, until_s) for i in range(len(self.volume_m3))])
        self.now_s = until_s

    def solve(self) -> None:
        self.level_m3 = self.volume_m3

    @action
    def empty(self, cell: Cell, share: Annotated[float, Field(gt=0, le=1)] = 1.0) -> None:
        """Take a share out of a cell."""
        self.volume_m3[self.index("cell", cell)] *= 1 - share

    @action
    def add(self, cell: Cell, volume_m3: Annotated[float, Field(gt=0)]) -> None:
        """Pour some in."""
        self.volume_m3[self.index("cell", cell)] += volume_m3

    def ledger(self) -> list[Account]:
        return []


class Drain(Tiny):
    """Takes the drops."""

    drops = FlowIn(at="cell", kind="drop")
    got = State(at="cell", dtype=int)
    total = Out(at="cell", dtype=int)

    def advance(self, until_s: int) -> None:
        np.add.at(self.got, self.drops.take()["at"], 1)
        self.now_s = until_s

    def solve(self) -> None:
        self.total = self.got


class Relay(Tiny):
    """A switch that turns its input round: two in a ring chatter."""

    on = In(at="cell", dtype=bool, fill=True, wake=True, kind="switch")
    out = Out(at="cell", dtype=bool, kind="switch")

    def solve(self) -> None:
        np.logical_not(self.on, out=self.out)


class Keeper(Relay):
    """A switch that repeats its input."""

    def solve(self) -> None:
        self.out = self.on


class Gain(Tiny):
    """y = gain x + 1: a loop of two converges while the product of gains is below one."""

    gain = 0.5
    x = In(at="cell", wake=True, tol=1e-9, kind="value", reduce="sum")
    y = Out(at="cell", kind="value")

    def solve(self) -> None:
        self.y = self.gain * self.x + 1


class Steep(Gain):
    """A gain that no relaxation tames."""

    gain = 4.0


class Turned(Gain):
    """A gain of -1.2: plain sweeps oscillate apart, relaxed ones converge."""

    gain = -1.2


def made(cls: type[Model], name: str) -> Node:
    return Node(Inline(cls(Setup(name, {}, Path("scratch")))))


def linked(source: Node, out: str, target: Node, into: str, pairs: list[tuple[int, int]] | None = None, weight: float = 1.0) -> Link:
    pairs = pairs or [(i, i) for i in range(len(target.arrays[into]))]
    return Link(source, source.model.ports[out], target, target.model.ports[into], np.array(pairs), kind="test", weight=weight)


def flowing(source: Node, out: str, target: Node, into: str, route: dict[int, int]) -> FlowLink:
    return FlowLink(source, source.model.flows[out], target, target.model.flows[into], route, "test")


def orchestrated(nodes: list[Node], links: list[Link], flows: list[FlowLink] = (), *, duration_s: int = 600, **rest) -> Orchestrator:
    return Orchestrator(wire({node.name: node for node in nodes}, links, list(flows)), duration_s=duration_s, **rest)
