"""One sub-step of everybody's movement, compiled: the collision-free speed model with walls, ways and gates."""

# ruff: noqa: PLR0917 - compiled functions take their numbers by position

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.crowd.geometry import CACHE, Floats, Ints, Raster, Segments, bin_of, crosses, hidden, nearest_on

BIN_M = 1.2
"""Side of the cells in which neighbours are looked up (m)."""

WALKING, WAITING, ARRIVED = 0, 1, 2
"""What a walker does: on the way; standing at its destination; gone at its destination."""


class People(NamedTuple):
    """Views of the walkers' arrays, sorted by id; (n,) each unless said otherwise."""

    x_m: Floats
    y_m: Floats
    heading: Floats
    """(n, 2) unit vector"""
    speed_m_per_s: Floats
    desired_m_per_s: Floats
    radius_m: Floats
    field: NDArray[np.int32]
    state: NDArray[np.int8]
    arrived_step: NDArray[np.int32]


class Ways(NamedTuple):
    """Routing fields: (fields, cells) metres, (fields, cells, 2) directions, and whether arriving ends the walk."""

    far_m: NDArray[np.float32]
    way: NDArray[np.int8]
    absorbs: NDArray[np.bool_]


class Doors(NamedTuple):
    """Gates by cell, what each may let through (people/s), its unspent credit and its count to the left and right."""

    segments: Segments
    capacity_per_s: Floats
    credit: Floats
    passed: Ints


class Law(NamedTuple):
    """Parameters of the collision-free speed model, as named by JuPedSim's `CollisionFreeSpeedModelV2`."""

    time_gap_s: float
    strength_neighbor: float
    range_neighbor_m: float
    strength_geometry: float
    range_geometry_m: float


@njit(**CACHE)  # type: ignore[untyped-decorator]
def _pull(raster: Raster, way: NDArray[np.int8], walls: Segments, first: int, last: int, x: float, y: float) -> tuple[float, float]:
    """Return the way to go from a point: bilinear over the four nearest cells it sees, else towards a cell it sees."""
    ny, nx = raster.cell.shape
    u, v = (x - raster.x0_m) / raster.cell_m - 0.5, (y - raster.y0_m) / raster.cell_m - 0.5
    j0, i0 = int(np.floor(u)), int(np.floor(v))
    ex = ey = 0.0
    seen = False
    for i in range(i0, i0 + 2):
        for j in range(j0, j0 + 2):
            if i < 0 or j < 0 or i >= ny or j >= nx or raster.cell[i, j] < 0:
                continue
            if first < last and hidden(
                walls, first, last, x, y, raster.x0_m + (j + 0.5) * raster.cell_m, raster.y0_m + (i + 0.5) * raster.cell_m
            ):
                continue
            weight = (1.0 - abs(u - j)) * (1.0 - abs(v - i))
            here = raster.cell[i, j]
            ex += weight * way[here, 0]
            ey += weight * way[here, 1]
            seen = True
    if not seen:
        ex, ey = _rescue(raster, walls, first, last, x, y, i0, j0)
    norm = np.hypot(ex, ey)
    return (0.0, 0.0) if norm < 1e-6 else (ex / norm, ey / norm)


@njit(**CACHE)  # type: ignore[untyped-decorator]
def _rescue(raster: Raster, walls: Segments, first: int, last: int, x: float, y: float, i0: int, j0: int) -> tuple[float, float]:
    """Return the vector to the nearest centre in sight within two cells; zero where there is none."""
    ny, nx = raster.cell.shape
    best, ex, ey = np.inf, 0.0, 0.0
    for i in range(max(i0 - 1, 0), min(i0 + 3, ny)):
        for j in range(max(j0 - 1, 0), min(j0 + 3, nx)):
            if raster.cell[i, j] < 0:
                continue
            cx, cy = raster.x0_m + (j + 0.5) * raster.cell_m, raster.y0_m + (i + 0.5) * raster.cell_m
            d = np.hypot(cx - x, cy - y)
            if d < best and not hidden(walls, first, last, x, y, cx, cy):
                best, ex, ey = d, cx - x, cy - y
    return ex, ey


@njit(**CACHE)  # type: ignore[untyped-decorator]
def _bins(x_m: Floats, y_m: Floats, state: NDArray[np.int8], side: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Sort those present by cell of a grid wrapped to `side` x `side` (a power of two), by id within a cell."""
    start = np.zeros(side * side + 1, np.int32)
    key = np.empty(x_m.size, np.int32)
    for i in range(x_m.size):
        key[i] = -1
        if state[i] != ARRIVED:
            key[i] = (int(np.floor(y_m[i] / BIN_M)) & (side - 1)) * side + (int(np.floor(x_m[i] / BIN_M)) & (side - 1))
            start[key[i] + 1] += 1
    for k in range(side * side):
        start[k + 1] += start[k]
    order = np.empty(start[side * side], np.int32)
    free = start[:-1].copy()
    for i in range(x_m.size):
        if key[i] >= 0:
            order[free[key[i]]] = i
            free[key[i]] += 1
    return start, order


@njit(**CACHE)  # type: ignore[untyped-decorator]
def _clip(walls: Segments, first: int, last: int, x: float, y: float, dx: float, dy: float, radius: float) -> tuple[float, float]:
    """Slide the move (dx, dy) along the walls so that the body keeps its radius off them; no move if one would be crossed."""
    for _ in range(2):
        for n in range(first, last):
            w = walls.ends_m[walls.listed[n]]
            px, py = nearest_on(w, x + dx, y + dy)
            gap = np.hypot(x + dx - px, y + dy - py)
            if gap >= radius:
                continue
            ox, oy = nearest_on(w, x, y)
            keep = min(np.hypot(x - ox, y - oy), radius)
            if 0.0 < gap < keep:
                dx += (x + dx - px) / gap * (keep - gap)
                dy += (y + dy - py) / gap * (keep - gap)
    if hidden(walls, first, last, x, y, x + dx, y + dy):
        return 0.0, 0.0
    return dx, dy


@njit(**CACHE)  # type: ignore[untyped-decorator]
def _through(doors: Doors, x: float, y: float, dx: float, dy: float) -> bool:
    """Return whether a move is let through every gate it meets; spends a credit and counts at each."""
    k = bin_of(doors.segments, x, y)
    first, last = doors.segments.start[k], doors.segments.start[k + 1]
    for turn in range(2):
        for n in range(first, last):
            gate = doors.segments.listed[n]
            g = doors.segments.ends_m[gate]
            before = (g[2] - g[0]) * (y - g[1]) - (g[3] - g[1]) * (x - g[0])
            after = (g[2] - g[0]) * (y + dy - g[1]) - (g[3] - g[1]) * (x + dx - g[0])
            if (before >= 0.0) == (after >= 0.0) or not crosses(x, y, x + dx, y + dy, g[0], g[1], g[2], g[3]):
                continue
            if turn == 0 and doors.credit[gate] < 1.0 - 1e-9:
                return False
            if turn == 1:
                doors.credit[gate] -= 1.0
                doors.passed[gate, 0 if after >= 0.0 else 1] += 1
    return True


@njit(**CACHE)  # type: ignore[untyped-decorator]
def advance(
    people: People, raster: Raster, walls: Segments, ways: Ways, doors: Doors, law: Law, factor: Floats, dt_s: float, steps: int
) -> None:
    """Move everybody `steps` sub-steps of `dt_s`, all at once from the old positions each time.

    Direction and speed are those of Tordeux, Chraibi, Seyfried (2016), "Collision-free speed model for
    pedestrian dynamics", doi 10.1007/978-3-319-33482-0_29, with the wall repulsion of JuPedSim. `factor[k]`
    multiplies the desired speed in area k (the last entry: outside every area).
    """
    n = people.x_m.size
    side = 16
    while side * side < 4 * n:
        side *= 2
    move = np.zeros((n, 2))
    rmax = 0.0
    for i in range(n):
        rmax = max(rmax, people.radius_m[i])
    for step in range(steps):
        start, order = _bins(people.x_m, people.y_m, people.state, side)
        body = np.empty((order.size, 3))
        for k in range(order.size):
            i = order[k]
            body[k, 0], body[k, 1], body[k, 2] = people.x_m[i], people.y_m[i], people.radius_m[i]
        _decide(people, raster, walls, ways, law, factor, dt_s, side, start, order, body, rmax, move)
        for gate in range(doors.credit.size):
            doors.credit[gate] = min(doors.credit[gate] + doors.capacity_per_s[gate] * dt_s, 1.0 + doors.capacity_per_s[gate] * dt_s)
        _commit(people, raster, ways, doors, dt_s, move, step)


@njit(**CACHE)  # type: ignore[untyped-decorator]
def _decide(
    people: People,
    raster: Raster,
    walls: Segments,
    ways: Ways,
    law: Law,
    factor: Floats,
    dt_s: float,
    side: int,
    start: NDArray[np.int32],
    order: NDArray[np.int32],
    body: Floats,
    rmax: float,
    move: Floats,
) -> None:
    """Write the move of everybody who walks, from the positions in `body` (sorted by cell)."""
    ny, nx = raster.cell.shape
    near = np.empty((512, 4))
    for k in range(order.size):
        i = order[k]
        move[i, 0] = move[i, 1] = 0.0
        if people.state[i] != WALKING:
            continue
        x, y, r = body[k, 0], body[k, 1], body[k, 2]
        at = bin_of(walls, x, y)
        first, last = walls.start[at], walls.start[at + 1]
        row, column = int((y - raster.y0_m) / raster.cell_m), int((x - raster.x0_m) / raster.cell_m)
        label = raster.area[min(max(row, 0), ny - 1), min(max(column, 0), nx - 1)]
        v0 = people.desired_m_per_s[i] * factor[label]
        ex, ey = _pull(raster, ways.way[people.field[i]], walls, first, last, x, y)
        ahead_m = v0 * law.time_gap_s + r + rmax
        push_m = r + rmax + 8.0 * law.range_neighbor_m
        look = max(ahead_m, push_m)
        found = _look(x, y, k, side, start, body, look * look, near)
        for m in range(found):
            dx, dy, d, body_m = near[m, 0], near[m, 1], near[m, 2], near[m, 3]
            if d < body_m + 8.0 * law.range_neighbor_m:
                if first < last and hidden(walls, first, last, x, y, x + dx, y + dy):
                    near[m, 3] = -1.0
                    continue
                push = law.strength_neighbor * np.exp((body_m - d) / law.range_neighbor_m)
                ex -= push * dx / d
                ey -= push * dy / d
        for m in range(first, last):
            px, py = nearest_on(walls.ends_m[walls.listed[m]], x, y)
            d = np.hypot(px - x, py - y)
            if 1e-9 < d < r + 12.0 * law.range_geometry_m:
                push = law.strength_geometry * np.exp((r - d) / law.range_geometry_m)
                ex -= push * (px - x) / d
                ey -= push * (py - y) / d
        norm = np.hypot(ex, ey)
        if norm > 1e-9:
            people.heading[i, 0], people.heading[i, 1] = ex / norm, ey / norm
        ex, ey = people.heading[i, 0], people.heading[i, 1]
        space = v0 * law.time_gap_s
        for m in range(found):
            dx, dy, d, body_m = near[m, 0], near[m, 1], near[m, 2], near[m, 3]
            if body_m > 0.0 and d - body_m < space and dx * ex + dy * ey >= 0.0 and abs(dy * ex - dx * ey) <= body_m:
                if d >= body_m + 8.0 * law.range_neighbor_m and first < last and hidden(walls, first, last, x, y, x + dx, y + dy):
                    continue
                space = d - body_m
        step_m = max(space, 0.0) / law.time_gap_s * dt_s
        if step_m > 0.0 and (ex != 0.0 or ey != 0.0):
            dx, dy = step_m * ex, step_m * ey
            if first < last:
                dx, dy = _clip(walls, first, last, x, y, dx, dy, r)
            move[i, 0], move[i, 1] = dx, dy


@njit(**CACHE)  # type: ignore[untyped-decorator]
def _look(x: float, y: float, k: int, side: int, start: NDArray[np.int32], body: Floats, look2: float, near: Floats) -> int:
    """List those within sight of `k` as (dx, dy, distance, sum of radii) in `near`; return how many."""
    row, column = int(np.floor(y / BIN_M)), int(np.floor(x / BIN_M))
    span = int(np.sqrt(look2) / BIN_M) + 1
    found = 0
    for i in range(row - span, row + span + 1):
        base = (i & (side - 1)) * side
        low, high = (column - span) & (side - 1), (column + span) & (side - 1)
        for part in range(1 if low <= high else 2):
            a = start[base + (low if part == 0 else 0)]
            b = start[base + (high if low <= high or part == 1 else side - 1) + 1]
            for m in range(a, b):
                dx, dy = body[m, 0] - x, body[m, 1] - y
                d2 = dx * dx + dy * dy
                if d2 >= look2 or m == k or found >= near.shape[0]:
                    continue
                if d2 < 1e-12:  # two in one spot part along x, by their order
                    dx, dy, d2 = (1e-6 if m > k else -1e-6), 0.0, 1e-12
                near[found, 0], near[found, 1], near[found, 2], near[found, 3] = dx, dy, np.sqrt(d2), body[k, 2] + body[m, 2]
                found += 1
    return found


@njit(**CACHE)  # type: ignore[untyped-decorator]
def _commit(people: People, raster: Raster, ways: Ways, doors: Doors, dt_s: float, move: Floats, step: int) -> None:
    """Carry out the moves that the gates allow, in order of id, and note who has arrived."""
    ny, nx = raster.cell.shape
    for i in range(people.x_m.size):
        people.speed_m_per_s[i] = 0.0
        if people.state[i] != WALKING:
            continue
        dx, dy = move[i, 0], move[i, 1]
        if (dx != 0.0 or dy != 0.0) and _through(doors, people.x_m[i], people.y_m[i], dx, dy):
            people.x_m[i] += dx
            people.y_m[i] += dy
            people.speed_m_per_s[i] = np.hypot(dx, dy) / dt_s
        row, column = int((people.y_m[i] - raster.y0_m) / raster.cell_m), int((people.x_m[i] - raster.x0_m) / raster.cell_m)
        if row < 0 or column < 0 or row >= ny or column >= nx or raster.cell[row, column] < 0:
            continue
        if ways.far_m[people.field[i], raster.cell[row, column]] == 0.0:
            people.state[i] = ARRIVED if ways.absorbs[people.field[i]] else WAITING
            people.arrived_step[i] = step
