"""Draws a schematic district: a rotated street grid cut by a river, and buildings in its blocks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from twin.base import Place, Street
from twin.errors import nearest

SPEED_KM_PER_H = {"arterial": 60.0, "collector": 40.0, "local": 30.0}
"""Synthetic: speed by rank where the pack gives none."""
LANES = {"arterial": 3, "collector": 2, "local": 1}
"""Synthetic: lanes each way by rank."""
HALF_WIDTH_M = {"arterial": 30.0, "collector": 22.0, "local": 16.0}
"""Synthetic: from the middle of a street to the front of the buildings, by rank."""
LEAST_APART_M = 80.0
"""Two parallel streets nearer than this would leave no block between them."""

Rank = Literal["arterial", "collector", "local"]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Line(_Spec):
    """A straight street right across the district, `at_m` from the origin."""

    at_m: float
    rank: Rank = "local"
    name: str = ""
    speed_km_per_h: float | None = Field(default=None, gt=0, le=120)
    lanes: int | None = Field(default=None, ge=1, le=6)


class Embankment(_Spec):
    """A street along a river's bank, at which the cross streets end; the river lies left of all avenues."""

    river: str
    setback_m: float = Field(default=90.0, ge=0, le=1000)
    rank: Rank = "arterial"
    name: str = ""


class Centre(_Spec):
    """The business centre, (along, across) the axis from the origin: offices, and taller ones nearer to it."""

    at_m: tuple[float, float]
    radius_m: float = Field(gt=0)


class BaseSpec(_Spec):
    """What streets and buildings are drawn from: the `base:` stanza of city.yaml."""

    seed: int = Field(ge=0)
    bearing_deg: float = Field(ge=-180, le=180)
    avenues: tuple[Line, ...] = Field(min_length=2, max_length=60)
    cross_streets: tuple[Line, ...] = Field(min_length=2, max_length=60)
    embankment: Embankment | None = None
    superblocks: tuple[str, ...] = ()
    local_streets_missing: float = Field(default=0.0, ge=0, le=0.3)
    centre: Centre
    residents: int = Field(ge=0)
    workers: int = Field(ge=0)

    @field_validator("avenues", "cross_streets")
    @classmethod
    def _apart(cls, lines: tuple[Line, ...], info: ValidationInfo) -> tuple[Line, ...]:
        sign, order = (1, "left to right, `at_m` rising") if info.field_name == "avenues" else (-1, "from the far end, `at_m` falling")
        for one, other in pairwise(lines):
            if sign * (other.at_m - one.at_m) < LEAST_APART_M:
                raise ValueError(f"{one.at_m:g} then {other.at_m:g}: list them {order}, at least {LEAST_APART_M:g} m apart")
        return lines


class Frame:
    """Turns (along the axis, across it to the right) into (east, north), metres."""

    def __init__(self, bearing_deg: float) -> None:
        self.sin, self.cos = math.sin(math.radians(bearing_deg)), math.cos(math.radians(bearing_deg))

    def east_north(self, along: Any, across: Any) -> np.ndarray:
        """Return points (k, 2) for arrays or numbers `along` and `across`."""
        along, across = np.broadcast_arrays(np.asarray(along, float), np.asarray(across, float))
        return np.stack([along * self.sin + across * self.cos, along * self.cos - across * self.sin], axis=-1)

    def along_across(self, xy: np.ndarray) -> np.ndarray:
        """Return (k, 2) points (along, across) of (east, north)."""
        return np.stack([xy[..., 0] * self.sin + xy[..., 1] * self.cos, xy[..., 0] * self.cos - xy[..., 1] * self.sin], axis=-1)


def unknown(spec: BaseSpec, places: Sequence[Place]) -> list[tuple[tuple[Any, ...], str]]:
    """Return what the stanza asks of the pack's places and they do not give: (path in the stanza, what)."""
    by_id = {place.id: place for place in places}
    named: list[tuple[tuple[Any, ...], str]] = [(("superblocks", i), id) for i, id in enumerate(spec.superblocks)]
    if spec.embankment is not None:
        named.append((("embankment", "river"), spec.embankment.river))
    wrong = []
    for path, id in named:
        if id not in by_id:
            wrong.append((path, nearest(id, by_id, what="place")))
        elif len(by_id[id].shape) < 3:
            wrong.append((path, f"place '{id}' is a point; an outline (Polygon) is needed"))
    return wrong


def streets(spec: BaseSpec, places: Sequence[Place]) -> tuple[Street, ...]:
    """Lay the streets between crossings: every line cut at each other, at the embankment and at superblocks."""
    frame = Frame(spec.bearing_deg)
    by_id = {place.id: place for place in places}
    quay = _Quay(spec.embankment, by_id, frame) if spec.embankment else None
    nodes = _crossings(spec, quay)
    laid = list(_along_cross_streets(spec, nodes)) + list(_along_avenues(spec, nodes))
    if quay is not None and spec.embankment is not None:
        ends = [node for node in nodes if node[1] == -1]
        line = Line(at_m=0, rank=spec.embankment.rank, name=spec.embankment.name)
        laid += [(a, b, line) for a, b in pairwise(sorted(ends, key=lambda node: -spec.cross_streets[node[0]].at_m))]
    laid = _thinned(spec, _outside(spec, by_id, frame, nodes, laid))
    return _named(laid, nodes, frame)


Node = tuple[int, int]
_Stretch = tuple[Node, Node, Line]


class _Quay:
    """Where the street along the river's bank meets each cross street."""

    def __init__(self, spec: Embankment, places: dict[str, Place], frame: Frame) -> None:
        import shapely

        self.shapely = shapely
        ring = frame.along_across(places[spec.river].shape)
        self.water = shapely.Polygon(ring).buffer(spec.setback_m, quad_segs=4)

    def across(self, along: float) -> float | None:
        """Return how far across the axis the quay lies on the cross street at `along`; None where there is no river."""
        line = self.shapely.LineString([(along, -50_000.0), (along, 50_000.0)])
        cut = line.intersection(self.water)
        return None if cut.is_empty else float(cut.bounds[3])


def _crossings(spec: BaseSpec, quay: _Quay | None) -> dict[Node, np.ndarray]:
    """Return (cross street, avenue) -> (along, across); avenue -1 is the embankment."""
    nodes = {}
    for i, street in enumerate(spec.cross_streets):
        bank = quay.across(street.at_m) if quay else None
        if bank is not None:
            nodes[(i, -1)] = np.array([street.at_m, bank])
        for j, avenue in enumerate(spec.avenues):
            if bank is None or avenue.at_m > bank + 130.0:
                nodes[(i, j)] = np.array([street.at_m, avenue.at_m])
    return nodes


def _along_cross_streets(spec: BaseSpec, nodes: dict[Node, np.ndarray]) -> Iterable[_Stretch]:
    for i, street in enumerate(spec.cross_streets):
        row = sorted((node for node in nodes if node[0] == i), key=lambda node: nodes[node][1])
        yield from ((a, b, street) for a, b in pairwise(row))


def _along_avenues(spec: BaseSpec, nodes: dict[Node, np.ndarray]) -> Iterable[_Stretch]:
    for j, avenue in enumerate(spec.avenues):
        column = sorted((node for node in nodes if node[1] == j), key=lambda node: node[0])
        yield from ((a, b, avenue) for a, b in pairwise(column) if b[0] == a[0] + 1)


def _outside(spec: BaseSpec, by_id: dict[str, Place], frame: Frame, nodes: dict[Node, np.ndarray], laid: list[_Stretch]) -> list[_Stretch]:
    """Leave out what would run through a superblock; a street along its edge stays."""
    import shapely

    voids = shapely.union_all([shapely.Polygon(frame.along_across(by_id[id].shape)).buffer(-20.0) for id in spec.superblocks])
    return [one for one in laid if not voids.intersects(shapely.Point((nodes[one[0]] + nodes[one[1]]) / 2))]


def _thinned(spec: BaseSpec, laid: list[_Stretch]) -> list[_Stretch]:
    """Leave out some local streets, as real grids do, where both crossings keep three others."""
    rng = np.random.default_rng([spec.seed, *b"base", 1])
    degree: Counter[Node] = Counter(node for a, b, _ in laid for node in (a, b))
    kept = []
    for a, b, line in laid:
        drop = rng.random() < spec.local_streets_missing
        if drop and line.rank == "local" and min(degree[a], degree[b]) > 3:
            degree.subtract((a, b))
        else:
            kept.append((a, b, line))
    return kept


def _named(laid: list[_Stretch], nodes: dict[Node, np.ndarray], frame: Frame) -> tuple[Street, ...]:
    found = []
    for number, (a, b, line) in enumerate(laid, 1):
        speed = (line.speed_km_per_h or SPEED_KM_PER_H[line.rank]) / 3.6
        found.append(
            Street(
                id=f"S{number:04d}",
                start=_crossing_id(a),
                end=_crossing_id(b),
                shape=np.round(frame.east_north(*np.transpose([nodes[a], nodes[b]])), 2),
                name=line.name or (f"Street {a[0] + 1}" if a[0] == b[0] else f"Lane {a[1] + 1}"),
                rank=line.rank,
                lanes=line.lanes or LANES[line.rank],
                speed_m_per_s=round(speed, 2),
            )
        )
    return tuple(found)


def _crossing_id(node: Node) -> str:
    return f"X{node[0] + 1:02d}{node[1] + 1:02d}"
