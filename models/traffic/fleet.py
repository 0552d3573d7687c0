"""Who is on the roads: vehicles counted in and out, cars from car parks, ways round closed roads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.traffic import units
from models.traffic.sites import Sites
from twin.ports import TRACK

if TYPE_CHECKING:
    from models.traffic.engine import Sumo

CAR, ELECTRIC, BUS, TRUCK, OTHER, FROM_CARPARK = range(6)
KINDS = {
    CAR: "car",
    ELECTRIC: "electric car",
    BUS: "bus",
    TRUCK: "truck",
    OTHER: "other vehicle",
    FROM_CARPARK: "car from a car park",
    **units.KINDS,
}
_KIND_OF_CLASS = {
    "bus": BUS,
    "coach": BUS,
    "truck": TRUCK,
    "trailer": TRUCK,
    "delivery": TRUCK,
    "bicycle": OTHER,
    "moped": OTHER,
    "tram": OTHER,
}


class Driver(NamedTuple):
    """A vehicle on the roads: number of its track, when it entered, kind, people from a car park, last edge (electric cars)."""

    number: int
    departed_s: int
    kind: int
    people: int
    target: str


class Leaver(NamedTuple):
    """A car that wants to leave a car park: its id, car park, exit, people, vehicle type."""

    id: str
    carpark: int
    exit: int
    people: int
    type_id: str


class Fleet:
    """The vehicles of a run, by SUMO's id, and what became of those that are gone."""

    def __init__(self, sites: Sites, electric_share: float) -> None:
        self.sites, self.electric_share = sites, electric_share
        self.drivers: dict[str, Driver] = {}
        self.leavers: list[Leaver] = []
        self.entering: dict[str, int] = {}
        self.departed = self.arrived = self.teleported = 0
        self.cars_in = self.cars_out = self.people_in = self.people_out = 0
        self.travelled_s = 0

    def receive(self, records: np.ndarray, rng: np.random.Generator) -> list[int]:
        """Take the people who reached a car park; returns the car park of each car that is electric."""
        electric: list[int] = []
        if not records.size:
            return electric
        weights = np.array([one.weight for one in self.sites.exits])
        homes = rng.choice(len(weights), records.size, p=weights / weights.sum())
        charged = rng.random(records.size) < self.electric_share
        for record, home, is_electric in zip(records, homes.tolist(), charged.tolist(), strict=True):
            exit = int(record["destination"]) if 0 <= record["destination"] < len(weights) else home
            type_id = self.sites.electric if is_electric else self.sites.car
            number = self.cars_in
            self.leavers.append(
                Leaver(f"carpark{record['at']}.{number}.{record['id']}", int(record["at"]), exit, int(record["size"]), type_id)
            )
            self.cars_in += 1
            self.people_in += max(int(record["size"]), 1)
            electric += [int(record["at"])] if is_electric else []
        return electric

    def leave(self, sumo: Sumo) -> None:
        """Send every waiting car on its way home, or by another exit where there is none; the rest wait on."""
        waiting = []
        found: dict[tuple[str, str, str], Sequence[str]] = {}
        exits = self.sites.exits
        for leaver in self.leavers:
            start = self.sites.carparks[leaver.carpark].edge
            for exit in [leaver.exit, *(i for i in range(len(exits)) if i != leaver.exit and exits[i].weight > 0)]:
                key = (start, exits[exit].edge, leaver.type_id)
                if key not in found:
                    found[key] = sumo.find_route(*key)
                if found[key]:
                    sumo.do("insert", leaver.id, found[key], leaver.type_id)
                    self.entering[leaver.id] = leaver.people
                    break
            else:
                waiting.append(leaver)
        self.leavers = waiting

    def depart(self, sumo: Sumo, ids: Iterable[str], now_s: int, sent: Mapping[str, int]) -> None:
        """Count vehicles that entered the roads; `sent` says the kinds of those that another model sent."""
        for id in ids:
            people = self.entering.pop(id, 0)
            vehicle_class, is_electric = sumo.kind(id)
            usual = ELECTRIC if is_electric else _KIND_OF_CLASS.get(vehicle_class, CAR)
            kind = sent.get(id, FROM_CARPARK if people else usual)
            target = sumo.target(id) if kind == ELECTRIC and self.sites.chargers else ""
            self.drivers[id] = Driver(self.departed, now_s, kind, people, target)
            self.departed += 1

    def arrive(self, ids: Iterable[str], now_s: int) -> list[tuple[str, Driver]]:
        """Count vehicles that left the roads; returns them."""
        gone = [(id, self.drivers.pop(id)) for id in ids if id in self.drivers]
        for _, driver in gone:
            self.arrived += 1
            self.travelled_s += now_s - driver.departed_s
            self.cars_out += driver.people > 0
            self.people_out += driver.people
        return gone

    def people_held(self) -> int:
        """Return the people from car parks who are on their way or wait to drive out."""
        return sum(d.people for d in self.drivers.values()) + sum(self.entering.values()) + sum(one.people for one in self.leavers)

    def tracks(self, sumo: Sumo, offset_m: tuple[float, float]) -> np.ndarray:
        """Return the vehicles on the roads as `TRACK`, sorted by number."""
        ids = sumo.on_roads()
        track = np.empty(len(ids), TRACK)
        if ids:
            track["id"] = [self.drivers[id].number for id in ids]
            track["kind"] = [self.drivers[id].kind for id in ids]
            x, y, angle, speed = np.array(sumo.positions(ids)).T
            track["x_m"], track["y_m"], track["angle_deg"], track["speed_m_per_s"] = x + offset_m[0], y + offset_m[1], angle, speed
        return track[np.argsort(track["id"], kind="stable")]

    def save(self) -> dict[str, Any]:
        """Return everything as plain data."""
        counters = [
            self.departed,
            self.arrived,
            self.teleported,
            self.cars_in,
            self.cars_out,
            self.people_in,
            self.people_out,
            self.travelled_s,
        ]
        return {
            "drivers": {id: tuple(driver) for id, driver in self.drivers.items()},
            "leavers": [tuple(one) for one in self.leavers],
            "entering": dict(self.entering),
            "counters": counters,
        }

    def load(self, saved: dict[str, Any]) -> None:
        """Take a saved state."""
        self.drivers = {id: Driver(*driver) for id, driver in saved["drivers"].items()}
        self.leavers = [Leaver(*one) for one in saved["leavers"]]
        self.entering = dict(saved["entering"])
        self.departed, self.arrived, self.teleported, self.cars_in, self.cars_out, self.people_in, self.people_out, self.travelled_s = (
            saved["counters"]
        )
