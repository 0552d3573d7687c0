"""Response alone: calls wait for dispatchers, crews drive by the street graph, work is crew-time, patients are shuttled until none waits."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from models.response import Response
from models.response.draws import lognormal_s
from models.response.surface import STATES
from twin.errors import InputError
from twin.model import Setup

FIRE = {"skill": "fire", "x_m": 480.0, "y_m": 240.0}


@pytest.fixture
def setup(tmp_path) -> Setup:
    return Response.demo(tmp_path)


def live(setup: Setup, **options) -> Response:
    model = Response(dataclasses.replace(setup, options=options))
    model.open()
    model.advance(1)
    return model


def until(model: Response, end_s: int) -> None:
    while model.now_s < end_s:
        model.advance(min(end_s, model.next_s() or end_s, model.now_s + model.period_s))
        model.solve()


def said(model: Response, notice: str, **facts) -> list[tuple[int, str]]:
    of = [one for one in model.notices if one.notice == notice and facts.items() <= one.facts.items()]
    return [(one.happened_s, one.element) for one in of]


def closes(model: Response) -> None:
    for account in model.ledger():
        assert account.residual == 0, account


def renamed(setup: Setup, units: object) -> Setup:
    path = setup.files["network"]
    text = json.loads(path.read_text())
    text["depots"][0]["units"] = units
    path.write_text(json.dumps(text))
    return setup


def test_a_unit_can_what_the_file_says_whatever_it_is_called(setup):
    given = [{"id": "water_9", "skill": "fire"}, {"id": "medic", "skill": "ambulance"}]
    model = live(renamed(setup, given), spread=0)
    kinds = model.elements["skill"].ids
    can = dict(zip(model.elements["unit"].ids, (kinds[code] for code in model.unit_skill.tolist()), strict=True))
    assert can["water_9"] == "fire" and can["medic"] == can["ambulance_1"] == "ambulance" and can["water_1"] == "water"
    model.send(job="a", **FIRE, work_s=60.0)
    until(model, 200)
    assert [unit for _, unit in said(model, "sent", job="a")] == ["water_9"]


@pytest.mark.parametrize(
    ("units", "what"),
    [
        ([{"id": "e", "skill": "fir"}], "did you mean 'fire'"),
        ([{"id": "e", "skill": "fire"}, {"id": "e", "skill": "gas"}], "unit 'e' occurs 2 times"),
        ([{"id": "e"}], "write units as {fire: 2} or [{id: engine_7, skill: fire}]"),
        ({"fire": 1.5}, "fire must be a whole number"),
    ],
)
def test_a_mistake_in_a_depots_units_is_one_line(setup, units, what):
    with pytest.raises(InputError) as error:
        Response(renamed(setup, units))
    (problem,) = error.value.problems
    assert what in str(problem)


def test_a_job_goes_from_the_call_to_the_way_home(setup):
    model = live(setup, spread=0)
    model.send(job="a", **FIRE, work_s=300.0)
    until(model, 1500)
    order = [one.notice for one in model.notices if one.facts.get("job") == "a"]
    assert order == ["called", "sent", "on_scene", "work_done"]
    ((sent_s, unit),), ((there_s, _),), ((done_s, by),) = (said(model, name, job="a") for name in ("sent", "on_scene", "work_done"))
    assert unit == by == "fire_1"
    assert sent_s == 1 + 60, "a dispatcher takes a minute over the call"
    assert there_s - sent_s > 20, "it turns out and drives"
    assert done_s - there_s == pytest.approx(300 + 10 / 1.2, abs=2), "ten metres on foot, then the work"
    assert STATES[model.state[model.index("unit", unit)]] == "at depot"
    closes(model)


def test_two_crews_take_half_as_long(setup):
    took = []
    for units in (1, 2):
        model = live(setup, spread=0)
        model.send(job="a", **FIRE, units=units, work_s=1200.0 / units)
        until(model, 3000)
        took.append(next(one.facts["worked_s"] for one in model.notices if one.notice == "work_done"))
    assert took[1] == pytest.approx(took[0] / 2, rel=0.05)


def test_with_every_dispatcher_busy_calls_wait_and_more_dispatchers_shorten_it(setup):
    sent = []
    for dispatchers in (1, 4):
        model = live(setup, spread=0, dispatchers=dispatchers)
        for number, skill in enumerate(("fire", "police", "water", "gas")):
            model.send(job=f"j{number}", skill=skill, x_m=480.0, y_m=240.0)
        until(model, 300)
        sent.append([second for second, _ in said(model, "sent")])
    assert sent == [[61, 121, 181, 241], [61] * 4]


def test_graver_calls_are_taken_first(setup):
    model = live(setup, dispatchers=1)
    model.send(job="held", skill="police", x_m=480.0, y_m=240.0)
    until(model, 10)
    model.send(job="minor", skill="water", x_m=480.0, y_m=240.0, priority=5)
    model.send(job="grave", skill="fire", x_m=480.0, y_m=240.0, priority=1)
    until(model, 600)
    assert [one.facts["job"] for one in model.notices if one.notice == "sent"] == ["held", "grave", "minor"]


def test_no_desk_no_dispatch_and_when_it_answers_again_at_once(setup):
    model = live(setup, spread=0)
    model.dispatch_delay_s[:] = 600.0
    model.send(job="a", **FIRE)
    until(model, 300)
    assert not said(model, "sent")
    assert model.calls_waiting[0] == 1
    model.dispatch_delay_s[:] = 0.0
    until(model, 400)
    assert said(model, "sent") == [(360, "fire_1")]


def test_a_job_nobody_can_do_says_so_and_gets_the_next_that_is_free(setup):
    model = live(setup, spread=0)
    model.send(job="first", skill="gas", x_m=480.0, y_m=240.0, work_s=600.0)
    model.send(job="second", skill="gas", x_m=20.0, y_m=240.0)
    until(model, 500)
    assert said(model, "unmet", job="second", why="no unit free")
    assert model.jobs_waiting[2] == 1
    assert model.wait_s[2] == model.now_s - 1
    until(model, 3000)
    done_s, _ = said(model, "work_done", job="first")[0]
    assert said(model, "sent", job="second")[0] == (done_s, "gas_1")
    assert model.jobs_waiting[2] == model.wait_s[2] == 0


def test_a_name_is_used_once_and_a_recalled_crew_goes_home(setup):
    model = live(setup)
    model.send(job="a", **FIRE)
    model.send(job="a", **FIRE)
    assert said(model, "refused", job="a")
    until(model, 200)
    model.recall(job="a")
    model.recall(job="b")
    assert said(model, "recalled", job="a")
    assert said(model, "unmet", job="a", why="recalled")
    assert said(model, "refused", job="b")
    until(model, 600)
    assert not said(model, "work_done")
    assert (model.state == 0).all()
    closes(model)


def test_ambulances_shuttle_until_nobody_waits_red_first(setup):
    model = live(setup)
    model.patients(job="crash", x_m=250.0, y_m=250.0, red=4, yellow=2, green=5, black=1)
    until(model, 60)
    assert model.patients_waiting[0] == 12
    assert model.reds_outside[0] == 4
    for end_s in (600, 1200, 8000):
        until(model, end_s)
        closes(model)
    brought = [one.facts for one in model.notices if one.notice == "patients_delivered"]
    assert [next(name for name in ("red", "yellow", "green", "black") if name in facts) for facts in brought[:4]] == ["red"] * 4
    assert model.delivered[0] == 12
    assert model.patients_waiting[0] == model.patients_moving[0] == model.reds_outside[0] == 0
    assert len(said(model, "work_done", job="crash")) == 1
    records = model.boxes["handed_over"].take()
    assert np.bincount(records["destination"]).tolist() == [1, 4, 2, 5]


def test_patients_found_later_are_fetched_too_and_more_ambulances_may_be_asked_for(setup):
    model = live(setup)
    model.patients(job="crash", x_m=250.0, y_m=250.0, red=2, ambulances=1)
    until(model, 300)
    assert len(said(model, "sent", job="crash")) == 1
    model.patients(job="crash", x_m=250.0, y_m=250.0, ambulances=3)
    until(model, 400)
    assert len(said(model, "sent", job="crash")) == 2, "one for each who still waits"
    until(model, 4000)
    assert model.delivered[0] == 2
    model.patients(job="crash", x_m=250.0, y_m=250.0, green=1)
    until(model, 8000)
    assert model.delivered[0] == 3
    assert len(said(model, "work_done", job="crash")) == 2
    assert not said(model, "refused")
    closes(model)


def test_a_scene_without_patients_is_refused_and_leaves_nothing_open(setup):
    model = live(setup)
    model.patients(job="empty", x_m=250.0, y_m=250.0)
    assert said(model, "refused", job="empty")
    until(model, 60)
    assert not said(model, "called", job="empty")
    assert model.duty.jobs.open == {}
    model.patients(job="empty", x_m=250.0, y_m=250.0, red=1)
    until(model, 4000)
    assert model.delivered[0] == 1
    model.patients(job="empty", x_m=250.0, y_m=250.0, ambulances=3)
    assert len(said(model, "refused", job="empty")) == 2, "its scene is closed"
    assert model.duty.jobs.open == {}
    closes(model)


def test_a_hospital_that_diverts_gets_nobody_while_another_takes_them(setup):
    model = live(setup)
    model.accepts[0] = False
    model.patients(job="crash", x_m=250.0, y_m=250.0, red=3)
    until(model, 4000)
    assert {one.facts["hospital"] for one in model.notices if one.notice == "patients_delivered"} == {"H2"}


def test_ambulances_on_their_way_turn_when_their_hospital_is_full(setup):
    model = live(setup)
    model.patients(job="crash", x_m=20.0, y_m=20.0, red=1)
    while not (model.state == 5).any():
        until(model, model.now_s + 5)
    model.accepts[0] = False
    until(model, 2500)
    assert said(model, "diverted", hospital="H1", to="H2")
    assert said(model, "patients_delivered", hospital="H2")


def test_who_comes_counts_against_a_hospitals_room(setup):
    model = live(setup, spread=0)
    model.ed_share[0] = 0.95
    model.patients(job="crash", x_m=20.0, y_m=10.0, red=3)
    until(model, 4000)
    brought = [one.facts["hospital"] for one in model.notices if one.notice == "patients_delivered"]
    assert "H1" in brought
    assert "H2" in brought


def test_a_unit_without_any_way_is_stranded_after_its_time_and_says_so(setup):
    model = live(setup, spread=0, strand_after="120 s", walk="50 m")
    model.passing_s[:] = 20.0
    shut = [at for at, id in enumerate(model.elements["spot"].ids) if id not in ("S01f", "S01b", "S10f")]
    model.passing_s[shut] = 1e5
    model.send(job="a", **FIRE)
    until(model, 1000)
    stranded_s, unit = said(model, "stranded", job="a")[0]
    assert unit == "fire_1"
    assert 120 <= stranded_s - 61 <= 120 + 180
    assert said(model, "unmet", job="a", why="stranded")


def test_a_staged_unit_is_there_sooner(setup):
    there = []
    for staged in (False, True):
        model = live(setup, spread=0)
        if staged:
            model.stage(unit="fire_2", x_m=490.0, y_m=260.0)
            until(model, 300)
            assert STATES[model.state[model.index("unit", "fire_2")]] == "standing by"
        until(model, 300)
        model.send(job="a", **FIRE)
        until(model, 800)
        there.append(said(model, "on_scene")[0])
    assert there[1][1] == "fire_2"
    assert there[1][0] < there[0][0] - 30


def test_a_crew_off_duty_is_not_sent(setup):
    model = live(setup)
    for unit in ("fire_1", "fire_2"):
        model.stand_down(unit=unit)
    model.send(job="a", **FIRE)
    until(model, 400)
    assert said(model, "unmet", job="a")
    model.stand_up(unit="fire_2")
    until(model, 800)
    assert said(model, "sent", job="a")[0][1] == "fire_2"


@pytest.mark.parametrize("moment_s", [40, 90, 130, 400, 700])
def test_every_moment_is_restored_exactly(setup, moment_s):
    model = live(setup)
    model.send(job="a", **FIRE, units=2)
    model.patients(job="crash", x_m=250.0, y_m=250.0, red=4, green=3)
    until(model, moment_s)
    model.recall(job="a") if moment_s == 130 else None
    saved = model.snapshot()
    model.notices.clear()
    until(model, 3000)
    again = Response(setup)
    again.open()
    again.restore(saved)
    until(again, 3000)
    assert again.notices == model.notices
    np.testing.assert_array_equal(again.duty.units, model.duty.units)
    assert again.ledger() == model.ledger()


def test_times_have_the_stated_mean_and_spread():
    drawn = np.array([lognormal_s(1, 600.0, 0.4, "work", number) for number in range(4000)])
    assert drawn.mean() == pytest.approx(600, rel=0.03)
    assert drawn.std() / drawn.mean() == pytest.approx(0.4, rel=0.08)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("depots", [{"id": "d", "x": 0, "y": 0, "units": {"fier": 1}}], "did you mean 'fire'"),
        ("depots", [{"id": "d", "x": 0, "y": 0, "units": {"fire": -1}}], "whole number"),
        ("depots", [{"id": "d", "x": "left", "y": 0, "units": {"fire": 1}}], "x must be a number"),
        ("centre", None, "command centre"),
        ("streets", [], "none for crews to drive on"),
        ("hospitals", [{"id": "H", "x": 0, "y": 0}] * 2, "occurs 2 times"),
        ("roads", [], "section"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_with_its_place(setup, key, value, words):
    path = setup.files["network"]
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}, indent=1))
    with pytest.raises(InputError, match=words) as caught:
        Response(setup)
    assert str(path) in str(caught.value)
