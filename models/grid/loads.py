"""The network file's own loads: where they are, how much, and how they follow the day."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from models.grid.network import GridNetwork


class Loads:
    """Loads by row: `bus` (row), `p_mw` (scaled, 0 out of service), `use` (column of the profile, -1 for none).

    `constant`: every load of the file draws what it says, whatever its voltage.
    """

    def __init__(self, network: GridNetwork, start: datetime) -> None:
        table = network.tables["load"]
        row = {index: i for i, index in enumerate(network.tables["bus"].index)}
        self.profile = network.profile
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
