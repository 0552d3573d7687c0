"""S8: what demand response changes on a hot afternoon on which a cable has failed."""

from __future__ import annotations

import numpy as np
import pytest
from with_and_without import kpi, seconds, verdict, with_and_without

JOINT_S = (12 * 60 + 40 - 6 * 60) * 60
"""12:40, of a run that begins at 06:00."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return with_and_without("s08_heatwave", tmp_path_factory.mktemp("s08"))


def test_demand_is_fifteen_percent_up_in_the_hottest_hour(runs):
    _, nothing = runs
    bus = "B69"  # homes alone: 0.85 of the evening's load by the daily profile from 12:00 to 16:00
    served = nothing.fields["grid"].served_mw.sel(bus=bus).values.astype(float)
    at = {hour: int(np.flatnonzero(nothing.times_s == (hour - 6) * 3600)[0]) for hour in (15, 21)}
    factor = [row["facts"]["factor"] for _, row in nothing.events.iterrows() if (row["name"], row["element"]) == ("scale_load", bus)]
    assert max(factor) == pytest.approx(1.15, abs=0.005), "the catalogue's 15 %"
    assert served[at[15]] / served[at[21]] == pytest.approx(0.85 * 1.15 / (1.0 * factor_at(nothing, bus, 21)), rel=0.02)


def factor_at(run, bus, hour):
    rows = run.events
    rows = rows[(rows["name"] == "scale_load") & (rows["element"] == bus) & (rows["t_happened_s"] <= (hour - 6) * 3600)]
    return float(rows.iloc[-1]["facts"]["factor"])


def test_left_alone_the_cable_that_carries_two_feeders_trips_on_overload(runs):
    planned, nothing = runs
    # 1.2 times the rating is the relays' setting (models/grid); what the ring asks for at 15:00 is 127 % of it
    tripped = [t_s for t_s in seconds(nothing, "grid", "line_tripped") if t_s > JOINT_S]
    assert tripped
    assert JOINT_S < tripped[0] < (16 - 6) * 3600
    assert [t_s for t_s in seconds(planned, "grid", "line_tripped") if t_s > JOINT_S] == []


def test_demand_response_keeps_cables_within_their_rating_and_lights_on(runs):
    planned, nothing = runs
    assert verdict(planned, "longest_overload") == "met"
    assert verdict(nothing, "longest_overload") == "missed"
    assert kpi(nothing, "longest_overload") > 30, "min, and only because the cable trips"
    # a quarter of two stations' load for an afternoon against all of it from the trip on
    assert 3 < kpi(planned, "curtailed") < 25
    assert kpi(nothing, "curtailed") == 0
    assert kpi(planned, "unserved") < 0.1 * kpi(nothing, "unserved")
    assert (verdict(planned, "unserved"), verdict(nothing, "unserved")) == ("met", "missed")


def test_the_agreement_ends_in_the_evening(runs):
    planned, _ = runs
    asked = seconds(planned, "grid", "curtail", "B33")
    assert len(asked) == 2
    assert planned.fields["grid"].curtailed_mw.values[-1].sum() == 0
