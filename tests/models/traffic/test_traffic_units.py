"""Units that another model sends drive as real vehicles: faster with blue lights, round what is closed, and none is lost."""

from __future__ import annotations

import libsumo
import numpy as np
import pytest

from models.traffic.units import ARRIVED, BLUE, CLASSES, NO_WAY, PLAIN, READY
from twin.ports import FLOW

FIRE = next(code for code, one in enumerate(CLASSES) if one.name == "fire")


def tell(model, *orders: tuple[int, str, int, int]) -> None:
    model.boxes["units"].emit(np.array([(unit, model.index("edge", edge), what, 1, t_s) for unit, edge, what, t_s in orders], FLOW))


def answers(model) -> list[tuple[int, str, int, int]]:
    records = model.boxes["reached"].take()
    return [(int(one["id"]), model.network.edges.ids[one["at"]], int(one["destination"]), int(one["t_s"])) for one in records]


def drive(model, until, what: int, end_s: int = 400) -> int:
    tell(model, (7, "S01f", FIRE, 0), (7, "S12f", what, 5))
    until(model, end_s)
    known, there = answers(model)
    assert known[:3] == (7, "S01f", READY)
    assert there[:3] == (7, "S12f", ARRIVED)
    return there[3] - 5


@pytest.mark.parametrize("mode", ["micro", "meso"])
def test_blue_lights_are_faster_than_without(demo, live, until, mode):
    blue, plain = (drive(live(demo, mode=mode, vehicles=0), until, what) for what in (BLUE, PLAIN))
    assert blue < 0.8 * plain


@pytest.mark.parametrize("mode", ["micro", "meso"])
def test_no_unit_is_lost(demo, live, until, mode):
    model = live(demo, mode=mode)
    edges = model.network.edges.ids
    tell(model, *((unit, edges[unit % len(edges)], unit % len(CLASSES), 0) for unit in range(40)))
    tell(model, *((unit, edges[(unit + 9) % len(edges)], BLUE, 20) for unit in range(40)))
    for end_s in (30, 60, 600):
        until(model, end_s)
        for account in model.ledger():
            assert abs(account.residual) <= account.tolerance, account
    assert sorted(unit for unit, _, said, _ in answers(model) if said == ARRIVED) == list(range(40))


@pytest.mark.parametrize("mode", ["micro", "meso"])
def test_a_unit_on_its_way_turns_to_another_edge(demo, live, until, mode):
    model = live(demo, mode=mode, vehicles=0)
    tell(model, (1, "S01f", FIRE, 0), (1, "S12f", BLUE, 1))
    until(model, 20)
    tell(model, (1, "S02f", BLUE, 20))
    until(model, 300)
    assert [(edge, said) for _, edge, said, _ in answers(model)] == [("S01f", READY), ("S02f", ARRIVED)]


def kept(model) -> None:
    for account in model.ledger():
        assert abs(account.residual) <= account.tolerance, account


@pytest.mark.parametrize("mode", ["micro", "meso"])
@pytest.mark.parametrize(("first", "then"), [(BLUE, PLAIN), (PLAIN, BLUE)])
def test_a_unit_sent_elsewhere_changes_its_blue_lights_on_its_way(demo, live, until, mode, first, then):
    def end_s(what: int) -> int:
        model = live(demo, mode=mode, vehicles=0)
        tell(model, (1, "S01f", FIRE, 0), (1, "S12f", first, 1))
        until(model, 15)
        tell(model, (1, "S12f", what, 15))
        until(model, 25)
        kept(model)
        (trip,) = model.sent.trips.values()
        blue = libsumo.vehicle.getTypeID(trip.vehicle) == "unit_fire_blue"
        assert blue == (what == BLUE) == trip.blue
        assert libsumo.vehicle.getSpeedFactor(trip.vehicle) == pytest.approx(1.5 if blue else 1.0)
        if mode == "micro":
            assert libsumo.vehicle.getParameter(trip.vehicle, "has.bluelight.device") == str(blue).lower()
        until(model, 400)
        kept(model)
        assert not model.sent.orders
        said = answers(model)
        assert [one[:3] for one in said] == [(1, "S01f", READY), (1, "S12f", ARRIVED)]
        return said[-1][-1]

    same_s, changed_s = end_s(first), end_s(then)
    assert changed_s > same_s + 3 if first == BLUE else changed_s < same_s - 3


@pytest.mark.parametrize("mode", ["micro", "meso"])
def test_units_that_change_their_lights_in_traffic_are_counted_and_restored_exactly(demo, live, until, mode):
    model = live(demo, mode=mode)
    edges = model.network.edges.ids
    tell(model, *((unit, edges[unit], unit % len(CLASSES), 0) for unit in range(12)))
    tell(model, *((unit, edges[unit + 9], (BLUE, PLAIN)[unit % 2], 0) for unit in range(12)))
    until(model, 10)
    tell(model, *((unit, edges[unit], (PLAIN, BLUE)[unit % 2], 10) for unit in range(12)))
    until(model, 30)
    kept(model)
    saved = model.snapshot()
    assert any(command == "change_unit" for _, command, _ in saved["engine"]["log"])
    assert saved["engine"]["sent"]["trips"], "some are on their way"
    until(model, 400)
    kept(model)
    expected, said = model.positions(), answers(model)
    again = live(demo, mode=mode)
    again.restore(saved)
    until(again, 400)
    np.testing.assert_array_equal(again.positions(), expected)
    assert answers(again) == said
    assert {unit for unit, _, what, _ in said if what == ARRIVED} == set(range(12))


@pytest.mark.parametrize("mode", ["micro", "meso"])
def test_a_closed_road_is_driven_round_and_a_closed_end_is_no_way(demo, live, until, mode):
    free_s = drive(live(demo, mode=mode, vehicles=0), until, BLUE)
    model = live(demo, mode=mode, vehicles=0)
    for edge in ("S09f", "S04f"):
        model.close_(edge)
    model.solve()
    assert drive(model, until, BLUE) > 1.1 * free_s
    model.close_("S02b")
    model.solve()
    tell(model, (7, "S02b", BLUE, 400))
    until(model, 420)
    assert [one[:3] for one in answers(model)] == [(7, "S02b", NO_WAY)]


@pytest.mark.parametrize("mode", ["micro", "meso"])
def test_units_under_way_are_restored_exactly(demo, live, until, mode):
    def run(model, end_s: int) -> None:
        until(model, end_s)

    model = live(demo, mode=mode)
    edges = model.network.edges.ids
    tell(model, *((unit, edges[unit], unit % len(CLASSES), 0) for unit in range(12)))
    tell(model, *((unit, edges[unit + 9], BLUE, 3 * unit) for unit in range(12)))
    run(model, 40)
    model.close_("S04f")
    model.solve()
    run(model, 70)
    saved = model.snapshot()
    assert saved["engine"]["sent"]["trips"], "some are on their way"
    run(model, 200)
    expected, said = model.positions(), answers(model)
    again = live(demo, mode=mode)
    again.restore(saved)
    run(again, 200)
    np.testing.assert_array_equal(again.positions(), expected)
    assert answers(again) == said
