"""SWMM 5.2 through its toolkit: open a copy, step, set, read. One simulation per process; one thread; fixed routing step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from swmm.toolkit import solver
from swmm.toolkit.shared_enum import LinkProperty, LinkResult, NodeResult, ObjectType, SubcatchResult, UnitProperty

from models.drainage.inpfile import InpFile
from models.drainage.network import FOOT_M, DrainageNetwork

FORCED = {
    "VARIABLE_STEP": "0",
    "THREADS": "1",
    "END_DATE": "",
    "ALLOW_PONDING": "YES",
    "ROUTING_STEP": "",
    "DRY_STEP": "",
    "SKIP_STEADY_STATE": "NO",
}
"""Options that the copy says otherwise than the file; an empty one is worked out."""
FOREVER_YEARS = 2
Beside = tuple[int, float, int, float, int, float]
"""A conduit at an outfall: link, height, the other node, the conduit's offset there, the outfall, the offset there; file's units."""


class EngineError(Exception):
    """SWMM refused or failed; `report` holds what its report file says."""

    def __init__(self, what: str, report: str = "") -> None:
        super().__init__(what)
        self.report = report


class Swmm:
    """The one SWMM simulation of this process."""

    def __init__(self, network: DrainageNetwork, scratch: Path, step_s: int) -> None:
        self.network, self.step_s, self.started = network, step_s, False
        self.scratch = scratch
        if _is_open():
            raise EngineError("this process already runs a SWMM simulation (it has room for one): use `host: process`")
        scratch.mkdir(parents=True, exist_ok=True)
        self.file, self.report = scratch / "network.inp", scratch / "network.rpt"
        self.file.write_text(prepared(network.file, step_s), encoding="utf-8")
        self.start()

    def start(self) -> None:
        """Open the copy and start at second 0."""
        self.close()
        try:
            solver.swmm_open(str(self.file), str(self.report), str(self.scratch / "network.out"))
            solver.swmm_start(False)
        except Exception as error:  # the toolkit has no exception of its own
            solver.swmm_close()  # only then is the report written
            raise EngineError(" ".join(str(error).split()), self.report.read_text("latin-1")) from error
        self.started = True
        self.t_s = 0
        n = self.network
        self.nodes = self._indices(ObjectType.NODE, n.nodes)
        self.links = dict(zip(n.links, self._indices(ObjectType.LINK, tuple(n.links)), strict=True))
        self.gages = self._indices(ObjectType.GAGE, n.gages)
        self.subcatchments = self._indices(ObjectType.SUBCATCH, n.catchments)
        outfalls = {self.nodes[i] for i in n.outfall_at}
        self.beside_river = [found for name in n.conduits for found in self._beside(name, outfalls)]
        self.river_side_at_start_m3 = self._river_side_m3()
        self.pump_from = np.array([n.nodes.index(p.start) for p in n.pumps], int)
        self.pump_to = np.array([n.nodes.index(p.end) for p in n.pumps], int)

    def _indices(self, kind: ObjectType, ids: tuple[str, ...]) -> list[int]:
        return [solver.project_get_index(kind.value, name) for name in ids]

    def _try(self, call: Callable[..., object], *arguments: object) -> None:
        try:
            call(*arguments)
        except Exception as error:  # the toolkit has no exception of its own
            raise EngineError(" ".join(str(error).split())) from error

    def step(self) -> None:
        """Route one step."""
        self._try(solver.swmm_step)
        self.t_s += self.step_s

    def set_link(self, name: str, setting: float) -> None:
        """Set a link: a pump's relative speed, 0 or 1 of a conduit."""
        self._try(solver.link_set_target_setting, self.links[name], setting)

    def set_inflow(self, node: int, m3_per_s: float) -> None:
        """Set the inflow that a node gets besides its runoff."""
        self._try(solver.node_set_total_inflow, self.nodes[node], m3_per_s / self.network.flow_m3_per_s)

    def set_stage(self, outfall: str, level_m: float) -> None:
        """Set the water level at an outfall."""
        index = self.nodes[self.network.nodes.index(outfall)]
        self._try(solver.outfall_set_stage, index, level_m / self.network.length_m)

    def set_rain(self, mm_per_h: np.ndarray) -> None:
        """Set the rain at every gage."""
        for gage, value in zip(self.gages, (mm_per_h / self.network.rain_mm).tolist(), strict=True):
            solver.raingage_set_precipitation(gage, value)

    def node(self, what: NodeResult, which: list[int] | None = None) -> np.ndarray:
        """Return a result at nodes (all, or these of the network), in the file's unit."""
        indices = self.nodes if which is None else [self.nodes[i] for i in which]
        return np.fromiter((solver.node_get_result(i, what) for i in indices), float, len(indices))

    def depth_m(self, which: list[int] | None = None) -> np.ndarray:
        """Return the water depth above the invert of each node, or of these."""
        return self.node(NodeResult.DEPTH, which) * self.network.length_m

    def lateral_m3_per_s(self, node: int) -> float:
        """Return what a node received from outside the sewers in the last step."""
        return solver.node_get_result(self.nodes[node], NodeResult.LATERAL_INFLOW) * self.network.flow_m3_per_s

    def inflow_m3_per_s(self, which: list[int]) -> np.ndarray:
        """Return the whole inflow of these nodes."""
        return self.node(NodeResult.TOTAL_INFLOW, which) * self.network.flow_m3_per_s

    def flooding_m3_per_s(self) -> np.ndarray:
        """Return the rate at which water leaves each node for its street (ponding) or the model (none)."""
        return self.node(NodeResult.FLOOD) * self.network.flow_m3_per_s

    def flow_m3_per_s(self, names: tuple[str, ...]) -> np.ndarray:
        """Return the flow in these links."""
        return np.array([solver.link_get_result(self.links[n], LinkResult.FLOW) for n in names]) * self.network.flow_m3_per_s

    def link_depth_m(self, names: tuple[str, ...]) -> np.ndarray:
        """Return the mean depth of water in these links."""
        return np.array([solver.link_get_result(self.links[n], LinkResult.DEPTH) for n in names]) * self.network.length_m

    def runoff_m3_per_s(self) -> np.ndarray:
        """Return the runoff of each catchment."""
        return np.array([solver.subcatch_get_result(i, SubcatchResult.RUNOFF) for i in self.subcatchments]) * self.network.flow_m3_per_s

    def rain_mm_per_h(self) -> np.ndarray:
        """Return the rain on each catchment."""
        return np.array([solver.subcatch_get_result(i, SubcatchResult.RAIN) for i in self.subcatchments]) * self.network.rain_mm

    def routing_m3(self) -> tuple[float, float, float, float]:
        """Return water in, out, lost by flooding, and the change of what is stored, since the start, m3.

        Before the end the toolkit gives flows in the file's cubic length and storage in cubic feet. SWMM sets the depth at an
        outfall to the river's, and the flow of its conduit balances the other end alone: the half of that conduit next to the
        river fills and empties with the river, and no flow counts it. Here it belongs to the river and is not stored.
        """
        totals = solver.system_get_routing_totals()
        cubic = self.network.length_m**3
        gained = (totals.wwInflow + totals.dwInflow + totals.gwInflow + totals.iiInflow + totals.exInflow) * cubic
        lost = (totals.outflow + totals.evapLoss + totals.seepLoss) * cubic
        stored = (totals.finalStorage - totals.initStorage) * FOOT_M**3
        return gained, lost, totals.flooding * cubic, stored - (self._river_side_m3() - self.river_side_at_start_m3)

    def _beside(self, conduit: str, outfalls: set[int]) -> list[Beside]:
        """Return a conduit that ends at an outfall, as SWMM has it (it turns round those that rise)."""
        link = self.links[conduit]
        offsets = (solver.link_get_parameter(link, what) for what in (LinkProperty.OFFSET_1, LinkProperty.OFFSET_2))
        (start, above_start), (end, above_end) = zip(solver.link_get_connections(link), offsets, strict=True)
        height = float(self.network.height_m[self.network.conduits.index(conduit)]) / self.network.length_m
        if end in outfalls:
            return [(link, height, start, above_start, end, above_end)]
        return [(link, height, end, above_end, start, above_start)] if start in outfalls else []

    def _river_side_m3(self) -> float:
        """Return the water in the halves next to outfalls of the conduits that end there: split as the depths at both ends."""
        found = 0.0
        for link, height, inner, above_inner, outfall, above_outfall in self.beside_river:
            ends = (inner, above_inner), (outfall, above_outfall)
            depths = [min(max(solver.node_get_result(node, NodeResult.DEPTH) - above, 0.0), height) for node, above in ends]
            if sum(depths) > 0.0:
                found += solver.link_get_result(link, LinkResult.VOLUME) * depths[1] / sum(depths)
        return found * self.network.length_m**3

    def in_conduits_m3(self) -> float:
        """Return the water that stands in conduits now."""
        volumes = (solver.link_get_result(self.links[name], LinkResult.VOLUME) for name in self.network.conduits)
        return sum(volumes) * self.network.length_m**3

    def stored_at_start_m3(self) -> float:
        """Return what sewers, wells and ponds held at second 0."""
        return solver.system_get_routing_totals().initStorage * FOOT_M**3

    def runoff_mm(self) -> tuple[float, float, float]:
        """Return rain, what left the surfaces (infiltrated, evaporated, ran off) and what they hold, mm over all catchments.

        SWMM's total takes the rate at the end of each runoff step for the whole step; what it routes is the mean of both
        ends. The difference is half a step of the present runoff, taken off here.
        """
        totals = solver.system_get_runoff_totals()
        now_m_per_s = float(self.runoff_m3_per_s().sum()) / (float(self.network.area_ha.sum()) * 1e4 or 1.0)
        ahead = 0.5 * self.network.wet_s * now_m_per_s * 1000.0 / self.network.rain_mm
        lost = totals.infil + totals.evap + totals.runoff - ahead + totals.drains
        held = totals.finalStorage - totals.initStorage
        return tuple(v * self.network.rain_mm for v in (totals.rainfall, lost, held))  # type: ignore[return-value]

    def close(self) -> None:
        """End the simulation, if it is this one."""
        if self.started:
            self.started = False
            solver.swmm_end()
            solver.swmm_close()


def _is_open() -> bool:
    """Return whether this process has a SWMM project open."""
    try:
        solver.simulation_get_unit(UnitProperty.FLOW_UNIT)
    except Exception:  # noqa: BLE001 - the toolkit raises nothing else; here it says that no project is open
        return False
    return True


def prepared(file: Path, step_s: int) -> str:
    """Return the text SWMM gets: the file with a fixed step, one thread, no end, and pumps without levels.

    The levels at which pumps start and stop are applied by `Session` instead, by SWMM's own rule: SWMM would start a
    pump that was stopped from outside as soon as its wet well fills.
    """
    reader = InpFile(file)
    reader.read()
    lines = reader.lines()
    values = dict(FORCED, ROUTING_STEP=str(step_s))
    month, day, year = reader.option("START_DATE", "01/01/2004").replace("-", "/").split("/")
    values["END_DATE"] = f"{month}/{'28' if (month, day) == ('02', '29') else day}/{int(year) + FOREVER_YEARS}"
    values["DRY_STEP"] = reader.option("WET_STEP", "00:05:00")
    for row in reader.rows["OPTIONS"]:
        if row.words[0].upper() in values or row.words[0].upper() in ("RULE_STEP",):
            lines[row.line - 1] = ""
    for row in reader.rows["PUMPS"]:
        status = row.words[4:5] or ("ON",)
        lines[row.line - 1] = " ".join(word if word.split() == [word] else f'"{word}"' for word in (*row.words[:4], *status))
    return "\n".join([*lines, "", "[OPTIONS]", *(f"{key} {value}" for key, value in sorted(values.items())), ""])
