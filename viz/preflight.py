"""Asks a child process whether 3D pictures can be drawn here: where they cannot, VTK ends the process that tries."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from twin.errors import InputError

PACKAGES = "libegl1 libgl1-mesa-dri"
"""What VTK needs of Debian to draw without a display."""

VARIABLE = "VTK_DEFAULT_OPENGL_WINDOW"
LIMIT_S = 60
DRAWN = "drawn"
CHILD = f"""
import vtkmodules.vtkRenderingOpenGL2
from vtkmodules.vtkFiltersSources import vtkConeSource
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer, vtkRenderWindow, vtkWindowToImageFilter
cone, mapper, actor, renderer, window = vtkConeSource(), vtkPolyDataMapper(), vtkActor(), vtkRenderer(), vtkRenderWindow()
mapper.SetInputConnection(cone.GetOutputPort())
actor.SetMapper(mapper)
renderer.AddActor(actor)
window.SetOffScreenRendering(True)
window.SetSize(32, 32)
window.AddRenderer(renderer)
window.Render()
picture = vtkWindowToImageFilter()
picture.SetInput(window)
picture.Update()
if picture.GetOutput().GetScalarRange()[1] > 0:
    print("{DRAWN}")
"""


@contextmanager
def no_display_sought() -> Iterator[None]:
    """Tell VTK, by its own variable, that there is no display if there is none: it would say in the terminal that it looked for one."""
    said = os.environ.get(VARIABLE)
    displayed = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or not sys.platform.startswith("linux")
    if said is not None or displayed:
        yield
        return
    os.environ[VARIABLE] = "vtkEGLRenderWindow"
    try:
        yield
    finally:
        del os.environ[VARIABLE]


@cache
def require_rendering() -> None:
    """Draw a small picture in a child process; InputError naming the packages to install when that fails."""
    try:
        done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise InputError(f"3D pictures cannot be drawn here: VTK hangs. Install Debian's {PACKAGES}") from None
    if done.returncode != 0 or DRAWN.encode() not in done.stdout:
        why = f"VTK died of signal {-done.returncode}" if done.returncode < 0 else "VTK draws nothing"
        raise InputError(
            f"3D pictures cannot be drawn here ({why}): `apt-get install {PACKAGES}`; `twin report` and `twin replay` need neither"
        )
