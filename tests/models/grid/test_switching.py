import json

import pytest


def dead(grid):
    return {id for id, live in zip(grid.elements["bus"].ids, grid.energized, strict=True) if not live}


def test_a_fault_trips_the_feeders_breaker_in_the_same_instant_and_no_other(demo, do):
    grid = demo()
    notices = do(grid, "fault", line="L2")
    assert notices[0] == ("line_tripped", "L1")
    assert grid.notices[0].facts == {"cause": "fault", "on": "L2", "breaker": "CB_L1_SS1"}
    assert {n.happened_s for n in grid.notices} == {0}
    assert dead(grid) == {"B1", "B2", "B3"}
    assert (grid.vm_pu[~grid.energized] == 0).all()


def test_isolating_and_closing_the_tie_brings_everyone_back(demo, do):
    grid = demo()
    do(grid, "fault", line="L2")
    do(grid, "isolate", line="L2")
    assert dead(grid) == {"B1", "B2", "B3"}
    assert ("bus_restored", "B1") in do(grid, "close", line="L1")
    assert dead(grid) == {"B2", "B3"}
    do(grid, "close", line="T1")
    assert dead(grid) == set()
    assert grid.p_mw[grid.index("line", "L2")] == 0.0


def test_closing_onto_a_fault_that_is_not_isolated_trips_again(demo, do):
    grid = demo()
    do(grid, "fault", line="L2")
    assert ("line_tripped", "L1") in do(grid, "close", line="L1")
    assert dead(grid) == {"B1", "B2", "B3"}
    assert ("line_tripped", "L4") in do(grid, "close", line="T1")  # the fault is now fed from the other side
    assert dead(grid) == {"B1", "B2", "B3", "B4", "B5", "B6"}


def test_a_repaired_line_carries_again_once_it_is_closed(demo, do):
    grid = demo()
    before = grid.p_mw.copy()
    do(grid, "fault", line="L2")
    do(grid, "isolate", line="L2")
    do(grid, "repair", line="L2")
    do(grid, "close", line="L2")
    do(grid, "close", line="L1")
    assert grid.p_mw == pytest.approx(before, abs=1e-9)


def test_a_fault_on_a_dead_line_trips_nothing(demo, do):
    grid = demo()
    do(grid, "open", line="L1")
    assert do(grid, "fault", line="L2") == []


def test_where_the_file_has_no_breakers_the_feeders_first_line_trips(demo, do, tmp_path, started, setup_of):
    demo()
    path = tmp_path / "grid.json"
    path.write_text(path.read_text().replace('\\"CB\\"', '\\"LBS\\"'))
    grid = started(setup_of(path))
    assert do(grid, "fault", line="L6")[0] == ("line_tripped", "L4")
    assert dead(grid) == {"B4", "B5", "B6"}


def test_a_fault_in_oberrhein_trips_the_breaker_at_its_substation(oberrhein, setup_of, started, do):
    """MV Oberrhein has four circuit breakers, at the heads of its feeders at buses 39 and 319."""
    grid = started(setup_of(oberrhein))
    heads = {"Line 62", "Line 162", "Line 165", "Line 193"}
    farthest = grid.elements["line"].ids[int(grid.p_mw.__abs__().argmin())]
    notices = do(grid, "fault", line="Line 0")
    assert farthest != "Line 0"
    assert notices[0][0] == "line_tripped"
    assert notices[0][1] in heads
    assert 10 < len(dead(grid)) < 179 / 2


def test_a_transformer_and_an_infeed_can_be_lost_and_come_back(demo, do):
    grid = demo()
    do(grid, "open_trafo", trafo="TR1")
    assert dead(grid) == {"SS1", "B1", "B2", "B3", "B4", "B5", "B6"}
    do(grid, "close_trafo", trafo="TR1")
    assert dead(grid) == set()
    do(grid, "lose_infeed", infeed="infeed")
    assert dead(grid) == set(grid.elements["bus"].ids)
    assert grid.source_mw[0] == 0.0
    do(grid, "return_infeed", infeed="infeed")
    assert dead(grid) == set()


def test_restoring_leaves_faulted_lines_open(demo, do):
    grid = demo()
    do(grid, "fault", line="L3")
    do(grid, "close", line="T1")
    do(grid, "restore_normal")
    assert dead(grid) == {"B3"}
    assert not grid.line_closed[grid.index("line", "L3")]


def test_a_closed_ring_is_cut_from_both_sides(demo, do):
    grid = demo()
    do(grid, "close", line="T1")
    tripped = [element for notice, element in do(grid, "fault", line="L3") if notice == "line_tripped"]
    assert sorted(tripped) == ["L1", "L4"]


def test_a_bus_coupler_is_a_breaker_too(demo, do, tmp_path, started, setup_of):
    """Join SS1 and B1 by a coupler instead of L1: a fault beyond it opens the coupler."""
    demo()
    path = tmp_path / "grid.json"
    whole = json.loads(path.read_text())
    held = json.loads(whole["_object"]["switch"]["_object"])
    columns = held["columns"]
    row = dict.fromkeys(columns) | {"bus": 1, "element": 2, "et": "b", "type": "CB", "closed": True, "name": "COUPLER", "z_ohm": 0.0}
    held["data"].append([row[column] for column in columns])
    held["index"].append(len(held["index"]))
    whole["_object"]["switch"]["_object"] = json.dumps(held)
    path.write_text(json.dumps(whole))
    grid = started(setup_of(path))
    do(grid, "open", line="L1")
    assert dead(grid) == set()
    assert do(grid, "fault", line="L2")[0] == ("breaker_tripped", "COUPLER")
