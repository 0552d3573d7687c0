"""Hospitals: queues as their theory says, classes in order, nobody lost, diversion before the limit, power and water."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.health import Health, demo
from models.health.department import LIMIT, Department, Rules
from models.health.network import read
from models.health.patients import ADMITTED, BY_HOUR, GREEN, RED, TREATMENT_S, TRIAGE_S, WALK_IN, YELLOW, fate, walk_ins
from twin.errors import InputError
from twin.model import Setup
from twin.ports import FLOW


@pytest.fixture
def make(tmp_path):
    def make(change=None, seed=1, **options) -> Health:
        document = demo.document()
        if change:
            change(document)
        path = tmp_path / "hospitals.json"
        path.write_text(json.dumps(document, indent=1))
        options = {"walk_ins": 0} | options
        model = Health(Setup("health", {"hospitals": path}, tmp_path, options=options, seed=seed))
        model.open()
        return model

    return make


def go(model: Health, until_s: int) -> Health:
    model.advance(until_s)
    model.solve()
    closed(model)
    return model


def closed(model: Health) -> None:
    for account in model.ledger():
        assert account.residual == 0, account


def said(model: Health, name: str) -> list[tuple[int, str]]:
    return [(one.happened_s, one.element) for one in model.notices if one.notice == name]


def one_queue(tmp_path, seed: int, bays: int, seconds: np.ndarray, triage: np.ndarray) -> Department:
    """Return a department after these arrivals, exponential treatment, beds for all."""
    path = tmp_path / "one.json"
    path.write_text(json.dumps({"hospitals": [{"id": "H", "x": 0, "y": 0, "beds": 100000, "occupied": 0, "bays": bays}]}))
    yes = np.ones(1, bool)
    rules = Rules(read(path), [seed, *b"health"], "exponential", 8.0, 1.3, "nearest_only")
    ward = Department(rules, lambda *_: None, 0, yes, yes.copy(), ~yes)
    for k, (second, kind) in enumerate(zip(seconds.tolist(), triage.tolist(), strict=True)):
        ward.run(second)
        ward.people = ward.people[ward.people["stage"] != 6]
        ward.arrive(0, kind, second, walk_in=k)
    ward.run(10**8)
    return ward


def test_waiting_is_that_of_m_m_c(tmp_path):
    """M/M/2 at utilisation 0.6: Erlang C = 0.45 (closed form 2 rho^2 / (1 + rho)), mean wait C h / (c - A) = 675 s; 16 seeds."""
    bays, handling, rho = 2, TREATMENT_S[GREEN], 0.6
    rate = rho * bays / handling
    expected = (2 * rho * rho / (1 + rho)) * handling / (bays - rho * bays)
    waits = []
    for seed in range(16):
        rng = np.random.default_rng([seed, *b"arrivals"])
        seconds = np.floor(np.cumsum(rng.exponential(1.0 / rate, 220))).astype(int)
        ward = one_queue(tmp_path, seed, bays, seconds, np.full(220, GREEN))
        assert ward.starts[0, GREEN] == 220
        waits.append(ward.waits_s[0, GREEN] / 220 - TRIAGE_S)
    error = np.std(waits) / np.sqrt(len(waits))
    assert expected == pytest.approx(675.0)
    assert abs(np.mean(waits) - expected) < 3 * error + 0.05 * expected
    assert error < 0.15 * expected, "enough seeds to tell"


def test_red_waits_less_than_yellow_less_than_green(tmp_path):
    rng = np.random.default_rng([7, *b"arrivals"])
    seconds = np.floor(np.cumsum(rng.exponential(900.0, 300))).astype(int)
    ward = one_queue(tmp_path, 7, 4, seconds, rng.choice([RED, YELLOW, GREEN], 300))
    red, yellow, green = (ward.waits_s[0, c] / ward.starts[0, c] for c in (RED, YELLOW, GREEN))
    assert red < yellow < green


def test_treatment_times_have_the_mean_and_spread_they_say():
    for distribution, spread in (("lognormal", 0.6), ("exponential", 1.0)):
        drawn = np.array([fate([1], k, RED, distribution).treatment_s for k in range(3000)])
        assert drawn.mean() == pytest.approx(TREATMENT_S[RED], rel=0.06)
        assert drawn.std() / drawn.mean() == pytest.approx(spread, rel=0.1)
    admitted = [fate([1], k, RED, "lognormal").admitted for k in range(3000)]
    assert np.mean(admitted) == pytest.approx(ADMITTED[RED], abs=0.03)


def test_walk_ins_follow_the_hour():
    """About 4,000 a day: hourly counts within four standard deviations of a Poisson count."""
    at_s, kinds = walk_ins([1], 0, 0, 4000.0, 0)
    counts = np.bincount(at_s // 3600, minlength=24)
    expected = 4000.0 / 24 * np.asarray(BY_HOUR) / np.mean(BY_HOUR)
    assert (np.abs(counts - expected) < 4 * np.sqrt(expected)).all()
    assert np.mean(kinds == GREEN) == pytest.approx(WALK_IN[GREEN], abs=0.03)
    later, _ = walk_ins([1], 0, 0, 4000.0, 20 * 3600)
    assert np.bincount(later // 3600, minlength=24).argmax() in (21, 22, 23, 0, 1), "a run that starts at 20:00 has its peak at once"


def test_patients_are_conserved_whatever_happens(make):
    model = make(walk_ins=4)
    model.bring("venue", 40, "red", over_s=1800)
    model.bring("station", 60, "yellow", over_s=600)
    model.bring("venue", 5, "black")
    go(model, 900)
    model.supplied[0] = False
    go(model, 2400)
    model.pressure_m[1] = 3.0
    go(model, 5000)
    model.supplied[0], model.pressure_m[1] = True, 30.0
    go(model, 40_000)
    assert model.outside[0] == 0
    assert model.dead[0] == 5
    present = sum(int(getattr(model, name).sum()) for name in ("beds_occupied", "ed_queue", "ed_treated", "ed_boarding"))
    assert abs(present - len(model.department.people)) <= 3, "all but who is just being sorted or walking in"


def test_a_full_hospital_diverts_to_the_other_and_neither_passes_the_limit(make):
    model = make()
    model.bring("venue", 30, "yellow")
    go(model, 1500)
    assert model.ed_share.max() <= LIMIT
    assert [h for _, h in said(model, "diversion_started")] == ["H1"]
    assert model.ed_share[1] > 0.5, "the rest went to the other"
    alone = make(policy="nearest_only")
    alone.bring("venue", 30, "yellow")
    go(alone, 1500)
    assert alone.ed_share[0] > LIMIT
    assert alone.ed_share[1] == 0.0
    assert [h for _, h in said(alone, "department_over")] == ["H1"]
    assert alone.wait_yellow_s[0] > model.wait_yellow_s.max()


def test_only_when_nothing_else_is_left_a_department_passes_the_limit(make):
    model = make()
    model.bring("venue", 200, "yellow")
    go(model, 3600)
    assert (model.ed_share > LIMIT).all(), "200 patients for 40 places"
    assert model.ed_share[0] == pytest.approx(model.ed_share[1], abs=0.35), "and then the emptiest takes them"


def test_balanced_sends_to_the_emptiest(make):
    model = make(policy="balanced")
    model.bring("venue", 20, "yellow")
    go(model, 1500)
    assert model.ed_share[1] == pytest.approx(model.ed_share[0], abs=0.15)


def test_without_power_and_generator_a_hospital_diverts_and_sends_its_reds_on(make):
    model = make()
    model.supplied[0] = False
    model.solve()
    assert model.has_power[0], "the generator runs for three minutes"
    go(model, 600)
    assert said(model, "generator_empty") == [(180, "H1")]
    assert said(model, "power_lost") == [(180, "H1")]
    assert model.diverting.tolist() == [True, False]
    model.bring("venue", 4, "red")
    go(model, 2400)
    assert model.ed_treated.tolist() == [0, 4]
    model.supplied[0] = True
    go(model, 2460)
    assert model.accepts.all()


def test_without_water_reds_go_elsewhere_and_others_are_treated(make):
    model = make()
    model.pressure_m[0] = 5.0
    model.solve()
    assert said(model, "water_lost") == [(0, "H1")]
    model.bring_to("H1", 2, "red")
    model.bring_to("H1", 2, "yellow")
    go(model, 900)
    assert model.ed_treated.tolist() == [2, 2]
    assert model.sent_on.tolist() == [2, 0]


def test_who_needs_a_bed_and_finds_none_keeps_the_bay(make):
    def full(document):
        document["hospitals"][0]["occupied"] = 1.0

    model = make(full, policy="nearest_only")
    model.bring_to("H1", 6, "red")
    for second in range(600, 30_000, 600):
        go(model, second)
        if model.ed_boarding[0] >= 3:
            break
    assert model.ed_boarding[0] >= 3
    assert model.beds_free[0] == 0


def test_an_ordered_diversion_ends_when_it_is_reopened(make):
    model = make()
    model.divert("H1")
    model.solve()
    assert model.diverting.tolist() == [True, False]
    model.reopen("H1")
    model.solve()
    assert not model.diverting.any()
    assert [name for name in ("diversion_started", "diversion_ended") if said(model, name)] == ["diversion_started", "diversion_ended"]


def test_records_of_the_flow_are_patients_of_their_class(make):
    model = make()
    model.arrivals.emit(np.array([(1, 1, RED, 2, 30), (2, 1, GREEN, 1, 40)], FLOW))
    go(model, 120)
    assert model.ed_treated.tolist() == [0, 3]


def test_what_is_brought_does_not_change_what_walk_ins_need(make):
    quiet, busy = make(walk_ins=3), make(walk_ins=3)
    busy.bring("station", 10, "red")
    for model in (quiet, busy):
        go(model, 3600)
    fates = []
    for model in (quiet, busy):
        people = model.department.people
        mine = people[~people["brought"] & (people["id"] < 10**13)]
        fates.append({int(one["id"]): int(one["treatment_s"]) for one in mine})
    shared = fates[0].keys() & fates[1].keys()
    assert shared
    assert all(fates[0][id] == fates[1][id] for id in shared)


def test_a_restored_hospital_goes_on_alike_in_the_middle_of_an_incident(make):
    model = make(walk_ins=2)
    model.bring("venue", 30, "red", over_s=900)
    go(model, 700)
    saved = model.snapshot()
    go(model, 5000)
    again = make(walk_ins=2)
    again.restore(saved)
    go(again, 5000)
    for port in ("ed_queue", "ed_treated", "beds_occupied", "wait_red_s", "sent_on"):
        np.testing.assert_array_equal(again.arrays[port], model.arrays[port], err_msg=port)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"bays": 6', '"bays": 0', "bays must be a number from 1"),
        ('"beds": 40', '"bedz": 40', "did you mean"),
        ('"occupied"', '"occupied"', ""),
        ('"id": "H2"', '"id": "H1"', "occurs twice"),
        ('"x": 500.0', '"x": "here"', "x must be a number"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path, old, new, said):
    path = tmp_path / "hospitals.json"
    demo.write(path)
    text = path.read_text()
    if not said:
        text, said = (
            text.replace('"walk_ins_per_day": 60', '"walk_ins_per_day": 60, "occupied": 1.5', 1),
            "occupied must be a number from 0 to 1",
        )
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        Health(Setup("health", {"hospitals": path}, tmp_path))
    assert said in str(caught.value)
    assert "hospitals.json:" in str(caught.value)
