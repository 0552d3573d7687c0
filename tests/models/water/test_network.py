from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from models.water.demo import DEMO
from models.water.isolation import segment
from models.water.network import read_network
from twin.errors import InputError

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "water"


def problems(tmp_path, text, valves=None):
    file = tmp_path / "bad.inp"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_network(file, valves)
    return [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems]


def line_of(text, start):
    return next(i for i, line in enumerate(text.splitlines(), 1) if line.startswith(start))


def test_the_demo_is_read_whole_with_its_shapes(tmp_path):
    file = tmp_path / "water.inp"
    file.write_text(DEMO)
    network = read_network(file, offset_m=(100.0, 1000.0))
    sets = network.elements()
    assert {name: len(elements) for name, elements in sets.items()} == {
        "junction": 8,
        "tank": 1,
        "reservoir": 1,
        "pipe": 8,
        "pump": 2,
        "valve": 1,
    }
    np.testing.assert_array_equal(sets["pipe"].shapes[1], [[500, 1000], [750, 1250], [1000, 1300]])
    assert network.pipes.diameter_m[0] == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("change", "start", "expected"),
    [
        ((" P3  J3   J4 ", " P3  J3   J44"), " P3", "pipe 'P3': no node 'J44'; did you mean 'J4'?"),
        ((" P3  J3   J4   500", " P3  J3   J4   -50"), " P3", "length of 'P3' is -50; it must be above 0"),
        ((" P3  J3   J4   500", " P3  J3   J4   5oo"), " P3", "length of 'P3' is '5oo'; a number is needed"),
        ((" J5  10         8 ", " J4  10         8 "), " J4  10", "node 'J4' occurs twice; the first is in line 10"),
        (("HEAD works\n PU2", "HEAD work\n PU2"), " PU1", "pump 'PU1': no curve 'work'; did you mean 'works'?"),
        ((" J6  9          5       day", " J6  9          5       dya"), " J6", "'J6': no pattern 'dya'; did you mean 'day'?"),
        ((" T1  45         3 ", " T1  45         9 "), " T1", "tank 'T1' starts at 9, outside its levels 1 to 5"),
        (("Units    LPS", "Units    LPSS"), " Units", "no flow unit 'LPSS'; did you mean 'LPS'?"),
        (("[VALVES]", "[VAVLES]"), "[VAVLES]", "no section 'VAVLES'; did you mean 'VALVES'?"),
        ((" J6  500  -800", " J66 500  -800"), " J66", "coordinates of an unknown node: no node 'J66'; did you mean 'J6'?"),
        ((" V1  J6   J7   150     PRV", " V1  J6   J7   150     PRX"), " V1", "valve 'V1': no valve type 'PRX'; did you mean 'PRV'?"),
        (
            (" P3  J3   J4   500     250       120        0     Open", " P3  J3   J4"),
            " P3",
            "a line of [PIPES] needs at least 6 values, here are 3",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path, change, start, expected):
    assert change[0] in DEMO
    text = DEMO.replace(*change, 1)
    assert f"{line_of(text, start)}: {expected}" in problems(tmp_path, text)


def test_a_truncated_file_is_refused(tmp_path):
    text = DEMO[: DEMO.index("[ENERGY]")]
    assert any("stops without [END]: it may be truncated" in problem for problem in problems(tmp_path, text))


def test_all_problems_of_a_file_come_at_once(tmp_path):
    text = DEMO.replace(" P3  J3   J4 ", " P3  J3   J44").replace("Units    LPS", "Units    LPSS").replace("[END]", "")
    assert len(problems(tmp_path, text)) == 3


@pytest.mark.parametrize("data", [b"", b"\x00\x01binary", b"<xml/>"])
def test_what_is_no_network_is_refused(tmp_path, data):
    file = tmp_path / "bad.inp"
    file.write_bytes(data)
    with pytest.raises(InputError):
        read_network(file)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_network(tmp_path / "none.inp")


def test_mistakes_in_the_list_of_valves_have_their_line(tmp_path):
    file, valves = tmp_path / "water.inp", tmp_path / "valves.csv"
    file.write_text(DEMO)
    valves.write_text("id,pipe,end\nV1,P1,start\nV1,P9x,middle\n")
    with pytest.raises(InputError) as caught:
        read_network(file, valves)
    assert {problem.line for problem in caught.value.problems} == {3}
    assert len(caught.value.problems) == 3


def test_a_file_that_only_epanet_refuses_is_the_users_with_epanets_words_and_the_line(water):
    with pytest.raises(InputError, match=r"water.inp:\d+: EPANET refuses it: undefined link PU9 in \[CONTROLS\]: LINK PU9 OPEN"):
        water(DEMO.replace("LINK PU2 OPEN IF NODE T1 BELOW 2.5", "LINK PU9 OPEN IF NODE T1 BELOW 2.5"))


def test_a_segment_with_valves_at_every_end_is_the_pipe(tmp_path):
    file = tmp_path / "water.inp"
    file.write_text(DEMO)
    found = segment(read_network(file), "P4")
    assert found.links == ("P4",)
    assert found.valves == 2
    assert found.nodes == ()


@pytest.mark.parametrize(("name", "junctions", "pipes"), [("L-TOWN.inp", 782, 905), ("coastal_ky4.inp", 959, 1156)])
def test_real_networks_are_read_in_under_a_second(name, junctions, pipes):
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is not here: real networks lie beside the checkout")
    started = time.process_time()
    network = read_network(DATA / name)
    sets = network.elements()
    assert time.process_time() - started < 1.0
    assert (len(network.junctions), len(network.pipes.ids)) == (junctions, pipes)
    assert len(sets["pipe"].shapes) == pipes


def test_reading_imports_no_engine():
    code = "import sys, models.water, models.water.network; print(*{'epanet', 'scipy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split() == []
