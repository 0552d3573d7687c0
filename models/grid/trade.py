"""What a distribution engineer checks before a network is built: voltage band, loading, loss of any feeder or transformer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.grid.build import build
from models.grid.drawing import Ring
from models.grid.engine import Demand, Diverged, Flow, PgmSolver
from models.grid.network import GridNetwork, read_network
from models.grid.topology import Positions, Topology
from twin.errors import InputError
from twin.model import Setup

BAND_PU = (0.95, 1.05)
"""At peak with nothing out of service (EN 50160 allows +-10 %; planners keep half of it)."""
EMERGENCY_PU = 0.93
"""Lowest voltage (GB/T 12325-2008: 10 kV within +-7 %) with a feeder's head or a transformer out of service."""
LOADING_PERCENT = 100.0


@dataclass(frozen=True)
class Findings:
    """The figures found, each the worst over its cases, and where."""

    peak: Flow
    figures: Mapping[str, str]
    wrong: tuple[str, ...]


class Bench:
    """A network on the test bench: solves it with any switch moved."""

    def __init__(self, path: Path, extra_mw: Mapping[str, float]) -> None:
        self.network: GridNetwork = read_network(Setup("grid", {"network": path}, path.parent))
        self.solver = PgmSolver(self.network, build(self.network))
        self.rows = {kind: {id: i for i, id in enumerate(self.network.sets[kind].ids)} for kind in ("bus", "line", "trafo", "switch")}
        self.extra = np.zeros(len(self.network.bus_on))
        for bus, mw in sorted(extra_mw.items()):
            self.extra[self.rows["bus"][bus]] += mw

    def positions(self, opened: Mapping[str, str], closed: Mapping[str, str]) -> Positions:
        """Return switch positions with some elements (id -> kind) opened and some closed."""
        net = self.network
        at = Positions(net.line_on.copy(), net.trafo_on.copy(), net.switches.closed.copy(), net.source_on.copy())
        topology = Topology(net)
        for changes, state in ((opened, False), (closed, True)):
            for id, kind in changes.items():
                row = self.rows[kind][id]
                getattr(at, kind)[row] = state
                if state and kind == "line":
                    at.switch[topology.switches("line", row)] = True
        return at

    def flow(self, opened: Mapping[str, str] | None = None, closed: Mapping[str, str] | None = None, gas: float = 1.0) -> Flow:
        """Solve with elements opened and closed, gas-fired units at `gas` of their rating."""
        at = self.positions(opened or {}, closed or {})
        tan_phi = np.tan(np.arccos(0.95))
        rated = np.array([unit.rated_mw for unit in self.network.gas_units])
        loads = np.ones(len(self.network.tables["load"]))
        return self.solver.solve(Demand(at.line, at.trafo, at.switch, at.source, loads, self.extra, self.extra * tan_phi, rated * gas))


class _Worst:
    """Keeps the extremes over many cases."""

    def __init__(self) -> None:
        self.low, self.low_at, self.line, self.line_at, self.trafo, self.dead = 9.0, "", 0.0, "", 0.0, 0

    def see(self, flow: Flow, case: str) -> None:
        """Take one case into account."""
        live = flow.vm_pu[flow.energized]
        self.dead = max(self.dead, int((~flow.energized).sum()))
        if live.min() < self.low:
            self.low, self.low_at = float(live.min()), case
        if flow.line_percent.max(initial=0.0) > self.line:
            self.line, self.line_at = float(flow.line_percent.max()), case
        self.trafo = max(self.trafo, float(flow.trafo_percent.max(initial=0.0)))


def examine(bench: Bench, rings: list[Ring], substations: list[str]) -> Findings:
    """Solve the peak, the loss of every feeder's head backed over its tie, and the loss of every transformer."""
    wrong: list[str] = []
    try:
        peak, feeders, trafos = _cases(bench, rings, substations)
    except Diverged as error:
        raise InputError(f"the synthesised grid has no power flow ({error}); its load or its feeders are too long") from None
    low, high = float(peak.vm_pu.min()), float(peak.vm_pu.max())
    if not (BAND_PU[0] <= low and high <= BAND_PU[1] + 1e-9):
        wrong.append(f"voltage at peak {low:.3f}-{high:.3f} pu leaves {BAND_PU[0]}-{BAND_PU[1]} pu")
    if peak.line_percent.max() > LOADING_PERCENT or peak.trafo_percent.max() > LOADING_PERCENT:
        wrong.append(f"loading at peak {peak.line_percent.max():.0f} % (cables), {peak.trafo_percent.max():.0f} % (transformers)")
    for worst, what in ((feeders, "a feeder's head lost"), (trafos, "a transformer lost")):
        if worst.dead:
            wrong.append(f"{what}: {worst.dead} buses stay dead with the tie closed")
        if worst.low < EMERGENCY_PU:
            wrong.append(f"{what}: {worst.low:.3f} pu at {worst.low_at} is below {EMERGENCY_PU} pu")
        if worst.line > LOADING_PERCENT or worst.trafo > LOADING_PERCENT:
            wrong.append(f"{what}: cables {worst.line:.0f} % at {worst.line_at}, transformers {worst.trafo:.0f} %")
    full = bench.flow(gas=1.0)
    if bench.network.gas_units and (
        full.vm_pu.max() > BAND_PU[1] or max(full.line_percent.max(), full.trafo_percent.max()) > LOADING_PERCENT
    ):
        wrong.append(f"gas-fired units at full output: {full.vm_pu.max():.3f} pu, cables {full.line_percent.max():.0f} %")
    losses = peak.losses_mw / max(1e-9, float(peak.served_mw.sum()))
    figures = {
        "voltage at peak": f"{low:.3f}-{high:.3f} pu (band {BAND_PU[0]}-{BAND_PU[1]})",
        "loading at peak": f"cables {peak.line_percent.max():.0f} %, transformers {peak.trafo_percent.max():.0f} %",
        "losses at peak": f"{100 * losses:.1f} % of {peak.served_mw.sum():.1f} MW",
        "any feeder's head lost, fed over its tie": f"lowest {feeders.low:.3f} pu ({feeders.low_at}), cables at most {feeders.line:.0f} %",
        "any transformer lost, coupler closed": f"lowest {trafos.low:.3f} pu ({trafos.low_at}), transformers at most {trafos.trafo:.0f} %",
        "gas-fired units at full output": f"highest {full.vm_pu.max():.3f} pu, transformers {full.trafo_percent.max():.0f} %",
        "operated": "radially: every ring open at its tie",
    }
    return Findings(peak, figures, tuple(wrong))


def _cases(bench: Bench, rings: list[Ring], substations: list[str]) -> tuple[Flow, _Worst, _Worst]:
    """Solve all cases without gas-fired units, which may be out just then."""
    peak = bench.flow(gas=0.0)
    feeders, trafos = _Worst(), _Worst()
    for ring in rings:
        for head in ring.heads:
            feeders.see(bench.flow({head: "line"}, {ring.tie: "line"}, gas=0.0), head)
    for name in substations:
        for k in (1, 2):
            trafos.see(bench.flow({f"{name}_TR{k}": "trafo"}, {f"{name}_COUPLER": "switch"}, gas=0.0), f"{name}_TR{k}")
    return peak, feeders, trafos


def tap(bench: Bench, substation: str, target_pu: float, step_percent: float) -> int:
    """Return the change of tap position that brings a substation's busbars nearest `target_pu` at peak, gas-fired units at half output."""
    vm = bench.flow(gas=0.5).vm_pu
    low = np.mean([vm[bench.rows["bus"][f"{substation}{section}"]] for section in "AB"])
    return round(float((low / target_pu - 1.0) * 100.0 / step_percent))
