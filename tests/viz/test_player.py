"""The replay in Debian's Chromium: it plays, shows what the run recorded, asks nobody, and works by keyboard."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import player_page
import pytest
from player_page import FAULT_S, Page, changed

from twin.results import Run, open_run
from viz.replay import replay


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return open_run(player_page.write(tmp_path_factory.mktemp("runs") / "evening"))


@pytest.fixture(scope="module")
def context() -> Iterator[object]:
    with player_page.chromium() as fresh:
        yield fresh()


@pytest.fixture(scope="module")
def file(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("replay") / "evening.html"
    replay(run, path)
    return path


@pytest.fixture(scope="module")
def opened(context, file) -> Page:
    page = Page(context, file)
    assert page.ready, page.page.locator(".alert").all_inner_texts()
    return page


@pytest.fixture
def page(opened) -> Iterator[Page]:
    """The page at its start, nothing chosen; it must have asked nobody and complained of nothing when a test is over."""
    opened.page.mouse.move(512, 8)
    opened.page.locator("canvas.city").focus()
    opened.page.keyboard.press("Escape")
    opened.page.keyboard.press("Escape")
    opened.page.keyboard.press("0")
    opened.seek(0)
    yield opened
    assert opened.complaints == []
    assert [url for url in opened.asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_first_picture_shows_a_city_and_says_where_and_when(page):
    picture = page.picture()
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 200
    assert page.page.locator("h1").inner_text() == "The evening"
    assert page.page.locator(".time").inner_text() == "21:30:00"
    assert "16 Aug 2014" in page.page.locator(".day").inner_text()
    assert page.page.evaluate("window.twin.timings.first_picture_ms") < 20_000


def test_it_plays_and_stops(page):
    page.page.locator(".speed").select_option("60")
    page.page.locator(".play").click()
    page.until("window.twin.state().second > 20")
    page.page.locator(".play").click()
    second = page.state()["second"]
    page.page.wait_for_timeout(200)
    assert page.state()["second"] == second and not page.state()["playing"]


def test_playing_goes_on_from_stretch_to_stretch_of_what_moves(page):
    page.page.locator(".speed").select_option("300")
    page.page.locator("canvas.city").focus()
    page.page.keyboard.press(" ")
    page.until("window.twin.state().second === 600")
    page.until("!window.twin.state().playing")
    state = page.state()
    assert state["counts"] == [{"folk": [60], "novel": [1]}]
    page.page.locator(".speed").select_option("30")


def test_dragging_and_clicking_the_timeline_scrubs(page):
    box = page.page.locator(".line").bounding_box()
    y = box["y"] + box["height"] / 2
    page.page.mouse.click(box["x"] + box["width"] / 2, y)
    assert page.state()["second"] == pytest.approx(300, abs=3)
    page.page.mouse.move(box["x"] + box["width"] / 2, y)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + box["width"] * 0.75, y, steps=3)
    page.page.mouse.up()
    assert page.state()["second"] == pytest.approx(450, abs=3)
    assert page.page.locator(".time").inner_text().startswith("21:37:")


@pytest.mark.parametrize(
    ("keys", "second"),
    [
        (["ArrowRight"], 10),
        (["Shift+ArrowRight"], 60),
        (["End"], 600),
        (["End", "ArrowLeft", "Shift+ArrowLeft"], 530),
        (["End", "Home"], 0),
    ],
)
def test_keys_move_the_clock(page, keys, second):
    for key in keys:
        page.page.keyboard.press(key)
    assert page.state()["second"] == second


def test_keys_switch_light_labels_layers_and_speed(page):
    before = page.state()
    for key in ("n", "l", "4", "+", "?"):
        page.page.keyboard.press(key)
    after = page.state()
    assert "play, pause" in page.page.locator("dialog.help").inner_text()
    page.page.keyboard.press("Escape")
    assert after["night"] != before["night"] and after["labels"] != before["labels"] and after["speed"] > before["speed"]
    switched = [name for name in after["layers"] if after["layers"][name] != before["layers"][name]]
    assert switched == [page.page.evaluate("JSON.parse(document.getElementById('twin-index').textContent).runs[0].layers[3]")]
    for key in ("n", "l", "4", "-"):
        page.page.keyboard.press(key)
    assert page.state() == before
    page.page.keyboard.press(" ")
    page.until("window.twin.state().playing")
    page.page.keyboard.press(" ")


def test_night_is_dark_and_day_is_light(page):
    assert page.state()["night"]
    night = page.picture().mean()
    page.page.keyboard.press("n")
    day = page.picture().mean()
    page.page.keyboard.press("n")
    assert day > 2 * night


@pytest.mark.parametrize("key", ["buildings", "novel.basin", "novel.hose", "novel.cloud", "folk/0"])
def test_switching_a_layer_changes_the_picture_and_switching_back_restores_it(page, key):
    page.seek(200)
    before = page.picture()
    box = page.page.locator(f'[data-key="{key}"]')
    box.click()
    without = page.picture()
    page.page.locator(f'[data-key="{key}"]').click()
    assert changed(before, without) > 15
    assert changed(before, page.picture()) == 0


def test_colouring_by_another_port_changes_the_colours_and_the_legend(page):
    page.seek(500)
    before, legend = page.picture(), page.page.locator(".legend").all_inner_texts()
    page.page.locator('[data-key="novel.lane:port"]').select_option("is_open")
    after = page.picture()
    assert changed(before, after) > 100
    assert page.page.locator(".legend").all_inner_texts() != legend
    page.page.locator('[data-key="novel.lane:port"]').select_option("rate_per_s")
    assert changed(before, page.picture()) == 0


def test_windows_and_lamps_go_dark_with_what_gives_them_light(page):
    for key in "456":
        page.page.keyboard.press(key)
    page.seek(FAULT_S - 10)
    lit = page.picture()
    page.seek(FAULT_S)
    dark = page.picture()
    for key in "456":
        page.page.keyboard.press(key)
    bright = [(picture[..., 0] - picture[..., 2] > 40).sum() for picture in (lit, dark)]
    assert bright[0] > 400 and bright[1] < bright[0] / 2


def test_a_crossed_out_element_is_one_that_was_on_at_first(page):
    page.seek(FAULT_S - 10)
    x, y = page.point("novel", "lane", "E1")
    near = np.s_[int(y) - 12 : int(y) + 12, int(x) - 12 : int(x) + 12]
    orange = lambda picture: int(((picture[near][..., 0] > 220) & (abs(picture[near][..., 1] - 122) < 30)).sum())  # noqa: E731
    assert orange(page.picture()) == 0
    page.seek(FAULT_S)
    assert orange(page.picture()) > 15


def test_clicking_an_element_shows_the_values_that_the_run_holds(page, run):
    page.seek(254)
    page.page.keyboard.press("1")
    x, y = page.point("lamps", "lamp", "K3")
    page.page.mouse.click(x, y + 3)
    page.page.wait_for_selector(".card h2")
    page.page.keyboard.press("1")
    assert page.page.locator(".card h2").inner_text() == "K3"
    assert page.state()["selected"] == {"kind": "part", "model": "lamps", "set": "lamp", "id": "K3"}
    value = float(run.fields["lamps"].level_v.sel(lamp="K3", time=run.at(254)))
    assert page.page.locator('[data-port="level_v"] .value').inner_text() == f"{value:g} V"
    assert page.page.locator('[data-port="is_lit"] .value').inner_text() == "yes"
    page.seek(FAULT_S)
    assert page.page.locator('[data-port="level_v"] .value').inner_text() == "0 V"
    assert "was on at the start" in page.page.locator(".card .dark").inner_text()


def test_values_read_in_the_page_are_those_of_the_run(page, run):
    for set, port, id in (
        ("basin", "depth_m", "W1"),
        ("hose", "load_percent", "T1"),
        ("lane", "rate_per_s", "E2"),
        ("cloud", "dust_g_per_m3", "C1"),
    ):
        for second in (0, 77, 305, 600):
            shown = page.page.evaluate("said => window.twin.value(...said)", ["novel", set, id, port, second])
            truth = float(run.fields["novel"][port].sel({set: id, "time": run.at(second)}))
            assert shown == pytest.approx(truth, abs=1e-3)
    assert page.page.evaluate("window.twin.value('novel', 'hose', 'T2', 'load_percent', 400)") is None
    assert page.page.evaluate("window.twin.value('novel', 'lane', 'E1', 'is_open', 400)") is False


def test_the_curve_is_drawn_and_goes_where_one_clicks(page):
    page.page.locator(".search input").fill("novel.T1")
    page.page.keyboard.press("Enter")
    page.page.wait_for_selector(".card canvas.curve")
    drawn = page.page.evaluate(
        "(() => {const c = document.querySelector('canvas.curve'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " let n = 0; for (let i = 0; i < d.length; i += 4) if (d[i] > 90 && d[i] < 160 && d[i + 2] > 220) n++; return n;})()"
    )
    assert drawn > 150
    box = page.page.locator("canvas.curve").bounding_box()
    page.page.mouse.click(box["x"] + 44 + (box["width"] - 52) * 0.5, box["y"] + 40)
    assert page.state()["second"] == pytest.approx(300, abs=5)


@pytest.mark.parametrize("second", [0, 120, 290, 400, 600])
def test_moving_things_are_where_the_run_has_them(page, run, second):
    page.seek(second)
    for model in ("folk", "novel"):
        truth = run.tracks(model, second, second).set_index("id")
        shown = page.page.evaluate("model => window.twin.movers(model)", model)
        assert {int(float(id)) for id in shown} == set(truth.index)
        for id, (x, y) in shown.items():
            one = truth.loc[int(float(id))]
            assert np.hypot(x - one.x_m, y - one.y_m) < 1.0


def test_between_two_records_things_are_between_their_places(page, run):
    page.seek(125)
    shown = page.page.evaluate("window.twin.movers('novel')")
    assert shown["701"][0] == pytest.approx(20 + 125 * 0.5, abs=1.0)


def test_a_unit_is_found_by_its_id_and_followed(page):
    page.seek(100)
    page.page.locator(".search input").fill("701")
    page.page.keyboard.press("Enter")
    page.page.locator("canvas.city").focus()
    assert page.state()["following"] and page.state()["selected"] == {"kind": "mover", "model": "novel", "id": 701}
    assert "unit" in page.page.locator(".card h2").inner_text()
    page.page.wait_for_timeout(300)
    still = page.page.locator(".pin").bounding_box()
    page.seek(200)
    moved = page.page.locator(".pin").bounding_box()
    assert abs(moved["x"] - still["x"]) < 3 and abs(moved["y"] - still["y"]) < 3
    page.page.keyboard.press("f")
    assert not page.state()["following"]


def test_what_nobody_is_called_is_said_so(page):
    page.page.locator(".search input").fill("K99")
    page.page.keyboard.press("Enter")
    assert "K99" in page.page.locator(".message").inner_text()
    page.page.locator(".search input").fill("K1")
    page.page.keyboard.press("Enter")
    page.page.locator("canvas.city").focus()
    assert page.page.locator(".message").inner_text() == ""


def test_marks_on_the_timeline_tell_and_go_there(page):
    action = page.page.locator(".marks .mark.action")
    assert action.count() == 1 and page.page.locator(".marks .mark.inject").count() == 1
    assert page.page.locator(".marks .mark.notice.grave").count() == 1
    action.focus()
    assert "fault K2" in page.page.locator(".tip").inner_text()
    action.click()
    assert page.state()["second"] == FAULT_S
    page.page.wait_for_selector(".row.current")
    assert any("fault K2" in text for text in page.page.locator(".row.current").all_inner_texts())


def test_the_journal_lists_what_happened_once(page):
    rows = page.page.locator(".journal .row").all_inner_texts()
    assert len(rows) == 3
    assert "went dark K1, K2, K3 + 1" in rows[2] and "cause: storm" in rows[2]
    page.page.get_by_role("button", name="Warnings").click()
    assert len(page.page.locator(".journal .row").all_inner_texts()) == 1
    page.page.get_by_role("button", name="All", exact=True).click()
    page.page.locator(".journal .row").nth(1).click()
    assert page.state()["second"] == FAULT_S


def test_key_figures_say_value_target_and_verdict_and_live_ones_follow_the_clock(page):
    missed = page.page.locator(".kpi.missed").inner_text()
    assert all(text in missed for text in ("Deepest water", "1.5", "✗ missed", "target ≤ 1 m"))
    assert "✓ met" in page.page.locator(".kpi.met").inner_text()
    live = page.page.locator(".kpi.live .value")
    assert live.inner_text() == "3 t"
    page.seek(400)
    assert live.inner_text() == "7 t"


def test_chinese_changes_what_the_page_says_and_stays_in_the_address(page):
    heads = page.page.locator(".layers h2, .journal h2")
    english = heads.all_inner_texts()
    page.page.locator(".language").click()
    assert page.page.locator("html").get_attribute("lang") == "zh-CN"
    assert heads.all_inner_texts() != english
    assert "图层" in page.page.locator(".layers h2").inner_text()
    page.until("document.querySelector('.labels').textContent.includes('广场')")
    assert "lang=zh" in page.page.url
    page.page.locator(".language").click()
    assert heads.all_inner_texts() == english


def test_everything_one_presses_has_a_name(page):
    nameless = page.page.evaluate(
        "[...document.querySelectorAll('button, select, input, canvas, [role=slider]')].filter(one => !(one.getAttribute('aria-label')"
        " || one.textContent.trim() || one.closest('label')?.textContent.trim())).map(one => one.outerHTML.slice(0, 80))"
    )
    assert nameless == []
    page.page.locator(".line").focus()
    page.page.keyboard.press("ArrowRight")
    assert page.page.locator(".line").get_attribute("aria-valuetext") == "21:30:10"


def test_moving_the_camera_moves_the_picture(page):
    before = page.picture()
    page.page.keyboard.press("q")
    page.page.keyboard.press("z")
    assert changed(before, page.picture()) > 3000
    page.page.keyboard.press("c")
    assert page.state()["camera"] == "corner"
    page.page.locator(".cameras").select_option("0")
    page.page.wait_for_timeout(900)
    assert changed(before, page.picture()) == 0
