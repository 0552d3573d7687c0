"""The pictures of a comparison as PNG: both runs' curves on the same axes, and maps of B less A."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from twin.results import Run
from viz import fonts, written
from viz.charts import LINES, MAP, grid_of, labelled, png
from viz.divergence import Apart, values
from viz.map import Layer, frame, furniture, ground, name_places, paint, paper
from viz.page import Picture

MAPS = 4
"""So many difference maps are drawn, no two of one model."""


def curves(a: Run, b: Run, names: tuple[str, str]) -> list[Picture]:
    """Draw the ports of both runs' KPIs, one panel each with both runs in it; none where no KPI has a common port."""
    panels_of: dict[tuple[str, ...], tuple[str, Mapping[str, Any]]] = {}
    for run in (a, b):
        for name, declared in written.measured(run).items():
            of = str(declared.get("of"))
            if not (written.drawn(a, declared) and written.drawn(b, declared)) or a.port(of)[1].unit != b.port(of)[1].unit:
                continue
            key = tuple(str(declared.get(one)) for one in ("of", "across", "limit", "at"))
            panels_of.setdefault(key, (str(declared.get("label") or name.replace("_", " ")), declared))
    if not panels_of:
        return []
    with fonts.lettering():
        figure, panels = grid_of(len(panels_of))
        for axes, (label, said) in zip(panels, panels_of.values(), strict=True):
            for run, colour, name, dashes in zip((a, b), LINES.movers, names, ("-", "--"), strict=False):
                port = run.port(str(said["of"]))[1]
                level, word, unit = written.curve(run, said)
                axes.plot(times_on(a, run), level, color=colour, linewidth=1.5, linestyle=dashes, label=f"\u200b{name}")
            axes.set_ylabel(labelled(f"{word} {port.label or port.name}".strip(), unit), fontsize=7.5)
            axes.set_title(label, loc="left", fontsize=8.5, fontweight="bold")
        panels[0].legend(frameon=False, fontsize=7.5)
    return [Picture("curves", png(figure), f"What the KPIs are made from: {names[0]} solid, {names[1]} dashed, on A's clock.")]


def times_on(a: Run, run: Run) -> np.ndarray:
    """Return the samples of a run as times on A's clock: the same seconds after the start."""
    return np.datetime64(a.time(0)) + run.times_s.astype("timedelta64[s]")


def maps(a: Run, b: Run, found: Sequence[Apart], names: tuple[str, str]) -> list[Picture]:
    """Draw B less A at the sample where it is furthest: for each model the port with the most values that differ, coloured ones first."""
    pictures: list[Picture] = []
    models: set[str] = set()
    ranked = sorted(found, key=lambda one: (not one.port.cmap, -one.share * one.common))
    for one in ranked:
        elements = a.static[one.model].elements[one.port.at]
        if one.model in models or not elements.shapes or one.common < 2 or len(pictures) == MAPS:
            continue
        models.add(one.model)
        pictures.append(_difference(a, b, one, names))
    return pictures


def _difference(a: Run, b: Run, one: Apart, names: tuple[str, str]) -> Picture:
    ours, theirs, ids = values(a, b, one.model, one.port)
    row = int(np.searchsorted(np.intersect1d(a.times_s, b.times_s), one.widest_s))
    less = theirs[row].astype(float) - ours[row].astype(float)
    moved = np.abs(less[np.isfinite(less) & (less != 0)])
    far = float(np.percentile(moved, 98)) if len(moved) else 1.0
    elements = a.static[one.model].elements[one.port.at]
    place = {id: i for i, id in enumerate(elements.ids)}
    shapes = [elements.shapes[place[id]] for id in ids]
    label = one.port.label or one.port.name
    layer = Layer(f"{one.model}.{one.port.name}", f"{label}, B less A", one.port.unit, "RdBu_r", (-far, far), shapes, elements.closed, less)
    with fonts.lettering():
        figure, axes = paper(MAP)
        ground(axes, a, MAP)
        paint(figure, axes, layer, MAP)
        frame(axes, None)
        name_places(axes, a, MAP, most=8)
        furniture(axes, a, a.time(one.widest_s), f"{one.model}: {label}, B less A", MAP)
    said = f"{one.model}.{one.port.name} at {a.clock(one.widest_s)}: red where {names[1]} (B) is higher, blue where {names[0]} (A) is."
    return Picture(f"difference-{one.model}-{one.port.name}", png(figure), said)
