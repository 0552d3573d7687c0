"""Everything that is ever done to a running SUMO, each as a plain call that can be logged and replayed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import libsumo
import numpy as np

from models.traffic import junctions
from models.traffic.dispatched import DispatchedCommands
from models.traffic.network import TrafficNetwork

_STOP = "s"
"""SUMO's signal for "stop, then go when nobody with right of way comes"."""
_OFFICERS = "officers"
"""The program of a junction that officers direct."""
_ROLL_M = 2.0
"""What a car that breaks down rolls beyond its braking distance."""
_BROKEN_S = 1e6
"""A stop that nobody ends but `unstall`."""
_SHUT_S = 1e6
"""Travel time of a closed edge in mesoscopic mode: any open way is faster."""


class Commands(DispatchedCommands):
    """The commands the model gives SUMO; arguments are plain data, so that a log of them is a snapshot."""

    def __init__(self, network: TrafficNetwork, *, seed: int, meso: bool) -> None:
        self.network, self.seed, self.meso = network, seed, meso
        self.open_lanes: dict[int, list[tuple[str, Sequence[str]]]] = {}
        self.shut: dict[int, None] = {}
        self.stalled: dict[int, dict[str, bool]] = {}
        self.full_speeds: dict[int, list[tuple[str, float]]] = {}
        self.own_programs: dict[int, str] = {}

    def control(self, signal: int, by: int) -> None:
        """Have a junction directed by its program, by nobody (all stop), by an intruder, or by officers (`models.traffic.junctions`).

        SUMO's own program `off` lets major roads run freely, and then a dark night has less delay than a lit one.
        """
        name = self.network.signals[signal]
        own = self.own_programs.setdefault(signal, libsumo.trafficlight.getProgram(name))
        if by == junctions.PROGRAM:
            libsumo.trafficlight.setProgram(name, self.own_programs.pop(signal))
            return
        logic = next(logic for logic in libsumo.trafficlight.getAllProgramLogics(name) if logic.programID == own)
        program = [(phase.duration, phase.state) for phase in logic.phases]
        if by == junctions.BY_HAND:
            phases = [libsumo.trafficlight.Phase(*phase) for phase in junctions.by_hand(program)]
            libsumo.trafficlight.setProgramLogic(name, libsumo.trafficlight.Logic(_OFFICERS, 0, 0, phases))
            libsumo.trafficlight.setProgram(name, _OFFICERS)
        else:
            state = junctions.held(program) if by == junctions.HELD else _STOP * len(program[0][1])
            libsumo.trafficlight.setRedYellowGreenState(name, state)

    def _lanes(self, edge: int) -> list[str]:
        return [f"{self.network.edges.ids[edge]}_{lane}" for lane in range(self.network.edges.lanes[edge])]

    def close_edge(self, edge: int) -> None:
        """Allow nobody on an edge; who is on it leaves it by its end.

        Mesoscopic vehicles could not leave an edge that forbids them, so there nobody is sent over it any more:
        who starts on it or already waits for it still drives through.
        """
        if self.meso:
            self.shut[edge] = None
            libsumo.edge.adaptTraveltime(self.network.edges.ids[edge], _SHUT_S)
            return
        self.open_lanes[edge] = [(lane, libsumo.lane.getAllowed(lane)) for lane in self._lanes(edge)]
        for lane in self._lanes(edge):
            libsumo.lane.setDisallowed(lane, ["all"])

    def open_edge(self, edge: int) -> None:
        """Allow those again who were allowed before the edge was closed."""
        if self.meso:
            del self.shut[edge]
            free_s = self.network.edges.length_m[edge] / self.network.edges.speed_m_per_s[edge]
            libsumo.edge.adaptTraveltime(self.network.edges.ids[edge], float(free_s))
            return
        for lane, allowed in self.open_lanes.pop(edge):
            libsumo.lane.setAllowed(lane, list(allowed) or ["all"])

    def limit(self, edge: int, speed_m_per_s: float) -> None:
        """Set the speed limit of an edge."""
        self.full_speeds.setdefault(edge, [(lane, libsumo.lane.getMaxSpeed(lane)) for lane in self._lanes(edge)])
        for lane in self._lanes(edge):
            libsumo.lane.setMaxSpeed(lane, speed_m_per_s)

    def unlimit(self, edge: int) -> None:
        """Restore the speed limits that an edge had."""
        for lane, speed_m_per_s in self.full_speeds.pop(edge, []):
            libsumo.lane.setMaxSpeed(lane, speed_m_per_s)

    def stall(self, edge: int) -> int:
        """Let every vehicle on an edge break down as soon as it has braked; returns how many.

        They stand as at a stop, so that SUMO does not take them for jammed and move them on; one too near the end of
        its lane to stop there is held by its speed.
        """
        name = self.network.edges.ids[edge]
        closed = edge in self.open_lanes
        if closed:
            self.open_edge(edge)  # SUMO refuses a stop on a lane that a vehicle is not allowed on
        for vehicle in sorted(libsumo.edge.getLastStepVehicleIDs(name)):
            gap_m = libsumo.vehicle.getSpeed(vehicle) ** 2 / (2 * libsumo.vehicle.getDecel(vehicle)) + _ROLL_M
            at_m, lane = libsumo.vehicle.getLanePosition(vehicle) + gap_m, libsumo.vehicle.getLaneIndex(vehicle)
            stops = at_m <= self.network.edges.length_m[edge] and not libsumo.vehicle.getStops(vehicle, 1)
            if stops:
                libsumo.vehicle.setStop(vehicle, name, at_m, lane, _BROKEN_S)
            else:
                libsumo.vehicle.setSpeed(vehicle, 0.0)
            self.stalled.setdefault(edge, {})[vehicle] = bool(stops)
        if closed:
            self.close_edge(edge)
        return len(self.stalled.get(edge, ()))

    def unstall(self, edge: int) -> None:
        """Let those go on that broke down on an edge."""
        there = set(libsumo.vehicle.getIDList())
        for vehicle, stops in self.stalled.pop(edge, {}).items():
            if vehicle in there:
                if not stops:
                    libsumo.vehicle.setSpeed(vehicle, -1.0)
                elif libsumo.vehicle.isStopped(vehicle):
                    libsumo.vehicle.resume(vehicle)
                else:
                    libsumo.vehicle.replaceStop(vehicle, 0, "")

    def emissions(self) -> list[float]:
        """Return the carbon dioxide of the last step on each edge, in mg.

        A command, because SUMO watches a vehicle's engine only after somebody first asked for what comes out of it: until
        then one that stands at a stop counts as idling, however long it stands.
        """
        return list(map(libsumo.edge.getCO2Emission, self.network.edges.ids))

    def weigh(self, travel_s: np.ndarray) -> None:
        """Set the travel time of each edge that a new way is chosen by."""
        for id, seconds in zip(self.network.edges.ids, travel_s.tolist(), strict=True):
            libsumo.edge.adaptTraveltime(id, seconds)
        for edge in self.shut:
            libsumo.edge.adaptTraveltime(self.network.edges.ids[edge], _SHUT_S)

    def find_route(self, start: str, end: str, type_id: str) -> Sequence[str]:
        """Return the fastest edges from one edge to another as the roads are now; empty when there are none."""
        try:
            return tuple(libsumo.simulation.findRoute(start, end, type_id).edges)
        except libsumo.TraCIException:
            return ()

    def draw(self, start: str, type_id: str) -> None:
        """Change SUMO as finding a way from `start` does: it makes a vehicle for that, which takes a number and random draws."""
        self.find_route(start, start, type_id)

    def insert(self, vehicle: str, edges: Sequence[str], type_id: str) -> None:
        """Let a vehicle enter at the start of its first edge as soon as there is room."""
        libsumo.route.add(f"!{vehicle}", list(edges))
        libsumo.vehicle.add(vehicle, f"!{vehicle}", typeID=type_id, depart="now", departLane="best", departSpeed="0")

    def refresh(self, share: float) -> None:
        """Let a share of the drivers take the fastest way by the present travel times.

        Who they are is a fixed choice by id and seed. Vehicles that serve stops keep to their line.
        """
        for vehicle in sorted(libsumo.vehicle.getIDList()):
            if zlib.crc32(f"{self.seed}:{vehicle}".encode()) < share * 2**32 and not libsumo.vehicle.getStops(vehicle, 1):
                self._reroute(vehicle)

    def avoid(self, closed: Sequence[str], vehicles: Sequence[str] | None = None) -> None:
        """Give all (or these) vehicles whose way leads over a closed edge another way, or end it before an end that is closed."""
        shut = frozenset(closed)
        for vehicle in sorted(libsumo.vehicle.getIDList()) if vehicles is None else vehicles:
            here, *ahead = remaining(vehicle)
            if shut.isdisjoint(ahead):
                continue
            target = next((edge for edge in reversed(ahead) if edge not in shut), here) if ahead[-1] in shut else ""
            self._reroute(vehicle, target)

    def _reroute(self, vehicle: str, target: str = "") -> bool:
        """Give a vehicle its fastest way, to another `target` if one is named; False if there is none, or it broke down."""
        if any(vehicle in stood for stood in self.stalled.values()):
            return False
        try:
            if self.meso:
                return self._reroute_after_next(vehicle, target)
            self._skip_stops(vehicle)
            if target:
                libsumo.vehicle.changeTarget(vehicle, target)
            libsumo.vehicle.rerouteTraveltime(vehicle)
        except libsumo.TraCIException:
            return False
        return True

    def _skip_stops(self, vehicle: str) -> None:
        """Take the stops on closed edges out of a bus's duty."""
        shut = {self.network.edges.ids[edge] for edge in self.open_lanes}
        stops = libsumo.vehicle.getStops(vehicle)
        for index in reversed(range(len(stops))):
            if stops[index].lane.rpartition("_")[0] in shut:
                libsumo.vehicle.replaceStop(vehicle, index, "")

    def _reroute_after_next(self, vehicle: str, target: str) -> bool:
        """Give a vehicle another way from its next edge on.

        Mesoscopic vehicles wait in the queue of their next edge; libsumo 1.28 crashes some time after a
        command has changed that edge, so it stays.
        """
        way = remaining(vehicle)
        if len(way) < 3 or libsumo.vehicle.getStops(vehicle, 1):
            return False
        end = target or way[-1]
        found: Iterable[str] = (way[1],) if end == way[1] else self.find_route(way[1], end, libsumo.vehicle.getTypeID(vehicle))
        edges = (way[0], *found)
        shut = {self.network.edges.ids[edge] for edge in self.shut}
        if len(edges) < 2 or edges == tuple(way) or not shut.isdisjoint(edges[2:]):
            return False
        libsumo.vehicle.setRoute(vehicle, edges)
        return True


def remaining(vehicle: str) -> Sequence[str]:
    """Return the edges a vehicle still has before it, the one it is on first."""
    return libsumo.vehicle.getRoute(vehicle)[max(libsumo.vehicle.getRouteIndex(vehicle), 0) :]
