"""Lays the air over a pack: a raster, places with people, a source at every gas main, sparks at signals and substations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.air import network as files
from twin.base import Base, Coupling, Laid
from twin.errors import InputError, nearest
from twin.inventory import model_class
from twin.ports import Out

FILE = "air.json"
CELL_M = 100.0
MARGIN_M = 200.0
BURIED_M = 0.5
"""Synthetic: height at which gas from a buried main comes into the air."""
_OPTIONS = ("lon_deg", "lat_deg", "terrain")
_NOT_PLACES = ("river", "superblock", "park")
_SPARKS = ("substation", "gas_plant")


def synth(base: Base, laid: Mapping[str, Laid], folder: Path, options: Mapping[str, Any]) -> Laid:
    """Write `air.json` into `folder`; InputError where the base has no streets or the options do not say where it is.

    Options: `lon_deg`, `lat_deg` (of the district, for the sun), `terrain` (urban or rural).
    """
    wrong = [nearest(str(key), _OPTIONS, what="option of the air") for key in sorted(set(options) - set(_OPTIONS))]
    wrong += [
        f"options.air.{key} is missing: where the district is, for the height of the sun" for key in _OPTIONS[:2] if key not in options
    ]
    if not base.streets:
        wrong.append("air: the base has no streets to lay a raster over")
    if wrong:
        raise InputError("; ".join(wrong))
    areas = _areas(laid)
    text = {
        "format": "air 1",
        "provenance": "schematic: laid over the streets by twin city build",
        "location": {"lon_deg": float(options["lon_deg"]), "lat_deg": float(options["lat_deg"])},
        "terrain": options.get("terrain", "urban"),
        "grid": _grid(base),
        "places": [*areas.values(), *_others(base, set(areas))],
        "sources": _sources(laid),
        "sparks": _sparks(base, laid),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    lines = [f' "{key}": {_lines(value)}' for key, value in text.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8", newline="\n")
    network = files.read(path, (0.0, 0.0))
    return Laid(
        files={"places": FILE},
        elements=network.elements(),
        couplings=(*_rows(network, laid, "source", "leak"), *_rows(network, laid, "place", "people")),
        checks={"raster": f"{len(network.cell_x_m)} x {len(network.cell_y_m)} cells of {CELL_M:g} m", "sources": str(len(text["sources"]))},
        synthetic={
            "people in buildings": f"those of the base, {network.people.sum():.0f}, all of them there all the time",
            "sparks": "traffic signals (vehicles wait there), substations and gas plants",
            "height of leaks": f"{BURIED_M:g} m, straight above the middle of the main",
        },
    )


def _rows(network: files.AirNetwork, laid: Mapping[str, Laid], own: str, kind: str) -> Iterable[Coupling]:
    """Yield a row from each element of a model that gives `kind` and is one of this network's by its name."""
    mine = set(network.sets[own].ids)
    for name in sorted(laid):
        for port in model_class(name).ports.values():
            if isinstance(port, Out) and port.kind == kind:
                for id in laid[name].elements[port.at].ids:
                    if id in mine:
                        yield Coupling(name, id, "air", id, kind)


def _lines(value: Any) -> str:
    if not isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return "[\n" + ",\n".join("  " + json.dumps(one, ensure_ascii=False) for one in value) + "\n ]"


def _grid(base: Base) -> dict[str, float]:
    points = np.concatenate([street.shape for street in base.streets])
    low = np.floor((points.min(axis=0) - MARGIN_M) / CELL_M) * CELL_M
    count = np.ceil((points.max(axis=0) + MARGIN_M - low) / CELL_M).astype(int)
    return {"x0_m": float(low[0]), "y0_m": float(low[1]), "cell_m": CELL_M, "columns": int(count[0]), "rows": int(count[1])}


def _areas(laid: Mapping[str, Laid]) -> dict[str, dict[str, Any]]:
    """Return the crowd's areas as places: its people come to them by a coupling."""
    if "crowd" not in laid:
        return {}
    areas = laid["crowd"].elements["area"]
    return {id: {"id": id, "ring": _pairs(shape)} for id, shape in zip(areas.ids, areas.shapes, strict=True)}


def _others(base: Base, taken: set[str]) -> list[dict[str, Any]]:
    """Return buildings that have people in them, and the places of the pack."""
    found = [
        {"id": one.id, "ring": _pairs(one.shape), "people": float(one.people), "indoor": True} for one in base.buildings if one.people > 0
    ]
    found += [{"id": one.id, "ring": _pairs(one.shape)} for one in base.places if one.kind not in _NOT_PLACES]
    return [one for one in found if one["id"] not in taken]


def _sources(laid: Mapping[str, Laid]) -> list[dict[str, Any]]:
    if "gas" not in laid:
        return []
    pipes = laid["gas"].elements["pipe"]
    return [{"id": id, "at": _middle(shape), "height_m": BURIED_M} for id, shape in zip(pipes.ids, pipes.shapes, strict=True)]


def _sparks(base: Base, laid: Mapping[str, Laid]) -> list[dict[str, Any]]:
    found = [{"id": one.id, "at": _mean(one.shape)} for one in base.places if one.kind in _SPARKS]
    if "traffic" in laid and "signal" in laid["traffic"].elements:
        signals = laid["traffic"].elements["signal"]
        found += [{"id": id, "at": _mean(shape)} for id, shape in zip(signals.ids, signals.shapes, strict=True)]
    return found


def _pairs(shape: np.ndarray) -> list[list[float]]:
    return [[round(float(x), 2), round(float(y), 2)] for x, y in np.atleast_2d(shape)]


def _mean(shape: np.ndarray) -> list[float]:
    return _pairs(np.atleast_2d(shape).mean(axis=0))[0]


def _middle(shape: np.ndarray) -> list[float]:
    """Return the point half-way along a line: where a leak is."""
    steps = np.hypot(*np.diff(shape, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    half = along[-1] / 2.0
    return [round(float(np.interp(half, along, shape[:, axis])), 2) for axis in (0, 1)]
