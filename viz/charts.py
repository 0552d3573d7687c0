"""The pictures of a report as PNG: maps of moments, curves of what the KPIs measure, and of what the journal warns of."""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.results import Run
from viz import content, fonts, written
from viz.map import Style
from viz.map import draw as draw_map
from viz.page import Picture
from viz.plot import canvas, mark
from viz.story import GIVEN, LOUD, Moment, Row
from viz.typeset import printable
from viz.whereabouts import Whereabouts
from viz.words import unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVES = 4
"""So many elements of one kind get a curve of their own."""

LETTERS = 90
"""A label in a picture is cut after so many letters."""
MAP = Style(size_inch=(9.0, 6.3), dpi=110, paper="#ffffff", mover_size=3.0)
CLOSE = Style(size_inch=(9.0, 5.9), dpi=110, paper="#ffffff", mover_size=5.0, point_size=26.0, line_width=2.4)
LINES = Style(paper="#ffffff", ground="#e6e9ec")


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG without the date or the version that made it: the same figure gives the same bytes.

    Its words are made such that they can be drawn: `LETTERS` at most, and none that no page can hold.
    """
    from matplotlib.text import Text

    for one in figure.findobj(Text):
        said = printable(one.get_text())
        one.set_text(said if len(said) <= LETTERS else said[: LETTERS - 1] + "…")
    held = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(held, format="png", metadata={"Software": None})
    return held.getvalue()


def maps(run: Run, moments: Sequence[Moment], found: Sequence[Row], where: Whereabouts) -> list[Picture]:
    """Draw the whole city at the moment `during` where that is not the same, then where things happened, at each moment."""
    if not any(part.colour for model in run.models for part in content.parts(run, model)):
        return []
    window = affected(run, found, where)
    pictures = []
    for one in moments if window is None else [moment for moment in moments if moment.name == "during"]:
        figure = draw_map(run, one.second, style=MAP, title=f"{one.name.capitalize()}: the whole city")
        pictures.append(Picture(f"map-{one.name}-whole", png(figure), f"{one.name.capitalize()}, {run.clock(one.second)}: {one.why}."))
    for one in moments if window is not None else ():
        figure = draw_map(run, one.second, style=CLOSE, window=window, title=f"{one.name.capitalize()}: where things happened")
        pictures.append(Picture(f"map-{one.name}", png(figure), f"{one.name.capitalize()}, {run.clock(one.second)}: {one.why}."))
    return pictures


def affected(run: Run, found: Sequence[Row], where: Whereabouts) -> tuple[float, float, float, float] | None:
    """Return the part of the city that holds the elements of actions and warnings; None when that is most of it, or none."""
    named = [(row.model, id) for row in found if row.kind in GIVEN or row.severity in LOUD for id in row.elements]
    middles = where.middles(named)
    if not len(middles):
        return None
    x0, y0, x1, y1 = content.bounds_m(run)
    (low_x, low_y), (high_x, high_y) = middles.min(axis=0), middles.max(axis=0)
    side = max(high_x - low_x, (high_y - low_y) * 1.25, 400.0) * 1.25
    if side > 0.75 * max(x1 - x0, y1 - y0):
        return None
    x, y = (low_x + high_x) / 2, (low_y + high_y) / 2
    return x - side / 2, y - side / 2.5, x + side / 2, y + side / 2.5


def kpi_curves(run: Run, rows: Sequence[Mapping[str, Any]]) -> list[Picture]:
    """Draw what each KPI of a port was made from over time, all on the same clock, with its target or threshold."""
    declared, drawn, titles = written.measured(run), [], set()
    for row in rows:
        said = declared.get(str(row["name"]), {})
        of = str(said.get("of", ""))
        key = (of, str(said.get("across")), str(said.get("limit")), str(said.get("at")))
        if key not in titles and written.drawn(run, said):
            titles.add(key)
            drawn.append((row, said, *run.port(of)))
    if not drawn or len(run.times_s) < 2:
        return []
    with fonts.lettering():
        figure, panels = grid_of(len(drawn))
        for axes, (row, said, sheet, port) in zip(panels, drawn, strict=False):
            _kpi_curve(axes, run, row, said, sheet.name, port)
        mark_all(run, panels[: len(drawn)])
    told = "What the KPIs are made from, over local time; dotted lines are actions and injects"
    grey = any(one.get("from") or one.get("to") for _, one, _, _ in drawn)
    told += "; dots stand where a KPI took its value" + ("; what is outside its window is grey." if grey else ".")
    return [Picture("curves-kpis", png(figure), told)]


def grid_of(count: int, *, height_inch: float = 2.15) -> tuple[Figure, list[Axes]]:
    """Return a figure with `count` panels in two columns, and their axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-count // 2)
    figure = Figure(figsize=(9.0, height_inch * rows + 0.15), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    panels = [figure.add_subplot(rows, 2, i + 1) for i in range(count)]
    for axes in panels:
        canvas(axes, LINES)
        axes.tick_params(labelsize=7.5)
        axes.xaxis.get_offset_text().set_visible(False)
    return figure, panels


def mark_all(run: Run, panels: Sequence[Axes]) -> None:
    """Mark actions and injects in every panel, with their names in the first."""
    for axes in panels:
        mark(axes, run, LINES, named=False)


def _kpi_curve(axes: Axes, run: Run, row: Mapping[str, Any], said: Mapping[str, Any], model: str, port: Any) -> None:
    times = run.fields[model][port.name].time.values
    level, word, unit = written.curve(run, said)
    axes.plot(times, level, color=LINES.movers[0], linewidth=1.5)
    _window(axes, run, said, times, level)
    for text, colour, name in ((said.get("threshold"), "#7a5c3e", "threshold"), (row["target"], "#b42323", "target")):
        number = _level(text, unit, row if name == "target" else None, said)
        if number is not None:
            axes.axhline(number, color=colour, linewidth=1.0, linestyle="--")
            axes.annotate(name, (0.995, number), xycoords=("axes fraction", "data"), fontsize=7, color=colour, ha="right", va="bottom")
    axes.set_ylabel(labelled(f"{word} {port.label or port.name}".strip(), unit), fontsize=7.5)
    axes.set_title(f"{row['label']}", loc="left", fontsize=8.5, fontweight="bold")
    known = level[np.isfinite(level)]
    if not len(known):
        axes.annotate("no value at any sample", (0.5, 0.5), xycoords="axes fraction", ha="center", fontsize=8, color=LINES.ink)
    elif known.min() == known.max() and len(axes.lines) == 1:
        low = float(known[0])
        axes.set_ylim(low - max(abs(low) * 0.1, 0.5), low + max(abs(low) * 0.1, 0.5))


def labelled(text: str, of: str) -> str:
    """Return an axis' label with its unit, on two lines where it is long."""
    shown = unit(of)
    return textwrap.fill(f"{text} [{shown}]" if shown else text, 34)


def _window(axes: Axes, run: Run, said: Mapping[str, Any], times: np.ndarray, level: np.ndarray) -> None:
    """Grey what a KPI does not look at, and put a dot where it took its value."""
    window = written.window(run, said)
    for left, right in ((0, window.start), (window.stop - 1, len(times) - 1)):
        if left < right and (said.get("from") or said.get("to")):
            axes.axvspan(times[left], times[right], color=LINES.ground, alpha=0.6, linewidth=0, zorder=0)
    inside, over = level[window], str(said.get("over"))
    if len(inside) and not np.isnan(inside).any():
        index = {"first": 0, "last": len(inside) - 1, "min": int(inside.argmin()), "max": int(inside.argmax())}.get(over)
        if index is not None:
            axes.plot([times[window][index]], [inside[index]], "o", color=LINES.movers[0], markersize=5, label="_value")


def _level(text: object, unit: str, row: Mapping[str, Any] | None, said: Mapping[str, Any]) -> float | None:
    """Return a level that stands on the curve's own axis: in the curve's unit, and a target only of a figure that is such a value."""
    if text in (None, "") or (row is not None and str(said.get("over")) not in ("min", "max", "mean", "first", "last")):
        return None
    return written.quantity(text, unit)


def affected_curves(run: Run, found: Sequence[Row]) -> list[Picture]:
    """Draw, for each set with elements in warnings, the port that moved at them, at those that moved furthest."""
    panels_of = []
    for model in run.models:
        notices = run.static[model].notices or {}
        for name, elements in run.static[model].elements.items():
            loud = [row for row in found if row.model == model and row.severity in LOUD and notices.get(row.name) in (None, "", name)]
            warned = {id for row in loud for id in row.elements}
            ids = [id for id in elements.ids if id in warned]
            port, chosen = _moved(run, model, name, ids)
            if port is not None:
                panels_of.append((model, port, chosen, len(ids)))
    if not panels_of or len(run.times_s) < 2:
        return []
    with fonts.lettering():
        figure, panels = grid_of(len(panels_of), height_inch=2.4)
        for axes, (model, port, chosen, count) in zip(panels, panels_of, strict=True):
            field = run.fields[model][port.name].sel({port.at: chosen})
            for i, id in enumerate(chosen):
                colour = LINES.movers[i % len(LINES.movers)]
                axes.plot(field.time.values, field.values[:, i].astype(float), linewidth=1.3, label=f"\u200b{id}", color=colour)
            axes.set_ylabel(labelled(port.label or port.name, port.unit), fontsize=7.5)
            kind = run.static[model].elements[port.at].label or port.at
            axes.set_title(f"{model}, {kind}: {len(chosen)} of the {count} warned of", loc="left", fontsize=8.5, fontweight="bold")
            axes.legend(frameon=False, fontsize=7, ncols=2)
        mark_all(run, panels)
    said = "The elements that the journal warns of: those whose value moved furthest from where it began."
    return [Picture("curves-affected", png(figure), said)]


def _moved(run: Run, model: str, elements: str, ids: list[str]) -> tuple[Any, list[str]]:
    ports = [port for port in run.static[model].recorded.values() if port.at == elements and port.dtype != "bool"]
    for port in sorted(ports, key=lambda port: not port.cmap) if ids else ():
        values = run.fields[model][port.name].sel({elements: ids}).values.astype(float)
        if values.shape[0] and (moved := np.nan_to_num(np.abs(values - values[:1])).max(axis=0)).max() > 0:
            return port, [ids[i] for i in np.argsort(-moved, kind="stable")[:CURVES] if moved[i] > 0]
    return None, []
