"""Lays a medium-pressure gas network along a pack's streets, sizes it and refuses one that could not carry the peak."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from models.gas import network as networks
from models.gas import sizing
from models.gas.network import Network
from twin.base import Base, Building, Coupling, Laid, Need, Street
from twin.errors import InputError

FILE = "gas.json"
FLUID = "hgas"

GATE_BAR = 16.0
"""Synthetic: gauge pressure the city gates are fed with (sub-high-pressure ring, 1.6 MPa)."""
MAIN_BAR = 4.0
"""Synthetic: gauge pressure the gates' regulators hold, 0.4 MPa, the upper end of medium pressure A (GB 50028: 0.2 to 0.4 MPa)."""
USER_BAR = 0.5
"""Synthetic: least gauge pressure a district regulator needs (written to the file as `min_p_bar`)."""
GAS_K = 288.15
"""Synthetic: temperature of the gas in the ground."""
ROUGHNESS_MM = 0.05
"""Synthetic: roughness of a polyethylene main with its fittings."""

HEAT_MJ_PER_KG = 47.0
"""Synthetic: lower heating value of pipeline gas."""
RESIDENT_MJ_PER_YEAR = 2300.0
"""Synthetic: gas a resident uses in a year (cooking and hot water, without heating)."""
WATTS_PER_M2 = {"commercial": 10.0, "hospital": 8.0, "school": 1.5, "office": 0.8, "venue": 1.5}
"""Synthetic: mean gas use per floor area by use of the building."""
PEAK_FACTOR = 3.0
"""Synthetic: hour of highest demand over the mean the file holds."""
PLANT_EFFICIENCY = 0.45
"""Synthetic: electricity out of gas in the gas-fired unit, for the size of its supply."""
CHP_MW = 6.0
"""Synthetic: electric power of a gas-fired unit near the stadium where the pack names no gas plant."""

_RANKS = {"arterial": 0, "collector": 1, "local": 2}


@dataclass(frozen=True)
class _Main:
    """One pipe: its id, the junctions it joins, its line, and where a valve closes it."""

    id: str
    start: str
    end: str
    shape: np.ndarray
    rank: str
    valve_at: str
    street: str = ""


@dataclass(frozen=True)
class _Site:
    """A city gate or a gas-fired unit: where it is and the junction it joins."""

    id: str
    xy: tuple[float, float]
    joins: str
    p_mw: float = 0.0


def synth(base: Base, laid: Mapping[str, Laid], folder: Path, options: Mapping[str, Any]) -> Laid:
    """Write `gas.json` into `folder`; InputError where the streets or the result do not make a sound network.

    Mains run along every arterial and collector street and those local streets that reach what is left. A section is a
    crossing with the pipes that end there: each main has a valve where it begins.
    """
    if options:
        raise InputError(f"options.gas: the gas network takes no options, yet has {', '.join(map(repr, sorted(options)))}")
    if len(base.crossings) < 2 or not base.streets:
        raise InputError("a gas network needs streets: the base has none")
    mains = _mains(base)
    gates, units = _gates(base), _units(base)
    demand = _demand(base)
    peak = {unit.id: _unit_kg_per_s(unit.p_mw) for unit in units}
    with tempfile.TemporaryDirectory() as drafts:
        draft = Path(drafts) / FILE
        _write(draft, _build(base, mains, gates, units, demand))
        found = sizing.size(networks.read(draft), {main.id: main.rank for main in mains}, PEAK_FACTOR, peak)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    _write(path, _build(base, mains, gates, units, demand, found.diameter_mm))
    network = networks.read(path)
    return Laid(
        files={"network": FILE},
        elements=network.elements(),
        needs=tuple(Need(unit.id, "fuel", unit.xy, unit.p_mw) for unit in units),
        couplings=tuple(_leaks(mains, laid)),
        by_street={main.street: (main.id,) for main in mains if main.street},
        checks={**found.checks, **_lengths(network)},
        synthetic=_synthetic(demand),
    )


def _mains(base: Base) -> list[_Main]:
    """Return the pipes: mains first, then local streets as branches away from them."""
    graph = nx.MultiGraph()
    graph.add_nodes_from(sorted(base.crossings))
    for street in sorted(base.streets, key=lambda street: street.id):
        weight = _length_m(street.shape) * (1.0 if street.rank != "local" else 10.0)
        if street.start != street.end:
            graph.add_edge(street.start, street.end, key=street.id, weight=weight, street=street)
    if not nx.is_connected(graph):
        apart = sorted(min(part) for part in nx.connected_components(graph))
        raise InputError(f"the streets fall into {len(apart)} parts that no street joins (crossings {', '.join(apart[:3])}...)")
    kept = {key for _, _, key in nx.minimum_spanning_edges(graph, keys=True, data=False)}
    chosen = [s for s in sorted(base.streets, key=lambda s: s.id) if s.start != s.end and (s.id in kept or s.rank != "local")]
    ringed = {end for street in chosen if street.rank != "local" for end in (street.start, street.end)}
    return [_main(street, ringed) for street in chosen]


def _main(street: Street, ringed: set[str]) -> _Main:
    valve = street.start if street.rank != "local" or street.start in ringed else street.end if street.end in ringed else ""
    return _Main("G" + street.id, street.start, street.end, np.round(street.shape, 2), street.rank, valve, street.id)


def _gates(base: Base) -> list[_Site]:
    """Return the city gates: the pack's, or where it names fewer than two, the crossings farthest from the middle and each other."""
    named = sorted((place for place in base.places if place.kind == "city_gate"), key=lambda place: place.id)
    if len(named) >= 2:
        return [_Site(place.id, _point(place.shape), _nearest(base, place.shape[0], {"arterial", "collector"})) for place in named]
    names = sorted(base.crossings)
    xy = np.array([base.crossings[name] for name in names], float).reshape(-1, 2)
    one = int(np.argmax(np.hypot(*(xy - xy.mean(axis=0)).T)))
    other = int(np.argmax(np.hypot(*(xy - xy[one]).T)))
    return [_Site(f"citygate_{k}", _point(xy[[i]]), names[i]) for k, i in enumerate((one, other), 1)]


def _units(base: Base) -> list[_Site]:
    """Return the gas-fired units: the pack's gas plants, or one beside the stadium."""
    plants = sorted((place for place in base.places if place.kind == "gas_plant"), key=lambda place: place.id)
    if plants:
        mains = {"arterial", "collector"}
        sizes = [float(place.properties.get("p_mw", CHP_MW)) for place in plants]
        return [_Site(p.id, _point(p.shape), _nearest(base, p.shape[0], mains), mw) for p, mw in zip(plants, sizes, strict=True)]
    stadium = next((place for place in base.places if place.kind == "stadium"), None)
    middle = stadium.shape.mean(axis=0) if stadium is not None else np.mean(list(base.crossings.values()), axis=0)
    crossing = _nearest(base, middle)
    return [_Site("chp_stadium", _point(np.atleast_2d(base.crossings[crossing])), crossing, CHP_MW)]


def _nearest(base: Base, xy: np.ndarray, ranks: set[str] | None = None) -> str:
    wide = {end for street in base.streets if ranks and street.rank in ranks for end in (street.start, street.end)}
    names = sorted(wide or base.crossings)
    points = np.array([base.crossings[name] for name in names], float)
    return names[int(np.argmin(np.hypot(*(points - xy[:2]).T)))]


def _point(shape: np.ndarray) -> tuple[float, float]:
    return round(float(shape[0][0]), 2), round(float(shape[0][1]), 2)


def _length_m(shape: np.ndarray) -> float:
    return math.fsum(math.dist(a, b) for a, b in pairwise(shape.tolist()))


def _demand(base: Base) -> dict[tuple[str, bool], float]:
    """Return mean kg/s by (crossing, is it a hospital): every building draws from its nearest crossing."""
    names = sorted(base.crossings)
    points = np.array([base.crossings[name] for name in names], float)
    found: dict[tuple[str, bool], float] = {}
    for building in sorted(base.buildings, key=lambda building: building.id):
        kg_per_s = _building_kg_per_s(building)
        if kg_per_s > 0:
            at = names[int(np.argmin(np.hypot(*(points - building.shape.mean(axis=0)).T)))]
            key = (at, building.use == "hospital")
            found[key] = found.get(key, 0.0) + kg_per_s
    if not found:
        raise InputError("no building uses gas: the base has no people and no floor area of a known use")
    return dict(sorted(found.items()))


def _building_kg_per_s(building: Building) -> float:
    if building.use == "residential":
        return building.people * RESIDENT_MJ_PER_YEAR / HEAT_MJ_PER_KG / (365 * 86400)
    return building.floor_area_m2 * WATTS_PER_M2.get(building.use, 0.0) / (HEAT_MJ_PER_KG * 1e6)


def _unit_kg_per_s(p_mw: float) -> float:
    return p_mw / PLANT_EFFICIENCY / HEAT_MJ_PER_KG


def _build(
    base: Base,
    mains: Iterable[_Main],
    gates: Iterable[_Site],
    units: Iterable[_Site],
    demand: Mapping[tuple[str, bool], float],
    diameter_mm: Mapping[str, float] | None = None,
) -> Any:
    """Return the pandapipes network; every list is in a fixed order, so that the same base gives the same bytes."""
    import pandapipes as pp

    net = pp.create_empty_network(name=f"{base.name} gas (schematic)", fluid=FLUID, sector="gas", add_stdtypes=False)
    sizes = diameter_mm or {}
    place: dict[str, int] = {}

    def junction(name: str, xy: Iterable[float], bar: float = MAIN_BAR) -> None:
        geodata = tuple(round(float(value), 2) for value in xy)
        place[name] = int(pp.create_junction(net, pn_bar=bar, tfluid_k=GAS_K, name=name, geodata=geodata))

    def pipe(main: _Main) -> None:
        size = sizes.get(main.id, sizing.FIRST_MM[main.rank])
        ends = place[main.start], place[main.end]
        label = pp.create_pipe_from_parameters(
            net, *ends, round(_length_m(main.shape) / 1e3, 5), size, k_mm=ROUGHNESS_MM, name=main.id, geodata=main.shape.tolist()
        )
        if main.valve_at:
            pp.create_valve(net, place[main.valve_at], int(label), "pi", inner_diameter_mm=size, name="V" + main.id)

    for name in sorted(base.crossings):
        junction(name, base.crossings[name])
    for gate in gates:
        high, low = f"{gate.id}_in", f"{gate.id}_out"
        junction(high, gate.xy, GATE_BAR)
        junction(low, gate.xy)
        pp.create_ext_grid(net, place[high], p_bar=GATE_BAR, t_k=GAS_K, name=gate.id)
        pp.create_pressure_control(net, place[high], place[low], place[low], MAIN_BAR, name=f"R_{gate.id}")
        pipe(_spur(gate, low, base, "gate"))
    for main in mains:
        pipe(main)
    for (crossing, hospital), kg_per_s in demand.items():
        name, priority = ("H" + crossing, 2) if hospital else ("U" + crossing, 1)
        pp.create_sink(net, place[crossing], round(kg_per_s, 9), name=name, priority=priority, min_p_bar=USER_BAR)
    for unit in units:
        junction(f"{unit.id}_in", unit.xy)
        pipe(_spur(unit, f"{unit.id}_in", base, "unit"))
        pp.create_sink(net, place[f"{unit.id}_in"], 0.0, name=unit.id, priority=0, min_p_bar=USER_BAR)
    return net


def _spur(site: _Site, junction: str, base: Base, rank: str) -> _Main:
    """Return the pipe that joins a gate or a unit to its crossing, with a valve at the crossing."""
    shape = np.round(np.array([site.xy, base.crossings[site.joins]], float), 2)
    if np.ptp(shape, axis=0).max() < 1.0:
        shape[0] += 5.0
    return _Main("G_" + site.id, junction, site.joins, shape, rank, site.joins)


def _write(path: Path, net: Any) -> None:
    import pandapipes as pp

    path.write_text(pp.to_json(net, None) + "\n", encoding="utf-8", newline="\n")


def _leaks(mains: Iterable[_Main], laid: Mapping[str, Laid]) -> Iterable[Coupling]:
    """Yield a row from each pipe to each lane group of its street: a leak closes them."""
    edges = laid["traffic"].by_street if "traffic" in laid else {}
    for main in mains:
        for edge in edges.get(main.street, ()):
            yield Coupling("gas", main.id, "traffic", edge, "leak")


def _lengths(network: Network) -> dict[str, str]:
    metres = sum(_length_m(shape) for shape in network.sets["pipe"].shapes)
    return {"length of mains": f"{metres / 1e3:.1f} km", "valves": str(len(network.sets["valve"]))}


def _synthetic(demand: Mapping[tuple[str, bool], float]) -> dict[str, str]:
    return {
        "routes of mains, valves, regulators": "along arterial and collector streets, local streets as branches",
        "pressures": f"city gates {GATE_BAR:g} bar, mains {MAIN_BAR:g} bar, users at least {USER_BAR:g} bar (gauge)",
        "residents' use": f"{RESIDENT_MJ_PER_YEAR:g} MJ a year and person, lower heating value {HEAT_MJ_PER_KG:g} MJ/kg",
        "other use": ", ".join(f"{use} {watts:g} W/m2" for use, watts in WATTS_PER_M2.items()),
        "mean demand without gas-fired units": f"{sum(demand.values()):.3f} kg/s",
        "peak hour": f"{PEAK_FACTOR:g} times the mean",
        "gas-fired units": f"{100 * PLANT_EFFICIENCY:g} % of the gas becomes electricity",
        "ground": f"gas at {GAS_K:g} K, pipes with {ROUGHNESS_MM:g} mm roughness",
    }
