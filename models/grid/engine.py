"""Power flow: power-grid-model where it can, pandapower as the reference and where generators hold a voltage."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import pandapower as pp
import pandas as pd
from power_grid_model import CalculationMethod, PowerGridModel, initialize_array
from power_grid_model.errors import PowerGridError
from power_grid_model_io.converters import PandaPowerConverter

from models.grid.build import build
from models.grid.network import GridNetwork
from twin.errors import InputError

log = logging.getLogger(__name__)

SHORT_CIRCUIT_VA = 1e20
"""power-grid-model's sources have an impedance; this one is as good as pandapower's ideal ext_grid."""
AGREE_PU = 1e-6
"""The two solvers must agree to this on a file before the fast one is used alone."""
LOAD_KINDS = ("const_power", "const_impedance", "const_current")


class Diverged(Exception):
    """No voltage solution exists (or was found) for these loads."""


@dataclass(frozen=True)
class Demand:
    """What a power flow is asked for. Flags by row; `factor` scales the file's loads; `extra` adds to buses (MW, Mvar)."""

    line_closed: np.ndarray
    trafo_closed: np.ndarray
    switch_closed: np.ndarray
    source_on: np.ndarray
    factor: np.ndarray
    extra_mw: np.ndarray
    extra_mvar: np.ndarray
    gas_mw: np.ndarray

    def same(self, other: Demand | None) -> bool:
        """Say whether nothing differs."""
        return other is not None and all(np.array_equal(a, b) for a, b in zip(vars(self).values(), vars(other).values(), strict=True))


@dataclass(frozen=True)
class Flow:
    """A power flow's results by row. Dead elements are 0, never NaN. Loadings are in percent of the rated current."""

    energized: np.ndarray
    vm_pu: np.ndarray
    served_mw: np.ndarray
    line_mw: np.ndarray
    line_percent: np.ndarray
    trafo_percent: np.ndarray
    source_mw: np.ndarray
    generated_mw: float
    losses_mw: float


class Solver(Protocol):
    """A way to solve a network."""

    name: str
    net: Any
    methods: Sequence[str]
    """Ways to solve, the ordinary one first."""

    def solve(self, demand: Demand, method: str = "") -> Flow:
        """Return the flow by one of `methods` (the first unless named), or raise Diverged."""


class Branches:
    """Which end of each line and transformer is connected, given every switch."""

    def __init__(self, network: GridNetwork) -> None:
        switches = network.switches
        self.groups = []
        for kind, pairs in (("l", network.lines), ("t", network.trafos)):
            at = np.flatnonzero([et == kind for et in switches.et])
            element = switches.element[at]
            second = pairs[element, 1] == switches.bus[at] if len(at) else np.zeros(0, bool)
            self.groups.append((at, element, second))

    def ends(self, demand: Demand) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return (from connected, to connected) for lines, then for transformers."""
        found = []
        for (at, element, second), closed in zip(self.groups, (demand.line_closed, demand.trafo_closed), strict=True):
            start, end = closed.copy(), closed.copy()
            is_open = ~demand.switch_closed[at]
            start[element[is_open & ~second]] = False
            end[element[is_open & second]] = False
            found.append((start, end))
        return found


class PandapowerSolver:
    """Newton-Raphson by `pandapower.runpp` with the pi transformer model, and its other algorithms."""

    name = "pandapower"
    methods = ("newton", "newton from a DC start", "Iwamoto", "backward/forward sweep", "fast decoupled")
    ways: ClassVar[dict[str, dict[str, Any]]] = {
        "newton": {"init": "auto"},
        "newton from a DC start": {"init": "dc", "max_iteration": 50},
        "Iwamoto": {"algorithm": "iwamoto_nr", "init": "dc", "max_iteration": 50},
        "backward/forward sweep": {"algorithm": "bfsw", "init": "flat", "max_iteration": 200},
        "fast decoupled": {"algorithm": "fdbx", "init": "dc", "max_iteration": 200},
    }

    def __init__(self, network: GridNetwork, net: Any) -> None:
        self.network, self.net = network, net
        self.p_mw = net.load.p_mw.to_numpy(float).copy()
        self.q_mvar = net.load.q_mvar.to_numpy(float).copy()
        self.row = pd.Series(np.arange(len(net.bus)), net.bus.index)
        self.gas = net.sgen.index[[unit.sgen for unit in network.gas_units]] if network.gas_units else []

    def _set(self, demand: Demand) -> None:
        net, n = self.net, len(self.net.bus)
        net.line["in_service"] = demand.line_closed
        net.trafo["in_service"] = demand.trafo_closed
        net.switch["closed"] = demand.switch_closed
        net.ext_grid["in_service"] = demand.source_on
        net.load["p_mw"] = np.concatenate([self.p_mw[:-n] * demand.factor, demand.extra_mw])
        net.load["q_mvar"] = np.concatenate([self.q_mvar[:-n] * demand.factor, demand.extra_mvar])
        for index, p_mw in zip(self.gas, demand.gas_mw, strict=True):
            net.sgen.loc[index, ["p_mw", "scaling"]] = p_mw, 1.0

    def solve(self, demand: Demand, method: str = "") -> Flow:
        """Return the flow, or raise Diverged. Islands without an ext_grid are dead."""
        net = self.net
        self._set(demand)
        if not demand.source_on.any():
            return dark(self.network)
        way = self.ways[method or self.methods[0]]
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
                warnings.simplefilter("ignore")
                pp.runpp(net, trafo_model="pi", numba=False, tolerance_mva=1e-8, **way)
        except (pp.LoadflowNotConverged, ArithmeticError, ValueError, RuntimeError) as error:
            if isinstance(error, pp.LoadflowNotConverged) or method not in ("", self.methods[0]):
                raise Diverged(f"{method or self.methods[0]}: {error}") from None
            raise
        served = np.zeros(len(net.bus))
        for table in ("load", "motor", "ward", "xward", "storage", "asymmetric_load"):
            if len(net[table]):
                np.add.at(served, self.row[net[table].bus].to_numpy(), np.nan_to_num(net[f"res_{table}"].p_mw.to_numpy(float)))
        vm = net.res_bus.vm_pu.reindex(net.bus.index).to_numpy(float)
        generated = sum(float(np.nansum(net[f"res_{t}"].p_mw)) for t in ("sgen", "gen", "asymmetric_sgen") if len(net[t]))
        losses = sum(float(np.nansum(net[f"res_{t}"].pl_mw)) for t in ("line", "trafo", "trafo3w", "impedance", "dcline") if len(net[t]))
        losses += float(np.nansum(net.res_shunt.p_mw)) if len(net.shunt) else 0.0
        return Flow(
            energized=np.isfinite(vm) & (vm > 0),
            vm_pu=np.nan_to_num(vm),
            served_mw=served,
            line_mw=np.nan_to_num(net.res_line.p_from_mw.to_numpy(float)),
            line_percent=np.nan_to_num(net.res_line.loading_percent.to_numpy(float)),
            trafo_percent=np.nan_to_num(net.res_trafo.loading_percent.to_numpy(float)),
            source_mw=np.nan_to_num(net.res_ext_grid.p_mw.to_numpy(float)),
            generated_mw=generated,
            losses_mw=losses,
        )


def dark(network: GridNetwork) -> Flow:
    """Return the flow of a network without any source: all zero."""
    n, lines, trafos = len(network.bus_on), len(network.lines), len(network.trafos)
    zero = np.zeros
    return Flow(zero(n, bool), zero(n), zero(n), zero(lines), zero(lines), zero(trafos), zero(len(network.sources)), 0.0, 0.0)


class PgmSolver:
    """Newton-Raphson by power-grid-model; topology and loads are updated in place, only where they moved."""

    name = "power-grid-model"
    methods = ("newton", "iterative current")
    ways: ClassVar[dict[str, tuple[tuple[CalculationMethod, float, int], ...]]] = {
        # to 1e-10 pu, or where rounding forbids it (very short links) to 1e-8
        "newton": ((CalculationMethod.newton_raphson, 1e-10, 20), (CalculationMethod.newton_raphson, 1e-8, 20)),
        "iterative current": ((CalculationMethod.iterative_current, 1e-10, 500), (CalculationMethod.iterative_current, 1e-8, 500)),
    }

    def __init__(self, network: GridNetwork, net: Any) -> None:
        if any(et == "t3" for et in network.switches.et) or len(network.tables["gen"]):
            raise ValueError("power-grid-model has no generators that hold a voltage, and no switches at three-winding transformers")
        self.network, self.net, self.branches = network, net, Branches(network)
        converter = PandaPowerConverter(log_level=logging.CRITICAL)
        with contextlib.redirect_stdout(io.StringIO()) as said, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data, _ = converter.load_input_data(net, make_extra_info=False)
        log.debug("%s", said.getvalue())
        self.data = {str(k.value): v for k, v in data.items() if len(v)}
        self.data["source"]["sk"] = SHORT_CIRCUIT_VA
        self.ids = {key: series.to_numpy() for key, series in converter.idx.items()}
        self._loads(net)
        self.model = PowerGridModel(self.data)
        self.sent: dict[str, np.ndarray] = {}
        self._ratings(net)
        kinds = ("node", "source", "sym_load", "sym_gen", "shunt", "line", "transformer", "three_winding_transformer")
        self._wanted = [kind for kind in kinds if kind in self.data]  # whole rows: a filter of columns costs more than it saves

    def _loads(self, net: Any) -> None:
        """Keep the loads that draw something, and say which file's load (or bus, after them) each belongs to."""
        loads = self.data["sym_load"]
        owner = np.full(len(loads), -1)
        place = {int(id): i for i, id in enumerate(loads["id"])}
        for kind in LOAD_KINDS:
            for i, id in enumerate(self.ids.get(("load", kind), ())):
                owner[place[int(id)]] = i
        n_loads = len(net.load) - len(net.bus)
        constant_power = {int(id) for id in self.ids["load", "const_power"]}
        extra = (owner >= n_loads) & np.isin(loads["id"], list(constant_power))
        keep = extra | ((owner < n_loads) & ((loads["p_specified"] != 0) | (loads["q_specified"] != 0)))
        self.data["sym_load"], self.owner = loads[keep].copy(), owner[keep]
        loads = self.data["sym_load"]
        self.base_p, self.base_q = loads["p_specified"].copy(), loads["q_specified"].copy()
        self.is_file, self.is_extra = (self.owner >= 0) & (self.owner < n_loads), self.owner >= n_loads
        self.file_owner, self.extra_bus = self.owner[self.is_file], self.owner[self.is_extra] - n_loads
        row = {int(id): i for i, id in enumerate(self.ids["bus", None])}
        self.load_bus = np.array([row[int(node)] for node in loads["node"]])

    def _ratings(self, net: Any) -> None:
        line, trafo = net.line, net.trafo
        self.line_a = (line.max_i_ka * line.df * line.parallel * 1e3).to_numpy(float)
        scale = np.sqrt(3.0) / (trafo.sn_mva * trafo.parallel * trafo.df) / 1e3
        self.trafo_from, self.trafo_to = (trafo.vn_hv_kv * scale).to_numpy(float), (trafo.vn_lv_kv * scale).to_numpy(float)

    def _statuses(self, demand: Demand) -> dict[str, tuple[np.ndarray, dict[str, np.ndarray]]]:
        (line_from, line_to), (trafo_from, trafo_to) = self.branches.ends(demand)
        found = {
            "line": (self.ids.get(("line", None)), {"from_status": line_from, "to_status": line_to}),
            "transformer": (self.ids.get(("trafo", None)), {"from_status": trafo_from, "to_status": trafo_to}),
            "source": (self.ids["ext_grid", None], {"status": demand.source_on}),
        }
        ties = self.ids.get(("switch", "b2b_switches"))
        if ties is not None and len(ties):
            closed = demand.switch_closed[[et == "b" for et in self.network.switches.et]]
            found["link"] = (ties, {"from_status": closed, "to_status": closed})
        p, q = self.base_p.copy(), self.base_q.copy()
        p[self.is_file] *= demand.factor[self.file_owner]
        q[self.is_file] *= demand.factor[self.file_owner]
        p[self.is_extra], q[self.is_extra] = demand.extra_mw[self.extra_bus] * 1e6, demand.extra_mvar[self.extra_bus] * 1e6
        found["sym_load"] = (self.data["sym_load"]["id"], {"p_specified": p, "q_specified": q})
        if len(demand.gas_mw):
            gas = self.ids["sgen", None][[unit.sgen for unit in self.network.gas_units]]
            found["sym_gen"] = (gas, {"p_specified": demand.gas_mw * 1e6})
        return {kind: (ids, values) for kind, (ids, values) in found.items() if ids is not None and len(ids)}

    def _update(self, demand: Demand) -> None:
        changes = {}
        for kind, (ids, values) in self._statuses(demand).items():
            update = initialize_array("update", kind, len(ids))
            update["id"] = ids
            for name, value in values.items():
                update[name] = value
            if kind not in self.sent or self.sent[kind].tobytes() != update.tobytes():
                changes[kind] = self.sent[kind] = update
        if changes:
            self.model.update(update_data=changes)

    def _iterate(self, method: str) -> Any:
        """Solve as closely as rounding allows."""
        for calculation, tolerance, most in self.ways[method or self.methods[0]]:
            try:
                return self.model.calculate_power_flow(
                    calculation_method=calculation, error_tolerance=tolerance, max_iterations=most, output_component_types=self._wanted
                )
            except PowerGridError as error:
                why = str(error).splitlines()[0]
        raise Diverged(why)

    def solve(self, demand: Demand, method: str = "") -> Flow:
        """Return the flow, or raise Diverged."""
        if not demand.source_on.any():
            return dark(self.network)
        self._update(demand)
        out = self._iterate(method)
        node, loads, line, trafo = out["node"], out["sym_load"], out.get("line"), out.get("transformer")
        losses = sum(float((part["p_from"] + part["p_to"]).sum()) for part in (line, trafo) if part is not None)
        losses += float(out["shunt"]["p"].sum()) if "shunt" in out else 0.0
        wound = out.get("three_winding_transformer")
        losses += float(sum(wound[f"p_{k}"].sum() for k in (1, 2, 3))) if wound is not None else 0.0
        none = np.zeros(0)
        return Flow(
            energized=node["energized"].astype(bool),
            vm_pu=np.where(node["energized"], node["u_pu"], 0.0),
            served_mw=np.bincount(self.load_bus, loads["p"], len(node)) / 1e6,
            line_mw=line["p_from"] / 1e6 if line is not None else none,
            line_percent=np.maximum(line["i_from"], line["i_to"]) / self.line_a * 100 if line is not None else none,
            trafo_percent=np.maximum(trafo["i_from"] * self.trafo_from, trafo["i_to"] * self.trafo_to) * 100 if trafo is not None else none,
            source_mw=out["source"]["p"] / 1e6,
            generated_mw=float(out["sym_gen"]["p"].sum()) / 1e6 if "sym_gen" in out else 0.0,
            losses_mw=losses / 1e6,
        )


def start(network: GridNetwork, choice: str, first: Demand) -> tuple[Solver, str]:
    """Return the solver and, where it is not the one hoped for, why.

    `choice`: `pgm`, `pandapower`, or `auto`: power-grid-model if it agrees with pandapower on `first`.
    """
    net = build(network)
    if choice == "pandapower":
        return PandapowerSolver(network, net), ""
    try:
        fast = PgmSolver(network, net)
    except (ValueError, NotImplementedError, RuntimeError, KeyError) as error:
        if choice == "pgm":
            raise InputError(
                f"{network.tables.path}: solver 'pgm' cannot take this network ({error}); use 'auto' or 'pandapower'"
            ) from None
        return PandapowerSolver(network, net), str(error)
    if choice == "pgm":
        return fast, ""
    slow = PandapowerSolver(network, net)
    try:
        reference = slow.solve(first).vm_pu
    except Diverged as error:
        return fast, f"pandapower finds no solution to compare with ({error})"
    try:
        apart = float(np.abs(fast.solve(first).vm_pu - reference).max())
    except Diverged as error:
        return slow, f"power-grid-model does not converge on this file ({error})"
    return (fast, "") if apart <= AGREE_PU else (slow, f"the two solvers differ by {apart:.1e} pu on this file")
