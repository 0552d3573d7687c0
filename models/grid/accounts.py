"""What goes through the grid, and into whose hands: accounts that must close at every instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twin.model import Account

if TYPE_CHECKING:
    from models.grid.model import Grid

CLOSES = 1e-6
"""Solvers stop at 1e-8 MVA a bus or better; summed over a district's buses that stays below a millionth of what flows."""


def accounts(grid: Grid) -> list[Account]:
    """Return energy since the start, that of backup, the power of now, and the load of now where it is of constant power."""
    source, generated, served, lost = grid.power_mw.tolist()
    energy = grid.energy_mwh.tolist()
    backup = grid.backup
    through = abs(source) + abs(generated)
    rows = [
        Account("energy", "MWh", energy[0] + energy[1], energy[2] + energy[3], 0.0, tolerance=CLOSES * max(1.0, energy[2])),
        Account("backup energy", "MWh", *backup.balance_mwh(), tolerance=1e-9 + 1e-9 * float(backup.capacity_mwh.sum())),
        Account("power", "MW", source + generated, served + lost, 0.0, tolerance=CLOSES * max(1.0, through)),
    ]
    return rows if grid.is_old or not grid.loads.constant else [*rows, load(grid)]


def load(grid: Grid) -> Account:
    """Hold all that users, venues, batteries and other models ask for against what is served, given up, or carried by backup."""
    backup = grid.backup
    asked = float((grid.loads.p_mw * grid._factor()).sum() + grid.extra_load_mw.sum() + backup.load_mw.sum())
    charging = float((backup.drawn_mw() - np.where(backup.on_bus(), backup.load_mw, 0.0))[backup.live].sum() * grid.all_kept[0])
    carried = float(backup.load_mw[backup.running | (~backup.live & (backup.ups_mwh > 0))].sum())
    given = float(grid.served_mw.sum() + grid.unserved_mw.sum()) + carried
    return Account("load", "MW", asked + charging, given, 0.0, tolerance=CLOSES * max(1.0, asked))
