"""Which elements are meant: by id, near a place, along a street, inside an outline."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from twin import units
from twin.errors import nearest

if TYPE_CHECKING:
    from twin.city import City
    from twin.ports import ElementSet

BESIDE_M = 30.0
"""An element no further than this from a street's centre line lies along it."""

KEYS = ("within", "of", "along", "inside")


@dataclass(frozen=True)
class Selector:
    """One way to name elements; ValueError where it is made says what would be right."""

    ids: tuple[str, ...] = ()
    within_m: float = 0.0
    of: str = ""
    along: str = ""
    inside: str = ""

    @classmethod
    def read(cls, said: object) -> Selector:
        """Read `J17`, `[J17, J18]`, `{within: 300 m, of: stadium}`, `{along: Aoti Dajie}` or `{inside: village}`."""
        if isinstance(said, str):
            return cls(ids=(said,))
        if isinstance(said, Sequence):
            return cls(ids=tuple(map(str, said)))
        if not isinstance(said, Mapping):
            raise ValueError("write an id, a list of ids, {within: 300 m, of: PLACE}, {along: STREET} or {inside: PLACE}")
        for key in said:
            if key not in KEYS:
                raise ValueError(nearest(str(key), KEYS, what="selector"))
        if ("within" in said) != ("of" in said):
            raise ValueError("'within' and 'of' belong together: {within: 300 m, of: PLACE}")
        if len(said) != 1 + ("within" in said):
            raise ValueError("one selector at a time: {within: 300 m, of: PLACE}, {along: STREET} or {inside: PLACE}")
        if "within" in said:
            return cls(within_m=units.quantity(said["within"], "m"), of=str(said["of"]))
        return cls(**{key: str(value) for key, value in said.items()})

    def rows(self, elements: ElementSet, city: City) -> np.ndarray:
        """Return the positions of the elements it names, in order; ValueError when there is none."""
        if self.ids:
            return np.array([_position(elements, name) for name in self.ids])
        if not len(elements.shapes):
            raise ValueError("these elements lie nowhere on the map; name them by id")
        import shapely

        lines = [_geometry(np.asarray(shape), closed=elements.closed) for shape in elements.shapes]
        if self.along:
            near = shapely.distance(_street(self.along, city), shapely.centroid(lines)) <= BESIDE_M
        elif self.inside:
            outline = _place(self.inside, city)
            if outline.area <= 0:
                raise ValueError(f"place '{self.inside}' is a point and has no inside; write {{within: 300 m, of: {self.inside}}}")
            near = shapely.contains(outline, shapely.centroid(lines))
        else:
            near = shapely.distance(_place(self.of, city), lines) <= self.within_m
        found = np.flatnonzero(near)
        if not len(found):
            raise ValueError(f"no element lies {self}")
        return found

    def __str__(self) -> str:
        if self.ids:
            return f"[{', '.join(self.ids)}]"
        if self.along:
            return f"along {self.along}"
        return f"inside {self.inside}" if self.inside else f"within {self.within_m:g} m of {self.of}"


def _position(elements: ElementSet, name: str) -> int:
    if name not in elements.ids:
        raise ValueError(nearest(name, elements.ids, what="id"))
    return elements.ids.index(name)


def _geometry(shape: np.ndarray, *, closed: bool) -> Any:
    import shapely

    if len(shape) == 1:
        return shapely.Point(shape[0])
    return shapely.Polygon(shape) if closed and len(shape) > 2 else shapely.LineString(shape)


def _place(name: str, city: City) -> Any:
    known = {place.id: place for place in city.places()}
    if name not in known:
        raise ValueError(nearest(name, known, what="place"))
    shape = np.asarray(known[name].shape)
    return _geometry(shape, closed=len(shape) > 2)


def _street(name: str, city: City) -> Any:
    import shapely

    asked = name.casefold()
    parts = [street for street in city.streets() if asked == street.id.casefold() or asked in _names(street.name)]
    if not parts:
        raise ValueError(nearest(name, sorted({street.name for street in city.streets() if street.name}), what="street"))
    return shapely.MultiLineString([np.asarray(street.shape) for street in parts])


def _names(name: str) -> set[str]:
    """Return what a street may be called: `Aoti Dajie 奥体大街` by all of it, in English or in Chinese."""
    parts = re.split(r"(?<=[\x00-\x7f])\s*(?=[^\x00-\x7f])", name, maxsplit=1)
    return {one.strip().casefold() for one in (name, *parts) if one.strip()}
