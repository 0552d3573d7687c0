"""Which parts of a gas network hang together, which still have a source, and which valves cut a pipe off."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from models.gas.network import Network


@dataclass(frozen=True)
class Supply:
    """Connected stretches under given switch positions; a pipe counts by its middle."""

    junction_stretch: np.ndarray
    """(junction,) number of the connected stretch it lies in; regulators part stretches."""
    pipe_stretch: np.ndarray
    junction_supplied: np.ndarray
    """(junction,) bool: a source in service reaches it, through regulators downstream only."""
    pipe_supplied: np.ndarray


@dataclass(frozen=True)
class Section:
    """What closing valves would cut off around a pipe: the valves, and whether a source or regulator lies within."""

    valves: tuple[int, ...]
    bounded: bool
    """False where no set of valves parts the pipe from every source and regulator."""


class Topology:
    """The graph of a network: a node a junction and a node in the middle of each pipe."""

    def __init__(self, network: Network) -> None:
        self.network, self.junctions = network, len(network.junction_on)
        end_valves: dict[tuple[int, int], list[int]] = {}
        for valve, (at, pipe) in enumerate(zip(network.valve_at.tolist(), network.valve_pipe.tolist(), strict=True)):
            if pipe >= 0:
                end_valves.setdefault((pipe, at), []).append(valve)
        halves = [
            (pipe, at) for pipe, ends in enumerate(zip(network.pipe_from.tolist(), network.pipe_to.tolist(), strict=True)) for at in ends
        ]
        self.halves = [(pipe, at, tuple(end_valves.get((pipe, at), ()))) for pipe, at in halves]
        self.spans = [(int(a), int(b), v) for v, (a, b) in enumerate(zip(network.valve_at, network.valve_to, strict=True)) if b >= 0]

    def supply(self, pipe_open: np.ndarray, valve_open: np.ndarray, source_open: np.ndarray) -> Supply:
        """Return what hangs together and what is supplied when these are open."""
        network = self.network
        on, pipes, valves = network.junction_on.tolist(), pipe_open.tolist(), valve_open.tolist()
        edges = [
            (at, self.junctions + pipe)
            for pipe, at, ends in self.halves
            if pipes[pipe] and on[at] and (not ends or any(valves[v] for v in ends))
        ]
        edges += [(a, b) for a, b, v in self.spans if valves[v] and on[a] and on[b]]
        edges += [(a, b) for a, b in network.other_edges.tolist() if on[a] and on[b]]
        root = _stretches(self.junctions + len(pipes), edges)
        live = np.zeros(len(root), bool)
        giving = source_open & ~np.isnan(network.source_bar) & network.junction_on[network.source_at]
        live[root[network.source_at[giving]]] = True
        passing = network.regulator_on & network.junction_on[network.regulator_from] & network.junction_on[network.regulator_to]
        begin, end = root[network.regulator_from[passing]], root[network.regulator_to[passing]]
        while (live[begin] & ~live[end]).any():
            live[end[live[begin]]] = True
        supplied = live[root]
        supplied[: self.junctions] &= network.junction_on
        n = self.junctions
        return Supply(root[:n], root[n:], supplied[:n], supplied[n:] & pipe_open)

    def section(self, pipe: int) -> Section:
        """Return the valves around `pipe`: the flood from it stops at every valve, open or not."""
        network, n = self.network, self.junctions
        free = [(at, n + p) for p, at, ends in self.halves if not ends] + [tuple(edge) for edge in network.other_edges.tolist()]
        root = _stretches(n + len(network.pipe_on), free)
        own = root[n + pipe]
        inside = root == own
        met = [v for p, at, ends in self.halves for v in ends if inside[at] != inside[n + p]]
        met += [v for a, b, v in self.spans if inside[a] != inside[b]]
        entries = np.concatenate([network.source_at, network.regulator_from, network.regulator_to])
        return Section(tuple(sorted(set(met))), bool(met) and not inside[entries].any())


def _stretches(nodes: int, edges: Iterable[tuple[int, int]]) -> np.ndarray:
    """Return for each node the smallest node it is joined with (union-find, path halving)."""
    parent = list(range(nodes))
    for edge in edges:
        a, b = edge
        while parent[a] != a:
            parent[a] = a = parent[parent[a]]  # targets are assigned from the left: the old a's parent first
        while parent[b] != b:
            parent[b] = b = parent[parent[b]]
        if a < b:
            parent[b] = a
        elif b < a:
            parent[a] = b
    for i in range(nodes):
        parent[i] = parent[parent[i]]
    return np.array(parent, int)
