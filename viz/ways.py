"""The way of what keeps to lines, from one record to the next: along them, at its distance from them, round their crossings.

Compiled; ragged arrays are flat, with `start[i]:start[i + 1]` the slice of one way.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from viz.lines import CHOICES, Lines, Ways

STANDS_M = 1.0
"""What moved less went straight."""

FAST_M_PER_S = 45.0
LONGEST = 4096
"""More points than this no way has."""

BEHIND_M = 3.0
"""What lies this little behind on the same line is where it was."""


@njit(cache=True, nogil=True)
def _link(ways: Ways, a: int, b: int) -> int:
    """Return where the way from line `a` to line `b` is listed, or -1."""
    low, high = ways.start[a], ways.start[a + 1]
    while low < high:
        middle = (low + high) // 2
        if ways.target[middle] < b:
            low = middle + 1
        else:
            high = middle
    return low if low < ways.start[a + 1] and ways.target[low] == b else -1


@njit(cache=True, nogil=True)
def _choose(
    i: int, j: int, lines: Lines, ways: Ways, line: np.ndarray, way: np.ndarray, price: np.ndarray, chord: float, dt: float, mean: float
) -> tuple[int, int]:
    """Return which of the choices of record `i` and of record `j` the shortest plausible way joins, or -1, -1."""
    best, found_a, found_b = np.inf, -1, -1
    for ka in range(CHOICES):
        a = line[i, ka]
        if a < 0:
            break
        for kb in range(CHOICES):
            b = line[j, kb]
            if b < 0:
                break
            if a == b and way[j, kb] >= way[i, ka] - BEHIND_M:
                length = abs(way[j, kb] - way[i, ka])
            else:
                k = _link(ways, a, b)
                if k < 0:
                    continue
                length = max(lines.length[a] - way[i, ka], 0.0) + ways.gap[k] + max(way[j, kb], 0.0)
            if length > min(3.0 * chord + 60.0, FAST_M_PER_S * dt + 60.0):
                continue
            said = length + price[i, ka] + price[j, kb] + 0.3 * abs(length - mean * dt)
            if said < best:
                best, found_a, found_b = said, ka, kb
    return found_a, found_b


@njit(cache=True, nogil=True)
def _bend(out: np.ndarray, m: int, end: np.ndarray, u: np.ndarray, start: np.ndarray, v: np.ndarray, back: float, ahead: float) -> int:
    """Add a crossing from `end`, left in direction `u`, to `start`, entered in direction `v`; return how many points there are.

    Where the two lines meet between them the way is a parabola; where they cross before, they are cut there, unless
    that lies further than `back` behind the first or `ahead` beyond the second.
    """
    cross = u[0] * v[1] - u[1] * v[0]
    ex, ey, sx, sy = end[0], end[1], start[0], start[1]
    dx, dy = sx - ex, sy - ey
    if abs(cross) > 0.05:
        p, q = (dx * v[1] - dy * v[0]) / cross, (u[0] * dy - u[1] * dx) / cross
        cx, cy = ex + p * u[0], ey + p * u[1]
        if p > 0 and q > 0 and p + q < 4.0 * np.hypot(dx, dy):
            for k in range(5):
                w = k / 4.0
                out[m, 0] = (1 - w) * (1 - w) * ex + 2 * w * (1 - w) * cx + w * w * sx
                out[m, 1] = (1 - w) * (1 - w) * ey + 2 * w * (1 - w) * cy + w * w * sy
                m += 1
            return m
        if -back <= p <= 0 and -ahead <= q <= 0:
            out[m, 0], out[m, 1] = cx, cy
            return m + 1
    out[m, 0], out[m, 1] = ex, ey
    out[m + 1, 0], out[m + 1, 1] = sx, sy
    return m + 2


@njit(cache=True, nogil=True)
def _direction(lines: Lines, vertex: int) -> np.ndarray:
    """Return the unit vector from a vertex to the next."""
    step = lines.xy[vertex + 1] - lines.xy[vertex]
    return step / max(np.hypot(step[0], step[1]), 1e-9)


@njit(cache=True, nogil=True)
def _beside(lines: Lines, vertex: int, first: int, last: int, offset: float) -> np.ndarray:
    """Return the point `offset` to the right of a vertex of the line whose vertices are `first` to `last`."""
    before = _direction(lines, max(vertex - 1, first))
    after = _direction(lines, min(vertex, last - 1))
    nx, ny = before[1] + after[1], -(before[0] + after[0])
    size = nx * nx + ny * ny
    # the mitre is 2 / |n|^2 of n = the sum of the two normals; a sharp turn is held to twice the offset
    scale = 2.0 * offset / max(size, 1.0)
    return lines.xy[vertex] + scale * np.array([nx, ny])


@njit(cache=True, nogil=True)
def _along(out: np.ndarray, m: int, lines: Lines, line: int, low: float, high: float, o0: float, o1: float) -> int:
    """Add the vertices of a line whose way is within (low, high), offset evenly from `o0` to `o1`."""
    first, last = lines.start[line], lines.start[line + 1] - 1
    for vertex in range(first + 1, last):
        at = lines.way[vertex]
        if low + 0.1 < at < high - 0.1 and m < LONGEST - 16:
            share = (at - low) / max(high - low, 1e-9)
            out[m] = _beside(lines, vertex, first, last, o0 + share * (o1 - o0))
            m += 1
    return m


@njit(cache=True, nogil=True)
def _over(
    out: np.ndarray, route: np.ndarray, n: int, lines: Lines, ends: np.ndarray, faces: np.ndarray, s: np.ndarray, o: np.ndarray
) -> int:
    """Add the points of a route over `n` lines, from the way `s[0]` on the first to `s[1]` on the last; return how many.

    `ends` (4): x, y, x, y of both records; `faces` (2, 2): unit vectors of where the thing faces there; `o` (2): its offsets.
    """
    m = 0
    begun, ended = o[0], o[1]
    # within a crossing the distance from a line is no lane
    if n > 1 and s[0] > lines.length[route[0]] - 0.5:
        begun = ended if s[1] >= 0.5 else 0.0
    if n > 1 and s[1] < 0.5:
        ended = begun
    for k in range(n):
        line = route[k]
        length = lines.length[line]
        low, high = (s[0] if k == 0 else 0.0), (s[1] if k == n - 1 else length)
        # a lane is kept to the end of its line and changed in the crossings; on one line alone it is changed on the way
        lane = begun + (ended - begun) * k / max(n - 1, 1)
        lane_after = begun + (ended - begun) * (k + 1) / max(n - 1, 1)
        m = _along(out, m, lines, line, low, high, lane, lane if n > 1 else ended)
        if k == n - 1 or m > LONGEST - 16:
            break
        next_line = route[k + 1]
        first, last = lines.start[line], lines.start[line + 1] - 1
        then, final = lines.start[next_line], lines.start[next_line + 1] - 1
        left = k == 0 and s[0] > length - 0.5
        entered = k == n - 2 and s[1] < 0.5
        end = ends[:2] if left else _beside(lines, last, first, last, lane)
        start = ends[2:] if entered else _beside(lines, then, then, final, lane_after)
        u = faces[0] if left else _direction(lines, last - 1)
        v = faces[1] if entered else _direction(lines, then)
        dx, dy = start[0] - end[0], start[1] - end[1]
        if (left and dx * v[0] + dy * v[1] < 1.0) or (entered and dx * u[0] + dy * u[1] < 1.0):
            continue  # it is past that point already: going there would lead back
        back = 0.0 if left else min(length - low, 15.0)
        ahead = 0.0 if entered else min((s[1] if k == n - 2 else lines.length[next_line]), 15.0)
        m = _bend(out, m, end, u, start, v, back, ahead)
    return m


@njit(cache=True, nogil=True)
def _free(out: np.ndarray, ends: np.ndarray, faces: np.ndarray, chord: float) -> int:
    """Add a bend that leaves and enters as the thing faces, where it does not swing far out; return how many points."""
    m = _bend(out, 0, ends[:2], faces[0], ends[2:], faces[1], 0.0, 0.0)
    return m if m == 5 and chord < 60.0 else 0


@njit(cache=True, nogil=True)
def along_lines(
    ends: np.ndarray,
    angles_deg: np.ndarray,
    speeds: np.ndarray,
    dt_s: np.ndarray,
    lines: Lines,
    ways: Ways,
    line: np.ndarray,
    way: np.ndarray,
    offset: np.ndarray,
    price: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the points between two records each (ragged start, (m, 2)) of things that keep to lines, and whether a way was found.

    `ends` (n, 4): x, y, x, y; `angles_deg` and `speeds` (n, 2) at both; the choices of leg `i` (see `matched`) stand in
    rows `2 i` and `2 i + 1`.
    """
    n = len(ends)
    start, found = np.zeros(n + 1, np.int64), np.ones(n, np.bool_)
    points = np.empty((4 * n + 64, 2))
    out, route, m = np.empty((LONGEST, 2)), np.empty(LONGEST, np.int64), 0
    faces = np.empty((2, 2))
    s, o = np.empty(2), np.empty(2)
    for i in range(n):
        chord = np.hypot(ends[i, 2] - ends[i, 0], ends[i, 3] - ends[i, 1])
        count = 0
        if chord > STANDS_M:
            mean = 0.5 * (speeds[i, 0] + speeds[i, 1])
            ka, kb = _choose(2 * i, 2 * i + 1, lines, ways, line, way, price, chord, dt_s[i], mean)
            for k in range(2):
                faces[k, 0], faces[k, 1] = np.sin(np.deg2rad(angles_deg[i, k])), np.cos(np.deg2rad(angles_deg[i, k]))
            if ka < 0:
                count = _free(out, ends[i], faces, chord)
                found[i] = count > 0
            else:
                a, b = line[2 * i, ka], line[2 * i + 1, kb]
                s[0], s[1] = way[2 * i, ka], way[2 * i + 1, kb]
                o[0], o[1] = offset[2 * i, ka], offset[2 * i + 1, kb]
                hops = _route(route, a, b, s, ways)
                count = _over(out, route, hops, lines, ends[i], faces, s, o)
        while m + count > len(points):
            grown = np.empty((2 * len(points), 2))
            grown[:m] = points[:m]
            points = grown
        points[m : m + count] = out[:count]
        m += count
        start[i + 1] = m
    return start, points[:m], found


@njit(cache=True, nogil=True)
def _route(route: np.ndarray, a: int, b: int, s: np.ndarray, ways: Ways) -> int:
    """Fill in the lines from `a` to `b`, both included; return how many."""
    route[0] = a
    if a == b and s[1] >= s[0] - BEHIND_M:
        return 1
    n, at = 1, b
    while n < LONGEST - 1:
        route[n] = at
        n += 1
        at = ways.by[_link(ways, a, at)]
        if at == a:
            break
    route[1:n] = route[1:n][::-1].copy()
    return n
