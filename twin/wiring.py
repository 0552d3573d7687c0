"""Links between ports: index arrays with the unit factor folded in, fan-in, and the order of solving."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from twin import units
from twin.errors import CouplingDiverged, Problem, nearest
from twin.flows import FlowLink
from twin.ports import Flow, In, Out, Port

if TYPE_CHECKING:
    from twin.base import Coupling
    from twin.model import Model
    from twin.orchestrator import Node

RELAX_AFTER, GIVE_UP_AFTER = 20, 100
"""Sweeps of a loop before its numbers are under-relaxed, and before it is called divergent."""

SMALL_BYTES = 4096
"""Arrays up to this size are compared as bytes: a third of the time of numpy's comparison at 100 values, twice it at 10,000."""


class Link:
    """One Out feeding one In over pairs of elements.

    `values` holds what the source says now, reduced to one value per target element; `delivered` what
    the target last received. Waking compares the two by the port's tolerance; delivering takes all.
    """

    def __init__(self, source: Node, out: Out, target: Node, into: In, pairs: np.ndarray, *, kind: str, weight: float = 1.0) -> None:
        self.source, self.target, self.kind = source, target, kind
        self.out, self.into = out, into
        self.factor = weight * (1.0 if into.dtype == bool else units.factor(out.unit, into.unit))
        self.taken, rows = pairs[:, 0].astype(np.intp), pairs[:, 1].astype(np.intp)
        self.rows, self.group = np.unique(rows, return_inverse=True)
        self.count = np.bincount(self.group, minlength=len(self.rows))
        self.one_each = len(self.rows) == len(rows)
        if self.one_each:
            self.taken = self.taken[np.argsort(rows, kind="stable")]
        self.whole = self.one_each and np.array_equal(self.taken, np.arange(len(source.arrays[out.name])))
        self.array = source.arrays[out.name]
        self.values = np.full(len(self.rows), into.fill, into.dtype)
        self.delivered = self.values.copy()
        self.flipped_s = np.full(len(self.rows), -1, np.int64)
        self.fresh = self.pulled = self.in_loop = self.told = False
        self.is_switch, self.is_smooth = bool(into.dtype == bool), into.dtype.kind == "f"
        self.exact = self.is_switch or not into.tol
        self.differs: bool | None = None

    def __str__(self) -> str:
        return f"{self.source.name}.{self.out.name} -> {self.target.name}.{self.into.name} ({self.kind})"

    def pull(self) -> None:
        """Bring `values` up to what the source has written."""
        self.pulled, self.differs = True, None
        taken = self.array if self.whole else self.array[self.taken]
        if not self.one_each:
            taken = self._reduced(taken)
        if self.factor == 1.0:
            self.values[...] = taken
        else:
            np.multiply(taken, self.factor, out=self.values, casting="unsafe")

    def _reduced(self, taken: np.ndarray) -> np.ndarray:
        sums = np.bincount(self.group, weights=taken, minlength=len(self.rows))
        if not self.is_switch:
            return sums
        return sums == self.count if self.into.reduce == "all" else sums > 0

    def moved(self) -> bool:
        """Whether the target must wake: the source moved further than the tolerance since delivery."""
        if self.exact:
            return self.changed()
        return bool((np.abs(self.values - self.delivered) > self.into.tol).any())

    def changed(self) -> bool:
        """Whether the source says anything else than was delivered."""
        if self.differs is None:
            if self.values.nbytes <= SMALL_BYTES:
                self.differs = self.values.tobytes() != self.delivered.tobytes()
            else:
                self.differs = bool((self.values != self.delivered).any())
        return self.differs

    def residual(self) -> float:
        """Return the largest absolute difference between what is said and what was delivered."""
        return float(np.abs(self.values.astype(float) - self.delivered.astype(float)).max(initial=0.0))

    def hold_chatter(self, now_s: int) -> bool:
        """Keep switches that already changed at `now_s` as they are; True if any was held back."""
        again = (self.values != self.delivered) & (self.flipped_s == now_s)
        self.values[again] = self.delivered[again]
        self.differs = None
        return bool(again.any())

    def settle(self, now_s: int, *, relax: bool) -> bool:
        """Accept `values` as delivered; True if that changed anything, or was the first word."""
        if self.told and not self.changed():
            return False
        self.told = True
        if self.is_switch and self.in_loop:
            self.flipped_s[self.values != self.delivered] = now_s
        if relax:
            self.delivered += 0.5 * (self.values - self.delivered)
        else:
            self.values, self.delivered, self.pulled = self.delivered, self.values, False
        self.differs = None
        return True

    def save(self) -> dict[str, Any]:
        """Return what was said and delivered, as plain data."""
        flags = {name: getattr(self, name) for name in ("fresh", "pulled", "told")}
        return flags | {"values": self.values.copy(), "delivered": self.delivered.copy(), "flipped_s": self.flipped_s.copy()}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take up what `save` returned."""
        self.fresh, self.pulled, self.told = saved["fresh"], saved["pulled"], saved["told"]
        self.values, self.delivered, self.flipped_s = (saved[name].copy() for name in ("values", "delivered", "flipped_s"))
        self.differs = None


class Slots:
    """One In port and every link that feeds it."""

    def __init__(self, array: np.ndarray, port: In, links: Sequence[Link]) -> None:
        self.array, self.port, self.links = array, port, list(links)
        self.fed = np.unique(np.concatenate([link.rows for link in self.links]))
        only = self.links[0]
        self.whole = len(self.links) == 1 and np.array_equal(only.rows, np.arange(len(array)))

    def deliver(self, now_s: int, *, relax: bool = False) -> bool:
        """Write what the sources say into the array; True if that changed anything."""
        changed = False
        for link in self.links:
            if not link.fresh:
                continue
            link.fresh = False
            if not link.pulled:
                link.pull()
            if link.in_loop and link.is_switch and link.hold_chatter(now_s):
                link.fresh, link.pulled = True, False
                link.target.wake_at(now_s + 1)
            loops = relax and link.in_loop and link.is_smooth
            changed |= link.settle(now_s, relax=loops)
            if loops:
                link.fresh |= link.moved()
        if changed:
            self._assemble()
        return changed

    def _assemble(self) -> None:
        first = self.links[0]
        if self.whole:
            self.array[...] = first.delivered
        elif len(self.links) == 1 or self.port.reduce == "one":
            for link in self.links:
                self.array[link.rows] = link.delivered
        else:
            self.array[self.fed] = self.port.dtype.type(self.port.reduce == "all")
            for link in self.links:
                if self.port.reduce == "all":
                    self.array[link.rows] &= link.delivered
                else:
                    self.array[link.rows] += link.delivered


@dataclass
class Wiring:
    """Every link, and the groups of models in the order they are solved; a loop is a group of several."""

    links: list[Link] = field(default_factory=list)
    flows: list[FlowLink] = field(default_factory=list)
    groups: list[list[Node]] = field(default_factory=list)


def wire(nodes: Mapping[str, Node], links: Iterable[Link], flows: Iterable[FlowLink]) -> Wiring:
    """Give every node its slots and outgoing links, and find the solve order."""
    import networkx as nx

    wiring = Wiring(list(links), list(flows))
    graph = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from((link.source.name, link.target.name) for link in wiring.links)
    loops = nx.condensation(graph)
    position = {name: i for i, name in enumerate(nodes)}
    members = {i: sorted(loops.nodes[i]["members"], key=position.__getitem__) for i in loops}
    for i in nx.lexicographical_topological_sort(loops, key=lambda i: position[members[i][0]]):
        wiring.groups.append([nodes[name] for name in members[i]])
    where = loops.graph["mapping"]
    for node in nodes.values():
        into = [link for link in wiring.links if link.target is node]
        by_port = {link.into.name: [other for other in into if other.into is link.into] for link in into}
        node.slots = [Slots(node.arrays[name], feeding[0].into, feeding) for name, feeding in by_port.items()]
        node.outgoing = [link for link in wiring.links if link.source is node]
        node.feeds_itself = any(link.target is node for link in node.outgoing)
    for link in wiring.links:
        link.in_loop = where[link.source.name] == where[link.target.name]
    return wiring


def diverged(group: Sequence[Node], now_s: int) -> CouplingDiverged:
    """Make the error that names the loop that found no fixed point, and its largest residual."""
    inside = [link for node in group for link in node.outgoing if link.in_loop and link.into.wake]
    for link in inside:
        link.pull()
    worst = max(inside, key=Link.residual)
    loop = " -> ".join([node.name for node in group] + [group[0].name])
    at = int(np.argmax(np.abs(worst.values.astype(float) - worst.delivered.astype(float))))
    element = worst.target.elements[worst.into.at].ids[int(worst.rows[at])]
    moves = f"{worst.out.name} still moves by {worst.residual():g} {worst.into.unit} (tolerance {worst.into.tol:g}) in {worst}"
    what = f"no fixed point after {GIVE_UP_AFTER} sweeps: {moves}"
    return CouplingDiverged(f"loop {loop}", what, now_s=now_s, element=element)


def _one(elements: str) -> str:
    return f"{'an' if elements[0] in 'aeiou' else 'a'} {elements}"


class Matcher:
    """Finds, for rows of a pack's couplings, the ports they connect; collects what is wrong with them."""

    def __init__(self, models: Mapping[str, Model], file: str) -> None:
        self.models, self.file = models, file
        self.problems: list[Problem] = []
        self.pairs: dict[tuple[str, str, str, str, str], list[tuple[int, int]]] = {}
        self._fed: set[tuple[str, str, int]] = set()
        self._ends: dict[tuple[str, str, bool], list[Port | Flow]] = {}

    def add(self, row: Coupling, line: int) -> None:
        """Take one row; a row between models that both take part must name real ports and elements."""
        if row.source not in self.models or row.target not in self.models:
            return
        source = self._end(row.source, row.source_element, row.kind, line, gives=True)
        target = self._end(row.target, row.target_element, row.kind, line, gives=False)
        if source is None or target is None:
            return
        (out, i), (into, j) = source, target
        if wrong := self._unlike(out, into):
            ends = f"{row.source}.{out.name} ({row.source_element}) cannot feed {row.target}.{into.name} ({row.target_element})"
            self._say(f"{ends}: {wrong}", line)
            return
        key = (row.source, out.name, row.target, into.name, row.kind)
        if wrong := self._taken(row, out, i, into, j):
            self._say(wrong, line)
            return
        self.pairs.setdefault(key, []).append((i, j))

    def _taken(self, row: Coupling, out: Port | Flow, i: int, into: Port | Flow, j: int) -> str:
        """Say what is wrong when an input takes one source and has it, or a record would go two ways; else note both."""
        if isinstance(out, Flow):
            end, what = (
                (row.source, out.name, i),
                f"{row.source}.{out.name} of {row.source_element} leads to two places, and a record goes to one",
            )
        elif isinstance(into, In) and into.reduce == "one":
            end, what = (row.target, into.name, j), f"{row.target}.{into.name} of {row.target_element} has two sources and takes one"
        else:
            return ""
        if end in self._fed:
            return what
        self._fed.add(end)
        return ""

    def _say(self, what: str, line: int) -> None:
        self.problems.append(Problem(what, self.file, line))

    @staticmethod
    def _unlike(out: Any, into: Any) -> str:
        if isinstance(out, Flow) != isinstance(into, Flow):
            return "one is a flow of records, the other an array"
        if isinstance(out, Flow):
            return ""
        if (out.dtype == bool) != (into.dtype == bool):
            return f"{'a switch' if out.dtype == bool else 'a number'} cannot be {'a switch' if into.dtype == bool else 'a number'}"
        try:
            units.factor(out.unit, into.unit)
        except ValueError as error:
            return str(error)
        return ""

    def _of_kind(self, name: str, kind: str, *, gives: bool) -> list[Port | Flow]:
        """Return a model's ends of one kind, or with kind "" all of them."""
        key = (name, kind, gives)
        if key not in self._ends:
            model = self.models[name]
            ends: list[Port | Flow] = [port for port in model.ports.values() if isinstance(port, Out if gives else In)]
            ends += [flow for flow in model.flows.values() if flow.gives == gives]
            self._ends[key] = [end for end in ends if kind in ("", end.kind)]
        return self._ends[key]

    def _end(self, name: str, element: str, kind: str, line: int, *, gives: bool) -> tuple[Any, int] | None:
        model, ports = self.models[name], self._of_kind(name, kind, gives=gives)
        if not ports:
            verb = "gives" if gives else "takes"
            kinds = sorted({end.kind for end in self._of_kind(name, "", gives=gives) if end.kind})
            self._say(f"{name} {verb} no '{kind}'; it {verb} {', '.join(kinds) or 'nothing'}", line)
            return None
        found = [(port, at) for port in ports if (at := self._at(model, port.at, element)) is not None]
        if len(found) == 1:
            return found[0]
        if found:
            self._say(f"{name} has several elements '{element}' for '{kind}': in {', '.join(p.at for p, _ in found)}", line)
            return None
        elsewhere = [at for at, elements in model.elements.items() if element in elements.ids]
        sets = " or ".join(port.at for port in ports)
        if elsewhere:
            self._say(f"'{element}' of {name} is {_one(elsewhere[0])}, and '{kind}' joins {_one(sets)}", line)
        else:
            known = [i for port in ports for i in model.elements[port.at].ids]
            self._say(nearest(element, known, what=f"{sets} in {name}"), line)
        return None

    @staticmethod
    def _at(model: Model, elements: str, id: str) -> int | None:
        try:
            return model.index(elements, id)
        except KeyError:
            return None
