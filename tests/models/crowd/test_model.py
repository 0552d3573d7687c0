"""A crowd as a whole: conserved, deterministic, and moved by what happens to gates, lights, trains and gas."""

from __future__ import annotations

import numpy as np
import pytest

from models.crowd.network import GREEN_GUIDE_LEVEL


def run(crowd, until_s, step_s=5):
    while crowd.now_s < until_s:
        crowd.advance(min(crowd.now_s + step_s, until_s))
        crowd.solve()


def outputs(crowd):
    return {name: array.tobytes() for name, array in crowd.arrays.items()} | {"tracks": crowd.positions().tobytes()}


def said(crowd, notice):
    return [report for report in crowd.notices if report.notice == notice]


def test_people_are_conserved_at_every_instant(make) -> None:
    crowd = make(people=80)
    for _ in range(30):
        run(crowd, crowd.now_s + 5)
        account, _ = crowd.ledger()
        assert account.residual == 0
        assert crowd.in_venue[0] + crowd.walking[0] + crowd.in_cars[0] + crowd.gone[0] == 80
        assert crowd.gone[0] == crowd.boarded.sum() + crowd.walked_off.sum() + sum(
            int(r["size"].sum()) for r in crowd.boxes["departures"].waiting
        )
    assert crowd.gone[0] > 40


def test_everybody_gets_home_and_the_crowd_says_when(make) -> None:
    crowd = make(people=60)
    run(crowd, 400)
    assert crowd.gone[0] == 60
    (empty,), (gone,) = said(crowd, "venue_empty"), said(crowd, "everybody_gone")
    assert 5 < empty.happened_s < gone.happened_s < 400
    assert crowd.advance(405) is False, "an empty ground is quiet"


def test_cars_become_vehicles_once_with_everybody_in_them(make) -> None:
    crowd = make(people=60, modes={"car": 1.0})
    run(crowd, 600)
    cars = crowd.departures.take()
    assert len(set(cars["id"])) == len(cars) == crowd.cars_left[0] == min(20, len(crowd.evening.groups))
    by_car = crowd.evening.groups.mode == 2
    assert sorted(cars["id"]) == np.flatnonzero(by_car).tolist()
    assert (cars["size"] == crowd.evening.groups.size[cars["id"]]).all()
    assert (np.diff(cars["t_s"]) >= 9).all(), "the exit passes 0.1 cars a second"
    assert crowd.walked_off.sum() + crowd.boarded.sum() == 60 - cars["size"].sum(), "cars beyond the 20 spaces are not there"


def test_a_gate_passes_what_the_green_guide_says(make) -> None:
    def narrow(data):
        data["gates"][0]["line"] = [[9.4, 12], [10.6, 12]]
        data["ground"][1]["ring"] = [[9.4, 11.9], [10.6, 11.9], [10.6, 13.1], [9.4, 13.1]]
        data["sectors"][0]["seats"] = 200

    crowd = make(change=narrow, people=150, onset="1 s", modes={"foot": 1.0})
    run(crowd, 30)
    before = crowd.passed[0]
    run(crowd, 70)
    per_m_min = (crowd.passed[0] - before) / 40 * 60 / 1.2
    assert per_m_min <= GREEN_GUIDE_LEVEL * 1.01
    assert per_m_min > 0.7 * GREEN_GUIDE_LEVEL, "the gate, not the walk to it, is what holds people back"


def test_a_split_advance_gives_the_same_bytes(make) -> None:
    whole, split = make(people=80), make(people=80)
    whole.advance(60)
    for second in (1, 17, 18, 43, 60):
        split.advance(second)
    whole.solve()
    split.solve()
    assert outputs(whole) == outputs(split)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(make) -> None:
    crowds = [make(people=60, seed=seed) for seed in (3, 3, 4)]
    for crowd in crowds:
        run(crowd, 40)
    assert outputs(crowds[0]) == outputs(crowds[1]) != outputs(crowds[2])


def test_a_restored_crowd_has_the_identical_future(make, two_sides) -> None:
    one = make(network=two_sides, people=150)
    run(one, 20)
    one.close_gate("gate_w")
    one.set_headway("metro_e", 90.0)
    one.lit[2] = False
    run(one, 33)
    saved, seen = one.snapshot(), outputs(one)
    other = make(network=two_sides, people=150)
    other.restore(saved)
    assert outputs(other) == seen
    other.solve()
    assert outputs(other) == seen
    for crowd in (one, other):
        run(crowd, 120)
    assert outputs(one) == outputs(other)
    assert one.ledger() == other.ledger()


def test_areas_cleared_in_one_second_are_gone_round_by_ways_found_once(make, two_sides, monkeypatch) -> None:
    one = make(network=two_sides, people=150)
    run(one, 30)
    found = []
    weigh = one.evening.movement.weigh
    monkeypatch.setattr(one.evening.movement, "weigh", lambda cost: found.append(cost.copy()) or weigh(cost))
    for area in ("bowl", "east"):
        one.alert(area)
    one.solve()
    other = make(network=two_sides, people=150)
    other.restore(one.snapshot())
    for crowd in (one, other):
        run(crowd, 120)
    assert len(found) == 1 and (found[0] > 1).sum() == 2
    assert outputs(one) == outputs(other), "saved between the alert and the next step"


def test_solve_is_idempotent(make) -> None:
    crowd = make(people=60)
    run(crowd, 25)
    before = outputs(crowd)
    crowd.solve()
    assert outputs(crowd) == before


@pytest.mark.parametrize("cut", [False, True])
def test_a_blackout_slows_people_down_and_turns_them_to_the_lit_side(make, two_sides, cut) -> None:
    """The same evening with light and without in the east; with the link cut (`cut`) nothing may differ."""
    light, dark = (make(network=two_sides, people=300, modes={"metro": 1.0}) for _ in range(2))
    for crowd in (light, dark):
        run(crowd, 22)
    if not cut:
        dark.lit[2] = False  # the eastern plaza
    for crowd in (light, dark):
        run(crowd, 38)
    share = [share_of_desired(crowd, area=2) for crowd in (light, dark)]
    for crowd in (light, dark):
        run(crowd, 240)
    if cut:
        assert outputs(light) == outputs(dark)
        return
    assert [r.happened_s for r in said(dark, "went_dark")] == [22]
    assert share[1].max() <= 0.6 + 1e-9, "nobody walks faster in the dark than 0.6 of what they would"
    assert (share[0] > 0.6 + 1e-9).mean() > 0.5, "in the light most do"
    assert np.median(share[1]) < 0.8 * np.median(share[0])
    assert dark.boarded[1] < light.boarded[1] - 20, "the station beyond the dark plaza loses people"
    assert dark.boarded[0] > light.boarded[0] + 20, "to the one on the lit side"


def share_of_desired(crowd, *, area):
    """Return the speed of everybody in an area over what they would walk alone in the light."""
    walkers = crowd.evening.movement.walkers
    there = (walkers.area == area) & (walkers.y_m > 15)
    assert there.sum() > 10
    return walkers.speed_m_per_s[there] / walkers.desired_speed_m_per_s[there]


def test_a_closed_gate_sends_people_to_the_other(make, two_sides) -> None:
    free, shut = (make(network=two_sides, people=200, modes={"foot": 1.0}) for _ in range(2))
    shut.close_gate("gate_e")
    shut.solve()
    assert not shut.is_open[1]
    for crowd in (free, shut):
        run(crowd, 200)
    assert free.passed[1] > 50
    assert shut.passed[1] == 0
    assert shut.passed[0] == 200, "everybody left by the other gate"


def test_a_gate_that_closes_while_people_queue_at_it_loses_them_to_the_other(make, two_sides) -> None:
    crowd = make(network=two_sides, people=200, modes={"foot": 1.0})
    run(crowd, 25)
    crowd.close_gate("gate_e")
    passed = int(crowd.passed[1])
    run(crowd, 300)
    assert crowd.passed[1] == passed > 0
    assert crowd.gone[0] == 200
    crowd.open_gate("gate_e")
    crowd.solve()
    assert crowd.is_open[1]


def test_who_stands_in_the_very_line_of_a_gate_that_closes_turns_back_too(make, two_sides) -> None:
    crowd = make(network=two_sides, people=200, modes={"foot": 1.0}, cell="1.9 m")
    crowd.narrow_gate("gate_e", 0.2)
    run(crowd, 60)
    walkers = crowd.evening.movement.walkers
    pressed = (walkers.y_m > 11.4) & (walkers.y_m < 12.0) & (walkers.x_m > 13)
    assert pressed.sum() >= 3, "their cell of the raster, 11.4 m to 13.3 m, has its middle beyond the line at 12 m"
    crowd.close_gate("gate_e")
    run(crowd, 500)
    assert crowd.gone[0] == 200


def test_a_gas_leak_clears_its_area_and_diverts_the_others(make, two_sides) -> None:
    crowd = make(network=two_sides, people=200, modes={"foot": 1.0})
    run(crowd, 22)
    crowd.gas_leak_kg_per_s[2] = 0.5  # the eastern plaza
    crowd.solve()
    run(crowd, 300)
    (began,), cleared = said(crowd, "area_clearing"), said(crowd, "area_cleared")
    assert (began.element, began.happened_s, began.facts["why"]) == ("east", 22, "gas")
    assert began.facts["people"] > 10
    assert cleared and cleared[0].element == "east" and 22 < cleared[0].happened_s < 240
    assert crowd.cleared[2] and not crowd.cleared[1]
    control = make(network=two_sides, people=200, modes={"foot": 1.0})
    run(control, 300)
    assert crowd.walked_off[0] > control.walked_off[0] + 20, "people turn to the way out on the other side"


def test_a_leak_below_the_limit_moves_nobody(make, two_sides) -> None:
    crowd = make(network=two_sides, people=40, gas_limit_kg_per_s=0.01)
    crowd.gas_leak_kg_per_s[2] = 0.005
    run(crowd, 30)
    assert not crowd.cleared.any() and not said(crowd, "area_clearing")


def test_an_alert_in_the_stand_empties_the_seats_before_the_event_ends(make) -> None:
    crowd, control = make(people=60, ends="+30 min"), make(people=60, ends="+30 min")
    crowd.alert("bowl", text="leave now")
    for one in (crowd, control):
        run(one, 400)
    assert control.seated[0] == 60
    assert crowd.seated[0] == 0 and crowd.gone[0] == 60
    assert said(crowd, "area_clearing")[0].facts["why"] == "leave now"


def test_a_threat_that_is_reported_is_told_to_those_in_charge_and_moves_nobody(make) -> None:
    crowd = make(people=60, ends="+30 min")
    run(crowd, 30)
    crowd.report_threat("bowl", text="a caller says so")
    run(crowd, 300)
    (told,) = said(crowd, "threat_reported")
    assert (told.element, told.happened_s, told.facts) == ("bowl", 30, {"why": "a caller says so"})
    assert crowd.seated[0] == 60 and not crowd.cleared.any()


def test_held_sectors_leave_in_the_shares_they_are_released(make) -> None:
    crowd = make(people=80)
    crowd.hold("stand")
    run(crowd, 60)
    assert crowd.seated[0] == 80
    crowd.release(share=0.5)
    run(crowd, 360)
    assert 30 <= crowd.seated[0] <= 50
    crowd.release("stand")
    run(crowd, 800)
    assert crowd.seated[0] == 0


def test_trains_stop_without_power_and_people_find_another_way(make, two_sides) -> None:
    crowd = make(network=two_sides, people=200, modes={"metro": 1.0})
    run(crowd, 15)
    crowd.station_powered[1] = False
    crowd.solve()
    assert not crowd.in_service[1]
    run(crowd, 900)
    assert [(r.element, r.happened_s) for r in said(crowd, "station_closed")] == [("metro_e", 15)]
    assert crowd.boarded[1] == 0, "the first train is due at 60 s"
    assert crowd.boarded[0] == 200
    crowd.station_powered[1] = True
    crowd.advance(905)
    assert [r.element for r in said(crowd, "station_opened")] == ["metro_e"]


def test_the_platform_fills_when_the_headway_doubles(make) -> None:
    """S10 of the rehearsals: boarding is limited by what the trains hold, so a longer headway shows on the platform."""

    def longer(data):
        data["stations"][0] |= {"capacity": 15, "headway_s": 30, "dwell_s": 15, "boarding_per_s": 2.0}

    usual, double = (make(change=longer, people=100, modes={"metro": 1.0}) for _ in range(2))
    double.set_headway("metro", 60.0)
    stood = []
    for crowd in (usual, double):
        densities = []
        while crowd.now_s < 150:
            run(crowd, crowd.now_s + 5)
            densities.append(float(crowd.platform_density_per_m2[0]))
            assert densities[-1] == pytest.approx(crowd.count[3] / 200.0), "the density is that of the bodies on it"
        stood.append(np.mean(densities[12:]))
    assert double.boarded[0] == 2 * 15, "two full trains"
    assert 3 * 15 <= usual.boarded[0] <= 5 * 15
    assert stood[1] > 1.15 * stood[0]


def test_a_full_platform_holds_people_back_at_its_entry(make) -> None:
    def small(data):
        data["stations"][0] |= {"limit_per_m2": 0.1, "headway_s": 3600}

    crowd = make(change=small, people=100, modes={"metro": 1.0})
    run(crowd, 150)
    assert 0.1 <= crowd.platform_density_per_m2[0] < 0.13, "20 people on 200 m2"
    assert crowd.waiting[0] > 80, "most of the rest queue outside and count as waiting"
    assert crowd.boarded[0] == 0
