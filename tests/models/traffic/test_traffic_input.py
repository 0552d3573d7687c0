"""Bad input never runs: each mistake is one line with file, line and what would be right."""

from __future__ import annotations

import dataclasses
import json

import pytest

from models.traffic import Traffic
from twin.errors import InputError
from twin.model import Setup


@pytest.fixture
def pack(demo, tmp_path):
    """Return a copy of the demo's pack that may be damaged: role -> path."""
    copies = {}
    for role, path in demo.files.items():
        copies[role] = tmp_path / path.name
        copies[role].write_bytes(path.read_bytes())
    return copies


def refused(demo: Setup, pack, **options) -> list[str]:
    with pytest.raises(InputError) as caught:
        Traffic(dataclasses.replace(demo, files=pack, options=options))
    return str(caught.value).splitlines()


def test_a_doctype_is_refused_in_every_file_before_sumo_sees_it(demo, pack):
    for role in ("net", "routes", "vtypes"):
        text = pack[role].read_text()
        pack[role].write_text('<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>\n' + text.partition("?>\n")[2])
        lines = refused(demo, pack)
        assert any(line.startswith(f"{pack[role]}:2: a DOCTYPE is refused") for line in lines), lines
        pack[role].write_text(text)
    Traffic(dataclasses.replace(demo, files=pack))


def test_a_doctype_in_another_encoding_is_refused_too(demo, pack):
    text = '<?xml version="1.0" encoding="UTF-16"?>\n<!DOCTYPE routes [<!ENTITY e "x">]>\n<routes/>'
    pack["routes2"].write_bytes(text.encode("utf-16"))
    assert "DOCTYPE" in refused(demo, pack)[0]


def test_a_truncated_network_is_refused_with_its_line(demo, pack):
    whole = pack["net"].read_text()
    half = whole[: len(whole) // 2]
    pack["net"].write_text(half)
    (line,) = refused(demo, pack)
    assert line.startswith(f"{pack['net']}:{half.count(chr(10)) + 1}: ")
    assert "truncated" in line


def test_a_route_over_an_unknown_edge_names_the_nearest(demo, pack):
    text = pack["routes"].read_text()
    pack["routes"].write_text(text.replace('edges="S', 'edges="SX', 1))
    (line,) = refused(demo, pack)
    number = 1 + text[: text.index('edges="S')].count("\n")
    assert line.startswith(f"{pack['routes']}:{number}: no edge 'SX") and "did you mean" in line


@pytest.mark.parametrize(
    ("element", "said"),
    [
        ('<include href="/etc/passwd"/>', "<include> is refused"),
        ('<e1Detector id="d" lane="S03f_0" pos="1" freq="60" file="../../out.xml"/>', "leaves the pack"),
        ('<e1Detector id="d" lane="S03f_0" pos="1" freq="60" file="/tmp/out.xml"/>', "leaves the pack"),
    ],
)
def test_a_file_that_reaches_outside_the_pack_is_refused(demo, pack, element, said):
    pack["additional"].write_text(f"<additional>\n{element}\n</additional>\n")
    (line,) = refused(demo, pack)
    assert line.startswith(f"{pack['additional']}:2: ") and said in line


def test_a_configuration_that_leaves_its_folder_is_refused(demo, tmp_path):
    path = tmp_path / "run.sumocfg"
    path.write_text('<configuration>\n<input>\n<net-file value="../../roads.net.xml"/>\n</input>\n</configuration>')
    (line,) = refused(demo, {"sumocfg": path})
    assert line.startswith(f"{path}:3: ") and "leaves the configuration's folder" in line


def test_more_vehicles_than_the_pack_has_are_refused(demo, pack):
    (line,) = refused(demo, pack, vehicles=100_000)
    assert "vehicles: 100000, but only" in line


def test_a_run_at_which_nobody_departs_is_refused(demo, pack):
    (line,) = refused(demo, pack, begin="30 h")
    assert "none of the" in line and "begin" in line


def test_every_mistake_of_a_sites_file_is_told_at_once(demo, pack):
    document = json.loads(pack["sites"].read_text())
    document["carparks"][0]["edge"] = "S3f"
    document["chargers"][0]["points"] = -1
    document["departures_from"] = "late"
    document["exitts"] = []
    pack["sites"].write_text(json.dumps(document, indent=1))
    lines = refused(demo, pack)
    assert len(lines) >= 4
    assert any("no edge 'S3f'; did you mean 'S03f'?" in line or "no edge 'S3f'; did you mean" in line for line in lines)
    assert any("points must be a number of at least 0" in line for line in lines)
    assert any("'late' is no time of day" in line for line in lines)
    assert any("did you mean 'exits'?" in line for line in lines)
    assert all(line.startswith(str(pack["sites"])) for line in lines)


def test_a_vehicle_type_that_no_file_declares_is_refused(demo, pack):
    document = json.loads(pack["sites"].read_text())
    pack["sites"].write_text(json.dumps({**document, "electric": "electrc"}))
    (line,) = refused(demo, pack)
    assert "no vehicle type 'electrc'; did you mean 'electric'?" in line


def test_unknown_options_and_bare_numbers_are_refused(demo, pack):
    assert "mode" in refused(demo, pack, mode="nano")[0]
    assert "unit is needed" in refused(demo, pack, close_above=0.01)[0]
    assert "does not divide" in refused(demo, pack, step="0.3 s")[0]
    assert "greater than or equal" in refused(demo, pack, reroute_every="0 s")[0]
    assert "colour" in refused(demo, pack, colour="red")[0]


def test_the_clock_of_the_pack_says_which_trips_depart(demo, pack):
    from datetime import datetime

    model = Traffic(dataclasses.replace(demo, start=datetime(2014, 8, 16, 21, 30)))
    assert model.network.demand.begin_s == 5400  # departures count from 20:00


def test_an_action_on_an_unknown_edge_names_the_nearest(demo):
    model = Traffic(demo)
    _, wrong = model.actions["close"].check({"edge": "S3f"}, model.elements)
    assert "did you mean" in wrong[0]
    _, wrong = model.actions["slow"].check({"edge": "S03f", "speed": 5}, model.elements)
    assert "unit is needed" in wrong[0]
