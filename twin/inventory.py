"""Lists what is in a city pack as plain data: places, and each model's elements, actions and ports."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from twin.city import City
from twin.errors import InputError, nearest
from twin.model import Model, Setup


def model_class(name: str) -> type[Model]:
    """Load the model registered as `name`; InputError suggests the nearest where there is none."""
    known = {found.name: found for found in entry_points(group="twin.models")}
    if name not in known:
        raise InputError(nearest(name, known, what="model"))
    return known[name].load()  # type: ignore[no-any-return]


def info(pack: str | Path) -> dict[str, Any]:
    """Return what is in a pack as plain data: places, and each model's element sets, ids, actions and files.

    InputError carries what is wrong with any of its networks. No engine is started.
    """
    city = City(pack)
    manifest = city.manifest
    models, problems = {}, []
    for name in manifest.models:
        try:
            models[name] = _model_info(city, name)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return {
        "name": manifest.name,
        "title": dict(manifest.title),
        "crs": manifest.crs,
        "origin_m": list(manifest.origin_m),
        "timezone": manifest.timezone,
        "provenance": manifest.provenance,
        "licences": list(manifest.licences),
        "synthetic": list(manifest.synthetic),
        "digest": city.digest(),
        "places": [{"id": place.id, "kind": place.kind, "name": dict(place.name)} for place in city.places()],
        "cameras": [camera.name for camera in manifest.cameras],
        "couplings": dict(sorted(Counter(row.coupling.kind for row in city.couplings()).items())),
        "models": models,
    }


def _model_info(city: City, name: str) -> dict[str, Any]:
    cls = model_class(name)
    files = city.files(name)
    setup = Setup(name, files, city.folder, offset_m=city.offset_m(name))
    found = cls.read(setup).elements()
    return {
        "about": (cls.__doc__ or "").strip().splitlines()[0] if cls.__doc__ else "",
        "files": {role: path.name for role, path in files.items()},
        "elements": {kind: {"label": one.label or kind, "count": len(one), "ids": list(one.ids)} for kind, one in found.items()},
        "actions": {action.name: action.doc.splitlines()[0] if action.doc else "" for action in cls.actions.values()},
        "ports": {port.name: {"at": port.at, "unit": port.unit, "kind": port.kind} for port in cls.ports.values()},
    }
