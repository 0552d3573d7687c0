"""What a replay says of a run besides what moves: its clock, ground, element sets with their fields, journal, key figures."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from twin.results import ModelSheet, Place, PortSheet, Run, SetLook
from viz import content
from viz.pack import Chunk, Packer, by_rows, quantised

PLAIN_CMAP = "viridis"
LANE_M = 3.5

Watch = Callable[[str, float], None]
"""Called with what is being written, and how much of it is done (0 to 1)."""


class Writer:
    """Writes one run's chunks under a key and gathers what the index says of it; coordinates are metres minus `origin_m`."""

    def __init__(self, run: Run, key: str, layers: Collection[str], packer: Packer) -> None:
        self.run, self.key, self.layers, self.packer = run, key, layers, packer
        x0, y0, x1, y1 = content.bounds_m(run)
        self.origin_m = np.array([round((x0 + x1) / 2), round((y0 + y1) / 2)], float)
        self._chunks = 0
        self.cmaps = {PLAIN_CMAP}

    def chunk(self, what: str) -> Chunk:
        """Begin a chunk of its own."""
        self._chunks += 1
        return Chunk(f"{self.key}/{what}/{self._chunks - 1}")

    def models(self) -> list[str]:
        """Return the models whose layer is shown."""
        return [name for name in self.run.models if name in self.layers]

    def says(self, offset_s: int) -> dict[str, Any]:
        """Return what the index says of the run, all but what moves."""
        run = self.run
        clock = self.chunk("clock")
        times = clock.put("times_s", run.times_s, "f8")
        self.packer.add(clock)
        bounds = np.array(content.bounds_m(run)) - np.tile(self.origin_m, 2)
        parts = [self._part(part) for model in self.models() for part in content.parts(run, model)]
        return {
            "key": self.key,
            "name": run.name,
            "title": str(run.manifest.get("title") or run.name.replace("_", " ")),
            "status": run.status,
            "error": str(run.manifest.get("error") or "") or None,
            "clock0": f"{run.start.replace(tzinfo=None):%Y-%m-%dT%H:%M:%S}",
            "timezone": run.timezone,
            "offset_s": offset_s,
            "duration_s": run.duration_s,
            "committed_s": run.committed_s,
            "record_every_s": int(run.manifest["record_every_s"]),
            "provenance": run.city.provenance,
            "times_s": times,
            "bounds_m": bounds.tolist(),
            "origin_m": self.origin_m.tolist(),
            "cameras": [self._camera(view) for view in content.cameras(run).values()],
            "ground": self._ground(),
            "layers": list(self.layers),
            "parts": parts,
            "figures": [figure for model in self.models() for figure in self._figures(run.static[model])],
            "journal": self._journal(),
            "kpis": run.kpis[["name", "label", "value", "unit", "target", "verdict"]].to_dict("records"),
        }

    def _camera(self, view: Any) -> dict[str, Any]:
        shift = np.array([*self.origin_m, 0.0])
        return {
            "name": view.name,
            "position_m": (np.array(view.position_m) - shift).tolist(),
            "look_at_m": (np.array(view.look_at_m) - shift).tolist(),
        }

    def _shapes(self, chunk: Chunk, key: str, shapes: Sequence[np.ndarray]) -> dict[str, Any]:
        xy = np.concatenate([np.asarray(shape, float) for shape in shapes]) if len(shapes) else np.empty((0, 2))
        rows = [len(shape) for shape in shapes]
        return {"xy": chunk.put(f"{key}.xy", xy - self.origin_m, "f4"), "rows": chunk.put(f"{key}.rows", rows, "u4")}

    def _ground(self) -> dict[str, Any]:
        city, chunk = self.run.city, self.chunk("ground")
        chunk.name = f"{self.key}/ground"
        buildings = city.buildings if "buildings" in self.layers else ()
        streets = city.streets if "streets" in self.layers else ()
        places = city.places if "places" in self.layers else ()
        found = {
            "buildings": self._shapes(chunk, "buildings", [one.shape for one in buildings])
            | {
                "height_m": chunk.put("height_m", [one.height_m for one in buildings], "f4"),
                "ids": [one.id for one in buildings],
            },
            "streets": self._shapes(chunk, "streets", [one.shape for one in streets])
            | {
                "width_m": chunk.put("width_m", [2 * one.lanes * LANE_M for one in streets], "f4"),
                "ids": [one.id for one in streets],
                "names": [one.name for one in streets],
            },
            "places": [self._place(chunk, place) for place in places],
        }
        self.packer.add(chunk)
        return found

    def _place(self, chunk: Chunk, place: Place) -> dict[str, Any]:
        shape = np.asarray(place.shape, float) - self.origin_m
        ring = chunk.put(f"place.{place.id}", shape, "f4") if len(shape) > 2 else None
        height = place.properties.get("height_m")
        return {
            "id": place.id,
            "kind": place.kind,
            "name": dict(place.name),
            "at": shape.mean(axis=0).tolist(),
            "ring": ring,
            "height_m": float(height) if isinstance(height, int | float) else None,
        }

    def _part(self, part: content.Part) -> dict[str, Any]:
        chunk, look = self.chunk("shape"), part.look
        said = {
            "model": part.model,
            "set": part.name,
            "label": part.label,
            "form": part.form,
            "ids": list(part.ids),
            "closed": bool(part.closed),
            "shown": bool(look.shown),
            "colour": part.colour.name if part.colour else None,
            "lights": look.lights or None,
            "reach_m": look.reach_m,
            "depth": look.depth or None,
            **self._shapes(chunk, "shape", part.shapes),
            "width_m": chunk.put("width_m", part.width_m(0.0), "f4"),
            "height_m": chunk.put("height_m", part.height_m(0.0), "f4"),
        }
        self.packer.add(chunk)
        sheet = self.run.static[part.model]
        return said | {"ports": [self._port(sheet, port) for port in part.ports]}

    def _port(self, sheet: ModelSheet, port: PortSheet) -> dict[str, Any]:
        if port.cmap:
            self.cmaps.add(port.cmap)
        values = self.run.fields[sheet.name][port.name].values
        return self._field(port, values) | {"cmap": port.cmap or None, "range": list(port.range or _range(values))}

    def _field(self, port: PortSheet, values: np.ndarray) -> dict[str, Any]:
        chunk = self.chunk("field")
        said: dict[str, Any] = {"name": port.name, "label": port.label or port.name, "unit": "" if port.unit == "1" else port.unit}
        if values.dtype == bool:
            said |= {"type": "switch", "data": chunk.put("data", by_rows(values.astype(np.uint8)), "u1"), "low": 0.0, "high": 1.0}
        else:
            codes, low, high = quantised(values)
            said |= {"type": "number", "data": chunk.put("data", by_rows(codes), "u2", planes=True), "low": low, "high": high}
        self.packer.add(chunk)
        return said

    def _figures(self, sheet: ModelSheet) -> list[dict[str, Any]]:
        looks = self.run.looks(sheet.name).sets
        found = []
        for port in sheet.recorded.values():
            elements = sheet.elements[port.at]
            drawn = bool(elements.shapes) and looks.get(port.at, SetLook()).shown
            if len(elements.ids) == 1 and not drawn:
                found.append({"model": sheet.name} | self._field(port, self.run.fields[sheet.name][port.name].values))
        return found

    def _journal(self) -> list[dict[str, Any]]:
        rows = self.run.events.rename(columns={"t_seen_s": "t_s", "t_happened_s": "happened_s"})
        keys = ["t_s", "happened_s", "kind", "source", "model", "name", "element", "severity", "facts"]
        return [dict(zip(keys, row, strict=True)) for row in rows[keys].itertuples(index=False, name=None)]


def _range(values: np.ndarray) -> tuple[float, float]:
    """Return the range of what was recorded, never empty."""
    found = values[np.isfinite(values)]
    low, high = (float(found.min()), float(found.max())) if found.size else (0.0, 1.0)
    return (low, high) if high > low else (low, low + 1.0)


def colour_tables(names: Collection[str]) -> dict[str, str]:
    """Return colour maps by name, 256 x 3 bytes in base64."""
    return {name: base64.b64encode(content.colours(name).tobytes()).decode() for name in sorted(names)}
