"""Sweeps of a scenario that takes a second: every run once, whatever is killed; results as labelled arrays."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import mini
import numpy as np
import psutil
import pytest
import sixth
import xarray as xr

import twin.statistics
from twin import experiment, sweep
from twin.errors import InputError
from twin.experiment import Sweep
from twin.sweep import Design, Range, Sampling

SWEEP = """\
scenario: mini.yaml
vary:
  models.heat.rooms: [3, 4]
  timeline.boost.p: [2 kW, 8 kW]
seeds: 2
fields: [heat.power_mw]
"""


@pytest.fixture(scope="module", autouse=True)
def heated():
    with pytest.MonkeyPatch.context() as patch:
        sixth.register(patch)
        yield


@pytest.fixture(scope="module")
def scenario(tmp_path_factory) -> Path:
    return mini.write(tmp_path_factory.mktemp("sweep"))


@pytest.fixture(scope="module")
def found(scenario) -> xr.Dataset:
    vary = {"models.heat.rooms": [3, 4], "timeline.boost.p": ["2 kW", "8 kW"]}
    return Sweep(scenario, vary, seeds=[1, 2], folder=scenario.parent / "swept", fields=["heat.power_mw"]).run(workers=2)


def test_a_sweep_gives_arrays_over_what_was_varied(found):
    assert dict(found.coldest.sizes) == {"heat.rooms": 2, "timeline.boost.p": 2, "seed": 2}
    assert found["heat.rooms"].values.tolist() == [3, 4] and found["timeline.boost.p"].values.tolist() == ["2 kW", "8 kW"]
    assert (found.status == "done").all()
    assert found.coldest.attrs["units"] == "degC"
    room = found["heat.power_mw"].sel({"heat.rooms": 4, "seed": 1, "room": "R1"}).isel(time=-1)
    assert room.sel({"timeline.boost.p": "8 kW"}) == pytest.approx(0.008) and room.sel({"timeline.boost.p": "2 kW"}) == pytest.approx(0.002)


def test_a_run_of_a_sweep_is_the_same_scenario_run_alone(found, scenario):
    alone = twin.simulate(
        twin.load(scenario).with_(models={"heat": {"rooms": 4}}, timeline={"boost": {"p": "2 kW"}}, seed=2), scenario.parent / "alone"
    )
    swept = twin.open_run(Path(found.attrs["folder"]) / "runs" / "00002-2")
    assert swept.digest == alone.digest


def test_finished_runs_are_never_run_again(found, scenario):
    folder = Path(found.attrs["folder"])
    before = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/manifest.json")}
    assert len(before) == 8
    assert {one.tries for one in experiment.finish(folder)} == {0}
    assert {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/manifest.json")} == before


def test_a_worker_that_is_killed_runs_again_and_every_run_is_there_once(scenario):
    asked = Sweep(scenario, {"models.heat.rooms": [2, 3, 4]}, seeds=[1, 2], folder=scenario.parent / "killed")
    over, killed, chance = threading.Event(), [], random.Random(4)

    def kill_now_and_then() -> None:
        while not over.is_set() and len(killed) < 3:
            for child in psutil.Process().children():
                if "twin.experiment" in child.cmdline() and child.pid not in killed:
                    time.sleep(chance.uniform(0.1, 0.6))
                    if child.is_running():
                        child.send_signal(signal.SIGKILL)
                        killed.append(child.pid)
                    break
            time.sleep(0.05)

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    try:
        ds = asked.run(workers=2)
    finally:
        over.set()
        killer.join()
    assert killed
    assert (ds.status == "done").all() and int(np.isfinite(ds.coldest).sum()) == 6
    assert len(list((scenario.parent / "killed" / "runs").iterdir())) == 6


def test_a_run_that_cannot_be_is_set_aside_with_its_log_and_the_others_finish(scenario, monkeypatch):
    asked = Sweep(scenario, {"timeline.late.room": ["R0", "R1"]}, folder=scenario.parent / "poisoned")
    asked.lay()
    broken = asked.folder / "scenarios" / "00001-1.yaml"
    broken.write_text(broken.read_text().replace("do: cellar.heat", "do: cellar.divide").replace("room: R1\n", "").replace("p_kw: 2\n", ""))
    watched = []
    outcomes = experiment.finish(asked.folder, watch=lambda progress: watched.append((progress.finished, progress.poisoned)))
    assert [one.status for one in outcomes] == ["done", "poisoned"]
    assert outcomes[1].tries in (1, 3) and outcomes[1].said
    assert watched[-1] == (2, 1) and (asked.folder / "logs" / "00001-1-1.log").read_text().strip()
    gathered = experiment.gather(asked.folder)
    assert gathered.status.values.ravel().tolist() == ["done", "poisoned"] and np.isnan(gathered.coldest.values.ravel()[1])


def test_a_folder_of_another_sweep_or_one_at_work_is_refused(found, scenario):
    folder = Path(found.attrs["folder"])
    with pytest.raises(InputError, match="holds another sweep"):
        Sweep(scenario, {"models.heat.rooms": [9]}, folder=folder).run()
    with experiment._alone(folder), pytest.raises(InputError, match="another process is working on this sweep"):
        experiment.finish(folder)
    with pytest.raises(InputError, match="is no sweep"):
        experiment.read_plan(scenario.parent)


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ({"models.heat.rooms": [3, 0]}, r"vary.models.heat.rooms: 0: .*rooms"),
        ({"models.heat.roms": [3]}, "roms"),
        ({"timeline.boost.at": ["21:40", "23:40"]}, "outside the run"),
        ({"models.heat.rooms": []}, "no values"),
        ({"models.heat.rooms": Range(**{"from": 1, "to": 5})}, "a range is sampled; say how"),
    ],
)
def test_values_that_cannot_be_are_named_before_anything_runs(scenario, vary, said):
    with pytest.raises(InputError, match=said):
        Sweep(scenario, vary, folder=scenario.parent / "never").run()
    assert not (scenario.parent / "never").exists()


def test_samples_fill_their_ranges_and_are_the_same_for_the_same_seed():
    vary = {"a": Range(**{"from": 10.0, "to": 20.0, "unit": "m"}), "b": ["x", "y"], "c": Range(**{"from": 1, "to": 8, "whole": True})}
    rows = Design(vary, [1], Sampling(method="sobol", count=64)).rows
    numbers = [float(row["a"].removesuffix(" m")) for row in rows]
    assert 10 <= min(numbers) < 11 and 19 < max(numbers) <= 20 and abs(np.mean(numbers) - 15) < 0.2
    assert [row["b"] for row in rows].count("x") == 32 and {row["c"] for row in rows} == set(range(1, 9))
    assert rows == Design(vary, [1], Sampling(method="sobol", count=64)).rows != Design(vary, [1], Sampling(count=64, seed=2)).rows
    assert len(Design(vary, [1, 2], Sampling(method="random", count=10))) == 20
    with pytest.raises(InputError, match="no power of two"):
        Design(vary, [1], Sampling(count=10))


def test_differences_are_paired_and_have_the_interval_they_should():
    rng = np.random.default_rng(3)
    noise, effect = rng.normal(0, 100, 40), rng.normal(5, 1, 40)
    values = np.stack([noise, noise + effect])
    found = xr.Dataset({"late": (("crowd.people", "seed"), values)}, {"crowd.people": [1000, 2000], "seed": range(40)})
    late = found.twin.compare("models.crowd.people").late.sel({"crowd.people": 2000})
    mean, low, high, pairs = late.values
    assert mean == pytest.approx(effect.mean()) and pairs == 40
    # the t-interval of the same differences, which BCa comes close to for 40 normal values
    half = 2.0227 * effect.std(ddof=1) / np.sqrt(40)
    assert low == pytest.approx(effect.mean() - half, abs=0.1) and high == pytest.approx(effect.mean() + half, abs=0.1)
    with pytest.raises(InputError, match=r"did you mean 'crowd\.people'"):
        found.twin.compare("crowd.peple")
    with pytest.raises(InputError, match="no value '3'"):
        found.twin.compare("crowd.people", to=3)


def cli(*words: object) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(
        [sys.executable, "-m", "twin.cli", "sweep", *map(str, words)], capture_output=True, text=True, env=env, check=False
    )


def test_the_command_runs_a_file_tells_programs_and_writes_a_table(scenario):
    file, folder = scenario.parent / "rooms.yaml", scenario.parent / "told"
    file.write_text(SWEEP)
    ran = cli(file, "--workers", 2, "--out", folder, "--json")
    assert ran.returncode == 0, ran.stderr
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [one["finished"] for one in told] == list(range(1, 9)) and told[-1]["total"] == 8
    table = scenario.parent / "kpis.csv"
    assert cli(folder, "--table", table).returncode == 0
    rows = list(csv.DictReader(table.open()))
    assert len(rows) == 8 and set(rows[0]) == {"heat.rooms", "timeline.boost.p", "seed", "status", "coldest"}
    again = cli("--resume", folder)
    assert again.returncode == 0 and "8 of 8 runs finished" in again.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vary: {a: [1]}", "scenario"),
        ("scenario: mini.yaml\nvary: {}\n", "vary"),
        ("scenario: mini.yaml\nvary: {models.heat.rooms: {from: 1, to: 3}}\n", "bad.yaml:2: vary.models.heat.rooms: a range is sampled"),
        ("scenario: mini.yaml\nvary: {models.heat.rooms: [1]}\nsead: 2\n", "bad.yaml:3"),
        ("scenario: none.yaml\nvary: {models.heat.rooms: [1]}\n", "no such file"),
        ("- 1\n", "a sweep is a mapping"),
    ],
)
def test_a_wrong_sweep_file_is_one_line_with_its_place(scenario, text, said):
    file = scenario.parent / "bad.yaml"
    file.write_text(text)
    ran = cli(file, "--out", scenario.parent / "bad")
    assert ran.returncode == 2 and said in ran.stderr and "Traceback" not in ran.stderr and not (scenario.parent / "bad").exists()
    assert sweep.short("models.a.b") == "a.b"
