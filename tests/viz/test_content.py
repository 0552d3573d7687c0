import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "twin"))
import recorded

from twin.errors import InputError, StorageError
from twin.ground import Ground, View
from twin.looks import Looks, MoverLook, SetLook
from twin.ports import ElementSet
from twin.recorder import ModelSheet, PortSheet, Recorder
from twin.results import open_run
from viz import content, output

SQUARE = np.array([[0.0, 0.0], [40.0, 0.0], [40.0, 30.0], [0.0, 30.0]])
DEEP = PortSheet("depth_m", "street", "m", label="water depth", cmap="Blues")
WET = ModelSheet(
    "drainage",
    {"depth_m": DEEP, "is_open": PortSheet("is_open", "street", dtype="bool"), "total_m3": PortSheet("total_m3", "all", "m3")},
    {"street": ElementSet(("S1", "S2"), (SQUARE, SQUARE + 50), closed=True, label="streets"), "all": ElementSet(("all",))},
    moving={0: "boat"},
    looks=Looks({"street": SetLook("surface", depth="depth_m", height_m=[2.0, 0.0])}, {"boat": MoverLook("box", (6.0, 2.0, 1.0))}).plain(),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "wet"
    recorder = Recorder(
        folder,
        manifest={"name": "wet"},
        scenario_text="name: wet\n",
        models={"drainage": WET},
        start=recorded.START,
        duration_s=60,
        record_every_s=30,
        tracks_every_s=30,
        ground=Ground(cameras=(View("bridge", (0.0, 0.0, 50.0), (40.0, 30.0, 0.0)),)),
    )
    for t_s in (0, 30, 60):
        values = {"depth_m": np.array([0.1, t_s / 60]), "is_open": np.array([True, t_s < 60]), "total_m3": np.ones(1)}
        recorder.sample(t_s, {"drainage": values})
    recorder.finish("done")
    return open_run(folder)


def test_what_a_domain_looks_like_comes_from_what_its_run_says(run):
    (part,) = content.parts(run, "drainage")
    assert (part.form, part.look.depth, part.label, part.colour) == ("surface", "depth_m", "streets", DEEP)
    assert [port.name for port in part.ports] == ["depth_m", "is_open"]
    assert part.height_m(9.0).tolist() == [2.0, 9.0], "a height that is not said is the view's"
    (movers,) = content.movers(run)
    assert movers.kinds == {0: "boat"} and movers.looks["boat"].size_m == (6.0, 2.0, 1.0)


def test_a_set_without_looks_is_drawn_by_its_geometry():
    point, line = SQUARE[:1], SQUARE[:2]
    assert content.geometry([point, point], closed=False) == "point"
    assert content.geometry([point, line], closed=False) == "line"
    assert content.geometry([SQUARE], closed=True) == "area"
    assert set(content.FORMS) == {"point", "line", "area"}


def test_looks_that_another_version_said_are_left_out():
    said = {"sets": {"a": {"form": "hologram", "width_m": 3.0, "glow": 7}, "b": {"form": "tube"}}, "movers": {"x": {"size_m": [1, 2, 3]}}}
    read = Looks.read(said)
    assert read.sets == {"a": SetLook(width_m=3.0), "b": SetLook("tube")}
    assert read.movers == {"x": MoverLook(size_m=(1.0, 2.0, 3.0))}
    assert Looks.read({}).sets == {} and Looks.read({"sets": [1]}).sets == {}


def test_colours_span_what_is_declared_or_else_what_was_recorded(run):
    sheet = run.static["drainage"]
    assert content.span(run, sheet, DEEP) == pytest.approx((0.0, 1.0))
    assert content.span(run, sheet, sheet.ports["total_m3"]) == (1.0, 2.0), "one value is no range"
    assert content.colours("Greys")[[0, -1]].tolist() == [[255, 255, 255], [0, 0, 0]]
    assert content.colours("no such map").tolist() == content.colours("viridis").tolist()


def test_cameras_are_the_citys_and_one_of_everything(run):
    assert list(content.cameras(run)) == ["bridge", "overview"]
    assert content.camera(run).name == "bridge"
    assert content.camera(run, "overview").look_at_m == (45.0, 40.0, 0.0)
    with pytest.raises(InputError, match="no camera 'brige'; did you mean 'bridge'"):
        content.camera(run, "brige")


def test_layers_are_the_citys_and_the_models(run):
    assert content.choose(run, None) == ["drainage"]
    assert content.choose(run, ["drainage", " drainage"]) == ["drainage"]
    with pytest.raises(InputError, match="no layer 'drains'; did you mean 'drainage'"):
        content.choose(run, ["drains"])


def test_an_element_is_found_by_its_id(run):
    part, index = content.element(run, "drainage.S2")
    assert (part.name, index) == ("street", 1)
    assert content.element(run, "drainage.street.S1")[1] == 0
    for said, right in (("drainge.S1", "did you mean 'drainage'"), ("drainage.S9", "no element of drainage 'S9'; did you mean")):
        with pytest.raises(InputError, match=right):
            content.element(run, said)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.html"
    path.write_text("before")
    with pytest.raises(RuntimeError), output.writing(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]
    with output.writing(path) as beside:
        beside.write_text("after")
    assert path.read_text() == "after" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(StorageError, match="cannot be written: No space left"), output.writing(path):
        raise OSError(28, "No space left on device")
    with pytest.raises(InputError, match="make it first"), output.writing(tmp_path / "no" / "a.html"):
        pass
    with pytest.raises(InputError, match="is a folder"), output.writing(tmp_path):
        pass
    with pytest.raises(InputError, match=r"no format '.htm'; did you mean '.html'"):
        output.check_suffix(Path("a.htm"), (".html", ".md", ".pdf"))
