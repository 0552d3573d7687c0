"""The tiny city as a whole: every kind of coupling, all five models, traffic in a process of its own."""

from __future__ import annotations

from demo_city import COUPLINGS, KINDS, at, kinds, said

from twin import build

FAULT_S = 63


def test_the_tiny_city_has_every_kind_of_coupling_and_all_of_its_rows_count(evening):
    assert kinds() == set(KINDS)
    pairs = build.plan(evening).pairs
    assert sum(map(len, pairs.values())) == len(COUPLINGS.splitlines()) - 1
    assert {key[4] for key in pairs} == set(KINDS)


def test_one_fault_is_felt_by_all_whom_the_feeder_serves_and_by_nobody_else(stage):
    act = stage("traffic", "grid", "water", "gas", "crowd", hosts="", duration="120 s")
    run = act.run(at(FAULT_S, "grid.fault", line="L1"))
    assert run.manifest["hosts"]["traffic"] == "process"
    assert said(run, "traffic", "signal_dark") == [(FAULT_S, "X11")]
    assert said(run, "water", "pump_stopped") == [(FAULT_S, "PU1")]
    assert said(run, "crowd", "station_closed") == [(FAULT_S, "metro_w")]
    assert said(run, "crowd", "went_dark") == [(FAULT_S, "plaza_w")]
    assert not said(run, "gas", "supply_lost")
    assert {bus for _, bus in said(run, "grid", "bus_dead")} == {"B1", "B2", "B3"}
