"""Lay a medium-voltage network along a district's streets: substations, ringed feeders, ties, and who hangs on them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.grid.drawing import Drawing
from models.grid.netfile import write_network
from models.grid.network import read_network
from models.grid.streetwise import Kiosk, Streets, kiosks, rings, serve, totals
from models.grid.trade import Bench, Findings, examine, tap
from twin.base import Base, Coupling, Laid, Need
from twin.errors import InputError, Problem
from twin.model import Setup

EVENING_W_PER_M2 = {"residential": 5.0, "office": 5.0, "commercial": 20.0, "venue": 10.0, "hospital": 25.0, "school": 2.0}
"""Diversified demand at the 10 kV station in the evening peak of August, by use of building: synthetic."""
OTHER_W_PER_M2 = 5.0
"""The same for any other use: synthetic."""
POWER_FACTOR = 0.95
"""Of all loads: synthetic."""
CABLE = "NA2XS2Y 1x240 RM/25 6/10 kV"
TRAFOS = ("25 MVA 110/10 kV", "40 MVA 110/10 kV", "63 MVA 110/10 kV")
RING_SHARE = 0.86
"""Share of a cable's rating that a whole ring may ask for, so that one head can carry both feeders with their losses."""
FIRM_SHARE = 0.92
"""Share of one transformer's rating that a substation may ask for, so that either can carry all."""
BUSBAR_PU = 1.035
"""What the taps aim at on the 10 kV busbars at peak."""
STATION_MVA = 2 * 40.0
"""Capacity of a substation whose place says none: synthetic."""
BACKED_UP = {"stadium": (1.2, 0.02, 120), "hospital": (1.5, 0.25, 15), "village": (0.8, 0.05, 60), "venue": (0.5, 0.02, 120)}
"""Essential load (MW), UPS (MWh) and generator start (s) of a place, by its kind: synthetic."""
TANK_H = 8.0
"""Hours a full tank carries the essential load: synthetic."""
L_PER_MWH = 260.0
"""Diesel a generator burns (some 215 g/kWh at 0.84 kg/l, common for sets of 1 MW)."""
LIGHT_MW = 0.05
"""Lights of an area that states none: synthetic."""
VENUE_REACH_M = 500.0
"""An area's critical lights hang on the backup of the nearest stadium or venue within this distance."""
GAS_UNIT_MW = 5.0
"""A gas-fired unit where the gas network states no size: synthetic."""
HEADER = "id,bus,load_mw,ups_mwh,generator_mw,fuel_l,fuel_l_per_mwh,start_s"


@dataclass
class Backed:
    """A row of backup.csv as it grows."""

    bus: str
    load_mw: float
    ups_mwh: float
    generator_mw: float
    start_s: int

    def row(self, id: str) -> str:
        """Return the CSV line."""
        fuel = self.load_mw * TANK_H * L_PER_MWH if self.generator_mw else 0.0
        return f"{id},{self.bus},{self.load_mw:.6g},{self.ups_mwh:.6g},{self.generator_mw:.6g},{fuel:.6g},{L_PER_MWH:.6g},{self.start_s}"


def synth(base: Base, laid: Mapping[str, Laid], folder: Path, options: Mapping[str, Any]) -> Laid:
    """Write grid.json and backup.csv. InputError where the district cannot be supplied within the trade's limits.

    Options: `power_w_per_m2`, a mapping from a building's use to its evening demand.
    """
    intensity = {**EVENING_W_PER_M2, **dict(options.get("power_w_per_m2", {}))}
    streets = Streets(base)
    stations = _stations(base, streets, laid, intensity)
    sites = _substations(base, streets, sum(k.total_mw for k in stations))
    types = _standard_types()
    drawing = Drawing(streets, (CABLE, types["line"][CABLE]), POWER_FACTOR)
    _lay(drawing, streets, stations, sites, types)
    work = _Wiring(base, laid, drawing)
    work.wire()
    path = folder / "grid.json"
    findings = _checked(drawing, path, base.name, work, [name for name, _, _ in sites], types)
    (folder / "backup.csv").write_text(
        "\n".join([HEADER, *(b.row(i) for i, b in sorted(work.backed.items()))]) + "\n", encoding="utf-8", newline="\n"
    )
    return _laid(drawing, folder, work, findings, intensity, stations)


def _standard_types() -> Mapping[str, Any]:
    import pandapower

    return pandapower.create_empty_network().std_types


def _stations(base: Base, streets: Streets, laid: Mapping[str, Laid], intensity: Mapping[str, float]) -> list[Kiosk]:
    """Return the 10 kV stations with the load of buildings, and room for what other networks want."""
    if not base.buildings:
        raise InputError("the base has no buildings: there is no load to supply")
    centres = np.array([building.shape.mean(axis=0) for building in base.buildings])
    loads = [(b.use, b.floor_area_m2 * intensity.get(b.use, OTHER_W_PER_M2) / 1e6) for b in base.buildings]
    stations = kiosks(streets, centres, loads)
    nodes = [k.node for k in stations]
    by_node = {k.node: k for k in stations}
    wants = [(need.xy, need.p_mw) for one in laid.values() for need in one.needs if need.kind == "supply"]
    wants += [(need.xy, need.p_mw or LIGHT_MW) for one in laid.values() for need in one.needs if need.kind == "lights"]
    wants += [(tuple(p.shape.mean(axis=0)), BACKED_UP[p.kind][0]) for p in base.places if p.kind in BACKED_UP]
    for xy, mw in wants:
        by_node[int(streets.nearest(np.array([xy], float), nodes)[0])].wanted_mw += mw
    return stations


def _substations(base: Base, streets: Streets, total_mw: float) -> list[tuple[str, int, float]]:
    """Return (name, node, MVA of one transformer), from the places of kind `substation`, else two along the district."""
    main = streets.main_part()
    found = sorted((p for p in base.places if p.kind == "substation"), key=lambda p: p.id)
    if len(found) >= 2:
        points = np.array([p.shape.mean(axis=0) for p in found])
        sizes = [float(p.properties.get("capacity_mva", STATION_MVA)) / 2 for p in found]
    else:
        xy = streets.xy[main]
        axis = np.linalg.svd(xy - xy.mean(axis=0), full_matrices=False)[2][0]
        along = (xy - xy.mean(axis=0)) @ axis
        points = np.array([xy.mean(axis=0) + np.quantile(along, q) * axis for q in (0.25, 0.75)])
        sizes = [max(STATION_MVA / 2, total_mw / 2 / POWER_FACTOR / FIRM_SHARE)] * 2
    nodes = streets.nearest(points, main).tolist()
    return [(f"SS{k}", node, size) for k, (node, size) in enumerate(zip(nodes, sizes, strict=True), 1)]


def _trafo_type(mva: float) -> str:
    for name in TRAFOS:
        if float(name.split()[0]) >= mva - 1e-9:
            return name
    raise InputError(
        f"a substation needs transformers of {mva:.0f} MVA, more than the largest of {TRAFOS[-1]}; add a place of kind substation"
    )


def _lay(drawing: Drawing, streets: Streets, stations: list[Kiosk], sites: list[tuple[str, int, float]], types: Mapping[str, Any]) -> None:
    rating = math.sqrt(3.0) * 10.0 * types["line"][CABLE]["max_i_ka"]
    kinds = [_trafo_type(mva) for _, _, mva in sites]
    firm = [types["trafo"][kind]["sn_mva"] * POWER_FACTOR * FIRM_SHARE for kind in kinds]
    served = serve(streets, [node for _, node, _ in sites], firm, stations)
    for (name, node, _), kind in zip(sites, kinds, strict=True):
        drawing.substation(name, streets.xy[node], kind, types["trafo"][kind])
    for (name, node, _), mine in zip(sites, served, strict=True):
        for ring in rings(streets, node, mine, rating * POWER_FACTOR * RING_SHARE):
            drawing.ring(name, node, ring)


class _Wiring:
    """Connects what other networks need, and what the city knows as places, to their stations."""

    def __init__(self, base: Base, laid: Mapping[str, Laid], drawing: Drawing) -> None:
        self.base, self.laid, self.drawing = base, laid, drawing
        self.nodes = sorted(drawing.kiosk_bus)
        self.couplings: list[Coupling] = []
        self.backed: dict[str, Backed] = {}
        self.extra_mw: dict[str, float] = {}
        self.gas_units: list[str] = []

    def bus_at(self, xy: Any) -> str:
        """Return the station nearest to a point."""
        node = int(self.drawing.streets.nearest(np.array([xy], float), self.nodes)[0])
        return self.drawing.kiosk_bus[node]

    def wire(self) -> None:
        """Connect every need, in the order of model and element."""
        for place in sorted(self.base.places, key=lambda p: p.id):
            if place.kind in BACKED_UP:
                self._back(place.id, self.bus_at(place.shape.mean(axis=0)), BACKED_UP[place.kind])
        for model in sorted(self.laid):
            for need in sorted(self.laid[model].needs, key=lambda n: (n.kind, n.element)):
                if need.kind == "supply":
                    self._supply(model, need)
                elif need.kind == "lights":
                    self._lights(model, need)
                elif need.kind == "fuel":
                    self._gas_unit(model, need)

    def _back(self, place: str, bus: str, figures: tuple[float, float, int]) -> None:
        load, ups, start = figures
        self.backed[f"V_{place}"] = Backed(bus, load, ups, round(1.25 * load, 3), start)
        self._add(bus, load)

    def _add(self, bus: str, mw: float) -> None:
        self.extra_mw[bus] = self.extra_mw.get(bus, 0.0) + mw

    def _supply(self, model: str, need: Need) -> None:
        """A pump or charger reports its own load to its bus; anything else is part of the bus's load."""
        bus = self.bus_at(need.xy)
        self.couplings.append(Coupling("grid", bus, model, need.element, "supply"))
        if any(need.element in self.laid[model].elements[kind].ids for kind in ("pump", "charger") if kind in self.laid[model].elements):
            self.couplings.append(Coupling(model, need.element, "grid", bus, "load"))
            self._add(bus, need.p_mw)
        elif need.p_mw > 0:
            self.drawing.load(bus, need.element, need.p_mw)

    def _lights(self, model: str, need: Need) -> None:
        """Critical lights hang on the backup of the stadium or venue they belong to, others on their bus alone."""
        mw = need.p_mw or LIGHT_MW
        near = [(float(np.hypot(*(p.shape.mean(axis=0) - need.xy))), p.id) for p in self.base.places if p.kind in ("stadium", "venue")]
        away, place = min(near, default=(math.inf, ""))
        if need.critical and away <= VENUE_REACH_M:
            venue = f"V_{place}"
        else:
            bus = self.bus_at(need.xy)
            venue = f"SL_{bus}"
            street = self.backed.setdefault(venue, Backed(bus, 0.0, 0.0, 0.0, 0))
            street.load_mw = round(street.load_mw + mw, 6)
            self._add(bus, mw)
        self.couplings.append(Coupling("grid", venue, model, need.element, "lights"))

    def _gas_unit(self, model: str, need: Need) -> None:
        """A gas-fired unit feeds the nearest substation's busbar over cables of its own."""
        drawing, streets = self.drawing, self.drawing.streets
        mw = need.p_mw or GAS_UNIT_MW
        name = f"GU{len(self.gas_units) + 1}"
        heads = sorted({ring.substation for ring in drawing.rings})
        points = {ss: np.array(_xy(drawing, f"{ss}A")) for ss in heads}
        home = min(heads, key=lambda ss: (float(np.linalg.norm(points[ss] - need.xy)), ss))
        main = streets.main_part()
        a, b = (int(streets.nearest(np.array([xy], float), main)[0]) for xy in (points[home], need.xy))
        rating = math.sqrt(3.0) * 10.0 * drawing.line_type[1]["max_i_ka"]
        bus = drawing.bus(f"{name}_bus", need.xy)
        cables = math.ceil(mw / (0.9 * rating))
        for k, section in enumerate("AB", 1):
            drawing.line(
                f"LG{len(self.gas_units) + 1}{section}",
                f"{home}{section}",
                bus,
                streets.way(a, b),
                breaker=f"CB_{name}{section}",
                closed=k == 1,
                parallel=cables,
            )
        drawing.tables["sgen"].append({"name": name, "bus": drawing.bus_row[bus], "p_mw": mw, "type": "gas"})
        self.gas_units.append(name)
        self.couplings.append(Coupling(model, need.element, "grid", name, "fuel"))
        self.couplings.append(Coupling("grid", name, model, need.element, "burn"))


def _xy(drawing: Drawing, bus: str) -> list[float]:
    return json.loads(drawing.tables["bus"][drawing.bus_row[bus]]["geo"])["coordinates"]


def _checked(drawing: Drawing, path: Path, name: str, work: _Wiring, substations: list[str], types: Mapping[str, Any]) -> Findings:
    """Write the network, set the taps for the peak, and refuse a network that fails the checks of the trade."""
    used = {"line": {CABLE: types["line"][CABLE]}, "trafo": {t: types["trafo"][t] for t in TRAFOS}, "trafo3w": {}}
    write_network(path, name, drawing.tables, used)
    bench = Bench(path, work.extra_mw)
    for _ in range(2):
        moves = {ss: tap(bench, ss, BUSBAR_PU, 1.5) for ss in substations}
        if not any(moves.values()):
            break
        for row in drawing.tables["trafo"]:
            row["tap_pos"] = float(row.get("tap_pos", 0.0) + moves[row["name"].split("_")[0]])
        write_network(path, name, drawing.tables, used)
        bench = Bench(path, work.extra_mw)
    findings = examine(bench, drawing.rings, substations)
    if findings.wrong:
        raise InputError([Problem(f"the synthesised grid fails the checks of its trade: {what}") for what in findings.wrong])
    return findings


def _feeder(drawing: Drawing, bus: str) -> str:
    """Return the first line of the feeder that supplies a station."""
    row = drawing.bus_row[bus]
    ends = {line["name"]: (line["from_bus"], line["to_bus"]) for line in drawing.tables["line"]}
    return next(head for ring in drawing.rings for head, lines in ring.feeders.items() if any(row in ends[line] for line in lines))


def _laid(drawing: Drawing, folder: Path, work: _Wiring, findings: Findings, intensity: Mapping[str, float], stations: list[Kiosk]) -> Laid:
    files = {"network": "grid.json", "backup": "backup.csv"}
    network = read_network(Setup("grid", {role: folder / name for role, name in files.items()}, folder))
    feeders = [feeder for ring in drawing.rings for feeder in ring.feeders]
    checks = {
        "laid": f"{len(drawing.bus_row)} buses, {len(feeders)} feeders, {len(drawing.rings)} normally open ties",
        **findings.figures,
        "feeders of venues": ", ".join(f"{id} on {b.bus}, {_feeder(drawing, b.bus)}" for id, b in sorted(work.backed.items())),
    }
    synthetic = {
        "evening demand, W/m2": ", ".join(f"{use} {w:g}" for use, w in sorted(intensity.items())),
        "load of buildings, MW": ", ".join(f"{use} {mw:.1f}" for use, mw in sorted(totals(stations).items())),
        "power factor": f"{POWER_FACTOR:g}",
        "cable": CABLE,
        "backup of places (MW, UPS MWh, start s)": "; ".join(f"{k} {v[0]:g}, {v[1]:g}, {v[2]}" for k, v in sorted(BACKED_UP.items())),
        "tank": f"{TANK_H:g} h at {L_PER_MWH:g} l/MWh",
    }
    by_street = {street: tuple(lines) for street, lines in sorted(drawing.by_street.items())}
    return Laid(files, dict(network.elements()), (), tuple(work.couplings), by_street, checks, synthetic)
