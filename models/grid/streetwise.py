"""Where a synthesised network runs: kiosks at crossings, rings of cable along streets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from twin.base import Base
from twin.errors import InputError

MAX_KIOSKS = 340
"""More crossings with load than this are merged into their neighbours: a district of some 400 buses."""


@dataclass
class Kiosk:
    """A 10 kV station at a crossing: its load by class of use, and what other networks want there."""

    crossing: str
    node: int
    xy: np.ndarray
    load_mw: dict[str, float] = field(default_factory=dict)
    wanted_mw: float = 0.0

    @property
    def total_mw(self) -> float:
        """All it must be sized for."""
        return sum(self.load_mw.values()) + self.wanted_mw


class Streets:
    """The street graph with shortest ways, along which cables lie."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.names = tuple(sorted(base.crossings))
        row = {name: i for i, name in enumerate(self.names)}
        self.xy = np.array([base.crossings[name] for name in self.names], float)
        best: dict[tuple[int, int], tuple[float, int, bool]] = {}
        for k, street in enumerate(base.streets):
            a, b = row[street.start], row[street.end]
            metres = float(np.linalg.norm(np.diff(street.shape, axis=0), axis=1).sum())
            for pair, forward in (((a, b), True), ((b, a), False)):
                if a != b and (pair not in best or metres < best[pair][0]):
                    best[pair] = (metres, k, forward)
        self.best = best
        pairs = sorted(best)
        graph = csr_matrix(([best[p][0] for p in pairs], ([p[0] for p in pairs], [p[1] for p in pairs])), shape=(len(row), len(row)))
        self.metres, self.before = dijkstra(graph, directed=True, return_predecessors=True)

    def nearest(self, points: np.ndarray, among: Sequence[int]) -> np.ndarray:
        """Return for each point the nearest node of `among`; the first of equals."""
        at = np.asarray(among, int)
        away = np.linalg.norm(points[:, None, :] - self.xy[at][None, :, :], axis=2)
        return at[np.argmin(away, axis=1)]

    def main_part(self) -> list[int]:
        """Return the nodes of the largest connected part of the streets."""
        reached = np.isfinite(self.metres)
        return np.flatnonzero(reached[int(np.argmax(reached.sum(axis=1)))]).tolist()

    def way(self, a: int, b: int) -> tuple[np.ndarray, list[str]]:
        """Return the course (k, 2) of the shortest way and the ids of the streets it follows."""
        nodes = [b]
        while nodes[-1] != a:
            nodes.append(int(self.before[a, nodes[-1]]))
        nodes.reverse()
        points, streets = [self.xy[a]], []
        for pair in pairwise(nodes):
            _, k, forward = self.best[pair]
            street = self.base.streets[k]
            shape = street.shape if forward else street.shape[::-1]
            points += [np.asarray(point, float) for point in shape[1:]]
            streets.append(street.id)
        return np.array(points), streets


def kiosks(streets: Streets, points: np.ndarray, loads: Sequence[tuple[str, float]]) -> list[Kiosk]:
    """Give every load (class, MW) to the nearest crossing; crossings with little give theirs to a neighbour."""
    main = streets.main_part()
    at = streets.nearest(points, main)
    total = np.bincount(at, [mw for _, mw in loads], len(streets.names))
    kept = sorted(np.argsort(-total, kind="stable")[: min(MAX_KIOSKS, int((total > 0).sum()))].tolist())
    made = {node: Kiosk(streets.names[node], node, streets.xy[node]) for node in kept}
    for node, (use, mw) in zip(streets.nearest(points, kept).tolist(), loads, strict=True):
        made[node].load_mw[use] = made[node].load_mw.get(use, 0.0) + mw
    return [made[node] for node in kept]


def serve(streets: Streets, homes: Sequence[int], firm_mw: Sequence[float], stations: Sequence[Kiosk]) -> list[list[Kiosk]]:
    """Give each kiosk to the nearest substation with room; those with most to lose choose first."""
    away = np.array([[streets.metres[home, kiosk.node] for home in homes] for kiosk in stations])
    ranked = np.sort(away, axis=1)
    regret = ranked[:, 1] - ranked[:, 0] if len(homes) > 1 else np.zeros(len(stations))
    left, given = list(firm_mw), [[] for _ in homes]  # type: ignore[var-annotated]
    for i in np.argsort(-regret, kind="stable").tolist():
        kiosk = stations[i]
        room = [h for h in np.argsort(away[i], kind="stable").tolist() if left[h] >= kiosk.total_mw]
        if not room:
            raise InputError(
                f"substations of {sum(firm_mw):.0f} MW firm capacity cannot carry the district; enlarge them in places.geojson"
            )
        left[room[0]] -= kiosk.total_mw
        given[room[0]].append(kiosk)
    return given


def rings(streets: Streets, home: int, stations: Sequence[Kiosk], limit_mw: float) -> list[list[Kiosk]]:
    """Sweep a substation's kiosks by bearing into rings of at most `limit_mw`, each in the order of a short tour."""
    if not stations:
        return []
    off = np.array([k.xy - streets.xy[home] for k in stations])
    bearing = np.arctan2(off[:, 0], off[:, 1])
    order = np.argsort(bearing, kind="stable")
    gaps = np.diff(np.append(bearing[order], bearing[order[0]] + 2 * np.pi))
    order = np.roll(order, -(int(np.argmax(gaps)) + 1))
    if max(k.total_mw for k in stations) > limit_mw:
        raise InputError(f"a single station of more than {limit_mw:.1f} MW: no 10 kV ring can carry it; split the building")
    return [_tour(streets, home, group) for group in _split([stations[i] for i in order.tolist()], limit_mw)]


def _split(order: Sequence[Kiosk], limit_mw: float) -> list[list[Kiosk]]:
    """Cut a sweep into as few groups as `limit_mw` allows, and these as even as that number allows."""
    count = len(_filled(order, limit_mw))
    low, high = max(k.total_mw for k in order), limit_mw
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if len(_filled(order, middle)) <= count else (middle, high)
    return _filled(order, high)


def _filled(order: Sequence[Kiosk], limit_mw: float) -> list[list[Kiosk]]:
    groups: list[list[Kiosk]] = [[]]
    run = 0.0
    for kiosk in order:
        if groups[-1] and run + kiosk.total_mw > limit_mw:
            groups.append([])
            run = 0.0
        groups[-1].append(kiosk)
        run += kiosk.total_mw
    return groups


def _tour(streets: Streets, home: int, group: Sequence[Kiosk]) -> list[Kiosk]:
    """Order a ring: nearest neighbour, then 2-opt until no exchange of two cables shortens it."""
    nodes = [home, *(k.node for k in group)]
    away = streets.metres[np.ix_(nodes, nodes)]
    tour, left = [0], list(range(1, len(nodes)))
    while left:
        tour.append(left.pop(int(np.argmin(away[tour[-1], left]))))
    tour.append(0)
    better = True
    while better:
        better = False
        for i in range(1, len(tour) - 2):
            for j in range(i + 1, len(tour) - 1):
                a, b, c, d = tour[i - 1], tour[i], tour[j], tour[j + 1]
                if away[a, c] + away[b, d] < away[a, b] + away[c, d] - 1e-6:
                    tour[i : j + 1] = tour[i : j + 1][::-1]
                    better = True
    return [group[i - 1] for i in tour[1:-1]]


def halves(ring: Sequence[Kiosk]) -> tuple[list[Kiosk], list[Kiosk]]:
    """Split a ring where its two feeders carry the same load as nearly as can be; the second starts at the ring's end."""
    loads = np.cumsum([k.total_mw for k in ring])
    cut = 1 + int(np.argmin(np.abs(loads - loads[-1] / 2)))
    return list(ring[:cut]), list(ring[cut:])[::-1]


def totals(stations: Sequence[Kiosk]) -> Mapping[str, float]:
    """Return MW by class of use."""
    found: dict[str, float] = {}
    for kiosk in stations:
        for use, mw in sorted(kiosk.load_mw.items()):
            found[use] = found.get(use, 0.0) + mw
    return found
