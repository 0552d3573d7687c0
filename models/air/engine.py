"""Puffs: what was released between two moments is a row; rows drift, grow, and are summed as Gaussians wherever somebody asks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.air import spread
from models.air.substances import NAMES
from models.air.weather import DRIFT_M_PER_S, profile

ROW = np.dtype(
    [
        ("mass_kg", "f8"),
        ("rate_kg_per_s", "f8"),
        ("substance", "i4"),
        ("source", "i4"),
        ("open", "?"),
        ("x_m", "f8", 2),
        ("y_m", "f8", 2),
        ("along_m", "f8", 2),
        ("up_m", "f8", 2),
        ("path_m", "f8", 2),
        ("least_z_m", "f8"),
        ("height_m", "f8"),
        ("flux", "f8"),
        ("wind_m_per_s", "f8"),
    ]
)
"""What one source let out between two moments. Pairs are (oldest, newest) end: position, distance that sigma_y and sigma_z have
(carried over when the class changes), distance travelled. `open`: it is still being let out, its newest end is at the source."""

GONE_M = 1.5e4
"""What has drifted so far has left the district."""
_CUT = 20.0
"""Beyond exp(-20) of its middle a Gaussian counts as nothing."""
_TOGETHER = 16
_FINE = 0.5
_NEAR_M = 5.0


@dataclass(frozen=True)
class Air:
    """What the air is like between two moments: wind at 10 m (east, north), class, mixing height, temperature."""

    wind_m_per_s: tuple[float, float]
    stability: int
    terrain: str
    lid_m: float
    temperature_k: float

    @property
    def speed_m_per_s(self) -> float:
        """Return the wind speed at 10 m."""
        return float(np.hypot(*self.wind_m_per_s))


@dataclass(frozen=True)
class Cloud:
    """The rows broken into Gaussians small enough to sum; one entry each."""

    mass_kg: np.ndarray
    substance: np.ndarray
    source: np.ndarray
    row: np.ndarray
    x_m: np.ndarray
    y_m: np.ndarray
    height_m: np.ndarray
    sigma_y_m: np.ndarray
    sigma_z_m: np.ndarray
    path_m: np.ndarray
    lid_m: float

    def __len__(self) -> int:
        return len(self.mass_kg)

    def pick(self, which: np.ndarray) -> Cloud:
        """Return some of its entries."""
        return Cloud(*(getattr(self, name)[which] for name in _ENTRIES), self.lid_m)

    def points(self, x_m: np.ndarray, y_m: np.ndarray, z_m: float = 1.5) -> np.ndarray:
        """Return (substance, point) kg/m3 at points."""
        found = np.zeros((len(NAMES), len(x_m)))
        if not len(self) or not len(x_m):
            return found
        strength = self._strength(z_m)
        reach = np.sqrt(2.0 * _CUT) * self.sigma_y_m
        for k in np.unique(self.substance):
            mine = np.flatnonzero(self.substance == k)
            for first in range(0, len(mine), _TOGETHER):
                part = mine[first : first + _TOGETHER]
                low_x, high_x = (self.x_m[part] - reach[part]).min(), (self.x_m[part] + reach[part]).max()
                low_y, high_y = (self.y_m[part] - reach[part]).min(), (self.y_m[part] + reach[part]).max()
                near = np.flatnonzero((x_m >= low_x) & (x_m <= high_x) & (y_m >= low_y) & (y_m <= high_y))
                if len(near):
                    square = (x_m[near, None] - self.x_m[part]) ** 2 + (y_m[near, None] - self.y_m[part]) ** 2
                    power = 0.5 * square / self.sigma_y_m[part] ** 2
                    found[k, near] += np.einsum("ij,j->i", np.where(power < _CUT, np.exp(-power), 0.0), strength[part])
        return found

    def grid(self, x_m: np.ndarray, y_m: np.ndarray, z_m: float = 1.5, side_m: float = 0.0) -> np.ndarray:
        """Return (substance, x, y) kg/m3 on a raster: a Gaussian that is round in the plan is a product of two.

        `side_m`: the means over cells of this side, so that a plume that is thinner than a cell is not missed; 0: at points.
        """
        found = np.zeros((len(NAMES), len(x_m), len(y_m)))
        if not len(self):
            return found
        strength = self._strength(z_m)
        for k in np.unique(self.substance):
            mine = self.substance == k
            one = self._mean if side_m else self._one
            across = [one(at, c[mine], self.sigma_y_m[mine], side_m) for at, c in ((x_m, self.x_m), (y_m, self.y_m))]
            found[k] = np.einsum("pi,pj->ij", across[0] * strength[mine][:, None], across[1])
        return found

    def _strength(self, z_m: float) -> np.ndarray:
        up = spread.vertical(z_m, self.height_m, self.sigma_z_m, self.lid_m)
        return self.mass_kg / ((2.0 * np.pi) ** 1.5 * self.sigma_y_m**2 * self.sigma_z_m) * up

    @staticmethod
    def _one(at: np.ndarray, centre: np.ndarray, sigma: np.ndarray, _: float) -> np.ndarray:
        power = 0.5 * ((at - centre[:, None]) / sigma[:, None]) ** 2
        return np.where(power < _CUT, np.exp(-power), 0.0)

    @staticmethod
    def _mean(at: np.ndarray, centre: np.ndarray, sigma: np.ndarray, side_m: float) -> np.ndarray:
        from scipy.special import ndtr

        edges = np.append(at - side_m / 2.0, at[-1] + side_m / 2.0)
        below = ndtr((edges - centre[:, None]) / sigma[:, None])
        return np.diff(below, axis=1) * np.sqrt(2.0 * np.pi) * sigma[:, None] / side_m


_ENTRIES = ("mass_kg", "substance", "source", "row", "x_m", "y_m", "height_m", "sigma_y_m", "sigma_z_m", "path_m")


class Puffs:
    """All rows in the air. Only plain arrays: `rows` is the whole state."""

    def __init__(self) -> None:
        self.rows = np.empty(0, ROW)

    def close(self, which: np.ndarray | None = None) -> None:
        """End rows that are being let out (of these sources): what follows is another row."""
        self.rows["open"][slice(None) if which is None else np.isin(self.rows["source"], which)] = False

    def let_out(self, source: int, substance: int, rate_kg_per_s: float, place: tuple[float, float, float], flux: float, air: Air) -> None:
        """Go on letting out at a rate from (x, y, height); a row that is open for the same goes on."""
        rows = self.rows
        if (rows["open"] & (rows["source"] == source) & (rows["substance"] == substance)).any():
            return
        row = self._row(source, substance, 0.0, place, flux, air)
        row["rate_kg_per_s"], row["open"] = rate_kg_per_s, True
        self.rows = np.concatenate([rows, row])

    def puff(self, source: int, substance: int, mass_kg: float, place: tuple[float, float, float], sigma_m: float, air: Air) -> None:
        """Put a mass into the air at once, already `sigma_m` wide and high."""
        row = self._row(source, substance, mass_kg, place, 0.0, air)
        wide = np.array([sigma_m])
        row["along_m"] = spread.virtual_m(wide, air.stability, air.terrain, vertical=False)[:, None]
        row["up_m"] = spread.virtual_m(wide, air.stability, air.terrain, vertical=True)[:, None]
        row["least_z_m"] = sigma_m
        self.rows = np.concatenate([self.rows, row])

    def _row(self, source: int, substance: int, mass_kg: float, place: tuple[float, float, float], flux: float, air: Air) -> np.ndarray:
        row = np.zeros(1, ROW)
        row["source"], row["substance"], row["mass_kg"], row["flux"] = source, substance, mass_kg, flux
        row["x_m"], row["y_m"], row["height_m"] = place[0], place[1], place[2]
        row["wind_m_per_s"] = air.speed_m_per_s * float(profile(place[2], air.stability, air.terrain))
        return row

    def drift(self, seconds: float, air: Air) -> float:
        """Move everything for some seconds and let out what is open; return the kg let out."""
        rows = self.rows
        if not len(rows):
            return 0.0
        factor = profile(rows["height_m"], air.stability, air.terrain)
        moves = np.ones((len(rows), 2))
        moves[rows["open"], 1] = 0.0
        went = factor[:, None] * moves * seconds
        rows["x_m"] += air.wind_m_per_s[0] * went
        rows["y_m"] += air.wind_m_per_s[1] * went
        rows["path_m"] += air.speed_m_per_s * went
        grown = max(air.speed_m_per_s, DRIFT_M_PER_S) * went
        rows["along_m"] += grown
        rows["up_m"] += grown
        out = np.where(rows["open"], rows["rate_kg_per_s"] * seconds, 0.0)
        rows["mass_kg"] += out
        return float(out.sum())

    def change(self, before: Air, after: Air) -> None:
        """Keep every puff's size when the stability class changes: distances become those the new class needs for it."""
        rows = self.rows
        if not len(rows) or before.stability == after.stability:
            return
        self.close()
        wide = spread.sigma_y_m(rows["along_m"], before.stability, before.terrain)
        high = spread.sigma_z_m(rows["up_m"], before.stability, before.terrain)
        rows["along_m"] = spread.virtual_m(wide, after.stability, after.terrain, vertical=False)
        rows["up_m"] = spread.virtual_m(high, after.stability, after.terrain, vertical=True)
        rows["least_z_m"] = np.maximum(rows["least_z_m"], high.min(axis=1))

    def leave(self) -> float:
        """Forget what has drifted out of the district; return its mass (kg)."""
        gone = self.rows["path_m"].min(axis=1) > GONE_M
        return self.take(gone)

    def take(self, which: np.ndarray) -> float:
        """Take rows out of the air; return their mass (kg)."""
        mass = float(self.rows["mass_kg"][which].sum())
        if which.any():
            self.rows = self.rows[~which]
        return mass

    def held_kg(self) -> float:
        """Return the mass in the air."""
        return float(self.rows["mass_kg"].sum())

    def cloud(self, air: Air) -> Cloud:
        """Break every row into Gaussians no further apart than half their width, finer near the source.

        Within a row mass is even over time and so, the wind being one, over distance. sigma_x is taken as sigma_y
        (Turner 1970, ch. 5; Slade 1968, Meteorology and Atomic Energy, 3-3).
        """
        rows = self.rows[self.rows["mass_kg"] > 0.0]
        index = np.flatnonzero(self.rows["mass_kg"] > 0.0)
        old, new = rows["along_m"][:, 0], rows["along_m"][:, 1]
        length = np.hypot(np.diff(rows["x_m"], axis=1), np.diff(rows["y_m"], axis=1))[:, 0]
        span = np.where(length > 0.0, old - new, 0.0)
        slope = max(float(spread.sigma_y_m(np.array([100.0]), air.stability, air.terrain)[0]) / 100.0, 0.02)
        start, end = np.log1p(new / _NEAR_M), np.log1p((new + span) / _NEAR_M)
        count = np.maximum(np.ceil((end - start) / (_FINE * slope) - 1e-9), 1).astype(int)
        of = np.repeat(np.arange(len(rows)), count)
        k = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
        edges = []
        for step in (k, k + 1):
            at = _NEAR_M * np.expm1(start[of] + (end - start)[of] * step / count[of])
            edges.append(np.divide(at - new[of], span[of], out=step / count[of], where=span[of] > 0.0))
        share, middle = edges[1] - edges[0], 0.5 * (edges[0] + edges[1])

        def between(pair: str) -> np.ndarray:
            return rows[pair][of, 1] + middle * (rows[pair][of, 0] - rows[pair][of, 1])

        path, flux = between("path_m"), rows["flux"][of]
        risen = spread.rise_m(path, flux, rows["wind_m_per_s"][of], air.stability, air.temperature_k)
        wide = spread.sigma_y_m(between("along_m"), air.stability, air.terrain)
        high = np.maximum(spread.sigma_z_m(between("up_m"), air.stability, air.terrain), rows["least_z_m"][of])
        own = (risen / 3.5) ** 2  # growth by the rise itself, as in ISC3 1.1.5.4
        return Cloud(
            rows["mass_kg"][of] * share,
            rows["substance"][of],
            rows["source"][of],
            index[of],
            between("x_m"),
            between("y_m"),
            rows["height_m"][of] + risen,
            np.sqrt(np.maximum(wide, spread.LEAST_M) ** 2 + own),
            np.sqrt(np.maximum(high, spread.LEAST_M) ** 2 + own),
            path,
            air.lid_m,
        )
