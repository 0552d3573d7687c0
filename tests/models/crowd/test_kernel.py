"""The movement kernel keeps people on the ground, counts them, and gives the same result however it is asked."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from models.crowd.kernel import (
    ARRIVAL,
    WAITING,
    WALKER,
    WALKING,
    Fields,
    Gates,
    Ground,
    Manner,
    Walkers,
    draw_speeds,
    fruin_level,
)

PLAZA = shapely.union_all([shapely.box(0, 0, 12, 10), shapely.box(12, 4, 14, 6), shapely.box(14, 0, 24, 10)])
PILLARS = shapely.union_all([shapely.box(5, 4, 5.4, 6), shapely.Point(8, 7).buffer(0.7, quad_segs=3)])
SCREEN = np.array([[3.0, 1.0, 3.0, 7.0], [16.0, 3.0, 20.0, 9.0]])


def records(x_m: list[float], y_m: list[float], *, speed: float = 1.34, field: int = 0) -> np.ndarray:
    out = np.zeros(len(x_m), WALKER)
    out["id"], out["x_m"], out["y_m"], out["field"] = np.arange(len(x_m)), x_m, y_m, field
    out["desired_speed_m_per_s"], out["radius_m"] = speed, 0.2
    return out


def hall(*, capacity_per_s: float = 1.5, areas: tuple = ()) -> Walkers:
    """Two rooms with pillars, screens and a gate between them; field 0 lies in the right room, field 1 in the left."""
    ground = Ground(PLAZA.difference(PILLARS), cell_m=0.4, walls=SCREEN, areas=areas)
    fields = Fields(ground)
    fields.add(shapely.box(22, 8, 24, 10))
    fields.add(shapely.box(0, 0, 1, 1), absorbs=False)
    return Walkers(ground, fields, gates=Gates([[13, 4, 13, 6]], capacity_per_s=[capacity_per_s]))


def crowd(seed: int, count: int) -> np.ndarray:
    """Draw people anywhere on the ground, closer than a body here and there, going both ways."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 24, 8 * count), rng.uniform(0, 10, 8 * count)
    free = shapely.contains_xy(PLAZA.difference(PILLARS), x, y)
    out = records(x[free][:count].tolist(), y[free][:count].tolist())
    out["desired_speed_m_per_s"], out["field"] = draw_speeds(rng, len(out)), rng.integers(0, 2, len(out))
    out["id"] = rng.permutation(10 * len(out))[: len(out)]
    return out


def crossed(walls: np.ndarray, before: np.ndarray, after: np.ndarray) -> bool:
    paths = shapely.linestrings(np.stack([before, after], axis=1))
    return bool(shapely.intersects(shapely.multilinestrings(walls.reshape(-1, 2, 2)), paths).any())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 160))
def test_nobody_passes_a_wall_or_gets_lost(seed: int, count: int) -> None:
    walkers = hall()
    walkers.add(crowd(seed, count))
    gone = 0
    for _ in range(60):
        was = dict(zip(walkers.id.tolist(), zip(walkers.x_m, walkers.y_m, strict=True), strict=True))
        arrived = walkers.step(0.1, 1)
        gone += int(np.sum(arrived["field"] == 0))
        assert len(walkers) + gone == count
        before = np.array([was[i] for i in walkers.id.tolist()]).reshape(-1, 2)
        after = np.column_stack([walkers.x_m, walkers.y_m])
        moved = np.any(before != after, axis=1)
        assert not crossed(walkers.ground.walls.ends_m, before[moved], after[moved])
        assert walkers.ground.inside(walkers.x_m, walkers.y_m).all()
        assert np.isfinite(walkers.heading).all() and (walkers.speed_m_per_s >= 0).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), split=st.integers(1, 79))
def test_order_of_entry_and_split_of_steps_change_nothing(seed: int, split: int) -> None:
    people = crowd(seed, 120)
    one, other = hall(), hall()
    one.add(people)
    shuffled = np.random.default_rng(seed).permutation(people)
    other.add(shuffled[:50])
    other.add(shuffled[50:])
    whole = one.step(0.1, 80)
    parts = [other.step(0.1, split), other.step(0.1, 80 - split)]
    parts[1]["after_s"] += split * 0.1
    np.testing.assert_array_equal(np.sort(whole["id"]), np.sort(np.concatenate(parts)["id"]))
    for name in ("id", "x_m", "y_m", "heading", "speed_m_per_s", "state", "field"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(one.gates.passed, other.gates.passed)


def test_a_restored_snapshot_has_the_same_future() -> None:
    one, other = hall(), hall()
    one.add(crowd(3, 150))
    one.step(0.1, 50)
    other.restore(one.snapshot())
    np.testing.assert_array_equal(one.step(0.1, 70), other.step(0.1, 70))
    for name, array in one.snapshot().items():
        np.testing.assert_array_equal(array, other.snapshot()[name], err_msg=name)


def test_bodies_do_not_grow_into_each_other() -> None:
    """From 0.4 m apart, a jam before the gate squeezes shoulders by what `SLIM` allows and no more than that twice."""
    walkers = hall(capacity_per_s=0.3)
    x, y = np.meshgrid(np.arange(3.4, 11.6, 0.45), np.arange(0.4, 3.9, 0.45))
    walkers.add(records(x.ravel().tolist(), y.ravel().tolist()))
    for _ in range(40):
        walkers.step(0.1, 20)
        xy = np.column_stack([walkers.x_m, walkers.y_m])
        gaps = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))[np.triu_indices(len(xy), 1)]
        assert gaps.min() > 0.3


def test_a_gate_passes_its_capacity_and_a_queue_forms() -> None:
    walkers = hall(capacity_per_s=0.5)
    x, y = np.meshgrid(np.linspace(6, 11.5, 10), np.linspace(0.5, 3.5, 6))
    walkers.add(records(x.ravel().tolist(), y.ravel().tolist()))
    for second in range(10, 70, 10):
        walkers.step(0.1, 100)
        assert walkers.gates.passed.sum() <= 0.5 * second + 1
    assert walkers.gates.passed[0].tolist() == [0, int(walkers.gates.passed.sum())]  # rightwards, seen along the gate
    assert walkers.gates.passed.sum() == pytest.approx(30, abs=5)  # 0.5 people/s from the first arrival on, for 60 s
    waiting = walkers.x_m < 13
    assert waiting.sum() + walkers.gates.passed.sum() == 60
    assert walkers.crowding_per_m2()[waiting].max() > 2.0


def test_a_shut_gate_passes_nobody_and_an_open_one_everybody() -> None:
    for capacity, passed in ((0.0, 0), (np.inf, 5)):
        walkers = hall(capacity_per_s=capacity)
        walkers.add(records([10, 10, 10, 11, 11], [4.2, 5, 5.8, 4.6, 5.4]))
        walkers.step(0.1, 150)
        assert walkers.gates.passed.sum() == passed


def test_a_dark_area_slows_by_its_factor() -> None:
    ground = Ground(shapely.box(0, 0, 60, 4), cell_m=0.5, areas=[shapely.box(20, 0, 40, 4)])
    fields = Fields(ground)
    fields.add(shapely.box(59, 0, 60, 4))
    walkers = Walkers(ground, fields)
    walkers.speed_factor[0] = 0.6
    walkers.add(records([1.0], [2.0], speed=1.2))
    speeds = {}
    while len(walkers) and walkers.x_m[0] < 50:
        walkers.step(0.1, 10)
        speeds[int(walkers.area[0])] = round(float(walkers.speed_m_per_s[0]), 9)
        assert walkers.counts()[0] == (walkers.area[0] == 0)
    assert speeds == {-1: 1.2, 0: 0.72}


def beside_a_wall(walls: np.ndarray | None, others: int) -> np.ndarray:
    """Walk 2 s past slow people half a metre to the left; return where the walker is."""
    ground = Ground(shapely.box(0, 0, 30, 6), cell_m=0.5, walls=walls)
    fields = Fields(ground)
    fields.add(shapely.box(28, 0, 30, 6))
    walkers = Walkers(ground, fields)
    walkers.add(records([5.0, 5.5, 6.0][: 1 + others], [2.75, 3.25, 3.25][: 1 + others]))
    walkers.desired_speed_m_per_s[1:] = 0.1
    walkers.step(0.1, 20)
    return np.array([walkers.x_m[0], walkers.y_m[0]])


def test_people_behind_a_wall_are_not_felt() -> None:
    wall = np.array([[0.0, 3.0, 30.0, 3.0]])
    np.testing.assert_array_equal(beside_a_wall(wall, 2), beside_a_wall(wall, 0))
    assert np.abs(beside_a_wall(None, 2) - beside_a_wall(None, 0)).max() > 0.1


def test_arrivals_vanish_or_wait_as_their_field_says_and_can_be_sent_on() -> None:
    walkers = hall()
    walkers.add(records([21.5, 1.6], [8.5, 0.5]))
    walkers.field[1] = 1
    arrived = walkers.step(0.1, 30)
    assert arrived.dtype == ARRIVAL
    assert sorted(arrived["id"].tolist()) == [0, 1] and np.all(np.diff(arrived["after_s"]) >= 0)
    assert walkers.id.tolist() == [1] and walkers.state.tolist() == [WAITING]
    still = walkers.x_m.copy()
    assert len(walkers.step(0.1, 10)) == 0 and np.array_equal(still, walkers.x_m)
    walkers.retarget(walkers.id == 1, 0)
    assert walkers.state.tolist() == [WALKING]
    walkers.step(0.1, 20)
    assert walkers.x_m[0] > still[0]


def test_what_cannot_be_is_refused_and_nobody_is_added() -> None:
    walkers = hall()
    walkers.add(records([2.0], [2.0]))
    for wrong, says in (
        (records([2.0], [8.0]), "id"),
        (records([1.0, 13.0], [1.0, 9.0]), "off the ground"),
        (records([1.0, 1.0], [1.0, 5.0], field=7), "field"),
        (records([1.0, 1.0], [1.0, 5.0], speed=-1.0), "speed"),
    ):
        fresh = wrong.copy()
        fresh["id"] += 0 if says == "id" else 10
        with pytest.raises(ValueError, match=says):
            walkers.add(fresh)
    assert len(walkers) == 1
    with pytest.raises(ValueError, match=r"0\.2 s"):
        walkers.step(0.2, 1)
    with pytest.raises(ValueError, match="capacit"):
        Gates([[0, 0, 1, 0]], capacity_per_s=[-1.0])


def test_a_single_walker_waits_where_no_way_leads() -> None:
    ground = Ground(shapely.box(0, 0, 10, 4), cell_m=0.5, walls=np.array([[5.0, 0.0, 5.0, 4.0]]))
    fields = Fields(ground)
    fields.add(shapely.box(9, 0, 10, 4))
    walkers = Walkers(ground, fields)
    walkers.add(records([2.0], [2.0]))
    walkers.step(0.1, 50)
    assert (walkers.x_m[0], walkers.y_m[0]) == (2.0, 2.0)
    assert np.isinf(fields.distance_m(0, np.array([2.0]), np.array([2.0])))[0]


def test_fruin_levels_start_where_the_table_says() -> None:
    # Fruin (1971), walkways: A above 35 ft2 a person (3.25 m2), F below 5 ft2 (0.46 m2)
    assert fruin_level([0.0, 0.30, 0.32, 0.5, 1.0, 2.0, 2.3]).tolist() == [0, 0, 1, 2, 3, 4, 5]


def test_the_law_is_that_of_jupedsim() -> None:
    """Two slow walkers ahead of a fast one in the open: the same path within 2 cm over 6 s at 0.01 s."""
    jupedsim = pytest.importorskip("jupedsim", reason="jupedsim is not installed: nothing to compare with")
    ground_shape, exit_shape = shapely.box(0, -10, 400, 10), shapely.box(398, -0.5, 400, 0.5)
    start, speeds, manner = [(5.0, 0.0), (7.0, 0.15), (7.5, -0.9)], [1.5, 0.6, 0.5], Manner()
    simulation = jupedsim.Simulation(model=jupedsim.CollisionFreeSpeedModelV2(), geometry=ground_shape, dt=0.01)
    stage = simulation.add_exit_stage(exit_shape)
    journey = simulation.add_journey(jupedsim.JourneyDescription([stage]))
    for at, speed in zip(start, speeds, strict=True):
        simulation.add_agent(
            jupedsim.CollisionFreeSpeedModelV2AgentParameters(
                journey_id=journey,
                stage_id=stage,
                position=at,
                desired_speed=speed,
                radius=0.2,
                time_gap=manner.time_gap_s,
                strength_neighbor_repulsion=manner.strength_neighbor,
                range_neighbor_repulsion=manner.range_neighbor_m,
                strength_geometry_repulsion=manner.strength_geometry,
                range_geometry_repulsion=manner.range_geometry_m,
            )
        )
    ground = Ground(ground_shape, cell_m=1.0)
    fields = Fields(ground)
    fields.add(shapely.box(398, -10, 400, 10))
    walkers = Walkers(ground, fields, manner=manner)
    people = records([x for x, _ in start], [y for _, y in start])
    people["desired_speed_m_per_s"] = speeds
    walkers.add(people)
    for _ in range(12):
        simulation.iterate(50)
        walkers.step(0.01, 50)
        theirs = np.array([agent.position for agent in sorted(simulation.agents(), key=lambda agent: agent.id)])
        assert np.abs(theirs - np.column_stack([walkers.x_m, walkers.y_m])).max() < 0.02
