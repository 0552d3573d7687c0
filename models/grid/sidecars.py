"""The small tables beside a network: venues with backup, gas-fired units, the daily profile of loads."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.grid.tables import Tables
from twin.errors import InputError, Problem, nearest

LIMIT_BYTES, MOST_COLUMNS = 8_000_000, 200
LHV_MJ_PER_KG = 47.0
"""Lower heating value of a natural gas of group H (about 46-49 MJ/kg; DVGW G 260), where a file states none."""


@dataclass(frozen=True)
class Venue:
    """Essential load behind a UPS and a generator. `bus` is a row; the load comes on top of the network's own.

    `xy`: where it stands, in the file's metres; None where the file does not say.
    """

    id: str
    bus: int
    load_mw: float
    ups_mwh: float
    generator_mw: float
    fuel_l: float
    fuel_l_per_mwh: float
    start_s: int
    xy: tuple[float, float] | None = None


@dataclass(frozen=True)
class GasUnit:
    """A static generator that burns gas. `sgen` and `bus` are rows."""

    id: str
    sgen: int
    bus: int
    rated_mw: float
    efficiency: float
    lhv_mj_per_kg: float

    @property
    def rated_kg_per_s(self) -> float:
        """Gas asked for at full output: P / (efficiency x lower heating value)."""
        return self.rated_mw / (self.efficiency * self.lhv_mj_per_kg)


@dataclass(frozen=True)
class Profile:
    """Load factors by hour of the day for each class of use (the load's `type`), straight between hours."""

    classes: tuple[str, ...] = ()
    hours: np.ndarray = None  # type: ignore[assignment]
    factors: np.ndarray = None  # type: ignore[assignment]

    def at(self, second_of_day: float) -> np.ndarray:
        """Return the factor of each class at a time of day; the day repeats."""
        hour = second_of_day / 3600.0 % 24.0
        hours = np.append(self.hours, self.hours[0] + 24.0)
        if hour < hours[0]:
            hour += 24.0
        k = min(int(np.searchsorted(hours, hour, "right")) - 1, len(self.hours) - 1)
        share = (hour - hours[k]) / (hours[k + 1] - hours[k])
        after = self.factors[(k + 1) % len(self.hours)]
        return self.factors[k] + share * (after - self.factors[k])


def _rows(path: Path, needed: Sequence[str], allowed: Sequence[str]) -> Iterable[tuple[int, dict[str, str]]]:
    """Yield (line, row) of a CSV file whose header is checked."""
    try:
        if path.stat().st_size > LIMIT_BYTES:
            raise InputError(Problem(f"larger than the {LIMIT_BYTES:,} bytes that are read", str(path)))
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(Problem(f"cannot be read: {error}", str(path))) from None
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        header = reader.fieldnames or []
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise InputError(Problem(f"not CSV: {error} (is the file truncated?)", str(path), max(1, reader.line_num))) from None
    if len(header) > MOST_COLUMNS:
        raise InputError(Problem(f"{len(header):,} columns; at most {MOST_COLUMNS}", str(path), 1))
    wrong = [nearest(c, allowed, what="column") for c in header if allowed and c not in allowed]
    wrong += [f"column '{c}' is missing" for c in needed if c not in header]
    if wrong:
        raise InputError([Problem(what, str(path), 1) for what in wrong])
    for line, row in rows:
        if None in row:
            raise InputError(Problem(f"more values than the {len(header)} columns of the first line", str(path), line))
        yield line, row


def _number(row: Mapping[str, str], column: str, above: float, default: float | None = None) -> float:
    text = (row.get(column) or "").strip()
    if not text and default is not None:
        return default
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{column} is '{text}', not a number") from None
    if not (math.isfinite(value) and value >= above):
        raise ValueError(f"{column} is {value:g}; it must be a number of at least {above:g}")
    return value


def _read(path: Path, needed: Sequence[str], allowed: Sequence[str], make: Callable[[dict[str, str]], Any]) -> list[Any]:
    """Make one object a row; InputError lists every bad row, and every id that occurs twice."""
    made, problems, seen = [], [], {}
    for line, row in _rows(path, needed, allowed):
        try:
            one = make(row)
            if one.id in seen:
                raise ValueError(f"'{one.id}' stands already in line {seen[one.id]}")
            seen[one.id] = line
            made.append(one)
        except ValueError as error:
            problems.append(Problem(str(error), str(path), line))
    if problems:
        raise InputError(problems)
    return made


def _named(row: Mapping[str, str], column: str) -> str:
    text = (row.get(column) or "").strip()
    if not text:
        raise ValueError(f"{column} is empty")
    return text


def read_venues(path: Path | None, buses: Sequence[str]) -> tuple[Venue, ...]:
    """Read `backup.csv`: id,bus,load_mw,ups_mwh,generator_mw,fuel_l,fuel_l_per_mwh,start_s[,x_m,y_m]."""
    if path is None:
        return ()
    columns = ("id", "bus", "load_mw", "ups_mwh", "generator_mw", "fuel_l", "fuel_l_per_mwh", "start_s")
    at = {id: i for i, id in enumerate(buses)}

    def make(row: dict[str, str]) -> Venue:
        bus = _named(row, "bus")
        if bus not in at:
            raise ValueError(nearest(bus, buses, what="bus"))
        figures = [_number(row, column, 0.0) for column in columns[2:7]]
        venue = Venue(_named(row, "id"), at[bus], *figures, start_s=round(_number(row, "start_s", 0.0)), xy=_place(row))
        if 0 < venue.generator_mw < venue.load_mw:
            raise ValueError(f"generator_mw {venue.generator_mw:g} cannot carry load_mw {venue.load_mw:g}; 0 means there is no generator")
        return venue

    return tuple(_read(path, columns, (*columns, "x_m", "y_m"), make))


def _place(row: Mapping[str, str]) -> tuple[float, float] | None:
    if not (row.get("x_m") or "").strip() and not (row.get("y_m") or "").strip():
        return None
    return _number(row, "x_m", -1e8), _number(row, "y_m", -1e8)


def read_gas_units(path: Path | None, tables: Tables, sgens: Sequence[str], row: Mapping[int, int]) -> tuple[GasUnit, ...]:
    """Read `gas_units.csv` (id,efficiency[,lhv_mj_per_kg]); a static generator of type `gas` needs no row.

    Without a row the efficiency is 0.40, that of a gas engine of some MW (VDI 2067: 0.35-0.45).
    """
    table = tables["sgen"]
    at = {id: i for i, id in enumerate(sgens)}
    rated = [p * s for p, s in zip(table.column("p_mw", 0.0), table.column("scaling", 1.0), strict=True)]

    def unit(id: str, efficiency: float, lhv: float) -> GasUnit:
        i = at[id]
        return GasUnit(id, i, row[table.column("bus")[i]], rated[i], efficiency, lhv)

    def make(line: dict[str, str]) -> GasUnit:
        id = _named(line, "id")
        if id not in at:
            raise ValueError(nearest(id, sgens, what="static generator"))
        efficiency = _number(line, "efficiency", 1e-3)
        if efficiency > 1:
            raise ValueError(f"efficiency is {efficiency:g}; it lies between 0 and 1")
        return unit(id, efficiency, _number(line, "lhv_mj_per_kg", 1.0, LHV_MJ_PER_KG))

    columns = ("id", "efficiency", "lhv_mj_per_kg")
    given = {u.id: u for u in _read(path, columns[:2], columns, make)} if path else {}
    flagged = [id for id, kind in zip(sgens, table.column("type"), strict=True) if kind == "gas"]
    return tuple(given.get(id) or unit(id, 0.40, LHV_MJ_PER_KG) for id in sgens if id in given or id in flagged)


def read_profile(path: Path | None) -> Profile:
    """Read `profile.csv`: hour (0 to below 24, rising), then a column of factors for each class of use."""
    if path is None:
        return Profile()
    rows = list(_rows(path, ("hour",), ()))
    classes = tuple(column for column in (rows[0][1] if rows else {}) if column != "hour")
    problems, values = [], []
    for line, row in rows:
        try:
            values.append([_number(row, column, 0.0) for column in ("hour", *classes)])
            if values[-1][0] >= 24 or (len(values) > 1 and values[-1][0] <= values[-2][0]):
                raise ValueError(f"hour {values[-1][0]:g}: hours rise from 0 to below 24")
        except ValueError as error:
            problems.append(Problem(str(error), str(path), line))
    if not rows or not classes:
        problems.append(Problem("no rows or no class: write hour,residential and at least one row", str(path), 1))
    if problems:
        raise InputError(problems)
    array = np.array(values)
    return Profile(classes, array[:, 0], array[:, 1:])
