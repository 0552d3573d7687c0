"""People who reach a car park drive home once; cars that charge draw what physics and the feeder allow."""

from __future__ import annotations

import numpy as np
import pytest

from models.traffic.charging import CAPACITY_KWH, EFFICIENCY, Charging
from twin.ports import FLOW


def records(count: int, *, destination: int = -1, size: int = 3) -> np.ndarray:
    return np.array([(i, 0, destination, size, 0) for i in range(count)], FLOW)


@pytest.mark.parametrize("mode", ["micro", "meso"])
def test_everybody_who_reaches_the_car_park_leaves_once(demo, live, until, mode):
    model = live(demo, mode=mode, vehicles=0)
    model.boxes["arrivals"].emit(records(30))
    until(model, 900)
    cars, people = model.ledger()[1:3]
    assert (cars.gained, cars.lost, cars.held) == (30, 30, 0)
    assert (people.gained, people.lost, people.held) == (90, 90, 0)
    assert model.departed[0] == model.arrived[0] == 30
    told = [one for one in model.notices if one.notice == "vehicle_arrived"]
    assert sum(one.facts["people"] for one in told) == 90
    assert len({one.facts["vehicle"] for one in told}) == 30


def test_cars_are_conserved_while_they_wait_and_drive(demo, live, until):
    model = live(demo)
    model.boxes["arrivals"].emit(records(60))
    for end_s in (10, 40, 120):
        until(model, end_s)
        for account in model.ledger():
            assert abs(account.residual) <= account.tolerance, account
    assert model.ledger()[1].held > 0


def test_a_destination_is_kept(demo, live):
    import libsumo

    model = live(demo, vehicles=0)
    model.boxes["arrivals"].emit(records(4, destination=2))
    model.advance(20)
    goals = {libsumo.vehicle.getRoute(id)[-1] for id in libsumo.vehicle.getIDList()}
    assert goals == {model.network.sites.exits[2].edge}


def test_nobody_leaves_a_car_park_whose_road_is_closed_and_nobody_is_lost(demo, live, until):
    model = live(demo, vehicles=0)
    model.close_(model.network.sites.carparks[0].edge)
    model.solve()
    model.boxes["arrivals"].emit(records(5))
    until(model, 60)
    assert model.departed[0] == 0
    assert model.waiting[0] == 5
    model.reopen(model.network.sites.carparks[0].edge)
    model.solve()
    until(model, 400)
    assert model.ledger()[1].lost == 5


def test_a_charging_site_without_power_draws_nothing_at_once(demo, live, until):
    model = live(demo)
    points = model.network.sites.chargers[0]
    assert model.charging_mw[0] == pytest.approx(points.parked * points.point_kw / 1000, rel=0.3)
    model.charger_powered[:] = False
    model.solve()
    assert model.charging_mw[0] == 0
    soc = model.charging.soc.copy()
    until(model, 60)
    assert np.array_equal(model.charging.soc[: soc.size], soc)
    model.charger_powered[:] = True
    model.solve()
    assert model.charging_mw[0] > 0


def test_a_car_charges_at_constant_power_and_then_tapers():
    charging = Charging(np.array([1]), np.array([7.0]))
    assert charging.plug(0, 0.5)
    powered = np.array([True])
    for _ in range(3600):
        charging.step(powered)
    # below 80 % the power is constant: 7 kWh drawn in an hour, 0.9 of it stored
    assert charging.drawn_kwh == pytest.approx(7.0)
    assert charging.soc[0] == pytest.approx(0.5 + 7.0 * EFFICIENCY / CAPACITY_KWH)
    charging.soc[:] = 0.8
    for _ in range(3600):
        charging.step(powered)
    # above, dsoc/dt = (1 - soc) / tau with tau = 0.2 capacity / (efficiency power): 1 - soc = 0.2 exp(-t / tau)
    tau_h = 0.2 * CAPACITY_KWH / (EFFICIENCY * 7.0)
    assert 1 - charging.soc[0] == pytest.approx(0.2 * np.exp(-1.0 / tau_h), rel=1e-3)


def test_a_full_site_takes_no_more_cars_and_energy_is_conserved():
    charging = Charging(np.array([2, 1]), np.array([7.0, 50.0]))
    assert charging.plug(0, 0.3) and charging.plug(0, 0.4) and not charging.plug(0, 0.5)
    assert charging.plug(1, 0.2)
    for _ in range(600):
        charging.step(np.array([True, True]))
    assert charging.site_mw(np.array([True, False])).tolist() == pytest.approx([0.014, 0.0])
    assert charging.unplug(0) and charging.plugged().tolist() == [1, 1]
    stored = charging.brought_kwh + charging.drawn_kwh * EFFICIENCY
    assert stored - charging.taken_kwh - charging.held_kwh() == pytest.approx(0.0, abs=1e-9)
