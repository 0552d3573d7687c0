"""Plans: levels rise and fall, actions are decided, delayed, approved, done by crews, late, replaced; the journal says why."""

from __future__ import annotations

import patrol
import pytest
import sixth
from patrol import facts, said, write

import twin
from twin.errors import InputError
from twin.simulation import Simulation

ROLES = """\
roles:
  warden: {title: Warden, held_by: House, decides: 30 s}
  chief: {title: Chief, held_by: City}
"""
LEVELS = """\
levels:
  III: {when: "heat.temperature_degc['R2'] < 17.9 degC"}
  II: {when: "heat.temperature_degc['R2'] < 17.85 degC"}
"""
AT_S = 630
"""The second at which R2 is below 17.9 degC, when a sample of the model at 600 s woke it."""


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


def done_by(run, source: str = "plan"):
    rows = run.events[(run.events["kind"] == "action") & (run.events["source"] == source)]
    return list(zip(rows["t_seen_s"], rows["model"] + "." + rows["name"], rows["element"], strict=True))


def test_an_action_is_decided_delayed_and_done_and_the_journal_says_by_whom_and_why(rehearse):
    run = rehearse(
        ROLES + LEVELS + "actions:\n  warm: {level: III, role: warden, delay: 45 s, deadline: 5 min, do: heat.heat, room: R2, p: 3 kW}\n"
    )
    assert [(t, what) for t, what, of in said(run) if of == "warm.warm"] == [(AT_S, "called"), (AT_S + 30, "decided"), (AT_S + 75, "done")]
    assert done_by(run) == [(AT_S + 75, "heat.heat", "R2")]
    why = "level III: heat.temperature_degc['R2'] < 17.9 degC (heat.temperature_degc[R2] 17.897 degC)"
    acted = facts(run, "heat", "R2")
    assert (acted["why"], acted["by"], acted["name"]) == (why, "Warden (House)", "warm.warm")
    effect = facts(run, "done", "warm.warm")
    assert (effect["effect"], effect["took_s"], effect["in_time"]) == ("heat.heat R2 3.0", 75, 1)


def test_what_is_called_at_a_level_is_called_at_graver_ones_too_and_levels_fall_again(rehearse):
    plan = (
        ROLES
        + LEVELS
        + """\
actions:
  grave: {level: II, role: chief, do: heat.heat, room: R2, p: 3 kW}
  mild: {level: III, role: chief, do: cellar.heat, room: R1, p: 0 kW}
"""
    )
    run = rehearse(plan, timeline={"cut": {"at": "+5 s", "do": "heat.heat", "room": "R2", "p": "0 kW"}})
    levels = [
        (t, facts["level"], facts.get("before"))
        for t, facts in zip(*run.events.query("name == 'level'")[["t_seen_s", "facts"]].T.values, strict=True)
    ]
    assert [one[1:] for one in levels][:3] == [("III", None), ("II", "III"), ("III", "II")]
    called = [(t, of) for t, what, of in said(run) if what == "called"]
    assert called == [(levels[0][0], "warm.mild"), (levels[1][0], "warm.grave")]
    straight = rehearse(
        plan.replace("17.9 degC", "17.85 degC"), timeline={"cut": {"at": "+5 s", "do": "heat.heat", "room": "R2", "p": "0 kW"}}
    )
    assert {of for _, what, of in said(straight) if what == "called"} == {"warm.grave", "warm.mild"}
    assert facts(straight, "level", "warm")["level"] == "II", "straight to the graver one, and what the milder asks for is done too"


def test_a_role_decides_one_thing_at_a_time(rehearse):
    many = "".join(f"  a{i}: {{level: III, role: warden, do: heat.heat, room: R2, p: 3 kW}}\n" for i in range(4))
    run = rehearse(ROLES + LEVELS + "actions:\n" + many)
    decided = [(t - AT_S, of) for t, what, of in said(run) if what == "decided"]
    assert decided == [(30, "warm.a0"), (60, "warm.a1"), (90, "warm.a2"), (120, "warm.a3")]
    assert [facts(run, "decided", f"warm.a{i}")["waited_s"] for i in range(4)] == [0, 30, 60, 90]


def crewed(**keys: str) -> str:
    own = "".join(f", {key}: {value}" for key, value in keys.items())
    return (
        ROLES
        + LEVELS
        + f"""\
actions:
  fix: {{level: III, role: chief, crew: {{skill: water, at: "heat.room['R3']", work: 2 min}}, do: heat.heat, room: R2, p: 3 kW{own}}}
  other: {{role: chief, do: cellar.heat, room: R0, p: 1 kW}}
"""
    )


def test_a_crew_does_the_work_when_it_has_come_and_worked(rehearse):
    run = rehearse(crewed(on_failure="other"))
    assert done_by(run) == [(AT_S, "patrol.send", "warm.fix"), (AT_S + 180, "heat.heat", "R2")]
    sent = facts(run, "send", "warm.fix")
    assert (sent["x_m"], sent["y_m"], sent["work_s"]) == (30.0, 0.0, 120.0)
    assert facts(run, "done", "warm.fix")["took_s"] == 180
    assert not [of for _, _, of in said(run) if of == "warm.other"]


def test_a_late_action_calls_another_and_is_noted_as_late(rehearse):
    run = rehearse(crewed(on_failure="other", deadline="1 min"))
    assert (AT_S + 60, "missed", "warm.fix") in said(run)
    assert done_by(run)[1:] == [(AT_S + 60, "cellar.heat", "R0"), (AT_S + 180, "heat.heat", "R2")]
    assert facts(run, "done", "warm.fix")["in_time"] == 0
    assert facts(run, "called", "warm.other")["why"] == "fix was not done by its deadline"


def test_where_no_crew_is_free_another_action_stands_in(rehearse):
    run = rehearse(
        crewed(on_failure="other"),
        models={"patrol": {"water": 1}},
        timeline={"else": {"at": "+2 min", "do": "patrol.send", "job": "x", "skill": "water", "x_m": 0, "y_m": 0, "work": "20 min"}},
    )
    assert (AT_S, "unmet", "warm.fix") in said(run)
    assert (AT_S, "cellar.heat", "R0") in done_by(run)


def test_steps_follow_one_another(rehearse):
    steps = "[{do: heat.heat, room: R0, p: 2 kW}, {crew: {skill: police, at: \"heat.room['R1']\", work: 1 min}}, {do: heat.heat, room: R1, p: 2 kW, after: 30 s}]"
    run = rehearse(ROLES + LEVELS + f"actions:\n  all: {{level: III, role: chief, then: {steps}}}\n")
    assert done_by(run) == [(AT_S, "heat.heat", "R0"), (AT_S, "patrol.send", "warm.all/2"), (AT_S + 150, "heat.heat", "R1")]
    assert facts(run, "done", "warm.all")["effect"] == "heat.heat R0 2.0; crew police; heat.heat R1 2.0"


APPROVED = (
    ROLES
    + LEVELS
    + """\
actions:
  ask: {level: III, role: warden, deadline: 8 min, approval: {by: chief, rule: RULE, after: 1 min}, do: heat.heat, room: R2, p: 3 kW, on_failure: other}
  other: {role: chief, do: cellar.heat, room: R0, p: 1 kW}
"""
)


def test_what_waits_for_a_word_goes_by_rule_when_nobody_gives_it(rehearse):
    approved = rehearse(APPROVED.replace("RULE", "approve"))
    assert done_by(approved) == [(AT_S + 90, "heat.heat", "R2")]
    assert facts(approved, "heat", "R2")["by"] == "Warden (House), approved by Chief (City) by rule"
    refused = rehearse(APPROVED.replace("RULE", "refuse"))
    assert done_by(refused) == [(AT_S + 90, "cellar.heat", "R0")]
    waited = rehearse(APPROVED.replace("RULE", "wait"))
    assert done_by(waited) == [(AT_S + 480, "cellar.heat", "R0")], "by its deadline nobody had spoken"
    assert facts(waited, "missed", "warm.ask")["stage"] == "approval"


def test_a_person_says_the_word_and_is_named(tmp_path):
    with Simulation(write(tmp_path, APPROVED.replace("RULE", "wait")), tmp_path / "run") as sim:
        sim.until(AT_S)
        with pytest.raises(InputError, match=r"no action that waits for approval 'warm.ask'; there are none"):
            sim.do("plans.approve", action="warm.ask", by="Li Wei")
        sim.until(800)
        with pytest.raises(InputError, match=r"did you mean 'warm.ask'"):
            sim.do("plans.approve", action="warm.aks", by="Li Wei")
        with pytest.raises(InputError, match="write action="):
            sim.do("plans.approve")
        with pytest.raises(InputError, match="no verb of plans 'aprove'; did you mean 'approve'"):
            sim.do("plans.aprove", action="warm.ask")
        sim.do("plans.approve", action="warm.ask", by="Li Wei")
        sim.until(1200)
    run = twin.open_run(tmp_path / "run")
    assert done_by(run) == [(800, "heat.heat", "R2")]
    assert facts(run, "approved", "warm.ask") == {"by": "Li Wei", "role": "chief", "waited_s": 800 - AT_S - 30}
    assert facts(run, "heat", "R2")["by"] == "Warden (House), approved by Li Wei"


def test_a_plan_stands_down_recalls_its_crews_and_may_come_into_force_again(rehearse):
    plan = (
        crewed().replace("work: 2 min", "work: 9 min")
        + """\
  quick: {level: III, role: chief, do: heat.heat, room: R2, p: 3 kW}
stand_down: {when: "heat.temperature_degc['R2'] > 18 degC for 1 min", do: heat.heat, room: R2, p: 0 kW}
"""
    )
    run = rehearse(
        plan.replace("  other: {role: chief, do: cellar.heat, room: R0, p: 1 kW}\n", ""),
        timeline={"cut": {"at": "+5 s", "do": "heat.heat", "room": "R2", "p": "0 kW"}},
    )
    whats = [(t, what) for t, what, of in said(run) if of == "warm"]
    assert [what for _, what in whats][:5] == ["in_force", "level", "stood_down", "in_force", "level"]
    ended_s = whats[2][0]
    assert (ended_s, "dropped", "warm.fix") in said(run)
    assert (ended_s, "patrol.recall", "warm.fix") in done_by(run)
    assert (ended_s, "heat.heat", "R2") in done_by(run), "what closes it"
    assert facts(run, "heat", "R2")["name"] == "cut"
    assert [job for _, verb, job in done_by(run) if verb == "patrol.send"] == ["warm.fix", "warm.fix#2", "warm.fix#3"], (
        "no job of one name twice"
    )


def test_an_action_may_have_its_own_condition_and_say_only_a_word(rehearse):
    run = rehearse(ROLES + 'actions:\n  tell: {when: "time >= 21:35 and not notice patrol.sent", role: chief, text: Tell the press}\n')
    assert said(run) == [(300, "in_force", "warm"), *((300, what, "warm.tell") for what in ("called", "decided", "done"))]
    assert facts(run, "done", "warm.tell")["effect"] == "Tell the press"


def test_its_objectives_are_the_runs(rehearse):
    run = rehearse(
        ROLES
        + LEVELS
        + "actions:\n  tell: {level: III, role: chief, text: Tell}\nobjectives:\n  keep: {text: Nobody freezes, kpis: [coldest]}\n"
    )
    assert run.manifest["objectives"] == [{"name": "keep", "text": "Nobody freezes", "kpis": ["coldest"]}]


def test_a_scenario_changes_keys_of_a_plan_or_leaves_it_out(rehearse, tmp_path):
    plan = ROLES + LEVELS + "actions:\n  warm: {level: III, role: chief, do: heat.heat, room: R2, p: 3 kW}\n"
    later = rehearse(plan, plans={"warm": {"actions": {"warm": {"delay": "40 s"}}}})
    assert done_by(later) == [(AT_S + 40, "heat.heat", "R2")]
    without = rehearse(plan, plans=None)
    assert done_by(without) == [] == said(without)
    assert "plans:" not in (without.path / "scenario.yaml").read_text()
    (tmp_path / "other.yaml").write_text(plan.replace("p: 3 kW", "p: 1 kW"))
    other = rehearse(plan, plans={"warm": "other.yaml"})
    assert facts(other, "heat", "R2")["p_kw"] == 1.0
    text = (
        (tmp_path / "mini.yaml")
        .read_text()
        .replace("plans: {warm: plan.yaml}", "plans: {warm: {file: plan.yaml, actions: {warm: {p: 2 kW}}}}")
    )
    (tmp_path / "mini.yaml").write_text(text)
    assert facts(twin.simulate(tmp_path / "mini.yaml", tmp_path / "keyed"), "heat", "R2")["p_kw"] == 2.0


def test_a_scenario_based_on_another_has_its_plans_changed_replaced_or_left_out(rehearse, tmp_path):
    plan = ROLES + LEVELS + "actions:\n  warm: {level: III, role: chief, do: heat.heat, room: R2, p: 3 kW}\n"
    write(tmp_path, plan)
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "other.yaml").write_text(plan.replace("  warm: {", "  else: {").replace("p: 3 kW", "p: 1 kW"))
    for number, (plans, acts) in enumerate(
        [
            ("", [3.0]),
            ("plans: {warm: {actions: {warm: {p: 2 kW}}}}", [2.0]),
            ("plans: {warm: other.yaml}", [1.0]),
            ("plans: {warm: {file: other.yaml, actions: {else: {p: 5 kW}}}}", [5.0]),
            ("plans: {more: other.yaml}", [1.0, 3.0]),
            ("plans: {warm: null}", []),
            ("plans: null", []),
        ]
    ):
        (tmp_path / "small" / "mini.yaml").write_text(f"based_on: ../mini.yaml\n{plans}\n")
        run = twin.simulate(tmp_path / "small" / "mini.yaml", tmp_path / f"based{number}")
        rows = run.events[(run.events["kind"] == "action") & (run.events["source"] == "plan")]
        assert sorted(facts["p_kw"] for facts in rows["facts"]) == acts, plans
