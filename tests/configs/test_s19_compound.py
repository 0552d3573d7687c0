"""S19 at reduced size: three emergencies in one evening, decided at desks of their own, at one desk, and not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from with_and_without import mean

import twin
from twin.results import Run

FILE = Path(__file__).parents[2] / "configs" / "scenarios" / "reduced" / "s19_compound.yaml"
FIRST, FAULT_S, END_S = ["X1010", "X0912", "X0914"], 960, 3300
"""The signals of the first fault, 21:36 from 21:20, and the end."""


def at_one_desk(scenario: twin.Scenario) -> twin.Scenario:
    """Return the rehearsal with every decision left to one officer, who takes three minutes for each."""
    officer = {"title": "Officer in command", "held_by": "District emergency office", "decides": "3 min"}
    plans: dict[str, Any] = {}
    for name, plan in scenario.raw()["plans"].items():
        actions: dict[str, Any] = {key: {"role": "commander"} for key in plan["actions"]}
        for key, action in actions.items():
            if plan["actions"][key].get("approval", {}).get("by") == "commander":
                action["approval"] = None  # nobody gives a word to himself
        plans[name] = {"roles": {"commander": officer}, "actions": actions}
    return scenario.with_(plans=plans)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder, scenario = tmp_path_factory.mktemp("s19"), twin.load(FILE)
    variants = {"plan": scenario, "one desk": at_one_desk(scenario), "nothing": scenario.with_(plans=None)}
    return {name: twin.simulate(one, out=folder / name.replace(" ", "_")) for name, one in variants.items()}


def figure(run: Run, name: str) -> float:
    return float(run.kpis.set_index("name").value[name])


def test_no_decision_waits_ten_minutes_at_desks_of_their_own_and_some_do_at_one(runs):
    """The catalogue's ten minutes; a queue of n at one desk waits (n - 1) x 3 min, and five come together at 21:51."""
    assert figure(runs["plan"], "longest_decision") <= 10
    assert figure(runs["one desk"], "longest_decision") > 10
    assert figure(runs["plan"], "decisions") >= figure(runs["one desk"], "decisions") >= 8


def test_a_desk_decides_one_thing_at_a_time(runs):
    decided = runs["one desk"].events.query("name == 'decided'").t_happened_s.to_numpy()
    assert (decided[1:] - decided[:-1] >= 180).all()


def test_late_decisions_come_late_to_the_street(runs):
    """Officers stand at every dark junction sooner when their duty officer decides; doing nothing, at none."""
    at_post = {name: run.events.query("kind == 'action' and name == 'direct'").t_happened_s for name, run in runs.items()}
    assert not len(at_post["nothing"])
    assert len(at_post["plan"]) >= 7
    assert at_post["plan"].mean() + 120 < at_post["one desk"].mean()


def test_a_dark_junction_loses_capacity_and_officers_give_it_back(runs):
    """Twice the delay with light is the catalogue's limit (S3); where everybody stops by turns a busy junction is far beyond it."""
    lit_s = mean(runs["nothing"], "traffic.delay_s", FIRST, FAULT_S - 480, FAULT_S)
    dark_s, directed_s = (mean(runs[name], "traffic.delay_s", FIRST, FAULT_S + 900, END_S) for name in ("nothing", "plan"))
    assert dark_s > 2 * lit_s
    assert directed_s < 2 * lit_s
    assert figure(runs["plan"], "first_delay") < 0.5 * figure(runs["nothing"], "first_delay")
    assert figure(runs["plan"], "first_delay") < figure(runs["one desk"], "first_delay"), "sooner at their posts"


def test_the_plan_restores_the_feeder_and_relieves_the_transformer(runs):
    plan, nothing = runs["plan"], runs["nothing"].kpis.set_index("name")
    assert figure(plan, "restored") <= 40
    assert nothing.verdict["restored"] == "not reached"
    assert figure(plan, "longest_overload") <= 30 < nothing.value["longest_overload"]
    assert figure(plan, "unserved") < 0.8 * nothing.value["unserved"]


def test_every_target_has_a_verdict(runs):
    assert set(runs["plan"].kpis.verdict) <= {"met", "no target"}
