"""Fills the blocks between the streets with buildings: rows of flats, offices, shops, schools, hospitals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.base import Building, Place, Street
from twin.schematic import HALF_WIDTH_M, BaseSpec, Frame

if TYPE_CHECKING:
    from shapely import Polygon

STOREY_M = {"residential": 3.0, "office": 4.0, "commercial": 5.0, "school": 3.8, "hospital": 4.0, "venue": 10.0}
"""Synthetic: height of a storey by use."""
NET_AREA = 0.8
"""Synthetic: floor area over footprint times storeys."""
VENUE_M2_PER_WORKER = 400.0
"""Synthetic: floor area per person who works in a venue outside events."""
MARGIN_M = 12.0
"""Synthetic: least distance of a building from a landmark's footprint or a point place."""


@dataclass(frozen=True)
class _Kind:
    """How a block of one use is built: lots (across x along the axis), building share of a lot, storeys, share built."""

    use: str
    lot_m: tuple[float, float]
    building_m: tuple[float, float]
    storeys: tuple[int, int]
    built: float


FLATS_LOW = _Kind("residential", (62.0, 40.0), (50.0, 12.0), (5, 6), 0.92)
FLATS_MID = _Kind("residential", (60.0, 52.0), (42.0, 13.0), (7, 11), 0.85)
FLATS_HIGH = _Kind("residential", (72.0, 70.0), (26.0, 20.0), (18, 28), 0.75)
OFFICES = _Kind("office", (74.0, 74.0), (44.0, 44.0), (12, 30), 0.8)
SHOPS = _Kind("commercial", (80.0, 64.0), (66.0, 48.0), (3, 7), 0.75)
SCHOOL = _Kind("school", (84.0, 60.0), (66.0, 18.0), (3, 5), 0.6)
HOSPITAL = _Kind("hospital", (78.0, 62.0), (58.0, 24.0), (6, 16), 0.8)
"""Synthetic: lots, footprints (m), storeys and share of lots built, by use."""


def buildings(spec: BaseSpec, places: Sequence[Place], streets: Sequence[Street]) -> tuple[Building, ...]:
    """Fill the blocks, add the landmarks, and give residents and workers to floors; deterministic in `spec.seed`."""
    frame = Frame(spec.bearing_deg)
    rng = np.random.default_rng([spec.seed, *b"base", 2])
    landmarks = list(_landmarks(places, frame))
    found = list(landmarks)
    for block in _blocks(streets, places, landmarks, frame):
        kind = _kind(block, spec, places, frame, rng)
        if kind is not None:
            found += _fill(block, kind, spec, frame, rng)
    return _peopled([replace(one, id=f"B{number:04d}") if not one.id else one for number, one in enumerate(found, 1)], spec)


def _blocks(streets: Sequence[Street], places: Sequence[Place], landmarks: Sequence[Building], frame: Frame) -> list[Polygon]:
    """Return the buildable ground of each block as polygons in (along, across), ordered by their centre."""
    import shapely

    roads = [shapely.LineString(frame.along_across(s.shape)).buffer(HALF_WIDTH_M[s.rank], quad_segs=2) for s in streets]
    inside = [shapely.Polygon(ring) for ring in shapely.union_all(roads).interiors]
    keep_off = [shapely.Polygon(frame.along_across(b.shape)).buffer(MARGIN_M) for b in landmarks]
    for place in places:
        if place.kind in ("superblock", "plaza", "park", "river"):
            keep_off.append(shapely.Polygon(frame.along_across(place.shape)))
        elif len(place.shape) == 1:
            keep_off.append(shapely.Point(frame.along_across(place.shape)[0]).buffer(_room(place)))
    free = [part for block in inside for part in _parts(block.difference(shapely.union_all(keep_off)))]
    return sorted((part for part in free if part.area > 1500.0), key=lambda part: (round(part.centroid.x), round(part.centroid.y)))


def _parts(shape: Any) -> list[Polygon]:
    return [part for part in getattr(shape, "geoms", [shape]) if part.geom_type == "Polygon"]


def _room(place: Place) -> float:
    """Return how far buildings keep from a point place, m: car parks and works need ground (30 m2 a car)."""
    if place.kind == "carpark":
        return math.sqrt(30.0 * float(place.properties.get("capacity", 100)) / math.pi)
    return {"waterworks": 90.0, "gas_plant": 80.0, "substation": 40.0, "water_tower": 30.0, "city_gate": 30.0}.get(place.kind, MARGIN_M)


def _landmarks(places: Sequence[Place], frame: Frame) -> Iterator[Building]:
    """Make a building of each place that says its footprint (along, across the axis): a stadium is an ellipse."""
    turn = np.linspace(0.0, 2.0 * math.pi, 48, endpoint=False)
    for place in places:
        if "footprint_m" not in place.properties:
            continue
        along, across = (float(size) / 2 for size in place.properties["footprint_m"])
        if place.kind == "stadium":
            ring = frame.east_north(along * np.cos(turn), across * np.sin(turn))
        else:
            ring = frame.east_north([-along, along, along, -along], [-across, -across, across, across])
        height = float(place.properties.get("height_m", 15.0))
        area = math.pi * along * across if place.kind == "stadium" else 4 * along * across
        yield Building(
            f"B_{place.id}",
            np.round(place.shape[0] + ring, 2),
            height,
            "venue",
            round(area * max(1, height // STOREY_M["venue"]) * NET_AREA),
            0,
        )


def _kind(block: Polygon, spec: BaseSpec, places: Sequence[Place], frame: Frame, rng: np.random.Generator) -> _Kind | None:
    """Choose how a block is built, by what stands in it, else by its distance from the centre; None leaves it green."""
    import shapely

    draw = rng.random()
    middle = np.array([block.centroid.x, block.centroid.y])
    for place in places:
        if place.kind == "hospital" and block.buffer(40.0).contains(shapely.Point(frame.along_across(place.shape)[0])):
            return HOSPITAL
        if place.kind == "village" and shapely.Polygon(frame.along_across(place.shape)).contains(shapely.Point(middle)):
            return FLATS_MID
    distance = float(np.hypot(*(middle - np.array(spec.centre.at_m)))) / spec.centre.radius_m
    if distance < 1.0:
        return OFFICES if draw < 0.75 else SHOPS
    work = 0.5 / distance**2
    shares = (
        (0.07, None),
        (0.05, SCHOOL),
        (0.04, SHOPS),
        (max(0.0, work - 0.04), OFFICES),
        (0.4 * (0.88 - work), FLATS_MID),
        (0.2, FLATS_HIGH),
    )
    ends = np.cumsum([share for share, _ in shares])
    return next((kind for end, (_, kind) in zip(ends, shares, strict=True) if draw < end), FLATS_LOW)


def _fill(block: Polygon, kind: _Kind, spec: BaseSpec, frame: Frame, rng: np.random.Generator) -> Iterator[Building]:
    """Place rectangles and U-shaped courts on a grid of lots, where they fit inside the block."""
    import shapely

    low_along, low_across, high_along, high_across = block.bounds
    rows, columns = (
        max(1, int(span // lot)) for span, lot in zip((high_along - low_along, high_across - low_across), kind.lot_m[::-1], strict=True)
    )
    for row in range(rows):
        for column in range(columns):
            centre = np.array(
                [
                    low_along + (row + 0.5) * (high_along - low_along) / rows,
                    low_across + (column + 0.5) * (high_across - low_across) / columns,
                ]
            )
            built, storeys, court = rng.random() < kind.built, int(rng.integers(kind.storeys[0], kind.storeys[1] + 1)), rng.random() < 0.25
            across, along = np.array(kind.building_m) * rng.uniform(0.88, 1.0, 2) / 2
            ring = _court(along, across) if court and kind.use in ("school", "commercial") else _box(along, across)
            ring = ring + centre
            shape = shapely.Polygon(ring)
            if not built or not block.contains(shape):
                continue
            storeys = _taller(storeys, centre, kind, spec)
            floor_m2 = shape.area * storeys * NET_AREA
            yield Building("", np.round(frame.east_north(*ring.T), 2), round(storeys * STOREY_M[kind.use], 1), kind.use, round(floor_m2), 0)


def _box(along: float, across: float) -> np.ndarray:
    return np.array([[-along, -across], [along, -across], [along, across], [-along, across]])


def _court(along: float, across: float) -> np.ndarray:
    """Return a U open to one side, wings a quarter as wide as the whole."""
    wing = across / 2
    return np.array(
        [
            [-along, -across],
            [along, -across],
            [along, -across + wing],
            [0, -across + wing],
            [0, across - wing],
            [along, across - wing],
            [along, across],
            [-along, across],
        ]
    )


def _taller(storeys: int, centre: np.ndarray, kind: _Kind, spec: BaseSpec) -> int:
    """Return more storeys for offices near the centre, up to 2.4 times."""
    if kind.use != "office":
        return storeys
    distance = float(np.hypot(*(centre - np.array(spec.centre.at_m)))) / spec.centre.radius_m
    return round(storeys * (1.0 + 1.4 * math.exp(-2.0 * distance**2)))


def _peopled(found: list[Building], spec: BaseSpec) -> tuple[Building, ...]:
    """Share residents over homes and workers over the rest by floor area, by largest remainder."""
    homes = [one.use == "residential" for one in found]
    area = np.array([one.floor_area_m2 if one.use != "venue" else one.floor_area_m2 * 25.0 / VENUE_M2_PER_WORKER for one in found])
    people = np.zeros(len(found), int)
    for mask, total in ((np.array(homes), spec.residents), (~np.array(homes), spec.workers)):
        people[mask] = _shared(area[mask], total)
    return tuple(replace(one, people=int(number)) for one, number in zip(found, people, strict=True))


def _shared(weight: np.ndarray, total: int) -> np.ndarray:
    if not weight.sum():
        return np.zeros(len(weight), int)
    exact = weight * (total / weight.sum())
    whole: np.ndarray = np.floor(exact).astype(int)
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[: total - int(whole.sum())]] += 1
    return whole
