"""A run as a city in three dimensions: `scene(run).at("21:42").save("evening.png")`."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from twin.errors import InputError
from twin.results import PortSheet, Run, View
from viz import content
from viz.light import Sky
from viz.output import check_suffix, writing
from viz.preflight import no_display_sought, require_rendering

if TYPE_CHECKING:
    from viz.cast import Cast

VIEW_DEG = 32.0
"""The camera's angle from the picture's lower edge to its upper."""

PICTURES = (".png", ".jpg", ".jpeg")
NEAREST_M, STEEP = 0.01, 0.002
"""A camera nearer than this to what it looks at looks north; one that goes less aside for a metre down has north up."""

ZOOMED = 1.2
"""What must be seen is made larger or smaller when a pixel has become so many times wider or narrower."""


class Scene:
    """A run on a stage. Everything is put up once; `at` changes positions and colours in place.

    `layers`: names of models and of buildings, streets, places; None shows all. `colour`: ports (`water.velocity`)
    that colour their element sets instead of the first that has a colour map; a set that is hidden is shown for it.
    `camera`: a camera of the run, its first when absent. `size`: width and height in pixels. `look`: day, night, or
    auto (by the sun over the city). `quality`: fast, or still (ambient occlusion and smooth edges; slower).
    `off_screen`: no window. `plotter`: a pyvista Plotter to put everything into.

    InputError: a layer, port, camera or look that is not there (nearest name), or no way to draw in 3D here.
    """

    def __init__(
        self,
        run: Run,
        *,
        layers: Sequence[str] | None = None,
        colour: Sequence[str] = (),
        camera: str = "",
        size: tuple[int, int] = (1280, 720),
        look: str = "auto",
        quality: Literal["fast", "still"] = "fast",
        off_screen: bool = True,
        plotter: Any = None,
    ) -> None:
        self.run, self.size, self.look, self.quality, self.off_screen = run, size, look, quality, off_screen
        self.layers = content.choose(run, layers)
        self.colour: dict[tuple[str, str], PortSheet] = dict(_coloured(run, said) for said in colour)
        self.view = content.camera(run, camera)
        self._sky = Sky(run, look)
        self._given = plotter
        self._cast: Cast | None = None
        self._second = 0.0
        self._surveyed: tuple[object, ...] = ()
        self._fitted_m = 0.0

    @property
    def plotter(self) -> Any:
        """The pyvista Plotter with everything in it; made at the first use."""
        self._put_up()
        return self._given

    @property
    def cast(self) -> Cast:
        """Everything that is on the stage."""
        return self._put_up()

    def at(self, when: object) -> Scene:
        """Show a moment ('21:42', '+12 min', a datetime, seconds); InputError outside the run."""
        run = self.run
        is_number = isinstance(when, int | float | np.number) and not isinstance(when, bool)
        second = float(when) if is_number else float(run.second(when))  # type: ignore[arg-type]
        if not 0 <= second <= run.committed_s:
            said = when if not is_number or not np.isfinite(second) else f"second {second:g}"
            upto = f"recorded from {run.clock(0)} to {run.clock(run.committed_s)}" if len(run.times_s) else "nothing is recorded"
            raise InputError(f"{said} is outside the run: {upto}")
        index = int(np.searchsorted(run.times_s, run.second(run.at(int(second)))))
        cast = self._put_up()
        self._second = second
        cast.update(second, index, self._sky.at(second))
        cast.frame(second, self._text_scale(), self._window())
        return self

    def look_from(self, camera: str | View) -> Scene:
        """Look from a camera of the run, or from a `View`."""
        self.view = camera if isinstance(camera, View) else content.camera(self.run, camera)
        if self._cast is not None:
            self._point()
        return self

    def show_layer(self, name: str, on: bool) -> Scene:
        """Show or hide a layer; InputError with the nearest name for an unknown one."""
        content.choose(self.run, [name])
        self._put_up().show(name, on)
        return self.at(self._second) if len(self.run.times_s) else self

    def pick(self, point_m: Sequence[float]) -> tuple[str, str, str] | None:
        """Return (model, element set, id) of what is shown nearest to a point; None when nothing is within a tenth of the city."""
        from viz.actors import nearest_element

        cast = self._put_up()
        return nearest_element([one.part for one in cast.actors if cast.visible(one)], point_m, cast.stage.size_m / 10)

    def picture(self) -> np.ndarray:
        """Return what is shown as (height, width, 3) bytes."""
        from vtkmodules.util.numpy_support import vtk_to_numpy
        from vtkmodules.vtkRenderingCore import vtkWindowToImageFilter

        window = self.plotter.render_window
        window.Render()
        grab = vtkWindowToImageFilter()
        grab.SetInput(window)
        grab.ReadFrontBufferOff()
        grab.ShouldRerenderOff()
        grab.Update()
        found = grab.GetOutput()
        width, height, _ = found.GetDimensions()
        return np.array(vtk_to_numpy(found.GetPointData().GetScalars()).reshape(height, width, -1)[::-1, :, :3])

    def save(self, path: Path | str) -> Path:
        """Write what is shown as .png or .jpg; InputError for another format or folder, StorageError when the disk refuses."""
        from PIL import Image

        path = Path(path)
        check_suffix(path, PICTURES)
        with writing(path) as beside:
            Image.fromarray(self.picture()).save(beside, optimize=True, quality=92)
        return path

    def show(self) -> None:
        """Show the scene: in a notebook as its picture, else in a window; InputError where there is no display."""
        if _in_a_notebook():
            from IPython.display import Image, display

            display(Image(data=self._repr_png_()))
            return
        if self.off_screen:
            if not _has_display():
                raise InputError("there is no display to open a window on; write a picture with `save`, or run `twin serve`")
            shown = Scene(
                self.run, layers=self._shown_layers(), camera="", size=self.size, look=self.look, quality=self.quality, off_screen=False
            )
            shown.colour, shown.view = self.colour, self.view
            shown.at(self._second).show()
            return
        self.plotter.show()

    def _shown_layers(self) -> list[str]:
        return self.layers if self._cast is None else [name for name, on in self._cast.shown.items() if on]

    def _repr_png_(self) -> bytes:
        from PIL import Image

        held = io.BytesIO()
        Image.fromarray(self.picture()).save(held, "png")
        return held.getvalue()

    def _put_up(self) -> Cast:
        """Make everything, once."""
        if self._cast is not None:
            return self._cast
        require_rendering()
        import pyvista

        from viz.cast import Cast

        if self._given is None:
            with no_display_sought():
                self._given = pyvista.Plotter(off_screen=self.off_screen, window_size=list(self.size), lighting="none")
        plotter = self._given
        self._cast = cast = Cast(self.run, self.layers, self.colour, shaded=self.quality == "still")
        plotter.disable_anti_aliasing()  # four samples a pixel cost six times the time of one where the processor draws
        plotter.renderer.SetNearClippingPlaneTolerance(0.0006)
        for prop in cast.props():
            plotter.add_actor(prop, reset_camera=False, render=False)
        light = pyvista.Light(position=(-0.5, -0.7, 1.0), focal_point=(0, 0, 0), light_type="scene light")
        light.positional = False
        plotter.add_light(light)
        self._point()
        if self.quality == "still":
            plotter.enable_anti_aliasing("ssaa")
            # what the depth of a pixel leaves uncertain must not be taken for a corner, so both grow with the distance
            plotter.enable_ssao(radius=float(np.clip(30 * self._fitted_m, 20, 160)), bias=max(0.8, 1.6 * self._fitted_m), kernel_size=32)
        plotter.renderer.AddObserver("StartEvent", lambda *_: self._survey())
        if len(self.run.times_s):
            self.at(0)
        return cast

    def _point(self) -> None:
        camera = self._given.camera
        eye, middle = np.array(self.view.position_m, float), np.array(self.view.look_at_m, float)
        ahead = middle - eye
        if np.linalg.norm(ahead) < NEAREST_M:  # a camera in what it looks at looks north
            ahead = np.array([0.0, 100.0, 0.0])
        steep = np.hypot(*ahead[:2]) < STEEP * np.linalg.norm(ahead)
        camera.position, camera.focal_point = tuple(eye), tuple(eye + ahead)
        camera.up = (0.0, 1.0, 0.0) if steep else (0.0, 0.0, 1.0)
        camera.view_angle = VIEW_DEG
        self._given.renderer.ResetCameraClippingRange()
        self._given.renderer.Modified()
        self._survey()

    def _window(self) -> tuple[int, int]:
        width, height = self._given.window_size
        return int(width), int(height)

    def _text_scale(self) -> float:
        width, height = self._window()
        return max(0.6, min(height / 720, width / 960))

    def _survey(self) -> None:
        """Lay out what depends on the camera, if the camera moved or the window changed."""
        cast, camera, window = self._put_up(), self._given.camera, self._window()
        shown = cast.shown.get("places", False)
        legend = (cast.legend.card.width, cast.legend.card.height)
        key = (*camera.position, *camera.focal_point, camera.view_angle, window, shown, legend)
        if key == self._surveyed:
            return
        self._surveyed = key
        eye, middle = np.array(camera.position), np.array(camera.focal_point)
        pixel_m = 2 * float(np.linalg.norm(eye - middle)) * np.tan(np.radians(camera.view_angle / 2)) / window[1]
        if not 1 / ZOOMED < pixel_m / max(self._fitted_m, 1e-9) < ZOOMED:
            self._fitted_m = pixel_m
            cast.fit(pixel_m)
            if len(self.run.times_s):
                self.at(self._second)
        matrix = camera.GetCompositeProjectionTransformMatrix(window[0] / window[1], -1, 1)
        clip = np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])
        to_pixels = np.array([[window[0] / 2, 0, 0, window[0] / 2], [0, window[1] / 2, 0, window[1] / 2], [0, 0, 1, 0], [0, 0, 0, 1]])
        ahead = middle - eye
        onward = ahead[:2] if np.hypot(*ahead[:2]) >= STEEP * np.linalg.norm(ahead) else np.array(camera.up)[:2]
        north_deg = -float(np.degrees(np.arctan2(*onward)))
        cast.survey(to_pixels @ clip, eye, pixel_m, north_deg, self._text_scale(), window)


def scene(run: Run, **options: Any) -> Scene:
    """Return a run as a `Scene`; the options are those of `Scene`."""
    return Scene(run, **options)


def _coloured(run: Run, said: str) -> tuple[tuple[str, str], PortSheet]:
    sheet, port = run.port(said)
    if not sheet.elements[port.at].shapes:
        raise InputError(f"{said}: its {port.at} have no place on the map")
    return (sheet.name, port.at), port


def _in_a_notebook() -> bool:
    shell = sys.modules.get("IPython")
    found = shell.get_ipython() if shell is not None else None
    return found is not None and hasattr(found, "kernel")


def _has_display() -> bool:
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
