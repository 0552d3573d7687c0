"""The page of `twin serve` in Debian's Chromium: it shows the run, does what it is told, and asks no other host."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import town

CHROMIUM = Path("/usr/bin/chromium")
pytest.importorskip("trame_pyvista")
playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")


class Page:
    """A page of Chromium on a `twin serve` of its own: what it asked for and what it complained of."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, urlsplit(address)
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", lambda socket: self.asked.append(socket.url))
        page.on("requestfailed", lambda request: self.complaints.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.goto(address)
        page.wait_for_selector(".view img[src^=blob]", state="visible", timeout=60_000)

    def picture(self) -> np.ndarray:
        """Return what the view shows, (height, width, 3)."""
        from PIL import Image

        return np.asarray(Image.open(io.BytesIO(self.page.locator(".view").screenshot())).convert("RGB")).astype(int)

    def after(self, before: np.ndarray, share: float) -> np.ndarray:
        """Wait until more than `share` of the picture is another; return it."""
        for _ in range(40):
            self.page.wait_for_timeout(150)
            now = self.picture()
            if now.shape == before.shape and (np.abs(now - before).max(axis=2) > 15).mean() > share:
                return now
        raise AssertionError(f"not {share:.1%} of the picture changed")

    def scrub(self, second: int) -> None:
        """Move the timeline to a second as a hand would: the control's value, then its event."""
        self.page.eval_on_selector("#second", "(one, second) => {one.value = second; one.dispatchEvent(new Event('input'))}", second)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Iterator[Page]:
    folder = town.write(tmp_path_factory.mktemp("runs") / "town")
    command = [sys.executable, "-m", "twin.cli", "serve", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = process.stdout.readline().strip()
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
            yield Page(browser.new_page(viewport={"width": 1100, "height": 700}), address)
            browser.close()
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def test_it_shows_the_city_the_clock_and_the_marks(page):
    picture = page.picture()
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 1000, "it is not blank"
    assert page.page.inner_text(".clock") == "21:30:00"
    assert page.page.locator(".mark").count() == 1
    assert page.page.locator(".mark").get_attribute("title") == "21:35:00 lamps.fault K2"
    assert page.page.locator(".side label").all_inner_texts() == ["buildings", "streets", "places", "lamps", "folk"]


def test_a_scrub_moves_clock_and_picture(page):
    before = page.picture()
    page.scrub(400)
    page.after(before, 0.002)
    assert page.page.inner_text(".clock") == "21:36:40"
    assert page.page.inner_text(".happened") == "21:35:00 lamps.fault K2"
    page.page.locator(".mark").click()
    page.page.wait_for_function("document.querySelector('.clock').innerText == '21:35:00'")


def test_a_layer_and_a_camera_change_the_picture(page):
    before = page.picture()
    page.page.uncheck("#layer-buildings")
    without = page.after(before, 0.02)
    page.page.check("#layer-buildings")
    page.after(without, 0.02)
    page.page.select_option("#camera", "corner")
    corner = page.after(before, 0.2)
    page.page.select_option("#camera", "overview")
    page.after(corner, 0.2)


def test_a_drag_turns_the_city(page):
    before, box = page.picture(), page.page.locator(".view").bounding_box()
    page.page.mouse.move(box["x"] + 400, box["y"] + 300)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + 560, box["y"] + 300, steps=6)
    page.page.mouse.up()
    turned = page.after(before, 0.05)
    page.page.select_option("#camera", "corner")
    page.after(turned, 0.1)
    page.page.select_option("#camera", "overview")
    page.page.wait_for_timeout(600)


def test_a_click_shows_the_elements_values_as_the_run_has_them(page):
    page.scrub(0)
    page.page.wait_for_function("document.querySelector('.clock').innerText == '21:30:00'")
    box = page.page.locator(".view").bounding_box()
    page.page.mouse.click(box["x"] + box["width"] * 0.45, box["y"] + box["height"] * 0.53)
    page.page.wait_for_selector(".curve img", timeout=20_000)
    assert page.page.locator(".said td").all_inner_texts() == ["voltage", "230 V", "lit", "yes"]
    assert page.page.eval_on_selector(".curve img", "one => one.naturalWidth") > 300
    page.scrub(500)
    page.page.wait_for_function("document.querySelector('.said td:nth-child(2)').innerText == '0 V'")
    page.page.click(".curve .close")
    page.page.wait_for_selector(".curve", state="detached")


def test_it_plays_with_the_space_bar(page):
    page.scrub(0)
    page.page.wait_for_function("document.querySelector('.clock').innerText == '21:30:00'")
    page.page.focus(".city")
    page.page.keyboard.press("Space")
    page.page.wait_for_function("document.querySelector('#play').innerText == 'pause'")
    page.page.wait_for_function("document.querySelector('.clock').innerText > '21:31:00'", timeout=20_000)
    page.page.keyboard.press("Space")
    page.page.wait_for_function("document.querySelector('#play').innerText == 'play'")
    page.page.keyboard.press("Home")
    page.page.wait_for_function("document.querySelector('.clock').innerText == '21:30:00'")


def test_nothing_went_to_another_host_and_the_console_is_empty(page):
    assert {urlsplit(url.removeprefix("blob:")).netloc for url in page.asked} == {page.address.netloc}
    assert any(url.startswith("ws://") for url in page.asked)
    assert page.complaints == []


def test_without_the_cookie_another_browser_sees_nothing(page):
    other = page.page.context.browser.new_context()
    try:
        refused = other.new_page().goto(f"http://{page.address.netloc}/index.html")
        assert refused.status == 403
    finally:
        other.close()
