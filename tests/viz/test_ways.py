"""Paths between two records: along lines, round crossings, round buildings."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import shapely

from viz.lines import lines_of, links_of, matched, reached
from viz.motion import thinned, timed
from viz.walls import CLEAR_M, around, crossing, walls_of
from viz.ways import along_lines

EAST = np.array([[0.0, 0.0], [100.0, 0.0]])
NORTH = np.array([[110.0, 10.0], [110.0, 100.0]])
"""Leaves the crossing that EAST ends at."""


def path(shapes, first, last, speed=10.0, dt_s=10.0, far_m=400.0):
    """The path of one thing from (x, y, angle) to (x, y, angle), both ends included, and whether a way was found."""
    lines = lines_of(shapes)
    ends, angles = np.array([[*first[:2], *last[:2]]], float), np.array([[first[2], last[2]]], float)
    choices = matched(lines, ends.reshape(-1, 2), angles.ravel())
    ways = reached(*links_of(lines), lines.length, far_m)
    _, xy, found = along_lines(ends, angles, np.full((1, 2), speed), np.array([dt_s]), lines, ways, *choices)
    return np.vstack([ends[0, :2], xy, ends[0, 2:]]), bool(found[0])


def test_a_turn_is_driven_round_the_crossing_and_not_across_the_block():
    xy, found = path([EAST, NORTH], (60, -2, 90), (112, 60, 0))
    assert found
    line = shapely.LineString(xy)
    assert line.distance(shapely.Point(100, -2)) < 0.5, "it drives to the stop line in its lane"
    assert shapely.LineString([(60, -2), (112, 60)]).distance(shapely.Point(100, -2)) > 25, "which a straight line misses"
    roads = shapely.union_all([shapely.LineString(EAST).buffer(4), shapely.LineString(NORTH).buffer(4), shapely.box(96, -4, 114, 14)])
    assert roads.contains(line)


def test_a_lane_is_kept_at_its_distance_round_a_bend_of_one_line():
    bend = np.array([[0.0, 0.0], [100.0, 0.0], [100.0, 100.0]])
    xy, found = path([bend], (60, -3, 90), (103, 60, 0))
    assert found
    assert np.allclose(xy[1], [103, -3], atol=0.01), "the corner of the lane, not that of the line"


def test_where_lines_meet_in_a_point_a_lane_on_the_inner_side_is_cut_at_its_corner():
    north = np.array([[100.0, 0.0], [100.0, 100.0]])
    xy, found = path([EAST, north], (60, 2, 90), (98, 60, 0))
    assert found
    assert np.allclose(xy[1:-1], [[98, 2]], atol=0.01)


def test_the_line_in_the_direction_a_thing_faces_is_taken_of_two_that_lie_side_by_side():
    back = EAST[::-1] + np.array([0, 4])
    lines = lines_of([EAST, back])
    line, _, offset, _ = matched(lines, np.array([[50.0, 1.9], [50.0, 1.9]]), np.array([90.0, 270.0]))
    assert line[:, 0].tolist() == [0, 2]
    assert offset[:, 0] == pytest.approx([-1.9, -2.1], abs=1e-9)


def test_a_line_drawn_once_is_driven_both_ways():
    xy, found = path([EAST, NORTH], (108, 60, 180), (40, 2, 270))
    assert found
    assert shapely.LineString(xy).distance(shapely.Point(100, 2)) < 0.5


def test_what_no_way_joins_goes_straight_and_is_counted():
    far = NORTH + np.array([0, 500])
    xy, found = path([EAST, far], (60, 0, 90), (110, 560, 0), dt_s=20.0)
    assert not found
    assert len(xy) == 2


def test_what_stands_on_no_line_at_all_goes_straight():
    xy, found = path([EAST], (50, 500, 90), (80, 500, 90))
    assert not found
    assert len(xy) == 2


def test_no_lines_are_no_network():
    assert lines_of([]) is None
    assert lines_of([np.array([[1.0, 2.0]])]) is None
    assert walls_of([]) is None


SQUARE = np.array([[0.0, 0.0], [20.0, 0.0], [20.0, 20.0], [0.0, 20.0]])


def test_the_way_round_a_building_keeps_clear_of_its_corner():
    walls = walls_of([SQUARE])
    start, xy, straight = around(walls, np.array([[-1.0, 5.0, 5.0, -1.0]]))
    assert not straight[0]
    assert len(xy) == 1
    assert np.allclose(xy[0], [-CLEAR_M, -CLEAR_M], atol=0.01)
    assert start.tolist() == [0, 1]


@pytest.mark.parametrize("leg", [[-5, -5, 25, 25], [-5, 10, 25, 10], [10, 25, 10, -5], [-5, 25, 25, -5], [-1, 0, 21, 20]])
def test_a_leg_through_corners_or_walls_crosses(leg):
    assert crossing(walls_of([SQUARE]), np.array([leg], float)).all()
    assert crossing(walls_of([SQUARE[::-1]]), np.array([leg], float)).all()


def test_what_begins_or_ends_in_a_building_goes_straight():
    _, xy, straight = around(walls_of([SQUARE]), np.array([[10.0, 10.0, 30.0, 10.0], [30.0, 10.0, 10.0, 10.0]]))
    assert straight.all()
    assert len(xy) == 0


def test_no_way_round_leads_through_a_neighbour():
    rng = np.random.default_rng(4)
    corners = rng.uniform(0, 150, (40, 2))
    rings = [corner + SQUARE * rng.uniform(0.3, 1.0, 2) for corner in corners]
    walls, inside = walls_of(rings), shapely.union_all([shapely.Polygon(ring) for ring in rings])
    ends = rng.uniform(-10, 170, (400, 4))
    ends[:, 2:] = ends[:, :2] + rng.uniform(-40, 40, (400, 2))
    ends = ends[crossing(walls, ends)]
    free = ~(shapely.contains_xy(inside, ends[:, 0], ends[:, 1]) | shapely.contains_xy(inside, ends[:, 2], ends[:, 3]))
    ends = ends[free]
    assert len(ends) > 40
    start, xy, straight = around(walls, ends)
    assert straight.mean() < 0.2
    for i in np.flatnonzero(~straight):
        way = shapely.LineString(np.vstack([ends[i, :2], xy[start[i] : start[i + 1]], ends[i, 2:]]))
        assert way.intersection(inside).length < 1e-6
        assert shapely.LineString(ends[i].reshape(2, 2)).intersection(inside).length > 0


def test_what_stops_between_two_records_is_where_braking_leaves_it():
    start, tenths, xy = timed(
        np.array([[0.0, 0.0, 40.0, 0.0]]), np.array([[0, 100]]), np.array([[10.0, 0.0]]), np.zeros(2, int), np.empty((0, 2))
    )
    assert start.tolist() == [0, len(tenths)]
    x = np.interp([10, 30, 50], tenths, xy[:, 0])
    assert x[0] == pytest.approx(9.0, abs=0.5), "nearly 10 m in the first second, where an even motion gives 4"
    assert (np.diff(xy[:, 0]) >= 0).all()
    assert xy[:, 0].max() <= 40.0


def test_what_keeps_its_speed_needs_no_moment_between_two_records():
    _, tenths, _ = timed(
        np.array([[0.0, 0.0, 100.0, 0.0]]), np.array([[0, 100]]), np.array([[10.0, 10.0]]), np.zeros(2, int), np.empty((0, 2))
    )
    assert len(tenths) == 0


def test_a_corner_is_passed_when_the_way_to_it_is_done():
    _, tenths, xy = timed(
        np.array([[0.0, 0.0, 30.0, 70.0]]), np.array([[0, 100]]), np.array([[10.0, 10.0]]), np.array([0, 1]), np.array([[30.0, 0.0]])
    )
    assert tenths.tolist() == [30]
    assert xy.tolist() == [[30.0, 0.0]]


@pytest.mark.parametrize("tolerance", [1.0, 4.0, 20.0])
def test_the_moments_kept_tell_all_others_within_tolerance(tolerance):
    rng = np.random.default_rng(1)
    start = np.array([0, 300, 301, 600])
    t = np.concatenate([np.arange(300), [5], np.arange(299)]) * 10
    q = np.rint(np.cumsum(np.cumsum(rng.normal(0, 1, (600, 2)), axis=0) * 0.3, axis=0))
    keep = thinned(start, t, q, np.full(3, tolerance), np.full(3, tolerance), 32000)
    assert keep[[0, 299, 300, 301, 599]].all()
    for a, b in itertools.pairwise(start):
        k = keep[a:b]
        told = np.column_stack([np.interp(t[a:b], t[a:b][k], q[a:b][k, i]) for i in range(2)])
        assert np.hypot(*(told - q[a:b]).T).max() <= tolerance * np.sqrt(2) + 1e-9
    loose = thinned(start, t, q, np.full(3, 10 * tolerance), np.full(3, 10 * tolerance), 32000)
    assert loose.sum() < keep.sum() < 600


def test_no_step_is_longer_than_a_keyframe_can_say():
    q = np.column_stack([np.arange(20) * 10_000.0, np.zeros(20)])
    keep = thinned(np.array([0, 20]), np.arange(20) * 10, q, np.ones(1), np.ones(1), 32000)
    assert np.abs(np.diff(q[keep], axis=0)).max() <= 32000
