"""Steady states that are not found: each attempt is made, users are cut off by name, and at last the old state stays."""

from __future__ import annotations

import numpy as np
import pytest

from models.gas.engine import Switches
from twin.errors import EngineFailure

ATTEMPTS = ["as it comes", "with patience", "damped"]


def switches(model) -> Switches:
    return Switches(model.pipe_open.copy(), model.valve_open.copy(), model.source_open.copy(), model.set_bar.copy())


def test_a_demand_beyond_any_solution_is_attempted_in_every_way_and_those_cut_off_are_named(started):
    model = started()
    demand = model.network.demand_kg_per_s
    assert model.engine.flow(demand * 19, switches(model)) is not None
    assert model.engine.tried == ATTEMPTS[:1], "nothing else is asked where the first attempt finds it"
    assert model.engine.flow(demand * 100, switches(model)) is None
    assert model.engine.tried == ATTEMPTS
    before = model.p_bar.copy()
    model.extra_demand_kg_per_s[model.index("sink", "S3")] = 6.0
    model.solve()
    assert {report.element for report in model.degraded} == {"S3", "S5"}
    model.extra_demand_kg_per_s[:] = 0.0
    model.solve()
    assert model.served_fraction.tolist() == [1, 1, 1]
    np.testing.assert_allclose(model.p_bar, before, atol=1e-6)


@pytest.mark.parametrize("name", ATTEMPTS)
def test_each_attempt_gives_what_the_first_gives_where_that_converges(started, monkeypatch, name):
    model = started()
    demand = model.network.demand_kg_per_s * 10
    sure = model.engine.flow(demand, switches(model))
    only = {name: model.engine.attempts()[name]}
    monkeypatch.setattr(model.engine, "attempts", lambda: only)
    other = model.engine.flow(demand, switches(model))
    assert model.engine.tried == [name]
    np.testing.assert_allclose(other.p_bar, sure.p_bar, atol=1e-6)
    np.testing.assert_allclose(other.flow_kg_per_s, sure.flow_kg_per_s, atol=1e-6)


def test_where_nothing_is_found_the_last_state_stays_and_is_named_with_its_second(started, monkeypatch):
    model = started()
    model.advance(600)
    model.solve()
    before = model.p_bar.copy()
    with monkeypatch.context() as broken:
        broken.setattr(model.engine, "flow", lambda *_: None)
        model.extra_demand_kg_per_s[0] = 0.01
        model.solve()
        model.advance(700)
        model.solve()
        np.testing.assert_array_equal(model.p_bar, before)
        (degraded,) = model.degraded
        assert degraded.happened_s == 600
        assert degraded.element == model.elements["junction"].ids[int(before.argmin())]
        assert "even with every user cut off" in degraded.facts["what"] and "that of t=600 s is kept" in degraded.facts["what"]
        account = model.ledger()[0]
        assert abs(account.residual) <= account.tolerance
    model.solve()
    assert not model.is_old and (model.p_bar != before).any()


def test_a_network_that_never_had_a_state_fails_by_name(started, monkeypatch):
    model = started()
    model.good_s, model._balance = -1, None
    monkeypatch.setattr(model.engine, "flow", lambda *_: None)
    with pytest.raises(EngineFailure, match=r"gas \(.*\) at t=0 s \(J\d\): no steady state, even with every user cut off"):
        model.solve()
