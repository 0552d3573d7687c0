"""Lays cells, fibre, private broadband, desks and two data centres over a pack's streets, and refuses a network with holes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from models.comms import erlang
from models.comms import network as networks
from models.comms.engine import Engine
from models.comms.network import Network
from twin.base import Base, Coupling, Laid
from twin.errors import InputError, Problem
from twin.inventory import model_class
from twin.ports import In, Out

FILE = "comms.json"
AREA_M = 1000.0
"""Side of the squares in which people are counted and alerted."""
CELL_EVERY_M, CELL_RADIUS_M = 800.0, 750.0
"""Synthetic: spacing of macro cells in a triangular grid, and how far each is heard."""
NODE_EVERY_M = 1600.0
"""Synthetic: spacing of fibre nodes; each stands at a crossing and has a way round."""
PRIVATE_RADIUS_M = 2500.0
"""Synthetic: how far a base of the private broadband network for police and command is heard (it had 155 km2 in all)."""
PRIVATE_BASES = 6
"""Synthetic."""
SITES: Mapping[str, Mapping[str, float]] = {
    "cell": {"load_kw": 3.0, "battery_kwh": 6.0, "radius_m": CELL_RADIUS_M, "channels": 0, "mbit_per_s": 150.0},
    "private": {"load_kw": 1.5, "battery_kwh": 12.0, "radius_m": PRIVATE_RADIUS_M},
    "node": {"load_kw": 0.8, "battery_kwh": 3.2},
    "exchange": {"load_kw": 120.0, "battery_kwh": 60.0, "generator_kw": 200.0, "generator_h": 12.0, "start_s": 60},
    "core": {"load_kw": 300.0, "battery_kwh": 75.0, "generator_kw": 500.0, "generator_h": 24.0, "start_s": 30},
    "recovery": {"load_kw": 150.0, "battery_kwh": 40.0, "generator_kw": 250.0, "generator_h": 24.0, "start_s": 30},
    "command": {"load_kw": 30.0, "battery_kwh": 15.0, "generator_kw": 60.0, "generator_h": 12.0, "start_s": 30},
}
"""Synthetic: figures by kind of site; two hours of battery at cells, eight at private bases, four at nodes."""
VOICE_ERLANG, BLOCKED, RESERVE, LEAST_CHANNELS, MOST_CHANNELS = 0.02, 0.02, 1.3, 60, 500
"""Synthetic: busy-hour voice traffic of a resident; a cell's channels block 2 % of 1.3 times its residents' traffic, 60 at least."""
DESKS = (("police_110", 6, 60.0, 150.0), ("fire_119", 3, 10.0, 180.0), ("ambulance_120", 4, 25.0, 240.0))
"""Synthetic: desk, dispatchers, calls an hour, seconds each takes; the numbers are China's emergency numbers."""
RECOVERY = {"rto_s": 1800, "rpo_s": 300}
"""Synthetic: recovery time and recovery point of the data centre."""
REMOTE_M = 6000.0
"""Synthetic: the recovery site stands so far outside the district."""
WATCHED = ("substation", "waterworks", "water_tower", "city_gate", "hospital", "stadium", "gas_plant")
"""Places with a remote terminal."""


def synth(base: Base, laid: Mapping[str, Laid], folder: Path, options: Mapping[str, Any]) -> Laid:
    """Write comms.json into `folder`; InputError where the streets do not make a sound network.

    Laid after the grid: every site takes its mains from the nearest bus that supplies buildings, and loads it.
    """
    if options:
        raise InputError(f"options.comms: communications take no options, yet has {', '.join(map(repr, sorted(options)))}")
    if len(base.crossings) < 3 or not base.streets:
        raise InputError("communications need streets: the base has none")
    streets = _Streets(base)
    document = _Draft(base, streets).document()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    _write(path, document)
    _dimension(document, networks.read(path))
    _write(path, document)
    network = networks.read(path)
    rows = (*_power(network, laid), *_people(network, laid))
    return Laid({"network": FILE}, network.elements(), couplings=rows, checks=_checks(network), synthetic=_synthetic())


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=0, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def _dimension(document: Mapping[str, Any], network: Network) -> None:
    """Give every cell the channels that its residents' busy hour needs by Erlang B."""
    engine, cells = Engine(network), network.of_kind("cell")
    offered = RESERVE * VOICE_ERLANG * engine.load(engine.attached(cells), network.residents)
    for site, traffic in zip(document["sites"], offered.tolist(), strict=True):
        if site["kind"] == "cell":
            counts = np.arange(LEAST_CHANNELS, MOST_CHANNELS)
            enough = np.flatnonzero(erlang.blocking(np.full(len(counts), traffic), counts) <= BLOCKED)
            if not enough.size:
                raise InputError(
                    f"cell {site['id']} would need more than {MOST_CHANNELS} channels for {traffic:.0f} E: too many people for a cell"
                )
            site["channels"] = int(counts[enough[0]])


class _Streets:
    """The street graph: nearest crossings and shortest ways."""

    def __init__(self, base: Base) -> None:
        self.graph = nx.Graph()
        for street in sorted(base.streets, key=lambda street: street.id):
            length = float(np.hypot(*np.diff(street.shape, axis=0).T).sum())
            known = self.graph.get_edge_data(street.start, street.end)
            if street.start != street.end and (known is None or length < known["weight"]):
                self.graph.add_edge(street.start, street.end, weight=length, shape=street.shape, start=street.start)
        parts = sorted(nx.connected_components(self.graph), key=lambda part: (-len(part), min(part)))
        self.names = sorted(parts[0])
        self.xy = np.array([base.crossings[name] for name in self.names], float)

    def nearest(self, xy: Any) -> str:
        """Return the crossing nearest to a point."""
        return self.names[int(np.argmin(np.hypot(*(self.xy - np.asarray(xy)).T)))]

    def at(self, name: str) -> np.ndarray:
        """Return where a crossing is."""
        return self.xy[self.names.index(name)]

    def way(self, one: str, other: str) -> np.ndarray:
        """Return the line (k, 2) of the shortest way along the streets."""
        path = nx.dijkstra_path(self.graph, one, other)
        parts = [self.at(one)[None]]
        for a, b in pairwise(path):
            edge = self.graph.edges[a, b]
            shape = edge["shape"] if edge["start"] == a else edge["shape"][::-1]
            parts.append(shape[1:])
        return np.concatenate(parts)


class _Draft:
    """The document as it grows; every list in a fixed order, so that the same base gives the same bytes."""

    def __init__(self, base: Base, streets: _Streets) -> None:
        self.base, self.streets = base, streets
        self.sites: list[dict[str, Any]] = []
        self.links: list[dict[str, Any]] = []
        self.nodes: list[tuple[str, str]] = []

    def document(self) -> dict[str, Any]:
        """Return everything."""
        self._ring()
        self._centres()
        for k, xy in enumerate(self._grid(CELL_EVERY_M, 1.5 * CELL_RADIUS_M / 2), 1):
            self._site(f"C{k}", "cell", xy)
            self._drop(f"C{k}", xy)
        for k in range(PRIVATE_BASES):
            crossing = self.nodes[k * len(self.nodes) // PRIVATE_BASES][1]
            xy = self.streets.at(crossing) + 8.0
            self._site(f"PB{k + 1}", "private", xy)
            self._drop(f"PB{k + 1}", xy)
        command = "CMD"
        desks = [{"id": d, "site": command, "dispatchers": n, "calls_per_h": rate, "handling_s": s} for d, n, rate, s in DESKS]
        return {
            "about": "synthetic communications network, laid along the streets",
            "sites": self.sites,
            "links": self.links,
            "areas": _areas(self.base),
            "desks": desks,
            "terminals": self._terminals(),
            "recovery": dict(RECOVERY),
        }

    def _site(self, id: str, kind: str, xy: np.ndarray) -> None:
        x, y = (round(float(value), 2) for value in xy)
        self.sites.append({"id": id, "kind": kind, "x": x, "y": y, **SITES[kind]})

    def _link(self, one: str, other: str, shape: np.ndarray) -> None:
        self.links.append({"id": f"F_{one}_{other}", "from": one, "to": other, "shape": np.round(shape, 2).tolist()})

    def _grid(self, every_m: float, within_m: float) -> list[np.ndarray]:
        """Return a triangular grid over the district, each point no further than this from a crossing."""
        xy = self.streets.xy
        low, high = xy.min(axis=0), xy.max(axis=0)
        rows = np.arange(low[1], high[1] + every_m, every_m * np.sqrt(3) / 2)
        found = [
            np.array([x, y]) for r, y in enumerate(rows) for x in np.arange(low[0] + (r % 2) * every_m / 2, high[0] + every_m, every_m)
        ]
        return [point for point in found if np.hypot(*(xy - point).T).min() <= within_m]

    def _ring(self) -> None:
        """Place fibre nodes at crossings and join them: the shortest tree, then what gives each a second way."""
        crossings = dict.fromkeys(self.streets.nearest(point) for point in self._grid(NODE_EVERY_M, NODE_EVERY_M / 2))
        self.nodes = [(f"N{k}", crossing) for k, crossing in enumerate(crossings, 1)]
        for id, crossing in self.nodes:
            self._site(id, "node", self.streets.at(crossing))
        graph = nx.Graph()
        for (one, a), (other, b) in combinations(self.nodes, 2):
            graph.add_edge(one, other, weight=float(np.hypot(*(self.streets.at(a) - self.streets.at(b)))))
        tree = nx.minimum_spanning_tree(graph)
        for one, other, _ in sorted(graph.edges(data="weight"), key=lambda edge: (edge[2], edge[0], edge[1])):
            if not tree.has_edge(one, other) and (tree.degree[one] < 2 or tree.degree[other] < 2):
                tree.add_edge(one, other)
        for one, other in self._second_ways(graph, tree):
            tree.add_edge(one, other)
        at = dict(self.nodes)
        for one, other in sorted(tuple(sorted(edge, key=lambda id: int(id[1:]))) for edge in tree.edges):
            self._link(one, other, self.streets.way(at[one], at[other]))

    def _second_ways(self, graph: nx.Graph, tree: nx.Graph) -> Iterable[tuple[str, str]]:
        """Yield the shortest links that leave no link whose loss parts the nodes."""
        grown = tree.copy()
        for one, other, _ in sorted(graph.edges(data="weight"), key=lambda edge: (edge[2], edge[0], edge[1])):
            if not nx.has_bridges(grown):
                return
            if not grown.has_edge(one, other) and _crosses_a_bridge(grown, one, other):
                grown.add_edge(one, other)
                yield one, other

    def _centres(self) -> None:
        """Place exchange, data centre and command near the middle, the recovery site far outside; each on two ways."""
        middle = next((p.shape.mean(axis=0) for p in self.base.places if p.kind == "stadium"), self.streets.xy.mean(axis=0))
        police = next((p.shape.mean(axis=0) for p in self.base.places if p.kind == "police"), middle)
        near = sorted(self.nodes, key=lambda node: (float(np.hypot(*(self.streets.at(node[1]) - middle))), node[0]))
        away = np.array([0.0, self.streets.xy[:, 1].min() - REMOTE_M])
        spots = (
            ("X1", "exchange", self.streets.at(near[0][1]) + 12.0, near[:2]),
            ("X2", "exchange", self.streets.at(near[-1][1]) + 12.0, near[-2:]),
            ("DC", "core", self.streets.at(near[1][1]) + 16.0, near[:2]),
            ("CMD", "command", police, sorted(near, key=lambda n: (float(np.hypot(*(self.streets.at(n[1]) - police))), n[0]))[:2]),
            ("DR", "recovery", away, sorted(near, key=lambda n: (float(np.hypot(*(self.streets.at(n[1]) - away))), n[0]))[:2]),
        )
        for id, kind, xy, ends in spots:
            self._site(id, kind, xy)
            for node, crossing in ends:
                self._link(node, id, np.vstack([self.streets.at(crossing), self._along(crossing, xy)]))

    def _along(self, crossing: str, xy: np.ndarray) -> np.ndarray:
        return np.vstack([self.streets.way(crossing, self.streets.nearest(xy))[1:], xy])

    def _drop(self, id: str, xy: np.ndarray) -> None:
        """Join a radio site to its nearest fibre node along the streets."""
        node, crossing = self._nearest_node(xy)
        self._link(node, id, np.vstack([self.streets.at(crossing), self._along(crossing, xy)]))

    def _nearest_node(self, xy: np.ndarray) -> tuple[str, str]:
        return min(self.nodes, key=lambda node: (float(np.hypot(*(self.streets.at(node[1]) - xy))), node[0]))

    def _terminals(self) -> list[dict[str, Any]]:
        found = []
        for place in sorted(self.base.places, key=lambda place: place.id):
            if place.kind in WATCHED:
                x, y = (round(float(value), 2) for value in place.shape.mean(axis=0))
                found.append({"id": f"T_{place.id}", "site": self._nearest_node(np.array([x, y]))[0], "x": x, "y": y})
        return found


def _crosses_a_bridge(graph: nx.Graph, one: str, other: str) -> bool:
    without = graph.copy()
    without.remove_edges_from(list(nx.bridges(graph)))
    part = nx.node_connected_component(without, one)
    return other not in part


def _areas(base: Base) -> list[dict[str, Any]]:
    """Return the squares that buildings stand in, with the people who live there."""
    homes: dict[tuple[int, int], int] = {}
    for building in sorted(base.buildings, key=lambda building: building.id):
        column, row = np.floor(building.shape.mean(axis=0) / AREA_M).astype(int).tolist()
        homes[row, column] = homes.get((row, column), 0) + (building.people if building.use == "residential" else 0)
    least_row, least_column = (min(key[k] for key in homes) for k in (0, 1)) if homes else (0, 0)
    found = []
    for (row, column), people in sorted(homes.items()):
        x, y = column * AREA_M, row * AREA_M
        ring = [[x, y], [x + AREA_M, y], [x + AREA_M, y + AREA_M], [x, y + AREA_M]]
        found.append({"id": f"Q{row - least_row + 1}_{column - least_column + 1}", "ring": ring, "people": people})
    return found


def _power(network: Network, laid: Mapping[str, Laid]) -> Iterable[Coupling]:
    """Yield mains and load of each site at the nearest bus that supplies others; the remote site has another city's mains."""
    if "grid" not in laid:
        return
    grid = laid["grid"]
    buses = sorted({row.source_element for row in grid.couplings if row.kind == "supply"})
    buses += sorted(id for id in grid.elements["bus"].ids if id.startswith("B") and id not in set(buses))
    place = dict(zip(grid.elements["bus"].ids, grid.elements["bus"].shapes, strict=True))
    points = np.array([place[bus].mean(axis=0) for bus in buses])
    for id, xy, kind in zip(network.sets["site"].ids, network.xy, network.kind.tolist(), strict=True):
        if networks.KINDS[kind] != "recovery":
            bus = buses[int(np.argmin(np.hypot(*(points - xy).T)))]
            yield Coupling("grid", bus, "comms", id, "supply")
            yield Coupling("comms", id, "grid", bus, "load")


def _people(network: Network, laid: Mapping[str, Laid]) -> Iterable[Coupling]:
    """Yield a row from each area of a model that counts people to the square it lies in, and one back where it hears alerts."""
    rings = np.array([[ring.min(axis=0), ring.max(axis=0)] for ring in network.sets["area"].shapes])
    for name in sorted(laid):
        ports = model_class(name).ports.values()
        for port in ports:
            hears = any(isinstance(one, In) and one.kind == "alert" and one.at == port.at for one in ports)
            if port.kind != "people" or not isinstance(port, Out) or port.at not in laid[name].elements:
                continue
            there = laid[name].elements[port.at]
            for id, shape in zip(there.ids, there.shapes, strict=True):
                middle = shape.mean(axis=0)
                inside = np.flatnonzero(((rings[:, 0] <= middle) & (middle < rings[:, 1])).all(axis=1))
                if inside.size:
                    square = network.sets["area"].ids[int(inside[0])]
                    yield Coupling(name, id, "comms", square, "people")
                    if hears:
                        yield Coupling("comms", square, name, id, "alert")


def _checks(network: Network) -> dict[str, str]:
    """Return figures of the network; InputError where people have no signal or one cut parts the nodes."""
    engine = Engine(network)
    covered = engine.covered(engine.attached(network.of_kind("cell")))
    share = float((covered * network.residents).sum() / max(float(network.residents.sum()), 1.0))
    command = float(engine.covered(engine.attached(network.of_kind("private"))).mean())
    graph = nx.Graph([tuple(end) for end in network.ends.tolist()])
    spine = graph.subgraph(np.flatnonzero(network.of_kind("node")).tolist())
    wrong = []
    if share < 0.97:
        wrong.append(f"signal reaches {share:.1%} of the residents, not 97 %")
    if not nx.is_connected(graph) or (len(spine) > 2 and nx.has_bridges(spine)):
        wrong.append("a single cut parts the fibre nodes")
    if wrong:
        raise InputError([Problem(f"the synthesised communications fail the checks of their trade: {what}") for what in wrong])
    metres = sum(float(np.hypot(*np.diff(shape, axis=0).T).sum()) for shape in network.sets["link"].shapes)
    return {
        "residents with signal": f"{100 * share:.1f} %",
        "area with private broadband": f"{100 * command:.1f} %",
        "fibre": f"{metres / 1e3:.1f} km in {len(network.ends)} links; no single cut parts the nodes",
        "cells": str(int(network.of_kind("cell").sum())),
    }


def _synthetic() -> dict[str, str]:
    def told(kind: str) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in SITES[kind].items())

    return {
        "sites": f"cells every {CELL_EVERY_M:g} m, nodes every {NODE_EVERY_M:g} m, {PRIVATE_BASES} private bases; fibre along streets",
        **{f"figures of a {kind}": told(kind) for kind in SITES},
        "channels of a cell": f"{100 * BLOCKED:g} % blocked at {RESERVE:g} times {VOICE_ERLANG:g} E a resident; {LEAST_CHANNELS} at least",
        "desks (dispatchers, calls an hour, seconds a call)": "; ".join(f"{d} {n}, {rate:g}, {s:g}" for d, n, rate, s in DESKS),
        "recovery": f"time {RECOVERY['rto_s']} s, point {RECOVERY['rpo_s']} s, {REMOTE_M / 1000:g} km outside",
    }
