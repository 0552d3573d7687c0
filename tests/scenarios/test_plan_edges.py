"""Plans at the edges: at the very second of a deadline, with an end that holds from the start, with matters that nobody decides."""

from __future__ import annotations

import patrol
import pytest
import sixth
from patrol import facts, said, write

import twin
from scenarios.crews import REFUSED
from scenarios.plan_run import CREW, FAILED
from twin import build
from twin.errors import InputError
from twin.ports import Report

ROLES = """\
roles:
  warden: {title: Warden, held_by: House, decides: 30 s}
  chief: {title: Chief, held_by: City}
"""
LEVELS = """\
levels:
  III: {when: "heat.temperature_degc['R2'] < 17.9 degC"}
"""
AT_S = 630
"""The second at which R2 is below 17.9 degC, when a sample of the model at 600 s woke it."""
BELOW = "heat.temperature_degc['R2'] < 17.9 degC"


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    sixth.register(monkeypatch)
    patrol.register(monkeypatch)


@pytest.fixture
def rehearse(tmp_path):
    def run(plan: str, more: str = "", **changes):
        file = write(tmp_path, plan, more)
        return twin.simulate(twin.load(file).with_(**changes), tmp_path / f"run{len(list(tmp_path.iterdir()))}")

    return run


def rows_of(run, of: str):
    return [(t, what) for t, what, element in said(run) if element == of]


LATE = """\
actions:
  fill: {level: III, role: warden, text: Something else first}
  warm: {level: III, role: warden, delay: 60 s, deadline: DEADLINE, do: heat.heat, room: R2, p: 3 kW, on_failure: other}
  other: {role: chief, do: cellar.heat, room: R0, p: 1 kW}
"""


def test_what_is_done_at_the_second_of_its_deadline_is_in_time(rehearse):
    in_time = rehearse(ROLES + LEVELS + LATE.replace("DEADLINE", "120 s"))
    assert rows_of(in_time, "warm.warm")[-1] == (AT_S + 120, "done")
    assert facts(in_time, "done", "warm.warm")["in_time"] == 1
    assert "missed" not in [what for _, what in rows_of(in_time, "warm.warm")]
    assert not rows_of(in_time, "warm.other")
    late = rehearse(ROLES + LEVELS + LATE.replace("DEADLINE", "119 s"))
    assert (AT_S + 119, "missed") in rows_of(late, "warm.warm")
    assert rows_of(late, "warm.other")[-1] == (AT_S + 119, "done")


def test_steps_that_follow_within_the_second_of_the_deadline_and_a_crew_that_is_done_then_are_in_time(rehearse):
    steps = "[{do: heat.heat, room: R0, p: 2 kW}, {do: heat.heat, room: R1, p: 2 kW, after: 30 s}, {do: heat.heat, room: R3, p: 2 kW}]"
    plan = (
        ROLES
        + LEVELS
        + f"""\
actions:
  crewed: {{level: III, role: chief, deadline: 3 min, crew: {{skill: water, at: "heat.room['R3']", work: 2 min}}, do: heat.heat, room: R2, p: 1 kW}}
  fill: {{level: III, role: warden, text: Something else first}}
  steps: {{level: III, role: warden, deadline: 90 s, then: {steps}}}
"""
    )
    run = rehearse(plan)
    assert [what for _, what, _ in said(run) if what in ("missed", "done", "failed")] == ["done"] * 3
    assert rows_of(run, "warm.crewed")[-1] == (AT_S + 180, "done")
    assert rows_of(run, "warm.steps")[-1] == (AT_S + 90, "done")


WARM = "actions:\n  warm: {level: III, role: chief, do: heat.heat, room: R2, p: 3 kW}\n"


def test_an_end_that_holds_from_the_start_ends_a_plan_once_nothing_calls_for_it(rehearse):
    run = rehearse(ROLES + LEVELS + WARM + 'stand_down: {when: "time >= 21:31"}\n')
    (in_force_s, _), *_, (ended_s, _) = [one for one in rows_of(run, "warm") if one[1] in ("in_force", "stood_down")]
    assert in_force_s == AT_S < ended_s, "not at once: the room is still cold"
    values = run.fields["heat"].temperature_degc.sel(room="R2").values
    assert values[ended_s // 30] >= 17.9 > values[in_force_s // 30]


def test_an_end_that_must_last_is_counted_from_entry(rehearse):
    run = rehearse(ROLES + LEVELS + WARM + 'stand_down: {when: "time >= 21:31 for 2 min"}\n')
    assert (AT_S + 120, "stood_down") in rows_of(run, "warm")


def test_an_end_that_held_from_the_start_counts_when_it_holds_anew(rehearse):
    more = {
        "cut": {"at": "+700 s", "do": "heat.heat", "room": "R0", "p": "0 kW"},
        "on": {"at": "+760 s", "do": "heat.heat", "room": "R0", "p": "5 kW"},
    }
    tell = "actions:\n  tell: {level: III, role: chief, text: Tell}\n"
    run = rehearse(ROLES + LEVELS + tell + """stand_down: {when: "heat.power_mw['R0'] > 0.1 kW"}\n""", timeline=more)
    assert [what for _, what in rows_of(run, "warm")][-1] == "stood_down"
    assert rows_of(run, "warm")[-1][0] == 760, "though the room is as cold as before"


def test_a_notice_that_comes_again_calls_a_plan_again(rehearse):
    jobs = {
        f"job{i}": {"at": f"+{t} s", "do": "patrol.send", "job": f"x{i}", "skill": "water", "x_m": 0, "y_m": 0, "work": "1 min"}
        for i, t in enumerate((60, 400))
    }
    plan = (
        ROLES
        + "levels:\n  III: {when: notice patrol.sent}\nactions:\n  tell: {level: III, role: chief, text: Tell}\nstand_down: {when: notice patrol.work_done}\n"
    )
    run = rehearse(plan, timeline=jobs)
    assert [(t, what) for t, what in rows_of(run, "warm") if what != "level"] == [
        *((60, "in_force"), (180, "stood_down")),
        *((400, "in_force"), (520, "stood_down")),
    ]


KPIS = {
    "taken": {"of": "events.plans.decided", "fact": "waited_s", "over": "max", "target": "<= 10 min"},
    "all": {"of": "events.plans", "fact": "waited_s", "over": "max", "target": "<= 10 min"},
}


def test_a_matter_that_nobody_decides_counts_for_how_long_it_waited(rehearse):
    plan = (
        ROLES.replace("30 s", "10 min")
        + """\
levels:
  III: {when: time >= 21:31}
actions:
  first: {level: III, role: warden, text: Taken up at once}
  second: {level: III, role: warden, text: In hand to the end}
  given_up: {level: III, role: warden, deadline: 11 min, text: Never taken up}
  dropped: {level: III, role: warden, text: Never taken up either}
  unsaid: {level: III, role: chief, deadline: 12 min, approval: {by: warden}, text: Nobody says the word}
"""
    )
    run = rehearse(plan + "stand_down: {when: time >= 21:48}\n", kpis=KPIS)
    assert facts(run, "failed", "warm.given_up")["waited_s"] == 660
    assert facts(run, "failed", "warm.unsaid")["waited_s"] == 720
    assert facts(run, "dropped", "warm.dropped")["waited_s"] == 1020
    found = run.kpis.set_index("name")
    assert (found.verdict["taken"], found.verdict["all"]) == ("met", "missed"), "only the first was decided"
    assert found.value["all"] == 17
    left = rehearse(plan, kpis=KPIS)
    assert [(t, of) for t, what, of in said(left) if what == "open"] == [(1200, "warm.second"), (1200, "warm.dropped")]
    assert facts(left, "open", "warm.dropped") == {"stage": "desk", "waited_s": 1140}
    assert left.kpis.set_index("name").value["all"] == 19


def test_every_row_of_plans_counts_only_where_a_fact_is_asked_for(rehearse):
    with pytest.raises(InputError, match=r"kpis\.all"):
        rehearse(ROLES + LEVELS + WARM, kpis={"all": {"of": "events.plans", "over": "count"}})


def test_a_job_that_is_refused_fails_its_action(tmp_path):
    """A name of a job that was used before: nobody is sent, so nobody will report."""
    crew = "{skill: water, at: \"heat.room['R3']\"}"
    plan = (
        ROLES
        + LEVELS
        + f"actions:\n  fix: {{level: III, role: chief, crew: {crew}, on_failure: other, do: heat.heat, room: R2, p: 1 kW}}\n"
    )
    plan += "  other: {role: chief, text: Call the neighbours}\n"
    one = build.plan(twin.load(write(tmp_path, plan))).drivers["plans"].running[0]
    course, job = one.courses["fix"], Report("response", REFUSED, "", 70, "warning", {"job": "warm.fix", "why": "called before"})
    one.in_force = True
    course.stage, course.job, course.due_s = CREW, "warm.fix", 60
    one.heard(job, 70)
    assert course.stage == CREW, "somebody else's call of that name, while its crew is at work"
    course.due_s = 70
    one.heard(job, 70)
    assert course.stage == FAILED
    assert one.courses["other"].calls == 1
