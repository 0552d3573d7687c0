"""One thing on the stage: a mesh whose points and colours are arrays that change in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from viz.shells import Shell


class Drawn:
    """A VTK actor over a shell. `points` (n, 3) float32 and `colours` (n, 3 or 4) bytes are the memory VTK draws.

    Write into them, then call `moved` or `painted`; nothing is ever added to the stage or taken away.
    """

    def __init__(self, shell: Shell, *, alpha: bool = False, flat: bool = False, normals: bool = True) -> None:
        from vtkmodules.util.numpy_support import numpy_to_vtk
        from vtkmodules.vtkCommonCore import vtkPoints
        from vtkmodules.vtkCommonDataModel import vtkPolyData
        from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

        self.owner = shell.owner
        self.points = np.ascontiguousarray(shell.points, _kind(shell.points))
        self.colours = np.full((len(self.points), 4 if alpha else 3), 255, np.uint8)
        self._held = [np.ascontiguousarray(shell.normals, np.float32)]
        self._points, self._scalars = vtkPoints(), numpy_to_vtk(self.colours)
        self._points.SetData(numpy_to_vtk(self.points))
        self.data = vtkPolyData()
        self.data.SetPoints(self._points)
        self.data.SetPolys(cells(shell))
        self.data.GetPointData().SetScalars(self._scalars)
        if normals:
            self.data.GetPointData().SetNormals(numpy_to_vtk(self._held[0]))
        if shell.uv is not None:
            self._held.append(np.ascontiguousarray(shell.uv, np.float32))
            self.data.GetPointData().SetTCoords(numpy_to_vtk(self._held[1]))
        mapper = vtkPolyDataMapper()
        mapper.SetInputData(self.data)
        mapper.SetColorModeToDirectScalars()
        self.actor: Any = vtkActor()
        self.actor.SetMapper(mapper)
        look = self.actor.GetProperty()
        look.SetSpecular(0.0)
        # what is flat takes no light, but keeps the normals that ambient occlusion reads; what can be seen through has no shade
        look.SetLighting(not (flat and alpha))
        look.SetAmbient(0.45 if not flat else 0.0 if alpha else 1.0)
        look.SetDiffuse(0.65 if not flat else 1.0 if alpha else 0.0)
        if alpha:
            self.actor.ForceTranslucentOn()

    def moved(self) -> None:
        """Say that `points` changed."""
        self._points.Modified()
        self.data.Modified()

    def painted(self) -> None:
        """Say that `colours` changed."""
        self._scalars.Modified()
        self.data.Modified()

    def paint(self, colours: np.ndarray) -> None:
        """Give every element its colour: (elements, 3 or 4) bytes."""
        self.colours[:, : colours.shape[1]] = colours[self.owner]
        self.painted()

    def reshape(self, shell: Shell, colour: tuple[int, ...]) -> None:
        """Show another shell of one colour with the same actor."""
        from vtkmodules.util.numpy_support import numpy_to_vtk

        self.owner, self.points = shell.owner, np.ascontiguousarray(shell.points, _kind(shell.points))
        self.colours = np.tile(np.array(colour, np.uint8), (len(shell.points), 1))
        self._held = [np.ascontiguousarray(shell.normals, np.float32)]
        self._scalars = numpy_to_vtk(self.colours)
        self._points.SetData(numpy_to_vtk(self.points))
        self.data.SetPolys(cells(shell))
        self.data.GetPointData().SetScalars(self._scalars)
        self.data.GetPointData().SetNormals(numpy_to_vtk(self._held[0]))
        self.data.Modified()


def _kind(points: np.ndarray) -> type[np.floating[Any]]:
    """Single precision is finer than 8 mm within 100 km of the origin; a pack that lies farther out keeps double."""
    return np.float32 if np.abs(points).max(initial=0.0) < 1e5 else np.float64


def cells(shell: Shell) -> Any:
    """Return a shell's faces as VTK keeps them."""
    from vtkmodules.util.numpy_support import numpy_to_vtkIdTypeArray
    from vtkmodules.vtkCommonDataModel import vtkCellArray

    faces = vtkCellArray()
    faces.SetData(
        numpy_to_vtkIdTypeArray(np.ascontiguousarray(shell.offsets, np.int64), deep=True),
        numpy_to_vtkIdTypeArray(np.ascontiguousarray(shell.corners, np.int64), deep=True),
    )
    return faces
