"""What may be in the air: molar mass, flammable range, acute exposure guideline levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

R_J_PER_MOL_K = 8.314462618
AIR_KG_PER_MOL = 0.028964
PRESSURE_PA = 101325.0
AEGL_MINUTES = (10, 30, 60)


@dataclass(frozen=True)
class Substance:
    """One gas. `aegl_ppm[k]` are AEGL-(k+1) for 10, 30 and 60 minutes; `exponent` is n of the toxic load C^n t.

    `boiling_k` decides how cold, and so how dense, it leaves as a liquefied gas. `heat_mj_per_kg`: lower heating value.
    """

    name: str
    molar_kg_per_mol: float
    lower: float = 0.0
    upper: float = 0.0
    heat_mj_per_kg: float = 0.0
    boiling_k: float = 0.0
    exponent: float = 1.0
    aegl_ppm: tuple[tuple[float, float, float], ...] = ()

    @property
    def flammable(self) -> bool:
        """Whether it burns in air."""
        return self.lower > 0

    @property
    def toxic(self) -> bool:
        """Whether it has acute exposure guideline levels."""
        return bool(self.aegl_ppm)

    def density_kg_per_m3(self, temperature_k: float) -> float:
        """Return the density of the pure gas at one atmosphere (ideal gas)."""
        return PRESSURE_PA * self.molar_kg_per_mol / (R_J_PER_MOL_K * temperature_k)

    def mg_per_m3(self, ppm: float | np.ndarray, temperature_k: float) -> float | np.ndarray:
        """Return the mass concentration of a volume fraction in millionths."""
        return ppm * self.density_kg_per_m3(temperature_k)

    def aegl_mg_per_m3(self) -> np.ndarray:
        """Return (level, 10/30/60 min) mg/m3 at 25 C, the temperature at which the levels are published."""
        return np.asarray(self.aegl_ppm, float) * self.density_kg_per_m3(298.15)


SUBSTANCES: dict[str, Substance] = {
    one.name: one
    for one in (
        Substance("methane", 0.016043, 0.050, 0.150, 50.0, 111.7),
        Substance("propane", 0.044096, 0.021, 0.095, 46.4, 231.0),
        Substance("propylene", 0.042080, 0.020, 0.111, 45.8, 225.5),
        Substance("chlorine", 0.070906, boiling_k=239.1, exponent=2.0, aegl_ppm=((0.50, 0.50, 0.50), (2.8, 2.8, 2.0), (50.0, 28.0, 20.0))),
        Substance(
            "ammonia",
            0.017031,
            0.15,
            0.28,
            18.6,
            239.8,
            exponent=2.0,
            aegl_ppm=((30.0, 30.0, 30.0), (220.0, 220.0, 160.0), (2700.0, 1600.0, 1100.0)),
        ),
        Substance("smoke", 0.028010, exponent=1.0, aegl_ppm=((np.inf, np.inf, np.inf), (420.0, 150.0, 83.0), (1700.0, 600.0, 330.0))),
    )
}
"""Flammable limits by volume: Zabetakis (1965), US Bureau of Mines Bulletin 627 (methane 5-15, propane 2.1-9.5, propylene 2.0-11.1,
ammonia 15-28 %). AEGL: National Research Council, chlorine vol. 4 (2004), ammonia vol. 6 (2008), carbon monoxide vol. 8 (2010); n = 2 for
chlorine and ammonia there. Heating values and boiling points: common handbook values. `smoke` is the carbon
monoxide of a fire (no AEGL-1 is given for it)."""

NAMES = tuple(SUBSTANCES)
SMOKE = NAMES.index("smoke")
