"""The walking ground of a venue and its ways home: read from crowd.json, checked, indexed; needs no engine."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from twin.errors import SHOWN_PROBLEMS, InputError, Problem, nearest
from twin.jsonfile import text_of
from twin.ports import ElementSet

GREEN_GUIDE_LEVEL = 82.0
"""People per metre and minute on the level (Guide to Safety at Sports Grounds)."""
GREEN_GUIDE_STEPPED = 66.0
"""People per metre and minute on stairs and in seating rows (the same guide)."""
MOST_PEOPLE = 500_000
WIDEST_M = 10_000.0
"""A walking ground may be so far across; all of it is a raster in memory."""

_XY = tuple[float, float]
_Positive = Field(gt=0, allow_inf_nan=False)


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Named(_Row):
    id: str = Field(min_length=1, max_length=80)
    name: dict[str, str] = {}


class Patch(_Row):
    """A ring of ground people can walk on; the walking ground is the union of all patches."""

    ring: list[_XY] = Field(min_length=3)


class Obstacle(_Row):
    """A ring nobody can walk on (a building), taken out of the ground."""

    id: str = ""
    ring: list[_XY] = Field(min_length=3)


class Area(_Named):
    """A part of the ground that is counted: concourse, plaza, street, forecourt or platform."""

    kind: Literal["concourse", "plaza", "street", "forecourt", "platform"]
    ring: list[_XY] = Field(min_length=3)


class Gate(_Named):
    """A passage of limited flow: its line is as wide as it is, its flow per metre and minute.

    One of role `way` (the end of a footbridge, a narrows) belongs to no venue and no station; its inside is to its left.
    """

    line: tuple[_XY, _XY]
    role: Literal["venue", "station", "way"] = "venue"
    flow_per_m_min: float = Field(GREEN_GUIDE_LEVEL, gt=0)

    @property
    def width_m(self) -> float:
        """Clear width in metres."""
        return float(np.hypot(self.line[1][0] - self.line[0][0], self.line[1][1] - self.line[0][1]))

    @property
    def flow_per_s(self) -> float:
        """Capacity in people per second."""
        return self.width_m * self.flow_per_m_min / 60.0


class Station(_Named):
    """Where people board: a platform behind an entry gate; `doors` are the strips where people stand at the vehicles.

    A vehicle with room for `capacity` comes on each of `tracks` every `headway_s`, stays `dwell_s`, and takes
    `boarding_per_s` people through all its doors. The entry holds people back above `limit_per_m2` on the platform.
    """

    kind: Literal["metro", "coach"]
    platform: str
    entry: str
    doors: list[Annotated[list[_XY], Field(min_length=3)]] = Field(min_length=1)
    capacity: int = Field(gt=0)
    headway_s: int = Field(gt=0)
    tracks: int = Field(1, ge=1, le=8)
    dwell_s: int = Field(gt=0)
    boarding_per_s: float = _Positive
    limit_per_m2: float = Field(3.0, gt=0)
    p_mw: float = Field(0.0, ge=0)


class CarPark(_Named):
    """Where people find their cars: the ring they walk to, cars it holds, cars per second its exit passes."""

    ring: list[_XY] = Field(min_length=3)
    spaces: int = Field(gt=0)
    exit_per_s: float = _Positive


class Exit(_Named):
    """Where people on foot leave the walking ground."""

    ring: list[_XY] = Field(min_length=3)


class Sector(_Named):
    """Seats of the venue; people come out at `mouths` onto the concourse `area` through `width_m` of stairs."""

    seats: int = Field(ge=0, le=MOST_PEOPLE)
    area: str
    mouths: list[_XY] = Field(min_length=1)
    width_m: float = _Positive

    @property
    def flow_per_s(self) -> float:
        """People per second that the sector's stairs pass."""
        return self.width_m * GREEN_GUIDE_STEPPED / 60.0


class _Schema(_Row):
    format: Literal["crowd 1"]
    provenance: str = ""
    ground: list[Patch] = Field(min_length=1)
    obstacles: list[Obstacle] = Field([], max_length=10_000)
    areas: list[Area] = Field(min_length=1)
    gates: list[Gate] = Field(min_length=1)
    stations: list[Station] = []
    carparks: list[CarPark] = []
    exits: list[Exit] = []
    sectors: list[Sector] = Field(min_length=1)


@dataclass(frozen=True)
class CrowdNetwork:
    """Everything crowd.json says, in its order; coordinates in metres of the file, shapes shown with `offset_m`."""

    ground: tuple[np.ndarray, ...]
    obstacles: tuple[np.ndarray, ...]
    areas: tuple[Area, ...]
    gates: tuple[Gate, ...]
    stations: tuple[Station, ...]
    carparks: tuple[CarPark, ...]
    exits: tuple[Exit, ...]
    sectors: tuple[Sector, ...]
    offset_m: tuple[float, float] = (0.0, 0.0)
    provenance: str = ""
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    barred: tuple[np.ndarray, ...] = ()
    """rings that people are kept off this evening"""
    bridges: tuple[np.ndarray, ...] = ()
    """decks over all that is in their way"""

    @property
    def seats(self) -> int:
        """Seats in all sectors."""
        return sum(sector.seats for sector in self.sectors)

    def elements(self) -> dict[str, ElementSet]:
        """Return the element sets: area, gate, station, carpark, exit, sector and `all` (the whole ground)."""
        ring_of = {area.id: area.ring for area in self.areas}
        every = np.concatenate(self.ground)
        low, high = every.min(0), every.max(0)
        box = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
        return {
            "area": self._set([a.id for a in self.areas], [a.ring for a in self.areas], label="areas"),
            "gate": self._set([g.id for g in self.gates], [g.line for g in self.gates], closed=False, label="gates"),
            "station": self._set([s.id for s in self.stations], [ring_of[s.platform] for s in self.stations], label="stations"),
            "carpark": self._set([c.id for c in self.carparks], [c.ring for c in self.carparks], label="car parks"),
            "exit": self._set([e.id for e in self.exits], [e.ring for e in self.exits], label="ways out on foot"),
            "sector": self._set([s.id for s in self.sectors], [ring_of[s.area] for s in self.sectors], label="seating sectors"),
            "all": self._set(["everybody"], [box], label="everybody"),
        }

    def _set(self, ids: Sequence[str], shapes: Sequence[Any], *, closed: bool = True, label: str = "") -> ElementSet:
        moved = tuple(np.asarray(shape, float) + np.asarray(self.offset_m) for shape in shapes)
        return ElementSet(tuple(ids), moved, closed=closed, label=label)


def read(path: Path, offset_m: tuple[float, float] = (0.0, 0.0)) -> CrowdNetwork:
    """Read and check crowd.json; InputError lists every problem of the file with its line."""
    data, lines = _load(path)
    try:
        parsed = _Schema.model_validate(data)
    except ValidationError as error:
        raise InputError([Problem(_said(one), str(path), lines(one["loc"])) for one in error.errors()[:SHOWN_PROBLEMS]]) from None
    problems = [Problem(what, str(path), lines(where)) for where, what in itertools.islice(_wrong(parsed), SHOWN_PROBLEMS)]
    if problems:
        raise InputError(problems)
    return CrowdNetwork(
        ground=tuple(np.asarray(patch.ring, float) for patch in parsed.ground),
        obstacles=tuple(np.asarray(block.ring, float) for block in parsed.obstacles),
        areas=tuple(parsed.areas),
        gates=tuple(parsed.gates),
        stations=tuple(parsed.stations),
        carparks=tuple(parsed.carparks),
        exits=tuple(parsed.exits),
        sectors=tuple(parsed.sectors),
        offset_m=offset_m,
        provenance=parsed.provenance,
        names={row.id: row.name for rows in (parsed.areas, parsed.gates, parsed.stations, parsed.carparks) for row in rows if row.name},
    )


def _said(one: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in one["loc"])
    return f"{where}: {one['msg'].removeprefix('Value error, ')}" if where else str(one["msg"])


def _load(path: Path) -> tuple[Any, Any]:
    """Return the document and a function from a location (section, index) to its line."""
    text = text_of(path)
    try:
        data, at = _located(text)
    except json.JSONDecodeError as error:
        raise InputError([Problem(f"no JSON: {error.msg}", str(path), error.lineno)]) from None
    except (RecursionError, ValueError):  # too deep, or a number of thousands of digits
        raise InputError([Problem("nested too deeply, or with numbers too long", str(path), 1)]) from None

    def line(where: Sequence[Any]) -> int:
        place = at.get(tuple(where[:2]), at.get(tuple(where[:1]), 0))
        return text.count("\n", 0, place) + 1

    return data, line


_SPACE = re.compile(r"[ \t\r\n]*")


def _located(text: str) -> tuple[dict[str, Any], dict[tuple[Any, ...], int]]:
    """Parse a JSON object whose values are lists, keeping where each key and each list's item begins."""
    decoder = json.JSONDecoder(parse_constant=_refuse)
    data: dict[str, Any] = {}
    at: dict[tuple[Any, ...], int] = {}
    place = _expect(text, 0, "{")
    while text[place : place + 1] != "}":
        start = place
        key, place = decoder.raw_decode(text, place)
        if not isinstance(key, str) or key in data:
            raise json.JSONDecodeError(f"'{key}' stands twice or is no name", text, start)
        at[(key,)] = start
        place = _expect(text, place, ":")
        if text[place : place + 1] == "[":
            data[key], place = _items(decoder, text, place, key, at)
        else:
            data[key], place = decoder.raw_decode(text, place)
        place = _skip(text, place)
        place = _skip(text, place + 1) if text[place : place + 1] == "," else place
        if not text[place : place + 1]:
            raise json.JSONDecodeError("the file ends before its object does", text, len(text))
    if _skip(text, place + 1) != len(text):
        raise json.JSONDecodeError("more text after the object's end", text, place + 1)
    return data, at


def _items(decoder: json.JSONDecoder, text: str, place: int, key: str, at: dict[tuple[Any, ...], int]) -> tuple[list[Any], int]:
    items: list[Any] = []
    place = _skip(text, place + 1)
    while text[place : place + 1] != "]":
        at[(key, len(items))] = place
        item, place = decoder.raw_decode(text, place)
        items.append(item)
        place = _skip(text, place)
        if text[place : place + 1] == ",":
            place = _skip(text, place + 1)
        elif text[place : place + 1] != "]":
            raise json.JSONDecodeError(f"the list '{key}' is not closed", text, place)
    return items, place + 1


def _refuse(name: str) -> float:
    raise json.JSONDecodeError(f"{name} is no number", name, 0)


def _skip(text: str, place: int) -> int:
    return _SPACE.match(text, place).end()  # type: ignore[union-attr]


def _expect(text: str, place: int, sign: str) -> int:
    place = _skip(text, place)
    if text[place : place + 1] != sign:
        raise json.JSONDecodeError(f"expected '{sign}'", text, place)
    return _skip(text, place + 1)


def _wrong(parsed: _Schema) -> Iterable[tuple[tuple[str, int], str]]:
    """Yield (section, index) and what is wrong across rows: ids, references, geometry, service."""
    for section in ("areas", "gates", "stations", "carparks", "exits", "sectors"):
        seen: set[str] = set()
        for i, row in enumerate(getattr(parsed, section)):
            if row.id in seen:
                yield (section, i), f"the id '{row.id}' stands twice in {section}"
            seen.add(row.id)
    areas = {area.id: area for area in parsed.areas}
    gates = {gate.id: gate for gate in parsed.gates}
    yield from _wrong_references(parsed, areas, gates)
    yield from _wrong_geometry(parsed)
    if not any(gate.role == "venue" for gate in parsed.gates):
        yield ("gates", 0), "no gate with role 'venue': people could not leave"
    if (seats := sum(sector.seats for sector in parsed.sectors)) > MOST_PEOPLE:
        yield ("sectors", 0), f"{seats:,} seats in all; at most {MOST_PEOPLE:,}"
    if not (parsed.stations or parsed.carparks or parsed.exits):
        yield ("sectors", 0), "no station, car park or exit: people would have nowhere to go"


def _wrong_references(parsed: _Schema, areas: Mapping[str, Area], gates: Mapping[str, Gate]) -> Iterable[tuple[tuple[str, int], str]]:
    for i, station in enumerate(parsed.stations):
        if station.platform not in areas:
            yield ("stations", i), f"{station.id}: " + nearest(station.platform, areas, what="area")
        elif areas[station.platform].kind != "platform":
            yield ("stations", i), f"{station.id}: area '{station.platform}' is a {areas[station.platform].kind}, not a platform"
        if station.entry not in gates:
            yield ("stations", i), f"{station.id}: " + nearest(station.entry, gates, what="gate")
        elif gates[station.entry].role != "station":
            yield ("stations", i), f"{station.id}: gate '{station.entry}' must have role 'station'"
        if station.dwell_s > station.headway_s / station.tracks:
            yield (
                ("stations", i),
                f"{station.id}: stops for {station.dwell_s} s but one comes every {station.headway_s / station.tracks:g} s",
            )
    for i, sector in enumerate(parsed.sectors):
        if sector.area not in areas:
            yield ("sectors", i), f"{sector.id}: " + nearest(sector.area, areas, what="area")


def _wrong_geometry(parsed: _Schema) -> Iterable[tuple[tuple[str, int], str]]:
    low, high = np.inf, -np.inf
    for i, patch in enumerate(parsed.ground):
        ring = np.asarray(patch.ring)
        low, high = np.minimum(low, ring.min(axis=0)), np.maximum(high, ring.max(axis=0))
        if (high - low > WIDEST_M).any():
            yield ("ground", i), f"the walking ground is more than {WIDEST_M / 1000:g} km across"
            return
    for section in ("ground", "obstacles", "areas", "carparks", "exits"):
        for i, row in enumerate(getattr(parsed, section)):
            if abs(ring_area_m2(np.asarray(row.ring))) < 1e-3:
                yield (section, i), f"{getattr(row, 'id', '') or section}: the ring encloses nothing"
    ground = [np.asarray(patch.ring) for patch in parsed.ground]
    blocks = [np.asarray(block.ring) for block in parsed.obstacles]
    spots = list(_must_walk(parsed))
    every, of = np.concatenate([xy for *_, xy in spots]), np.repeat(np.arange(len(spots)), [len(xy) for *_, xy in spots])
    off, blocked = set(of[~inside(every, ground)].tolist()), set(of[inside(every, blocks)].tolist())
    for number, (section, i, what, _) in enumerate(spots):
        if number in off:
            yield (section, i), f"{what} lies off the walking ground"
        elif number in blocked:
            yield (section, i), f"{what} lies in an obstacle"
    for i, gate in enumerate(parsed.gates):
        if gate.width_m < 0.5:
            yield ("gates", i), f"gate {gate.id} is {gate.width_m:.2f} m wide; nobody passes less than 0.5 m"


def _must_walk(parsed: _Schema) -> Iterable[tuple[str, int, str, np.ndarray]]:
    for i, gate in enumerate(parsed.gates):
        yield "gates", i, f"the middle of gate {gate.id}", np.mean(gate.line, axis=0, keepdims=True)
    for i, station in enumerate(parsed.stations):
        yield "stations", i, f"a door of {station.id}", np.array([np.mean(ring, axis=0) for ring in station.doors])
    for i, park in enumerate(parsed.carparks):
        yield "carparks", i, f"the middle of car park {park.id}", np.mean(park.ring, axis=0, keepdims=True)
    for i, way in enumerate(parsed.exits):
        yield "exits", i, f"the middle of exit {way.id}", np.mean(way.ring, axis=0, keepdims=True)
    for i, sector in enumerate(parsed.sectors):
        yield "sectors", i, f"a mouth of sector {sector.id}", np.asarray(sector.mouths, float)


def ring_area_m2(ring: np.ndarray) -> float:
    """Return the signed area of a ring (shoelace; anticlockwise is positive)."""
    x, y = ring[:, 0] - ring[0, 0], ring[:, 1] - ring[0, 1]
    return 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def inside(xy: np.ndarray, rings: Iterable[np.ndarray]) -> np.ndarray:
    """Say of each point (n, 2) whether it lies in any of the rings (ray casting)."""
    found = np.zeros(len(xy), bool)
    for ring in rings:
        low, high = ring.min(0), ring.max(0)
        near = ~found & (xy >= low).all(1) & (xy <= high).all(1)
        if near.any():
            found[near] = _in_ring(xy[near], ring)
    return found


def _in_ring(xy: np.ndarray, ring: np.ndarray) -> np.ndarray:
    x0, y0 = ring[:, 0], ring[:, 1]
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    x, y = xy[:, :1], xy[:, 1:]
    crosses = (y0 <= y) != (y1 <= y)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = x < x0 + (y - y0) / (y1 - y0) * (x1 - x0)
    return (crosses & left).sum(1) % 2 == 1
