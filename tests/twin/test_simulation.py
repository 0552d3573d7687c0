"""A scenario made live: stepped, acted on, recorded, with a model no line of the kernel knows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mini
import numpy as np
import pytest
import sixth

import twin
from twin.storage import digest


@pytest.fixture(autouse=True)
def registered(monkeypatch, tmp_path):
    sixth.register(monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def scenario(tmp_path):
    return twin.load(mini.write(tmp_path))


def test_a_sixth_domain_runs_from_a_package_and_a_stanza(scenario):
    run = twin.simulate(scenario, out="runs/base")
    assert run.status == "done"
    temperature = run.fields["heat"].temperature_degc
    assert temperature.attrs["units"] == "degC"
    assert temperature.sizes == {"time": 41, "room": 4}
    boosted, plain = temperature.sel(room="R1"), temperature.sel(room="R0")
    assert (boosted[:21] == plain[:21]).all(), "cause: nothing differs before 21:40"
    assert (boosted[22:] > plain[22:]).all(), "effect: the boosted room is warmer after it"
    assert str(temperature.time.values[20])[:19] == "2014-08-16T21:40:00"


def test_a_coupling_carries_cause_to_effect_and_severing_it_stops_it(scenario):
    joined = twin.simulate(scenario, out="a").fields["cellar"].temperature_degc
    severed = twin.simulate(scenario.with_(couplings={"air": "off"}), out="b").fields["cellar"].temperature_degc
    assert float(joined.sel(room="R1")[-1]) > float(severed.sel(room="R1")[-1]) + 0.1


def test_stepping_by_hand_gives_the_bytes_of_a_run_in_one_go(scenario):
    whole = twin.simulate(scenario, out="whole")
    with twin.Simulation(scenario, out="steps") as sim:
        for moment in ("21:31", "21:40", "+13 min", 901, "21:50"):
            sim.until(moment)
    assert sim.result().status == "done"
    assert digest(Path("steps")) == digest(whole.path)


def test_a_live_action_is_checked_applied_and_journalled(scenario):
    with twin.Simulation(scenario, out="live") as sim:
        sim.until("21:35")
        before = float(sim["heat"].temperature_degc.sel(room="R3"))
        sim.do("heat.heat", room="R3", p="6 kW")
        with pytest.raises(twin.InputError, match="no room 'R33'; did you mean 'R3'"):
            sim.do("heat.heat", room="R33", p="6 kW")
        with pytest.raises(twin.InputError, match="no action of heat 'heatt'; did you mean 'heat'"):
            sim.do("heat.heatt", room="R3")
        sim.until("21:50")
        assert float(sim["heat"].temperature_degc.sel(room="R3")) > before
    events = sim.result().events
    live = events[events["source"] == "live"]
    assert live[["t_seen_s", "model", "name", "element"]].values.tolist() == [[300, "heat", "heat", "R3"]]


def test_leaving_early_keeps_what_was_recorded(scenario):
    with twin.Simulation(scenario, out="early") as sim:
        sim.until("21:40")
    run = sim.result()
    assert run.status == "interrupted"
    assert run.fields["heat"].sizes["time"] == 21


def test_an_engine_that_fails_leaves_a_run_that_says_so_and_opens(scenario):
    broken = scenario.with_(timeline={"fault": {"at": "21:45", "do": "heat.divide"}})
    with pytest.raises(twin.EngineFailure, match=r"heat \(numpy\) at t=900 s: ZeroDivisionError"):
        twin.simulate(broken, out="broken")
    run = twin.open_run("broken")
    assert run.status == "failed"
    assert "ZeroDivisionError" in run.manifest["error"]
    assert run.fields["heat"].sizes["time"] == 30


def test_the_same_seed_gives_the_same_bytes_whatever_the_host_folder_and_hash_seed(scenario, tmp_path):
    seen = {digest(twin.simulate(scenario, out=f"run-{hosts}", hosts=hosts).path) for hosts in ("inline", "process")}
    kit = Path(sixth.__file__).parent
    code = f"import sys; sys.path.append({str(kit)!r}); import sixth; sixth.register(None); import twin; twin.simulate({str(tmp_path / 'mini.yaml')!r}, out=sys.argv[1])"
    for number, (seed, zone) in enumerate([("1", "UTC"), ("2", "America/New_York")]):
        out = tmp_path / f"other{number}" / "run"
        subprocess.run(
            [sys.executable, "-c", code, out], check=True, env={"PYTHONHASHSEED": seed, "TZ": zone, "PATH": "/usr/bin", "LC_ALL": "C"}
        )
        seen.add(digest(out))
    assert len(seen) == 1


def test_timing_says_how_often_each_model_was_solved(scenario):
    timing = twin.simulate(scenario, out="timed").timing
    assert timing.loc["heat", "advances"] == 41
    assert timing.loc["heat", "solves"] == 41


def test_a_quantity_kept_by_the_ledger_closes(scenario):
    ledger = twin.simulate(scenario, out="ledger").ledger
    assert ledger["closes"].all()
    assert set(ledger["model"]) == {"heat", "cellar"}


def test_an_existing_folder_is_not_overwritten(scenario):
    Path("taken").mkdir()
    Path("taken/file").write_text("mine")
    with pytest.raises(twin.InputError, match="taken: exists already"):
        twin.simulate(scenario, out="taken")
    assert [path.name for path in Path("taken").iterdir()] == ["file"]


def test_variants_merge_by_name_and_none_removes(scenario):
    variant = scenario.with_(name="detour", timeline={"late": None, "boost": {"at": "21:41"}}, seed=5)
    assert variant.name == "detour"
    assert variant.drivers["timeline"] == {"boost": {"at": "21:41", "do": "heat.heat", "room": "R1", "p": "4 kW"}}
    assert scenario.drivers["timeline"]["late"]["do"] == "cellar.heat"


def test_removing_what_is_not_there_is_refused_and_never_silently_nothing(scenario):
    with pytest.raises(twin.InputError, match="timeline: no entry 'boots'; did you mean 'boost'"):
        scenario.with_(timeline={"boots": None})


def test_the_recorded_scenario_runs_again_to_the_same_bytes(scenario, tmp_path):
    run = twin.simulate(scenario, out="first")
    again = tmp_path / "again.yaml"
    again.write_text((run.path / "scenario.yaml").read_text())
    assert digest(twin.simulate(again, out="second").path) == run.digest


def test_values_of_a_live_model_are_labelled_copies(scenario):
    with twin.Simulation(scenario, out="look") as sim:
        seen = sim["heat"].temperature_degc
        seen[:] = -1
        assert (sim["heat"].temperature_degc > 0).all()
        assert list(seen.room.values) == ["R0", "R1", "R2", "R3"]
        with pytest.raises(KeyError, match="no model 'heet'"):
            sim["heet"]
        with pytest.raises(AttributeError, match="has no port"):
            _ = sim["heat"].pressure_m
        assert np.isfinite(seen.values).all()
