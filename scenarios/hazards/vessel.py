"""A vessel of liquefied gas empties through a hole in its liquid: a road tanker, a drum."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from scenarios.hazards.release import AMBIENT_PA, Emptying, Liquefied, flash_share

DISCHARGE = 0.65
"""Of a round hole in a wall (HJ 169-2018 table F.1; from memory)."""
WHOLLY = 0.2
"""Flashed share from which on all that comes out stays in the air as vapour and mist; below it in proportion (World Bank technical
paper 55, 1988; from memory). What rains out lies in a pool, whose vapour is not computed."""


@dataclass(frozen=True)
class Vessel:
    """So much of a liquefied gas at its own vapour pressure, with a hole below the level of the liquid."""

    mass_kg: float
    temperature_k: float
    hole_m2: float


def vessel_kg_per_s(vessel: Vessel, substance: Liquefied, temperature_k: float) -> float:
    """Return the flow of liquid, which does not boil before it has left (HJ 169-2018 F.1.1); the head of liquid is left out."""
    drive = substance.vapour_pa(temperature_k) - AMBIENT_PA
    return DISCHARGE * vessel.hole_m2 * sqrt(2.0 * substance.density_kg_per_m3(temperature_k) * max(drive, 0.0))


def airborne_share(substance: Liquefied, temperature_k: float) -> float:
    """Return the share of what leaves that stays in the air."""
    latent = substance.latent(substance.boiling_k)
    return min(flash_share(substance.heat_j_per_kg_k, temperature_k, substance.boiling_k, latent) / WHOLLY, 1.0)


def vessel_blow_down(vessel: Vessel, substance: Liquefied, duration_s: int) -> Emptying:
    """Return how it empties, second by second: vapour that fills the room of what left takes its heat from the liquid, which cools.

    `rate_kg_per_s` and `left_kg` count all that leaves; `airborne_share` says how much of it is in the air.
    """
    temperature, mass = vessel.temperature_k, vessel.mass_kg
    found = np.empty((duration_s + 1, 4))
    for i in range(duration_s + 1):
        rate = min(vessel_kg_per_s(vessel, substance, temperature), mass)
        found[i] = rate, mass, substance.vapour_pa(temperature), temperature
        liquid, vapour = substance.density_kg_per_m3(temperature), substance.vapour_kg_per_m3(temperature)
        if mass > rate > 0.0:
            boiled = rate * vapour / (liquid - vapour)
            temperature -= boiled * substance.latent(temperature) / ((mass - rate) * substance.heat_j_per_kg_k)
            temperature = max(temperature, substance.boiling_k)
        mass -= rate
    return Emptying(np.arange(duration_s + 1.0), found[:, 0], found[:, 1], found[:, 2], found[:, 3])
