"""People on their way in: they come by train, coach, car and on foot, queue at a gate and walk to their seats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from models.crowd.decide import COMING, INBOUND, NEVER_S, RETHINK_S, SEATED, STAY_S, TASTE_S, Groups, target_modes
from models.crowd.network import CrowdNetwork

if TYPE_CHECKING:
    from models.crowd.engine import Movement

ARRIVING = 4
"""Kind of a walker on the way to a seat."""
SPOT_M = 0.7
"""People step onto the ground at places this far apart in a car park, at an exit, before a train's doors."""
SEAT_M = 1.5
"""Who comes so near to a mouth of the own sector has gone up to the seats."""


def draw(
    groups: Groups,
    network: CrowdNetwork,
    rng: np.random.Generator,
    *,
    when_s: tuple[int, int, int],
    share: float,
    ends_s: int,
    weights: Mapping[str, float] | None = None,
) -> None:
    """Let `share` of the groups come between `when_s[0]` and `when_s[2]`, most of them at `when_s[1]` (triangular; synthetic).

    They come the way they will go home: to their car park, from the exit towards their home, by a station of their
    mode drawn by what the stations carry, or by `weights`. Who comes after `ends_s` has come for what follows and stays.
    """
    first, most, last = when_s
    comes = rng.random(len(groups)) < share
    at_s = np.rint(rng.triangular(first, most, last, len(groups))).astype(np.int64) if last > first else np.full(len(groups), first)
    serves, stations = target_modes(network), len(network.stations)
    origin = groups.home.copy()
    carried = np.array([station.capacity * station.tracks / station.headway_s for station in network.stations])
    if weights is not None:
        carried = np.array([weights.get(station.id, 0.0) for station in network.stations])
    for mode in np.unique(groups.mode[origin < 0]).tolist():
        rows, by = np.flatnonzero((origin < 0) & (groups.mode == mode)), np.flatnonzero((serves[:stations] == mode) & (carried > 0))
        if len(by):
            origin[rows] = rng.choice(by, len(rows), p=carried[by] / carried[by].sum())
    comes &= origin >= 0
    groups.comes_s[comes], groups.origin[comes], groups.state[comes] = at_s[comes], origin[comes], COMING
    groups.leave_s[comes & (at_s >= ends_s)] = NEVER_S


class Inflow:
    """Where those on their way in step onto the ground and walk; person `i` of group `of[i]` has the walker id `i`."""

    def __init__(self, moving: Movement) -> None:
        self.moving = moving
        net, fields = moving.network, moving.fields
        rings = [[shapely.Polygon(door) for door in station.doors] for station in net.stations]
        rings += [[shapely.Polygon(row.ring)] for row in (*net.carparks, *net.exits)]
        self.spots = [np.concatenate([self._grid(ring) for ring in some]) for some in rings]
        every = np.arange(len(moving.lines))
        self.closed = {g: moving.lines[moving.venue_gates & (every != g)] for g in moving.venue.tolist()}
        self.gate_field = np.full(len(moving.lines), -1, np.int32)
        for g, closed in self.closed.items():
            self.gate_field[g] = fields.add(moving.pocket(g, sign=-1.0), absorbs=False, closed=closed)
        seats = [shapely.union_all([shapely.Point(spot).buffer(SEAT_M) for spot in spots]) for spots in moving.mouths]
        self.seat_field = np.array(fields.add_all(seats, closed=moving.lines[moving.venue_gates]), np.int32)
        self.waiting: list[list[int]] = [[] for _ in self.spots]
        self.outside_s = np.empty((len(self.spots), len(moving.lines)))
        self.inside_s = np.empty((len(moving.lines), len(moving.mouths)))
        self.survey()

    def _grid(self, ring: Any) -> np.ndarray:
        x0, y0, x1, y1 = ring.bounds
        x, y = (axis.ravel() for axis in np.meshgrid(np.arange(x0 + SPOT_M / 2, x1, SPOT_M), np.arange(y0 + SPOT_M / 2, y1, SPOT_M)))
        within = shapely.contains_xy(ring.buffer(-SPOT_M / 4), x, y) & self.moving.ground.inside(x, y)
        return np.column_stack([x[within], y[within]])

    def rebuild(self, area_cost: np.ndarray | None) -> None:
        """Compute the ways in again."""
        fields, moving = self.moving.fields, self.moving
        for g, closed in self.closed.items():
            fields.rebuild(int(self.gate_field[g]), closed=closed, area_cost=area_cost)
        fields.rebuild(*self.seat_field.tolist(), closed=moving.lines[moving.venue_gates], area_cost=area_cost)
        self.survey()

    def survey(self) -> None:
        """Measure the ways: seconds from where people come to the gates, and from the gates to the seats; inf where none leads."""
        moving = self.moving
        self.outside_s[:], self.inside_s[:] = np.inf, np.inf
        behind = moving.middle - 3.0 * moving.ground.cell_m * moving.outward
        for g in moving.venue.tolist():
            for t, spots in enumerate(self.spots):
                if len(spots):
                    middle = spots[len(spots) // 2 : len(spots) // 2 + 1]
                    self.outside_s[t, g] = moving.seconds(self.gate_field[g], middle)[0]
            for s in range(len(moving.mouths)):
                self.inside_s[g, s] = moving.seconds(self.seat_field[s], behind[g : g + 1])[0]

    def choose(self, rows: np.ndarray, queue_s: np.ndarray, groups: Groups, rng: np.random.Generator, now_s: int) -> None:
        """Let the groups of `rows` take the gate that costs them least: the way to it, its queue, the way to the seats.

        Those on their way weigh it from where their first person is, and keep their gate unless another saves much.
        """
        moving = self.moving
        way_s = self.outside_s[groups.origin[rows]].copy()
        walkers = moving.walkers
        order = np.lexsort((walkers.id, moving.group[walkers.id]))
        order = order[moving.leg[walkers.id[order]] == moving.INBOUND]
        at = np.searchsorted(moving.group[walkers.id[order]], rows)
        here = at < len(order)
        here[here] = moving.group[walkers.id[order[at[here]]]] == rows[here]
        xy = np.column_stack([walkers.x_m, walkers.y_m])[order[at[here]]]
        for g in moving.venue.tolist():
            way_s[here, g] = moving.seconds(self.gate_field[g], xy)
        cost = way_s + queue_s + self.inside_s[:, groups.sector[rows]].T + rng.gumbel(0.0, TASTE_S, way_s.shape)
        best, old = cost.argmin(axis=1), groups.gate[rows]
        every = np.arange(len(rows))
        stays = (old >= 0) & (cost[every, old] <= cost[every, best] + STAY_S)
        groups.gate[rows] = np.where(stays, old, best)
        groups.think_s[rows] = now_s + RETHINK_S + groups.lag_s[rows]

    def set_off(self, rows: np.ndarray, groups: Groups, first: np.ndarray) -> None:
        """Let the groups of `rows` come to the place where they step onto the ground."""
        for row in rows.tolist():
            start = int(first[row])
            self.waiting[groups.origin[row]] += range(start, start + int(groups.size[row]))
        groups.state[rows] = INBOUND

    def enter(self, alight_per_s: np.ndarray, groups: Groups) -> None:
        """Let the first of those who have come step onto the ground where there is room, at stations as many as may alight."""
        moving = self.moving
        most = [*np.ceil(alight_per_s).astype(np.int64).tolist(), *[len(moving.group)] * (len(self.spots) - len(alight_per_s))]
        persons, places = [np.empty(0, np.int64)], [np.empty((0, 2))]
        for target, queue in enumerate(self.waiting):
            limit = min(most[target], len(queue))
            if limit:
                spots = self.spots[target]
                free = spots[moving.free(spots)]
                some = free[np.linspace(0, len(free) - 1, min(limit, len(free))).astype(np.int64)] if len(free) else free
                persons.append(np.array(queue[: len(some)], np.int64))
                places.append(some)
                del queue[: len(some)]
        who = np.concatenate(persons)
        if len(who):
            of = moving.group[who]
            moving.put(who, np.concatenate(places), self.gate_field[groups.gate[of]], groups.speed_m_per_s[of], np.int16(ARRIVING))
            moving.leg[who] = moving.INBOUND

    def turn(self, label: np.ndarray, groups: Groups) -> None:
        """Send those who have come in to their seats, and everybody before the gates to the gate the group wants."""
        moving, walkers = self.moving, self.moving.walkers
        leg, of = moving.leg[walkers.id], moving.group[walkers.id]
        inbound = leg == moving.INBOUND
        passed = inbound & moving.seating[label]
        moving.leg[walkers.id[passed]] = moving.SEATING
        wanted = np.where(passed, self.seat_field[groups.sector[of]], self.gate_field[groups.gate[of]])
        turned = inbound & (wanted != walkers.field)
        walkers.retarget(turned, wanted[turned].astype(np.int32))

    def seat(self, gone: np.ndarray, groups: Groups) -> np.ndarray:
        """Seat those among the arrivals `gone` who have reached their stairs; return the others."""
        up = np.isin(gone["field"], self.seat_field)
        np.add.at(groups.inside, self.moving.group[gone["id"][up]], 1)
        rows = np.unique(self.moving.group[gone["id"][up]])
        all_in = rows[groups.inside[rows] == groups.size[rows]]
        groups.state[all_in], groups.gate[all_in], groups.think_s[all_in] = SEATED, -1, NEVER_S
        return gone[~up]

    def coming(self, groups: Groups) -> int:
        """Return how many people are still to step onto the ground."""
        return int(groups.size[groups.state == COMING].sum()) + sum(map(len, self.waiting))

    def save(self) -> dict[str, np.ndarray]:
        """Return who has come and waits to step onto the ground."""
        persons = np.array([person for queue in self.waiting for person in queue], np.int64)
        return {"waiting": persons, "lengths": np.array([len(queue) for queue in self.waiting], np.int64)}

    def load(self, saved: dict[str, np.ndarray]) -> None:
        """Restore them."""
        self.waiting = [part.tolist() for part in np.split(saved["waiting"], np.cumsum(saved["lengths"])[:-1])]
