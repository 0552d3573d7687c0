"""What a gas network shows and takes: options, ports, notices, and the verbs that set its switches."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from models.gas.network import Network
from models.gas.topology import Supply, Topology
from twin.model import Model, Options, action
from twin.ports import At, In, Notice, Out, State
from twin.units import Quantity

Pipe = Annotated[str, At("pipe")]
Valve = Annotated[str, At("valve")]
Source = Annotated[str, At("source")]
Sink = Annotated[str, At("sink")]


class GasOptions(Options):
    """The gas stanza of a scenario.

    `profile`: demand as the file has it (`flat`), by synthetic hourly factors (`daily`), or by the pack's
    profile file (`file`: `hour,factor` rows). `min_pressure`: gauge pressure a user needs at least where the network's
    sink table has no `min_p_bar`. `heat_capacity_ratio`: of the gas, for outflow through holes (methane 1.31).
    """

    profile: Literal["flat", "daily", "file"] = "flat"
    min_pressure: Annotated[Quantity("bar"), Field(ge=0)] = 0.0
    heat_capacity_ratio: Annotated[float, Field(gt=1, lt=2)] = 1.31


class Surface(Model):
    """The datasheet of `Gas`: pressures are gauge (bar), flows are mass (kg/s)."""

    period_s = 60
    Options = GasOptions
    files = {"network": "gas network saved by pandapipes (JSON)", "profile?": "hourly demand factors (CSV: hour,factor)"}
    engines = ("pandapipes", "pandapower")

    extra_demand_kg_per_s = In(at="sink", unit="kg/s", reduce="sum", wake=True, tol=1e-4, kind="burn", label="demand of gas-fired units")
    demand_factor = In(at="sink", fill=1.0, label="demand factor")

    p_bar = Out(at="junction", unit="bar", label="pressure", cmap="viridis")
    flow_kg_per_s = Out(at="pipe", unit="kg/s", label="flow", cmap="cividis")
    velocity_m_per_s = Out(at="pipe", unit="m/s", label="velocity", cmap="magma", range=(0.0, 20.0))
    leak_kg_per_s = Out(at="pipe", unit="kg/s", kind="leak", label="leak", cmap="Reds")
    served_kg_per_s = Out(at="sink", unit="kg/s", label="served")
    served_fraction = Out(at="sink", kind="fuel", fill=1.0, label="share of demand served", cmap="RdYlBu", range=(0.0, 1.0))
    supply_kg_per_s = Out(at="source", unit="kg/s", label="supply")

    hole_m2 = State(at="pipe", unit="m2")
    discharge = State(at="pipe", fill=1.0)
    pipe_open = State(at="pipe", dtype=bool)
    valve_open = State(at="valve", dtype=bool)
    source_open = State(at="source", dtype=bool)
    set_bar = State(at="source", unit="bar")
    turned_off = State(at="sink", dtype=bool)
    held_bar = State(at="pipe", unit="bar")
    """Absolute pressure in each pipe, as last fed or as it empties."""
    without = State(at="sink", dtype=bool)
    cut_short = State(at="sink", dtype=bool)
    regulator_mode = State(at="regulator", dtype=int)

    leak_opened = Notice(at="pipe", severity="warning")
    leak_repaired = Notice(at="pipe")
    isolated = Notice(at="pipe", severity="warning")
    emptied = Notice(at="pipe")
    supply_lost = Notice(at="sink", severity="warning")
    supply_back = Notice(at="sink")
    shed_for_pressure = Notice(at="sink", severity="warning")
    shed_ended = Notice(at="sink")
    regulator_open = Notice(at="regulator", severity="warning")
    regulator_closed = Notice(at="regulator", severity="warning")
    regulator_holds = Notice(at="regulator")
    refused = Notice(at="source", severity="warning")

    network: Network
    topology: Topology
    _supply: tuple[tuple[np.ndarray, ...], Supply] | None = None

    @action
    def leak(self, pipe: Pipe, area_m2: Annotated[float, Field(gt=0, le=1)], discharge: Annotated[float, Field(gt=0, le=1)] = 1.0) -> None:
        """Open a hole of `area_m2` in the middle of `pipe` (HJ 169-2018 F.1.2; discharge 1.0 round, 0.95 triangle, 0.90 slit)."""
        i = self.index("pipe", pipe)
        self.hole_m2[i], self.discharge[i] = area_m2, discharge
        self.leak_opened(i, area_m2=area_m2)

    @action
    def repair(self, pipe: Pipe) -> None:
        """Close the hole in `pipe`; valves stay as they are."""
        i = self.index("pipe", pipe)
        self.hole_m2[i] = 0.0
        self.leak_repaired(i)

    @action
    def isolate(self, pipe: Pipe) -> None:
        """Close the valves around `pipe`; where no valves part it from every source and regulator, squeeze it off at both ends."""
        i = self.index("pipe", pipe)
        before = self.supplied_sinks()
        section = self.topology.section(i)
        if section.bounded:
            self.valve_open[list(section.valves)] = False
            how = "valves " + ", ".join(self.elements["valve"].ids[v] for v in section.valves)
        else:
            self.pipe_open[i] = False
            how = "squeezed off at both ends"
        lost = np.flatnonzero(before & ~self.supplied_sinks())
        names = ", ".join(self.elements["sink"].ids[k] for k in lost)
        self.isolated(i, how=how, users=len(lost), unsupplied=names or "nobody")

    @action
    def close_valve(self, valve: Valve) -> None:
        """Close a valve."""
        self.valve_open[self.index("valve", valve)] = False

    @action
    def open_valve(self, valve: Valve) -> None:
        """Open a valve."""
        self.valve_open[self.index("valve", valve)] = True

    @action
    def close_pipe(self, pipe: Pipe) -> None:
        """Take a pipe out at both ends."""
        self.pipe_open[self.index("pipe", pipe)] = False

    @action
    def open_pipe(self, pipe: Pipe) -> None:
        """Put a pipe back."""
        self.pipe_open[self.index("pipe", pipe)] = True

    @action
    def shed(self, sink: Sink) -> None:
        """Turn a user off."""
        self.turned_off[self.index("sink", sink)] = True

    @action
    def reconnect(self, sink: Sink) -> None:
        """Turn a user on again."""
        self.turned_off[self.index("sink", sink)] = False

    @action
    def close_source(self, source: Source) -> None:
        """Take a city gate or source out."""
        self.source_open[self.index("source", source)] = False

    @action
    def open_source(self, source: Source) -> None:
        """Put a city gate or source back."""
        self.source_open[self.index("source", source)] = True

    @action
    def set_source_pressure(self, source: Source, pressure_bar: Annotated[float, Field(ge=0, le=100)]) -> None:
        """Set the gauge pressure a city gate holds; a source of fixed flow has none to set and says so."""
        i = self.index("source", source)
        if np.isnan(self.network.source_bar[i]):
            self.refused(i, why="a source of fixed flow holds no pressure")
        else:
            self.set_bar[i] = pressure_bar

    # time

    def supply(self) -> Supply:
        """Return what hangs together and what a source reaches under the present switches."""
        key = (self.pipe_open.copy(), self.valve_open.copy(), self.source_open.copy())
        if self._supply is None or not same(self._supply[0], key):
            self._supply = key, self.topology.supply(*key)
        return self._supply[1]

    def supplied_sinks(self) -> np.ndarray:
        """Return (sink,) bool: a source reaches it."""
        return self.supply().junction_supplied[self.network.sink_at]


def same(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> bool:
    """Return whether the arrays of two tuples are equal, NaN with NaN."""
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(one, other, strict=True))
