"""The electricity of a district, adapted to the kernel: ports, verbs, and what happens between power flows."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from models.grid.accounts import accounts
from models.grid.backup import Backup
from models.grid.loads import Loads
from models.grid.network import GridNetwork, read_network
from models.grid.protection import Relay
from models.grid.surface import Surface
from models.grid.switching import Switching
from twin.looks import Looks, SetLook
from twin.model import Account, Setup, Snapshot, action
from twin.ports import At

Line = Annotated[str, At("line")]
Trafo = Annotated[str, At("trafo")]
Switch = Annotated[str, At("switch")]
Bus = Annotated[str, At("bus")]
Venue = Annotated[str, At("venue")]
Infeed = Annotated[str, At("ext_grid")]
Fraction = Annotated[float, Field(ge=0, le=1)]

VENUE_REACH_M = 30.0
"""A venue's backup lights the building it stands in and none beside it."""
SHED_STEP = 0.05
"""Loads are given up in steps of a twentieth where no voltage solution exists, as under-voltage relays do."""
TIME_S = 3600.0
"""Seconds in an hour, between MW and MWh."""


class Grid(Surface):
    """Electricity by power-grid-model and pandapower: switching, faults, overload relays, venues' backup."""

    @classmethod
    def read(cls, setup: Setup) -> GridNetwork:
        """Read and check the network and the tables beside it."""
        return read_network(setup)

    @classmethod
    def demo(cls, folder: Path) -> Setup:
        """Write two feeders with a tie, a venue and a gas-fired unit."""
        from models.grid.demo import write_demo

        return write_demo(folder)

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        net, options = self.network, self.options
        self.backup = Backup(net.venues)
        self.relay = Relay(options.line_pickup, options.line_tms, options.relay_reset)
        self.trafo_relay = Relay(options.trafo_pickup, options.trafo_tms, options.relay_reset)
        self.energy_mwh = np.zeros(4)  # from infeeds, from generators, served, lost
        self.power_mw = np.zeros(4)  # the same, as of the last power flow
        self.good_s, self.is_old = -1, False  # when a power flow was found last, and whether the present one is from then
        self.loads = Loads(net, setup.start, options.profile)
        self.tan_phi = math.tan(math.acos(options.power_factor))
        self.gas_bus = np.array([unit.bus for unit in net.gas_units], int)
        self.gas_rated_mw = np.array([unit.rated_mw for unit in net.gas_units], float)
        self.gas_rated_kg_per_s = np.array([unit.rated_kg_per_s for unit in net.gas_units], float)

    def open(self) -> None:
        """Start the solver, and take the positions of switches from the file."""
        from models.grid import engine
        from models.grid.ladder import Ladder

        net = self.network
        self.switching = Switching(self)
        self.line_closed, self.trafo_closed = net.line_on, net.trafo_on
        self.switch_closed, self.source_on = net.switches.closed, net.source_on
        live = self.switching.live()
        self.was_energized = live
        self.backup.react(live[self.backup.bus], 0)
        self.was_powered = self.backup.powered()
        self._diverged, self._demand_type, self._flow_type = engine.Diverged, engine.Demand, engine.Flow
        self._last: Any = None
        self.solver, self.why_solver = engine.start(net, self.options.solver, self._demand(1.0))
        self.ladder = Ladder.of(net, self.solver)

    @action
    def open_(self, line: Line) -> None:
        """Open `line` at both ends."""
        self.line_closed[self.index("line", line)] = False

    @action
    def close_(self, line: Line) -> None:
        """Close `line` and its switches: a tripped feeder, a normally open tie. Closing onto a fault trips at once."""
        self.switching.close("line", self.index("line", line))

    @action
    def open_switch(self, switch: Switch) -> None:
        """Open one switch or circuit breaker."""
        self.switch_closed[self.index("switch", switch)] = False

    @action
    def close_switch(self, switch: Switch) -> None:
        """Close one switch or circuit breaker. Closing onto a fault trips at once."""
        self.switch_closed[self.index("switch", switch)] = True
        self.switching.clear_faults()

    @action
    def open_trafo(self, trafo: Trafo) -> None:
        """Open a transformer at both sides."""
        self.trafo_closed[self.index("trafo", trafo)] = False

    @action
    def close_trafo(self, trafo: Trafo) -> None:
        """Close a transformer and its switches."""
        self.switching.close("trafo", self.index("trafo", trafo))

    @action
    def rate_trafo(self, trafo: Trafo, factor: Annotated[float, Field(gt=0, le=2)]) -> None:
        """Rate a transformer at `factor` of its nameplate, as hot air demands; relays see the current as before. 1 ends it."""
        self.trafo_rating_factor[self.index("trafo", trafo)] = factor

    @action
    def fault(self, line: Line) -> None:
        """Short-circuit `line`: the breaker that protects it (its feeder's head) trips within this instant."""
        self.faulted[self.index("line", line)] = True
        self.switching.clear_faults()

    @action
    def isolate(self, line: Line) -> None:
        """Open `line` at both ends, so that what lies before and behind it can be supplied again."""
        self.line_closed[self.index("line", line)] = False

    @action
    def repair(self, line: Line) -> None:
        """End the fault on `line`; it stays open until it is closed."""
        self.faulted[self.index("line", line)] = False

    @action
    def restore_normal(self) -> None:
        """Return every switch, line, transformer and infeed to the file's position; faulted lines stay open."""
        self.switching.normal()

    @action
    def lose_infeed(self, infeed: Infeed) -> None:
        """Lose the supply from the grid above at `infeed`."""
        self.source_on[self.index("ext_grid", infeed)] = False

    @action
    def return_infeed(self, infeed: Infeed) -> None:
        """Have the supply from the grid above again at `infeed`."""
        self.source_on[self.index("ext_grid", infeed)] = True
        self.switching.clear_faults()

    @action
    def shed(self, bus: Bus, fraction: Fraction = 1.0) -> None:
        """Disconnect `fraction` of the load at `bus`; 0 connects all of it again."""
        self.bus_kept[self.index("bus", bus)] = 1.0 - fraction

    @action
    def scale_load(self, bus: Bus, factor: Annotated[float, Field(ge=0, le=100)]) -> None:
        """Multiply the network file's load at `bus` by `factor`."""
        self.bus_factor[self.index("bus", bus)] = factor

    @action
    def curtail(self, bus: Bus, share: Fraction) -> None:
        """Have the users at `bus` take `share` less than they want, as agreed (demand response): not unserved; 0 ends it."""
        self.bus_agreed[self.index("bus", bus)] = 1.0 - share

    @action
    def start_generator(self, venue: Venue) -> None:
        """Start a venue's generator by hand, also one whose automatic start failed; it carries after its start time."""
        row = self.index("venue", venue)
        if not self.backup.start(row, self.now_s):
            self.generator_absent(row, why="no generator" if not self.backup.has_generator[row] else "no fuel")

    @action
    def stop_generator(self, venue: Venue) -> None:
        """Stop a venue's generator."""
        self.backup.stop(self.index("venue", venue))

    @action
    def fail_generator(self, venue: Venue) -> None:
        """Break a venue's generator: it stops, and does not start by itself."""
        self.backup.fail(self.index("venue", venue))

    @action
    def keep_on(self, venue: Venue, share: Fraction) -> None:
        """Leave `share` of a venue's load on and switch the rest off by its own board: UPS and fuel last longer; 1 ends it."""
        self.backup.keep(self.index("venue", venue), share)

    def advance(self, until_s: int) -> bool:
        """Move relays, tanks and energies on; what operates before `until_s` acts at its own second."""
        moved = False
        before = self.loads.classes(self.now_s)
        while self.now_s < until_s:
            due = self.next_s()
            step_to = until_s if due is None else min(until_s, due)
            self._integrate(step_to - self.now_s)
            self.now_s = step_to
            if self._operate():
                moved = True
                if step_to < until_s:
                    self.solve()
        return moved or not np.array_equal(before, self.loads.classes(self.now_s))

    def _integrate(self, dt_s: int) -> None:
        hours = dt_s / TIME_S
        self.energy_mwh += hours * self.power_mw
        for row in self.backup.advance(dt_s):
            self.ups_empty(row, happened_s=self.now_s + dt_s)
        if self.options.overload_trips:
            self.relay.advance(self.line_travel, self.loading_percent, dt_s)
            self.trafo_relay.advance(self.trafo_travel, self.trafo_loading_percent, dt_s)

    def _operate(self) -> bool:
        """Let what is due happen; return whether outputs may have moved."""
        changed = self.backup.settle(self.now_s, lambda what, row: getattr(self, what)(row))
        changed |= not np.array_equal(self.backup.powered(), self.was_powered)
        for row in self.relay.operated(self.line_travel).tolist():
            self.line_travel[row], changed = 0.0, True
            self.switching.overloaded(row)
        for row in self.trafo_relay.operated(self.trafo_travel).tolist():
            self.trafo_travel[row], changed = 0.0, True
            self.switching.trip_trafo(row, "overload")
        return changed

    def next_s(self) -> int | None:
        """Return when the first relay, generator, tank or UPS acts if nothing changes."""
        ends = [self.backup.due_s(self.now_s)]
        if self.options.overload_trips:
            for left in (
                self.relay.due_s(self.line_travel, self.loading_percent),
                self.trafo_relay.due_s(self.trafo_travel, self.trafo_loading_percent),
            ):
                ends.append(None if left is None else self.now_s + left)
        known = [end for end in ends if end is not None]
        return min(known) if known else None

    def _factor(self) -> np.ndarray:
        """Return each load's factor before anything is shed: its profile, its bus's scale, and what its users agreed to."""
        return self._wanted() * self.bus_agreed[self.loads.bus]

    def _wanted(self) -> np.ndarray:
        return self.loads.by_profile(self.now_s) * self.bus_factor[self.loads.bus]

    def _demand(self, kept: float) -> Any:
        extra = self.extra_load_mw * self.bus_kept
        np.add.at(extra, self.backup.bus, self.backup.drawn_mw())
        return self._demand_type(
            line_closed=self.line_closed.copy(),
            trafo_closed=self.trafo_closed.copy(),
            switch_closed=self.switch_closed.copy(),
            source_on=self.source_on.copy(),
            factor=self._factor() * self.bus_kept[self.loads.bus] * kept,
            extra_mw=extra * kept,
            extra_mvar=extra * kept * self.tan_phi,
            gas_mw=self.gas_rated_mw * np.clip(self.fuel_fraction, 0.0, 1.0),
        )

    def _solved(self) -> tuple[Any, float, bool]:
        """Return the flow, the share of load kept (less than all of it where no voltage solution exists), and whether it is an old one."""
        asked = self._demand(1.0)
        if self._last is None or not asked.same(self._last[0]):
            self._last = (asked, self._found(asked))
        return self._last[1]  # type: ignore[no-any-return]

    def _found(self, asked: Any) -> tuple[Any, float, bool]:
        """Climb the ladder with all that is asked for, then give loads up; what no share helps is left as it was found last."""
        try:
            return self._good(self.ladder.solve(asked), 1.0)
        except self._diverged as error:
            why = error
        for step in range(1, round(1 / SHED_STEP)):
            kept = round(1.0 - step * SHED_STEP, 6)
            with contextlib.suppress(self._diverged):
                return self._good(self.solver.solve(self._demand(kept)), kept)
        try:
            return self._good(self.ladder.solve(self._demand(0.0)), 0.0)
        except self._diverged:
            if self.good_s < 0:
                raise self.fail(f"no power flow even without any load: {why}") from None
            return self._held(), float(self.all_kept[0]), True

    def _good(self, flow: Any, kept: float) -> tuple[Any, float, bool]:
        self.good_s = self.now_s
        return flow, kept, False

    def _held(self) -> Any:
        """Return the last flow that was found, from what was written of it."""
        _, generated, _, losses = self.power_mw.tolist()
        return self._flow_type(
            energized=self.energized.copy(),
            vm_pu=self.vm_pu.copy(),
            served_mw=self.served_mw.copy(),
            line_mw=self.p_mw.copy(),
            line_percent=self.loading_percent.copy(),
            trafo_percent=self.trafo_loading_percent.copy(),
            source_mw=self.source_mw.copy(),
            generated_mw=generated,
            losses_mw=losses,
        )

    def solve(self) -> None:
        """Write the power flow of this instant; generators that a live bus makes idle hand their load back to it."""
        self._keep_dry()
        while True:
            flow, kept, old = self._solved()
            stopped = self.backup.react(flow.energized[self.backup.bus], self.now_s)
            for row in stopped:
                self.generator_stopped(row)
            if not stopped:
                break
        self.energized, self.vm_pu, self.served_mw = flow.energized, flow.vm_pu, flow.served_mw
        self.loading_percent, self.p_mw, self.trafo_loading_percent = flow.line_percent, flow.line_mw, flow.trafo_percent
        self.trafo_thermal_percent = flow.trafo_percent / self.trafo_rating_factor
        self.source_mw, self.losses_mw = flow.source_mw, flow.losses_mw
        self.unserved_mw = self._unserved(flow.energized, kept)
        agreed = np.bincount(self.loads.bus, self.loads.p_mw * (self._wanted() - self._factor()), len(self.bus_agreed))
        self.curtailed_mw = np.where(flow.energized, agreed, 0.0)
        self.venue_powered, self.venue_fuel_l = self.backup.powered(), self.backup.fuel_l
        live_gas = flow.energized[self.gas_bus]
        self.gas_unit_p_mw = np.where(live_gas, self.gas_rated_mw * np.clip(self.fuel_fraction, 0.0, 1.0), 0.0)
        self.gas_unit_kg_per_s = np.where(live_gas, self.gas_rated_kg_per_s, 0.0)
        self.power_mw = np.array([flow.source_mw.sum(), flow.generated_mw, flow.served_mw.sum(), flow.losses_mw])
        self._tell()
        self._tell_solution(kept, old)

    def _keep_dry(self) -> None:
        """Trip transformers that stand in water; they stay open until somebody closes them on dry ground."""
        wet = self.flood_m >= self.options.trips_above_depth
        for at in np.flatnonzero(wet != self.was_wet).tolist():
            (self.trafo_flooded if wet[at] else self.trafo_drained)(at, depth_m=round(float(self.flood_m[at]), 3))
        self.was_wet = wet
        self.trafo_closed = self.trafo_closed & ~wet

    def _unserved(self, live: np.ndarray, kept: float) -> np.ndarray:
        """Return what each bus asks for and does not get: all of it where it is dead, what is shed elsewhere."""
        asked = np.bincount(self.loads.bus, self.loads.p_mw * self._factor(), len(live)) + self.extra_load_mw
        missing = np.where(live, asked * (1.0 - self.bus_kept * kept), asked)
        backup = self.backup
        share = np.where(backup.live & backup.on_bus(), 1.0 - kept, np.where(backup.powered(), 0.0, 1.0))
        np.add.at(missing, backup.bus, share * backup.load_mw)
        return missing

    def _tell(self) -> None:
        """Report what is now otherwise than when it was last reported."""
        for old, new, down, up in (
            (self.was_energized, self.energized, self.bus_dead, self.bus_restored),
            (self.was_powered, self.venue_powered, self.venue_dark, self.venue_lit),
        ):
            for row in np.flatnonzero(old != new).tolist():
                (up if new[row] else down)(row)
            old[:] = new
        for was, percent, say in (
            (self.was_over, self.loading_percent, self.overload),
            (self.was_over_trafo, self.trafo_thermal_percent, self.trafo_overload),
        ):
            over = percent > 100.0
            for row in np.flatnonzero(over & ~was).tolist():
                say(row, loading_percent=round(float(percent[row]), 1))
            was[:] = over

    def _tell_solution(self, kept: float, old: bool) -> None:
        """Report what was given up to find a solution, and that none was found; the weakest bus is named."""
        if kept != self.all_kept[0]:
            self.all_kept[0] = kept
            self.load_shed(0, kept=kept)
            if kept < 1:
                self.degrade(self._weakest(), f"no voltage solution: {1 - kept:.0%} of all load was shed; this bus is the weakest")
        if old and not self.is_old:
            what = f"no power flow by any of {len(self.ladder.rungs)} methods, even without any load: that of t={self.good_s} s is kept"
            self.degrade(self._weakest(), what)
        self.is_old = old

    def _weakest(self) -> str:
        """Return the live bus with the lowest voltage."""
        if not self.energized.any():
            return ""
        return str(self.elements["bus"].ids[int(np.where(self.energized, self.vm_pu, np.inf).argmin())])

    def save(self) -> Snapshot:
        """Return backup and energies; switches and relays are ports."""
        found = {"good_s": self.good_s, "is_old": self.is_old}
        return {"backup": self.backup.save(), "energy_mwh": self.energy_mwh.copy(), "power_mw": self.power_mw.copy(), **found}

    def load(self, saved: Snapshot) -> None:
        """Take what `save` gave."""
        self.backup.load(saved["backup"])
        self.energy_mwh, self.power_mw = np.array(saved["energy_mwh"]), np.array(saved["power_mw"])
        self.good_s, self.is_old = int(saved["good_s"]), bool(saved["is_old"])
        self._last = None

    def ledger(self) -> list[Account]:
        """Return load and power of now, the energy through the network, and the energy of the venues' backup."""
        return accounts(self)

    def looks(self) -> dict[str, Any]:
        """Return how the network is drawn, voltage levels, and the normally open lines."""
        net = self.network
        normally_open = ~net.line_on
        is_line = np.array([et == "l" for et in net.switches.et], bool)
        normally_open[net.switches.element[is_line & ~net.switches.closed]] = True
        ids = self.elements["line"].ids
        sets = {
            "bus": SetLook("marker", width_m=9.0, height_m=6.0, lights="energized"),
            "line": SetLook("wire", width_m=1.6),
            "trafo": SetLook("marker", width_m=14.0, height_m=9.0),
            "switch": SetLook("marker", shown=False),
            "ext_grid": SetLook("marker", width_m=25.0, height_m=14.0),
            "venue": SetLook("marker", width_m=12.0, height_m=5.0, lights="venue_powered", reach_m=VENUE_REACH_M),
            "gas_unit": SetLook("marker", width_m=20.0, height_m=12.0),
            "network": SetLook("marker", shown=False),
        }
        return Looks(sets, {}).plain() | {
            "vn_kv": [float(v) for v in net.tables["bus"].column("vn_kv")],
            "ties": [ids[i] for i in np.flatnonzero(normally_open).tolist()],
        }
