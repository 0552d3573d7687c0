"""S1: spare scanner lanes, stands released in two stages and trains called in, against a night on which nobody acts."""

from __future__ import annotations

import pytest
from with_and_without import kpi, mean, seconds, verdict, with_and_without

FAILED_S, ENDS_S = 420, 9120
"""19:05 and 21:30, from 18:58."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return with_and_without("s01_opening_ceremony", tmp_path_factory.mktemp("s01"))


def test_a_bank_of_scanners_fails_and_is_replaced_lane_for_lane(runs):
    planned, nothing = runs
    first, *again = seconds(planned, "crowd", "meter_gate", "gate_e")[1:]
    assert first == FAILED_S and len(again) == 1 and FAILED_S < again[0] < 1800
    assert seconds(nothing, "crowd", "meter_gate", "gate_e")[1:] == [FAILED_S]
    assert kpi(planned, "through_gate_e") > 1.3 * kpi(nothing, "through_gate_e"), "eight people a minute in place of one"
    assert verdict(planned, "seated_in_time") == "met"


def test_the_second_stage_waits_for_its_release(runs):
    planned, nothing = runs
    second = ["sector_s", "sector_e", "sector_n", "sector_w"]
    assert mean(planned, "crowd.seated", second, ENDS_S + 300, ENDS_S + 360) > 3 * mean(
        nothing, "crowd.seated", second, ENDS_S + 300, ENDS_S + 360
    )
    assert verdict(planned, "second_stands_clear") == "met", "the Green Guide's eight minutes, from the release"


def test_trains_called_in_end_the_wait(runs):
    planned, nothing = runs
    headways = seconds(planned, "crowd", "set_headway", "aoti_dong")
    assert len(headways) == 3 and len(seconds(nothing, "crowd", "set_headway", "aoti_dong")) == 2
    assert verdict(planned, "district_clear") == "met" and kpi(planned, "district_clear") < 40, "first measured: 31 min"
    assert verdict(nothing, "district_clear") == "not reached", "at the doubled headway the next train comes after the run"
