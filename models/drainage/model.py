"""Storm drainage by SWMM: rain on catchments, sewers, pumping stations that need power, water on streets and in underpasses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from models.drainage.network import DrainageNetwork, Surfaces, read_network
from models.drainage.rain import base_rain, read_rain
from models.drainage.refused import problems
from models.drainage.storm import WARNINGS
from twin import model, units
from twin.errors import InputError
from twin.looks import Looks, SetLook
from twin.model import Account, In, Model, Out, Setup, Snapshot, State, action
from twin.ports import At, Notice

if TYPE_CHECKING:
    from models.drainage.session import Command, Session

Conduit = Annotated[str, At("conduit")]
Pump = Annotated[str, At("pump")]
Node = Annotated[str, At("node")]
Outfall = Annotated[str, At("outfall")]
Catchment = Annotated[str, At("catchment")]

RHO_G_MN_PER_M3 = 998.0 * 9.80665 / 1e6
"""Weight of water at 20 degrees C, MN/m3: a pump draws Q H times this over its efficiency, in MW."""
OVER_M = 0.01
"""A manhole overflows from this depth on the ground, and no longer below a tenth of it."""
DRAINED_SHARE = 0.5
"""A street is free again when its water is below this share of the depth that made it flooded."""
POOR_PERCENT, FEW_M3 = 10.0, 2000.0
"""Above this continuity error SWMM's manual (user's manual 5.2, ch. 11) calls results questionable; not judged on less water."""


class Options(model.Options):
    """The keys of a drainage stanza."""

    rain: Literal["file", "none", "series", "design", "blue", "yellow", "orange", "red"] = "file"
    """`file`: as the .inp says; `series`: the pack's file `rain`; `design`: a Chicago storm of `return_years` and `storm_lasts` by
    Nanjing's formula (synthetic); a warning level: 50 mm in 12, 6 or 3 h, 100 mm in 3 h, as a Chicago storm; `none`: dry."""
    return_years: Annotated[float, Field(ge=0.25, le=200)] = 3.0
    storm_lasts: Annotated[units.Seconds, Field(ge=600)] = 7200
    storm_from: units.Seconds = 0
    """When the design storm begins, after the start."""
    step: Annotated[units.Seconds, Field(ge=1, le=60)] = 5
    """SWMM's routing step, fixed: what happens between two steps acts from the next one on."""
    alarm_depth: Annotated[units.Quantity("m"), Field(gt=0)] = 0.15  # type: ignore[valid-type]
    """A street is flooded from this depth (a car's exhaust stands some 0.2 m high)."""
    pump_efficiency: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Wire to water. Synthetic."""


class Drainage(Model):
    """Storm drainage by SWMM: dynamic waves in sewers, ponding on streets, pumps that need power."""

    period_s = 60
    host = "process"
    Options = Options
    engines = ("swmm-toolkit",)
    files: ClassVar[dict[str, str]] = {
        "network": "SWMM network (.inp)",
        "surfaces?": "which street or underpass stands on which node (id,kind,node,road_m,path)",
        "rain?": "rain in steps (minute,all or minute,<gages>; mm/h held until the next line)",
    }

    pump_powered = In(at="pump", dtype=bool, fill=True, wake=True, kind="supply", label="pump has voltage")
    washout_m3_per_s = In(at="node", unit="m3/s", reduce="sum", kind="washout", label="water from burst mains")

    depth_m = Out(at="street", unit="m", kind="flood", label="water on the street", cmap="Blues", range=(0.0, 0.6))
    underpass_m = Out(at="underpass", unit="m", label="water in the underpass", cmap="Blues", range=(0.0, 2.0))
    level_m = Out(at="node", unit="m", label="water above the invert", cmap="viridis", range=(0.0, 6.0))
    ponded_m = Out(at="node", unit="m", label="water above the ground", cmap="Blues", range=(0.0, 0.6))
    filling = Out(at="conduit", label="share of the height that is full", cmap="Purples", range=(0.0, 1.0))
    flow_m3_per_s = Out(at="conduit", unit="m3/s", label="flow", cmap="coolwarm")
    pump_flow_m3_per_s = Out(at="pump", unit="m3/s", label="pump flow")
    pump_running = Out(at="pump", dtype=bool, label="pump runs")
    pump_ready = Out(at="pump", dtype=bool, fill=True, label="pump can run: voltage, and not stopped by hand")
    power_mw = Out(at="pump", unit="MW", kind="load", label="electric power")
    rain_mm_per_h = Out(at="catchment", unit="mm/h", label="rain", cmap="Blues", range=(0.0, 120.0))
    runoff_m3_per_s = Out(at="catchment", unit="m3/s", label="runoff", cmap="Blues")
    outflow_m3_per_s = Out(at="outfall", unit="m3/s", label="outflow")
    flooded = Out(at="network", label="flooded streets")
    on_streets_m3 = Out(at="network", unit="m3", label="water standing on streets")
    continuity_percent = Out(at="network", unit="%", label="routing continuity error")

    may_run = State(at="pump", dtype=bool, fill=True)
    stopped_by_hand = State(at="pump", dtype=bool)
    is_blocked = State(at="conduit", dtype=bool)
    gate_shut = State(at="outfall", dtype=bool)
    let_in_m3_per_s = State(at="node", unit="m3/s")
    is_flooded = State(at="street", dtype=bool)
    is_drowned = State(at="underpass", dtype=bool)
    overflows = State(at="node", dtype=bool)
    poor = State(at="network", dtype=bool)

    pump_stopped = Notice(at="pump", severity="warning")
    pump_back = Notice(at="pump")
    street_flooded = Notice(at="street", severity="warning")
    street_drained = Notice(at="street")
    underpass_flooded = Notice(at="underpass", severity="alarm")
    underpass_drained = Notice(at="underpass")
    manhole_overflows = Notice(at="node", severity="debug")

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.network: DrainageNetwork
        if self.options.rain == "series":
            self._series = read_rain(setup.file("rain"), self.network.gages)
        if self.options.step > self.period_s or self.network.wet_s % self.options.step:
            raise InputError(
                f"models.{setup.name}.step: {self.options.step} s must divide the file's WET_STEP of {self.network.wet_s} s "
                f"and be no longer than the model's period of {self.period_s} s"
            )

    @classmethod
    def read(cls, setup: Setup) -> DrainageNetwork:
        """Read the .inp and the surfaces without SWMM."""
        return read_network(setup.file("network"), setup.files.get("surfaces"), setup.offset_m)

    @classmethod
    def demo(cls, folder: Path) -> Setup:
        """Write four manholes, a wet well below the river, an underpass, and a shower."""
        from models.drainage.demo import DEMO, SURFACES

        folder.mkdir(parents=True, exist_ok=True)
        (folder / "drainage.inp").write_text(DEMO, encoding="utf-8")
        (folder / "surfaces.csv").write_text(SURFACES, encoding="utf-8")
        files = {"network": folder / "drainage.inp", "surfaces": folder / "surfaces.csv"}
        return Setup("drainage", files, folder / "scratch")

    # -- kernel -------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Start SWMM on a copy of the network."""
        from models.drainage.engine import EngineError
        from models.drainage.session import Session

        self._engine_error = EngineError
        rain = base_rain(self.options, self.network, getattr(self, "_series", None))
        self.session: Session = self._try(Session, self.network, self.setup.scratch, self.options.step, self.network.wet_s, rain)

    def _try(self, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except self._engine_error as error:
            if error.report and self.now_s == 0 and (found := problems(error.report, self.network.file)):
                raise InputError(found) from None
            known = {*self.network.nodes, *self.network.links, *self.network.catchments}
            element = next((word for word in str(error).replace(",", " ").rstrip(".").split() if word in known), "")
            raise self.fail(str(error), element) from error

    def advance(self, until_s: int) -> bool:
        """Route whole steps up to `until_s`."""
        moved = self._try(self.session.advance, until_s)
        self.now_s = until_s
        return bool(moved)

    def solve(self) -> None:
        """Pass on what inputs ask for, and write every output as SWMM's last step left it."""
        self._from_inputs()
        self._write()
        self._watch()

    def _order(self, *command: Any) -> None:
        taken: Command = command
        self.session.order(self.now_s, taken)

    def _from_inputs(self) -> None:
        may_run = self.pump_powered & ~self.stopped_by_hand
        for i in np.flatnonzero(may_run != self.may_run).tolist():
            self._order("pump", i, bool(may_run[i]))
            if may_run[i]:
                self.pump_back(i)
            else:
                self.pump_stopped(i, cause="order" if self.stopped_by_hand[i] else "no voltage")
        self.may_run = may_run
        for i in np.flatnonzero(self.washout_m3_per_s != self.let_in_m3_per_s).tolist():
            self._order("inflow", i, float(self.washout_m3_per_s[i]))
        self.let_in_m3_per_s = self.washout_m3_per_s

    def _write(self) -> None:
        session, swmm, n = self.session, self.session.swmm, self.network
        depth = swmm.depth_m()
        if not np.isfinite(depth).all():
            raise self.fail("its depth of water is no number: SWMM's routing broke down", n.nodes[int(np.argmin(np.isfinite(depth)))])
        above = np.maximum(0.0, depth - n.full_m)
        above[n.no_street] = 0.0
        kept = np.divide(session.kept_m3, n.ponded_m2, out=np.zeros_like(depth), where=n.ponded_m2 > 0)
        self.level_m, self.ponded_m = depth, above + kept
        self.depth_m = standing(n.streets, depth, kept)
        self.underpass_m = standing(n.underpasses, depth, kept)
        self.flow_m3_per_s = swmm.flow_m3_per_s(n.conduits)
        self.filling = np.minimum(1.0, swmm.link_depth_m(n.conduits) / n.height_m)
        pumps = tuple(pump.id for pump in n.pumps)
        running = (session.setting > 0) & self.may_run
        flow = np.where(running, swmm.flow_m3_per_s(pumps), 0.0)
        head = depth + n.invert_m
        lift = np.maximum(0.0, head[swmm.pump_to] - head[swmm.pump_from])
        self.pump_flow_m3_per_s, self.pump_running, self.pump_ready = flow, running, self.may_run
        self.power_mw = RHO_G_MN_PER_M3 * flow * lift / self.options.pump_efficiency
        self.rain_mm_per_h, self.runoff_m3_per_s = swmm.rain_mm_per_h(), swmm.runoff_m3_per_s()
        self.outflow_m3_per_s = swmm.inflow_m3_per_s(n.outfall_at)
        self.flooded = float((self.depth_m >= self.options.alarm_depth).sum())
        self.on_streets_m3 = float((self.ponded_m * n.ponded_m2).sum())
        gained, lost, flooded, held = swmm.routing_m3()
        through = gained + swmm.stored_at_start_m3()
        self.continuity_percent = 100.0 * (gained - lost - flooded - held) / through if through > FEW_M3 else 0.0

    def _watch(self) -> None:
        """Report what crossed a line, and say so when SWMM's continuity is poor."""
        alarm = self.options.alarm_depth
        wet = np.where(self.is_flooded, self.depth_m >= DRAINED_SHARE * alarm, self.depth_m >= alarm)
        for i in np.flatnonzero(wet != self.is_flooded).tolist():
            (self.street_flooded if wet[i] else self.street_drained)(i, depth_m=round(float(self.depth_m[i]), 3))
        self.is_flooded = wet
        wet = np.where(self.is_drowned, self.underpass_m >= DRAINED_SHARE * alarm, self.underpass_m >= alarm)
        for i in np.flatnonzero(wet != self.is_drowned).tolist():
            (self.underpass_flooded if wet[i] else self.underpass_drained)(i, depth_m=round(float(self.underpass_m[i]), 3))
        self.is_drowned = wet
        over = np.where(self.overflows, self.ponded_m > 0.1 * OVER_M, self.ponded_m > OVER_M)
        for i in np.flatnonzero(over & ~self.overflows).tolist():
            self.manhole_overflows(i)
        self.overflows = over
        if not self.poor[0] and abs(float(self.continuity_percent[0])) > POOR_PERCENT:
            self.poor = True
            self.degrade("", f"SWMM's routing continuity error is {float(self.continuity_percent[0]):.1f} %: its volumes are questionable")

    # -- actions ------------------------------------------------------------------------------------------------------

    @action
    def scale_rain(self, factor: Annotated[float, Field(ge=0, le=20)]) -> None:
        """Multiply all rain by `factor` from now on; 1 restores it."""
        self._order("scale", factor)

    @action
    def start_storm(self, depth_mm: Annotated[float, Field(gt=0, le=1000)], duration_s: Annotated[float, Field(ge=600, le=172800)]) -> None:
        """Let `depth_mm` of rain fall everywhere in `duration_s` from now on, as a Chicago storm on top of what falls."""
        self._order("storm", depth_mm, duration_s, float(self.now_s))

    @action
    def warn(self, level: Literal["blue", "yellow", "orange", "red"]) -> None:
        """Let the rain of a warning level fall from now on: 50 mm in 12, 6 or 3 h, or 100 mm in 3 h, as a Chicago storm."""
        depth, hours = WARNINGS[level]
        self._order("storm", depth, hours * 3600.0, float(self.now_s))

    @action
    def start_cell(
        self,
        catchment: Catchment,
        peak_mm_per_h: Annotated[float, Field(gt=0, le=500)],
        radius_m: Annotated[float, Field(ge=100, le=50000)] = 2000.0,
        duration_s: Annotated[float, Field(ge=60, le=43200)] = 2400.0,
        speed_m_per_s: Annotated[float, Field(ge=0, le=40)] = 0.0,
        heading_deg: Annotated[float, Field(ge=0, le=360)] = 0.0,
    ) -> None:
        """Start a storm cell over `catchment` that grows, moves towards `heading_deg` (0 north, clockwise) and dies."""
        x, y = self.network.catchment_rings[self.index("catchment", catchment)].mean(axis=0).tolist()
        self._order("cell", float(self.now_s), x, y, radius_m, peak_mm_per_h, duration_s, speed_m_per_s, heading_deg)

    @action
    def block(self, conduit: Conduit) -> None:
        """Block a sewer: nothing flows through it."""
        self.is_blocked[self.index("conduit", conduit)] = True
        self._set_link(conduit)

    @action
    def unblock(self, conduit: Conduit) -> None:
        """Clear a sewer."""
        self.is_blocked[self.index("conduit", conduit)] = False
        self._set_link(conduit)

    @action
    def block_inlet(self, node: Node, share: Annotated[float, Field(ge=0, le=1)] = 1.0) -> None:
        """Clog the inlets of `node`: this share of the runoff stays on its street; 0 clears them."""
        self._order("inlet", self.index("node", node), share)

    @action
    def stop_pump(self, pump: Pump) -> None:
        """Stop a pump by hand until `start_pump`."""
        self.stopped_by_hand[self.index("pump", pump)] = True

    @action
    def start_pump(self, pump: Pump) -> None:
        """Give a pump back to its level control; it needs voltage."""
        self.stopped_by_hand[self.index("pump", pump)] = False

    @action
    def close_gate(self, outfall: Outfall) -> None:
        """Close the gate of an outfall: nothing leaves by it and no river comes in."""
        self._gate(outfall, shut=True)

    @action
    def open_gate(self, outfall: Outfall) -> None:
        """Open the gate of an outfall again."""
        self._gate(outfall, shut=False)

    @action
    def set_river(self, level_m: Annotated[float, Field(ge=-50, le=9000)], outfall: Outfall | None = None) -> None:
        """Set the water level at an outfall, or at all of them (a flood wave, a surge), in metres of the file's datum."""
        for name in self.network.outfalls if outfall is None else (outfall,):
            self._order("stage", name, level_m)

    def _gate(self, outfall: str, *, shut: bool) -> None:
        self.gate_shut[self.index("outfall", outfall)] = shut
        for name in self.network.conduits:
            if self.network.links[name][1] == outfall:
                self._set_link(name)

    def _set_link(self, conduit: str) -> None:
        end = self.network.links[conduit][1]
        shut = self.is_blocked[self.index("conduit", conduit)]
        shut |= end in self.network.outfalls and self.gate_shut[self.index("outfall", end)]
        self._order("link", conduit, 0 if shut else 1)

    # -- state --------------------------------------------------------------------------------------------------------

    def ledger(self) -> list[Account]:
        """Return water in sewers and on streets in m3, and rain on the catchments in mm, by SWMM's own totals.

        Dynamic waves know a conduit's volume only by its mean depth, the flow at both its ends being one: while sewers fill
        within minutes, up to some 0.4 of what stands in them is missing, and comes back as they empty. Half of it and 1 % of
        what passed are let pass here; `continuity_percent` says how much it is, and above 10 % the run is degraded.
        """
        swmm = self.session.swmm
        gained, lost, flooded, held = swmm.routing_m3()
        rain, gone, stays = swmm.runoff_mm()
        slack = 5.0 + 0.01 * max(gained, lost, abs(held)) + 0.5 * swmm.in_conduits_m3()
        return [
            Account("water in sewers", "m3", gained, lost + flooded, held, tolerance=slack),
            Account("rain on catchments", "mm", rain, gone, stays, tolerance=0.05 + 0.02 * rain),
        ]

    def save(self) -> Snapshot:
        """Return the log of everything done to SWMM since second 0."""
        return self.session.save()

    def load(self, saved: Snapshot) -> None:
        """Route again from second 0 by the same log: the same bits, and as slow as SWMM alone."""
        self._try(self.session.restore, saved, self.now_s)

    def looks(self) -> dict[str, Any]:
        """Return how sewers, catchments and standing water are drawn: metres."""
        n = self.network
        sets = {
            "conduit": SetLook("tube", width_m=(0.2 * n.height_m).tolist()),  # thin: the water on the streets is what matters
            "node": SetLook("marker", width_m=2.0, height_m=0.5, shown=False),
            "pump": SetLook("marker", width_m=12.0, height_m=5.0),
            "outfall": SetLook("marker", width_m=8.0, height_m=2.0),
            "street": SetLook("surface", depth="depth_m"),
            "underpass": SetLook("marker", width_m=20.0, height_m=1.0),
            "catchment": SetLook("area", shown=False),
        }
        return Looks(sets, {}).plain()

    def close(self) -> None:
        """End SWMM."""
        if hasattr(self, "session"):
            self.session.close()


def standing(surfaces: Surfaces, depth_m: np.ndarray, kept_m: np.ndarray) -> np.ndarray:
    """Return the depth on each surface: the deepest of its nodes' water above the road; water kept by blocked inlets adds."""
    found = np.zeros(len(surfaces.ids))
    np.maximum.at(found, surfaces.surface, np.maximum(0.0, depth_m[surfaces.node] - surfaces.road_m) + kept_m[surfaces.node])
    return found
