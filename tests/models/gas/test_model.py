"""What happens to pressures and users when something happens to the network."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.gas import Gas
from models.gas.profile import DAILY
from twin.errors import InputError
from twin.model import Setup
from twin.ports import Out, Report


def said(model: Gas, notice: str) -> list[Report]:
    return [report for report in model.notices if report.notice == notice]


def closed(model: Gas) -> None:
    """Assert that what came in went out, now and since the start."""
    fed = model.supply().pipe_supplied
    out = model.served_kg_per_s.sum() + model.leak_kg_per_s[fed].sum()
    assert model.supply_kg_per_s.sum() == pytest.approx(out, rel=1e-6, abs=1e-9)
    (account,) = model.ledger()
    assert abs(account.residual) <= account.tolerance


def finite(model: Gas) -> None:
    for name, port in model.ports.items():
        if isinstance(port, Out):
            assert np.isfinite(model.arrays[name].astype(float)).all(), name


def go(model: Gas, until_s: int) -> None:
    model.advance(until_s)
    model.solve()


def test_pressures_equal_pandapipes_alone(started):
    import pandapipes as pp

    model = started()
    net = pp.from_json(str(model.setup.files["network"]))
    pp.pipeflow(net, use_numba=False)
    np.testing.assert_allclose(model.p_bar, net.res_junction.p_bar, atol=1e-6, rtol=0)
    assert model.served_fraction.tolist() == [1, 1, 1]
    closed(model)


def test_demand_follows_the_hours_of_the_day(started):
    model = started(profile="daily")  # starts at 20:00
    assert sum(DAILY) / 24 == pytest.approx(1.0)
    assert model.served_kg_per_s == pytest.approx(np.array([0.05, 0.08, 0.12]) * DAILY[20])
    assert model.next_s() == 3600
    assert model.advance(3599) is False
    assert model.advance(3600) is True
    model.solve()
    assert model.served_kg_per_s.sum() == pytest.approx(0.25 * DAILY[21])
    model.advance(4 * 3600)  # over three more hours without being solved between
    model.solve()
    (account,) = model.ledger()
    expected = 0.25 * 3600 * (DAILY[20] + DAILY[21] + DAILY[22] + DAILY[23])
    assert account.gained == pytest.approx(expected, rel=1e-6)
    closed(model)


def test_a_flat_day_never_wakes_and_never_moves(started):
    model = started()
    runs = model.engine.runs
    assert model.next_s() is None
    assert model.advance(86400) is False
    model.solve()
    assert model.engine.runs == runs


def test_a_leak_lets_out_what_the_orifice_gives_at_the_pressure_it_leaves(started):
    model = started()
    before = model.p_bar.copy()
    model.leak("P4", 6e-3, 0.9)
    model.solve()
    i = model.index("pipe", "P4")
    leak = model.leak_kg_per_s[i]
    # the network with just that flow drawn has, in the middle of the pipe, the pressure the formula needs for it
    flow = model.engine.flow(model.served_kg_per_s, switches(model), (i,), np.array([leak]))
    middle = flow.leak_bar[0] + 1.01325
    assert model.gas.outflow_kg_per_s(middle, 1.01325, 6e-3, 0.9, 283.15) == pytest.approx(leak, rel=1e-6)
    # and that is clearly less than at the pressure before the leak
    assert leak < 0.97 * model.gas.outflow_kg_per_s(before[4] + 1.01325, 1.01325, 6e-3, 0.9, 283.15)
    assert (model.p_bar[1:] <= before[1:] + 1e-9).all()
    closed(model)


def switches(model: Gas):
    from models.gas.engine import Switches

    return Switches(model.pipe_open, model.valve_open, model.source_open, model.set_bar)


def test_wider_holes_leak_more_and_pull_pressure_down(started):
    model, leaks, lows = started(), [], []
    for area_m2 in (1e-5, 1e-4, 1e-3, 3e-3, 1e-2):
        model.leak("P4", area_m2)
        model.solve()
        leaks.append(model.leak_kg_per_s.sum())
        lows.append(model.p_bar.min())
        closed(model)
    assert leaks == sorted(leaks)
    assert lows == sorted(lows, reverse=True)
    assert leaks[-1] < 1000 * leaks[0]  # proportional to the area only while pressure holds


def test_two_leaks_each_fit_the_pressure_the_other_leaves(started):
    model = started()
    for pipe in ("P2", "P4"):
        model.leak(pipe, 4e-3)
    model.solve()
    holes = tuple(model.index("pipe", pipe) for pipe in ("P2", "P4"))
    leaks = model.leak_kg_per_s[list(holes)]
    flow = model.engine.flow(model.served_kg_per_s, switches(model), holes, leaks)
    for bar, leak in zip(flow.leak_bar, leaks, strict=True):
        assert model.gas.outflow_kg_per_s(bar + 1.01325, 1.01325, 4e-3, 1.0, 283.15) == pytest.approx(leak, rel=1e-5)
    closed(model)


def test_isolating_a_leak_closes_its_valves_and_names_who_is_without(started):
    model = started()
    model.leak("P1", 1e-4)
    go(model, 60)
    leak = model.leak_kg_per_s[0]
    model.isolate("P1")
    model.solve()
    (notice,) = said(model, "isolated")
    assert notice.facts == {"how": "valves V1, V2", "users": 1, "unsupplied": "S2"}
    assert [report.element for report in said(model, "supply_lost")] == ["S2"]
    assert model.valve_open.tolist() == [False, False, True, True]
    assert model.served_fraction.tolist() == [0, 1, 1]
    assert model.leak_kg_per_s[0] == pytest.approx(leak, rel=1e-2)  # what the section held begins to leave
    finite(model)
    closed(model)


def test_a_section_without_valves_is_squeezed_off_at_the_pipes_ends(started):
    model = started()
    model.isolate("P4")  # no valve between it and the regulator
    model.solve()
    assert said(model, "isolated")[0].facts == {"how": "squeezed off at both ends", "users": 0, "unsupplied": "nobody"}
    assert model.flow_kg_per_s[3] == 0
    assert model.served_fraction.tolist() == [1, 1, 1]
    model.open_pipe("P4")
    model.solve()
    assert model.flow_kg_per_s[3] != 0


def test_a_closed_off_section_empties_through_its_hole_and_no_further(started):
    model = started()
    model.leak("P1", 1e-3)
    go(model, 10)
    model.isolate("P1")
    model.solve()
    # P1 and P2 hang together between V1 and V2: 2 x 300 m of 150 mm at the pressures they had
    held = model.held_bar[:2].copy()
    volume = 2 * 300 * np.pi / 4 * 0.15**2
    mass = (model.gas.density_kg_per_m3(held[0], 283.15) - model.gas.density_kg_per_m3(1.01325, 283.15)) * volume
    assert held[0] == held[1] == pytest.approx(3.98, abs=0.05)
    assert model.next_s() == 20
    leaks = []
    for second in range(20, 200, 10):
        leaks.append(model.leak_kg_per_s[0])
        go(model, second)
        closed(model)
    assert leaks == sorted(leaks, reverse=True)
    assert model.leak_kg_per_s.sum() == 0
    assert model.p_bar[2] == 0
    assert len(said(model, "emptied")) == 1
    assert model.totals["bled"] == pytest.approx(mass, rel=1e-6)
    assert model.next_s() is None


def test_cutting_time_differently_empties_a_section_alike(tmp_path):
    def run(*stops: int) -> Gas:
        model = Gas(Gas.demo(tmp_path))
        model.open()
        model.leak("P1", 2e-4)
        model.isolate("P1")
        model.solve()
        for stop in stops:
            go(model, stop)
        return model

    whole, split = run(60), run(17, 18, 41, 60)
    for name in whole.arrays:
        np.testing.assert_array_equal(whole.arrays[name], split.arrays[name], err_msg=name)
    assert whole.ledger()[0].lost == pytest.approx(split.ledger()[0].lost, rel=1e-12)


def test_repair_and_open_valves_bring_everything_back(started):
    model = started()
    before = model.p_bar.copy()
    model.leak("P1", 1e-4)
    model.isolate("P1")
    go(model, 600)
    model.repair("P1")
    for valve in ("V1", "V2"):
        model.open_valve(valve)
    model.solve()
    np.testing.assert_allclose(model.p_bar, before, atol=1e-9)
    assert [report.element for report in said(model, "supply_back")] == ["S2"]
    closed(model)


def test_overdraw_cuts_off_the_fewest_by_priority_and_size_says_so_and_recovers(started):
    model = started()
    model.extra_demand_kg_per_s[model.index("sink", "S3")] = 6.0  # more than the ring carries
    model.solve()
    # S5 has the lowest priority and goes first, which is not enough; then S3, the largest; S2 stays
    assert model.served_fraction.tolist() == [1, 0, 0]
    assert {report.element for report in said(model, "shed_for_pressure")} == {"S3", "S5"}
    assert {report.element for report in model.degraded} == {"S3", "S5"}
    finite(model)
    closed(model)
    model.extra_demand_kg_per_s[:] = 0.0
    go(model, 60)
    assert model.served_fraction.tolist() == [1, 1, 1]
    assert {report.element for report in said(model, "shed_ended")} == {"S3", "S5"}
    assert len(model.degraded) == 2


def test_only_the_interruptible_user_goes_when_that_is_enough(started):
    model = started()
    i, five = model.index("sink", "S3"), model.index("sink", "S5")
    model.extra_demand_kg_per_s[five] = 4.0
    model.extra_demand_kg_per_s[i] = 1.0
    model.solve()
    assert model.served_fraction.tolist() == [1, 1, 0]
    assert model.p_bar[[2, 3]].min() >= 0.5


def test_a_lost_gate_leaves_everyone_at_zero_and_nothing_undefined(started):
    model = started()
    model.close_source("gate")
    model.solve()
    assert model.p_bar.tolist() == [0] * 6
    assert model.served_kg_per_s.tolist() == [0, 0, 0]
    assert model.supply_kg_per_s.tolist() == [0]
    assert {report.element for report in said(model, "supply_lost")} == {"S2", "S3", "S5"}
    finite(model)
    model.open_source("gate")
    model.solve()
    assert model.served_fraction.tolist() == [1, 1, 1]


def test_a_weaker_gate_opens_the_regulator_and_lowers_pressure(started):
    model = started()
    model.set_source_pressure("gate", 1.5)
    model.solve()
    assert [report.element for report in said(model, "regulator_open")] == ["regulator"]
    assert model.p_bar.max() == pytest.approx(1.5)
    model.set_source_pressure("gate", 4.0)
    model.solve()
    assert len(said(model, "regulator_holds")) == 1


def test_users_can_be_turned_off_and_on(started):
    model = started()
    model.shed("S5")
    model.solve()
    assert model.served_kg_per_s == pytest.approx([0.05, 0.08, 0.0])
    assert model.served_fraction.tolist() == [1, 1, 0]
    model.reconnect("S5")
    model.solve()
    assert model.served_fraction[2] == 1


def test_closing_a_valve_on_the_only_way_cuts_what_lies_behind(started):
    model = started()
    model.close_valve("V4")
    model.solve()
    assert model.p_bar[5] == 0
    assert model.served_fraction.tolist() == [1, 1, 0]
    closed(model)


def test_a_unit_that_wants_nothing_yet_is_told_that_gas_is_there(started):
    model = started()
    model.demand_factor[:] = 0.0
    model.solve()
    assert model.served_fraction.tolist() == [1, 1, 1]
    assert model.supply_kg_per_s == pytest.approx([0.0], abs=1e-9)
    finite(model)


def test_a_restored_model_goes_on_to_the_same_bytes(tmp_path):
    setup = Gas.demo(tmp_path)

    def fresh() -> Gas:
        model = Gas(setup)
        model.open()
        return model

    one = fresh()
    one.solve()
    one.leak("P1", 3e-4)
    one.leak("P4", 1e-4)
    one.isolate("P1")
    go(one, 25)
    kept = one.snapshot()
    other = fresh()
    other.restore(kept)
    other.solve()
    for model in (one, other):
        go(model, 47)
        model.extra_demand_kg_per_s[2] = 1.0
        go(model, 4000)
    for name in one.arrays:
        np.testing.assert_array_equal(one.arrays[name], other.arrays[name], err_msg=name)
    assert one.ledger() == other.ledger()


def test_solving_again_runs_nothing_and_changes_nothing(started):
    model = started()
    model.leak("P2", 1e-3)
    model.solve()
    runs, arrays, count = model.engine.runs, {name: array.copy() for name, array in model.arrays.items()}, len(model.notices)
    model.solve()
    assert model.engine.runs == runs
    assert len(model.notices) == count
    for name, array in arrays.items():
        np.testing.assert_array_equal(model.arrays[name], array)


def test_an_unknown_profile_file_or_option_is_refused(tmp_path):
    files = Gas.demo(tmp_path).files
    for options, what in (({"profile": "file"}, "profile"), ({"min_pressure": 3}, "unit"), ({"presure": "1 bar"}, "presure")):
        with pytest.raises(InputError, match=what):
            Gas(Setup(name="gas", files=files, scratch=tmp_path, options=options))


@pytest.fixture(scope="module")
def ring():
    with tempfile.TemporaryDirectory() as folder:
        yield Gas.demo(Path(folder))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["isolate", "repair", "close_pipe", "open_pipe"]), st.sampled_from(["P1", "P2", "P3", "P4", "P5"])),
        st.tuples(st.sampled_from(["close_valve", "open_valve"]), st.sampled_from(["V1", "V2", "V3", "V4"])),
        st.tuples(st.sampled_from(["close_source", "open_source"]), st.just("gate")),
        st.tuples(st.just("leak"), st.sampled_from(["P1", "P3", "P5"]), st.sampled_from([1e-5, 1e-3])),
        st.tuples(st.just("draw"), st.sampled_from([0.0, 0.4, 6.0])),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=10, deadline=None)
@given(STEPS)
def test_whatever_is_switched_gas_is_conserved_and_nothing_is_undefined(ring, steps):
    model = Gas(ring)
    model.open()
    for k, (verb, *arguments) in enumerate(steps, 1):
        if verb == "draw":
            model.extra_demand_kg_per_s[0] = arguments[0]
        else:
            getattr(model, verb)(*arguments)
        model.solve()
        finite(model)
        closed(model)
        assert (model.p_bar >= -1e-6).all()
        go(model, 20 * k)
        closed(model)
