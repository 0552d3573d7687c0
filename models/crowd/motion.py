"""One sub-step of everybody's movement, compiled: the collision-free speed model with walls, ways and gates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.crowd.geometry import APART_M, Floats, Ints, Raster, Segments, bin_of, compiled, crosses
from models.crowd.routing import HERE
from models.crowd.steering import BIN_M, FADE, Law, Ways, clip, others_near, pull, push, space_ahead, walls_near

WALKING, WAITING, ARRIVED = 0, 1, 2
"""What a walker does: on the way; standing at its destination; gone at its destination."""

FASTEST_M_PER_S = 3.0
"""Nobody walks faster than this."""

MOST_NEAR = 256
"""How many others one walker can have in sight; a disc of 2.5 m at 8 people/m2 holds 157."""

TURN_S = 1.0
"""How long somebody who is stuck keeps pressing or giving way (s)."""

STUCK = 0.05
"""Below this part of the desired speed a walker counts as stuck."""

YIELD = 0.25
"""The least part of the repulsion by others and by walls that somebody who is stuck still feels."""

SLIM = 0.85
"""The least part of its width that somebody who is stuck needs to pass another (turned shoulders)."""


class People(NamedTuple):
    """The walkers' arrays in any order (one that keeps neighbours together is fastest); (n,) each unless said otherwise."""

    id: Ints
    x_m: Floats
    y_m: Floats
    heading: Floats
    """(n, 2) unit vector"""
    speed_m_per_s: Floats
    desired_speed_m_per_s: Floats
    radius_m: Floats
    field: NDArray[np.int32]
    state: NDArray[np.int8]
    arrived_step: NDArray[np.int32]


class Doors(NamedTuple):
    """Gates by cell, what each may let through (people/s), its unspent credit, its count and whether it is shut to either side."""

    segments: Segments
    capacity_per_s: Floats
    credit: Floats
    passed: Ints
    shut: NDArray[np.bool_]
    """(n, 2): nobody crosses to the left, to the right"""


@compiled
def _draw(who: int, turn: int) -> float:
    """Return a number in [0, 1) that `who` draws in this `turn`, the same on every machine (splitmix64)."""
    z = np.uint64(who) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(turn) * np.uint64(0xD1B54A32D192ED03)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return float((z ^ (z >> np.uint64(31))) >> np.uint64(11)) / 9007199254740992.0


@compiled
def _bins(people: People, side: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Sort those present by cell of a grid wrapped to `side` x `side` (a power of two), by id within a cell."""
    start = np.zeros(side * side + 1, np.int32)
    key = np.empty(people.id.size, np.int32)
    for i in range(key.size):
        key[i] = -1
        if people.state[i] != ARRIVED:
            row, column = int(np.floor(people.y_m[i] / BIN_M)), int(np.floor(people.x_m[i] / BIN_M))
            key[i] = (row & (side - 1)) * side + (column & (side - 1))
            start[key[i] + 1] += 1
    for k in range(side * side):
        start[k + 1] += start[k]
    order = np.empty(start[side * side], np.int32)
    free = start[:-1].copy()
    for i in range(key.size):
        if key[i] >= 0:
            at = free[key[i]]
            while at > start[key[i]] and people.id[order[at - 1]] > people.id[i]:
                order[at] = order[at - 1]
                at -= 1
            order[at] = i
            free[key[i]] += 1
    return start, order


@compiled
def _side(doors: Doors, gate: int, x: float, y: float, dx: float, dy: float) -> int:
    """Return 0 if a move crosses a gate to the left of its direction, 1 to the right, -1 if it does not cross it."""
    gx, gy = doors.segments.ends_m[gate, 0], doors.segments.ends_m[gate, 1]
    hx, hy = doors.segments.ends_m[gate, 2], doors.segments.ends_m[gate, 3]
    before = (hx - gx) * (y - gy) - (hy - gy) * (x - gx)
    after = (hx - gx) * (y + dy - gy) - (hy - gy) * (x + dx - gx)
    if (before >= 0.0) == (after >= 0.0) or not crosses(x, y, x + dx, y + dy, gx, gy, hx, hy):
        return -1
    return 0 if after >= 0.0 else 1


@compiled
def _meets(doors: Doors, x: float, y: float, dx: float, dy: float) -> bool:
    """Return whether a move crosses any gate."""
    k = bin_of(doors.segments, x, y)
    for n in range(doors.segments.start[k], doors.segments.start[k + 1]):
        if _side(doors, doors.segments.listed[n], x, y, dx, dy) >= 0:
            return True
    return False


@compiled
def _through(doors: Doors, x: float, y: float, dx: float, dy: float) -> bool:
    """Return whether every gate that a move meets lets it through; spends a credit and counts at each if so."""
    k = bin_of(doors.segments, x, y)
    for spend in (False, True):
        for n in range(doors.segments.start[k], doors.segments.start[k + 1]):
            gate = doors.segments.listed[n]
            side = _side(doors, gate, x, y, dx, dy)
            if side < 0:
                continue
            if spend:
                doors.credit[gate] -= 1.0
                doors.passed[gate, side] += 1
            elif doors.shut[gate, side] or doors.credit[gate] < 1.0 - 1e-9:
                return False
    return True


@compiled
def advance(
    people: People, raster: Raster, walls: Segments, ways: Ways, doors: Doors, law: Law, factor: Floats, dt_s: float, steps: int, tick: int
) -> None:
    """Move everybody `steps` sub-steps of `dt_s`, all at once from the old positions each time.

    Direction and speed are those of Tordeux, Chraibi, Seyfried (2016), "Collision-free speed model for
    pedestrian dynamics", doi 10.1007/978-3-319-33482-0_29, with the wall repulsion of JuPedSim. `factor[k]`
    multiplies the desired speed in area k (the last entry: outside every area). `tick` counts sub-steps since the start.
    """
    n = people.x_m.size
    side = 32
    while side * side < 4 * n:
        side *= 2
    move = np.zeros((n, 2))
    apart, close = np.zeros((n, 2), np.bool_), np.zeros(n, np.bool_)
    every = max(int(APART_M / (FASTEST_M_PER_S * max(np.max(factor), 1.0) * dt_s)), 1)
    rmax = np.max(people.radius_m) if n else 0.0
    for step in range(steps):
        if step % every == 0:
            _clear(people, raster, apart)
        start, order = _bins(people, side)
        body = np.empty((order.size, 3))
        for k in range(order.size):
            i = order[k]
            body[k, 0], body[k, 1], body[k, 2] = people.x_m[i], people.y_m[i], people.radius_m[i]
        _decide(
            people,
            raster,
            walls,
            ways,
            law,
            factor,
            dt_s,
            side,
            start,
            order,
            body,
            rmax,
            move,
            apart,
            close,
            int((tick + step) * dt_s / TURN_S),
        )
        for gate in range(doors.credit.size):
            doors.credit[gate] = min(doors.credit[gate] + doors.capacity_per_s[gate] * dt_s, 1.0 + doors.capacity_per_s[gate] * dt_s)
        _commit(people, raster, ways, doors, dt_s, move, apart, close, step)


@compiled
def _clear(people: People, raster: Raster, apart: NDArray[np.bool_]) -> None:
    """Note who is so far from walls, and who from gates, that it cannot come near them soon."""
    ny, nx = raster.cell.shape
    for i in range(people.id.size):
        row, column = int((people.y_m[i] - raster.y0_m) / raster.cell_m), int((people.x_m[i] - raster.x0_m) / raster.cell_m)
        apart[i] = raster.apart[min(max(row, 0), ny - 1), min(max(column, 0), nx - 1)]


@compiled
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
    apart: NDArray[np.bool_],
    close: NDArray[np.bool_],
    turn: int,
) -> None:
    """Write the move of everybody who walks, from the positions in `body` (sorted by cell).

    Who is stuck presses in some turns and gives way in others, so that arches before doors break up as they do in life.
    """
    ny, nx = raster.cell.shape
    near, wall = np.empty((MOST_NEAR, 4)), np.empty((walls.most, 7))
    gap_s, push_m = law.time_gap_s, FADE * law.range_neighbor_m
    for k in range(order.size):
        i = order[k]
        move[i, 0] = move[i, 1] = 0.0
        if people.state[i] != WALKING:
            continue
        x, y, r = body[k, 0], body[k, 1], body[k, 2]
        row, column = int((y - raster.y0_m) / raster.cell_m), int((x - raster.x0_m) / raster.cell_m)
        v0 = people.desired_speed_m_per_s[i] * factor[raster.area[min(max(row, 0), ny - 1), min(max(column, 0), nx - 1)]]
        look = r + rmax + max(v0 * gap_s, push_m)
        count = 0 if apart[i, 0] else walls_near(walls, x, y, max(look, 1.5 * raster.cell_m), wall)
        found = others_near(x, y, k, side, start, body, look, near)
        ex, ey, close[i] = pull(raster, ways, people.field[i], wall, count, x, y)
        px, py = push(law, near, found, wall, count, x, y, r)
        calm = slim = 1.0
        if people.speed_m_per_s[i] < STUCK * v0:
            part = _draw(people.id[i], turn)
            calm, slim = YIELD + (1.0 - YIELD) * part, SLIM + (1.0 - SLIM) * part
        ex, ey = ex + calm * px, ey + calm * py
        norm = np.sqrt(ex * ex + ey * ey)
        if norm > 1e-9:
            people.heading[i, 0], people.heading[i, 1] = ex / norm, ey / norm
        ex, ey = people.heading[i, 0], people.heading[i, 1]
        step_m = space_ahead(near, found, wall, count, x, y, ex, ey, slim, v0 * gap_s) / gap_s * dt_s
        if step_m > 0.0:
            move[i, 0], move[i, 1] = clip(wall, count, x, y, step_m * ex, step_m * ey, r)
            close[i] |= step_m >= 0.5 * raster.cell_m


@compiled
def _commit(
    people: People,
    raster: Raster,
    ways: Ways,
    doors: Doors,
    dt_s: float,
    move: Floats,
    apart: NDArray[np.bool_],
    close: NDArray[np.bool_],
    step: int,
) -> None:
    """Carry out the moves, those through gates in order of id as far as the gates allow, and note who has arrived."""
    late = np.empty(people.id.size, np.int64)
    waits = 0
    for i in range(people.id.size):
        people.speed_m_per_s[i] = 0.0
        if people.state[i] != WALKING:
            continue
        if doors.segments.most > 0 and not apart[i, 1] and _meets(doors, people.x_m[i], people.y_m[i], move[i, 0], move[i, 1]):
            at = waits
            while at > 0 and people.id[late[at - 1]] > people.id[i]:
                late[at] = late[at - 1]
                at -= 1
            late[at] = i
            waits += 1
        else:
            _place(people, raster, ways, i, move[i, 0], move[i, 1], dt_s, step, close[i])
    for k in range(waits):
        i = late[k]
        if _through(doors, people.x_m[i], people.y_m[i], move[i, 0], move[i, 1]):
            _place(people, raster, ways, i, move[i, 0], move[i, 1], dt_s, step, close[i])


@compiled
def _place(people: People, raster: Raster, ways: Ways, i: int, dx: float, dy: float, dt_s: float, step: int, close: bool) -> None:
    people.x_m[i] += dx
    people.y_m[i] += dy
    people.speed_m_per_s[i] = np.sqrt(dx * dx + dy * dy) / dt_s
    if not close:
        return
    row, column = int((people.y_m[i] - raster.y0_m) / raster.cell_m), int((people.x_m[i] - raster.x0_m) / raster.cell_m)
    if row < 0 or column < 0 or row >= raster.cell.shape[0] or column >= raster.cell.shape[1] or raster.cell[row, column] < 0:
        return
    if ways.way[people.field[i], raster.cell[row, column], 0] == HERE:
        people.state[i] = ARRIVED if ways.absorbs[people.field[i]] else WAITING
        people.arrived_step[i] = step
