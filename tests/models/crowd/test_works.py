"""Ground that people are kept off, footbridges across it, and gates that are passed one way."""

from __future__ import annotations

import numpy as np
import pytest

from twin.errors import InputError

ROAD = {"barred": {"road": [[18, 13], [26, 13], [26, 45.5], [18, 45.5]]}}
BRIDGE = {"footbridges": {"east": {"from": [15, 24], "to": [29, 24], "width": "3 m"}}}
TWO = {"footbridges": BRIDGE["footbridges"] | {"north": {"from": [15, 38], "to": [29, 38], "width": "3 m"}}}


def run(crowd, until_s, step_s=5):
    while crowd.now_s < until_s:
        crowd.advance(min(crowd.now_s + step_s, until_s))
        crowd.solve()


def outputs(crowd):
    return {name: array.tobytes() for name, array in crowd.arrays.items()} | {"tracks": crowd.positions().tobytes()}


def test_who_must_cross_goes_by_the_bridge(make) -> None:
    crowd = make(people=60, modes={"metro": 1.0}, **ROAD, **BRIDGE)
    assert crowd.elements["area"].ids[-1] == "east" and crowd.elements["gate"].ids[-2:] == ("east_1", "east_2")
    run(crowd, 300)
    assert crowd.boarded[0] == 60
    assert crowd.passed[crowd.index("gate", "east_1")] == crowd.passed[crowd.index("gate", "east_2")] == 60


def test_no_bridge_no_way(make) -> None:
    with pytest.raises(InputError, match="no way from gate 'gate_n' to 'metro'"):
        make(people=10, **ROAD)


def test_a_bridge_over_nothing_is_refused(make) -> None:
    with pytest.raises(InputError, match="it must cross one stretch"):
        make(people=10, **BRIDGE)


def test_who_may_not_enter_here_takes_the_other_bridge(make) -> None:
    crowd = make(people=60, modes={"metro": 1.0}, **ROAD, **TWO)
    crowd.one_way("east_1", "out")
    run(crowd, 400)
    passed = dict(zip(crowd.elements["gate"].ids, crowd.passed.tolist(), strict=True))
    assert passed["east_1"] == 0 and passed["north_1"] == passed["north_2"] == 60
    assert crowd.boarded[0] == 60


def test_who_may_enter_only_one_way_still_enters_that_way(make) -> None:
    crowd = make(people=60, modes={"metro": 1.0}, **ROAD, **TWO)
    crowd.one_way("east_1", "in")
    run(crowd, 400)
    assert crowd.passed[crowd.index("gate", "east_1")] > 30 and crowd.boarded[0] == 60


def test_a_closed_bridge_sends_those_on_their_way_to_the_other(make) -> None:
    crowd = make(people=60, modes={"metro": 1.0}, **ROAD, **TWO)
    run(crowd, 25)
    crowd.close_gate("east_1")
    at = int(crowd.passed[crowd.index("gate", "east_1")])
    run(crowd, 400)
    assert crowd.passed[crowd.index("gate", "east_1")] == at < 60
    assert crowd.passed[crowd.index("gate", "north_1")] == 60 - at
    assert crowd.boarded[0] == 60


def test_a_bridge_for_each_way_is_no_worse_than_both_ways_on_both(make) -> None:
    def densest(one_way: bool) -> tuple[float, int]:
        crowd = make(people=100, arrive=("+0 s", "+20 s", "+60 s"), arriving=0.5, modes={"metro": 1.0}, ends="+10 s", **ROAD, **TWO)
        if one_way:
            crowd.one_way("east_1", "in")
            crowd.one_way("north_2", "in")
        most = 0.0
        while crowd.now_s < 240:
            run(crowd, crowd.now_s + 5)
            most = max(most, float(crowd.density_per_m2[crowd.index("area", "east")]))
        return most, int(crowd.gone[0] + crowd.seated.sum())

    (both, done), (apart, done_apart) = densest(False), densest(True)
    assert apart <= both and done_apart >= done - 2


def test_a_restored_crowd_keeps_its_one_way_bridge(make) -> None:
    def fresh():
        return make(people=60, modes={"metro": 1.0}, **ROAD, **TWO)

    first = fresh()
    run(first, 20)
    first.one_way("east_1", "out")
    run(first, 40)
    again = fresh()
    again.restore(first.snapshot())
    for crowd in (first, again):
        run(crowd, 200)
    assert outputs(first) == outputs(again) and np.any(first.passed)
