"""Other replays in Debian's Chromium: two runs at once, a run cut short, a phone, no 3D, a damaged file, a real evening's size."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import player_page
import pytest
from player_page import FAULT_S, Page, changed

from twin.results import open_run
from viz import keyframes
from viz.pack import decode
from viz.replay import replay


@pytest.fixture(scope="module")
def fresh() -> Iterator[Callable[..., Any]]:
    with player_page.chromium() as start:
        yield start


@pytest.fixture(scope="module")
def context(fresh) -> Any:
    return fresh()


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    """Return an evening with a fault and one without."""
    runs = tmp_path_factory.mktemp("runs")
    return player_page.write(runs / "fault"), player_page.write(runs / "calm", name="calm", fault=False)


@pytest.fixture(scope="module")
def file(folders, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("replay") / "evening.html"
    replay(open_run(folders[0]), path)
    return path


def test_two_runs_stand_side_by_side_on_one_clock(context, folders, tmp_path):
    replay(open_run(folders[0]), tmp_path / "two.html", beside=open_run(folders[1]))
    page = Page(context, tmp_path / "two.html")
    assert page.ready and page.state()["runs"] == ["evening", "calm"]
    assert page.page.locator(".strip").count() == 2
    assert page.page.locator(".strip").nth(0).locator(".kpi.missed").count() == 1
    assert page.page.locator(".strip").nth(1).locator(".kpi.missed").count() == 0
    page.page.keyboard.press("p")
    page.page.keyboard.press("l")
    page.seek(FAULT_S - 10)
    assert changed(*player_halves(page)) < 60
    page.seek(FAULT_S + 200)
    assert changed(*player_halves(page)) > 2000
    levels = [page.page.evaluate("key => window.twin.value('lamps', 'lamp', 'K1', 'level_v', 500, key)", key) for key in "ab"]
    assert levels == [0, 230]
    assert page.state()["counts"][0] == page.state()["counts"][1]
    page.page.locator(".search input").fill("K1")
    page.page.keyboard.press("Enter")
    page.page.wait_for_selector("canvas.curve")
    assert page.page.locator(".plot .badge").all_inner_texts() == ["A", "B"]
    assert page.complaints == []


EVIL = "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=1'>\u2028\u202eevil"


def test_two_runs_apart_say_so_and_no_text_of_a_run_is_run(context, folders, tmp_path):
    other = tmp_path / "later"
    shutil.copytree(folders[1], other)
    said = json.loads((other / "manifest.json").read_text())
    said |= {"title": EVIL, "name": EVIL, "error": EVIL, "status": "failed", "start": "2015-08-16T21:30:00+08:00"}
    said["kpis"] = [one | {"label": EVIL, "unit": EVIL} for one in said["kpis"]]
    (other / "manifest.json").write_text(json.dumps(said))
    replay(open_run(folders[0]), tmp_path / "two.html", beside=open_run(other))
    page = Page(context, tmp_path / "two.html")
    banners = page.page.locator(".banner")
    assert "never met on the clock" in banners.all_inner_texts()[-1]
    assert "onerror" in banners.first.inner_text(), "shown as text"
    said, names = (page.page.locator(one).bounding_box() for one in (".banners", ".badges"))
    assert names["y"] >= said["y"] + said["height"] - 1, "no banner lies over the names of the runs"
    page.page.click(".language")
    assert "时段不重叠" in page.page.locator(".banner").all_inner_texts()[-1]
    assert page.page.evaluate("typeof window.hacked") == "undefined"
    assert page.page.locator("#app img").count() == 0
    assert page.complaints == []


def test_names_of_places_stand_where_the_places_are(context, file):
    page = Page(context, file)
    for box in page.page.locator(".labels span:visible").evaluate_all("all => all.map((one) => one.offsetWidth)"):
        assert box < 300, "as wide as its name, not as the page"


def player_halves(page: Page) -> tuple[np.ndarray, np.ndarray]:
    """Return the pictures of both runs, without what lies over them."""
    import io

    from PIL import Image

    page.page.wait_for_timeout(150)
    shot = np.asarray(Image.open(io.BytesIO(page.page.screenshot())).convert("RGB")).astype(int)
    foot = int(page.page.locator(".foot").bounding_box()["y"])
    middle = shot.shape[1] // 2
    return shot[90:foot, 2 : middle - 2], shot[90:foot, middle + 2 : 2 * middle - 2]


def test_a_run_cut_short_shows_what_is_there_and_says_so(context, tmp_path):
    replay(open_run(player_page.write(tmp_path / "run", last_s=330)), tmp_path / "cut.html")
    page = Page(context, tmp_path / "cut.html")
    assert page.page.locator(".banner").inner_text() == "interrupted · recorded up to 21:35:30 of 21:40:00"
    page.page.keyboard.press("End")
    assert page.state()["second"] == 330
    assert page.complaints == []


def test_a_phone_shows_the_city_first_and_panels_when_asked(fresh, file):
    phone = fresh(viewport={"width": 390, "height": 844}, has_touch=True)
    page = Page(phone, file)
    assert page.page.evaluate("document.documentElement.scrollWidth") == 390
    assert not page.page.locator(".layers").is_visible()
    page.page.locator(".square").first.tap()
    assert page.page.locator(".layers").is_visible() and page.page.locator(".journal").is_visible()
    box = page.page.locator(".line").bounding_box()
    page.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + 9)
    assert page.state()["second"] == pytest.approx(300, abs=6)
    assert page.complaints == []


def test_the_language_of_the_command_and_of_the_address(context, folders, tmp_path):
    replay(open_run(folders[1]), tmp_path / "zh.html", language="zh")
    page = Page(context, tmp_path / "zh.html")
    assert "图层" in page.page.locator("h2").first.inner_text()
    assert Page(context, tmp_path / "zh.html", "#lang=en").page.locator("h2").first.inner_text() == "Layers"


def test_without_webgl_the_page_says_so_and_shows_the_rest(fresh, file):
    flat = fresh(["--disable-3d-apis", "--disable-gpu"])
    page = Page(flat, file)
    assert page.ready
    assert "no WebGL" in page.page.locator(".alert").inner_text()
    assert page.page.locator(".kpi").count() == 3 and page.page.locator(".journal .row").count() == 3
    page.page.locator(".search input").fill("K2")
    page.page.keyboard.press("Enter")
    page.page.wait_for_selector(".card canvas.curve")
    page.seek(FAULT_S)
    assert page.page.locator('[data-port="level_v"] .value').inner_text() == "0 V"


@pytest.mark.parametrize("broken", ["index", "chunk", "missing"])
def test_a_damaged_file_is_said_so_in_one_line(context, file, tmp_path, broken):
    text = file.read_text("utf-8")
    ground = re.search(r'<script type="text/plain" class="twin-chunk" data-name="a/ground">[^<]*</script>', text)
    assert ground
    damaged = {
        "index": text.replace('id="twin-index">{', 'id="twin-index">['),
        "chunk": text.replace(ground[0], ground[0][: len(ground[0]) // 2] + "</script>"),
        "missing": text.replace(ground[0], ""),
    }[broken]
    (tmp_path / "damaged.html").write_text(damaged, "utf-8")
    page = Page(context, tmp_path / "damaged.html")
    assert page.ready is False
    said = page.page.locator(".alert").all_inner_texts()
    assert len(said) == 1 and said[0].startswith("This file is damaged:") and "\n" not in said[0]


def test_damage_further_on_is_said_once_and_the_rest_plays(context, file, tmp_path):
    text = file.read_text("utf-8")
    walkers = next(one for one in decode(file)[0]["runs"][0]["movers"] if one["model"] == "folk")
    last = walkers["chunks"][-1]["thing"]["chunk"]
    assert last != walkers["chunks"][0]["thing"]["chunk"]
    (tmp_path / "damaged.html").write_text(re.sub(f'<script[^>]*data-name="{last}">[^<]*</script>', "", text), "utf-8")
    page = Page(context, tmp_path / "damaged.html")
    assert page.ready
    page.page.keyboard.press("End")
    page.until("document.querySelectorAll('.alert').length === 1")
    page.page.wait_for_timeout(300)
    said = page.page.locator(".alert").all_inner_texts()
    assert len(said) == 1 and said[0] == f"This file is damaged: chunk {last} is missing"
    page.seek(30)
    assert len(page.page.evaluate("window.twin.movers('folk')")) == 60


@pytest.mark.slow
def test_a_run_of_twenty_thousand_moving_things_is_where_its_tracks_are(context, tmp_path):
    import big_run

    run = open_run(big_run.write(tmp_path / "big", duration_s=600))
    replay(run, tmp_path / "big.html")
    page = Page(context, tmp_path / "big.html")
    for second in (0, 250, 600):
        page.seek(second)
        for model, error_m in (("traffic", keyframes.ALONG_M), ("crowd", keyframes.NEAR_M)):
            truth = run.tracks(model, second, second).set_index("id")
            shown = page.page.evaluate("model => Object.entries(window.twin.movers(model))", model)
            places = np.array([place for _, place in shown])
            there = truth.loc[[int(float(id)) for id, _ in shown], ["x_m", "y_m"]].to_numpy()
            assert len(shown) == len(truth)
            assert np.hypot(*(places - there).T).max() < error_m + 2 * keyframes.QUANTUM_M
    assert len(np.unique(page.picture().reshape(-1, 3), axis=0)) > 500
    assert page.complaints == []
