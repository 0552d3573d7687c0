"""What is left in the pipes of a stretch that no source reaches, and how it leaves through holes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.gas.orifice import Gas

if TYPE_CHECKING:
    from models.gas.engine import Flow
    from models.gas.network import Network
    from models.gas.topology import Supply

EMPTY_BAR = 1e-3
"""Overpressure at which a stretch counts as empty."""


@dataclass(frozen=True)
class Stretch:
    """Pipes and junctions that hang together without a source, and the holes among them (positions)."""

    pipes: np.ndarray
    junctions: np.ndarray
    holes: np.ndarray
    areas_m2: np.ndarray
    """(hole,) area times discharge coefficient."""


class Trapped:
    """Pressures of pipes, fed or cut off; `held_bar` arrays are (pipe,) absolute pressures, changed in place."""

    def __init__(self, network: Network, gas: Gas) -> None:
        self.network, self.gas = network, gas
        ends = (network.pipe_from, network.pipe_to)
        self.ambient_bar = 0.5 * (network.ambient_bar[ends[0]] + network.ambient_bar[ends[1]])
        self.temperature_k = 0.5 * (network.temperature_k[ends[0]] + network.temperature_k[ends[1]])

    def outflow(self, pipe: int, bar_abs: float, area_m2: float) -> float:
        """Return kg/s through an effective area (area times discharge coefficient) in `pipe`."""
        return self.gas.outflow_kg_per_s(bar_abs, float(self.ambient_bar[pipe]), float(area_m2), 1.0, float(self.temperature_k[pipe]))

    def stretches(self, supply: Supply, areas_m2: np.ndarray) -> list[Stretch]:
        """Return the stretches without a source that have a hole; a pipe closed at both ends is one of its own."""
        off = ~supply.pipe_supplied
        found = []
        for root in np.unique(supply.pipe_stretch[off & (areas_m2 > 0)]):
            pipes = np.flatnonzero(off & (supply.pipe_stretch == root))
            holes = pipes[areas_m2[pipes] > 0]
            found.append(Stretch(pipes, np.flatnonzero(supply.junction_stretch == root), holes, areas_m2[holes]))
        return found

    def hold(self, held_bar: np.ndarray, flow: Flow, supply: Supply, holes: np.ndarray) -> None:
        """Keep the pressure of each fed pipe, and even out pressures within each stretch that no source reaches."""
        network, fed = self.network, supply.pipe_supplied
        sums, counts = np.zeros(len(fed)), np.zeros(len(fed))
        for ends in (network.pipe_from, network.pipe_to):
            joined = supply.junction_stretch[ends] == supply.pipe_stretch
            sums += np.where(joined, flow.p_bar[ends] + network.ambient_bar[ends], 0.0)
            counts += joined
        held_bar[fed] = sums[fed] / np.maximum(counts[fed], 1)
        for k, pipe in enumerate(holes):
            if fed[pipe]:
                held_bar[pipe] = flow.leak_bar[k] + self.ambient_bar[pipe]
        for root in np.unique(supply.pipe_stretch[~fed]):
            pipes = np.flatnonzero(~fed & (supply.pipe_stretch == root))
            if np.ptp(held_bar[pipes]) > 0:
                held_bar[pipes] = np.average(held_bar[pipes], weights=network.volume_m3[pipes])

    def flows(self, stretch: Stretch, held_bar: np.ndarray) -> np.ndarray:
        """Return (hole,) kg/s that leave now."""
        bar = float(held_bar[stretch.pipes[0]])
        if self._is_empty(stretch, bar):
            return np.zeros(len(stretch.holes))
        pipe = int(stretch.holes[0])
        return np.array([self.outflow(pipe, bar, area) for area in stretch.areas_m2])

    def empty(self, stretch: Stretch, held_bar: np.ndarray, seconds: int) -> tuple[float, float, bool]:
        """Let `seconds` pass; return (kg the stretch lost by its pressure, kg through its holes, whether it is empty now).

        Whole seconds are integrated one by one, so any way to cut a span gives the same state.
        """
        pipe, volume = int(stretch.holes[0]), float(self.network.volume_m3[stretch.pipes].sum())
        ambient, warm, area = float(self.ambient_bar[pipe]), float(self.temperature_k[pipe]), float(stretch.areas_m2.sum())
        bar = float(held_bar[stretch.pipes[0]])
        before, leaked = self.gas.density_kg_per_m3(bar, warm) * volume, 0.0
        for _ in range(seconds):
            if self._is_empty(stretch, bar):
                break
            bar, left = self.gas.emptied(bar, ambient, area, warm, volume)
            leaked += left
        if self._is_empty(stretch, bar) and leaked > 0:
            rest = (self.gas.density_kg_per_m3(bar, warm) - self.gas.density_kg_per_m3(ambient, warm)) * volume
            bar, leaked = ambient, leaked + rest
        held_bar[stretch.pipes] = bar
        return before - self.gas.density_kg_per_m3(bar, warm) * volume, leaked, self._is_empty(stretch, bar)

    def _is_empty(self, stretch: Stretch, bar_abs: float) -> bool:
        return bar_abs <= self.ambient_bar[stretch.holes[0]] + EMPTY_BAR
