"""A typhoon passes: wind by Holland's profile along a track, and which overhead lines it takes down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, log, sqrt

import numpy as np

from scenarios.hazards.effect import Effect, Exposed, quantile

OMEGA_PER_S = 7.292e-5
AIR_KG_PER_M3 = 1.15


@dataclass(frozen=True)
class Fix:
    """Where the centre is at a second of the run, and how deep and wide the storm is then."""

    t_s: int
    x_m: float
    y_m: float
    centre_hpa: float
    radius_m: float
    """Radius of the strongest wind."""


@dataclass(frozen=True)
class Typhoon:
    """A track of fixes in order of time.

    `surface`: wind at 10 m over that aloft (0.8 at sea, less on land; from memory); `b`: Holland's, 0 for by depth.
    """

    track: tuple[Fix, ...]
    lat_deg: float = 32.0
    outer_hpa: float = 1010.0
    b: float = 0.0
    surface: float = 0.7
    inflow_deg: float = 20.0
    carried: float = 0.5
    """Share of the storm's own speed that is added to the wind (right of the track in the northern hemisphere)."""

    def fix(self, t_s: float) -> Fix:
        """Return the storm at a second, on straight lines between fixes."""
        times = [one.t_s for one in self.track]
        part = [float(np.interp(t_s, times, [getattr(one, name) for one in self.track])) for name in _NUMBERS]
        return Fix(round(t_s), *part)

    def moves_m_per_s(self, t_s: float) -> tuple[float, float]:
        """Return how the centre moves: by its places five minutes before and after, as far as the track goes; a single fix stands."""
        first_s, last_s = float(self.track[0].t_s), float(self.track[-1].t_s)
        t_s = min(max(t_s, first_s), last_s)
        ahead_s, behind_s = min(t_s + 300.0, last_s), max(t_s - 300.0, first_s)
        if ahead_s <= behind_s:
            return 0.0, 0.0
        ahead, behind = self.fix(ahead_s), self.fix(behind_s)
        return (ahead.x_m - behind.x_m) / (ahead_s - behind_s), (ahead.y_m - behind.y_m) / (ahead_s - behind_s)


_NUMBERS = ("x_m", "y_m", "centre_hpa", "radius_m")


def shape(centre_hpa: float) -> float:
    """Return Holland's B by depth, between 1 and 2.5: 2.0 - (pc - 900) / 160 (Hubbert et al. 1991, after Holland 1980)."""
    return min(max(2.0 - (centre_hpa - 900.0) / 160.0, 1.0), 2.5)


def gradient_m_per_s(radius_m: np.ndarray, *, centre_hpa: float, outer_hpa: float, widest_m: float, b: float, lat_deg: float) -> np.ndarray:
    """Return the gradient wind of Holland (1980), doi 10.1175/1520-0493(1980)108<1212:AAMOTW>2.0.CO;2:

    V = sqrt(B (pn - pc) / rho (Rm/r)^B exp(-(Rm/r)^B) + (r f / 2)^2) - r |f| / 2.
    """
    r = np.maximum(radius_m, 1.0)
    f = abs(2.0 * OMEGA_PER_S * np.sin(np.radians(lat_deg)))
    part = (widest_m / r) ** b
    return np.sqrt(b * (outer_hpa - centre_hpa) * 100.0 / AIR_KG_PER_M3 * part * np.exp(-part) + (0.5 * r * f) ** 2) - 0.5 * r * f


def pressure_hpa(radius_m: np.ndarray, *, centre_hpa: float, outer_hpa: float, widest_m: float, b: float) -> np.ndarray:
    """Return the pressure: pc + (pn - pc) exp(-(Rm/r)^B)."""
    return centre_hpa + (outer_hpa - centre_hpa) * np.exp(-((widest_m / np.maximum(radius_m, 1.0)) ** b))


def wind_m_per_s(storm: Typhoon, t_s: float, x_m: np.ndarray, y_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean wind at 10 m, metres a second east and north: round the centre, inward, and with the storm."""
    at = storm.fix(t_s)
    dx, dy = np.asarray(x_m, float) - at.x_m, np.asarray(y_m, float) - at.y_m
    radius = np.hypot(dx, dy)
    b = storm.b or shape(at.centre_hpa)
    strongest, speed = (
        storm.surface
        * gradient_m_per_s(here, centre_hpa=at.centre_hpa, outer_hpa=storm.outer_hpa, widest_m=at.radius_m, b=b, lat_deg=storm.lat_deg)
        for here in (np.array([at.radius_m]), radius)
    )
    spin = 1.0 if storm.lat_deg >= 0 else -1.0
    angle = np.arctan2(dy, dx) + spin * (np.pi / 2.0 + np.radians(storm.inflow_deg))
    east, north = storm.moves_m_per_s(t_s)
    share = storm.carried * speed / max(float(strongest[0]), 1e-9)
    return speed * np.cos(angle) + share * east, speed * np.sin(angle) + share * north


GUST = 1.4
"""Three-second gust over mean wind in town (from memory; 1.3 to 1.6)."""
LINE_M_PER_S, LINE_BETA = 45.0, 0.18
"""Synthetic: gust at which half of overhead spans fail, and its lognormal deviation; cables in the ground are not exposed."""


def failure(gust_m_per_s: float, median_m_per_s: float = LINE_M_PER_S, beta: float = LINE_BETA) -> float:
    """Return the probability that something fails in a gust: lognormal."""
    return 0.5 * (1.0 + erf(log(max(gust_m_per_s, 1e-9) / median_m_per_s) / (beta * sqrt(2.0))))


def effects(storm: Typhoon, exposed: Sequence[Exposed], seed: int, until_s: int, every_s: int = 600) -> list[Effect]:
    """Return when overhead lines fall (`overhead: true` among their facts): at the first gust whose chance exceeds their own number."""
    lines = [one for one in exposed if (one.model, one.kind) == ("grid", "line") and one.facts.get("overhead")]
    if not lines:
        return []
    x, y = np.array([one.x_m for one in lines]), np.array([one.y_m for one in lines])
    drawn = np.array([quantile(seed, "typhoon", one) for one in lines])
    down, found = np.zeros(len(lines), bool), []
    for t_s in range(storm.track[0].t_s, min(storm.track[-1].t_s, until_s) + 1, every_s):
        gusts = GUST * np.hypot(*wind_m_per_s(storm, t_s, x, y))
        for i in np.flatnonzero(~down):
            limit = float(lines[i].facts.get("median_m_per_s", LINE_M_PER_S))
            if drawn[i] < failure(float(gusts[i]), limit):
                down[i] = True
                name = lines[i].element
                found.append(Effect(max(t_s, 0), "grid", "fault", name, {"line": name}, f"gust of {gusts[i]:.0f} m/s"))
    return sorted(found)
