"""crowd.json is read without an engine, and everything wrong with it is named with its line."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import numpy as np
import pytest

from models.crowd import network
from models.crowd.demo import DEMO, box
from twin.errors import InputError


def write(tmp_path, change=None):
    data = copy.deepcopy(DEMO)
    if change:
        change(data)
    path = tmp_path / "crowd.json"
    path.write_text(json.dumps(data, indent=1), encoding="utf-8")
    return path


def problems(path):
    with pytest.raises(InputError) as caught:
        network.read(path)
    return [str(problem) for problem in caught.value.problems]


def line_of(path, text):
    return next(i for i, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_the_demo_reads(tmp_path) -> None:
    net = network.read(write(tmp_path), offset_m=(1000.0, 0.0))
    elements = net.elements()
    assert {name: len(ids) for name, ids in elements.items()} == {
        "area": 4, "gate": 2, "station": 1, "carpark": 1, "exit": 1, "sector": 1, "all": 1,
    }  # fmt: skip
    assert elements["gate"].shapes[0].tolist() == [[1008.0, 12.0], [1012.0, 12.0]]
    assert net.gates[0].flow_per_s == pytest.approx(4 * 82 / 60), "Green Guide: 82 people per metre and minute"


def test_all_problems_come_at_once_with_their_lines(tmp_path) -> None:
    def break_it(data):
        data["stations"][0]["platform"] = "platfrom"
        data["gates"][0]["line"] = [[300, 300], [304, 300]]
        data["carparks"][0]["id"] = "p"
        data["exits"].append({"id": "street", "ring": box(8, 43, 14, 45)})

    path = write(tmp_path, break_it)
    found = problems(path)
    assert len(found) == 3
    assert any("no area 'platfrom'; did you mean 'platform'?" in one for one in found)
    assert any("gate gate_n lies off the walking ground" in one for one in found)
    assert any("'street' stands twice" in one for one in found)
    gate = next(one for one in found if "gate_n" in one)
    assert gate.startswith(f"{path}:{line_of(path, 'gate_n') - 1}: ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("sectors"), "sectors: Field required"),
        (lambda d: d["stations"][0].update(headway=5), "stations.0.headway: Extra inputs are not permitted"),
        (lambda d: d["stations"][0].update(capacity=0), "stations.0.capacity"),
        (lambda d: d["stations"][0].update(dwell_s=90), "stops for 90 s but one comes every 60 s"),
        (lambda d: d["stations"][0].update(entry="gate_n"), "must have role 'station'"),
        (lambda d: d["obstacles"].append({"ring": box(0, 0, 20, 12)}), "lies in an obstacle"),
        (lambda d: d["areas"][0].update(ring=[[0, 0], [1, 1], [2, 2]]), "encloses nothing"),
        (lambda d: d.update(exits=[], stations=[], carparks=[]), "nowhere to go"),
        (lambda d: d.update(format="crowd 9"), "format"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path, change, said) -> None:
    assert any(said in one for one in problems(write(tmp_path, change)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"format": "crowd 1", "areas": [', "no JSON"),
        ('{"format": "crowd 1", "format": "crowd 1"}', "stands twice"),
        ('{"ground": [{"ring": [[0, 0], [1, NaN], [1, 1]]}]}', "NaN is no number"),
        ("[" * 100_000, "no JSON"),
        ('{"a": ' + "[" * 100_000, "nested too deeply"),
        ("", "no JSON"),
    ],
)
def test_files_that_are_no_json_are_one_line(tmp_path, text, said) -> None:
    path = tmp_path / "crowd.json"
    path.write_text(text)
    (found,) = problems(path)
    assert said in found


def test_a_missing_file_is_named(tmp_path) -> None:
    (found,) = problems(tmp_path / "none.json")
    assert "none.json: no such file" in found


def test_points_in_rings() -> None:
    ring = np.array([[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]], float)
    found = network.inside(np.array([[1, 1], [2, 2], [3.9, 3.5], [5, 1]]), [ring])
    assert found.tolist() == [True, False, True, False]
    assert network.ring_area_m2(ring) == pytest.approx(16 - 6)


def test_reading_imports_no_engine() -> None:
    code = "import sys, models.crowd.network, models.crowd; print([m for m in ('mesa','numba','shapely','scipy','pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
