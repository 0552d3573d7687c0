"""S7: what shut roads and cleared inlets change against a red-warning rain on which nobody does anything."""

from __future__ import annotations

import pytest
from with_and_without import kpi, seconds, verdict, with_and_without

from twin.results import Run

PEAK_S, CLOGGED_S = 72 * 60, 70 * 60
"""A Chicago storm of three hours whose peak comes after 40 % of it; when the inlets clog."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return with_and_without("s07_plum_rain", tmp_path_factory.mktemp("s07"))


def deepest(run: Run, port: str, element: str) -> float:
    """Return the greatest depth that was recorded."""
    sheet, declared = run.port(port)
    return float(run.fields[sheet.name][declared.name].sel({declared.at: element}).max())


def test_the_underpasses_fill_after_the_peak_and_the_substation_two_hours_in(runs):
    planned, nothing = runs
    for run in runs:
        flooded = seconds(run, "drainage", "underpass_flooded")
        assert flooded
        assert PEAK_S - 300 < flooded[0] < PEAK_S + 1200
        # the catalogue's inject is 0.5 m after 90 min: by SWMM more than that stands in both
        assert min(deepest(run, "drainage.underpass_m", name) for name in ("UP1", "UP2")) > 0.5
    tripped = seconds(nothing, "grid", "trafo_flooded")
    assert len(tripped) == 2
    assert CLOGGED_S + 40 * 60 < tripped[0] < 135 * 60
    assert seconds(planned, "grid", "trafo_flooded") == []


def test_cars_break_down_only_where_nobody_shut_the_roads(runs):
    planned, nothing = runs
    assert kpi(nothing, "stalled") >= 10, "first measured: 50"
    assert kpi(planned, "stalled") <= 0.2 * kpi(nothing, "stalled")
    assert verdict(planned, "underpass_shut") == "met"
    assert verdict(nothing, "stalled") == "missed"


def test_a_substation_kept_dry_keeps_its_pumps(runs):
    planned, nothing = runs
    assert kpi(planned, "substation") < 0.5 <= kpi(nothing, "substation")
    assert (verdict(planned, "pumps_up"), verdict(planned, "trafos"), verdict(planned, "unserved")) == ("met", "met", "met")
    ready = nothing.fields["drainage"].pump_ready.values[-1]
    # six of the twelve stations and an underpass hang on the north substation
    assert 0.3 < ready.mean() < 0.8
    assert planned.fields["drainage"].pump_ready.values[-1].all()


def test_inlets_are_cleared_when_the_crew_has_come_and_worked(runs):
    planned, nothing = runs
    cleared = [t_s for t_s in seconds(planned, "drainage", "block_inlet") if t_s > CLOGGED_S]
    assert cleared
    on_scene = seconds(planned, "response", "on_scene")
    assert on_scene[0] < CLOGGED_S + 600, "sent when the rain told of the peak, before the streets stood in water"
    assert on_scene[0] + 600 < cleared[0] < CLOGGED_S + 50 * 60
    assert [t_s for t_s in seconds(nothing, "drainage", "block_inlet") if t_s > CLOGGED_S] == []
