"""Many copies of one small body: vehicles, people, pins; they come and go without an actor coming or going."""

from __future__ import annotations

from typing import Any

import numpy as np

from twin.results import MoverLook, Run
from viz import shells
from viz.content import Movers
from viz.drawn import cells
from viz.shells import Shell
from viz.tape import KIND_SHIFT, Track

SEEN_PX, LARGEST = 5.0, 9.0
"""A mover is drawn at its true size, or larger until its longest side is `SEEN_PX` pixels, `LARGEST` times at most."""

MOVER_Z = 0.9
COLOURS = (
    *((86, 180, 233), (0, 158, 115), (230, 159, 0), (204, 121, 167), (240, 228, 66), (213, 94, 0)),
    *((153, 221, 255), (255, 170, 187), (187, 204, 51), (238, 136, 102), (170, 170, 0)),
)
"""Okabe and Ito's colours, then Paul Tol's light ones: people with any colour vision tell them apart; none is lost in the night."""


class Glyphs:
    """One actor that draws copies of a shell. The copies it has room for grow, doubling, and never shrink."""

    def __init__(self, shell: Shell, colour: tuple[int, int, int]) -> None:
        from vtkmodules.util.numpy_support import numpy_to_vtk
        from vtkmodules.vtkCommonCore import vtkPoints
        from vtkmodules.vtkCommonDataModel import vtkPolyData
        from vtkmodules.vtkRenderingCore import vtkActor, vtkGlyph3DMapper

        self._body = vtkPolyData()
        points = vtkPoints()
        points.SetData(numpy_to_vtk(np.ascontiguousarray(shell.points, np.float32), deep=True))
        self._body.SetPoints(points)
        self._body.SetPolys(cells(shell))
        self._body.GetPointData().SetNormals(numpy_to_vtk(np.ascontiguousarray(shell.normals, np.float32), deep=True))
        self._data, self._points = vtkPolyData(), vtkPoints()
        self._data.SetPoints(self._points)
        self._mapper = vtkGlyph3DMapper()
        self._mapper.SetInputData(self._data)
        self._mapper.SetSourceData(self._body)
        self._mapper.SetOrientationModeToRotation()
        self._mapper.SetOrientationArray("turn")
        self._mapper.SetScaleModeToScaleByMagnitude()
        self._mapper.SetScaleArray("size")
        self._mapper.ScalarVisibilityOff()
        self.actor: Any = vtkActor()
        self.actor.SetMapper(self._mapper)
        look = self.actor.GetProperty()
        look.SetColor(*(one / 255 for one in colour))
        look.SetAmbient(0.55)
        look.SetDiffuse(0.55)
        self.count = 0
        self.hold(64)

    def hold(self, count: int) -> None:
        """Make room for `count` copies."""
        from vtkmodules.util.numpy_support import numpy_to_vtk

        if count <= self.room:
            return
        self._xyz = np.zeros((count, 3), np.float32)
        self._turn = np.zeros((count, 3), np.float32)
        self._size = np.zeros(count, np.float32)
        self._points.SetData(numpy_to_vtk(self._xyz))
        for name, values in (("turn", self._turn), ("size", self._size)):
            held = numpy_to_vtk(values)
            held.SetName(name)
            self._data.GetPointData().AddArray(held)
        self.count = 0

    @property
    def room(self) -> int:
        """How many copies there is room for."""
        return len(self._size) if hasattr(self, "_size") else 0

    def place(self, xyz: np.ndarray, angle_deg: np.ndarray, size: float) -> None:
        """Put copies at points (n, 2 or 3), facing `angle_deg` from north, clockwise, `size` times the body's own size."""
        count = len(xyz)
        if count > self.room:
            self.hold(2 * count)
        if count == 0 and self.count == 0:
            return
        self._xyz[:count, : xyz.shape[1]] = xyz
        self._turn[:count, 2] = 90.0 - angle_deg
        self._size[:count] = size
        self._size[count : self.count] = 0.0
        self.count = count
        self._points.Modified()
        for name in ("turn", "size"):
            self._data.GetPointData().GetArray(name).Modified()
        self._data.Modified()


class Swarm:
    """The moving things of one model: one actor a kind."""

    def __init__(self, run: Run, movers: Movers, first: int) -> None:
        self.movers = movers
        self.track = Track(run, movers)
        self.colours = {code: COLOURS[(first + i) % len(COLOURS)] for i, code in enumerate(sorted(movers.kinds))}
        self.glyphs = {code: Glyphs(body(movers.looks[label]), self.colours[code]) for code, label in sorted(movers.kinds.items())}
        self._shown: tuple[object, ...] = ()

    def update(self, second: float, pixel_m: float) -> None:
        """Show where everything is at a second."""
        if self._shown == (second, pixel_m):
            return
        self._shown = (second, pixel_m)
        now = self.track.at(second)
        ends = np.searchsorted(now.key, (np.array(sorted(self.glyphs)) + 1) << KIND_SHIFT)
        first = 0
        for code, last in zip(sorted(self.glyphs), ends, strict=True):
            size = self.movers.looks[self.movers.kinds[code]].size_m
            self.glyphs[code].place(now.xy[first:last], now.angle_deg[first:last], larger(size, pixel_m))
            first = int(last)


def larger(size_m: tuple[float, float, float], pixel_m: float) -> float:
    """Return how many times its true size a mover is drawn, so that it can be seen where a pixel is `pixel_m` wide."""
    return float(np.clip(SEEN_PX * pixel_m / max(size_m), 1.0, LARGEST))


def body(look: MoverLook) -> Shell:
    """Return the body of a mover, facing along x, in metres."""
    long, wide, high = look.size_m
    if look.body == "person":
        trunk = _block(0.0, long, wide, 0.0, 0.82 * high, taper=0.6)
        head = _block(0.0, 0.55 * long, 0.55 * wide, 0.84 * high, high)
        made = [trunk, head]
    elif look.body in ("car", "blue_light"):
        made = [
            _block(0.0, long, wide, 0.15 * high, 0.6 * high),
            _block(-0.05 * long, 0.55 * long, 0.88 * wide, 0.6 * high, high, taper=0.8),
        ]
        if look.body == "blue_light":
            made.append(_block(0.0, 0.18 * long, 0.8 * wide, high, 1.25 * high))
    else:
        made = [_block(0.0, long, wide, 0.0 if look.body == "box" else 0.12 * high, high)]
    shell = shells.join(made)
    return Shell(shell.points + np.array([0.0, 0.0, MOVER_Z]), shell.corners, shell.offsets, shell.normals, shell.owner)


def _block(x_m: float, long: float, wide: float, foot: float, top: float, taper: float = 1.0) -> Shell:
    """Return a box round x_m; `taper`: how much of its length and width it has at its top."""
    ring = np.array([[-long, -wide], [long, -wide], [long, wide], [-long, wide]]) / 2
    side = shells.walls([ring], np.array([foot]), np.array([top]))
    lid = shells.patches([ring * taper], top)
    side.points[:, :2] *= np.where(side.points[:, 2:] >= top, taper, 1.0)
    block = shells.join([side, lid])
    block.points[:, 0] += x_m
    return block
