"""How things move between two records: when they pass which point of a path, and the few moments that tell the whole.

All of it is compiled. Ragged arrays are flat, with `start[i]:start[i + 1]` the slice of one thing.
"""

from __future__ import annotations

import numpy as np
from numba import njit

SAMPLES = 10
"""A path on which a thing changes its speed is looked at this many times between two records."""

EVEN_M = 0.2
"""What keeps this close to an even motion moves evenly."""


@njit(cache=True, nogil=True)
def _travelled(u: float, length: float, dt: float, v0: float, v1: float) -> float:
    """Cubic Hermite: the way after the share `u` of the time, with speeds at both ends held so that nothing runs back."""
    v0, v1 = min(v0, 3.0 * length / dt), min(v1, 3.0 * length / dt)
    return length * u * u * (3.0 - 2.0 * u) + dt * (v0 * u * (1.0 - u) * (1.0 - u) - v1 * u * u * (1.0 - u))


@njit(cache=True, nogil=True)
def _moment(s: float, length: float, dt: float, v0: float, v1: float, even: bool) -> float:
    """Return the share of the time after which the way `s` is travelled."""
    if even:
        return s / length
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = 0.5 * (low + high)
        if _travelled(middle, length, dt, v0, v1) < s:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@njit(cache=True, nogil=True)
def _is_even(length: float, dt: float, v0: float, v1: float) -> bool:
    worst = 0.0
    for k in range(1, 8):
        worst = max(worst, abs(_travelled(k / 8.0, length, dt, v0, v1) - length * k / 8.0))
    return worst <= EVEN_M


@njit(cache=True, nogil=True)
def _at(s: float, xy: np.ndarray, ways: np.ndarray, k: int) -> tuple[float, float, int]:
    """Return the point after the way `s` on the polyline `xy` (`ways`: the way to each vertex), looking from leg `k` on."""
    while k < len(ways) - 2 and ways[k + 1] < s:
        k += 1
    leg = ways[k + 1] - ways[k]
    share = min(max((s - ways[k]) / leg, 0.0), 1.0) if leg > 0 else 0.0
    return xy[k, 0] + share * (xy[k + 1, 0] - xy[k, 0]), xy[k, 1] + share * (xy[k + 1, 1] - xy[k, 1]), k


@njit(cache=True, nogil=True)
def timed(
    ends: np.ndarray, tenths: np.ndarray, speeds: np.ndarray, start: np.ndarray, corners: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Say when things are where between two records each.

    `ends` (n, 4): x, y, x, y in m; `tenths` (n, 2): when, in tenths of a second; `speeds` (n, 2) in m/s at both ends;
    `corners` (c, 2): the points of their paths between the ends, ragged by `start` (n + 1). Returns ragged moments
    between the ends: start (n + 1), tenths (m), xy (m, 2).
    """
    n = len(ends)
    found_start = np.zeros(n + 1, np.int64)
    when = np.empty(len(corners) + n * SAMPLES, np.int64)
    where = np.empty((len(corners) + n * SAMPLES, 2))
    m = 0
    for i in range(n):
        k = start[i + 1] - start[i]
        xy = np.empty((k + 2, 2))
        xy[0], xy[k + 1] = ends[i, :2], ends[i, 2:]
        xy[1 : k + 1] = corners[start[i] : start[i + 1]]
        ways = np.zeros(k + 2)
        for j in range(k + 1):
            ways[j + 1] = ways[j] + np.hypot(xy[j + 1, 0] - xy[j, 0], xy[j + 1, 1] - xy[j, 1])
        length, dt = ways[k + 1], (tenths[i, 1] - tenths[i, 0]) / 10.0
        if length > EVEN_M and dt > 0:
            v0, v1 = max(speeds[i, 0], 0.0), max(speeds[i, 1], 0.0)
            even = _is_even(length, dt, v0, v1)
            samples = 0 if even else SAMPLES
            corner, sample, leg, last = 1, 1, 0, tenths[i, 0]
            u_corner = _moment(ways[1], length, dt, v0, v1, even) if k else 2.0
            while corner <= k or sample < samples:
                u_sample = sample / SAMPLES if sample < samples else 2.0
                turns = corner <= k and u_corner <= u_sample
                at = int(np.rint(tenths[i, 0] + 10.0 * dt * (u_corner if turns else u_sample)))
                if last < at < tenths[i, 1]:
                    if turns:
                        where[m] = xy[corner]
                    else:
                        s = _travelled((at - tenths[i, 0]) / (10.0 * dt), length, dt, v0, v1)
                        where[m, 0], where[m, 1], leg = _at(s, xy, ways, leg)
                    when[m], last = at, at
                    m += 1
                if turns:
                    corner += 1
                    u_corner = _moment(ways[corner], length, dt, v0, v1, even) if corner <= k else 2.0
                else:
                    sample += 1
        found_start[i + 1] = m
    return found_start, when[:m], where[:m]


@njit(cache=True, nogil=True)
def _fits(a: int, e: int, t: np.ndarray, q: np.ndarray, along: float, across: float) -> bool:
    """Say whether an even motion from moment `a` to moment `e` passes near all moments between them, when they are."""
    dx, dy = q[e, 0] - q[a, 0], q[e, 1] - q[a, 1]
    length = np.hypot(dx, dy)
    if length < across:
        along, ux, uy = across, 1.0, 0.0
    else:
        ux, uy = dx / length, dy / length
    for k in range(a + 1, e):
        share = (t[k] - t[a]) / (t[e] - t[a])
        ex, ey = q[k, 0] - q[a, 0] - share * dx, q[k, 1] - q[a, 1] - share * dy
        if abs(ex * ux + ey * uy) > along or abs(ey * ux - ex * uy) > across:
            return False
    return True


@njit(cache=True, nogil=True)
def thinned(start: np.ndarray, t: np.ndarray, q: np.ndarray, along: np.ndarray, across: np.ndarray, most: int) -> np.ndarray:
    """Mark the moments to keep: between them an even motion stays within `along` and `across` of the others.

    `start` (rows + 1) of the ragged moments `t` and positions `q` (m, 2), in any unit; tolerances one a row in that
    unit, along and across the way moved; no kept step is longer than `most` in x or y. First and last are kept.
    """
    keep = np.zeros(len(t), np.bool_)
    for row in range(len(start) - 1):
        a, last = start[row], start[row + 1] - 1
        if last < a:
            continue
        keep[a] = keep[last] = True
        while a < last:
            e = a + 1
            while e < last and max(abs(q[e + 1, 0] - q[a, 0]), abs(q[e + 1, 1] - q[a, 1])) <= most:
                if not _fits(a, e + 1, t, q, along[row], across[row]):
                    break
                e += 1
            keep[e] = True
            a = e
    return keep
