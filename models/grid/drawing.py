"""Collects a synthesised network's rows: substations, feeders, ties, their switches and names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.grid.netfile import course, point
from models.grid.streetwise import Kiosk, Streets, halves

Rows = dict[str, list[dict[str, Any]]]


@dataclass
class Ring:
    """Two feeders and the tie between them, by line ids; `heads` are the first lines, at the substation."""

    substation: str
    heads: tuple[str, ...]
    tie: str
    feeders: dict[str, list[str]]


@dataclass
class Drawing:
    """A network as it grows. `line_type` and `trafo_types` are pandapower standard types."""

    streets: Streets
    line_type: tuple[str, dict[str, Any]]
    power_factor: float
    tables: Rows = field(default_factory=lambda: {t: [] for t in ("bus", "load", "sgen", "switch", "ext_grid", "line", "trafo")})
    bus_row: dict[str, int] = field(default_factory=dict)
    by_street: dict[str, list[str]] = field(default_factory=dict)
    kiosk_bus: dict[int, str] = field(default_factory=dict)
    rings: list[Ring] = field(default_factory=list)

    def bus(self, name: str, xy: Sequence[float] | np.ndarray, vn_kv: float = 10.0) -> str:
        """Add a bus."""
        self.bus_row[name] = len(self.tables["bus"])
        self.tables["bus"].append({"name": name, "vn_kv": vn_kv, "geo": point(xy[0], xy[1])})
        return name

    def load(self, bus: str, use: str, mw: float) -> None:
        """Add a load at the network's power factor."""
        mvar = mw * float(np.tan(np.arccos(self.power_factor)))
        row = {"name": f"{use} {bus}", "bus": self.bus_row[bus], "p_mw": round(mw, 6), "q_mvar": round(mvar, 6), "type": use}
        self.tables["load"].append(row)

    def line(
        self, name: str, a: str, b: str, way: tuple[np.ndarray, list[str]], *, breaker: str = "", closed: bool = True, parallel: int = 1
    ) -> None:
        """Add a cable from `a` to `b` with a switch at each end: a circuit breaker named `breaker` at `a`, if given."""
        points, streets = way
        index = len(self.tables["line"])
        metres = float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
        type_name, values = self.line_type
        electric = {key: values[key] for key in ("r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "max_i_ka")}
        self.tables["line"].append({
            "name": name, "std_type": type_name, "from_bus": self.bus_row[a], "to_bus": self.bus_row[b],
            "length_km": round(max(metres, 10.0) / 1000, 6), "parallel": parallel, "geo": course(points), **electric,
        })  # fmt: skip
        for bus, label, kind, shut in (
            (a, breaker or f"S_{name}_{a}", "CB" if breaker else "LBS", True),
            (b, f"S_{name}_{b}", "LBS", closed),
        ):
            row = {"bus": self.bus_row[bus], "element": index, "et": "l", "type": kind, "closed": shut, "name": label}
            self.tables["switch"].append(row)
        for street in streets:
            self.by_street.setdefault(street, []).append(name)

    def substation(self, name: str, xy: np.ndarray, type_name: str, trafo: dict[str, Any]) -> None:
        """Add an infeed, two transformers, two busbar sections and the normally open coupler between them."""
        high = self.bus(f"{name}_110", xy, 110.0)
        low = [self.bus(f"{name}{section}", xy + off) for section, off in (("A", (-15.0, 0.0)), ("B", (15.0, 0.0)))]
        self.tables["ext_grid"].append({"name": f"{name}_infeed", "bus": self.bus_row[high]})
        keys = ("sn_mva", "vn_hv_kv", "vn_lv_kv", "vk_percent", "vkr_percent", "pfe_kw", "i0_percent", "shift_degree", "tap_step_percent")
        for k, section in enumerate(low, 1):
            ends = {"hv_bus": self.bus_row[high], "lv_bus": self.bus_row[section]}
            row = {"name": f"{name}_TR{k}", "std_type": type_name, **ends, **{key: float(trafo[key]) for key in keys}}
            self.tables["trafo"].append(row)
        a, b = (self.bus_row[section] for section in low)
        self.tables["switch"].append({"bus": a, "element": b, "et": "b", "type": "CB", "closed": False, "name": f"{name}_COUPLER"})

    def ring(self, substation: str, home: int, order: Sequence[Kiosk]) -> None:
        """Lay a ring as two feeders, one from each busbar section, with a normally open tie where they meet."""
        number = 2 * len(self.rings) + 1
        first, second = halves(order)
        feeders: dict[str, list[str]] = {}
        ends = []
        for feeder, section, stations in ((number, "A", first), (number + 1, "B", second)):
            at, bus = home, f"{substation}{section}"
            if stations:
                feeders[f"L{feeder}"] = []
            for k, kiosk in enumerate(stations, 1):
                new = self.bus(f"B{len(self.kiosk_bus) + 1}", kiosk.xy)
                self.kiosk_bus[kiosk.node] = new
                for use, mw in sorted(kiosk.load_mw.items()):
                    self.load(new, use, mw)
                name = f"L{feeder}" if k == 1 else f"L{feeder}-{k}"
                self.line(name, bus, new, self.streets.way(at, kiosk.node), breaker=f"CB{feeder}" if k == 1 else "")
                feeders[f"L{feeder}"].append(name)
                at, bus = kiosk.node, new
            ends.append((at, bus))
        tie = f"T{len(self.rings) + 1}"
        (a, bus_a), (b, bus_b) = ends
        self.line(tie, bus_a, bus_b, self.streets.way(a, b), closed=False)
        self.rings.append(Ring(substation, tuple(feeders), tie, feeders))
