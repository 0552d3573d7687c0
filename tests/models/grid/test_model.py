import numpy as np
import pytest

from models.grid import Grid
from twin import units
from twin.errors import InputError


def test_what_other_networks_draw_is_served_by_the_bus_and_fed_by_the_source(demo):
    grid = demo()
    before = grid.source_mw[0]
    b5 = grid.index("bus", "B5")
    grid.extra_load_mw[b5] = 0.5
    grid.solve()
    assert grid.served_mw[b5] == pytest.approx(1.3)
    assert grid.source_mw[0] - before == pytest.approx(0.5, abs=0.02)


def test_a_dead_bus_serves_nothing_and_says_what_it_misses(demo, do):
    grid = demo()
    b2 = grid.index("bus", "B2")
    grid.extra_load_mw[b2] = 0.25
    do(grid, "open", line="L1")
    assert grid.served_mw[b2] == 0.0
    assert grid.unserved_mw[b2] == pytest.approx(0.8 + 0.25)
    assert not grid.energized[b2]


def test_shedding_gives_up_that_share_and_can_be_taken_back(demo, do):
    grid = demo()
    b2 = grid.index("bus", "B2")
    do(grid, "shed", bus="B2", fraction=0.25)
    assert grid.served_mw[b2] == pytest.approx(0.6)
    assert grid.unserved_mw[b2] == pytest.approx(0.2)
    do(grid, "shed", bus="B2", fraction=0.0)
    assert grid.served_mw[b2] == pytest.approx(0.8)


def test_a_gas_fired_unit_follows_its_gas_and_asks_for_what_it_is_rated(demo, do):
    grid = demo()
    before = grid.source_mw[0]
    assert grid.gas_unit_p_mw[0] == pytest.approx(1.5)
    asked = grid.gas_unit_kg_per_s[0]
    assert asked == pytest.approx(1.5 / (0.40 * 47.0))  # P / (efficiency x lower heating value)
    grid.fuel_fraction[0] = 0.4
    grid.solve()
    assert grid.gas_unit_p_mw[0] == pytest.approx(0.6)
    assert grid.source_mw[0] - before == pytest.approx(0.9, abs=0.02)
    assert grid.gas_unit_kg_per_s[0] == asked  # or the loop with the gas network would chatter
    do(grid, "open", line="L4")
    assert grid.gas_unit_p_mw[0] == 0.0
    assert grid.gas_unit_kg_per_s[0] == 0.0


def test_efficiency_comes_from_the_table_beside_the_network(demo, tmp_path, started):
    demo()
    units_file = tmp_path / "gas_units.csv"
    units_file.write_text("id,efficiency,lhv_mj_per_kg\nG1,0.5,50\n")
    setup = Grid.demo(tmp_path)
    grid = started(type(setup)("grid", {**setup.files, "gas_units": units_file}, tmp_path))
    assert grid.gas_unit_kg_per_s[0] == pytest.approx(1.5 / (0.5 * 50))
    units_file.write_text("id,efficiency\nG2,0.5\nG1,1.5\n")
    with pytest.raises(InputError) as caught:
        Grid(type(setup)("grid", {**setup.files, "gas_units": units_file}, tmp_path))
    assert [str(p).split(": ", 1)[1] for p in caught.value.problems] == [
        "no static generator 'G2'; did you mean 'G1'?",
        "efficiency is 1.5; it lies between 0 and 1",
    ]


def test_loads_follow_the_profile_of_their_class_straight_between_hours(demo, tmp_path, started):
    demo()
    profile = tmp_path / "profile.csv"
    profile.write_text("hour,residential\n6,0.4\n20,1.0\n22,0.5\n")
    setup = Grid.demo(tmp_path)  # starts at 20:00
    grid = started(type(setup)("grid", {**setup.files, "profile": profile}, tmp_path))
    b1 = grid.index("bus", "B1")
    assert grid.served_mw[b1] == pytest.approx(0.8)
    assert grid.advance(3600) is True
    grid.solve()
    assert grid.served_mw[b1] == pytest.approx(0.8 * 0.75)
    grid.advance(6 * 3600)  # 02:00, halfway from 22:00 to 06:00
    grid.solve()
    assert grid.served_mw[b1] == pytest.approx(0.8 * 0.45)


def test_nothing_moves_while_nothing_happens(demo):
    grid = demo()
    assert grid.advance(600) is False
    assert grid.now_s == 600


def test_loads_beyond_any_solution_are_shed_and_the_run_is_degraded(demo, do):
    grid = demo()
    do(grid, "scale_load", bus="B3", factor=100)
    do(grid, "scale_load", bus="B6", factor=100)
    notices = do(grid, "scale_load", bus="B2", factor=100)
    assert ("load_shed", "grid") in notices
    assert 0 < grid.all_kept[0] < 1
    assert np.isfinite(grid.vm_pu).all()
    assert grid.degraded
    assert "of all load was shed" in grid.degraded[-1].facts["what"]
    assert grid.unserved_mw.sum() > 0


def test_energy_through_the_network_is_conserved_over_events(demo, do, run):
    grid = demo()
    do(grid, "fault", line="L2")
    run(grid, 777)
    do(grid, "isolate", line="L2")
    do(grid, "close", line="L1")
    do(grid, "scale_load", bus="B1", factor=3.0)
    run(grid, 5000)
    account = grid.ledger()[0]
    assert account.gained > 5
    assert abs(account.residual) < account.tolerance


def test_a_restored_grid_has_the_same_future(demo, do, run, tmp_path, started):
    grid = demo()
    do(grid, "fault", line="L2")
    do(grid, "scale_load", bus="B4", factor=11.0)
    run(grid, 15)
    snapshot = grid.snapshot()
    first = run(grid, 2000)
    again = Grid(grid.setup)
    again.open()
    again.restore(snapshot)
    assert run(again, 2000) == first
    assert len(first) > 4
    assert np.array_equal(again.vm_pu, grid.vm_pu)
    assert again.ledger() == grid.ledger()


def test_names_end_in_their_units():
    assert units.suffix("%") == "_percent"
    assert Grid.loading_percent.unit == "%"
    assert set(Grid.actions) >= {"open", "close", "fault", "isolate", "repair", "open_trafo", "close_switch", "shed", "start_generator"}
