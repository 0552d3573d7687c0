"""A set of lines that things keep to: which line a thing is on, and the shortest way from one line to another.

Each line can be taken in both directions, against its own at a price: directed line `2 k` is line `k` as it is drawn,
`2 k + 1` the other way. Compiled; arrays are flat, with `start[i]:start[i + 1]` the slice of one line.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

PIECE_M, REACH_M, CELL_M = 25.0, 20.0, 34.0
"""Lines are sought in pieces, up to this far away, in cells that hold the middle of every piece in reach of their neighbours."""

JOIN_M = 30.0
"""An end and a start this close meet in a crossing."""

AGAINST_M, BACK_M = 12.0, 40.0
"""What it costs to take a line against its direction, and to turn back at its end, in metres of way."""

CHOICES = 4
"""So many lines are tried for a thing's position."""

MOST_CELLS = 16_000_000


class Lines(NamedTuple):
    """Directed lines and their pieces by cell. `xy` (v, 2) and `way` (v): vertices and the way to them from the line's start."""

    start: np.ndarray
    xy: np.ndarray
    way: np.ndarray
    length: np.ndarray
    pieces: np.ndarray
    """(p, 4): x, y, x, y"""
    piece_of: np.ndarray
    piece_way: np.ndarray
    cell_start: np.ndarray
    corner: np.ndarray
    cell_m: float
    nx: int
    ny: int


class Ways(NamedTuple):
    """What can be reached from the end of each directed line: `target` rising, `gap` the way to its start, `by` the line before."""

    start: np.ndarray
    target: np.ndarray
    gap: np.ndarray
    by: np.ndarray


def lines_of(shapes: Sequence[np.ndarray]) -> Lines | None:
    """Gather lines, each in both directions; None when no shape is a line."""
    both = [way for shape in shapes if len(shape) > 1 for way in (np.asarray(shape, float), np.asarray(shape, float)[::-1])]
    if not both:
        return None
    start = np.concatenate([[0], np.cumsum([len(one) for one in both])])
    xy = np.concatenate(both)
    steps = np.hypot(*np.diff(xy, axis=0, prepend=xy[:1]).T)
    steps[start[:-1]] = 0.0
    total = np.cumsum(steps)
    way = total - np.repeat(total[start[:-1]], np.diff(start))
    ends, owner, begun = _pieces(start, xy, way)
    middle = (ends[:, :2] + ends[:, 2:]) / 2
    corner, size = middle.min(axis=0) - CELL_M, np.ptp(middle, axis=0) + 2 * CELL_M
    cell_m = max(CELL_M, float(np.sqrt(size[0] * size[1] / MOST_CELLS)))
    nx, ny = (int(n) for n in size // cell_m + 1)
    at = ((middle - corner) // cell_m).astype(np.int64)
    cell = at[:, 1] * nx + at[:, 0]
    order = np.argsort(cell, kind="stable")
    cell_start = np.searchsorted(cell[order], np.arange(nx * ny + 1))
    return Lines(start, xy, way, way[start[1:] - 1], ends[order], owner[order], begun[order], cell_start, corner, cell_m, nx, ny)


def _pieces(start: np.ndarray, xy: np.ndarray, way: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    legs = np.setdiff1d(np.arange(len(xy) - 1), start[1:-1] - 1)
    owner = np.searchsorted(start, legs, side="right") - 1
    count = np.maximum(np.ceil((way[legs + 1] - way[legs]) / PIECE_M).astype(int), 1)
    leg, k = np.repeat(np.arange(len(legs)), count), np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    a, b = xy[legs][leg], xy[legs + 1][leg]
    share = np.column_stack([k, k + 1]) / count[leg][:, None]
    ends = np.column_stack([a + share[:, :1] * (b - a), a + share[:, 1:] * (b - a)])
    return ends, owner[leg], way[legs][leg] + share[:, 0] * (way[legs + 1] - way[legs])[leg]


@njit(cache=True, nogil=True)
def matched(lines: Lines, xy: np.ndarray, angle_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Find for each position the lines it may be on: near, and in the direction it faces.

    Returns (n, CHOICES): directed line or -1, the way along it (less than 0 or more than its length beyond its ends),
    the offset to its right, and the price of the choice in metres.
    """
    n = len(xy)
    line, way = np.full((n, CHOICES), -1, np.int64), np.zeros((n, CHOICES))
    offset, price = np.zeros((n, CHOICES)), np.full((n, CHOICES), np.inf)
    for i in range(n):
        facing = np.deg2rad(angle_deg[i])
        hx, hy = np.sin(facing), np.cos(facing)
        cx, cy = int((xy[i, 0] - lines.corner[0]) // lines.cell_m), int((xy[i, 1] - lines.corner[1]) // lines.cell_m)
        for gy in range(max(cy - 1, 0), min(cy + 2, lines.ny)):
            for gx in range(max(cx - 1, 0), min(cx + 2, lines.nx)):
                cell = gy * lines.nx + gx
                for k in range(lines.cell_start[cell], lines.cell_start[cell + 1]):
                    x, y = lines.pieces[k, 0], lines.pieces[k, 1]
                    dx, dy = lines.pieces[k, 2] - x, lines.pieces[k, 3] - y
                    size = np.hypot(dx, dy)
                    if size <= 0 or (dx * hx + dy * hy) < 0.5 * size:
                        continue
                    ux, uy = dx / size, dy / size
                    along = (xy[i, 0] - x) * ux + (xy[i, 1] - y) * uy
                    right = (xy[i, 0] - x) * uy - (xy[i, 1] - y) * ux
                    out = max(-along, along - size, 0.0)
                    away = np.hypot(out, right)
                    if away > REACH_M:
                        continue
                    turned = 1.0 - (ux * hx + uy * hy)
                    said = 0.08 * away * away + 60.0 * turned + (AGAINST_M if lines.piece_of[k] % 2 else 0.0)
                    owner, begun = lines.piece_of[k], lines.piece_way[k]
                    at = begun + along
                    if out > 0:
                        if begun > 0.5 and along < 0:
                            at = begun
                        elif along > size and begun + size < lines.length[owner] - 0.5:
                            at = begun + size
                    _offer(i, owner, at, right, said, line, way, offset, price)
    return line, way, offset, price


@njit(cache=True, nogil=True)
def _offer(
    i: int, owner: int, at: float, right: float, said: float, line: np.ndarray, way: np.ndarray, offset: np.ndarray, price: np.ndarray
) -> None:
    """Put a choice in its place among the choices of `i`, one a line."""
    k = CHOICES - 1
    for j in range(CHOICES):
        if line[i, j] == owner:
            if price[i, j] <= said:
                return
            k = j
            break
    if price[i, k] <= said:
        return
    while k > 0 and price[i, k - 1] > said:
        line[i, k], way[i, k], offset[i, k], price[i, k] = line[i, k - 1], way[i, k - 1], offset[i, k - 1], price[i, k - 1]
        k -= 1
    line[i, k], way[i, k], offset[i, k], price[i, k] = owner, at, right, said


def links_of(lines: Lines) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which directed lines can follow each (ragged start and target), and the price of going there, in metres."""
    from scipy.spatial import cKDTree

    first, last = lines.xy[lines.start[:-1]], lines.xy[lines.start[1:] - 1]
    out, into = last - lines.xy[lines.start[1:] - 2], lines.xy[lines.start[:-1] + 1] - first
    near = cKDTree(last).sparse_distance_matrix(cKDTree(first), JOIN_M, output_type="coo_matrix")
    a, b, gap = near.row, near.col, np.hypot(*(first[near.col] - last[near.row]).T)
    across = first[b] - last[a]
    open_ended = (_turn(out[a], across) > -0.35) & (_turn(across, into[b]) > -0.35)
    back = _turn(out[a], into[b]) < -0.8
    fine = (a != b) & ((gap < 3.0) | open_ended | back)
    price = gap + np.maximum(gap - JOIN_M / 2, 0) + np.where(back, BACK_M, 0.0) + np.where(b % 2 == 1, AGAINST_M, 0.0)
    a, b, price = a[fine], b[fine], price[fine]
    order = np.lexsort((b, a))
    return np.searchsorted(a[order], np.arange(len(first) + 1)), b[order].astype(np.int64), price[order]


def _turn(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of the turn from direction `a` to `b`."""
    return np.asarray((a * b).sum(axis=1) / np.maximum(np.hypot(*a.T) * np.hypot(*b.T), 1e-9))


@njit(cache=True, nogil=True)
def reached(start: np.ndarray, target: np.ndarray, price: np.ndarray, length: np.ndarray, far_m: float) -> Ways:
    """Find the shortest ways of at most `far_m` from the end of each directed line to the start of others."""
    n = len(length)
    first = np.zeros(n + 1, np.int64)
    size = 1024
    targets, gaps, by = np.empty(size, np.int32), np.empty(size, np.float32), np.empty(size, np.int32)
    best, before, seen, done = np.empty(n), np.empty(n, np.int64), np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    m = 0
    for source in range(n):
        heap = [(0.0, -1)]
        begun = m
        while len(heap) > 0:
            gone, at = heapq.heappop(heap)
            if at >= 0:
                if done[at] == source:
                    continue
                done[at] = source
                if m == size:
                    size *= 2
                    targets, gaps, by = _grown(targets, size), _grown(gaps, size), _grown(by, size)
                targets[m], gaps[m], by[m] = at, gone, before[at]
                m += 1
            out = source if at < 0 else at
            gone = 0.0 if at < 0 else gone + length[at]
            for k in range(start[out], start[out + 1]):
                then = gone + price[k]
                b = target[k]
                if then <= far_m and (seen[b] != source or then < best[b]):
                    seen[b], best[b], before[b] = source, then, out
                    heapq.heappush(heap, (then, b))
        order = np.argsort(targets[begun:m])
        targets[begun:m], gaps[begun:m], by[begun:m] = targets[begun:m][order], gaps[begun:m][order], by[begun:m][order]
        first[source + 1] = m
    return Ways(first, targets[:m], gaps[:m], by[:m])


@njit(cache=True, nogil=True)
def _grown(values: np.ndarray, size: int) -> np.ndarray:
    found = np.empty(size, values.dtype)
    found[: len(values)] = values
    return found
