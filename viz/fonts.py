"""Chinese in pictures and pages: Noto Sans SC, as a package ships it, for whoever draws text."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

PACKAGE, FILE = "pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf"
"""A package of two OpenType fonts under the SIL Open Font License 1.1 and no code; it is looked up, never imported."""

FIRST_CJK = "\u2e80"
"""The letters that Latin fonts do not have begin here (CJK radicals)."""


def cjk_font() -> Path | None:
    """Return the OpenType file of a font with Simplified Chinese (and Latin) letters; None when its package is not installed."""
    spec = find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder) / FILE
        if file.is_file():
            return file
    return None


@contextmanager
def lettering() -> Iterator[None]:
    """Let matplotlib show Chinese and take every text literally within the block; the rcParams are as before after it.

    Text keeps what it was made with, so a figure made inside may be drawn later. Where no Chinese font is installed, there is none.
    """
    import matplotlib
    from matplotlib import font_manager

    file, manager = cjk_font(), font_manager.fontManager
    families = list(matplotlib.rcParams["font.family"])
    if file is not None:
        if not any(font.fname == str(file) for font in manager.ttflist):
            manager.addfont(file)
            manager.ttflist.append(replace(manager.ttflist[-1], weight=700))  # bold text: it has one weight
        families += [font.name for font in manager.ttflist if font.fname == str(file) and font.name not in families][:1]
    with matplotlib.rc_context({"font.family": families, "text.parse_math": False}):
        yield


def subset(text: str) -> bytes:
    """Return a WOFF font with only the Chinese letters of `text`, to put into a page; b'' when there are none, or no font."""
    letters = {letter for letter in text if letter >= FIRST_CJK}
    file = cjk_font()
    if not letters or file is None:
        return b""
    from fontTools import subset as cutter

    options = cutter.Options(flavor="woff", layout_features=["locl"], notdef_outline=False, name_IDs=[], hinting=False)
    held, cut = io.BytesIO(), cutter.Subsetter(options)
    with cutter.load_font(str(file), options) as font:
        cut.populate(unicodes=[ord(letter) for letter in letters])
        cut.subset(font)
        cutter.save_font(font, held, options)
    return held.getvalue()
