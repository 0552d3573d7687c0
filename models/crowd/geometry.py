"""The ground people walk on: a raster of walkable cells, the walls between them, and labelled areas."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REACH_M = 2.6
"""How far a walker looks along its way for others (m); walls are listed per cell up to this distance."""

APART_M = 2.0
"""Who is this far from every place where walls or gates are in reach need not look for them while it walks less than that (m)."""

_PIECE_M = 20.0
"""Long walls are binned in pieces of this length (m): the box round a slanting one holds mostly cells far from it."""

P = ParamSpec("P")
R = TypeVar("R")

_COMPILED = ("geometry.py", "routing.py", "quickest.py", "steering.py", "motion.py")

_STAMP = hashlib.sha256(b"".join((Path(__file__).parent / name).read_bytes() for name in _COMPILED)).hexdigest()


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` once and keep the code on disk; IEEE arithmetic in the order written.

    Numba renews what it kept when the function's own file changes, but not when one that it calls from another file
    does; the stamp is over all of them.
    """
    dispatcher = njit(cache=True, fastmath=False, nogil=True, error_model="numpy")(function)
    dispatcher._cache._cache_file._source_stamp = _STAMP  # type: ignore[attr-defined]
    return cast("Callable[P, R]", dispatcher)


class Segments(NamedTuple):
    """Segments by square cell (compressed rows): those of cell `k` are `listed[start[k]:start[k + 1]]`.

    `ends_m` is (n, 4) as x1, y1, x2, y2; the grid has `nx` x `ny` cells of `cell_m` from (`x0_m`, `y0_m`).
    """

    ends_m: Floats
    start: NDArray[np.int32]
    listed: NDArray[np.int32]
    x0_m: float
    y0_m: float
    cell_m: float
    nx: int
    ny: int
    most: int
    """the length of the longest list"""


class Raster(NamedTuple):
    """The walkable raster: `cell[row, column]` numbers the walkable cells from 0, -1 elsewhere.

    `link` is (cells, 4): the cell to the east, north, west and south, -1 where there is none or a wall lies between.
    `area` is the label of each cell's area, -1 outside every area.
    """

    cell: NDArray[np.int32]
    link: NDArray[np.int32]
    area: NDArray[np.int16]
    x0_m: float
    y0_m: float
    cell_m: float
    apart: NDArray[np.bool_]
    """(rows, columns, 2): whether no list of walls, and of gates, is found within `APART_M` of a cell"""


@compiled
def crosses(ax: float, ay: float, bx: float, by: float, cx: float, cy: float, dx: float, dy: float) -> bool:
    """Return whether the segments a-b and c-d share a point (touching counts)."""
    if max(ax, bx) < min(cx, dx) or max(cx, dx) < min(ax, bx) or max(ay, by) < min(cy, dy) or max(cy, dy) < min(ay, by):
        return False
    ux, uy, wx, wy = bx - ax, by - ay, dx - cx, dy - cy
    side_c, side_d = ux * (cy - ay) - uy * (cx - ax), ux * (dy - ay) - uy * (dx - ax)
    side_a, side_b = wx * (ay - cy) - wy * (ax - cx), wx * (by - cy) - wy * (bx - cx)
    return side_c * side_d <= 0.0 and side_a * side_b <= 0.0


@compiled
def bin_of(segments: Segments, x_m: float, y_m: float) -> int:
    """Return the cell of the segment grid that holds a point, clipped to the grid."""
    column = min(max(int((x_m - segments.x0_m) / segments.cell_m), 0), segments.nx - 1)
    row = min(max(int((y_m - segments.y0_m) / segments.cell_m), 0), segments.ny - 1)
    return row * segments.nx + column


@compiled
def hidden(segments: Segments, first: int, last: int, ax: float, ay: float, bx: float, by: float) -> bool:
    """Return whether one of the listed segments `first` to `last` lies between two points."""
    for k in range(first, last):
        w = segments.ends_m[segments.listed[k]]
        if crosses(ax, ay, bx, by, w[0], w[1], w[2], w[3]):
            return True
    return False


@compiled
def nearest_on(w: Floats, x_m: float, y_m: float) -> tuple[float, float]:
    """Return the point of segment `w` (x1, y1, x2, y2) nearest to a point."""
    ux, uy = w[2] - w[0], w[3] - w[1]
    length2 = ux * ux + uy * uy
    t = 0.0 if length2 == 0.0 else min(max(((x_m - w[0]) * ux + (y_m - w[1]) * uy) / length2, 0.0), 1.0)
    return w[0] + t * ux, w[1] + t * uy


@compiled
def _link(
    cell: NDArray[np.int32], rows: Ints, columns: Ints, walls: Segments, x0: float, y0: float, cell_m: float, margin_m: float
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Join walkable neighbours that see each other; return the links and each cell's distance to a wall up to `margin_m`."""
    ny, nx = cell.shape
    link = np.full((rows.size, 4), -1, np.int32)
    clear = np.full(rows.size, margin_m, np.float32)
    for here in range(rows.size):
        i, j = rows[here], columns[here]
        x, y = x0 + (j + 0.5) * cell_m, y0 + (i + 0.5) * cell_m
        k = bin_of(walls, x, y)
        first, last = walls.start[k], walls.start[k + 1]
        for n in range(first, last):
            px, py = nearest_on(walls.ends_m[walls.listed[n]], x, y)
            clear[here] = min(clear[here], np.hypot(px - x, py - y))
        for side in range(2):
            row, column = i + side, j + 1 - side
            if row >= ny or column >= nx or cell[row, column] < 0:
                continue
            if not hidden(walls, first, last, x, y, x0 + (column + 0.5) * cell_m, y0 + (row + 0.5) * cell_m):
                there = cell[row, column]
                link[here, side] = there
                link[there, side + 2] = here
    return link, clear


def bin_segments(ends_m: Floats, bounds_m: tuple[float, float, float, float], *, cell_m: float, reach_m: float) -> Segments:
    """List, for each cell of a grid over `bounds_m`, the segments within `reach_m` of it.

    `ends_m` is (n, 4). A point outside the grid uses the nearest cell of it.
    """
    x0, y0, x1, y1 = bounds_m
    nx, ny = max(int(np.ceil((x1 - x0) / cell_m)), 1), max(int(np.ceil((y1 - y0) / cell_m)), 1)
    ends_m = np.ascontiguousarray(ends_m, dtype=np.float64).reshape(-1, 4)
    pieces = np.maximum(np.ceil(np.hypot(ends_m[:, 2] - ends_m[:, 0], ends_m[:, 3] - ends_m[:, 1]) / _PIECE_M), 1).astype(np.int64)
    whose = np.repeat(np.arange(len(ends_m)), pieces)
    part = np.arange(len(whose)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    a, b, many = ends_m[whose, :2], ends_m[whose, 2:], pieces[whose]
    pairs = [
        _cells_near(w, x0, y0, cell_m, nx, ny, reach_m)
        for w in np.hstack([a + (b - a) * (part / many)[:, None], a + (b - a) * ((part + 1) / many)[:, None]])
    ]
    cells = np.concatenate([*pairs, np.empty(0, np.int64)])
    owner = np.repeat(whose, [p.size for p in pairs])
    both = np.unique(cells * max(len(ends_m), 1) + owner)
    cells, owner = np.divmod(both, max(len(ends_m), 1))
    start = np.zeros(nx * ny + 1, np.int32)
    np.cumsum(np.bincount(cells, minlength=nx * ny), out=start[1:])
    most = int(np.diff(start).max())
    return Segments(ends_m, start, owner.astype(np.int32), float(x0), float(y0), float(cell_m), nx, ny, most)


def _cells_near(w: Floats, x0: float, y0: float, cell_m: float, nx: int, ny: int, reach_m: float) -> Ints:
    """Return the numbers of the grid cells within `reach_m` of one segment."""
    pad = reach_m + cell_m
    rows = np.arange(max(int((min(w[1], w[3]) - pad - y0) / cell_m), 0), min(int((max(w[1], w[3]) + pad - y0) / cell_m) + 1, ny))
    columns = np.arange(max(int((min(w[0], w[2]) - pad - x0) / cell_m), 0), min(int((max(w[0], w[2]) + pad - x0) / cell_m) + 1, nx))
    x, y = x0 + (columns + 0.5) * cell_m, (y0 + (rows + 0.5) * cell_m)[:, None]
    ux, uy = w[2] - w[0], w[3] - w[1]
    length2 = ux * ux + uy * uy
    t = np.clip(((x - w[0]) * ux + (y - w[1]) * uy) / length2, 0, 1) if length2 else np.zeros((rows.size, columns.size))
    near = np.hypot(w[0] + t * ux - x, w[1] + t * uy - y) <= reach_m + 0.7072 * cell_m
    return (rows[:, None] * nx + columns)[near]


def edges_of(shape: Any) -> Floats:
    """Return the boundary of a shapely polygon, multipolygon or line as (n, 4) segments, in the order drawn."""
    parts = []
    for part in shapely.get_parts(shape):
        rings = [part.exterior, *part.interiors] if part.geom_type == "Polygon" else [part]
        for ring in rings:
            points = shapely.get_coordinates(ring)
            parts.append(np.column_stack([points[:-1], points[1:]]))
    edges = np.concatenate([*parts, np.empty((0, 4))])
    return edges[np.any(edges[:, :2] != edges[:, 2:], axis=1)]


def fill(edges: Floats, x0: float, y0: float, cell_m: float, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the cells whose centre lies inside the closed `edges` (even-odd rule), as (rows, columns)."""
    rows, columns = shape
    low, high = np.minimum(edges[:, 1], edges[:, 3]), np.maximum(edges[:, 1], edges[:, 3])
    first = np.clip(np.ceil((low - y0) / cell_m - 0.5).astype(np.int64), 0, rows)
    last = np.clip(np.ceil((high - y0) / cell_m - 0.5).astype(np.int64), 0, rows)
    count = np.maximum(last - first, 0)
    inside = np.zeros(shape, np.bool_)
    if not count.any():
        return inside
    edge = np.repeat(np.arange(len(edges)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    w = edges[edge]
    t = (y0 + (row + 0.5) * cell_m - w[:, 1]) / (w[:, 3] - w[:, 1])
    column = np.clip(np.ceil((w[:, 0] + t * (w[:, 2] - w[:, 0]) - x0) / cell_m - 0.5).astype(np.int64), 0, columns)
    r0, c0 = row.min(), column.min()  # left of the first crossing and right of the last one of a row all is outside
    flips = np.zeros((row.max() - r0 + 1, column.max() - c0 + 1), np.int32)
    np.add.at(flips, (row - r0, column - c0), 1)
    odd = np.cumsum(flips, axis=1)[:, :-1] & 1
    inside[r0 : r0 + odd.shape[0], c0 : c0 + odd.shape[1]] = odd
    return inside


class Ground:
    """Where people can walk: the inside of `walkable` (shapely), cut by `walls`, with labelled `areas`.

    `cell_m` is the side of the routing raster; the narrowest door should be wider than about 1.5 cells.
    Walls are exact: the boundary of `walkable` and the `walls` (n, 4) are never crossed, whatever the raster.
    `areas` are polygons (where two overlap the later one counts); `area_m2` is the walkable part of each.
    Raises ValueError for an empty ground or a cell that is not positive.
    """

    def __init__(self, walkable: Any, *, cell_m: float, walls: Floats | None = None, areas: Sequence[Any] = ()) -> None:
        if not cell_m > 0 or shapely.is_empty(walkable):
            raise ValueError(f"a ground needs a walkable surface and cells of positive size, not {cell_m:g} m")
        self.walkable, self.cell_m, self.areas = walkable, float(cell_m), list(areas)
        extra = np.empty((0, 4)) if walls is None else np.asarray(walls, dtype=np.float64).reshape(-1, 4)
        x0, y0, x1, y1 = (float(v) for v in shapely.bounds(walkable))
        self.bounds_m = (x0, y0, x1, y1)
        self.shape = (int(np.ceil((y1 - y0) / cell_m)), int(np.ceil((x1 - x0) / cell_m)))
        outline = edges_of(walkable)
        self.walls = bin_segments(
            np.concatenate([outline, extra]), self.bounds_m, cell_m=max(1.0, cell_m), reach_m=max(REACH_M, 2.2 * cell_m)
        )
        inside = fill(outline, x0, y0, self.cell_m, self.shape)
        cell = np.full(self.shape, -1, np.int32)
        self.rows, self.columns = np.nonzero(inside)
        cell[inside] = np.arange(self.rows.size, dtype=np.int32)
        link, self.clear_m = _link(cell, self.rows, self.columns, self.walls, x0, y0, self.cell_m, REACH_M)
        self.raster = Raster(cell, link, self._label(), x0, y0, self.cell_m, self.apart_from(self.walls, self.walls))
        self.area_m2 = np.array([shapely.area(shapely.intersection(a, walkable)) for a in self.areas], dtype=np.float64)
        shapely.prepare(self.walkable)

    def _label(self) -> NDArray[np.int16]:
        label = np.full(self.shape, -1, np.int16)
        for k, area in enumerate(self.areas):
            label[self.covered(area)] = k
        return label

    def apart_from(self, *grids: Segments) -> NDArray[np.bool_]:
        """Say of each cell and each grid whether the grid lists no segment within `APART_M`, (rows, columns, grids)."""
        y, x = ((np.arange(n) + 0.5) * self.cell_m for n in self.shape)
        wide = int(np.ceil(APART_M / self.cell_m)) + 1
        apart = np.empty((*self.shape, len(grids)), np.bool_)
        for k, grid in enumerate(grids):
            row = np.clip((y / grid.cell_m).astype(np.int64), 0, grid.ny - 1)
            column = np.clip((x / grid.cell_m).astype(np.int64), 0, grid.nx - 1)
            listed = (np.diff(grid.start).reshape(grid.ny, grid.nx)[np.ix_(row, column)] > 0).astype(np.int32)
            for axis in (0, 1):
                ends = np.cumsum(np.insert(listed, 0, 0, axis=axis), axis=axis)
                at = np.arange(self.shape[axis])
                upper = np.take(ends, np.minimum(at + wide + 1, self.shape[axis]), axis=axis)
                listed = upper - np.take(ends, np.maximum(at - wide, 0), axis=axis)
            apart[:, :, k] = listed == 0
        return apart

    def covered(self, polygon: Any) -> NDArray[np.bool_]:
        """Return the cells of the raster whose centre lies in `polygon`, as (rows, columns)."""
        return fill(edges_of(polygon), self.bounds_m[0], self.bounds_m[1], self.cell_m, self.shape)

    @property
    def cells(self) -> int:
        """How many walkable cells there are."""
        return int(self.rows.size)

    def cell_at(self, x_m: Floats, y_m: Floats) -> NDArray[np.int32]:
        """Return the number of the walkable cell of each point, -1 where there is none."""
        row, column = self._row_column(x_m, y_m)
        ok = (row >= 0) & (row < self.shape[0]) & (column >= 0) & (column < self.shape[1])
        return np.where(ok, self.raster.cell[np.where(ok, row, 0), np.where(ok, column, 0)], -1).astype(np.int32)

    def area_at(self, x_m: Floats, y_m: Floats) -> NDArray[np.int16]:
        """Return the label of the area of each point, -1 outside every area."""
        row, column = self._row_column(x_m, y_m)
        ok = (row >= 0) & (row < self.shape[0]) & (column >= 0) & (column < self.shape[1])
        return np.where(ok, self.raster.area[np.where(ok, row, 0), np.where(ok, column, 0)], -1).astype(np.int16)

    def _row_column(self, x_m: Floats, y_m: Floats) -> tuple[Ints, Ints]:
        x0, y0, _, _ = self.bounds_m
        row = np.floor((np.asarray(y_m, dtype=np.float64) - y0) / self.cell_m).astype(np.int64)
        column = np.floor((np.asarray(x_m, dtype=np.float64) - x0) / self.cell_m).astype(np.int64)
        return row, column

    def inside(self, x_m: Floats, y_m: Floats) -> NDArray[np.bool_]:
        """Return whether each point lies inside the walkable surface (exact, not by cell)."""
        return np.asarray(shapely.contains_xy(self.walkable, x_m, y_m), dtype=bool)

    def wall_distance_m(self, x_m: Floats, y_m: Floats) -> Floats:
        """Return the distance of each point to the nearest wall within reach, `REACH_M` where none is that near."""
        return _distances(self.walls, np.atleast_1d(np.asarray(x_m, np.float64)), np.atleast_1d(np.asarray(y_m, np.float64)))


@compiled
def _distances(walls: Segments, x_m: Floats, y_m: Floats) -> Floats:
    found = np.full(x_m.size, REACH_M)
    for i in range(x_m.size):
        k = bin_of(walls, x_m[i], y_m[i])
        for n in range(walls.start[k], walls.start[k + 1]):
            px, py = nearest_on(walls.ends_m[walls.listed[n]], x_m[i], y_m[i])
            found[i] = min(found[i], np.hypot(px - x_m[i], py - y_m[i]))
    return found
