"""What a run keeps of its city besides networks: places, streets, buildings and cameras, in `static/city/`."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.base import Building, Place, Street
from twin.errors import StorageError
from twin.storage import DAMAGED, canonical, refuse_a_bomb, storing, write_atomic

if TYPE_CHECKING:
    from twin.city import Camera, City

FOLDER = "city"
"""Beside the models' sheets; no file of theirs lies in a folder, so a model may bear this name."""


@dataclass(frozen=True)
class View:
    """A camera by name: where it stands and what it looks at (x, y, height) in metres of the pack."""

    name: str
    position_m: tuple[float, float, float]
    look_at_m: tuple[float, float, float]


@dataclass(frozen=True)
class Ground:
    """The city a run took place in, as its pack had it; empty where the pack has nothing.

    `title`: language -> name. `provenance`: surveyed or schematic; `synthetic`: what in it is invented.
    """

    name: str = ""
    title: Mapping[str, str] = field(default_factory=dict)
    crs: str = ""
    origin_m: tuple[float, float] = (0.0, 0.0)
    provenance: str = ""
    licences: tuple[str, ...] = ()
    synthetic: tuple[str, ...] = ()
    cameras: tuple[View, ...] = ()
    places: tuple[Place, ...] = ()
    streets: tuple[Street, ...] = ()
    buildings: tuple[Building, ...] = ()


def ground_of(city: City, cameras: Sequence[Camera] = ()) -> Ground:
    """Gather a pack's ground; `cameras` are the scenario's own, which come first and replace those of the same name."""
    manifest = city.manifest
    own = {camera.name for camera in cameras}
    chosen = [*cameras, *(camera for camera in manifest.cameras if camera.name not in own)]
    return Ground(
        name=manifest.name,
        title=dict(manifest.title),
        crs=manifest.crs,
        origin_m=manifest.origin_m,
        provenance=manifest.provenance,
        licences=manifest.licences,
        synthetic=manifest.synthetic,
        cameras=tuple(View(camera.name, camera.position_m, camera.look_at_m) for camera in chosen),
        places=city.places(),
        streets=city.streets(),
        buildings=city.buildings(),
    )


def write_ground(folder: Path, ground: Ground) -> None:
    """Write `city/city.json` and `city/shapes.npz` into `folder`; the same ground gives the same bytes."""
    inside = folder / FOLDER
    with storing(inside):
        inside.mkdir(exist_ok=True)
    said = {key: value for key, value in vars(ground).items() if key not in ("places", "streets", "buildings", "cameras")}
    said["cameras"] = [vars(view) for view in ground.cameras]
    arrays = {}
    for kind in ("places", "streets", "buildings"):
        things = getattr(ground, kind)
        said[kind] = [{key: value for key, value in vars(one).items() if key != "shape"} for one in things]
        arrays[f"{kind}.xy"] = np.concatenate([one.shape for one in things]) if things else np.empty((0, 2))
        arrays[f"{kind}.rows"] = np.array([len(one.shape) for one in things], np.int64)
    held = io.BytesIO()
    np.savez_compressed(held, allow_pickle=False, **arrays)
    write_atomic(inside / "shapes.npz", held.getvalue())
    write_atomic(inside / "city.json", (canonical(said) + "\n").encode())


def read_ground(folder: Path) -> Ground:
    """Read what `write_ground` wrote into `folder`; an empty ground where there is none; StorageError when it is damaged."""
    path = folder / FOLDER / "city.json"
    if not path.exists():
        return Ground()
    try:
        with storing(path, "cannot be read"):
            said = json.loads(path.read_text("utf-8"))
            refuse_a_bomb(path.with_name("shapes.npz"))
            with np.load(path.with_name("shapes.npz"), allow_pickle=False) as held:
                shapes = {kind: _shapes(held, kind, len(said[kind])) for kind in ("places", "streets", "buildings")}
        return Ground(
            name=str(said["name"]),
            title=dict(said["title"]),
            crs=str(said["crs"]),
            origin_m=(float(said["origin_m"][0]), float(said["origin_m"][1])),
            provenance=str(said["provenance"]),
            licences=tuple(said["licences"]),
            synthetic=tuple(said["synthetic"]),
            cameras=tuple(View(one["name"], _triple(one["position_m"]), _triple(one["look_at_m"])) for one in said["cameras"]),
            places=tuple(Place(**one, shape=shape) for one, shape in zip(said["places"], shapes["places"], strict=True)),
            streets=tuple(Street(**one, shape=shape) for one, shape in zip(said["streets"], shapes["streets"], strict=True)),
            buildings=tuple(Building(**one, shape=shape) for one, shape in zip(said["buildings"], shapes["buildings"], strict=True)),
        )
    except DAMAGED as error:
        raise StorageError(f"{path}: is damaged: {error}") from error


def _triple(said: Iterable[Any]) -> tuple[float, float, float]:
    x, y, z = map(float, said)
    return x, y, z


def _shapes(held: Any, kind: str, count: int) -> list[np.ndarray]:
    xy, rows = held[f"{kind}.xy"], held[f"{kind}.rows"]
    if int(rows.sum()) != len(xy) or len(rows) != count:
        raise ValueError(f"shapes of {kind} do not fit their ids")
    return np.split(xy, np.cumsum(rows)[:-1]) if count else []
