"""Gas through a hole: choked and unchoked outflow, and how a closed-off stretch of pipe empties through one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

R_J_PER_MOL_K = 8.314
"""Universal gas constant as pandapipes has it, so that densities agree."""

PA_PER_BAR = 1e5


@dataclass(frozen=True)
class Property:
    """A property of the gas over pressure or temperature: straight lines through points, carried on beyond the ends."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Property:
        """Make it from the plain fields pandapipes saves; ValueError, KeyError or TypeError where they are no numbers."""
        kind = given["_class"]
        if kind == "FluidPropertyConstant":
            x, y = [0.0], np.ravel(np.asarray(given["value"], float)).tolist()[:1]
        elif kind == "FluidPropertyLinear":
            x, y = [0.0, 1.0], [float(given["offset"]), float(given["offset"]) + float(given["slope"])]
        elif kind == "FluidPropertyInterExtra":
            x, y = [float(value) for value in given["x"]], [float(value) for value in given["y"]]
        else:
            raise ValueError(f"{kind} is not supported")
        if not x or len(x) != len(y) or not np.isfinite([*x, *y]).all() or (np.diff(x) <= 0).any():
            raise ValueError("its values are not finite and in rising order")
        return cls(tuple(x), tuple(y))

    def at(self, x: float) -> float:
        """Return the value at `x`."""
        if len(self.x) == 1:
            return self.y[0]
        i = min(max(int(np.searchsorted(self.x, x)), 1), len(self.x) - 1)
        slope = (self.y[i] - self.y[i - 1]) / (self.x[i] - self.x[i - 1])
        return self.y[i - 1] + slope * (x - self.x[i - 1])


@dataclass(frozen=True)
class Gas:
    """What decides how fast a gas leaves: molar mass, ratio of specific heats, compressibility over absolute bar."""

    molar_mass_kg_per_mol: float
    heat_ratio: float
    compressibility: Property

    def density_kg_per_m3(self, bar_abs: float, temperature_k: float) -> float:
        """Return p M / (Z R T)."""
        z = self.compressibility.at(bar_abs)
        return bar_abs * PA_PER_BAR * self.molar_mass_kg_per_mol / (z * R_J_PER_MOL_K * temperature_k)

    def critical_ratio(self) -> float:
        """Return the ambient over the inner pressure (absolute) at and below which the flow is choked: (2/(k+1))^(k/(k-1))."""
        k = self.heat_ratio
        return (2.0 / (k + 1.0)) ** (k / (k - 1.0))

    def outflow_kg_per_s(self, bar_abs: float, ambient_bar: float, area_m2: float, discharge: float, temperature_k: float) -> float:
        """Return the mass flow through a hole of `area_m2` from `bar_abs` to `ambient_bar` (both absolute); 0 without overpressure.

        HJ 169-2018, annex F.1.2 (the same as TNO Yellow Book CPR 14E, 2.5.2.3), with the compressibility Z:
        Q = Y Cd A p sqrt(k M / (Z R T) (2/(k+1))^((k+1)/(k-1))), Y = 1 choked, and unchoked
        Y = r^(1/k) sqrt(1 - r^((k-1)/k)) sqrt(2/(k-1) ((k+1)/2)^((k+1)/(k-1))) with r = ambient / p.
        """
        if area_m2 <= 0.0 or bar_abs <= ambient_bar:
            return 0.0
        k, ratio = self.heat_ratio, ambient_bar / bar_abs
        choked = (2.0 / (k + 1.0)) ** ((k + 1.0) / (k - 1.0))
        y = 1.0
        if ratio > self.critical_ratio():
            y = ratio ** (1.0 / k) * sqrt(1.0 - ratio ** ((k - 1.0) / k)) * sqrt(2.0 / (k - 1.0) / choked)
        z = self.compressibility.at(bar_abs)
        speed = sqrt(k * self.molar_mass_kg_per_mol / (z * R_J_PER_MOL_K * temperature_k) * choked)
        return y * discharge * area_m2 * bar_abs * PA_PER_BAR * speed

    def emptied(self, bar_abs: float, ambient_bar: float, area_m2: float, temperature_k: float, volume_m3: float) -> tuple[float, float]:
        """Return (absolute pressure, kg that left) after one second of a closed volume emptying through a hole.

        dm/dt = -Q(p), p = m Z R T / (M V), at constant temperature (buried pipe); Runge-Kutta of order 4 with
        steps of at most a fiftieth of the emptying time. `area_m2` is effective: times discharge coefficient, summed over holes.
        """
        flow = self.outflow_kg_per_s(bar_abs, ambient_bar, area_m2, 1.0, temperature_k)
        if flow <= 0.0:
            return bar_abs, 0.0
        mass = self.density_kg_per_m3(bar_abs, temperature_k) * volume_m3
        least = self.density_kg_per_m3(ambient_bar, temperature_k) * volume_m3
        start, steps = mass, int(min(max(np.ceil(50.0 * flow / max(mass - least, 1e-12)), 1), 200))
        dt_s = 1.0 / steps

        def rate(m: float) -> float:
            return self.outflow_kg_per_s(self._pressure_bar(m / volume_m3, temperature_k), ambient_bar, area_m2, 1.0, temperature_k)

        for _ in range(steps):
            a = rate(mass)
            b = rate(mass - 0.5 * dt_s * a)
            c = rate(mass - 0.5 * dt_s * b)
            d = rate(mass - dt_s * c)
            mass = max(mass - dt_s / 6.0 * (a + 2.0 * b + 2.0 * c + d), least)
        return self._pressure_bar(mass / volume_m3, temperature_k), start - mass

    def _pressure_bar(self, density: float, temperature_k: float) -> float:
        """Return the absolute pressure (bar) at a density, with Z taken at that pressure (fixed point of p = rho Z R T / M)."""
        ideal = density * R_J_PER_MOL_K * temperature_k / (self.molar_mass_kg_per_mol * PA_PER_BAR)
        bar_abs = ideal
        for _ in range(60):
            moved = ideal * self.compressibility.at(bar_abs)
            if abs(moved - bar_abs) <= 1e-13 * ideal:
                return moved
            bar_abs = moved
        return bar_abs
