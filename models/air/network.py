"""Where air is looked at and what may get into it: a raster, places with people, sources, sparks; read from air.json."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.air.substances import NAMES
from twin.errors import InputError, Problem
from twin.jsonfile import text_of
from twin.ports import ElementSet

FREE = tuple(f"release_{k}" for k in range(1, 9))
"""Sources that stand nowhere until an action puts them somewhere: a tanker, a drum, a fire."""
SPACING_M = 25.0
_POINT_M = 5.0
_SAMPLES = 24

Pair = tuple[float, float]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Location(_Part):
    """Where on Earth, for the height of the sun (WGS 84)."""

    lon_deg: float = Field(ge=-180, le=180)
    lat_deg: float = Field(ge=-90, le=90)


class Grid(_Part):
    """The raster that the cloud is drawn on: the lower left corner, the side of a cell, columns and rows."""

    x0_m: float
    y0_m: float
    cell_m: float = Field(gt=0)
    columns: int = Field(ge=1, le=400)
    rows: int = Field(ge=1, le=400)


class Spot(_Part):
    """A place where people are: a ring, or one point. `people` live or work there; those who come and go arrive by a coupling."""

    id: str = Field(min_length=1)
    ring: tuple[Pair, ...] = Field(min_length=1)
    people: float = Field(0.0, ge=0)
    indoor: bool = False


class Source(_Part):
    """Where something may leak out, at which height, and what it is; a stack lets out `rate_kg_per_s` from the start."""

    id: str = Field(min_length=1)
    at: Pair
    height_m: float = Field(1.0, ge=0)
    substance: str = "methane"
    rate_kg_per_s: float = Field(0.0, ge=0)
    heat_mw: float = Field(0.0, ge=0)


class Spark(_Part):
    """What may set a flammable cloud alight."""

    id: str = Field(min_length=1)
    at: Pair


class AirFile(_Part):
    """air.json."""

    format: Literal["air 1"]
    provenance: str = ""
    location: Location
    terrain: Literal["urban", "rural", "pasquill"] = "urban"
    grid: Grid
    places: tuple[Spot, ...] = ()
    sources: tuple[Source, ...] = ()
    sparks: tuple[Spark, ...] = ()


@dataclass(frozen=True)
class AirNetwork:
    """air.json as arrays, in metres of the pack's CRS."""

    file: AirFile
    cell_x_m: np.ndarray
    cell_y_m: np.ndarray
    sample_x_m: np.ndarray
    sample_y_m: np.ndarray
    first_sample: np.ndarray
    """(place,) where its points begin in the samples."""
    middle_m: np.ndarray
    """(place, 2) its middle."""
    people: np.ndarray
    indoor: np.ndarray
    source_x_m: np.ndarray
    source_y_m: np.ndarray
    source_height_m: np.ndarray
    source_substance: np.ndarray
    source_kg_per_s: np.ndarray
    source_heat_mw: np.ndarray
    spark_x_m: np.ndarray
    spark_y_m: np.ndarray
    sets: Mapping[str, ElementSet]

    def elements(self) -> Mapping[str, ElementSet]:
        """Return cell, place, source, spark and all."""
        return self.sets


def read(path: Path, offset_m: tuple[float, float]) -> AirNetwork:
    """Read and check air.json; InputError names every key that is wrong."""
    try:
        found = AirFile.model_validate(json.loads(text_of(path)))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ValidationError):
            raise InputError([Problem(f"{'.'.join(map(str, e['loc']))}: {e['msg']}", str(path)) for e in error.errors()[:20]]) from None
        raise InputError(Problem(f"is no readable JSON: {error}", str(path))) from None
    wrong = [
        Problem(f"sources.{i}.substance: '{one.substance}' is not known; known: {', '.join(NAMES)}", str(path))
        for i, one in enumerate(found.sources)
        if one.substance not in NAMES
    ]
    parts: dict[str, Sequence[Any]] = {"places": found.places, "sources": found.sources, "sparks": found.sparks}
    for name, held in parts.items():
        ids = Counter([one.id for one in held] + (list(FREE) if name == "sources" else []))
        wrong += [Problem(f"{name}: '{id}' occurs twice", str(path)) for id in sorted(ids) if ids[id] > 1]
    if wrong:
        raise InputError(wrong)
    return index(found, offset_m)


def index(file: AirFile, offset_m: tuple[float, float]) -> AirNetwork:
    """Make the arrays of a checked file."""
    off = np.asarray(offset_m, float)
    grid = file.grid
    x = grid.x0_m + off[0] + grid.cell_m * (np.arange(grid.columns) + 0.5)
    y = grid.y0_m + off[1] + grid.cell_m * (np.arange(grid.rows) + 0.5)
    rings = [_ring(np.asarray(one.ring, float) + off) for one in file.places]
    samples = [_samples(ring) if not one.indoor else ring.mean(axis=0)[None, :] for ring, one in zip(rings, file.places, strict=True)]
    points = np.concatenate(samples) if samples else np.empty((0, 2))
    middle = np.array([x.mean(), y.mean()])
    sources = np.array([np.asarray(one.at, float) + off for one in file.sources] + [middle] * len(FREE), float).reshape(-1, 2)
    sparks = np.array([np.asarray(one.at, float) + off for one in file.sparks], float).reshape(-1, 2)
    counts = [len(one) for one in samples]
    return AirNetwork(
        file=file,
        cell_x_m=x,
        cell_y_m=y,
        sample_x_m=points[:, 0],
        sample_y_m=points[:, 1],
        first_sample=np.cumsum([0, *counts[:-1]]) if counts else np.empty(0, int),
        middle_m=np.array([ring.mean(axis=0) for ring in rings]).reshape(-1, 2),
        people=np.array([one.people for one in file.places], float),
        indoor=np.array([one.indoor for one in file.places], bool),
        source_x_m=sources[:, 0],
        source_y_m=sources[:, 1],
        source_height_m=np.array([one.height_m for one in file.sources] + [1.0] * len(FREE), float),
        source_substance=np.array([NAMES.index(one.substance) for one in file.sources] + [0] * len(FREE), int),
        source_kg_per_s=np.array([one.rate_kg_per_s for one in file.sources] + [0.0] * len(FREE), float),
        source_heat_mw=np.array([one.heat_mw for one in file.sources] + [0.0] * len(FREE), float),
        spark_x_m=sparks[:, 0],
        spark_y_m=sparks[:, 1],
        sets=_sets(file, x, y, rings, sources, sparks),
    )


def _sets(
    file: AirFile, x: np.ndarray, y: np.ndarray, rings: list[np.ndarray], sources: np.ndarray, sparks: np.ndarray
) -> dict[str, ElementSet]:
    half = file.grid.cell_m / 2.0
    corners = np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
    cells = {f"C{i:03d}_{j:03d}": corners + np.array([a, b]) for i, a in enumerate(x) for j, b in enumerate(y)}
    whole = np.array([[x[0] - half, y[0] - half], [x[-1] + half, y[0] - half], [x[-1] + half, y[-1] + half], [x[0] - half, y[-1] + half]])
    return {
        "cell": ElementSet(tuple(cells), list(cells.values()), closed=True, label="air"),
        "place": ElementSet(tuple(one.id for one in file.places), rings, closed=True, label="places"),
        "source": ElementSet((*(one.id for one in file.sources), *FREE), [at[None, :] for at in sources], label="sources"),
        "spark": ElementSet(tuple(one.id for one in file.sparks), [at[None, :] for at in sparks], label="sources of ignition"),
        "all": ElementSet(("district",), [whole], closed=True, label="district"),
    }


def _ring(points: np.ndarray) -> np.ndarray:
    """Return a ring of at least three corners: a square round a point, a sliver round two."""
    if len(points) >= 3:
        return points
    return points.mean(axis=0) + _POINT_M * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])


def _samples(ring: np.ndarray) -> np.ndarray:
    """Return points spread over a ring, some 25 m apart, its middle at least."""
    low, high = ring.min(axis=0), ring.max(axis=0)
    step = max(SPACING_M, float(np.sqrt(np.prod(high - low) / _SAMPLES)))
    across = [np.arange(a + step / 2, b, step) if b - a > step else np.array([(a + b) / 2]) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*across, indexing="ij"), axis=-1).reshape(-1, 2)
    inside = points[_inside(points, ring)]
    return inside if len(inside) else ring.mean(axis=0)[None, :]


def _inside(points: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Return whether each point is in the ring, by counting crossings of a ray."""
    found = np.zeros(len(points), bool)
    for (xa, ya), (xb, yb) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if ya == yb:
            continue
        beside = (points[:, 1] >= min(ya, yb)) & (points[:, 1] < max(ya, yb))
        found ^= beside & (points[:, 0] < xa + (points[:, 1] - ya) / (yb - ya) * (xb - xa))
    return found
