"""Where one walker turns and how far it can go, compiled: ways, walls and the others around it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.crowd.geometry import Floats, Raster, Segments, bin_of, compiled, crosses
from models.crowd.routing import HERE

BIN_M = 1.0
"""Side of the cells in which others are looked up (m)."""

FADE = 8.0
"""Repulsion is left out beyond this many of its ranges (below 0.3 % of the pull of the way)."""

FADE_GEOMETRY = 12.0


class Ways(NamedTuple):
    """Routing fields: (fields, cells) metres, (fields, cells, 2) directions, and whether arriving ends the walk."""

    far_m: NDArray[np.float32]
    way: NDArray[np.int8]
    absorbs: NDArray[np.bool_]


class Law(NamedTuple):
    """Parameters of the collision-free speed model, as named by JuPedSim's `CollisionFreeSpeedModelV2`."""

    time_gap_s: float
    strength_neighbor: float
    range_neighbor_m: float
    strength_geometry: float
    range_geometry_m: float


@compiled
def walls_near(walls: Segments, x: float, y: float, within_m: float, wall: Floats) -> int:
    """List the walls nearer than `within_m` in `wall`: x1, y1, x2, y2, the vector to the nearest point, its length."""
    k = bin_of(walls, x, y)
    found = 0
    for n in range(walls.start[k], walls.start[k + 1]):
        w = walls.listed[n]
        ax, ay, bx, by = walls.ends_m[w, 0], walls.ends_m[w, 1], walls.ends_m[w, 2], walls.ends_m[w, 3]
        px, py = _to_segment(ax, ay, bx, by, x, y)
        d2 = px * px + py * py
        if d2 < within_m * within_m:
            wall[found, 0], wall[found, 1], wall[found, 2], wall[found, 3] = ax, ay, bx, by
            wall[found, 4], wall[found, 5], wall[found, 6] = px, py, np.sqrt(d2)
            found += 1
    return found


@compiled
def _to_segment(ax: float, ay: float, bx: float, by: float, x: float, y: float) -> tuple[float, float]:
    ux, uy = bx - ax, by - ay
    length2 = ux * ux + uy * uy
    t = 0.0 if length2 == 0.0 else min(max(((x - ax) * ux + (y - ay) * uy) / length2, 0.0), 1.0)
    return ax + t * ux - x, ay + t * uy - y


@compiled
def _unseen(wall: Floats, count: int, x: float, y: float, to_x: float, to_y: float, d: float) -> bool:
    """Return whether a wall lies between a walker and a point at distance `d`."""
    for n in range(count):  # noqa: SIM110 - any() over a generator does not compile
        if wall[n, 6] <= d and crosses(x, y, to_x, to_y, wall[n, 0], wall[n, 1], wall[n, 2], wall[n, 3]):
            return True
    return False


@compiled
def pull(raster: Raster, ways: Ways, field: int, wall: Floats, count: int, x: float, y: float) -> tuple[float, float, bool]:
    """Return the way to go from a point: bilinear over the four nearest cells it sees, else towards a cell it sees.

    Also whether one of the four belongs to the target: who moves less than half a cell can arrive only then.
    """
    ny, nx = raster.cell.shape
    u, v = (x - raster.x0_m) / raster.cell_m - 0.5, (y - raster.y0_m) / raster.cell_m - 0.5
    j0, i0 = int(np.floor(u)), int(np.floor(v))
    ex = ey = 0.0
    close = False
    for i in range(max(i0, 0), min(i0 + 2, ny)):
        for j in range(max(j0, 0), min(j0 + 2, nx)):
            here = raster.cell[i, j]
            if here < 0:
                continue
            east = ways.way[field, here, 0]
            if east == HERE:
                close = True
                continue
            if count > 0:
                cx, cy = raster.x0_m + (j + 0.5) * raster.cell_m, raster.y0_m + (i + 0.5) * raster.cell_m
                if _unseen(wall, count, x, y, cx, cy, np.inf):
                    continue
            weight = (1.0 - abs(u - j)) * (1.0 - abs(v - i))
            ex += weight * east
            ey += weight * ways.way[field, here, 1]
    if ex == 0.0 and ey == 0.0:
        ex, ey = _rescue(raster, ways, field, wall, count, x, y)
    norm = np.sqrt(ex * ex + ey * ey)
    return (0.0, 0.0, close) if norm < 1e-6 else (ex / norm, ey / norm, close)


@compiled
def _rescue(raster: Raster, ways: Ways, field: int, wall: Floats, count: int, x: float, y: float) -> tuple[float, float]:
    """Return the vector to the nearest centre in sight within two cells from which a way leads; zero where there is none."""
    ny, nx = raster.cell.shape
    i0, j0 = int(np.floor((y - raster.y0_m) / raster.cell_m)), int(np.floor((x - raster.x0_m) / raster.cell_m))
    best, ex, ey = np.inf, 0.0, 0.0
    for i in range(max(i0 - 2, 0), min(i0 + 3, ny)):
        for j in range(max(j0 - 2, 0), min(j0 + 3, nx)):
            here = raster.cell[i, j]
            if here < 0 or ways.far_m[field, here] == np.inf:
                continue
            cx, cy = raster.x0_m + (j + 0.5) * raster.cell_m, raster.y0_m + (i + 0.5) * raster.cell_m
            d = np.hypot(cx - x, cy - y)
            if 1e-6 < d < best and not _unseen(wall, count, x, y, cx, cy, np.inf):
                best, ex, ey = d, cx - x, cy - y
    return ex, ey


@compiled
def others_near(x: float, y: float, k: int, side: int, start: NDArray[np.int32], body: Floats, look: float, near: Floats) -> int:
    """List those within `look` of walker `k` in `near`: dx, dy, distance, sum of radii; return how many.

    Everybody in the cells is written down and only those near enough are kept, without a branch: whether one is near
    cannot be foreseen, and half of the processor's guesses would be wrong.
    """
    found, most, look2 = 0, near.shape[0] - 1, look * look
    low, high = int(np.floor((x - look) / BIN_M)) & (side - 1), int(np.floor((x + look) / BIN_M)) & (side - 1)
    for i in range(int(np.floor((y - look) / BIN_M)), int(np.floor((y + look) / BIN_M)) + 1):
        base = (i & (side - 1)) * side
        for part in range(1 if low <= high else 2):
            first = start[base + (low if part == 0 else 0)]
            last = start[base + (high if low <= high or part == 1 else side - 1) + 1]
            for m in range(first, last):
                dx, dy = body[m, 0] - x, body[m, 1] - y
                d2 = dx * dx + dy * dy
                near[found, 0], near[found, 1], near[found, 2], near[found, 3] = dx, dy, d2, m
                found = min(found + int((d2 < look2) & (m != k)), most)
    for n in range(found):
        m = int(near[n, 3])
        if near[n, 2] < 1e-12:  # two in one spot part along x, by their order
            near[n, 0], near[n, 1], near[n, 2] = (1e-6 if m > k else -1e-6), 0.0, 1e-12
        near[n, 2], near[n, 3] = np.sqrt(near[n, 2]), body[k, 2] + body[m, 2]
    return found


@compiled
def push(law: Law, near: Floats, found: int, wall: Floats, count: int, x: float, y: float, r: float) -> tuple[float, float]:
    """Return the sum of what others and walls add to the direction; others behind a wall are crossed off (radii -1)."""
    px = py = 0.0
    for m in range(found):
        dx, dy, d, body_m = near[m, 0], near[m, 1], near[m, 2], near[m, 3]
        if d >= body_m + FADE * law.range_neighbor_m:
            continue
        if count > 0 and _unseen(wall, count, x, y, x + dx, y + dy, d):
            near[m, 3] = -1.0
            continue
        weight = law.strength_neighbor * np.exp((body_m - d) / law.range_neighbor_m) / d
        px -= weight * dx
        py -= weight * dy
    for n in range(count):
        d = wall[n, 6]
        if 1e-9 < d < r + FADE_GEOMETRY * law.range_geometry_m:
            weight = law.strength_geometry * np.exp((r - d) / law.range_geometry_m) / d
            px -= weight * wall[n, 4]
            py -= weight * wall[n, 5]
    return px, py


@compiled
def space_ahead(
    near: Floats, found: int, wall: Floats, count: int, x: float, y: float, ex: float, ey: float, slim: float, most_m: float
) -> float:
    """Return the free distance in direction (ex, ey) to the nearest body in the lane ahead, at most `most_m`."""
    space = most_m
    for m in range(found):
        dx, dy, d, body_m = near[m, 0], near[m, 1], near[m, 2], near[m, 3]
        if body_m > 0.0 and d - body_m < space and dx * ex + dy * ey >= 0.0 and abs(dy * ex - dx * ey) <= slim * body_m:
            if count > 0 and _unseen(wall, count, x, y, x + dx, y + dy, d):
                continue
            space = d - body_m
    return max(space, 0.0)


@compiled
def clip(wall: Floats, count: int, x: float, y: float, dx: float, dy: float, radius: float) -> tuple[float, float]:
    """Slide the move (dx, dy) along the walls so that the body keeps its radius off them; no move if one would be crossed."""
    reach = radius + np.sqrt(dx * dx + dy * dy)
    touched = False
    for _ in range(2):
        for n in range(count):
            if wall[n, 6] >= reach:
                continue
            touched = True
            px, py = _to_segment(wall[n, 0], wall[n, 1], wall[n, 2], wall[n, 3], x + dx, y + dy)
            gap = np.sqrt(px * px + py * py)
            keep = min(wall[n, 6], radius)
            if 0.0 < gap < keep:
                dx -= px / gap * (keep - gap)
                dy -= py / gap * (keep - gap)
    if touched and _unseen(wall, count, x, y, x + dx, y + dy, np.inf):
        return 0.0, 0.0
    return dx, dy
