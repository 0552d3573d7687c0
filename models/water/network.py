"""Reads an EPANET input file without EPANET: ids, geometry and units, and every mistake with its line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from models.water.inpfile import InpFile
from twin.errors import InputError, Problem, nearest
from twin.ports import ElementSet

VALVES_LIMIT_BYTES = 8_000_000
FOOT_M = 0.3048
FLOW_M3_PER_S = {
    "CFS": FOOT_M**3,
    "GPM": 231 * 0.0254**3 / 60,
    "MGD": 231e6 * 0.0254**3 / 86400,
    "IMGD": 4546.09 / 86400,
    "AFD": 43560 * FOOT_M**3 / 86400,
    "LPS": 1e-3,
    "LPM": 1e-3 / 60,
    "MLD": 1e3 / 86400,
    "CMH": 1 / 3600,
    "CMD": 1 / 86400,
    "CMS": 1.0,
}
"""One unit of the file's flow in m3/s (EPANET 2.3 manual, appendix A; US gallon 231 in3, imperial 4.54609 l)."""
US_UNITS = ("CFS", "GPM", "MGD", "IMGD", "AFD")
_VALVE_TYPES = ("PRV", "PSV", "PBV", "FCV", "TCV", "GPV", "PCV")


@dataclass(frozen=True)
class Links:
    """Links of one kind: ids, the indices of their end nodes, and (pipes) length, bore and check valve."""

    ids: tuple[str, ...]
    ends: np.ndarray
    length_m: np.ndarray
    diameter_m: np.ndarray
    has_check_valve: np.ndarray


@dataclass(frozen=True)
class WaterNetwork:
    """An .inp file as data. Node indices run over junctions, then tanks, then reservoirs."""

    file: Path
    junctions: tuple[str, ...]
    tanks: tuple[str, ...]
    reservoirs: tuple[str, ...]
    xy: np.ndarray
    pipes: Links
    pumps: Links
    valves: Links
    vertices: dict[str, tuple[tuple[float, float], ...]]
    flow_units: str
    isolation_valves: frozenset[tuple[int, int]]
    """(pipe index, end 0 or 1) of every valve that a crew can close."""

    @property
    def nodes(self) -> tuple[str, ...]:
        """All node ids in the order of node indices."""
        return self.junctions + self.tanks + self.reservoirs

    @property
    def flow_m3_per_s(self) -> float:
        """One unit of the file's flow in m3/s."""
        return FLOW_M3_PER_S[self.flow_units]

    @property
    def length_m(self) -> float:
        """One unit of the file's lengths and heads in metres."""
        return FOOT_M if self.flow_units in US_UNITS else 1.0

    @cached_property
    def _sets(self) -> dict[str, ElementSet]:
        at = {"junction": (self.junctions, 0), "tank": (self.tanks, len(self.junctions))}
        at["reservoir"] = (self.reservoirs, len(self.junctions) + len(self.tanks))
        sets = {
            name: ElementSet(ids, [self.xy[first + i : first + i + 1] for i in range(len(ids))], label=f"{name}s")
            for name, (ids, first) in at.items()
        }
        for name, links in (("pipe", self.pipes), ("pump", self.pumps), ("valve", self.valves)):
            sets[name] = ElementSet(
                links.ids, [self._line(name, *ends) for name, ends in zip(links.ids, links.ends, strict=True)], label=f"{name}s"
            )
        return sets

    def _line(self, link: str, start: int, end: int) -> np.ndarray:
        return np.array([self.xy[start], *self.vertices.get(link, ()), self.xy[end]])

    def elements(self) -> dict[str, ElementSet]:
        """Return the element sets junction, tank, reservoir, pipe, pump and valve with their shapes in metres."""
        return self._sets


def read_network(file: Path, valves: Path | None = None, offset_m: tuple[float, float] = (0.0, 0.0)) -> WaterNetwork:
    """Read `file` (.inp) and, if given, the isolation valves (`id,pipe,end`); InputError holds every problem found."""
    reader = InpFile(Path(file))
    reader.read()
    units = _units(reader)
    nodes = _ids(reader, ("JUNCTIONS", "TANKS", "RESERVOIRS"), "node")
    links = _ids(reader, ("PIPES", "PUMPS", "VALVES"), "link")
    if not reader.problems or nodes:
        _references(reader, nodes, links)
    length = FOOT_M if units in US_UNITS else 1.0
    bore = 0.0254 if units in US_UNITS else 1e-3
    parts = {name: _links(reader, name, nodes, length, bore) for name in ("PIPES", "PUMPS", "VALVES")}
    _numbers(reader)
    _joined(reader)
    xy, vertices = _geometry(reader, nodes, links, offset_m)
    if not reader.rows["RESERVOIRS"] and not reader.rows["TANKS"] and nodes:
        reader.wrong("no reservoir and no tank: nothing feeds this network")
    crew = _isolation_valves(reader, valves, parts["PIPES"])
    if reader.problems:
        raise InputError(sorted(reader.problems, key=lambda p: (p.file, p.line)))
    ids = {name: tuple(row.words[0] for row in reader.rows[name]) for name in ("JUNCTIONS", "TANKS", "RESERVOIRS")}
    return WaterNetwork(
        Path(file),
        ids["JUNCTIONS"],
        ids["TANKS"],
        ids["RESERVOIRS"],
        xy,
        parts["PIPES"],
        parts["PUMPS"],
        parts["VALVES"],
        vertices,
        units,
        crew,
    )


def _units(reader: InpFile) -> str:
    for row in reader.rows["OPTIONS"]:
        if row.words[0].upper() == "UNITS" and len(row.words) > 1:
            name = row.words[1].upper()
            if name not in FLOW_M3_PER_S:
                reader.wrong(nearest(name, FLOW_M3_PER_S, what="flow unit"), row.line)
                return "CMS"
            return name
    return "GPM"


def _ids(reader: InpFile, sections: tuple[str, ...], what: str) -> dict[str, int]:
    """Return id -> index over the sections in order; an id that occurs twice is a problem."""
    seen: dict[str, int] = {}
    first: dict[str, int] = {}
    for section in sections:
        for row in reader.rows[section]:
            name = row.words[0]
            if name in seen:
                reader.wrong(f"{what} '{name}' occurs twice; the first is in line {first[name]}", row.line)
            seen.setdefault(name, len(seen))
            first.setdefault(name, row.line)
    if not seen:
        reader.wrong(f"no {what}s: nothing in [{'], ['.join(sections)}]")
    return seen


def _references(reader: InpFile, nodes: dict[str, int], links: dict[str, int]) -> None:
    """Check that every name used in the file is one it defines."""
    for section, kind in (("PIPES", "pipe"), ("PUMPS", "pump"), ("VALVES", "valve")):
        for row in reader.rows[section]:
            for end in row.words[1:3]:
                if end not in nodes:
                    reader.wrong(f"{kind} '{row.words[0]}': {nearest(end, nodes, what='node')}", row.line)
    for section, known, what in (("DEMANDS", nodes, "node"), ("EMITTERS", nodes, "node"), ("STATUS", links, "link")):
        for row in reader.rows[section]:
            if row.words[0] not in known and row.words[0].upper() != "MULTIPLY":
                reader.wrong(nearest(row.words[0], known, what=what), row.line)
    _curves_and_patterns(reader)


def _joined(reader: InpFile) -> None:
    """Check that every node hangs on a link: EPANET solves no other network."""
    held = {end for section in ("PIPES", "PUMPS", "VALVES") for row in reader.rows[section] for end in row.words[1:3]}
    for section in ("JUNCTIONS", "TANKS", "RESERVOIRS"):
        for row in reader.rows[section]:
            if row.words[0] not in held:
                reader.wrong(f"node '{row.words[0]}' hangs on no pipe, pump or valve", row.line)


def _curves_and_patterns(reader: InpFile) -> None:
    patterns = {row.words[0] for row in reader.rows["PATTERNS"]}
    curves = {row.words[0] for row in reader.rows["CURVES"]}
    places = (
        ("JUNCTIONS", 3, patterns, "pattern"),
        ("RESERVOIRS", 2, patterns, "pattern"),
        ("DEMANDS", 2, patterns, "pattern"),
        ("TANKS", 7, curves, "curve"),
    )
    for section, place, known, what in places:
        for row in reader.rows[section]:
            name = row.words[place] if len(row.words) > place else "*"
            if name not in known and name != "*":
                reader.wrong(f"'{row.words[0]}': {nearest(name, known, what=what)}", row.line)
    for row in reader.rows["PUMPS"]:
        words = [word.upper() for word in row.words[3:]]
        for key, known, what in (("HEAD", curves, "curve"), ("PATTERN", patterns, "pattern")):
            if key in words[:-1] and row.words[4 + words.index(key)] not in known:
                reader.wrong(f"pump '{row.words[0]}': {nearest(row.words[4 + words.index(key)], known, what=what)}", row.line)


def _links(reader: InpFile, section: str, nodes: dict[str, int], length: float, bore: float) -> Links:
    rows = reader.rows[section]
    ends = np.array([[nodes.get(row.words[1], 0), nodes.get(row.words[2], 0)] for row in rows], dtype=int).reshape(-1, 2)
    one = np.ones(len(rows))
    lengths, bores, checks = one, one, np.zeros(len(rows), bool)
    for row in rows:
        if row.words[1] == row.words[2]:
            reader.wrong(f"'{row.words[0]}' starts and ends at node '{row.words[1]}'", row.line)
    if section == "PIPES":
        lengths = np.array([reader.number(row, 3, "length", above=0) for row in rows])
        bores = np.array([reader.number(row, 4, "diameter", above=0) for row in rows])
        for row in rows:
            reader.number(row, 5, "roughness", above=0)
        checks = np.array([any(word.upper() == "CV" for word in row.words[6:8]) for row in rows], dtype=bool)
    elif section == "VALVES":
        bores = np.array([reader.number(row, 3, "diameter", above=0) for row in rows])
        for row in rows:
            if row.words[4].upper() not in _VALVE_TYPES:
                reader.wrong(f"valve '{row.words[0]}': {nearest(row.words[4], _VALVE_TYPES, what='valve type')}", row.line)
    return Links(tuple(row.words[0] for row in rows), ends, lengths * length, bores * bore, checks)


def _numbers(reader: InpFile) -> None:
    for row in reader.rows["JUNCTIONS"]:
        reader.number(row, 1, "elevation")
        reader.number(row, 2, "demand")
    for section, what in (("DEMANDS", "demand"), ("EMITTERS", "emitter coefficient"), ("RESERVOIRS", "head")):
        for row in reader.rows[section]:
            reader.number(row, 1, what)
    for row in reader.rows["PATTERNS"]:
        for place in range(1, len(row.words)):
            reader.number(row, place, "multiplier")
    for row in reader.rows["TANKS"]:
        _, start, low, high = (
            reader.number(row, place, what) for place, what in enumerate(("elevation", "initial level", "lowest level", "highest level"), 1)
        )
        reader.number(row, 5, "diameter", above=-1e-12)
        if not low <= start <= high:
            reader.wrong(f"tank '{row.words[0]}' starts at {start:g}, outside its levels {low:g} to {high:g}", row.line)


def _geometry(
    reader: InpFile, nodes: dict[str, int], links: dict[str, int], offset_m: tuple[float, float]
) -> tuple[np.ndarray, dict[str, tuple[tuple[float, float], ...]]]:
    """Return node positions (n, 2) and the vertices of links; a node without coordinates lies at the middle of all."""
    xy = np.full((len(nodes), 2), np.nan)
    for row in reader.rows["COORDINATES"]:
        if row.words[0] not in nodes:
            reader.wrong(f"coordinates of an unknown node: {nearest(row.words[0], nodes, what='node')}", row.line)
            continue
        xy[nodes[row.words[0]]] = reader.number(row, 1, "x"), reader.number(row, 2, "y")
    known = ~np.isnan(xy[:, 0])
    xy[~known] = xy[known].mean(axis=0) if known.any() else 0.0
    bends: dict[str, list[tuple[float, float]]] = {}
    for row in reader.rows["VERTICES"]:
        if row.words[0] not in links:
            reader.wrong(f"vertex of an unknown link: {nearest(row.words[0], links, what='link')}", row.line)
            continue
        bends.setdefault(row.words[0], []).append((reader.number(row, 1, "x") + offset_m[0], reader.number(row, 2, "y") + offset_m[1]))
    return xy + np.asarray(offset_m), {name: tuple(points) for name, points in bends.items()}


def _isolation_valves(reader: InpFile, file: Path | None, pipes: Links) -> frozenset[tuple[int, int]]:
    """Return where crews can close: the rows of `file`, or both ends of every pipe without a check valve."""
    if file is None:
        return frozenset((i, end) for i in range(len(pipes.ids)) if not pipes.has_check_valve[i] for end in (0, 1))
    index = {name: i for i, name in enumerate(pipes.ids)}
    found, ids = set(), set()
    for line, row in _csv(reader, file):
        name, pipe, end = (row.get(key, "").strip() for key in ("id", "pipe", "end"))
        wrong = []
        if pipe not in index:
            wrong.append(f"valve '{name}': {nearest(pipe, index, what='pipe')}")
        if end not in ("start", "end"):
            wrong.append(f"valve '{name}': end is '{end}'; write 'start' or 'end' of the pipe")
        if name in ids:
            wrong.append(f"valve '{name}' occurs twice")
        reader.problems += [Problem(what, str(file), line) for what in wrong]
        ids.add(name)
        if not wrong:
            found.add((index[pipe], int(end == "end")))
    return frozenset(found)


def _csv(reader: InpFile, file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        if file.stat().st_size > VALVES_LIMIT_BYTES:
            reader.problems.append(Problem(f"larger than the {VALVES_LIMIT_BYTES:,} bytes that are read", str(file)))
            return
        with file.open(newline="", encoding="utf-8") as stream:
            table = csv.DictReader(stream)
            if set(table.fieldnames or ()) != {"id", "pipe", "end"}:
                reader.problems.append(Problem("the first line must be id,pipe,end", str(file), 1))
                return
            for row in table:
                yield table.line_num, {key: value or "" for key, value in row.items() if key}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reader.problems.append(Problem(f"cannot be read: {error}", str(file)))
