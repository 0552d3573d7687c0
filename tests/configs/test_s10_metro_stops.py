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
    # left alone people wait the whole 35 minutes; the first bus comes within 20, and two stations with two buses of 80 every 2 minutes
    # take all 500 within 10 more: on the mean 25 of 35 minutes
    assert kpi(planned, "waited") < 25 / 35 * kpi(nothing, "waited")
    home, left = (mean(run, "crowd.gone", ["everybody"], RUNS_S - 120, RUNS_S) for run in runs)
    assert home > left + 240, "who stood at the two stations with buses; some three quarters of the 500 came too late for a train"
    assert (verdict(planned, "district_clear"), verdict(nothing, "district_clear")) == ("met", "missed"), "no train for 35 min"


def test_trains_run_again_when_the_metro_has_mended_them_and_the_plan_ends_on_that_news(runs):
    planned = runs[0]
    for run in runs:
        again = run.events.query("kind == 'action' and name == 'resume_trains'")
        assert set(again.source) == {"timeline"} and set(again.t_happened_s) == {RUNS_S}
    assert seconds(planned, "crowd", "station_opened", "yuantong") == [RUNS_S], "told to be closed, and open again"
    assert seconds(planned, "plans", "stood_down") == [RUNS_S + 60]
