"""Sweeps of a scenario that takes a second: every run once, whatever is stopped; results as labelled arrays."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import mini
import numpy as np
import pandas as pd
import pytest
import sixth
import xarray as xr

import twin
from twin import attempt as attempts
from twin import experiment, gathering, sweeping
from twin.errors import InputError, StorageError
from twin.experiment import Outcome, Progress, Sweep
from twin.sweep import Range

SWEEP = """\
scenario: mini.yaml
vary:
  models.heat.rooms: [4, 3]
seeds: [1]
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
    vary = {"models.heat.rooms": [4, 3], "timeline.boost.p": ["8 kW"]}
    return Sweep(scenario, vary, seeds=[2, 1], folder=scenario.parent / "swept", fields=["heat.power"]).run(workers=2)


def test_a_sweep_gives_arrays_over_what_was_varied(found):
    assert dict(found.coldest.sizes) == {"heat.rooms": 2, "timeline.boost.p": 1, "seed": 2}
    assert found["heat.rooms"].values.tolist() == [4, 3] and found.seed.values.tolist() == [2, 1], "in the order they were listed"
    assert (found.status == "done").all() and np.isfinite(found.coldest).all()
    assert found.coldest.attrs["units"] == "degC"
    last = found["heat.power"].sel({"timeline.boost.p": "8 kW", "seed": 1}).isel(time=-1)
    assert last.sel({"heat.rooms": 4, "room": "R1"}) == pytest.approx(0.008) and last.attrs["units"] == "MW"
    assert np.isnan(last.sel({"heat.rooms": 3, "room": "R3"})) and np.isfinite(last.sel({"heat.rooms": 4, "room": "R3"}))


def test_a_run_of_a_sweep_is_the_same_scenario_run_alone(found, scenario):
    changes = {"models": {"heat": {"rooms": 3}}, "timeline": {"boost": {"p": "8 kW"}}}
    alone = twin.simulate(twin.load(scenario).with_(**changes, seed=2), scenario.parent / "alone")
    assert twin.open_run(Path(found.attrs["folder"]) / "runs" / "00001-2").digest == alone.digest


def test_finished_runs_are_never_run_again(found, scenario):
    folder = Path(found.attrs["folder"])
    before = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/manifest.json")}
    assert len(before) == 4
    assert {one.tries for one in experiment.finish(folder)} == {0}
    assert attempts.attempt(folder, "00000-2", str(scenario)).tries == 0
    assert {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/manifest.json")} == before


def test_a_sweep_whose_folder_was_moved_is_read_and_goes_on(found, scenario):
    folder, moved = Path(found.attrs["folder"]), scenario.parent / "moved"
    folder.rename(moved)
    try:
        (moved / "runs" / "00000-1" / "manifest.json").unlink()  # as if it had been cut short
        part = gathering.gather(moved)
        assert part.status.values.ravel().tolist() == ["done", "not run", "done", "done"]
        assert part.coldest.equals(found.coldest.where(part.status == "done")) and np.isnan(part.coldest).sum() == 1
        assert [one.tries for one in experiment.finish(moved)] == [0, 1, 0, 0]
        assert gathering.gather(moved).coldest.equals(found.coldest)
    finally:
        moved.rename(folder)


def test_a_run_that_cannot_be_is_set_aside_with_its_log_and_the_others_finish(scenario):
    fails = {"at": "+5 min", "do": "heat.divide"}
    never = {"at": "+6 min", "do": "heat.heat", "room": "R9", "p": "1 kW"}
    booming = twin.load(scenario).with_(timeline={"boom": fails})
    asked = Sweep(booming, {"timeline.boom": [None, fails, never]}, folder=scenario.parent / "poisoned")
    asked.lay()
    told = []
    outcomes = experiment.finish(asked.folder, workers=2, watch=lambda now: told.append((now.finished, now.poisoned, now.last)))
    assert [(one.status, one.tries) for one in outcomes] == [("done", 1), ("poisoned", 3), ("poisoned", 1)]
    assert "ZeroDivisionError" in outcomes[1].said and "no room 'R9'" in outcomes[2].said
    assert told[0] == (0, 0, None) and told[-1][:2] == (3, 2)
    log = (asked.folder / "logs" / "00001-1.log").read_text()
    assert log.count("ZeroDivisionError") == 3 and re.findall(r"^-- try (\d)", log, re.MULTILINE) == ["1", "2", "3"]
    gathered = experiment.gather(asked.folder)
    assert gathered.status.values.ravel().tolist() == ["done", "poisoned", "poisoned"]
    assert np.isnan(gathered.coldest.values.ravel()).tolist() == [False, True, True]
    assert {one.tries for one in experiment.finish(asked.folder)} == {0, 1, 3}, "what was set aside is not run again unless asked"


def test_a_variant_that_another_process_runs_is_not_run_beside_it(found, scenario):
    """As when a worker is lost from sight while its process goes on: the hold is the process's own."""
    log, held = Path(found.attrs["folder"]) / "logs" / "00000-1.log", attempts.Children()
    with attempts._claimed(log, attempts.Children()) as mine:
        other = subprocess.Popen(["sleep", "60"], stdout=mine)
    try:
        held.stopped.set()
        with attempts._claimed(log, held) as never:
            assert never is None
        waiting = attempts.Children()
        got = []
        thread = threading.Thread(target=lambda: got.append(attempts.attempt(log.parents[1], "00000-1", str(scenario), waiting)))
        thread.start()
        thread.join(1.0)
        assert thread.is_alive() and not got, "it waits for the process that holds the variant"
        other.kill()
        thread.join(10.0)
        assert got == [Outcome("00000-1", "done")]
    finally:
        other.kill()
        other.wait()


def test_a_folder_of_another_sweep_or_one_at_work_is_refused(found, scenario):
    folder = Path(found.attrs["folder"])
    with pytest.raises(InputError, match=r"holds another sweep \(keys: not as here\)"):
        Sweep(scenario, {"models.cellar.rooms": [9]}, folder=folder).run()
    with experiment._alone(folder), pytest.raises(InputError, match="another process is working on this sweep"):
        experiment.finish(folder)
    with pytest.raises(InputError, match="is no sweep"):
        experiment.read_plan(scenario.parent)


def test_a_sweep_does_not_go_on_with_another_city_or_engine(scenario, tmp_path):
    file = mini.write(tmp_path)
    asked = Sweep(file, {"models.heat.rooms": [3]}, folder=tmp_path / "swept")
    asked.lay()
    couplings = (tmp_path / "pack" / "couplings.csv").read_text()
    (tmp_path / "pack" / "couplings.csv").write_text(couplings.replace("heat,R1,cellar,R2,air", "heat,R2,cellar,R2,air"))
    with pytest.raises(InputError, match=r"the city \S+ has changed since the sweep began"):
        experiment.finish(asked.folder)
    (tmp_path / "pack" / "couplings.csv").write_text(couplings)
    plan = json.loads((asked.folder / "sweep.json").read_text())
    (asked.folder / "sweep.json").write_text(json.dumps({**plan, "made_of": {**plan["made_of"], "numpy": "1.0"}}))
    with pytest.raises(InputError, match=r"was begun with numpy 1.0, and this is 2\.\S+; install numpy==1.0 to go on"):
        experiment.finish(asked.folder)
    (tmp_path / "pack").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="which is not there; put it back to go on"):
        experiment.finish(asked.folder)
    (asked.folder / "variants.jsonl").unlink()
    with pytest.raises(StorageError, match=r"variants.jsonl: cannot be read"):
        experiment.finish(asked.folder)


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ({"models.heat.rooms": [3, 0]}, r"vary.models.heat.rooms: 0: .*rooms"),
        ({"models.heat.roms": [3]}, "roms"),
        ({"timeline.boost.at": ["21:40", "23:40"]}, "outside the run"),
        ({"models.heat.rooms": []}, "no values"),
        ({"models.heat.rooms": [3, 4, 3]}, "3 is listed twice"),
        ({"models.heat.rooms": Range(**{"from": 1, "to": 5})}, "a range is sampled; say how"),
    ],
)
def test_values_that_cannot_be_are_named_before_anything_runs(scenario, vary, said):
    with pytest.raises(InputError, match=said):
        Sweep(scenario, vary, folder=scenario.parent / "never").run()
    assert not (scenario.parent / "never").exists()


def test_fields_and_seeds_that_cannot_be_are_named_before_anything_runs(scenario):
    with pytest.raises(InputError, match=r"fields: .*'heat.pover'.*did you mean 'heat.power_mw'"):
        Sweep(scenario, {"models.heat.rooms": [3]}, fields=["heat.pover"], folder=scenario.parent / "never").run()
    with pytest.raises(InputError, match="seeds: none"):
        Sweep(scenario, {"models.heat.rooms": [3]}, [])
    assert not (scenario.parent / "never").exists()


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
    assert sorted(one["id"] for one in told) == ["00000-1", "00001-1"]
    assert [one["finished"] for one in told] == [1, 2] and told[0]["left_s"] > 0 and told[-1]["left_s"] == 0
    assert {(one["status"], one["tries"], one["said"], one["poisoned"], one["total"]) for one in told} == {("done", 1, "", 0, 2)}
    table = scenario.parent / "kpis.csv"
    shown = cli(folder, "--table", table, "--compare", "models.heat.rooms")
    assert shown.returncode == 0, shown.stderr
    rows = list(csv.DictReader(table.open()))
    assert len(rows) == 2 and list(rows[0]) == ["heat.rooms", "seed", "status", "coldest"]
    assert "heat.rooms: differences from 4" in shown.stdout and "coldest" in shown.stdout and "degC" in shown.stdout
    again = cli(file, "--out", folder)
    assert again.returncode == 0 and "2 of 2 runs finished" in again.stdout
    assert f"2 runs, 2 of them finished before, 1 at a time: {folder}" in again.stderr
    file.with_name("mini.yaml").write_text(mini.SCENARIO.replace("p: 4 kW", "p: 5 kW"))
    other = cli(file, "--out", folder)
    assert other.returncode == 2 and "holds another sweep (scenario has changed)" in other.stderr
    resumed = cli("--resume", folder)
    assert resumed.returncode == 0 and "mini.yaml: has changed since; the sweep goes on with the scenario as it was" in resumed.stderr
    file.with_name("mini.yaml").write_text(mini.SCENARIO)


def test_a_table_is_read_back_as_it_was(found, tmp_path):
    gathering.write_table(Path(found.attrs["folder"]), tmp_path / "kpis.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "kpis.csv"), gathering.table(found), check_exact=True)


def test_progress_says_what_was_set_aside_and_how_long_the_rest_may_take():
    progress = Progress(10, finished=4)
    assert sweeping.told(progress) == ""
    progress.began -= 100.0
    progress.take(Outcome("a", "done"))
    progress.take(Outcome("b", "poisoned"))
    assert progress.left_s == pytest.approx(200, abs=1) and sweeping.told(progress) == "1 set aside, about 0:03:20 left"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vary: {a: [1]}", "scenario"),
        ("scenario: mini.yaml\nvary: {}\n", "vary"),
        ("scenario: mini.yaml\nvary: {models.heat.rooms: {from: 1, to: 3}}\n", "bad.yaml:2: vary.models.heat.rooms: a range is sampled"),
        ("scenario: mini.yaml\nvary:\n  models.heat.rooms: {from: 3, to: 1}\n", "bad.yaml:3"),
        ("scenario: mini.yaml\nvary: {models.heat.rooms: [1]}\nsead: 2\n", "bad.yaml:3"),
        ("scenario: none.yaml\nvary: {models.heat.rooms: [1]}\n", "no such file"),
        ("- 1\n", "a sweep is a mapping"),
    ],
)
def test_a_wrong_sweep_file_is_one_line_with_its_place(scenario, text, said, capsys):
    from twin import cli as commands

    file = scenario.parent / "bad.yaml"
    file.write_text(text)
    with pytest.raises(SystemExit) as ended:
        commands.main(["sweep", str(file), "--out", str(scenario.parent / "bad")])
    told = capsys.readouterr().err
    assert ended.value.code == 2 and said in told and "Traceback" not in told and not (scenario.parent / "bad").exists()
