"""Small pictures laid over a scene: text, bars and arrows drawn by Pillow, shown as flat textures, changed in place."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from viz import fonts

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

LONGEST = 200
"""No more letters of a name are read: a line of a card has room for fewer."""

INK, SOFT, PAPER = (240, 244, 250, 255), (190, 200, 214, 255), (14, 19, 30, 196)
"""Light text on a dark card: it can be read over a day and a night."""


@lru_cache(maxsize=32)
def font(size_px: int) -> FreeTypeFont:
    """Return the font with Chinese letters, or matplotlib's own without them."""
    import matplotlib
    from PIL import ImageFont

    found = fonts.cjk_font() or Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(found), size_px)


def readable(text: str) -> str:
    """Return `text` on one line, without the letters that no font at hand has or that would turn the line round."""
    known = fonts.cjk_font() is not None
    kept = (" " if letter.isspace() else letter for letter in text[:LONGEST] if letter.isspace() or letter.isprintable())
    return " ".join("".join(letter for letter in kept if known or letter < fonts.FIRST_CJK).split())


def fitting(text: str, unit: str, size_px: int, wide: float) -> str:
    """Return `text` with its unit, cut where it would be wider than `wide` pixels."""
    cut = text
    while len(cut) > 4 and font(size_px).getlength(cut + unit) > wide:
        cut = cut.removesuffix("…")[:-1].rstrip() + "…"
    return cut + unit


def figures(low: float, high: float) -> list[str]:
    """Return the least, middle and greatest value of a scale as text, with enough digits to tell them apart."""
    middle = low + (high - low) / 2
    most = max(abs(low), abs(high))
    if most and not 1e-3 <= most < 1e6:
        return [f"{one:.3g}" for one in (low, middle, high)]
    digits = max(0, int(np.ceil(1 - np.log10(high - low)))) if high > low else 3
    said = [f"{one:,.{min(digits + 1, 9)}f}" for one in (low, middle, high)]
    return [one.rstrip("0").rstrip(".") if "." in one else one for one in said]


def paper(width: int, height: int, *, filled: bool = True) -> tuple[Image, Any]:
    """Return an empty card and the pen that draws on it."""
    from PIL import Image, ImageDraw

    image = Image.new("RGBA", (max(1, width), max(1, height)), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    if filled:
        pen.rounded_rectangle((0, 0, width - 1, height - 1), radius=max(3, min(width, height) // 14), fill=PAPER)
    return image, pen


class Card:
    """A picture on the window. Its actor stays; `draw` changes what it shows, `put` where it lies."""

    def __init__(self) -> None:
        from vtkmodules.util.numpy_support import numpy_to_vtk
        from vtkmodules.vtkCommonCore import vtkPoints
        from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkImageData, vtkPolyData
        from vtkmodules.vtkRenderingCore import vtkPolyDataMapper2D, vtkTexture, vtkTexturedActor2D

        self._corners, self._image = np.zeros((4, 3), np.float32), vtkImageData()
        self._points, quad, self._data = vtkPoints(), vtkCellArray(), vtkPolyData()
        self._points.SetData(numpy_to_vtk(self._corners))
        quad.InsertNextCell(4, [0, 1, 2, 3])
        self._data.SetPoints(self._points)
        self._data.SetPolys(quad)
        self._uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
        self._data.GetPointData().SetTCoords(numpy_to_vtk(self._uv))
        mapper, texture = vtkPolyDataMapper2D(), vtkTexture()
        mapper.SetInputData(self._data)
        texture.SetInputData(self._image)
        self.actor: Any = vtkTexturedActor2D()
        self.actor.SetMapper(mapper)
        self.actor.SetTexture(texture)
        self.actor.GetProperty().SetDisplayLocationToForeground()
        self.width = self.height = 0

    def draw(self, image: Image) -> None:
        """Show a picture, a pixel a pixel."""
        from vtkmodules.util.numpy_support import numpy_to_vtk

        self.width, self.height = image.size
        pixels = np.ascontiguousarray(np.asarray(image)[::-1])
        self._image.SetDimensions(self.width, self.height, 1)
        self._image.GetPointData().SetScalars(numpy_to_vtk(pixels.reshape(-1, 4), deep=True))
        self._image.Modified()
        self._corners[:, :2] = self._uv * (self.width, self.height)
        self._points.Modified()
        self._data.Modified()

    def put(self, x_px: float, y_px: float) -> None:
        """Lay the card's lower left corner there."""
        self.actor.SetPosition(round(x_px), round(y_px))
