"""What leaves a hole: published constants, closed forms, and the line of 28 July 2010."""

from __future__ import annotations

import itertools
from dataclasses import replace
from math import exp, pi, sqrt

import numpy as np
import pytest

from scenarios.hazards import release, vessel
from scenarios.hazards.outflow import Outflow, stepped
from scenarios.hazards.release import AIR, AMBIENT_PA, METHANE, PROPYLENE, Line
from scenarios.hazards.vessel import Vessel


def nanjing_2010(hole_mm: float = 80.0) -> Line:
    """Return the propylene line that an excavator pierced in Nanjing on 28 July 2010: DN159, 2.2 MPa, some 5 km, not pumping.

    Bore 147 mm (159 x 6), ground at 25 C and the hole's size are assumptions; the reports name none of them.
    """
    return Line(5000.0, 0.147, 2.2e6 + AMBIENT_PA, 298.15, pi * (hole_mm / 1000.0) ** 2 / 4.0)


def test_air_chokes_at_its_published_mass_flow():
    """m sqrt(T) / (A p) = 0.04042 s sqrt(K) / m for air at the speed of sound (any text of gas dynamics); critical ratio 0.528."""
    got = release.gas_kg_per_s(AIR, 10e5, 300.0, 1e-4)
    assert got * sqrt(300.0) / (1e-4 * 10e5) == pytest.approx(0.04042, rel=1e-3)
    assert release.choked(AIR, 101325 / 0.527)
    assert not release.choked(AIR, 101325 / 0.530)


def test_the_flow_is_continuous_where_choking_ends_and_stops_at_ambient():
    edge = 101325 / ((2 / 2.31) ** (1.31 / 0.31))
    below, above = (release.gas_kg_per_s(METHANE, edge * part, 288.0, 1e-3) for part in (0.9999, 1.0001))
    assert below == pytest.approx(above, rel=1e-3)
    assert release.gas_kg_per_s(METHANE, 101325.0, 288.0, 1e-3) == 0.0


def test_a_small_overpressure_is_bernoullis():
    got = release.gas_kg_per_s(AIR, 101325 + 1000, 293.0, 1e-2)
    rho = AIR.density_kg_per_m3(101325 + 500, 293.0)
    assert got == pytest.approx(1e-2 * sqrt(2 * rho * 1000), rel=0.01)


def test_water_leaves_as_torricelli_said():
    assert release.liquid_kg_per_s(1000.0, 101325.0, 0.01, 1.0, head_m=5.0) == pytest.approx(10.0 * sqrt(2 * 9.80665 * 5))


def test_a_superheated_liquid_boils_off_its_share():
    """Propane at 25 C: 0.38 or so of it (CCPS; cp 2.45 kJ/kg K, 231 K, 426 kJ/kg)."""
    assert release.flash_share(2450.0, 298.0, 231.0, 426e3) == pytest.approx(0.385, abs=0.01)
    assert release.flash_share(2450.0, 200.0, 231.0, 426e3) == 0.0


def closed(adiabatic: bool, t: float) -> float:
    """Mass left over mass at the start while the flow is choked: exp(-t/tau), or (1 + (k-1)/2 t/tau)^(-2/(k-1))."""
    k, m, volume, hole, temperature = 1.31, 0.016043, 10.0, 1e-4, 288.0
    tau = volume / (hole * sqrt(k * 8.314462618 * temperature / m * (2 / (k + 1)) ** ((k + 1) / (k - 1))))
    return (1 + (k - 1) / 2 * t / tau) ** (-2 / (k - 1)) if adiabatic else exp(-t / tau)


@pytest.mark.parametrize("adiabatic", [False, True])
def test_a_closed_section_empties_as_the_closed_form_says(adiabatic):
    found = release.gas_blow_down(METHANE, 10.0, 40e5, 288.0, 1e-4, adiabatic=adiabatic, duration_s=400)
    assert found.left_kg[400] / found.left_kg[0] == pytest.approx(closed(adiabatic, 400.0), rel=1e-6)
    assert found.pressure_pa[400] > 2 * 101325


def test_cold_gas_leaves_more_slowly_in_the_end_and_pressure_falls_faster():
    warm, cold = (release.gas_blow_down(METHANE, 10.0, 40e5, 288.0, 1e-3, adiabatic=a, duration_s=60) for a in (False, True))
    assert cold.pressure_pa[60] < warm.pressure_pa[60]
    assert cold.temperature_k[60] < 250 < warm.temperature_k[60]
    assert np.all(np.diff(warm.rate_kg_per_s) <= 0)


def test_a_finite_section_gives_less_than_the_orifice_that_never_tires():
    found = release.gas_blow_down(METHANE, 10.0, 40e5, 288.0, 1e-3, duration_s=600)
    constant = release.gas_kg_per_s(METHANE, 40e5, 288.0, 1e-3) * 600
    assert found.released_kg(600) < found.left_kg[0] < 0.2 * constant


def test_propylene_boils_where_and_under_what_pressure_it_does():
    """1 atm at 225.5 K; 1.155 MPa at 25 C (NIST)."""
    assert PROPYLENE.vapour_pa(225.5) == pytest.approx(101325, rel=0.01)
    assert PROPYLENE.vapour_pa(298.15) == pytest.approx(1.155e6, rel=0.01)
    assert PROPYLENE.density_kg_per_m3(298.15) == pytest.approx(505, rel=0.01)


def test_the_line_of_2010_holds_some_forty_tonnes_and_gives_them_ever_more_slowly():
    line = nanjing_2010()
    found = release.line_blow_down(line, PROPYLENE)
    assert found.left_kg[0] == pytest.approx(line.volume_m3 * 505, rel=0.01)
    assert 40_000 < found.left_kg[0] < 46_000
    assert found.rate_kg_per_s[0] > 2 * found.rate_kg_per_s[30], "the pressure of the pump is gone within seconds: a liquid hardly expands"
    assert found.pressure_pa[30] == pytest.approx(PROPYLENE.vapour_pa(298.15), rel=0.02)
    assert np.all(np.diff(found.temperature_k) <= 1e-9)
    assert found.left_kg[-1] >= 0


def test_an_orifice_at_constant_pressure_overstates_the_release_of_2010_fivefold():
    """From the large leak at 10:10 to the stop upstream at 10:12, and over the first quarter of an hour."""
    line = nanjing_2010()
    found, constant = release.line_blow_down(line, PROPYLENE), release.line_constant_kg_per_s(line, PROPYLENE)
    assert 4 < 120 * constant / found.released_kg(120) < 8
    assert constant * 900 > 3 * found.left_kg[0], "it would give three times what the line held"


def test_a_smaller_hole_lasts_longer():
    ends = [release.line_blow_down(nanjing_2010(mm), PROPYLENE, 900).left_kg[-1] for mm in (20.0, 40.0, 80.0)]
    assert ends[0] > ends[1] > ends[2]


def test_steps_for_a_timeline_keep_the_mass():
    found = release.line_blow_down(nanjing_2010(), PROPYLENE, 3600)
    steps = release.steps(found, 1200, 10)
    assert sum((b - a) * rate for a, b, rate in steps) == pytest.approx(found.released_kg(1200), rel=1e-6)
    assert [a for a, _, _ in steps][1:] == [b for _, b, _ in steps][:-1]
    flow = Outflow("release_1", "propylene", 0.0, 0.0, 600, True, lambda _: stepped(found, 1800))
    posts = flow.effects(None)
    assert posts[0].t_s == 600 and posts[-1].action == "stop" and posts[-1].t_s <= 2400
    let_out = sum((b.t_s - a.t_s) * a.arguments["rate_kg_per_s"] for a, b in itertools.pairwise(posts))
    assert let_out == pytest.approx(found.released_kg(1800), rel=1e-6)


def test_what_is_empty_stays_so():
    found = release.line_blow_down(nanjing_2010(), PROPYLENE, 3600)
    empty_s = int(np.argmax(found.rate_kg_per_s == 0.0))
    assert 1300 < empty_s < 2400
    assert stepped(found, 3600)[-1] == (pytest.approx(empty_s, abs=60), 0.0)


def test_a_line_that_is_shut_loses_only_what_lies_between_its_valves():
    """8.57 kg a metre: 500 m hold 4.3 t, whatever the line held."""
    line = nanjing_2010()
    shut = release.line_blow_down(line, PROPYLENE, 1800, changes={300: replace(line, length_m=500.0)})
    free = release.line_blow_down(line, PROPYLENE, 1800)
    assert shut.released_kg(300) == pytest.approx(free.released_kg(300))
    held = shut.left_kg[300] * 0.1
    assert shut.released_kg(1800) - shut.released_kg(300) == pytest.approx(held, rel=0.25), "the cold rest boils off slowly"
    drained = release.line_blow_down(line, PROPYLENE, 1800, changes={300: replace(line, length_m=500.0, drained_kg_per_s=30.0)})
    assert drained.released_kg(1800) - drained.released_kg(300) < 0.6 * (shut.released_kg(1800) - shut.released_kg(300))


def test_a_hole_that_grows_lets_out_more_from_then_on():
    narrow, wide = nanjing_2010(10.0), nanjing_2010(80.0)
    grown = release.line_blow_down(narrow, PROPYLENE, 1200, changes={840: wide})
    assert grown.rate_kg_per_s[839] < 1 < 25 < grown.rate_kg_per_s[841]


@pytest.mark.parametrize(("name", "bar"), [("chlorine", 7.7), ("ammonia", 10.0), ("propane", 9.5), ("propylene", 11.5)])
def test_liquefied_gases_have_their_published_pressure_at_25_degrees(name, bar):
    """Any table of physical properties; all boil under one atmosphere at their boiling point."""
    substance = release.LIQUEFIED[name]
    assert substance.vapour_pa(298.15) / 1e5 == pytest.approx(bar, rel=0.03)
    assert substance.vapour_pa(substance.boiling_k) == pytest.approx(101325, rel=0.03)


def test_a_tanker_of_chlorine_empties_through_a_hole_and_cools():
    """Bernoulli: 0.65 A sqrt(2 rho (p - p0)); nearly all of it flashes or stays as mist."""
    chlorine, tank = release.LIQUEFIED["chlorine"], Vessel(20e3, 298.15, pi * 0.02**2 / 4)
    found = vessel.vessel_blow_down(tank, chlorine, 3600)
    assert found.rate_kg_per_s[0] == pytest.approx(0.65 * pi * 1e-4 * sqrt(2 * 1397 * (7.73e5 - 101325)), rel=0.02)
    assert np.all(np.diff(found.rate_kg_per_s) <= 0) and found.temperature_k[-1] < 298
    assert 0.9 < vessel.airborne_share(chlorine, 298.15) <= 1.0
    assert found.left_kg[0] - found.left_kg[-1] == pytest.approx(found.rate_kg_per_s[:-1].sum(), rel=1e-6)
