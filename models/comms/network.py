"""A communications network as arrays: read from comms.json, checked, indexed.

JSON: `sites` {id, kind (cell, private, node, exchange, core, recovery, command), x, y, load_kw, battery_kwh, generator_kw,
generator_h, start_s, radius_m, channels, mbit_per_s}, `links` {id, from, to, shape}, `areas` {id, ring, people}, `desks` {id,
site, dispatchers, calls_per_h, handling_s}, `terminals` {id, site, x, y}, `recovery` {rto_s, rpo_s}.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twin.errors import InputError, nearest
from twin.jsonfile import Document
from twin.ports import ElementSet

KINDS = ("cell", "private", "node", "exchange", "core", "recovery", "command")
SECTIONS = ("about", "sites", "links", "areas", "desks", "terminals", "recovery")
SITE_FIGURES = ("load_kw", "battery_kwh", "generator_kw", "generator_h", "start_s", "radius_m", "channels", "mbit_per_s")
_MOST = 30


@dataclass(frozen=True)
class Network:
    """Sites with power and radio, links between them, areas with people, desks, remote terminals."""

    sets: Mapping[str, ElementSet]
    kind: np.ndarray
    """(site,) index into KINDS."""
    xy: np.ndarray
    """(site, 2) metres."""
    figures: Mapping[str, np.ndarray]
    """name -> (site,) of SITE_FIGURES."""
    ends: np.ndarray
    """(link, 2) site indices."""
    residents: np.ndarray
    """(area,) people who are there beside those a coupling brings."""
    desk_site: np.ndarray
    dispatchers: np.ndarray
    calls_per_h: np.ndarray
    handling_s: np.ndarray
    terminal_site: np.ndarray
    rto_s: int
    """seconds from the loss of the data centre until the recovery site serves (recovery time objective)"""
    rpo_s: int
    """seconds between copies to the recovery site: what was written since the last is lost (recovery point objective)"""

    def elements(self) -> Mapping[str, ElementSet]:
        """Return site, link, area, desk, terminal and all."""
        return self.sets

    def of_kind(self, *kinds: str) -> np.ndarray:
        """Return (site,) bool: is of one of these kinds."""
        return np.isin(self.kind, [KINDS.index(kind) for kind in kinds])


def read(path: Path, offset_m: tuple[float, float] = (0.0, 0.0)) -> Network:
    """Read and check comms.json; InputError names every problem with file and line."""
    return _Reader(path, np.asarray(offset_m, float)).network()


class _Reader(Document):
    """Turns the document into checked arrays, collecting every problem before it gives up."""

    def __init__(self, path: Path, offset_m: np.ndarray) -> None:
        super().__init__(path, SECTIONS)
        self.offset_m = offset_m

    def number(self, one: Mapping[str, Any], key: str, default: float = 0.0, least: float = 0.0) -> float:
        """Return a finite number of at least `least`."""
        value = one.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or not least <= value < 1e9:
            self.wrong(str(one.get("id", "")), f"'{one.get('id', key)}': {key} must be a number of at least {least:g}, not {value!r}")
            return max(least, 1.0)
        return float(value)

    def points(self, one: Mapping[str, Any], key: str, count: int) -> np.ndarray:
        """Return (k, 2) metres of at least `count` points."""
        try:
            array = np.asarray(one.get(key), float)
        except (TypeError, ValueError):
            array = np.empty(0)
        if array.ndim != 2 or array.shape[1] != 2 or len(array) < count or not (np.abs(array) < 1e8).all():
            self.wrong(str(one.get("id", "")), f"'{one.get('id')}': {key} must be {count} or more points [x, y] in metres")
            return np.zeros((count, 2)) + self.offset_m
        return array + self.offset_m

    def site(self, one: Mapping[str, Any], key: str, known: Mapping[str, int]) -> int:
        """Return the position of the site that `key` names."""
        name = str(one.get(key, ""))
        if name not in known:
            self.wrong(str(one.get("id", "")), f"'{one.get('id')}': {key}: {nearest(name, known, what='site')}")
            return 0
        return known[name]

    def network(self) -> Network:
        """Return the network, or raise with all that is wrong with it."""
        sites, links, areas, desks, terminals = (self.named(s) for s in ("sites", "links", "areas", "desks", "terminals"))
        known = {str(one.get("id")): i for i, one in enumerate(sites)}
        kind = np.array([self._kind(one) for one in sites], int)
        xy = np.array([self.points({"id": one.get("id"), "xy": [[one.get("x"), one.get("y")]]}, "xy", 1)[0] for one in sites]).reshape(
            -1, 2
        )
        figures = {name: np.array([self.number(one, name) for one in sites]) for name in SITE_FIGURES}
        ends = np.array([[self.site(one, "from", known), self.site(one, "to", known)] for one in links], int).reshape(-1, 2)
        shapes = [self.points(one, "shape", 2) if "shape" in one else xy[end] for one, end in zip(links, ends, strict=True) if len(xy)]
        recovery = self.document.get("recovery", {})
        recovery = recovery if isinstance(recovery, dict) else {}
        times = [round(self.number({"id": "recovery", **recovery}, key, 1800.0, 1.0)) for key in ("rto_s", "rpo_s")]
        for name, needed in (("exchange", "no call is switched"), ("core", "there is no data centre")):
            if not (kind == KINDS.index(name)).any():
                self.wrong("sites", f"sites: none of kind '{name}': {needed}; add one")
        if (kind == KINDS.index("core")).sum() > 1 or (kind == KINDS.index("recovery")).sum() > 1:
            self.wrong("sites", "sites: more than one of kind 'core' or 'recovery'; name one data centre and one recovery site")
        found = {
            "residents": np.array([self.number(one, "people") for one in areas]),
            "desk_site": np.array([self.site(one, "site", known) for one in desks], int),
            "dispatchers": np.array([self.number(one, "dispatchers", 1.0) for one in desks]).astype(int),
            "calls_per_h": np.array([self.number(one, "calls_per_h") for one in desks]),
            "handling_s": np.array([self.number(one, "handling_s", 120.0, 1.0) for one in desks]),
            "terminal_site": np.array([self.site(one, "site", known) for one in terminals], int),
        }
        rings = [self.points(one, "ring", 3) for one in areas]
        ports = [self.points({"id": one.get("id"), "xy": [[one.get("x"), one.get("y")]]}, "xy", 1) for one in terminals]
        if self.problems:
            raise InputError(self.problems[:_MOST])
        sets = {
            "site": ElementSet(_ids(sites), list(xy[:, None, :]), label="communication sites"),
            "link": ElementSet(_ids(links), shapes, label="fibre"),
            "area": ElementSet(_ids(areas), rings, closed=True, label="areas of coverage"),
            "desk": ElementSet(_ids(desks), [xy[[i]] for i in found["desk_site"]], label="dispatch desks"),
            "terminal": ElementSet(_ids(terminals), ports, label="remote terminals"),
            "all": ElementSet(("comms",), label="communications"),
        }
        return Network(sets, kind, xy, figures, ends, rto_s=times[0], rpo_s=times[1], **found)

    def _kind(self, one: Mapping[str, Any]) -> int:
        if one.get("kind") not in KINDS:
            self.wrong(str(one.get("id", "")), f"'{one.get('id')}': {nearest(str(one.get('kind')), KINDS, what='kind of site')}")
            return 0
        return KINDS.index(one["kind"])


def _ids(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(str(one["id"]) for one in rows)
