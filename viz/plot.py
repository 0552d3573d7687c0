"""Lines over the local clock: one port of a run at a few elements, with what was done to the city."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import InputError
from twin.results import Run
from viz import fonts
from viz.map import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED_LINES = 12
"""More elements than this are drawn as one thin bundle without names."""


def lines(
    run: Run,
    port: str,
    *,
    at: Sequence[str] = (),
    actions: bool = True,
    axes: Axes | None = None,
    title: str = "",
    style: Style | None = None,
) -> Figure:
    """Draw `port` (`water.pressure_m`) over time at the elements `at` (default: all); return the Figure.

    `actions`: mark what was done to the city (actions and injects of the journal) by a line with its name.
    `axes`: draw into these instead of a new figure. InputError: an unknown port or element.
    """
    style = style or Style()
    sheet, said = run.port(port)
    ids = list(sheet.elements[said.at].ids)
    unknown = [id for id in at if id not in ids]
    if unknown:
        raise InputError(f"{port}: no {said.at} {', '.join(map(repr, unknown))}; known: {', '.join(ids[:8])}")
    field = run.fields[sheet.name][said.name].sel({said.at: list(at) or ids})
    with fonts.lettering():
        figure, axes = canvas(axes, style)
        _draw(axes, field, said.at, bool(said.dtype == "bool"), style)
        if actions:
            mark(axes, run, style)
        unit = "" if said.unit == "1" else f" [{said.unit}]"
        axes.set_ylabel(f"{said.label or said.name}{unit}")
        axes.set_title(title or f"{run.name.replace('_', ' ')} - {sheet.name}", loc="left", fontweight="bold", pad=26)
    return figure


def canvas(axes: Axes | None, style: Style) -> tuple[Any, Axes]:
    """Make axes (or those given) ready for curves over local time; return their figure and them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    if axes is None:
        figure = Figure(figsize=(9.0, 4.2), dpi=style.dpi, facecolor=style.paper, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
    axes.set_facecolor(style.paper)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=style.ground, linewidth=0.6)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    return axes.figure, axes


def _draw(axes: Axes, field: Any, at: str, is_switch: bool, style: Style) -> None:
    values, times = field.values.astype(float), field.time.values
    how: dict[str, Any] = {"drawstyle": "steps-post"} if is_switch else {}
    ids = field[at].values
    if len(ids) > NAMED_LINES:
        axes.plot(times, values, color=style.movers[0], linewidth=0.5, alpha=max(0.05, 12.0 / len(ids)), **how)
        axes.plot([], [], color=style.movers[0], linewidth=1.0, label=f"{len(ids):,} {field[at].attrs.get('long_name', at)}")
    else:
        for i, id in enumerate(ids):
            dashes = "-" if i < len(style.movers) else "--"
            axes.plot(times, values[:, i], color=style.movers[i % len(style.movers)], linestyle=dashes, linewidth=1.6, label=str(id), **how)
    if is_switch:
        axes.set_yticks([0, 1], ["no", "yes"])
    axes.legend(frameon=False, fontsize=8, ncols=2 if len(ids) > 6 else 1)


def mark(axes: Axes, run: Run, style: Style, *, named: bool = True) -> None:
    """Draw a dotted line at each action and inject of the journal, with its name where it does not stand on another's."""
    rows = run.events
    given = rows[rows["kind"].isin(["action", "inject"])]
    spaced_s, last_s = run.committed_s / 25, -np.inf
    for _, row in given.iterrows():
        when = run.time(int(row["t_happened_s"]))
        axes.axvline(np.datetime64(when, "us"), color=style.ink, linewidth=0.8, linestyle=":")
        what = ".".join(filter(None, (row["model"], row["name"]))) + (f" {row['element']}" if row["element"] else "")
        if named and row["t_happened_s"] - last_s >= spaced_s:
            axes.annotate(what, (when, 1.01), xycoords=("data", "axes fraction"), fontsize=7, rotation=20, color=style.ink)
            last_s = row["t_happened_s"]
