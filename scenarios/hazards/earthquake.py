"""An earthquake shakes pipes and substations: intensity by an elliptic law, peaks from intensity, repairs and damage by fragility."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, exp, log, pi, sqrt

import numpy as np

from scenarios.hazards.effect import Effect, Exposed, quantile

G_M_PER_S2 = 9.80665
INCH_M = 0.0254
FOOT_M = 0.3048

LAWS = {
    "moderate": ((5.8410, 1.0710, -3.6570, 15.0), (3.9440, 1.0710, -2.8450, 7.0), 0.5200),
    "eastern": ((5.7123, 1.3626, -4.2903, 25.0), (3.6588, 1.3626, -3.5406, 13.0), 0.5826),
}
"""I = A + B M + C lg(R + R0) along the long and the short axis (R in km), and its standard deviation: the relations made for the
seismic zoning map of China (Yu, Li and Xiao 2013, Development of ground motion attenuation relations for the new seismic hazard map
of China), for zones of moderate to strong and for eastern zones of strong earthquakes. R0 = 7 of the first follows from both axes
having one epicentral intensity. Nanjing lies in a zone of moderate to strong earthquakes (from memory)."""

SPEED_M_PER_S = 3500.0
"""Shear waves in the crust: when the shaking arrives."""


@dataclass(frozen=True)
class Quake:
    """Magnitude (Ms), epicentre in metres of the pack's CRS, bearing of the long axis, second of the run; `residual`: of the intensity.

    `name`: elements have a luck of their own in each earthquake of another name.
    """

    magnitude: float
    x_m: float
    y_m: float
    strike_deg: float = 0.0
    start_s: int = 0
    law: str = "moderate"
    residual: float = 0.0
    name: str = "earthquake"


def intensity(quake: Quake, x_m: np.ndarray, y_m: np.ndarray) -> np.ndarray:
    """Return the median intensity (Chinese scale) at points: the ellipse through each, its axes by the law (bisection)."""
    (a1, b1, c1, r1), (a2, b2, c2, r2), _ = LAWS[quake.law]
    angle = np.radians(quake.strike_deg)
    dx, dy = (np.asarray(x_m, float) - quake.x_m) / 1e3, (np.asarray(y_m, float) - quake.y_m) / 1e3
    along, across = dx * np.sin(angle) + dy * np.cos(angle), dx * np.cos(angle) - dy * np.sin(angle)
    top = min(a1 + b1 * quake.magnitude + c1 * np.log10(r1), a2 + b2 * quake.magnitude + c2 * np.log10(r2))
    low, high = np.full(along.shape, -20.0), np.full(along.shape, top)
    for _ in range(60):
        middle = 0.5 * (low + high)
        major = 10.0 ** ((middle - a1 - b1 * quake.magnitude) / c1) - r1
        minor = 10.0 ** ((middle - a2 - b2 * quake.magnitude) / c2) - r2
        outside = (along / np.maximum(major, 1e-9)) ** 2 + (across / np.maximum(minor, 1e-9)) ** 2 > 1.0
        low, high = np.where(outside, low, middle), np.where(outside, middle, high)
    return 0.5 * (low + high) + quake.residual


def pga_m_per_s2(found: np.ndarray | float) -> np.ndarray | float:
    """Return the peak acceleration of an intensity: I = 3.17 lg PGA + 6.59 (GB/T 17742-2020, A.4; from memory)."""
    return 10.0 ** ((found - 6.59) / 3.17)


def pgv_m_per_s(found: np.ndarray | float) -> np.ndarray | float:
    """Return the peak velocity of an intensity: I = 3.00 lg PGV + 9.77 (GB/T 17742-2020, A.5; from memory)."""
    return 10.0 ** ((found - 9.77) / 3.00)


# pipes

MATERIALS = {"cast_iron": 1.0, "ductile_iron": 0.5, "steel": 0.6, "polyethylene": 0.5, "concrete": 0.8, "welded_steel": 0.6}
"""K1 of ALA (2001) part 2, table 4-4, for unknown to good soil: from memory; check before quoting."""
LEAKS = 0.8
"""HAZUS: of repairs from shaking four in five are leaks, one is a break."""
LEAK_SHARE = 0.02
"""Synthetic: opening of a leak over the bore of the pipe."""
LEAST_M = 0.1
"""Synthetic: bore where the element does not say one."""


def repairs_per_km(pgv_m_per_s_: float, material: str = "cast_iron") -> float:
    """Return the repairs per kilometre from shaking: K 0.00187 PGV (in/s) per 1,000 ft (ALA 2001, Seismic Fragility Formulations)."""
    return MATERIALS[material] * 0.00187 * (pgv_m_per_s_ / INCH_M) / (1000.0 * FOOT_M) * 1000.0


def breaks_and_leaks(expected: float, drawn: float, seed: int, pipe: Exposed, name: str = "earthquake") -> tuple[int, int]:
    """Return how many breaks and leaks a pipe has for its own number `drawn`: Poisson by its quantile, each a break one time in five.

    The kth repair of a pipe is a break or a leak by a number of its own, so that more shaking only adds repairs.
    """
    count, below, term = 0, exp(-expected), exp(-expected)
    while drawn > below and count < 1000:
        count += 1
        term *= expected / count
        below += term
    kinds = [quantile(seed, f"{name} repair {k}", pipe) >= LEAKS for k in range(count)]
    return sum(kinds), count - sum(kinds)


# substations

STATES = ("slight", "moderate", "extensive", "complete")
SUBSTATIONS = {
    ("low", True): ((0.15, 0.70), (0.29, 0.55), (0.45, 0.45), (0.90, 0.45)),
    ("medium", True): ((0.15, 0.60), (0.25, 0.50), (0.35, 0.40), (0.70, 0.40)),
    ("high", True): ((0.11, 0.50), (0.15, 0.45), (0.20, 0.35), (0.47, 0.40)),
}
"""Median (g) and beta of anchored substations by voltage (HAZUS 5.1): medium and high medians as in the project's reference; the rest
(low voltage, betas of high voltage) from memory. Low is 34.5 to 150 kV, medium 150 to 350 kV, high above."""
OUT_FROM = "extensive"
"""From this state on a substation is out until it is repaired; at moderate it may be switched off until somebody has looked."""
REPAIR_DAYS = {"slight": 1.0, "moderate": 3.0, "extensive": 7.0, "complete": 30.0}
"""Mean days until it works again (HAZUS; from memory)."""


def voltage_class(kv: float) -> str:
    """Return HAZUS' class of a substation by its high voltage."""
    return "low" if kv < 150.0 else "medium" if kv <= 350.0 else "high"


def exceedance(pga_g: float, voltage: str) -> tuple[float, float, float, float]:
    """Return the probability of at least slight, moderate, extensive and complete damage: lognormal in the peak acceleration."""
    found = [0.5 * (1.0 + erf(log(max(pga_g, 1e-9) / median) / (beta * sqrt(2.0)))) for median, beta in SUBSTATIONS[voltage, True]]
    return found[0], found[1], found[2], found[3]


def damage(pga_g: float, voltage: str, drawn: float) -> str:
    """Return the damage state of a substation for its own number `drawn`; "" for none."""
    reached = [state for state, chance in zip(STATES, exceedance(pga_g, voltage), strict=True) if drawn < chance]
    return reached[-1] if reached else ""


# what it does

_PIPES = {("water", "pipe"): "burst", ("gas", "pipe"): "leak"}
_OFF = {("grid", "trafo"): ("open_trafo", "trafo"), ("grid", "infeed"): ("lose_infeed", "infeed")}


def effects(quake: Quake, exposed: Sequence[Exposed], seed: int, out_from: str = OUT_FROM) -> list[Effect]:
    """Return what the shaking does, in order of time: holes in pipes, substations out.

    Pipes (`length_m`, `diameter_m`, `material`) burst or leak: one hole of all their breaks (the whole bore) and leaks.
    Transformers and infeeds (`voltage_kv`) are lost from the state `out_from` on. Each element draws its own number from the seed.
    """
    if not exposed:
        return []
    x, y = np.array([one.x_m for one in exposed]), np.array([one.y_m for one in exposed])
    found = intensity(quake, x, y)
    found_effects = []
    for one, level in zip(exposed, found, strict=True):
        t_s = quake.start_s + round(float(np.hypot(one.x_m - quake.x_m, one.y_m - quake.y_m)) / SPEED_M_PER_S)
        key = (one.model, one.kind)
        made = _pipe(one, float(pgv_m_per_s(level)), t_s, seed, quake.name) if key in _PIPES else None
        if key in _OFF:
            made = _station(one, float(pga_m_per_s2(level)) / G_M_PER_S2, t_s, quantile(seed, quake.name, one), out_from)
        found_effects += [made] if made else []
    return sorted(found_effects)


def _pipe(pipe: Exposed, pgv: float, t_s: int, seed: int, name: str) -> Effect | None:
    material = str(pipe.facts.get("material", "cast_iron"))
    expected = repairs_per_km(pgv, material) * float(pipe.facts["length_m"]) / 1e3
    breaks, leaks = breaks_and_leaks(expected, quantile(seed, name, pipe), seed, pipe, name)
    if not breaks + leaks:
        return None
    bore = pi * float(pipe.facts.get("diameter_m", LEAST_M)) ** 2 / 4.0
    area = min(bore * (min(breaks, 1) + LEAK_SHARE * leaks), 2.0 * bore)
    why = f"PGV {100 * pgv:.0f} cm/s: {breaks} breaks, {leaks} leaks"
    return Effect(t_s, pipe.model, _PIPES[pipe.model, pipe.kind], pipe.element, {"pipe": pipe.element, "area_m2": area}, why)


def _station(station: Exposed, pga_g: float, t_s: int, drawn: float, out_from: str) -> Effect | None:
    state = damage(pga_g, voltage_class(float(station.facts.get("voltage_kv", 110.0))), drawn)
    if state not in STATES[STATES.index(out_from) :]:
        return None
    action, argument = _OFF[station.model, station.kind]
    held = state not in STATES[STATES.index(OUT_FROM) :]
    why = f"PGA {pga_g:.2f} g: {state} damage" + (", off until inspected" if held else "")
    return Effect(t_s, station.model, action, station.element, {argument: station.element}, why)
