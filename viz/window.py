"""`twin view`: a run in a window: 3D city, timeline with marks, play, layers, cameras; click an element for its curve."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from twin.errors import InputError, TwinError
from twin.results import Run
from viz.curve import Curve
from viz.fonts import cjk_font
from viz.player import Mark, Player
from viz.scene import Scene

SIZE_PX = (1440, 860)
LINE_FROM, LINE_TO, LINE_UP = 0.25, 0.76, 0.058
"""Where the timeline lies, as parts of the window: between the legend and the scale bar."""
MOST_NAMED = 12
"""More marks than this are drawn without their words."""
TICK_MS = 50
EDGE_PX, BELOW_CLOCK_PX, ROW_PX, BUTTON_PX = 18, 150, 24, 16
STATUS_UP, CITY_UP = 0.16, 0.19
"""Heights of the line that says what goes on, and of where the city begins to take clicks."""
AT_M = 3.0
"""How high over the ground a click is taken to mean."""
STILL_PX = 4
"""A mouse that moved less between press and release has clicked."""
INK, ACCENT, MARKED, SHADE = "#f2f4f7", "#5aa9ff", "#ffb454", "#0e131e"
HELP = "space: play or pause    left, right: one sample    + -: speed    c, 1-9: camera    click: an element's curve    q: close"
KEYS = {"space": "play", "Right": "on", "Left": "back", "plus": "faster", "equal": "faster", "minus": "slower", "c": "camera"}


INSTEAD = "use `twin shot`, `twin replay` or `twin serve`, which need none"


def require_window(kind: str, display: str) -> None:
    """Raise InputError when VTK, by the class of its window, found no display that answers and draws off screen instead."""
    if kind in ("vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow"):
        raise InputError(f"the display {display} does not answer, so no window can open on it; {INSTEAD}")


def require_display(environment: Mapping[str, str] = os.environ) -> None:
    """Raise InputError where no window can open; VTK itself would end the process without a word."""
    if sys.platform.startswith("linux") and not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        raise InputError(f"there is no display to open a window on; {INSTEAD}")


def view(run: Run, *, at: object = "", camera: str = "", layers: Sequence[str] | None = None, look: str = "auto") -> None:
    """Open a run in a window until it is closed; InputError: no display, no such layer, camera or moment."""
    player = Player(run, at=at, camera=camera, layers=layers)
    shown = [name for name, on in player.layers.items() if on]
    scene = Scene(run, layers=shown, camera=player.camera, size=SIZE_PX, look=look, off_screen=False)
    require_display()
    require_window(scene.plotter.render_window.GetClassName(), os.environ.get("DISPLAY", ""))
    Window(scene, player).show()


class Window:
    """Widgets round a scene: each does one thing to the player, then the picture is drawn anew."""

    def __init__(self, scene: Scene, player: Player) -> None:
        from matplotlib import get_data_path

        self.scene, self.player, self.plotter = scene, player, scene.plotter
        self.curve: Curve | None = None
        self.texts: dict[str, Any] = {}
        self.overlay = Overlay(self.plotter)
        self.pressed = (0, 0)
        self.ticked = time.monotonic()
        self.said = ""
        self.placed, self.font = (0, 0), str(cjk_font() or Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))
        self.slider = self._timeline()
        self._marks(player.marks)
        self.buttons = self._layers()
        self._write(HELP, (LINE_FROM, 0.012), 7, "help")
        self._listen()
        self.draw()

    def show(self) -> None:
        """Show the window until it is closed."""
        self.plotter.iren.initialize()
        self.plotter.iren.create_timer(TICK_MS)
        run = self.player.run
        self.plotter.show(title=f"{run.manifest.get('title') or run.name}")

    # -- what is there ------------------------------------------------------------------------------------------------

    def _timeline(self) -> Any:
        slider = self.plotter.add_slider_widget(
            self.on_slider,
            rng=(0, max(1, self.player.last_s)),
            value=self.player.second,
            pointa=(LINE_FROM, LINE_UP),
            pointb=(LINE_TO, LINE_UP),
            interaction_event="always",
            slider_width=0.025,
            tube_width=0.004,
            color=ACCENT,
            fmt="",
        )
        slider.GetSliderRepresentation().ShowSliderLabelOff()
        return slider

    def _marks(self, marks: Sequence[Mark]) -> None:
        """Draw a stroke over the timeline at each mark, and its words while they are few."""
        if not marks:
            return
        import pyvista as pv
        import vtk

        across = [LINE_FROM + (LINE_TO - LINE_FROM) * mark.second / max(1, self.player.last_s) for mark in marks]
        ends = np.array([[(x, LINE_UP + 0.01, 0.0), (x, LINE_UP + 0.03, 0.0)] for x in across]).reshape(-1, 3)
        strokes = pv.line_segments_from_points(ends)
        place = vtk.vtkCoordinate()
        place.SetCoordinateSystemToNormalizedViewport()
        mapper = vtk.vtkPolyDataMapper2D()
        mapper.SetInputData(strokes)
        mapper.SetTransformCoordinate(place)
        actor = vtk.vtkActor2D()
        actor.SetMapper(mapper)
        actor.GetProperty().SetColor(*pv.Color(MARKED).float_rgb)
        actor.GetProperty().SetLineWidth(3)
        self.plotter.renderer.AddViewProp(actor)
        if len(marks) > MOST_NAMED:
            return
        for i, (x, mark) in enumerate(zip(across, marks, strict=True)):
            up = LINE_UP + 0.034 + 0.021 * (i % 3)
            words = f"{self.player.run.clock(mark.second)[:5]} {mark.label}"
            self._write(words, (x, up), 7, f"mark_{i}", colour=MARKED)

    def _layers(self) -> list[Any]:
        """Put a button for each layer under the clock; return them."""
        return [
            self.plotter.add_checkbox_button_widget(
                lambda on, name=name: self.on_layer(name, on),
                value=on,
                size=BUTTON_PX,
                border_size=2,
                color_on=ACCENT,
                color_off="#3a4250",
                background_color=INK,
            )
            for name, on in self.player.layers.items()
        ]

    def _place(self) -> None:
        """Put what lies at a distance from the window's upper edge where that edge now is."""
        size = tuple(self.plotter.window_size)
        if size == self.placed:
            return
        self.placed = size
        for row, (name, button) in enumerate(zip(self.player.layers, self.buttons, strict=True)):
            up = size[1] - BELOW_CLOCK_PX - ROW_PX * row
            button.GetRepresentation().PlaceWidget([EDGE_PX, EDGE_PX + BUTTON_PX, up, up + BUTTON_PX, 0.0, 0.0])
            self._write(name, ((EDGE_PX + BUTTON_PX + 8) / size[0], (up - 2) / size[1]), 8, f"layer_{name}")

    def _write(self, words: str, at: tuple[float, float], size: int, name: str, *, colour: str = INK) -> None:
        """Write words at a part of the window, in place of what stood there under this name."""
        text = self.texts.get(name)
        if text is None:
            text = self.plotter.add_text(words, position=at, viewport=True, font_size=size, color=colour, font_file=self.font, render=False)
            text.prop.background_color, text.prop.background_opacity = SHADE, 0.6
            self.texts[name] = text
        text.input, text.position = words, at

    def _listen(self) -> None:
        iren = self.plotter.iren
        self.plotter.enable_terrain_style(mouse_wheel_zooms=True)
        iren.clear_key_event_callbacks()
        iren.style.AddObserver("CharEvent", lambda *_: None)  # instead of VTK's own keys: 3 is stereo, w is wireframe
        iren.add_observer("KeyPressEvent", lambda *_: self.on_key(iren.interactor.GetKeySym()))
        iren.add_observer("LeftButtonPressEvent", lambda *_: self.on_press(*iren.get_event_position()))
        iren.add_observer("LeftButtonReleaseEvent", lambda *_: self.on_release(*iren.get_event_position()))
        iren.add_observer("TimerEvent", lambda *_: self.on_timer())

    # -- what somebody does -------------------------------------------------------------------------------------------

    def on_slider(self, value: float) -> None:
        """Go to a second of the timeline."""
        if int(value) != int(self.player.second):
            self.player.seek(value)
            self.draw()

    def on_layer(self, name: str, on: bool) -> None:
        """Show or hide a layer."""
        self.player.layers[name] = bool(on)
        self.scene.show_layer(name, bool(on))
        self.draw()

    def on_key(self, name: str) -> None:
        """Do what a key says; see HELP."""
        player, what = self.player, KEYS.get(name, "")
        if name in ("q", "Escape"):
            self.plotter.iren.terminate_app()
            return
        if player.do(what):
            self.ticked = time.monotonic() if what == "play" else self.ticked
        elif what == "camera":
            self.scene.look_from(player.next_camera())
        elif name.isdigit() and 0 < int(name) <= len(player.cameras):
            player.camera = player.cameras[int(name) - 1]
            self.scene.look_from(player.camera)
        else:
            return
        self.draw()

    def on_press(self, x: int, y: int) -> None:
        """Remember where the mouse went down (pixels from the lower left)."""
        self.pressed = (x, y)

    def on_release(self, x: int, y: int) -> None:
        """Pick what lies there, unless the mouse was dragged."""
        if abs(x - self.pressed[0]) + abs(y - self.pressed[1]) <= STILL_PX and y > CITY_UP * self.plotter.window_size[1]:
            point = point_m(self.plotter, x, y)
            self.pick(self.scene.pick(point) if point else None)

    def pick(self, picked: tuple[str, str, str] | None) -> None:
        """Show the curve of an element; none for None."""
        self.player.picked = picked
        self.curve = Curve(self.player.run, picked) if picked else None
        if self.curve is None:
            self.overlay.hide()
        self.draw()

    def on_timer(self) -> None:
        """Let the time pass that has passed since the last picture; lay everything out anew in a window of another size."""
        now = time.monotonic()
        if self.player.tick(now - self.ticked) or tuple(self.plotter.window_size) != self.placed:
            self.draw()
        self.ticked = now

    # -- drawing ------------------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Draw the player's second."""
        player = self.player
        self.said = ""
        try:
            self.scene.at(int(player.second))
        except TwinError as error:
            player.playing, self.said = False, str(error)
        self._place()
        self.slider.GetSliderRepresentation().SetValue(player.second)
        if self.curve is not None:
            self.overlay.show(self.curve.at(player.second))
        self._write(self.status(), (LINE_FROM, STATUS_UP), 9, "status")
        self.plotter.render()

    def status(self) -> str:
        """Return the line under the timeline: clock, speed, what was done last, and what is wrong with the run."""
        player = self.player
        words = [
            player.clock,
            f"{'playing' if player.playing else 'paused'} at {player.speed}x",
            player.happened(),
            player.note(),
            self.said,
        ]
        return "    ".join(filter(None, words))


class Overlay:
    """A picture in the lower right corner of a window, over the city."""

    EDGE_PX, UP = 14, 0.19

    def __init__(self, plotter: Any) -> None:
        self.plotter, self.actor, self.image = plotter, None, None

    def show(self, picture: np.ndarray) -> None:
        """Show a picture (height, width, 3), in place of the one before."""
        import pyvista as pv
        import vtk

        height, width, _ = picture.shape
        if self.image is None or self.image.dimensions != (width, height, 1):
            self.hide()
            self.image = pv.ImageData(dimensions=(width, height, 1))
            self.image.point_data["rgb"] = picture[::-1].reshape(-1, 3).copy()
            self.image.GetPointData().SetActiveScalars("rgb")
            mapper = vtk.vtkImageMapper()
            mapper.SetInputData(self.image)
            mapper.SetColorWindow(255)
            mapper.SetColorLevel(127.5)
            self.actor = vtk.vtkActor2D()
            self.actor.SetMapper(mapper)
            self.plotter.renderer.AddViewProp(self.actor)
        else:
            self.image.point_data["rgb"][:] = picture[::-1].reshape(-1, 3)
            self.image.GetPointData().GetScalars().Modified()
            self.image.Modified()
        wide, high = self.plotter.window_size
        self.actor.SetPosition(wide - width - self.EDGE_PX, int(high * self.UP))

    def hide(self) -> None:
        """Take the picture away."""
        if self.actor is not None:
            self.plotter.renderer.RemoveViewProp(self.actor)
        self.actor, self.image = None, None


def point_m(plotter: Any, x: float, y: float) -> tuple[float, float, float] | None:
    """Return the place on the ground, metres, under a pixel counted from the lower left; None in the sky.

    Networks lie at the ground and are seen through buildings, so it is the ground that is meant, not the wall before it.
    """
    ends = []
    for depth in (0.0, 1.0):
        plotter.renderer.SetDisplayPoint(x, y, depth)
        plotter.renderer.DisplayToWorld()
        *place, w = plotter.renderer.GetWorldPoint()
        ends.append(np.array(place) / (w or 1.0))
    near, ray = ends[0], ends[1] - ends[0]
    if ray[2] >= 0 or near[2] <= AT_M:
        return None
    found = near + ray * (AT_M - near[2]) / ray[2]
    return float(found[0]), float(found[1]), AT_M
