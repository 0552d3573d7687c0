"""Every mistake in a scenario is one line with file and line; all of them at once; nothing is written."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import mini
import pytest
import sixth
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import twin
from twin.cli import main
from twin.layered import merged
from twin.scenario import schema


@pytest.fixture(autouse=True)
def registered(monkeypatch, tmp_path):
    sixth.register(monkeypatch)
    monkeypatch.chdir(tmp_path)


MISTAKES = [
    ("duration: 20 min", "durations: 20 min", 5, "no key 'durations'; did you mean 'duration'?"),
    ("duration: 20 min", "duration: 20", 5, "duration: a bare number 20 where a unit is needed; write '20 s' if that is meant"),
    ("duration: 20 min", "duration: 20 kW", 5, "duration: '20 kW' is not in a unit of s"),
    ("duration: 20 min", "duration: 0 s", 5, "duration: must be longer than 0 s"),
    ("heat: {rooms: 4}", "heet: {rooms: 4}", 8, "no model 'heet'; did you mean 'heat'?"),
    ("heat: {rooms: 4}", "heat: {roms: 4}", 8, "no key of models.heat 'roms'; did you mean 'rooms'?"),
    ("heat: {rooms: 4}", "heat: {rooms: 0}", 8, "models.heat.rooms: Input should be greater than or equal to 1"),
    ("heat: {rooms: 4}", "heat: {host: cloud}", 8, "models.heat.host: Input should be"),
    ("room: R1", "room: R7", 11, "timeline.boost: room: no room 'R7'; did you mean 'R3'?"),
    ("p: 4 kW", "p: 4", 11, "timeline.boost: p: a bare number 4 where a unit is needed; write '4 kW' if that is meant"),
    ("p: 4 kW", "p: 4 m", 11, "timeline.boost: p: '4 m' is not in a unit of kW"),
    ("p: 4 kW", "p: -4 kW", 11, "timeline.boost: p: Input should be greater than or equal to 0"),
    ("p: 4 kW", "q: 4 kW", 11, "no argument of heat 'q'"),
    ("do: heat.heat", "do: heat.heta", 11, "no action of heat 'heta'; did you mean 'heat'?"),
    ("do: heat.heat", "do: hea.heat", 11, "no model 'hea'; did you mean 'heat'? (write model.action)"),
    ('at: "21:40"', 'at: "22:40"', 11, "'22:40' is outside the run (21:30:00 to 21:50:00)"),
    ('at: "21:40"', 'at: "25:40"', 11, "'25:40' is no time of day"),
    ("of: heat.temperature_degc", "of: heat.temperature_k", 14, "temperature_degc"),
    ("city: pack", "city: park", 3, "no city pack 'park'; did you mean 'pack'?"),
    ("start: 2014-08-16 21:30", "start: tonight", 4, "'tonight' is no date and time"),
    ("name: mini", "name: a/b", 1, "name: it names a folder"),
    ("timeline:", "timelines:", 10, "no key 'timelines'; did you mean 'timeline'?"),
    ("record_every: 30 s", "record_every: 30 s\ncouplings: {ear: off}", 7, "no kind of coupling 'ear'; did you mean 'air'?"),
]


@pytest.mark.parametrize(("right", "wrong", "line", "said"), MISTAKES, ids=[said[:40] for *_, said in MISTAKES])
def test_a_mistake_is_one_line_that_says_where_and_what_would_be_right(tmp_path, capsys, right, wrong, line, said):
    assert right in mini.SCENARIO
    file = mini.write(tmp_path, mini.SCENARIO.replace(right, wrong, 1))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as ended:
        main(["run", str(file)])
    assert ended.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert any(one.startswith(f"{file}:{line}: ") and said in one for one in lines), lines
    assert sorted(tmp_path.rglob("*")) == before, "nothing is written"


def test_all_problems_of_a_file_are_told_at_once(tmp_path):
    text = mini.SCENARIO.replace("room: R1", "room: R7").replace('"21:40"', '"23:40"').replace("heat.temperature_degc", "heat.nothing")
    with pytest.raises(twin.InputError) as error:
        twin.load(mini.write(tmp_path, text))
    assert [problem.line for problem in error.value.problems] == [11, 11, 14]


@pytest.mark.parametrize(
    ("couplings", "said"),
    [
        ("heat,R9,cellar,R0,air", "couplings.csv:2: no room in heat 'R9'; did you mean"),
        ("heat,R0,cellar,R0,ear", "couplings.csv:2: heat gives no 'ear'; it gives air, load"),
        ("heat,R0,celar,R0,air", "couplings.csv:2: no model of this city 'celar'; did you mean 'cellar'?"),
        ("heat,R0,cellar,R0", "couplings.csv:2: 4 values where five are needed"),
    ],
)
def test_a_coupling_that_joins_nothing_is_named_with_its_line(tmp_path, couplings, said):
    with pytest.raises(twin.InputError) as error:
        twin.load(mini.write(tmp_path, couplings=mini.COUPLINGS.splitlines()[0] + "\n" + couplings + "\n"))
    assert said in str(error.value)


def test_an_override_on_the_command_line_is_named_as_such(tmp_path):
    file = mini.write(tmp_path)
    with pytest.raises(twin.InputError) as error:
        twin.load(file, ["timeline.boost.room=R8"])
    assert str(error.value).startswith("--set timeline.boost.room=R8: ")
    assert twin.load(file, ["seed=7", "timeline.boost.at=21:45"]).seed == 7


def test_validation_imports_no_engine_and_takes_under_a_second_beyond_starting_python(tmp_path):
    """Also of the whole default city, where it is there: see tests/configs."""
    file = mini.write(tmp_path)
    kit = str(Path(sixth.__file__).parent)
    engines = ["pandapower", "pandapipes", "libsumo", "epanet", "numba", "mesa", "power_grid_model"]
    code = f"import sys; sys.path.append({kit!r}); import sixth; sixth.register(None); import twin; twin.load({str(file)!r}); print(*[n for n in {engines!r} if n in sys.modules])"

    def cpu_s(*command):
        started = time.process_time_ns(), _children_s()
        out = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True)
        return _children_s() - started[1], out.stdout.split()

    took_s, loaded = cpu_s("-c", code)
    empty_s, _ = cpu_s("-c", "")
    assert loaded == []
    assert took_s - empty_s < 2.0, "CPU seconds of a shared machine; a quiet one takes half of this"


def _children_s() -> float:
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_the_json_schema_names_every_option_of_every_model():
    made = schema()
    assert made["properties"]["models"]["properties"]["heat"]["properties"]["rooms"]["maximum"] == 1000
    assert "timeline" in made["properties"]
    assert "drivers" not in made["properties"]
    json.dumps(made)


names = st.text("abc", min_size=1, max_size=2)
trees = st.recursive(st.integers() | st.text(max_size=3), lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=8)


@given(st.dictionaries(names, trees), st.dictionaries(names, trees))
@settings(deadline=None)
def test_merging_twice_is_merging_once(base, changes):
    once = merged(base, changes)
    assert merged(once, changes) == once
    assert merged(base, {}) == base


@given(st.integers(0, len(mini.SCENARIO) - 1), st.text(st.characters(codec="utf-8"), max_size=3))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_fine_or_refused_with_a_line_and_never_a_traceback(tmp_path, at, noise):
    file = mini.write(tmp_path, mini.SCENARIO[:at] + noise + mini.SCENARIO[at + 1 :])
    try:
        twin.load(file)
    except twin.InputError as error:
        assert error.problems
        assert all(problem.what for problem in error.problems)
