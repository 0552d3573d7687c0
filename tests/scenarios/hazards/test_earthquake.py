"""Shaking and what it breaks: the law, the standard's scale, ALA and HAZUS, and luck that stays with its element."""

from __future__ import annotations

import numpy as np
import pytest

from scenarios.hazards import Effect, Exposed, earthquake, quantile
from scenarios.hazards.earthquake import Quake

PIPES = [Exposed("water", "pipe", f"P{i}", 1000.0 + 10 * i, 0.0, {"length_m": 400.0, "diameter_m": 0.3}) for i in range(400)]


def test_both_axes_agree_at_the_epicentre_and_the_long_one_reaches_further():
    quake = Quake(6.5, 0.0, 0.0, strike_deg=30.0)
    top, along, across = earthquake.intensity(
        quake,
        np.array([0.0, 20e3 * np.sin(np.pi / 6), 20e3 * np.cos(np.pi / 6)]),
        np.array([0.0, 20e3 * np.cos(np.pi / 6), -20e3 * np.sin(np.pi / 6)]),
    )
    assert top == pytest.approx(5.8410 + 1.0710 * 6.5 - 3.6570 * np.log10(15), abs=0.01)
    assert top == pytest.approx(3.9440 + 1.0710 * 6.5 - 2.8450 * np.log10(7), abs=0.01)
    assert along == pytest.approx(5.8410 + 1.0710 * 6.5 - 3.6570 * np.log10(35), abs=1e-6)
    assert across == pytest.approx(3.9440 + 1.0710 * 6.5 - 2.8450 * np.log10(27), abs=1e-6)


@pytest.mark.parametrize(("level", "pga", "pgv"), [(6, 0.651, 0.0554), (7, 1.35, 0.120), (8, 2.79, 0.258), (9, 5.77, 0.555)])
def test_peaks_are_those_of_the_chinese_scale(level, pga, pgv):
    """GB/T 17742-2020, table 1: peaks that stand for an intensity (from memory)."""
    assert earthquake.pga_m_per_s2(level) == pytest.approx(pga, rel=0.02)
    assert earthquake.pgv_m_per_s(level) == pytest.approx(pgv, rel=0.02)


def test_pipes_need_repair_as_ala_says():
    """0.00187 PGV (in/s) per 1,000 ft: at 20 in/s 0.0374 per 1,000 ft, 0.1227 per km; half of that in ductile iron."""
    assert earthquake.repairs_per_km(20 * 0.0254) == pytest.approx(0.1227, rel=1e-3)
    assert earthquake.repairs_per_km(20 * 0.0254, "ductile_iron") == pytest.approx(0.0614, rel=1e-2)


@pytest.mark.parametrize(("voltage", "medians"), [("medium", (0.15, 0.25, 0.35, 0.70)), ("high", (0.11, 0.15, 0.20, 0.47))])
def test_half_of_the_substations_fail_at_hazus_medians(voltage, medians):
    for state, median in enumerate(medians):
        assert earthquake.exceedance(median, voltage)[state] == pytest.approx(0.5)
    assert earthquake.exceedance(0.25 * np.exp(0.5), "medium")[1] == pytest.approx(0.841, abs=0.001)
    assert earthquake.damage(0.36, "medium", 0.4) == "extensive"
    assert earthquake.damage(0.36, "medium", 0.999) == ""


def test_repairs_come_as_often_as_expected_and_one_in_five_is_a_break():
    """400 pipes of 400 m at a rate of 0.5 a pipe: 200 +- 3 x 14; breaks 20 %."""
    found = [earthquake.breaks_and_leaks(0.5, quantile(7, "earthquake", pipe), 7, pipe) for pipe in PIPES]
    breaks, leaks = np.sum(found, axis=0)
    assert 158 < breaks + leaks < 242
    assert 0.12 < breaks / (breaks + leaks) < 0.28


def test_more_shaking_only_adds():
    weak, strong = (earthquake.effects(Quake(m, 0.0, 0.0), PIPES, seed=3) for m in (6.0, 7.0))
    assert {one.element for one in weak} < {one.element for one in strong}
    areas = {one.element: one.arguments["area_m2"] for one in strong}
    assert all(one.arguments["area_m2"] <= areas[one.element] for one in weak)


def test_an_element_keeps_its_luck_whoever_else_is_there():
    quake = Quake(7.0, 0.0, 0.0)
    alone = [one for pipe in PIPES[:50] for one in earthquake.effects(quake, [pipe], seed=3)]
    among = [one for one in earthquake.effects(quake, PIPES, seed=3) if one.element in {p.element for p in PIPES[:50]}]
    assert sorted(alone) == sorted(among)
    assert {one.element for one in earthquake.effects(quake, PIPES, seed=4)} != {
        one.element for one in earthquake.effects(quake, PIPES, seed=3)
    }


def test_effects_are_actions_that_can_be_posted_in_order_of_time():
    stations = [Exposed("grid", "trafo", f"T{i}", 2000.0, 500.0 * i, {"voltage_kv": 220.0}) for i in range(40)]
    gas = [Exposed("gas", "pipe", p.element, p.x_m, p.y_m, p.facts) for p in PIPES]
    found = earthquake.effects(Quake(7.0, 0.0, 0.0, start_s=600), PIPES + gas + stations, seed=1)
    assert {(one.model, one.action) for one in found} == {("water", "burst"), ("gas", "leak"), ("grid", "open_trafo")}
    assert [one.t_s for one in found] == sorted(one.t_s for one in found)
    assert min(one.t_s for one in found) >= 600
    one = next(one for one in found if one.model == "grid")
    assert isinstance(one, Effect) and one.arguments == {"trafo": one.element} and "damage" in one.why


def test_nothing_exposed_nothing_happens():
    assert earthquake.effects(Quake(7.0, 0.0, 0.0), [], seed=1) == []
