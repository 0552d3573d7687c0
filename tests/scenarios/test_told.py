"""Entries of a scenario answer plans and lead the list of events: what a person could say by hand, at a moment or on a condition."""

from __future__ import annotations

import patrol
import pytest
import sixth
from patrol import facts, said, write

import twin
from twin import build
from twin.errors import InputError
from twin.simulation import Simulation
from twin.storage import digests

PLAN = """\
roles:
  warden: {title: Warden, held_by: House}
  chief: {title: Chief, held_by: City}
actions:
  ask: {when: "time >= 21:35", role: chief, approval: {by: warden, rule: wait}, do: heat.heat, room: R2, p: 3 kW}
  other: {when: "time >= 21:35", role: chief, do: heat.heat, room: R3, p: 2 kW}
"""
ROWS = {"M1": {"type": "contingency", "message_en": "It snows."}, "M2": {"type": "contingency", "message_en": "It thaws."}}
WORD = {"at": "21:37", "do": "plans.approve", "action": "warm.ask", "by": "Li Wei"}


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    sixth.register(monkeypatch)
    patrol.register(monkeypatch)


@pytest.fixture
def scenario(tmp_path):
    return twin.load(write(tmp_path, PLAN)).with_(duration="12 min", timeline={"boost": None, "late": None}, msel=ROWS)


def rows(run, *names: str) -> list[tuple]:
    found = run.events[run.events["name"].isin(names)]
    return list(zip(found["t_seen_s"], found["kind"], found["source"], found["name"], found["element"], strict=True))


def test_an_entry_approves_what_waits_and_is_named(scenario, tmp_path):
    run = twin.simulate(scenario.with_(timeline={"word": WORD}), tmp_path / "run")
    assert rows(run, "approved") == [(420, "plan", "timeline", "approved", "warm.ask")]
    assert (facts(run, "approved", "warm.ask")["by"], facts(run, "approved", "warm.ask")["waited_s"]) == ("Li Wei", 120)
    assert [t for t, what, of in said(run) if (what, of) == ("done", "warm.ask")] == [420]


def test_a_word_that_comes_too_soon_is_not_taken_and_the_journal_says_why(scenario, tmp_path):
    run = twin.simulate(scenario.with_(timeline={"word": WORD | {"at": "21:34"}}), tmp_path / "run")
    assert rows(run, "approved") == [] and rows(run, "approve") == [(240, "action", "timeline", "approve", "")]
    assert facts(run, "approve", "")["effect"].startswith("not taken: plans.approve: no action that waits for approval 'warm.ask'")


def test_triggers_rows_and_plans_lead_the_list_and_answer(scenario, tmp_path):
    run = twin.simulate(
        scenario.with_(
            triggers={"snow": {"when": "time >= 21:34", "do": "msel.publish", "row": "M1"}},
            msel={"M3": {"at": "21:36", "type": "contextual", "message_en": "Yes.", "action": "plans.refuse action=warm.ask by=Wang"}},
            plans={"warm": {"actions": {"other": {"then": [{"do": "msel.skip", "row": "M2"}], "do": None, "room": None, "p": None}}}},
        ),
        tmp_path / "run",
    )
    assert [(one[0], one[2], one[3]) for one in rows(run, "M1", "refused", "skip")] == [
        (240, "trigger", "M1"),
        (300, "plan", "skip"),
        (360, "msel", "refused"),
    ]
    assert facts(run, "refused", "warm.ask")["by"] == "Wang"


def test_a_word_at_the_very_second_of_the_question_is_too_early_and_a_second_later_in_time(scenario, tmp_path):
    run = twin.simulate(scenario.with_(timeline={"word": WORD | {"at": "+300 s"}}), tmp_path / "same")
    assert [one[0] for one in rows(run, "asks")] == [300] and rows(run, "approved") == []
    assert "too early: it has not asked; let the word come at least 1 s after" in facts(run, "approve", "")["effect"]
    run = twin.simulate(scenario.with_(timeline={"word": WORD | {"at": "+301 s"}, "again": WORD}), tmp_path / "later")
    assert [one[0] for one in rows(run, "approved")] == [301]
    assert "too early" not in facts(run, "approve", "")["effect"], "the second word comes too late"


@pytest.mark.parametrize(("by", "who"), [(" by=Wang", "Wang"), ("", "Zhao")])
def test_who_a_word_names_speaks_rather_than_the_rows_controller(scenario, tmp_path, by, who):
    row = {"at": "21:36", "type": "contextual", "message_en": "No.", "controller": "Zhao", "action": f"plans.refuse action=warm.ask{by}"}
    run = twin.simulate(scenario.with_(msel={"M3": row}), tmp_path / "run")
    assert facts(run, "refused", "warm.ask")["by"] == who


def test_a_run_left_before_the_word_goes_on_to_the_same_bytes(scenario, tmp_path):
    whole = twin.simulate(scenario.with_(timeline={"word": WORD}), tmp_path / "whole", checkpoint_every_s=60)
    with Simulation(scenario.with_(timeline={"word": WORD}), tmp_path / "left", checkpoint_every_s=60) as simulation:
        simulation.until(390)
    with Simulation.resume(tmp_path / "left") as simulation:
        simulation.until(720)
    assert digests(tmp_path / "left") == digests(whole.path)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"do": "plans.aprove", "action": "warm.ask"}, "timeline.word: no verb of plans 'aprove'; did you mean 'approve'?"),
        (
            {"do": "plans.approve", "action": "warm.aks"},
            "timeline.word: no action that waits for approval 'warm.aks'; did you mean 'warm.ask'?",
        ),
        ({"do": "plans.approve", "action": "warm.other"}, "timeline.word: no action that waits for approval 'warm.other'"),
        ({"do": "plans.approve", "acton": "warm.ask"}, "timeline.word: write action=... and by=... (who says so), as text"),
        ({"do": "plans.stand_down", "plan": "wram"}, "timeline.word: no plan 'wram'"),
        ({"do": "msel.publish", "row": "M9"}, "timeline.word: no row 'M9'"),
    ],
)
def test_a_mistake_is_one_line(scenario, entry, message):
    with pytest.raises(InputError) as raised:
        build.plan(scenario.with_(timeline={"word": {"at": "21:37"} | entry}))
    assert message in str(raised.value) and len(raised.value.problems) == 1


def test_a_mistake_of_a_plan_brings_no_second_line_about_the_words_to_it(tmp_path):
    more = 'triggers:\n  word: {when: "time >= 21:37", do: plans.stand_down, plan: warm}\n'
    assert twin.load(write(tmp_path, PLAN, more))
    with pytest.raises(InputError, match="no room 'R9'") as raised:
        twin.load(write(tmp_path, PLAN.replace("room: R3", "room: R9"), more))
    assert len(raised.value.problems) == 1


def test_without_plans_a_word_to_them_is_a_mistake(scenario):
    with pytest.raises(InputError, match="no model 'plans'"):
        build.plan(scenario.with_(plans=None, timeline={"word": WORD}))
