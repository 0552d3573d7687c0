"""Vehicles take people away: trains and coaches with a headway, a dwell and room; cars through the exit of a car park."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.crowd.network import CarPark, Station
from twin.ports import FLOW

BUS_PLACES, BUS_BOARDING_PER_S = 80, 0.8
"""Room in a bus of 12 m, standing places included, and people per second through its doors where nobody pays (TCRP Report
165, ch. 6: 1.75 to 2.5 s a person and door channel, two channels; from memory)."""


class Boarding:
    """The vehicles at every station, one second at a time; arrays are per station.

    On each track a vehicle comes every `headway_s`; the tracks are evenly staggered, so one comes every
    `headway_s / tracks`. It stays `dwell_s` and takes at most `boarding_per_s` people a second through its
    doors, and at most `capacity` in all, of a metro train the share of it that is free when it comes. A station
    without power, or stopped, has none; after it resumes the first comes one interval later. Buses may come in
    place of its trains; they need no power.
    """

    def __init__(self, stations: Sequence[Station], free_places: float = 1.0) -> None:
        count = len(stations)
        self.stations = tuple(stations)
        self.tracks = np.array([s.tracks for s in stations], float)
        self.dwell_s = np.array([s.dwell_s for s in stations], np.int64)
        free = [max(round(s.capacity * free_places), 1) if s.kind == "metro" else s.capacity for s in stations]
        self.capacity = np.array(free, np.int64)
        self.train_capacity = self.capacity.copy()
        self.rate_per_s = np.array([s.boarding_per_s for s in stations], float)
        self.headway_s = np.array([s.headway_s for s in stations], float)
        self.train_headway_s = self.headway_s.copy()
        self.due_s = self.headway_s / self.tracks
        self.leaves_s = np.zeros(count, np.int64)
        self.room = np.zeros(count, np.int64)
        self.credit = np.zeros(count)
        self.stopped = np.zeros(count, bool)
        self.bridged = np.zeros(count, bool)
        self.powered = np.ones(count, bool)
        self.boarded = np.zeros(count, np.int64)
        self.departed = np.zeros(count, np.int64)

    @property
    def runs(self) -> np.ndarray:
        """Where vehicles come at all."""
        return (self.powered | self.bridged) & ~self.stopped

    @property
    def trains_run(self) -> np.ndarray:
        """Where trains or coaches come, and not buses in their place."""
        return self.runs & ~self.bridged

    @property
    def per_s(self) -> np.ndarray:
        """People per second that the service can take in the long run; 0 where it does not run."""
        return self.carried_per_s(self.runs)

    def carried_per_s(self, runs: np.ndarray) -> np.ndarray:
        """Return the same where the service runs as `runs` says."""
        interval = self.headway_s / self.tracks
        return np.where(runs, np.minimum(self.capacity, self.rate_per_s * self.dwell_s) / interval, 0.0)

    def set_headway(self, station: int, headway_s: float, now_s: int) -> None:
        """Let vehicles come every `headway_s` on each track, counted from the last one that came."""
        before = self.headway_s[station] / self.tracks[station]
        after = headway_s / self.tracks[station]
        self.headway_s[station] = headway_s
        if not self.bridged[station]:
            self.train_headway_s[station] = headway_s
        self.due_s[station] = max(self.due_s[station] - before + after, now_s)

    def bus_bridge(self, station: int, buses: int, headway_s: float, now_s: int) -> None:
        """Let `buses` at a time come in place of trains, the first now; they stay as long as filling them takes."""
        self.tracks[station], self.headway_s[station], self.due_s[station] = 1.0, headway_s, now_s
        self.capacity[station], self.rate_per_s[station] = buses * BUS_PLACES, buses * BUS_BOARDING_PER_S
        self.dwell_s[station] = int(min(headway_s, np.ceil(BUS_PLACES / BUS_BOARDING_PER_S)))
        self.bridged[station], self.stopped[station] = True, False

    def trains_again(self, station: int) -> None:
        """Let trains come in place of the buses of a bridge, as before it."""
        if self.bridged[station]:
            train = self.stations[station]
            self.tracks[station], self.dwell_s[station], self.headway_s[station] = (
                train.tracks,
                train.dwell_s,
                self.train_headway_s[station],
            )
            self.capacity[station], self.rate_per_s[station] = self.train_capacity[station], train.boarding_per_s
            self.bridged[station], self.stopped[station] = False, True

    def switch(self, station: int, now_s: int, *, stopped: bool | None = None, powered: bool | None = None) -> None:
        """Stop, resume or (un)power a station; a vehicle that stands there when service ends takes nobody more."""
        ran = bool(self.runs[station])
        if stopped is not None:
            self.stopped[station] = stopped
        if powered is not None:
            self.powered[station] = powered
        if ran and not self.runs[station]:
            self.room[station], self.leaves_s[station], self.credit[station] = 0, now_s, 0.0
        elif self.runs[station] and not ran:
            self.due_s[station] = now_s + self.headway_s[station] / self.tracks[station]

    def may_board(self, now_s: int) -> np.ndarray:
        """Move the vehicles to `now_s` and return how many people may board during the second that begins."""
        self._leave(now_s)
        come = self.runs & (self.due_s <= now_s)
        while come.any():
            interval = self.headway_s / self.tracks
            start = np.ceil(self.due_s).astype(np.int64)
            self.room[come], self.credit[come] = self.capacity[come], 0.0
            self.leaves_s[come] = start[come] + self.dwell_s[come]
            self.due_s[come] += interval[come]
            self._leave(now_s)
            come = self.runs & (self.due_s <= now_s)
        here = self.leaves_s > now_s
        self.credit = np.where(here, np.minimum(self.credit + self.rate_per_s, self.rate_per_s + 1.0), 0.0)
        return np.where(here, np.minimum(np.floor(self.credit + 1e-9).astype(np.int64), self.room), 0)

    def _leave(self, now_s: int) -> None:
        gone = (self.room > 0) & (self.leaves_s <= now_s)
        self.departed += gone
        self.room[gone] = 0

    def board(self, people: np.ndarray) -> None:
        """Take the people who boarded in this second, at most what `may_board` allowed."""
        self.room -= people
        self.credit -= people
        self.boarded += people

    @property
    def standing(self) -> np.ndarray:
        """Where a vehicle stands at its doors."""
        return self.room > 0

    def wait_s(self, queued: np.ndarray, runs: np.ndarray) -> np.ndarray:
        """Return how long somebody who joins `queued` people would wait; infinite where, as far as people know, nothing `runs`."""
        per_s = self.carried_per_s(runs)
        with np.errstate(divide="ignore"):
            return np.where(per_s > 0, self.headway_s / self.tracks / 2 + queued / np.where(per_s > 0, per_s, 1.0), np.inf)

    _SAVED = (
        *("headway_s", "due_s", "leaves_s", "room", "credit", "stopped", "powered", "boarded", "departed"),
        *("tracks", "dwell_s", "capacity", "rate_per_s", "bridged", "train_headway_s"),
    )

    def save(self) -> dict[str, np.ndarray]:
        """Return the state as arrays."""
        return {name: getattr(self, name).copy() for name in self._SAVED}

    def load(self, saved: dict[str, np.ndarray]) -> None:
        """Restore a saved state."""
        for name in self._SAVED:
            getattr(self, name)[...] = saved[name]


class CarParks:
    """Cars whose people have all come queue for the exit of their car park and leave at its capacity, in order."""

    def __init__(self, carparks: Sequence[CarPark]) -> None:
        count = len(carparks)
        self.exit_per_s = np.array([c.exit_per_s for c in carparks], float)
        self.credit = np.ones(count)
        self.queues: list[list[int]] = [[] for _ in carparks]
        self.left = np.zeros(count, np.int64)
        self.driven = 0

    @property
    def queue(self) -> np.ndarray:
        """Cars that wait at each exit."""
        return np.array([len(queue) for queue in self.queues], np.int64)

    def ready(self, carpark: int, group: int) -> None:
        """Let the car of `group`, all of whom have come, join the queue of the exit."""
        self.queues[carpark].append(group)

    def leave(self, now_s: int, size: np.ndarray) -> np.ndarray:
        """Return the FLOW records of the cars that pass the exits in the second that begins at `now_s`."""
        self.credit = np.minimum(self.credit + self.exit_per_s, np.maximum(self.exit_per_s, 1.0))
        records = []
        for at, queue in enumerate(self.queues):
            passed = min(len(queue), int(self.credit[at] + 1e-9))
            for group in queue[:passed]:
                records.append((group, at, -1, int(size[group]), now_s))
                self.driven += int(size[group])
            del queue[:passed]
            self.credit[at] -= passed
            self.left[at] += passed
        return np.array(records, FLOW)

    def save(self) -> dict[str, Any]:
        """Return the state as plain data."""
        ids = np.array([group for queue in self.queues for group in queue], np.int64)
        return {"credit": self.credit.copy(), "left": self.left.copy(), "driven": self.driven, "groups": ids, "queue": self.queue}

    def load(self, saved: dict[str, Any]) -> None:
        """Restore a saved state."""
        self.credit[...], self.left[...] = saved["credit"], saved["left"]
        self.driven = int(saved["driven"])
        ends = np.cumsum(saved["queue"])[:-1]
        self.queues = [part.tolist() for part in np.split(np.asarray(saved["groups"]), ends)] if len(self.left) else []
