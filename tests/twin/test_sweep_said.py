"""What is said of a sweep before, while and after it runs: each mistake in one line with its place, in YAML and in Python alike."""

from __future__ import annotations

import json
from pathlib import Path

import mini
import numpy as np
import pytest
import sixth
import xarray as xr

import twin.statistics  # noqa: F401 - gives a dataset its `.twin`
from twin import attempt as attempts
from twin import experiment, gathering, sweeping
from twin.attempt import Children, Outcome
from twin.errors import InputError, StorageError
from twin.experiment import Progress, Sweep
from twin.sweep import Range, Sampling, read

ROOMS = {"models.heat.rooms": [4, 3]}


@pytest.fixture(scope="module", autouse=True)
def heated():
    with pytest.MonkeyPatch.context() as patch:
        sixth.register(patch)
        yield


@pytest.fixture(scope="module")
def scenario(tmp_path_factory) -> Path:
    return mini.write(tmp_path_factory.mktemp("said"))


def refused(scenario: Path, vary: object, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        Sweep(scenario, vary, folder=scenario.parent / "never", **options).check()
    said = str(caught.value)
    assert "\n" not in said and not (scenario.parent / "never").exists()
    return said


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ({"seed": [1, 2]}, "vary.seed: seeds are not varied; write `seeds: [1, 2]` beside `vary`"),
        ({"models.time": [{"type": "heat"}]}, "vary.models.time: would be called 'time' in the results, which have one of their own"),
        ({"models.sample": [{"type": "heat"}]}, "vary.models.sample: would be called 'sample'"),
        ({"models.status": [{"type": "heat"}]}, "vary.models.status: would be called 'status'"),
        ({"models.a.b": [1], "a.b": [1]}, "vary.models.a.b: would be called 'a.b' in the results, as a.b is; vary one of them"),
        (
            {"models.coldest": [{"type": "heat"}]},
            "vary.models.coldest: would be called 'coldest' in the results: a KPI is called 'coldest'",
        ),
        (
            {"models.heat": [{"rooms": 3}], **ROOMS},
            "vary.models.heat.rooms: lies within models.heat, which is varied too; vary one of them",
        ),
        ({"models": [{}], **ROOMS}, "vary.models.heat.rooms: lies within models, which is varied too; vary one of them"),
        ({".".join("a" * 5000): [1]}, "a key of 5,000 steps; at most 20"),
        ({"models.heat.rooms": "45"}, "vary.models.heat.rooms: write a list of values, [45], or a range"),
        ({"models.heat.rooms": 4}, "vary.models.heat.rooms: write a list of values, [4], or a range"),
        ({"models.heat.rooms": None}, "vary.models.heat.rooms: write a list of values"),
        ({"models.heat.rooms": {"from": 1, "to": 8, "unti": "kW"}}, "no key of vary.models.heat.rooms 'unti'; did you mean 'unit'?"),
        ({"models.heat.rooms": {"from": 8, "to": 1}}, "vary.models.heat.rooms: from 8 to 1: `to` must be the greater one"),
        ({}, "vary: no key; write one at least"),
        (["models.heat.rooms"], "vary: write keys and values here"),
    ],
)
def test_what_cannot_be_varied_is_one_line_before_anything_runs(scenario, vary, said):
    assert said in refused(scenario, vary)


def test_names_that_fields_take_are_not_given_twice(scenario):
    field = {"fields": ["heat.power"]}
    said = refused(scenario, {"models.room": [{"type": "heat"}]}, **field)
    assert said.startswith("vary.models.room: would be called 'room' in the results: the field heat.power lies over elements of that name")
    assert "heat.power is kept as a field" in refused(scenario, {"models.heat.power": [1]}, **field)
    assert refused(scenario, ROOMS, fields="heat.power") == "fields: write a list here: [value, value]"
    (scenario.parent / "status.yaml").write_text(mini.SCENARIO.replace("coldest:", "status:"))
    assert refused(scenario.parent / "status.yaml", ROOMS).startswith("kpis.status: cannot be told apart in the results")


def test_python_says_seeds_samples_and_ranges_as_a_file_does(scenario):
    asked = Sweep(scenario, {"models.heat.rooms": {"from": 1, "to": 8, "whole": True}}, seeds=5, sample={"method": "saltelli", "count": 4})
    assert asked.design.seeds == (1, 2, 3, 4, 5) and asked.design.sample == Sampling(method="saltelli", count=4)
    assert asked.design.vary == {"models.heat.rooms": Range(**{"from": 1, "to": 8, "whole": True})} and len(asked.design) == 4 * 3 * 5
    power = Sweep(scenario, {"timeline.boost.p": {"from": 1, "to": 8, "unit": "kW"}}, "5-7", sample=Sampling(count=4))
    assert power.design.seeds == (5, 6, 7) and power.design.rows[0]["timeline.boost.p"].endswith(" kW")
    numbers = Sweep(scenario, {"models.heat.rooms": np.arange(2, 5)}, np.arange(3)).design
    assert numbers.vary == {"models.heat.rooms": [2, 3, 4]} and numbers.seeds == (0, 1, 2)
    assert "sample.count: 5 is no power of two" in refused(scenario, ROOMS, sample={"count": 5})
    assert "no key of sample 'cuont'; did you mean 'count'?" in refused(scenario, ROOMS, sample={"cuont": 4, "count": 4})
    assert "seeds; at most 100,000" in refused(scenario, ROOMS, seeds=10**30)
    assert refused(scenario, ROOMS, seeds=2.5) == "seeds: write a list here: [value, value]"
    assert refused(scenario, ROOMS, seeds=0) == refused(scenario, ROOMS, seeds=[]) == "seeds: none; write how many, or list them"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("vary:\n  models.heat.rooms: [3, 0]\n", ["4: vary.models.heat.rooms: 0: "]),
        ("vary:\n  timeline.boost.p: [1 kW]\n  models.heat.rooms: [3, 0]\n", ["5: vary.models.heat.rooms: 0: "]),
        ("seeds: 2\nvary:\n  seed: [1, 2]\n", ["5: vary.seed: seeds are not varied"]),
        ("vary: {models.heat.rooms: [3]}\nfields:\n- heat.pover\n", ["4: fields: no recorded port 'heat.pover'"]),
        ("vary:\n  models.coldest: [{type: heat}]\n", ["4: vary.models.coldest: would be called 'coldest'"]),
        (
            "vary:\n  models.heat.rooms: 3\n  timeline.boost.p: {from: 3, to: 1}\n",
            ["4: vary.models", "5: vary.timeline.boost.p: from 3 to 1"],
        ),
        ("vary: {models.heat.rooms: [3]}\nsample: {count: 5}\n", ["4: sample.count: 5 is no power of two"]),
    ],
)
def test_what_is_wrong_in_a_sweeps_file_has_its_line(scenario, text, lines):
    file = scenario.parent / "wrong.yaml"
    file.write_text("# two rooms\nscenario: mini.yaml\n" + text)
    with pytest.raises(InputError) as caught:
        sweeping.show(file, workers=1, dask="", resume=False, table=None, out=scenario.parent / "never", as_json=True)
    said = str(caught.value).splitlines()
    assert len(said) == len(lines) and all(one.startswith(f"{file}:{line}") for one, line in zip(said, lines, strict=True)), said


def gathered(status: str, **data: object) -> xr.Dataset:
    held = {"status": (("crowd.people", "seed"), [[status] * 2] * 2), **data}
    return xr.Dataset(held, {"crowd.people": [1, 2], "seed": [1, 2]}, {"varied": ["crowd.people"], "folder": "swept", "method": "saltelli"})


def test_where_no_run_finished_there_is_nothing_to_compare_and_one_line_says_so(scenario, capsys):
    for ask in (lambda one: one.compare("crowd.people"), lambda one: one.mean(), lambda one: one.sensitivity("late")):
        with pytest.raises(InputError, match=r"^swept: no run of the sweep has finished$"):
            ask(gathered("poisoned").twin)
        with pytest.raises(InputError, match=r"^swept: the runs of the sweep have no KPI$"):
            ask(gathered("done").twin)
    Sweep(scenario, ROOMS, folder=scenario.parent / "laid").lay()
    from twin import cli as commands

    with pytest.raises(SystemExit) as ended:
        commands.main(["sweep", str(scenario.parent / "laid"), "--compare", "heat.rooms"])
    assert ended.value.code == 2 and capsys.readouterr().err == f"{scenario.parent / 'laid'}: no run of the sweep has finished\n"


def test_only_what_is_varied_can_be_compared():
    walking = (("crowd.people", "seed", "time", "room"), np.zeros((2, 2, 1, 1)))
    found = gathered("done", late=(("crowd.people", "seed"), np.ones((2, 2))), walking=walking).assign_coords(room=["R0"], time=[0])
    with pytest.raises(InputError, match=r"^no varied key 'room'; known: crowd\.people$"):
        found.twin.compare("room")
    with pytest.raises(InputError, match=r"^crowd\.people: has one value only, 1; there is no other"):
        found.isel({"crowd.people": [0]}).twin.compare("crowd.people")


def ending(monkeypatch, **codes: int) -> list[str]:
    """Let the processes of runs end at once: each, by its id, with a code and a line in its log; return which were begun."""
    begun: list[str] = []

    def run(self, command, log) -> int:
        begun.append(command[4])
        code = codes[f"run_{command[4].replace('-', '_')}"]
        log.write(
            {2: b"no room 'R9'\n", 3: b"heat at t=5 s: no solution\n", 4: b"manifest.json: cannot be written: No space left\n"}.get(
                code, b""
            )
        )
        log.flush()
        return code

    monkeypatch.setattr(Children, "run", run)
    return begun


def test_a_full_disk_stops_the_sweep_and_sets_nothing_aside(scenario, monkeypatch, capsys):
    folder = scenario.parent / "full"
    Sweep(scenario, {"models.heat.rooms": [2, 3, 4]}, folder=folder).lay()
    begun = ending(monkeypatch, run_00000_1=4, run_00001_1=4, run_00002_1=4)
    from twin import cli as commands

    with pytest.raises(SystemExit) as ended:
        commands.main(["sweep", str(folder)])
    last = capsys.readouterr().err.splitlines()[-1]
    goes_on = f"free space there, or mend it: `twin sweep --resume {folder}` goes on"
    assert ended.value.code == 4 and last == f"manifest.json: cannot be written: No space left; {goes_on}"
    assert begun.count("00000-1") == 1 and "00002-1" not in begun, "not tried again, and nothing begun after it but what was ready"
    assert not (folder / "poisoned").exists() and experiment.standing(folder, ["00000-1", "00001-1", "00002-1"]) == {}


def test_a_run_ends_with_code_4_where_the_system_takes_no_more_and_says_which_file(tmp_path, monkeypatch, capfd):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "scratch/net.xml")

    monkeypatch.setattr(attempts, "run", full)
    monkeypatch.setattr("twin.host.die_with_parent", lambda parent: None)
    monkeypatch.setattr("sys.argv", ["attempt", str(tmp_path), "00000-1", "mini.yaml", "1"])
    with pytest.raises(SystemExit) as ended:
        attempts.main()
    assert ended.value.code == 4


def test_exit_codes_tell_the_scenarios_mistakes_from_engines_and_crashes(scenario, monkeypatch, capsys):
    folder = scenario.parent / "aside"
    Sweep(scenario, {"models.heat.rooms": [2, 3, 4, 5]}, folder=folder).lay()
    begun = ending(monkeypatch, run_00000_1=2, run_00001_1=3, run_00002_1=-9, run_00003_1=1)
    with pytest.raises(sweeping.SweepIncomplete) as caught:
        sweeping.show(folder, workers=1, dask="", resume=False, table=None, out=None, as_json=False)
    assert caught.value.exit_code == 3 and str(caught.value) == (
        f"{folder}: 4 of 4 runs were set aside (1 by signal 9, 1 with exit code 1, 1 by what the scenario says, 1 by an engine); "
        f"their logs are in {folder / 'logs'}; `twin sweep --resume {folder}` tries them again"
    )
    assert sorted(begun) == ["00000-1"] + ["00001-1"] * 3 + ["00002-1"] * 3 + ["00003-1"] * 3
    assert json.loads((folder / "poisoned" / "00002-1.json").read_text())["code"] == -9
    told = capsys.readouterr()
    assert f"4 runs, 1 at a time: {folder}" in told.err and "0 of 4 runs finished" in told.out
    with pytest.raises(sweeping.SweepIncomplete):
        sweeping.show(folder, workers=1, dask="", resume=False, table=None, out=None, as_json=False)
    again = f"4 runs, 4 set aside before (`twin sweep --resume {folder}` tries them again), 1 at a time: {folder}"
    assert capsys.readouterr().err.splitlines()[0] == again, "what was set aside did not finish"
    assert sweeping.SweepIncomplete(folder, [Outcome("a", "poisoned", 1, "", 2)], 3).exit_code == 2


def test_the_first_line_tells_what_finished_from_what_was_set_aside():
    assert sweeping.before(Progress(3), Path("x")) == []
    assert sweeping.before(Progress(3, 2), Path("x")) == ["2 of them finished before"]
    assert sweeping.before(Progress(3, 2, 1), Path("x"))[:1] == ["1 of them finished before"]


def test_a_plan_whose_keys_no_result_can_tell_apart_is_damaged(scenario):
    folder = scenario.parent / "seeded"
    Sweep(scenario, ROOMS, folder=folder).lay()
    for name in ("sweep.json", "variants.jsonl"):
        path = folder / name
        path.write_text(path.read_text().replace("models.heat.rooms", "seed"))
    with pytest.raises(StorageError, match=r"sweep.json: is damaged: vary.seed: seeds are not varied"):
        gathering.gather(folder)


def test_a_files_ranges_are_those_that_python_says(tmp_path):
    file = tmp_path / "sweep.yaml"
    file.write_text("scenario: mini.yaml\nvary: {timeline.boost.p: {from: 1, to: 8, unit: kW}}\nsample: {count: 4}\n")
    assert (
        read(file).vary
        == Sweep(mini.write(tmp_path), {"timeline.boost.p": {"from": 1, "to": 8, "unit": "kW"}}, sample={"count": 4}).design.vary
    )
