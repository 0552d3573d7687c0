import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import recorded

from twin.city import Camera, City
from twin.errors import StorageError
from twin.ground import Ground, ground_of, read_ground, write_ground
from twin.results import open_run

HEXI = Path(__file__).parents[2] / "configs" / "cities" / "hexi"


@pytest.fixture(scope="module")
def hexi() -> Ground:
    own = Camera(name="stadium", position_m=(0, -500, 200), look_at_m=(0, 0, 0))
    return ground_of(City(HEXI), [own])


def test_a_run_keeps_its_citys_ground_and_the_scenarios_cameras_first(hexi, tmp_path):
    write_ground(tmp_path, hexi)
    read = read_ground(tmp_path)
    assert [view.name for view in read.cameras] == ["stadium", "overview", "axis"]
    assert read.cameras[0].position_m == (0.0, -500.0, 200.0)
    assert (len(read.places), len(read.streets), len(read.buildings)) == (53, 590, 3300)
    for kept, had in zip(read.buildings + read.streets + read.places, hexi.buildings + hexi.streets + hexi.places, strict=True):
        np.testing.assert_array_equal(kept.shape, had.shape)
        assert kept.id == had.id
    assert read.places[0].name["zh"] == "奥体中心体育场"
    assert read.provenance == "schematic" and read.synthetic and read.crs == "EPSG:4549"


def test_the_same_ground_gives_the_same_bytes(hexi, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        write_ground(tmp_path / name, hexi)
    for file in ("city.json", "shapes.npz"):
        assert (tmp_path / "a" / "city" / file).read_bytes() == (tmp_path / "b" / "city" / file).read_bytes()


def test_a_run_without_ground_opens_and_has_none(tmp_path):
    recorded.start(tmp_path / "run").finish("done")
    assert open_run(tmp_path / "run").city == Ground()


@pytest.mark.parametrize("harm", ["torn", "other", "list"])
def test_a_damaged_ground_is_refused_in_one_line(hexi, tmp_path, harm):
    write_ground(tmp_path, hexi)
    path = tmp_path / "city" / "city.json"
    text = path.read_text("utf-8")
    path.write_text({"torn": text[:-100], "other": text.replace('"use"', '"used"'), "list": "[1]"}[harm], "utf-8")
    with pytest.raises(StorageError, match=r"city\.json: is damaged") as caught:
        read_ground(tmp_path)
    assert "\n" not in str(caught.value)
