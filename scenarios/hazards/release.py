"""How fast something leaves a hole, and how a vessel or a line of finite content empties through it.

Gas and liquid through an orifice: HJ 169-2018 annex F.1, the same as TNO Yellow Book (CPR 14E, 1997) ch. 2. Pressures are absolute.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from math import log, pi, sqrt

import numpy as np

R_J_PER_MOL_K = 8.314462618
AMBIENT_PA = 101325.0
G_M_PER_S2 = 9.80665


@dataclass(frozen=True)
class IdealGas:
    """A gas by molar mass and ratio of specific heats."""

    molar_kg_per_mol: float
    heat_ratio: float

    def density_kg_per_m3(self, pressure_pa: float, temperature_k: float) -> float:
        """Return p M / (R T)."""
        return pressure_pa * self.molar_kg_per_mol / (R_J_PER_MOL_K * temperature_k)


METHANE = IdealGas(0.016043, 1.31)
AIR = IdealGas(0.028964, 1.40)


def choked(gas: IdealGas, pressure_pa: float, ambient_pa: float = AMBIENT_PA) -> bool:
    """Return whether the gas leaves at the speed of sound: ambient / p <= (2/(k+1))^(k/(k-1))."""
    k = gas.heat_ratio
    return ambient_pa / pressure_pa <= (2.0 / (k + 1.0)) ** (k / (k - 1.0))


def gas_kg_per_s(
    gas: IdealGas, pressure_pa: float, temperature_k: float, hole_m2: float, discharge: float = 1.0, ambient_pa: float = AMBIENT_PA
) -> float:
    """Return the flow of gas through a hole, choked or not (HJ 169-2018 F.1.2; Yellow Book 2.5.2.3); 0 without overpressure."""
    if pressure_pa <= ambient_pa or hole_m2 <= 0.0:
        return 0.0
    k, ratio = gas.heat_ratio, ambient_pa / pressure_pa
    least = (2.0 / (k + 1.0)) ** ((k + 1.0) / (k - 1.0))
    y = 1.0
    if not choked(gas, pressure_pa, ambient_pa):
        y = ratio ** (1.0 / k) * sqrt((1.0 - ratio ** ((k - 1.0) / k)) * 2.0 / (k - 1.0) / least)
    return y * discharge * hole_m2 * pressure_pa * sqrt(k * gas.molar_kg_per_mol / (R_J_PER_MOL_K * temperature_k) * least)


def liquid_kg_per_s(
    density_kg_per_m3: float,
    pressure_pa: float,
    hole_m2: float,
    discharge: float = 0.62,
    head_m: float = 0.0,
    ambient_pa: float = AMBIENT_PA,
) -> float:
    """Return the flow of a liquid that does not boil in the hole: Cd A rho sqrt(2 (p - p0) / rho + 2 g h) (HJ 169-2018 F.1.1)."""
    drive = 2.0 * (pressure_pa - ambient_pa) / density_kg_per_m3 + 2.0 * G_M_PER_S2 * head_m
    return discharge * hole_m2 * density_kg_per_m3 * sqrt(max(drive, 0.0))


def flash_share(heat_j_per_kg_k: float, temperature_k: float, boiling_k: float, latent_j_per_kg: float) -> float:
    """Return the share of a superheated liquid that boils off at once: cp (T - Tb) / H, between 0 and 1 (HJ 169-2018 F.1.4)."""
    return min(max(heat_j_per_kg_k * (temperature_k - boiling_k) / latent_j_per_kg, 0.0), 1.0)


@dataclass(frozen=True)
class Emptying:
    """How a content of gas or liquefied gas leaves: arrays over `t_s`."""

    t_s: np.ndarray
    rate_kg_per_s: np.ndarray
    left_kg: np.ndarray
    pressure_pa: np.ndarray
    temperature_k: np.ndarray

    def released_kg(self, until_s: float) -> float:
        """Return the mass that has left by a moment."""
        return float(self.left_kg[0] - np.interp(until_s, self.t_s, self.left_kg))


def gas_blow_down(
    gas: IdealGas,
    volume_m3: float,
    pressure_pa: float,
    temperature_k: float,
    hole_m2: float,
    *,
    discharge: float = 1.0,
    adiabatic: bool = False,
    duration_s: float = 3600.0,
    dt_s: float = 1.0,
) -> Emptying:
    """Return how a closed volume (a section of pipe) empties through a hole: at constant temperature, or without heat from outside.

    dm/dt = -Q(p); adiabatic: T = T0 (p/p0)^((k-1)/k) of what stays. Runge-Kutta of order 4. A friction-free section:
    a long pipe that breaks in two empties more slowly.
    """
    start = gas.density_kg_per_m3(pressure_pa, temperature_k) * volume_m3

    def state(mass: float) -> tuple[float, float]:
        part = max(mass, 1e-12) / start
        if not adiabatic:
            return pressure_pa * part, temperature_k
        return pressure_pa * part**gas.heat_ratio, temperature_k * part ** (gas.heat_ratio - 1.0)

    def flow(mass: float) -> float:
        p, t = state(mass)
        return gas_kg_per_s(gas, p, t, hole_m2, discharge)

    times = np.arange(0.0, duration_s + dt_s / 2, dt_s)
    left = np.empty(len(times))
    left[0] = start
    for i in range(len(times) - 1):
        m = left[i]
        a = flow(m)
        b = flow(m - 0.5 * dt_s * a)
        c = flow(m - 0.5 * dt_s * b)
        d = flow(m - dt_s * c)
        left[i + 1] = m - dt_s / 6.0 * (a + 2.0 * b + 2.0 * c + d)
    states = np.array([state(m) for m in left])
    return Emptying(times, np.array([flow(m) for m in left]), left, states[:, 0], states[:, 1])


@dataclass(frozen=True)
class Liquefied:
    """A substance kept liquid by pressure: Antoine's A, B, C (bar, K), density and latent heat as straight lines over temperature."""

    name: str
    antoine: tuple[float, float, float]
    boiling_k: float
    molar_kg_per_mol: float
    liquid_kg_per_m3: tuple[float, float]
    """At the boiling point, and per kelvin above it."""
    latent_j_per_kg: tuple[float, float]
    heat_j_per_kg_k: float
    stiffness_pa: float
    """Bulk modulus of the liquid."""

    def vapour_pa(self, temperature_k: float) -> float:
        """Return the vapour pressure."""
        a, b, c = self.antoine
        return 1e5 * 10.0 ** (a - b / (temperature_k + c))

    def density_kg_per_m3(self, temperature_k: float) -> float:
        """Return the density of the liquid."""
        return self.liquid_kg_per_m3[0] + self.liquid_kg_per_m3[1] * (temperature_k - self.boiling_k)

    def vapour_kg_per_m3(self, temperature_k: float) -> float:
        """Return the density of the saturated vapour (ideal gas)."""
        return self.vapour_pa(temperature_k) * self.molar_kg_per_mol / (R_J_PER_MOL_K * temperature_k)

    def latent(self, temperature_k: float) -> float:
        """Return the heat of vaporisation (J/kg)."""
        return self.latent_j_per_kg[0] + self.latent_j_per_kg[1] * (temperature_k - self.boiling_k)


PROPYLENE = Liquefied("propylene", (3.97488, 795.819, -24.884), 225.5, 0.04208, (609.0, -1.43), (437e3, -1400.0), 2500.0, 2.5e8)
"""Antoine: NIST WebBook; densities 609 (boiling) and about 505 kg/m3 (25 C), latent heats 437 and 335 kJ/kg, stiffness: from memory."""
LIQUEFIED = {
    one.name: one
    for one in (
        PROPYLENE,
        Liquefied("propane", (3.98292, 819.296, -24.417), 231.0, 0.04410, (581.0, -1.31), (426e3, -1360.0), 2500.0, 2.5e8),
        Liquefied("chlorine", (4.06284, 861.34, -26.82), 239.1, 0.07091, (1562.0, -2.80), (288e3, -630.0), 950.0, 1e9),
        Liquefied("ammonia", (4.86886, 1113.928, -10.409), 239.8, 0.01703, (682.0, -1.35), (1371e3, -3450.0), 4700.0, 1e9),
    )
}
"""Antoine: NIST WebBook and (chlorine) Lange; all else from memory, at the boiling point and about 20 C: check before quoting."""


@dataclass(frozen=True)
class Line:
    """A full, closed, static line of liquefied gas with a hole at `hole_share` of its length."""

    length_m: float
    diameter_m: float
    pressure_pa: float
    temperature_k: float
    hole_m2: float
    hole_share: float = 0.5
    friction: float = 0.015
    discharge: float = 0.8
    drained_kg_per_s: float = 0.0
    """What is pumped or flared off at its ends meanwhile."""

    @property
    def volume_m3(self) -> float:
        """Return what the line holds."""
        return pi * self.diameter_m**2 / 4.0 * self.length_m


def line_constant_kg_per_s(line: Line, substance: Liquefied) -> float:
    """Return the flow if the line kept its pressure: Bernoulli with the line's own pressure at both ends of time.

    This is what is used when nobody knows how much there is; for a static line it says far too much.
    """
    return liquid_kg_per_s(substance.density_kg_per_m3(line.temperature_k), line.pressure_pa, line.hole_m2, line.discharge)


def line_blow_down(
    line: Line, substance: Liquefied, duration_s: float = 7200.0, dt_s: float = 1.0, changes: Mapping[int, Line] | None = None
) -> Emptying:
    """Return how the line empties: the liquid relaxes to its vapour pressure, then boils throughout and pushes itself out.

    1. Above the vapour pressure the liquid only expands: dp = -K dm / m (stiffness K, the pipe rigid).
    2. At it, what leaves is replaced by vapour that takes its heat from the liquid: the line cools along its vapour pressure curve.
       Liquid enters the hole and boils in it: Cd A sqrt(2 rho (p - pc)), pc = 0.55 p, rho of the
       mixture in the throat (HJ 169-2018 F.1.3; from memory).
    3. The flow gathers along the line, so friction acts over a third of each side: p_hole = p - f (L/3) / d rho v^2 / 2.
    At the boiling point it ends: what is still there is cold liquid that boils slowly with the ground's heat and is not in this.
    A lumped model: no waves, no slip, no heat from the ground; an upper bound late, a lower one in the first seconds.

    `changes`: second -> what the line is from then on: another hole, or the shorter stretch between valves that were shut;
    what the valves hold back or is drained stays in `left_kg` and does not come out.
    """
    steps = round(duration_s / dt_s)
    temperature, pressure = line.temperature_k, line.pressure_pa
    mass, aside = substance.density_kg_per_m3(temperature) * line.volume_m3, 0.0
    turns = {round(t_s / dt_s): one for t_s, one in (changes or {}).items()}
    found = np.empty((steps + 1, 4))
    for i in range(steps + 1):
        if i in turns:
            kept = min(turns[i].volume_m3 / line.volume_m3, 1.0)
            mass, aside, line = mass * kept, aside + mass * (1.0 - kept), turns[i]
        rate = _line_kg_per_s(line, substance, pressure, temperature, mass)
        found[i] = rate, mass + aside, pressure, temperature
        drained = min(line.drained_kg_per_s * dt_s, mass)
        out = drained + min(rate * dt_s, mass - drained)
        saturated = substance.vapour_pa(temperature)
        if pressure > saturated:
            pressure = max(pressure - substance.stiffness_pa * out / mass, saturated)
        elif mass > out:
            liquid, vapour = substance.density_kg_per_m3(temperature), substance.vapour_kg_per_m3(temperature)
            boiled = out * vapour / (liquid - vapour)
            temperature = max(temperature - boiled * substance.latent(temperature) / ((mass - out) * substance.heat_j_per_kg_k), 1.0)
            pressure = substance.vapour_pa(temperature)
        mass, aside = mass - out, aside + drained
    return Emptying(np.arange(steps + 1) * dt_s, found[:, 0], found[:, 1], found[:, 2], found[:, 3])


def _line_kg_per_s(line: Line, substance: Liquefied, pressure_pa: float, temperature_k: float, mass_kg: float) -> float:
    """Return the flow at which the hole takes what the line's friction lets through (bisection over the pressure at the hole)."""
    if pressure_pa <= AMBIENT_PA or mass_kg <= 0.0:
        return 0.0
    liquid, area = substance.density_kg_per_m3(temperature_k), pi * line.diameter_m**2 / 4.0
    sides = [line.length_m * share for share in (line.hole_share, 1.0 - line.hole_share) if share > 0.0]

    def through_line(at_hole_pa: float) -> float:
        drop = max(pressure_pa - at_hole_pa, 0.0)
        return sum(area * sqrt(2.0 * liquid * drop * line.diameter_m / (line.friction * side / 3.0)) for side in sides)

    def through_hole(at_hole_pa: float) -> float:
        throat = max(0.55 * at_hole_pa, AMBIENT_PA)
        cold = _boiling_k(substance, throat)
        share = flash_share(substance.heat_j_per_kg_k, temperature_k, cold, substance.latent(cold))
        mixed = 1.0 / (share / substance.vapour_kg_per_m3(cold) + (1.0 - share) / liquid)
        return line.discharge * line.hole_m2 * sqrt(2.0 * mixed * max(at_hole_pa - throat, 0.0))

    low, high = AMBIENT_PA, pressure_pa
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if through_line(middle) > through_hole(middle) else (low, middle)
    return through_hole(0.5 * (low + high))


def _boiling_k(substance: Liquefied, pressure_pa: float) -> float:
    """Return the temperature at which it boils under a pressure (Antoine, turned round)."""
    a, b, c = substance.antoine
    return b / (a - log(pressure_pa / 1e5) / log(10.0)) - c


def steps(emptying: Emptying, until_s: float, count: int = 12) -> list[tuple[int, int, float]]:
    """Return (from second, to second, kg/s) of `count` steps that each carry the same mass: what a timeline of releases needs."""
    gone = emptying.left_kg[0] - emptying.left_kg
    done = emptying.released_kg(until_s)
    last = int(np.searchsorted(gone, done * (1.0 - 1e-9)))  # what is empty stays so: the last step ends there
    edges = np.interp(done * np.arange(count + 1) / count, gone[: last + 1], emptying.t_s[: last + 1])
    edges = np.unique(np.round(edges).astype(int))
    return [(int(a), int(b), (emptying.released_kg(b) - emptying.released_kg(a)) / float(b - a)) for a, b in itertools.pairwise(edges)]
