"""Backup of venues: a UPS carries at once, a generator after its start, until the fuel is gone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from models.grid.sidecars import Venue

NEVER = -1
RECHARGE_H = 10.0
"""A UPS is recharged from a live bus at its capacity over this many hours (common practice, IEC 62040-3 restored energy)."""
Tell = Callable[..., None]


class Backup:
    """The state of every venue's supply, by row. Energies in MWh, fuel in litres.

    `ready_s`: when a starting generator will carry (NEVER: not starting). `ordered`: started by hand,
    so it also runs while the bus is live, and carries the venue.
    """

    ARRAYS = ("load_mw", "ups_mwh", "fuel_l", "ready_s", "running", "failed", "ordered", "ups_out_mwh", "fuel_out_mwh", "recharged_mwh")

    def __init__(self, venues: Sequence[Venue]) -> None:
        n = len(venues)
        self.ids = tuple(v.id for v in venues)
        self.bus = np.array([v.bus for v in venues], int)
        self.rated_mw = np.array([v.load_mw for v in venues], float)
        self.load_mw = self.rated_mw.copy()
        self.capacity_mwh = np.array([v.ups_mwh for v in venues], float)
        self.tank_l = np.array([v.fuel_l for v in venues], float)
        self.l_per_mwh = np.array([v.fuel_l_per_mwh for v in venues], float)
        self.has_generator = np.array([v.generator_mw > 0 for v in venues], bool)
        self.start_s = np.array([v.start_s for v in venues], int)
        self.ups_mwh, self.fuel_l = self.capacity_mwh.copy(), self.tank_l.copy()
        self.ready_s = np.full(n, NEVER)
        self.running, self.failed, self.ordered = np.zeros(n, bool), np.zeros(n, bool), np.zeros(n, bool)
        self.ups_out_mwh, self.fuel_out_mwh, self.recharged_mwh = np.zeros(n), np.zeros(n), np.zeros(n)
        self.live = np.ones(n, bool)

    def on_bus(self) -> np.ndarray:
        """Return which venues would draw from their bus if it is live."""
        return ~self.running

    def drawn_mw(self) -> np.ndarray:
        """Return what each venue asks of its bus: its load, and the recharging of its UPS."""
        charge = np.where(self.ups_mwh < self.capacity_mwh, self.capacity_mwh / RECHARGE_H, 0.0)
        return np.where(self.on_bus(), self.load_mw, 0.0) + charge

    def powered(self) -> np.ndarray:
        """Return which venues have power: from bus, generator or UPS."""
        return self.live | self.running | (self.ups_mwh > 0)

    def react(self, live: np.ndarray, now_s: int) -> list[int]:
        """Take note of which buses are live: generators are called or stopped. Return rows whose generator stopped."""
        self.live = live.copy()
        called = ~live & self.has_generator & ~self.failed & ~self.running & (self.ready_s == NEVER) & (self.fuel_l > 0)
        self.ready_s[called] = now_s + self.start_s[called]
        calm = live & ~self.ordered
        stopped = np.flatnonzero(calm & self.running)
        self.running[calm], self.ready_s[calm] = False, NEVER
        return stopped.tolist()

    def start(self, row: int, now_s: int) -> bool:
        """Start a generator by hand, also one whose automatic start failed; False if it has no generator or no fuel."""
        if not self.has_generator[row] or self.fuel_l[row] <= 0:
            return False
        self.failed[row], self.ordered[row] = False, True
        if not self.running[row] and self.ready_s[row] == NEVER:
            self.ready_s[row] = now_s + self.start_s[row]
        return True

    def stop(self, row: int) -> None:
        """Stop a generator; on a dead bus it is called again only by `start`."""
        self.running[row] = self.ordered[row] = False
        self.failed[row] = not self.live[row]
        self.ready_s[row] = NEVER

    def fail(self, row: int) -> None:
        """Break a generator: it stops, and does not start by itself."""
        self.running[row] = self.ordered[row] = False
        self.failed[row], self.ready_s[row] = True, NEVER

    def keep(self, row: int, fraction: float) -> None:
        """Leave only a part of a venue's load on."""
        self.load_mw[row] = fraction * self.rated_mw[row]

    def advance(self, dt_s: int) -> list[int]:
        """Deliver `dt_s` seconds: from the tank where a generator runs, else from the UPS where the bus is dead.

        Return the rows whose UPS ran empty.
        """
        hours = dt_s / 3600.0
        need = self.load_mw * hours
        burn = np.minimum(np.where(self.running, need * self.l_per_mwh, 0.0), self.fuel_l)
        self.fuel_l -= burn
        self.fuel_out_mwh += np.divide(burn, self.l_per_mwh, out=np.where(self.running, need, 0.0), where=self.l_per_mwh > 0)
        given = np.where(~self.live & ~self.running, np.minimum(need, self.ups_mwh), 0.0)
        emptied = np.flatnonzero((self.ups_mwh > 0) & (given >= self.ups_mwh * (1 - 1e-9)) & (given > 0))
        self.ups_mwh = self.ups_mwh - given
        self.ups_mwh[emptied] = 0.0
        self.ups_out_mwh += given
        charge = np.where(self.live, np.minimum(self.capacity_mwh / RECHARGE_H * hours, self.capacity_mwh - self.ups_mwh), 0.0)
        self.ups_mwh += charge
        self.recharged_mwh += charge
        return emptied.tolist()

    def due_s(self, now_s: int) -> int | None:
        """Return the next second at which a generator starts, a tank or a UPS runs empty, or a UPS is full."""
        carries = ~self.live & ~self.running & (self.ups_mwh > 0) & (self.load_mw > 0)
        burns = self.running & (self.fuel_l > 0) & (self.load_mw * self.l_per_mwh > 0)
        charges = self.live & (self.ups_mwh < self.capacity_mwh)
        ends = [float(s) for s in self.ready_s[self.ready_s != NEVER]]
        for who, amount, rate in (
            (carries, self.ups_mwh, self.load_mw),
            (burns, self.fuel_l, self.load_mw * self.l_per_mwh),
            (charges, self.capacity_mwh - self.ups_mwh, self.capacity_mwh / RECHARGE_H),
        ):
            ends += (now_s + 3600.0 * amount[who] / rate[who]).tolist()
        return max(now_s + 1, math.ceil(min(ends) - 1e-6)) if ends else None

    def settle(self, now_s: int, tell: Callable[[str, int], None]) -> bool:
        """Apply what is due at `now_s`; `tell(what, row)` hears of it. Return whether anything changed."""
        changed = False
        for row in np.flatnonzero((self.ready_s != NEVER) & (self.ready_s <= now_s)).tolist():
            self.ready_s[row], self.running[row], changed = NEVER, True, True
            tell("generator_started", row)
        tiny = 1e-9
        for row in np.flatnonzero(self.running & (self.fuel_l <= tiny * self.tank_l) & (self.l_per_mwh * self.load_mw > 0)).tolist():
            self.fuel_l[row], self.running[row], self.ordered[row], changed = 0.0, False, False, True
            tell("fuel_empty", row)
        for row in np.flatnonzero(
            self.live & (self.ups_mwh < self.capacity_mwh) & (self.ups_mwh >= self.capacity_mwh * (1 - tiny))
        ).tolist():
            self.ups_mwh[row], changed = self.capacity_mwh[row], True
        return changed

    def balance_mwh(self) -> tuple[float, float, float]:
        """Return energy taken in since the start (with what was there), given, and held: UPS and tank together."""
        per_l = np.divide(1.0, self.l_per_mwh, out=np.zeros(len(self.bus)), where=self.l_per_mwh > 0)
        free = np.where(self.l_per_mwh > 0, 0.0, self.fuel_out_mwh)
        gained = self.capacity_mwh + self.tank_l * per_l + free + self.recharged_mwh
        held = self.ups_mwh + self.fuel_l * per_l
        return float(gained.sum()), float((self.ups_out_mwh + self.fuel_out_mwh).sum()), float(held.sum())

    def save(self) -> dict[str, np.ndarray]:
        """Return the state as plain arrays."""
        return {name: getattr(self, name).copy() for name in (*self.ARRAYS, "live")}

    def load(self, saved: dict[str, np.ndarray]) -> None:
        """Take a state that `save` gave."""
        for name in (*self.ARRAYS, "live"):
            setattr(self, name, np.array(saved[name]))
