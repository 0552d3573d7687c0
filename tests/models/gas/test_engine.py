"""Steady states against pandapipes run alone, against STANET, and regulators that cannot do the impossible."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from models.gas import network
from models.gas.engine import Engine, Flow, Switches

CASES = sorted(path.parent for path in (Path(__file__).parents[2] / "cases" / "gas").glob("*/network.json"))


def solved(path: Path) -> tuple[network.Network, Flow]:
    found = network.read(path)
    flow = Engine(found).flow(found.demand_kg_per_s, Switches(found.pipe_on, found.valve_on, found.source_on, found.source_bar))
    assert flow is not None
    return found, flow


def test_schutterwald_as_pandapipes_saves_it_has_the_pressures_pandapipes_finds(saved):
    import pandapipes as pp
    from pandapipes.networks import schutterwald_gas

    net = schutterwald_gas()
    found, flow = solved(saved(net))
    pp.pipeflow(net, use_numba=False)
    assert len(flow.p_bar) == 2559
    np.testing.assert_allclose(flow.p_bar, net.res_junction.p_bar, atol=1e-9, rtol=0)
    np.testing.assert_allclose(flow.flow_kg_per_s, net.res_pipe.mdot_from_kg_per_s, atol=1e-9, rtol=0)
    np.testing.assert_allclose(flow.velocity_m_per_s, net.res_pipe.v_mean_m_per_s, atol=1e-7, rtol=0)
    assert flow.supply_kg_per_s.sum() == pytest.approx(found.demand_kg_per_s.sum(), rel=1e-9)


@pytest.mark.slow
def test_the_compiled_functions_of_pandapipes_find_the_same(saved):
    import pandapipes as pp
    from pandapipes.networks import schutterwald_gas

    net = schutterwald_gas()
    _, flow = solved(saved(net))
    pp.pipeflow(net, use_numba=True)  # compiling takes some ten seconds; the engine runs without
    np.testing.assert_allclose(flow.p_bar, net.res_junction.p_bar, atol=1e-9, rtol=0)


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_pressures_are_those_of_stanet(folder):
    from ruamel.yaml import YAML

    case = YAML(typ="safe").load(folder / "case.yaml")
    found, flow = solved(folder / case["file"])
    expected = {row["junction"]: float(row["p_bar"]) for row in csv.DictReader((folder / case["expected"]).open())}
    assert len(expected) >= 4
    where = {name: i for i, name in enumerate(found.sets["junction"].ids)}
    for name, p_bar in expected.items():
        assert flow.p_bar[where[name]] == pytest.approx(p_bar, abs=case["tolerance"])


def two_gates(left_bar: float, right_bar: float, left_set: float, right_set: float, demand: float):
    import pandapipes as pp

    net = pp.create_empty_network(fluid="lgas", add_stdtypes=False)
    j = [pp.create_junction(net, pn_bar=2, tfluid_k=283.15, name=f"J{i}") for i in range(6)]
    for at, to, bar, hold in ((0, 1, left_bar, left_set), (5, 4, right_bar, right_set)):
        pp.create_ext_grid(net, j[at], p_bar=bar, t_k=283.15, name=f"G{at}")
        pp.create_pressure_control(net, j[at], j[to], j[to], hold, name=f"R{at}")
    for a in (1, 2, 3):
        pp.create_pipe_from_parameters(net, j[a], j[a + 1], 0.3, inner_diameter_mm=150, k_mm=0.05, name=f"P{a}")
    pp.create_sink(net, j[3], demand, name="S")
    return net


def test_regulators_hold_what_they_are_set_to(saved):
    _, flow = solved(saved(two_gates(4, 4, 2, 2, 0.05)))
    assert flow.regulator_mode.tolist() == [0, 0]
    assert flow.p_bar[[1, 4]] == pytest.approx([2, 2], abs=1e-9)


def test_a_regulator_with_too_little_upstream_stands_open_instead_of_lifting_pressure(saved):
    # pandapipes alone would give 2 bar behind a 1 bar source
    _, flow = solved(saved(two_gates(1, 1, 2, 2, 0.05)))
    assert flow.regulator_mode.tolist() == [1, 1]
    assert flow.p_bar.max() <= 1.0 + 1e-9
    assert flow.supply_kg_per_s.sum() == pytest.approx(0.05, rel=1e-6)


def test_a_weak_gate_closes_rather_than_take_gas_in(saved):
    _, flow = solved(saved(two_gates(1, 4, 2, 2, 0.05)))
    assert flow.regulator_mode.tolist() == [2, 0]
    assert flow.supply_kg_per_s == pytest.approx([0, 0.05], abs=1e-8)


def test_a_regulator_set_lower_than_its_neighbour_closes_where_pandapipes_alone_finds_nothing(saved):
    import pandapipes as pp
    from pandapipes.pf.pipeflow_setup import PipeflowNotConverged

    net = two_gates(4, 4, 2.0, 1.9, 0.05)
    path = saved(net)
    with pytest.raises(PipeflowNotConverged):
        pp.pipeflow(net, use_numba=False)
    _, flow = solved(path)
    assert flow.regulator_mode.tolist() == [0, 2]
    assert flow.supply_kg_per_s == pytest.approx([0.05, 0], abs=1e-8)
    _, loaded = solved(saved(two_gates(4, 4, 2.0, 1.9, 1.5)))
    assert loaded.regulator_mode.tolist() == [0, 0]
    assert (loaded.supply_kg_per_s > 0.1).all()


def test_a_pipe_split_for_a_hole_carries_what_it_did_before(saved):
    path = saved(two_gates(4, 4, 2, 2, 0.5))
    found, whole = solved(path)
    engine = Engine(found)
    switches = Switches(found.pipe_on, found.valve_on, found.source_on, found.source_bar)
    split = engine.flow(found.demand_kg_per_s, switches, (0, 2), np.zeros(2))
    assert split is not None
    np.testing.assert_allclose(split.p_bar, whole.p_bar, atol=2e-6)
    assert split.leak_bar[0] == pytest.approx(0.5 * (whole.p_bar[1] + whole.p_bar[2]), abs=1e-3)
    drawn = engine.flow(found.demand_kg_per_s, switches, (0, 2), np.array([0.1, 0.2]))
    assert drawn is not None
    assert drawn.supply_kg_per_s.sum() == pytest.approx(0.8, rel=1e-6)


def test_asking_for_more_than_the_pipes_carry_gives_no_state_instead_of_a_wrong_one(saved):
    found = network.read(saved(two_gates(4, 4, 2, 2, 20.0)))
    switches = Switches(found.pipe_on, found.valve_on, found.source_on, found.source_bar)
    assert Engine(found).flow(found.demand_kg_per_s, switches) is None
