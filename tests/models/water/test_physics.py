from __future__ import annotations

import math

import numpy as np
import pytest

from models.water.demo import DEMO
from models.water.network import FLOW_M3_PER_S

G = 9.80665
TANK_AREA_M2 = math.pi / 4 * 18**2  # the demo's tank
SPOUT = """[TITLE]
A reservoir 30 m above a junction that wants 10 l/s at the end of a wide main.
[JUNCTIONS]
 A 0 0
 B 0 10
[RESERVOIRS]
 R {head}
[PIPES]
 P1 R A 10 600 140 0 Open
 P2 A B 10 600 140 0 Open
[OPTIONS]
 Units {units}
 Accuracy 0.000001
 Unbalanced Continue 10
[END]
"""


def step(model, *stops):
    for stop in stops:
        model.advance(stop)
        model.solve()


def names(model, notice):
    return [(report.element, report.happened_s) for report in model.notices if report.notice == notice]


def test_a_pump_without_voltage_stops_lowers_pressure_and_starts_again(water):
    model = water.solved()
    before = model.pressure_m.copy()
    power = model.power_mw.copy()
    model.pump_powered[:] = False
    model.solve()
    assert not model.pump_running.any()
    assert (model.power_mw == 0).all()
    assert (model.pressure_m[:7] < before[:7] - 1).all()  # only the tank feeds now; J7 stands behind a reducing valve
    assert model.level_m[0] == pytest.approx(3.0)
    model.pump_powered[:] = True
    model.solve()
    np.testing.assert_allclose(model.pressure_m, before, atol=1e-3)
    np.testing.assert_allclose(model.power_mw, power, rtol=1e-4)
    assert names(model, "pump_stopped") == [("PU1", 0), ("PU2", 0)]
    assert names(model, "pump_started") == [("PU1", 0), ("PU2", 0)]


def test_a_control_of_the_file_cannot_start_a_pump_without_voltage(water):
    model = water.solved(DEMO.replace("BELOW 2.5", "BELOW 4.4"))  # the tank, at 3 m, asks for PU2 at every solution
    model.pump_powered[1] = False
    model.solve()
    step(model, 300, 600, 3600)
    assert not model.pump_running[1]
    assert model.pump_running[0]
    model.pump_powered[1] = True
    model.solve()
    assert model.pump_running[1]


def test_a_rule_of_the_file_cannot_start_a_pump_without_voltage(water):
    text = DEMO.replace("[CONTROLS]", "[RULES]\nRULE one\nIF TANK T1 LEVEL BELOW 4.9\nTHEN PUMP PU1 STATUS IS OPEN\n\n[CONTROLS]")
    model = water.solved(text)
    model.pump_powered[0] = False
    model.solve()
    step(model, 300, 600, 3600)
    assert not model.pump_running[0]
    model.pump_powered[0] = True
    model.solve()
    assert model.pump_running[0]


def test_a_timed_control_that_passed_in_the_outage_counts_when_power_returns(water):
    text = DEMO.replace("[CONTROLS]", "[CONTROLS]\n LINK PU1 CLOSED AT TIME 0:30")
    model = water.solved(text)
    model.pump_powered[0] = False
    model.solve()
    step(model, 3600)
    model.pump_powered[0] = True
    model.solve()
    assert not model.pump_running[0]


def test_a_pump_with_a_speed_pattern_stays_off_without_voltage(water):
    model = water.solved(
        DEMO.replace("PU1 R1   J0   HEAD works", "PU1 R1 J0 HEAD works PATTERN speed").replace("[PATTERNS]", "[PATTERNS]\n speed 1.0 0.95")
    )
    model.pump_powered[0] = False
    model.solve()
    step(model, 3600, 7200)
    assert not model.pump_running[0]
    model.pump_powered[0] = True
    model.solve()
    assert model.pump_running[0]


def test_a_tank_alone_drains_by_what_is_served(water):
    model = water.solved()
    model.pump_powered[:] = False
    model.solve()
    rate = model.served_m3_per_s.sum()
    step(model, 240)
    # conservation: area x fall = served x time while demand is held (next hydraulic step at 300 s)
    assert (3.0 - model.level_m[0]) * TANK_AREA_M2 == pytest.approx(rate * 240, rel=1e-6)


def test_a_tank_that_runs_empty_is_reported_and_gives_no_more_water(water):
    model = water.solved()
    model.pump_powered[:] = False
    model.solve()
    step(model, *range(300, 4 * 3600 + 1, 300))
    assert model.level_m[0] == pytest.approx(1.0, abs=1e-6)  # the lowest level of the file
    (low,), (empty,) = names(model, "tank_low"), names(model, "tank_empty")
    # 2 m x 254.5 m2 = 509 m3 over some 60-80 l/s: about two hours
    assert 3600 < low[1] < empty[1] < 3 * 3600
    assert model.served_m3_per_s.sum() < 1e-9
    assert not model.is_supplied[0]
    account = model.ledger()[0]
    assert account.held == pytest.approx(-2.0 * TANK_AREA_M2, rel=1e-4)
    assert abs(account.residual) < account.tolerance + 0.1  # the last second of the tank: some 0.07 m3


@pytest.mark.parametrize("head_m", [30.0, 12.0, 5.0, 1.0])
def test_demand_follows_wagners_curve_below_the_required_pressure(water, head_m):
    model = water.solved(SPOUT.format(units="LPS", head=head_m))
    pressure = model.pressure_m[1]
    assert pressure == pytest.approx(head_m, rel=1e-2)
    # Wagner et al. 1988: q = Q sqrt((p - p0) / (pf - p0)), p0 = 0, pf = 20 m, exponent 1/2
    assert model.served_m3_per_s[1] == pytest.approx(0.010 * min(1.0, math.sqrt(pressure / 20)), rel=1e-3)
    assert model.wanted_m3_per_s[1] == pytest.approx(0.010)


@pytest.mark.parametrize(
    ("units", "wanted"), [("LPS", 0.010), ("CMH", 10 / 3600), ("GPM", 6.30902e-4), ("MGD", 0.438126), ("CMS", 10.0), ("CFS", 0.283168)]
)
def test_every_flow_unit_comes_out_in_si(water, units, wanted):
    # expected: 10 of each unit in m3/s, NIST SP 811 appendix B
    model = water.solved(SPOUT.format(units=units, head=100), demand_model="file")
    assert model.wanted_m3_per_s[1] == pytest.approx(wanted, rel=1e-5)
    assert model.flow_m3_per_s[1] == pytest.approx(wanted, rel=1e-4)
    bore = 0.6 if FLOW_M3_PER_S[units] and units in ("LPS", "CMH", "CMS") else 600 * 0.0254
    assert model.velocity_m_per_s[1] == pytest.approx(wanted / (math.pi / 4 * bore**2), rel=1e-3)


@pytest.mark.parametrize("units", ["LPS", "CMH", "GPM"])
@pytest.mark.parametrize("area_m2", [1e-4, 5e-3])
def test_a_burst_gives_what_the_orifice_equation_says(water, units, area_m2):
    factor = 0.001 / FLOW_M3_PER_S[units]
    model = water.solved(SPOUT.format(units=units, head=30 if units != "GPM" else 30 / 0.3048).replace("B 0 10", f"B 0 {10 * factor:.6f}"))
    model.burst("P2", area_m2, 0.6)
    model.solve()
    head = model.pressure_m.mean()  # the main is 10 m long and wide: its middle has the mean of its ends
    if units == "GPM":
        assert head == pytest.approx(30, rel=0.02)
    # Torricelli with a sharp-edged orifice: Q = Cd A sqrt(2 g h)
    assert model.leak_m3_per_s[1] == pytest.approx(0.6 * area_m2 * math.sqrt(2 * G * head), rel=0.01)
    assert model.surface_m3_per_s[1] == pytest.approx(max(0.0, model.leak_m3_per_s[1] - 0.001))


def test_a_burst_is_isolated_and_repaired_and_all_is_as_before(water):
    model = water.solved()
    before = model.pressure_m.copy()
    model.burst("P3", 0.005)
    model.solve()
    assert model.leak_m3_per_s[3] > 0.05
    assert (model.pressure_m[1:6] < before[1:6] - 0.5).all()
    model.isolate("P3")
    model.solve()
    assert model.leak_m3_per_s[3] == 0
    assert model.flow_m3_per_s[3] == 0
    assert model.is_supplied.all()  # the loop feeds both ends
    step(model, 240)
    model.repair("P3")
    model.solve()
    assert model.leak_m3_per_s[3] == 0
    assert abs(model.flow_m3_per_s[3]) > 1e-3
    np.testing.assert_allclose(model.pressure_m, before, atol=0.05)  # the tank has moved by some cm meanwhile
    assert [report.notice for report in model.notices if report.notice in ("burst_opened", "isolated", "repaired")] == [
        "burst_opened",
        "isolated",
        "repaired",
    ]


def test_isolating_a_branch_names_the_junctions_that_lose_their_water(water):
    model = water.solved()
    model.isolate("P6")
    model.solve()
    (report,) = [report for report in model.notices if report.notice == "isolated"]
    assert report.facts == {"valves": 2, "unsupplied": "J6, J7", "junctions": 2}
    assert (model.pressure_m[6:] == 0).all()
    assert (model.served_m3_per_s[6:] == 0).all()
    assert (model.wanted_m3_per_s[6:] > 0).all()


def test_where_valves_are_few_a_crew_closes_more(water, tmp_path):
    from dataclasses import replace

    setup = water.setup()
    valves = tmp_path / "valves.csv"
    valves.write_text("id,pipe,end\nV1,P1,start\nV2,P2,end\nV3,P5,end\n")
    model = water(setup=replace(setup, files={**setup.files, "valves": valves}))
    model.solve()
    model.isolate("P1")
    model.solve()
    (report,) = [report for report in model.notices if report.notice == "isolated"]
    # by hand: from P1 the way is open to J2 and on into P2 up to its valve at J3
    assert report.facts == {"valves": 2, "unsupplied": "J2", "junctions": 1}


def test_two_bursts_and_a_burst_in_a_held_network_keep_levels_time_and_switches(water):
    model = water.solved()
    step(model, 1500)
    model.pump_powered[1] = False
    model.close_pipe("P5")
    model.asked_factor[2] = 0.5
    model.solve()
    step(model, 1777)
    level, wanted, running = model.level_m.copy(), model.wanted_m3_per_s.copy(), model.pump_running.copy()
    model.burst("P2", 1e-6)  # so small that nothing else may move
    model.solve()
    np.testing.assert_allclose(model.level_m, level, atol=1e-9)
    np.testing.assert_allclose(model.wanted_m3_per_s, wanted)
    assert (model.pump_running == running).all()
    assert model.flow_m3_per_s[5] == 0
    model.burst("P6", 0.002)
    model.solve()
    assert model.leak_m3_per_s[2] > 0
    assert model.leak_m3_per_s[6] > 0.01
    step(model, 3600)
    assert abs(model.ledger()[0].residual) < 0.01


def test_a_check_valve_pipe_bursts_and_is_shut(water):
    model = water.solved(DEMO.replace("P0  J0   J1   400     350       120        0     Open", "P0  J0 J1 400 350 120 0 CV"))
    model.burst("P0", 0.001)
    model.solve()
    assert model.leak_m3_per_s[0] > 0.01
    model.close_pipe("P0")
    model.solve()
    assert model.leak_m3_per_s[0] == 0
    assert abs(model.flow_m3_per_s[0]) < 1e-5
    model.repair("P0")
    model.open_pipe("P0")
    model.solve()
    assert model.flow_m3_per_s[0] > 0.03


def test_speed_valve_and_demand_obey(water):
    model = water.solved()
    power, wanted = model.power_mw.copy(), model.wanted_m3_per_s.copy()
    model.set_speed("PU1", 0.95)
    model.set_demand("J4", 3.0)
    model.close_valve("V1")
    model.solve()
    assert 0 < model.power_mw[0] < power[0]
    assert model.wanted_m3_per_s[4] == pytest.approx(3 * wanted[4])
    assert not model.is_supplied[7]
    model.open_valve("V1")
    model.stop_pump("PU2")
    model.demand_factor[4] = 0.5
    model.solve()
    assert model.pressure_m[7] == pytest.approx(30, abs=0.01)  # the valve reduces to 30 m again
    assert not model.pump_running[1]
    assert model.wanted_m3_per_s[4] == pytest.approx(1.5 * wanted[4])
    model.start_pump("PU2")
    model.solve()
    assert model.pump_running[1]


def test_pump_power_is_what_lifts_the_water(water):
    model = water.solved()
    lift_m = model.head_m[0] - 8.0  # from the reservoir at 8 m to the header
    # P = rho g Q H / efficiency, 75 % in the file; EPANET's own horsepower constant is good to 1e-3
    expected = 9806.65 * model.pump_flow_m3_per_s * lift_m / 0.75 / 1e6
    np.testing.assert_allclose(model.power_mw, expected, rtol=3e-3)


def test_patterns_follow_the_clock_of_the_scenario(water):
    # the pattern of the demo at 20:00 is 1.4 and at midnight 0.5; the demands sum to 49 l/s
    assert water.solved().wanted_m3_per_s.sum() == pytest.approx(0.049 * 1.4)
    assert water.solved(patterns="file").wanted_m3_per_s.sum() == pytest.approx(0.049 * 0.5)


def test_low_pressure_is_reported_once_a_crossing(water):
    model = water.solved(low_pressure="32 m")
    model.burst("P3", 0.01)
    model.solve()
    step(model, 300, 600)
    first = [element for element, _ in names(model, "pressure_low")]
    assert first
    assert len(first) == len(set(first))
    model.repair("P3")
    model.solve()
    assert sorted(element for element, _ in names(model, "pressure_restored")) == sorted(first)


def test_a_pda_network_asked_for_more_than_it_can_give_serves_less_and_balances(water):
    model = water.solved()
    model.demand_factor[:] = 8.0
    model.solve()
    assert model.served_m3_per_s.sum() < 0.9 * model.wanted_m3_per_s.sum()
    assert (model.served_m3_per_s <= model.wanted_m3_per_s * (1 + 1e-6)).all()
    step(model, 300)
    assert abs(model.ledger()[0].residual) < 1e-3 * model.ledger()[0].gained + 0.01


def test_a_burst_beside_emitters_of_another_exponent_is_still_an_orifice(water):
    text = SPOUT.format(units="LPS", head=30).replace("[OPTIONS]", "[EMITTERS]\n B 0.01\n[OPTIONS]\n Emitter Exponent 1.2")
    model = water.solved(text)
    model.burst("P2", 2e-3, 0.6)
    model.solve()
    assert model.leak_m3_per_s[1] == pytest.approx(0.6 * 2e-3 * math.sqrt(2 * G * model.pressure_m.mean()), rel=0.01)
    # the file's own emitter keeps its law: 0.01 l/s p^1.2, which the ledger counts as leaked
    own = 0.01e-3 * model.pressure_m[1] ** 1.2
    step(model, 100)
    assert model.ledger()[0].lost == pytest.approx(100 * (own + model.leak_m3_per_s[1] + model.served_m3_per_s.sum()), rel=1e-3)


def test_a_full_tank_takes_no_more_and_no_water_is_lost(water):
    # EPANET 2.3.5 by itself lets water run into a full tank that cannot overflow (OpenWaterAnalytics/EPANET issue 900)
    text = DEMO.replace("LINK PU2 CLOSED IF NODE T1 ABOVE 4.5\n LINK PU2 OPEN IF NODE T1 BELOW 2.5", "")
    text = text.replace("T1  45         3 ", "T1  45         4.9").replace("18        0", "8         0").replace("T1  45 ", "T1  40 ")
    model = water.solved(text, patterns="file")
    step(model, *range(300, 7201, 300))
    assert model.level_m[0] == pytest.approx(5.0)
    assert model.flow_m3_per_s[7] == 0  # the main of the tank
    assert model.ledger()[0].held == pytest.approx(0.1 * math.pi / 4 * 8**2, abs=0.05)
    assert abs(model.ledger()[0].residual) < 0.05
    model.pump_powered[:] = False
    model.solve()
    step(model, 7500)
    assert model.level_m[0] < 5.0  # and gives it back when the pumps stop


FEW_TRIALS = DEMO.replace("Accuracy 0.00001", "Accuracy 0.00001\n Trials 2")


@pytest.mark.parametrize(
    ("unbalanced", "said"),
    [
        ("Continue 1", "the hydraulics did not balance"),
        ("Stop", "the hydraulics balanced only once pumps and valves were kept from switching"),
    ],
)
def test_hydraulics_that_do_not_balance_are_said_and_degrade_the_run(water, monkeypatch, unbalanced, said):
    monkeypatch.setattr("models.water.ladder.Ladder.rungs", lambda self: [])
    model = water.solved(FEW_TRIALS.replace("Continue 10", unbalanced))
    assert [report.facts["what"] for report in model.notices if report.notice == "hydraulics_warned"] == [said]
    assert len(model.degraded) == 1
    step(model, 300, 600)  # and the run goes on: EPANET's own STOP would have ended it in silence
    assert model.session.t_s == 600


def test_hydraulics_that_do_not_balance_at_once_are_tried_again(water):
    model, sure = water.solved(FEW_TRIALS.replace("Continue 10", "Continue 1")), water.solved()
    assert model.degraded == []
    np.testing.assert_allclose(model.pressure_m, sure.pressure_m, atol=1e-2)


def test_a_network_without_any_source_left_is_dry_and_not_degraded(water):
    model = water.solved()
    model.pump_powered[:] = False
    model.close_pipe("P7")
    model.close_pipe("P0")
    model.solve()
    step(model, 300, 600)
    assert not model.is_supplied[1:].any()
    assert (model.pressure_m[1:] == 0).all()
    assert model.served_m3_per_s.sum() == 0
    assert model.degraded == []
