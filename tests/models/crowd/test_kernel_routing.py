"""Routing fields give the length of the way, round corners and past closed exits, on grounds of any size."""

from __future__ import annotations

import time

import numpy as np
import pytest
import shapely

from models.crowd.kernel import Fields, Ground
from models.crowd.routing import WALL_COST, WALL_MARGIN_M


def test_the_ground_knows_what_lies_inside() -> None:
    shape = shapely.Point(0, 0).buffer(20).difference(shapely.box(-5, -5, 5, 5))
    ground = Ground(shape, cell_m=0.5, areas=[shapely.box(0, -30, 30, 30)])
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-22, 22, 4000), rng.uniform(-22, 22, 4000)
    assert ground.cells * 0.25 == pytest.approx(shape.area, rel=0.01)
    assert np.array_equal(ground.inside(x, y), shapely.contains_xy(shape, x, y))
    centre = ground.cell_at(x, y)
    assert np.mean((centre >= 0) == ground.inside(x, y)) > 0.97  # cells on the edge are in or out as a whole
    true = np.minimum(shapely.distance(shape.boundary, shapely.points(x, y)), 2.6)
    inside = ground.inside(x, y)
    assert ground.wall_distance_m(x, y)[inside] == pytest.approx(true[inside], abs=1e-9)
    assert ground.area_m2[0] == pytest.approx(shapely.intersection(shape, shapely.box(0, -30, 30, 30)).area)
    assert np.all(ground.area_at(x, y)[ground.area_at(x, y) >= 0] == 0)


def test_distances_in_the_open_are_straight() -> None:
    ground = Ground(shapely.box(0, 0, 200, 200), cell_m=1.0)
    fields = Fields(ground)
    fields.add(shapely.Point(100, 100).buffer(10))
    rng = np.random.default_rng(2)
    x, y = rng.uniform(5, 195, 500), rng.uniform(5, 195, 500)
    straight = np.maximum(np.hypot(x - 100, y - 100) - 10, 0)
    # first order fast marching errs by a cell or so, and cell centres by 0.7 of one
    assert fields.distance_m(0, x, y) == pytest.approx(straight, abs=2.0)


def test_a_way_round_a_corner_is_the_shortest() -> None:
    shape = shapely.union_all([shapely.box(0, 0, 60, 10), shapely.box(50, 0, 60, 60)])
    ground = Ground(shape, cell_m=0.5)
    fields = Fields(ground)
    fields.add(shapely.box(50, 58, 60, 60))
    x, y = np.array([5.0, 20.0]), np.array([5.0, 2.0])
    geodesic = np.hypot(50 - x, 10 - y) + 48
    found = fields.distance_m(0, x, y)
    assert np.all(found > geodesic - 0.5)
    assert np.all(found < geodesic * 1.03 + 2 * WALL_COST * WALL_MARGIN_M)


def test_a_closed_exit_sends_people_to_the_other() -> None:
    shape = shapely.union_all([shapely.box(0, 0, 20, 10), shapely.box(9, 9, 11, 14), shapely.box(19, 4, 24, 6)])
    ground = Ground(shape, cell_m=0.5)
    fields = Fields(ground)
    near, far = shapely.box(9, 13, 11, 14), shapely.box(23, 4, 24, 6)
    both = fields.add(shapely.union_all([near, far]))
    one = fields.add(far)
    x, y = np.array([10.0]), np.array([8.0])
    open_m = fields.distance_m(both, x, y)[0]
    shut = np.array([[9.0, 11.0, 11.0, 11.0]])
    fields.rebuild(both, closed=shut)
    assert open_m < 6 and fields.distance_m(both, x, y)[0] == fields.distance_m(one, x, y)[0] > 12
    fields.rebuild(both)
    assert fields.distance_m(both, x, y)[0] == open_m
    assert fields.nearest([one, both], x, y).tolist() == [both]


def test_a_costly_area_is_gone_round() -> None:
    ground = Ground(shapely.box(0, 0, 60, 40), cell_m=1.0, areas=[shapely.box(20, 0, 40, 30)])
    fields = Fields(ground)
    fields.add(shapely.box(58, 5, 60, 7))
    x, y = np.array([2.0]), np.array([6.0])
    plain = fields.distance_m(0, x, y)[0]
    fields.rebuild(0, area_cost=np.array([5.0]))
    round_it = fields.distance_m(0, x, y)[0]
    detour = np.hypot(18, 24) + 20 + np.hypot(18, 23)
    assert plain == pytest.approx(56, abs=2) and round_it == pytest.approx(detour, rel=0.05)


def test_a_thin_wall_cuts_the_way_though_no_cell_is_blocked() -> None:
    ground = Ground(shapely.box(0, 0, 20, 20), cell_m=1.0, walls=np.array([[10.3, 0.0, 10.3, 15.0]]))
    fields = Fields(ground)
    fields.add(shapely.box(18, 0, 20, 2))
    found = fields.distance_m(0, np.array([9.5, 11.5]), np.array([1.5, 1.5]))
    assert found[1] < 8 and found[0] > 2 * 13


def test_a_target_smaller_than_a_cell_is_its_nearest_cell() -> None:
    ground = Ground(shapely.box(0, 0, 20, 20), cell_m=2.0)
    fields = Fields(ground)
    fields.add(shapely.Point(7.1, 9.2))
    fields.add(shapely.box(6.8, 8.8, 7.3, 9.3))
    assert fields.targets[0].tolist() == fields.targets[1].tolist() == ground.cell_at(np.array([7.1]), np.array([9.2])).tolist()


def test_an_empty_ground_is_refused() -> None:
    with pytest.raises(ValueError, match="walkable"):
        Ground(shapely.Polygon(), cell_m=1.0)
    with pytest.raises(ValueError, match="positive"):
        Ground(shapely.box(0, 0, 1, 1), cell_m=0.0)


@pytest.mark.slow
def test_a_whole_district_fits_in_memory_and_is_built_quickly() -> None:
    """2.5 x 2.5 km of streets round a stadium at 2 m, 40 destinations: below 700 MB and 0.5 s a field."""
    blocks = [shapely.box(i * 200 + 12, j * 160 + 12, i * 200 + 188, j * 160 + 148) for i in range(-12, 12) for j in range(-12, 12)]
    turned = shapely.affinity.rotate(shapely.union_all(blocks), 30, origin=(0, 0))
    shape = shapely.box(-1250, -1250, 1250, 1250).difference(turned).union(shapely.Point(0, 0).buffer(350))
    ground = Ground(shape, cell_m=2.0)
    fields = Fields(ground)
    fields.add(shapely.Point(0, 0).buffer(20))
    start = time.process_time()
    for k in range(39):
        fields.add(shapely.Point(-1200 + 60 * k, 1000 - 30 * k).buffer(30))
    each_s = (time.process_time() - start) / 39
    held = fields.far_m.nbytes + fields.way.nbytes + sum(a.nbytes for a in (*ground.raster[:3], *ground.walls[:3], ground.clear_m))
    assert held < 700e6
    assert each_s < 0.5
