"""A map of a run at one instant: networks by their values, what has stopped, and who is where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import InputError
from twin.results import Run
from viz import content, fonts
from viz.stage import TINTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Window = tuple[float, float, float, float]
"""x from, y from, x to, y to, in metres of the pack's CRS."""


@dataclass(frozen=True)
class Style:
    """How a map looks; sizes in points, colours as matplotlib reads them."""

    size_inch: tuple[float, float] = (9.0, 8.0)
    dpi: int = 150
    paper: str = "#fbfaf7"
    ground: str = "#dcdad5"
    building: str = "#ecebe6"
    tints: Mapping[str, str] = field(default_factory=lambda: {"water": "#d6e5f0", "green": "#e4efdd"})
    ink: str = "#22262b"
    stopped: str = "#14161a"
    movers: tuple[str, ...] = (
        *("#1f77b4", "#e0620d", "#6a3d9a", "#00876c", "#b5179e", "#7a5c3e", "#d9a404", "#5aa9e6", "#37424e", "#ef5675"),
    )
    line_width: float = 1.6
    point_size: float = 14.0
    mover_size: float = 2.5


@dataclass(frozen=True)
class Layer:
    """One port at one instant, with the shapes of its elements."""

    name: str
    label: str
    unit: str
    cmap: str
    span: tuple[float, float]
    shapes: Sequence[np.ndarray]
    closed: bool
    values: np.ndarray

    @property
    def form(self) -> str:
        """What its elements are: point, line or area."""
        return content.geometry(self.shapes, closed=self.closed)


def draw(
    run: Run,
    when: object,
    *ports: str,
    tracks: Sequence[str] | None = None,
    window: Window | None = None,
    title: str = "",
    style: Style | None = None,
) -> Figure:
    """Draw a run at `when` ('21:42'); return a matplotlib Figure (`.savefig("map.png")`).

    `ports`: what to colour (`traffic.speed_m_per_s`); by default one of lines, one of
    points and one of areas, of different models. Switches (bool ports) that were on at the first sample and are off now are drawn
    black. `tracks`: models whose moving things are drawn, by default all. `window`: the part of the city to
    show. InputError: an unknown port, one without shapes, or a moment outside the run.
    """
    style = style or Style()
    moment = run.at(when)
    layers = [_layer(run, name, moment) for name in ports or _default_ports(run)]
    with fonts.lettering():
        figure, axes = paper(style)
        ground(axes, run, style)
        for layer in sorted(layers, key=lambda one: ("area", "line", "point").index(one.form)):
            paint(figure, axes, layer, style)
        _people(axes, run, run.models if tracks is None else tracks, moment, style)
        _stopped(axes, run, moment, style)
        frame(axes, window)
        name_places(axes, run, style)
        furniture(axes, run, moment, title, style)
    return figure


def _layer(run: Run, name: str, moment: np.datetime64) -> Layer:
    sheet, port = run.port(name)
    elements = sheet.elements[port.at]
    if not elements.shapes:
        raise InputError(f"{name}: the element set '{port.at}' has no shapes to draw")
    field = run.fields[sheet.name][port.name]
    span = content.span(run, sheet, port)
    values = field.sel(time=moment).values.astype(float)
    return Layer(name, port.label or port.name, port.unit, port.cmap, span, elements.shapes, elements.closed, values)


def _default_ports(run: Run) -> list[str]:
    """For each form of element a port with a colour map, no two of one model: a map has at most three scales."""
    chosen: dict[str, str] = {}
    for model in run.models:
        sheet = run.static[model]
        for name, port in sheet.recorded.items():
            elements = sheet.elements[port.at]
            if not (port.cmap and elements.shapes) or port.dtype == "bool":
                continue
            form = content.geometry(elements.shapes, closed=elements.closed)
            if form not in chosen:
                chosen[form] = f"{model}.{name}"
                break
    return list(chosen.values())


def _largest_net(run: Run) -> Sequence[np.ndarray]:
    nets = [part.shapes for model in run.models for part in content.parts(run, model) if not part.closed]
    return max((net for net in nets if content.geometry(net, closed=False) == "line"), key=len, default=())


def paper(style: Style) -> tuple[Figure, Axes]:
    """Return an empty figure for a map, in the style's colours, and its axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=style.size_inch, dpi=style.dpi, facecolor=style.paper, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_facecolor(style.paper)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return figure, axes


def ground(axes: Axes, run: Run, style: Style) -> None:
    """Draw the city itself in pale colours: buildings and streets, or the largest network where the run kept neither."""
    from matplotlib.collections import LineCollection, PolyCollection

    streets = [street.shape for street in run.city.streets] or list(_largest_net(run))
    patches = [(place.shape, style.tints[TINTS[place.kind]]) for place in run.city.places if len(place.shape) > 2 and place.kind in TINTS]
    for shape, colour in patches:  # a river may run far beyond the city: it does not widen the view
        axes.add_collection(PolyCollection([shape], facecolors=colour, edgecolors="none", zorder=0.4), autolim=False)
    if run.city.buildings:
        buildings = [building.shape for building in run.city.buildings]
        axes.add_collection(PolyCollection(buildings, facecolors=style.building, edgecolors="none", zorder=0.5))
    axes.add_collection(LineCollection(streets, colors=style.ground, linewidths=style.line_width + 1.2, capstyle="round", zorder=1))


def name_places(axes: Axes, run: Run, style: Style, *, most: int = 14) -> None:
    """Write the names of places in view, the pack's first ones first, each where no other name stands."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    metres_a_point = max((right - left) / style.size_inch[0], (high - low) / style.size_inch[1]) / 72 * 1.25
    taken: list[tuple[float, float, float, float]] = []
    for place in run.city.places:
        text = " ".join(dict.fromkeys(str(place.name[tongue]) for tongue in ("en", "zh") if place.name.get(tongue)))
        x, y = place.shape.mean(axis=0)
        if not text or not (left < x < right and low < y < high) or len(taken) == most:
            continue
        width = (7.5 * sum(1.0 if letter >= fonts.FIRST_CJK else 0.6 for letter in text) + 10) * metres_a_point
        from_x = x if x + width < right else x - width
        box = (from_x, y, from_x + width, y + 15 * metres_a_point)
        if any(box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3] for other in taken):
            continue
        taken.append(box)
        side: dict[str, Any] = {"xytext": (4, 2), "ha": "left"} if from_x == x else {"xytext": (-4, 2), "ha": "right"}
        side |= {"bbox": {"boxstyle": "round,pad=0.15", "facecolor": style.paper, "edgecolor": "none", "alpha": 0.75}, "clip_on": True}
        axes.scatter([x], [y], s=7, color=style.ink, zorder=8)
        axes.annotate(text, (x, y), textcoords="offset points", fontsize=6.5, color=style.ink, zorder=8, **side)


def paint(figure: Figure, axes: Axes, layer: Layer, style: Style) -> None:
    """Draw the elements of a layer in the colours of their values, with a scale beside the map."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    low, high = layer.span
    look: dict[str, Any] = {"cmap": _cmap(layer.cmap), "norm": Normalize(low, high if high > low else low + 1.0)}
    if layer.form == "point":
        xy = np.array([shape[0] for shape in layer.shapes])
        drawn: Any = axes.scatter(*xy.T, c=layer.values, s=style.point_size, edgecolors=style.ink, linewidths=0.3, zorder=4, **look)
    else:
        drawn = _collection(layer, style, look)
        drawn.set_array(layer.values)
        axes.add_collection(drawn)
    unit = "" if layer.unit == "1" else f" [{layer.unit}]"
    scale = ScalarMappable(look["norm"], look["cmap"])
    bar = figure.colorbar(scale, ax=axes, location="right", shrink=0.55, aspect=28, pad=0.02)
    bar.set_label(f"{layer.name.split('.')[0]}: {layer.label}{unit}", color=style.ink, fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)


def _collection(layer: Layer, style: Style, look: dict[str, Any]) -> Any:
    from matplotlib.collections import LineCollection, PolyCollection

    if layer.form == "area":
        low, high = look["norm"].vmin, look["norm"].vmax
        nothing = 0.0 if low < 0.0 < high else low
        filled = 0.12 + 0.78 * np.clip(np.nan_to_num(np.abs(layer.values - nothing) / (high - nothing)), 0.0, 1.0)
        return PolyCollection(list(layer.shapes), edgecolors=style.ink, linewidths=0.3, alpha=filled, zorder=2, **look)
    return LineCollection(list(layer.shapes), linewidths=style.line_width, capstyle="round", zorder=3, **look)


def _cmap(name: str) -> str:
    import matplotlib

    return name if name in matplotlib.colormaps else "viridis"


def _people(axes: Axes, run: Run, models: Sequence[str], moment: np.datetime64, style: Style) -> None:
    """Draw the moving things at their last recorded instant at or before `moment`, a colour for each kind."""
    every_s = int(run.manifest.get("tracks_every_s") or 0)
    now_s = run.second(moment)
    kinds = [(group.model, label) for group in content.movers(run) for label in group.kinds.values()]  # the same colour at any moment
    for model in models if every_s else ():
        things = run.tracks(model, max(0, now_s - every_s + 1), now_s)
        things = things[things["time"] == things["time"].max()]
        for kind in sorted(things["kind"].unique()):
            some = things[things["kind"] == kind]
            place = kinds.index((model, kind)) if (model, kind) in kinds else len(kinds)
            look = {"color": style.movers[place % len(style.movers)], "label": f"{model}: {kind} ({len(some):,})"}
            axes.scatter(some["x_m"], some["y_m"], s=style.mover_size, linewidths=0, zorder=5, **look)


def _stopped(axes: Axes, run: Run, moment: np.datetime64, style: Style) -> None:
    """Mark in black every switch that was on at the first sample and is off now."""
    from matplotlib.collections import LineCollection

    for model in run.models:
        sheet = run.static[model]
        for name, port in sheet.recorded.items():
            elements = sheet.elements[port.at]
            if port.dtype != "bool" or not elements.shapes or elements.closed:
                continue
            field = run.fields[model][name]
            shapes = [elements.shapes[i] for i in np.flatnonzero(field.values[0] & ~field.sel(time=moment).values)]
            if not shapes:
                continue
            label = f"{model}: {port.label or name} - no ({len(shapes):,})"
            if content.geometry(shapes, closed=False) == "line":
                axes.add_collection(LineCollection(shapes, colors=style.stopped, linewidths=style.line_width + 0.8, zorder=6, label=label))
            else:
                xy = np.array([shape[0] for shape in shapes])
                mark = {"s": style.point_size * 3.5, "marker": "X", "color": style.stopped, "edgecolors": style.paper}
                axes.scatter(*xy.T, linewidths=0.8, zorder=7, label=label, **mark)


def frame(axes: Axes, window: Window | None) -> None:
    """Show all that is drawn, or the part of the city in `window`."""
    axes.autoscale_view()
    if window is not None:
        axes.set_xlim(window[0], window[2])
        axes.set_ylim(window[1], window[3])


def furniture(axes: Axes, run: Run, moment: np.datetime64, title: str, style: Style) -> None:
    """Add the title with the local clock, scale bar, north arrow and legend."""
    cut = "" if run.status in ("done", "degraded") else f" - {run.status}"
    clock = f"{run.clock(run.second(moment))}   {str(moment)[:10]}   {run.timezone}{cut}"
    heading = title or run.manifest.get("title") or run.name.replace("_", " ")
    axes.set_title(heading, loc="left", color=style.ink, fontsize=13, fontweight="bold", pad=22)
    axes.text(0.0, 1.012, clock, transform=axes.transAxes, color=style.ink, fontsize=10)
    left, right = axes.get_xlim()
    length = _round_length((right - left) / 5)
    share = length / (right - left)
    inside: dict[str, Any] = {"transform": axes.transAxes, "color": style.ink, "zorder": 9, "clip_on": False}
    axes.plot([0.02, 0.02 + share], [0.012, 0.012], linewidth=3, solid_capstyle="butt", **inside)
    axes.text(
        0.02 + share / 2,
        0.02,
        f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m",
        ha="center",
        va="bottom",
        fontsize=9,
        **inside,
    )
    arrow = {"arrowstyle": "-|>", "color": style.ink, "linewidth": 1.5}
    where = {"xycoords": "axes fraction", "textcoords": "axes fraction"}
    axes.annotate("N", (0.975, 0.995), (0.975, 0.925), ha="center", va="top", color=style.ink, fontsize=10, arrowprops=arrow, **where)
    if axes.get_legend_handles_labels()[0]:
        legend = axes.figure.legend(loc="outside lower center", ncols=4, fontsize=8, edgecolor="none", facecolor=style.paper)
        for handle in legend.legend_handles:
            if hasattr(handle, "set_sizes"):
                handle.set_sizes([22.0])


def _round_length(metres: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is no more than `metres`."""
    power = 10.0 ** np.floor(np.log10(max(metres, 1e-6)))
    return float(max(step * power for step in (1, 2, 5) if step * power <= metres * (1 + 1e-9)))
