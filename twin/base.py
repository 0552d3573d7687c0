"""A pack's base, which every synthesised network is laid along: streets, buildings, places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from twin.ports import ElementSet


@dataclass(frozen=True)
class Place:
    """A point or outline of the city people know by name (from the pack's places.geojson)."""

    id: str
    kind: str
    name: Mapping[str, str]
    shape: np.ndarray
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Street:
    """One street between two crossings, both directions; `shape` is (k, 2) metres from start to end."""

    id: str
    start: str
    end: str
    shape: np.ndarray
    name: str
    rank: str
    """arterial, collector, local"""
    lanes: int
    """lanes each way"""
    speed_m_per_s: float


@dataclass(frozen=True)
class Building:
    """A footprint ring (k, 2) in metres, first point not repeated, and what stands on it."""

    id: str
    shape: np.ndarray
    height_m: float
    use: str
    floor_area_m2: float
    people: int
    """residents or workers there at the peak: what demand is made from"""


@dataclass(frozen=True)
class Base:
    """The ground every network shares; coordinates in metres of the pack's CRS."""

    name: str
    crs: str
    seed: int
    crossings: Mapping[str, np.ndarray]
    streets: tuple[Street, ...]
    buildings: tuple[Building, ...]
    places: tuple[Place, ...]

    def place(self, id: str) -> Place:
        """Return the place with this id; KeyError if there is none."""
        return next(place for place in self.places if place.id == id)


@dataclass(frozen=True)
class Need:
    """An element that wants something of a network laid later (a pump wants `supply` of `p_mw`)."""

    element: str
    kind: str
    xy: tuple[float, float]
    p_mw: float = 0.0
    critical: bool = False


@dataclass(frozen=True)
class Coupling:
    """A row of couplings.csv."""

    source: str
    source_element: str
    target: str
    target_element: str
    kind: str


@dataclass(frozen=True)
class Laid:
    """What a domain's synth made: its files (role -> name in the pack), elements, needs and rows.

    `by_street`: street id -> the ids of this network's elements along it (edges, pipes).
    `checks`: what was verified about the network and the figure found ("lowest pressure at peak": "31.2 m").
    `synthetic`: each invented figure and its value, for the pack's provenance.
    """

    files: Mapping[str, str]
    elements: Mapping[str, ElementSet]
    needs: tuple[Need, ...] = ()
    couplings: tuple[Coupling, ...] = ()
    by_street: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    checks: Mapping[str, str] = field(default_factory=dict)
    synthetic: Mapping[str, str] = field(default_factory=dict)


Synth = Callable[[Base, Mapping[str, Laid], Path, Mapping[str, Any]], Laid]
"""`synth(base, laid, folder, options)`: write this domain's files into `folder`; deterministic to the byte."""
