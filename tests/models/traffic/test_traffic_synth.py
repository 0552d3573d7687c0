"""Roads laid along streets: the same bytes every time, driveable, with what the other domains need to know."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from models.traffic.demo import demo_base
from models.traffic.synth import synth
from twin.errors import InputError

CODE = (
    "import hashlib, pathlib, sys; from models.traffic.demo import demo_base; from models.traffic.synth import synth\n"
    "folder = pathlib.Path(sys.argv[1]); laid = synth(demo_base(), {}, folder, {'trips_per_h': 600})\n"
    "print([(name, hashlib.sha256((folder / name).read_bytes()).hexdigest()) for name in laid.files.values()])\n"
)


def test_the_same_base_gives_the_same_bytes_whatever_folder_hash_seed_or_time_zone(tmp_path):
    said = set()
    for seed, zone in (("1", "UTC"), ("77", "Asia/Shanghai")):
        folder = tmp_path / f"build{seed}"
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone}
        done = subprocess.run([sys.executable, "-c", CODE, str(folder)], env=environment, capture_output=True, text=True, check=True)
        said.add(done.stdout)
    assert len(said) == 1


@pytest.fixture(scope="module")
def laid(tmp_path_factory):
    return synth(demo_base(), {}, tmp_path_factory.mktemp("laid"), {"trips_per_h": 600})


def test_every_street_is_two_edges_and_arterials_meet_at_a_signal(laid):
    base = demo_base()
    assert set(laid.elements["edge"].ids) == {f"{street.id}{way}" for street in base.streets for way in "fb"}
    assert laid.elements["signal"].ids == ("X11",)
    assert laid.by_street["S03"] == ("S03f", "S03b")
    street = next(one for one in base.streets if one.id == "S03")
    forward = laid.elements["edge"].shapes[laid.elements["edge"].ids.index("S03f")]
    assert np.abs(forward - street.shape).max() < 15  # its middle lane, from stop line to stop line


def test_it_says_what_needs_power(laid):
    needs = {need.element: need for need in laid.needs}
    assert set(needs) == {"X11", "charger_P1"}
    assert needs["X11"].p_mw == 0.0005
    assert needs["charger_P1"].p_mw == pytest.approx(10 * 7.0 / 1000)  # 200 spaces, a point for each twentieth
    assert needs["X11"].xy == (250.0, 250.0)


def test_it_reports_what_it_checked_and_what_it_invented(laid):
    assert laid.checks["complaints of netconvert"] == "0"
    assert laid.checks["roads reachable from each other"] == "24 of 24"
    assert "trips" in laid.synthetic and "chargers" in laid.synthetic


def test_roads_that_do_not_hang_together_are_refused(tmp_path):
    base = demo_base()
    apart = tuple(one for one in base.streets if {one.start, one.end} not in ({"X01", "X11"}, {"X00", "X10"}, {"X02", "X12"}))
    with pytest.raises(InputError, match=r"connected|netconvert|duarouter"):
        synth(dataclasses.replace(base, streets=apart), {}, tmp_path, {"trips_per_h": 600})


def test_an_unknown_option_is_refused(tmp_path):
    with pytest.raises(InputError, match="did you mean 'trips_per_h'"):
        synth(demo_base(), {}, tmp_path, {"trips_per_hour": 600})
