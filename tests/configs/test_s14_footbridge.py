"""S14: two crowds meet on a footbridge; one bridge for each way keeps it from filling up."""

from __future__ import annotations

import pytest
from with_and_without import kpi, seconds, verdict, with_and_without


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return with_and_without("s14_footbridge", tmp_path_factory.mktemp("s14"))


def test_each_way_gets_a_bridge_of_its_own_when_the_first_fills_up(runs):
    planned, nothing = runs
    (north,), (south,) = seconds(planned, "crowd", "one_way", "north_bridge_1"), seconds(planned, "crowd", "one_way", "south_bridge_2")
    assert min(north, south) > 60 and max(north, south) < 900
    assert not seconds(nothing, "crowd", "one_way")
    assert kpi(nothing, "densest_south") < 0.1 < kpi(planned, "densest_south"), "left alone everybody takes the nearer bridge"


def test_the_plan_keeps_the_bridge_thinner_and_takes_more_people_over(runs):
    """Opposite flows on one deck stop each other once bodies touch (Fruin: 3.57 people/m2; planning limit 4); each way on its own moves.

    Weidmann's flow is at its best at 1.75 people/m2, half of what touching takes; two decks one way each pass at least twice what
    one deck both ways does, which must share its stairs of 66 people/m/min even while it moves.
    """
    planned, nothing = runs
    assert kpi(planned, "densest_north") < 0.7 * kpi(nothing, "densest_north")
    assert kpi(planned, "densest_north") < 3 and kpi(nothing, "densest_north") > 4
    assert kpi(planned, "above") == 0 < kpi(nothing, "above")
    assert kpi(planned, "over_the_bridges") > 2 * kpi(nothing, "over_the_bridges")
    assert kpi(planned, "home") > 1.5 * kpi(nothing, "home")
    assert verdict(planned, "densest_north") == verdict(planned, "densest_south") == "met"
