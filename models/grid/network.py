"""Read, check and index a district's electricity network, without starting an engine."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.grid.sidecars import GasUnit, Profile, Venue, read_gas_units, read_profile, read_venues
from models.grid.tables import Table, Tables, read_tables
from twin.errors import InputError, Problem
from twin.model import Setup
from twin.ports import ElementSet

SOLVED = (
    "bus", "line", "trafo", "trafo3w", "switch", "load", "sgen", "gen", "ext_grid", "shunt", "ward", "xward", "motor", "storage",
    "impedance", "dcline", "asymmetric_load", "asymmetric_sgen", "trafo_characteristic_table",
)  # fmt: skip
"""Tables that a power flow uses and that are read."""

REFUSED = (
    "tcsc",
    "svc",
    "ssc",
    "vsc",
    "vsc_stacked",
    "vsc_bipolar",
    "b2b_vsc",
    "bi_vsc",
    "bus_dc",
    "line_dc",
    "load_dc",
    "source_dc",
    "controller",
)
"""Tables that would change a power flow and that neither solver here models."""

NEEDED: Mapping[str, tuple[str, ...]] = {
    "bus": ("vn_kv",),
    "line": ("from_bus", "to_bus", "length_km", "r_ohm_per_km", "x_ohm_per_km", "max_i_ka"),
    "trafo": ("hv_bus", "lv_bus", "sn_mva", "vn_hv_kv", "vn_lv_kv", "vk_percent", "vkr_percent"),
    "switch": ("bus", "element", "et", "closed"),
    "load": ("bus", "p_mw"),
    "sgen": ("bus", "p_mw"),
    "gen": ("bus", "p_mw", "vm_pu"),
    "ext_grid": ("bus",),
    "trafo3w": ("hv_bus", "mv_bus", "lv_bus"),
    "impedance": ("from_bus", "to_bus"),
    "dcline": ("from_bus", "to_bus"),
    "motor": ("bus",),
    "shunt": ("bus",),
    "ward": ("bus",),
    "xward": ("bus",),
    "storage": ("bus",),
    "asymmetric_load": ("bus",),
    "asymmetric_sgen": ("bus",),
}
"""Columns without which a table means nothing; every column that names a bus is checked against the buses."""

POSITIVE = {"bus": ("vn_kv",), "line": ("length_km", "max_i_ka"), "trafo": ("sn_mva", "vn_hv_kv", "vn_lv_kv", "vk_percent")}
NUMBERS = dict.fromkeys(("load", "sgen", "gen"), ("p_mw", "q_mvar"))
LARGEST_MW = 1e5
_BUS_COLUMNS = ("bus", "from_bus", "to_bus", "hv_bus", "mv_bus", "lv_bus")
_EARTH_M = 6_371_008.8  # mean radius, IUGG


@dataclass(frozen=True)
class Switches:
    """Each switch: the bus it stands at, what it switches (`l`, `t`, `b`, `t3`) and the row of that."""

    bus: np.ndarray
    et: tuple[str, ...]
    element: np.ndarray
    closed: np.ndarray
    breaker: np.ndarray


@dataclass(frozen=True)
class GridNetwork:
    """A checked network: integer rows inside, ids at the edge.

    `lines`, `trafos`, `others` are (n, 2) rows of buses; `sources` and `gens` are rows of buses.
    """

    tables: Tables
    sets: Mapping[str, ElementSet]
    lines: np.ndarray
    trafos: np.ndarray
    others: np.ndarray
    switches: Switches
    sources: np.ndarray
    bus_on: np.ndarray
    line_on: np.ndarray
    trafo_on: np.ndarray
    source_on: np.ndarray
    gas_units: tuple[GasUnit, ...]
    venues: tuple[Venue, ...]
    profile: Profile

    def elements(self) -> Mapping[str, ElementSet]:
        """Return the element sets: bus, line, trafo, switch, ext_grid, venue, gas_unit, network."""
        return self.sets


def read_network(setup: Setup) -> GridNetwork:
    """Read the pack's files of this domain; InputError lists everything wrong with them."""
    tables = read_tables(setup.file("network"))
    problems = check(tables)
    if problems:
        raise InputError(problems)
    row = {index: i for i, index in enumerate(tables["bus"].index)}
    ids = _ids(tables)
    points = _points(tables, row, setup.offset_m)
    venues = read_venues(setup.files.get("backup"), ids["bus"])
    gas_units = read_gas_units(setup.files.get("gas_units"), tables, ids["sgen"], row)
    profile = read_profile(setup.files.get("profile"))
    return GridNetwork(
        tables=tables,
        sets=_sets(tables, ids, row, points, (venues, gas_units)),
        lines=_pairs(tables["line"], "from_bus", "to_bus", row),
        trafos=_pairs(tables["trafo"], "hv_bus", "lv_bus", row),
        others=_others(tables, row),
        switches=_switches(tables, row),
        sources=np.array([row[bus] for bus in tables["ext_grid"].column("bus")], int),
        bus_on=_flags(tables["bus"]),
        line_on=_flags(tables["line"]),
        trafo_on=_flags(tables["trafo"]),
        source_on=_flags(tables["ext_grid"]),
        gas_units=gas_units,
        venues=venues,
        profile=profile,
    )


def check(tables: Tables) -> list[Problem]:
    """Return everything wrong with a network's tables."""
    problems = []
    for name in ("bus", "ext_grid"):
        if not len(tables[name]):
            problems.append(tables.problem(name, f"no {name}: a network needs a bus and a connection to the grid above (ext_grid)"))
    for name in REFUSED:
        if len(tables[name]):
            problems.append(tables.problem(name, f"{len(tables[name])} rows in '{name}', which no solver here models; remove them"))
    buses = set(tables["bus"].index)
    for name in SOLVED:
        table = tables[name]
        if not len(table):
            continue
        missing = [column for column in NEEDED.get(name, ()) if column not in table.columns]
        if missing:
            problems.append(tables.problem(name, f"table '{name}' lacks {', '.join(missing)}"))
            continue
        problems += _bad_rows(tables, table, buses)
    return problems


def _bad_numbers(table: Table) -> Iterator[tuple[int, str]]:
    """Yield each row with a number that no network has, and what it is."""
    for column in (*POSITIVE.get(table.name, ()), *NUMBERS.get(table.name, ())):
        positive = column in POSITIVE.get(table.name, ())
        for i, value in enumerate(table.column(column, None if positive else 0.0)):
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if positive and not (number and value > 0 and math.isfinite(value)):
                yield i, f"{column} is {value}; it must be a number above 0"
            elif not positive and not (number and abs(value) <= LARGEST_MW):
                yield i, f"{column} is {value!r}; it must be a number of at most {LARGEST_MW:g}"


def _bad_rows(tables: Tables, table: Table, buses: set[int]) -> list[Problem]:
    problems = []

    def bad(i: int, what: str) -> None:
        name = table.column("name")[i] or f"{table.name}{table.index[i]}"
        problems.append(tables.problem(table.name, f"{table.name} '{name}': {what}"))

    for column in (c for c in _BUS_COLUMNS if c in table.columns):
        for i, bus in enumerate(table.column(column)):
            if bus not in buses:
                bad(i, f"{column} {bus} is no bus of this file")
    for i, what in _bad_numbers(table):
        bad(i, what)
    if table.name == "switch":
        known = {"l": set(tables["line"].index), "t": set(tables["trafo"].index), "b": buses, "t3": set(tables["trafo3w"].index)}
        for i, (et, element) in enumerate(zip(table.column("et"), table.column("element"), strict=True)):
            if et not in known:
                bad(i, f"et is {et!r}; it must be one of l, t, b, t3")
            elif element not in known[et]:
                bad(i, f"its element {element} is not in the file")
    return problems


def _ids(tables: Tables) -> dict[str, tuple[str, ...]]:
    """Return ids per table: an element's name where it names nothing else in the file, else table and index."""
    names = ("bus", "line", "trafo", "switch", "sgen", "ext_grid")
    count: dict[str, int] = {}
    for table in names:
        for name in tables[table].column("name"):
            if isinstance(name, str):
                count[name.strip()] = count.get(name.strip(), 0) + 1
    found, taken = {}, {name for name, times in count.items() if times == 1}
    for table in names:
        ids = []
        for index, name in zip(tables[table].index, tables[table].column("name"), strict=True):
            if isinstance(name, str) and name.strip() and count[name.strip()] == 1:
                ids.append(name.strip())
                continue
            id = f"{table}{index}"
            while id in taken:
                id += "_"
            taken.add(id)
            ids.append(id)
        found[table] = tuple(ids)
    return found


def _flags(table: Table) -> np.ndarray:
    return np.array(table.column("in_service", True), bool)


def _pairs(table: Table, start: str, end: str, row: Mapping[int, int]) -> np.ndarray:
    return np.array([[row[a], row[b]] for a, b in zip(table.column(start), table.column(end), strict=True)], int).reshape(-1, 2)


def _others(tables: Tables, row: Mapping[int, int]) -> np.ndarray:
    """Return branches that have no breaker of their own here: three-winding transformers, impedances."""
    pairs = []
    for table, start, end in (("trafo3w", "hv_bus", "mv_bus"), ("trafo3w", "hv_bus", "lv_bus"), ("impedance", "from_bus", "to_bus")):
        on = _flags(tables[table])
        pairs += [pair for pair, use in zip(_pairs(tables[table], start, end, row).tolist(), on, strict=True) if use]
    return np.array(pairs, int).reshape(-1, 2)


def _switches(tables: Tables, row: Mapping[int, int]) -> Switches:
    table = tables["switch"]
    of = {"l": "line", "t": "trafo", "b": "bus", "t3": "trafo3w"}
    rows = {et: {index: i for i, index in enumerate(tables[name].index)} for et, name in of.items()}
    et = tuple(table.column("et"))
    return Switches(
        bus=np.array([row[bus] for bus in table.column("bus")], int),
        et=et,
        element=np.array([rows[kind][element] for kind, element in zip(et, table.column("element"), strict=True)], int),
        closed=np.array(table.column("closed", True), bool),
        breaker=np.array([kind == "CB" for kind in table.column("type")], bool),
    )


def _geo(value: Any) -> list[list[float]] | None:
    """Read a GeoJSON geometry (pandapower >= 3) as points; None where there is none that is sound."""
    try:
        shape = json.loads(value) if isinstance(value, str) else value
        points = shape["coordinates"]
        points = [points] if isinstance(points[0], (int, float)) else points
        read = [[float(p[0]), float(p[1])] for p in points]
    except (ValueError, TypeError, KeyError, IndexError):
        return None
    return read if read and all(math.isfinite(v) for p in read for v in p) else None


def _old_geo(table: Table) -> dict[int, list[list[float]]]:
    """Read `bus_geodata` and `line_geodata`, where files older than pandapower 3 keep coordinates."""
    xs, ys, coords = table.column("x"), table.column("y"), table.column("coords")
    found = {}
    for i, index in enumerate(table.index):
        points = coords[i] if coords[i] else ([[xs[i], ys[i]]] if xs[i] is not None and ys[i] is not None else None)
        sound = _geo({"coordinates": points}) if points else None
        if sound:
            found[index] = sound
    return found


@dataclass(frozen=True)
class _Points:
    bus: np.ndarray
    line: tuple[np.ndarray | None, ...]
    offset: np.ndarray


def _points(tables: Tables, row: Mapping[int, int], offset_m: tuple[float, float]) -> _Points:
    """Return bus points and line courses in metres; longitudes and latitudes are flattened about their middle."""
    old_bus, old_line = _old_geo(tables["bus_geodata"]), _old_geo(tables["line_geodata"])
    bus = np.full((len(row), 2), np.nan)
    for i, (index, value) in enumerate(zip(tables["bus"].index, tables["bus"].column("geo"), strict=True)):
        found = _geo(value) or old_bus.get(index)
        if found:
            bus[i] = found[0]
    courses = [_geo(v) or old_line.get(i) for i, v in zip(tables["line"].index, tables["line"].column("geo"), strict=True)]
    known = bus[~np.isnan(bus[:, 0])]
    to_m = _degrees_to_m(known) if _in_degrees(tables, row, bus) else (lambda points: points)
    offset = np.asarray(offset_m, float)
    middle = to_m(known).mean(axis=0) if len(known) else np.zeros(2)
    bus = np.where(np.isnan(bus), middle, to_m(bus)) + offset
    return _Points(bus, tuple(None if c is None else to_m(np.asarray(c, float)) + offset for c in courses), offset)


def _in_degrees(tables: Tables, row: Mapping[int, int], bus: np.ndarray) -> bool:
    """Tell longitudes and latitudes from metres by the lines' lengths: a unit is some 100 km, or 1 m."""
    if not len(tables["line"]) or not (np.nanmax(np.abs(bus), initial=0.0) <= 180):
        return False
    pairs = _pairs(tables["line"], "from_bus", "to_bus", row)
    drawn = np.linalg.norm(bus[pairs[:, 0]] - bus[pairs[:, 1]], axis=1)
    return bool(np.nansum(drawn) > 0 and sum(tables["line"].column("length_km", 0.0)) / np.nansum(drawn) > 5)


def _degrees_to_m(known: np.ndarray) -> Any:
    middle = known.mean(axis=0)
    scale = np.radians(1.0) * _EARTH_M * np.array([np.cos(np.radians(middle[1])), 1.0])
    return lambda points: (points - middle) * scale


def _where(venue: Venue, points: _Points) -> np.ndarray:
    """Return the (1, 2) place of a venue: its own, or its bus's."""
    return points.bus[[venue.bus]] if venue.xy is None else np.array([venue.xy]) + points.offset


def _sets(
    tables: Tables,
    ids: Mapping[str, tuple[str, ...]],
    row: Mapping[int, int],
    points: _Points,
    sites: tuple[Sequence[Venue], Sequence[GasUnit]],
) -> dict[str, ElementSet]:
    at, (venues, gas_units) = points.bus, sites

    def ends(pairs: np.ndarray) -> list[np.ndarray]:
        return [at[pair] for pair in pairs]

    lines = ends(_pairs(tables["line"], "from_bus", "to_bus", row))
    lines = [straight if course is None else course for straight, course in zip(lines, points.line, strict=True)]
    on_bus = {table: [at[[row[bus]]] for bus in tables[table].column("bus")] for table in ("switch", "ext_grid")}
    sets = {
        "bus": ElementSet(ids["bus"], list(at[:, None, :]), label="buses"),
        "line": ElementSet(ids["line"], lines, label="lines"),
        "trafo": ElementSet(ids["trafo"], ends(_pairs(tables["trafo"], "hv_bus", "lv_bus", row)), label="transformers"),
        "switch": ElementSet(ids["switch"], on_bus["switch"], label="switches"),
        "ext_grid": ElementSet(ids["ext_grid"], on_bus["ext_grid"], label="infeeds"),
        "venue": ElementSet(tuple(v.id for v in venues), [_where(v, points) for v in venues], label="venues with backup"),
        "gas_unit": ElementSet(tuple(u.id for u in gas_units), [at[[u.bus]] for u in gas_units], label="gas-fired units"),
        "network": ElementSet(("grid",), [at.mean(axis=0, keepdims=True)], label="whole network"),
    }
    owners: dict[str, str] = {}
    for name, elements in sets.items():
        for id in elements.ids:
            if id in owners:
                raise InputError(Problem(f"'{id}' is both a {owners[id]} and a {name}: rename one", str(tables.path)))
            owners[id] = name
    return sets
