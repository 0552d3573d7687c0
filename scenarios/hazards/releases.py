"""Hazards of what leaks: gas, propylene out of a line, what a crashed tanker carries; by an orifice or out of a finite content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from math import pi
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from scenarios.hazards import release, vessel
from scenarios.hazards.effect import Effect
from scenarios.hazards.ground import Ground
from scenarios.hazards.kind import At, Hole, Injured, Kind, Mass, Where, brought
from scenarios.hazards.outflow import Outflow, constant, ended, stepped
from scenarios.hazards.release import AMBIENT_PA, LIQUEFIED, METHANE, PROPYLENE, Line
from scenarios.hazards.vessel import Vessel
from twin.units import Quantity, Seconds

HEAVY = "{}: heavier than air and cold: near the source the Gaussian of the air is wrong (it says `outside_validity`)"


def _area_m2(hole_m: float) -> float:
    return pi * hole_m**2 / 4.0


def _ignited(ground: Ground, moment: str | None, source: str) -> list[Effect]:
    """Return the spark at a known moment."""
    if moment is None or not ground.has("air"):
        return []
    return [Effect(ground.moment_s("ignition", moment), "air", "ignite", source, {"source": source}, "a spark")]


class PipeBurst(Kind):
    """A water main opens."""

    strikes: ClassVar[tuple[str, ...]] = ("water",)

    at: At
    pipe: str
    hole: Hole

    def effects(self, ground: Ground) -> list[Effect]:
        """Return the burst."""
        ground.known("pipe", "water", "pipe", self.pipe)
        arguments = {"pipe": self.pipe, "area_m2": _area_m2(self.hole)}
        return [Effect(ground.moment_s("at", self.at), "water", "burst", self.pipe, arguments, f"a hole of {1e3 * self.hole:g} mm")]


class GasRelease(Kind):
    """Natural gas leaks: out of a pipe of the gas network at its own pressure, or out of a closed volume that empties."""

    strikes: ClassVar[tuple[str, ...]] = ("air",)
    also: ClassVar[tuple[str, ...]] = ("gas",)

    at: At
    hole: Hole
    pipe: str | None = Field(None, description="a pipe of the gas network, whose pressure the network keeps up")
    where: Where = Field(None, description="where the volume lies, when it is no pipe of the network")
    volume: Annotated[Quantity("m3"), Field(gt=0, le=1e6)] | None = None
    pressure: Annotated[Quantity("Pa"), Field(gt=0, le=3e7)] | None = Field(None, description="gauge, for example 4 bar")
    blow_down: bool = Field(True, description="the volume empties; false: an orifice at constant pressure")
    ignition: str | None = Field(None, description="the moment of a spark")

    def effects(self, ground: Ground) -> list[Effect]:
        """Return the leak of a pipe, and the spark."""
        t_s = ground.moment_s("at", self.at)
        if self.pipe is None:
            for key in ("where", "volume", "pressure"):
                if getattr(self, key) is None:
                    ground.say(key, "is missing; name a 'pipe' of the gas network, or 'where', 'volume' and 'pressure' of what leaks")
            return []
        for key in ("where", "volume", "pressure"):
            if getattr(self, key) is not None:
                ground.say(key, "a pipe of the gas network has its own; leave it out, or leave out 'pipe'")
        ground.known("pipe", "gas", "pipe", self.pipe)
        arguments = {"pipe": self.pipe, "area_m2": _area_m2(self.hole)}
        leak = Effect(t_s, "gas", "leak", self.pipe, arguments, f"a hole of {1e3 * self.hole:g} mm")
        return [leak, *_ignited(ground, self.ignition, self.pipe)]

    def outflows(self, ground: Ground, source: str) -> list[Outflow]:
        """Return the volume that empties into the air."""
        if self.pipe is not None or self.volume is None or self.pressure is None:
            return []
        start_s, (x_m, y_m) = ground.moment_s("at", self.at), ground.point("where", self.where)
        until_s = ground.context.duration_s - start_s
        pressure_pa, hole_m2 = self.pressure + AMBIENT_PA, _area_m2(self.hole)

        def rates(shut_s: int | None) -> list[tuple[int, float]]:
            if not self.blow_down:
                return constant(release.gas_kg_per_s(METHANE, pressure_pa, 288.15, hole_m2), until_s, shut_s)
            ends_s = until_s if shut_s is None else min(shut_s, until_s)
            found = release.gas_blow_down(METHANE, float(self.volume or 0.0), pressure_pa, 288.15, hole_m2, duration_s=float(until_s))
            return stepped(found, ends_s, shut=shut_s is not None)

        return [Outflow(source, "methane", x_m, y_m, start_s, False, rates)]


class Grows(BaseModel):
    """A hole gets wider."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: At
    hole: Hole


class PropyleneRelease(Kind):
    """A static line of liquid propylene is pierced: it empties itself, or (`blow_down: false`) keeps its pressure without end.

    The defaults are the line of 28 July 2010 in Nanjing: DN159, 2.2 MPa, 5 km, not pumping; its ground and wall are assumptions.
    """

    strikes: ClassVar[tuple[str, ...]] = ("air",)

    at: At
    where: Where
    hole: Hole
    grows: tuple[Grows, ...] = Field((), description="wider holes later on")
    length: Annotated[Quantity("m"), Field(gt=0, le=1e6)] = 5000.0
    bore: Annotated[Quantity("m"), Field(gt=0, le=2)] = 0.147
    pressure: Annotated[Quantity("Pa"), Field(gt=1e5, le=2e7)] = Field(2.2e6, description="gauge")
    temperature_k: float = Field(298.15, ge=250, le=330)
    section: Annotated[Quantity("m"), Field(gt=0, le=1e6)] | None = Field(
        None, description="between the valves that a stop (air.stop) shuts; the whole line when left out, and then a stop changes nothing"
    )
    drained: Annotated[Quantity("kg/s"), Field(gt=0, le=1000)] | None = Field(
        None, description="pumped or flared off between the valves once they are shut"
    )
    blow_down: bool = Field(True, description="finite content; false: an orifice at constant pressure, which a stop ends at once")
    ignition: str | None = Field(None, description="the moment of a spark")

    def outflows(self, ground: Ground, source: str) -> list[Outflow]:
        """Return what comes out of the line."""
        start_s, (x_m, y_m) = ground.moment_s("at", self.at), ground.point("where", self.where)
        until_s = ground.context.duration_s - start_s
        grown = {ground.context.moment_s(one.at, (*ground.path, "grows", i, "at")) - start_s: one.hole for i, one in enumerate(self.grows)}
        if any(t_s <= 0 for t_s in grown):
            ground.say("grows", "a hole grows after 'at'")
        if self.section is not None and self.section > self.length:
            ground.say("section", "no longer than 'length'")
        holes = {0: self.hole, **grown}
        ground.notes.append(HEAVY.format("propylene"))
        if not self.blow_down:
            ground.notes.append("an orifice at constant pressure: it overstates what a static line of finite content lets out")

        def rates(shut_s: int | None) -> list[tuple[int, float]]:
            if not self.blow_down:
                return self._constant(holes, until_s, shut_s)
            return _emptied(self.line(self.hole), tuple(self._changes(holes, shut_s)), until_s)

        return [Outflow(source, "propylene", x_m, y_m, start_s, True, rates)]

    def line(self, hole_m: float, *, shut: bool = False) -> Line:
        """Return the line with a hole in its middle; shut, the stretch between its valves."""
        length, drained = (self.section or self.length, self.drained or 0.0) if shut else (self.length, 0.0)
        line = Line(length, self.bore, self.pressure + AMBIENT_PA, self.temperature_k, _area_m2(hole_m))
        return replace(line, drained_kg_per_s=drained)

    def _changes(self, holes: Mapping[int, float], shut_s: int | None) -> list[tuple[int, Line]]:
        """Return the line from each moment on at which its hole grew or its valves were shut."""
        moments = sorted({t_s for t_s in holes if t_s > 0} | (set() if shut_s is None else {shut_s}))
        found, hole = [], self.hole
        for t_s in moments:
            hole = holes.get(t_s, hole)
            found.append((t_s, self.line(hole, shut=shut_s is not None and t_s >= shut_s)))
        return found

    def _constant(self, holes: Mapping[int, float], until_s: int, shut_s: int | None) -> list[tuple[int, float]]:
        ends_s = until_s if shut_s is None else min(shut_s, until_s)
        found = [(t_s, release.line_constant_kg_per_s(self.line(hole), PROPYLENE)) for t_s, hole in sorted(holes.items())]
        return [*((t_s, rate) for t_s, rate in found if t_s < ends_s), *ended(until_s, shut_s)]


@lru_cache(maxsize=8)
def _emptied(line: Line, changes: tuple[tuple[int, Line], ...], until_s: int) -> list[tuple[int, float]]:
    """Return the rates of a line that changes at moments; kept, as paired runs empty one line many times alike."""
    found = release.line_blow_down(line, PROPYLENE, float(until_s), changes=dict(changes))
    return stepped(found, until_s, corners=[t_s for t_s, _ in changes])


class TankerCrash(Kind):
    """A road tanker crashes and leaks: the road is closed, people are hurt, its load comes out through a hole until it is plugged."""

    strikes: ClassVar[tuple[str, ...]] = ("traffic", "health", "air")
    also: ClassVar[tuple[str, ...]] = ("response",)

    at: At
    substance: Literal["chlorine", "ammonia", "propane", "propylene"]
    inventory: Mass
    hole: Hole
    edge: str | None = Field(None, description="the road it stands on, which is closed")
    where: Where = Field(None, description="where it stands; the middle of the edge when left out")
    release_after: Seconds = Field(0, description="so long after the crash it begins to leak")
    temperature_k: float = Field(298.15, ge=250, le=330)
    blow_down: bool = Field(True, description="its content is finite; false: an orifice at constant pressure")
    injured: Injured | None = Field(None, description="people hurt by the crash itself")
    ignition: str | None = Field(None, description="the moment of a spark")

    def effects(self, ground: Ground) -> list[Effect]:
        """Return the closed road and the people who are hurt."""
        t_s, at_m = ground.moment_s("at", self.at), self._at_m(ground)
        found = brought(ground, self.injured, t_s, at_m, "hurt in the crash")
        if self.edge is not None and ground.has("traffic"):
            found.append(Effect(t_s, "traffic", "close", self.edge, {"edge": self.edge}, "a tanker lies across the road"))
        return found

    def _at_m(self, ground: Ground) -> tuple[float, float]:
        if self.where is not None:
            return ground.point("where", self.where)
        if self.edge is None or not ground.has("traffic"):
            ground.say("where", "is missing; write it, or an 'edge' of the traffic that takes part")
            return 0.0, 0.0
        return ground.middle("traffic", "edge", self.edge) if ground.known("edge", "traffic", "edge", self.edge) else (0.0, 0.0)

    def outflows(self, ground: Ground, source: str) -> list[Outflow]:
        """Return what comes out of the tanker."""
        start_s, (x_m, y_m) = ground.moment_s("at", self.at) + self.release_after, self._at_m(ground)
        until_s = max(ground.context.duration_s - start_s, 1)
        substance = LIQUEFIED[self.substance]
        tank = Vessel(self.inventory, self.temperature_k, _area_m2(self.hole))
        share = vessel.airborne_share(substance, self.temperature_k)
        first = vessel.vessel_kg_per_s(tank, substance, self.temperature_k)
        if self.substance != "ammonia":
            ground.notes.append(HEAVY.format(self.substance))
        ground.notes.append(f"{first:.1f} kg/s at first, {100 * share:.0f} % of it into the air; what rains out is not computed")

        def rates(shut_s: int | None) -> list[tuple[int, float]]:
            ends_s = until_s if shut_s is None else min(shut_s, until_s)
            if not self.blow_down:
                return constant(first * share, until_s, shut_s)
            return stepped(vessel.vessel_blow_down(tank, substance, ends_s), ends_s, share, shut=shut_s is not None)

        return [Outflow(source, self.substance, x_m, y_m, start_s, True, rates)]


RELEASES: dict[str, type[Any]] = {
    "pipe_burst": PipeBurst,
    "gas_release": GasRelease,
    "propylene_release": PropyleneRelease,
    "tanker_crash": TankerCrash,
}
