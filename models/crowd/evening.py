"""One evening, second by second: decisions, mouths, gates, boarding and cars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.crowd import inflow
from models.crowd.advice import Advice
from models.crowd.decide import CAR, COMING, GONE, INBOUND, LEAVING, SEATED, Outlook, Town, draw, target_modes
from models.crowd.engine import INSIDE, SEATING, Movement
from models.crowd.kernel import fruin_level
from models.crowd.stations import Boarding, CarParks
from models.crowd.watch import Watch

if TYPE_CHECKING:
    from models.crowd.model import Crowd

DECIDE_S = 5
"""Groups decide on whole multiples of this."""
WINDOW_S = 10
"""Gate flow is averaged over this."""
CLEAR_COST = 20.0
"""What a metre in a cleared area costs who looks for a way: people leave it by the nearest side and go round it."""


class Evening:
    """The state of the crowd behind the ports of `Crowd`."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd, self.net, options = crowd, crowd.network, crowd.options
        self.people = self.net.seats if options.people is None else options.people
        self.groups = draw(
            self.net,
            crowd.rng,
            people=self.people,
            shares=options.modes,
            ends_s=crowd.ends_s,
            onset_s=options.onset,
            spread=options.onset_spread,
        )
        if coming := crowd.arrive_s is not None and options.arriving > 0:
            come = {"when_s": crowd.arrive_s, "share": options.arriving, "ends_s": crowd.ends_s, "weights": options.stations}
            inflow.draw(self.groups, self.net, crowd.rng, **come)
        self.of = np.repeat(np.arange(len(self.groups)), self.groups.size)
        self.first = np.cumsum(self.groups.size) - self.groups.size
        self.town = Town(self.groups, target_modes(self.net))
        source = str(crowd.setup.file("areas"))
        self.movement = Movement(self.net, self.of, cell_m=options.cell, dt_s=options.dt, source=source, inflow=coming)
        self.boarding = Boarding(self.net.stations, options.free_places)
        self.parks = CarParks(self.net.carparks)
        sectors, areas, gates = len(self.net.sectors), len(self.net.areas), len(self.net.gates)
        self.mouth: list[list[int]] = [[] for _ in range(sectors)]
        self.mouth_credit = np.zeros(sectors)
        self.mouth_rate = np.array([sector.flow_per_s for sector in self.net.sectors])
        self.sector_area = np.array([crowd.index("area", sector.area) for sector in self.net.sectors])
        self.capacity = np.array([gate.flow_per_s for gate in self.net.gates])
        self.width_m = np.array([gate.width_m for gate in self.net.gates])
        self.limit = np.array([station.limit_per_m2 for station in self.net.stations])
        self.open_share, self.metered_per_s = np.ones(gates), np.full(gates, np.inf)
        self.barred = np.zeros((gates, 2), bool)
        self.untold = np.zeros(len(self.net.stations), bool)
        self.recent = np.zeros((WINDOW_S, gates), np.int64)
        self.walked = np.zeros(len(self.net.exits), np.int64)
        self.advice = Advice(areas, gates, len(self.groups), [crowd.setup.seed, *crowd.setup.name.encode()])
        self.lit, self.leaking, self.alerted = np.ones(areas, bool), np.zeros(areas, bool), np.zeros(areas, bool)
        self.watch = Watch(crowd, areas, gates)
        self.near, self.way = self.movement.tables()
        self.stale = False
        """the ways are to be found anew before anybody takes another step"""

    @property
    def now_s(self) -> int:
        """The model's own second."""
        return self.crowd.now_s

    @property
    def cleared(self) -> np.ndarray:
        """The areas that people are sent away from."""
        return self.leaking | self.alerted

    # ---- what happens to the crowd

    def set_gate(self, gate: int, width_m: float) -> None:
        """Leave at most `width_m` of a gate open, unmetered where it opens in full, and let the news spread."""
        served = self.serves
        self.open_share[gate] = min(width_m / self.width_m[gate], 1.0)
        if np.isinf(width_m):
            self.metered_per_s[gate] = np.inf
        self._meter()
        self._announce(served)
        self._tell(self.on_their_way)
        if self.net.gates[gate].role == "way" and (self.open_share[gate] == 0) != self.barred[gate].all():
            self.bar(gate, np.full(2, self.open_share[gate] == 0))

    def meter(self, gate: int, per_s: float) -> None:
        """Let at most so many people a second through a gate and let the news spread."""
        self.metered_per_s[gate] = per_s
        self._meter()
        self._tell(self.on_their_way)

    def bar(self, gate: int, shut: np.ndarray) -> None:
        """Let nobody pass a gate inwards (`shut[0]`), outwards (`shut[1]`); all ways are found anew."""
        self.barred[gate] = shut
        self._weigh(self.serves)

    @property
    def on_their_way(self) -> np.ndarray:
        """The groups that look for a way: out, or in."""
        return (self.groups.state == LEAVING) | (self.groups.state == INBOUND)

    def set_headway(self, station: int, headway_s: float) -> None:
        """Change the headway; not below what the dwell allows."""
        least = self.boarding.dwell_s[station] * self.boarding.tracks[station]
        self.boarding.set_headway(station, max(headway_s, float(least)), self.now_s)

    def switch_station(self, station: int, *, stopped: bool | None = None, powered: bool | None = None, told: bool = True) -> None:
        """Stop or start the service of a station; people who are not told go on as if it ran."""
        ran, trains_ran = self.serves, bool(self.boarding.trains_run[station])
        if stopped is not None:
            self.untold[station] = stopped and not told
        if stopped is False:
            self.boarding.trains_again(station)
        self.boarding.switch(station, self.now_s, stopped=stopped, powered=powered)
        if trains_ran != self.boarding.trains_run[station]:
            (self.crowd.trains_stopped if trains_ran else self.crowd.trains_resumed)(station)
        self._announce(ran)

    def bus_bridge(self, station: int, buses: int, headway_s: float) -> None:
        """Let buses come in place of the trains of a station, from now on."""
        ran = self.serves
        self.untold[station] = False
        self.boarding.bus_bridge(station, buses, headway_s, self.now_s)
        self.crowd.bus_bridge_began(station, buses=buses)
        self._announce(ran)

    @property
    def serves(self) -> np.ndarray:
        """The stations people can use: trains run, the entry is open, the platform is not being cleared."""
        moving = self.movement
        return (self.boarding.runs | self.untold) & (self.open_share[moving.entry] > 0) & ~self.cleared[moving.platform]

    def _announce(self, served: np.ndarray) -> None:
        """Report the stations that closed or opened since `served`, and spread the news among those it concerns."""
        crowd, serves = self.crowd, self.serves
        for station in np.flatnonzero(serves != served).tolist():
            (crowd.station_opened if serves[station] else crowd.station_closed)(station)
            alike = self.town.serves[self.groups.target] == self.town.serves[station]
            self._tell((self.groups.state == LEAVING) & alike)

    def alert(self, area: int, text: str) -> None:
        """Clear an area by word of mouth and loudspeaker."""
        served = self.serves
        if not self.cleared[area]:
            self._clear(area, text or "alert")
        self.alerted[area] = True
        self._weigh(served)

    def advise(self, text: str, area: int | None = None, gate: int | None = None) -> None:
        """Ask by telephone to leave an area, or to avoid a gate."""
        if area is not None:
            self.advice.areas[area] = True
            self.crowd.area_advised(area, why=text or "alert")
        if gate is not None:
            self.advice.gates[gate] = True
        self.advice.told[:] = False  # who knew hears the new message like everybody else

    def recommend(self, gate: int) -> None:
        """Take back that a gate is to be avoided."""
        self.advice.gates[gate] = False
        self.advice.take_back()
        self._tell(self.groups.state == LEAVING)

    def all_clear(self, area: int) -> None:
        """Take back an alert."""
        served = self.serves
        self.alerted[area] = self.advice.areas[area] = False
        self.advice.take_back()
        self._weigh(served)

    def hold(self, sector: int | None) -> None:
        """Keep the seated groups in their seats."""
        self.groups.held |= self._in(sector) & (self.groups.state == SEATED)

    def release(self, sector: int | None, share: float) -> None:
        """Let a share of the held groups go, earliest first; each hears of it in its own time."""
        groups = self.groups
        rows = np.flatnonzero(self._in(sector) & groups.held)
        go = rows[np.argsort(groups.leave_s[rows], kind="stable")][: int(np.ceil(share * len(rows) - 1e-9))]
        groups.held[go] = False
        groups.leave_s[go] = np.maximum(groups.leave_s[go], self.now_s + groups.lag_s[go])

    def _in(self, sector: int | None) -> np.ndarray:
        return np.ones(len(self.groups), bool) if sector is None else self.groups.sector == sector

    def _tell(self, mask: np.ndarray) -> None:
        self.town.tell(np.flatnonzero(mask), self.now_s)

    def _clear(self, area: int, why: str) -> None:
        """Start clearing an area: its seats too."""
        groups = self.groups
        self.watch.clears(area, why, int(self.movement.walkers.counts()[area]), self.now_s)
        there = np.isin(groups.sector, np.flatnonzero(self.sector_area == area)) & (groups.state == SEATED)
        groups.held[there] = False
        groups.leave_s[there] = np.minimum(groups.leave_s[there], self.now_s + groups.lag_s[there])

    def _weigh(self, served: np.ndarray) -> None:
        """Let the ways be found again, once for all that happens in a second; everybody on the way hears of it."""
        self.watch.keep(self.cleared)
        self.stale = True
        self._announce(served)
        self._tell(self.on_their_way)

    def _set_ways(self) -> None:
        """Find the ways: darkness and cleared areas cost more."""
        self.stale = False
        options = self.crowd.options
        dark = np.where(self.lit, 1.0, options.dark_aversion / options.dark_speed)
        self.movement.bar(self.barred)
        self.movement.walkers.speed_factor[:] = np.where(self.lit, 1.0, options.dark_speed)
        self.movement.weigh(np.where(self.cleared, CLEAR_COST * dark, dark))
        self.near, self.way = self.movement.tables()

    def _take_inputs(self) -> None:
        """See what the inputs say now and react to what changed."""
        crowd = self.crowd
        for station in np.flatnonzero(crowd.station_powered != self.boarding.powered).tolist():
            self.switch_station(station, powered=bool(crowd.station_powered[station]))
        leaking = crowd.gas_leak_kg_per_s > crowd.options.gas_limit_kg_per_s
        if (crowd.lit == self.lit).all() and (leaking == self.leaking).all():
            return
        for area in np.flatnonzero(self.lit & ~crowd.lit).tolist():
            crowd.went_dark(area)
        served, fresh = self.serves, np.flatnonzero(leaking & ~self.cleared).tolist()
        self.lit, self.leaking = crowd.lit.copy(), leaking
        for area in fresh:
            self._clear(area, "gas")
        self._weigh(served)

    # ---- time

    def advance(self, until_s: int) -> bool:
        """Move everything to `until_s`; False when nothing did move."""
        self._take_inputs()
        if self.stale:
            self._set_ways()
        moved = False
        for now_s in range(self.now_s, until_s):
            if now_s % DECIDE_S == 0:
                self._decide(now_s)
            passed = self.movement.walkers.gates.passed.sum(axis=1)
            moved = moved or bool((self.recent != passed).any())
            self.recent[now_s % WINDOW_S] = passed
            if self._busy():
                self._second(now_s)
                moved = True
        return moved

    def _busy(self) -> bool:
        coming = self.movement.inflow is not None and any(self.movement.inflow.waiting)
        return bool(len(self.movement.walkers)) or any(self.mouth) or any(self.parks.queues) or coming

    def _spread_advice(self, now_s: int) -> None:
        seats = self.sector_area[self.groups.sector]
        walkers = self.movement.walkers
        where = np.where(self.groups.state == SEATED, seats, -1)
        where[self.of[walkers.id]] = walkers.area
        self.advice.spread(self.groups, where, self.crowd.alerted_share, seats, now_s)

    def _decide(self, now_s: int) -> None:
        """Let the groups whose time has come stand up, and those whom news has reached think again."""
        if self.advice.given:
            self._spread_advice(now_s)
        self._come(now_s)
        due, thinking = self.town.due(now_s), self._still_here(self.town.thinking(now_s))
        if not len(due) and not len(thinking):
            return
        everybody = self._outlook(now_s)
        knowing = self.advice.outlook(everybody, self.movement.target_area)
        for outlook, know in ((everybody, False), (knowing, True)):
            rows = [some[self.advice.told[some] == know] for some in (due, thinking)]
            if len(rows[0]) or len(rows[1]) or not know:
                self._choose(*rows, now_s, outlook)
        self.movement.follow(self.groups)

    def _choose(self, due: np.ndarray, thinking: np.ndarray, now_s: int, outlook: Outlook) -> None:
        """Let groups that see the town alike stand up, and think again."""
        self.town.set_off(due, now_s, outlook, self.crowd.rng)
        for row in due.tolist():
            start = int(self.first[row])
            self.mouth[self.groups.sector[row]] += range(start, start + int(self.groups.size[row]))
        thinking = thinking[(self.groups.mode[thinking] != CAR) | (self.groups.come[thinking] == 0)]
        if len(thinking):
            near, direct = self.movement.standing(thinking, self.groups, outlook)
            self.town.think(thinking, near, direct, now_s, outlook=outlook, rng=self.crowd.rng)

    def _still_here(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows of which somebody is on the ground or in the rows of seats; the others are done."""
        if not len(rows):
            return rows
        here = np.zeros(len(self.groups), bool)
        here[self.of[self.movement.leg >= 0]] = True
        for queue in self.mouth:
            here[self.of[queue]] = True
        self.groups.state[rows[~here[rows]]] = GONE
        return rows[here[rows]]

    def _outlook(self, now_s: int) -> Outlook:
        """Weigh queues: people before each gate at its capacity, people bound for a station at what it takes away."""
        before, to, _ = self.movement.bound(self.groups)
        gate_s = self._queue_s(before)
        wait_s = np.zeros(len(self.way[0]))
        stations = len(self.net.stations)
        wait_s[:stations] = np.where(self.serves, self.boarding.wait_s(to[:stations], self.serves), np.inf)
        wait_s[self.cleared[self.movement.target_area] & (self.movement.target_area >= 0)] = np.inf
        self.watch.jams(gate_s, before, now_s)
        return Outlook(self.near, self.way, gate_s, wait_s)

    def _queue_s(self, before: np.ndarray) -> np.ndarray:
        """Return how long the people before each gate take to pass it."""
        flow = np.minimum(self.capacity * self.open_share, self.metered_per_s)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(flow > 0, before / flow, np.inf)

    def _come(self, now_s: int) -> None:
        """Let the groups come that are due, and those on their way in look round when they hear something."""
        moving, groups = self.movement, self.groups
        if moving.inflow is None:
            return
        fresh = np.flatnonzero((groups.state == COMING) & (groups.comes_s <= now_s))
        rows = np.concatenate([fresh, np.flatnonzero((groups.state == INBOUND) & (groups.think_s <= now_s))])
        if len(rows):
            before = moving.bound(groups)[0]
            queue_s = self._queue_s(before)
            moving.inflow.choose(rows, queue_s, groups, self.crowd.rng, now_s)
            moving.inflow.set_off(fresh, groups, self.first)
            self.watch.jams(queue_s, before, now_s)

    def _second(self, now_s: int) -> None:
        """Move everybody through one second."""
        self.boarding.board(self.movement.board(self.boarding.may_board(now_s)))
        if self.movement.inflow is not None:
            self.movement.inflow.enter(np.where(self.boarding.standing, self.boarding.rate_per_s, 0.0), self.groups)
        self._let_out()
        self._meter()
        for person, target in self.movement.step(now_s, self.groups).tolist():
            self._arrive(int(self.of[person]), target)
        records = self.parks.leave(now_s, self.groups.size)
        if len(records):
            self.crowd.departures.emit(records)
        self._report(now_s + 1)

    def _let_out(self) -> None:
        """Let people out of the rows at the mouths, as fast as their stairs pass and as there is room."""
        self.mouth_credit = np.minimum(self.mouth_credit + self.mouth_rate, self.mouth_rate + 1.0)
        out = self.movement.enter(self.mouth, np.floor(self.mouth_credit + 1e-9), self.groups)
        self.mouth_credit -= out
        for queue, count in zip(self.mouth, out.tolist(), strict=True):
            del queue[:count]

    def _meter(self) -> None:
        """Set what each gate lets through: nothing onto a platform that is full."""
        moving = self.movement
        flow = np.minimum(self.capacity * self.open_share, self.metered_per_s)
        if len(self.limit):
            density = moving.density_per_m2()[moving.platform]
            flow[moving.entry] = np.where(density < self.limit, flow[moving.entry], 0.0)
        moving.walkers.gates.capacity_per_s[:] = flow
        moving.walkers.gates.credit[flow == 0] = 0.0

    def _arrive(self, group: int, target: int) -> None:
        groups, parks = self.groups, len(self.net.carparks)
        park = target - len(self.net.stations)
        groups.come[group] += 1
        if park >= parks:
            self.walked[park - parks] += 1
        elif groups.come[group] == groups.size[group]:
            self.parks.ready(park, group)

    def _report(self, now_s: int) -> None:
        """Give the notices of what has become true at `now_s`."""
        self.watch.areas(self.movement.density_per_m2(), self.movement.walkers.counts(), now_s)
        left = self.in_venue() == 0 and not np.isin(self.groups.state, (COMING, INBOUND)).any()
        self.watch.empty(left, self.gone() == self.people, self.people, now_s)

    # ---- what can be seen

    def seated(self) -> np.ndarray:
        """People in the seats and rows of each sector."""
        groups = self.groups
        stay = groups.state == SEATED
        counts = np.bincount(groups.sector[stay], weights=groups.size[stay], minlength=len(self.mouth))
        up = groups.state == INBOUND
        counts = counts + np.bincount(groups.sector[up], weights=groups.inside[up], minlength=len(self.mouth))
        return counts.astype(np.int64) + [len(queue) for queue in self.mouth]

    def in_venue(self) -> int:
        """People who have not passed a gate of the venue."""
        return int(self.seated().sum() + ((self.movement.leg == INSIDE) | (self.movement.leg == SEATING)).sum())

    def coming(self) -> int:
        """People who have not come yet."""
        return 0 if self.movement.inflow is None else self.movement.inflow.coming(self.groups)

    def in_cars(self) -> int:
        """People at their cars who have not driven off."""
        car = self.town.serves[self.groups.target] == CAR
        return int(self.groups.come[car & (self.groups.target >= 0)].sum()) - self.parks.driven

    def gone(self) -> int:
        """People who have gone home."""
        return int(self.boarding.boarded.sum() + self.walked.sum()) + self.parks.driven

    def write(self) -> None:
        """Write every Out."""
        crowd, moving = self.crowd, self.movement
        walkers, groups = moving.walkers, self.groups
        crowd.count[:], density = walkers.counts(), moving.density_per_m2()
        crowd.density_per_m2[:], crowd.fruin[:], crowd.cleared[:] = density, fruin_level(density) + 1, self.cleared
        total = walkers.gates.passed.sum(axis=1)
        crowd.passed[:], crowd.is_open[:] = total, self.open_share > 0
        crowd.flow_per_s[:] = (total - self.recent[self.now_s % WINDOW_S]) / WINDOW_S
        crowd.bound[:], _, crowd.waiting[:] = moving.bound(groups)
        crowd.platform_density_per_m2[:], crowd.boarded[:] = density[moving.platform], self.boarding.boarded
        crowd.in_service[:] = self.serves & crowd.station_powered
        cars = (groups.mode == CAR) & (groups.home >= 0) & (groups.state != COMING)
        parked = np.bincount(groups.home[cars] - len(self.net.stations), minlength=len(self.net.carparks))
        crowd.parked[:], crowd.queue[:], crowd.cars_left[:] = parked - self.parks.left, self.parks.queue, self.parks.left
        crowd.walked_off[:], crowd.seated[:] = self.walked, self.seated()
        crowd.told[:] = groups.size[self.advice.told].sum()
        inside, cars_people, gone = self.in_venue(), self.in_cars(), self.gone()
        crowd.in_venue[:], crowd.in_cars[:], crowd.gone[:] = inside, cars_people, gone
        crowd.coming[:] = coming = self.coming()
        crowd.walking[:] = self.people - inside - cars_people - gone - coming

    _SAVED = (
        *("mouth_credit", "open_share", "metered_per_s", "barred", "untold", "limit", "recent", "walked"),
        *("lit", "leaking", "alerted"),
    )

    def save(self) -> dict[str, Any]:
        """Return everything that decides the future as plain data."""
        own = {name: getattr(self, name).copy() for name in self._SAVED}
        waiting = np.array([person for queue in self.mouth for person in queue], np.int64)
        lengths = np.array([len(queue) for queue in self.mouth], np.int64)
        parts = {"groups": self.groups.save(), "movement": self.movement.save(), "advice": self.advice.save(), "watch": self.watch.save()}
        return {**own, **parts, "boarding": self.boarding.save(), "parks": self.parks.save(), "mouth": waiting, "mouth_len": lengths}

    def load(self, saved: dict[str, Any]) -> None:
        """Restore a saved evening."""
        for name in self._SAVED:
            getattr(self, name)[...] = saved[name]
        self.groups.load(saved["groups"])
        self.advice.load(saved["advice"])
        self.watch.load(saved["watch"])
        self.boarding.load(saved["boarding"])
        self.parks.load(saved["parks"])
        self.mouth = [part.tolist() for part in np.split(saved["mouth"], np.cumsum(saved["mouth_len"])[:-1])]
        if not self.lit.all() or self.cleared.any() or self.barred.any():
            self._set_ways()
        self.movement.load(saved["movement"])
