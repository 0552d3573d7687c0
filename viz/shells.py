"""Meshes made of arrays: ribbons, prisms, tubes, posts, patches; every point knows the element it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Shell:
    """A mesh: points (n, 3) in metres, faces as point indices and where each begins, and per point what it belongs to.

    `owner` (n,): the index of its element. `normals` (n, 3). `uv` (n, 2): metres along a wall and up it, where it has any.
    """

    points: np.ndarray
    corners: np.ndarray
    offsets: np.ndarray
    normals: np.ndarray
    owner: np.ndarray
    uv: np.ndarray | None = None


def _quads(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return corners and offsets of quadrilaterals (m, 4)."""
    return corners.reshape(-1), np.arange(0, corners.size + 1, 4)


def _up(count: int) -> np.ndarray:
    return np.tile(np.array([0.0, 0.0, 1.0], np.float32), (count, 1))


def join(shells: Sequence[Shell]) -> Shell:
    """Return several meshes as one; texture coordinates are left out."""
    if not shells:
        return Shell(np.empty((0, 3)), np.empty(0, np.int64), np.zeros(1, np.int64), np.empty((0, 3)), np.empty(0, np.int64))
    first = np.cumsum([0, *(len(one.points) for one in shells)])
    held = np.cumsum([0, *(len(one.corners) for one in shells)])
    return Shell(
        np.concatenate([one.points for one in shells]),
        np.concatenate([one.corners + at for one, at in zip(shells, first, strict=False)]),
        np.concatenate([[0], *(one.offsets[1:] + at for one, at in zip(shells, held, strict=False))]),
        np.concatenate([one.normals for one in shells]),
        np.concatenate([one.owner for one in shells]),
    )


def rows(shapes: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return all points of ragged shapes (n, 2), and the shape each belongs to (n,)."""
    counts = [len(shape) for shape in shapes]
    xy = np.concatenate([np.asarray(shape, float) for shape in shapes]) if shapes else np.empty((0, 2))
    return xy, np.repeat(np.arange(len(counts)), counts)


def sampled(line: np.ndarray, step_m: float) -> np.ndarray:
    """Return a line with points put in, so that none of its segments is longer than `step_m`."""
    line = np.asarray(line, float)
    pieces = [
        a + (b - a) * np.linspace(0, 1, max(1, int(np.ceil(np.linalg.norm(b - a) / step_m))), endpoint=False)[:, None]
        for a, b in pairwise(line)
    ]
    return np.concatenate([*pieces, line[-1:]])


def halfway(line: np.ndarray) -> np.ndarray:
    """Return the point half way along a line (2,); a point is its own."""
    line = np.asarray(line, float)
    if len(line) == 1:
        found: np.ndarray = line[0]
        return found
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    return np.array([np.interp(along[-1] / 2, along, line[:, i]) for i in range(2)])


def ribbons(shapes: Sequence[np.ndarray], width_m: np.ndarray, z_m: float | np.ndarray) -> Shell:
    """Return flat ribbons along lines; `width_m` has one entry a line, `z_m` one for all or one a line."""
    xy, owner = rows(shapes)
    if len(xy) < 2:
        return join([])
    ahead = np.zeros_like(xy)
    same = owner[1:] == owner[:-1]
    step = np.where(same[:, None], np.diff(xy, axis=0), 0.0)
    step /= np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-9)
    ahead[:-1] += step
    ahead[1:] += step
    bend = np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    ends = np.ones(len(xy), bool)
    ends[1:-1] = ~(same[1:] & same[:-1])
    # a mitre: half the width over the cosine of half the bend, at most twice the width
    stretch = np.where(ends[:, None], 1.0, np.minimum(2.0 / bend, 2.0))
    side = np.column_stack([-ahead[:, 1], ahead[:, 0]]) / bend * stretch * (width_m[owner] / 2)[:, None]
    z = np.broadcast_to(np.asarray(z_m, float), (len(shapes),))[owner]
    points = np.column_stack([np.stack([xy + side, xy - side], axis=1).reshape(-1, 2), np.repeat(z, 2)])
    i = 2 * np.flatnonzero(same)
    corners, offsets = _quads(np.column_stack([i, i + 1, i + 3, i + 2]))
    return Shell(points, corners, offsets, _up(len(points)), np.repeat(owner, 2))


def patches(rings: Sequence[np.ndarray], z_m: float | np.ndarray) -> Shell:
    """Return flat polygons; `z_m` has one entry for all or one a ring."""
    xy, owner = rows([outwards(ring) for ring in rings])
    z = np.broadcast_to(np.asarray(z_m, float), (len(rings),))[owner]
    offsets = np.cumsum([0, *(len(ring) for ring in rings)])
    return Shell(np.column_stack([xy, z]), np.arange(len(xy)), offsets, _up(len(xy)), owner)


def discs(xy: np.ndarray, width_m: np.ndarray, z_m: float | np.ndarray, sides: int = 24) -> Shell:
    """Return flat discs round points, as triangles from the middle: point 0 of each is the middle."""
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    rim = np.column_stack([np.cos(turn), np.sin(turn)])
    unit = np.vstack([[0.0, 0.0], rim])
    flat = xy[:, None, :] + unit[None] * (width_m / 2)[:, None, None]
    z = np.broadcast_to(np.asarray(z_m, float), (len(xy),))
    points = np.concatenate([flat, np.broadcast_to(z[:, None, None], (*flat.shape[:2], 1))], axis=2).reshape(-1, 3)
    a = np.arange(1, sides + 1)
    triangles = np.column_stack([np.zeros(sides, int), a, np.roll(a, -1)])
    corners = (triangles[None] + (np.arange(len(xy)) * (sides + 1))[:, None, None]).reshape(-1)
    owner = np.repeat(np.arange(len(xy)), sides + 1)
    return Shell(points, corners, np.arange(0, len(corners) + 1, 3), _up(len(points)), owner)


def walls(rings: Sequence[np.ndarray], foot_m: np.ndarray, top_m: np.ndarray) -> Shell:
    """Return upright walls along closed rings, each ring's first point not repeated; walls look outwards."""
    turned = [outwards(ring) for ring in rings]
    a, owner = rows(turned)
    b = np.concatenate([np.roll(ring, -1, axis=0) for ring in turned]) if turned else a
    along = b - a
    length = np.maximum(np.linalg.norm(along, axis=1), 1e-9)
    low, high = foot_m[owner], top_m[owner]
    points = np.stack(
        [np.column_stack([a, low]), np.column_stack([b, low]), np.column_stack([b, high]), np.column_stack([a, high])], axis=1
    ).reshape(-1, 3)
    out = np.column_stack([along[:, 1], -along[:, 0], np.zeros(len(a))]) / length[:, None]
    zero = np.zeros(len(a))
    uv = np.stack([np.column_stack(pair) for pair in ((zero, low), (length, low), (length, high), (zero, high))], axis=1).reshape(-1, 2)
    corners, offsets = _quads(np.arange(4 * len(a)))
    return Shell(points, corners, offsets, np.repeat(out, 4, axis=0), np.repeat(owner, 4), uv)


def outwards(ring: np.ndarray) -> np.ndarray:
    """Return a ring counter-clockwise, so that its walls look outwards."""
    ring = np.asarray(ring, float)
    after = np.roll(ring, -1, axis=0)
    area = float((ring[:, 0] * after[:, 1] - after[:, 0] * ring[:, 1]).sum())
    return ring if area >= 0 else ring[::-1]


def tubes(shapes: Sequence[np.ndarray], width_m: np.ndarray, z_m: np.ndarray, sides: int = 6) -> Shell:
    """Return tubes along lines: a prism a segment, `width_m` across, its middle at `z_m`; both have one entry a line."""
    xy, of = rows(shapes)
    same = np.flatnonzero(of[1:] == of[:-1]) if len(xy) > 1 else np.empty(0, int)
    owner = of[same]
    a = np.column_stack([xy[same], z_m[owner]])
    b = np.column_stack([xy[same + 1], z_m[owner]])
    along = b - a
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    side = np.column_stack([-along[:, 1], along[:, 0], np.zeros(len(a))])
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False) + np.pi / sides
    out = np.cos(turn)[None, :, None] * side[:, None, :] + np.sin(turn)[None, :, None] * np.array([0.0, 0.0, 1.0])
    reach = out * (width_m[owner] / 2)[:, None, None]
    points = np.concatenate([a[:, None] + reach, b[:, None] + reach], axis=1).reshape(-1, 3)
    k = np.arange(sides)
    quad = np.column_stack([k, (k + 1) % sides, (k + 1) % sides + sides, k + sides])
    corners, offsets = _quads((quad[None] + (np.arange(len(a)) * 2 * sides)[:, None, None]).reshape(-1, 4))
    normals = np.concatenate([out, out], axis=1).reshape(-1, 3)
    return Shell(points, corners, offsets, normals, np.repeat(owner, 2 * sides))


def posts(xy: np.ndarray, width_m: np.ndarray, foot_m: np.ndarray, height_m: np.ndarray, sides: int = 8) -> Shell:
    """Return round posts with a lid at points (n, 2)."""
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    rim = np.column_stack([np.cos(turn), np.sin(turn)])
    rings = [at + rim * wide / 2 for at, wide in zip(xy, width_m, strict=True)]
    return join([walls(rings, foot_m, foot_m + height_m), patches(rings, foot_m + height_m)])


def bowl(ring: np.ndarray, height_m: float, *, inner: float = 0.52, lip: float = 0.8) -> Shell:
    """Return an open stand on a ring: an outer wall, a roof ring that leaves the middle open, seats sloping to a pitch.

    `inner`, `lip`: where the pitch and the roof's inner edge lie, as shares of the way from the middle to the ring.
    """
    ring = outwards(ring)
    middle = ring.mean(axis=0)
    levels = [(1.0, 0.0), (1.0, height_m), (lip, 1.08 * height_m), (0.99, 0.8 * height_m), (inner, 2.0)]
    count = len(ring)
    made = []
    for (share_a, z_a), (share_b, z_b) in pairwise(levels):
        if (share_a, share_b) == (lip, 0.99):
            continue
        a = np.column_stack([middle + (ring - middle) * share_a, np.full(count, z_a)])
        b = np.column_stack([middle + (ring - middle) * share_b, np.full(count, z_b)])
        i = np.arange(count)
        corners, offsets = _quads(np.column_stack([i, (i + 1) % count, (i + 1) % count + count, i + count]))
        out = np.column_stack([(ring - middle) / np.linalg.norm(ring - middle, axis=1, keepdims=True), np.zeros(count)])
        rise, run = z_b - z_a, (share_a - share_b) * np.linalg.norm(ring - middle, axis=1).mean()
        slope = np.hypot(rise, run)
        normal = out * (rise / slope) + np.array([0.0, 0.0, 1.0]) * (run / slope)
        normal *= np.sign(normal[:, 2:] + 1e-9)
        made.append(Shell(np.vstack([a, b]), corners, offsets, np.vstack([normal, normal]), np.full(2 * count, len(made))))
    pitch = patches([middle + (ring - middle) * inner], 2.0)
    made.append(Shell(pitch.points, pitch.corners, pitch.offsets, pitch.normals, np.full(count, len(made))))
    return join(made)


def shadows(rings: Sequence[np.ndarray], height_m: np.ndarray, towards_m: np.ndarray, z_m: float) -> Shell:
    """Return the ground that upright walls on convex rings shade; `towards_m` (2,): how far a metre of height reaches.

    The shadows are one shape: where two meet the ground is no darker.
    """
    import shapely

    both = [np.vstack([ring, ring + towards_m * high]) for ring, high in zip(rings, height_m, strict=True)]
    hulls = shapely.convex_hull([shapely.multipoints(points) for points in both])
    found = shapely.constrained_delaunay_triangles(shapely.union_all(hulls))
    xy = shapely.get_coordinates(found).reshape(-1, 4, 2)[:, :3].reshape(-1, 2)
    points = np.column_stack([xy, np.full(len(xy), z_m)])
    return Shell(points, np.arange(len(xy)), np.arange(0, len(xy) + 1, 3), _up(len(xy)), np.zeros(len(xy), int))
