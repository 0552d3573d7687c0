"""Water on a road: slower by the published curve, closed and stalled where it is deep, back when it drains; exact after a restore."""

from __future__ import annotations

import numpy as np
import pytest

from models.traffic import Traffic
from models.traffic.flooding import STEP_M_PER_S, wading_m_per_s
from twin.host import Inline


@pytest.mark.parametrize(("depth_m", "km_per_h"), [(0.05, 61.55), (0.1, 40.65), (0.15, 24.26), (0.2, 12.36), (0.3, 2.07)])
def test_speed_in_water_is_the_published_curve(depth_m, km_per_h):
    """By hand from v = 0.0009 w^2 - 0.5529 w + 86.9448 (w mm): Pregnolato et al. 2017, doi 10.1016/j.trd.2017.06.020."""
    assert wading_m_per_s(np.array([depth_m]))[0] * 3.6 == pytest.approx(km_per_h, abs=3.6 * STEP_M_PER_S / 2 + 0.01)


def test_no_water_no_limit_and_deeper_is_never_faster():
    assert np.isinf(wading_m_per_s(np.zeros(1)))[0]
    speeds = wading_m_per_s(np.linspace(0.001, 2.0, 200))
    assert (np.diff(speeds) <= 0).all() and (speeds > 0).all()


@pytest.fixture
def fresh(tmp_path):
    live = []

    def make(**options):
        while live:
            live.pop().close()
        setup = Traffic.demo(tmp_path)
        host = Inline(Traffic(type(setup)(**{**vars(setup), "options": options})))
        host.start_open()
        host.start_solve()
        live.append(host)
        return host

    yield make
    while live:
        live.pop().close()


def go(host, *stops):
    """Move to each second and solve; returns what was noticed."""
    said = []
    for stop in stops:
        host.start_advance(stop, (), {})
        said += host.finish().notices
        host.start_solve()
        said += host.finish().notices
    return said


def busiest(model):
    return int(np.argmax(model.seen_count))


def test_cars_stall_in_deep_water_and_go_on_when_it_drains(fresh):
    host = fresh()
    go(host, 120)
    model = host.model
    edge = busiest(model)
    count = int(model.seen_count[edge])
    assert count > 0
    model.flood_m[edge] = 0.35
    said = go(host, 120, 130, 140, 150)
    assert not model.is_open[edge]
    stalled = [n for n in said if n.notice == "vehicles_stalled"]
    assert [(n.element, n.facts["count"]) for n in stalled] == [(model.elements["edge"].ids[edge], count)]
    assert [n.facts["cause"] for n in said if n.notice == "edge_closed"] == ["flood"]
    assert model.stalled[0] == count
    go(host, 500)
    assert model.seen_count[edge] == count, "they stand there, longer than SUMO lets anybody wait in a jam"
    assert model.speed_m_per_s[edge] == 0.0
    model.flood_m[edge] = 0.0
    go(host, 510, 600)
    assert model.is_open[edge]
    assert model.speed_m_per_s[edge] > 0.0 or model.seen_count[edge] == 0


def test_cars_stall_in_deep_water_on_a_road_that_is_closed_already(fresh):
    host = fresh()
    go(host, 120)
    model = host.model
    edge = busiest(model)
    assert model.seen_count[edge] > 0
    model.gas_leak_kg_per_s[edge] = 1.0
    go(host, 121)
    assert not model.is_open[edge]
    model.flood_m[edge] = 0.35
    go(host, 122)
    stalled = int(model.stalled[0])
    assert stalled > 0
    model.gas_leak_kg_per_s[edge] = 0.0
    go(host, 400)
    assert not model.is_open[edge] and model.seen_count[edge] == stalled, "they stand there, and nobody follows them in"
    model.flood_m[edge] = 0.0
    go(host, 410)
    assert model.is_open[edge]


def test_shallow_water_slows_and_a_hand_set_limit_stays_when_it_drains(fresh):
    host = fresh()
    go(host, 120)
    model, edge = host.model, busiest(host.model)
    model.flood_m[edge] = 0.2
    go(host, 130)
    assert model.is_open[edge]
    assert model.wading_m_per_s[edge] * 3.6 == pytest.approx(12.36, abs=0.5)
    go(host, 180)
    assert model.speed_m_per_s[edge] <= model.wading_m_per_s[edge] * 1.3
    model.flood_m[edge] = 0.0
    go(host, 190)
    assert model.wading_m_per_s[edge] == 0.0


@pytest.mark.parametrize("mode", ["micro", "meso"])
def test_a_restore_in_a_flood_goes_on_alike(fresh, mode):
    """At every instant, in every output: SUMO counts an engine as running where it was not asked for its emission before."""

    def goes_on(host):
        seen = []
        for stop in range(190, 250, 10):
            go(host, stop)
            seen.append({name: array.copy() for name, array in host.model.arrays.items()})
        host.model.flood_m[edge] = 0.0
        go(host, 300)
        return [*seen, {name: array.copy() for name, array in host.model.arrays.items()}], host.positions()

    host = fresh(mode=mode)
    go(host, 120)
    edge = busiest(host.model)
    host.model.flood_m[edge] = 0.12
    go(host, 150)
    host.model.flood_m[edge] = 0.4
    go(host, 160, 170, 180)
    saved = host.snapshot()
    expected, positions = goes_on(host)
    again = fresh(mode=mode)
    again.model.restore(saved)
    found, same_positions = goes_on(again)
    for moment, (was, now) in enumerate(zip(expected, found, strict=True)):
        for name, array in was.items():
            np.testing.assert_array_equal(now[name], array, err_msg=f"{name}, moment {moment}")
    np.testing.assert_array_equal(same_positions, positions)


def test_roads_that_are_closed_in_time_have_nobody_left_to_stall(fresh):
    host = fresh()
    go(host, 120)
    model = host.model
    edge = busiest(model)
    assert model.seen_count[edge] > 0
    model.close_flooded(0.15)
    model.flood_m[edge] = 0.2
    said = go(host, *range(120, 300, 10))
    assert [n.facts["cause"] for n in said if n.notice == "edge_closed"] == ["flood"]
    model.flood_m[edge] = 0.4
    said = go(host, 300, 310)
    assert [n.notice for n in said if n.notice == "vehicles_stalled"] == []
    assert model.stalled[0] == 0
    model.flood_m[edge] = 0.1
    go(host, 310, 320)
    assert not model.is_open[edge], "closed at 0.15 m, so until 0.075 m"
    model.flood_m[edge] = 0.05
    go(host, 320, 330)
    assert model.is_open[edge]
