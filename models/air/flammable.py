"""The part of a cloud that can burn: its area, its mass, how far it reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.air import spread
from models.air.engine import Cloud
from models.air.substances import NAMES, SUBSTANCES

FINE = 48
LEVELS = 6
_LIMIT = np.array([SUBSTANCES[name].lower for name in NAMES])
FLAMMABLE = np.flatnonzero(_LIMIT > 0)


def lower_kg_per_m3(temperature_k: float) -> np.ndarray:
    """Return (substance,) the lower flammable limit as mass in air, infinite for what does not burn."""
    pure = pure_kg_per_m3(temperature_k)
    return np.where(_LIMIT > 0, _LIMIT * pure, np.inf)


def pure_kg_per_m3(temperature_k: float) -> np.ndarray:
    """Return (substance,) the density of the pure gas: no concentration is higher."""
    return np.array([SUBSTANCES[name].density_kg_per_m3(temperature_k) for name in NAMES])


@dataclass(frozen=True)
class Patch:
    """What a fine raster round one source's cloud shows at 1.5 m: shares of the lower limit, and what burns."""

    x_m: np.ndarray
    y_m: np.ndarray
    share: np.ndarray
    area_m2: float
    mass_kg: float
    reach_m: float


def patch(cloud: Cloud, source: int, at_m: tuple[float, float], temperature_k: float) -> Patch | None:
    """Look closely at the cloud of one source; None where none of it reaches half of the lower limit at the ground.

    Mass counts between the limits, over `LEVELS` layers. Several substances share by Le Chatelier's rule.
    """
    mine = cloud.pick((cloud.source == source) & np.isin(cloud.substance, FLAMMABLE))
    if not len(mine):
        return None
    lower = lower_kg_per_m3(temperature_k)
    centre = (mine.points(mine.x_m, mine.y_m) / lower[:, None]).sum(axis=0)
    core = centre >= 0.5
    if not core.any():
        return None
    bounds = [
        (float((c[core] - 2.5 * mine.sigma_y_m[core]).min()), float((c[core] + 2.5 * mine.sigma_y_m[core]).max()))
        for c in (mine.x_m, mine.y_m)
    ]
    (x, dx), (y, dy) = (_centres(low, high) for low, high in bounds)
    top = float((mine.height_m[core] + 2.5 * mine.sigma_z_m[core]).max())
    z, dz = _centres(0.0, top, LEVELS)
    share = _shares(mine, x, y, 1.5, temperature_k)
    burns = share >= 1.0
    mass = 0.0
    upper = np.array([SUBSTANCES[name].upper for name in NAMES]) * pure_kg_per_m3(temperature_k)
    for height in z:
        field = np.minimum(mine.grid(x, y, float(height)), pure_kg_per_m3(temperature_k)[:, None, None])
        of_lower = (field / lower[:, None, None]).sum(axis=0)
        of_upper = (field[FLAMMABLE] / upper[FLAMMABLE][:, None, None]).sum(axis=0)
        mass += float(field[FLAMMABLE].sum(axis=0)[(of_lower >= 1.0) & (of_upper <= 1.0)].sum()) * dx * dy * dz
    away = np.hypot(x[:, None] - at_m[0], y[None, :] - at_m[1])
    return Patch(x, y, share, float(burns.sum()) * dx * dy, mass, float(away[burns].max(initial=0.0)))


def _shares(cloud: Cloud, x: np.ndarray, y: np.ndarray, z_m: float, temperature_k: float) -> np.ndarray:
    field = np.minimum(cloud.grid(x, y, z_m), pure_kg_per_m3(temperature_k)[:, None, None])
    return (field / lower_kg_per_m3(temperature_k)[:, None, None]).sum(axis=0)


def _centres(low: float, high: float, count: int = FINE) -> tuple[np.ndarray, float]:
    step = max(high - low, 2.0 * spread.LEAST_M) / count
    return low + step * (np.arange(count) + 0.5), step


def density_number(rate_kg_per_s: float, rho_kg_per_m3: float, air_kg_per_m3: float, wind_m_per_s: float) -> float:
    """Return (g' q / (u^3 D))^(1/3) of a steady release, D = (q/u)^(1/2): from 0.15 on it spreads by its own weight.

    Britter and McQuaid (1988), HSE contract report 17; the same number with 1/6 in HJ 169-2018 annex G. 0 for what is lighter than air.
    """
    if rate_kg_per_s <= 0 or rho_kg_per_m3 <= air_kg_per_m3:
        return 0.0
    wind = max(wind_m_per_s, 0.1)
    flow = rate_kg_per_s / rho_kg_per_m3
    heavy = 9.80665 * (rho_kg_per_m3 - air_kg_per_m3) / air_kg_per_m3
    return float((heavy * flow / (wind**3 * np.sqrt(flow / wind))) ** (1.0 / 3.0))


def density_number_at_once(mass_kg: float, rho_kg_per_m3: float, air_kg_per_m3: float, wind_m_per_s: float) -> float:
    """Return (g' V^(1/3))^(1/2) / u of a release at once: from 0.20 on it spreads by its own weight (Britter and McQuaid 1988)."""
    if mass_kg <= 0 or rho_kg_per_m3 <= air_kg_per_m3:
        return 0.0
    heavy = 9.80665 * (rho_kg_per_m3 - air_kg_per_m3) / air_kg_per_m3
    return float(np.sqrt(heavy * (mass_kg / rho_kg_per_m3) ** (1.0 / 3.0)) / max(wind_m_per_s, 0.1))
