"""S10: what metering, telling people and a bus bridge change when the metro stops while people go home."""

from __future__ import annotations

import pytest
from with_and_without import kpi, mean, seconds, verdict, with_and_without

STOP_S, RUNS_S = 300, 2400
"""21:45 and 22:20, from 21:40."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return with_and_without("s10_metro_stops", tmp_path_factory.mktemp("s10"))


def test_nobody_is_told_so_nobody_leaves_the_platforms(runs):
    _, nothing = runs
    stations = ["aoti_dong", "aoti_zhongxin", "mengdu_dajie", "yuantong"]
    assert not seconds(nothing, "crowd", "station_closed")
    assert mean(nothing, "crowd.waiting", stations, RUNS_S - 300, RUNS_S - 60) > 60, (
        "of 500, those who came too late for a train, per station"
    )
    assert kpi(nothing, "first_bus") is None and verdict(nothing, "first_bus") == "not reached"


def test_buses_drive_there_and_then_the_bridge_begins(runs):
    planned, _ = runs
    sent, on_scene, began = (
        seconds(planned, *what) for what in (("response", "sent"), ("response", "on_scene"), ("crowd", "bus_bridge_began"))
    )
    assert STOP_S < min(sent) < min(on_scene) < min(began) <= STOP_S + 1200
    assert verdict(planned, "first_bus") == "met"


def test_the_bridge_takes_people_home_and_fewer_hours_are_waited(runs):
    planned, nothing = runs
    # the physics: until trains run again everybody left behind waits; first measured: 112 hours and 247
    assert kpi(planned, "waited") < 0.75 * kpi(nothing, "waited")
    assert (
        mean(planned, "crowd.gone", ["everybody"], RUNS_S - 120, RUNS_S)
        > mean(nothing, "crowd.gone", ["everybody"], RUNS_S - 120, RUNS_S) + 50
    )
    assert (verdict(planned, "district_clear"), verdict(nothing, "district_clear")) == ("met", "missed"), "first measured: 22 and 38 min"
