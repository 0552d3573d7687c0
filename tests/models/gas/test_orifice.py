"""Outflow through holes against published tables and its own laws."""

from __future__ import annotations

import csv
from math import exp, sqrt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from models.gas.orifice import R_J_PER_MOL_K, Gas, Property

IDEAL = Property((0.0,), (1.0,))
METHANE = Gas(0.016043, 1.31, IDEAL)
CASE = Path(__file__).parents[2] / "cases" / "gas" / "sonic_nozzle"
AIR_BAR, WARM_K = 1.01325, 288.15


@pytest.mark.parametrize("row", list(csv.DictReader((CASE / "expected.csv").open())), ids=lambda row: "mach " + row["mach"])
def test_air_flows_as_in_the_tables_of_naca_1135(row):
    air = Gas(R_J_PER_MOL_K / 287.0, 1.4, IDEAL)  # R = 287 J/(kg K), as in the report
    p0_bar, area_m2, t0_k = 3.0, 2e-4, 300.0
    critical = 0.04042 * area_m2 * p0_bar * 1e5 / sqrt(t0_k)
    flow = air.outflow_kg_per_s(p0_bar, p0_bar * float(row["ambient_over_inner"]), area_m2, 1.0, t0_k)
    assert flow / critical == pytest.approx(
        1.0 / float(row["area_over_critical"]), rel=YAML(typ="safe").load(CASE / "case.yaml")["tolerance"]
    )


def test_choked_methane_is_what_the_formula_gives_by_hand():
    # HJ 169-2018 F.1.2 by hand: k = 1.31, M = 0.016 kg/mol, T = 288.15 K, p = 5 bar, A = 1 cm2, Cd = 1:
    # (2/2.31)^(2.31/0.31) = 0.341715; k M / (R T) = 8.74909e-6; Q = 1e-4 x 5e5 x sqrt(2.98970e-6) = 0.0864537 kg/s
    gas = Gas(0.016, 1.31, IDEAL)
    assert gas.outflow_kg_per_s(5.0, AIR_BAR, 1e-4, 1.0, 288.15) == pytest.approx(0.0864537, rel=2e-5)
    # compressibility 0.9 lets out 1/sqrt(0.9) of it; a slit (Cd 0.90) nine tenths
    dense = Gas(0.016, 1.31, Property((0.0,), (0.9,)))
    assert dense.outflow_kg_per_s(5.0, AIR_BAR, 1e-4, 0.9, 288.15) == pytest.approx(0.0864537 * 0.9 / sqrt(0.9), rel=2e-5)


def test_flow_is_continuous_where_it_chokes():
    edge = AIR_BAR / METHANE.critical_ratio()
    below, above = (METHANE.outflow_kg_per_s(edge * (1 + e), AIR_BAR, 1e-3, 1.0, WARM_K) for e in (-1e-7, 1e-7))
    assert above > below
    assert above == pytest.approx(below, rel=1e-6)
    assert METHANE.critical_ratio() == pytest.approx(0.5440, abs=2e-4)  # (2/2.31)^(1.31/0.31)


@given(st.floats(1.0, 80.0), st.floats(1e-6, 20.0), st.floats(1e-6, 0.1))
def test_more_pressure_lets_out_more_and_area_in_proportion(bar, more, area_m2):
    low = METHANE.outflow_kg_per_s(bar, AIR_BAR, area_m2, 1.0, WARM_K)
    high = METHANE.outflow_kg_per_s(bar + more, AIR_BAR, area_m2, 1.0, WARM_K)
    assert high >= low >= 0.0
    if bar > AIR_BAR + 1e-3:
        assert high > low
    assert METHANE.outflow_kg_per_s(bar, AIR_BAR, 2 * area_m2, 1.0, WARM_K) == pytest.approx(2 * low, rel=1e-12)


@pytest.mark.parametrize(("bar", "area_m2"), [(AIR_BAR, 1e-3), (0.9, 1e-3), (5.0, 0.0)])
def test_nothing_leaves_without_overpressure_or_hole(bar, area_m2):
    assert METHANE.outflow_kg_per_s(bar, AIR_BAR, area_m2, 1.0, WARM_K) == 0.0


def test_a_closed_volume_empties_exponentially_while_choked():
    # dm/dt = -C m with C = Q/m constant for an ideal gas at constant temperature and choked flow: p = p0 exp(-C t)
    bar, volume_m3, area_m2 = 9.0, 5.0, 2e-4
    rate = METHANE.outflow_kg_per_s(bar, AIR_BAR, area_m2, 1.0, WARM_K) / (METHANE.density_kg_per_m3(bar, WARM_K) * volume_m3)
    left, gone = bar, 0.0
    for _ in range(60):
        left, out = METHANE.emptied(left, AIR_BAR, area_m2, WARM_K, volume_m3)
        gone += out
    assert left > AIR_BAR / METHANE.critical_ratio()
    assert left == pytest.approx(bar * exp(-60 * rate), rel=1e-9)
    held = METHANE.density_kg_per_m3(bar, WARM_K) - METHANE.density_kg_per_m3(left, WARM_K)
    assert gone == pytest.approx(held * volume_m3, rel=1e-9)


@given(st.floats(1.02, 40.0), st.floats(1e-6, 1e-1), st.floats(0.1, 500.0))
def test_a_closed_volume_never_falls_below_the_air_and_loses_what_leaves(bar, area_m2, volume_m3):
    real = Gas(0.016, 1.31, Property((0.0, 1.0), (1.0, 0.9978)))
    left, out = real.emptied(bar, AIR_BAR, area_m2, WARM_K, volume_m3)
    assert AIR_BAR - 1e-9 <= left <= bar
    held = (real.density_kg_per_m3(bar, WARM_K) - real.density_kg_per_m3(left, WARM_K)) * volume_m3
    assert out == pytest.approx(held, rel=1e-6, abs=1e-9)
