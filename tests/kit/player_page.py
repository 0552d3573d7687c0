"""A made-up run with one of everything a replay draws, and a page of Debian's Chromium that opens a replay of it from the disk."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import town

from twin.looks import Looks, MoverLook, SetLook
from twin.ports import TRACK, ElementSet
from twin.recorder import ModelSheet, PortSheet, Recorder

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
FAULT_S, DURATION_S = 300, 600
KPIS = [
    {"name": "dry", "label": "Deepest water", "value": 1.5, "unit": "m", "target": "<= 1 m", "verdict": "missed"},
    {"name": "lit", "label": "Lamps lit", "value": 4.0, "unit": "1", "target": ">= 3", "verdict": "met"},
]


def need_chromium() -> None:
    """Skip the test where Debian's chromium is absent; fail on CI, which installs it."""
    if CHROMIUM.exists():
        return
    if os.environ.get("CI") == "true":
        pytest.fail("chromium is not installed: apt-get install chromium")
    pytest.skip("Debian's chromium is not installed")


def sheets() -> dict[str, ModelSheet]:
    """Return the town's lamps and walkers, and a model of no known domain with a set of each form."""
    ring = np.array([[40.0, 200.0], [160.0, 200.0], [160.0, 280.0], [40.0, 280.0]])
    ports = {
        "depth_m": PortSheet("depth_m", "basin", "m", label="depth", cmap="Blues", range=(0.0, 2.0)),
        "load_percent": PortSheet("load_percent", "hose", "%", label="load", cmap="RdYlBu_r", range=(0.0, 120.0)),
        "is_open": PortSheet("is_open", "lane", dtype="bool", label="open"),
        "rate_per_s": PortSheet("rate_per_s", "lane", "1/s", label="rate", cmap="YlOrRd", range=(0.0, 10.0)),
        "dust_g_per_m3": PortSheet("dust_g_per_m3", "cloud", "g/m3", label="dust", cmap="inferno", range=(0.0, 1.0)),
        "total_t": PortSheet("total_t", "whole", "t", label="all dust"),
    }
    elements = {
        "basin": ElementSet(("W1",), (ring,), closed=True, label="basins"),
        "hose": ElementSet(("T1", "T2"), (np.array([[0.0, 60.0], [180.0, 60.0]]), np.array([[220.0, 60.0], [400.0, 60.0]])), label="hoses"),
        "lane": ElementSet(
            ("E1", "E2"), (np.array([[0.0, 100.0], [200.0, 100.0]]), np.array([[200.0, 100.0], [400.0, 100.0]])), label="lanes"
        ),
        "cloud": ElementSet(("C1",), (np.array([[300.0, 240.0]]),), label="clouds"),
        "whole": ElementSet(("all",)),
    }
    looks = {
        "basin": SetLook("surface", depth="depth_m"),
        "hose": SetLook("wire", width_m=1.0),
        "lane": SetLook("road", width_m=9.0),
        "cloud": SetLook("cloud", width_m=70.0, height_m=30.0),
    }
    units = MoverLook("blue_light", (6.0, 2.2, 2.6), along="lane")
    sheet = ModelSheet("novel", ports, elements, moving={0: "unit"}, looks=Looks(looks, {"unit": units}).plain())
    return town.sheets() | {"novel": sheet}


def arrays_at(t_s: int) -> dict[str, dict[str, np.ndarray]]:
    """Return what the models say at a second; at 21:35 the lamps and a lane go off."""
    after = t_s >= FAULT_S
    return town.arrays_at(t_s) | {
        "novel": {
            "depth_m": np.array([t_s / 400.0]),
            "load_percent": np.array([20.0 + t_s / 10.0, np.nan if after else 60.0]),
            "is_open": np.array([not after, True]),
            "rate_per_s": np.array([t_s / 60.0, 10.0 - t_s / 60.0]),
            "dust_g_per_m3": np.array([min(1.0, t_s / 500.0)]),
            "total_t": np.array([3.0 + t_s / 100.0]),
        }
    }


def units_at(t_s: int) -> np.ndarray:
    """Return two units on the lanes, the second gone after 400 s."""
    units = np.zeros(2 if t_s <= 400 else 1, TRACK)
    units["id"] = 701 + np.arange(len(units))
    units["x_m"], units["y_m"] = np.array([20.0 + t_s * 0.5, 380.0 - t_s * 0.4])[: len(units)], 100.0
    units["angle_deg"] = [90.0, 270.0][: len(units)]
    return units


def write(folder: Path, *, name: str = "evening", last_s: int = DURATION_S, fault: bool = True) -> Path:
    """Write the run; stopped by hand when `last_s` is before its end; `fault` False: the lamps stay lit."""
    recorder = Recorder(
        folder,
        manifest={"name": name, "title": f"The {name}", "seed": 1},
        scenario_text=f"name: {name}\n",
        models=sheets(),
        start=town.START,
        duration_s=DURATION_S,
        record_every_s=10,
        tracks_every_s=10,
        ground=town.ground(),
    )
    recorder.event(row(0, "inject", "Call to the post", ""))
    for t_s in range(0, last_s + 1, 10):
        if t_s == FAULT_S and fault:
            recorder.event(row(t_s, "action", "fault", "K2"))
            for lamp in town.LAMPS:
                recorder.event(row(t_s, "notice", "went_dark", lamp) | {"severity": "warning"})
        recorder.sample(t_s, arrays_at(t_s if fault or t_s < FAULT_S else FAULT_S - 10))
        walkers = np.zeros(60, TRACK)
        walkers["id"] = np.arange(60)
        walkers["x_m"], walkers["y_m"] = 20.0 + walkers["id"] * 3 + t_s * 0.3, 96.0 - 0.5 * (walkers["id"] % 9)
        recorder.tracks(t_s, "folk", walkers)
        recorder.tracks(t_s, "novel", units_at(t_s))
    recorder.finish("done" if last_s == DURATION_S else "interrupted")
    said = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(said | {"kpis": KPIS if fault else KPIS[1:]}))
    return folder


def row(t_s: int, kind: str, name: str, element: str) -> dict[str, Any]:
    """Return a row of the journal."""
    said = {"t_happened_s": t_s, "t_seen_s": t_s, "kind": kind, "source": "timeline", "model": "lamps", "name": name}
    return said | {"element": element, "severity": "info", "facts": {"cause": "storm"}}


class Page:
    """A replay in a page: what it asked for, what it complained of, and its picture."""

    def __init__(self, context: Any, file: Path, hash: str = "") -> None:
        self.page = context.new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        context.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None)
        self.page.goto(f"{file.as_uri()}{hash}")
        self.ready = self.page.evaluate("window.twin.ready")

    def state(self) -> dict[str, Any]:
        """Return what the page says of itself."""
        return self.page.evaluate("window.twin.state()")

    def seek(self, second: float) -> dict[str, float]:
        """Go to a second and wait for its picture; milliseconds of its data and of its picture."""
        return self.page.evaluate("second => window.twin.seek(second)", second)

    def until(self, expression: str) -> None:
        """Wait until an expression is true (the page's own policy forbids Playwright's wait_for_function)."""
        for _ in range(200):
            if self.page.evaluate(expression):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"never true: {expression}")

    def picture(self) -> np.ndarray:
        """Return what the city's canvas shows, (height, width, 3), once it stands still; black where panels lie over it."""
        from PIL import Image

        self.page.wait_for_timeout(120)
        left, top, right, foot = 240, 60, 755, int(self.page.locator(".foot").bounding_box()["y"])
        size = self.page.viewport_size
        shot = self.page.screenshot(clip={"x": left, "y": top, "width": right - left, "height": foot - top})
        seen = np.zeros((size["height"], size["width"], 3), int)
        seen[top:foot, left:right] = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"))
        return seen

    def point(self, model: str, set: str, id: str, view: int = 0) -> tuple[float, float]:
        """Return where an element is on the screen."""
        x, y, _ = self.page.evaluate("said => window.twin.project(...said)", [model, set, id, view])
        return x, y


@contextmanager
def chromium() -> Iterator[Callable[..., Any]]:
    """Start Playwright; what it gives opens Debian's Chromium without a display: `flags`, and what a context takes."""
    need_chromium()
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browsers: list[Any] = []

        def fresh(flags: Sequence[str] = FLAGS, **said: Any) -> Any:
            browsers.append(playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(flags)))
            return browsers[-1].new_context(**({"viewport": {"width": 1024, "height": 600}, "reduced_motion": "reduce"} | said))

        try:
            yield fresh
        finally:
            for browser in browsers:
                browser.close()


def changed(one: np.ndarray, other: np.ndarray) -> int:
    """Return how many pixels differ clearly."""
    return int((np.abs(one - other).max(axis=2) > 24).sum())
