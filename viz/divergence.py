"""Where two runs part: the first sample, row or position that differs, and how far apart each port gets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
    for model, port in common_ports(a, b):
        ours, theirs, ids = values(a, b, model, port)
        unequal = _differs(ours, theirs)
        if not unequal.any():
            continue
        row = int(np.argmax(unequal.any(axis=1)))
        column = int(np.argmax(unequal[row]))
        if first is None or times[row] < first.second:
            said = (shown(ours[row, column]), shown(theirs[row, column]))
            first = Parting(int(times[row]), "fields", f"{model}.{port.name}", ids[column], *said)
        found.append(_apart(a, b, model, port, (ours, theirs, ids, times)))
    return sorted(found, key=lambda one: -one.score), first


def _apart(a: Run, b: Run, model: str, port: PortSheet, read: tuple[np.ndarray, np.ndarray, list[str], np.ndarray]) -> Apart:
    ours, theirs, ids, times = read
    less = np.nan_to_num(theirs.astype(float) - ours.astype(float))
    at = np.unravel_index(int(np.argmax(np.abs(less))), less.shape)
    widest = int(np.argmax(np.abs(less).mean(axis=1)))
    spread = max(float(np.nanmax(ours)), float(np.nanmax(theirs))) - min(float(np.nanmin(ours)), float(np.nanmin(theirs)))
    score = float(np.abs(less[widest]).mean() / spread) if spread > 0 else 0.0
    alone = [len(run.static[model].elements[port.at].ids) - len(ids) for run in (a, b)]
    share = float(_differs(ours, theirs).mean())
    return Apart(model, port, share, float(less[at]), int(times[at[0]]), ids[at[1]], score, int(times[widest]), len(ids), *alone)


def shown(value: Any) -> str:
    """Return a recorded value as text, short."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{float(value):.6g}"


def _row(said: Mapping[str, Any]) -> str:
    facts = ", ".join(f"{key} {value}" for key, value in dict(said["facts"]).items())
    return f"{said['model']}.{said['name']} {said['element']}".strip() + (f" ({facts[:120]})" if facts else "")


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
        return Parting(int(row["t_seen_s"]), "journal", what, str(row["element"]), _row(one) if one else "", _row(other) if other else "")
    return None


def tracks(a: Run, b: Run) -> Parting | None:
    """Return the first recorded position of a moving thing that is not the same in both; None when they never part."""
    if any(not int(run.manifest.get("tracks_every_s") or 0) for run in (a, b)):
        return None
    upto = min(a.committed_s, b.committed_s)
    moving = [model for model in a.models if model in b.models and a.static[model].moving]
    for start in range(0, upto + 1, WINDOW_S):
        partings = [_positions(a, b, model, start, min(start + WINDOW_S - 1, upto)) for model in moving]
        found = [one for one in partings if one is not None]
        if found:
            return min(found, key=lambda one: one.second)
    return None


def _positions(a: Run, b: Run, model: str, start: int, end: int) -> Parting | None:
    import pandas as pd

    both = [run.tracks(model, start, end) for run in (a, b)]
    for frame, run in zip(both, (a, b), strict=True):
        frame["t_s"] = ((frame["time"].to_numpy() - run.time(0)) / np.timedelta64(1, "s")).astype(int)
    joined = pd.merge(*both, on=["t_s", "id"], how="outer", suffixes=("_a", "_b"), sort=True)
    same = np.ones(len(joined), bool)
    for key in ("x_m", "y_m"):
        same &= (joined[f"{key}_a"] == joined[f"{key}_b"]).to_numpy()
    if same.all():
        return None
    row = joined.iloc[int(np.argmax(~same))]
    said = [f"{row[f'x_m_{run}']:.1f}, {row[f'y_m_{run}']:.1f} m" if pd.notna(row[f"x_m_{run}"]) else "" for run in "ab"]
    kind = row["kind_a"] if pd.notna(row["kind_a"]) else row["kind_b"]
    return Parting(int(row["t_s"]), "positions", f"{model}: {kind}", str(row["id"]), *said)
