"""The walkers on the ground of crowd.json: who enters, which way they take, who is taken away; all of it the kernel's arrays."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import shapely

from models.crowd.decide import Groups, Outlook
from models.crowd.inflow import Inflow
from models.crowd.kernel import WAITING, WALKER, Fields, Gates, Ground, Walkers
from models.crowd.network import CrowdNetwork, Gate
from models.crowd.quickest import FREE_M_PER_S, Load, bend, lay
from twin.errors import InputError, Problem

BODY_RADIUS_M = 0.2
"""Radius of a walker's body (JuPedSim's default for this model)."""
WALK_M_PER_S = 1.34
"""What people take for their walking speed when they weigh ways (Weidmann 1993)."""
STILL_M_PER_S = 0.6
"""Whoever is bound for a station and slower than this queues for it (people in a queue shuffle)."""
ENTER_CLEAR_M = 0.45
"""A person steps onto the concourse only where nobody is nearer than this."""
LOOK_S = 4
"""People see on whole multiples of this (s) where their way is crowded: inside the venue, before its gates and stations."""
PLAZA_M, FORECOURT_M = 45.0, 120.0
"""How far beyond a gate and how far before the entry of a station ways bend round crowds (m)."""
OFF, INSIDE, UNDERWAY, PLATFORM, INBOUND, SEATING = -1, 0, 1, 2, 3, 4
"""Where a person is: not on the ground; on its way home before the venue's gate, after it, or behind the entry of its
station; on its way in before the gate, and after it."""


class Movement:
    """Everybody on the ground; person `i` belongs to group `group[i]` and has the walker id `i`.

    Areas where two overlap belong to the later one. InputError names a target that no gate reaches. `inflow` is made
    where somebody is still to come.
    """

    INBOUND, SEATING = INBOUND, SEATING

    def __init__(self, network: CrowdNetwork, group: np.ndarray, *, cell_m: float, dt_s: float, source: str, inflow: bool = False) -> None:
        self.network, self.group, self.dt_s = network, group, dt_s
        self.substeps = round(1.0 / dt_s)
        walkable = _walkable(network)
        self.ground = Ground(walkable, cell_m=cell_m, areas=_disjoint([area.ring for area in network.areas]))
        self._shape(network)
        self._route(network)
        self.inflow = Inflow(self) if inflow else None
        self._survey(None)
        self.bent = np.zeros(len(self.ways), bool)
        """which of `ways` have somebody on them, and are bent"""
        capacity = np.array([gate.flow_per_s for gate in network.gates])
        self.walkers = Walkers(self.ground, self.fields, gates=Gates(self.lines, capacity_per_s=capacity))
        self.leg = np.full(len(group), OFF, np.int8)
        self.door = np.zeros(len(group), np.int16)
        self.come_s = np.zeros(len(group), np.int64)
        self.seen = Load(*np.zeros((3, self.ground.cells)))
        problems = self._unreached()
        if problems:
            raise InputError([Problem(what, source) for what in problems])

    def _shape(self, network: CrowdNetwork) -> None:
        """Index gates, platforms and mouths; a gate's normal points away from what it encloses."""
        index = {area.id: i for i, area in enumerate(network.areas)}
        gate_at = {gate.id: i for i, gate in enumerate(network.gates)}
        self.lines = np.array([np.ravel(gate.line) for gate in network.gates], float)
        self.venue_gates = np.array([gate.role == "venue" for gate in network.gates])
        self.seating = np.zeros(len(network.areas) + 1, bool)
        self.seating[[index[sector.area] for sector in network.sectors]] = True
        self.platform = np.array([index[station.platform] for station in network.stations], np.int64)
        self.entry = np.array([gate_at[station.entry] for station in network.stations], np.int64)
        self.middle = self.lines.reshape(-1, 2, 2).mean(axis=1)
        self.outward = np.array([self._outward(network, i, gate) for i, gate in enumerate(network.gates)])
        self.mouths = [np.asarray(sector.mouths, float) for sector in network.sectors]
        self.station_count = len(network.stations)

    def _outward(self, network: CrowdNetwork, i: int, gate: Gate) -> np.ndarray:
        along = np.subtract(gate.line[1], gate.line[0])
        normal = np.array([along[1], -along[0]]) / np.hypot(*along)
        if gate.role == "way":
            return normal
        shut = self.seating[:-1] if gate.role == "venue" else np.isin(np.arange(len(network.areas)), self.platform[self.entry == i])
        for reach in (0.5, 1.0, 2.0, 4.0):
            label = self.ground.area_at(*(self.middle[i] + reach * np.array([normal, -normal])).T)
            before = (label >= 0) & shut[label]
            if before[0] != before[1]:
                return -normal if before[0] else normal
        return normal

    def pocket(self, gate: int, *, sign: float) -> Any:
        """Return the strip behind a gate that a way through it leads to; `sign` 1 is outward."""
        a, b = self.lines[gate].reshape(2, 2)
        near, far = (sign * k * self.ground.cell_m * self.outward[gate] for k in (2.0, 4.5))
        strip = shapely.Polygon([a + near, b + near, b + far, a + far])
        cut = strip.intersection(self.ground.walkable)
        return cut if cut.area > 0.5 else shapely.Point(self.middle[gate] + near)

    def _route(self, network: CrowdNetwork) -> None:
        """Make the fields: to each gate, to each target (a station's ends behind its entry), to each door."""
        self.fields = Fields(self.ground)
        venue = self.lines[self.venue_gates]
        self.gate_field = np.full(len(network.gates), -1, np.int32)
        every = np.arange(len(self.lines))
        self.venue = np.flatnonzero(self.venue_gates)
        self.others = {
            g: np.concatenate([self.lines[self.venue_gates & (every != g)], self._around(g)])
            for g in np.flatnonzero(self.venue_gates).tolist()
        }
        for g, others in self.others.items():
            self.gate_field[g] = self.fields.add(self.pocket(g, sign=1.0), absorbs=False, closed=others)
        ways = self.fields.add_all([self.pocket(g, sign=-1.0) for g in self.entry.tolist()], absorbs=False, closed=venue)
        rings = [row.ring for row in (*network.carparks, *network.exits)]
        ways += self.fields.add_all([shapely.Polygon(ring) for ring in rings], closed=venue)
        self.way_field = np.array(ways, np.int32)
        centres = np.array([np.mean(ring, axis=0) for ring in rings]).reshape(-1, 2)
        self.target_area = np.concatenate([self.platform, self.ground.area_at(*centres.T)]).astype(np.int64)
        self.doors = np.array([len(station.doors) for station in network.stations], np.int64)
        self.door_per_s = np.array([station.boarding_per_s for station in network.stations]) / np.maximum(self.doors, 1)
        self.door_field = np.full((self.station_count, max([*self.doors.tolist(), 1])), -1, np.int32)
        for s, station in enumerate(network.stations):
            shut = self.lines[self.entry[s] : self.entry[s] + 1]
            doors = [shapely.Polygon(ring) for ring in station.doors]
            self.door_field[s, : len(doors)] = self.fields.add_all(doors, absorbs=False, closed=shut)

    def _survey(self, area_cost: np.ndarray | None) -> None:
        """Keep the ways to gates and into stations as they are with nobody in them."""
        venue, (x, y) = self.lines[self.venue_gates], self.fields.centres_m()
        everywhere, plaza = np.ones(self.ground.cells, bool), np.zeros(self.ground.cells, bool)
        for middle in self.middle[self.venue]:
            plaza |= np.hypot(x - middle[0], y - middle[1]) < PLAZA_M
        self.ways = [
            self.fields.surroundings(int(self.gate_field[g]), where=everywhere, closed=others, area_cost=area_cost)
            for g, others in self.others.items()
        ]
        for t, field in enumerate(self.way_field.tolist()):
            where = plaza | (self.fields.far_m[field] < FORECOURT_M) if t < self.station_count else plaza
            self.ways.append(self.fields.surroundings(field, where=where, closed=venue, area_cost=area_cost))
        if self.inflow is not None:
            for g, closed in self.inflow.closed.items():
                self.ways.append(self.fields.surroundings(int(self.inflow.gate_field[g]), where=plaza, closed=closed, area_cost=area_cost))

    def look(self) -> None:
        """Bend the ways that somebody takes, to gates and into stations, round the crowds before them."""
        w = self.walkers
        taken = np.bincount(w.field, minlength=len(self.fields)) > 0
        for around, was in zip(self.ways, self.bent, strict=True):
            if was and not taken[around.field]:
                self.fields.way[around.field, around.cells] = around.shortest
        self.bent = np.array([taken[around.field] for around in self.ways])
        self.seen = lay(self.ground.raster, self.ground.cells, w.x_m, w.y_m, w.heading, w.speed_m_per_s)
        self._bend()

    def _bend(self) -> None:
        for around in itertools.compress(self.ways, self.bent):
            bend(around, self.seen, self.fields.way[around.field])

    def _around(self, gate: int) -> np.ndarray:
        """Return three segments that fence off the outside of a gate a few cells beyond it: ways to it lead from inside only."""
        a, b = self.lines[gate].reshape(2, 2)
        along = (b - a) / np.hypot(*(b - a)) * 2.0 * self.ground.cell_m
        out = self.outward[gate] * 6.0 * self.ground.cell_m
        corners = [a - along, a - along + out, b + along + out, b + along]
        return np.array([np.concatenate(pair) for pair in itertools.pairwise(corners)])

    def bar(self, shut: np.ndarray) -> None:
        """Let gates be passed as `shut` (gates, 2) leaves them: not inwards, not outwards; `weigh` finds the ways anew."""
        left = np.einsum("ij,ij->i", self.outward, np.diff(self.lines.reshape(-1, 2, 2), axis=1)[:, 0, ::-1] * [-1.0, 1.0]) > 0
        sides = np.where(left[:, None], shut[:, ::-1], shut)  # to the left is outwards, or inwards
        self.walkers.gates.shut[:] = sides
        self.fields.one_way = [(self.lines[gate], side) for gate, side in np.argwhere(sides).tolist()]

    def weigh(self, area_cost: np.ndarray) -> None:
        """Let each metre in area k cost `area_cost[k]` metres to everybody who looks for a way."""
        for g, others in self.others.items():
            self.fields.rebuild(int(self.gate_field[g]), closed=others, area_cost=area_cost)
        self.fields.rebuild(*self.way_field.tolist(), closed=self.lines[self.venue_gates], area_cost=area_cost)
        if self.inflow is not None:
            self.inflow.rebuild(area_cost)
        self._survey(area_cost)
        self._bend()

    def _unreached(self) -> list[str]:
        network, (near, way) = self.network, self.tables()
        problems = [
            f"sector '{network.sectors[s].id}' reaches no gate" for s in range(len(near)) if not np.isfinite(near[s][self.venue]).any()
        ]
        targets = [row.id for row in (*network.stations, *network.carparks, *network.exits)]
        for g, t in np.argwhere(~np.isfinite(way[self.venue])):
            problems.append(f"no way from gate '{network.gates[self.venue[g]].id}' to '{targets[t]}'")
        for s, station in enumerate(network.stations):
            at = self.middle[self.entry[s]] - 3.0 * self.ground.cell_m * self.outward[self.entry[s]]
            for d in range(self.doors[s]):
                if not np.isfinite(self.fields.distance_m(int(self.door_field[s, d]), at[:1], at[1:])[0]):
                    problems.append(f"no way from the entry of station '{station.id}' to its door {d + 1}")
        return problems

    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the seconds of walking: from sectors to gates, and from gates to targets; inf where no way leads."""
        near = np.full((len(self.mouths), len(self.lines)), np.inf)
        for s, spots in enumerate(self.mouths):
            for g in self.venue:
                near[s, g] = self.fields.distance_m(int(self.gate_field[g]), *spots.T).min()
        way = np.full((len(self.lines), len(self.way_field)), np.inf)
        outside = self.middle + 3.0 * self.ground.cell_m * self.outward
        for t, field in enumerate(self.way_field.tolist()):
            way[self.venue, t] = self.fields.distance_m(field, *outside[self.venue].T)
        return near / WALK_M_PER_S, way / WALK_M_PER_S

    def enter(self, queues: Sequence[Sequence[int]], most: np.ndarray, groups: Groups) -> np.ndarray:
        """Let the first persons of each sector's queue step out at its free mouths; return how many, at most `most[sector]`."""
        out = np.zeros(len(queues), np.int64)
        persons, places = [np.empty(0, np.int64)], [np.empty((0, 2))]
        for sector, queue in enumerate(queues):
            limit = min(int(most[sector]), len(queue))
            if limit:
                spots = self.mouths[sector]
                free = spots[self.free(spots)][:limit]
                out[sector] = len(free)
                persons.append(np.array(queue[: len(free)], np.int64))
                places.append(free)
        who = np.concatenate(persons)
        of = self.group[who]
        self.put(who, np.concatenate(places), self.gate_field[groups.gate[of]], groups.speed_m_per_s[of], groups.mode[of])
        self.leg[who] = INSIDE
        return out

    def put(self, persons: np.ndarray, places: np.ndarray, field: np.ndarray, speed_m_per_s: np.ndarray, kind: Any) -> None:
        """Put persons on the ground at `places`."""
        records = np.empty(len(persons), WALKER)
        records["id"], records["kind"], records["radius_m"] = persons, kind, BODY_RADIUS_M
        records["x_m"], records["y_m"] = places.T
        records["desired_speed_m_per_s"], records["field"] = speed_m_per_s, field
        self.walkers.add(records)

    def seconds(self, field: int, places: np.ndarray) -> np.ndarray:
        """Return how long people take to walk from `places` to the target of a field."""
        return self.fields.distance_m(int(field), *places.T) / WALK_M_PER_S

    def free(self, spots: np.ndarray) -> np.ndarray:
        """Say of each place whether nobody stands in it."""
        low, high = spots.min(0) - ENTER_CLEAR_M, spots.max(0) + ENTER_CLEAR_M
        w = self.walkers
        near = (w.x_m >= low[0]) & (w.x_m <= high[0]) & (w.y_m >= low[1]) & (w.y_m <= high[1])
        if not near.any():
            return np.ones(len(spots), bool)
        apart = np.hypot(spots[:, :1] - w.x_m[near], spots[:, 1:] - w.y_m[near])
        return (apart >= ENTER_CLEAR_M).all(axis=1)

    def step(self, now_s: int, groups: Groups) -> np.ndarray:
        """Move everybody through the second that begins at `now_s`; return the persons gone at (person, target)."""
        if now_s % LOOK_S == 0:
            self.look()
        arrived = self.walkers.step(self.dt_s, self.substeps)
        self.come_s[arrived["id"]] = now_s
        gone = arrived[self.fields.absorbs[arrived["field"]]]
        self.leg[gone["id"]] = OFF
        if self.inflow is not None:
            gone = self.inflow.seat(gone, groups)
        self._turn(groups)
        target = np.searchsorted(self.way_field, gone["field"])
        return np.column_stack([gone["id"], target]).astype(np.int64)

    def _turn(self, groups: Groups) -> None:
        """Send those who have passed their gate on their way, and those behind a station's entry to a door."""
        w = self.walkers
        if not len(w):
            return
        leg, of, label = self.leg[w.id], self.group[w.id], w.area
        xy = np.column_stack([w.x_m, w.y_m])
        target = groups.target[of]
        out = (leg == INSIDE) & ~self.seating[label]
        out[out] = self._past(xy[out])
        self.leg[w.id[out]] = UNDERWAY
        w.retarget(out, self.way_field[target[out]])
        if self.inflow is not None:
            self.inflow.turn(label, groups)
        bound = (leg == UNDERWAY) & (target < self.station_count)
        if bound.any():
            station = np.where(bound, target, 0)
            entry = self.entry[station]
            deep = -np.einsum("ij,ij->i", xy - self.middle[entry], self.outward[entry])
            self._let_in(bound & (label == self.platform[station]) & (deep > self.ground.cell_m), target)

    def _past(self, xy: np.ndarray) -> np.ndarray:
        """Say of each point near the gates of the venue whether it lies beyond the nearest."""
        middle, outward = self.middle[self.venue], self.outward[self.venue]
        nearest = np.hypot(xy[:, :1] - middle[:, 0], xy[:, 1:] - middle[:, 1]).argmin(axis=1)
        return np.einsum("ij,ij->i", xy - middle[nearest], outward[nearest]) > 0

    def _let_in(self, mask: np.ndarray, target: np.ndarray) -> None:
        """Send people who have come in to the door they would board at soonest: the way there, then those before them."""
        w = self.walkers
        queued = np.zeros(self.door_field.shape)
        on = (self.leg[w.id] == PLATFORM) & (target < self.station_count)
        np.add.at(queued, (target[on], self.door[w.id[on]]), 1.0)
        for i in np.flatnonzero(mask).tolist():
            s, n = target[i], self.doors[target[i]]
            way_m = self.fields.distance_m(self.door_field[s, :n], np.full(n, w.x_m[i]), np.full(n, w.y_m[i]))
            door = int(np.argmin(way_m / FREE_M_PER_S + queued[s, :n] / self.door_per_s[s]))
            queued[s, door] += 1.0
            self.door[w.id[i]] = door
        self.leg[w.id[mask]] = PLATFORM
        w.retarget(mask, self.door_field[target[mask], self.door[w.id[mask]]])

    def density_per_m2(self) -> np.ndarray:
        """Return people per square metre in each area; a sliver counts as at least one cell of the raster."""
        return self.walkers.counts() / np.maximum(self.ground.area_m2, self.ground.cell_m**2)

    def follow(self, groups: Groups) -> None:
        """Send everybody where their group now wants to go."""
        w = self.walkers
        if not len(w):
            return
        leg, of = self.leg[w.id], self.group[w.id]
        target = groups.target[of]
        door = self.door_field[np.where(target < self.station_count, target, 0), self.door[w.id]] if self.station_count else w.field
        stays = (leg == PLATFORM) & (w.field == door) & (target < self.station_count)
        self.leg[w.id[(leg == PLATFORM) & ~stays]] = UNDERWAY
        wanted = np.where(stays, door, np.where(leg == INSIDE, self.gate_field[groups.gate[of]], self.way_field[target]))
        wanted = np.where(leg < INBOUND, wanted, w.field)
        turned = wanted != w.field
        w.retarget(turned, wanted[turned].astype(np.int32))

    def board(self, most: np.ndarray) -> np.ndarray:
        """Take up to `most[s]` people who stand at the doors of station `s`, first come first; return how many."""
        taken = np.zeros(self.station_count, np.int64)
        w = self.walkers
        if not most.any() or not len(w):
            return taken
        off = np.zeros(len(w), bool)
        for s in np.flatnonzero(most):
            stand = np.flatnonzero((w.state == WAITING) & np.isin(w.field, self.door_field[s, : self.doors[s]]))
            first = stand[np.lexsort((w.id[stand], self.come_s[w.id[stand]]))][: most[s]]
            off[first] = True
            taken[s] = len(first)
        if off.any():
            self.leg[w.id[off]] = OFF
            w.remove(off)
        return taken

    def bound(self, groups: Groups) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return people before each gate, people bound for each target, and people who wait at each station."""
        w = self.walkers
        leg, of = self.leg[w.id], self.group[w.id]
        target = groups.target[of]
        before = np.bincount(groups.gate[of][(leg == INSIDE) | (leg == INBOUND)], minlength=len(self.lines))
        to = np.bincount(target[(leg == UNDERWAY) | (leg == PLATFORM)], minlength=len(self.way_field))
        still = (leg == PLATFORM) | ((leg == UNDERWAY) & (w.speed_m_per_s < STILL_M_PER_S))
        waiting = np.bincount(target[still & (target < self.station_count)], minlength=self.station_count)
        return before, to, waiting

    def standing(self, rows: np.ndarray, groups: Groups, outlook: Outlook) -> tuple[np.ndarray, np.ndarray]:
        """Return for groups `rows` the seconds from their rearmost person to gates (inf once outside) and to targets.

        A group nobody of which is on the ground yet is weighed from its seats.
        """
        near = np.full((len(rows), len(self.lines)), np.inf)
        direct = np.full((len(rows), len(self.way_field)), np.inf)
        w = self.walkers
        order = np.lexsort((w.id, self.leg[w.id], self.group[w.id]))
        first = np.searchsorted(self.group[w.id][order], rows)
        here = first < len(order)
        here[here] = self.group[w.id[order[first[here]]]] == rows[here]
        at = order[first[here]]
        inside = self.leg[w.id[at]] == INSIDE
        on = np.flatnonzero(here)
        at_gate = at[inside]
        x_m, y_m = w.x_m[at_gate], w.y_m[at_gate]
        back_x_m, back_y_m = (self.ground.cell_m * self.outward[groups.gate[self.group[w.id[at_gate]]]]).T
        for g in self.venue:
            far_m = self.fields.distance_m(int(self.gate_field[g]), x_m, y_m)
            # who stands in the line of a gate may be in a cell whose middle lies beyond it, from which no way leads to the others
            behind_m = self.fields.distance_m(int(self.gate_field[g]), x_m - back_x_m, y_m - back_y_m)
            near[on[inside], g] = np.where(np.isfinite(far_m), far_m, behind_m) / WALK_M_PER_S
        for t, field in enumerate(self.way_field.tolist()):
            direct[on, t] = self.fields.distance_m(field, w.x_m[at], w.y_m[at]) / WALK_M_PER_S
        near[~here] = outlook.near_s[groups.sector[rows[~here]]]
        return near, direct

    def save(self) -> dict[str, Any]:
        """Return the state as arrays; routing fields follow from the costs and are made again."""
        own = {name: getattr(self, name).copy() for name in ("leg", "door", "come_s")}
        seen = np.flatnonzero(self.seen.per_m2)
        load = {"bent": self.bent.copy(), "load_at": seen, "load": np.stack([part[seen] for part in self.seen])}
        if self.inflow is not None:
            own["inflow"] = self.inflow.save()
        return {"walkers": self.walkers.snapshot(), **own, **load}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Restore a saved state."""
        self.walkers.restore(saved["walkers"])
        for name in ("leg", "door", "come_s"):
            getattr(self, name)[...] = saved[name]
        load = np.zeros((3, self.ground.cells))
        load[:, saved["load_at"]] = saved["load"]
        self.seen, self.bent = Load(*load), saved["bent"].copy()
        self._bend()
        if self.inflow is not None:
            self.inflow.load(saved["inflow"])


def _walkable(network: CrowdNetwork) -> Any:
    """Return the union of the patches without the obstacles; parts too thin to stand in are left as they are."""
    ground = shapely.union_all([shapely.Polygon(ring) for ring in network.ground], grid_size=0.001)
    blocks = [shapely.Polygon(ring) for ring in network.obstacles]
    blocks += [shapely.Polygon(ring) for ring in network.barred]
    open_ground = shapely.difference(ground, shapely.union_all(blocks, grid_size=0.001), grid_size=0.001) if blocks else ground
    decks = [shapely.Polygon(ring) for ring in network.bridges]
    return shapely.union_all([open_ground, *decks], grid_size=0.001) if decks else open_ground


def _disjoint(rings: Sequence[Any]) -> list[Any]:
    """Return the areas as polygons, each without what a later one covers."""
    polygons = [shapely.Polygon(ring) for ring in rings]
    tree = shapely.STRtree(polygons)
    out = []
    for i, polygon in enumerate(polygons):
        later = sorted(int(j) for j in tree.query(polygon, predicate="intersects") if j > i)
        out.append(shapely.difference(polygon, shapely.union_all([polygons[j] for j in later])) if later else polygon)
    return out
