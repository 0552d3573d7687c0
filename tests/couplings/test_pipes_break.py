"""A main bursts and water closes a road; gas leaks, closes a road and clears a square. Both end when the pipe is isolated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from demo_city import RECORD_S, alike_before, at, first_apart_s, said, series, value

from twin.results import Run

CAUSE_S, END_S = 123, 423
BLEED_SHOWN_S = 10

# -- burst -> road ------------------------------------------------------------------------------------------------------

BURST, DRY = at(CAUSE_S, "water.burst", pipe="P2", area_m2=0.003), at(END_S - 60, "water.isolate", pipe="P2")


def the_road_closes(base: Run, run: Run) -> None:
    leak, surface = (value(run, f"water.{port}_m3_per_s", "P2", CAUSE_S) for port in ("leak", "surface"))
    head_m = np.mean([value(run, "water.pressure_m", end, CAUSE_S) for end in ("J2", "J3")])
    assert leak == pytest.approx(0.6 * 0.003 * math.sqrt(2 * 9.81 * head_m), rel=0.05)  # orifice; pressure at mid-pipe
    assert surface == pytest.approx(leak - 0.001, rel=1e-4)
    assert said(run, "traffic", "edge_closed") == [(CAUSE_S, "S03f")], "closed: the road closes in the second of the burst"
    assert value(run, "traffic.is_open", "S03f", CAUSE_S) == 0
    closed = slice(list(run.times_s).index(CAUSE_S + 60), list(run.times_s).index(END_S - 60))
    assert series(base, "traffic.density_per_km", "S03f")[closed].mean() > 5
    assert not series(run, "traffic.density_per_km", "S03f")[closed].any(), "a minute on nobody is left on it"
    assert CAUSE_S < first_apart_s(base, run, "traffic.speed_m_per_s", "S03f", every_s=30) <= CAUSE_S + 30
    assert CAUSE_S < first_apart_s(base, run, "traffic.arrived", "all", every_s=30) <= CAUSE_S + 120, "trips take about a minute"
    away = [series(one, "traffic.mean_travel_time_s", "all")[-1] for one in (base, run)]
    assert away[1] > 1.03 * away[0], "a way round takes longer"
    assert said(run, "traffic", "edge_opened") == [(END_S - 60, "S03f")], "the valves shut, the road opens"


def test_a_burst_closes_its_road_until_it_is_isolated_and_trips_take_longer(stage):
    act = stage("water", "traffic", duration=f"{END_S} s")
    base, run, cut = act.run(), act.run(BURST, DRY), act.run(BURST, DRY, cut="washout")
    alike_before(base, run, CAUSE_S)
    the_road_closes(base, run)
    alike_before(base, cut, CAUSE_S)
    with pytest.raises(AssertionError, match="closed: "):
        the_road_closes(base, cut)


# -- gas leak -> road and square ----------------------------------------------------------------------------------------

HOLE_M2, LEAK_S, SHUT_S = 1e-3, 42, 183
LEAK, SHUT = at(LEAK_S, "gas.leak", pipe="P2", area_m2=HOLE_M2), at(SHUT_S, "gas.isolate", pipe="P2")


AIR_BAR, MOLAR_KG, TEMPERATURE_K, KAPPA = 1.013, 0.0186, 283.15, 1.31
"""Groningen gas (pandapipes 'lgas'), methane's ratio of heats."""


def outflow_kg_per_s(bar: float) -> float:
    """Return what leaves HOLE_M2 at an absolute pressure: de Saint-Venant and Wantzel, choked below the critical ratio."""
    critical = (2 / (KAPPA + 1)) ** (KAPPA / (KAPPA - 1))
    ratio = max(AIR_BAR / bar, critical)
    swell = 2 * KAPPA / (KAPPA - 1) * (ratio ** (2 / KAPPA) - ratio ** ((KAPPA + 1) / KAPPA))
    return HOLE_M2 * bar * 1e5 * math.sqrt(swell * MOLAR_KG / (8.314 * TEMPERATURE_K))


def falls_s(bar: float, volume_m3: float, until_kg_per_s: float) -> int:
    """Return after how long a closed volume lets out less than a flow, isothermal."""
    seconds = 0
    while outflow_kg_per_s(bar) > until_kg_per_s:
        bar -= outflow_kg_per_s(bar) * 8.314 * TEMPERATURE_K / MOLAR_KG / volume_m3 / 1e5
        seconds += 1
    return seconds


def the_road_closes_and_the_square_empties(base: Run, run: Run) -> None:
    ends = np.mean([value(run, "gas.p_bar", junction, LEAK_S) for junction in ("J2", "J3")])
    assert value(run, "gas.leak_kg_per_s", "P2", LEAK_S) == pytest.approx(outflow_kg_per_s(ends + AIR_BAR), rel=0.03)
    assert said(run, "traffic", "edge_closed") == [(LEAK_S, "S09f")], "closed: the road closes in the second of the leak"
    assert said(run, "crowd", "area_clearing") == [(LEAK_S, "plaza_w")]
    after = list(run.times_s).index(LEAK_S + 2 * RECORD_S)
    there = [series(one, "crowd.count", "plaza_w") for one in (base, run)]
    assert there[0][after] > 10
    assert series(run, "crowd.cleared", "plaza_w")[after] == 1
    (cleared_s, _), *_ = said(run, "crowd", "area_cleared")
    # the plaza is 30 m by 32 m, news travels in 45 s (mean), people walk some 1.3 m/s
    assert LEAK_S < cleared_s < LEAK_S + 180
    assert there[1][after:].sum() < 0.8 * there[0][after:].sum(), "fewer person-seconds on the square"
    away = [series(one, "traffic.mean_travel_time_s", "all")[-1] for one in (base, run)]
    assert away[1] > away[0]


def test_a_gas_leak_closes_its_road_and_clears_its_square(stage):
    act = stage("gas", "traffic", "crowd", duration="300 s")
    base, run, cut = act.run(), act.run(LEAK, SHUT), act.run(LEAK, SHUT, cut="leak")
    alike_before(base, run, LEAK_S)
    the_road_closes_and_the_square_empties(base, run)
    alike_before(base, cut, LEAK_S)
    with pytest.raises(AssertionError, match="closed: "):
        the_road_closes_and_the_square_empties(base, cut)
    # isolated by V1 and V2, P1 and P2 still hold 600 m of gas: the road opens when less than close_above_leak comes out
    (opened_s, _), *_ = said(run, "traffic", "edge_opened")
    held_s = falls_s(value(run, "gas.p_bar", "J2", SHUT_S - RECORD_S) + AIR_BAR, 600 * math.pi / 4 * 0.15**2, 0.05)
    assert 0.95 * held_s <= opened_s - SHUT_S <= 1.05 * held_s + BLEED_SHOWN_S
