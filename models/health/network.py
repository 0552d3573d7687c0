"""Hospitals as arrays: read from hospitals.json, checked, indexed.

JSON: `hospitals` {id, x, y, beds, occupied (share), bays, waiting_places, walk_ins_per_day, generator_h, least_pressure_m}, `places`
{id, x, y}: where patients may come from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twin.errors import InputError, nearest
from twin.jsonfile import Document
from twin.ports import ElementSet

SECTIONS = ("about", "hospitals", "places")
FIGURES = {
    "beds": 0.0,
    "occupied": 0.85,
    "bays": 1.0,
    "waiting_places": 0.0,
    "walk_ins_per_day": 0.0,
    "generator_h": 0.0,
    "least_pressure_m": 14.0,
}
"""Figure -> its value where a hospital states none. Pressure: some 14 m carry water to a second storey (an MSEL's usual limit)."""
_MOST = 30


@dataclass(frozen=True)
class Network:
    """Hospitals and the places patients come from."""

    sets: Mapping[str, ElementSet]
    xy: np.ndarray
    """(hospital, 2) metres."""
    place_xy: np.ndarray
    """(place, 2) metres."""
    figures: Mapping[str, np.ndarray]
    """name -> (hospital,) of FIGURES."""

    def elements(self) -> Mapping[str, ElementSet]:
        """Return hospital, place and all."""
        return self.sets


def read(path: Path, offset_m: tuple[float, float] = (0.0, 0.0)) -> Network:
    """Read and check hospitals.json; InputError names every problem with file and line."""
    return _Reader(path, np.asarray(offset_m, float)).network()


class _Reader(Document):
    """Turns the document into checked arrays, collecting every problem before it gives up."""

    def __init__(self, path: Path, offset_m: np.ndarray) -> None:
        super().__init__(path, SECTIONS)
        self.offset_m = offset_m

    def number(self, one: Mapping[str, Any], key: str, default: float | None, least: float, most: float = 1e8) -> float:
        """Return a finite number between two bounds."""
        value = one.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or not least <= value <= most:
            self.wrong(str(one.get("id", "")), f"'{one.get('id')}': {key} must be a number from {least:g} to {most:g}, not {value!r}")
            return max(least, 0.0)
        return float(value)

    def network(self) -> Network:
        """Return the network, or raise with all that is wrong with it."""
        hospitals, places = self.named("hospitals"), self.named("places")
        known = {"id", "x", "y", *FIGURES}
        for one in hospitals:
            for key in sorted(set(one) - known):
                self.wrong(str(one.get("id", "")), f"'{one.get('id')}': {nearest(key, known, what='key')}")
        if not hospitals:
            self.wrong("hospitals", "hospitals: there is none; add one with id, x, y, beds and bays")
        least = {"bays": 1.0}
        figures = {
            name: np.array([self.number(one, name, default, least.get(name, 0.0), 1.0 if name == "occupied" else 1e6) for one in hospitals])
            for name, default in FIGURES.items()
        }
        xy, place_xy = (self._points(rows) for rows in (hospitals, places))
        if self.problems:
            raise InputError(self.problems[:_MOST])
        ids = tuple(str(one["id"]) for one in hospitals)
        sets = {
            "hospital": ElementSet(ids, list(xy[:, None, :]), label="hospitals"),
            "place": ElementSet(tuple(str(one["id"]) for one in places), list(place_xy[:, None, :]), label="places patients come from"),
            "all": ElementSet(("health",), label="all hospitals"),
        }
        return Network(sets, xy, place_xy, figures)

    def _points(self, rows: list[dict[str, Any]]) -> np.ndarray:
        points = [[self.number(one, axis, None, -1e8) for axis in ("x", "y")] for one in rows]
        return np.array(points, float).reshape(-1, 2) + self.offset_m
