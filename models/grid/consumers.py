"""Who hangs on a synthesised grid: other networks' needs, venues with backup, gas-fired units."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.grid.drawing import Drawing
from twin.base import Base, Coupling, Laid, Need, Place

BACKED_UP = {"stadium": (1.2, 0.02, 120), "hospital": (1.5, 0.25, 15), "village": (0.8, 0.05, 60), "venue": (0.5, 0.02, 120)}
"""Essential load (MW), UPS (MWh) and generator start (s) of a place, by its kind: synthetic."""
TANK_H = 8.0
"""Hours a full tank carries the essential load: synthetic."""
L_PER_MWH = 260.0
"""Diesel a generator burns (some 215 g/kWh at 0.84 kg/l, common for sets of 1 MW)."""
LIGHT_MW = 0.005
"""Lights of an area that states none (some twenty luminaires of 250 W): synthetic."""
VENUE_REACH_M = 500.0
"""An area's critical lights hang on the backup of the nearest stadium or venue within this distance."""
GAS_UNIT_MW = 5.0
"""A gas-fired unit where the gas network states no size: synthetic."""


@dataclass
class Backed:
    """A row of backup.csv as it grows."""

    bus: str
    load_mw: float
    ups_mwh: float
    generator_mw: float
    start_s: int
    xy: tuple[float, float] | None = None

    def row(self, id: str) -> str:
        """Return the CSV line."""
        fuel = self.load_mw * TANK_H * L_PER_MWH if self.generator_mw else 0.0
        place = ",".join(f"{one:.2f}" for one in self.xy) if self.xy else ","
        figures = f"{self.load_mw:.6g},{self.ups_mwh:.6g},{self.generator_mw:.6g},{fuel:.6g},{L_PER_MWH:.6g},{self.start_s}"
        return f"{id},{self.bus},{figures},{place}"


class Consumers:
    """Connects what other networks need, and what the city knows as places, to their stations."""

    def __init__(self, base: Base, laid: Mapping[str, Laid], drawing: Drawing) -> None:
        self.base, self.laid, self.drawing = base, laid, drawing
        self.nodes = sorted(drawing.kiosk_bus)
        self.couplings: list[Coupling] = []
        self.backed: dict[str, Backed] = {}
        self.extra_mw: dict[str, float] = {}
        self.gas_units: list[str] = []

    def bus_at(self, xy: Any) -> str:
        """Return the station nearest to a point."""
        node = int(self.drawing.streets.nearest(np.array([xy], float), self.nodes)[0])
        return self.drawing.kiosk_bus[node]

    def wire(self) -> None:
        """Connect every need, in the order of model and element."""
        for place in sorted(self.base.places, key=lambda p: p.id):
            if place.kind in BACKED_UP:
                self._back(place, BACKED_UP[place.kind])
        for model in sorted(self.laid):
            for need in sorted(self.laid[model].needs, key=lambda n: (n.kind, n.element)):
                if need.kind == "supply":
                    self._supply(model, need)
                elif need.kind == "lights":
                    self._lights(model, need)
                elif need.kind == "fuel":
                    self._gas_unit(model, need)

    def _back(self, place: Place, figures: tuple[float, float, int]) -> None:
        x_m, y_m = place.shape.mean(axis=0).tolist()
        bus = self.bus_at((x_m, y_m))
        load, ups, start = figures
        self.backed[f"V_{place.id}"] = Backed(bus, load, ups, round(1.25 * load, 3), start, (x_m, y_m))
        self._add(bus, load)

    def _add(self, bus: str, mw: float) -> None:
        self.extra_mw[bus] = self.extra_mw.get(bus, 0.0) + mw

    def _supply(self, model: str, need: Need) -> None:
        """A pump or charger reports its own load to its bus; anything else is part of the bus's load."""
        bus = self.bus_at(need.xy)
        self.couplings.append(Coupling("grid", bus, model, need.element, "supply"))
        if any(need.element in self.laid[model].elements[kind].ids for kind in ("pump", "charger") if kind in self.laid[model].elements):
            self.couplings.append(Coupling(model, need.element, "grid", bus, "load"))
            self._add(bus, need.p_mw)
        elif need.p_mw > 0:
            self.drawing.load(bus, need.element, need.p_mw)

    def _lights(self, model: str, need: Need) -> None:
        """Critical lights hang on the backup of the stadium or venue they belong to, others on their bus alone."""
        mw = need.p_mw or LIGHT_MW
        near = [(float(np.hypot(*(p.shape.mean(axis=0) - need.xy))), p.id) for p in self.base.places if p.kind in ("stadium", "venue")]
        away, place = min(near, default=(math.inf, ""))
        if need.critical and away <= VENUE_REACH_M:
            venue = f"V_{place}"
        else:
            bus = self.bus_at(need.xy)
            venue = f"SL_{bus}"
            street = self.backed.setdefault(venue, Backed(bus, 0.0, 0.0, 0.0, 0))
            street.load_mw = round(street.load_mw + mw, 6)
            self._add(bus, mw)
        self.couplings.append(Coupling("grid", venue, model, need.element, "lights"))

    def _gas_unit(self, model: str, need: Need) -> None:
        """A gas-fired unit feeds the nearest substation's busbar over cables of its own."""
        drawing, streets = self.drawing, self.drawing.streets
        mw = need.p_mw or GAS_UNIT_MW
        name = f"GU{len(self.gas_units) + 1}"
        heads = sorted({ring.substation for ring in drawing.rings})
        points = {ss: np.array(_xy(drawing, f"{ss}A")) for ss in heads}
        home = min(heads, key=lambda ss: (float(np.linalg.norm(points[ss] - need.xy)), ss))
        main = streets.main_part()
        a, b = (int(streets.nearest(np.array([xy], float), main)[0]) for xy in (points[home], need.xy))
        rating = math.sqrt(3.0) * 10.0 * drawing.line_type[1]["max_i_ka"]
        bus = drawing.bus(f"{name}_bus", need.xy)
        cables = math.ceil(mw / (0.9 * rating))
        for k, section in enumerate("AB", 1):
            drawing.line(
                f"LG{len(self.gas_units) + 1}{section}",
                f"{home}{section}",
                bus,
                streets.way(a, b),
                breaker=f"CB_{name}{section}",
                closed=k == 1,
                parallel=cables,
            )
        drawing.tables["sgen"].append({"name": name, "bus": drawing.bus_row[bus], "p_mw": mw, "type": "gas"})
        self.gas_units.append(name)
        self.couplings.append(Coupling(model, need.element, "grid", name, "fuel"))
        self.couplings.append(Coupling("grid", name, model, need.element, "burn"))


def _xy(drawing: Drawing, bus: str) -> list[float]:
    return json.loads(drawing.tables["bus"][drawing.bus_row[bus]]["geo"])["coordinates"]
