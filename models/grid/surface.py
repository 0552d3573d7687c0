"""The datasheet of electricity: files, ports and notices."""

from __future__ import annotations

from models.grid.options import GridOptions
from twin.model import Model
from twin.ports import In, Notice, Out, State


class Surface(Model):
    """What electricity shows and takes."""

    period_s = 60
    Options = GridOptions
    files = {
        "network": "pandapower network (JSON)",
        "backup?": "venues with UPS and generator (CSV)",
        "gas_units?": "efficiency of gas-fired units (CSV)",
        "profile?": "load factors by hour and class of use (CSV)",
    }
    engines = ("power-grid-model", "power-grid-model-io", "pandapower")

    extra_load_mw = In(at="bus", unit="MW", reduce="sum", wake=True, tol=0.001, kind="load", label="load of other networks")
    flood_m = In(at="trafo", unit="m", wake=True, tol=0.01, kind="flood", label="water standing at the transformer")
    fuel_fraction = In(at="gas_unit", fill=1.0, wake=True, tol=0.001, kind="fuel", label="share of the gas asked for")

    energized = Out(at="bus", dtype=bool, fill=True, kind="supply", label="energised")
    vm_pu = Out(at="bus", unit="pu", label="voltage", cmap="RdYlBu", range=(0.9, 1.05))
    served_mw = Out(at="bus", unit="MW", label="load served")
    unserved_mw = Out(at="bus", unit="MW", label="load not served")
    curtailed_mw = Out(at="bus", unit="MW", label="load given up by agreement")
    loading_percent = Out(at="line", unit="%", label="line loading", cmap="RdYlBu_r", range=(0.0, 120.0))
    p_mw = Out(at="line", unit="MW", label="power into the line")
    trafo_loading_percent = Out(at="trafo", unit="%", label="transformer loading", cmap="RdYlBu_r", range=(0.0, 120.0))
    trafo_thermal_percent = Out(
        at="trafo", unit="%", label="transformer loading of what the air's temperature allows", cmap="RdYlBu_r", range=(0.0, 120.0)
    )
    venue_powered = Out(at="venue", dtype=bool, fill=True, kind="lights", label="venue has power")
    venue_fuel_l = Out(at="venue", unit="l", label="generator fuel")
    gas_unit_p_mw = Out(at="gas_unit", unit="MW", label="output")
    gas_unit_kg_per_s = Out(at="gas_unit", unit="kg/s", kind="burn", label="gas asked for")
    source_mw = Out(at="ext_grid", unit="MW", label="infeed")
    losses_mw = Out(at="network", unit="MW", label="losses")

    line_closed = State(at="line", dtype=bool, fill=True)
    trafo_closed = State(at="trafo", dtype=bool, fill=True)
    switch_closed = State(at="switch", dtype=bool, fill=True)
    source_on = State(at="ext_grid", dtype=bool, fill=True)
    faulted = State(at="line", dtype=bool)
    bus_factor = State(at="bus", fill=1.0)
    bus_kept = State(at="bus", fill=1.0)
    bus_agreed = State(at="bus", fill=1.0)
    line_travel = State(at="line")
    trafo_travel = State(at="trafo")
    trafo_rating_factor = State(at="trafo", fill=1.0)
    was_wet = State(at="trafo", dtype=bool)
    all_kept = State(at="network", fill=1.0)
    was_energized = State(at="bus", dtype=bool, fill=True)
    was_powered = State(at="venue", dtype=bool, fill=True)
    was_over = State(at="line", dtype=bool)
    was_over_trafo = State(at="trafo", dtype=bool)

    line_tripped = Notice(at="line", severity="warning")
    trafo_tripped = Notice(at="trafo", severity="warning")
    trafo_flooded = Notice(at="trafo", severity="alarm")
    trafo_drained = Notice(at="trafo")
    breaker_tripped = Notice(at="switch", severity="warning")
    bus_dead = Notice(at="bus", severity="warning")
    bus_restored = Notice(at="bus")
    overload = Notice(at="line", severity="warning")
    trafo_overload = Notice(at="trafo", severity="warning")
    generator_started = Notice(at="venue")
    generator_stopped = Notice(at="venue")
    generator_absent = Notice(at="venue", severity="warning")
    fuel_empty = Notice(at="venue", severity="warning")
    ups_empty = Notice(at="venue", severity="warning")
    venue_dark = Notice(at="venue", severity="warning")
    venue_lit = Notice(at="venue")
    load_shed = Notice(at="network", severity="warning")
