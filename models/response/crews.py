"""Crews and their vehicles: where they are, how they drive, when they come; on the simulated roads, or by the street graph."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.response.jobs import NEVER
from models.response.network import SKILLS, Network
from models.response.streets import SAME_STREET_S, Reach, Streets
from models.response.surface import AT_DEPOT, DRIVING, HELD, OFF, RETURNING, STANDING_BY, TO_HOSPITAL, TURNING_OUT, ResponseOptions

UNIT = np.dtype(
    [
        *((name, "i8") for name in ("skill", "depot", "home", "spot", "goal", "state", "then", "job", "until_s", "since_s")),
        *((name, "i8") for name in ("blocked_s", "trips", "hospital", "legs")),
        *((name, "f8") for name in ("x_m", "y_m", "away_m", "expected_s")),
        *((name, "?") for name in ("known", "ordered", "blue", "late", "off")),
        ("aboard", "i8", (4,)),
    ]
)
"""A unit: where it stands or last stood (`spot`), where it drives (`goal`, and the point `x_m`, `y_m` it is for), what it does and
until when, what it does when it has turned out or can go on (`then`); `known` to a traffic model; `late` for its job."""
MOVING = (DRIVING, TO_HOSPITAL, RETURNING)
READY, ARRIVED, NO_WAY = range(3)
BLUE, PLAIN = -1, -2
"""Codes of records `blue` and `reached`, as the traffic model documents them."""
ANSWERED_S = 60
"""By then a traffic model, if there is one, has said that it knows where the units stand."""
RETRY_S = 60
"""A unit that has no way looks again so often."""
LATE_FACTOR = 3.0
"""A unit is overdue after so many times the reckoned drive and `strand_after`."""
_NO_LIGHTS = SKILLS.index("bus")


@dataclass(frozen=True)
class Outside:
    """How crews reach the rest: notices, orders to the roads, patients to hospitals."""

    say: Callable[..., None]
    """`say(notice, unit or None, happened_s, **facts)`"""
    order: Callable[[int, int, int, int], None]
    """`order(unit, spot, what, t_s)`; `what` is BLUE, PLAIN, or the class of a unit that stands there"""
    hand_over: Callable[[int, int, int, int], None]
    """`hand_over(hospital, triage class, patient, t_s)`"""


class Crews(ABC):
    """All units; what they do when they have come somewhere is told to `reached` and `gave_up`."""

    def __init__(self, network: Network, options: ResponseOptions, outside: Outside, seed: int) -> None:
        self.network, self.options, self.outside, self.seed = network, options, outside, seed
        self.streets = Streets(network)
        self.now_s = 0
        self.free_roads = False
        self.ways: dict[int, dict[str, Any]] = {}
        self.units = np.zeros(len(network.unit_skill), UNIT)
        home = np.array([int(self.streets.near(x, y, 0.0)[0][0]) for x, y in network.depot_xy.tolist()], int)
        self.units["skill"], self.units["depot"] = network.unit_skill, network.unit_depot
        self.units["home"] = self.units["spot"] = self.units["goal"] = home[network.unit_depot]
        self.units["job"], self.units["until_s"], self.units["blocked_s"], self.units["hospital"] = -1, NEVER, -1, -1

    # what others decide

    @abstractmethod
    def reached(self, unit: int, t_s: int) -> None:
        """React to a unit that has come to where it drove."""

    @abstractmethod
    def gave_up(self, unit: int, t_s: int) -> None:
        """React to a unit that has had no way for too long."""

    # who can go

    def free(self, skill: int) -> np.ndarray:
        """Return the units of a skill that can be sent."""
        able = np.isin(self.units["state"], (AT_DEPOT, RETURNING, STANDING_BY)) & (self.units["job"] < 0) & ~self.units["off"]
        return np.flatnonzero(able & (self.units["skill"] == skill))

    def place(self, unit: int) -> int:
        """Return the spot a unit is at, or about at: on the simulated roads its start or its goal, whichever must be nearer."""
        one = self.units[unit]
        if one["state"] not in MOVING:
            return int(one["spot"])
        if (way := self.ways.get(unit)) is not None:
            share = (self.now_s - way["from_s"]) / max(way["to_s"] - way["from_s"], 1)
            return int(way["spots"][min(int(np.searchsorted(way["shares"], share)), len(way["spots"]) - 1)])
        return int(one["spot"] if 2 * (self.now_s - one["since_s"]) < one["expected_s"] else one["goal"])

    # driving

    def send(self, unit: int, x_m: float, y_m: float, then: int, *, depart_s: int, blue: bool) -> None:
        """Let a unit drive to a point from a second on; `then` is what it does while driving."""
        one = self.units[unit]
        if unit in self.ways:
            one["spot"] = self.place(unit)
            del self.ways[unit]
        one["x_m"], one["y_m"], one["then"], one["blue"] = x_m, y_m, then, blue and one["skill"] != _NO_LIGHTS
        one["ordered"], one["blocked_s"], one["late"] = False, -1, False
        if depart_s <= self.now_s:
            self.start(unit, self.now_s)
            return
        one["state"], one["until_s"] = TURNING_OUT, depart_s
        if one["known"]:
            self._order(unit, depart_s)

    def start(self, unit: int, t_s: int) -> None:
        """Let a unit set off: it was ordered already, is ordered now, or drives by the street graph."""
        one = self.units[unit]
        if not one["ordered"]:
            self._order(unit, t_s)
            return
        one["state"], one["ordered"] = one["then"], False
        one["until_s"] = t_s + round(LATE_FACTOR * one["expected_s"]) + self.options.strand_after

    def _order(self, unit: int, t_s: int) -> None:
        """Order a unit to the spot from which it is soonest at its point."""
        one = self.units[unit]
        start = self.place(unit)
        start, reach = self._reach(unit, start)
        one["since_s"] = t_s
        if reach is None:
            self.hold(unit, t_s)
            return
        factor = self.options.blue_factor if one["blue"] else 1.0
        one["goal"], one["away_m"], one["expected_s"] = reach.spot, reach.away_m, reach.drive_s / factor
        beside = self.network.spot_street[start] == self.network.spot_street[reach.spot] and one["state"] not in MOVING
        if one["known"] and not beside:
            if start != one["spot"] and one["state"] not in MOVING:
                one["spot"] = start
                self.outside.order(unit, start, int(one["skill"]), t_s)
            self.outside.order(unit, reach.spot, BLUE if one["blue"] else PLAIN, t_s)
            if t_s > self.now_s:
                one["ordered"] = True
                return
            one["state"] = one["then"]
            one["until_s"] = t_s + round(LATE_FACTOR * one["expected_s"]) + self.options.strand_after
            return
        if t_s > self.now_s:
            return
        self._drive(unit, start, reach.spot, t_s, round(SAME_STREET_S) if beside else max(1, round(one["expected_s"])))

    def _reach(self, unit: int, start: int) -> tuple[int, Reach | None]:
        """Return where a unit sets off and the spot it drives to; one that stands sets off in the better direction of its street."""
        one = self.units[unit]
        starts = [start] if one["state"] in MOVING else list(dict.fromkeys((start, int(self.streets.twin[start]))))
        ways = [(at, self.streets.reach(at, float(one["x_m"]), float(one["y_m"]), self.options.walk)) for at in starts]
        return min(ways, key=lambda way: np.inf if way[1] is None else way[1].drive_s)

    def _drive(self, unit: int, start: int, goal: int, t_s: int, took_s: int) -> None:
        one = self.units[unit]
        spots, shares = self.streets.way(start, goal)
        self.ways[unit] = {"spots": spots, "shares": shares, "from_s": t_s, "to_s": t_s + took_s}
        one["state"], one["until_s"] = one["then"], t_s + took_s
        if not self.free_roads and not one["known"] and t_s >= ANSWERED_S:
            self.free_roads = True
            self.outside.say("roads_free", 0, t_s, what="no traffic model drives the crews: they drive free roads by the street graph")

    def hold(self, unit: int, t_s: int) -> None:
        """Let a unit wait that has no way: it looks again, and gives up after `strand_after`."""
        one = self.units[unit]
        one["state"], one["until_s"], one["ordered"] = HELD, t_s + RETRY_S, False
        if one["blocked_s"] < 0:
            one["blocked_s"] = t_s

    def go_on(self, unit: int, t_s: int) -> None:
        """Let a unit that had no way look again."""
        if t_s - self.units["blocked_s"][unit] >= self.options.strand_after:
            self.gave_up(unit, t_s)
        else:
            self._order(unit, t_s)

    def hear(self, records: np.ndarray) -> None:
        """Take the answers of the roads."""
        for record in records:
            unit, spot, said, t_s = (int(record[name]) for name in ("id", "at", "destination", "t_s"))
            one = self.units[unit]
            if said == READY:
                one["known"] = True
            elif said == NO_WAY and (one["state"] in MOVING or one["ordered"]):
                self.hold(unit, max(t_s, self.now_s))
            elif said == ARRIVED:
                one["spot"] = spot
                if one["state"] in MOVING and unit not in self.ways:
                    self._came(unit, spot, t_s)

    def _came(self, unit: int, spot: int, t_s: int) -> None:
        """Let a unit be there; where a closed road ended its way early, it walks, or looks for another way."""
        one = self.units[unit]
        if spot != one["goal"]:
            away_m = float(self.streets.away_m(float(one["x_m"]), float(one["y_m"]))[spot])
            if away_m > max(self.options.walk, float(one["away_m"]) + 1.0):
                self._order(unit, max(t_s, self.now_s))
                return
            one["away_m"] = away_m
        one["blocked_s"] = -1
        self.reached(unit, t_s)

    def arrive(self, unit: int, t_s: int) -> None:
        """Let a unit that drove by the street graph be there."""
        del self.ways[unit]
        one = self.units[unit]
        one["spot"], one["blocked_s"] = one["goal"], -1
        if one["known"]:
            self.outside.order(unit, int(one["spot"]), int(one["skill"]), t_s)
        self.reached(unit, t_s)

    def rest(self, unit: int, state: int) -> None:
        """Let a unit stand until it is sent."""
        one = self.units[unit]
        one["state"] = OFF if one["off"] and state == AT_DEPOT else state
        one["until_s"], one["blocked_s"], one["late"] = NEVER, -1, False

    def home(self, unit: int, t_s: int) -> None:
        """Send a unit home in ordinary traffic; one that has not left yet stays."""
        one = self.units[unit]
        one["job"], one["hospital"] = -1, -1
        if one["ordered"]:
            self.outside.order(unit, int(one["spot"]), PLAIN, t_s)
            one["ordered"] = False
        street = self.network.spot_street
        if street[one["spot"]] == street[one["home"]] and one["state"] not in MOVING:
            self.rest(unit, AT_DEPOT)
            return
        x_m, y_m = self.network.depot_xy[one["depot"]].tolist()
        self.send(unit, x_m, y_m, RETURNING, depart_s=t_s, blue=False)

    def positions(self) -> list[tuple[int, float, float, float, float]]:
        """Return unit, x, y, heading and speed of those that drive by the street graph."""
        found = []
        for unit, way in sorted(self.ways.items()):
            span_s = max(way["to_s"] - way["from_s"], 1)
            share = min(max((self.now_s - way["from_s"]) / span_s, 0.0), 1.0)
            at = min(int(np.searchsorted(way["shares"], share)), len(way["spots"]) - 1)
            begin = float(way["shares"][at - 1]) if at else 0.0
            part = (share - begin) / max(float(way["shares"][at]) - begin, 1e-9)
            lo, hi = (0.5 if at == 0 else 0.0), (0.5 if at == len(way["spots"]) - 1 else 1.0)
            x, y, angle, length_m = _along(self.network.spot_shapes[int(way["spots"][at])], lo + part * max(hi - lo, 0.0))
            took_s = max((float(way["shares"][at]) - begin) * span_s, 1.0)
            found.append((unit, x, y, angle, max(hi - lo, 0.0) * length_m / took_s))
        return found

    def save(self) -> dict[str, Any]:
        """Return everything as plain data."""
        ways = {unit: {name: _plain(value) for name, value in way.items()} for unit, way in self.ways.items()}
        return {"units": self.units.copy(), "ways": ways, "free_roads": self.free_roads, "now_s": self.now_s}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take up what `save` returned."""
        self.units = saved["units"].copy()
        self.ways = {int(unit): {name: _plain(value) for name, value in way.items()} for unit, way in saved["ways"].items()}
        self.free_roads, self.now_s = saved["free_roads"], saved["now_s"]


def _plain(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def _along(shape: np.ndarray, share: float) -> tuple[float, float, float, float]:
    """Return x, y, heading and the whole length at a share of a line."""
    steps = np.diff(shape, axis=0)
    lengths = np.hypot(*steps.T)
    total = float(lengths.sum())
    left = share * total
    at = min(int(np.searchsorted(np.cumsum(lengths), left)), len(steps) - 1)
    inside = (left - float(lengths[:at].sum())) / max(float(lengths[at]), 1e-9)
    x, y = (shape[at] + steps[at] * min(max(inside, 0.0), 1.0)).tolist()
    return x, y, float(np.degrees(np.arctan2(steps[at, 0], steps[at, 1])) % 360.0), total
