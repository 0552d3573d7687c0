"""Chooses pipe sizes so that the peak can be carried, also with one city gate out, and says what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from models.gas.engine import Engine, Flow, Switches
from models.gas.network import Network
from twin.errors import InputError, Problem

SIZES_MM = (90.0, 130.8, 163.6, 204.6, 257.8, 290.6, 327.4, 409.2, 512.6)
"""Inner diameters of polyethylene mains, SDR 11, outer 110 to 630 mm (EN 1555-2)."""
FIRST_MM = {"gate": 409.2, "unit": 257.8, "arterial": 257.8, "collector": 163.6, "local": 90.0}
"""Synthetic: sizes that choosing begins with."""

LEAST_BAR = 2.0
"""Gauge pressure at the far end at peak: the lower end of medium pressure A (GB 50028)."""
LEAST_OUT_BAR = 1.0
"""Gauge pressure at the far end at peak with one city gate out, twice what a user needs."""
FASTEST_M_PER_S = 20.0
"""Highest velocity at peak with every gate in or one out (customary limit against noise and erosion)."""

_ROUNDS = 40


@dataclass(frozen=True)
class Sized:
    """Inner diameters by pipe id, and what was checked with the figure found."""

    diameter_mm: Mapping[str, float]
    checks: Mapping[str, str]


@dataclass(frozen=True)
class _Case:
    name: str
    flow: Flow
    least_bar: float
    low_bar: float
    low_at: str


def size(network: Network, rank: Mapping[str, str], peak_factor: float, units_kg_per_s: Mapping[str, float]) -> Sized:
    """Return sizes that pass; InputError with every figure that fails where the largest pipes do not do."""
    engine = Engine(network)
    sinks = network.sets["sink"].ids
    demand = network.demand_kg_per_s * peak_factor + np.array([units_kg_per_s.get(sink, 0.0) for sink in sinks])
    pipes = network.sets["pipe"].ids
    sizes = np.array([SIZES_MM.index(FIRST_MM[rank[pipe]] if pipe in rank else FIRST_MM["gate"]) for pipe in pipes])
    largest = np.full(len(sizes), len(SIZES_MM) - 1)
    problems = list(_failures(_tried(engine, network, demand, largest)))
    if problems:
        raise InputError([Problem(f"gas network refused, even with the largest pipes: {problem}") for problem in problems])
    for _ in range(_ROUNDS):
        cases = _tried(engine, network, demand, sizes)
        wider = _wider(network, cases, sizes)
        if not wider.any():
            break
        sizes = np.minimum(sizes + wider, largest)
    problems = list(_failures(cases))
    if problems:
        raise InputError([Problem(f"gas network refused: {problem}") for problem in problems])
    return Sized({pipe: SIZES_MM[i] for pipe, i in zip(pipes, sizes, strict=True)}, _said(network, cases, demand))


def _tried(engine: Engine, network: Network, demand: np.ndarray, sizes: np.ndarray) -> list[_Case]:
    engine.net.pipe["inner_diameter_mm"] = np.array(SIZES_MM)[sizes]
    return list(_cases(engine, network, demand))


def _cases(engine: Engine, network: Network, demand: np.ndarray) -> Iterator[_Case]:
    """Yield the peak with all gates, and with each out (a case without a solution has pressure 0)."""
    gates = np.flatnonzero(~np.isnan(network.source_bar))
    mains = np.setdiff1d(np.arange(len(network.junction_on)), network.source_at)
    for out in (None, *gates.tolist()):
        on = network.source_on.copy()
        if out is not None:
            on[out] = False
        flow = engine.flow(demand, Switches(network.pipe_on, network.valve_on, on, network.source_bar))
        name = "at peak" if out is None else f"with {network.sets['source'].ids[out]} out"
        if flow is None:
            bar, still = np.zeros(len(network.junction_on)), np.zeros(len(network.pipe_on))
            flow = Flow(bar, still[:0], still, still, np.zeros(len(on)), np.zeros(0, int), bar == 0)
        lowest = int(mains[np.argmin(flow.p_bar[mains])])
        least = LEAST_BAR if out is None else LEAST_OUT_BAR
        yield _Case(name, flow, least, float(flow.p_bar[lowest]), network.sets["junction"].ids[lowest])


def _wider(network: Network, cases: Iterable[_Case], sizes: np.ndarray) -> np.ndarray:
    """Return which pipes take the next size: those too fast, and the steepest tenth where pressure is short."""
    wider = np.zeros(len(sizes), bool)
    for case in cases:
        wider |= np.abs(case.flow.velocity_m_per_s) > FASTEST_M_PER_S
        if case.low_bar < case.least_bar:
            drop = np.abs(case.flow.p_bar[network.pipe_from] - case.flow.p_bar[network.pipe_to])
            wider |= drop >= np.quantile(drop, 0.9)
    return wider & (sizes < len(SIZES_MM) - 1)


def _failures(cases: Iterable[_Case]) -> Iterator[str]:
    for case in cases:
        if case.low_bar < case.least_bar:
            yield f"{case.low_bar:.2f} bar at {case.low_at} {case.name}; at least {case.least_bar:g} bar is needed"
        fastest = float(np.abs(case.flow.velocity_m_per_s).max())
        if fastest > FASTEST_M_PER_S:
            yield f"{fastest:.1f} m/s {case.name}; at most {FASTEST_M_PER_S:g} m/s is allowed"


def _said(network: Network, cases: Iterable[_Case], demand: np.ndarray) -> dict[str, str]:
    said = {"peak demand": f"{demand.sum():.3f} kg/s"}
    for case in cases:
        fastest = int(np.argmax(np.abs(case.flow.velocity_m_per_s)))
        speed = abs(float(case.flow.velocity_m_per_s[fastest]))
        said[f"lowest pressure {case.name}"] = f"{case.low_bar:.2f} bar at {case.low_at} (least {case.least_bar:g})"
        said[f"highest velocity {case.name}"] = f"{speed:.1f} m/s in {network.sets['pipe'].ids[fastest]} (most {FASTEST_M_PER_S:g})"
    return said
