"""People come, queue at the scanners, take their seats, and leave again; what stops them on the way."""

from __future__ import annotations

import pytest

from twin.errors import InputError

COMES = ("+0 s", "+20 s", "+60 s")


def run(crowd, until_s, step_s=5):
    while crowd.now_s < until_s:
        crowd.advance(min(crowd.now_s + step_s, until_s))
        crowd.solve()


def outputs(crowd):
    return {name: array.tobytes() for name, array in crowd.arrays.items()} | {"tracks": crowd.positions().tobytes()}


def said(crowd, notice):
    return [report for report in crowd.notices if report.notice == notice]


def test_everybody_who_comes_is_somewhere_at_every_instant_and_ends_in_a_seat(make) -> None:
    crowd = make(people=60, arrive=COMES, ends="+50 min")
    assert crowd.coming[0] == 60 and crowd.in_venue[0] == 0
    for _ in range(60):
        run(crowd, crowd.now_s + 5)
        assert crowd.coming[0] + crowd.walking[0] + crowd.in_venue[0] == 60
        assert crowd.ledger()[0].residual == 0
    assert crowd.seated.sum() == 60 and crowd.passed[0] == 60
    assert not said(crowd, "venue_empty"), "a venue that fills is not one that has emptied"


def test_a_lane_of_scanners_lets_in_what_it_scans(make) -> None:
    crowd = make(people=60, arrive=("+0 s", "+1 s", "+2 s"), ends="+50 min", modes={"foot": 1.0})
    crowd.meter_gate("gate_n", 12.0)
    run(crowd, 120)
    before = crowd.passed[0]
    run(crowd, 240)
    assert 22 <= crowd.passed[0] - before <= 25
    crowd.open_gate("gate_n")
    run(crowd, 300)
    assert crowd.seated.sum() == 60


def test_half_the_scanners_gone_turns_people_to_the_other_gate(make, two_sides) -> None:
    def seated_by(fails: bool) -> tuple[int, int]:
        crowd = make(network=two_sides, people=300, arrive=("+0 s", "+60 s", "+180 s"), ends="+50 min")
        for gate in ("gate_w", "gate_e"):
            crowd.meter_gate(gate, 60.0)
        if fails:
            crowd.meter_gate("gate_e", 10.0)
        run(crowd, 330)
        return int(crowd.passed[0]), int(crowd.seated.sum())

    (west, seated), (west_failed, seated_failed) = seated_by(False), seated_by(True)
    assert west_failed > 1.15 * west, "the gate that works takes more"
    assert seated_failed < seated


def test_nobody_comes_by_trains_that_do_not_run(make) -> None:
    crowd = make(people=60, arrive=COMES, ends="+50 min", modes={"metro": 1.0})
    crowd.stop_trains("metro")
    run(crowd, 200)
    assert crowd.coming[0] == 60 and crowd.walking[0] == 0
    crowd.resume_trains("metro")
    run(crowd, 500)
    assert crowd.seated.sum() == 60


def test_who_came_leaves_again_after_the_end_and_who_comes_after_it_stays(make) -> None:
    crowd = make(people=60, arrive=COMES, ends="+4 min")
    run(crowd, 900)
    assert crowd.gone[0] == 60
    late = make(people=60, arrive=("+60 s", "+80 s", "+120 s"), arriving=0.5, ends="+0 s", modes={"foot": 1.0})
    came = int(late.evening.groups.size[late.evening.groups.comes_s >= 0].sum())
    run(late, 600)
    assert 0 < came < 60 and late.gone[0] == 60 - came and late.seated.sum() == came


def test_a_crowd_restored_on_its_way_in_has_the_identical_future(make) -> None:
    first = make(people=60, arrive=COMES, ends="+3 min")
    first.meter_gate("gate_n", 30.0)
    run(first, 47)
    again = make(people=60, arrive=COMES, ends="+3 min")
    again.restore(first.snapshot())
    for crowd in (first, again):
        run(crowd, 260)
    assert outputs(first) == outputs(again)


def test_moments_out_of_order_are_refused(make) -> None:
    with pytest.raises(InputError, match="arrive"):
        make(people=10, arrive=("+60 s", "+20 s", "+80 s"))


def test_unaware_people_stay_on_the_platform_until_they_are_told(make) -> None:
    crowd = make(people=80, modes={"metro": 1.0})
    crowd.stop_trains("metro", told=False)
    run(crowd, 150)
    stranded = crowd.waiting[0]
    assert stranded > 60 and crowd.in_service[0] and not said(crowd, "station_closed")
    assert said(crowd, "trains_stopped"), "those who run the line know"
    crowd.stop_trains("metro")
    run(crowd, 400)
    assert said(crowd, "station_closed") and crowd.waiting[0] < 5 and crowd.walked_off.sum() > 60


def test_buses_in_place_of_trains_take_what_they_hold(make) -> None:
    crowd = make(people=100, modes={"metro": 1.0})
    crowd.stop_trains("metro", told=False)
    run(crowd, 150)
    crowd.bus_bridge("metro", 1, 120.0)
    (began,) = said(crowd, "bus_bridge_began")
    assert began.happened_s == 150
    run(crowd, 265)
    assert 70 <= crowd.boarded[0] <= 80, "one bus of 80 places"
    run(crowd, 300)
    crowd.resume_trains("metro")
    assert crowd.evening.boarding.capacity[0] == 20
    assert [one.happened_s for one in said(crowd, "trains_resumed")] == [300], "not when buses came, but trains"
    run(crowd, 420)
    assert crowd.boarded[0] >= 99 or crowd.gone[0] == 100


def test_a_platform_fills_to_the_limit_it_is_given(make) -> None:
    def fullest(limit: float) -> float:
        crowd = make(people=140, modes={"metro": 1.0}, change=_small_platform)
        crowd.stop_trains("metro", told=False)
        crowd.limit_platform("metro", limit)
        most = 0.0
        while crowd.now_s < 200:
            run(crowd, crowd.now_s + 5)
            most = max(most, float(crowd.platform_density_per_m2[0]))
        return most

    loose, tight = fullest(8.0), fullest(1.0)
    assert tight < 1.4 < 1.8 < loose


def _small_platform(data) -> None:
    from models.crowd.demo import box

    data["ground"][-1]["ring"] = data["areas"][-1]["ring"] = box(41, 21, 50, 28)
    data["stations"][0]["doors"] = [box(44, 26, 49, 28)]
    data["sectors"][0]["seats"] = 140
