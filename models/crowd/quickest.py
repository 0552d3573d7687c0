"""The quickest way instead of the shortest: routing fields bend round the crowding of the moment."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.crowd.geometry import Floats, Raster, compiled
from models.crowd.routing import HERE, Surroundings, march

FREE_M_PER_S, JAM_PER_M2, GAMMA_PER_M2 = 1.34, 5.4, 1.913
"""Weidmann (1993): v = 1.34 (1 - exp(-1.913 (1 / density - 1 / 5.4))) m/s, the speed that a cell's density leaves."""

LEAST = 0.1
"""No density slows a metre down by more than to this part of the free speed: queues move."""

DIRECTION = 0.7
"""How much less people who walk the same way delay, and how much more those who come the other way.

Parameter h of Kretz et al. (2011), "Quickest paths in simulations of pedestrians", Advances in Complex Systems 14,
doi 10.1142/S0219525911003281, in the default of PTV Viswalk; the idea: Kretz (2009), arXiv:0901.0170.
"""


class Load(NamedTuple):
    """What a crowd lays on the raster, (cells,) each: people per m2 and their mean velocity over the free speed."""

    per_m2: Floats
    east: Floats
    north: Floats


@compiled
def lay(raster: Raster, cells: int, x_m: Floats, y_m: Floats, heading: Floats, speed_m_per_s: Floats) -> Load:
    """Share out each walker among the four nearest cells by distance of their centres."""
    per_m2, east, north = np.zeros(cells), np.zeros(cells), np.zeros(cells)
    ny, nx = raster.cell.shape
    for k in range(x_m.size):
        u, v = (x_m[k] - raster.x0_m) / raster.cell_m - 0.5, (y_m[k] - raster.y0_m) / raster.cell_m - 0.5
        j0, i0 = int(np.floor(u)), int(np.floor(v))
        for i in range(max(i0, 0), min(i0 + 2, ny)):
            for j in range(max(j0, 0), min(j0 + 2, nx)):
                here = raster.cell[i, j]
                if here >= 0:
                    weight = (1.0 - abs(u - j)) * (1.0 - abs(v - i)) / (raster.cell_m * raster.cell_m)
                    per_m2[here] += weight
                    east[here] += weight * heading[k, 0] * speed_m_per_s[k] / FREE_M_PER_S
                    north[here] += weight * heading[k, 1] * speed_m_per_s[k] / FREE_M_PER_S
    for here in range(cells):
        if per_m2[here] > 0.0:
            east[here] /= per_m2[here]
            north[here] /= per_m2[here]
    return Load(per_m2, east, north)


@compiled
def _delayed(around: Surroundings, load: Load) -> NDArray[np.float32]:
    """Return what crossing each cell costs with the crowd in it (m)."""
    cost = around.cost_m.copy()
    for k in range(cost.size):
        here = around.cells[k]
        if load.per_m2[here] <= 0.0:
            continue
        left = max(1.0 - np.exp(-GAMMA_PER_M2 * (1.0 / load.per_m2[here] - 1.0 / JAM_PER_M2)), LEAST)
        along = 0.0
        if around.shortest[k, 0] != HERE:
            along = (load.east[here] * around.shortest[k, 0] + load.north[here] * around.shortest[k, 1]) / 127.0
        cost[k] *= 1.0 + (1.0 / left - 1.0) * (1.0 - DIRECTION * min(max(along, -1.0), 1.0))
    return cost


@compiled
def bend(around: Surroundings, load: Load, way: NDArray[np.int8]) -> None:
    """Write the quickest ways to a target under a load into `way` (cells, 2)."""
    far = np.empty(around.cells.size, np.float32)
    quick = np.empty((around.cells.size, 2), np.int8)
    march(around.link, _delayed(around, load), around.sources, around.from_m, far, quick)
    for k in range(around.sources.size):
        if around.from_m[k] > 0.0:
            quick[around.sources[k]] = around.shortest[around.sources[k]]
    for k in range(around.cells.size):
        way[around.cells[k], 0], way[around.cells[k], 1] = quick[k, 0], quick[k, 1]
