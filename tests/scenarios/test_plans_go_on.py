"""Plans are plain data: a run that was left in the middle of one goes on to the same bytes, and a branch may have another."""

from __future__ import annotations

import patrol
import pytest
import sixth
from patrol import said, write

import twin
from twin import checkpoint
from twin.errors import InputError
from twin.simulation import Simulation
from twin.storage import digests

PLAN = """\
roles:
  warden: {title: Warden, held_by: House, decides: 40 s}
  chief: {title: Chief, held_by: City}
levels:
  III: {when: "heat.temperature_degc['R2'] < 17.9 degC for 1 min"}
actions:
  first: {level: III, role: warden, delay: 50 s, do: heat.heat, room: R0, p: 2 kW}
  crew: {level: III, role: warden, deadline: 2 min, crew: {skill: water, at: "heat.room['R3']", work: 2 min}, do: heat.heat, room: R2, p: 4 kW, on_failure: other}
  other: {role: chief, approval: {by: warden, rule: approve, after: 1 min}, then: [{do: cellar.heat, room: R0, p: 1 kW}, {do: cellar.heat, room: R1, p: 1 kW, after: 70 s}]}
stand_down: {when: "heat.temperature_degc['R2'] > 17.9 degC for 50 s", do: heat.heat, room: R2, p: 1 kW}
"""


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    sixth.register(monkeypatch)
    patrol.register(monkeypatch)


def test_a_run_left_in_the_middle_of_a_plan_goes_on_to_the_same_bytes(tmp_path):
    file = write(tmp_path, PLAN)
    whole = twin.simulate(file, tmp_path / "whole", checkpoint_every_s=30)
    rows = said(whole)
    assert {what for _, what, _ in rows} >= {"in_force", "level", "called", "decided", "missed", "asks", "approved", "done", "stood_down"}
    at = {what: t for t, what, of in rows if of in ("warm", "warm.other", "warm.crew")}
    desk_s = next(t for t, what, of in rows if (what, of) == ("called", "warm.crew")) + 20
    delay_s = next(t for t, what, of in rows if (what, of) == ("decided", "warm.first")) + 35
    for stop_s in (desk_s, delay_s, at["asks"] + 30, at["done"] - 15, at["stood_down"]):
        out = tmp_path / f"left{stop_s}"
        with Simulation(file, out, checkpoint_every_s=30) as simulation:
            simulation.until(stop_s)
        assert checkpoint.moments_s(out)[-1] > stop_s - 60
        (tmp_path / "plan.yaml").write_text("gone: yes")  # the run's own copy holds the plan
        with Simulation.resume(out) as simulation:
            simulation.until(1200)
        (tmp_path / "plan.yaml").write_text(PLAN)
        assert digests(out) == digests(whole.path), f"left at {stop_s} s"


def test_what_a_person_approved_is_approved_again(tmp_path):
    file = write(tmp_path, PLAN.replace("rule: approve, after: 1 min", "rule: wait"))

    def drill(out, left_s: int | None):
        with Simulation(file, out, checkpoint_every_s=60) as simulation:
            simulation.until(850)
            simulation.do("plans.approve", action="warm.other", by="Li Wei")
            if left_s is not None:
                simulation.until(left_s)
                return
            simulation.until(1200)

    drill(tmp_path / "whole", None)
    for left_s in (855, 910):
        drill(tmp_path / f"left{left_s}", left_s)
        with Simulation.resume(tmp_path / f"left{left_s}") as simulation:
            simulation.until(1200)
        assert digests(tmp_path / f"left{left_s}") == digests(tmp_path / "whole")
    assert (850, "approved", "warm.other") in said(twin.open_run(tmp_path / "whole"))


def test_a_branch_has_another_plan_from_its_moment_on(tmp_path):
    file = write(tmp_path, PLAN)
    parent = twin.simulate(file, tmp_path / "parent", checkpoint_every_s=60)
    begins_s = said(parent)[0][0]
    at_s = begins_s - 30
    tell = "{when: 'any(heat.temperature_degc) < 30 degC', role: chief, text: Tell}"
    more = f"{{from: '+{at_s} s', roles: {{chief: {{held_by: City}}}}, actions: {{tell: {tell}}}}}"
    branched = twin.branch(parent.path, f"+{at_s} s", out=tmp_path / "branch", sets=[f"plans.news={more}"])
    assert (at_s, "called", "news.tell") in said(branched), "it is asked at that second, though nothing may have moved"
    assert [row for row in said(branched) if "news" not in row[2]] == said(parent)
    whole = twin.simulate(twin.load(file, [f"plans.news={more}"]), tmp_path / "variant", checkpoint_every_s=60)
    assert {k: v for k, v in digests(branched.path).items() if k != "scenario"} == {
        k: v for k, v in digests(whole.path).items() if k != "scenario"
    }
    without = twin.branch(parent.path, f"+{at_s} s", out=tmp_path / "without", sets=["plans=null"])
    assert said(without) == [], "a plan that has done nothing yet may be left out"
    for sets in (
        ["plans.warm.actions.first.delay=1 min"],
        ["plans.news={roles: {c: {held_by: x}}, actions: {a: {when: time > 21:45, role: c, text: x}}}"],
    ):
        with pytest.raises(InputError, match=r"only what comes later \(at, from\) may"):
            twin.branch(parent.path, f"+{at_s} s", out=tmp_path / "no", sets=sets)
    with pytest.raises(InputError, match=r"plans.warm: differs"):
        twin.branch(parent.path, f"+{begins_s + 30} s", out=tmp_path / "no", sets=["plans=null"])


def test_a_trigger_may_begin_later(tmp_path):
    file = write(tmp_path, PLAN)
    late = {"late": {"when": "any(heat.temperature_degc) < 30 degC", "from": "+333 s", "do": "heat.heat", "room": "R0", "p": "2 kW"}}
    run = twin.simulate(twin.load(file).with_(plans=None, triggers=late), tmp_path / "run")
    assert run.events.query("source == 'trigger'")["t_seen_s"].tolist() == [333]


def test_a_branch_does_what_is_new_at_its_very_second(tmp_path):
    file = write(tmp_path, PLAN)
    parent = twin.simulate(twin.load(file).with_(plans=None), tmp_path / "parent", checkpoint_every_s=60)
    more = "timeline.now={at: +660 s, do: heat.heat, room: R0, p: 2 kW}"
    branched = twin.branch(parent.path, "+660 s", out=tmp_path / "branch", sets=[more])
    assert 660 in checkpoint.moments_s(parent.path)
    assert branched.events.query("t_seen_s == 660")["element"].tolist() == ["R0"]
