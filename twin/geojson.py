"""Reads and writes the pack's GeoJSON: streets, buildings, places, in the pack's own metres."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from twin.base import Building, Place, Street
from twin.errors import SHOWN_PROBLEMS, InputError, Problem
from twin.jsonfile import text_of

BEYOND = 'coordinates beyond 180 degrees; metres of the pack need a member "twin": {"crs": ..., "origin_m": ...}'


def write(path: Path, features: Iterable[Mapping[str, Any]], crs: str, origin_m: Sequence[float]) -> None:
    """Write features one a line; the foreign member `twin` says whose metres the coordinates are."""
    frame = json.dumps({"crs": crs, "origin_m": [float(one) for one in origin_m], "unit": "m"})
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in features)
    path.write_text(f'{{"type": "FeatureCollection",\n"twin": {frame},\n"features": [\n{lines}\n]}}\n', encoding="utf-8", newline="\n")


def street_feature(street: Street) -> dict[str, Any]:
    """Return a street as a GeoJSON LineString, coordinates to the centimetre."""
    return {
        "type": "Feature",
        "id": street.id,
        "properties": {
            "start": street.start,
            "end": street.end,
            "name": street.name,
            "rank": street.rank,
            "lanes": street.lanes,
            "speed_m_per_s": street.speed_m_per_s,
        },
        "geometry": {"type": "LineString", "coordinates": np.round(street.shape, 2).tolist()},
    }


def building_feature(building: Building) -> dict[str, Any]:
    """Return a building as a GeoJSON Polygon, its ring closed, coordinates to the centimetre."""
    ring = np.round(building.shape, 2).tolist()
    return {
        "type": "Feature",
        "id": building.id,
        "properties": {
            "height_m": building.height_m,
            "use": building.use,
            "floor_area_m2": building.floor_area_m2,
            "people": building.people,
        },
        "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
    }


def streets(path: Path, crs: str, origin_m: Sequence[float]) -> tuple[Street, ...]:
    """Read streets in metres of `crs` from the origin; InputError names every feature that is not one."""
    return _read(path, _street, crs, origin_m)


def buildings(path: Path, crs: str, origin_m: Sequence[float]) -> tuple[Building, ...]:
    """Read buildings in metres of `crs` from the origin; InputError names every feature that is not one."""
    return _read(path, _building, crs, origin_m)


def places(path: Path, crs: str, origin_m: Sequence[float]) -> tuple[Place, ...]:
    """Read places in metres of `crs` from the origin; InputError names every feature that is not one."""
    return _read(path, _place, crs, origin_m)


def _frame(text: Mapping[str, Any], crs: str, origin_m: Sequence[float]) -> tuple[bool, str]:
    """Tell whether coordinates are the pack's metres already, and what is wrong with what the file says of them.

    RFC 7946: coordinates without a word are WGS 84; the older member `crs` may only repeat that.
    """
    if "twin" in text:
        said = text["twin"] if isinstance(text["twin"], dict) else {}
        own, origin, ours = said.get("crs", crs), said.get("origin_m", list(origin_m)), list(origin_m)
        if own == crs and origin == ours:
            return True, ""
        return True, f"coordinates are in {own} from {origin}, the city in {crs} from {ours}; convert them, or build the pack anew"
    old = json.dumps(text.get("crs", "CRS84"))
    if any(word in old for word in ("CRS84", "4326")):
        return False, ""
    mind = "convert the file, and mind that Chinese web maps are in GCJ-02, 300 to 700 m off"
    return False, f"its member `crs` says {old}; GeoJSON is in WGS 84 (RFC 7946): {mind}"


def _projected(found: list[Any], crs: str, origin_m: Sequence[float]) -> list[Any]:
    """Return the things with WGS 84 degrees replaced by metres of `crs` from the origin; ValueError says what is wrong."""
    import pyproj

    lonlat = np.concatenate([one.shape for one in found])
    try:
        target = pyproj.CRS(crs)
    except pyproj.exceptions.CRSError:
        raise ValueError(f"{crs} (the city's crs) is no known EPSG code; write for example EPSG:4549") from None
    if not target.is_projected or target.axis_info[0].unit_conversion_factor != 1.0:
        raise ValueError(f"{crs} (the city's crs, {target.name}) is not in metres; write a projected CRS such as EPSG:4549")
    moved = np.stack(pyproj.Transformer.from_crs("EPSG:4326", target, always_xy=True).transform(*lonlat.T), axis=-1)
    if not np.isfinite(moved).all():
        raise ValueError(f"a coordinate lies outside the world of {crs}, the city's crs")
    ends = np.cumsum([len(one.shape) for one in found])
    shapes = np.split(np.round(moved - np.asarray(origin_m), 2), ends[:-1])
    return [replace(one, shape=shape) for one, shape in zip(found, shapes, strict=True)]


def metres(lon_deg: float, lat_deg: float, crs: str, origin_m: Sequence[float]) -> tuple[float, float]:
    """Return a WGS 84 position in metres of `crs` from the origin; ValueError says what is wrong."""
    if not (-180.0 <= lon_deg <= 180.0 and -90.0 <= lat_deg <= 90.0):
        raise ValueError(f"longitude {lon_deg:g}, latitude {lat_deg:g}: no position on Earth (longitude first)")
    (moved,) = _projected([Place("", "", {}, np.array([[lon_deg, lat_deg]]))], crs, origin_m)
    return float(moved.shape[0, 0]), float(moved.shape[0, 1])


def read_json(path: Path) -> Any:
    """Read a JSON file; InputError with the line where it breaks off."""
    text = text_of(path)
    try:
        return json.loads(text, parse_constant=_refused)
    except json.JSONDecodeError as error:
        raise InputError(Problem(f"not JSON: {error.msg}", str(path), error.lineno)) from None
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(f"not JSON: {error}", str(path))) from None


def _refused(word: str) -> None:
    raise ValueError(f"'{word}' is not a number of JSON")


def check_places(path: Path, crs: str, origin_m: Sequence[float]) -> None:
    """Check places as `places` does, all but where on the ground they come to lie (which is slow to start)."""
    _features(path, _place, crs, origin_m)


def _read(path: Path, make: Any, crs: str, origin_m: Sequence[float]) -> tuple[Any, ...]:
    found, local = _features(path, make, crs, origin_m)
    if local or not found:
        return tuple(found)
    try:
        return tuple(_projected(found, crs, origin_m))
    except ValueError as error:
        raise InputError(Problem(str(error), str(path), 1)) from None


def _features(path: Path, make: Any, crs: str, origin_m: Sequence[float]) -> tuple[list[Any], bool]:
    """Return the things as they stand in the file, and whether their coordinates are the pack's metres already."""
    text = read_json(path)
    if not isinstance(text, dict) or not isinstance(text.get("features"), list):
        raise InputError(Problem("no GeoJSON FeatureCollection: `features` is missing", str(path), 1))
    local, unlike = _frame(text, crs, origin_m)
    found, seen = [], set()
    wrong = [Problem(unlike, str(path), 1)] if unlike else []
    for number, feature in enumerate(text["features"], 1):
        if len(wrong) > SHOWN_PROBLEMS:
            break
        id = str(feature.get("id", "")) if isinstance(feature, dict) else ""
        try:
            found.append(make(str(feature["id"]), feature["properties"], feature["geometry"]))
            if not np.isfinite(found[-1].shape).all():
                raise ValueError("a coordinate is not finite")
        except (KeyError, TypeError, ValueError, IndexError) as error:
            said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            wrong.append(Problem(f"feature {number} {id}: {said}", str(path), _line(path, id)))
        if id in seen:
            wrong.append(Problem(f"feature {number}: id '{id}' occurs twice", str(path), _line(path, id)))
        seen.add(id)
    if found and not local and not wrong:
        lonlat = np.concatenate([one.shape for one in found])
        if np.abs(lonlat).max(initial=0.0) > 180.0 or np.abs(lonlat[:, 1]).max(initial=0.0) > 90.0:
            wrong.append(Problem(BEYOND, str(path), 1))
    if wrong:
        raise InputError(wrong)
    return found, local


def _line(path: Path, id: str) -> int:
    """Return the line on which a feature's id last stands; 1 when it has none, or the file is one line."""
    sought = json.dumps(id, ensure_ascii=False)
    lines = path.read_text("utf-8").splitlines() if id else []
    return max((number for number, line in enumerate(lines, 1) if sought in line), default=1)


def _street(id: str, properties: Mapping[str, Any], geometry: Mapping[str, Any]) -> Street:
    shape = _shape(geometry, ("LineString",), 2)
    start, end, name, rank = (str(properties[key]) for key in ("start", "end", "name", "rank"))
    return Street(id, start, end, shape, name, rank, int(properties["lanes"]), float(properties["speed_m_per_s"]))


def _building(id: str, properties: Mapping[str, Any], geometry: Mapping[str, Any]) -> Building:
    shape = _shape(geometry, ("Polygon",), 3)
    height, floor = float(properties["height_m"]), float(properties["floor_area_m2"])
    return Building(id, shape, height, str(properties["use"]), floor, int(properties["people"]))


def _place(id: str, properties: Mapping[str, Any], geometry: Mapping[str, Any]) -> Place:
    name = properties["name"]
    rest = {key: value for key, value in properties.items() if key not in ("kind", "name")}
    if "footprint_m" in rest and not _sizes(rest["footprint_m"]):
        raise ValueError(f"footprint_m {rest['footprint_m']!r}: two lengths in metres are needed, along and across the axis")
    for key in ("height_m", "capacity"):
        if key in rest and not _sizes([rest[key], 1]):
            raise ValueError(f"{key} {rest[key]!r}: a number above zero is needed")
    named = {"en": name} if isinstance(name, str) else {str(k): str(v) for k, v in name.items()}
    return Place(id, str(properties["kind"]), named, _shape(geometry, ("Point", "LineString", "Polygon"), 1), rest)


def _sizes(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(one, (int, float)) and 0 < one < 1e6 for one in value)


def _shape(geometry: Mapping[str, Any], kinds: tuple[str, ...], least: int) -> np.ndarray:
    """Return (k, 2) coordinates; a polygon's outer ring without its repeated end."""
    kind = geometry["type"]
    if kind not in kinds:
        raise ValueError(f"a {kind} where {' or '.join(kinds)} is needed")
    rows = [geometry["coordinates"]] if kind == "Point" else geometry["coordinates"][0] if kind == "Polygon" else geometry["coordinates"]
    shape = np.asarray([row[:2] for row in rows], dtype=float)
    if kind == "Polygon" and len(shape) > 1 and (shape[0] == shape[-1]).all():
        shape = shape[:-1]
    if shape.ndim != 2 or shape.shape[1] != 2 or len(shape) < least:
        raise ValueError(f"a {kind} needs at least {least} points of two numbers")
    return shape
