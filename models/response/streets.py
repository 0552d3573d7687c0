"""Ways and times along the street graph: what a dispatcher reckons with, and how crews drive where no traffic model drives them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from models.response.network import Network

SHUT_S = 9e4
"""An edge that takes so long is closed."""
WALK_M_PER_S = 1.2
"""Crews walk the rest of their way with their gear (synthetic)."""
SAME_STREET_S = 10.0
"""A unit goes to another house of its street in so long (synthetic)."""
_CANDIDATES = 6


class Reach(NamedTuple):
    """A spot near a point, the seconds to drive there, and how far it is from there on foot."""

    spot: int
    drive_s: float
    away_m: float


@dataclass
class Streets:
    """The street graph under the present driving times; plain arrays, and what was found in them so far."""

    network: Network
    passing_s: np.ndarray = field(default_factory=lambda: np.empty(0))
    _found: dict[tuple[int, bool], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    _graph: dict[bool, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        net = self.network
        segments = [(shape[:-1], shape[1:], at) for at, shape in enumerate(net.spot_shapes)]
        self.a = np.concatenate([a for a, _, _ in segments])
        self.b = np.concatenate([b for _, b, _ in segments])
        self.of = np.repeat(np.arange(len(segments)), [len(a) for a, _, _ in segments])
        self.passing_s = net.free_s.copy()
        self.twin = np.arange(len(net.spot_street))
        for one, other in zip(self.twin[:-1].tolist(), self.twin[1:].tolist(), strict=True):
            if net.spot_street[one] == net.spot_street[other]:
                self.twin[one], self.twin[other] = other, one
        pairs, self.pair = np.unique(net.spot_ends, axis=0, return_inverse=True)
        self.pairs, self.size = pairs, int(net.spot_ends.max()) + 1

    def set_times(self, passing_s: np.ndarray) -> None:
        """Take the driving times of the edges; zeros (nobody says) stand for free roads."""
        wanted = np.where(passing_s > 0, passing_s, self.network.free_s)
        if not np.array_equal(wanted, self.passing_s):
            self.passing_s = wanted
            self._found.clear()
            self._graph.clear()

    def _distances(self, crossing: int, back: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return (crossing,) seconds from a crossing, or with `back` to it, and each one's predecessor."""
        key = (crossing, back)
        if key not in self._found:
            from scipy.sparse import csr_array
            from scipy.sparse.csgraph import dijkstra

            if back not in self._graph:
                best_s = np.full(len(self.pairs), np.inf)
                np.minimum.at(best_s, self.pair.reshape(-1), self.passing_s)
                open_ = best_s < SHUT_S
                rows, columns = self.pairs[open_].T
                ends = (columns, rows) if back else (rows, columns)
                self._graph[back] = csr_array((best_s[open_], ends), shape=(self.size, self.size))
            self._found[key] = dijkstra(self._graph[back], indices=crossing, return_predecessors=True)
        return self._found[key]

    def times_to(self, x_m: float, y_m: float, walk_m: float, starts: np.ndarray) -> np.ndarray:
        """Return (start,) seconds from spots, in either direction of their streets, to a point; inf where there is no way."""
        spots, away_m = self.near(x_m, y_m, walk_m)
        best_s = np.full(len(starts), np.inf)
        for spot, metres in zip(spots.tolist(), away_m.tolist(), strict=True):
            for way in (starts, self.twin[starts]):
                best_s = np.minimum(best_s, self._to(spot, way) + metres / WALK_M_PER_S)
        return best_s

    def _to(self, spot: int, starts: np.ndarray) -> np.ndarray:
        before, _ = self._distances(int(self.network.spot_ends[spot, 0]), back=True)
        half_s = np.where(self.passing_s < SHUT_S, self.passing_s / 2, np.inf)
        out_s = np.minimum(half_s[starts], self.network.free_s[starts] * 2)
        found = out_s + before[self.network.spot_ends[starts, 1]] + half_s[spot]
        return np.where(self.network.spot_street[starts] == self.network.spot_street[spot], SAME_STREET_S, found)

    def times_from(self, spot: int, ends: np.ndarray) -> np.ndarray:
        """Return (end,) seconds from the middle of a spot to the middles of others; inf where there is no way."""
        after, _ = self._distances(int(self.network.spot_ends[spot, 1]), back=False)
        half = np.where(self.passing_s < SHUT_S, self.passing_s / 2, np.inf)
        out_s = min(half[spot], 2 * self.network.free_s[spot])
        found = out_s + after[self.network.spot_ends[ends, 0]] + half[ends]
        return np.where(self.network.spot_street[ends] == self.network.spot_street[spot], SAME_STREET_S, found)

    def away_m(self, x_m: float, y_m: float) -> np.ndarray:
        """Return (spot,) the distance of a point from each."""
        p = np.array([x_m, y_m])
        along = self.b - self.a
        share = np.clip(((p - self.a) * along).sum(axis=1) / np.maximum((along**2).sum(axis=1), 1e-9), 0.0, 1.0)
        distance = np.hypot(*(self.a + share[:, None] * along - p).T)
        found = np.full(len(self.network.spot_shapes), np.inf)
        np.minimum.at(found, self.of, distance)
        return found

    def near(self, x_m: float, y_m: float, walk_m: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the open spots from which a point can be walked to, nearest first; the nearest street is always near enough."""
        away = self.away_m(x_m, y_m)
        reckoned = np.where(self.passing_s < SHUT_S, away, np.inf)
        order = np.argsort(reckoned, kind="stable")[:_CANDIDATES]
        order = order[np.isfinite(reckoned[order])]
        within = order[away[order] <= max(walk_m, float(away.min()) + 1.0)]
        return within, away[within]

    def reach(self, start: int, x_m: float, y_m: float, walk_m: float) -> Reach | None:
        """Return the spot from which a point is reached soonest; None where there is no way to any."""
        spots, away = self.near(x_m, y_m, walk_m)
        if not spots.size:
            return None
        drive_s = self.times_from(start, spots)
        best = int(np.argmin(drive_s + away / WALK_M_PER_S))
        return Reach(int(spots[best]), float(drive_s[best]), float(away[best])) if np.isfinite(drive_s[best]) else None

    def way(self, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the spots along the fastest way (start and end among them), and the share of its time at which each is left."""
        ends = self.network.spot_ends
        _, before = self._distances(int(ends[start, 1]), back=False)
        crossings = [int(ends[end, 0])]
        while crossings[-1] != int(ends[start, 1]) and before[crossings[-1]] >= 0:
            crossings.append(int(before[crossings[-1]]))
        middle = [self._between(a, b) for a, b in zip(crossings[:0:-1], crossings[-2::-1], strict=False)]
        spots = np.array([start, *middle, end] if start != end else [start], int)
        spent_s = self.passing_s[spots].copy()
        spent_s[[0, -1]] /= 2
        return spots, np.cumsum(spent_s) / max(float(spent_s.sum()), 1e-9)

    def _between(self, a: int, b: int) -> int:
        found = np.flatnonzero((self.network.spot_ends[:, 0] == a) & (self.network.spot_ends[:, 1] == b))
        return int(found[np.argmin(self.passing_s[found])])
