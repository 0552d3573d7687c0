"""What is wrong with a plan is one line with the plan's file and line, and what would be right."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import patrol
import pytest
import sixth
from patrol import write

import twin
from twin import build, cli, scenario, yamlfile
from twin.errors import InputError

PLAN = """\
title: Keep warm
roles:
  warden: {title: Warden, held_by: House, decides: 30 s}
  chief: {title: Chief, held_by: City}
  empty: {title: Nobody}
resources:
  crew: {model: patrol, element: unit, skill: water, number: 2}
levels:
  III: {when: "heat.temperature_degc['R2'] < 17.9 degC"}
actions:
  warm: {level: III, role: warden, delay: 1 min, deadline: 5 min, do: heat.heat, room: R2, p: 3 kW, on_failure: other}
  other: {role: chief, do: cellar.heat, room: R0, p: 1 kW}
stand_down: {when: "time >= 21:49"}
"""


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    sixth.register(monkeypatch)
    patrol.register(monkeypatch)


FAULTS = [
    ("level: III, role: warden", "role: warden", "it can never begin: no action has 'when' or 'level'"),
    ("level: III, role", "level: II, role", "no level 'II' is defined under levels; it has III"),
    (
        "III: {when: \"heat.temperature_degc['R2'] < 17.9 degC\"}",
        "III: {when: share(heat.temperature_degc < 5 degC) > 1.5}",
        "share(...) is between 0 and 1, so never > 1.5",
    ),
    (
        "III: {when: \"heat.temperature_degc['R2'] < 17.9 degC\"}",
        "III: {when: count(heat.heater_powered is off) >= 9}",
        "count(...) is between 0 and 4, so never >= 9",
    ),
    ("III: {when: \"heat.temperature_degc['R2'] < 17.9 degC\"}", "III: {when: time > 22:10}", "never so in the run (21:30:00 to 21:50:00)"),
    (
        "III: {when: \"heat.temperature_degc['R2'] < 17.9 degC\"}",
        "III: {when: not time < 22:10}",
        "always so in the run (21:30:00 to 21:50:00)",
    ),
    (
        "III: {when: \"heat.temperature_degc['R2'] < 17.9 degC\"}",
        "III: {when: any(heat.temperature_degc) < 1 degC for 2 h}",
        "for 2 h: longer than the run (1200 s)",
    ),
    (
        "III: {when: \"heat.temperature_degc['R2'] < 17.9 degC\"}",
        "III: {when: any(heat.temperature_degc) < 1 kW}",
        "'1 kW' is not in a unit of degC",
    ),
    (
        "III: {when: \"heat.temperature_degc['R2'] < 17.9 degC\"}",
        "III: {when: \"heat.temperature_degc['R2'] < 14 degC and heat.temperature_degc['R2'] > 20 degC\"}",
        "the same value cannot be '> 20 degC' as well; change one, or write 'or'",
    ),
    (
        "III: {when: \"heat.temperature_degc['R2'] < 17.9 degC\"}",
        'III: {when: "min(heat.temperature_degc) > 20 degC and (time > 21:31 and min(heat.temperature_degc) < 14 degC for 1 min)"}',
        "the same value cannot be '< 14 degC' as well; change one, or write 'or'",
    ),
    (
        "III: {when: \"heat.temperature_degc['R2'] < 17.9 degC\"}",
        'III: {when: "time > 21:40 and time < 21:35"}',
        "its times leave no second of the run (21:30:00 to 21:50:00); change one of them",
    ),
    (
        "III: {when: \"heat.temperature_degc['R2'] < 17.9 degC\"}",
        'III: {when: "time > 21:40 for 15 min"}',
        "its times leave no second of the run (21:30:00 to 21:50:00); change one of them",
    ),
    (
        "III: {when: \"heat.temperature_degc['R2'] < 17.9 degC\"}",
        'III: {when: "not (time <= 21:40 or time >= 21:35)"}',
        "its times leave no second of the run (21:30:00 to 21:50:00); change one of them",
    ),
    (
        "p: 1 kW}",
        "p: 1 kW, when: 'time >= 21:49', delay: 10 min}",
        "it is called 21:49:00 at the soonest, begins 21:59:00 (delay, decision), and the run ends 21:50:00; call it sooner",
    ),
    (
        "p: 1 kW}",
        "p: 1 kW, when: 'heat.temperature_degc[\"R2\"] < 17 degC for 12 min', delay: 9 min}",
        "it is called 21:42:00 at the soonest",
    ),
    ("deadline: 5 min, ", "", "it can never fail; give it a deadline, an approval or a crew, or leave 'on_failure' out"),
    (
        "p: 1 kW}",
        "p: 1 kW, approval: {by: chief}}",
        "'chief' would approve what it does itself; name another role, or leave 'approval' out",
    ),
    ("III: {", "V: {", "no level 'V'; did you mean 'IV'? (I is the gravest)"),
    ("role: chief", "role: chef", "no role 'chef'; did you mean 'chief'? (name it under roles)"),
    ("role: chief", "role: empty", "nobody holds the role 'empty'; write `held_by:` under roles.empty"),
    ("role: chief, ", "", "'role' is missing: a role; there are warden, chief, empty"),
    ("number: 2", "number: 3", "it counts on 3 of patrol.unit with the skill water, and there are 2; ask for fewer, or give the city more"),
    ("skill: water", "skill: gas", "with the skill gas, and there are 0"),
    ("model: patrol", "model: petrol", "no model 'petrol'; did you mean 'patrol'?"),
    ("element: unit", "element: units", "no element set of patrol 'units'; did you mean 'unit'?"),
    (
        "deadline: 5 min",
        "deadline: 90 s",
        "90 s after its trigger, and it begins 90 s after it at the soonest (delay, decision, approval); write more than 90 s",
    ),
    ("deadline: 5 min", "deadline: 5", "a bare number 5 where a unit is needed"),
    ("on_failure: other", "on_failure: othr", "no action 'othr'; did you mean 'other'?"),
    ("on_failure: other", "on_failure: warm", "a circle: warm -> warm; one of them must end it"),
    ("p: 1 kW}", "p: 1 kW, on_failure: warm}", "a circle: warm -> other -> warm; one of them must end it"),
    ("p: 1 kW}", "p: 1 kW, untill: 5 s}", "no argument of heat 'untill'"),
    (", on_failure: other", "", "nothing ever calls it; write 'level', 'when', or name it in another's 'on_failure'"),
    ("title: Keep", "titel: Keep", "no key of plan 'titel'; did you mean 'title'?"),
    ("decides: 30 s", "decide: 30 s", "no key of a role 'decide'; did you mean 'decides'?"),
    ("do: cellar.heat", "do: cellar.heet", "no action of cellar 'heet'; did you mean 'heat'?"),
    ("do: cellar.heat, room: R0", "do: cellar.heat, room: R9", "no room 'R9'"),
    ("do: cellar.heat, room: R0, p: 1 kW", "dos: cellar.heat", "no key of an action 'dos'; did you mean 'do'?"),
    (
        "do: cellar.heat, room: R0, p: 1 kW",
        "crew: {skill: water, at: nowhere}",
        "no place 'nowhere'; there are none; an element is written",
    ),
    ("do: cellar.heat, room: R0, p: 1 kW", "crew: {skill: water, at: \"heat.room['R7']\"}", "no room 'R7'"),
    ("do: cellar.heat, room: R0, p: 1 kW", "crew: {skill: water}", "'at' is missing: where the crew goes"),
    ("do: cellar.heat, room: R0, p: 1 kW", "crew: {units: 1}", "write {skill: water, units: 1"),
    (
        "do: cellar.heat, room: R0, p: 1 kW",
        "crew: {skill: police, units: 2}, do: heat.heat, room: R0, p: 1 kW",
        "2 units with the skill police, and patrol has 1",
    ),
    ("do: cellar.heat, room: R0, p: 1 kW", "crew: {skill: water, at: \"heat.room['R0']\", work: 5 m}", "'5 m' is not in a unit of s"),
    ("do: cellar.heat, room: R0, p: 1 kW", "approval: {by: chief, rule: aprove}, text: x", "no rule 'aprove'; did you mean 'approve'?"),
    ("do: cellar.heat, room: R0, p: 1 kW", "approval: {by: mayor}, text: x", "no role 'mayor'"),
    ("do: cellar.heat, room: R0, p: 1 kW", "then: []", "write a list such as"),
    ("do: cellar.heat, room: R0, p: 1 kW", "then: [{do: heat.divide}], room: R0", "with 'then', each of its steps has its own"),
    ("do: cellar.heat, room: R0, p: 1 kW", "after: 5 s, text: x", "a step of 'then' has 'after'; the delay of an action is 'delay'"),
    ("  other: {", "  warm: {", "key 'warm' occurs twice, first at line 11; keep one"),
    ("time >= 21:49", "tme >= 21:49", "is no condition"),
    ('time >= 21:49"}', 'time >= 21:49", thn: []}', "no key of stand_down 'thn'; did you mean 'then'?"),
    ('time >= 21:49"}', 'time >= 21:49", do: heat.het, then: [{do: heat.divide}]}', "with 'then', each of its steps has its own; put it"),
    ("title: Keep warm", "objectives: {x: {text: Warm, kpis: [coldst]}}", "no KPI of the scenario 'coldst'; did you mean 'coldest'?"),
    ("title: Keep warm", "from: 23:00", "'23:00' is outside the run"),
]


@pytest.mark.parametrize(("right", "wrong", "said"), FAULTS, ids=[one[2][:40] for one in FAULTS])
def test_a_mistake_is_said_with_the_plans_line(tmp_path, right, wrong, said):
    assert PLAN.count(right) >= 1
    text = PLAN.replace(right, wrong, 1) if right != "  other: {" else PLAN.replace(right, wrong)
    file = write(tmp_path, text)
    with pytest.raises(InputError) as raised:
        build.plan(scenario.read(file))
    lines = {problem.line: problem for problem in raised.value.problems if said in str(problem)}
    changed = {i for i, (a, b) in enumerate(zip(PLAN.splitlines(), text.splitlines(), strict=True), 1) if a != b}
    assert lines, str(raised.value)
    for problem in lines.values():
        assert problem.file == str(tmp_path / "plan.yaml")
    section = (
        {10, 12} if "never begin" in said else {12} if said.startswith("nothing ever") else {11} if said.startswith("a circle") else changed
    )
    assert set(lines) <= section | changed, (lines, changed)


def test_a_level_that_comes_after_its_actions_own_time_is_refused(tmp_path):
    late = PLAN.replace("when: \"heat.temperature_degc['R2'] < 17.9 degC\"", "when: time > 21:40").replace(
        "{level: III,", "{level: III, when: time < 21:35,"
    )
    with pytest.raises(InputError) as raised:
        build.plan(scenario.read(write(tmp_path, late)))
    (problem,) = raised.value.problems
    assert (problem.file, problem.line) == (str(tmp_path / "plan.yaml"), 11)
    assert "it is never called: its level begins 21:40:01 at the soonest, and this holds until 21:34:59 at most; change one" in problem.what


@pytest.mark.parametrize(
    "when",
    [
        "any(heat.temperature_degc) < 14 degC and any(heat.temperature_degc) > 20 degC",
        "heat.temperature_degc['R2'] < 14 degC and heat.temperature_degc['R1'] > 20 degC",
        "heat.temperature_degc['R2'] >= 14 degC and heat.temperature_degc['R2'] <= 14 degC",
        "heat.temperature_degc['R2'] < 14 degC or heat.temperature_degc['R2'] > 20 degC",
        "not heat.temperature_degc['R2'] < 14 degC and heat.temperature_degc['R2'] > 20 degC",
        "time >= 21:35 and time <= 21:35",
        "time < 21:35 or time > 21:40",
        "(time < 21:35 or time >= 21:35) for 15 min",
        "not (time > 21:40 and time < 21:35) and time > 21:40",
    ],
)
def test_what_can_hold_is_not_refused(tmp_path, when):
    text = PLAN.replace("heat.temperature_degc['R2'] < 17.9 degC", when)
    assert build.plan(scenario.read(write(tmp_path, text)))


def test_the_plan_as_it_is_written_here_is_right(tmp_path):
    plan = build.plan(scenario.read(write(tmp_path, PLAN)))
    assert [one.plan.name for one in plan.drivers["plans"].running] == ["warm"]


def test_what_the_scenario_changes_is_said_with_the_scenarios_line(tmp_path):
    file = write(tmp_path, PLAN)
    keyed = "plans: {warm: {file: plan.yaml, actions: {warm: {deadline: 10 s}}}}"
    file.write_text(file.read_text().replace("plans: {warm: plan.yaml}", keyed))
    with pytest.raises(InputError) as raised:
        build.plan(scenario.read(file))
    (problem,) = raised.value.problems
    assert (problem.file, problem.line) == (str(file), file.read_text().splitlines().index(keyed) + 1)
    with pytest.raises(InputError, match=r"--set plans.warm.actions.other.role=nobody: plans.warm.actions.other.role: no role 'nobody'"):
        build.plan(scenario.read(write(tmp_path, PLAN), ["plans.warm.actions.other.role=nobody"]))


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("plans: {warm: plan.txt}", "'file' names a YAML file"),
        ("plans: {warm: plans.yaml}", "no such file; did you mean 'plan.yaml'?"),
        ("plans: {warm: 5}", "name a file such as ../plans/main_burst.yaml, or write the plan here"),
        ("plans: [plan.yaml]", "write named entries such as"),
        ("plans: {warm: {title: x}}", "it does nothing; write for example"),
        (
            "plans: {warm: plan.yaml, more: {roles: {warden: {held_by: x, decides: 1 min}}, actions: {a: {when: time > 21:40, role: warden, text: x}}}}",
            "roles of one name are one desk",
        ),
    ],
)
def test_a_section_that_names_no_plan_is_refused(tmp_path, section, said):
    file = write(tmp_path, PLAN)
    file.write_text(file.read_text().replace("plans: {warm: plan.yaml}", section))
    with pytest.raises(InputError) as raised:
        build.plan(scenario.read(file))
    assert said in str(raised.value)


def test_a_folder_in_place_of_a_plan_is_refused_with_its_line(tmp_path):
    file = write(tmp_path, PLAN)
    file.write_text(file.read_text().replace("plans: {warm: plan.yaml}", "plans:\n  warm: ../configs/cities"))
    with pytest.raises(InputError) as raised:
        scenario.read(file)
    (problem,) = raised.value.problems
    assert (problem.file, problem.line) == (str(file), file.read_text().splitlines().index("  warm: ../configs/cities") + 1)
    assert problem.what.startswith("plans.warm: 'file' names a YAML file")


def test_a_crew_needs_a_model_that_has_crews(tmp_path):
    file = write(tmp_path, PLAN.replace("room: R0, p: 1 kW", "room: R0, p: 1 kW, crew: {skill: water}"))
    file.write_text(file.read_text().replace("  patrol:\n", ""))
    with pytest.raises(InputError, match="nobody can be sent: the scenario has no model with crews; add `response:` under models"):
        build.plan(scenario.read(file))


def test_the_command_line_checks_plans_and_its_schema_has_them(tmp_path, capsys):
    file = write(tmp_path, PLAN.replace("role: chief, do", "role: chef, do"))
    with pytest.raises(SystemExit) as stopped:
        cli.main(["validate", str(file)])
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{tmp_path / 'plan.yaml'}:12: plans.warm.actions.other.role: no role 'chef'")
    plan = scenario.schema()["properties"]["plans"]["additionalProperties"]["oneOf"][1]
    from scenarios import plan_file

    assert set(plan["properties"]) == {*plan_file.KEYS, "file", "read"}
    assert json.dumps(plan)


def test_a_plan_is_checked_without_an_engine(tmp_path):
    file = write(tmp_path, PLAN)
    code = f"import sys; sys.path[:0] = {sys.path!r}; import twin; twin.load({str(file)!r}); print([n for n in ('simpy', 'zarr', 'pint') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "zarr" not in done.stdout
    assert twin.load(file).drivers["plans"]["warm"]["read"] == "plan.yaml"


ODD = (None, [], {"a": {}}, [[]], 5, 1e300, "", True, "((((")


def paths(value, path=()):
    yield path
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(one, (*path, key))


def test_whatever_stands_where_a_plan_has_something_else_is_refused_or_read(tmp_path):
    """Every value of a plan is replaced by odd ones: a plan comes of it, or an InputError; never anything else."""
    more = "  third: {when: time > 21:40, role: chief, approval: {by: warden, rule: wait, after: 1 min}, then: [{do: heat.heat, room: [R0, R1], p: 1 kW}, {crew: {skill: water, units: 1, work: 5 min, at: \"heat.room['R1']\"}, after: 5 s}]}\n"
    text = PLAN.replace("stand_down", more + "objectives: {keep: {text: Warm, kpis: [coldest]}}\nstand_down")
    file = write(tmp_path, text)
    base, (raw, _) = scenario.read(file), yamlfile.load(tmp_path / "plan.yaml")
    refused = 0
    for path in paths(raw):
        for odd in ODD:
            plan = copy.deepcopy(raw)
            inside = plan
            for key in path[:-1]:
                inside = inside[key]
            if path:
                inside[path[-1]] = odd
            try:
                build.plan(scenario.make(base.raw() | {"plans": {"warm": plan if path else odd}}, file))
            except InputError:
                refused += 1
    assert refused > 300
