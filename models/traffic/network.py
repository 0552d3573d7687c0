"""What SUMO's network, demand and additional files hold, read and checked without SUMO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from models.traffic.demand import Demand, read_demand
from models.traffic.sites import Sites, read_sites, unknown_types
from models.traffic.xmlfiles import leaves, scan
from twin.errors import InputError, Problem
from twin.model import Setup
from twin.ports import ElementSet

ROUTE_ROLES = ("routes", *(f"routes{i}" for i in range(2, 6)))
ADDITIONAL_ROLES = ("vtypes", "additional", *(f"additional{i}" for i in range(2, 7)))
FILES = {
    "net?": "SUMO network (net.xml); needed unless `sumocfg` names one",
    **{f"{role}?": "SUMO demand (rou.xml), loaded in the order routes, routes2, ..." for role in ROUTE_ROLES},
    **{f"{role}?": "SUMO additional file, loaded in the order vtypes, additional, additional2, ..." for role in ADDITIONAL_ROLES},
    "sumocfg?": "SUMO configuration that names net, routes and additional files in its own folder",
    "sites?": "car parks, exits, chargers and the clock time of departure 0 (JSON, format in models/traffic/sites.py)",
}

PASSED_ON = frozenset(
    {
        "time-to-teleport",
        "time-to-teleport.highways",
        "time-to-impatience",
        "max-depart-delay",
        "ignore-junction-blocker",
        "default.speeddev",
        "default.action-step-length",
        "lateral-resolution",
        "step-method.ballistic",
        "collision.action",
        "tls.all-off",
        "scale",
    }
)
"""Options of a sumocfg that change how vehicles move, and so are handed to SUMO; the rest of it is not used."""

LATEST_S = 10**9
_INNER = frozenset({"internal", "crossing", "walkingarea", "connector"})


@dataclass(frozen=True)
class Inputs:
    """The files SUMO is started with, in SUMO's order, and the options a sumocfg adds."""

    net: Path
    routes: tuple[Path, ...]
    additional: tuple[Path, ...]
    options: tuple[str, ...] = ()
    begin_s: int | None = None


@dataclass(frozen=True)
class Edges:
    """The roads between junctions, in the file's order; lengths in metres, speeds in m/s."""

    ids: tuple[str, ...]
    shapes: tuple[np.ndarray, ...]
    length_m: np.ndarray
    speed_m_per_s: np.ndarray
    lanes: tuple[int, ...]


@dataclass(frozen=True)
class TrafficNetwork:
    """A road network with its demand and sites; `approaches[i]` are the edges that enter signal i."""

    inputs: Inputs
    edges: Edges
    signals: tuple[str, ...]
    signal_xy: tuple[np.ndarray, ...]
    approaches: tuple[np.ndarray, ...]
    stops: tuple[str, ...]
    stop_shapes: tuple[np.ndarray, ...]
    demand: Demand
    sites: Sites
    offset_m: tuple[float, float]

    def elements(self) -> Mapping[str, ElementSet]:
        """Return the element sets: edge, signal, charger, carpark, exit, stop, network."""
        move = np.asarray(self.offset_m)
        edges, sites = dict(zip(self.edges.ids, self.edges.shapes, strict=True)), self.sites
        exits = [edges[one.edge][-1:] + move for one in sites.exits]
        return {
            "edge": ElementSet(self.edges.ids, [shape + move for shape in self.edges.shapes], label="road"),
            "signal": ElementSet(self.signals, [xy + move for xy in self.signal_xy], label="traffic signal"),
            "charger": ElementSet(tuple(c.id for c in sites.chargers), [c.xy + move for c in sites.chargers], label="charging site"),
            "carpark": ElementSet(tuple(c.id for c in sites.carparks), [c.xy + move for c in sites.carparks], label="car park"),
            "exit": ElementSet(tuple(one.id for one in sites.exits), exits, label="way home"),
            "stop": ElementSet(self.stops, [shape + move for shape in self.stop_shapes], label="bus stop"),
            "network": ElementSet(("all",), label="whole network"),
        }


class _NetFile:
    """Gathers edges, signals and junctions from a net.xml while it streams by."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.shapes: list[str] = []
        self.ends: list[tuple[str, str]] = []
        self.lanes: list[list[tuple[float, float, str]]] = []
        self.junctions: dict[str, tuple[float, float]] = {}
        self.signals: dict[str, dict[str, None]] = {}
        self.problems: list[tuple[str, int]] = []
        self.inside = False

    def seen(self, tag: str, given: Mapping[str, str], line: int) -> None:
        """Take one element of the file."""
        try:
            if tag == "edge":
                self.inside = given.get("function", "normal") not in _INNER
                if self.inside:
                    self.ids.append(given["id"])
                    self.ends.append((given["from"], given["to"]))
                    self.shapes.append(given.get("shape", ""))
                    self.lanes.append([])
            elif tag == "lane" and self.inside:
                length_m, speed_m_per_s = float(given["length"]), float(given["speed"])
                if not (0 < length_m < 1e7 and 0 <= speed_m_per_s < 1e3):
                    self.problems.append((f"lane '{given['id']}': length {length_m:g} m or speed {speed_m_per_s:g} m/s is no road's", line))
                self.lanes[-1].append((length_m, speed_m_per_s, given["shape"]))
            elif tag == "junction":
                self.junctions[given["id"]] = (float(given["x"]), float(given["y"]))
            elif tag == "tlLogic":
                self.signals.setdefault(given["id"], {})
            elif tag == "connection" and "tl" in given and not given["from"].startswith(":"):
                self.signals.setdefault(given["tl"], {})[given["from"]] = None
        except KeyError as error:
            self.problems.append((f"<{tag}> lacks {error}", line))
        except ValueError as error:
            self.problems.append((f"<{tag}>: {error}", line))


def points(text: str) -> np.ndarray:
    """Read SUMO's `x,y x,y ...` (a third coordinate is dropped) as (k, 2) metres."""
    return np.array([[float(value) for value in pair.split(",")[:2]] for pair in text.split()], dtype=float).reshape(-1, 2)


def read_network(setup: Setup, *, begin_s: int | None = None, vehicles: int | None = None) -> TrafficNetwork:
    """Read every file of the traffic model; InputError with all problems found.

    `begin_s` is the demand's second at the start (None: by the pack's clock);
    `vehicles` how many departures are wanted.
    """
    inputs = _inputs(setup)
    net = _NetFile()
    problems = scan(inputs.net, ("net",), net.seen)
    problems += [Problem(what, str(inputs.net), line) for what, line in net.problems]
    problems += [Problem(f"edge '{id}' has no lane", str(inputs.net)) for id, lanes in zip(net.ids, net.lanes, strict=False) if not lanes]
    if not net.ids and not problems:
        problems.append(Problem("holds no road", str(inputs.net)))
    if problems:
        raise InputError(problems)
    try:
        edges = _edges(net)
    except ValueError as error:
        raise InputError(Problem(f"the shape of an edge is not 'x,y x,y ...': {error}", str(inputs.net), 1)) from None
    known = dict(zip(edges.ids, edges.shapes, strict=True))
    sites, wrong = read_sites(setup.files.get("sites"), known)
    begin = begin_s if begin_s is not None else sites.begin_s(setup.start, inputs.begin_s or 0)
    demand, more = read_demand(
        inputs.routes, inputs.additional, frozenset(known), begin_s=begin, duration_s=setup.duration_s, wanted=vehicles
    )
    if not more:
        wrong += unknown_types(setup.files.get("sites"), sites, demand.types)
    if wrong + more:
        raise InputError(wrong + more)
    stops = sorted(demand.stops.items())
    approaches = {id: [edge for edge in entering if edge in known] for id, entering in net.signals.items()}
    place = {id: i for i, id in enumerate(edges.ids)}
    return TrafficNetwork(
        inputs=inputs,
        edges=edges,
        signals=tuple(approaches),
        signal_xy=tuple(_signal_xy(id, entering, net, known) for id, entering in approaches.items()),
        approaches=tuple(np.array([place[edge] for edge in entering], int) for entering in approaches.values()),
        stops=tuple(id for id, _ in stops),
        stop_shapes=tuple(along(known[edge], pos_m) for _, (edge, pos_m) in stops),
        demand=demand,
        sites=sites,
        offset_m=setup.offset_m,
    )


def _edges(net: _NetFile) -> Edges:
    return Edges(
        ids=tuple(net.ids),
        shapes=tuple(map(_middle, net.lanes)),
        length_m=np.array([max(0.1, *(lane[0] for lane in lanes)) for lanes in net.lanes]),
        speed_m_per_s=np.array([max(lane[1] for lane in lanes) for lanes in net.lanes]),
        lanes=tuple(len(lanes) for lanes in net.lanes),
    )


def _middle(lanes: Sequence[tuple[float, float, str]]) -> np.ndarray:
    """Return the middle line of an edge's carriageway, from its outermost lanes."""
    right, left = points(lanes[0][2]), points(lanes[-1][2])
    return (right + left) / 2 if right.shape == left.shape else points(lanes[len(lanes) // 2][2])


def _signal_xy(id: str, entering: list[str], net: _NetFile, shapes: Mapping[str, np.ndarray]) -> np.ndarray:
    if id in net.junctions:
        return np.array([net.junctions[id]])
    return np.mean([shapes[edge][-1] for edge in entering], axis=0, keepdims=True) if entering else np.zeros((1, 2))


def along(shape: np.ndarray, at_m: float) -> np.ndarray:
    """Return the (1, 2) point `at_m` metres along a line; a negative distance counts from its end."""
    steps = [float(np.hypot(*(b - a))) for a, b in pairwise(shape)]
    left = at_m if at_m >= 0 else at_m + sum(steps)
    for (a, b), step in zip(pairwise(shape), steps, strict=True):
        if left <= step and step > 0:
            return (a + (b - a) * max(left, 0.0) / step)[None, :]
        left -= step
    return shape[-1:].copy()


def _inputs(setup: Setup) -> Inputs:
    if "sumocfg" in setup.files:
        doubled = sorted({"net", *ROUTE_ROLES, *ADDITIONAL_ROLES}.intersection(setup.files))
        if doubled:
            raise InputError(f"model '{setup.name}': give either `sumocfg` or {', '.join(doubled)}, not both")
        return _from_configuration(setup.files["sumocfg"])
    routes = tuple(setup.files[role] for role in ROUTE_ROLES if role in setup.files)
    additional = tuple(setup.files[role] for role in ADDITIONAL_ROLES if role in setup.files)
    return Inputs(setup.file("net"), routes, additional)


def _from_configuration(path: Path) -> Inputs:
    given: dict[str, tuple[str, int]] = {}

    def seen(tag: str, attributes: Mapping[str, str], line: int) -> None:
        value = attributes.get("value", attributes.get("v"))
        if value is not None:
            given[tag] = (value, line)

    problems = scan(path, ("configuration", "sumoConfiguration"), seen)
    lists: dict[str, tuple[Path, ...]] = {}
    for tag in ("net-file", "route-files", "additional-files"):
        value, line = given.get(tag, ("", 0))
        names = [name.strip() for name in value.split(",") if name.strip()]
        problems += [
            Problem(f"'{n}' leaves the configuration's folder; name the files one by one in city.yaml", str(path), line)
            for n in names
            if leaves(n)
        ]
        lists[tag] = tuple(path.parent / name for name in names)
    if len(lists["net-file"]) != 1 and not problems:
        problems.append(Problem("names no <net-file>", str(path)))
    if problems:
        raise InputError(problems)
    options = tuple(part for tag in sorted(PASSED_ON.intersection(given)) for part in (f"--{tag}", given[tag][0]))
    begin = given.get("begin", ("", 0))[0]
    try:
        begin_s = int(float(begin)) if begin else None
        if begin_s is not None and not 0 <= begin_s < LATEST_S:
            raise ValueError
    except (ValueError, OverflowError):
        raise InputError(Problem(f"begin '{begin}' is no number of seconds from 0 to {LATEST_S:,}", str(path), given["begin"][1])) from None
    return Inputs(lists["net-file"][0], lists["route-files"], lists["additional-files"], options, begin_s)
