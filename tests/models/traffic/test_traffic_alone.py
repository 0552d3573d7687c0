"""Without an event the model is SUMO: the same vehicles arrive at the same seconds."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from models.traffic import Traffic
from twin.errors import EngineFailure


@pytest.mark.parametrize("mode", ["micro", "meso"])
def test_the_demo_equals_sumo_alone(demo, live, until, alone, mode):
    model = live(demo, mode=mode)
    until(model, 600)
    arrived, mean_s = alone(model, 600)
    assert arrived > 100
    assert model.arrived[0] == arrived
    assert model.mean_travel_time_s[0] == pytest.approx(mean_s, rel=1e-12)


def test_five_minutes_of_bologna_equal_sumo_alone(bologna, live, until, alone):
    model = live(bologna)
    until(model, 300)
    arrived, mean_s = alone(model, 300)
    assert arrived > 200
    assert model.arrived[0] == arrived
    assert model.mean_travel_time_s[0] == pytest.approx(mean_s, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["micro", "meso"])
def test_an_hour_of_bologna_equals_sumo_alone(bologna, live, until, alone, mode):
    model = live(bologna, mode=mode)
    until(model, 3600)
    arrived, mean_s = alone(model, 3600)
    assert arrived > 6000
    assert model.arrived[0] == arrived
    assert model.mean_travel_time_s[0] == pytest.approx(mean_s, rel=1e-12)


def test_the_pack_is_never_written_to(bologna, live, until):
    folder = bologna.files["sumocfg"].parent
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    until(live(bologna), 30)  # its detectors write beside the file that declares them
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_catching_up_in_pieces_gives_the_same_as_in_one(demo, live):
    model = live(demo)
    model.advance(60)
    model.solve()
    at_once = {name: array.copy() for name, array in model.arrays.items()}
    model = live(demo)
    for second in (17, 18, 60):
        model.advance(second)
    model.solve()
    for name, array in model.arrays.items():
        assert np.array_equal(array, at_once[name]), name


def test_vehicles_are_conserved_by_sumos_own_count(demo, live, until):
    model = live(demo)
    for end_s in (100, 300, 600):
        until(model, end_s)
        account = model.ledger()[0]
        assert account.gained > 0
        assert account.residual == 0


def test_thinning_keeps_as_many_trips_as_asked_for_evenly(demo, live, until):
    model = live(demo, vehicles=40)
    assert model.network.demand.departing > 100
    until(model, 300)
    assert 15 <= model.departed[0] <= 25  # half of the run's 40
    until(model, 600)
    assert model.departed[0] == 40


def test_positions_are_those_of_the_vehicles_on_the_roads(demo, live, until):
    model = live(demo)
    until(model, 200)
    tracks = model.positions()
    assert len(tracks) == model.running[0] > 5
    assert np.all(np.diff(tracks["id"]) > 0)
    assert tracks["x_m"].min() > -50 and tracks["x_m"].max() < 550  # the demo is 500 m wide
    assert tracks["speed_m_per_s"].max() > 5


def test_mesoscopic_traffic_has_no_emissions_and_says_so(demo, live):
    assert live(demo, mode="meso").absent == {"co2_g_per_s", "queue"}
    assert live(demo).absent == frozenset()


def test_emissions_are_those_of_petrol_cars(demo, live, until):
    model = live(demo)
    until(model, 300)
    per_vehicle = model.co2_g_per_s.sum() / model.running[0]
    assert 0.3 < per_vehicle < 6  # HBEFA4 passenger cars in town: some 150-250 g/km at 20-40 km/h, idling about 0.7 g/s


def test_a_second_live_simulation_in_one_process_is_refused(demo, live, tmp_path):
    import dataclasses

    live(demo)
    with pytest.raises(EngineFailure, match="already runs a SUMO simulation"):
        Traffic(dataclasses.replace(demo, scratch=tmp_path / "second")).open()


def test_importing_and_checking_a_pack_does_not_import_sumo(demo):
    code = (
        "import sys, time, pathlib; from models.traffic import Traffic; from twin.model import Setup\n"
        f"files = {{role: pathlib.Path(path) for role, path in { ({r: str(p) for r, p in demo.files.items()})!r}.items()}}\n"
        "started = time.process_time(); Traffic(Setup('traffic', files, pathlib.Path('nowhere')))\n"
        "assert time.process_time() - started < 2.0\n"
        "assert not {'libsumo', 'sumo', 'sumolib', 'scipy', 'pandas'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
