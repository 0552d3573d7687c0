"""Sizes sewers by the rational method and Manning, then lets SWMM run the design storm and enlarges what runs over."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.drainage.layout import CIRCLES_M, Layout, Section, section_for
from models.drainage.network import read_network
from models.drainage.storm import design_storm, idf_l_per_s_ha

DESIGN_YEARS = 3.0
"""Return period of sewers in the centre of a large city (GB 50014-2021, table 4.1.3: 3 to 5 years for most districts of one)."""
INLET_MIN = 10.0
"""Time of flow to the inlet (GB 50014: 5 to 15 min)."""
STORM_S = 2 * 3600
PUMP_SHARE = 0.4
"""Synthetic: what the pumps of a station lift together, of the design flow of its sewers; its pond takes the rest."""
PEAK_S, POND_RANGE_M = 1500.0, 3.0
"""A pond's first size takes the rest of the design flow for so long, in so much of its height; SWMM decides how much it takes."""
UNDERPASS_YEARS = 30.0
"""GB 50014-2021, table 4.1.5: 20 to 30 years and more for underpasses."""
ROUNDS = 14
CONTINUITY_PERCENT = 1.0


@dataclass
class Findings:
    """What the checks found: figures for the pack, and what must not be."""

    checks: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


@dataclass
class Outcome:
    """The design storm run by SWMM: highest depth in nodes and sewers, time each sewer ran full, and the continuity error."""

    depth_m: np.ndarray
    full_min: np.ndarray
    continuity_percent: float
    ponded: list[str]
    drowned_m: float
    peak_mw: dict[str, float]


def rational(net: Layout) -> dict[str, float]:
    """Return the design flow (m3/s) at each node's sewer and set sections: Q = psi q(P, t1 + t2) F, t2 at full-flow speed."""
    area: dict[str, float] = dict.fromkeys(net.nodes, 0.0)
    minutes: dict[str, float] = dict.fromkeys(net.nodes, INLET_MIN)
    least: dict[str, Section] = {}
    for cell in net.cells:
        if cell.node in area:
            area[cell.node] += cell.runoff_share * cell.area_m2 / 1e4
    flows = {}
    for name in net.order:
        flows[name] = area[name] * idf_l_per_s_ha(DESIGN_YEARS, minutes[name]) / 1000
        sewer = net.sewers.get(name)
        if sewer is None:
            continue
        section = section_for(flows[name], least.get(name, Section(CIRCLES_M[0])))
        net.sections[name] = section
        _, speed = section.full()
        area[sewer.end] += area[name]
        minutes[sewer.end] = max(minutes[sewer.end], minutes[name] + sewer.length_m / speed / 60)
        before = least.get(sewer.end)
        if before is None or before.capacity_m3_per_s < section.capacity_m3_per_s:
            least[sewer.end] = section
    for station in net.stations:
        station.pumps_m3_per_s = round(PUMP_SHARE * flows[station.node], 2)
        station.pond_m2 = round((1 - PUMP_SHARE) * flows[station.node] * PEAK_S / POND_RANGE_M, -1)
    return flows


def size(net: Layout, title: str, scratch: Path) -> tuple[Outcome, dict[str, float]]:
    """Size everything; enlarge sewers that run full and ponds that fill until the design storm passes; the last outcome."""
    flows = rational(net)
    net.level()
    outcome = simulate(net, title, scratch, DESIGN_YEARS)
    for _ in range(ROUNDS):
        if not enlarge(net, outcome):
            break
        net.level()
        outcome = simulate(net, title, scratch, DESIGN_YEARS)
    return outcome, flows


def enlarge(net: Layout, outcome: Outcome) -> bool:
    """Take the next section for sewers that ran full, and larger ponds; True if anything changed."""
    changed = False
    wells = outcome.depth_m[-len(net.stations) :]
    for station, depth in zip(net.stations, wells.tolist(), strict=True):
        if depth > station.inlet_m - 0.3:
            station.pond_m2 = round(station.pond_m2 * 1.4, -1)
            changed = True
    if changed:
        return True  # sewers that back up from a full pond are not too small
    for name, minutes in zip(net.sewers, outcome.full_min, strict=True):
        if minutes > 0:
            net.sections[name] = net.sections[name].larger()
            changed = True
    for name in net.order:
        sewer = net.sewers.get(name)
        below = net.sections.get(sewer.end) if sewer else None
        if sewer and below and below.capacity_m3_per_s < net.sections[name].capacity_m3_per_s:
            net.sections[sewer.end] = net.sections[name]
    return changed


def simulate(net: Layout, title: str, scratch: Path, years: float) -> Outcome:
    """Run a Chicago storm of this return period and what follows it for an hour."""
    from models.drainage.session import Session

    file = scratch / "sized.inp"
    file.write_text(net.text(title), encoding="utf-8", newline="\n")
    network = read_network(file)
    storm = design_storm(years, STORM_S)
    none = np.zeros(len(network.gages))
    session = Session(network, scratch / "swmm", 5, network.wet_s, lambda start_s, end_s: none + storm.mean_mm_per_h(start_s, end_s))
    swmm = session.swmm
    sewers = tuple(sewer.id for sewer in net.sewers.values())
    height = np.array([net.sections[name].height_m for name in net.sewers])
    watched = [network.nodes.index(name) for name in [*net.nodes, *(f"W{s.id}" for s in net.stations)]]
    dips = [network.nodes.index(under.id) for under in net.underpasses]
    depth, full, drowned = np.zeros(len(watched)), np.zeros(len(sewers)), 0.0
    pumps = tuple(pump.id for pump in network.pumps)
    peak = np.zeros(len(pumps))
    try:
        for second in range(60, STORM_S + 3600 + 1, 60):
            session.advance(second)
            depth = np.maximum(depth, swmm.depth_m(watched))
            full += swmm.link_depth_m(sewers) >= 0.999 * height
            drowned = max(drowned, float(swmm.depth_m(dips).max(initial=0.0)))
            head = swmm.depth_m() + network.invert_m
            peak = np.maximum(peak, swmm.flow_m3_per_s(pumps) * np.maximum(0.0, head[swmm.pump_to] - head[swmm.pump_from]))
        gained, lost, flooded, held = swmm.routing_m3()
        stored = swmm.stored_at_start_m3()
    finally:
        session.close()
    over = depth[: len(net.nodes)] > np.array([net.ground_m[n] - net.invert_m[n] for n in net.nodes]) + 0.001
    names = [name for name, is_over in zip(net.nodes, over, strict=True) if is_over]
    return Outcome(
        depth,
        full,
        100 * (gained - lost - flooded - held) / (gained + stored),
        names,
        drowned,
        dict(zip(pumps, peak.tolist(), strict=True)),
    )
