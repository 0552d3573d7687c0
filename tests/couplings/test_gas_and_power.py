"""A gas-fired unit needs its gas, and the gas network feels the unit: cause and effect both ways, and a loop that settles."""

from __future__ import annotations

import pytest
from demo_city import RECORD_S, alike_before, at, said, series, value

from twin.results import Run

CAUSE_S = 63
SHUT, UNPLUG = at(CAUSE_S, "gas.close_pipe", pipe="P5"), at(CAUSE_S, "grid.open", line="L4")
RATED_MW, EFFICIENCY, LHV_MJ_PER_KG = 1.5, 0.40, 47.0
ASKED_KG_PER_S = RATED_MW / (EFFICIENCY * LHV_MJ_PER_KG)
OWN_KG_PER_S = 0.12


@pytest.fixture
def act(stage):
    return stage("grid", "gas", duration="120 s")


def the_unit_stops(base: Run, run: Run) -> None:
    assert value(run, "grid.gas_unit_p_mw", "G1", CAUSE_S - RECORD_S) == pytest.approx(RATED_MW)
    assert (CAUSE_S, "S5") in said(run, "gas", "supply_lost")
    assert value(run, "grid.gas_unit_p_mw", "G1", CAUSE_S) == 0, "starved: no gas, no output, in the same second"
    more = value(run, "grid.source_mw", "infeed", CAUSE_S) - value(base, "grid.source_mw", "infeed", CAUSE_S)
    assert more == pytest.approx(RATED_MW, rel=0.02), "the grid above makes up for it, and for some losses"


def test_a_unit_without_gas_gives_no_power(act):
    base, run, cut = act.run(), act.run(SHUT), act.run(SHUT, cut="fuel")
    alike_before(base, run, CAUSE_S)
    the_unit_stops(base, run)
    alike_before(base, cut, CAUSE_S)
    with pytest.raises(AssertionError, match="starved: "):
        the_unit_stops(base, cut)


def the_gas_network_feels_it(run: Run) -> None:
    assert value(run, "gas.served_kg_per_s", "S5", CAUSE_S - RECORD_S) == pytest.approx(OWN_KG_PER_S + ASKED_KG_PER_S, rel=1e-6), "burnt: "
    assert value(run, "gas.served_kg_per_s", "S5", CAUSE_S) == pytest.approx(OWN_KG_PER_S, rel=1e-6)
    less = value(run, "gas.supply_kg_per_s", "gate", CAUSE_S - RECORD_S) - value(run, "gas.supply_kg_per_s", "gate", CAUSE_S)
    assert less == pytest.approx(ASKED_KG_PER_S, rel=1e-5), "what the unit burnt comes no more through the city gate"
    assert value(run, "gas.p_bar", "J5", CAUSE_S) > value(run, "gas.p_bar", "J5", CAUSE_S - RECORD_S)


def test_a_unit_without_grid_burns_no_gas(act):
    base, run, cut = act.run(), act.run(UNPLUG), act.run(UNPLUG, cut="burn")
    alike_before(base, run, CAUSE_S)
    the_gas_network_feels_it(run)
    assert said(run, "grid", "bus_dead")[0][0] == CAUSE_S
    alike_before(act.run(cut="burn"), cut, CAUSE_S)
    with pytest.raises(AssertionError, match="burnt: "):
        the_gas_network_feels_it(cut)


def test_the_loop_of_gas_and_power_settles_within_an_instant(act):
    run = act.run(UNPLUG)
    assert run.timing.loc["grid", "solves"] <= 8
    assert run.timing.loc["gas", "solves"] <= 8
    asked, output = series(run, "grid.gas_unit_kg_per_s", "G1"), series(run, "grid.gas_unit_p_mw", "G1")
    extra = series(run, "gas.served_kg_per_s", "S5") - OWN_KG_PER_S
    assert extra == pytest.approx(asked, abs=1e-7), "both sides of the loop say the same at every instant"
    assert output == pytest.approx(asked * EFFICIENCY * LHV_MJ_PER_KG, abs=1e-6)
