"""Writes a laid drainage network as a SWMM input file: one format for each number, so that the same layout is the same bytes."""

from __future__ import annotations

import numpy as np

from models.drainage import layout as plan
from models.drainage.layout import Layout, Station

OPTIONS = """[OPTIONS]
FLOW_UNITS CMS
INFILTRATION HORTON
FLOW_ROUTING DYNWAVE
LINK_OFFSETS DEPTH
ALLOW_PONDING YES
START_DATE 08/16/2014
START_TIME 00:00:00
REPORT_START_DATE 08/16/2014
REPORT_START_TIME 00:00:00
END_DATE 08/17/2014
END_TIME 00:00:00
REPORT_STEP 00:05:00
WET_STEP 00:01:00
DRY_STEP 00:01:00
ROUTING_STEP 5
VARIABLE_STEP 0
INERTIAL_DAMPING PARTIAL
NORMAL_FLOW_LIMITED FROUDE
MAX_TRIALS 8
HEAD_TOLERANCE 0.0015
THREADS 1
"""
OVERLAND_M = 120.0
"""Synthetic: length of overland flow to the gutter; a catchment's width is its area over it."""


def written(net: Layout, title: str) -> str:
    """Return the whole file."""
    parts = [f"[TITLE]\n{title}\n", OPTIONS, *_rain(net), *_nodes(net), *_links(net), *_curves(net), *_map(net)]
    return "\n".join(parts)


def _section(name: str, rows: list[str]) -> str:
    return "\n".join([f"[{name}]", *rows, ""])


def _rain(net: Layout) -> list[str]:
    cells = net.cells
    subcatchments = [
        f"{c.id} G{c.id} {c.node} {c.area_m2 / 1e4:.4f} {100 * c.impervious:.1f} {c.area_m2 / OVERLAND_M:.1f} 0.5 0" for c in cells
    ]
    return [
        _section("RAINGAGES", [f"G{c.id} INTENSITY 0:05 1.0 TIMESERIES dry" for c in cells]),
        _section("SUBCATCHMENTS", [";id gage outlet area_ha impervious width slope curb", *subcatchments]),
        _section("SUBAREAS", [f"{c.id} 0.013 0.15 1.5 5 25 OUTLET" for c in cells]),
        _section("INFILTRATION", [f"{c.id} 50 5 4 7 0" for c in cells]),
    ]


def _nodes(net: Layout) -> list[str]:
    junctions = [
        f"{name} {net.invert_m[name]:.3f} {net.ground_m[name] - net.invert_m[name]:.3f} 0 0 {net.pond_m2[name]:.1f}" for name in net.nodes
    ]
    chamber = plan.RIVER_M - plan.CHAMBER_M / 2
    junctions += [f"H{s.id} {chamber:.3f} {plan.CHAMBER_M:.2f} {plan.RIVER_M - chamber:.3f} 10 0" for s in net.stations]
    wells = [f"W{s.id} {s.bottom_m:.3f} {_depth(net, s):.3f} {plan.OFF_M:.2f} TABULAR POND{s.id} 0 0" for s in net.stations]
    for under in net.underpasses:
        bottom = _dip(net, under.ends) - plan.SUMP_M
        wells.append(f"{under.id} {bottom:.3f} {plan.SUMP_M + plan.DIP_M + 1.0:.2f} 0 TABULAR DIP{under.id} 0 0")
    return [
        _section("JUNCTIONS", [";id invert depth initial surcharge ponded", *junctions]),
        _section("OUTFALLS", [f"O{s.id} {chamber:.3f} FIXED {plan.RIVER_M:.2f} YES" for s in net.stations]),
        _section("STORAGE", wells),
    ]


def _depth(net: Layout, station: Station) -> float:
    return net.ground_m[station.node] + 1.0 - station.bottom_m


def _dip(net: Layout, ends: tuple[str, str]) -> float:
    return min(net.ground_m[end] for end in ends) - plan.DIP_M


def _links(net: Layout) -> list[str]:
    conduits, sections = [], []
    for name, sewer in net.sewers.items():
        top = net.start_m[name] - net.invert_m[name]
        end = net.inlet_m[name] - net.invert_m[sewer.end]
        conduits.append(f"{sewer.id} {name} {sewer.end} {sewer.length_m:.2f} {plan.MANNING_N} {top:.3f} {end:.3f}")
        sections.append(f"{sewer.id} {net.sections[name].text()}")
    pumps, weirs = [], []
    for s in net.stations:
        wide = max(2.0, round(s.pumps_m3_per_s / 2.0, 1))
        conduits += [f"I{s.id} {s.node} W{s.id} 20 {plan.MANNING_N} 0 {net.invert_m[s.node] - s.bottom_m:.3f}"]
        conduits += [f"R{s.id} H{s.id} O{s.id} 60 {plan.MANNING_N} 0 0"]
        sections += [f"I{s.id} RECT_CLOSED {plan.BOX_M} {max(4.0, 2 * wide)} 0 0", f"R{s.id} RECT_CLOSED {plan.BOX_M} {wide} 0 0"]
        for k in range(plan.PUMPS):
            levels = f"{plan.ON_M + k * plan.STEP_M:.2f} {plan.OFF_M + k * 0.1:.2f}"
            pumps.append(f"{s.id}_{k + 1} W{s.id} H{s.id} LIFT{s.id} OFF {levels}")
    for under in net.underpasses:
        for k, end in enumerate(under.ends, 1):
            pumps.append(f"{under.id}_{k} {under.id} {end} LIFT{under.id} OFF {0.9 + 0.3 * k:.2f} {0.2 + 0.1 * k:.2f}")
            crest = net.ground_m[end] - net.invert_m[end] + plan.KERB_M
            weirs.append(f"V{under.id}_{k} {end} {under.id} TRANSVERSE {crest:.3f} 1.8 YES")
            sections.append(f"V{under.id}_{k} RECT_OPEN 0.5 8 0 0")
    return [
        _section("CONDUITS", [";id from to length n in_offset out_offset", *conduits]),
        _section("PUMPS", [";id from to curve status start stop", *pumps]),
        _section("WEIRS", weirs),
        _section("XSECTIONS", sections),
    ]


def _curves(net: Layout) -> list[str]:
    rows = []
    for s in net.stations:
        each = s.pumps_m3_per_s / plan.PUMPS
        rows += _lift(f"LIFT{s.id}", each, s.lift_m)
        rows += [f"POND{s.id} STORAGE 0 {s.pond_m2:.0f}", f"POND{s.id} {_depth(net, s):.3f} {s.pond_m2:.0f}"]
    for under in net.underpasses:
        rows += _lift(f"LIFT{under.id}", under.pump_m3_per_s, plan.DIP_M)
        shape = ((0.0, plan.SUMP_M2), (plan.SUMP_M, plan.SUMP_M2), (plan.SUMP_M + 0.1, plan.DIP_M2))
        shape += ((plan.SUMP_M + plan.DIP_M, plan.RIM_M2), (plan.SUMP_M + plan.DIP_M + 1.0, plan.RIM_M2))
        rows += [f"DIP{under.id}{' STORAGE' if i == 0 else ''} {depth:.2f} {area:.0f}" for i, (depth, area) in enumerate(shape)]
    return [_section("CURVES", rows), _section("TIMESERIES", ["dry 0:00 0", "dry 24:00 0"])]


def _lift(name: str, flow: float, head: float) -> list[str]:
    """Write a falling head-flow curve through the design point, 20 % more at half the head, 70 % at 1.3 times it."""
    points = ((0.5 * head, 1.2 * flow), (head, flow), (1.3 * head, 0.7 * flow))
    return [f"{name}{' PUMP3' if i == 0 else ''} {h:.3f} {q:.4f}" for i, (h, q) in enumerate(points)]


def _map(net: Layout) -> list[str]:
    places: dict[str, np.ndarray] = dict(net.nodes)
    for s in net.stations:
        for name, apart in (("W", (12.0, 0.0)), ("H", (24.0, 0.0)), ("O", (60.0, 20.0))):
            places[f"{name}{s.id}"] = s.xy + np.array(apart)
    places |= {under.id: under.xy for under in net.underpasses}
    rings = [f"{c.id} {x:.1f} {y:.1f}" for c in net.cells for x, y in c.ring]
    vertices = [f"{s.id} {x:.2f} {y:.2f}" for s in net.sewers.values() for x, y in s.course[1:-1]]
    return [
        _section("COORDINATES", [f"{name} {xy[0]:.2f} {xy[1]:.2f}" for name, xy in places.items()]),
        _section("VERTICES", vertices),
        _section("POLYGONS", rings),
    ]
