"""Power flows that do not converge: every method is tried, what helps is taken, the weakest bus is named, and all comes back."""

from __future__ import annotations

import numpy as np
import pytest

from models.grid.engine import Diverged
from models.grid.ladder import Ladder
from twin.errors import EngineFailure


def overload(grid, do) -> None:
    for bus in ("B2", "B3", "B6"):
        do(grid, "scale_load", bus=bus, factor=100)


def deaf(solver, methods, monkeypatch) -> None:
    """Let these methods of a solver find nothing."""
    real = solver.solve

    def solve(demand, method=""):
        if (method or solver.methods[0]) in methods:
            raise Diverged("does not converge")
        return real(demand, method)

    monkeypatch.setattr(solver, "solve", solve)


def test_a_load_beyond_any_solution_is_tried_by_every_method_and_names_the_weakest_bus(demo, do):
    grid = demo()
    overload(grid, do)
    with pytest.raises(Diverged, match="none of 7 methods finds a power flow"):
        grid.ladder.solve(grid._demand(1.0))
    assert grid.ladder.tried == [
        "power-grid-model newton",
        "power-grid-model iterative current",
        *(f"pandapower {way}" for way in ("newton", "newton from a DC start", "Iwamoto", "backward/forward sweep", "fast decoupled")),
    ]
    degraded = grid.degraded[-1]
    kept = float(grid.all_kept[0])
    live = np.where(grid.energized, grid.vm_pu, np.inf)
    assert degraded.element == grid.elements["bus"].ids[int(live.argmin())]
    assert 0.3 < live.min() < 0.9
    assert f"{1 - kept:.0%} of all load was shed" in degraded.facts["what"]
    assert all(abs(account.residual) <= account.tolerance for account in grid.ledger())


def test_it_recovers_when_the_load_goes_away(demo, do):
    grid, calm = demo(), demo()
    overload(grid, do)
    for bus in ("B2", "B3", "B6"):
        notices = do(grid, "scale_load", bus=bus, factor=1.0)
    assert ("load_shed", "grid") in notices  # with nothing shed any more
    assert grid.all_kept[0] == 1.0
    np.testing.assert_array_equal(grid.vm_pu, calm.vm_pu)


def test_each_rung_gives_what_the_ordinary_one_gives_where_that_converges(demo, do):
    grid = demo()
    for bus in ("B2", "B3", "B6"):
        do(grid, "scale_load", bus=bus, factor=12.0)
    demand = grid._demand(1.0)
    ordinary = grid.ladder.solve(demand)
    assert grid.ladder.tried == ["power-grid-model newton"], "nothing else is asked where the ordinary method converges"
    assert ordinary.vm_pu.min() < 0.95
    for rung in grid.ladder.rungs[1:]:
        other = Ladder([rung]).solve(demand)
        np.testing.assert_allclose(other.vm_pu, ordinary.vm_pu, atol=2e-6, err_msg=str(rung))
        np.testing.assert_allclose(other.served_mw, ordinary.served_mw, atol=1e-6)
        np.testing.assert_array_equal(other.energized, ordinary.energized)


@pytest.mark.parametrize("lost", [1, 2, 3, 5])
def test_where_the_first_methods_fail_the_next_one_is_taken_and_nothing_is_shed(demo, do, monkeypatch, lost):
    grid, sure = demo(), demo()
    fast, slow = grid.solver, grid.ladder.rungs[-1][0]
    names = [method for _, method in grid.ladder.rungs]
    deaf(fast, names[: min(lost, 2)], monkeypatch)
    deaf(slow, names[2:lost], monkeypatch)
    for one in (grid, sure):
        do(one, "scale_load", bus="B6", factor=5.0)
    assert len(grid.ladder.tried) == lost + 1
    assert grid.all_kept[0] == 1.0 and not grid.degraded
    np.testing.assert_allclose(grid.vm_pu, sure.vm_pu, atol=2e-6)


def test_a_solution_of_the_unstable_branch_is_none(demo, do, monkeypatch):
    from dataclasses import replace

    grid = demo()
    demand = grid._demand(1.0)
    low = replace(grid.ladder.solve(demand), vm_pu=np.full_like(grid.vm_pu, 0.4))
    deaf(grid.solver, grid.solver.methods, monkeypatch)
    monkeypatch.setattr(grid.ladder.rungs[-1][0], "solve", lambda demand, method="": low)
    with pytest.raises(Diverged, match="unstable branch"):
        grid.ladder.solve(demand)


def test_where_nothing_helps_the_last_power_flow_stays_and_is_named_with_its_second(demo, do, run, monkeypatch):
    grid = demo()
    run(grid, 60)
    before = grid.vm_pu.copy()
    with monkeypatch.context() as broken:
        for solver, method in grid.ladder.rungs:
            deaf(solver, [method], broken)
        do(grid, "scale_load", bus="B3", factor=2.0)
        np.testing.assert_array_equal(grid.vm_pu, before)
        (degraded,) = grid.degraded
        assert "even without any load: that of t=0 s is kept" in degraded.facts["what"]
        assert (degraded.happened_s, degraded.element) == (60, grid._weakest())
        run(grid, 120)
        assert len(grid.degraded) == 1, "it is said once"
        assert all(abs(account.residual) <= account.tolerance for account in grid.ledger())
        saved = grid.snapshot()
        assert saved["engine"]["is_old"]
    do(grid, "scale_load", bus="B3", factor=2.5)
    assert not grid.is_old and (grid.vm_pu != before).any()


def test_a_network_that_never_had_a_power_flow_fails_by_name(demo, monkeypatch):
    grid = demo()
    grid.good_s, grid._last = -1, None
    for solver, method in grid.ladder.rungs:
        deaf(solver, [method], monkeypatch)
    with pytest.raises(EngineFailure, match=r"grid \(.*\) at t=0 s: no power flow even without any load: none of 7 methods"):
        grid.solve()
