"""The path of each thing between two of its records: along the lines it keeps to, or round the buildings in its way."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from twin.results import MoverLook, Run

if TYPE_CHECKING:
    from viz.lines import Lines, Ways
    from viz.walls import Walls

FAR_M_PER_S, FARTHEST_M = 30.0, 2500.0
"""Ways between two records are sought as far as this speed leads, and never further."""


class Legs(NamedTuple):
    """What happens between two records of a thing each: (n, 2) of both; positions are (n, 2, 2)."""

    xy: np.ndarray
    angle_deg: np.ndarray
    speed_m_per_s: np.ndarray
    tenths: np.ndarray

    @property
    def ends(self) -> np.ndarray:
        """Return (n, 4): x, y, x, y in m."""
        return self.xy.reshape(-1, 4)


class Paths:
    """Finds the paths of one model's moving things; `straight` counts those for which no way was found."""

    def __init__(self, run: Run, model: str, origin_m: np.ndarray) -> None:
        self.run, self.model, self.origin_m = run, model, origin_m
        self.straight = 0
        self._networks: dict[str, tuple[Lines, Ways] | None] = {}

    @cached_property
    def walls(self) -> Walls | None:
        """The walls of the city's buildings."""
        from viz.walls import walls_of

        return walls_of([building.shape - self.origin_m for building in self.run.city.buildings])

    def corners(self, legs: Legs, kinds: np.ndarray, looks: Sequence[MoverLook]) -> tuple[np.ndarray, np.ndarray]:
        """Return the points of each leg's path between its ends: ragged start (n + 1), xy (m, 2)."""
        count, pieces = np.zeros(len(kinds), np.int64), []
        for along in sorted({look.along for look in looks if look.along}):
            chosen = np.flatnonzero(np.array([look.along == along for look in looks])[kinds])
            network = self._network(along)
            if network is not None and len(chosen):
                start, xy = self._along(network, Legs(*(column[chosen] for column in legs)))
                count[chosen] = np.diff(start)
                pieces.append((chosen, start, xy))
        chosen = np.flatnonzero(walks(looks)[kinds] & (count == 0))
        if self.walls is not None and len(chosen):
            from viz.walls import around, crossing

            chosen = chosen[crossing(self.walls, legs.ends[chosen])]
            start, xy, straight = around(self.walls, legs.ends[chosen])
            self.straight += int(straight.sum())
            count[chosen] = np.diff(start)
            pieces.append((chosen, start, xy))
        return _merged(count, pieces)

    def through_walls(self, start: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Return which presences, ragged by `start`, go through a wall; `kept` (m, 2): their moments, NaN where left out."""
        found = np.zeros(len(start) - 1, bool)
        at = np.flatnonzero(np.isfinite(kept[:, 0]))
        row = np.searchsorted(start, at, side="right") - 1
        inside = np.flatnonzero(row[1:] == row[:-1])
        if self.walls is not None and len(inside):
            from viz.walls import crossing

            ends = np.column_stack([kept[at[inside]], kept[at[inside + 1]]])
            found[row[inside[crossing(self.walls, ends)]]] = True
        return found

    def _network(self, name: str) -> tuple[Lines, Ways] | None:
        """Return a set's lines and the ways between them; None where the model has no such lines."""
        from viz.lines import lines_of, links_of, reached

        if name not in self._networks:
            elements = self.run.static[self.model].elements.get(name)
            lines = lines_of([shape - self.origin_m for shape in elements.shapes]) if elements else None
            far_m = min(
                FAR_M_PER_S * max(int(self.run.manifest["tracks_every_s"]), self.run.static[self.model].period_s) + 100.0, FARTHEST_M
            )
            self._networks[name] = (lines, reached(*links_of(lines), lines.length, far_m)) if lines else None
        return self._networks[name]

    def _along(self, network: tuple[Lines, Ways], legs: Legs) -> tuple[np.ndarray, np.ndarray]:
        from viz.lines import matched
        from viz.ways import along_lines

        choices = matched(network[0], legs.xy.reshape(-1, 2), legs.angle_deg.ravel())
        dt_s = (legs.tenths[:, 1] - legs.tenths[:, 0]) / 10.0
        start, xy, found = along_lines(legs.ends, legs.angle_deg, legs.speed_m_per_s, dt_s, *network, *choices)
        self.straight += int((~found).sum())
        return start, xy


def walks(looks: Sequence[MoverLook]) -> np.ndarray:
    """Return which kinds go round buildings."""
    return np.array([look.around_buildings for look in looks], bool)


def _merged(count: np.ndarray, pieces: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Put the points of some legs each in the place of the leg."""
    start = np.concatenate([[0], np.cumsum(count)])
    merged = np.empty((start[-1], 2))
    for chosen, own, xy in pieces:
        inside = np.arange(len(xy)) - np.repeat(own[:-1], np.diff(own))
        merged[np.repeat(start[chosen], np.diff(own)) + inside] = xy
    return start, merged
