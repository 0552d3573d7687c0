"""Lays storm sewers along a city's streets to pumping stations, sizes them, and refuses a network that floods at its design storm."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

import numpy as np

from models.drainage import layout as plan
from models.drainage.layout import Cell, Layout, Sewer, Station, Underpass
from models.drainage.network import SURFACE_HEADER, read_network
from models.drainage.sizing import CONTINUITY_PERCENT, DESIGN_YEARS, PUMP_SHARE, UNDERPASS_YEARS, Findings, Outcome, size
from models.drainage.storm import idf_l_per_s_ha
from twin.base import Base, Coupling, Laid, Need, Street
from twin.errors import InputError, nearest

STREETS_PER_STATION = 49
"""Synthetic: a station for so many streets."""
REACH_M = 160.0
"""Synthetic: a street drains the land to this distance where no other is nearer."""
SEALED = 0.40
"""Synthetic: share of a catchment sealed by roads, pavements and yards, besides its buildings."""
MOST_SEALED = 0.85
UNDERPASSES = 2
UNDERPASS_HA = 1.0
"""Synthetic: ramps and slopes that drain into an underpass."""
LANE_M, BESIDE_M = 3.25, 8.0
"""Synthetic: a lane, and what lies level with the carriageway beside it (cycle tracks, pavements), on which water stands."""
FILES = {"network": "drainage.inp", "surfaces": "drainage_surfaces.csv"}


def synth(base: Base, laid: Mapping[str, Laid], folder: Path, options: Mapping[str, Any]) -> Laid:
    """Write drainage.inp and drainage_surfaces.csv; InputError if there is nothing to lay along or a check of the trade fails."""
    if options:
        raise InputError("drainage: " + "; ".join(nearest(str(key), (), what="option of the synthesis") for key in sorted(options)))
    if not base.streets:
        raise InputError("drainage: the base has no streets to lay sewers along")
    net = lay(base)
    title = f"Storm drainage of {base.name}: synthetic, laid along its streets and sized for a storm of {DESIGN_YEARS:g} years."
    with tempfile.TemporaryDirectory() as scratch:
        outcome, flows = size(net, title, Path(scratch))
    found = examine(net, outcome, flows)
    if found.failures:
        raise InputError("drainage: the network fails the checks of its trade: " + "; ".join(found.failures))
    (folder / FILES["network"]).write_text(net.text(title), encoding="utf-8", newline="\n")
    (folder / FILES["surfaces"]).write_text(surfaces(base, net), encoding="utf-8", newline="\n")
    network = read_network(folder / FILES["network"], folder / FILES["surfaces"])
    return Laid(
        files=FILES,
        elements=network.elements(),
        needs=tuple(_needs(net, outcome)),
        couplings=(*_floods(base, laid), *_washouts(base, laid)),
        by_street={sewer.street: (sewer.id,) for sewer in net.sewers.values()},
        checks=found.checks,
        synthetic=_synthetic(net),
    )


def node_of(crossing: str) -> str:
    """Return the manhole at a crossing."""
    return f"M{crossing}"


def lay(base: Base) -> Layout:
    """Place manholes at crossings, stations apart from each other, and sewers along the shortest streets to a station."""
    nodes = {node_of(name): np.asarray(base.crossings[name], float) for name in sorted(base.crossings)}
    streets = sorted(base.streets, key=lambda s: s.id)
    sites = _spread(np.array(list(nodes.values())), max(1, round(len(streets) / STREETS_PER_STATION)))
    ends = [list(nodes)[i] for i in sites]
    sewers, order, away = _tree(nodes, streets, ends)
    nodes = {name: nodes[name] for name in nodes if name in away}
    ground = {name: round(plan.GROUND_M + plan.GROUND_RISE * away[name], 3) for name in nodes}
    stations = [Station(f"PS{k}", name, nodes[name]) for k, name in enumerate(ends, 1)]
    pond = dict.fromkeys(nodes, 0.0)
    for street in streets:
        for crossing in (street.start, street.end):
            if node_of(crossing) in pond:
                pond[node_of(crossing)] += _length(street) / 2 * (2 * street.lanes * LANE_M + BESIDE_M)
    underpasses = _underpasses(base, streets, nodes)
    return Layout(nodes, ground, pond, sewers, order, _cells(base, nodes, underpasses), stations, underpasses)


def _length(street: Street) -> float:
    return float(np.hypot(*np.diff(np.asarray(street.shape, float), axis=0).T).sum())


def _spread(xy: np.ndarray, number: int) -> list[int]:
    """Return so many points far from each other, moved to the middles of what is nearest to them (Lloyd's steps)."""
    found = [int(np.argmin(np.round(((xy - xy.mean(axis=0)) ** 2).sum(axis=1), 3)))]
    while len(found) < min(number, len(xy)):
        apart = np.min([np.hypot(*(xy - xy[i]).T) for i in found], axis=0)
        found.append(int(np.argmax(np.round(apart, 3))))
    for _ in range(20):
        owner = np.argmin([np.round(np.hypot(*(xy - xy[i]).T), 3) for i in found], axis=0)
        middles = [xy[owner == k].mean(axis=0) for k in range(len(found))]
        moved = [int(np.argmin(np.round(np.hypot(*(xy - middle).T), 3))) for middle in middles]
        if moved == found:
            break
        found = moved
    return sorted(set(found))


def _tree(nodes: Mapping[str, np.ndarray], streets: list[Street], ends: list[str]) -> tuple[dict[str, Sewer], list[str], dict[str, float]]:
    """Return each node's sewer towards its station (Dijkstra along streets), nodes from far to near, and their distances."""
    beside: dict[str, list[tuple[str, Street, bool]]] = {name: [] for name in nodes}
    for street in streets:
        beside[node_of(street.start)].append((node_of(street.end), street, True))
        beside[node_of(street.end)].append((node_of(street.start), street, False))
    away: dict[str, float] = {}
    sewers: dict[str, Sewer] = {}
    queue: list[tuple[float, str, str, int]] = [(0.0, name, "", 0) for name in ends]
    order = []
    while queue:
        distance, name, via, k = heappop(queue)
        if name in away:
            continue
        away[name] = distance
        order.append(name)
        if via:
            _, street, forward = beside[via][k]
            shape = np.asarray(street.shape, float)
            sewers[name] = Sewer(f"C{street.id}", name, via, shape[::-1] if forward else shape, street.id)
        for k, (other, street, _) in enumerate(beside[name]):
            if other not in away:
                heappush(queue, (round(distance + _length(street), 3), other, name, k))
    return sewers, order[::-1], away


def _underpasses(base: Base, streets: list[Street], nodes: Mapping[str, np.ndarray]) -> list[Underpass]:
    """Place underpasses in arterials: the first nearest to the stadium (or the middle), the next far from it."""
    focus = next((p.shape.mean(axis=0) for p in base.places if p.kind == "stadium"), np.mean(list(nodes.values()), axis=0))
    able = [s for s in streets if s.rank == "arterial" and node_of(s.start) in nodes and _length(s) > 80] or streets
    middle = np.array([_middle(s) for s in able])
    from_focus = np.round(np.hypot(*(middle - focus).T), 3)
    chosen = [int(np.argmin(from_focus))]
    while len(chosen) < min(UNDERPASSES, len(able)):
        apart = np.min([np.hypot(*(middle - middle[i]).T) for i in chosen], axis=0)
        chosen.append(int(np.argmax(np.round(apart - from_focus / 2, 3))))
    flow = 0.9 * idf_l_per_s_ha(UNDERPASS_YEARS, 5.0) / 1000 * UNDERPASS_HA
    each = round(0.75 * flow, 3)
    return [
        Underpass(f"UP{k}", able[i].id, (node_of(able[i].start), node_of(able[i].end)), middle[i], each) for k, i in enumerate(chosen, 1)
    ]


def _middle(street: Street) -> np.ndarray:
    shape = np.asarray(street.shape, float)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(shape, axis=0).T))])
    return np.round([np.interp(along[-1] / 2, along, shape[:, 0]), np.interp(along[-1] / 2, along, shape[:, 1])], 2)


def _cells(base: Base, nodes: Mapping[str, np.ndarray], underpasses: list[Underpass]) -> list[Cell]:
    """Cut the land along the streets into what is nearest to each manhole; how much is sealed follows from the buildings on it."""
    import shapely

    lines = [shapely.LineString(np.asarray(s.shape, float)) for s in base.streets]
    land = shapely.union_all(shapely.buffer(lines, REACH_M, quad_segs=2))
    for place in base.places:
        if place.kind == "river" and len(place.shape) > 3:
            land = shapely.difference(land, shapely.make_valid(shapely.Polygon(place.shape)))
    names = list(nodes)
    built = dict.fromkeys(names, 0.0)
    at = np.array([nodes[name] for name in names])
    for building in base.buildings:
        shape = np.asarray(building.shape, float)
        nearest_one = names[int(np.argmin(((at - shape.mean(axis=0)) ** 2).sum(axis=1)))]
        built[nearest_one] += shapely.Polygon(shape).area
    cells = []
    for i, name in enumerate(names):
        parts = shapely.get_parts(shapely.intersection(shapely.Polygon(nearest_ground(at, i)), land))
        ring = max((part for part in parts if part.geom_type == "Polygon"), key=lambda part: round(part.area, 1), default=None)
        if ring is None or ring.area < 100:
            continue
        area = round(float(ring.area), 1)
        sealed = min(MOST_SEALED, SEALED + built[name] / area)
        corners = np.round(shapely.get_coordinates(shapely.simplify(ring.exterior, 2.0))[:-1], 1)
        cells.append(Cell(f"A{name[1:]}", name, corners, area, round(sealed, 3)))
    side = math.sqrt(UNDERPASS_HA * 1e4) / 2
    square = np.array([[-side, -side], [side, -side], [side, side], [-side, side]])
    cells += [Cell(f"A{under.id}", under.id, under.xy + square, UNDERPASS_HA * 1e4, 0.9) for under in underpasses]
    return cells


def nearest_ground(xy: np.ndarray, i: int) -> np.ndarray:
    """Return the convex ring of what is nearer to point `i` than to any other, within twice the reach of a street's end."""
    reach = 4 * REACH_M
    ring = xy[i] + np.array([[-reach, -reach], [reach, -reach], [reach, reach], [-reach, reach]])
    away = np.hypot(*(xy - xy[i]).T)
    for j in np.argsort(np.round(away, 3), kind="stable"):
        if 0 < away[j] < 3 * reach:
            ring = _clipped(ring, (xy[i] + xy[j]) / 2, xy[j] - xy[i])
    return ring


def _clipped(ring: np.ndarray, at: np.ndarray, outward: np.ndarray) -> np.ndarray:
    """Return a convex ring without what lies beyond the line through `at` across `outward` (Sutherland and Hodgman 1974)."""
    beyond = (ring - at) @ outward
    kept = []
    for k in range(len(ring)):
        before, now = beyond[k - 1], beyond[k]
        if (before > 0) != (now > 0):
            kept.append(ring[k - 1] + (ring[k] - ring[k - 1]) * (before / (before - now)))
        if now <= 0:
            kept.append(ring[k])
    return np.array(kept)


def surfaces(base: Base, net: Layout) -> str:
    """Return the table of what stands on which node: every street between its two manholes, underpasses in their streets."""
    lines = [",".join(SURFACE_HEADER)]
    dips = {under.street: under for under in net.underpasses}
    for street in sorted(base.streets, key=lambda s: s.id):
        ends = [node_of(end) for end in (street.start, street.end) if node_of(end) in net.nodes]
        path = ";".join(f"{x:.2f} {y:.2f}" for x, y in np.asarray(street.shape, float))
        for k, end in enumerate(ends):
            lines.append(f"{street.id},street,{end},{net.ground_m[end] - net.invert_m[end]:.3f},{path if k == 0 else ''}")
        if street.id in dips:
            lines.append(f"{street.id},street,{dips[street.id].id},{plan.SUMP_M:.3f},")
    lines += [f"{under.id},underpass,{under.id},{plan.SUMP_M:.3f},{under.xy[0]:.2f} {under.xy[1]:.2f}" for under in net.underpasses]
    return "\n".join(lines) + "\n"


def examine(net: Layout, outcome: Outcome, flows: Mapping[str, float]) -> Findings:
    """Check the network as the trade does at its design storm."""
    found = Findings()
    full = [sewer.id for sewer, minutes in zip(net.sewers.values(), outcome.full_min, strict=True) if minutes > 0]
    length_km = sum(s.length_m for s in net.sewers.values()) / 1000
    widest = max((s.width_m, s.height_m) for s in net.sections.values())
    lifted = sum(station.pumps_m3_per_s for station in net.stations)
    found.checks = {
        "laid": f"{len(net.nodes)} manholes, {len(net.sewers)} sewers, {length_km:.1f} km, "
        f"{len(net.stations)} pumping stations of {lifted:.0f} m3/s together, {len(net.underpasses)} underpasses",
        "design storm": f"{DESIGN_YEARS:g} years, two hours, Chicago",
        "largest sewer flow by the rational method": f"{max(flows.values()):.1f} m3/s",
        "manholes that overflow at the design storm": str(len(outcome.ponded)),
        "sewers that run full at the design storm": str(len(full)),
        "highest water over an underpass's road at the design storm": f"{max(0.0, outcome.drowned_m - plan.SUMP_M):.2f} m",
        "routing continuity error": f"{outcome.continuity_percent:.2f} %",
        "sections": f"from {min(s.height_m for s in net.sections.values()):g} m to {widest[0]:g} x {widest[1]:g} m",
    }
    if outcome.ponded:
        found.failures.append(f"{len(outcome.ponded)} manholes overflow at the design storm: {', '.join(outcome.ponded[:5])}")
    if full:
        found.failures.append(f"{len(full)} sewers run full at the design storm: {', '.join(full[:5])}")
    if outcome.drowned_m > plan.SUMP_M:
        found.failures.append(f"{outcome.drowned_m - plan.SUMP_M:.2f} m of water in an underpass at the design storm")
    if abs(outcome.continuity_percent) > CONTINUITY_PERCENT:
        found.failures.append(f"continuity error {outcome.continuity_percent:.2f} % of SWMM's routing")
    return found


def _needs(net: Layout, outcome: Outcome) -> list[Need]:
    weight, efficiency = 998.0 * 9.80665 / 1e6, 0.7
    where = {f"{s.id}_{k + 1}": s.xy for s in net.stations for k in range(plan.PUMPS)}
    where |= {f"{under.id}_{k}": under.xy for under in net.underpasses for k in (1, 2)}
    return [
        Need(pump, "supply", (float(xy[0]), float(xy[1])), round(weight * outcome.peak_mw[pump] / efficiency, 4), True)
        for pump, xy in where.items()
    ]


def _floods(base: Base, laid: Mapping[str, Laid]) -> list[Coupling]:
    roads = laid["traffic"].by_street if "traffic" in laid else {}
    return [Coupling("drainage", street.id, "traffic", edge, "flood") for street in base.streets for edge in roads.get(street.id, ())]


def _washouts(base: Base, laid: Mapping[str, Laid]) -> list[Coupling]:
    """Let what a burst main brings to a street run into the manholes at its ends."""
    mains = laid["water"].by_street if "water" in laid else {}
    rows = []
    for street in base.streets:
        ends = (node_of(street.start), node_of(street.end))
        rows += [Coupling("water", pipe, "drainage", ends[min(k, 1)], "washout") for k, pipe in enumerate(mains.get(street.id, ()))]
    return rows


def _synthetic(net: Layout) -> dict[str, str]:
    return {
        "storm intensity": "q = 2989.3 (1 + 0.671 lg P) / (t + 13.3)^0.8 l/(s ha): Nanjing's older formula, from memory",
        "ground": f"{plan.GROUND_M:g} m at the stations, rising by {plan.GROUND_RISE:g} along the sewers; the base has no terrain",
        "river": f"{plan.RIVER_M:g} m at every outfall, above the ground: nothing leaves without a pump",
        "stations": f"{len(net.stations)}, {PUMP_SHARE:.0%} of the design flow by {plan.PUMPS} pumps each, the rest in ponds of "
        f"{sum(s.pond_m2 for s in net.stations) / 1e4:.1f} ha together; places, levels and pump curves",
        "catchments": f"the land nearest to each crossing within {REACH_M:g} m of a street; sealed {SEALED:.0%} and the buildings",
        "underpasses": f"{len(net.underpasses)}, in {', '.join(u.street for u in net.underpasses)}: not surveyed, {plan.DIP_M:g} m deep",
        "standing water": "spreads evenly over the streets between the middles of a crossing's arms; none flows along the surface",
    }
