"""Where two runs part: the first sample, row or position that differs, and how far apart each port gets."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twin.results import PortSheet, Run

DATA = ("static", "fields", "tracks", "events")
"""The parts of a run folder that hold what came out; the scenario is what went in."""

WINDOW_S = 120
"""Positions are read this many simulated seconds at a time: a run may hold millions."""

KEYS = ("t_happened_s", "t_seen_s", "kind", "source", "model", "name", "element", "severity")


@dataclass(frozen=True)
class Parting:
    """The first difference of one kind of record: what, where, and what each run says there; '' where one says nothing."""

    second: int
    record: str
    what: str
    element: str
    a: str
    b: str


@dataclass(frozen=True)
class Apart:
    """How far apart a port gets: on the common elements and samples, and where the difference (B less A) is largest."""

    model: str
    port: PortSheet
    share: float
    largest: float
    second: int
    element: str
    score: float
    widest_s: int
    common: int
    only_a: int
    only_b: int


def same_data(ours: Mapping[str, str], theirs: Mapping[str, str]) -> bool:
    """Tell from the digests of two runs' parts whether their records are the same bytes, whatever their scenario files say."""
    return all(part in ours and ours[part] == theirs.get(part) for part in DATA)


def first(a: Run, b: Run) -> Parting | None:
    """Return where two runs first part, in their fields, journal or positions; None when what both recorded is the same.

    Files that are the same in both are not read any further, so that this is quick where runs part late or little.
    """
    found = [one for one in (apart(a, b)[1], journal(a, b), tracks(a, b)) if one is not None]
    return min(found, key=lambda one: one.second, default=None)


def same_files(a: Run, b: Run, *inside: str) -> bool:
    """Tell whether a folder or file of both runs holds the same bytes; one file under two names is not read."""
    both = [_files(run.path.joinpath(*inside)) for run in (a, b)]
    if not both[0] or both[0].keys() != both[1].keys():
        return False
    return all(path.samefile(other) or _sum(path) == _sum(other) for path, other in zip(*(one.values() for one in both), strict=True))


def _files(under: Path) -> dict[str, Path]:
    """Return the files under a folder (or the file itself) by their place in it, in one order."""
    if under.is_file():
        return {"": under}
    found = sorted(path for path in under.rglob("*") if path.is_file() and path.suffix not in (".tmp", ".partial"))
    return {str(path.relative_to(under)): path for path in found}


def _sum(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _alike(a: Run, b: Run, model: str) -> bool:
    """Tell whether the same bytes of a model mean the same in both: elements, units, seconds."""
    keys = ("record_every_s", "tracks_every_s", "duration_s", "committed_s")
    return all(a.manifest.get(key) == b.manifest.get(key) for key in keys) and same_files(a, b, "static", f"{model}.json")


def common_times(a: Run, b: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the seconds after the start that both recorded, and their indices in each run."""
    return np.intersect1d(a.times_s, b.times_s, assume_unique=True, return_indices=True)


def common_ports(a: Run, b: Run) -> Iterator[tuple[str, PortSheet]]:
    """Give every port that both runs recorded at the same element set and in the same unit."""
    for model in (name for name in a.models if name in b.models):
        theirs = b.static[model].recorded
        for name, port in a.static[model].recorded.items():
            if name in theirs and (theirs[name].at, theirs[name].unit) == (port.at, port.unit):
                yield model, port


def values(a: Run, b: Run, model: str, port: PortSheet) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the port in both runs as (common sample, common element) arrays, and the elements' ids."""
    _, in_a, in_b = common_times(a, b)
    ours, theirs = a.static[model].elements[port.at].ids, b.static[model].elements[port.at].ids
    place = {id: i for i, id in enumerate(theirs)}
    ids = [id for id in ours if id in place]
    columns = [i for i, id in enumerate(ours) if id in place]
    first = np.asarray(a.fields[model][port.name].values)[in_a][:, columns]
    second = np.asarray(b.fields[model][port.name].values)[in_b][:, [place[id] for id in ids]]
    return first, second, ids


def _differs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    unequal = first != second
    if first.dtype.kind == "f":
        unequal &= ~(np.isnan(first) & np.isnan(second))
    return np.asarray(unequal)


def apart(a: Run, b: Run) -> tuple[list[Apart], Parting | None]:
    """Return how far apart every common port gets, the furthest first, and the first difference of all fields."""
    times, _, _ = common_times(a, b)
    found: list[Apart] = []
    first: Parting | None = None
    alike = {model: _alike(a, b, model) for model in a.models if model in b.models}
    for model, port in common_ports(a, b):
        if alike[model] and same_files(a, b, "fields.zarr", model, port.name):
            continue
        ours, theirs, ids = values(a, b, model, port)
        unequal = _differs(ours, theirs)
        if not unequal.any():
            continue
        row = int(np.argmax(unequal.any(axis=1)))
        column = int(np.argmax(unequal[row]))
        if first is None or times[row] < first.second:
            said = apart_text(ours[row, column], theirs[row, column])
            first = Parting(int(times[row]), "fields", f"{model}.{port.name}", ids[column], *said)
        found.append(_apart(a, b, model, port, (ours, theirs, ids, times)))
    return sorted(found, key=lambda one: -one.score), first


def _apart(a: Run, b: Run, model: str, port: PortSheet, read: tuple[np.ndarray, np.ndarray, list[str], np.ndarray]) -> Apart:
    ours, theirs, ids, times = read
    less = theirs.astype(float) - ours.astype(float)
    less[~np.isfinite(less)] = 0.0
    at = np.unravel_index(int(np.argmax(np.abs(less))), less.shape)
    widest = int(np.argmax(np.abs(less).mean(axis=1)))
    known = np.concatenate([ours[np.isfinite(ours)], theirs[np.isfinite(theirs)]]).astype(float)
    spread = float(known.max() - known.min()) if len(known) else 0.0
    score = float(np.abs(less[widest]).mean() / spread) if spread > 0 else 0.0
    alone = [len(run.static[model].elements[port.at].ids) - len(ids) for run in (a, b)]
    share = float(_differs(ours, theirs).mean())
    return Apart(model, port, share, float(less[at]), int(times[at[0]]), ids[at[1]], score, int(times[widest]), len(ids), *alone)


def apart_text(one: Any, other: Any) -> tuple[str, str]:
    """Return two recorded values as text, with so many digits that they do not look the same."""
    if isinstance(one, bool | np.bool_):
        return "yes" if one else "no", "yes" if other else "no"
    first, second = float(one), float(other)
    for digits in range(6, 18):
        said = (f"{first:.{digits}g}", f"{second:.{digits}g}")
        if said[0] != said[1]:
            break
    return said


def _row(said: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Return a row of the journal as text, of its facts first those that the other row does not say."""
    facts, theirs = (dict(row["facts"]) if row and isinstance(row["facts"], dict) else {} for row in (said, other))
    ranked = sorted(facts.items(), key=lambda item: theirs.get(item[0]) == item[1])
    told = ", ".join(f"{key} {value}" for key, value in ranked)
    told = told if len(told) <= 120 else told[:119] + "…"
    keys = [f"{key} {said[key]}" for key in ("kind", "source", "severity", "t_happened_s") if other and said[key] != other[key]]
    more = "; ".join([*keys, *([told] if told else [])])
    return f"{said['model']}.{said['name']} {said['element']}".strip() + (f" ({more})" if more else "")


def journal(a: Run, b: Run) -> Parting | None:
    """Return the first row of the journal that is not the same in both, up to the last second that both reached."""
    upto = min(a.committed_s, b.committed_s)
    ours, theirs = ([one for one in run.events.to_dict("records") if one["t_seen_s"] <= upto] for run in (a, b))
    for i in range(max(len(ours), len(theirs))):
        one, other = (rows[i] if i < len(rows) else None for rows in (ours, theirs))
        if one and other and all(one[key] == other[key] for key in KEYS) and one["facts"] == other["facts"]:
            continue
        if one and other and one["t_seen_s"] != other["t_seen_s"]:  # the later one has no counterpart at this second
            one, other = (one, None) if one["t_seen_s"] < other["t_seen_s"] else (None, other)
        row = one or other or {}
        what = f"{row['model']}.{row['name']}"
        return Parting(
            int(row["t_seen_s"]),
            "journal",
            what,
            str(row["element"]),
            _row(one, other or {}) if one else "",
            _row(other, one or {}) if other else "",
        )
    return None


def tracks(a: Run, b: Run) -> Parting | None:
    """Return the first position, at a second that both recorded, that is not the same in both; None when they never part."""
    upto, every_s = min(a.committed_s, b.committed_s), common_track_s(a, b)
    movers = [one for one in common_movers(a, b) if not (_alike(a, b, one) and same_files(a, b, "tracks", one))]
    for start in range(0, upto + 1, WINDOW_S) if every_s and movers else ():
        partings = [_positions(a, b, model, (start, min(start + WINDOW_S - 1, upto)), every_s) for model in movers]
        found = [one for one in partings if one is not None]
        if found:
            return min(found, key=lambda one: one.second)
    return None


def common_track_s(a: Run, b: Run) -> int:
    """Return every how many seconds both runs recorded positions; 0 when one of them recorded none."""
    every = [int(run.manifest.get("tracks_every_s") or 0) for run in (a, b)]
    return math.lcm(*every)


def common_movers(a: Run, b: Run) -> list[str]:
    """Return the models that have moving things in both runs."""
    return [model for model in a.models if model in b.models and a.static[model].moving and b.static[model].moving]


def _positions(a: Run, b: Run, model: str, span: tuple[int, int], every_s: int) -> Parting | None:
    import pandas as pd

    both = [run.tracks(model, *span) for run in (a, b)]
    for i, run in enumerate((a, b)):
        seconds = ((both[i]["time"].to_numpy() - run.time(0)) / np.timedelta64(1, "s")).astype(int)
        both[i] = both[i].assign(t_s=seconds)[seconds % every_s == 0]
    joined = pd.merge(*both, on=["t_s", "id"], how="outer", suffixes=("_a", "_b"), sort=True)
    same = np.ones(len(joined), bool)
    for key in ("x_m", "y_m"):
        same &= (joined[f"{key}_a"] == joined[f"{key}_b"]).to_numpy()
    if same.all():
        return None
    row = joined.iloc[int(np.argmax(~same))]
    here = [(row[f"x_m_{run}"], row[f"y_m_{run}"]) if pd.notna(row[f"x_m_{run}"]) else None for run in "ab"]
    said = next(
        said
        for digits in range(1, 17)
        if len(set(said := [f"{at[0]:.{digits}f}, {at[1]:.{digits}f} m" if at else "" for at in here])) > 1 or digits == 16
    )
    kind = row["kind_a"] if pd.notna(row["kind_a"]) else row["kind_b"]
    return Parting(int(row["t_s"]), "positions", f"{model}: {kind}", str(row["id"]), *said)
