"""What groups of people decide: when to leave, through which gate, by which way home, and when to think again.

Every group is a Mesa agent whose facts are one row of `Groups`; Mesa holds the agents, the kernel's clock
holds the time. A group acts only when its departure is due or news has reached it, so tens of thousands of
groups cost nothing while they walk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import mesa
import numpy as np

from models.crowd.network import CrowdNetwork

METRO, COACH, CAR, FOOT = range(4)
MODES = ("metro", "coach", "car", "foot")
SEATED, LEAVING, GONE, COMING, INBOUND = range(5)
"""A group is in its seats, on its way home, gone, still to come, on its way to its seats."""
NEVER_S = np.iinfo(np.int64).max

SIZES = {1: 0.22, 2: 0.42, 3: 0.20, 4: 0.16}
"""Shares of groups by size (synthetic; no survey of the evening is known)."""
SPEED_M_PER_S = (1.34, 0.26, 0.6, 2.0)
"""Free walking speed: mean and standard deviation (Weidmann 1993), lowest and highest drawn."""
TASTE_S = 30.0
"""Scale of what a group likes or dislikes about a gate or a way home, seconds of its cost (Gumbel; synthetic)."""
NEWS_S = 45.0
"""Mean time until news (a closed gate, a dark place, stopped trains) reaches a group, exponential (synthetic)."""
RETHINK_S = 240
"""A group on its way looks at the queues again about this often (synthetic)."""
STAY_S = 90.0
"""A group turns to another way only if that saves it more than this (synthetic)."""


@dataclass
class Groups:
    """One row per group. Targets are numbered: stations, then car parks, then exits of the network.

    `home` is the target a group is bound to (its own car, the exit towards its home), -1 where it may choose.
    `think_s` is when it next looks around; `lag_s` how long news takes to reach it; `come` how many of its
    people have reached the target. Who is not there at the start comes at `comes_s` by way of the target `origin`;
    `inside` counts its people who have reached their seats.
    """

    size: np.ndarray
    sector: np.ndarray
    mode: np.ndarray
    home: np.ndarray
    leave_s: np.ndarray
    lag_s: np.ndarray
    speed_m_per_s: np.ndarray
    state: np.ndarray
    held: np.ndarray
    gate: np.ndarray
    target: np.ndarray
    think_s: np.ndarray
    come: np.ndarray
    comes_s: np.ndarray
    origin: np.ndarray
    inside: np.ndarray

    def __len__(self) -> int:
        return len(self.size)

    def save(self) -> dict[str, np.ndarray]:
        """Return every column."""
        return {one.name: getattr(self, one.name).copy() for one in fields(self)}

    def load(self, saved: Mapping[str, np.ndarray]) -> None:
        """Restore every column."""
        for one in fields(self):
            getattr(self, one.name)[...] = saved[one.name]


def target_modes(network: CrowdNetwork) -> np.ndarray:
    """Return the mode that each target serves, in the order of targets."""
    stations = [METRO if station.kind == "metro" else COACH for station in network.stations]
    return np.array([*stations, *[CAR] * len(network.carparks), *[FOOT] * len(network.exits)], np.int8)


def draw(
    network: CrowdNetwork,
    rng: np.random.Generator,
    *,
    people: int,
    shares: Mapping[str, float],
    ends_s: int,
    onset_s: int,
    spread: float,
) -> Groups:
    """Draw the groups in the seats: `people` of them spread over the sectors by seats, modes by `shares` of groups.

    A mode the network does not serve is left out and the others scaled up; cars beyond the spaces of the car
    parks go by another mode. A group stands up `onset_s` x lognormal(0, `spread`) after `ends_s`.
    """
    size, sector = _seat(network, rng, people)
    count = len(size)
    mode, home = _ways(network, rng, count, shares)
    mean, deviation, low, high = SPEED_M_PER_S
    leave_s = ends_s + np.rint(onset_s * rng.lognormal(0.0, spread, count)).astype(np.int64)
    return Groups(
        size=size,
        sector=sector,
        mode=mode,
        home=home,
        leave_s=leave_s,
        lag_s=np.rint(rng.exponential(NEWS_S, count)).astype(np.int64),
        speed_m_per_s=np.clip(rng.normal(mean, deviation, count), low, high),
        state=np.full(count, SEATED, np.int8),
        held=np.zeros(count, bool),
        gate=np.full(count, -1, np.int32),
        target=np.full(count, -1, np.int32),
        think_s=np.full(count, NEVER_S, np.int64),
        come=np.zeros(count, np.int32),
        comes_s=np.full(count, -1, np.int64),
        origin=np.full(count, -1, np.int32),
        inside=np.zeros(count, np.int32),
    )


def _seat(network: CrowdNetwork, rng: np.random.Generator, people: int) -> tuple[np.ndarray, np.ndarray]:
    seats = np.array([sector.seats for sector in network.sectors], float)
    wanted = people * seats / seats.sum()
    taken = np.floor(wanted).astype(np.int64)
    taken[np.argsort(taken - wanted, kind="stable")[: people - taken.sum()]] += 1
    sizes, sectors = [], []
    for k, there in enumerate(taken):
        drawn = rng.choice(list(SIZES), size=int(there), p=list(SIZES.values()))
        ends = np.cumsum(drawn)
        drawn = drawn[: int(np.searchsorted(ends, there)) + 1]
        if len(drawn):
            drawn[-1] -= int(drawn.sum() - there)
        sizes.append(drawn)
        sectors.append(np.full(len(drawn), k, np.int32))
    return np.concatenate(sizes).astype(np.int32), np.concatenate(sectors)


def _ways(network: CrowdNetwork, rng: np.random.Generator, count: int, shares: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
    serves = target_modes(network)
    weight = np.array([shares.get(name, 0.0) if (serves == code).any() else 0.0 for code, name in enumerate(MODES)])
    if not weight.sum() > 0:
        weight = np.array([(serves == code).any() for code in range(4)], float)
    mode = rng.choice(4, size=count, p=weight / weight.sum()).astype(np.int8)
    spaces = np.repeat(np.arange(len(network.carparks)), [park.spaces for park in network.carparks])
    cars = np.flatnonzero(mode == CAR)
    if len(cars) > len(spaces):
        other = weight.copy()
        other[CAR] = 0.0
        other = other if other.sum() else (np.bincount(serves, minlength=4) > 0) * np.array([1.0, 1.0, 0.0, 1.0])
        if other.sum():
            over = cars[len(spaces) :]
            mode[over] = rng.choice(4, size=len(over), p=other / other.sum())
            cars = cars[: len(spaces)]
    home = np.full(count, -1, np.int32)
    if len(cars):
        parked = rng.permutation(spaces) if len(cars) <= len(spaces) else rng.choice(spaces, len(cars))
        home[cars] = len(network.stations) + parked[: len(cars)]
    walkers = np.flatnonzero(mode == FOOT)
    if len(walkers):
        home[walkers] = len(network.stations) + len(network.carparks) + rng.integers(0, len(network.exits), len(walkers))
    return mode, home


@dataclass
class Outlook:
    """What can be known about the ways, in seconds; infinite where there is no way.

    `near_s` (sectors, gates): from the seats to a gate. `way_s` (gates, targets): from there on.
    `gate_s` (gates): the queue. `wait_s` (targets): until one is taken away, 0 for car parks and exits.
    """

    near_s: np.ndarray
    way_s: np.ndarray
    gate_s: np.ndarray
    wait_s: np.ndarray


class Party(mesa.Agent):  # type: ignore[misc]
    """A group that stays together: it has one row of facts and makes one choice for all its people."""

    def __init__(self, model: Town, row: int) -> None:
        super().__init__(model)
        self.row = row

    def set_off(self, outlook: Outlook, taste_s: np.ndarray) -> None:
        """Stand up: take the gate and the target that cost least, queues and darkness included."""
        groups = self.model.groups
        self._go(outlook.near_s[groups.sector[self.row]], outlook, taste_s)
        groups.state[self.row] = LEAVING

    def look_inside(self, near_s: np.ndarray, outlook: Outlook, taste_s: np.ndarray) -> None:
        """Think again before the gate, from where the group stands: `near_s` (gates)."""
        self._go(near_s, outlook, taste_s)

    def look_outside(self, direct_s: np.ndarray, outlook: Outlook, taste_s: np.ndarray) -> None:
        """Think again after the gate: `direct_s` (targets) from where the group stands."""
        cost = direct_s + outlook.wait_s + taste_s[-len(direct_s) :]
        self.model.groups.target[self.row] = self._best(cost)

    def _go(self, near_s: np.ndarray, outlook: Outlook, taste_s: np.ndarray) -> None:
        gates = len(near_s)
        groups, row = self.model.groups, self.row
        cost = (near_s + outlook.gate_s + taste_s[:gates])[:, None] + outlook.way_s
        by_gate = cost.min(axis=0)
        target = self._best(by_gate + outlook.wait_s + taste_s[gates:])
        gate = int(cost[:, target].argmin())
        old = groups.gate[row]
        if old < 0 or not cost[old, target] <= cost[gate, target] + STAY_S / 3:
            groups.gate[row] = gate
        groups.target[row] = target

    def _best(self, cost: np.ndarray) -> int:
        """Return the target to take: home, else one's own mode, else any on foot or by vehicle; the old one if that is as good."""
        groups, row, serves = self.model.groups, self.row, self.model.serves
        home, old = int(groups.home[row]), int(groups.target[row])
        if home >= 0 and np.isfinite(cost[home]):
            return home
        for allowed in (serves == groups.mode[row], serves != CAR):
            if groups.mode[row] == CAR and allowed[serves == CAR].any():
                continue
            some = np.where(allowed, cost, np.inf)
            best = int(some.argmin())
            if np.isfinite(some[best]):
                return old if old >= 0 and some[old] <= some[best] + STAY_S else best
        return old if old >= 0 else max(home, 0)


class Town(mesa.Model):  # type: ignore[misc]
    """The groups as Mesa agents. It keeps no time and draws no numbers of its own: both come from outside."""

    def __init__(self, groups: Groups, serves: np.ndarray) -> None:
        super().__init__(seed=0)
        self.groups, self.serves = groups, serves
        self.parties = [Party(self, row) for row in range(len(groups))]

    def due(self, now_s: int) -> np.ndarray:
        """Return the rows of the seated groups that stand up by `now_s`."""
        groups = self.groups
        return np.flatnonzero((groups.state == SEATED) & ~groups.held & (groups.leave_s <= now_s))

    def thinking(self, now_s: int) -> np.ndarray:
        """Return the rows of the groups on their way that look around by `now_s`."""
        return np.flatnonzero((self.groups.state == LEAVING) & (self.groups.think_s <= now_s))

    def set_off(self, rows: np.ndarray, now_s: int, outlook: Outlook, rng: np.random.Generator) -> None:
        """Let the groups of `rows` stand up."""
        taste_s = self._taste(len(rows), outlook, rng)
        for row, taste in zip(rows.tolist(), taste_s, strict=True):
            self.parties[row].set_off(outlook, taste)
        self.groups.think_s[rows] = now_s + RETHINK_S + self.groups.lag_s[rows]

    def think(
        self, rows: np.ndarray, near_s: np.ndarray, direct_s: np.ndarray, now_s: int, *, outlook: Outlook, rng: np.random.Generator
    ) -> None:
        """Let the groups of `rows` think again: `near_s` (rows, gates) is finite for those still before the gates."""
        taste_s = self._taste(len(rows), outlook, rng)
        before = np.isfinite(near_s).any(axis=1)
        for k, row in enumerate(rows.tolist()):
            if before[k]:
                self.parties[row].look_inside(near_s[k], outlook, taste_s[k])
            else:
                self.parties[row].look_outside(direct_s[k], outlook, taste_s[k])
        self.groups.think_s[rows] = now_s + RETHINK_S + self.groups.lag_s[rows]

    def tell(self, rows: np.ndarray, now_s: int) -> None:
        """Spread news to the groups of `rows` (a mask or numbers): each looks around when it hears."""
        groups = self.groups
        groups.think_s[rows] = np.minimum(groups.think_s[rows], now_s + groups.lag_s[rows])

    def _taste(self, count: int, outlook: Outlook, rng: np.random.Generator) -> np.ndarray:
        return rng.gumbel(0.0, TASTE_S, (count, outlook.way_s.shape[0] + outlook.way_s.shape[1]))
