"""Drinking water by EPANET: tanks, pumps, pipes, pressure-driven demand, bursts and the crews that stop them."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from models.water.isolation import segment
from models.water.network import WaterNetwork, read_network
from models.water.record import NOT_SOLVED
from models.water.refused import problems
from twin import model, units
from twin.errors import InputError
from twin.looks import Looks, SetLook
from twin.model import Account, In, Model, Out, Setup, Snapshot, State, action
from twin.ports import At, Notice

if TYPE_CHECKING:
    from models.water.session import Command, Session

Pipe = Annotated[str, At("pipe")]
Pump = Annotated[str, At("pump")]
Valve = Annotated[str, At("valve")]
Junction = Annotated[str, At("junction")]

BAND_M = 2.0
"""A junction's pressure must rise this far above the threshold before it can be low again (and tanks a twentieth of their range)."""
WARNINGS = {
    1: "the hydraulics did not balance",
    2: "the hydraulics balanced only once pumps and valves were kept from switching",
    3: "nodes with demand are cut off",
    4: "a pump is asked for more than its curve gives",
    5: "a control valve cannot hold its setting",
    6: "pressures below zero",
    7: "the hydraulics balanced only less exactly than the file asks",
}
"""EPANET 2.2 toolkit, warning codes of runH, and one of ours."""


class Options(model.Options):
    """The keys of a water stanza."""

    demand_model: Literal["pda", "file"] = "pda"
    """`pda`: demand falls with pressure by Wagner's curve; `file`: as the .inp says."""
    minimum_pressure: units.Quantity("m") = 0.0  # type: ignore[valid-type]
    required_pressure: Annotated[units.Quantity("m"), Field(gt=0.1)] = 20.0  # type: ignore[valid-type]
    """Full demand is served from here up; 20 m serves four storeys (GB 50282: 10 m, 12 m for two, 4 m for each more)."""
    patterns: Literal["clock", "file"] = "clock"
    """`clock`: patterns and clock controls follow the scenario's time of day; `file`: they start as the .inp says."""
    low_pressure: units.Quantity("m") = 15.0  # type: ignore[valid-type]
    low_tank: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """A tank is low below this share of the range of its level."""
    soaks: units.Quantity("m3/s") = 0.001  # type: ignore[valid-type]
    """How much of a leak the ground takes in; the rest reaches the street. Synthetic."""


class Water(Model):
    """Drinking water by EPANET: tanks, pumps, pipes, pressure-driven demand."""

    period_s = 300
    Options = Options
    engines = ("owa-epanet",)
    files = {"network": "EPANET network (.inp)", "valves?": "isolation valves (id,pipe,end with end = start or end)"}

    pump_powered = In(at="pump", dtype=bool, fill=True, wake=True, kind="supply", label="pump has voltage")
    demand_factor = In(at="junction", unit="1", fill=1.0, kind="water_use", label="demand factor")

    pressure_m = Out(at="junction", unit="m", kind="pressure", label="pressure", cmap="viridis", range=(0.0, 60.0))
    head_m = Out(at="junction", unit="m", label="head")
    wanted_m3_per_s = Out(at="junction", unit="m3/s", label="demand wanted")
    served_m3_per_s = Out(at="junction", unit="m3/s", label="demand served")
    is_supplied = Out(at="junction", dtype=bool, label="joined to a source")
    level_m = Out(at="tank", unit="m", label="tank level")
    flow_m3_per_s = Out(at="pipe", unit="m3/s", label="flow", cmap="coolwarm")
    velocity_m_per_s = Out(at="pipe", unit="m/s", label="velocity", range=(0.0, 2.5))
    leak_m3_per_s = Out(at="pipe", unit="m3/s", label="leak", cmap="Blues")
    surface_m3_per_s = Out(at="pipe", unit="m3/s", kind="washout", label="water on the street", cmap="Blues")
    power_mw = Out(at="pump", unit="MW", kind="load", label="electric power")
    pump_flow_m3_per_s = Out(at="pump", unit="m3/s", label="pump flow")
    pump_running = Out(at="pump", dtype=bool, label="pump runs")

    hole_m2 = State(at="pipe", unit="m2", label="effective hole, Cd times area")
    is_shut = State(at="pipe", dtype=bool, label="pipe closed by hand")
    valve_shut = State(at="valve", dtype=bool, label="valve closed by hand")
    pump_stopped_by_hand = State(at="pump", dtype=bool)
    asked_factor = State(at="junction", fill=1.0, label="demand factor set by hand")
    is_low = State(at="junction", dtype=bool)
    was_running = State(at="pump", dtype=bool)
    tank_state = State(at="tank", dtype=int, label="0 filled, 1 low, 2 empty")

    pump_stopped = Notice(at="pump", severity="warning")
    pump_started = Notice(at="pump")
    tank_low = Notice(at="tank", severity="warning")
    tank_empty = Notice(at="tank", severity="alarm")
    tank_recovered = Notice(at="tank")
    pressure_low = Notice(at="junction", severity="warning")
    pressure_restored = Notice(at="junction")
    burst_opened = Notice(at="pipe", severity="alarm")
    isolated = Notice(at="pipe")
    repaired = Notice(at="pipe")
    hydraulics_warned = Notice(severity="warning")

    @classmethod
    def read(cls, setup: Setup) -> WaterNetwork:
        """Read the .inp and the isolation valves without EPANET."""
        return read_network(setup.file("network"), setup.files.get("valves"), setup.offset_m)

    @classmethod
    def demo(cls, folder: Path) -> Setup:
        """Write a works with two pumps, a tank and a loop of six junctions."""
        from models.water.demo import DEMO

        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "water.inp"
        file.write_text(DEMO, encoding="utf-8")
        return Setup("water", {"network": file}, folder / "scratch")

    # -- kernel -------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Start EPANET on a copy of the network."""
        from models.water.engine import EngineError, Terms
        from models.water.session import Session

        self._engine_error = EngineError
        self.setup.scratch.mkdir(parents=True, exist_ok=True)
        copy = self.setup.scratch / "network.inp"
        shutil.copyfile(self.network.file, copy)
        start = self.setup.start
        o = self.options
        terms = Terms(
            pda=(o.minimum_pressure, o.required_pressure) if o.demand_model == "pda" else None,
            clock_s=start.hour * 3600 + start.minute * 60 + start.second if o.patterns == "clock" else None,
        )
        self._pending: list[Command] = []
        self._isolations: dict[str, list[str]] = {}
        self._isolating: list[tuple[str, int]] = []
        self._warned: list[int] = []
        self.session: Session = self._try(Session, self.network, copy, terms)

    def _try(self, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except self._engine_error as error:
            if error.report:
                raise InputError(problems(error.report, self.network.file)) from None
            raise self.fail(str(error), self._named(str(error))) from error

    def _named(self, text: str) -> str:
        """Return the element an EPANET message names, if it does."""
        words = {word.strip("'\".,:") for word in text.split()}
        return next((name for e in self.elements.values() for name in e.ids if name in words), "")

    def advance(self, until_s: int) -> bool:
        """Move tanks to `until_s` under held flows, solving at the seconds EPANET itself would."""
        moved = self._try(self._advance, until_s)
        self.now_s = until_s
        return bool(moved or self.session.moving())

    def _advance(self, until_s: int) -> bool:
        moved = False
        for at_s in self.session.advance(until_s):
            moved = True
            self._watch(at_s)
        return moved

    def solve(self) -> None:
        """Apply what changed since the last solution, if anything, and write every output."""
        commands = self._pending + self._from_inputs()
        self._pending = []
        if commands or not self.session.solved:
            before = self.session.fields.supplied if self.session.solved else np.ones(len(self.is_low), bool)
            first = not self.session.solved and self.now_s == 0
            self._try(self.session.force, self.now_s, commands)
            self._announce(before)
            self._watch(self.now_s, silent=first)
        self._write()

    def next_s(self) -> int | None:
        """Return when EPANET's next solution is due: a step, a tank that fills or empties, a control."""
        return self.session.stop_s if self.session.solved and self.session.stop_s > self.now_s else None

    def _from_inputs(self) -> list[Command]:
        """Return the commands that bring the engine to what inputs and states ask for."""
        session = self.session
        shut = {name for names in self._isolations.values() for name in names}
        off = ~self.pump_powered | self.pump_stopped_by_hand
        for at, mask in (("pipe", self.is_shut), ("valve", self.valve_shut), ("pump", off)):
            shut.update(self.elements[at].ids[i] for i in np.flatnonzero(mask))
        commands: list[Command] = [("hold", name) for name in sorted(shut - set(session.held))]
        commands += [("free", name) for name in sorted(set(session.held) - shut)]
        asked = self.demand_factor * self.asked_factor
        moved = np.flatnonzero(asked != session.factors)
        if moved.size:
            commands.append(("demand", [(int(i), float(asked[i])) for i in moved]))
        holes = {self.elements["pipe"].ids[i]: float(self.hole_m2[i]) for i in np.flatnonzero(self.hole_m2)}
        for pipe in sorted(holes.keys() | session.holes.keys()):
            if holes.get(pipe, 0.0) != session.holes.get(pipe, 0.0):
                commands.append(("hole", pipe, holes.get(pipe, 0.0)))
        return commands

    def _write(self) -> None:
        session, f = self.session, self.session.fields
        n = len(self.network.junctions)
        self.head_m = f.head_m[:n]
        self.pressure_m = f.head_m[:n] - session.elevation_m[:n]
        self.wanted_m3_per_s, self.served_m3_per_s, self.is_supplied = f.wanted_m3_per_s, f.served_m3_per_s, f.supplied
        self.level_m = session.levels_m(self.now_s)
        self.flow_m3_per_s, self.velocity_m_per_s = f.pipe_flow_m3_per_s, f.pipe_velocity_m_per_s
        self.leak_m3_per_s = f.leak_m3_per_s
        self.surface_m3_per_s = np.maximum(0.0, f.leak_m3_per_s - self.options.soaks)
        self.power_mw = np.where(f.pump_on, f.pump_kw / 1000, 0.0)
        self.pump_flow_m3_per_s, self.pump_running = f.pump_flow_m3_per_s, f.pump_on
        for name in ("head_m", "served_m3_per_s", "flow_m3_per_s", "power_mw"):
            if not np.isfinite(self.arrays[name]).all():
                bad = int(np.flatnonzero(~np.isfinite(self.arrays[name]))[0])
                raise self.fail(f"{name} is not a number", self.elements[type(self).ports[name].at].ids[bad])

    # -- notices ------------------------------------------------------------------------------------------------------

    def _watch(self, at_s: int, *, silent: bool = False) -> None:
        """Report what crossed a line at the solution of `at_s`; `silent` only takes the first state."""
        f = self.session.fields
        for i in np.flatnonzero(f.pump_on != self.was_running):
            if not silent:
                (self.pump_started if f.pump_on[i] else self.pump_stopped)(int(i), happened_s=at_s)
        self.was_running = f.pump_on
        self._watch_pressure(at_s, silent)
        self._watch_tanks(at_s, silent)
        codes = sorted({code for _, code in self.session.warnings})
        self.session.warnings = []
        for code in codes:
            if code not in self._warned:
                self.hydraulics_warned(what=WARNINGS.get(code, f"warning {code}"), happened_s=at_s)
                if code in NOT_SOLVED:
                    tried = len(self.session.ladder.tried)
                    self.degrade(self.session.restless, f"{WARNINGS[code]} ({tried} ways tried); this link moved most to the last")
        self._warned = codes

    def _watch_pressure(self, at_s: int, silent: bool) -> None:
        f, n = self.session.fields, len(self.network.junctions)
        pressure = f.head_m[:n] - self.session.elevation_m[:n]
        asked = f.wanted_m3_per_s > 0
        low = np.where(self.is_low, pressure < self.options.low_pressure + BAND_M, pressure < self.options.low_pressure) & asked
        if not silent:
            for i in np.flatnonzero(low & ~self.is_low):
                self.pressure_low(int(i), happened_s=at_s, pressure_m=round(float(pressure[i]), 2))
            for i in np.flatnonzero(self.is_low & ~low & asked):
                self.pressure_restored(int(i), happened_s=at_s, pressure_m=round(float(pressure[i]), 2))
        self.is_low = low

    def _watch_tanks(self, at_s: int, silent: bool) -> None:
        session = self.session
        lowest_m, levels_m = session.tanks.lowest_m, session.levels_m(at_s)
        span = np.maximum(session.tanks.highest_m - lowest_m, 1e-9)
        share = (levels_m - lowest_m) / span
        for i, now in enumerate(share):
            was = int(self.tank_state[i])
            state = 2 if now * span[i] < 0.01 else 1 if now < self.options.low_tank + (0.05 if was else 0.0) else 0
            if was == 2 and state == 1 and now < 0.05:
                state = 2
            if state != was and not silent:
                notice = (self.tank_recovered, self.tank_low, self.tank_empty)[state]
                if state > was or state == 0:
                    notice(i, happened_s=at_s, level_m=round(float(levels_m[i]), 2))
            self.tank_state[i] = state

    def _announce(self, before: np.ndarray) -> None:
        dry = before & ~self.session.fields.supplied
        names = [name for name, is_dry in zip(self.network.junctions, dry, strict=True) if is_dry]
        for pipe, valves in self._isolating:
            self.isolated(self.index("pipe", pipe), valves=valves, unsupplied=", ".join(names), junctions=len(names))
        self._isolating = []

    # -- actions ------------------------------------------------------------------------------------------------------

    @action
    def burst(self, pipe: Pipe, area_m2: Annotated[float, Field(gt=0)], coefficient: Annotated[float, Field(gt=0, le=1)] = 0.6) -> None:
        """Open a hole of `area_m2` at the middle of `pipe`: Q = coefficient x area x sqrt(2 g h), at most both ends of a full break.

        Orifice as an emitter of exponent 1/2 (EPANET 2.2 manual, ch. 3.1); coefficient 0.6 for a sharp edge.
        """
        i = self.index("pipe", pipe)
        area = min(area_m2, 2 * math.pi / 4 * float(self.network.pipes.diameter_m[i]) ** 2)
        self.hole_m2[i] = coefficient * area
        self.burst_opened(i, area_m2=area, coefficient=coefficient)

    @action
    def isolate(self, pipe: Pipe) -> None:
        """Close the smallest set of valves around `pipe`; the notice names the junctions that lose their water."""
        cut = segment(self.network, pipe)
        self._isolations[pipe] = list(cut.links)
        self._isolating.append((pipe, cut.valves))

    @action
    def repair(self, pipe: Pipe) -> None:
        """Mend the hole in `pipe` and reopen what its isolation had closed."""
        self.hole_m2[self.index("pipe", pipe)] = 0.0
        self._isolations.pop(pipe, None)
        self.repaired(self.index("pipe", pipe))

    @action
    def close_pipe(self, pipe: Pipe) -> None:
        """Shut `pipe` until it is opened; the file's controls of it rest meanwhile."""
        self.is_shut[self.index("pipe", pipe)] = True

    @action
    def open_pipe(self, pipe: Pipe) -> None:
        """Open `pipe`, also one that the file starts closed; what an isolation closed stays closed until its repair."""
        self.is_shut[self.index("pipe", pipe)] = False
        self._pending.append(("status", pipe, 1))

    @action
    def close_valve(self, valve: Valve) -> None:
        """Shut a control valve until it is opened."""
        self.valve_shut[self.index("valve", valve)] = True

    @action
    def open_valve(self, valve: Valve) -> None:
        """Give a control valve back its setting."""
        self.valve_shut[self.index("valve", valve)] = False

    @action
    def stop_pump(self, pump: Pump) -> None:
        """Stop `pump` by hand; the file's controls cannot start it until `start_pump`."""
        self.pump_stopped_by_hand[self.index("pump", pump)] = True

    @action
    def start_pump(self, pump: Pump) -> None:
        """Start `pump` (it needs voltage); the file's controls act on it from then on."""
        self.pump_stopped_by_hand[self.index("pump", pump)] = False
        self._pending.append(("start", pump))

    @action
    def set_speed(self, pump: Pump, speed: Annotated[float, Field(gt=0, le=1.5)]) -> None:
        """Run `pump` at `speed` times its rated speed; a pump without voltage takes it on when it comes back."""
        self._pending.append(("setting", pump, speed))

    @action
    def set_demand(self, junction: Junction, factor: Annotated[float, Field(ge=0)]) -> None:
        """Multiply the demand of `junction` by `factor` from now on (a hydrant, a closed school)."""
        self.asked_factor[self.index("junction", junction)] = factor

    # -- state --------------------------------------------------------------------------------------------------------

    def ledger(self) -> list[Account]:
        """Return water in m3: from the reservoirs = served + leaked + spilled + stored, to EPANET's accuracy."""
        volumes, stored = self.session.ledger_at(self.now_s)
        out = volumes.served + volumes.leaked + volumes.spilled
        through = abs(volumes.produced) + out + abs(stored)
        exact = max(self.session.project.accuracy, self.session.error)
        return [Account("water", "m3", volumes.produced, out, stored, tolerance=max(1e-6, exact * through))]

    def save(self) -> Snapshot:
        """Return EPANET's command log since its origin, and what crews have closed."""
        return {
            "session": self.session.save(),
            "isolations": {pipe: list(links) for pipe, links in self._isolations.items()},
            "isolating": [list(one) for one in self._isolating],
            "pending": [list(command) for command in self._pending],
            "warned": list(self._warned),
        }

    def load(self, saved: Snapshot) -> None:
        """Replay the log: the same commands at the same seconds give the same bits."""
        self._isolations = {pipe: list(links) for pipe, links in saved["isolations"].items()}
        self._isolating = [(pipe, valves) for pipe, valves in saved["isolating"]]
        self._pending = [tuple(command) for command in saved["pending"]]
        self._warned = list(saved["warned"])
        self._try(self.session.restore, saved["session"])

    def looks(self) -> dict[str, Any]:
        """Return how pipes and what stands on them are drawn: bores as they are, in metres."""
        sets = {
            "pipe": SetLook("tube", width_m=self.network.pipes.diameter_m.tolist()),
            "junction": SetLook("marker", width_m=2.0, height_m=1.0),
            "tank": SetLook("marker", width_m=18.0, height_m=30.0),
            "reservoir": SetLook("marker", width_m=40.0, height_m=4.0),
            "pump": SetLook("marker", width_m=10.0, height_m=6.0),
            "valve": SetLook("marker", width_m=1.5, height_m=1.0, shown=False),
        }
        return Looks(sets, {}).plain()

    def close(self) -> None:
        """Free EPANET's project."""
        if hasattr(self, "session"):
            self.session.close()
