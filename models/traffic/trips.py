"""An evening's demand along a city's streets: private trips by gravity, bus lines with stops; all figures synthetic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.traffic.roads import call, chains, directions, edges_of, length_m, strip_comments
from twin.base import Base, Street

DEPARTURES_FROM = "20:00"
"""Clock time of departure 0."""
TRIPS_PER_H = 6000.0
"""Synthetic: departures in the first hour."""
PROFILE = (1.0, 1.0, 0.95, 0.9, 0.85, 0.75, 0.65, 0.5)
"""Synthetic: departures of each half hour from 20:00 to 24:00, as a share of `TRIPS_PER_H`."""
THROUGH_SHARE = 0.3
"""Synthetic: trips that start or end outside the district, on an arterial at its edge."""
MEAN_TRIP_M = 2000.0
"""Synthetic: distance over which the wish to go somewhere falls by e."""
ELECTRIC_SHARE, TRUCK_SHARE = 0.15, 0.04
"""Synthetic: electric cars and lorries among the trips."""
ROUTE_SPREAD = 1.6
"""Synthetic: duarouter's factor by which drivers misjudge travel times, so that they spread over parallel streets."""
HEADWAY_S = 480
"""Synthetic: time between buses of a line."""
STOP_EVERY_M, STOP_LENGTH_M, DWELL_S = 600.0, 26.0, 20
"""Synthetic: distance between bus stops, length of one, and how long a bus stands."""
LEAST_LINE_M = 2000.0

TYPES = """<routes>
<vType id="car" vClass="passenger" length="4.8" accel="2.6" decel="4.5" speedDev="0.1" emissionClass="HBEFA4/PC_petrol_Euro-4"/>
<vType id="electric" vClass="passenger" length="4.8" accel="2.9" decel="4.5" speedDev="0.1" emissionClass="Zero/default"/>
<vType id="truck" vClass="truck" length="9.0" accel="1.3" decel="4.0" speedDev="0.05" emissionClass="HBEFA4/RT_le7.5t_Euro-IV_EGR"/>
<vType id="bus" vClass="bus" length="12.0" accel="1.2" decel="4.0" speedDev="0.05" emissionClass="HBEFA4/UBus_Std_gt15-18t_Euro-IV_EGR"/>
</routes>
"""


class Ends(NamedTuple):
    """Where trips begin and end: an edge for each street, its middle, and how many people live or work there."""

    edges: list[tuple[str, str]]
    middle: np.ndarray
    people: np.ndarray


def gates(base: Base) -> list[tuple[str, str]]:
    """Return the (inward, outward) edges at both ends of every arterial: the ways in and out of the district."""
    found = {}
    for chain in chains(base, "arterial"):
        onward, back = edges_of(chain), edges_of(chain, back=True)
        found[back[-1]] = onward[0]
        found[onward[-1]] = back[0]
    return [(inward, outward) for outward, inward in sorted(found.items())]


def ends(base: Base) -> Ends:
    """Give every building's people to its nearest street that is no arterial."""
    streets = sorted((one for one in base.streets if one.rank != "arterial"), key=lambda one: one.id) or sorted(
        base.streets, key=lambda one: one.id
    )
    middle = np.array([np.asarray(street.shape, float).mean(axis=0) for street in streets])
    people = np.zeros(len(streets))
    for building in base.buildings:
        nearest = np.argmin(np.hypot(*(middle - np.asarray(building.shape, float).mean(axis=0)).T))
        people[nearest] += building.people
    if not people.any():
        people[:] = [length_m(street.shape) for street in streets]
    return Ends([directions(street) for street in streets], middle, people)


def draw(base: Base, rng: np.random.Generator, trips_per_h: float) -> list[str]:
    """Return the evening's trips as SUMO elements, sorted by departure."""
    there, ways = ends(base), gates(base)
    counts = [round(trips_per_h * share / 2) for share in PROFILE]
    depart_s = np.sort(np.concatenate([rng.integers(1800 * i, 1800 * (i + 1), count) for i, count in enumerate(counts)]))
    kind = rng.choice(3, depart_s.size, p=[1 - ELECTRIC_SHARE - TRUCK_SHARE, ELECTRIC_SHARE, TRUCK_SHARE])
    away = np.exp(-np.hypot(*(there.middle[:, None] - there.middle[None]).transpose(2, 0, 1)) / MEAN_TRIP_M) * there.people
    np.fill_diagonal(away, 0.0)
    far = np.cumsum(away, axis=1)
    home = rng.choice(len(there.people), depart_s.size, p=there.people / there.people.sum())
    where, side, through, gate = (rng.random(depart_s.size) for _ in range(4))
    lines = []
    for number, start in enumerate(home.tolist()):
        end = int(np.searchsorted(far[start], where[number] * far[start, -1], side="right"))
        origin, target = there.edges[start][int(side[number] * 2)], there.edges[min(end, len(there.edges) - 1)][int(side[number] * 4) % 2]
        inward, outward = ways[int(gate[number] * len(ways))] if ways else (origin, target)
        if through[number] < THROUGH_SHARE / 2:
            origin = inward
        elif through[number] < THROUGH_SHARE:
            target = outward
        type_id = ("car", "electric", "truck")[kind[number]]
        if origin != target:
            when = f'depart="{depart_s[number]}" departLane="best" departSpeed="max"'
            lines.append(f'<trip id="t{number}" type="{type_id}" {when} from="{origin}" to="{target}"/>')
    return lines


def route(trips: Sequence[str], net: Path, types: Path, target: Path, scratch: Path, seed: int) -> None:
    """Find each trip's way with duarouter and write the routes to `target`."""
    (scratch / "trips.xml").write_text("<routes>\n" + "\n".join(trips) + "\n</routes>\n", "utf-8", newline="\n")
    options = ["-n", str(net), "-r", "trips.xml", "-a", str(types), "-o", "routed.rou.xml", "--alternatives-output", "NUL"]
    options += [
        "--vtype-output",
        "types.xml",
        "--no-step-log",
        "--weights.random-factor",
        f"{ROUTE_SPREAD}",
        "--seed",
        str(seed % 2**31),
        "--no-warnings",
    ]
    call("duarouter", options, scratch)
    strip_comments(scratch / "routed.rou.xml")
    text = (scratch / "routed.rou.xml").read_text("utf-8")
    target.write_text(text.replace("    ", "").replace("\r", ""), "utf-8", newline="\n")


def bus_lines(base: Base) -> tuple[str, str]:
    """Return bus stops and buses along every arterial, both ways, as texts of an additional and a route file."""
    stops: dict[str, str] = {}
    buses: list[tuple[int, str]] = []
    for number, chain in enumerate(one for one in chains(base, "arterial") if sum(length_m(s.shape) for s, _ in one) >= LEAST_LINE_M):
        for back in (False, True):
            edges = edges_of(chain, back=back)
            along = [length_m(street.shape) for street, _ in (reversed(chain) if back else chain)]
            line = f"B{number + 1}{'r' if back else ''}"
            called = _stops(edges, along, stops, line)
            serving = "".join(f'<stop busStop="{stop}" duration="{DWELL_S}"/>' for stop in called)
            first = (number * 97 + back * 240) % HEADWAY_S
            for start in range(first, 1800 * len(PROFILE), HEADWAY_S):
                buses.append(
                    (
                        start,
                        f'<vehicle id="{line}.{start}" type="bus" line="{line}" depart="{start}" departLane="best">'
                        f'<route edges="{" ".join(edges)}"/>{serving}</vehicle>',
                    )
                )
    shelters = "\n".join(stops[id] for id in sorted(stops))
    vehicles = "\n".join(text for _, text in sorted(buses))
    return f"<additional>\n{shelters}\n</additional>\n", f"<routes>\n{vehicles}\n</routes>\n"


def _stops(edges: Sequence[str], along: Sequence[float], stops: dict[str, str], line: str) -> list[str]:
    called, since = [], STOP_EVERY_M
    for edge, long_m in zip(edges[1:-1], along[1:-1], strict=True):
        since += long_m
        if since >= STOP_EVERY_M and long_m > 4 * STOP_LENGTH_M:
            end = long_m / 2
            stops[f"{edge}.stop"] = (
                f'<busStop id="{edge}.stop" lane="{edge}_0" startPos="{end - STOP_LENGTH_M:.1f}" endPos="{end:.1f}" lines="{line}"/>'
            )
            called.append(f"{edge}.stop")
            since = 0.0
    return called


def nearest_edge(base: Base, xy: np.ndarray) -> str:
    """Return the forward edge of the street whose middle is nearest to a point."""
    streets: Sequence[Street] = sorted(base.streets, key=lambda one: one.id)
    away = [float(np.hypot(*(np.asarray(one.shape, float).mean(axis=0) - xy))) for one in streets]
    return directions(streets[int(np.argmin(away))])[0]
