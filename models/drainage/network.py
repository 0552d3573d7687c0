"""Reads a SWMM input file without SWMM: ids, geometry, pumps' levels, rain; and which street each node's water stands on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from models.drainage.csvrows import read_rows
from models.drainage.inpfile import InpFile
from models.drainage.series import Series, read_begin, read_series
from twin.errors import InputError, Problem, nearest
from twin.ports import ElementSet
from twin.sectioned import Row

FOOT_M = 0.3048
FLOW_M3_PER_S = {"CFS": FOOT_M**3, "GPM": 231 * 0.0254**3 / 60, "MGD": 231e6 * 0.0254**3 / 86400, "CMS": 1.0, "LPS": 1e-3}
FLOW_M3_PER_S["MLD"] = 1000.0 / 86400
"""One unit of the file's flow in m3/s (SWMM 5.2 user's manual, FLOW_UNITS; US gallon 231 in3)."""
US_UNITS = ("CFS", "GPM", "MGD")
_NODES, _LINKS = ("JUNCTIONS", "OUTFALLS", "STORAGE", "DIVIDERS"), ("CONDUITS", "PUMPS", "ORIFICES", "WEIRS", "OUTLETS")
SURFACE_HEADER = ["id", "kind", "node", "road_m", "path"]
SURFACE_KINDS = ("street", "underpass")
STREET_M = 14.0
"""How wide a street's water is drawn."""


@dataclass(frozen=True)
class Pump:
    """A pump: end nodes, whether it starts on, and the depths in its wet well (m) at which it starts and stops; 0 for neither."""

    id: str
    start: str
    end: str
    starts_on: bool
    on_m: float
    off_m: float


@dataclass(frozen=True)
class Surfaces:
    """Where water stands: (surface, node) pairs and the height of the road above the node's invert; shapes per surface."""

    ids: tuple[str, ...] = ()
    shapes: tuple[np.ndarray, ...] = ()
    surface: np.ndarray = field(default_factory=lambda: np.empty(0, int))
    node: np.ndarray = field(default_factory=lambda: np.empty(0, int))
    road_m: np.ndarray = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class DrainageNetwork:
    """An .inp file as data; ids in the file's order, which is not SWMM's own."""

    file: Path
    nodes: tuple[str, ...]
    invert_m: np.ndarray
    full_m: np.ndarray
    ponded_m2: np.ndarray
    outfalls: tuple[str, ...]
    storages: tuple[str, ...]
    xy: np.ndarray
    links: dict[str, tuple[str, str]]
    conduits: tuple[str, ...]
    pumps: tuple[Pump, ...]
    catchments: tuple[str, ...]
    catchment_gage: np.ndarray
    catchment_rings: tuple[np.ndarray, ...]
    area_ha: np.ndarray
    gages: tuple[str, ...]
    series: tuple[Series, ...]
    flow_units: str
    height_m: np.ndarray
    wet_s: int
    vertices: dict[str, list[tuple[float, float]]]
    streets: Surfaces
    underpasses: Surfaces

    @property
    def flow_m3_per_s(self) -> float:
        """One unit of the file's flow in m3/s."""
        return FLOW_M3_PER_S[self.flow_units]

    @property
    def length_m(self) -> float:
        """One unit of the file's lengths in metres."""
        return FOOT_M if self.flow_units in US_UNITS else 1.0

    @property
    def rain_mm(self) -> float:
        """One unit of the file's rain in mm."""
        return 25.4 if self.flow_units in US_UNITS else 1.0

    @cached_property
    def no_street(self) -> np.ndarray:
        """Which nodes have no street above them: outfalls and storage; (nodes,)."""
        other = {*self.outfalls, *self.storages}
        return np.array([name in other for name in self.nodes])

    @cached_property
    def outfall_at(self) -> list[int]:
        """Where the outfalls are among the nodes."""
        return [self.nodes.index(name) for name in self.outfalls]

    @cached_property
    def gage_xy(self) -> np.ndarray:
        """Where it rains at each gage: the mean of its catchments' middles; (gages, 2) metres."""
        middle = np.array([ring.mean(axis=0) for ring in self.catchment_rings]).reshape(-1, 2)
        own = [middle[self.catchment_gage == g] for g in range(len(self.gages))]
        return np.array([one.mean(axis=0) if len(one) else np.zeros(2) for one in own]).reshape(-1, 2)

    @cached_property
    def _sets(self) -> dict[str, ElementSet]:
        at = {name: self.xy[i] for i, name in enumerate(self.nodes)}

        def lines(names: tuple[str, ...]) -> list[np.ndarray]:
            return [np.array([at[self.links[n][0]], *self.vertices.get(n, ()), at[self.links[n][1]]]) for n in names]

        pumps = tuple(pump.id for pump in self.pumps)
        return {
            "node": ElementSet(self.nodes, [xy[None] for xy in self.xy], label="manholes and wet wells"),
            "outfall": ElementSet(self.outfalls, [at[n][None] for n in self.outfalls], label="outfalls"),
            "conduit": ElementSet(self.conduits, lines(self.conduits), label="sewers"),
            "pump": ElementSet(pumps, [at[self.links[n][0]][None] for n in pumps], label="drainage pumps"),
            "catchment": ElementSet(self.catchments, self.catchment_rings, closed=True, label="catchments"),
            "street": ElementSet(self.streets.ids, [ribbon(path) for path in self.streets.shapes], closed=True, label="streets"),
            "underpass": ElementSet(self.underpasses.ids, self.underpasses.shapes, label="underpasses"),
            "network": ElementSet(("all",), label="whole network"),
        }

    def elements(self) -> dict[str, ElementSet]:
        """Return the element sets node, outfall, conduit, pump, catchment, street, underpass and network."""
        return self._sets


def read_network(file: Path, surfaces: Path | None = None, offset_m: tuple[float, float] = (0.0, 0.0)) -> DrainageNetwork:
    """Read `file` (.inp) and, if given, the surfaces (`id,kind,node,road_m,path`); InputError holds every problem found."""
    reader = InpFile(Path(file))
    reader.read()
    _refuse(reader)
    units = reader.option("FLOW_UNITS", "CFS")
    if units not in FLOW_M3_PER_S:
        reader.wrong(nearest(units, FLOW_M3_PER_S, what="FLOW_UNITS"))
        units = "CMS"
    length = FOOT_M if units in US_UNITS else 1.0
    nodes = _ids(reader, _NODES, "node")
    links = _ids(reader, _LINKS, "link")
    gages = _ids(reader, ("RAINGAGES",), "rain gage")
    ends = {name: (row.words[1], row.words[2]) for name, (_, row) in links.items()}
    for name, (_, row) in links.items():
        for end in ends[name]:
            if end not in nodes:
                reader.wrong(f"'{name}': {nearest(end, nodes, what='node')}", row.line)
    move = np.asarray(offset_m)
    xy = _coordinates(reader, nodes, move)
    depths = {name: _depths(reader, section, row, length) for name, (section, row) in nodes.items()}
    catchments, gage, rings, area = _catchments(reader, nodes, gages, xy, move)
    begin = read_begin(reader)
    series = tuple(read_series(reader, row, begin) for _, row in gages.values())
    pumps = tuple(_pump(reader, row, length) for section, row in links.values() if section == "PUMPS")
    vertices: dict[str, list[tuple[float, float]]] = {}
    for row in reader.rows["VERTICES"]:
        at = (reader.number(row, 1, "x") + move[0], reader.number(row, 2, "y") + move[1])
        vertices.setdefault(row.words[0], []).append(at)
    names = tuple(nodes)
    streets, underpasses = _surfaces(reader, surfaces, names, xy, move)
    conduits = tuple(name for name, (section, _) in links.items() if section == "CONDUITS")
    heights, wet_s = _heights(reader, conduits, length), _wet_s(reader)
    if reader.problems:
        raise InputError(sorted(reader.problems, key=lambda p: (p.file, p.line)))
    return DrainageNetwork(
        Path(file),
        names,
        np.array([depths[n][0] for n in names]),
        np.array([depths[n][1] for n in names]),
        np.array([depths[n][2] for n in names]),
        tuple(n for n, (section, _) in nodes.items() if section == "OUTFALLS"),
        tuple(n for n, (section, _) in nodes.items() if section == "STORAGE"),
        np.array([xy[n] for n in names]).reshape(-1, 2),
        ends,
        conduits,
        pumps,
        catchments,
        gage,
        rings,
        area,
        tuple(gages),
        series,
        units,
        heights,
        wet_s,
        vertices,
        streets,
        underpasses,
    )


def _refuse(reader: InpFile) -> None:
    """Refuse what would make SWMM read or write other files, or route in a way that knows no backwater."""
    for row in reader.rows["FILES"]:
        reader.wrong("[FILES] would make SWMM read or write other files; take it out", row.line)
    for section, first in (("TIMESERIES", 1), ("TEMPERATURE", 0), ("RAINGAGES", 1)):
        for row in reader.rows[section]:
            if any(word.upper().startswith("FILE") for word in row.words[first:5]):
                reader.wrong(f"[{section}] '{row.words[0]}' names a file outside the pack; write its values here", row.line)
    for row in reader.rows["LID_USAGE"]:
        if row.words[8:9] not in ((), ("*",)):
            reader.wrong(f"[LID_USAGE] '{row.words[0]}' names a report file, which SWMM would write; write * there", row.line)
    for row in reader.rows["OPTIONS"]:
        if row.words[0].upper().startswith("TEMPDIR"):
            reader.wrong("TEMPDIR would make SWMM write in another folder; take it out", row.line)
    routing = reader.option("FLOW_ROUTING", "DYNWAVE")
    if routing not in ("DYNWAVE", "DW"):
        reader.wrong(f"FLOW_ROUTING {routing}: only DYNWAVE knows backwater, surcharge and ponding")


def _ids(reader: InpFile, sections: tuple[str, ...], what: str) -> dict[str, tuple[str, Row]]:
    found: dict[str, tuple[str, Row]] = {}
    for section in sections:
        for row in reader.rows[section]:
            name = row.words[0]
            if name in found:
                reader.wrong(f"{what} '{name}' occurs twice, first at line {found[name][1].line}", row.line)
            found[name] = (section, row)
    if not found:
        reader.wrong(f"no {what} in {', '.join(f'[{s}]' for s in sections)}")
    return found


def _coordinates(reader: InpFile, nodes: dict[str, tuple[str, Row]], move: np.ndarray) -> dict[str, np.ndarray]:
    xy = {row.words[0]: np.array([reader.number(row, 1, "x"), reader.number(row, 2, "y")]) + move for row in reader.rows["COORDINATES"]}
    for name, (_, row) in nodes.items():
        if name not in xy:
            reader.wrong(f"node '{name}' has no line in [COORDINATES]", row.line)
            xy[name] = np.zeros(2)
    return xy


def _depths(reader: InpFile, section: str, row: Row, length: float) -> tuple[float, float, float]:
    """Return a node's invert, full depth and ponded area in metres."""
    invert = reader.number(row, 1, "invert") * length
    if section == "OUTFALLS":
        return invert, 0.0, 0.0
    if section == "DIVIDERS":
        reader.wrong(f"divider '{row.words[0]}': dynamic wave routing takes it for a junction; write it as one", row.line)
        return invert, 0.0, 0.0
    full = reader.number(row, 2, "depth") * length
    pond = reader.number(row, 5, "ponded area") * length**2 if section == "JUNCTIONS" else 0.0
    return invert, full, pond


def _catchments(
    reader: InpFile, nodes: dict[str, tuple[str, Row]], gages: dict[str, tuple[str, Row]], xy: dict[str, np.ndarray], move: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray, tuple[np.ndarray, ...], np.ndarray]:
    found = _ids(reader, ("SUBCATCHMENTS",), "subcatchment")
    order = {name: i for i, name in enumerate(gages)}
    corners: dict[str, list[tuple[float, float]]] = {}
    for row in reader.rows["POLYGONS"]:
        corners.setdefault(row.words[0], []).append((reader.number(row, 1, "x"), reader.number(row, 2, "y")))
    gage, rings, area = [], [], []
    for name, (_, row) in found.items():
        gage_id, outlet = row.words[1], row.words[2]
        if gage_id not in order:
            reader.wrong(f"'{name}': {nearest(gage_id, order, what='rain gage')}", row.line)
        if outlet not in nodes and outlet not in found:
            reader.wrong(f"'{name}': {nearest(outlet, nodes, what='node')}", row.line)
        gage.append(order.get(gage_id, 0))
        area.append(reader.number(row, 3, "area", above=0.0) * (0.40468564224 if reader.option("FLOW_UNITS", "CFS") in US_UNITS else 1.0))
        side = 5.0
        ring = np.array(corners[name]) + move if len(corners.get(name, ())) > 2 else xy.get(outlet, np.zeros(2)) + side * _SQUARE
        rings.append(ring)
    return tuple(found), np.array(gage, int), tuple(rings), np.array(area)


_SQUARE = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])


def _pump(reader: InpFile, row: Row, length: float) -> Pump:
    status = row.words[4].upper() if len(row.words) > 4 else "ON"
    levels = [reader.number(row, place, what) * length for place, what in ((5, "start depth"), (6, "stop depth"))]
    return Pump(row.words[0], row.words[1], row.words[2], status == "ON", *levels)


def _wet_s(reader: InpFile) -> int:
    """Return the runoff step while it rains."""
    try:
        parts = [int(part) for part in reader.option("WET_STEP", "00:05:00").split(":")]
    except ValueError:
        parts = []
    if len(parts) != 3 or not any(parts):
        reader.wrong("WET_STEP: write hours, minutes and seconds, such as 00:01:00")
        return 60
    return parts[0] * 3600 + parts[1] * 60 + parts[2]


def _heights(reader: InpFile, conduits: tuple[str, ...], length: float) -> np.ndarray:
    """Return the height of each conduit's section; 1 m where the file gives it by a table elsewhere."""
    sizes = {row.words[0]: row for row in reader.rows["XSECTIONS"]}
    heights = []
    for name in conduits:
        row = sizes.get(name)
        if row is None:
            reader.wrong(f"conduit '{name}' has no line in [XSECTIONS]")
        tabled = row is None or row.words[1].upper() in ("IRREGULAR", "STREET")
        heights.append(1.0 if tabled else reader.number(row, 2, "height", above=0.0) * length)
    return np.array(heights)


def ribbon(path: np.ndarray) -> np.ndarray:
    """Return the ring round a street's middle line, `STREET_M` wide: where its water stands."""
    if len(path) < 2:
        return path + 0.5 * STREET_M * _SQUARE
    ways = np.diff(path, axis=0)
    ways = ways / np.maximum(np.hypot(*ways.T), 1e-9)[:, None]
    along = np.vstack([ways[:1], ways[:-1] + ways[1:], ways[-1:]])
    along = along / np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    aside = 0.5 * STREET_M * np.column_stack([along[:, 1], -along[:, 0]])
    return np.concatenate([path + aside, (path - aside)[::-1]])


def _surfaces(
    reader: InpFile, file: Path | None, nodes: tuple[str, ...], xy: dict[str, np.ndarray], move: np.ndarray
) -> tuple[Surfaces, Surfaces]:
    """Read which streets and underpasses the nodes' water stands on."""
    if file is None:
        return Surfaces(), Surfaces()
    found: dict[str, dict[str, list[tuple[int, float]]]] = {kind: {} for kind in SURFACE_KINDS}
    shapes: dict[str, np.ndarray] = {}
    at = {name: i for i, name in enumerate(nodes)}

    def wrong(what: str, line: int) -> None:
        reader.problems.append(Problem(what, str(file), line))

    rows = read_rows(Path(file))
    if not rows or rows[0][1] != SURFACE_HEADER:
        wrong(f"the first line is '{','.join(rows[0][1] if rows else ())[:60]}'; write '{','.join(SURFACE_HEADER)}'", 1)
        return Surfaces(), Surfaces()
    for line, row in rows[1:]:
        if len(row) != len(SURFACE_HEADER):
            wrong(f"{len(row)} values; a line has {len(SURFACE_HEADER)}", line)
            continue
        name, kind, node, road, path = row
        if kind not in SURFACE_KINDS:
            wrong(nearest(kind, SURFACE_KINDS, what="kind of surface"), line)
        elif node not in at:
            wrong(nearest(node, nodes, what="node"), line)
        else:
            try:
                road_m = _finite(road)
                if path:
                    shapes[f"{kind}:{name}"] = np.array([[_finite(v) for v in point.split()] for point in path.split(";")]) + move
                found[kind].setdefault(name, []).append((at[node], road_m))
            except ValueError:
                wrong(f"'{road[:40]}' and '{path[:40]}': write the road's height in metres, and its course as 'x y;x y'", line)
    return tuple(_gather(kind, found[kind], shapes, nodes, xy) for kind in SURFACE_KINDS)  # type: ignore[return-value]


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _gather(
    kind: str, found: dict[str, list[tuple[int, float]]], shapes: dict[str, np.ndarray], nodes: tuple[str, ...], xy: dict[str, np.ndarray]
) -> Surfaces:
    drawn = []
    for name, ends in found.items():
        course = shapes.get(f"{kind}:{name}")
        drawn.append(course if course is not None and course.shape[-1] == 2 else xy[nodes[ends[0][0]]][None])
    flat = [(i, node, road) for i, ends in enumerate(found.values()) for node, road in ends]
    columns = list(zip(*flat, strict=True)) if flat else [(), (), ()]
    return Surfaces(tuple(found), tuple(drawn), np.array(columns[0], int), np.array(columns[1], int), np.array(columns[2], float))
