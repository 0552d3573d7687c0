"""Road traffic as the other domains see it: powered signals, closed roads, people who drive home, cars that charge."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from models.traffic import junctions
from models.traffic.charging import EFFICIENCY, SOC_ON_ARRIVAL, Charging
from models.traffic.fleet import BUS, ELECTRIC, KINDS, TRUCK, Fleet
from models.traffic.flooding import wading_m_per_s
from models.traffic.network import FILES, TrafficNetwork, read_network
from models.traffic.options import TrafficOptions
from models.traffic.units import KINDS as UNIT_KINDS
from models.traffic.units import Units
from twin.looks import Looks, MoverLook, SetLook
from twin.model import Account, Model, Setup, Snapshot, action
from twin.ports import At, FlowIn, FlowOut, In, Notice, Out, State

Edge = Annotated[str, At("edge")]
Signal = Annotated[str, At("signal")]

LOOK_EVERY_S = 5
"""Edges are looked at on every whole multiple of this many seconds, for delays and travel times."""
MEMORY_S = 120.0
"""Delays and travel times are means over about the last two minutes (one or two signal cycles)."""
SLOWEST_M_PER_S = 0.5
"""Drivers who look for a faster way reckon with no less than this on a jammed road."""
CALM_S = 5.0
"""Vehicle-seconds at free speed added to what was seen, so that an empty road counts as free."""

CLOSED_S = 1e5
"""Time to drive along a closed edge, as others are told."""
LANE_M = 3.2
"""A lane as it is drawn (SUMO's default width)."""


class Traffic(Model):
    """Road traffic by SUMO: vehicles follow each other, stop at signals, give way, find ways round what is closed.

    Without any event the vehicles move exactly as in SUMO alone with the same files, seed and mode.
    Rerouting starts with the first event (a dark signal, a closed, slowed or flooded road).
    """

    period_s = 10
    host = "process"
    Options = TrafficOptions
    files: ClassVar[Mapping[str, str]] = FILES
    engines = ("libsumo",)
    moving: ClassVar[Mapping[int, str]] = KINDS

    signal_powered = In(at="signal", dtype=bool, fill=True, wake=True, kind="supply", label="signal has power")
    charger_powered = In(at="charger", dtype=bool, fill=True, wake=True, kind="supply", label="charging site has power")
    washout_m3_per_s = In(at="edge", unit="m3/s", reduce="sum", wake=True, tol=0.001, kind="washout", label="water on the road")
    gas_leak_kg_per_s = In(at="edge", unit="kg/s", reduce="sum", wake=True, tol=0.001, kind="leak", label="gas leaking at the road")
    flood_m = In(at="edge", unit="m", wake=True, tol=0.01, kind="flood", label="water standing on the road")
    arrivals = FlowIn(at="carpark", kind="drive")
    units = FlowIn(at="edge", kind="blue")
    reached = FlowOut(at="edge", kind="reached")

    speed_m_per_s = Out(at="edge", unit="m/s", label="mean speed", cmap="RdYlBu", range=(0.0, 17.0))
    density_per_km = Out(at="edge", unit="1/km", label="vehicles per km", cmap="YlOrRd", range=(0.0, 150.0))
    queue = Out(at="edge", label="halting vehicles", cmap="YlOrRd", range=(0.0, 30.0))
    co2_g_per_s = Out(at="edge", unit="g/s", label="carbon dioxide", cmap="Greys", range=(0.0, 30.0))
    passing_s = Out(at="edge", unit="s", kind="travel", label="time to drive along", cmap="YlOrRd", range=(0.0, 300.0))
    is_open = Out(at="edge", dtype=bool, fill=True, label="road is open")
    delay_s = Out(at="signal", unit="s", label="delay per vehicle", cmap="YlOrRd", range=(0.0, 120.0))
    is_lit = Out(at="signal", dtype=bool, fill=True, label="signal works")
    control = Out(at="signal", dtype=int, label="directed by: 0 program, 1 nobody (dark), 2 nobody (flashing), 3 intruder, 4 officers")
    charging_mw = Out(at="charger", unit="MW", kind="load", label="charging power", cmap="viridis", range=(0.0, 1.0))
    plugged = Out(at="charger", label="cars plugged in", cmap="viridis", range=(0.0, 50.0))
    running = Out(at="network", label="vehicles on the roads")
    waiting = Out(at="network", label="vehicles waiting to enter")
    departed = Out(at="network", label="vehicles that entered since the start")
    arrived = Out(at="network", label="vehicles that arrived since the start")
    teleported = Out(at="network", label="vehicles SUMO moved out of a jam since the start")
    stalled = Out(at="network", label="vehicles that broke down in water since the start")
    mean_travel_time_s = Out(at="network", unit="s", label="mean travel time of those that arrived")

    closed_by_hand = State(at="edge", dtype=bool)
    closed = State(at="edge", dtype=bool)
    drowned = State(at="edge", dtype=bool)
    barred = State(at="edge", dtype=bool)
    barred_from_m = State(at="network", unit="m")
    broken_down = State(at="network")
    limit_m_per_s = State(at="edge", unit="m/s")
    wading_m_per_s = State(at="edge", unit="m/s")
    dark = State(at="signal", dtype=bool)
    directed = State(at="signal", dtype=bool)
    spoofed = State(at="signal", dtype=int)
    under = State(at="signal", dtype=int)
    seen_count = State(at="edge")
    seen_speed_m_per_s = State(at="edge", unit="m/s")
    seen_queue = State(at="edge")
    seen_co2_g_per_s = State(at="edge", unit="g/s")
    spent_s = State(at="edge", unit="s")
    driven_m = State(at="edge", unit="m")
    on_roads = State(at="network")
    before_roads = State(at="network")

    signal_dark = Notice(at="signal", severity="warning")
    signal_back = Notice(at="signal")
    edge_closed = Notice(at="edge", severity="warning")
    edge_opened = Notice(at="edge")
    vehicles_stalled = Notice(at="edge", severity="warning")
    vehicle_teleported = Notice(severity="warning")
    vehicle_arrived = Notice(severity="debug")

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.network: TrafficNetwork
        sites, network = self.network.sites, self.network
        self.absent = frozenset({"co2_g_per_s", "queue"}) if self.options.mode == "meso" else frozenset()
        self.charging = Charging(np.array([c.points for c in sites.chargers], int), np.array([c.point_kw for c in sites.chargers], float))
        self.fleet = Fleet(sites, self.options.electric_share)
        self.sent = Units(network.edges.ids)
        self.event_s: int | None = None
        self._approach = np.concatenate([np.empty(0, int), *network.approaches])
        self._approached = np.repeat(np.arange(len(network.signals)), [len(entering) for entering in network.approaches])
        self._sites_at: dict[str, list[int]] = {}
        for site, charger in enumerate(sites.chargers):
            self._sites_at.setdefault(charger.edge, []).append(site)

    @classmethod
    def read(cls, setup: Setup) -> TrafficNetwork:
        """Read and check net, demand and sites without SUMO."""
        options = TrafficOptions.model_validate(dict(setup.options))
        return read_network(setup, begin_s=options.begin, vehicles=options.vehicles)

    @classmethod
    def demo(cls, folder: Path) -> Setup:
        """Write a district of 3 x 3 crossings with signals, a car park, a charging site, buses and some 200 trips."""
        from models.traffic.demo import demo_files

        return Setup(name="traffic", files=demo_files(folder / "pack"), scratch=folder / "scratch", duration_s=600)

    def open(self) -> None:
        """Start SUMO at second 0 and plug in the cars that stand at the chargers."""
        from models.traffic.engine import Sumo

        meso = self.options.mode == "meso"
        self.sumo = Sumo(self.network, self.setup.scratch, seed=self.setup.seed, step_s=self.options.step, meso=meso, fail=self.fail)
        self.sumo.start()
        for site, charger in enumerate(self.network.sites.chargers):
            for soc in self.rng.uniform(*SOC_ON_ARRIVAL, charger.parked).tolist():
                self.charging.plug(site, soc)
        self._look()

    def close(self) -> None:
        """End SUMO."""
        if hasattr(self, "sumo"):
            self.sumo.close()

    @action
    def close_(self, edge: Edge) -> None:
        """Close `edge`: who is on it leaves it by its end, everybody else finds another way."""
        self.closed_by_hand[self.index("edge", edge)] = True

    @action
    def reopen(self, edge: Edge) -> None:
        """Open `edge` again, unless water or gas still keeps it closed."""
        self.closed_by_hand[self.index("edge", edge)] = False

    @action
    def close_flooded(self, depth_m: Annotated[float, Field(gt=0, le=2)] = 0.15) -> None:
        """Have every road closed on which water stands `depth_m` deep, until it is half as deep; who is there leaves by its end.

        Underpasses are closed well before 0.27 m in Chinese practice, where half a wheel stands in water (from memory).
        """
        self.barred_from_m[0] = depth_m

    @action
    def open_flooded(self) -> None:
        """Close roads for their water no more, up to `close_above_depth`."""
        self.barred_from_m[0] = 0.0

    @action
    def slow(self, edge: Edge, speed_m_per_s: Annotated[float, Field(gt=0, le=60)]) -> None:
        """Set the speed limit of `edge`."""
        at = self.index("edge", edge)
        self.limit_m_per_s[at] = speed_m_per_s
        self._limit(at)
        self._event()

    @action
    def unslow(self, edge: Edge) -> None:
        """Restore the speed limit that `edge` had."""
        at = self.index("edge", edge)
        self.limit_m_per_s[at] = 0.0
        self._limit(at)

    @action
    def direct(self, signal: Signal) -> None:
        """Have police officers direct a junction by hand, whatever its signal shows: a little less flows than by its program."""
        self.directed[self.index("signal", signal)] = True

    @action
    def leave(self, signal: Signal) -> None:
        """Let the officers leave a junction to its signal."""
        self.directed[self.index("signal", signal)] = False

    @action
    def spoof(self, signal: Signal, how: Literal["hold", "flash"] = "hold") -> None:
        """Let an intruder hold the first green of `signal` for ever, or trip its conflict monitor so that it flashes red to all."""
        self.spoofed[self.index("signal", signal)] = junctions.HELD if how == "hold" else junctions.FLASHING

    @action
    def clear_spoof(self, signal: Signal) -> None:
        """Give `signal` its own program back."""
        self.spoofed[self.index("signal", signal)] = junctions.PROGRAM

    def _limit(self, at: int) -> None:
        """Give SUMO the lower of the limits that people and water set on an edge, or the edge's own again."""
        asked = [float(limit[at]) for limit in (self.limit_m_per_s, self.wading_m_per_s) if limit[at] > 0]
        self.sumo.do("limit", at, min(asked)) if asked else self.sumo.do("unlimit", at)

    def advance(self, until_s: int) -> bool:
        """Drive and charge second by second; cars from car parks enter as they come."""
        for carpark in self.fleet.receive(self.arrivals.take(), self.rng):
            self._unplug_at(carpark)
        self.reached.emit(self.sent.receive(self.units.take(), self.now_s))
        for second in range(self.now_s + 1, until_s + 1):
            if self.fleet.leavers:
                self.fleet.leave(self.sumo)
            self.reached.emit(self.sent.start(self.sumo, second))
            self._second(second)
        self._look()
        return True

    def _second(self, second: int) -> None:
        stepped = self.sumo.step(second)
        self.now_s = second
        self.fleet.depart(self.sumo, stepped.departed, second, self.sent.kinds())
        self.sent.enter(stepped.departed)
        self.reached.emit(self.sent.arrive(stepped.arrived, second))
        if stepped.departed and self.closed.any():
            self._avoid(tuple(stepped.departed))
        for id, driver in self.fleet.arrive((*stepped.arrived, *self.sent.replaced()), second):
            if driver.people:
                self.vehicle_arrived(vehicle=id, people=driver.people, travel_time_s=second - driver.departed_s)
            elif driver.kind == ELECTRIC and driver.target in self._sites_at:
                self._plug_at(driver.target)
        if stepped.teleported:
            self.fleet.teleported += stepped.teleported
            self.vehicle_teleported(count=stepped.teleported)
        self.charging.step(self.charger_powered)
        if second % LOOK_EVERY_S == 0:
            self._remember()
        if second % self.options.reroute_every == 0:
            self._reroute()

    def _reroute(self) -> None:
        """Weigh the edges by what drivers saw of late; units sent always look for a faster way, a share of the others after an event."""
        if self.event_s is not None or self.fleet.cars_in or self.sent.code:
            self.sumo.do("weigh", self._travel_s())
        if self.event_s is not None:
            self.sumo.do("refresh", self.options.reroute_share)
        if on_roads := self.sent.on_roads():
            self.sumo.do("refresh_units", on_roads)

    def _avoid(self, vehicles: tuple[str, ...] | None = None) -> None:
        """Give all (or these) vehicles a way round what is closed."""
        self.sumo.do("avoid", self._closed_ids(), *(() if vehicles is None else (vehicles,)))
        self.sent.look(self.sumo)

    def _plug_at(self, edge: str) -> None:
        soc = float(self.rng.uniform(*SOC_ON_ARRIVAL))
        any(self.charging.plug(site, soc) for site in self._sites_at[edge])

    def _unplug_at(self, carpark: int) -> None:
        name = self.network.sites.carparks[carpark].id
        any(self.charging.unplug(site) for site, charger in enumerate(self.network.sites.chargers) if charger.carpark == name)

    def _look(self) -> None:
        """Read what the outputs are made of; on a multiple of `LOOK_EVERY_S` the motion has been read just now."""
        if self.now_s % LOOK_EVERY_S or not self.now_s:
            self.sumo.read_motion(self.seen_count, self.seen_speed_m_per_s)
        if not self.absent:
            self.sumo.read_queue(self.seen_queue)
            self.sumo.read_co2(self.seen_co2_g_per_s, self.options.step)
        self.on_roads[0], self.before_roads[0] = self.sumo.counts()

    def _remember(self) -> None:
        """Fade the vehicle-seconds and vehicle-metres of each edge and add those of the last look."""
        self.sumo.read_motion(self.seen_count, self.seen_speed_m_per_s)
        keep = np.exp(-LOOK_EVERY_S / MEMORY_S)
        self.spent_s *= keep
        self.driven_m *= keep
        self.spent_s += self.seen_count * LOOK_EVERY_S
        self.driven_m += self.seen_count * self.seen_speed_m_per_s * LOOK_EVERY_S

    def _travel_s(self) -> np.ndarray:
        """Return each edge's travel time at its space-mean speed of the last minutes (Edie 1963), free where it is empty."""
        edges = self.network.edges
        free = np.where(self.limit_m_per_s > 0, self.limit_m_per_s, edges.speed_m_per_s)
        free = np.where(self.wading_m_per_s > 0, np.minimum(free, self.wading_m_per_s), free)
        speed = (self.driven_m + CALM_S * free) / (self.spent_s + CALM_S)
        return edges.length_m / np.maximum(speed, SLOWEST_M_PER_S)

    def _delay_s(self) -> np.ndarray:
        """Return per signal the vehicle-seconds lost on its approaches per vehicle that passed them, over the last minutes.

        Lost is time spent less time at the free speed; passed is distance driven over the length: Edie's
        generalised definitions (1963) on the approaches' length and `MEMORY_S`.
        """
        edges, size = self.network.edges, len(self.network.signals)
        lost = np.maximum(self.spent_s - self.driven_m / edges.speed_m_per_s, 0.0)[self._approach]
        passed = (self.driven_m / edges.length_m)[self._approach]
        return np.bincount(self._approached, lost, size) / np.maximum(np.bincount(self._approached, passed, size), 1.0)

    def solve(self) -> None:
        """Bring SUMO to the inputs (signals, closed roads) and write what was seen at the end of the last second."""
        self._switch_signals()
        self._wade()
        self._switch_edges()
        fleet = self.fleet
        self.speed_m_per_s = self.seen_speed_m_per_s
        self.density_per_km = self.seen_count * 1000.0 / self.network.edges.length_m
        self.queue, self.co2_g_per_s = self.seen_queue, self.seen_co2_g_per_s
        self.is_open, self.is_lit, self.control = ~self.closed, ~self.dark, self.under
        self.delay_s = self._delay_s()
        self.passing_s = np.where(self.closed, CLOSED_S, self._travel_s())
        self.charging_mw = self.charging.site_mw(self.charger_powered)
        self.plugged = self.charging.plugged()
        self.running, self.waiting = self.on_roads, self.before_roads + len(fleet.leavers)
        self.departed, self.arrived, self.teleported = fleet.departed, fleet.arrived, fleet.teleported
        self.stalled = self.broken_down
        self.mean_travel_time_s = fleet.travelled_s / max(fleet.arrived, 1)

    def _event(self) -> None:
        if self.event_s is None:
            self.event_s = self.now_s

    def _switch_signals(self) -> None:
        for at in np.flatnonzero(self.dark == self.signal_powered).tolist():
            self.dark[at] = not self.signal_powered[at]
            (self.signal_dark if self.dark[at] else self.signal_back)(at)
        by = np.where(self.directed, junctions.BY_HAND, np.where(self.dark, junctions.DARK, self.spoofed))
        for at in np.flatnonzero(by != self.under).tolist():
            self.under[at] = by[at]
            self.sumo.do("control", at, int(by[at]))
            self._event()

    def _wade(self) -> None:
        """Slow traffic down where water stands."""
        slowed = wading_m_per_s(self.flood_m)
        wanted = np.where(slowed < self.network.edges.speed_m_per_s, slowed, 0.0)
        for at in np.flatnonzero(wanted != self.wading_m_per_s).tolist():
            self.wading_m_per_s[at] = wanted[at]
            self._limit(at)
            self._event()

    def _stall(self, at: int) -> None:
        """Stop the vehicles on an edge that went under; in mesoscopic mode there are none to stop one by one."""
        if self.options.mode == "micro" and (count := self.sumo.do("stall", at)):
            self.broken_down += count
            self.vehicles_stalled(at, count=count, depth_m=round(float(self.flood_m[at]), 3))

    def _switch_edges(self) -> None:
        deep = self.flood_m >= self.options.close_above_depth
        wet = self.washout_m3_per_s > self.options.close_above
        leaking = self.gas_leak_kg_per_s > self.options.close_above_leak
        limit_m = float(self.barred_from_m[0])
        self.barred = self.flood_m >= np.where(self.barred, 0.5 * limit_m, limit_m) if limit_m > 0 else np.zeros_like(deep)
        causes = (("flood", deep | self.barred), ("water", wet), ("gas", leaking))
        wanted = self.closed_by_hand | wet | leaking | deep | self.barred
        for at in np.flatnonzero(deep & ~self.drowned).tolist():
            self._stall(at)
        changed = np.flatnonzero(wanted != self.closed).tolist()
        for at in changed:
            self.closed[at] = wanted[at]
            if wanted[at]:
                self.sumo.do("close_edge", at)
                self.edge_closed(at, cause=next((cause for cause, there in causes if there[at]), "order"))
                self._event()
            else:
                self.sumo.do("open_edge", at)
                self.edge_opened(at)
        for at in np.flatnonzero(self.drowned & ~deep).tolist() if self.options.mode == "micro" else ():
            self.sumo.do("unstall", at)
        self.drowned = deep
        if self.closed[changed].any():
            self._avoid()

    def _closed_ids(self) -> tuple[str, ...]:
        return tuple(self.network.edges.ids[at] for at in np.flatnonzero(self.closed).tolist())

    def save(self) -> Snapshot:
        """Return every command SUMO was given, who is who on the roads, and the cars that charge."""
        return {
            "log": list(self.sumo.log),
            "fleet": self.fleet.save(),
            "sent": self.sent.save(),
            "charging": self.charging.save(),
            "event_s": self.event_s,
        }

    def load(self, saved: Snapshot) -> None:
        """Drive again from second 0 to the saved second by the same commands: exact, and as slow as SUMO alone."""
        self.sumo.replay(saved["log"], self.now_s)
        self.fleet.load(saved["fleet"])
        self.sent.load(saved["sent"])
        self.charging.load(saved["charging"])
        self.event_s = saved["event_s"]

    def positions(self) -> np.ndarray:
        """Return the vehicles on the roads as `TRACK`, sorted by id."""
        return self.fleet.tracks(self.sumo, self.setup.offset_m)

    def ledger(self) -> list[Account]:
        """Return vehicles (SUMO's own count is what is held), people who drove off, and energy in plugged-in cars."""
        fleet, charging = self.fleet, self.charging
        running, _ = self.sumo.counts()
        stored = charging.brought_kwh + charging.drawn_kwh * EFFICIENCY
        cars, people = self.boxes["arrivals"].taken
        return [
            Account("vehicles on the roads", "1", fleet.departed, fleet.arrived, running),
            Account("cars from car parks", "1", fleet.cars_in, fleet.cars_out, self._cars_held()),
            Account("people in cars from car parks", "1", fleet.people_in, fleet.people_out, fleet.people_held()),
            Account("energy in plugged-in cars", "kWh", stored, charging.taken_kwh, charging.held_kwh(), tolerance=1e-6),
            Account("vehicles that are known", "1", fleet.departed, fleet.arrived, len(fleet.drivers)),
            Account("cars taken over", "1", cars, fleet.cars_in, 0),
            Account("people taken over", "1", people, fleet.people_in, 0),
            Account("units on their way", "1", self.sent.started, self.sent.ended, len(self.sent.trips)),
        ]

    def _cars_held(self) -> int:
        fleet = self.fleet
        return len(fleet.leavers) + len(fleet.entering) + sum(driver.people > 0 for driver in fleet.drivers.values())

    def looks(self) -> dict[str, Any]:
        """Return how roads, signals and vehicles are drawn: metres."""
        lanes = self.network.edges.lanes
        sets = {
            "edge": SetLook("road", width_m=[LANE_M * count for count in lanes]),
            "signal": SetLook("marker", width_m=3.0, height_m=7.0),
            "charger": SetLook("marker", width_m=8.0, height_m=4.0),
            "carpark": SetLook("marker", width_m=30.0, height_m=1.0, shown=False),
            "exit": SetLook("marker", shown=False),
            "stop": SetLook("tube", width_m=2.5, shown=False),
        }
        movers = {label: MoverLook("car", (4.5, 1.8, 1.5), along="edge") for label in KINDS.values()}
        movers[KINDS[BUS]] = MoverLook("bus", (12.0, 2.5, 3.2), along="edge")
        movers |= {label: MoverLook("blue_light", (6.5, 2.3, 2.6), along="edge") for label in UNIT_KINDS.values()}
        movers["fire engine"] = MoverLook("blue_light", (9.0, 2.5, 3.4), along="edge")
        movers["police car"] = MoverLook("blue_light", (5.0, 1.9, 1.6), along="edge")
        movers["relief bus"] = MoverLook("bus", (12.0, 2.5, 3.2), along="edge")
        movers[KINDS[TRUCK]] = MoverLook("bus", (8.0, 2.4, 3.0), along="edge")
        return Looks(sets, movers).plain() | {"lanes": list(lanes)}
