"""The curves of one element: every recorded port of it over the local clock, as a picture with a line at now."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from twin.errors import InputError, nearest
from twin.results import PortSheet, Run
from viz.fonts import lettering

MOST = 6
"""More ports than this are left to `viz.plot`."""

INK, PAPER, LINE, FAINT = "#22262b", "#fbfaf7", "#1f5fa8", "#dcdad5"
NOW = (214, 60, 30)
WIDTH_PX, HEAD_PX, PANEL_PX, DPI = 460, 34, 96, 100
LEFT, RIGHT = 0.15, 0.97
"""Where the time axis starts and ends, as parts of the width."""


class Curve:
    """The recorded ports of one element (model, element set, id).

    `image`: (height, width, 3) bytes. `said(second)`: what the ports say then. InputError: an unknown element.
    """

    def __init__(self, run: Run, picked: tuple[str, str, str]) -> None:
        model, name, self.id = picked
        self.run, sheet = run, run.static[model]
        elements = sheet.elements[name]
        if self.id not in elements.ids:
            raise InputError(f"{model}: {nearest(self.id, elements.ids, what=name)}")
        index = elements.ids.index(self.id)
        self.title = f"{elements.label or name} {self.id}"
        self.ports = [port for port in sheet.recorded.values() if port.at == name]
        fields = run.fields[model]
        self.values = [fields[port.name].isel({name: index}).values for port in self.ports]
        with lettering():
            self.image = self._draw()

    def said(self, second: float) -> list[tuple[str, str]]:
        """Return (label, value with its unit) of every port at a second."""
        index = max(0, int(np.searchsorted(self.run.times_s, second, side="right")) - 1)
        return [(port.label or port.name, _said(port, values[index])) for port, values in zip(self.ports, self.values, strict=True)]

    def now(self, second: float) -> float:
        """Return where a second lies, as a part of the picture's width."""
        return LEFT + (RIGHT - LEFT) * second / max(1, int(self.run.times_s[-1]))

    def at(self, second: float) -> np.ndarray:
        """Return the picture with its line at `second`."""
        made = self.image.copy()
        x = round(self.now(second) * made.shape[1])
        made[HEAD_PX - 6 : -22, x : x + 2] = NOW
        return made

    def png(self) -> bytes:
        """Return the picture without its line, as a PNG file."""
        from matplotlib.image import imsave

        file = io.BytesIO()
        imsave(file, self.image)
        return file.getvalue()

    def _draw(self) -> np.ndarray:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        shown = list(zip(self.ports, self.values, strict=True))[:MOST]
        height = HEAD_PX + max(1, len(shown)) * PANEL_PX
        figure = Figure(figsize=(WIDTH_PX / DPI, height / DPI), dpi=DPI, facecolor=PAPER)
        canvas = FigureCanvasAgg(figure)
        figure.text(0.02, 1 - 16 / height, self.title, fontsize=9, fontweight="bold", color=INK, va="center")
        if not shown:
            figure.text(0.5, 0.4, "nothing of it was recorded", fontsize=8, color=INK, ha="center")
        for row, (port, values) in enumerate(shown):
            bottom = height - HEAD_PX - (row + 1) * PANEL_PX + 22
            axes = figure.add_axes((LEFT, bottom / height, RIGHT - LEFT, (PANEL_PX - 40) / height))
            self._panel(axes, port, values)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()

    def _panel(self, axes: Any, port: PortSheet, values: np.ndarray) -> None:
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        times = self.run.times_s
        is_switch = port.dtype == "bool"
        axes.plot(times, values.astype(float), color=LINE, linewidth=1.3, drawstyle="steps-post" if is_switch else "default")
        axes.set_facecolor(PAPER)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color=FAINT, linewidth=0.6)
        axes.set_xlim(0, max(1, int(times[-1])))
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 1.5, 3, 6, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda second, _: self.run.clock(second)[:5]))
        axes.tick_params(labelsize=6.5, colors=INK, length=2)
        if is_switch:
            axes.set_yticks([0, 1], ["no", "yes"])
            axes.set_ylim(-0.15, 1.15)
        else:
            axes.yaxis.set_major_locator(MaxNLocator(3))
            axes.yaxis.get_major_formatter().set_useOffset(False)
        unit = "" if port.unit in ("1", "") or is_switch else f" [{port.unit}]"
        axes.set_title(f"{port.label or port.name}{unit}", fontsize=7, loc="left", color=INK, pad=2)


def _said(port: PortSheet, value: Any) -> str:
    if port.dtype == "bool":
        return "yes" if bool(value) else "no"
    if not np.isfinite(float(value)):
        return "none"
    return f"{float(value):.4g}" + ("" if port.unit in ("1", "") else f" {port.unit}")
