"""How wide and high a puff is: Pasquill-Gifford curves, Briggs' formulas, plume rise, ground and lid as mirrors."""

from __future__ import annotations

import numpy as np

FARTHEST_M = 1e5
LEAST_M = 0.5
"""Neither sigma is taken below this: a source has a size."""
CALM_RISE_M_PER_S = 1.0
"""Rise is reckoned with at least this wind, as ISC3 does."""

_BRIGGS = {
    "rural": (
        ((0.22, 1e-4, -0.5), (0.16, 1e-4, -0.5), (0.11, 1e-4, -0.5), (0.08, 1e-4, -0.5), (0.06, 1e-4, -0.5), (0.04, 1e-4, -0.5)),
        ((0.20, 0.0, 0.0), (0.12, 0.0, 0.0), (0.08, 2e-4, -0.5), (0.06, 1.5e-3, -0.5), (0.03, 3e-4, -1.0), (0.016, 3e-4, -1.0)),
    ),
    "urban": (
        ((0.32, 4e-4, -0.5), (0.32, 4e-4, -0.5), (0.22, 4e-4, -0.5), (0.16, 4e-4, -0.5), (0.11, 4e-4, -0.5), (0.11, 4e-4, -0.5)),
        ((0.24, 1e-3, 0.5), (0.24, 1e-3, 0.5), (0.20, 0.0, 0.0), (0.14, 3e-4, -0.5), (0.08, 1.5e-3, -0.5), (0.08, 1.5e-3, -0.5)),
    ),
}
"""a x (1 + b x)^c for classes A to F, sigma_y then sigma_z, for 0.1 to 10 km: Briggs (1973), ATDL contribution 79; tables 19-6 and
19-7 of Fundamentals of Air Pollution (Vallero, after Gifford)."""
_Y = ((24.1670, 2.5334), (18.3330, 1.8096), (12.5000, 1.0857), (8.3330, 0.72382), (6.2500, 0.54287), (4.1667, 0.36191))
_Z: tuple[tuple[tuple[float, float, float], ...], ...] = (
    (
        (0.10, 122.800, 0.94470),
        (0.15, 158.080, 1.05420),
        (0.20, 170.220, 1.09320),
        (0.25, 179.520, 1.12620),
        (0.30, 217.410, 1.26440),
        (0.40, 258.890, 1.40940),
        (0.50, 346.750, 1.72830),
        (np.inf, 453.850, 2.11660),
    ),
    ((0.20, 90.673, 0.93198), (0.40, 98.483, 0.98332), (np.inf, 109.300, 1.09710)),
    ((np.inf, 61.141, 0.91465),),
    (
        (0.30, 34.459, 0.86974),
        (1.00, 32.093, 0.81066),
        (3.00, 32.093, 0.64403),
        (10.0, 33.504, 0.60486),
        (30.0, 36.650, 0.56589),
        (np.inf, 44.053, 0.51179),
    ),
    (
        (0.10, 24.260, 0.83660),
        (0.30, 23.331, 0.81956),
        (1.00, 21.628, 0.75660),
        (2.00, 21.628, 0.63077),
        (4.00, 22.534, 0.57154),
        (10.0, 24.703, 0.50527),
        (20.0, 26.970, 0.46713),
        (40.0, 35.420, 0.37615),
        (np.inf, 47.618, 0.29592),
    ),
    (
        (0.20, 15.209, 0.81558),
        (0.70, 14.457, 0.78407),
        (1.00, 13.953, 0.68465),
        (2.00, 13.953, 0.63227),
        (3.00, 14.823, 0.54503),
        (7.00, 16.187, 0.46490),
        (15.0, 17.836, 0.41507),
        (30.0, 22.651, 0.32681),
        (60.0, 27.074, 0.27436),
        (np.inf, 34.219, 0.21716),
    ),
)
"""Pasquill-Gifford curves of Turner's Workbook as ISC3 fits them (EPA-454/B-95-003b tables 1-1, 1-2): sigma_z = a x^b, x in km up to each
limit; sigma_y = 465.11628 x tan(0.017453293 (c - d ln x))."""
_SMOOTH_KM = 1e-6


def sigma_y_m(x_m: np.ndarray, stability: int, terrain: str) -> np.ndarray:
    """Return the sideways standard deviation at distances `x_m`; `terrain`: urban, rural (Briggs) or pasquill (Turner's curves)."""
    if terrain in _BRIGGS:
        a, b, c = _BRIGGS[terrain][0][stability]
        return a * x_m * (1.0 + b * x_m) ** c
    km = np.maximum(x_m / 1000.0, _SMOOTH_KM)
    c, d = _Y[stability]
    return 465.11628 * km * np.tan(0.017453293 * (c - d * np.log(km)))


def sigma_z_m(x_m: np.ndarray, stability: int, terrain: str) -> np.ndarray:
    """Return the upward standard deviation at distances `x_m`; at most 5000 m."""
    if terrain in _BRIGGS:
        a, b, c = _BRIGGS[terrain][1][stability]
        return np.minimum(a * x_m * (1.0 + b * x_m) ** c, 5000.0)
    km = np.maximum(x_m / 1000.0, _SMOOTH_KM)
    rows = np.array(_Z[stability])
    row = np.searchsorted(rows[:, 0], km, side="left")
    return np.minimum(rows[row, 1] * km ** rows[row, 2], 5000.0)


def virtual_m(sigma_m: np.ndarray, stability: int, terrain: str, *, vertical: bool) -> np.ndarray:
    """Return the distances at which a class gives these sigmas (bisection); `FARTHEST_M` where it never does."""
    curve = sigma_z_m if vertical else sigma_y_m
    low, high = np.zeros_like(sigma_m), np.full_like(sigma_m, FARTHEST_M)
    for _ in range(64):
        middle = 0.5 * (low + high)
        short = curve(middle, stability, terrain) < sigma_m
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.where(sigma_m > 0, 0.5 * (low + high), 0.0)


def buoyancy_m4_per_s3(heat_mw: float, temperature_k: float) -> float:
    """Return Briggs' buoyancy flux F = g Q / (pi cp rho T) of a fire that heats the air by `heat_mw`."""
    rho = 101325.0 * 0.028964 / (8.314462618 * temperature_k)
    return 9.80665 * heat_mw * 1e6 / (np.pi * 1005.0 * rho * temperature_k)


def rise_m(x_m: np.ndarray, flux: np.ndarray, wind_m_per_s: np.ndarray, stability: int, temperature_k: float) -> np.ndarray:
    """Return how far a buoyant plume has risen at `x_m`: 1.6 F^(1/3) x^(2/3) / u until it ends.

    Briggs (1975), as in ISC3 (EPA-454/B-95-003b 1.1.4): ends at 49 F^(5/8) m (F < 55) or 119 F^(2/5) m, in stable air at
    2.6 (F / (u s))^(1/3) with d theta/dz = 0.020 (E) and 0.035 K/m (F).
    """
    wind = np.maximum(wind_m_per_s, CALM_RISE_M_PER_S)
    ends = np.where(flux < 55.0, 49.0 * flux**0.625, 119.0 * flux**0.4)
    risen = 1.6 * np.cbrt(flux) * np.minimum(x_m, ends) ** (2.0 / 3.0) / wind
    if stability >= 4:
        s = 9.80665 * (0.020 if stability == 4 else 0.035) / temperature_k
        risen = np.minimum(1.6 * np.cbrt(flux) * x_m ** (2.0 / 3.0) / wind, 2.6 * np.cbrt(flux / (wind * s)))
    return risen


def vertical(z_m: np.ndarray | float, height_m: np.ndarray, sigma_m: np.ndarray, lid_m: float) -> np.ndarray:
    """Return the vertical term with the ground and the mixing height as mirrors (Turner 1970, eq. 3.1 and 5.8).

    Five images each way; where sigma is above 1.6 mixing heights the layer is filled evenly. A puff above the lid
    stays there: nothing of it comes down.
    """
    z, h, s = np.broadcast_arrays(np.asarray(z_m, float), height_m, sigma_m)
    image = 2.0 * lid_m * np.arange(-5, 6).reshape((-1,) + (1,) * h.ndim)
    terms = np.exp(-0.5 * ((z - h + image) / s) ** 2) + np.exp(-0.5 * ((z + h + image) / s) ** 2)
    found = np.where(s > 1.6 * lid_m, np.sqrt(2.0 * np.pi) * s / lid_m, terms.sum(axis=0))
    return np.where(h > lid_m, 0.0, found)


def plume_kg_per_m3(
    rate_kg_per_s: float,
    wind_m_per_s: float,
    x_m: np.ndarray,
    y_m: np.ndarray,
    z_m: np.ndarray,
    height_m: float,
    stability: int,
    terrain: str,
) -> np.ndarray:
    """Return the concentration in a steady plume (Turner 1970, eq. 3.1): what the puffs are checked against."""
    sy, sz = sigma_y_m(x_m, stability, terrain), sigma_z_m(x_m, stability, terrain)
    upward = vertical(z_m, np.full_like(x_m, height_m), sz, 1e9)
    return rate_kg_per_s / (2.0 * np.pi * sy * sz * wind_m_per_s) * np.exp(-0.5 * (y_m / sy) ** 2) * upward
