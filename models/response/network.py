"""Depots, crews, hospitals and streets as arrays: read from response.json, checked, indexed.

JSON: `centre` {id, x, y, dispatchers}, `depots` {id, x, y, units: {skill: number}}, `hospitals` {id, x, y, capacity}, `streets` {ids:
[there, back] (the road edges; one id: one way), from, to, speed_m_per_s, line: [[x, y], ...]}. Units are numbered by skill:
`fire_1`, `fire_2`, ... in the order of the depots; a depot may name them instead: `units: [{id: engine_7, skill: fire}, ...]`.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twin.errors import InputError, nearest
from twin.jsonfile import Document
from twin.ports import ElementSet

SKILLS = ("power", "water", "gas", "fire", "ambulance", "police", "bus")
"""What a crew can do; the order is the code of a unit's class in records of kind `blue`."""
MOST_UNITS = 5000
_SECTIONS = ("about", "centre", "depots", "hospitals", "streets")
_MOST = 30


@dataclass(frozen=True)
class Network:
    """Where crews live, what streets they drive on; a spot is one direction of a street, and stands for its middle."""

    sets: Mapping[str, ElementSet]
    unit_skill: np.ndarray
    unit_depot: np.ndarray
    depot_xy: np.ndarray
    hospital_xy: np.ndarray
    capacity: np.ndarray
    """(hospital,) patients an emergency department takes at once."""
    dispatchers: int
    spot_street: np.ndarray
    spot_ends: np.ndarray
    """(spot, 2) crossings: from, to."""
    free_s: np.ndarray
    """(spot,) seconds to drive along at the speed limit."""
    spot_shapes: tuple[np.ndarray, ...]
    """(spot) line (k, 2) in the direction of driving."""

    def elements(self) -> Mapping[str, ElementSet]:
        """Return unit, depot, hospital, spot, skill and centre."""
        return self.sets


def read(path: Path, offset_m: tuple[float, float] = (0.0, 0.0)) -> Network:
    """Read and check response.json; InputError names every problem with file and line."""
    return _Reader(path, np.asarray(offset_m, float)).network()


class _Reader(Document):
    """Turns the document into checked arrays, collecting every problem before it gives up."""

    def __init__(self, path: Path, offset_m: np.ndarray) -> None:
        super().__init__(path, _SECTIONS)
        self.offset_m = offset_m

    def ids(self, section: str, rows: list[dict[str, Any]]) -> tuple[str, ...]:
        """Return the ids of a section's objects, each its own."""
        names = [one.get("id") for one in rows]
        for name, count in Counter(map(str, names)).items():
            if count > 1:
                self.wrong(name, f"{section}: id '{name}' occurs {count} times")
        for name in names:
            if not isinstance(name, str) or not name:
                self.wrong(section, f"{section}: id {name!r} is no text")
        return tuple(map(str, names))

    def number(self, one: Mapping[str, Any], key: str, least: float, most: float = 1e8, default: float | None = None) -> float:
        """Return a finite number between two bounds."""
        value = one.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or not least <= value <= most:
            name = str(one.get("id") or one.get("from") or key)
            self.wrong(name, f"'{name}': {key} must be a number from {least:g} to {most:g}, not {value!r}")
            return max(least, 1.0)
        return float(value)

    def points(self, rows: list[dict[str, Any]]) -> np.ndarray:
        """Return (row, 2) metres."""
        return np.array([[self.number(one, axis, -1e8) for axis in ("x", "y")] for one in rows], float).reshape(-1, 2) + self.offset_m

    def network(self) -> Network:
        """Return the network, or raise with all that is wrong with it."""
        centre = self.document.get("centre")
        if not isinstance(centre, dict) or not isinstance(centre.get("id"), str):
            self.wrong("centre", "'centre' must be an object with id, x, y, dispatchers: the command centre")
            centre = {"id": "centre", "x": 0.0, "y": 0.0, "dispatchers": 1}
        depots, hospitals = self.each("depots"), self.each("hospitals")
        names, clinics = self.ids("depots", depots), self.ids("hospitals", hospitals)
        skill, depot, units = self._units(depots)
        spots = self._spots()
        depot_xy, hospital_xy, centre_xy = self.points(depots), self.points(hospitals), self.points([centre])
        capacity = np.array([self.number(one, "capacity", 1, 1e6, 50.0) for one in hospitals], float)
        dispatchers = int(self.number(centre, "dispatchers", 0, 1000, 4.0))
        if self.problems:
            raise InputError(self.problems[:_MOST])
        sets = {
            "unit": ElementSet(units, [depot_xy[at][None] for at in depot.tolist()], label="crews and vehicles"),
            "depot": ElementSet(names, list(depot_xy[:, None, :]), label="depots"),
            "hospital": ElementSet(clinics, list(hospital_xy[:, None, :]), label="hospitals served"),
            "spot": ElementSet(spots[0], spots[4], label="streets crews drive on"),
            "skill": ElementSet(SKILLS, [centre_xy] * len(SKILLS), label="kinds of crews"),
            "centre": ElementSet((str(centre["id"]),), [centre_xy], label="command centre"),
        }
        return Network(sets, skill, depot, depot_xy, hospital_xy, capacity, dispatchers, spots[1], spots[2], spots[3], spots[4])

    def _units(self, depots: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        """Return (unit,) skills and depots, in this order, and the units' ids."""
        rows = [(skill, at, id) for at, depot in enumerate(depots) for skill, id in self._of_depot(depot)]
        if not 0 < len(rows) <= MOST_UNITS:
            self.wrong("depots", f"depots: {len(rows)} units in all; there must be 1 to {MOST_UNITS}")
        rows.sort(key=lambda one: one[:2])
        numbers = [itertools.count(1) for _ in SKILLS]
        ids = tuple(id or f"{SKILLS[skill]}_{next(numbers[skill])}" for skill, _, id in rows)
        for id, count in Counter(ids).items():
            if count > 1:
                self.wrong(id, f"depots: unit '{id}' occurs {count} times")
        array = np.array([one[:2] for one in rows] or [(0, 0)], int)
        return array[:, 0], array[:, 1], ids

    def _of_depot(self, depot: Mapping[str, Any]) -> list[tuple[int, str]]:
        """Return the skill and id of each unit of a depot; no id where it only says how many."""
        units, name = depot.get("units", {}), str(depot.get("id"))
        rows: list[tuple[int, str]] = []
        if isinstance(units, list) and not all(isinstance(one, dict) and one.get("id") and {*one} == {"id", "skill"} for one in units):
            self.wrong(name, f"depot '{name}': write units as {{fire: 2}} or [{{id: engine_7, skill: fire}}]")
            return rows
        pairs = (
            [(one["skill"], str(one["id"])) for one in units]
            if isinstance(units, list)
            else list(units.items() if isinstance(units, dict) else ())
        )
        for skill, told in pairs:
            if skill not in SKILLS:
                self.wrong(name, f"depot '{name}': {nearest(str(skill), SKILLS, what='skill')}")
            elif isinstance(told, str) and isinstance(units, list):
                rows.append((SKILLS.index(skill), told))
            elif not isinstance(told, int) or isinstance(told, bool) or not 0 <= told <= MOST_UNITS:
                self.wrong(name, f"depot '{name}': {skill} must be a whole number up to {MOST_UNITS}")
            else:
                rows += [(SKILLS.index(skill), "")] * told
        return rows

    def _spots(self) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
        ids: list[str] = []
        street, ends, free_s, shapes = [], [], [], []
        crossings: dict[str, int] = {}
        for number, one in enumerate(self.each("streets")):
            names, speed = one.get("ids"), self.number(one, "speed_m_per_s", 0.1, 100.0)
            line = self._line(one)
            if not isinstance(names, list) or len(names) not in (1, 2) or not all(isinstance(name, str) and name for name in names):
                self.wrong(str(one.get("from", "streets")), f"street {number + 1}: ids must be one or two names, not {names!r}")
                continue
            a, b = (crossings.setdefault(str(one.get(end)), len(crossings)) for end in ("from", "to"))
            length_m = float(np.hypot(*np.diff(line, axis=0).T).sum())
            for name, pair, shape in zip(names, ((a, b), (b, a)), (line, line[::-1]), strict=False):
                ids.append(name)
                street.append(number)
                ends.append(pair)
                free_s.append(max(length_m, 0.1) / speed)
                shapes.append(shape)
        for name, count in Counter(ids).items():
            if count > 1:
                self.wrong(name, f"streets: id '{name}' occurs {count} times")
        if not ids:
            self.wrong("streets", "streets: there is none for crews to drive on")
        return tuple(ids), np.array(street, int), np.array(ends, int).reshape(-1, 2), np.array(free_s, float), tuple(shapes)

    def _line(self, one: Mapping[str, Any]) -> np.ndarray:
        try:
            line = np.asarray(one.get("line"), float)
        except (TypeError, ValueError):
            line = np.empty(0)
        if line.ndim != 2 or line.shape[1] != 2 or len(line) < 2 or not (np.abs(line) < 1e8).all():
            self.wrong(str(one.get("from", "")), f"street {one.get('ids')}: line must be two or more points [x, y] in metres")
            return np.zeros((2, 2))
        return line + self.offset_m
