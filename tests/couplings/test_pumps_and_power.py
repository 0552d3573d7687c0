"""A pump draws what its water needs from its bus: hydraulic power over efficiency, and back when the bus dies."""

from __future__ import annotations

import pytest
from demo_city import RECORD_S, alike_before, at, said, series, value

from twin.results import Run

CAUSE_S, BACK_S = 63, 123
STOP, START = at(CAUSE_S, "water.stop_pump", pump="PU1"), at(BACK_S, "water.start_pump", pump="PU1")
EFFICIENCY = 0.75
"""Of [ENERGY] in water's demo."""
BUS_MW = 0.8
"""The network file's own load at B2."""


@pytest.fixture
def act(stage):
    return stage("grid", "water", duration="180 s")


def power_mw(run: Run, second: int) -> float:
    """Return rho g Q H / efficiency of PU1, which lifts from R1 (8 m) to the head at J0."""
    flow = value(run, "water.pump_flow_m3_per_s", "PU1", second)
    return 9810 * flow * (value(run, "water.head_m", "J0", second) - 8.0) / EFFICIENCY / 1e6


def the_bus_feels_the_pump(run: Run) -> None:
    before, now, back = CAUSE_S - RECORD_S, CAUSE_S, BACK_S
    assert power_mw(run, before) > 0.01
    drawn = value(run, "grid.served_mw", "B2", before) - BUS_MW
    assert drawn == pytest.approx(power_mw(run, before), rel=0.01), "drawn: the bus serves what the pump lifts"
    assert value(run, "grid.served_mw", "B2", now) == pytest.approx(BUS_MW, abs=1e-6), "in the second the pump stops"
    less = value(run, "grid.p_mw", "L1", before) - value(run, "grid.p_mw", "L1", now)
    assert less == pytest.approx(drawn, rel=0.03), "and the feeder carries that much less, and some losses"
    assert value(run, "grid.served_mw", "B2", back) - BUS_MW == pytest.approx(drawn, rel=0.01)


def test_a_pump_that_stops_relieves_its_bus(act):
    base, run, cut = act.run(), act.run(STOP, START), act.run(STOP, START, cut="load")
    alike_before(base, run, CAUSE_S)
    the_bus_feels_the_pump(run)
    alike_before(act.run(cut="load"), cut, CAUSE_S)
    with pytest.raises(AssertionError, match="drawn: "):
        the_bus_feels_the_pump(cut)


def test_the_loop_of_pump_and_power_settles_when_the_bus_dies_and_comes_back(act):
    run = act.run(at(CAUSE_S, "grid.fault", line="L1"), at(BACK_S, "grid.repair", line="L1"), at(BACK_S, "grid.restore_normal"))
    assert said(run, "water", "pump_stopped") == [(CAUSE_S, "PU1")]
    assert said(run, "water", "pump_started") == [(BACK_S, "PU1")]
    pumped = series(run, "water.power_mw", "PU1")
    live = series(run, "grid.energized", "B2") > 0
    assert (live == (pumped > 0)).all() and not live.all() and live[-1]
    served = series(run, "grid.served_mw", "B2")
    assert served[live] == pytest.approx(BUS_MW + pumped[live], abs=1e-6), "both sides say the same at every recorded instant"
    assert not served[~live].any()
    assert run.timing.loc["grid", "solves"] <= 12
