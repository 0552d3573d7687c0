"""The network file's own loads: where they are, how much, and how they follow the day."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from models.grid.network import GridNetwork
from models.grid.sidecars import Profile

DAILY = Profile(
    ("residential", "office", "commercial", "hospital", "school", "venue"),
    np.array([0.0, 3.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 21.0, 22.0]),
    np.array(
        [
            [0.80, 0.45, 0.35, 0.75, 0.40, 0.30],
            [0.60, 0.40, 0.30, 0.70, 0.35, 0.25],
            [0.60, 0.45, 0.35, 0.75, 0.50, 0.30],
            [0.70, 1.10, 0.55, 0.90, 0.90, 0.40],
            [0.75, 1.75, 0.95, 1.05, 1.20, 0.50],
            [0.85, 1.70, 1.05, 1.05, 1.10, 0.50],
            [0.85, 1.95, 1.10, 1.10, 1.20, 0.50],
            [0.85, 1.95, 1.15, 1.10, 1.20, 0.50],
            [0.90, 1.50, 1.15, 1.00, 0.80, 0.80],
            [1.00, 1.05, 1.05, 1.00, 0.90, 1.00],
            [1.00, 1.00, 1.00, 1.00, 1.00, 1.00],
            [0.95, 0.70, 0.80, 0.90, 0.60, 0.90],
        ]
    ),
)
"""A day of August over the evening peak at 21:00, by use: offices cool through the afternoon, homes in the evening. Synthetic."""


class Loads:
    """Loads by row: `bus` (row), `p_mw` (scaled, 0 out of service), `use` (column of the profile, -1 for none).

    `constant`: every load of the file draws what it says, whatever its voltage.
    """

    def __init__(self, network: GridNetwork, start: datetime, profile: str = "file") -> None:
        table = network.tables["load"]
        row = {index: i for i, index in enumerate(network.tables["bus"].index)}
        self.profile = DAILY if profile == "daily" else network.profile
        self.start_s = start.hour * 3600 + start.minute * 60 + start.second
        self.bus = np.array([row[bus] for bus in table.column("bus")], int)
        columns = [
            np.array(table.column(name, default), float) for name, default in (("p_mw", 0.0), ("scaling", 1.0), ("in_service", True))
        ]
        self.p_mw = np.prod(columns, axis=0)
        shares = [table.column(f"const_{kind}_percent", 0.0) for kind in ("z_p", "z_q", "i_p", "i_q", "z", "i")]
        others = ("motor", "ward", "xward", "storage", "asymmetric_load")
        self.constant = not np.array(shares, float).any() and not any(len(network.tables[name]) for name in others)
        uses = [str(kind) for kind in table.column("type", "")]
        self.use = np.array([self.profile.classes.index(use) if use in self.profile.classes else -1 for use in uses], int)

    def classes(self, now_s: int) -> np.ndarray:
        """Return the factor of each class of use at a second of the run; empty without a profile."""
        return self.profile.at(self.start_s + now_s) if self.profile.classes else np.ones(0)

    def by_profile(self, now_s: int) -> np.ndarray:
        """Return each load's factor at a second of the run; 1 for a use the profile does not know."""
        return np.append(self.classes(now_s), 1.0)[self.use]
