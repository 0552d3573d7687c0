"""Shapes of a walking ground: the bowl and its fence, streets, platforms behind entries, car parks; all in metres."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from twin.base import Street

HALF_STREET_M = {"arterial": 20.0, "collector": 14.0, "local": 9.0}
"""Half the width people can walk on, carriageway included: streets near the venue are closed to cars (synthetic)."""
FENCE_M = 1.2
"""Thickness of the fence around the venue and around platforms (schematic)."""
CONCOURSE_M = 24.0
"""Depth of the concourse between the seats and the fence (synthetic)."""


def ring(shape: Any, decimals: int = 2) -> list[list[float]]:
    """Return the outer ring of a polygon as plain numbers, anticlockwise, first point not repeated, from its lowest point."""
    points = np.round(shapely.get_coordinates(shapely.normalize(shapely.geometry.polygon.orient(shape)).exterior)[:-1], decimals)
    points = points[::-1] if _area(points) < 0 else points
    keep = np.any(points != np.roll(points, 1, axis=0), axis=1)
    points = points[keep] + 0.0
    start = int(np.lexsort((points[:, 1], points[:, 0]))[0])
    return np.roll(points, -start, axis=0).tolist()


def _area(points: np.ndarray) -> float:
    x, y = points[:, 0], points[:, 1]
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def box(centre: np.ndarray, along: np.ndarray, u: tuple[float, float], v: tuple[float, float]) -> Any:
    """Return a rectangle in the frame of `along` (unit) and its left normal, from u[0] to u[1] and v[0] to v[1]."""
    left = np.array([-along[1], along[0]])
    return shapely.Polygon([centre + a * along + b * left for a, b in ((u[0], v[0]), (u[1], v[0]), (u[1], v[1]), (u[0], v[1]))])


@dataclass(frozen=True)
class Bowl:
    """The venue's outline: an ellipse about `centre` fitted to its gates, 1/r2 = a + b cos 2t + c sin 2t."""

    centre: np.ndarray
    shape: tuple[float, float, float]

    @classmethod
    def through(cls, centre: np.ndarray, gates: np.ndarray) -> Bowl:
        """Fit the ellipse to gates (n, 2), n at least 3 (least squares)."""
        out = gates - centre
        t = np.arctan2(out[:, 1], out[:, 0])
        terms = np.column_stack([np.ones(len(t)), np.cos(2 * t), np.sin(2 * t)])
        found = np.linalg.lstsq(terms, 1.0 / (out**2).sum(axis=1), rcond=None)[0]
        return cls(centre, (float(found[0]), float(found[1]), float(found[2])))

    def radius_m(self, t: np.ndarray) -> np.ndarray:
        """Return the radius at polar angles `t` (radians)."""
        a, b, c = self.shape
        return 1.0 / np.sqrt(a + b * np.cos(2 * t) + c * np.sin(2 * t))

    def outline(self, inset_m: float = 0.0) -> Any:
        """Return the outline as a polygon, drawn in by `inset_m`."""
        t = np.radians(np.arange(0.0, 360.0, 1.5))
        r = self.radius_m(t) - inset_m
        return shapely.Polygon(self.centre + r[:, None] * np.column_stack([np.cos(t), np.sin(t)]))

    def wedge(self, start: float, end: float, reach_m: float = 2000.0) -> Any:
        """Return the sector between two polar angles (end > start), far beyond everything."""
        t = np.linspace(start, end, 12)
        return shapely.Polygon([self.centre, *(self.centre + reach_m * np.column_stack([np.cos(t), np.sin(t)]))])

    def outward(self, t: float) -> np.ndarray:
        """Return the unit normal of the outline at polar angle `t`, pointing out."""
        step = 1e-4
        ends = [self.centre + self.radius_m(np.array([s]))[0] * np.array([np.cos(s), np.sin(s)]) for s in (t - step, t + step)]
        tangent = (ends[1] - ends[0]) / np.hypot(*(ends[1] - ends[0]))
        return np.array([tangent[1], -tangent[0]])


def street_box(street: Street, *, cut_m: float = 0.0) -> list[Any]:
    """Return the walkable rectangles along a street, one a segment of its course, each end drawn in by `cut_m`."""
    half = HALF_STREET_M.get(street.rank, HALF_STREET_M["local"])
    boxes = []
    for a, b in zip(street.shape[:-1], street.shape[1:], strict=True):
        length = float(np.hypot(*(b - a)))
        if length > 2.5 * cut_m + 1.0:
            boxes.append(box(a, (b - a) / length, (cut_m, length - cut_m), (-half, half)))
    return boxes


def crossing_patches(streets: Sequence[Street], crossings: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return a disc-like patch at each crossing, as wide as the widest street there."""
    half: dict[str, float] = {}
    for street in streets:
        for node in (street.start, street.end):
            half[node] = max(half.get(node, 0.0), HALF_STREET_M.get(street.rank, 9.0))
    return {node: shapely.Point(crossings[node]).buffer(1.5 * wide, quad_segs=2) for node, wide in sorted(half.items())}


@dataclass(frozen=True)
class Stand:
    """A platform or coach stand: waiting room behind a fence with one entry, doors along the far side."""

    room: Any
    fence: tuple[Any, ...]
    link: Any
    forecourt: Any
    entry: tuple[np.ndarray, np.ndarray]
    doors: tuple[Any, ...]


def stand(centre: np.ndarray, along: np.ndarray, *, length_m: float, depth_m: float, entry_m: float, doors: int, reach_m: float) -> Stand:
    """Lay a stand about `centre`; its entry faces left of `along`, and a link as wide leads `reach_m` out of it."""
    half, deep, gap = length_m / 2, depth_m / 2, entry_m / 2
    thick = FENCE_M
    walls = [
        ((-half - thick, half + thick), (-deep - thick, -deep)),
        ((-half - thick, -half), (-deep, deep)),
        ((half, half + thick), (-deep, deep)),
        ((-half - thick, -gap), (deep, deep + thick)),
        ((gap, half + thick), (deep, deep + thick)),
    ]
    left = np.array([-along[1], along[0]])
    middle = centre + (deep + thick / 2) * left
    step = length_m / doors
    strips = [(-half + k * step + 0.1 * step, -half + k * step + 0.9 * step) for k in range(doors)]
    return Stand(
        room=box(centre, along, (-half, half), (-deep, deep)),
        fence=tuple(box(centre, along, u, v) for u, v in walls),
        link=box(centre, along, (-gap, gap), (deep - 0.5, deep + thick + reach_m)),
        forecourt=box(centre, along, (-gap - 15.0, gap + 15.0), (deep + thick, deep + thick + max(reach_m, 18.0))),
        entry=(middle - gap * along, middle + gap * along),
        doors=tuple(box(centre, along, u, (-deep, -deep + 3.0)) for u in strips),
    )


def nearest_street(streets: Iterable[Street], xy: np.ndarray) -> tuple[Street, np.ndarray, np.ndarray]:
    """Return the street nearest to a point, the foot point on it and its direction there (unit)."""
    best: tuple[float, str, Any] = (np.inf, "", None)
    for street in streets:
        for a, b in zip(street.shape[:-1], street.shape[1:], strict=True):
            t = float(np.clip(np.dot(xy - a, b - a) / np.dot(b - a, b - a), 0.0, 1.0))
            foot = a + t * (b - a)
            away = round(float(np.hypot(*(xy - foot))), 6)
            if (away, street.id) < best[:2]:
                best = (away, street.id, (street, foot, (b - a) / np.hypot(*(b - a))))
    return best[2]
