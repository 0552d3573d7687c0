import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.grid.protection import Relay

ONE = Relay(pickup=1.0, tms=1.0, reset_s=60.0)


@pytest.mark.parametrize(("ratio", "seconds"), [(2, 10.029), (5, 4.280), (10, 2.971), (20, 2.267)])
def test_operating_times_are_those_of_the_standard_inverse_curve(ratio, seconds):
    """IEC 60255-151 curve A at TMS 1: the values tabulated in relay manuals (10.03, 4.28, 2.97, 2.27 s)."""
    assert ONE.operate_s(np.array([100.0 * ratio]))[0] == pytest.approx(seconds, abs=1e-3)


def test_a_current_at_or_below_the_setting_never_operates():
    assert np.isinf(Relay(1.2, 0.5, 60).operate_s(np.array([0.0, 100.0, 120.0]))).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.floats(121, 400))
def test_travel_does_not_depend_on_how_time_is_cut(parts, percent):
    relay, whole, cut = Relay(1.2, 5.0, 60), np.zeros(1), np.zeros(1)
    relay.advance(whole, np.array([percent]), sum(parts))
    for dt_s in parts:
        relay.advance(cut, np.array([percent]), dt_s)
    assert cut[0] == pytest.approx(whole[0], rel=1e-12)


def test_time_spent_at_different_currents_adds_up_and_a_pause_gives_it_back():
    wear = np.zeros(1)
    ONE.advance(wear, np.array([200.0]), 5.0)  # half of 10.03 s
    assert wear[0] == pytest.approx(0.4986, abs=1e-4)
    assert ONE.due_s(wear, np.array([500.0])) == 3  # the other half at 5 times: 2.146 s
    ONE.advance(wear, np.array([50.0]), 15.0)
    assert wear[0] == pytest.approx(0.4986 - 0.25, abs=1e-4)
    ONE.advance(wear, np.array([50.0]), 60.0)
    assert wear[0] == 0.0


def heavy(demo, do, factor=8.0):
    """Load the second half of feeder 1: the head L1 carries some 140 % of its rating."""
    grid = demo()
    do(grid, "scale_load", bus="B2", factor=factor)
    return grid


def test_an_overloaded_feeder_trips_at_the_second_its_relay_says(demo, do, run):
    grid = heavy(demo, do)
    percent = grid.loading_percent[grid.index("line", "L1")]
    expected = 0.5 * 0.14 / ((percent / 120.0) ** 0.02 - 1.0)  # TMS 0.5, setting 1.2 times rating
    assert 5 < expected < 100
    happened = run(grid, 200)
    at, what, line = next(one for one in happened if one[1] == "line_tripped")
    assert (what, line) == ("line_tripped", "L1")
    assert at == int(np.ceil(expected))
    assert {element for t, notice, element in happened if notice == "bus_dead" and t == at} == {"B1", "B2", "B3"}


def test_the_trip_comes_at_the_same_second_however_time_is_cut(demo, do):
    tripped = []
    for stops in ([200], range(1, 201), [7, 13, 29, 30, 31, 32, 33, 34, 35, 120, 200]):
        grid = heavy(demo, do)
        for stop in stops:
            grid.advance(stop)
        grid.solve()
        tripped.append([n.happened_s for n in grid.notices if n.notice == "line_tripped"])
    assert tripped[0] == tripped[1] == tripped[2]
    assert len(tripped[0]) == 1


def test_a_load_taken_away_in_time_lets_the_relay_return(demo, do, run):
    grid = heavy(demo, do)
    due = grid.next_s()
    run(grid, due - 1)
    do(grid, "shed", bus="B2", fraction=1.0)
    assert not [n for _, n, _ in run(grid, 600) if n == "line_tripped"]
    assert grid.line_travel.max() == 0.0


def test_without_the_relays_nothing_trips(demo, do, run):
    grid = demo(overload_trips=False)
    do(grid, "scale_load", bus="B2", factor=8.0)
    assert grid.loading_percent.max() > 140
    assert not [n for _, n, _ in run(grid, 600) if n == "line_tripped"]


def test_a_trip_that_moves_load_elsewhere_trips_there_next(demo, do, run):
    """Both feeders joined by the tie: when one head trips, the other carries all, and trips later."""
    grid = demo()
    do(grid, "close", line="T1")
    do(grid, "scale_load", bus="B1", factor=11.0)
    assert grid.loading_percent[grid.index("line", "L4")] < 120
    trips = [(t, line) for t, notice, line in run(grid, 600) if notice == "line_tripped"]
    assert [line for _, line in trips] == ["L1", "L4"]
    assert trips[0][0] < trips[1][0]
    assert not grid.energized[grid.index("bus", "B1")]


def test_a_transformer_overloaded_beyond_its_setting_trips(demo, do, run):
    grid = demo(line_tms=1000.0)
    for bus in ("B1", "B4"):
        do(grid, "scale_load", bus=bus, factor=22.0)
    assert grid.trafo_loading_percent[0] > 140
    happened = run(grid, 3000)
    assert "trafo_tripped" in {notice for _, notice, _ in happened}
    assert not grid.energized[grid.index("bus", "SS1")]
    assert grid.energized[grid.index("bus", "SS1_110")]


def test_a_transformer_rated_lower_in_hot_air_is_overloaded_earlier_while_its_relay_sees_the_same_current(demo, do, run):
    grid = demo()
    for bus in ("B1", "B4"):
        do(grid, "scale_load", bus=bus, factor=12.4)
    current = grid.trafo_loading_percent.copy()
    assert 93 < current[0] < 100
    assert not grid.was_over_trafo[0]
    do(grid, "rate_trafo", trafo=grid.elements["trafo"].ids[0], factor=0.925)
    assert grid.was_over_trafo[0], "its notice is given"
    assert grid.trafo_loading_percent == pytest.approx(current, rel=1e-9)
    assert grid.trafo_thermal_percent == pytest.approx(current / 0.925)
