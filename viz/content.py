"""What a run holds that can be drawn: layers, element sets and how they look, moving things, cameras."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twin.errors import InputError, nearest
from twin.results import ModelSheet, MoverLook, PortSheet, Run, SetLook, View

GROUND = ("buildings", "streets", "places")
"""Layers of the city itself; every other layer is a model."""

FORMS = {"point": "marker", "line": "tube", "area": "area"}
"""How an element set is drawn whose model says nothing, by its geometry."""


@dataclass(frozen=True)
class Part:
    """One element set that has shapes: ids, geometry in metres, its look, and the ports that may colour it.

    `form`: road, tube, wire, marker, area, surface or cloud (see `twin.looks.SetLook`). `colour`: the port that
    colours it unless somebody asks for another; None when no port of it has a colour map.
    """

    model: str
    name: str
    label: str
    ids: tuple[str, ...]
    shapes: Sequence[np.ndarray]
    closed: bool
    form: str
    look: SetLook
    ports: tuple[PortSheet, ...]
    colour: PortSheet | None

    def width_m(self, default: float) -> np.ndarray:
        """Return one width an element; `default` where the model says none."""
        return _each(self.look.width_m, len(self.ids), default)

    def height_m(self, default: float) -> np.ndarray:
        """Return one height an element; `default` where the model says none."""
        return _each(self.look.height_m, len(self.ids), default)


@dataclass(frozen=True)
class Movers:
    """The moving things of one model: code of a kind -> its label, and how each kind looks."""

    model: str
    kinds: dict[int, str]
    looks: dict[str, MoverLook]


def _each(said: float | Sequence[float], count: int, default: float) -> np.ndarray:
    lengths = np.broadcast_to(np.asarray(said, float), (count,)).copy()
    lengths[lengths <= 0] = default
    return lengths


def geometry(shapes: Sequence[np.ndarray], *, closed: bool) -> str:
    """Return what shapes are: point, line or area."""
    if closed:
        return "area"
    return "line" if max(len(shape) for shape in shapes) > 1 else "point"


def layers(run: Run) -> list[str]:
    """Return the names of a run's layers: the city's own, then its models."""
    return [name for name in GROUND if getattr(run.city, name)] + run.models


def choose(run: Run, names: Iterable[str] | None) -> list[str]:
    """Return the layers asked for, all of them for None; InputError with the nearest name for an unknown one."""
    known = layers(run)
    chosen = known if names is None else list(dict.fromkeys(name.strip() for name in names if name.strip()))
    for name in chosen:
        if name not in known:
            raise InputError(nearest(name, known, what="layer"))
    return chosen


def parts(run: Run, model: str) -> list[Part]:
    """Return the element sets of a model that have shapes, in the order of declaration."""
    sheet, looks = run.static[model], run.looks(model).sets
    found = []
    for name, elements in sheet.elements.items():
        if not elements.shapes:
            continue
        look = looks.get(name, SetLook())
        ports = tuple(port for port in sheet.recorded.values() if port.at == name)
        colour = next((port for port in ports if port.cmap and port.dtype != "bool"), None)
        form = look.form or FORMS[geometry(elements.shapes, closed=elements.closed)]
        found.append(Part(model, name, elements.label or name, elements.ids, elements.shapes, elements.closed, form, look, ports, colour))
    return found


def movers(run: Run) -> list[Movers]:
    """Return what moves in a run, a model at a time; nothing when it kept no tracks."""
    if not int(run.manifest.get("tracks_every_s") or 0):
        return []
    found = []
    for model in run.models:
        kinds = dict(run.static[model].moving)
        looks = run.looks(model).movers
        if kinds:
            found.append(Movers(model, kinds, {label: looks.get(label, MoverLook()) for label in kinds.values()}))
    return found


def span(run: Run, sheet: ModelSheet, port: PortSheet) -> tuple[float, float]:
    """Return the range of a port's colours: as declared, else what the run recorded, never empty."""
    if port.range is not None:
        low, high = port.range
    else:
        values = run.fields[sheet.name][port.name].values
        low, high = (float(np.nanmin(values)), float(np.nanmax(values))) if np.isfinite(values).any() else (0.0, 1.0)
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)


def colours(cmap: str) -> np.ndarray:
    """Return a colour map as (256, 3) bytes; viridis for a name that matplotlib does not know."""
    import matplotlib

    known = matplotlib.colormaps[cmap if cmap in matplotlib.colormaps else "viridis"]
    return (known(np.linspace(0.0, 1.0, 256))[:, :3] * 255 + 0.5).astype(np.uint8)


def bounds_m(run: Run) -> tuple[float, float, float, float]:
    """Return x from, y from, x to, y to of the streets and buildings, else of all elements, in metres of the pack."""
    shapes: list[Any] = [one.shape for one in (*run.city.streets, *run.city.buildings)]
    if not shapes:
        shapes = [shape for model in run.models for part in parts(run, model) for shape in part.shapes]
    if not shapes:
        return 0.0, 0.0, 1.0, 1.0
    xy = np.concatenate(shapes)
    (x0, y0), (x1, y1) = xy.min(axis=0), xy.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def cameras(run: Run) -> dict[str, View]:
    """Return the run's cameras by name, the scenario's first; `overview` of everything where none is called so."""
    x0, y0, x1, y1 = bounds_m(run)
    x, y, size = (x0 + x1) / 2, (y0 + y1) / 2, max(x1 - x0, y1 - y0, 100.0)
    whole = View("overview", (x - 0.25 * size, y - 0.95 * size, 0.75 * size), (x, y, 0.0))
    found = {view.name: view for view in run.city.cameras}
    return found if "overview" in found else found | {"overview": whole}


def camera(run: Run, name: str = "") -> View:
    """Return a camera by name, the run's first for ''; InputError with the nearest name."""
    known = cameras(run)
    if name and name not in known:
        raise InputError(nearest(name, known, what="camera"))
    return known[name] if name else next(iter(known.values()))


def element(run: Run, said: str) -> tuple[Part, int]:
    """Find an element by `model.id` or `model.set.id`; InputError with the nearest name."""
    model, _, id = said.partition(".")
    if model not in run.models:
        raise InputError(f"{said}: {nearest(model, run.models, what='model')}")
    found = parts(run, model)
    for part in found:
        wanted = id.removeprefix(f"{part.name}.")
        if wanted in part.ids:
            return part, part.ids.index(wanted)
    raise InputError(f"{said}: {nearest(id, (one for part in found for one in part.ids), what=f'element of {model}')}")
