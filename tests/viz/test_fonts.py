import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from fontTools.ttLib import TTFont

from viz import fonts

NAMES = "奥体中心体育场 河西 雨润大街 南京 梦都大街 绿博园 ≤ ≥ ² ³"


def test_a_package_ships_a_font_with_the_chinese_letters_of_the_city():
    letters = TTFont(fonts.cjk_font()).getBestCmap()
    assert not [letter for letter in NAMES if ord(letter) not in letters]


def test_the_font_is_found_without_running_code_of_its_package():
    code = f"import sys; from viz.fonts import cjk_font; assert cjk_font(); print({fonts.PACKAGE!r} in sys.modules, 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False False"


def picture(text: str) -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 1), dpi=80)
    canvas = FigureCanvasAgg(figure)
    with fonts.lettering():
        figure.text(0.1, 0.4, text, fontsize=20, fontweight="bold")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., 0].copy()


def test_different_chinese_letters_look_different_and_none_is_a_box(recwarn):
    assert (picture("奥体") != picture("河西")).sum() > 100
    assert (picture("奥体") != picture("体奥")).sum() > 100
    assert not [str(one.message) for one in recwarn if "missing from" in str(one.message)]


def test_without_the_block_there_is_no_chinese_and_matplotlib_is_as_it_was():
    before = dict(matplotlib.rcParams)
    with fonts.lettering():
        assert "Noto Sans SC" in matplotlib.rcParams["font.family"]
    assert dict(matplotlib.rcParams) == before


def test_mathematics_in_a_name_is_no_mathematics():
    assert (picture("$") < 128).sum() > 10
    picture(r"$\frac{")  # matplotlib would refuse to draw it


def test_a_page_gets_a_small_font_with_its_own_letters_only(tmp_path):
    file = tmp_path / "cut.woff"
    file.write_bytes(fonts.subset(f"Aoti Dajie {NAMES}"))
    assert sorted(chr(code) for code in TTFont(file).getBestCmap()) == sorted({letter for letter in NAMES if letter >= "\u2e80"})
    assert file.stat().st_size < 20_000
    assert fonts.subset("no Chinese") == b""


@pytest.mark.parametrize("text", ["南京", "Hexi"])
def test_without_the_package_pages_and_pictures_still_come(monkeypatch, text):
    monkeypatch.setattr(fonts, "PACKAGE", "no_such_package")
    assert fonts.cjk_font() is None
    assert fonts.subset(text) == b""
    with fonts.lettering():
        assert matplotlib.rcParams["font.family"]
