"""Ways across the ground: one travel-distance field per destination, by the fast marching method."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from models.crowd.geometry import Floats, Ground, compiled, crosses

WALL_MARGIN_M = 0.6
"""Within this distance of a wall a metre costs more, so that ways round corners keep clear of them (m)."""

WALL_COST = 2.0
"""What a metre right at a wall costs on top of its length, falling to nothing at `WALL_MARGIN_M`."""

HERE = -128
"""What `Fields.way` holds in the cells of a target: no direction, but the mark of having arrived."""

_AT_A_TIME = 4
"""So many fields are computed side by side at most, where there are free cores; none depends on another."""


class _Heap(NamedTuple):
    """Cells by what is to go from them, the least first; their lengths lie beside them, where comparing finds them at once."""

    cell: NDArray[np.int32]
    far_m: NDArray[np.float32]
    place: NDArray[np.int32]
    """where in the heap each cell of the raster is: -1 not yet, -2 no more"""


@compiled
def _up(heap: _Heap, moving: int, far_m: np.float32, k: int) -> None:
    while k > 0:
        above = (k - 1) // 2
        if heap.far_m[above] <= far_m:
            break
        _put(heap, heap.cell[above], heap.far_m[above], k)
        k = above
    _put(heap, moving, far_m, k)


@compiled
def _down(heap: _Heap, moving: int, far_m: np.float32, size: int) -> None:
    k = 0
    while True:
        below = 2 * k + 1
        if below >= size:
            break
        if below + 1 < size and heap.far_m[below + 1] < heap.far_m[below]:
            below += 1
        if far_m <= heap.far_m[below]:
            break
        _put(heap, heap.cell[below], heap.far_m[below], k)
        k = below
    _put(heap, moving, far_m, k)


@compiled
def _put(heap: _Heap, cell: int, far_m: np.float32, k: int) -> None:
    heap.cell[k] = cell
    heap.far_m[k] = far_m
    heap.place[cell] = k


@compiled
def march(
    link: NDArray[np.int32],
    cost_m: NDArray[np.float32],
    sources: NDArray[np.int64],
    from_m: NDArray[np.float32],
    far: NDArray[np.float32],
    way: NDArray[np.int8],
) -> None:
    """Solve |grad far| = cost on the raster from `sources` outward (Sethian 1996, first order, 4 neighbours).

    `from_m` is what is still to go from each source (m), 0 at the target itself; `cost_m` what crossing each cell
    costs. A neighbour `n` one may come from but not go to stands in `link` as -2 - n. Fills `far` (inf where no way
    leads) and `way` (cells, 2), the unit descent direction in steps of 1/127, `HERE` at the target.
    """
    far[:] = np.inf
    heap = _Heap(np.empty(far.size, np.int32), np.empty(far.size, np.float32), np.full(far.size, -1, np.int32))
    size = 0
    for k in range(sources.size):
        source = sources[k]
        if heap.place[source] < 0:
            far[source] = from_m[k]
            size += 1
            _up(heap, source, far[source], size - 1)
    while size > 0:
        here = heap.cell[0]
        size -= 1
        heap.place[here] = -2
        if size > 0:
            _down(heap, heap.cell[size], heap.far_m[size], size)
        for side in range(4):
            there = link[here, side]
            if there < -1:
                there = -2 - there
            if there < 0 or heap.place[there] == -2 or link[there, (side + 2) % 4] != here:
                continue
            value = _arrive(link[there], far, cost_m[there])
            if value < far[there]:
                far[there] = value
                k = heap.place[there]
                if k < 0:
                    k = size
                    size += 1
                _up(heap, there, far[there], k)
    for here in range(far.size):
        _descend(link, far, here, way)
    for k in range(sources.size):
        if from_m[k] == 0.0:
            way[sources[k], 0] = way[sources[k], 1] = HERE


@compiled
def _arrive(link: NDArray[np.int32], far: NDArray[np.float32], cost: float) -> float:
    a = b = np.inf
    if link[0] >= 0:
        a = far[link[0]]
    if link[2] >= 0:
        a = min(a, far[link[2]])
    if link[1] >= 0:
        b = far[link[1]]
    if link[3] >= 0:
        b = min(b, far[link[3]])
    if max(a, b) == np.inf or abs(a - b) >= cost:
        return min(a, b) + cost
    return 0.5 * (a + b + np.sqrt(2.0 * cost * cost - (a - b) * (a - b)))


@compiled
def _descend(link: NDArray[np.int32], far: NDArray[np.float32], here: int, way: NDArray[np.int8]) -> None:
    east = north = 0.0
    if far[here] < np.inf:
        east, north = _slope(link, far, here, 0), _slope(link, far, here, 1)
    norm = np.sqrt(east * east + north * north)
    scale = 0.0 if norm == 0.0 else 127.0 / norm
    way[here, 0], way[here, 1] = np.int8(np.rint(scale * east)), np.int8(np.rint(scale * north))


@compiled
def _slope(link: NDArray[np.int32], far: NDArray[np.float32], here: int, axis: int) -> float:
    """Return how much nearer the nearer neighbour on an axis is, negative where it lies to the west or south; 0 for none."""
    best = 0.0
    for side in (axis, axis + 2):
        there = link[here, side]
        if there >= 0 and far[here] - far[there] > abs(best):
            best = (far[here] - far[there]) * (1.0 if side == axis else -1.0)
    return best


@compiled
def _cut(link: NDArray[np.int32], x_m: Floats, y_m: Floats, closed: Floats) -> None:
    for here in range(link.shape[0]):
        for side in range(2):
            there = link[here, side]
            for k in range(closed.shape[0] if there >= 0 else 0):
                c = closed[k]
                if crosses(x_m[here], y_m[here], x_m[there], y_m[there], c[0], c[1], c[2], c[3]):
                    link[here, side] = -1
                    link[there, side + 2] = -1
                    break


@compiled
def _cut_one_way(link: NDArray[np.int32], x_m: Floats, y_m: Floats, line: Floats, side_shut: int) -> None:
    """Take out the steps across `line` that end to its left (`side_shut` 0) or to its right (1)."""
    for here in range(link.shape[0]):
        for side in range(4):
            there = link[here, side]
            if there >= 0 and crosses(x_m[here], y_m[here], x_m[there], y_m[there], line[0], line[1], line[2], line[3]):
                after = (line[2] - line[0]) * (y_m[there] - line[1]) - (line[3] - line[1]) * (x_m[there] - line[0])
                if (0 if after >= 0.0 else 1) == side_shut:
                    link[here, side] = -2 - there


class Surroundings(NamedTuple):
    """Some cells of the raster around the target of a field, joined by `link` among themselves.

    `cells` (n,) are numbers of the raster; `link` (n, 4) and `sources` count within them; `from_m` is what
    is to go from each source, 0 in the target, the field's own length where its ways leave; `shortest` (n, 2) are the field's ways.
    """

    field: int
    cells: NDArray[np.int64]
    link: NDArray[np.int32]
    cost_m: NDArray[np.float32]
    sources: NDArray[np.int64]
    from_m: NDArray[np.float32]
    shortest: NDArray[np.int8]


class Fields:
    """Routing fields over one ground, numbered in the order added; a walker's `field` is such a number.

    `far_m` is (fields, cells) float32: metres to walk, a little more where walls are near; inf where no way leads.
    `way` is (fields, cells, 2) int8: the direction to take, in steps of 1/127, `HERE` in the target; `surroundings` and
    `quickest.bend` turn it round a crowd, `far_m` stays what it is on empty ground. 6 bytes a field and walkable cell.
    """

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.targets: list[NDArray[np.int64]] = []
        self.absorbs = np.empty(0, np.bool_)
        self.far_m = np.empty((0, ground.cells), np.float32)
        self.way = np.empty((0, ground.cells, 2), np.int8)
        self.one_way: list[tuple[Floats, int]] = []
        """segments (x1, y1, x2, y2) nobody may cross to the left (0) or to the right (1), in whatever field is built from now on"""
        near = np.maximum(0.0, 1.0 - ground.clear_m / WALL_MARGIN_M)
        self._passed: tuple[Any, tuple[NDArray[np.int32], NDArray[np.float32]]] | None = None
        self._cost_m = (ground.cell_m * (1.0 + WALL_COST * near)).astype(np.float32)

    def __len__(self) -> int:
        return len(self.targets)

    def add(self, target: Any, *, absorbs: bool = True, closed: Floats | None = None, area_cost: Floats | None = None) -> int:
        """Build the field that leads to `target` (a polygon or point, shapely) and return its number.

        Who arrives is gone if the field `absorbs`, else stands there until sent elsewhere. A target smaller
        than a cell becomes the nearest walkable cell. See `rebuild` for the options.
        """
        return self.add_all([target], absorbs=absorbs, closed=closed, area_cost=area_cost)[0]

    def add_all(
        self, targets: Sequence[Any], *, absorbs: bool = True, closed: Floats | None = None, area_cost: Floats | None = None
    ) -> list[int]:
        """Build a field to each of `targets` with the same options (see `add`) and return their numbers."""
        first = len(self.targets)
        self.targets += [self._cells_in(target) for target in targets]
        self.absorbs = np.append(self.absorbs, np.full(len(targets), absorbs))
        more = (len(targets), self.ground.cells)
        self.far_m = np.concatenate([self.far_m, np.empty(more, np.float32)])
        self.way = np.concatenate([self.way, np.zeros((*more, 2), np.int8)])
        numbers = list(range(first, len(self.targets)))
        self.rebuild(*numbers, closed=closed, area_cost=area_cost)
        return numbers

    def _cells_in(self, target: Any) -> NDArray[np.int64]:
        ground = self.ground
        covered = np.zeros(ground.shape, bool) if target.geom_type == "Point" else ground.covered(target)
        cells = ground.raster.cell[covered]
        cells = cells[cells >= 0].astype(np.int64)
        if cells.size == 0:
            x, y = self.centres_m()
            point = shapely.point_on_surface(target)
            cells = np.array([np.argmin((x - point.x) ** 2 + (y - point.y) ** 2)])
        return cells

    def centres_m(self) -> tuple[Floats, Floats]:
        """Return x and y of the centre of every walkable cell (m)."""
        raster = self.ground.raster
        return raster.x0_m + (self.ground.columns + 0.5) * raster.cell_m, raster.y0_m + (self.ground.rows + 0.5) * raster.cell_m

    def rebuild(self, *fields: int, closed: Floats | None = None, area_cost: Floats | None = None) -> None:
        """Compute `fields` again with segments `closed` (n, 4) shut and each metre in area k costing `area_cost[k]` metres."""
        link, cost = self._passable(closed, area_cost)

        def build(k: int) -> None:
            march(link, cost, self.targets[k], np.zeros(len(self.targets[k]), np.float32), self.far_m[k], self.way[k])

        if len(fields) < 2:
            list(map(build, fields))
            return
        with ThreadPoolExecutor(min(_AT_A_TIME, len(os.sched_getaffinity(0)), len(fields))) as pool:
            list(pool.map(build, fields))

    def surroundings(
        self, field: int, *, where: NDArray[np.bool_], closed: Floats | None = None, area_cost: Floats | None = None
    ) -> Surroundings:
        """Return the cells `where` (cells,) a field just built with these options may be bent.

        Where its ways leave these cells the rim stays as it is. Where they enter, the rim is no source: its length on
        empty ground would be less than the way through a crowd, and draw people back to it.
        """
        link, cost = self._passable(closed, area_cost)
        far = self.far_m[field]
        inside = where & np.isfinite(far)
        inside[self.targets[field]] = True
        cells = np.flatnonzero(inside)
        local = np.full(len(far), -1, np.int32)
        local[cells] = np.arange(len(cells), dtype=np.int32)
        near = link[cells]
        joined = np.where(near >= 0, local[near], -1).astype(np.int32)
        against = np.where(near < -1, local[np.maximum(-2 - near, 0)], -1)
        joined = np.where(against >= 0, -2 - against, joined).astype(np.int32)
        rim = cells[((near >= 0) & (joined < 0) & (far[np.maximum(near, 0)] < far[cells, None])).any(axis=1)]
        target = self.targets[field]
        sources = np.concatenate([target, np.setdiff1d(rim, target)])
        from_m = np.where(np.isin(sources, target), np.float32(0), far[sources]).astype(np.float32)
        return Surroundings(field, cells, joined, cost[cells], local[sources].astype(np.int64), from_m, self.way[field, cells])

    def _passable(self, closed: Floats | None, area_cost: Floats | None) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        asked = tuple(None if one is None else np.asarray(one, np.float64).tobytes() for one in (closed, area_cost))
        asked += tuple((line.tobytes(), side) for line, side in self.one_way)
        if self._passed is not None and self._passed[0] == asked:
            return self._passed[1]
        link, cost = self.ground.raster.link, self._cost_m
        if closed is not None and len(closed):
            link = link.copy()
            _cut(link, *self.centres_m(), np.asarray(closed, dtype=np.float64).reshape(-1, 4))
        for line, side in self.one_way:
            link = link.copy()
            _cut_one_way(link, *self.centres_m(), line, side)
        if area_cost is not None:
            label = self.ground.raster.area[self.ground.rows, self.ground.columns]
            cost = np.where(label >= 0, cost * np.append(area_cost, 1.0)[label], cost).astype(np.float32)
        self._passed = asked, (link, cost)
        return link, cost

    def distance_m(self, field: int | NDArray[np.int32], x_m: Floats, y_m: Floats) -> NDArray[np.float32]:
        """Return the metres to walk from each point to its field's target; inf where no way leads or off the ground."""
        cell = self.ground.cell_at(x_m, y_m)
        return np.where(cell >= 0, self.far_m[field, np.maximum(cell, 0)], np.float32(np.inf)).astype(np.float32)

    def nearest(self, fields: Sequence[int], x_m: Floats, y_m: Floats) -> NDArray[np.int32]:
        """Return for each point which of `fields` has the shortest way (the first of equals); -1 where none leads."""
        cell = self.ground.cell_at(x_m, y_m)
        far = np.stack([self.far_m[k, np.maximum(cell, 0)] for k in fields])
        best = np.argmin(far, axis=0)
        reached = (cell >= 0) & np.isfinite(far[best, np.arange(cell.size)])
        return np.where(reached, np.asarray(fields, np.int32)[best], -1).astype(np.int32)
