"""Vehicles that another model sends from where they stand to an edge: with blue lights, or back in ordinary traffic.

Records of kind `blue` come at the edge they speak of. `destination` says what to do with the unit of that `id`: 0 or more, it
stands there from now on and is of that class (`CLASSES`); `BLUE` or `PLAIN`, it drives there from where it stands (or, on its
way, from where it is) as soon as it is `t_s`. Records of kind `reached` answer with `READY`, `ARRIVED` or `NO_WAY`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from models.traffic.engine import Sumo

BLUE, PLAIN = -1, -2
"""What is ordered: to drive with blue lights, or without."""
READY, ARRIVED, NO_WAY = range(3)
"""What is answered: it is known here; it has come to this edge; there is no way there now (it stays where it is)."""
TRY_AGAIN_S = 5
"""A unit on its way that cannot turn just now (in a queue before its next edge) tries again."""


class Class(NamedTuple):
    """What a unit of a class is on the roads: SUMO's vehicle class, length, and whether it may drive with blue lights.

    Rescue vehicles of power, water and gas may, as fire engines, ambulances and police cars: Road Traffic Safety Law of China, art. 53.
    """

    name: str
    label: str
    vehicle_class: str
    length_m: float
    blue: bool = True


CLASSES = (
    Class("power", "repair van", "emergency", 6.5),
    Class("water", "repair van", "emergency", 6.5),
    Class("gas", "repair van", "emergency", 6.5),
    Class("fire", "fire engine", "emergency", 9.0),
    Class("ambulance", "ambulance", "emergency", 6.0),
    Class("police", "police car", "emergency", 5.0),
    Class("bus", "relief bus", "bus", 12.0, blue=False),
)
"""The classes by their code in a record; lengths are usual ones (synthetic)."""
FIRST_KIND = 10
"""Code of the first class among the kinds of moving things."""
KINDS = {FIRST_KIND + code: label for code, label in enumerate(dict.fromkeys(one.label for one in CLASSES))}
_KIND_OF = [FIRST_KIND + list(KINDS.values()).index(one.label) for one in CLASSES]


class Order(NamedTuple):
    """A unit is to drive to an edge from a second on."""

    t_s: int
    unit: int
    edge: int
    blue: bool


class Trip(NamedTuple):
    """A unit on its way (or waiting to enter the road): its vehicle, where it goes, whether it is on the road yet, and its blue lights."""

    vehicle: str
    edge: int
    entered: bool
    blue: bool = False


class Units:
    """Where the units of other models stand, what they are ordered, and which of SUMO's vehicles they are."""

    def __init__(self, edges: Sequence[str]) -> None:
        self.edges, self.index = edges, {id: at for at, id in enumerate(edges)}
        self.code: dict[int, int] = {}
        self.stands: dict[int, int] = {}
        self.orders: list[Order] = []
        self.trips: dict[int, Trip] = {}
        self.unit_of: dict[str, int] = {}
        self.types: list[str] = []
        self.started = self.ended = 0
        self.left: list[str] = []

    def receive(self, records: np.ndarray, now_s: int) -> list[tuple[int, int, int, int, int]]:
        """Take records of kind `blue`; returns the answers to those that say where a unit stands."""
        answers = []
        for record in records:
            unit, edge, what = int(record["id"]), int(record["at"]), int(record["destination"])
            if what >= 0:
                self.code[unit] = min(what, len(CLASSES) - 1)
                self.stands[unit] = edge
                answers.append((unit, edge, READY, 1, now_s))
                continue
            self.orders = [order for order in self.orders if order.unit != unit]
            self.orders.append(Order(int(record["t_s"]), unit, edge, what == BLUE))
        return answers

    def start(self, sumo: Sumo, second: int) -> list[tuple[int, int, int, int, int]]:
        """Carry out the orders that are due before `second`; returns who is there already, and who has no way."""
        due = [order for order in self.orders if order.t_s < second]
        if not due:
            return []
        self.orders = [order for order in self.orders if order.t_s >= second]
        answers = []
        for order in due:
            said = self._turn(sumo, order, second) if order.unit in self.trips else self._leave(sumo, order)
            answers += [] if said is None else [(order.unit, said[0], said[1], 1, second - 1)]
        return answers

    def _type(self, sumo: Sumo, code: int, blue: bool) -> str:
        """Return the vehicle type of a class, made when it is first needed."""
        one = CLASSES[code]
        name = f"unit_{one.name}{'_blue' if blue and one.blue else ''}"
        if name not in self.types:
            sumo.do("make_type", name, one.vehicle_class, one.length_m, blue and one.blue)
            self.types.append(name)
        return name

    def _leave(self, sumo: Sumo, order: Order) -> tuple[int, int] | None:
        """Let a unit that stands enter the road."""
        here = self.stands.get(order.unit, order.edge)
        if here == order.edge:
            return here, ARRIVED
        type_id = self._type(sumo, self.code.get(order.unit, 0), order.blue)
        way = sumo.find_route(self.edges[here], self.edges[order.edge], type_id)
        if not way or sumo.is_shut(way):
            return order.edge, NO_WAY
        vehicle = f"unit{order.unit}.{self.started}"
        sumo.do("insert_unit", vehicle, tuple(way), type_id)
        self.trips[order.unit], self.unit_of[vehicle] = Trip(vehicle, order.edge, False, order.blue), order.unit
        self.started += 1
        return None

    def _turn(self, sumo: Sumo, order: Order, second: int) -> tuple[int, int] | None:
        """Send a unit that is on its way elsewhere; what cannot be done now is tried again."""
        trip, done = self.trips[order.unit], True
        if trip.blue != order.blue:
            done = trip.entered and self._change(sumo, order)
            trip = self.trips[order.unit]
        if done and trip.edge != order.edge:
            done = trip.entered and sumo.do("turn_unit", trip.vehicle, self.edges[order.edge])
            if done:
                self.trips[order.unit] = trip._replace(edge=order.edge)
        if not done:
            self.orders.append(order._replace(t_s=second - 1 + TRY_AGAIN_S))
        return None

    def _change(self, sumo: Sumo, order: Order) -> bool:
        """Switch a unit's blue lights on or off on its way; a new vehicle may take its place (one trip ends, another begins)."""
        trip, code = self.trips[order.unit], self.code.get(order.unit, 0)
        if CLASSES[code].blue:
            type_id = self._type(sumo, code, order.blue)
            new = sumo.do("change_unit", trip.vehicle, f"unit{order.unit}.{self.started}", self.edges[order.edge], type_id)
            if not new:
                return False
            if new != trip.vehicle:
                old = trip.vehicle
                del self.unit_of[old]
                self.unit_of[new] = order.unit
                trip = Trip(new, order.edge, False)
                self.started, self.ended = self.started + 1, self.ended + 1
                self.left.append(old)
        self.trips[order.unit] = trip._replace(blue=order.blue)
        return True

    def kinds(self) -> Mapping[str, int]:
        """Return vehicle -> kind of those that wait to enter."""
        waiting = ((trip.vehicle, unit) for unit, trip in self.trips.items() if not trip.entered)
        return {vehicle: _KIND_OF[self.code.get(unit, 0)] for vehicle, unit in waiting}

    def enter(self, vehicles: Iterable[str]) -> None:
        """Note who came onto the road."""
        for vehicle in vehicles:
            if (unit := self.unit_of.get(vehicle)) is not None:
                self.trips[unit] = self.trips[unit]._replace(entered=True)

    def arrive(self, vehicles: Iterable[str], second: int) -> list[tuple[int, int, int, int, int]]:
        """Let those stand who came to the end of their way; returns the answers."""
        answers = []
        for vehicle in vehicles:
            if (unit := self.unit_of.pop(vehicle, None)) is not None:
                edge = self.stands[unit] = self.trips.pop(unit).edge
                self.ended += 1
                answers.append((unit, edge, ARRIVED, 1, second))
        return answers

    def replaced(self) -> tuple[str, ...]:
        """Return, once, the vehicles whose place another took since the last second: SUMO does not say that they are gone."""
        left, self.left = tuple(self.left), []
        return left

    def look(self, sumo: Sumo) -> None:
        """Note anew where each goes: a closed end of a way is moved to the last open edge before it."""
        for unit, trip in self.trips.items():
            if trip.entered:
                self.trips[unit] = trip._replace(edge=self.index[sumo.target(trip.vehicle)])

    def on_roads(self) -> tuple[str, ...]:
        """Return the vehicles on the road."""
        return tuple(trip.vehicle for trip in self.trips.values() if trip.entered)

    def save(self) -> dict[str, Any]:
        """Return everything as plain data."""
        said = {"code": dict(self.code), "stands": dict(self.stands), "types": list(self.types)}
        trips = {unit: tuple(trip) for unit, trip in self.trips.items()}
        return {**said, "orders": [tuple(order) for order in self.orders], "trips": trips, "counts": [self.started, self.ended]}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take a saved state."""
        self.code, self.stands = ({int(unit): at for unit, at in saved[name].items()} for name in ("code", "stands"))
        self.orders, self.types = [Order(*order) for order in saved["orders"]], list(saved["types"])
        self.trips = {int(unit): Trip(*trip) for unit, trip in saved["trips"].items()}
        self.unit_of = {trip.vehicle: unit for unit, trip in self.trips.items()}
        self.started, self.ended = saved["counts"]
