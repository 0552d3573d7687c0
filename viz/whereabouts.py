"""Says where an element is, in names that people know: the place or the street of the city nearest to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from twin.results import Run
from viz import content

AT_M, WITHIN_M = 60.0, 120.0
"""A place or street this near gives an element its name; else grounds that it stands on, or a street that is farther away."""


class _Names:
    """Shapes with names, and the one nearest to a point."""

    def __init__(self, *, rings: bool = False) -> None:
        self._rings = rings
        self._names: list[str] = []
        self._shapes: list[Any] = []
        self._tree: Any = None

    def add(self, name: str, shape: np.ndarray) -> None:
        from shapely import LineString, Point, Polygon

        if name:
            self._names.append(name)
            self._shapes.append(Polygon(shape) if self._rings else LineString(shape) if len(shape) > 1 else Point(shape[0]))

    def nearest(self, point: np.ndarray, within_m: float) -> str:
        """Return the name within so many metres; of rings the one that the point is in."""
        from shapely import Point, STRtree

        if not self._names:
            return ""
        self._tree = self._tree or STRtree(self._shapes)
        if self._rings:
            found = self._tree.query(Point(point), predicate="within")
        else:
            found = self._tree.query_nearest(Point(point), max_distance=within_m, all_matches=False)
        return self._names[int(found[0])] if len(found) else ""


class Whereabouts:
    """Finds names by geometry alone: it knows the city's named places and streets, and the shapes of a run's elements."""

    def __init__(self, run: Run) -> None:
        self._places, self._streets, self._grounds = _Names(), _Names(), _Names(rings=True)
        for place in run.city.places:
            text = " ".join(dict.fromkeys(str(place.name[tongue]) for tongue in ("en", "zh") if place.name.get(tongue)))
            (self._grounds if len(place.shape) > 2 else self._places).add(text, place.shape)
        for street in run.city.streets:
            self._streets.add(street.name, street.shape)
        self._middle: dict[tuple[str, str], np.ndarray] = {}
        for model in run.models:
            for part in content.parts(run, model):
                for id, shape in zip(part.ids, part.shapes, strict=True):
                    self._middle.setdefault((model, id), shape.mean(axis=0))

    def near(self, model: str, id: str) -> str:
        """Return the nearest name to an element; '' when it has no shape, or none is near."""
        middle = self._middle.get((model, id))
        if middle is None:
            return ""
        close = self._places.nearest(middle, AT_M) or self._streets.nearest(middle, AT_M)
        return close or self._grounds.nearest(middle, 0.0) or self._streets.nearest(middle, WITHIN_M)

    def names(self, model: str, ids: Iterable[str], most: int = 2) -> str:
        """Return the names near several elements, those with the most elements first: 'near A, B and 2 more'."""
        tally: dict[str, int] = {}
        for id in ids:
            name = self.near(model, id)
            if name:
                tally[name] = tally.get(name, 0) + 1
        ranked = sorted(tally, key=lambda name: -tally[name])
        more = f" and {len(ranked) - most} more" if len(ranked) > most else ""
        return f"near {', '.join(ranked[:most])}{more}" if ranked else ""

    def middles(self, elements: Iterable[tuple[str, str]]) -> np.ndarray:
        """Return the (n, 2) middles in metres of those (model, id) that have shapes."""
        found = [self._middle[one] for one in elements if one in self._middle]
        return np.array(found) if found else np.empty((0, 2))
