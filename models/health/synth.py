"""Gives a pack's hospitals their departments, and joins them to the mains, the grid's backup and the water around them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.health import network as networks
from models.health.network import Network
from models.health.patients import ADMITTED, SPREAD, STAY_S, TREATMENT_S, WALK_IN
from twin.base import Base, Coupling, Laid, Place
from twin.errors import InputError, Problem
from twin.inventory import model_class

FILE = "hospitals.json"
BEDS = 500
"""Beds of a hospital whose place states none: synthetic."""
OCCUPIED = 0.85
"""Synthetic: share of beds taken at the start."""
BAYS_PER_BED = 0.04
"""Synthetic: treatment bays of the emergency department."""
WAITING_PER_BAY = 1.0
"""Synthetic: places to wait, per bay; bays and these are the department's capacity."""
WALK_INS_PER_BED = 0.4
"""Synthetic: walk-ins a day; a Shanghai hospital of about 1,800 beds (from memory) had 1,027 (Zhang et al. 2018)."""
GENERATOR_H = 8.0
"""Synthetic: hours of a hospital's own generator, where the grid has no backup of it."""
LEAST_PRESSURE_M = 14.0
"""Synthetic: below it the hospital counts as without water."""
SOURCES = ("venue", "stadium", "station", "plaza", "village", "superblock", "carpark", "coach", "gas_plant", "park")
"""Kinds of places that patients may come from."""


def synth(base: Base, laid: Mapping[str, Laid], folder: Path, options: Mapping[str, Any]) -> Laid:
    """Write hospitals.json into `folder`; InputError where the pack has no hospital or its beds cannot carry its people.

    Laid after grid and water: power comes from the grid's backup of the hospital where it has one, else from the nearest bus.
    """
    if options:
        raise InputError(f"options.health: hospitals take no options, yet has {', '.join(map(repr, sorted(options)))}")
    hospitals = sorted((place for place in base.places if place.kind == "hospital"), key=lambda place: place.id)
    if not hospitals:
        raise InputError("hospitals: the pack has no place of kind 'hospital'; add one to its places")
    grid = laid.get("grid")
    backed = {f"V_{place.id}" for place in hospitals} & set(grid.elements["venue"].ids if grid else ())
    document = {
        "about": "synthetic departments of the pack's hospitals",
        "hospitals": [_hospital(place, f"V_{place.id}" in backed) for place in hospitals],
        "places": [{"id": p.id, **_xy(p)} for p in sorted(base.places, key=lambda p: p.id) if p.kind in SOURCES],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    path.write_text(json.dumps(document, indent=0, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    network = networks.read(path)
    rows = (*_power(network, grid, backed), *_water(network, laid))
    return Laid({"hospitals": FILE}, network.elements(), couplings=rows, checks=_checks(network), synthetic=_synthetic())


def _xy(place: Place) -> dict[str, float]:
    x, y = place.shape.mean(axis=0).tolist()
    return {"x": round(x, 2), "y": round(y, 2)}


def _hospital(place: Place, backed: bool) -> dict[str, Any]:
    beds = int(place.properties.get("beds", BEDS))
    bays = max(1, round(beds * BAYS_PER_BED))
    figures = {"beds": beds, "occupied": OCCUPIED, "bays": bays, "waiting_places": round(WAITING_PER_BAY * bays)}
    daily = {"walk_ins_per_day": round(beds * WALK_INS_PER_BED), "generator_h": 0.0 if backed else GENERATOR_H}
    return {"id": place.id, **_xy(place), **figures, **daily, "least_pressure_m": LEAST_PRESSURE_M}


def _power(network: Network, grid: Laid | None, backed: set[str]) -> Iterable[Coupling]:
    if grid is None:
        return
    buses = sorted({row.source_element for row in grid.couplings if row.kind == "supply"})
    place = dict(zip(grid.elements["bus"].ids, grid.elements["bus"].shapes, strict=True))
    for id, xy in zip(network.sets["hospital"].ids, network.xy, strict=True):
        if f"V_{id}" in backed:
            yield Coupling("grid", f"V_{id}", "health", id, "lights")
        elif buses:
            near = min(buses, key=lambda bus: (float(np.hypot(*(place[bus].mean(axis=0) - xy))), bus))
            yield Coupling("grid", near, "health", id, "supply")


def _water(network: Network, laid: Mapping[str, Laid]) -> Iterable[Coupling]:
    """Yield the pressure at the nearest element of every model that gives one."""
    for name in sorted(laid):
        for port in model_class(name).ports.values():
            if port.kind != "pressure" or port.at not in laid[name].elements:
                continue
            there = laid[name].elements[port.at]
            points = np.array([shape.mean(axis=0) for shape in there.shapes])
            for id, xy in zip(network.sets["hospital"].ids, network.xy, strict=True):
                near = int(np.argmin(np.hypot(*(points - xy).T)))
                yield Coupling(name, there.ids[near], "health", id, "pressure")


def _checks(network: Network) -> dict[str, str]:
    """Return how busy the bays are on an ordinary day; InputError where walk-ins alone are too many."""
    figures = network.figures
    mean_s = float(np.dot(WALK_IN, TREATMENT_S))
    busy = figures["walk_ins_per_day"] / 86400.0 * mean_s / figures["bays"]
    if (busy > 0.8).any():
        wrong = ", ".join(f"{id} {share:.0%}" for id, share in zip(network.sets["hospital"].ids, busy, strict=True))
        raise InputError(Problem(f"walk-ins alone keep the bays too busy (more than 80 % of the day): {wrong}"))
    found = {f"{id}: bays busy on an ordinary day": f"{100 * b:.0f} %" for id, b in zip(network.sets["hospital"].ids, busy, strict=True)}
    return {**found, "beds": f"{figures['beds'].sum():.0f}", "treatment bays": f"{figures['bays'].sum():.0f}"}


def _synthetic() -> dict[str, str]:
    return {
        "departments": f"{BAYS_PER_BED:g} bays and {WALK_INS_PER_BED:g} walk-ins a day per bed, {WAITING_PER_BAY:g} places to wait per bay",
        "beds taken at the start": f"{100 * OCCUPIED:g} %",
        "treatment, s (black, red, yellow, green)": ", ".join(f"{s:g}" for s in TREATMENT_S) + f"; coefficient of variation {SPREAD:g}",
        "share admitted": ", ".join(f"{s:g}" for s in ADMITTED),
        "stay in a bed": f"{STAY_S / 86400:g} days, exponential",
        "walk-ins by class": ", ".join(f"{s:g}" for s in WALK_IN),
        "generator": f"{GENERATOR_H:g} h where the grid has no backup",
        "least water pressure": f"{LEAST_PRESSURE_M:g} m",
    }
