"""Keyframes of what moves, chosen by error: the few moments between which an even motion tells what was recorded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from twin.results import MoverLook, Run
from viz.content import Movers
from viz.index import Writer
from viz.pack import Chunk
from viz.paths import Legs, Paths, walks

QUANTUM_M = 0.1
CHUNK_S, CHUNK_STEPS = 120, 5
"""A chunk holds this many seconds, and no fewer steps of the record than this."""

ACROSS_M, ALONG_M = 0.4, 1.5
"""How far a keyframe may lead away from the path, and along it, for what keeps to lines."""

NEAR_M = 0.4
"""The same for everything else, in all directions."""

FASTEST_M_PER_S = 90.0
"""What is faster between two records did not move there: it is gone and comes back."""

EXACT = 0.6
"""In quanta: the tolerance of what would walk through a wall with less."""

STANDS_M_PER_S = 0.05

KINDS = 65536
LONGEST_QUANTA = 32000


class Records(NamedTuple):
    """What a stretch of time holds, sorted by thing, then time; positions minus the origin.

    `row` (rows + 1): where each presence begins: a thing, until it is not seen for longer than a step.
    """

    thing: np.ndarray
    kind: np.ndarray
    t_s: np.ndarray
    xy: np.ndarray
    angle_deg: np.ndarray
    speed_m_per_s: np.ndarray
    row: np.ndarray


class Moments(NamedTuple):
    """Ragged moments of presences: tenths of a second since the stretch's begin, positions in m."""

    start: np.ndarray
    tenths: np.ndarray
    xy: np.ndarray


class Things:
    """The table of what moves in a model: each id, and kind it has, is one row, in the order they appear."""

    def __init__(self, labels: list[str]) -> None:
        self.labels = labels
        self._keys, self._rows = np.empty(0, np.int64), np.empty(0, np.int64)

    def rows(self, ids: np.ndarray, kinds: np.ndarray) -> np.ndarray:
        """Return the row of each, adding those that are new."""
        found, inverse = np.unique(ids * KINDS + kinds, return_inverse=True)
        new = np.setdiff1d(found, self._keys, assume_unique=True)
        keys, rows = np.concatenate([self._keys, new]), np.concatenate([self._rows, len(self._rows) + np.arange(len(new))])
        by_key = np.argsort(keys)
        self._keys, self._rows = keys[by_key], rows[by_key]
        return self._rows[np.searchsorted(self._keys, found)][inverse]

    def code(self, label: str) -> int:
        """Return the number of a kind's label, adding one that no sheet declares."""
        if label not in self.labels:
            self.labels.append(label)
        return self.labels.index(label)

    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """Return ids and kinds by row."""
        keys = np.empty(len(self._rows), np.int64)
        keys[self._rows] = self._keys
        return keys // KINDS, keys % KINDS


def write_movers(writer: Writer, movers: Movers, watch: Callable[[float], None]) -> dict[str, Any]:
    """Write the keyframes of a model's moving things, a stretch of time at a time; return what the index says of them."""
    run, things, chunks = writer.run, Things(list(dict.fromkeys(movers.kinds.values()))), []
    paths = Paths(run, movers.model, writer.origin_m)
    for from_s, to_s in stretches(run, movers.model):
        records = _read(run, movers.model, things, from_s, to_s, writer.origin_m)
        if len(records.thing):
            looks = [movers.looks.get(label, MoverLook()) for label in things.labels]
            chunk = writer.chunk("move")
            _put(chunk, from_s, records, keyframes(records, from_s, looks, paths))
            writer.packer.add(chunk)
            chunks.append({"from_s": from_s, "to_s": to_s, **chunk.arrays})
        watch(to_s - from_s)
    ids, kinds = things.table()
    table = writer.chunk("things")
    said = {"id": table.put("id", ids, "f8"), "kind": table.put("kind", kinds, "u1" if len(things.labels) < 256 else "u2")}
    writer.packer.add(table)
    looks = [movers.looks.get(label, MoverLook()) for label in things.labels]
    shown = [{"label": label, "body": look.body, "size_m": list(look.size_m)} for label, look in zip(things.labels, looks, strict=True)]
    return {"model": movers.model, "kinds": shown, "things": len(ids), **said, "straight": paths.straight, "chunks": chunks}


def stretches(run: Run, model: str) -> Iterator[tuple[int, int]]:
    """Yield the seconds from and to of each stretch of a run's tracks, up to its committed second."""
    every_s, period_s = int(run.manifest["tracks_every_s"]), run.static[model].period_s
    step = math.lcm(every_s, period_s) if every_s < period_s else every_s
    span = step * -(-max(CHUNK_S, CHUNK_STEPS * every_s) // step)
    for from_s in range(0, max(run.committed_s, 1), span):
        yield from_s, min(from_s + span, max(run.committed_s, 1))


def _read(run: Run, model: str, things: Things, from_s: int, to_s: int, origin_m: np.ndarray) -> Records:
    found = run.tracks(model, from_s, to_s)
    t_s = ((found["time"].to_numpy() - run.time(0)) / np.timedelta64(1, "s")).astype(np.int64)
    codes = np.array([things.code(str(label)) for label in found["kind"].cat.categories], np.int64)
    kind = codes[found["kind"].cat.codes.to_numpy()] if len(codes) else np.empty(0, np.int64)
    xy = found[["x_m", "y_m"]].to_numpy(np.float64) - origin_m
    good = np.isfinite(xy).all(axis=1)
    thing = np.full(len(found), -1, np.int64)
    thing[good] = things.rows(found["id"].to_numpy()[good], kind[good])
    order = np.lexsort((t_s, thing))
    twice = np.zeros(len(order), bool)
    twice[1:] = (np.diff(thing[order]) == 0) & (np.diff(t_s[order]) == 0)
    order = order[good[order] & ~twice]
    angle, speed = (np.nan_to_num(found[name].to_numpy(np.float64)[order]) for name in ("angle_deg", "speed_m_per_s"))
    row = _presences(thing[order], t_s[order], xy[order], 1.5 * int(run.manifest["tracks_every_s"]))
    held = Records(thing[order], kind[order], t_s[order], xy[order], angle, speed, row)
    held = _chosen(held, ~_stale(held, run.static[model].period_s))
    if to_s == run.committed_s:
        return held
    # what appears at the very end is left out: the next stretch begins with it
    rows = np.diff(held.row)
    return _chosen(held, ~np.repeat((rows == 1) & (held.t_s[held.row[:-1]] == to_s), rows))


def _presences(thing: np.ndarray, t_s: np.ndarray, xy: np.ndarray, longest_s: float) -> np.ndarray:
    """Return where each presence begins, and the end of the last."""
    dt = np.diff(t_s)
    jumps = np.hypot(*np.diff(xy, axis=0).T) > FASTEST_M_PER_S * np.maximum(dt, 1)
    begins = np.flatnonzero((np.diff(thing) != 0) | (dt > longest_s) | jumps) + 1
    return np.concatenate([[0], begins, [len(thing)]]) if len(thing) else np.zeros(1, np.int64)


def _stale(records: Records, period_s: int) -> np.ndarray:
    """Return which records repeat the one before though the thing moves: it was recorded more often than its model steps."""
    found = np.zeros(len(records.thing), bool)
    found[1:] = (np.diff(records.xy, axis=0) == 0).all(axis=1)
    found[records.row[:-1]] = False
    return np.asarray(found & (records.speed_m_per_s > STANDS_M_PER_S) & (records.t_s % period_s != 0))


def _chosen(records: Records, keep: np.ndarray) -> Records:
    """Return some of the records, presences without one left out."""
    row = np.unique(np.concatenate([[0], np.cumsum(keep)])[records.row])
    held = {name: column[keep] for name, column in records._asdict().items() if name != "row"}
    return Records(**held, row=row)


def keyframes(records: Records, from_s: int, looks: list[MoverLook], paths: Paths) -> Moments:
    """Choose the moments of each presence that tell its motion within tolerance, and through no wall."""
    from viz.motion import thinned

    dense, kinds = _dense(records, from_s, looks, paths), records.kind[records.row[:-1]]
    kept_to_lines = np.array([bool(look.along) for look in looks])[kinds]
    quanta = np.rint(dense.xy / QUANTUM_M)
    along = np.where(kept_to_lines, ALONG_M, NEAR_M) / QUANTUM_M
    across = np.where(kept_to_lines, ACROSS_M, NEAR_M) / QUANTUM_M
    keep = thinned(dense.start, dense.tenths, quanta, along, across, LONGEST_QUANTA)
    strict = paths.through_walls(dense.start, np.where(keep[:, None], quanta * QUANTUM_M, np.nan)) & walks(looks)[kinds]
    if strict.any():
        keep = thinned(dense.start, dense.tenths, quanta, np.where(strict, EXACT, along), np.where(strict, EXACT, across), LONGEST_QUANTA)
    start = np.concatenate([[0], np.cumsum(keep)])[dense.start]
    return Moments(start, dense.tenths[keep], quanta[keep] * QUANTUM_M)


def _dense(records: Records, from_s: int, looks: list[MoverLook], paths: Paths) -> Moments:
    """Return each presence's recorded moments and those between them."""
    from viz.motion import timed

    tenths = (records.t_s - from_s) * 10
    goes_on = np.ones(len(tenths), bool)
    goes_on[records.row[1:] - 1] = False
    first = np.flatnonzero(goes_on)
    legs = Legs(
        *(np.stack([column[first], column[first + 1]], axis=1) for column in (records.xy, records.angle_deg, records.speed_m_per_s, tenths))
    )
    between, t, xy = timed(legs.ends, legs.tenths, legs.speed_m_per_s, *paths.corners(legs, records.kind[first], looks))
    count = np.zeros(len(tenths), np.int64)
    count[first] = np.diff(between)
    place = np.arange(len(tenths)) + np.cumsum(count) - count
    total = len(tenths) + len(t)
    recorded = np.zeros(total, bool)
    recorded[place] = True
    all_t, all_xy = np.empty(total, np.int64), np.empty((total, 2))
    all_t[recorded], all_xy[recorded] = tenths, records.xy
    all_t[~recorded], all_xy[~recorded] = t, xy
    return Moments(np.append(place, total)[records.row], all_t, all_xy)


def _put(chunk: Chunk, from_s: int, records: Records, kept: Moments) -> None:
    """Add the arrays of a chunk of movers."""
    first = kept.start[:-1]
    quanta = np.rint(kept.xy / QUANTUM_M).astype(np.int64)
    steps = np.diff(quanta, axis=0, prepend=quanta[:1])
    tenths = np.diff(kept.tenths, prepend=0)
    steps[first], tenths[first] = 0, kept.tenths[first]
    begins = records.row[:-1]
    facing = np.rint(np.mod(records.angle_deg[begins], 360.0) * (256 / 360)).astype(np.int64) % 256
    chunk.put("thing", np.diff(records.thing[begins], prepend=0), "u4", planes=True)
    chunk.put("rows", np.diff(kept.start), "u2", planes=True)
    chunk.put("x0", np.clip(quanta[first, 0], -(2**31), 2**31 - 1), "i4", planes=True)
    chunk.put("y0", np.clip(quanta[first, 1], -(2**31), 2**31 - 1), "i4", planes=True)
    chunk.put("heading", facing, "u1")
    chunk.put("t", tenths, "u2" if tenths.max(initial=0) < 2**16 else "u4", planes=True)
    chunk.put("dx", steps[:, 0], "i2", planes=True)
    chunk.put("dy", steps[:, 1], "i2", planes=True)
