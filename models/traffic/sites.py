"""What a pack says about traffic beyond SUMO's formats: car parks, exits, chargers, and what time departure 0 is.

A `sites` file is JSON: `{"departures_from": "20:00", "car": "<vType>", "electric": "<vType>",
"exits": [{"id", "edge", "weight"}], "carparks": [{"id", "edge", "x", "y"}],
"chargers": [{"id", "edge", "x", "y", "carpark", "points", "point_kw", "parked"}]}`.
Every key may be absent; `weight` is the share of drivers who go home that way, `edge` of a car park is
the road its exit leads to, `parked` the electric cars that stand there when the run starts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Any

import numpy as np

from twin.errors import InputError, Problem, nearest
from twin.jsonfile import text_of

MAX_BYTES = 16 * 2**20
LARGEST = 1e6
"""No weight, charging power (kW) or number of outlets is larger."""
_DEFAULT_TYPE = "DEFAULT_VEHTYPE"
"""SUMO's own, which every pack has."""


@dataclass(frozen=True)
class Exit:
    """A road out of the district and the share of drivers who take it."""

    id: str
    edge: str
    weight: float


@dataclass(frozen=True)
class Carpark:
    """A car park and the road its cars come out on."""

    id: str
    edge: str
    xy: np.ndarray


@dataclass(frozen=True)
class Charger:
    """A charging site: `points` outlets of `point_kw` each, beside a road, perhaps in a car park."""

    id: str
    edge: str
    xy: np.ndarray
    carpark: str
    points: int
    point_kw: float
    parked: int


@dataclass(frozen=True)
class Sites:
    """Everything a sites file declares; empty when the pack has none."""

    exits: tuple[Exit, ...] = ()
    carparks: tuple[Carpark, ...] = ()
    chargers: tuple[Charger, ...] = ()
    car: str = _DEFAULT_TYPE
    electric: str = _DEFAULT_TYPE
    departures_from: time | None = None

    def begin_s(self, start: datetime, otherwise: int) -> int:
        """Return the departure second that `start` is: seconds since the clock time of departure 0."""
        if self.departures_from is None:
            return otherwise
        zero = datetime.combine(start.date(), self.departures_from, start.tzinfo)
        return round((start - zero).total_seconds()) % 86400


def unknown_types(path: Path | None, sites: Sites, types: frozenset[str]) -> list[Problem]:
    """Return what is wrong with the vehicle types the sites name, when cars could leave a car park."""
    named = dict.fromkeys((sites.car, sites.electric)) if sites.carparks else {}
    known = sorted({*types, _DEFAULT_TYPE})
    wrong = [name for name in named if name not in known]
    lines = path.read_text("utf-8").splitlines() if path and wrong else []
    at = {name: next((i for i, line in enumerate(lines, 1) if f'"{name}"' in line), 1) for name in wrong}
    return [Problem(nearest(name, known, what="vehicle type"), str(path), at[name]) for name in wrong]


class _Entries:
    """The entries of a sites file, with a problem for each that cannot be used."""

    def __init__(self, path: Path, text: str, document: Mapping[str, Any], edges: Mapping[str, np.ndarray]) -> None:
        self.path, self.text, self.document, self.edges = path, text, document, edges
        self.problems: list[Problem] = []
        self.taken: set[str] = set()

    def wrong(self, id: str, what: str) -> None:
        """Note a problem at the line where `id` stands."""
        at = self.text.find(f'"{id}"') if id else -1
        self.problems.append(Problem(what, str(self.path), self.text.count("\n", 0, at) + 1 if at >= 0 else 0))

    def each(self, key: str) -> list[dict[str, Any]]:
        """Return the usable entries under `key`: known edge, unique id."""
        found = self.document.get(key, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            self.wrong(key, f"'{key}' must be a list of objects")
            return []
        good = []
        for one in found:
            id, edge = str(one.get("id", "")), str(one.get("edge", ""))
            if not id or id in self.taken:
                self.wrong(id or key, f"{key}: id '{id}' is missing or occurs twice")
            elif edge not in self.edges:
                self.wrong(id, f"{key} '{id}': {nearest(edge, self.edges, what='edge')}")
            else:
                self.taken.add(id)
                good.append({**one, "id": id, "edge": edge})
        return good

    def number(self, one: Mapping[str, Any], key: str, default: float | None = None) -> float:
        """Return a finite number that is not negative, noting a problem (and giving 0) for anything else."""
        value = one.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LARGEST:
            self.wrong(one["id"], f"'{one['id']}': {key} must be a number of at least 0, not {value!r}; at most {LARGEST:,.0f}")
            return 0.0
        return float(value)

    def xy(self, one: Mapping[str, Any]) -> np.ndarray:
        """Return where an entry stands: its x and y, else the end of its edge; (1, 2) metres."""
        here = [one.get("x"), one.get("y")]
        if all(isinstance(v, (int, float)) and abs(v) < 1e8 for v in here):
            return np.array([here], dtype=float)
        if here != [None, None]:
            self.wrong(one["id"], f"'{one['id']}': x and y must be two numbers in metres, not {here}")
        return self.edges[one["edge"]][-1:].copy()


def read_sites(path: Path | None, edges: Mapping[str, np.ndarray]) -> tuple[Sites, list[Problem]]:
    """Read a sites file against the network's edges; returns it with everything wrong."""
    if path is None:
        return Sites(), []
    try:
        text = text_of(path, MAX_BYTES)
        document = json.loads(text)
    except InputError as error:
        return Sites(), error.problems
    except json.JSONDecodeError as error:
        return Sites(), [Problem(f"not whole JSON ({error.msg}); is the file truncated?", str(path), error.lineno)]
    except (OSError, ValueError, RecursionError) as error:
        return Sites(), [Problem(f"cannot be read: {error}", str(path), 1)]
    if not isinstance(document, dict):
        return Sites(), [Problem("expected an object with exits, carparks, chargers", str(path), 1)]
    entries = _Entries(path, text, document, edges)
    known = ("about", "car", "carparks", "chargers", "departures_from", "electric", "exits")
    for key in sorted(set(document).difference(known)):
        entries.wrong(key, nearest(key, known, what="key"))
    exits = tuple(Exit(one["id"], one["edge"], entries.number(one, "weight", 1.0)) for one in entries.each("exits"))
    carparks = tuple(Carpark(one["id"], one["edge"], entries.xy(one)) for one in entries.each("carparks"))
    chargers = tuple(_charger(one, entries) for one in entries.each("chargers"))
    parks = [park.id for park in carparks]
    for charger in chargers:
        if charger.carpark and charger.carpark not in parks:
            entries.wrong(charger.id, f"charger '{charger.id}': {nearest(charger.carpark, parks, what='car park')}")
    if carparks and not sum(one.weight for one in exits) > 0:
        entries.wrong("carparks", "car parks need at least one exit with a weight: nobody could drive home")
    zero = _clock(document.get("departures_from"), entries)
    car, electric = str(document.get("car", _DEFAULT_TYPE)), str(document.get("electric", _DEFAULT_TYPE))
    return Sites(exits, carparks, chargers, car, electric, zero), entries.problems


def _charger(one: Mapping[str, Any], entries: _Entries) -> Charger:
    points = int(entries.number(one, "points", 1))
    parked = min(int(entries.number(one, "parked", 0)), points)
    return Charger(
        one["id"], one["edge"], entries.xy(one), str(one.get("carpark", "")), points, entries.number(one, "point_kw", 7.0), parked
    )


def _clock(text: Any, entries: _Entries) -> time | None:
    if text is None:
        return None
    try:
        return time.fromisoformat(str(text))
    except ValueError:
        entries.wrong("departures_from", f"departures_from '{text}' is no time of day; write for example '20:00'")
        return None
