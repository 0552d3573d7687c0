"""What keeps a site up without mains: a battery that its own load empties, perhaps a generator with hours of fuel.

A battery gives its energy at constant power (no Peukert loss) and takes it back at its ten-hour rate without loss: the usual rating
of standby lead-acid cells. Hours at cell sites: the FCC's order after Katrina (2007, never in force) asked for 8 h; in China YD/T 799
and GB 51194 size them by site (from memory: 1 to 4 h and more). A pack's figures are its own.
"""

from __future__ import annotations

import math

import numpy as np

from models.comms.network import Network

RECHARGE_H = 10.0
"""Hours from empty to full (ten-hour rate)."""
_EMPTY_KWH = 1e-9


class Power:
    """Rules over state arrays that the model owns; (site,) arrays throughout."""

    def __init__(self, network: Network) -> None:
        figures = network.figures
        self.load_kw, self.full_kwh = figures["load_kw"], figures["battery_kwh"]
        self.start_s = figures["start_s"]
        self.has_generator = (figures["generator_kw"] >= self.load_kw) & (figures["generator_h"] > 0)

    def generating(self, supplied: np.ndarray, off_s: np.ndarray, fuel_h: np.ndarray) -> np.ndarray:
        """Return where a generator carries the site: `off_s` seconds without mains, past its start, with fuel."""
        return self.has_generator & ~supplied & (off_s >= self.start_s) & (fuel_h > _EMPTY_KWH)

    def powered(self, supplied: np.ndarray, off_s: np.ndarray, battery_kwh: np.ndarray, fuel_h: np.ndarray) -> np.ndarray:
        """Return where a site has power from anything."""
        idle = self.load_kw <= 0
        return supplied | self.generating(supplied, off_s, fuel_h) | (battery_kwh > _EMPTY_KWH) | idle

    def charging_kw(self, supplied: np.ndarray, battery_kwh: np.ndarray) -> np.ndarray:
        """Return what the batteries take from the mains."""
        return np.where(supplied & (battery_kwh < self.full_kwh - _EMPTY_KWH), self.full_kwh / RECHARGE_H, 0.0)

    def run(
        self, seconds: int, supplied: np.ndarray, off_s: np.ndarray, battery_kwh: np.ndarray, fuel_h: np.ndarray, draws: np.ndarray
    ) -> tuple[float, float]:
        """Change the three state arrays by some seconds with everything else as it is; return kWh charged and discharged.

        `draws`: the site is switched on (a failed one takes nothing from its battery).
        """
        hours = seconds / 3600.0
        engine = self.generating(supplied, off_s, fuel_h)
        in_ = np.minimum(self.charging_kw(supplied, battery_kwh) * hours, np.maximum(self.full_kwh - battery_kwh, 0.0))
        on_battery = ~supplied & ~engine & draws
        out = np.where(on_battery, np.minimum(self.load_kw * hours, battery_kwh), 0.0)
        battery_kwh += in_ - out
        battery_kwh[battery_kwh < _EMPTY_KWH] = 0.0
        fuel_h -= np.where(engine, np.minimum(hours, fuel_h), 0.0)
        off_s += np.where(supplied, 0, seconds)
        off_s[supplied] = 0
        return float(in_.sum()), float(out.sum())

    def next_change_s(self, supplied: np.ndarray, off_s: np.ndarray, battery_kwh: np.ndarray, fuel_h: np.ndarray, draws: np.ndarray) -> int:
        """Return the whole seconds until a battery or a tank is empty, a generator starts or a battery is full; a day at most."""
        engine = self.generating(supplied, off_s, fuel_h)
        with np.errstate(divide="ignore", invalid="ignore"):
            lasts = np.where(~supplied & ~engine & draws & (battery_kwh > _EMPTY_KWH), 3600.0 * battery_kwh / self.load_kw, np.inf)
            fills = self.charging_kw(supplied, battery_kwh)
            full = np.where(fills > 0, 3600.0 * (self.full_kwh - battery_kwh) / fills, np.inf)
        tank = np.where(engine, 3600.0 * fuel_h, np.inf)
        starts = np.where(self.has_generator & ~supplied & (off_s < self.start_s) & (fuel_h > 0), self.start_s - off_s, np.inf)
        least = min(float(np.nanmin(each, initial=np.inf)) for each in (lasts, full, tank, starts))
        return max(1, math.ceil(min(least, 86400.0) - 1e-6))
