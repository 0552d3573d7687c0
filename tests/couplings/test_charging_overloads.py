"""A depot of electric vans is switched in: its feeder carries too much, and the relay trips when its curve says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from demo_city import DEPOT_LINE, alike_before, at, said, series, value

from twin.results import Run

ON_S = 63
SWITCH_IN = at(ON_S, "grid.close", line=DEPOT_LINE)
PICKUP, TMS = 1.2, 0.5


def trip_s(percent: np.ndarray) -> int:
    """Return after how many seconds an IEC 60255-151 standard inverse relay operates, of loadings second by second.

    t(I) = TMS 0.14 / ((I / Is)^0.02 - 1); it operates when the integral of dt / t(I) is 1 (eq. 2 of the standard).
    """
    over = np.maximum(percent / 100 / PICKUP, 1.0)
    travel = np.cumsum((over**0.02 - 1) / (TMS * 0.14))
    return int(np.flatnonzero(travel >= 1 - 1e-6)[0]) + 1


def the_feeder_trips(run: Run) -> None:
    on = list(run.times_s).index(ON_S)
    charging, loading = series(run, "traffic.charging_mw", "depot"), series(run, "grid.loading_percent", "L1")
    assert charging[on] == pytest.approx(5.0), "twenty points of 250 kW, in the second they get power"
    assert not charging[:on].any()
    # sqrt(3) 10 kV 0.362 kA = 6.27 MVA: 2.4 MW and 0.67 MW of venues before, 5 MW at a power factor of 0.95 after
    assert loading[on - 1] < 60
    assert loading[on] > 100 * PICKUP, "overload: above the relay's setting in the same second"
    assert (ON_S, "L1") in said(run, "grid", "overload")
    tripped = {line: second for second, line in said(run, "grid", "line_tripped")}
    assert list(tripped) == ["L1"]
    assert tripped["L1"] == ON_S + trip_s(loading[on:])
    assert 10 < tripped["L1"] - ON_S < 120
    after = list(run.times_s).index(tripped["L1"])
    assert value(run, "grid.energized", "B1", tripped["L1"]) == 0
    assert not charging[after + 1 :].any(), "and the trip ends the charging"
    assert math.isclose(loading[after], 0.0, abs_tol=1e-6)


def test_charging_overloads_its_feeder_which_trips_by_its_inverse_time_curve(stage):
    act = stage("grid", "traffic", options={"traffic": {"vehicles": 0}}, duration="180 s", record_every="1 s")
    base, run, cut = act.run(), act.run(SWITCH_IN), act.run(SWITCH_IN, cut="load")
    alike_before(base, run, ON_S)
    the_feeder_trips(run)
    alike_before(act.run(cut="load"), cut, ON_S)
    assert series(cut, "traffic.charging_mw", "depot")[-1] > 4, "it charges, and nobody feels it"
    assert not said(base, "grid", "line_tripped")
    with pytest.raises(AssertionError, match="overload: "):
        the_feeder_trips(cut)
