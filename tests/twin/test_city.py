"""A city pack says what is wrong with it by file and line, and never reads outside its folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from twin.base import Coupling
from twin.city import City
from twin.errors import InputError

GOOD = """\
name: tiny
crs: EPSG:4549
origin_m: [378000, 3543000]
timezone: Asia/Shanghai
provenance: schematic
models:
  grid: {files: {network: grid.json}}
  water: {files: {network: water.inp}, offset_m: [10, -20]}
places: places.geojson
couplings: couplings.csv
"""

PLACES = """{"type": "FeatureCollection", "features": [
{"type": "Feature", "id": "stadium", "properties": {"kind": "stadium", "name": {"en": "Stadium", "zh": "体育场"}, "seats": 61443},
 "geometry": {"type": "Point", "coordinates": [118.7178, 32.0075]}},
{"type": "Feature", "id": "lake", "properties": {"kind": "water", "name": "Lake"},
 "geometry": {"type": "Polygon", "coordinates": [[[118.71, 32.0], [118.72, 32.0], [118.72, 32.01], [118.71, 32.0]]]}}
]}"""

ROWS = "source,source_element,target,target_element,kind\ngrid,B1,water,P1,supply\nwater,P1,grid,B1,load\n"


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "city.yaml").write_text(GOOD, encoding="utf-8")
    (folder / "places.geojson").write_text(PLACES, encoding="utf-8")
    (folder / "couplings.csv").write_text(ROWS, encoding="utf-8")
    (folder / "grid.json").write_text("{}")
    (folder / "water.inp").write_text("[END]\n")
    return folder


def refused(folder: Path, old: str, new: str) -> list[str]:
    text = (folder / "city.yaml").read_text(encoding="utf-8")
    assert old in text
    (folder / "city.yaml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as error:
        City(folder)
    return [str(problem).removeprefix(str(folder) + "/") for problem in error.value.problems]


def test_a_good_pack_is_read(pack: Path) -> None:
    city = City(pack)
    assert city.manifest.name == "tiny"
    assert city.files("water") == {"network": pack / "water.inp"}
    assert city.offset_m("water") == (10.0, -20.0)
    assert city.couplings()[1] == (3, Coupling("water", "P1", "grid", "B1", "load"))


def test_places_in_degrees_are_projected_to_metres_from_the_origin(pack: Path) -> None:
    stadium, lake = City(pack).places()
    # Gauss-Krueger on CGCS2000, central meridian 120 E, false easting 500 km, scale 1. By hand: at 32.0075 N an arc
    # of 1.2822 degrees of longitude is 121,150 m (N cos(phi) dlambda, N = 6,384,146 m), the series' next term 4 m more.
    assert stadium.shape == pytest.approx(np.array([[500_000 - 121_154 - 378_000, 402.7]]), abs=1.0)
    assert stadium.properties == {"seats": 61443}
    assert (len(lake.shape), lake.name) == (3, {"en": "Lake"})


def test_a_position_in_degrees_is_projected_alike(pack: Path) -> None:
    city = City(pack)
    place = next(one for one in city.places() if len(one.shape) == 1)
    import pyproj

    there = place.shape[0] + np.asarray(city.manifest.origin_m)
    lon, lat = pyproj.Transformer.from_crs(city.manifest.crs, "EPSG:4326", always_xy=True).transform(*there)
    assert city.metres(lon, lat) == pytest.approx(tuple(place.shape[0]), abs=0.02)
    with pytest.raises(ValueError, match="no position on Earth"):
        city.metres(32.0, 118.7)


def test_places_that_say_their_metres_are_taken_as_they_are(pack: Path) -> None:
    (pack / "places.geojson").write_text(PLACES.replace('"features"', '"twin": {"crs": "EPSG:4549"}, "features"', 1), encoding="utf-8")
    assert City(pack).places()[0].shape.tolist() == [[118.7178, 32.0075]]


def test_the_shifted_system_of_chinese_web_maps_is_explained(pack: Path) -> None:
    (line,) = refused(pack, "EPSG:4549", "GCJ-02")
    assert line.startswith("city.yaml:2: crs: 'GCJ-02' is the shifted system of Chinese web maps")
    assert "EPSG:4549" in line


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("EPSG:4549", "EPSG:4326", "city.yaml:2: crs: 'EPSG:4326' is in degrees"),
        ("EPSG:4549", "4549", "city.yaml:2: crs: '4549' is no EPSG code; write EPSG:4549"),
        ("Asia/Shanghai", "Asia/Shanghia", "city.yaml:4: timezone: no IANA time zone 'Asia/Shanghia'; did you mean 'Asia/Shanghai'?"),
        ("provenance: schematic", "provenance: drawn", "city.yaml:5: provenance: Input should be 'surveyed' or 'schematic'"),
        ("couplings:", "coupling:", "city.yaml:10: no key 'coupling'; did you mean 'couplings'?"),
        ("offset_m", "ofset_m", "city.yaml:8: no key of models.water 'ofset_m'; did you mean 'offset_m'?"),
        ("name: tiny\n", "", "city.yaml:1: 'name' is missing"),
        ("[10, -20]", "[10, .nan]", "city.yaml:8: models.water.offset_m.1"),
        ("couplings: couplings.csv", "build: [waters]", "city.yaml:10: build: no model 'waters'; did you mean 'water'?"),
        ("grid.json", "../grid.json", "city.yaml:7: models.grid.files.network: '../grid.json' leaves the pack"),
        ("grid.json", "a/../../grid.json", "leaves the pack"),
        ("grid.json", "/etc/passwd", "is an absolute path"),
        ("grid.json", "~/grid.json", "is an absolute path"),
        ("grid.json", "'C:grid.json'", "is no path in the pack"),
    ],
)
def test_each_mistake_is_one_line_with_file_line_and_what_would_be_right(pack: Path, old: str, new: str, line: str) -> None:
    said = refused(pack, old, new)
    assert len(said) == 1
    assert line in said[0]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(pack: Path) -> None:
    text = (pack / "city.yaml").read_text().replace("EPSG:4549", "GCJ02").replace("schematic", "x").replace("grid.json", "../x")
    (pack / "city.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        City(pack)
    assert [problem.line for problem in error.value.problems] == [2, 5, 7]


def test_a_link_that_leaves_the_pack_is_refused(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("{}")
    (pack / "grid.json").unlink()
    (pack / "grid.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(InputError, match=r"city\.yaml:7: .*link that leaves the pack"):
        City(pack)


def test_a_pack_may_itself_be_reached_by_a_link(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(pack)
    assert City(tmp_path / "linked").files("grid")


def test_an_absent_network_file_is_named_with_its_line(pack: Path) -> None:
    (pack / "water.inp").unlink()
    with pytest.raises(InputError, match=r"city\.yaml:8: models\.water\.files\.network: no file 'water\.inp'"):
        City(pack).files("water")
    with pytest.raises(InputError, match=r"no model of this city 'wate'; did you mean 'water'"):
        City(pack).files("wate")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("grid,B1,water,P1", ":4: 4 values where five are needed"),
        ("grid,B1,water,,supply", ":4: 4 values where five are needed"),
        ("grids,B1,water,P2,supply", ":4: no model of this city 'grids'; did you mean 'grid'?"),
        ("grid,B1,water,P1,supply", ":4: the same as line 2"),
    ],
)
def test_each_bad_coupling_row_is_named_with_its_line(pack: Path, row: str, said: str) -> None:
    (pack / "couplings.csv").write_text(ROWS + row + "\n")
    with pytest.raises(InputError) as error:
        City(pack).couplings()
    assert said in str(error.value.problems[0])


def test_couplings_without_the_header_are_refused(pack: Path) -> None:
    (pack / "couplings.csv").write_text(ROWS.split("\n", 1)[1])
    with pytest.raises(InputError, match="the first line must be source,source_element"):
        City(pack).couplings()


def test_broken_places_are_named_by_file_and_line(pack: Path) -> None:
    (pack / "places.geojson").write_text(PLACES[:200])
    with pytest.raises(InputError, match=r"places\.geojson:\d: not JSON"):
        City(pack).places()
    (pack / "places.geojson").write_text(PLACES.replace('"Point"', '"Blob"'))
    with pytest.raises(InputError, match=r"places\.geojson:2: feature 1 stadium: a Blob where Point"):
        City(pack).places()
    (pack / "places.geojson").write_text(PLACES.replace('"seats": 61443', '"footprint_m": [290]'))
    with pytest.raises(InputError, match=r"feature 1 stadium: footprint_m \[290\]: two lengths in metres"):
        City(pack).places()


def test_the_digest_is_of_the_data_and_not_of_the_folder(pack: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(pack, tmp_path / "elsewhere" / "other")
    (copy / "notes.txt").write_text("a file the manifest does not name")
    assert City(copy).digest() == City(pack).digest()
    (copy / "grid.json").write_text("{ }")
    assert City(copy).digest() != City(pack).digest()


def test_reading_a_pack_imports_no_engine_and_no_geometry_library(pack: Path) -> None:
    heavy = "shapely pyproj geopandas pandas scipy matplotlib libsumo pandapower pandapipes mesa numba networkx epanet"
    read = f"twin.city.City({str(pack)!r}).couplings()"
    code = f"import sys, twin.city, twin.synthesis; {read}; print([m for m in {heavy.split()} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_folder_without_a_manifest_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"city\.yaml: no such file"):
        City(tmp_path)
    with pytest.raises(InputError, match="no such city pack"):
        City(tmp_path / "nowhere")


def test_a_thousand_places_are_projected_within_half_a_second(pack: Path) -> None:
    feature = '{"type":"Feature","id":"p%d","properties":{"kind":"x","name":"x"},"geometry":{"type":"Point","coordinates":[118.7,32.0]}}'
    (pack / "places.geojson").write_text('{"type":"FeatureCollection","features":[' + ",".join(feature % i for i in range(1000)) + "]}")
    City(pack).places()
    start = time.process_time()
    assert len(City(pack).places()) == 1000
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"features"', '"twin": {"crs": "EPSG:32650"}, "features"', "coordinates are in EPSG:32650"),
        (
            '"features"',
            '"twin": {"crs": "EPSG:4549", "origin_m": [0, 0]}, "features"',
            r"from \[0, 0\], the city in EPSG:4549 from \[378000",
        ),
        ('"features"', '"crs": {"properties": {"name": "EPSG:4549"}}, "features"', "its member `crs` says .* GCJ-02"),
        ("[118.7178, 32.0075]", "[378846, 3543402]", 'beyond 180 degrees; metres of the pack need a member "twin"'),
    ],
)
def test_coordinates_in_another_system_than_they_say_are_refused(pack: Path, old: str, new: str, said: str) -> None:
    (pack / "places.geojson").write_text(PLACES.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=said):
        City(pack).places()


@pytest.mark.parametrize(
    ("code", "said"), [("EPSG:4610", "is not in metres"), ("EPSG:2263", "is not in metres"), ("EPSG:99999", "no known EPSG code")]
)
def test_a_crs_that_is_not_in_metres_is_refused_when_it_is_needed(pack: Path, code: str, said: str) -> None:
    # EPSG:4610 is Xian 1980 in degrees, EPSG:2263 New York in US feet
    (pack / "city.yaml").write_text(GOOD.replace("EPSG:4549", code), encoding="utf-8")
    with pytest.raises(InputError, match=said):
        City(pack).places()
