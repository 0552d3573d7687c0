"""Gives mains their bore by the hydraulics of the peak hour, and examines the network as its trade would."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.water import layout as plan
from models.water.engine import Terms
from models.water.layout import Layout
from models.water.network import read_network
from models.water.session import Session
from twin.errors import InputError

BORES_MM = (100, 150, 200, 250, 300, 400, 500, 600, 700, 800, 900, 1000, 1200, 1400)
"""Nominal bores of ductile iron pipe (ISO 2531)."""
SIZING_M_PER_S, SIZING_M_PER_KM = 1.4, 4.0
"""Economic velocity and slope at the peak hour that sizing aims for."""
BAND_M = (20.0, 60.0)
"""Pressure at the peak hour: 20 m serve four storeys, 60 m spare the fittings (GB 55026, GB 50013)."""
LEAST_ONE_OUT_M, MOST_M_PER_S = 15.0, 2.5
RECOVERED_M = 0.3
"""How far below a day before a tank may be at the same hour."""
PEAK_S = 3600 * int(np.argmax(plan.PATTERN))
DAY_S = 86400


@dataclass
class Findings:
    """What the examination found: a failure for each check not met, figures in words, and duty power of pumps in MW."""

    failures: list[str] = field(default_factory=list)
    checks: dict[str, str] = field(default_factory=dict)
    duty_mw: dict[str, float] = field(default_factory=dict)
    length_km: float = 0.0


def size(network: Layout, title: str, scratch: Path) -> None:
    """Fill `network.bores_mm`: from the least bore up, until no main is too fast or too steep at the peak hour."""
    network.bores_mm = {main.id: main.least_mm for main in network.mains}
    for _ in range(60):
        session = _session(network, title, scratch, PEAK_S)
        session.force(0, [])
        speed = session.fields.pipe_velocity_m_per_s
        session.close()
        grown = 0
        for main, v in zip(network.mains, speed.tolist(), strict=True):
            bore = network.bores_mm[main.id]
            # Hazen-Williams in SI: slope = 10.67 Q^1.852 / (C^1.852 d^4.8704)
            q = v * np.pi / 4 * (bore / 1000) ** 2
            slope = 10.67 * (q / plan.ROUGHNESS) ** 1.852 / (bore / 1000) ** 4.8704 * 1000
            if (v > SIZING_M_PER_S or slope > SIZING_M_PER_KM) and bore < BORES_MM[-1]:
                network.bores_mm[main.id] = BORES_MM[BORES_MM.index(bore) + 1]
                grown += 1
        if not grown:
            return
    raise InputError("water: no set of bores brings every main under its economic velocity at the peak hour")


def _session(network: Layout, title: str, scratch: Path, clock_s: int) -> Session:
    file = scratch / "network.inp"
    file.write_text(network.text(title), encoding="utf-8")
    return Session(read_network(file), file, Terms(pda=(0.0, 20.0), clock_s=clock_s))


def examine(network: Layout, title: str, scratch: Path) -> Findings:
    """Run two days, and the peak hour with each pump out; compare with the limits above."""
    found = Findings(length_km=sum(main.length_m for main in network.mains) / 1000)
    _two_days(network, title, scratch, found)
    _pump_out(network, title, scratch, found)
    counted = Counter(network.bores_mm.values())
    found.checks["bores"] = ", ".join(f"DN{bore}: {counted[bore]}" for bore in sorted(counted))
    return found


def _two_days(network: Layout, title: str, scratch: Path, found: Findings) -> None:
    session = _session(network, title, scratch, 0)
    streets = np.array([name in network.demand_l_per_s for name in session.network.junctions])
    session.force(0, [])
    lowest, highest, fastest, short, levels = np.inf, -np.inf, 0.0, 0.0, {}
    power = np.zeros(len(session.network.pumps.ids))
    for hour in range(1, 49):
        for _ in session.advance(hour * 3600):
            f = session.fields
            pressure = f.head_m[: len(streets)] - session.elevation_m[: len(streets)]
            highest = max(highest, float(pressure.max()))
            fastest = max(fastest, float(f.pipe_velocity_m_per_s.max()))
            short = max(short, 1 - float(f.served_m3_per_s.sum() / f.wanted_m3_per_s.sum()))
            power = np.maximum(power, np.where(f.pump_on, f.pump_kw, 0.0))
            if hour * 3600 % DAY_S == PEAK_S:
                lowest = min(lowest, float(pressure[streets].min()))
        levels[hour] = session.levels_m(hour * 3600)
    warned = sorted({code for _, code in session.warnings})
    session.close()
    emptied = min(float((level - plan.TANK_LEVELS_M[1]).min()) for level in levels.values())
    drop = max(float((levels[hour] - levels[hour + 24]).max()) for hour in range(12, 25))
    duty = _duty_mw(network)
    found.duty_mw = {name: max(duty[name], float(kw) / 1000) for name, kw in zip(duty, power, strict=True)}
    for label, ok, figure in (
        ("lowest pressure at peak", lowest >= BAND_M[0], f"{lowest:.1f} m"),
        ("highest pressure", highest <= BAND_M[1], f"{highest:.1f} m"),
        ("highest velocity", fastest <= MOST_M_PER_S, f"{fastest:.2f} m/s"),
        ("demand not served", short <= 1e-6, f"{short:.2%}"),
        ("tanks, least above their lowest level", emptied > 0.1, f"{emptied:.2f} m"),
        ("tanks, lower than a day before", drop <= RECOVERED_M, f"{max(0.0, drop):.2f} m"),
        ("EPANET warnings in two days", not warned, ", ".join(map(str, warned)) or "none"),
    ):
        found.checks[label] = figure
        if not ok:
            found.failures.append(f"{label}: {figure}")


def _duty_mw(network: Layout) -> dict[str, float]:
    """Return each pump's electric power at its duty point: rho g Q H / efficiency."""
    return {
        pump: 9806.65 * s.duty_l_per_s / 1000 * s.duty_m / (plan.EFFICIENCY_PERCENT / 100) / 1e6
        for s in network.stations
        for pump in s.pumps
    }


def _pump_out(network: Layout, title: str, scratch: Path, found: Findings) -> None:
    """Hold each duty pump shut from the peak hour on, for an hour, with tanks at their start level."""
    worst, name = np.inf, ""
    for station in network.stations:
        for pump in station.pumps[: plan.STARTS_SHUT]:
            session = _session(network, title, scratch, PEAK_S)
            streets = np.array([junction in network.demand_l_per_s for junction in session.network.junctions])
            session.force(0, [("hold", pump)])
            for _ in session.advance(3600):
                pressure = session.fields.head_m[: len(streets)] - session.elevation_m[: len(streets)]
                if float(pressure[streets].min()) < worst:
                    worst, name = float(pressure[streets].min()), pump
            session.close()
    found.checks["lowest pressure at peak with one pump out"] = f"{worst:.1f} m ({name})"
    if worst < LEAST_ONE_OUT_M:
        found.failures.append(f"lowest pressure at peak with {name} out: {worst:.1f} m, at least {LEAST_ONE_OUT_M:g} m is needed")
