"""Who drives: departures in SUMO's route files, checked against the network and thinned evenly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.traffic.xmlfiles import scan
from twin.errors import Problem, nearest

_ROOTS = ("routes", "additional", "add", "trips", "vehicles", "vTypes", "meandata")
_DRIVERS = frozenset({"vehicle", "trip"})
MOST_OF_A_FLOW, FASTEST_FLOW_PER_S = 1_000_000, 100.0
"""A flow of more is no road's."""
_SHOWN = 20
"""Problems of one file that are told one by one; the rest are counted."""


@dataclass(frozen=True)
class Demand:
    """The departures of a run: `departing` trips in [begin_s, begin_s + duration), `wanted` of them kept (None: all).

    `stops`: bus stop id -> (edge, metres along it).
    """

    begin_s: int
    duration_s: int
    departing: int = 0
    wanted: int | None = None
    stops: dict[str, tuple[str, float]] = field(default_factory=dict)
    types: frozenset[str] = frozenset()
    """Vehicle types that the files declare."""


class _DemandFile:
    """Counts departures and checks edges while a route or additional file streams by."""

    def __init__(self, edges: frozenset[str]) -> None:
        self.edges = edges
        self.problems: list[tuple[str, int]] = []
        self.departs: list[float] = []
        self.sources = 0
        self.stops: dict[str, tuple[str, float]] = {}
        self.types: set[str] = set()
        self.depart: float | None = None
        self.served = False

    def seen(self, tag: str, given: Mapping[str, str], line: int) -> None:
        """Take one element of the file."""
        if tag == "route":
            self._known(given.get("edges", "").split(), line)
        elif tag in _DRIVERS:
            self.depart, self.served = seconds(given.get("depart", "")), False
            self.sources += 1
            self._known([given[key] for key in ("from", "to") if key in given] + given.get("via", "").split(), line)
        elif tag in ("flow", "person", "personFlow", "container"):
            self.sources += 1
            if tag == "flow":
                self._countable(given, line)
                self._known([given[key] for key in ("from", "to") if key in given], line)
        elif tag == "stop":
            self.served = True
        elif tag in ("vType", "vTypeDistribution"):
            self.types.add(given.get("id", ""))
        elif tag in ("busStop", "trainStop") and "lane" in given:
            self._stop(given, line)

    def _countable(self, given: Mapping[str, str], line: int) -> None:
        """Refuse a flow of more vehicles than a machine can hold."""
        try:
            number, rate = float(given.get("number", 0)), float(given.get("vehsPerHour", 0)) / 3600.0
            period = given.get("period", "").removeprefix("exp(").removesuffix(")")
            rate = max(rate, float(period) if "exp(" in given.get("period", "") else 1.0 / float(period)) if period else rate
        except (ValueError, ZeroDivisionError):
            number, rate = 0.0, float("inf")
        if not (number <= MOST_OF_A_FLOW and rate <= FASTEST_FLOW_PER_S):
            what = f"at most {MOST_OF_A_FLOW:,} vehicles, and {FASTEST_FLOW_PER_S:g} a second"
            self.problems.append((f"flow '{given.get('id', '')}': {what}, can be read of it", line))

    def _known(self, named: Sequence[str], line: int) -> None:
        if self.edges.issuperset(named):
            return
        for edge in named:
            if edge not in self.edges:
                self.problems.append((nearest(edge, sorted(self.edges), what="edge"), line) if len(self.problems) < _SHOWN else ("", line))

    def left(self, tag: str) -> None:
        """Count a driver whose element ended, unless it serves stops (buses are never thinned)."""
        if tag in _DRIVERS and self.depart is not None and not self.served:
            self.departs.append(self.depart)
        if tag in _DRIVERS:
            self.depart = None

    def _stop(self, given: Mapping[str, str], line: int) -> None:
        edge = given["lane"].rpartition("_")[0]
        if edge not in self.edges:
            self.problems.append((f"stop '{given.get('id', '')}': {nearest(edge, sorted(self.edges), what='edge')}", line))
            return
        try:
            self.stops[given["id"]] = (edge, (float(given.get("startPos", 0)) + float(given.get("endPos", 0))) / 2)
        except (KeyError, ValueError) as error:
            self.problems.append((f"<busStop>: {error}", line))


def seconds(text: str) -> float | None:
    """Read SUMO's departure time: seconds or `h:m:s`; None for `triggered` and the like."""
    try:
        if ":" not in text:
            return float(text)
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        return None
    return sum(part * 60**power for power, part in enumerate(reversed(parts)))


def read_demand(
    routes: Sequence[Path], additional: Sequence[Path], edges: frozenset[str], *, begin_s: int, duration_s: int, wanted: int | None
) -> tuple[Demand, list[Problem]]:
    """Read route and additional files; returns the demand of the run and everything wrong with the files."""
    problems: list[Problem] = []
    departs: list[float] = []
    sources = 0
    stops: dict[str, tuple[str, float]] = {}
    types: set[str] = set()
    for path in (*additional, *routes):
        file = _DemandFile(edges)
        problems += scan(path, _ROOTS, file.seen, file.left)
        problems += [Problem(what, str(path), line) for what, line in file.problems[:_SHOWN]]
        if len(file.problems) > _SHOWN:
            problems.append(Problem(f"and {len(file.problems) - _SHOWN} more like these", str(path), file.problems[_SHOWN][1]))
        departs += file.departs
        sources += file.sources
        stops.update(file.stops)
        types |= file.types
    departing = _within(departs, begin_s, duration_s)
    run = f"in the run (seconds {begin_s} to {begin_s + duration_s})"
    if not problems and wanted is not None and wanted > departing:
        problems.append(Problem(f"vehicles: {wanted}, but only {departing} trips of the pack depart {run}"))
    elif not problems and departs and sources == len(departs) and not departing and wanted != 0:
        what = f"none of the {len(departs)} trips departs {run}, they do from {min(departs):g} to {max(departs):g}"
        problems.append(Problem(f"{what}: set `begin`, or `vehicles: 0` for empty roads", str(routes[0]) if routes else ""))
    return Demand(begin_s, duration_s, departing, wanted, stops, frozenset(types)), problems


def _within(departs: Iterable[float], begin_s: int, duration_s: int) -> int:
    return sum(begin_s <= depart < begin_s + duration_s for depart in departs)


def thin(demand: Demand, source: Path, target: Path, before: int) -> int:
    """Copy `source` to `target` with every (departing/wanted)-th trip of the run; returns how many trips it passed.

    `before`: trips passed in earlier files, so that the choice is even over all of them. A trip is kept when
    the running count times wanted/departing passes a whole number; no random number is drawn.
    """
    from defusedxml.ElementTree import parse

    tree = parse(source, forbid_dtd=True)
    root = tree.getroot()
    passed, wanted, of = before, demand.wanted or 0, max(demand.departing, 1)
    kept = []
    for one in root:
        depart = seconds(one.get("depart", "")) if one.tag in _DRIVERS else None
        if depart is None or one.find("stop") is not None:
            kept.append(one)
        elif _within([depart], demand.begin_s, demand.duration_s):
            passed += 1
            if passed * wanted // of > (passed - 1) * wanted // of:
                kept.append(one)
    root[:] = kept
    tree.write(target, encoding="utf-8", xml_declaration=True)
    return passed - before
