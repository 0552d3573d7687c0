"""SWMM coupled is SWMM alone; Manning's capacity; rain as published; pumps, gates, blockages and inlets do what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from swmm.toolkit import solver
from swmm.toolkit.shared_enum import LinkResult, NodeResult, ObjectType

from models.drainage import Drainage
from models.drainage.demo import DEMO
from models.drainage.layout import Section
from models.drainage.storm import WARNINGS, Cell, Storm, design_storm, idf_l_per_s_ha
from twin.errors import EngineFailure, InputError
from twin.host import Inline


@pytest.fixture
def fresh(tmp_path):
    live = []

    def make(text=DEMO, snapshot=None, **options):
        while live:
            live.pop().close()
        setup = Drainage.demo(tmp_path)
        setup.file("network").write_text(text)
        host = Inline(Drainage(type(setup)(**{**vars(setup), "options": options})))
        live.append(host)
        host.start_open(snapshot)
        host.start_solve()
        return host

    yield make
    while live:
        live.pop().close()


def go(host, until_s, every_s=60):
    """Move on and return the model and every notice given meanwhile."""
    said = []
    for second in range(host.model.now_s + every_s, until_s + 1, every_s):
        host.start_advance(second, (), {})
        said += host.finish().notices
        host.start_solve()
        said += host.finish().notices
    return host.model, said


def alone(folder, text, until_s):
    """Run SWMM on the file as it stands, its own pump levels and rain, and return depths and flows by id."""
    file = folder / "alone.inp"
    file.write_text(text)
    solver.swmm_open(str(file), str(folder / "alone.rpt"), str(folder / "alone.out"))
    solver.swmm_start(False)
    for _ in range(until_s // 5):
        solver.swmm_step()

    def of(kind, result, read):
        count = solver.project_get_count(kind.value)
        return {solver.project_get_id(kind.value, i): read(i, result) for i in range(count)}

    found = of(ObjectType.NODE, NodeResult.DEPTH, solver.node_get_result), of(ObjectType.LINK, LinkResult.FLOW, solver.link_get_result)
    solver.swmm_end()
    solver.swmm_close()
    return found


def test_coupled_it_gives_the_numbers_of_swmm_alone(fresh, tmp_path):
    depth, flow = alone(tmp_path, DEMO, 3600)
    model, _ = go(fresh(), 3600)
    assert dict(zip(model.elements["node"].ids, model.level_m.tolist(), strict=True)) == depth
    assert dict(zip(model.elements["conduit"].ids, model.flow_m3_per_s.tolist(), strict=True)) == {
        c: flow[c] for c in model.network.conduits
    }
    assert [flow[pump] for pump in model.elements["pump"].ids] == model.pump_flow_m3_per_s.tolist()
    assert model.pump_flow_m3_per_s.any(), "pumps started by their levels"


def test_rain_of_the_file_given_by_hand_is_the_same_rain(fresh):
    """Scaling by one takes the gages over from SWMM: the same intensities, so the same water."""
    own, _ = go(fresh(), 1800)
    depth = own.level_m.copy()
    host = fresh()
    host.model.start_cell("A1", peak_mm_per_h=1e-9, radius_m=100.0)
    taken, _ = go(host, 1800)
    np.testing.assert_allclose(taken.level_m, depth, atol=1e-6)


def test_a_full_sewer_carries_what_manning_says():
    """0.6 m, n 0.013, slope 0.002: A = 0.2827 m2, R = 0.15 m, v = 0.15^(2/3) sqrt(0.002) / 0.013 = 0.971 m/s, Q = 0.2746 m3/s (by hand)."""
    assert Section(0.6).capacity_m3_per_s == pytest.approx(0.2746, rel=1e-3)
    area, speed = Section(2.4, 3.0).full()
    assert area == pytest.approx(7.2)
    assert speed == pytest.approx((7.2 / 10.8) ** (2 / 3) * math.sqrt(0.0008) / 0.013)


def test_a_long_sewer_runs_at_mannings_capacity_in_swmm(fresh):
    """Rain far above its capacity fills N3-N4; the flow stays near the full-flow capacity times the root of head slope over bed slope."""
    model, _ = go(fresh(), 3600)
    i = model.elements["conduit"].ids.index("C3")
    full = math.pi / 4 * 1.2**2 * (1.2 / 4) ** (2 / 3) * math.sqrt(0.4 / 200) / 0.013
    assert 0 < model.flow_m3_per_s[i] < 1.08 * full, "a circle carries at most 1.076 of its full flow (at 0.94 depth)"


def test_water_is_conserved_through_flood_and_drain(fresh):
    host = fresh(rain="red", storm_from="0 s")
    model, _ = go(host, 4 * 3600)
    assert abs(model.continuity_percent[0]) < 1.0
    for account in host.ledger():
        assert abs(account.residual) <= account.tolerance


@pytest.mark.parametrize("level", sorted(WARNINGS))
def test_a_warning_level_brings_its_rain_in_its_time(level):
    depth, hours = WARNINGS[level]
    storm = Storm(depth, hours * 3600.0)
    steps = [storm.mean_mm_per_h(t, t + 300) * 300 / 3600 for t in range(-600, int(hours * 3600) + 600, 300)]
    assert sum(steps) == pytest.approx(depth)
    assert steps[0] == steps[-1] == 0.0
    assert int(np.argmax(steps)) - 2 == pytest.approx(0.4 * hours * 12, abs=1)


def test_the_worst_minutes_of_a_design_storm_are_those_of_the_formula():
    """A Chicago storm has in every duration round its peak the mean of the intensity-duration curve (Keifer and Chu 1957)."""
    storm = design_storm(3.0, 7200)
    for minutes in (5, 15, 30, 60, 120):
        peak = 0.4 * 7200
        start, end = peak - 0.4 * minutes * 60, peak + 0.6 * minutes * 60
        assert storm.mean_mm_per_h(start, end) == pytest.approx(0.36 * idf_l_per_s_ha(3.0, minutes), rel=1e-9)


def test_a_cell_passes_over():
    cell = Cell(0.0, 0.0, 0.0, 1000.0, 80.0, 3600.0, speed_m_per_s=1.0, heading_deg=90.0)
    there = cell.mm_per_h(1800.0, np.array([[1800.0, 0.0], [2800.0, 0.0], [0.0, 1800.0]]))
    assert there[0] == pytest.approx(80.0)
    assert there[1] == pytest.approx(80.0 * math.exp(-0.5))
    assert there[2] < there[1]
    assert not cell.mm_per_h(3600.0, np.zeros((1, 2))).any()


def test_a_pump_without_voltage_stays_still_until_it_has_it(fresh):
    host = fresh(rain="red")
    model, _ = go(host, 600)
    model.pump_powered[:] = False
    model, said = go(host, 3600)
    assert sorted(n.element for n in said if n.notice == "pump_stopped") == ["PU1", "PU2", "PU3"]
    assert not model.pump_running.any() and not model.power_mw.any()
    assert model.underpass_m[0] > 0.3
    high = model.underpass_m[0]
    model.pump_powered[:] = True
    model.scale_rain(0.0)
    model, said = go(host, 7200)
    assert sorted(n.element for n in said if n.notice == "pump_back") == ["PU1", "PU2", "PU3"]
    assert model.underpass_m[0] < 0.1 * high
    assert any(n.notice == "underpass_drained" for n in said)


def test_power_is_weight_of_water_times_lift_over_efficiency(fresh):
    host = fresh(rain="red")
    model, _ = go(host, 3600)
    while not model.pump_running[0]:
        go(host, model.now_s + 60)
    n, i = model.network, 0
    level = dict(zip(n.nodes, (model.level_m + n.invert_m).tolist(), strict=True))
    lift = level["HEAD"] - level["WELL"]
    assert model.power_mw[i] == pytest.approx(998.0 * 9.80665 * model.pump_flow_m3_per_s[i] * lift / 0.7 / 1e6)
    assert model.power_mw[i] > 0


def test_a_blocked_sewer_backs_up_and_a_cleared_one_drains(fresh):
    base, _ = go(fresh(rain="red"), 7200)
    usual = float(base.ponded_m.max())
    host = fresh(rain="red")
    host.model.block("C3")
    host.model.close_gate("CANAL")
    model, said = go(host, 7200)
    assert usual == 0.0 < model.depth_m.max()
    assert model.flow_m3_per_s[list(model.network.conduits).index("C3")] == 0.0
    assert any(n.notice == "manhole_overflows" for n in said)
    model.unblock("C3")
    model.scale_rain(0.0)
    model, _ = go(host, 5 * 3600)
    assert model.depth_m[:3].max() < 0.01, "the underpass, 3,000 m3 at 0.25 m3/s, takes longer"


def test_clogged_inlets_keep_water_on_the_street_and_give_it_back(fresh):
    usual, _ = go(fresh(), 1800)
    outflow = usual.runoff_m3_per_s[0]
    host = fresh()
    host.model.block_inlet("N1", share=1.0)
    model, _ = go(host, 1800)
    kept = host.model.session.kept_m3[0]
    assert kept > 0.8 * outflow * 600
    assert model.depth_m[0] == pytest.approx(kept / 3000, rel=0.01)
    model.block_inlet("N1", share=0.0)
    model.scale_rain(0.0)
    model, _ = go(host, 7200)
    assert host.model.session.kept_m3[0] < 0.05 * kept
    for account in host.ledger():
        assert abs(account.residual) <= account.tolerance


def test_a_river_that_rises_shuts_the_gated_outfall(fresh):
    host = fresh(rain="red")
    host.model.block("C2")
    model, _ = go(host, 4800)
    i = model.elements["outfall"].ids.index("CANAL")
    assert model.outflow_m3_per_s[i] > 0
    model.set_river(12.0, "CANAL")
    model, _ = go(host, 4860)
    assert model.outflow_m3_per_s[i] == 0.0


@pytest.mark.parametrize("level_m", [-5.0, 9.5, 10.0, 11.0, 12.5])
def test_a_river_that_jumps_under_or_over_its_outfalls_keeps_the_balance(fresh, level_m):
    """The pipe to the river is short and full: what the river takes out of its own half of it passes no node."""
    text = DEMO.replace(" C6 HEAD RIVER 40 ", " C6 HEAD RIVER 400 ").replace("RIVER 9.1 FIXED 10.5 NO", "RIVER 9.1 FIXED 10.5 YES")
    host = fresh(text, rain="none")
    go(host, 120)
    host.model.set_river(level_m, "RIVER")
    for minute in range(3, 20):
        go(host, 60 * minute)
        sewers = host.ledger()[0]
        assert abs(sewers.residual) < 25.0, "the half beside the river holds some 200 m3"
        assert abs(sewers.residual) <= sewers.tolerance


def test_an_action_between_two_routing_steps_acts_from_the_next_one_on(fresh):
    """At 603 s SWMM stands at 600 s and its next step begins at 605 s: until then nothing may differ."""
    seen = []
    for acts in (False, True):
        host = fresh(rain="red")
        go(host, 600)
        host.start_advance(603, (), {})
        if acts:
            host.model.block("C3")
        host.start_solve()
        host.start_advance(605, (), {})
        host.start_solve()
        seen.append(host.model.flow_m3_per_s.copy())
        host.start_advance(610, (), {})
        host.start_solve()
        seen.append(host.model.flow_m3_per_s.copy())
    np.testing.assert_array_equal(seen[0], seen[2])
    assert not np.array_equal(seen[1], seen[3])


def test_a_restore_after_every_kind_of_command_goes_on_alike(fresh):
    host = fresh()
    model, _ = go(host, 300)
    model.start_cell("A2", peak_mm_per_h=90.0, speed_m_per_s=2.0, heading_deg=45.0)
    model.block_inlet("N2", share=0.5)
    model.stop_pump("PU1")
    model.warn("red")
    model, _ = go(host, 900)
    model.block("C4")
    model.set_river(10.8)
    model.scale_rain(1.5)
    go(host, 1500)
    saved = host.snapshot()
    go(host, 3000)
    expected = {name: array.copy() for name, array in host.model.arrays.items()}
    again = fresh(snapshot=saved)
    go(again, 3000)
    for name, array in expected.items():
        np.testing.assert_array_equal(again.model.arrays[name], array, err_msg=name)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (" C1 N1 N2 ", " C1 N1 N9 ", "'C1': no node 'N9'"),
        ("FLOW_ROUTING         DYNWAVE", "FLOW_ROUTING         KINWAVE", "only DYNWAVE knows backwater"),
        ("[REPORT]", '[FILES]\nSAVE HOTSTART "x.hsf"\n[REPORT]', "[FILES] would make SWMM read or write other files"),
        (" shower 0:00 60", ' shower FILE "/etc/passwd"', "names a file outside the pack"),
        (" N1 7.6 2.4", " N1 x 2.4", "invert of 'N1' is 'x'; a number is needed"),
        (" C1 CIRCULAR 0.8 0 0 0\n", "", "conduit 'C1' has no line in [XSECTIONS]"),
        ("WET_STEP             00:01:00", "WET_STEP             1", "WET_STEP: write hours, minutes and seconds"),
        (" well     STORAGE 0   120", " well     STRAGE 0   120", "SWMM refuses it: "),
    ],
)
def test_a_mistake_is_one_line_with_its_place(fresh, tmp_path, old, new, said):
    assert old in DEMO
    with pytest.raises(InputError) as refused:
        fresh(DEMO.replace(old, new, 1))
    assert any(said in str(problem) for problem in refused.value.problems), refused.value.problems


def test_an_engine_that_fails_is_named_with_its_second_and_element(fresh, monkeypatch):
    from swmm.toolkit import solver

    host = fresh()
    go(host, 120)

    def fails() -> None:
        raise RuntimeError("ERROR 405: too much water at node N3.")

    with monkeypatch.context() as broken:
        broken.setattr(solver, "swmm_step", fails)
        with pytest.raises(EngineFailure, match=r"drainage \(swmm-toolkit\) at t=120 s \(N3\): ERROR 405"):
            host.start_advance(180, (), {})
    with monkeypatch.context() as broken:
        real = host.model.session.swmm.depth_m
        broken.setattr(host.model.session.swmm, "depth_m", lambda *which: np.where(np.arange(len(real())) == 1, np.nan, real()))
        with pytest.raises(EngineFailure, match=r"drainage \(swmm-toolkit\) at t=120 s \(N2\): its depth of water is no number"):
            host.start_solve()


def test_a_second_simulation_in_one_process_is_refused(fresh, tmp_path):
    fresh()
    other = Inline(Drainage(Drainage.demo(tmp_path / "other")))
    with pytest.raises(EngineFailure, match="already runs a SWMM simulation"):
        other.start_open()
