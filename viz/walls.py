"""Buildings in the way of what walks: which straight legs cross a wall, and the shortest way round.

Compiled; walls and corners are listed by square cell: those of cell `k` are `start[k]:start[k + 1]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

CELL_M = 20.0
MOST_CELLS = 4_000_000

CLEAR_M = 0.7
"""A way round a corner keeps this far away from it."""

WIDE_M = 40.0
"""Corners this far beside a leg are tried."""

MOST_CORNERS, MOST_PASSED = 400, 64
"""So many corners are looked at, and passed, on one way round."""


class Walls(NamedTuple):
    """The walls (n, 4) as x, y, x, y by cell, and the corners (c, 2) to go round, moved off their building, by cell."""

    walls: np.ndarray
    wall_start: np.ndarray
    corners: np.ndarray
    corner_start: np.ndarray
    corner: np.ndarray
    cell_m: float
    nx: int
    ny: int


def walls_of(rings: Sequence[np.ndarray]) -> Walls | None:
    """Gather the walls of buildings (rings, (k, 2) in m, not closed); None without one."""
    rings = [_anticlockwise(np.asarray(ring, float)) for ring in rings if len(ring) > 2]
    if not rings:
        return None
    walls = np.concatenate([np.column_stack([ring, np.roll(ring, -1, axis=0)]) for ring in rings])
    corners = np.concatenate([_corners(ring) for ring in rings])
    low = np.minimum(walls[:, :2], walls[:, 2:]).min(axis=0) - CELL_M
    size = np.maximum(walls[:, :2], walls[:, 2:]).max(axis=0) + CELL_M - low
    cell_m = max(CELL_M, float(np.sqrt(size[0] * size[1] / MOST_CELLS)))
    nx, ny = (int(n) + 1 for n in size // cell_m)
    first = ((np.minimum(walls[:, :2], walls[:, 2:]) - low) // cell_m).astype(int)
    wide, deep = (((np.maximum(walls[:, :2], walls[:, 2:]) - low) // cell_m).astype(int) - first + 1).T
    listed = np.repeat(np.arange(len(walls)), wide * deep)
    k = np.arange(len(listed)) - np.repeat(np.cumsum(wide * deep) - wide * deep, wide * deep)
    cell = (first[listed, 1] + k // wide[listed]) * nx + first[listed, 0] + k % wide[listed]
    order = np.argsort(cell, kind="stable")
    at = np.clip((corners - low) // cell_m, 0, [nx - 1, ny - 1]).astype(int)
    corner_cell = at[:, 1] * nx + at[:, 0]
    by_cell = np.argsort(corner_cell, kind="stable")
    cells = np.arange(nx * ny + 1)
    return Walls(
        walls[listed[order]],
        np.searchsorted(cell[order], cells),
        corners[by_cell],
        np.searchsorted(corner_cell[by_cell], cells),
        low,
        cell_m,
        nx,
        ny,
    )


def _anticlockwise(ring: np.ndarray) -> np.ndarray:
    x, y = ring.T
    return ring if float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) > 0 else ring[::-1].copy()


def _corners(ring: np.ndarray) -> np.ndarray:
    """Return the outward corners of an anticlockwise ring, moved `CLEAR_M` off both of their walls."""
    into, out = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    into, out = (step / np.maximum(np.hypot(*step.T), 1e-9)[:, None] for step in (into, out))
    turns = into[:, 0] * out[:, 1] - into[:, 1] * out[:, 0] > 1e-6
    normal = np.column_stack([into[:, 1] + out[:, 1], -(into[:, 0] + out[:, 0])])
    scale = 2 * CLEAR_M / np.maximum((normal**2).sum(axis=1), 0.5)
    return np.asarray((ring + normal * scale[:, None])[turns])


@njit(cache=True, nogil=True)
def _meet(ax: float, ay: float, bx: float, by: float, wall: np.ndarray) -> bool:
    """Say whether a leg crosses a wall; a point on a line counts to its right, so that no leg slips through a corner."""
    dx, dy, wx, wy = bx - ax, by - ay, wall[2] - wall[0], wall[3] - wall[1]
    first = dx * (wall[1] - ay) - dy * (wall[0] - ax) > 0
    second = dx * (wall[3] - ay) - dy * (wall[2] - ax) > 0
    if first == second:
        return False
    return (wx * (ay - wall[1]) - wy * (ax - wall[0]) > 0) != (wx * (by - wall[1]) - wy * (bx - wall[0]) > 0)


@njit(cache=True, nogil=True)
def _crosses(held: Walls, ax: float, ay: float, bx: float, by: float) -> bool:
    """Say whether a leg crosses any wall."""
    ux, uy = (ax - held.corner[0]) / held.cell_m, (ay - held.corner[1]) / held.cell_m
    vx, vy = (bx - held.corner[0]) / held.cell_m, (by - held.corner[1]) / held.cell_m
    y0, y1 = max(int(np.floor(min(uy, vy))), 0), min(int(np.floor(max(uy, vy))), held.ny - 1)
    for gy in range(y0, y1 + 1):
        # of the leg only what lies in this row of cells
        lo, hi = 0.0, 1.0
        if abs(vy - uy) > 1e-12:
            p, q = (gy - uy) / (vy - uy), (gy + 1 - uy) / (vy - uy)
            lo, hi = max(min(p, q), 0.0), min(max(p, q), 1.0)
        xs, xe = ux + lo * (vx - ux), ux + hi * (vx - ux)
        x0, x1 = max(int(np.floor(min(xs, xe) - 1e-9)), 0), min(int(np.floor(max(xs, xe) + 1e-9)), held.nx - 1)
        for gx in range(x0, x1 + 1):
            cell = gy * held.nx + gx
            for k in range(held.wall_start[cell], held.wall_start[cell + 1]):
                if _meet(ax, ay, bx, by, held.walls[k]):
                    return True
    return False


@njit(cache=True, nogil=True)
def crossing(held: Walls, ends: np.ndarray) -> np.ndarray:
    """Return which legs (n, 4) as x, y, x, y cross a wall."""
    found = np.zeros(len(ends), np.bool_)
    for i in range(len(ends)):
        found[i] = _crosses(held, ends[i, 0], ends[i, 1], ends[i, 2], ends[i, 3])
    return found


@njit(cache=True, nogil=True)
def _inside(held: Walls, x: float, y: float) -> bool:
    """Say whether a point lies in a building: walls to the east of it are crossed an odd number of times, a building at a time.

    Walls of a row of cells are listed once a cell; a wall counts in the cell where the ray meets it.
    """
    gy = int(np.floor((y - held.corner[1]) / held.cell_m))
    gx = int(np.floor((x - held.corner[0]) / held.cell_m))
    if gy < 0 or gy >= held.ny or gx >= held.nx:
        return False
    odd = False
    for cx in range(max(gx, 0), held.nx):
        cell = gy * held.nx + cx
        for k in range(held.wall_start[cell], held.wall_start[cell + 1]):
            wall = held.walls[k]
            if (wall[1] > y) != (wall[3] > y):
                at = wall[0] + (y - wall[1]) / (wall[3] - wall[1]) * (wall[2] - wall[0])
                if at > x and int(np.floor((at - held.corner[0]) / held.cell_m)) == cx:
                    odd = not odd
    return odd


@njit(cache=True, nogil=True)
def _near(held: Walls, nodes: np.ndarray, ends: np.ndarray) -> int:
    """Fill in the corners about a leg after its two ends; return how many nodes there are."""
    nodes[0], nodes[1] = ends[:2], ends[2:]
    m = 2
    chord = np.hypot(ends[2] - ends[0], ends[3] - ends[1])
    low = (np.minimum(ends[:2], ends[2:]) - WIDE_M - held.corner) / held.cell_m
    high = (np.maximum(ends[:2], ends[2:]) + WIDE_M - held.corner) / held.cell_m
    for gy in range(max(int(low[1]), 0), min(int(high[1]), held.ny - 1) + 1):
        for gx in range(max(int(low[0]), 0), min(int(high[0]), held.nx - 1) + 1):
            cell = gy * held.nx + gx
            for k in range(held.corner_start[cell], held.corner_start[cell + 1]):
                x, y = held.corners[k, 0], held.corners[k, 1]
                way = np.hypot(x - ends[0], y - ends[1]) + np.hypot(x - ends[2], y - ends[3])
                if way <= chord + 2 * WIDE_M and m < MOST_CORNERS:
                    nodes[m, 0], nodes[m, 1] = x, y
                    m += 1
    return m


@njit(cache=True, nogil=True)
def _round(held: Walls, nodes: np.ndarray, n: int, longest: float, out: np.ndarray) -> int:
    """Fill in the corners passed on the shortest way from node 0 to node 1; return how many, or -1 (A* over what sees each other)."""
    gone, by, done = np.full(n, np.inf), np.full(n, -1, np.int64), np.zeros(n, np.bool_)
    gone[0] = 0.0
    while True:
        at, best = -1, longest
        for k in range(n):
            if not done[k] and gone[k] < np.inf:
                least = gone[k] + np.hypot(nodes[k, 0] - nodes[1, 0], nodes[k, 1] - nodes[1, 1])
                if least < best:
                    at, best = k, least
        if at < 0:
            return -1
        if at == 1:
            break
        done[at] = True
        for k in range(1, n):
            then = gone[at] + np.hypot(nodes[k, 0] - nodes[at, 0], nodes[k, 1] - nodes[at, 1])
            if not done[k] and then < gone[k] and not _crosses(held, nodes[at, 0], nodes[at, 1], nodes[k, 0], nodes[k, 1]):
                gone[k], by[k] = then, at
    m, at = 0, by[1]
    while at > 0 and m < MOST_PASSED:
        out[m] = nodes[at]
        m += 1
        at = by[at]
    out[:m] = out[:m][::-1].copy()
    return m


@njit(cache=True, nogil=True)
def around(held: Walls, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the corners passed on the shortest way round buildings between the ends (n, 4) of legs that cross a wall.

    Ragged: start (n + 1), xy (m, 2); and which legs stay straight: those that begin or end in a building, and those
    for which no way is found that is shorter than three times the leg and 50 m.
    """
    n = len(ends)
    start, straight = np.zeros(n + 1, np.int64), np.zeros(n, np.bool_)
    points, m = np.empty((8 * n + MOST_PASSED, 2)), 0
    nodes, out = np.empty((MOST_CORNERS, 2)), np.empty((MOST_PASSED, 2))
    for i in range(n):
        leg = ends[i]
        count = -1
        if not _inside(held, leg[0], leg[1]) and not _inside(held, leg[2], leg[3]):
            longest = 3.0 * np.hypot(leg[2] - leg[0], leg[3] - leg[1]) + 50.0
            count = _round(held, nodes, _near(held, nodes, leg), longest, out)
        straight[i] = count < 0
        for k in range(count):
            if m == len(points):
                grown = np.empty((2 * m, 2))
                grown[:m] = points
                points = grown
            points[m] = out[k]
            m += 1
        start[i + 1] = m
    return start, points[:m], straight
