"""Heat over a day, and a typhoon over a coast."""

from __future__ import annotations

import numpy as np
import pytest

from scenarios.hazards import Exposed, heat, wind
from scenarios.hazards.heat import Heatwave
from scenarios.hazards.wind import Fix, Typhoon

# heat


def test_the_peak_adds_what_it_was_given_and_the_night_less():
    wave = Heatwave()
    assert wave.temperature_c(15 * 3600) == pytest.approx(39.0)
    assert wave.temperature_c(3 * 3600) == pytest.approx(28.0)
    assert wave.demand_factor(15 * 3600) == pytest.approx(1.15)
    assert 1.0 < wave.demand_factor(3 * 3600) < 1.06
    assert wave.demand_factor(4 * 86400) == 1.0


def test_a_heatwave_posts_factors_and_takes_them_back():
    found = heat.effects(Heatwave(days=1.0), [Exposed("grid", "bus", "B1", 0, 0), Exposed("gas", "pipe", "P1", 0, 0)], until_s=2 * 86400)
    assert {(one.model, one.action) for one in found} == {("grid", "scale_load")}
    assert found[-1].t_s == 86400 and found[-1].arguments["factor"] == 1.0
    assert max(one.arguments["factor"] for one in found) == pytest.approx(1.15)


def test_hot_days_take_one_and_a_half_percent_a_degree_from_transformers_and_give_it_back():
    """IEEE C57.91-2011, table 3: rated for a day of 30 C in the mean, 1.5 % less for each degree above."""
    trafo = Exposed("grid", "trafo", "T1", 0, 0)
    found = heat.effects(Heatwave(low_c=30.0, high_c=40.0, days=1.0), [trafo], until_s=2 * 86400)
    assert [(one.t_s, one.action, one.arguments["factor"]) for one in found] == [(0, "rate_trafo", 0.925), (86400, "rate_trafo", 1.0)]
    assert heat.effects(Heatwave(low_c=24.0, high_c=34.0), [trafo], until_s=86400) == []


# wind


STORM = {"centre_hpa": 960.0, "outer_hpa": 1010.0, "widest_m": 40e3, "b": 1.5, "lat_deg": 20.0}


def test_the_strongest_wind_is_hollands():
    """V = sqrt(B dp / (rho e)) at Rm but for a little Coriolis (Holland 1980, eq. 7): 49.0 m/s for 50 hPa and B = 1.5."""
    radii = np.arange(5e3, 300e3, 500.0)
    speeds = wind.gradient_m_per_s(radii, **STORM)
    assert speeds.max() == pytest.approx(np.sqrt(1.5 * 5000 / (1.15 * np.e)), rel=0.03)
    assert radii[speeds.argmax()] == pytest.approx(40e3, rel=0.03)
    assert (np.diff(speeds[radii > 45e3]) < 0).all()


def test_the_wind_balances_the_pressure_gradient():
    """V^2/r + f V = dp/dr / rho, by differences."""
    r = np.array([30e3, 80e3, 200e3])
    speed = wind.gradient_m_per_s(r, **STORM)
    p = [wind.pressure_hpa(r + d, **{k: STORM[k] for k in ("centre_hpa", "outer_hpa", "widest_m", "b")}) for d in (-50, 50)]
    f = 2 * wind.OMEGA_PER_S * np.sin(np.radians(20.0))
    assert speed**2 / r + f * speed == pytest.approx((p[1] - p[0]) * 100 / 100 / wind.AIR_KG_PER_M3, rel=1e-3)


def storm() -> Typhoon:
    return Typhoon((Fix(0, -200e3, 0.0, 960.0, 40e3), Fix(36000, 200e3, 0.0, 970.0, 40e3)))


def test_it_turns_against_the_clock_and_blows_harder_on_the_right_of_its_track():
    right, left = 40e3, -40e3  # it moves east: right is south
    east, north = wind.wind_m_per_s(storm(), 18000, np.array([0.0, 0.0]), np.array([-right, -left]))
    assert east[0] > 0 > east[1]
    assert np.hypot(east[0], north[0]) > np.hypot(east[1], north[1])
    assert storm().moves_m_per_s(18000)[0] == pytest.approx(400e3 / 36000)


def test_the_wind_at_a_point_is_the_same_whatever_else_is_asked():
    x, y = np.array([0.0, 150e3]), np.array([-40e3, -150e3])
    together = np.array(wind.wind_m_per_s(storm(), 18000, x, y))
    apart = np.array([wind.wind_m_per_s(storm(), 18000, x[[i]], y[[i]]) for i in (1,)])[0]
    np.testing.assert_allclose(together[:, 1], apart[:, 0], rtol=1e-12)
    still = Typhoon(storm().track, carried=0.0)
    added = np.array(wind.wind_m_per_s(storm(), 18000, x, y)) - np.array(wind.wind_m_per_s(still, 18000, x, y))
    assert added[0, 0] == pytest.approx(0.5 * 400e3 / 36000, rel=0.01), "in full at the radius of the strongest wind"
    assert added[0, 1] < 0.6 * added[0, 0]


@pytest.mark.parametrize("t_s", [-100.0, 0.0, 100.0, 35900.0, 36000.0, 40000.0])
def test_it_moves_as_fast_at_the_ends_of_its_track(t_s):
    assert storm().moves_m_per_s(t_s) == pytest.approx((400e3 / 36000, 0.0))
    assert Typhoon(storm().track[:1]).moves_m_per_s(t_s) == (0.0, 0.0)


def test_overhead_lines_fall_when_it_is_near_and_cables_do_not():
    lines = [Exposed("grid", "line", f"L{i}", 0.0, -40e3, {"overhead": i < 30}) for i in range(60)]
    found = wind.effects(storm(), lines, seed=1, until_s=36000)
    assert 0 < len(found) <= 30
    assert all(6000 < one.t_s < 24000 and one.action == "fault" for one in found)
    assert wind.failure(45.0) == pytest.approx(0.5)
    assert found == wind.effects(storm(), lines[:30], seed=1, until_s=36000)
