"""The demo's venue: 0.6 MW behind 0.05 MWh of UPS (300 s) and a generator that starts in 120 s."""

import pytest


def test_a_ups_carries_until_the_generator_does_and_the_fuel_lasts_to_the_second(demo, do, run):
    grid = demo()
    run(grid, 60)
    do(grid, "fault", line="L1")
    assert grid.venue_powered[0]
    happened = [one for one in run(grid, 3000) if one[2] == "V1"]
    # 30 l at 250 l/MWh and 0.6 MW last 720 s; the UPS has given 120 s of its 300 s before the generator came
    assert happened == [
        (180, "generator_started", "V1"),
        (900, "fuel_empty", "V1"),
        (1080, "ups_empty", "V1"),
        (1080, "venue_dark", "V1"),
    ]
    assert not grid.venue_powered[0]


def test_the_same_seconds_in_one_stride(demo, do):
    grid = demo()
    do(grid, "fault", line="L1")
    grid.advance(3000)
    grid.solve()
    happened = [(n.happened_s, n.notice) for n in grid.notices if n.element == "V1"]
    assert happened == [(120, "generator_started"), (840, "fuel_empty"), (1020, "ups_empty"), (1020, "venue_dark")]


def test_a_venue_without_ups_is_dark_until_the_generator_runs(demo, do, run):
    grid = demo(backup={"ups_mwh": 0})
    assert ("venue_dark", "V1") in do(grid, "fault", line="L1")
    assert (120, "venue_lit", "V1") in run(grid, 130)


def test_a_broken_generator_leaves_the_venue_to_its_ups_until_someone_starts_it(demo, do, run):
    grid = demo()
    do(grid, "fail_generator", venue="V1")
    do(grid, "fault", line="L1")
    assert [(t, n) for t, n, e in run(grid, 600) if e == "V1"] == [(300, "ups_empty"), (300, "venue_dark")]
    do(grid, "start_generator", venue="V1")
    assert [(t, n) for t, n, e in run(grid, 1000) if e == "V1"] == [(720, "generator_started"), (720, "venue_lit")]


def test_the_bus_takes_the_load_back_and_the_generator_stops(demo, do, run):
    grid = demo()
    do(grid, "fault", line="L3")
    run(grid, 200)
    fuel = grid.venue_fuel_l[0]
    assert fuel == pytest.approx(30 - 80 / 3600 * 0.6 * 250)
    do(grid, "repair", line="L3")
    notices = do(grid, "close", line="L1")
    assert ("generator_stopped", "V1") in notices
    b3 = grid.index("bus", "B3")
    assert grid.served_mw[b3] == pytest.approx(0.8 + 0.6 + 0.005)  # its load, the venue, the UPS recharging in 10 h
    run(grid, 1000)
    assert grid.venue_fuel_l[0] == fuel


def test_a_ups_is_full_again_after_its_time(demo, do, run):
    grid = demo()
    do(grid, "fault", line="L3")
    run(grid, 100)
    do(grid, "repair", line="L3")
    do(grid, "close", line="L1")
    run(grid, 14000)
    assert grid.backup.ups_mwh[0] == pytest.approx(0.05)
    assert grid.served_mw[grid.index("bus", "B3")] == pytest.approx(1.4)


def test_a_generator_started_while_the_bus_is_live_takes_the_load_off_it(demo, do, run):
    grid = demo()
    before = grid.source_mw[0]
    do(grid, "start_generator", venue="V1")
    run(grid, 121)
    assert grid.source_mw[0] == pytest.approx(before - 0.6, abs=0.02)
    do(grid, "stop_generator", venue="V1")
    assert grid.source_mw[0] == pytest.approx(before, abs=1e-6)


def test_a_venue_that_has_no_generator_says_so(demo, do):
    grid = demo(backup={"generator_mw": 0})
    assert do(grid, "start_generator", venue="V1") == [("generator_absent", "V1")]


def test_energy_of_backup_is_accounted(demo, do, run):
    grid = demo()
    do(grid, "fault", line="L1")
    run(grid, 3000)
    energy, backup, *_ = grid.ledger()
    assert abs(energy.residual) < energy.tolerance
    assert abs(backup.residual) <= backup.tolerance
    assert backup.lost == pytest.approx(0.05 + 30 / 250)


def test_a_venue_that_switches_most_of_its_load_off_lasts_longer_on_its_ups(demo, do, run):
    grid = demo()
    do(grid, "fail_generator", venue="V1")
    do(grid, "fault", line="L1")
    run(grid, 100)
    do(grid, "keep_on", venue="V1", share=0.25)
    # 0.05 MWh less 100 s of 0.6 MW leave 800 s at 0.15 MW
    assert [(t, n) for t, n, e in run(grid, 2000) if e == "V1"] == [(900, "ups_empty"), (900, "venue_dark")]
    do(grid, "keep_on", venue="V1", share=1.0)
    assert grid.backup.load_mw[0] == pytest.approx(0.6)
