"""Reads a run folder: fields as xarray, tracks and journal as pandas; all that a view may see."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import numpy as np

from twin.base import Building, Place, Street
from twin.errors import InputError, Problem, StorageError, nearest
from twin.ground import Ground, View, read_ground
from twin.looks import Looks, MoverLook, SetLook
from twin.sheet import ModelSheet, PortSheet, read_sheet
from twin.storage import digest, digests, refuse_strangers, safe_name, storing

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Value = TypeVar("Value")
MANIFEST_LIMIT_BYTES = 16 * 2**20
MOST_MODELS, LONGEST_S = 1000, 10**9
_KINDS: dict[Any, str] = {
    str: "status timezone",
    int: "checkpoint_every_s",
    dict: "city versions hosts parts",
    list: "models live",
    dict | None: "timing",
    list | None: "kpis ledger objectives",
}
"""What else a manifest says is of these types; the last two may be null."""
_PARTS = re.compile(r"events|tracks/[A-Za-z][A-Za-z0-9_-]{0,63}")


class Lazy(Mapping[str, Value]):
    """A mapping whose values are read when they are asked for, and kept."""

    def __init__(self, names: list[str], read: Callable[[str], Value], what: str) -> None:
        self._names, self._read, self._what = names, read, what
        self._held: dict[str, Value] = {}

    def __getitem__(self, name: str) -> Value:
        if name not in self._names:
            raise KeyError(nearest(name, self._names, what=self._what))
        if name not in self._held:
            self._held[name] = self._read(name)
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Run:
    """One run, cut at its last committed second. Times are the city's local clock.

    `status`: done, degraded, failed, interrupted; `unfinished` when the run was cut short or is still going.
    `fields[model]`: an xarray.Dataset over (time, <element set>), read lazily: `run.fields["water"].pressure_m.sel(junction="J17")`.
    `static[model]`: the model's sheet (ports, elements with their shapes, looks).
    """

    def __init__(self, path: Path, manifest: Mapping[str, Any]) -> None:
        self.path, self.manifest = path, manifest
        self.models: list[str] = [safe_name(name) for name in manifest["models"]]
        self.start = datetime.fromisoformat(manifest["start"])
        self.timezone: str = manifest["timezone"]
        if self.start.tzinfo is not None:
            self.start = self.start.replace(tzinfo=_zone(self.timezone, self.start))
        self.duration_s, self.committed_s = int(manifest["duration_s"]), int(manifest["committed_s"])
        self.static: Mapping[str, ModelSheet] = Lazy(self.models, lambda name: read_sheet(path / "static", name), "model")
        self.fields: Mapping[str, xr.Dataset] = Lazy(self.models, self._read_fields, "model")

    @property
    def status(self) -> str:
        """How the run ended."""
        return "unfinished" if self.manifest["status"] == "running" else str(self.manifest["status"])

    @property
    def name(self) -> str:
        """The scenario's name, or the folder's."""
        return str(self.manifest.get("name") or self.path.resolve().name)

    @cached_property
    def city(self) -> Ground:
        """The city's places, streets, buildings and cameras; empty when the run kept none."""
        return read_ground(self.path / "static")

    def looks(self, model: str) -> Looks:
        """Return how a model's element sets and moving things are drawn."""
        return Looks.read(self.static[model].looks)

    @cached_property
    def times_s(self) -> np.ndarray:
        """The seconds of the samples that are committed."""
        from twin.fields import sample_times

        times = sample_times(self.duration_s, int(self.manifest["record_every_s"]))
        return times[times <= self.committed_s]

    def _read_fields(self, name: str) -> xr.Dataset:
        from twin.fields import read_fields, sample_times

        times = sample_times(self.duration_s, int(self.manifest["record_every_s"]))
        return read_fields(self.path / "fields.zarr", self.static[name], times, len(self.times_s), self.start)

    def port(self, name: str) -> tuple[ModelSheet, PortSheet]:
        """Find `model.port` (recorded), its unit left off if you like (`crowd.density`); InputError with the nearest name."""
        model, _, port = name.partition(".")
        if model not in self.models:
            raise InputError(f"{name}: {nearest(model, self.models, what='model')}")
        sheet = self.static[model]
        if port in sheet.absent:
            raise InputError(f"{name}: absent in this run: its engine could not give it in this mode")
        without_unit = [name for name in sheet.recorded if name.startswith(f"{port}_")]
        if port not in sheet.recorded and len(without_unit) == 1:
            port = without_unit[0]
        if port not in sheet.recorded:
            raise InputError(f"{name}: {nearest(port, sheet.recorded, what=f'recorded port of {model}')}")
        return sheet, sheet.ports[port]

    def second(self, moment: object) -> int:
        """Return a moment ('21:42', '+12 min', a datetime, a numpy time, or seconds) as seconds after the start."""
        if isinstance(moment, int | float | np.integer | np.floating) and not isinstance(moment, bool):
            return round(moment)
        if isinstance(moment, np.datetime64):
            return int((moment - np.datetime64(self.start.replace(tzinfo=None), "ns")) / np.timedelta64(1, "s"))
        from twin.units import clock_s

        try:
            return clock_s(moment, self.start)
        except ValueError as error:
            raise InputError(str(error)) from None

    def at(self, moment: object) -> np.datetime64:
        """Return the last sample at or before a moment, for `.sel(time=run.at("21:42"))`; InputError outside the run."""
        second = self.second(moment)
        index = int(np.searchsorted(self.times_s, second, side="right")) - 1
        if index < 0 or second > self.committed_s:
            upto = f"recorded from {self.clock(0)} to {self.clock(self.committed_s)}" if len(self.times_s) else "nothing is recorded"
            raise InputError(f"{moment} is outside the run: {upto}")
        return self.time(int(self.times_s[index]))

    def time(self, second: int) -> np.datetime64:
        """Return the local clock `second` seconds after the start."""
        return np.datetime64(self.start.replace(tzinfo=None), "ns") + np.timedelta64(second, "s")

    def clock(self, second: int) -> str:
        """Return the local clock time as text: '21:42:00'."""
        return (self.start.replace(tzinfo=None) + timedelta(seconds=int(second))).strftime("%H:%M:%S")

    def tracks(self, model: str, start: object = None, end: object = None) -> pd.DataFrame:
        """Return the moving things of a model: time, id, kind, x_m, y_m, angle_deg, speed_m_per_s.

        `start`, `end`: read only what lies between two moments (both included).
        """
        from twin.parts import read_parts, track_schema

        sheet = self.static[model]
        first = 0 if start is None else self.second(start)
        last = self.committed_s if end is None else min(self.second(end), self.committed_s)
        inside = f"tracks/{sheet.name}"
        found = read_parts(self.path / inside, track_schema(), "t_s", first, last, least=self._parts(inside)).to_pandas()
        found.insert(0, "time", self.time(0) + found.pop("t_s").to_numpy().astype("timedelta64[s]"))
        labels = {code: sheet.moving.get(code, str(code)) for code in {*sheet.moving, *found["kind"].unique().tolist()}}
        found["kind"] = found["kind"].map(labels).astype("category")
        return found

    def _parts(self, inside: str) -> int:
        """How many parts a folder held at the last commit; 0 where the run does not say."""
        return int((self.manifest.get("parts") or {}).get(inside, 0))

    def check_kept(self) -> None:
        """Raise StorageError when what it keeps of its city is damaged, or parts of tracks or journal that it had are missing."""
        from twin.parts import parts_of

        read_ground(self.path / "static")
        for inside in self.manifest.get("parts") or {}:
            there, least = len(parts_of(self.path / inside)), self._parts(inside)
            if there < least:
                raise StorageError(f"{self.path / inside}: is damaged: {there} parts are there of {least}")

    @cached_property
    def events(self) -> pd.DataFrame:
        """The journal: time (seen), t_happened_s, t_seen_s, kind, source, model, name, element, severity, facts (a dict)."""
        from twin.parts import event_schema, read_parts

        least = self._parts("events")
        found = read_parts(self.path / "events", event_schema(), "t_seen_s", -(2**62), self.committed_s, least=least).to_pandas()
        found.insert(0, "time", self.time(0) + found["t_seen_s"].to_numpy().astype("timedelta64[s]"))
        found["facts"] = [json.loads(text) for text in found["facts"]]
        return found

    @property
    def kpis(self) -> pd.DataFrame:
        """The KPIs as they were computed at the end: name, value, unit, target, verdict, label."""
        import pandas as pd

        columns = ["name", "value", "unit", "target", "verdict", "label"]
        return pd.DataFrame(list(self.manifest.get("kpis") or []), columns=columns)

    @property
    def timing(self) -> pd.DataFrame:
        """Where the time went, one row a model: advance_s, solve_s, wait_s, advances, solves, messages."""
        import pandas as pd

        return pd.DataFrame.from_dict(dict(self.manifest.get("timing") or {}), orient="index")

    @property
    def ledger(self) -> pd.DataFrame:
        """The accounts of what is conserved, as the run closed them."""
        import pandas as pd

        return pd.DataFrame(list(self.manifest.get("ledger") or []))

    @cached_property
    def scenario(self) -> dict[str, Any]:
        """The scenario it was made from, as plain data; empty when there is none or it is no mapping; StorageError when damaged."""
        from twin import yamlfile

        file = self.path / "scenario.yaml"
        if not file.is_file():
            return {}
        with storing(file, "cannot be read"):
            try:
                said, _ = yamlfile.load(file)
            except InputError as error:
                first = error.problems[0]
                raise StorageError(str(Problem(f"is damaged: line {first.line}: {first.what}", str(file)))) from error
        return said if isinstance(said, dict) else {}

    @property
    def digest(self) -> str:
        """The SHA-256 of the run's data (see `twin.storage.digest`)."""
        return digest(self.path)

    def _summary(self) -> list[tuple[str, str]]:
        reached = f"{self.clock(self.committed_s)}" if self.committed_s >= 0 else "nothing"
        end = self.clock(self.duration_s)
        held = f"recorded {self.clock(0)} to {reached}" if self.committed_s >= 0 else "nothing recorded"
        rows = [("status", self.status + (f" ({held} of {end})" if self.committed_s < self.duration_s else ""))]
        rows.append(("clock", f"{self.start:%Y-%m-%d} {self.clock(0)} to {end} {self.timezone}, every {self.manifest['record_every_s']} s"))
        if self.manifest.get("error"):
            rows.append(("error", str(self.manifest["error"])))
        return rows + [(name, ", ".join(self.static[name].recorded) or "no fields") for name in self.models]

    def __repr__(self) -> str:
        rows = self._summary()
        width = max(len(name) for name, _ in rows)
        return "\n".join([f"<Run {self.name}>", *(f"  {name:<{width}}  {text}" for name, text in rows)])

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in self._summary())
        return f"<table><caption>Run {escape(self.name)}</caption>{rows}</table>"


def _zone(name: str, start: datetime) -> ZoneInfo | timezone:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return timezone(start.utcoffset() or timedelta(0), name)


def _check(manifest: Mapping[str, Any]) -> None:
    """Raise ValueError or TypeError for numbers and lists that no recorder writes."""
    every_s, committed_s, duration_s = (int(manifest[name]) for name in ("record_every_s", "committed_s", "duration_s"))
    if every_s < 1 or int(manifest.get("tracks_every_s") or 0) < 0 or not -1 <= committed_s <= duration_s:
        raise ValueError(f"recorded every {every_s} s to {committed_s} s of {duration_s} s")
    if duration_s > LONGEST_S or len(manifest["models"]) > MOST_MODELS:
        raise ValueError(f"{duration_s} s of {len(manifest['models'])} models")
    for kind, names in _KINDS.items():
        if wrong := [name for name in names.split() if name in manifest and not isinstance(manifest[name], kind)]:
            raise TypeError(f"{wrong[0]} is a {type(manifest[wrong[0]]).__name__}")
    if strange := [name for name in manifest.get("parts") or {} if not _PARTS.fullmatch(name)]:
        raise ValueError(f"'{strange[0][:80]}' is no folder of parts")
    if "status" not in manifest or not all(isinstance(one["at_s"], int) for one in manifest.get("live", [])):
        raise TypeError("no status, or something done by hand at no second")
    if not all(isinstance(one, dict) and {"name", "value", "unit"} <= one.keys() for one in manifest.get("kpis") or []):
        raise TypeError("a KPI without name, value and unit")


def open_run(path: Path | str) -> Run:
    """Open a run folder, also of a run that was cut short; StorageError, one line, for anything else."""
    folder = Path(path)
    file = folder / "manifest.json"
    if not file.is_file():
        raise StorageError(f"{folder}: is no run (no manifest.json)" if folder.is_dir() else f"{folder}: no such folder")
    refuse_strangers(folder)
    with storing(file, "cannot be read"):
        if file.stat().st_size > MANIFEST_LIMIT_BYTES:
            raise StorageError(f"{file}: is too big for a manifest")
        text = file.read_text("utf-8", errors="replace")
    try:
        manifest = json.loads(text)
        if manifest["format"] != 1:
            raise StorageError(f"{file}: is a run of format {manifest['format']!r}; this version reads format 1")
        _check(manifest)
        return Run(folder, manifest)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise StorageError(f"{file}: is damaged: {type(error).__name__} {error}") from error


__all__ = [
    "Building",
    "Ground",
    "Looks",
    "ModelSheet",
    "MoverLook",
    "Place",
    "PortSheet",
    "Run",
    "SetLook",
    "Street",
    "View",
    "digest",
    "digests",
    "open_run",
]
