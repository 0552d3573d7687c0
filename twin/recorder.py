"""Writes a run folder so that it opens after a kill at any moment, cut at the last committed second."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import StorageError
from twin.fields import Arrays, Fields, chunk_samples, sample_bytes, sample_times
from twin.ground import Ground, write_ground
from twin.parts import Events, Tracks, parts_of
from twin.ports import TRACK
from twin.sheet import ModelSheet, PortSheet, read_sheet, sheet_of, write_sheet
from twin.storage import plain, safe_name, storing, sync_folder, write_atomic

if TYPE_CHECKING:
    from twin.kpi import Kpi

FORMAT = 1
"""The version of the run folder's layout."""

STATUSES = ("done", "degraded", "failed", "interrupted")
EVENT_BYTES = 200
"""What a row of the journal takes before compression, for the estimate."""


class Recorder:
    """Records one run: samples of fields, tracks of moving things, and the journal.

    Everything up to a sample is on disk once its chunk is full: fields, tracks and events first, each
    synced, the manifest with `committed_s` last. A chunk is closed when something later than its last
    sample arrives, so within one instant `sample`, `tracks` and `event` may come in any order.

    `manifest`: what the caller says about the run (plain data: name, seed, versions, digests).
    `tracks_every_s` 0 keeps no tracks. `float32`: floats are kept in single precision.
    `moving`: how many moving things a model is expected to have at most, for the estimate of size.
    `ground`: the city's places, streets, buildings and cameras, for views.
    StorageError: the folder holds a run already, or the run cannot fit on the disk.
    """

    def __init__(
        self,
        folder: Path,
        *,
        manifest: Mapping[str, Any],
        scenario_text: str,
        models: Mapping[str, ModelSheet],
        start: datetime,
        duration_s: int,
        record_every_s: int,
        tracks_every_s: int = 0,
        float32: bool = True,
        moving: Mapping[str, int] | None = None,
        ground: Ground | None = None,
    ) -> None:
        if (Path(folder) / "manifest.json").exists() or (Path(folder) / "fields.zarr").exists():
            raise StorageError(f"{folder}: holds a run already; name another folder")
        needed = self.estimate_bytes(
            models, duration_s=duration_s, record_every_s=record_every_s, tracks_every_s=tracks_every_s, float32=float32, moving=moving
        )
        refuse_if_it_cannot_fit(Path(folder), needed)
        self._lay(Path(folder), models, duration_s, record_every_s, float32=float32)
        self.manifest: dict[str, Any] = dict(manifest) | {
            "format": FORMAT,
            "status": "running",
            "committed_s": -1,
            "live": [],
            "start": start.isoformat(),
            "timezone": str(start.tzinfo),
            "duration_s": int(duration_s),
            "record_every_s": int(record_every_s),
            "tracks_every_s": int(tracks_every_s),
            "float32": float32,
            "models": list(models),
        }
        with storing(self.folder):
            (self.folder / "static").mkdir(parents=True, exist_ok=True)
        write_atomic(self.folder / "scenario.yaml", scenario_text.encode())
        for sheet in models.values():
            write_sheet(self.folder / "static", sheet)
        if ground is not None:
            write_ground(self.folder / "static", ground)
        self.fields.create(start)
        self._write_manifest()
        with storing(self.folder):
            sync_folder(self.folder.absolute().parent)

    def _lay(self, folder: Path, models: Mapping[str, ModelSheet], duration_s: int, every_s: int, *, float32: bool) -> None:
        for key, sheet in models.items():
            if safe_name(key) != sheet.name or set(sheet.recorded) & {"time", *sheet.elements}:
                raise ValueError(f"model '{key}': a sheet of another name, or a port named like an element set")
        self.folder = folder
        self.times_s = sample_times(duration_s, every_s)
        chunk = chunk_samples(models, float32=float32)
        self.fields = Fields(folder / "fields.zarr", models, self.times_s, chunk=chunk, float32=float32)
        self.moving = {name: Tracks(folder / "tracks" / name) for name in models}
        self.journal = Events(folder / "events")
        self.parts: list[Tracks | Events] = [self.journal, *self.moving.values()]
        self.taken = 0
        self.closed = False
        self.processes: list[dict[str, Any]] = []

    @classmethod
    def resume(cls, folder: Path, *, models: Mapping[str, ModelSheet], at_s: int, rows: int | None = None) -> Recorder:
        """Continue a run from a checkpoint taken at `at_s` (-1: before anything): what was recorded later is cut off.

        `models` are the sheets of the run; `rows` is what `Recorder.rows` said then: what was done by hand later in that
        second is cut off too. StorageError: no run, or not recorded as far as `at_s`.
        """
        self = cls.__new__(cls)
        with storing(Path(folder) / "manifest.json", "is no run"):
            self.manifest = json.loads((Path(folder) / "manifest.json").read_text("utf-8"))
        if self.manifest["committed_s"] < at_s:
            raise StorageError(f"{folder}: is recorded to {self.manifest['committed_s']} s, before the checkpoint at {at_s} s")
        self._lay(Path(folder), models, self.manifest["duration_s"], self.manifest["record_every_s"], float32=self.manifest["float32"])
        self.manifest |= {"status": "running", "committed_s": at_s}
        for name in ("timing", "kpis", "ledger", "error", "parts"):
            self.manifest.pop(name, None)
        self._write_manifest()
        remove_unfinished(self.folder)
        for name in models:
            read_sheet(self.folder / "static", name)
        self.taken = int(np.searchsorted(self.times_s, at_s, side="right"))
        number = max(0, self.taken - 1) // self.fields.chunk
        self.fields.open()
        self.fields.turn_to(number, self.taken - number * self.fields.chunk)
        self.fields.cut(number + 1 if self.taken else 0)
        for part in self.parts:
            part.cut(number, at_s)
        if rows is not None:
            self.journal.keep(number, rows)
        return self

    @property
    def rows(self) -> int:
        """How many rows of the journal the part that is being filled holds."""
        return len(self.journal.rows)

    def live(self, done: Mapping[str, Any]) -> None:
        """Note in the manifest what was done by hand: `at_s`, `do`, `arguments`; on disk with the next commit."""
        self.manifest["live"] = [*self.manifest.get("live", ()), dict(done)]

    def attached(self, name: str, at_s: int) -> None:
        """Note in the manifest, at once, that a Python process drives the run from `at_s` on: no state of it is kept."""
        self.processes.append({"name": name, "at_s": at_s})
        if self.manifest.get("processes", [])[: len(self.processes)] != self.processes:  # else a run goes on with those it had
            self.manifest["processes"] = list(self.processes)
            self._write_manifest()

    @staticmethod
    def estimate_bytes(
        models: Mapping[str, ModelSheet],
        *,
        duration_s: int,
        record_every_s: int,
        tracks_every_s: int = 0,
        float32: bool = True,
        moving: Mapping[str, int] | None = None,
        events: int = 10_000,
    ) -> int:
        """Return the most bytes a run of this size takes: nothing is compressed, `moving` things are there all the time."""
        kept = len(sample_times(duration_s, record_every_s)) * sample_bytes(models, float32=float32)
        instants = duration_s // tracks_every_s + 1 if tracks_every_s else 0
        tracked = instants * sum((moving or {}).values()) * (TRACK.itemsize + 4)
        shapes = sum(16 * len(shape) for sheet in models.values() for elements in sheet.elements.values() for shape in elements.shapes)
        return kept + tracked + shapes + events * EVENT_BYTES

    def sample(self, t_s: int, arrays: Arrays) -> None:
        """Copy the recorded ports at `t_s`: the next multiple of `record_every_s`, or the end, or the last sample's second again.

        `arrays[model][port]` may hold more than the sheets' recorded ports; ValueError when it holds less,
        or when `t_s` is not the next sample.
        """
        self._reach(t_s)
        if self.taken and t_s == self.times_s[self.taken - 1]:
            self.taken -= 1
        if self.taken == len(self.times_s) or t_s != self.times_s[self.taken]:
            expected = f"{self.times_s[self.taken]} s" if self.taken < len(self.times_s) else "none"
            raise ValueError(f"a sample at {t_s} s where the next is {expected}")
        self.fields.put(self.taken, arrays)
        self.taken += 1

    def tracks(self, t_s: int, model: str, positions: np.ndarray) -> None:
        """Copy the moving things of `model` at `t_s` (a `TRACK` array, sorted by id)."""
        self._reach(t_s)
        self.moving[model].put(t_s, positions)

    def event(self, row: Mapping[str, Any]) -> None:
        """Take a row of the journal: t_happened_s, t_seen_s, kind, source, model, name, element, severity, facts.

        `kind`: action, notice, inject, plan, degraded or flow; `facts`: a mapping, or JSON text.
        """
        self._reach(int(row["t_seen_s"]))
        self.journal.put(row)

    def events(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take rows of the journal in the order they were seen."""
        for row in rows:
            self.event(row)

    @property
    def committed_s(self) -> int:
        """The last second on disk for good; -1 before the first commit."""
        return int(self.manifest["committed_s"])

    def commit(self, t_s: int) -> None:
        """Put everything up to the last sample (at or before `t_s`) on disk now, also a chunk that is not full."""
        self._reach(t_s)
        self._flush()

    def finish(
        self,
        status: str,
        *,
        timing: Mapping[str, Mapping[str, float]] | None = None,
        kpis: Sequence[Kpi] = (),
        ledger: Iterable[Mapping[str, Any]] = (),
        error: str | None = None,
    ) -> None:
        """Commit what is left and close the run as `status` (done, degraded, failed, interrupted).

        `kpis` are computed from what is on disk by now, so that they can be computed again from the folder.
        StorageError: the disk refused the last chunk; the run then says `failed`, if even that can be written.
        """
        if status not in STATUSES:
            raise ValueError(f"status {status!r}: {', '.join(STATUSES)}")
        self.closed = True
        said = {"timing": timing or {}, "ledger": list(ledger), "kpis": []}
        try:
            self._flush()
            if kpis:
                from twin.kpi import compute
                from twin.results import open_run

                said["kpis"] = compute(open_run(self.folder), kpis)
        except StorageError as refused:
            self.manifest |= {"status": "failed", "error": error or str(refused)} | said
            self._write_manifest()
            raise
        # one file says that the run is over and all that came of it: whoever sees `status` sees the rest
        self.manifest |= {"status": status, "error": error} | said
        self._write_manifest()

    def _reach(self, t_s: int) -> None:
        """Close the chunk when it is full and time has gone on."""
        if self.closed:
            raise ValueError("the run is finished: nothing more is recorded")
        full = self.taken and self.taken % self.fields.chunk == 0 and self.taken // self.fields.chunk == self.fields.number + 1
        if full and t_s > self.times_s[self.taken - 1]:
            self._flush()
            self.fields.turn_to(self.fields.number + 1)
            for part in self.parts:
                part.clear()

    def _flush(self) -> None:
        number = self.fields.number
        self.fields.flush()
        for part in self.parts:
            part.write(number)
        self.manifest["parts"] = {part.folder.relative_to(self.folder).as_posix(): len(parts_of(part.folder)) for part in self.parts}
        self.manifest["committed_s"] = int(self.times_s[self.taken - 1]) if self.taken else -1
        self._write_manifest()

    def _write_manifest(self) -> None:
        text = json.dumps(plain(self.manifest), ensure_ascii=False, allow_nan=False, indent=1)
        write_atomic(self.folder / "manifest.json", text.encode())


def remove_unfinished(folder: Path) -> None:
    """Remove what a kill left half-written beside the files of a run."""
    with storing(folder):
        for path in folder.rglob("*"):
            if path.suffix in (".tmp", ".partial"):
                path.unlink()


def refuse_if_it_cannot_fit(folder: Path, needed: int) -> None:
    """Raise StorageError when `needed` bytes are more than the disk of `folder` has free."""
    there = next(parent for parent in [folder.absolute(), *folder.absolute().parents] if parent.exists())
    with storing(there, "cannot be examined"):
        free = shutil.disk_usage(there).free
    if needed > free:
        raise StorageError(
            f"{folder}: the run may take {needed / 1e9:.2f} GB and the disk has {free / 1e9:.2f} GB free; record less often or elsewhere"
        )
    if not os.access(there, os.W_OK):
        raise StorageError(f"{there}: cannot be written")


__all__ = ["ModelSheet", "PortSheet", "Recorder", "sheet_of"]
