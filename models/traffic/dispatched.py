"""What is done to SUMO for vehicles that drive with blue lights: their types, their way in, their turning round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import libsumo

if TYPE_CHECKING:
    from models.traffic.commands import Commands

BLUE_FACTOR = 1.5
"""Speed with blue lights over the limit, as SUMO's documentation of emergency vehicles proposes."""


class DispatchedCommands:
    """Commands for units; a part of `Commands`, so that they are in the same log."""

    def make_type(self: Commands, name: str, vehicle_class: str, length_m: float, blue: bool) -> None:
        """Make a vehicle type. With blue lights it passes red signals and others make way (SUMO's device, microscopic mode only).

        In mesoscopic mode SUMO has no device: there a unit with blue lights drives faster where the road is free, and waits in
        queues and at signals as everybody does.
        """
        types = libsumo.vehicletype
        types.copy("DEFAULT_VEHTYPE", name)
        types.setVehicleClass(name, vehicle_class)
        types.setLength(name, length_m)
        types.setSpeedDeviation(name, 0.0)
        if blue:
            types.setSpeedFactor(name, BLUE_FACTOR)
            if not self.meso:
                types.setParameter(name, "has.bluelight.device", "true")

    def insert_unit(self, vehicle: str, edges: Sequence[str], type_id: str) -> None:
        """Let a unit enter at the middle of its first edge as soon as there is room, and leave at the middle of its last."""
        libsumo.route.add(f"!{vehicle}", list(edges))
        middle = [f"{libsumo.lane.getLength(f'{edge}_0') / 2:.2f}" for edge in (edges[0], edges[-1])]
        libsumo.vehicle.add(
            vehicle,
            f"!{vehicle}",
            typeID=type_id,
            depart="now",
            departLane="best",
            departPos=middle[0],
            departSpeed="0",
            arrivalPos=middle[1],
        )

    def turn_unit(self: Commands, vehicle: str, edge: str) -> bool:
        """Send a unit on its way to another edge; False when it cannot turn now."""
        return self._reroute(vehicle, edge)

    def change_unit(self: Commands, vehicle: str, new: str, edge: str, type_id: str) -> str:
        """Let a unit on its way drive on as another type, with or without blue lights; returns its name then, empty if it cannot now.

        SUMO gives a vehicle its device when it enters and never takes it away: in microscopic mode `new` enters where `vehicle`
        was, for `edge`. In mesoscopic mode there is no device and the vehicle only changes its type; it still has to turn.
        """
        one = libsumo.vehicle
        if self.meso:
            one.setType(vehicle, type_id)
            one.setSpeedFactor(vehicle, libsumo.vehicletype.getSpeedFactor(type_id))
            return vehicle
        here, lane = one.getRoadID(vehicle), one.getLaneID(vehicle)
        broken = any(vehicle in stood for stood in self.stalled.values())
        way = () if broken or here.startswith(":") or not here else self.find_route(here, edge, type_id)
        if not way:
            return ""
        at_m, speed_m_per_s = one.getLanePosition(vehicle), one.getSpeed(vehicle)
        most_m_per_s = libsumo.lane.getMaxSpeed(lane) * libsumo.vehicletype.getSpeedFactor(type_id)
        end_m = libsumo.lane.getLength(f"{way[-1]}_0") / 2
        index = one.getLaneIndex(vehicle)
        one.remove(vehicle)
        libsumo.route.add(f"!{new}", list(way))
        one.add(
            new,
            f"!{new}",
            typeID=type_id,
            depart="now",
            departLane=str(index),
            departPos=f"{at_m:.2f}",
            departSpeed=f"{min(speed_m_per_s, most_m_per_s):.2f}",
            arrivalPos=f"{max(end_m, at_m) if len(way) == 1 else end_m:.2f}",
        )
        return new

    def refresh_units(self: Commands, vehicles: Sequence[str]) -> None:
        """Let units take the fastest way by the present travel times."""
        for vehicle in vehicles:
            self._reroute(vehicle)
