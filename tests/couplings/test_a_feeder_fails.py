"""A feeder fails: its signal goes dark, its pump stops, its venue darkens, its station closes. Each with its link severed too."""

from __future__ import annotations

import numpy as np
import pytest
from demo_city import START_S, UPS_S, alike_before, at, first_apart_s, said, series, value

from twin.results import Run

FAULT_S = 183
FAULT = at(FAULT_S, "grid.fault", line="L1")
CROWD_STEP_S = 5
"""The crowd's period: a change reaches its people at the latest then."""


# -- feeder -> signals -> delay -----------------------------------------------------------------------------------------


def the_junction_is_delayed(base: Run, run: Run) -> None:
    assert said(run, "grid", "bus_dead")[0][0] == FAULT_S
    assert said(run, "traffic", "signal_dark") == [(FAULT_S, "X11")], "dark: the signal went dark in the second of the fault"
    assert value(run, "traffic.is_lit", "X11", FAULT_S) == 0
    assert FAULT_S < first_apart_s(base, run, "traffic.delay_s", "X11", every_s=30) <= FAULT_S + 30
    # a four-way stop passes a vehicle in some 4 s (HCM 2000, ch. 17), 900 an hour; 2,400 trips an hour cross this district
    end_s = int(run.times_s[-1])
    assert value(run, "traffic.delay_s", "X11", FAULT_S + 120) > 1.5 * value(base, "traffic.delay_s", "X11", FAULT_S + 120)
    assert value(run, "traffic.delay_s", "X11", end_s) > 2.5 * value(base, "traffic.delay_s", "X11", end_s)
    assert value(run, "traffic.arrived", "all", end_s) < 0.9 * value(base, "traffic.arrived", "all", end_s)


def test_a_feeder_darkens_its_signals_and_the_junction_is_delayed(stage):
    act = stage("traffic", "grid", duration="420 s")
    base, run, cut = act.run(), act.run(FAULT), act.run(FAULT, cut="supply")
    alike_before(base, run, FAULT_S)
    the_junction_is_delayed(base, run)
    alike_before(act.run(cut="supply"), cut, FAULT_S)
    with pytest.raises(AssertionError, match="dark: "):
        the_junction_is_delayed(base, cut)


# -- feeder -> pump -> pressure -> demand -------------------------------------------------------------------------------

HOMES = ("J1", "J2", "J3", "J4", "J5", "J6")
BACK_S = 303
RETURN = (at(BACK_S, "grid.repair", line="L1"), at(BACK_S, "grid.restore_normal"))


def served(run: Run) -> np.ndarray:
    """Return (time,) m3/s that all junctions get."""
    return np.asarray(run.fields["water"].served_m3_per_s.values, float).sum(axis=1)


def the_homes_go_short(base: Run, run: Run) -> None:
    now, back = (list(run.times_s).index(second) for second in (FAULT_S, BACK_S))
    assert said(run, "water", "pump_stopped") == [(FAULT_S, "PU1")], "stopped: the pump stopped in the second of the fault"
    for home in HOMES:
        assert first_apart_s(base, run, "water.pressure_m", home) == FAULT_S, "steady-state hydraulics: at once"
        assert value(run, "water.pressure_m", home, FAULT_S) < value(base, "water.pressure_m", home, FAULT_S) - 15
    # two pumps of 35 l/s at 48 m: head 64 - 64/4 (q/35)^2 m (EPANET 2.2, one-point curve); one alone gives at most 2 x 35 l/s
    alone = np.array([value(run, "water.pump_flow_m3_per_s", pump, FAULT_S) for pump in ("PU1", "PU2")])
    assert alone[0] == 0 and 0.035 < alone[1] < 0.070
    assert served(run)[now] == pytest.approx(alone.sum(), rel=1e-4), "the tank is cut off: what is pumped is what is served"
    assert served(run)[now] < 0.9 * served(base)[now]
    assert served(run)[back] == pytest.approx(served(base)[back], rel=1e-4), "with the feeder comes the pump"
    assert said(run, "water", "pump_started") == [(BACK_S, "PU1")]


def test_a_feeder_stops_its_pump_and_homes_go_short_until_it_is_back(stage):
    act = stage("grid", "water", duration="420 s")
    no_tank = at(0, "water.close_pipe", pipe="P7")
    base, run, cut = act.run(no_tank), act.run(no_tank, FAULT, *RETURN), act.run(no_tank, FAULT, *RETURN, cut="supply")
    alike_before(base, run, FAULT_S)
    the_homes_go_short(base, run)
    alike_before(base, cut, FAULT_S)
    with pytest.raises(AssertionError, match="stopped: "):
        the_homes_go_short(base, cut)


def test_a_tank_rides_out_the_same_fault(stage):
    act = stage("grid", "water", duration="420 s")
    base, run = act.run(), act.run(FAULT)
    now = list(run.times_s).index(FAULT_S)
    assert said(run, "water", "pump_stopped") == [(FAULT_S, "PU1")]
    assert served(run)[now:] == pytest.approx(served(base)[now:], rel=1e-3)
    assert series(run, "water.level_m", "T1")[-1] < series(base, "water.level_m", "T1")[-1] - 0.02


# -- feeder -> lights -> people -----------------------------------------------------------------------------------------

PEOPLE = ("grid", "crowd")
FINELY = {"duration": "300 s", "tracks_every": "1 s"}
DARK_S = 18
DARKEN = at(DARK_S, "grid.fault", line="L1")
PLAZA_W = (-20.0, 10.0)
"""x of the western plaza (m), whose street lights have no backup; V2's UPS carries the eastern one a minute more."""


def pace(run: Run, from_s: int, to_s: int) -> dict[int, float]:
    """Return the mean speed of everybody seen at least 4 times on the western plaza, clear of its ends, by id."""
    seen = run.tracks("crowd", f"+{from_s} s", f"+{to_s} s")
    on = seen[seen.x_m.between(PLAZA_W[0] + 1, PLAZA_W[1] - 1) & (seen.y_m > 14)]
    grouped = on.groupby("id").speed_m_per_s.agg(["mean", "size"])
    return {int(id): float(row["mean"]) for id, row in grouped[grouped["size"] >= 4].iterrows()}


def people_slow_down_and_turn_away(base: Run, run: Run) -> None:
    assert said(run, "crowd", "went_dark")[:1] == [(DARK_S, "plaza_w")], "dark: the plaza went dark in the second of the fault"
    end_s = DARK_S + UPS_S
    slow, fast = pace(run, DARK_S + CROWD_STEP_S, end_s), pace(base, DARK_S + CROWD_STEP_S, end_s)
    both = sorted(slow.keys() & fast.keys())
    assert len(both) >= 5
    ratio = np.median([slow[id] / fast[id] for id in both])
    assert 0.45 < ratio < 0.75, "0.6 of the speed in light (option dark_speed), the same people compared"
    early = list(run.times_s).index(DARK_S)
    west = [series(one, "crowd.boarded", "metro_w") for one in (base, run)]
    east = [series(one, "crowd.boarded", "metro_e") for one in (base, run)]
    assert west[0][early] == west[1][early]
    assert west[1][-1] < 0.7 * west[0][-1], "fewer go by the station behind the dark plaza"
    assert east[1][-1] > east[0][-1] + 0.3 * (west[0][-1] - west[1][-1]), "and more by the one behind the lit one"


def test_a_dark_plaza_slows_people_and_sends_them_the_other_way(stage):
    act = stage(*PEOPLE, **FINELY)
    base, run, cut = act.run(), act.run(DARKEN, cut="supply"), act.run(DARKEN, cut="supply lights")
    alike_before(base, run, DARK_S)
    people_slow_down_and_turn_away(base, run)
    alike_before(base, cut, DARK_S)
    with pytest.raises(AssertionError, match="dark: "):
        people_slow_down_and_turn_away(base, cut)


def backup_delays_the_dark(run: Run) -> None:
    dark = {element: second for second, element in said(run, "crowd", "went_dark")}
    assert dark.get("plaza_w") == DARK_S, "dark: no backup, no delay"
    # 0.001 MWh / 0.06 MW = 60 s
    assert dark["plaza_e"] == DARK_S + UPS_S
    assert "bowl" not in dark, "UPS of 0.025 MWh / 0.6 MW = 150 s, generator after 90 s"
    assert said(run, "grid", "generator_started") == [(DARK_S + START_S, "V1")]


def test_a_ups_delays_the_dark_and_a_generator_prevents_it(stage):
    act = stage(*PEOPLE, **FINELY)
    backup_delays_the_dark(act.run(DARKEN, cut="supply"))
    with pytest.raises(AssertionError, match="dark: "):
        backup_delays_the_dark(act.run(DARKEN, cut="supply lights"))
    failed = act.run(at(0, "grid.fail_generator", venue="V1"), DARKEN, cut="supply")
    assert said(failed, "crowd", "went_dark")[-1] == (DARK_S + 150, "bowl"), "without the generator the UPS is all there is"


# -- feeder -> station --------------------------------------------------------------------------------------------------


def the_station_closes(base: Run, run: Run) -> None:
    assert said(run, "crowd", "station_closed") == [(DARK_S, "metro_w")], "closed: no trains from the second of the fault"
    now = list(run.times_s).index(DARK_S)
    west = series(run, "crowd.boarded", "metro_w")
    assert west[-1] == west[now] < series(base, "crowd.boarded", "metro_w")[-1], "nobody boards after it"
    assert series(run, "crowd.boarded", "metro_e")[-1] > series(base, "crowd.boarded", "metro_e")[-1], "they go east"


def test_a_feeder_stops_the_trains_and_people_go_to_the_other_station(stage):
    act = stage(*PEOPLE, **FINELY)
    base, run, cut = act.run(), act.run(DARKEN, cut="lights"), act.run(DARKEN, cut="supply lights")
    alike_before(base, run, DARK_S)
    the_station_closes(base, run)
    alike_before(base, cut, DARK_S)
    with pytest.raises(AssertionError, match="closed: "):
        the_station_closes(base, cut)
