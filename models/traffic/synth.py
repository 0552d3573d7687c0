"""Lays roads, signals, car parks, chargers and an evening's trips along a city's streets, and drives them to check."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.traffic import roads, trips
from models.traffic.network import TrafficNetwork, read_network
from twin.base import Base, Laid, Need
from twin.errors import InputError, nearest
from twin.model import Setup

FILES = {
    "net": "roads.net.xml",
    "routes": "trips.rou.xml",
    "routes2": "buses.rou.xml",
    "vtypes": "vtypes.add.xml",
    "additional": "stops.add.xml",
    "sites": "sites.json",
}
SIGNAL_MW = 0.0005
"""Synthetic: power of a signalised crossing, 0.5 kW."""
POINTS_PER_SPACE = 0.05
"""Synthetic: charging points per space of a car park."""
POINT_KW = 7.0
"""Power of an alternating current charging point, 7 kW: the usual single-phase wall box in China (GB/T 18487, 32 A at 220 V)."""
PARKED_SHARE = 0.6
"""Synthetic: charging points taken at the start."""
SPACES = 500
"""Synthetic: spaces of a car park that states no capacity."""
CHECKED_S = 600
MOST_TELEPORTED = 0.01


def synth(base: Base, laid: Mapping[str, Laid], folder: Path, options: Mapping[str, Any]) -> Laid:
    """Write the road network, demand and sites into `folder`; option `trips_per_h` (default 6,000).

    InputError: no streets, a complaint of netconvert, roads from which others cannot be reached, or a first
    ten minutes in which SUMO has to move more than 1 % of the vehicles out of a jam.
    """
    del laid
    wrong = [nearest(str(key), ("trips_per_h",), what="option of the synthesis") for key in sorted(set(options) - {"trips_per_h"})]
    if wrong or not base.streets:
        raise InputError("traffic: " + ("; ".join(wrong) or "the base has no streets to lay roads along"))
    trips_per_h = float(options.get("trips_per_h", trips.TRIPS_PER_H))
    with tempfile.TemporaryDirectory() as scratch:
        network = write_files(base, folder, Path(scratch), trips_per_h)
        checks = _checks(network, folder, Path(scratch))
    sites = network.sites
    needs = [
        Need(id, "supply", (float(xy[0, 0]), float(xy[0, 1])), SIGNAL_MW) for id, xy in zip(network.signals, network.signal_xy, strict=True)
    ]
    needs += [
        Need(one.id, "supply", (float(one.xy[0, 0]), float(one.xy[0, 1])), one.points * one.point_kw / 1000) for one in sites.chargers
    ]
    return Laid(
        files=FILES,
        elements=network.elements(),
        needs=tuple(needs),
        by_street={street.id: roads.directions(street) for street in base.streets},
        checks=checks,
        synthetic=_synthetic(trips_per_h),
    )


def write_files(base: Base, folder: Path, scratch: Path, trips_per_h: float) -> TrafficNetwork:
    """Write every file of the pack's traffic and read them back."""
    rng = np.random.default_rng([base.seed, *b"traffic"])
    (folder / FILES["vtypes"]).write_text(trips.TYPES, "utf-8", newline="\n")
    roads.lay_roads(base, folder / FILES["net"], scratch)
    stops, buses = trips.bus_lines(base)
    (folder / FILES["additional"]).write_text(stops, "utf-8", newline="\n")
    (folder / FILES["routes2"]).write_text(buses, "utf-8", newline="\n")
    drawn = trips.draw(base, rng, trips_per_h)
    trips.route(drawn, folder / FILES["net"], folder / FILES["vtypes"], folder / FILES["routes"], scratch, base.seed)
    (folder / FILES["sites"]).write_text(_sites(base), "utf-8", newline="\n")
    return read_network(Setup("traffic", {role: folder / name for role, name in FILES.items()}, scratch), begin_s=0)


def _sites(base: Base) -> str:
    parks, chargers = [], []
    for place in sorted((one for one in base.places if one.kind == "carpark"), key=lambda one: one.id):
        xy = np.asarray(place.shape, float).reshape(-1, 2).mean(axis=0)
        at = {"edge": trips.nearest_edge(base, xy), "x": round(float(xy[0]), 2), "y": round(float(xy[1]), 2)}
        points = max(1, round(float(place.properties.get("capacity", SPACES)) * POINTS_PER_SPACE))
        parks.append({"id": place.id, **at})
        parked = round(points * PARKED_SHARE)
        chargers.append({"id": f"charger_{place.id}", **at, "carpark": place.id, "points": points, "point_kw": POINT_KW, "parked": parked})
    exits = [{"id": f"exit_{outward}", "edge": outward, "weight": 1.0} for _, outward in trips.gates(base)]
    document = {
        "about": "synthetic: exits at the ends of arterials, chargers at car parks; coordinates in metres of the pack",
        "departures_from": trips.DEPARTURES_FROM,
        "car": "car",
        "electric": "electric",
        "exits": exits,
        "carparks": parks,
        "chargers": chargers,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _checks(network: TrafficNetwork, folder: Path, scratch: Path) -> dict[str, str]:
    lost = roads.unreachable(network.edges.ids, roads.successors(folder / FILES["net"]))
    if lost:
        raise InputError(f"traffic: the roads are not connected both ways: {len(lost)} of {len(network.edges.ids)}, for example {lost[0]}")
    options = ["-n", FILES["net"], "-r", f"{FILES['routes']},{FILES['routes2']}", "-a", f"{FILES['vtypes']},{FILES['additional']}"]
    statistics = scratch / "statistics.xml"
    options += ["--end", str(CHECKED_S), "--no-step-log", "--no-warnings", "--seed", "1", "--statistic-output", str(statistics)]
    roads.call("sumo", options, folder)
    said = statistics.read_text("utf-8")
    inserted, waiting, teleported = (
        _figure(said, *what) for what in (("vehicles", "inserted"), ("vehicles", "waiting"), ("teleports", "total"))
    )
    if teleported > MOST_TELEPORTED * inserted:
        raise InputError(
            f"traffic: in {CHECKED_S} s SUMO moved {teleported} of {inserted} vehicles out of jams, more than {MOST_TELEPORTED:.0%}"
        )
    return {
        "complaints of netconvert": "0",
        "roads reachable from each other": f"{len(network.edges.ids)} of {len(network.edges.ids)}",
        "signals": str(len(network.signals)),
        f"vehicles in the first {CHECKED_S // 60} minutes": f"{inserted} entered, {waiting} waiting to enter",
        "vehicles moved out of jams": f"{teleported}",
    }


def _figure(said: str, tag: str, attribute: str) -> int:
    found = re.search(rf'<{tag} [^>]*\b{attribute}="(\d+)"', said)
    if found is None:
        raise InputError(f"traffic: SUMO's statistics lack {tag} {attribute}: is the disk full?")
    return int(found[1])


def _synthetic(trips_per_h: float) -> dict[str, str]:
    return {
        "trips": f"{trips_per_h:g} departures/h from 20:00, {trips.PROFILE[-1]:.0%} of it by midnight, {trips.THROUGH_SHARE:.0%} in or out",
        "mean trip": f"gravity by people, e-fold {trips.MEAN_TRIP_M:g} m",
        "electric cars and lorries": f"{trips.ELECTRIC_SHARE:.0%} and {trips.TRUCK_SHARE:.0%} of the trips",
        "buses": f"lines on every arterial, every {trips.HEADWAY_S} s, stops about every {trips.STOP_EVERY_M:g} m",
        "signals": f"where an arterial meets an arterial or a collector; {SIGNAL_MW * 1000:g} kW each; timing by netconvert",
        "chargers": f"at car parks, {POINTS_PER_SPACE:g} points per space, {POINT_KW:g} kW each, {PARKED_SHARE:.0%} taken at the start",
    }
