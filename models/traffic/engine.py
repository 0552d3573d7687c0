"""SUMO through libsumo: start, step, read, and the few commands that the model gives it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import libsumo
import numpy as np

from models.traffic.demand import thin
from models.traffic.network import TrafficNetwork
from twin.errors import EngineFailure

_OFF = "off"
_STATE = "state.xml"
_ERRORS = "sumo-errors.txt"
_ELECTRIC = ("zero", "energy", "mmpevem")
"""SUMO's emission classes of vehicles that burn nothing (SUMO user documentation, Models/Emissions)."""


@dataclass(frozen=True)
class Stepped:
    """What happened in one second: ids that entered the roads, ids that left them, and how many were teleported."""

    departed: Sequence[str]
    arrived: Sequence[str]
    teleported: int


def plain_arguments(
    inputs_net: Path, routes: Sequence[Path], additional: Sequence[Path], *, seed: int, step_s: float, meso: bool
) -> list[str]:
    """Return the arguments that decide what SUMO computes; the engine alone is started with the same."""
    listed = ["-n", str(inputs_net)]
    listed += ["-r", ",".join(map(str, routes))] if routes else []
    listed += ["-a", ",".join(map(str, additional))] if additional else []
    listed += ["--seed", str(seed), "--step-length", f"{step_s:g}", "--ignore-route-errors"]
    return listed + (["--mesosim", "--meso-junction-control"] if meso else [])


class Sumo:
    """The one SUMO simulation of this process. Second 0 of the model is `begin_s` of SUMO.

    libsumo keeps one simulation per process and a second start would silently replace the first,
    so a second one is refused while the first lives.
    """

    def __init__(
        self, network: TrafficNetwork, scratch: Path, *, seed: int, step_s: float, meso: bool, fail: Callable[[str], EngineFailure]
    ) -> None:
        if libsumo.simulation.isLoaded():
            raise fail("this process already runs a SUMO simulation (libsumo has room for one): close it first, or use `host: process`")
        self.network, self.scratch, self.fail, self.meso = network, scratch, fail, meso
        self.begin_s = network.demand.begin_s
        self.electric_types: dict[str, bool] = {}
        self.open_lanes: dict[str, list[tuple[str, Sequence[str]]]] = {}
        self.lit_programs: dict[str, str] = {}
        self.full_speeds: dict[str, list[tuple[str, float]]] = {}
        scratch.mkdir(parents=True, exist_ok=True)
        net, *rest = self._copies(scratch / "input")
        routes, additional = rest[: len(network.inputs.routes)], rest[len(network.inputs.routes) :]
        self.arguments = plain_arguments(net, routes, additional, seed=seed, step_s=step_s, meso=meso)
        self.arguments += [*network.inputs.options, "--no-step-log", "--no-warnings", "--duration-log.disable"]
        self.arguments += ["--error-log", str(scratch / _ERRORS), "--save-state.rng", "--save-state.precision", "20"]
        self.ours = False

    def _copies(self, folder: Path) -> list[Path]:
        """Copy every input (detectors write beside theirs), the routes thinned where that is asked for."""
        folder.mkdir(parents=True, exist_ok=True)
        inputs, demand, passed, copies = self.network.inputs, self.network.demand, 0, []
        for number, source in enumerate((inputs.net, *inputs.routes, *inputs.additional)):
            target = folder / f"{number}_{source.name.replace(',', '_')}"
            if demand.wanted is not None and source in inputs.routes:
                passed += thin(demand, source, target, passed)
            else:
                shutil.copyfile(source, target)
            copies.append(target)
        return copies

    @contextmanager
    def _watched(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (libsumo.TraCIException, libsumo.FatalTraCIError) as error:
            log = self.scratch / _ERRORS
            said = log.read_text("utf-8", "replace").strip().splitlines()[-3:] if log.exists() else []
            raise self.fail(f"{doing}: {' '.join([str(error), *said]).strip()}") from None

    def start(self, state: bytes | None = None) -> None:
        """Start at second 0, or where a saved state stands."""
        self.close()
        where = ["--begin", str(self.begin_s)]
        if state is not None:
            (self.scratch / _STATE).write_bytes(state)
            where = ["--load-state", str(self.scratch / _STATE)]
        with self._watched("start"):
            libsumo.start(["sumo", *self.arguments, *where])
        self.ours = True
        self.open_lanes.clear()
        self.lit_programs.clear()
        self.full_speeds.clear()

    def close(self) -> None:
        """End the simulation, if it is this one."""
        if self.ours:
            libsumo.close()
            self.ours = False

    def save(self) -> bytes:
        """Return SUMO's own state; closures, programs that are off, speeds and weights are not in it."""
        path = self.scratch / _STATE
        with self._watched("save"):
            libsumo.simulation.saveState(str(path))
        whole = path.read_bytes()
        if not whole.rstrip().endswith(b"</snapshot>"):
            raise self.fail(f"{path} is incomplete: is the disk full?")
        return whole

    def step(self, until_s: int) -> Stepped:
        """Run to `until_s` of the model."""
        with self._watched("step"):
            libsumo.simulationStep(self.begin_s + until_s)
        now = libsumo.simulation
        return Stepped(now.getDepartedIDList(), now.getArrivedIDList(), now.getStartingTeleportNumber())

    def counts(self) -> tuple[int, int]:
        """Return how many vehicles SUMO has on the roads, and how many wait to enter them."""
        return tuple(int(libsumo.simulation.getParameter("", f"stats.vehicles.{what}")) for what in ("running", "waiting"))  # type: ignore[return-value]

    def read_motion(self, count: np.ndarray, speed_m_per_s: np.ndarray) -> None:
        """Fill the number of vehicles and their mean speed on each edge."""
        edge, ids, size = libsumo.edge, self.network.edges.ids, len(count)
        count[:] = np.fromiter(map(edge.getLastStepVehicleNumber, ids), float, size)
        speed_m_per_s[:] = np.fromiter(map(edge.getLastStepMeanSpeed, ids), float, size)

    def read_queue(self, queue: np.ndarray) -> None:
        """Fill the number of vehicles slower than 0.1 m/s on each edge."""
        queue[:] = np.fromiter(map(libsumo.edge.getLastStepHaltingNumber, self.network.edges.ids), float, len(queue))

    def read_co2(self, co2_g_per_s: np.ndarray, step_s: float) -> None:
        """Fill the carbon dioxide of the last step on each edge (SUMO gives mg of that step)."""
        co2_g_per_s[:] = np.fromiter(map(libsumo.edge.getCO2Emission, self.network.edges.ids), float, len(co2_g_per_s)) / (1000.0 * step_s)

    def kind(self, vehicle: str) -> tuple[str, bool]:
        """Return a vehicle's class and whether it is electric."""
        name = libsumo.vehicle.getTypeID(vehicle)
        if name not in self.electric_types:
            self.electric_types[name] = libsumo.vehicletype.getEmissionClass(name).lower().startswith(_ELECTRIC)
        return libsumo.vehicle.getVehicleClass(vehicle), self.electric_types[name]

    def route(self, vehicle: str) -> Sequence[str]:
        """Return the edges a vehicle still has before it, the one it is on first."""
        return libsumo.vehicle.getRoute(vehicle)[max(libsumo.vehicle.getRouteIndex(vehicle), 0) :]

    def positions(self, vehicles: Iterable[str]) -> list[tuple[float, float, float, float]]:
        """Return x, y (metres of the net), heading (degrees) and speed (m/s) of vehicles on the roads."""
        one = libsumo.vehicle
        return [(*one.getPosition(id), one.getAngle(id), one.getSpeed(id)) for id in vehicles]

    def on_roads(self) -> Sequence[str]:
        """Return the ids of the vehicles on the roads, sorted."""
        return sorted(libsumo.vehicle.getIDList())

    def find_route(self, start: str, end: str, type_id: str) -> Sequence[str]:
        """Return the fastest edges from one edge to another as the roads are now; empty when there are none."""
        try:
            return tuple(libsumo.simulation.findRoute(start, end, type_id).edges)
        except libsumo.TraCIException:
            return ()

    def insert(self, vehicle: str, edges: Sequence[str], type_id: str, people: int) -> None:
        """Let a vehicle enter at the start of its first edge as soon as there is room."""
        with self._watched(f"insert {vehicle}"):
            libsumo.route.add(f"!{vehicle}", list(edges))
            libsumo.vehicle.add(
                vehicle, f"!{vehicle}", typeID=type_id, depart="now", departLane="best", departSpeed="0", personCapacity=max(people, 4)
            )

    def knows_type(self, type_id: str) -> bool:
        """Say whether the pack declares a vehicle type."""
        return type_id in libsumo.vehicletype.getIDList()

    def reroute(self, vehicle: str, target: str = "") -> bool:
        """Give a vehicle its fastest way by the present weights, to another `target` if one is named; False if there is none."""
        try:
            if target:
                libsumo.vehicle.changeTarget(vehicle, target)
            libsumo.vehicle.rerouteTraveltime(vehicle)
        except libsumo.TraCIException:
            return False
        return True

    def weigh(self, travel_s: np.ndarray) -> None:
        """Set the travel time of each edge that rerouting reckons with."""
        for edge, seconds in zip(self.network.edges.ids, travel_s.tolist(), strict=True):
            libsumo.edge.adaptTraveltime(edge, seconds)

    def _lanes(self, edge: int) -> list[str]:
        return [f"{self.network.edges.ids[edge]}_{lane}" for lane in range(self.network.edges.lanes[edge])]

    def close_edge(self, edge: int) -> None:
        """Allow nobody on an edge; who is on it leaves it by its end."""
        lanes = self._lanes(edge)
        self.open_lanes[self.network.edges.ids[edge]] = [(lane, libsumo.lane.getAllowed(lane)) for lane in lanes]
        for lane in lanes:
            libsumo.lane.setDisallowed(lane, ["all"])

    def open_edge(self, edge: int) -> None:
        """Allow those again who were allowed before the edge was closed."""
        for lane, allowed in self.open_lanes.pop(self.network.edges.ids[edge]):
            libsumo.lane.setAllowed(lane, list(allowed) or ["all"])

    def limit(self, edge: int, speed_m_per_s: float) -> None:
        """Lower the speed limit of an edge."""
        lanes = [(lane, libsumo.lane.getMaxSpeed(lane)) for lane in self._lanes(edge)]
        self.full_speeds.setdefault(self.network.edges.ids[edge], lanes)
        for lane, _ in lanes:
            libsumo.lane.setMaxSpeed(lane, speed_m_per_s)

    def unlimit(self, edge: int) -> None:
        """Restore the speed limits that an edge had."""
        for lane, speed in self.full_speeds.pop(self.network.edges.ids[edge], []):
            libsumo.lane.setMaxSpeed(lane, speed)

    def darken(self, signal: str, program: str = "") -> None:
        """Switch a signal off: who has right of way goes, the others wait; `program` is the one to come back to."""
        self.lit_programs[signal] = program or libsumo.trafficlight.getProgram(signal)
        libsumo.trafficlight.setProgram(signal, _OFF)

    def light(self, signal: str) -> None:
        """Bring a signal back to the program it had."""
        libsumo.trafficlight.setProgram(signal, self.lit_programs.pop(signal))
