"""pandapipes: the steady flow of a vetted network under given demands, switch positions and holes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandapipes as pp
import pandas as pd
from pandapipes.pf.pipeflow_setup import PipeflowNotConverged
from pandapipes.properties import fluids

if TYPE_CHECKING:
    from models.gas.netfile import Table
    from models.gas.network import Network

_log = logging.getLogger(__name__)
_TABLES = ("junction", "pipe", "valve", "press_control", "ext_grid", "source", "sink", "compressor", "flow_control")
_NUMBER, _SWITCH = {"loss_coefficient": 0.0, "height_m": 0.0, "scaling": 1.0, "sections": 1}, {"in_service", "control_active", "opened"}
_PRESSURE_BAR, _FLOW_KG_PER_S = 1e-6, 1e-6


@dataclass(frozen=True)
class Switches:
    """What is open, and the pressures set: arrays over pipes, valves and sources."""

    pipe_open: np.ndarray
    valve_open: np.ndarray
    source_open: np.ndarray
    source_bar: np.ndarray

    def same(self, other: Switches | None) -> bool:
        """Return whether nothing differs."""
        return other is not None and all(
            np.array_equal(mine, theirs, equal_nan=True) for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)
        )


@dataclass(frozen=True)
class Flow:
    """A steady state: gauge pressures (bar), flows (kg/s) and velocities; 0 where there is no gas."""

    p_bar: np.ndarray
    leak_bar: np.ndarray
    """(hole,) gauge pressure in the middle of each holed pipe."""
    flow_kg_per_s: np.ndarray
    velocity_m_per_s: np.ndarray
    supply_kg_per_s: np.ndarray
    regulator_mode: np.ndarray
    """(regulator,) 0 holds its pressure, 1 fully open (too little upstream), 2 closed (its side has more pressure)."""
    dry: np.ndarray
    """(junction,) bool: no gas reaches it."""


class Engine:
    """A pandapipes network built from plain data; `flow` solves it, and knows no time."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.holes: tuple[int, ...] = ()
        self.net = self._build()
        self.runs = 0
        self.tried: list[str] = []
        """The attempts of the last solution, in their order."""

    def flow(
        self, demand_kg_per_s: np.ndarray, switches: Switches, holes: tuple[int, ...] = (), leak_kg_per_s: np.ndarray | None = None
    ) -> Flow | None:
        """Return the steady state, or None where the network cannot carry these flows (no solution was found).

        `holes`: pipes (positions, rising) that are split in the middle; `leak_kg_per_s` leaves there.
        """
        if holes != self.holes:
            self.holes = holes
            self.net = self._build()
        leak = np.zeros(len(holes)) if leak_kg_per_s is None else leak_kg_per_s
        self._set(demand_kg_per_s, switches, leak)
        if not (self.net.ext_grid.in_service.to_numpy().any()):
            return self._nothing()
        mode = np.where(self.network.regulator_on, 0, 2)
        if not self._solve(mode):
            closed = self._reversed(mode)
            if np.array_equal(closed, mode) or not self._solve(closed):
                return None
            mode = closed
        for _ in range(2 * len(mode) + 1):
            wanted = self._limited(mode)
            if np.array_equal(wanted, mode):
                break
            mode = wanted
            if not self._solve(mode):
                return None
        return self._read(mode)

    def attempts(self) -> dict[str, dict[str, Any]]:
        """Return the options of every attempt at a solution: Newton's method as the file asks, with patience, and damped.

        pandapipes begins each anew from the nominal pressures; its `automatic` method shortens steps that make things worse.
        """
        options = dict(self.network.options)
        most = int(options.get("max_iter_hyd", 10))
        damped = {**options, "max_iter_hyd": 4 * most, "nonlinear_method": "automatic"}
        return {"as it comes": options, "with patience": {**options, "max_iter_hyd": 4 * most}, "damped": damped}

    def _solve(self, mode: np.ndarray) -> bool:
        """Run pandapipes, one attempt after another; False where none finds a solution."""
        net = self.net
        net.press_control["in_service"] = mode != 2
        net.press_control["control_active"] = (mode == 0) & self._control
        self.tried = []
        for name, attempt in self.attempts().items():
            self.runs += 1
            self.tried.append(name)
            try:
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")
                    pp.pipeflow(net, mode="hydraulics", use_numba=False, **attempt)
            except PipeflowNotConverged:
                continue
            except UserWarning as error:  # a controlled junction without supply
                _log.debug("pandapipes: %s", error)
                return False
            return bool(net.converged)
        return False

    def _limited(self, mode: np.ndarray) -> np.ndarray:
        """Return the regulators' modes after this solution: none lifts pressure, none passes gas backwards."""
        result = self.net.res_press_control
        lift = np.nan_to_num(result.deltap_bar.to_numpy(float))
        back = np.nan_to_num(result.mdot_from_kg_per_s.to_numpy(float)) < -_FLOW_KG_PER_S
        wanted = np.where((mode == 0) & self._control & (lift > _PRESSURE_BAR), 1, mode)
        return np.where(back & (mode != 2), 2, wanted)

    def _reversed(self, mode: np.ndarray) -> np.ndarray:
        """Find regulators whose own side has more pressure than they hold, where pandapipes finds no solution with them.

        Each regulator that has gas is stood in for by a source at its set pressure; those that take gas in are closed.
        """
        net, mode = self.net, mode.copy()
        table, grids, stands = net.press_control, net.ext_grid.copy(), mode == 0
        pressures = np.unique(table.controlled_p_bar.to_numpy()[stands])
        if not len(pressures) or (len(pressures) == 1 and not len(net.source)):
            return mode  # equal pressures around users only: none can be pushed back
        try:
            for _ in range(len(mode)):
                rows = table[stands & (mode == 0)]
                extra = pd.DataFrame(
                    {"junction": rows.controlled_junction, "p_bar": rows.controlled_p_bar, "t_k": 283.15, "in_service": True, "type": "p"}
                )
                net["ext_grid"] = pd.concat([grids, extra.astype(grids.dtypes[extra.columns].to_dict())], ignore_index=True)
                if not self._solve(np.full(len(mode), 2)):
                    return mode
                taken = net.res_ext_grid.mdot_kg_per_s.to_numpy(float)[len(grids) :] > _FLOW_KG_PER_S
                if not taken.any():
                    return mode
                mode[np.flatnonzero(stands & (mode == 0))[taken]] = 2
        finally:
            net["ext_grid"] = grids
        return mode

    def _read(self, mode: np.ndarray) -> Flow:
        net, n, pipes = self.net, len(self.network.junction_on), len(self.network.pipe_on)
        found = net.res_junction.p_bar.to_numpy(float)
        p_bar, dry = np.nan_to_num(found), np.isnan(found[:n])
        flow = np.nan_to_num(net.res_pipe.mdot_from_kg_per_s.to_numpy(float))
        speed = np.nan_to_num(net.res_pipe.v_mean_m_per_s.to_numpy(float))
        for k, pipe in enumerate(self.holes):
            if abs(speed[pipes + k]) > abs(speed[pipe]):
                speed[pipe] = speed[pipes + k]
        grids = -np.nan_to_num(net.res_ext_grid.mdot_kg_per_s.to_numpy(float))
        given = np.nan_to_num(net.res_source.mdot_kg_per_s.to_numpy(float)) if len(net.source) else np.zeros(0)
        return Flow(p_bar[:n], p_bar[n:], flow[:pipes], speed[:pipes], np.concatenate([grids, given]) + 0.0, mode, dry)

    def _nothing(self) -> Flow:
        """Return the state without any source: no gas anywhere."""
        network = self.network
        bar, flow = np.zeros(len(network.junction_on)), np.zeros(len(network.pipe_on))
        mode = np.where(network.regulator_on, 0, 2)
        return Flow(bar, np.zeros(len(self.holes)), flow, flow.copy(), np.zeros(len(network.source_at)), mode, bar == 0)

    def _set(self, demand: np.ndarray, switches: Switches, leak: np.ndarray) -> None:
        net, network = self.net, self.network
        net.sink["mdot_kg_per_s"] = np.concatenate([demand, leak])
        net.pipe["in_service"] = np.concatenate([switches.pipe_open, switches.pipe_open[list(self.holes)]])
        net.valve["opened"] = switches.valve_open
        pressed = ~np.isnan(network.source_bar)
        net.ext_grid["in_service"] = switches.source_open[pressed]
        net.ext_grid["p_bar"] = switches.source_bar[pressed]
        net.source["in_service"] = switches.source_open[~pressed]

    def _build(self) -> Any:
        file = self.network.file
        net = pp.create_empty_network(fluid=_fluid(file.fluid), add_stdtypes=False)
        for name in _TABLES:
            if name in file.tables:
                net[name] = _frame(file.tables[name], net[name])
        net.sink["scaling"], net.sink["in_service"] = 1.0, True
        self._control = net.press_control["control_active"].to_numpy(bool).copy()
        for pipe in self.holes:
            _split(net, pipe)
        return net


def _split(net: Any, position: int) -> None:
    """Part a pipe at half its length by a new junction that has a sink for the leak; valves at its far end move with the new half."""
    label = net.pipe.index[position]
    pipe = net.pipe.loc[label].copy()
    ends = net.junction.loc[[pipe.from_junction, pipe.to_junction]]
    middle, half, sink = (int(net[name].index.max()) + 1 if len(net[name]) else 0 for name in ("junction", "pipe", "sink"))
    mean = {name: float(ends[name].mean()) for name in ("pn_bar", "tfluid_k", "height_m")}
    _append(net, "junction", middle, {**mean, "name": f"leak {label}", "in_service": True, "type": "junction"})
    moved = (net.valve.et == "pi") & (net.valve.element == label) & (net.valve.junction == pipe.to_junction)
    net.valve.loc[moved, "element"] = half
    _append(
        net,
        "pipe",
        half,
        {**pipe.to_dict(), "from_junction": middle, "length_km": pipe.length_km / 2, "loss_coefficient": pipe.loss_coefficient / 2},
    )
    net.pipe.loc[label, "to_junction"] = middle
    net.pipe.loc[label, "length_km"] = pipe.length_km / 2
    net.pipe.loc[label, "loss_coefficient"] = pipe.loss_coefficient / 2
    _append(
        net,
        "sink",
        sink,
        {"name": f"leak {label}", "junction": middle, "mdot_kg_per_s": 0.0, "scaling": 1.0, "in_service": True, "type": "sink"},
    )


def _append(net: Any, name: str, label: int, values: Mapping[str, Any]) -> None:
    table = net[name]
    row = pd.DataFrame({column: [values.get(column)] for column in table.columns}, index=[label]).astype(table.dtypes.to_dict())
    net[name] = pd.concat([table, row]) if len(table) else row


def _frame(table: Table, like: pd.DataFrame) -> pd.DataFrame:
    """Return the columns pandapipes knows, in its types; empty cells take its own defaults."""
    columns = {}
    for name in like.columns:
        values = list(table.columns.get(name, [None] * len(table)))
        default = _NUMBER.get(
            name, True if name in _SWITCH else np.nan if like[name].dtype.kind == "f" else 0 if like[name].dtype.kind in "iu" else None
        )
        columns[name] = pd.Series(
            [default if value is None else value for value in values], index=list(table.index), dtype=like[name].dtype
        )
    return pd.DataFrame(columns, index=list(table.index))


def _fluid(given: Mapping[str, Any]) -> fluids.Fluid:
    kinds = {
        "FluidPropertyConstant": lambda p: fluids.FluidPropertyConstant(p["value"]),
        "FluidPropertyLinear": lambda p: fluids.FluidPropertyLinear(p["slope"], p["offset"]),
        "FluidPropertyInterExtra": lambda p: fluids.FluidPropertyInterExtra(np.array(p["x"], float), np.array(p["y"], float)),
    }
    made = {name: kinds[one["_class"]](one) for name, one in given["properties"].items() if one["_class"] in kinds}
    return fluids.Fluid(given["name"], given["fluid_type"], **made)
