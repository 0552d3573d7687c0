"""Who reaches whom: connected parts of the fibre graph, and the cell that a person's telephone stands on."""

from __future__ import annotations

import numpy as np

from models.comms.network import Network

KEPT = 64
"""Attachments that are kept, by which sites serve."""
SAMPLES = 5
"""Points along each side of an area's extent at which signal is looked up; those inside its ring count alike."""


class Engine:
    """Reachability over the fibre graph by `scipy.sparse.csgraph`, and attachment of people to cells."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.area, points = _samples(network)
        self.share = 1.0 / np.maximum(np.bincount(self.area, minlength=len(network.residents)), 1)[self.area]
        away = np.hypot(*np.moveaxis(points[:, None, :] - network.xy[None, :, :], -1, 0))
        self.away = np.where(away <= network.figures["radius_m"], away, np.inf)
        self._found: dict[bytes, np.ndarray] = {}

    def parts(self, site_up: np.ndarray, link_up: np.ndarray) -> np.ndarray:
        """Return (site,) the number of the connected part each site is in, -1 for a site that is down."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        count = len(site_up)
        a, b = self.network.ends.T
        works = link_up & site_up[a] & site_up[b]
        graph = coo_array((np.ones(int(works.sum())), (a[works], b[works])), shape=(count, count))
        labels = connected_components(graph, directed=False)[1]
        return np.where(site_up, labels, -1)

    def attached(self, serves: np.ndarray) -> np.ndarray:
        """Return (sample,) the nearest of the serving sites that covers each sample, -1 for none."""
        key = serves.tobytes()
        if key not in self._found:
            if len(self._found) >= KEPT:
                self._found.clear()
            away = np.where(serves, self.away, np.inf)
            best = away.argmin(axis=1)
            self._found[key] = np.where(np.isfinite(away[np.arange(len(away)), best]), best, -1)
        return self._found[key]

    def covered(self, attached: np.ndarray) -> np.ndarray:
        """Return (area,) the share of the area that a serving site covers."""
        return np.minimum(np.bincount(self.area, self.share * (attached >= 0), len(self.network.residents)), 1.0)

    def load(self, attached: np.ndarray, per_area: np.ndarray) -> np.ndarray:
        """Return (site,) how much of a quantity of the areas (people, erlang) falls to each site; spread evenly over an area."""
        on = attached >= 0
        return np.bincount(attached[on], (per_area[self.area] * self.share)[on], len(self.network.kind))

    def mean(self, attached: np.ndarray, per_site: np.ndarray) -> np.ndarray:
        """Return (area,) a quantity of sites averaged over the covered part of each area; 0 where nothing is covered."""
        on = attached >= 0
        count = len(self.network.residents)
        total = np.bincount(self.area[on], (self.share * per_site[attached])[on], count)
        return np.divide(total, self.covered(attached), out=np.zeros(count), where=total > 0)


def _samples(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Return (area index, point) of evenly spaced points within each area, its middle where none falls inside."""
    areas, points = [], []
    for i, ring in enumerate(network.sets["area"].shapes):
        low, high = ring.min(axis=0), ring.max(axis=0)
        steps = (np.arange(SAMPLES) + 0.5) / SAMPLES
        grid = np.stack(np.meshgrid(*(low[k] + steps * (high[k] - low[k]) for k in (0, 1))), axis=-1).reshape(-1, 2)
        inside = grid[_inside(grid, ring)]
        mine = inside if len(inside) else ring.mean(axis=0, keepdims=True)
        areas.append(np.full(len(mine), i))
        points.append(mine)
    return np.concatenate([np.empty(0, int), *areas]).astype(int), np.concatenate([np.empty((0, 2)), *points])


def _inside(points: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Return (point,) bool by the even-odd rule."""
    x, y = points.T
    found = np.zeros(len(points), bool)
    for (ax, ay), (bx, by) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        crosses = (ay > y) != (by > y)
        found ^= crosses & (x < (bx - ax) * (y - ay) / np.where(by == ay, np.inf, by - ay) + ax)
    return found
