"""Reads a run ahead in blocks, so that showing the next instant waits for no file."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from twin.results import Run
from viz.content import Movers

BLOCK_SAMPLES = 60
"""As many as a chunk of a run's fields holds."""

FARTHEST_M = 120.0
"""What moved farther than this between two records is not drawn on the way: nobody knows which way it took."""


class Rows:
    """The samples of ports, a block of time at a time: `rows(model, port, index)` is one instant, (elements,)."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._held: dict[tuple[str, str], OrderedDict[int, np.ndarray]] = {}

    def __call__(self, model: str, port: str, index: int) -> np.ndarray:
        """Return the values of a port at the `index`-th sample."""
        blocks = self._held.setdefault((model, port), OrderedDict())
        number, row = divmod(index, BLOCK_SAMPLES)
        if number not in blocks:
            first = number * BLOCK_SAMPLES
            blocks[number] = self._run.fields[model][port].isel(time=slice(first, first + BLOCK_SAMPLES)).values
            while len(blocks) > 2:
                blocks.popitem(last=False)
        blocks.move_to_end(number)
        found: np.ndarray = blocks[number][row]
        return found


@dataclass(frozen=True)
class Frame:
    """What stood where at one record: `key` (n,) sorted (kind in the upper bits, then id), `xy`, `angle_deg`."""

    key: np.ndarray
    xy: np.ndarray
    angle_deg: np.ndarray


KIND_SHIFT = 48


class Track:
    """The moving things of one model, read ahead in a thread; `at(second)` is where they are, between records too."""

    def __init__(self, run: Run, movers: Movers) -> None:
        self._run, self._movers = run, movers
        self.every_s = max(1, int(run.manifest["tracks_every_s"]))
        self._records = max(1, min(BLOCK_SAMPLES, 600 // self.every_s))
        self._blocks: OrderedDict[int, Callable[[], dict[int, np.ndarray]]] = OrderedDict()
        self._frames: OrderedDict[int, Frame] = OrderedDict()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="tracks")
        self._pairs: tuple[int, np.ndarray, np.ndarray] | None = None

    def _block(self, number: int) -> Callable[[], dict[int, np.ndarray]]:
        if number not in self._blocks:
            found: Future[dict[int, np.ndarray]] = self._reader.submit(self._read, number)
            self._blocks[number] = found.result
            while len(self._blocks) > 3:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _read(self, number: int) -> dict[int, np.ndarray]:
        """Read the records of a block; second -> its rows."""
        run, model = self._run, self._movers.model
        first = number * self._records * self.every_s
        last = first + self._records * self.every_s - 1
        if first > run.committed_s:
            return {}
        table = run.tracks(model, first, last)
        codes = {label: code for code, label in self._movers.kinds.items()}
        kind = np.array([codes.get(label, 0) for label in table["kind"].cat.categories], np.int64)
        held = np.empty(len(table), ROW)
        held["key"] = (kind[table["kind"].cat.codes] << KIND_SHIFT) | (table["id"].to_numpy() & ((1 << KIND_SHIFT) - 1))
        held["xy"] = table[["x_m", "y_m"]].to_numpy()
        held["angle_deg"] = table["angle_deg"].to_numpy()
        times = ((table["time"].to_numpy() - run.time(0)) / np.timedelta64(1, "s")).astype(np.int64)
        starts = np.flatnonzero(np.diff(times, prepend=-1))
        return {int(times[at]): part for at, part in zip(starts, np.split(held, starts[1:]), strict=True)} if len(held) else {}

    def frame(self, record: int) -> Frame:
        """Return the `record`-th record, empty where nothing was there."""
        if record not in self._frames:
            number, within = divmod(record, self._records)
            found = self._block(number)()
            if within >= self._records // 2 and (number + 1) * self._records * self.every_s <= self._run.committed_s:
                self._block(number + 1)
            rows = found.get(record * self.every_s, np.empty(0, ROW))
            order = np.argsort(rows["key"], kind="stable")
            rows = rows[order]
            self._frames[record] = Frame(np.ascontiguousarray(rows["key"]), rows["xy"].copy(), rows["angle_deg"].copy())
            while len(self._frames) > 8:
                self._frames.popitem(last=False)
        self._frames.move_to_end(record)
        return self._frames[record]

    def at(self, second: float) -> Frame:
        """Return what stood where at a second.

        Between two records a thing goes along a curve that leaves and arrives in the directions it faced; one that
        went farther than `FARTHEST_M`, or is in one record only, stands still until the next.
        """
        record = int(second // self.every_s)
        share = second / self.every_s - record
        now = self.frame(record)
        if share < 1e-6 or (record + 1) * self.every_s > self._run.committed_s or not len(now.key):
            return now
        after = self.frame(record + 1)
        mine, theirs = self._pair(record, now, after)
        if not len(mine):
            return now
        a, b = now.xy[mine], after.xy[theirs]
        chord = b - a
        length = np.sqrt(np.einsum("ij,ij->i", chord, chord))
        start, end = heading(now.angle_deg[mine]) * length[:, None], heading(after.angle_deg[theirs]) * length[:, None]
        s = np.float32(share)
        xy, angle = now.xy.copy(), now.angle_deg.copy()
        xy[mine] = a * (2 * s**3 - 3 * s**2 + 1) + b * (3 * s**2 - 2 * s**3) + start * (s**3 - 2 * s**2 + s) + end * (s**3 - s**2)
        turn = (after.angle_deg[theirs] - now.angle_deg[mine] + 180) % 360 - 180
        angle[mine] += turn * s
        return Frame(now.key, xy, angle)

    def _pair(self, record: int, now: Frame, after: Frame) -> tuple[np.ndarray, np.ndarray]:
        """Return which of `now` is which of `after`, of what moved no farther than is drawn."""
        if self._pairs is None or self._pairs[0] != record:
            place = np.minimum(np.searchsorted(after.key, now.key), max(0, len(after.key) - 1))
            mine = np.flatnonzero(after.key[place] == now.key) if len(after.key) else np.empty(0, int)
            theirs = place[mine]
            step = after.xy[theirs] - now.xy[mine]
            near = np.einsum("ij,ij->i", step, step) <= FARTHEST_M**2
            self._pairs = (record, mine[near], theirs[near])
        return self._pairs[1], self._pairs[2]


ROW: Any = np.dtype([("key", "i8"), ("xy", "f4", 2), ("angle_deg", "f4")])


def heading(angle_deg: np.ndarray) -> np.ndarray:
    """Return unit vectors (n, 2) of angles from north, clockwise."""
    angle = np.radians(angle_deg)
    return np.column_stack([np.sin(angle), np.cos(angle)])
