"""Gives a pack's stations, works and hospitals their crews, and joins them to the roads, the desks, the radio and the hospitals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.response import network as networks
from models.response.draws import TURNOUT_S
from models.response.network import SKILLS, Network
from models.response.streets import Streets
from twin.base import Base, Coupling, Laid, Place
from twin.errors import InputError

FILE = "response.json"
UNITS: Mapping[str, Mapping[str, int]] = {
    "fire_station": {"fire": 5},
    "police": {"police": 12},
    "hospital": {"ambulance": 12},
    "substation": {"power": 3},
    "waterworks": {"water": 6},
    "city_gate": {"gas": 3},
    "coach": {"bus": 10},
}
"""Synthetic: crews by kind of place; a fire station that states its `engines` has those."""
DISPATCHERS = 8
"""Synthetic."""
CAPACITY_PER_BED = 0.08
"""Synthetic: patients an emergency department takes at once, per bed."""
BEDS = 500
DESKS = {"fire": "119", "ambulance": "120"}
"""China's emergency numbers; who is not named is called through the police's."""
USUAL_DESK = "110"
PUBLIC = ("fire", "ambulance", "police")
"""Skills about whose jobs people call those desks; about the others they call the utilities."""


def synth(base: Base, laid: Mapping[str, Laid], folder: Path, options: Mapping[str, Any]) -> Laid:
    """Write response.json into `folder`; InputError where the pack has no place with crews, or a depot cannot be left.

    Laid after traffic, comms and health, whose roads, desks, bases and hospitals it is joined to.
    """
    if options:
        raise InputError(f"options.response: crews take no options, yet has {', '.join(map(repr, sorted(options)))}")
    depots = [_depot(place) for place in sorted(base.places, key=lambda place: place.id) if place.kind in UNITS]
    if not depots or not base.streets:
        raise InputError(f"response: needs streets and places of the kinds {', '.join(sorted(UNITS))} for crews to live at")
    hospitals = [_hospital(place) for place in sorted(base.places, key=lambda place: place.id) if place.kind == "hospital"]
    document = {
        "about": "synthetic crews of the pack's stations, works and hospitals",
        "centre": _centre(base, laid),
        "depots": depots,
        "hospitals": hospitals,
        "streets": list(_streets(base, laid)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    lines = [f' "{key}": {_lines(value)}' for key, value in document.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8", newline="\n")
    network = networks.read(path)
    rows = (*_roads(network, laid), *_calls(laid), *_radio(network, laid), *_hospitals(network, laid))
    return Laid({"network": FILE}, network.elements(), couplings=rows, checks=_checks(network), synthetic=_synthetic())


def _lines(value: Any) -> str:
    if not isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return "[\n  " + ",\n  ".join(json.dumps(one, ensure_ascii=False) for one in value) + "\n ]"


def _xy(place: Place) -> dict[str, float]:
    x, y = np.asarray(place.shape, float).reshape(-1, 2).mean(axis=0).tolist()
    return {"x": round(x, 2), "y": round(y, 2)}


def _depot(place: Place) -> dict[str, Any]:
    units = dict(UNITS[place.kind])
    if place.kind == "fire_station" and "engines" in place.properties:
        units["fire"] = int(place.properties["engines"])
    return {"id": place.id, **_xy(place), "units": units}


def _hospital(place: Place) -> dict[str, Any]:
    return {"id": place.id, **_xy(place), "capacity": max(1, round(float(place.properties.get("beds", BEDS)) * CAPACITY_PER_BED))}


def _centre(base: Base, laid: Mapping[str, Laid]) -> dict[str, Any]:
    """Return the command centre: where communications have theirs, else at the first police station or depot."""
    sites = laid["comms"].elements["site"] if "comms" in laid else None
    if sites is not None and "CMD" in sites.ids:
        x, y = sites.shapes[sites.ids.index("CMD")].mean(axis=0).tolist()
        where = {"x": round(x, 2), "y": round(y, 2)}
    else:
        kinds = ("police", *UNITS)
        where = _xy(min((place for place in base.places if place.kind in UNITS), key=lambda place: (kinds.index(place.kind), place.id)))
    return {"id": "command", **where, "dispatchers": DISPATCHERS}


def _streets(base: Base, laid: Mapping[str, Laid]) -> Iterable[dict[str, Any]]:
    """Yield the streets by the names of the roads along them."""
    named = laid["traffic"].by_street if "traffic" in laid else {}
    for street in sorted(base.streets, key=lambda street: street.id):
        yield {
            "ids": list(named.get(street.id, (f"{street.id}f", f"{street.id}b"))),
            "from": street.start,
            "to": street.end,
            "speed_m_per_s": round(float(street.speed_m_per_s), 2),
            "line": [[round(float(x), 1), round(float(y), 1)] for x, y in street.shape],
        }


def _roads(network: Network, laid: Mapping[str, Laid]) -> Iterable[Coupling]:
    """Yield, for every road, that crews are sent to it, that they come there, and how long it takes to drive along."""
    roads = set(laid["traffic"].elements["edge"].ids) if "traffic" in laid else set()
    for id in network.sets["spot"].ids:
        if id in roads:
            yield Coupling("response", id, "traffic", id, "blue")
            yield Coupling("traffic", id, "response", id, "reached")
            yield Coupling("traffic", id, "response", id, "travel")


def _calls(laid: Mapping[str, Laid]) -> Iterable[Coupling]:
    """Yield the desk through which crews of each skill are called, and which people call about what is not attended to."""
    desks = laid["comms"].elements["desk"].ids if "comms" in laid else ()
    for skill in SKILLS if desks else ():
        wanted = (DESKS.get(skill, USUAL_DESK), USUAL_DESK)
        desk = next((id for number in wanted for id in desks if id.endswith(number)), desks[0])
        yield Coupling("comms", desk, "response", skill, "dispatch")
        if skill in PUBLIC:
            yield Coupling("response", skill, "comms", desk, "calls")


def _radio(network: Network, laid: Mapping[str, Laid]) -> Iterable[Coupling]:
    """Yield the nearest base of the private broadband network for every depot."""
    if "comms" not in laid:
        return
    sites = laid["comms"].elements["site"]
    bases = [(id, shape.mean(axis=0)) for id, shape in zip(sites.ids, sites.shapes, strict=True) if id.startswith("PB")]
    for depot, xy in zip(network.sets["depot"].ids, network.depot_xy, strict=True):
        if bases:
            near, _ = min(bases, key=lambda base: (float(np.hypot(*(base[1] - xy))), base[0]))
            yield Coupling("comms", near, "response", depot, "service")


def _hospitals(network: Network, laid: Mapping[str, Laid]) -> Iterable[Coupling]:
    known = set(laid["health"].elements["hospital"].ids) if "health" in laid else set()
    for id in network.sets["hospital"].ids:
        if id in known:
            yield Coupling("health", id, "response", id, "accepts")
            yield Coupling("health", id, "response", id, "share")
            yield Coupling("response", id, "health", id, "patient")


def _checks(network: Network) -> dict[str, str]:
    """Return how soon the last street is reached from each skill's depots; InputError where one cannot be."""
    streets = Streets(network)
    home = np.array([int(streets.near(x, y, 0.0)[0][0]) for x, y in network.depot_xy.tolist()], int)
    spots = np.arange(len(network.free_s))
    found = {"units": str(len(network.unit_skill)), "streets": str(int(network.spot_street.max()) + 1)}
    for code, skill in enumerate(SKILLS):
        depots = np.unique(network.unit_depot[network.unit_skill == code])
        if not depots.size:
            continue
        soonest_s = np.min([streets.times_from(int(home[depot]), spots) for depot in depots], axis=0)
        if not np.isfinite(soonest_s).all():
            lost = network.sets["spot"].ids[int(np.argmax(~np.isfinite(soonest_s)))]
            raise InputError(f"response: no {skill} crew can reach street '{lost}'")
        found[f"{skill}: longest free drive to any street"] = f"{soonest_s.max() / 60:.1f} min"
    return found


def _synthetic() -> dict[str, str]:
    crews = "; ".join(f"{kind}: {', '.join(f'{count} {skill}' for skill, count in units.items())}" for kind, units in UNITS.items())
    return {
        "crews by kind of place": crews + " (fire stations: their engines)",
        "dispatchers": str(DISPATCHERS),
        "turnout, s": ", ".join(f"{skill} {seconds:g}" for skill, seconds in TURNOUT_S.items()),
        "patients a department takes at once": f"{CAPACITY_PER_BED:g} per bed",
    }
