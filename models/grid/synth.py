"""Lay a medium-voltage network along a district's streets: substations, ringed feeders, ties, and who hangs on them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.grid.consumers import BACKED_UP, L_PER_MWH, LIGHT_MW, TANK_H, Consumers
from models.grid.drawing import Drawing
from models.grid.netfile import write_network
from models.grid.network import read_network
from models.grid.streetwise import Kiosk, Streets, halves, kiosks, rings, serve, totals
from models.grid.trade import Bench, Findings, examine, tap
from twin.base import Base, Coupling, Laid
from twin.errors import InputError, Problem
from twin.model import Setup
from twin.ports import ElementSet

EVENING_W_PER_M2 = {"residential": 5.0, "office": 5.0, "commercial": 20.0, "venue": 3.0, "hospital": 25.0, "school": 2.0}
"""Diversified demand at the 10 kV station in the evening peak of August, by use of building: synthetic.

Venues: beside their essential load."""
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
BUSBAR_PU = 1.025
"""What the taps aim at on the 10 kV busbars at peak."""
STATION_MVA = 2 * 40.0
"""Capacity of a substation whose place says none: synthetic."""
HEADER = "id,bus,load_mw,ups_mwh,generator_mw,fuel_l,fuel_l_per_mwh,start_s,x_m,y_m"


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
    middle = next((p.shape.mean(axis=0) for p in base.places if p.kind == "stadium"), streets.xy.mean(axis=0))
    _lay(drawing, middle, stations, sites, types)
    work = Consumers(base, laid, drawing)
    work.wire()
    path = folder / "grid.json"
    used = {"line": {CABLE: types["line"][CABLE]}, "trafo": {t: types["trafo"][t] for t in TRAFOS}, "trafo3w": {}}
    findings = _checked(drawing, path, base.name, work.extra_mw, used)
    (folder / "backup.csv").write_text(
        "\n".join([HEADER, *(b.row(i) for i, b in sorted(work.backed.items()))]) + "\n", encoding="utf-8", newline="\n"
    )
    return _laid(drawing, folder, work, findings, _invented(intensity, stations))


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


def _lay(drawing: Drawing, focus: np.ndarray, stations: list[Kiosk], sites: list[tuple[str, int, float]], types: Mapping[str, Any]) -> None:
    """Lay substations and rings; feeders are numbered from `focus` outwards, so that L1 supplies the station nearest to it."""
    streets = drawing.streets
    rating = math.sqrt(3.0) * 10.0 * types["line"][CABLE]["max_i_ka"]
    kinds = [_trafo_type(mva) for _, _, mva in sites]
    firm = [types["trafo"][kind]["sn_mva"] * POWER_FACTOR * FIRM_SHARE for kind in kinds]
    served = serve(streets, [node for _, node, _ in sites], firm, stations)
    for (name, node, _), kind in zip(sites, kinds, strict=True):
        drawing.substation(name, streets.xy[node], kind, types["trafo"][kind])
    laid = []
    for (name, node, _), mine in zip(sites, served, strict=True):
        laid += [(name, node, ring) for ring in rings(streets, node, mine, rating * POWER_FACTOR * RING_SHARE)]
    away = {kiosk.node: float(np.linalg.norm(kiosk.xy - focus)) for kiosk in stations}
    for name, node, ring in sorted(laid, key=lambda one: min(away[kiosk.node] for kiosk in one[2])):
        first, second = (min((away[k.node] for k in half), default=math.inf) for half in halves(ring))
        drawing.ring(name, node, ring if first <= second else ring[::-1])


def _checked(drawing: Drawing, path: Path, name: str, extra_mw: Mapping[str, float], used: Mapping[str, Any]) -> Findings:
    """Write the network, set the taps for the peak, and refuse a network that fails the checks of the trade."""
    substations = sorted({ring.substation for ring in drawing.rings})
    write_network(path, name, drawing.tables, used)
    bench = Bench(path, extra_mw)
    for _ in range(2):
        moves = {ss: tap(bench, ss, BUSBAR_PU, 1.5) for ss in substations}
        if not any(moves.values()):
            break
        for row in drawing.tables["trafo"]:
            row["tap_pos"] = float(row.get("tap_pos", 0.0) + moves[row["name"].split("_")[0]])
        write_network(path, name, drawing.tables, used)
        bench = Bench(path, extra_mw)
    findings = examine(bench, drawing.rings, substations)
    if findings.wrong:
        raise InputError([Problem(f"the synthesised grid fails the checks of its trade: {what}") for what in findings.wrong])
    return findings


def _feeder(drawing: Drawing, bus: str) -> str:
    """Return the first line of the feeder that supplies a station."""
    row = drawing.bus_row[bus]
    ends = {line["name"]: (line["from_bus"], line["to_bus"]) for line in drawing.tables["line"]}
    return next(head for ring in drawing.rings for head, lines in ring.feeders.items() if any(row in ends[line] for line in lines))


def _invented(intensity: Mapping[str, float], stations: list[Kiosk]) -> dict[str, str]:
    return {
        "evening demand, W/m2": ", ".join(f"{use} {w:g}" for use, w in sorted(intensity.items())),
        "load of buildings, MW": ", ".join(f"{use} {mw:.1f}" for use, mw in sorted(totals(stations).items())),
        "power factor": f"{POWER_FACTOR:g}",
        "cable": CABLE,
        "backup of places (MW, UPS MWh, start s)": "; ".join(f"{k} {v[0]:g}, {v[1]:g}, {v[2]}" for k, v in sorted(BACKED_UP.items())),
        "tank": f"{TANK_H:g} h at {L_PER_MWH:g} l/MWh",
    }


def _laid(drawing: Drawing, folder: Path, work: Consumers, findings: Findings, synthetic: Mapping[str, str]) -> Laid:
    files = {"network": "grid.json", "backup": "backup.csv"}
    network = read_network(Setup("grid", {role: folder / name for role, name in files.items()}, folder))
    feeders = [feeder for ring in drawing.rings for feeder in ring.feeders]
    checks = {
        "laid": f"{len(drawing.bus_row)} buses, {len(feeders)} feeders, {len(drawing.rings)} normally open ties",
        **findings.figures,
        "feeders of venues": ", ".join(f"{id} on {b.bus}, {_feeder(drawing, b.bus)}" for id, b in sorted(work.backed.items())),
    }
    by_street = {street: tuple(lines) for street, lines in sorted(drawing.by_street.items())}
    elements = dict(network.elements())
    rows = (*work.couplings, *_floods(elements["trafo"], work.laid))
    return Laid(files, elements, (), rows, by_street, checks, synthetic)


def _floods(trafos: ElementSet, laid: Mapping[str, Laid]) -> list[Coupling]:
    """Let water on the street nearest to a transformer stand at it."""
    streets = laid["drainage"].elements["street"] if "drainage" in laid else ElementSet(())
    middles = np.array([shape.mean(axis=0) for shape in streets.shapes]).reshape(-1, 2)
    rows = []
    for trafo, shape in zip(trafos.ids, trafos.shapes, strict=True) if len(streets) else ():
        away = np.round(np.hypot(*(middles - shape.mean(axis=0)).T), 1)
        rows.append(Coupling("drainage", streets.ids[int(np.argmin(away))], "grid", trafo, "flood"))
    return rows
