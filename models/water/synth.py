"""Lays a looped water network along a city's streets, sizes it by its own hydraulics, and refuses one that fails."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.water import layout as plan
from models.water.layout import Layout, Main, Station
from models.water.network import read_network
from models.water.sizing import Findings, examine, size
from twin.base import Base, Coupling, Laid, Need, Street
from twin.errors import InputError, nearest

RESIDENT_L_PER_DAY = 220.0
"""Synthetic: water of a resident of a flat, losses included (GB 50013 gives 150 to 250 for large cities of the zone)."""
WORKER_L_PER_DAY = 60.0
"""Synthetic: water at a place of work, of shopping or of learning, for each person there at the peak."""
STORED_SHARE = 0.2
"""Synthetic: share of a day's demand that the balancing tanks hold."""
DUTY_MARGIN = 1.2
"""Synthetic: what the duty pumps give together over the mean demand."""
PUMPS = len(plan.STAGES)
STATIONS, TANKS = 2, 2
LEAST_MM = {"arterial": 300, "collector": 200, "local": 150}
"""Synthetic: least bore by rank of the street."""
FILE = "water.inp"


def synth(base: Base, laid: Mapping[str, Laid], folder: Path, options: Mapping[str, Any]) -> Laid:
    """Write `water.inp` into `folder`; InputError if the base has nothing to lay along or the network fails its checks."""
    if options:
        raise InputError("water: " + "; ".join(nearest(str(key), (), what="option of the synthesis") for key in sorted(options)))
    if not base.streets:
        raise InputError("water: the base has no streets to lay mains along")
    if not any(building.people for building in base.buildings):
        raise InputError("water: no building has people, so there is no demand to size mains from")
    network = _lay(base)
    title = f"Water of {base.name}: synthetic, laid along its streets and sized by its demand."
    with tempfile.TemporaryDirectory() as scratch:
        size(network, title, Path(scratch))
        found = examine(network, title, Path(scratch))
    if found.failures:
        raise InputError("water: the network fails the checks of its trade: " + "; ".join(found.failures))
    file = folder / FILE
    file.write_text(network.text(title), encoding="utf-8", newline="\n")
    by_street: dict[str, tuple[str, ...]] = {}
    for main in network.mains:
        if main.street:
            by_street[main.street] = (*by_street.get(main.street, ()), main.id)
    return Laid(
        files={"network": FILE},
        elements=read_network(file).elements(),
        needs=tuple(Need(pump, "supply", s.xy, round(found.duty_mw[pump], 4), True) for s in network.stations for pump in s.pumps),
        couplings=_washouts(by_street, laid),
        by_street=by_street,
        checks=found.checks,
        synthetic=_synthetic(network, found),
    )


def _washouts(by_street: Mapping[str, tuple[str, ...]], laid: Mapping[str, Laid]) -> tuple[Coupling, ...]:
    roads = laid["traffic"].by_street if "traffic" in laid else {}
    return tuple(
        Coupling("water", pipe, "traffic", edge, "washout")
        for street in sorted(by_street)
        for pipe in by_street[street]
        for edge in roads.get(street, ())
    )


def _lay(base: Base) -> Layout:
    """Place junctions at crossings and in the middle of streets, mains between them, stations and tanks; no bores yet."""
    names = {crossing: f"J{i}" for i, crossing in enumerate(sorted(base.crossings), 1)}
    junctions = {names[crossing]: np.asarray(base.crossings[crossing], float) for crossing in sorted(base.crossings)}
    mains: list[Main] = []
    for street in sorted(base.streets, key=lambda s: s.id):
        middle = f"J{len(junctions) + 1}"
        halves = _halves(street)
        junctions[middle] = halves[0][-1]
        for start, end, course in ((names[street.start], middle, halves[0]), (middle, names[street.end], halves[1])):
            mains.append(Main(f"P{len(mains) + 1}", start, end, course, LEAST_MM.get(street.rank, 150), street.id))
    demand = _demand(base, junctions)
    crossings = np.array([junctions[names[c]] for c in sorted(base.crossings)])
    works = _sites(base, "waterworks", STATIONS, crossings, [])
    towers = _sites(base, "water_tower", TANKS, crossings, works)
    total = sum(demand.values())
    duty = total * DUTY_MARGIN / (STATIONS * plan.STARTS_SHUT)
    height = plan.TANK_LEVELS_M[2] - plan.TANK_LEVELS_M[1]
    diameter = math.sqrt(total * 86.4 * STORED_SHARE / TANKS / height * 4 / math.pi)
    tanks = {f"T{i}": xy for i, xy in enumerate(towers, 1)}
    network = Layout(junctions, demand, mains, [], tanks, round(diameter, 2))
    head = plan.GROUND_M + plan.TOWER_M + plan.TANK_LEVELS_M[0] + plan.MAIN_LOSS_M - plan.CLEAR_WELL_M
    nodes = list(names.values())
    for k, xy in enumerate(works, 1):
        header = f"J{len(junctions) + 1}"
        junctions[header] = xy
        tank = min(tanks, key=lambda name: (float(np.hypot(*(tanks[name] - xy))), name))
        taken = {station.tank for station in network.stations}
        tank = next((name for name in tanks if name not in taken), tank) if tank in taken else tank
        pumps = tuple(f"PU{(k - 1) * PUMPS + i}" for i in range(1, PUMPS + 1))
        network.stations.append(Station(f"R{k}", header, (float(xy[0]), float(xy[1])), pumps, tank, duty, head))
        _connect(network, header, xy, nodes, crossings)
    for name, xy in tanks.items():
        _connect(network, name, xy, nodes, crossings)
    return network


def _halves(street: Street) -> tuple[np.ndarray, np.ndarray]:
    """Cut a street's shape at the middle of its length."""
    shape = np.asarray(street.shape, float)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(shape, axis=0).T))])
    half = along[-1] / 2
    k = int(np.searchsorted(along, half, side="right"))
    share = (half - along[k - 1]) / (along[k] - along[k - 1])
    middle = np.round(shape[k - 1] + share * (shape[k] - shape[k - 1]), 2)
    return np.vstack([shape[:k], middle]), np.vstack([middle, shape[k:]])


def _demand(base: Base, junctions: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the mean demand in l/s of each junction: the people of the buildings nearest to it."""
    ids, xy = list(junctions), np.array(list(junctions.values()))
    total = np.zeros(len(ids))
    for building in sorted(base.buildings, key=lambda b: b.id):
        nearest_one = int(np.argmin(((xy - np.asarray(building.shape).mean(axis=0)) ** 2).sum(axis=1)))
        per_day = RESIDENT_L_PER_DAY if building.use == "residential" else WORKER_L_PER_DAY
        total[nearest_one] += building.people * per_day / 86400
    return {name: round(float(value), 4) for name, value in zip(ids, total, strict=True) if value > 0}


def _sites(base: Base, kind: str, number: int, crossings: np.ndarray, taken: list[np.ndarray]) -> list[np.ndarray]:
    """Return `number` positions: the places of that kind, then the crossings farthest from everything placed."""
    found = [np.asarray(place.shape, float).mean(axis=0) for place in sorted(base.places, key=lambda p: p.id) if place.kind == kind][
        :number
    ]
    while len(found) < number:
        others = taken + found or [crossings[0]]
        apart = np.min([np.hypot(*(crossings - other).T) for other in others], axis=0)
        found.append(crossings[int(np.argmax(np.round(apart, 3)))] + (15.0, 15.0))
    return [np.round(xy, 2) for xy in found]


def _connect(network: Layout, node: str, xy: np.ndarray, crossings: list[str], at: np.ndarray) -> None:
    """Join a station or tank to the network by two mains, so that neither is the only one."""
    for k in np.argsort(np.round(np.hypot(*(at - xy).T), 3), kind="stable")[:2]:
        network.mains.append(Main(f"P{len(network.mains) + 1}", node, crossings[k], np.array([xy, at[k]]), 300))


def _synthetic(network: Layout, found: Findings) -> dict[str, str]:
    total = sum(network.demand_l_per_s.values())
    pump = network.stations[0]
    return {
        "demand": f"{RESIDENT_L_PER_DAY:g} l a day for a resident, {WORKER_L_PER_DAY:g} l for a worker; {total * 86.4:.0f} m3 a day in all",
        "demand by hour": f"one pattern for all, from {min(plan.PATTERN):g} to {max(plan.PATTERN):g} times the mean",
        "ground": f"flat at {plan.GROUND_M:g} m",
        "mains": f"along every street, {found.length_km:.1f} km, bores from demand; Hazen-Williams {plan.ROUGHNESS}",
        "works": f"{STATIONS} stations of {PUMPS} pumps of {pump.duty_l_per_s:.0f} l/s at {pump.duty_m:.1f} m, {plan.EFFICIENCY_PERCENT} %",
        "tanks": f"{TANKS} of {network.tank_diameter_m:.1f} m diameter, {plan.TOWER_M:g} m up, {STORED_SHARE:.0%} of a day's demand",
        "isolation valves": "one at each end of every main",
    }
