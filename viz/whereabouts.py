"""Says where an element is, in names that people know: the place or the street of the city nearest to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from twin.results import Run
from viz import content

WITHIN_M = 120.0
"""Farther from every named place and street than this, an element is nowhere that has a name."""


class Whereabouts:
    """Finds names by geometry alone: it knows the city's named places and streets, and the shapes of a run's elements."""

    def __init__(self, run: Run) -> None:
        from shapely import LineString, Point, STRtree

        named: list[tuple[str, Any]] = []
        for place in run.city.places:
            text = " ".join(dict.fromkeys(str(place.name[tongue]) for tongue in ("en", "zh") if place.name.get(tongue)))
            shape = place.shape
            named += [(text, LineString([*shape, shape[0]]) if len(shape) > 2 else Point(shape[0]))] if text else []
        named += [(street.name, LineString(street.shape)) for street in run.city.streets if street.name and len(street.shape) > 1]
        self._names = [name for name, _ in named]
        self._tree = STRtree([shape for _, shape in named])
        self._middle: dict[tuple[str, str], np.ndarray] = {}
        for model in run.models:
            for part in content.parts(run, model):
                for id, shape in zip(part.ids, part.shapes, strict=True):
                    self._middle.setdefault((model, id), shape.mean(axis=0))

    def near(self, model: str, id: str) -> str:
        """Return the nearest name to an element; '' when it has no shape, or none is near."""
        from shapely import Point

        middle = self._middle.get((model, id))
        if middle is None or not self._names:
            return ""
        found = self._tree.query_nearest(Point(middle), max_distance=WITHIN_M, all_matches=False)
        return self._names[int(found[0])] if len(found) else ""

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
