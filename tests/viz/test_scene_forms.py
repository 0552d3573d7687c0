"""Domains that views have never heard of: every form an element set may have is seen when its layer is on, and only then."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import mini
import numpy as np
import pytest
import sixth

import twin
from twin.base import Place
from twin.ground import Ground, View
from twin.looks import Looks, MoverLook, SetLook
from twin.ports import TRACK, ElementSet
from twin.recorder import ModelSheet, PortSheet, Recorder
from twin.results import Run, open_run
from viz.actors import SLICES
from viz.scene import Scene

SIZE = (640, 400)
BASIN = np.array([[-60.0, -60.0], [60.0, -60.0], [60.0, 60.0], [-60.0, 60.0]])


def sheet() -> ModelSheet:
    """A flood that rises in a basin and on a street, a plume over a point and one over a ring, a rescue boat."""
    ports = {
        "depth_m": PortSheet("depth_m", "basin", "m", label="depth", cmap="Blues", range=(0.0, 2.0)),
        "street_depth_m": PortSheet("street_depth_m", "street", "m", label="depth", cmap="Blues", range=(0.0, 2.0)),
        "smoke_mg_per_m3": PortSheet("smoke_mg_per_m3", "stack", "mg/m3", label="smoke", cmap="Reds", range=(0.0, 10.0)),
        "gas_mg_per_m3": PortSheet("gas_mg_per_m3", "cell", "mg/m3", label="gas", cmap="Greens", range=(0.0, 10.0)),
    }
    sets = {
        "basin": ElementSet(("B",), (BASIN,), closed=True, label="basins"),
        "street": ElementSet(("S",), (np.array([[-200.0, -120.0], [200.0, -120.0]]),), label="streets"),
        "stack": ElementSet(("K",), (np.array([[150.0, 60.0]]),), label="stacks"),
        "cell": ElementSet(("C",), (BASIN * 0.6 + [-170.0, 60.0],), closed=True, label="cells"),
    }
    looks = Looks(
        {
            "basin": SetLook("surface", depth="depth_m"),
            "street": SetLook("surface", width_m=24.0, depth="street_depth_m"),
            "stack": SetLook("cloud", width_m=90.0, height_m=60.0),
            "cell": SetLook("cloud", height_m=40.0),
        },
        {"boat": MoverLook("blue_light", (9.0, 3.0, 3.0))},
    )
    return ModelSheet("storm", ports, sets, moving={0: "boat"}, looks=looks.plain())


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """At 30 s nothing has happened yet; at 60 s there are 1.5 m of water, and smoke."""
    folder = tmp_path_factory.mktemp("runs") / "storm"
    ground = Ground(
        "plain",
        {"en": "Plain"},
        cameras=(View("overview", (0.0, -420.0, 300.0), (0.0, 0.0, 0.0)),),
        places=(Place("p", "square", {"en": "Plain"}, np.array([[0.0, 150.0]])),),
    )
    recorder = Recorder(
        folder,
        manifest={"name": "storm", "seed": 1},
        scenario_text="name: storm\n",
        models={"storm": sheet()},
        start=datetime(2014, 8, 16, 13, 0, tzinfo=ZoneInfo("Asia/Shanghai")),
        duration_s=60,
        record_every_s=30,
        tracks_every_s=30,
        ground=ground,
    )
    for t_s in (0, 30, 60):
        wet = float(t_s == 60)
        values = {"depth_m": [1.5 * wet], "street_depth_m": [1.5 * wet], "smoke_mg_per_m3": [10 * wet], "gas_mg_per_m3": [10 * wet]}
        recorder.sample(t_s, {"storm": {name: np.array(value) for name, value in values.items()}})
        boats = np.zeros(1, TRACK)
        boats["y_m"] = -170.0
        recorder.tracks(t_s, "storm", boats)
    recorder.finish("done")
    return open_run(folder)


def of_hue(picture: np.ndarray, channel: int, by: int = 24) -> int:
    """Count the pixels in which one of red, green and blue stands out."""
    others = np.delete(picture.astype(int), channel, axis=2).max(axis=2)
    return int((picture[..., channel].astype(int) - others > by).sum())


def test_water_stands_where_it_is_deep_and_is_not_there_where_it_is_dry(run):
    scene = Scene(run, size=SIZE, layers=["storm"])
    dry, wet = scene.at(30).picture(), scene.at(60).picture()
    assert of_hue(wet, 2) > of_hue(dry, 2) + 5000
    basin = next(one for one in scene.cast.actors if one.part.name == "basin")
    assert np.allclose(basin.drawn.points[:, 2] - basin.drawn.points[:, 2].min(), 0.0)
    wet_z = basin.drawn.points[0, 2]
    scene.at(30)
    assert np.isclose(wet_z - basin.drawn.points[0, 2], 1.5)
    assert (basin.drawn.colours[:, 3] == 0).all()
    scene.plotter.close()


def test_a_plume_is_as_thick_as_its_value_and_is_not_there_without_one(run):
    scene = Scene(run, size=SIZE, layers=["storm"])
    clear, smoky = scene.at(30).picture(), scene.at(60).picture()
    assert of_hue(smoky, 0) > of_hue(clear, 0) + 800, "the red plume over a point"
    assert of_hue(smoky, 1) > of_hue(clear, 1) + 800, "the green one over a ring"
    stack = next(one for one in scene.cast.actors if one.part.name == "stack")
    assert len(stack.drawn.points) == SLICES * 25
    assert np.ptp(stack.drawn.points[:, 2]) > 45.0
    scene.plotter.close()


def test_a_layer_of_an_unknown_domain_is_switched_off_and_on(run):
    scene = Scene(run, size=SIZE).at(60)
    on = scene.picture()
    off = scene.show_layer("storm", False).picture()
    assert of_hue(on, 0) - of_hue(off, 0) > 800 and of_hue(on, 2) - of_hue(off, 2) > 5000
    assert np.array_equal(scene.show_layer("storm", True).picture(), on)
    scene.plotter.close()


def test_every_form_of_an_unknown_domain_is_in_the_legend_with_its_unit(run):
    from viz.furniture import _chosen

    scene = Scene(run, size=SIZE).at(60)
    bars = _chosen([one for one in scene.cast.actors if scene.cast.visible(one)])
    assert [(one.part.label, one.scale.port.unit) for one in bars] == [
        ("basins", "m"),
        ("streets", "m"),
        ("stacks", "mg/m3"),
        ("cells", "mg/m3"),
    ]
    assert scene.pick((2.0, -121.0, 0.0)) == ("storm", "street", "S")
    scene.plotter.close()


def test_the_sixth_model_is_a_layer_of_its_own_with_rooms_a_warden_and_a_legend(tmp_path, monkeypatch):
    sixth.register(monkeypatch)
    folder = heated(tmp_path)
    scene = Scene(open_run(folder), size=SIZE, look="day").at("21:50")
    assert list(scene.cast.shown) == ["heat", "cellar"]
    rooms = next(one for one in scene.cast.actors if one.part.model == "heat")
    assert (rooms.part.form, rooms.scale.port.name, rooms.scale.port.unit) == ("marker", "temperature_degc", "degC")
    assert scene.cast.swarms[0].movers.kinds == {0: "warden"} and scene.cast.swarms[0].glyphs[0].count == 1
    on = scene.picture()
    off = scene.show_layer("heat", False).picture()
    warm = rooms.drawn.colours[0]
    assert seen(on, warm) > seen(off, warm) + 50
    scene.show_layer("heat", True)
    first = rooms.drawn.colours.copy()
    scene.at("21:30")
    assert (rooms.drawn.colours != first).any(), "a room warmed for ten minutes has another colour"
    scene.plotter.close()


def heated(folder: Path) -> Path:
    """Run the two row houses."""
    twin.simulate(mini.write(folder), folder / "run")
    return folder / "run"


def seen(picture: np.ndarray, colour: np.ndarray) -> int:
    """Count the pixels of a colour's hue, however the light falls on it."""
    norm = picture / np.maximum(np.linalg.norm(picture.astype(float), axis=2, keepdims=True), 1)
    return int((np.abs(norm - colour / max(np.linalg.norm(colour.astype(float)), 1)).max(axis=2) < 0.04).sum())
