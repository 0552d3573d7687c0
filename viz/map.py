"""A map of a run at one instant: networks by their values, what has stopped, and who is where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import InputError
from twin.results import Run

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
    ink: str = "#22262b"
    stopped: str = "#14161a"
    movers: tuple[str, ...] = ("#1f77b4", "#e0620d", "#6a3d9a", "#00876c", "#b5179e", "#7a5c3e")
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
        return _form(self.shapes, self.closed)


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
    figure, axes = _paper(style)
    base = max((layer.shapes for layer in layers if layer.form == "line"), key=len, default=None)
    _ground(axes, base if base is not None else _largest_net(run), style)
    for layer in sorted(layers, key=lambda one: ("area", "line", "point").index(one.form)):
        _paint(figure, axes, layer, style)
    _people(axes, run, run.models if tracks is None else tracks, moment, style)
    _stopped(axes, run, moment, style)
    _frame(axes, window)
    _furniture(axes, run, moment, title, style)
    return figure


def _form(shapes: Sequence[np.ndarray], closed: bool) -> str:
    if closed:
        return "area"
    return "line" if max(len(shape) for shape in shapes) > 1 else "point"


def _layer(run: Run, name: str, moment: np.datetime64) -> Layer:
    sheet, port = run.port(name)
    elements = sheet.elements[port.at]
    if not elements.shapes:
        raise InputError(f"{name}: the element set '{port.at}' has no shapes to draw")
    field = run.fields[sheet.name][port.name]
    span = port.range or (float(field.min()), float(field.max()))
    values = field.sel(time=moment).values.astype(float)
    return Layer(name, port.label or port.name, port.unit, port.cmap, span, elements.shapes, elements.closed, values)


def _default_ports(run: Run) -> list[str]:
    """For each form of element a port with a colour map, no two of one model: a map has at most three scales."""
    chosen: dict[str, str] = {}
    for model in run.models:
        sheet = run.static[model]
        for name, port in sheet.recorded.items():
            elements = sheet.elements[port.at]
            if port.cmap and elements.shapes and port.dtype != "bool" and _form(elements.shapes, elements.closed) not in chosen:
                chosen[_form(elements.shapes, elements.closed)] = f"{model}.{name}"
                break
    return list(chosen.values())


def _largest_net(run: Run) -> Sequence[np.ndarray]:
    nets = [
        one for model in run.models for one in run.static[model].elements.values() if one.shapes and _form(one.shapes, one.closed) == "line"
    ]
    return max((one.shapes for one in nets), key=len, default=())


def _paper(style: Style) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=style.size_inch, dpi=style.dpi, facecolor=style.paper, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_facecolor(style.paper)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return figure, axes


def _ground(axes: Axes, shapes: Sequence[np.ndarray], style: Style) -> None:
    from matplotlib.collections import LineCollection

    axes.add_collection(LineCollection(list(shapes), colors=style.ground, linewidths=style.line_width + 1.2, capstyle="round", zorder=1))


def _paint(figure: Figure, axes: Axes, layer: Layer, style: Style) -> None:
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
    bar = figure.colorbar(drawn, ax=axes, location="right", shrink=0.55, aspect=28, pad=0.01)
    bar.set_label(f"{_shown(layer.name.split('.')[0])}: {_shown(layer.label)}{unit}", color=style.ink)
    bar.outline.set_visible(False)


def _collection(layer: Layer, style: Style, look: dict[str, Any]) -> Any:
    from matplotlib.collections import LineCollection, PolyCollection

    if layer.form == "area":
        return PolyCollection(list(layer.shapes), edgecolors=style.ink, linewidths=0.4, alpha=0.75, zorder=2, **look)
    return LineCollection(list(layer.shapes), linewidths=style.line_width, capstyle="round", zorder=3, **look)


def _cmap(name: str) -> str:
    import matplotlib

    return name if name in matplotlib.colormaps else "viridis"


def _people(axes: Axes, run: Run, models: Sequence[str], moment: np.datetime64, style: Style) -> None:
    """Draw the moving things at their last recorded instant at or before `moment`, a colour for each kind."""
    every_s = int(run.manifest.get("tracks_every_s") or 0)
    now_s = run.second(moment)
    colours = iter(style.movers * 20)
    for model in models if every_s else ():
        things = run.tracks(model, max(0, now_s - every_s + 1), now_s)
        things = things[things["time"] == things["time"].max()]
        for kind in sorted(things["kind"].unique()):
            some = things[things["kind"] == kind]
            label = f"{_shown(model)}: {_shown(str(kind))} ({len(some):,})"
            axes.scatter(some["x_m"], some["y_m"], s=style.mover_size, color=next(colours), linewidths=0, zorder=5, label=label)


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
            label = f"{_shown(model)}: {_shown(port.label or name)} - no ({len(shapes):,})"
            if _form(shapes, closed=False) == "line":
                axes.add_collection(LineCollection(shapes, colors=style.stopped, linewidths=style.line_width + 0.8, zorder=6, label=label))
            else:
                xy = np.array([shape[0] for shape in shapes])
                mark = {"s": style.point_size * 3.5, "marker": "X", "color": style.stopped, "edgecolors": style.paper}
                axes.scatter(*xy.T, linewidths=0.8, zorder=7, label=label, **mark)


def _frame(axes: Axes, window: Window | None) -> None:
    axes.autoscale_view()
    if window is not None:
        axes.set_xlim(window[0], window[2])
        axes.set_ylim(window[1], window[3])


def _furniture(axes: Axes, run: Run, moment: np.datetime64, title: str, style: Style) -> None:
    """Add the title with the local clock, scale bar, north arrow and legend."""
    cut = "" if run.status in ("done", "degraded") else f" - {run.status}"
    clock = f"{run.clock(run.second(moment))}   {str(moment)[:10]}   {run.timezone}{cut}"
    heading = _shown(title or run.manifest.get("title") or run.name.replace("_", " "))
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


def _shown(text: str) -> str:
    """Return `text` as the fonts at hand can show it: Chinese only where one of them has it."""
    if text.isascii() or _has_cjk():
        return text
    return "".join(letter for letter in text if ord(letter) < 0x2E80).strip() or "(no font for this name)"


def _has_cjk() -> bool:
    from matplotlib import font_manager, rcParams

    families = {font.name for font in font_manager.fontManager.ttflist}
    wanted = [*rcParams["font.sans-serif"], *rcParams["font.family"]]
    return any(name in families and any(mark in name for mark in ("CJK", "WenQuanYi", "SimHei", "YaHei", "PingFang")) for name in wanted)
