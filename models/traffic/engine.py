"""SUMO through libsumo: start, step, read, and the few commands that the model gives it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libsumo
import numpy as np

from models.traffic.commands import Commands, remaining
from models.traffic.demand import thin
from models.traffic.network import TrafficNetwork
from twin.errors import EngineFailure, InputError, Problem

_ERRORS = "sumo-errors.txt"
_ELECTRIC = ("zero", "energy", "mmpevem")
"""SUMO's emission classes of vehicles that burn nothing (SUMO user documentation, Models/Emissions)."""


Command = tuple[int, str, tuple[Any, ...]]
"""When, which method of `Commands`, with what."""


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


@contextmanager
def _stderr_in(path: Path) -> Iterator[None]:
    """Catch what a C++ library says on standard error: SUMO tells there, and not in its error, why it will not start."""
    kept = os.dup(2)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


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
        self.seed, self.at_s, self.ours = seed, 0, False
        self.log: list[Command] = []
        self.copied: dict[Path, Path] = {}
        self.electric_types: dict[str, bool] = {}
        scratch.mkdir(parents=True, exist_ok=True)
        net, *rest = self._copies(scratch / "input")
        routes, additional = rest[: len(network.inputs.routes)], rest[len(network.inputs.routes) :]
        self.arguments = plain_arguments(net, routes, additional, seed=seed, step_s=step_s, meso=meso)
        self.arguments += [*network.inputs.options, "--no-step-log", "--no-warnings", "--duration-log.disable"]
        self.arguments += ["--error-log", str(scratch / _ERRORS), "--begin", str(self.begin_s)]

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
            self.copied[target] = source
        return copies

    @contextmanager
    def _watched(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (libsumo.TraCIException, libsumo.FatalTraCIError) as error:
            log = self.scratch / _ERRORS
            said = log.read_text("utf-8", "replace").strip().splitlines()[-3:] if log.exists() else []
            raise self.fail(f"{doing}: {' '.join([str(error), *said]).strip()}") from None

    def start(self) -> None:
        """Start at second 0."""
        self.close()
        self.commands = Commands(self.network, seed=self.seed, meso=self.meso)
        self.log.clear()
        self.at_s = 0
        said = self.scratch / "sumo-said.txt"
        try:
            with _stderr_in(said):
                libsumo.start(["sumo", *self.arguments])
        except (libsumo.TraCIException, libsumo.FatalTraCIError) as error:
            raise self._refused(f"{said.read_text('utf-8', 'replace')}\n{error}") from None
        self.ours = True

    def _refused(self, said: str) -> InputError:
        """Make SUMO's refusal of the pack's files one line, with the file and line it names."""
        words = [line.removeprefix("Error: ").strip() for line in said.splitlines()]
        words = [line for line in words if line and not line.startswith(("Quitting", "Process Error"))]
        text = "; ".join(dict.fromkeys(words)) or "it does not say why"
        source, line = next(self._places(text), (self.network.inputs.net, 0))
        for copy, original in self.copied.items():
            text = text.replace(str(copy), original.name)
        return InputError(Problem(f"SUMO refuses these roads or this demand: {text}", str(source), line))

    def _places(self, text: str) -> Iterator[tuple[Path, int]]:
        """Yield where the trouble may be: the line SUMO names, then the line of each id it quotes."""
        at = re.search(r"line/column (\d+)/", text)
        yield from ((original, int(at[1]) if at else 0) for copy, original in self.copied.items() if str(copy) in text)
        for id in re.findall(r"'([^']+)'", text):
            for original in reversed(self.copied.values()):
                with original.open(encoding="utf-8", errors="replace") as lines:
                    yield from ((original, number) for number, line in enumerate(lines, 1) if f'id="{id}"' in line)

    def close(self) -> None:
        """End the simulation, if it is this one."""
        if self.ours:
            libsumo.close()
            self.ours = False

    def do(self, command: str, *arguments: Any) -> Any:
        """Give a command of `Commands` now, and remember it."""
        self.log.append((self.at_s, command, arguments))
        with self._watched(command):
            return getattr(self.commands, command)(*arguments)

    def find_route(self, start: str, end: str, type_id: str) -> Sequence[str]:
        """Return the fastest way; what is remembered is what that does to SUMO, which takes a replay a fifth of the time."""
        self.log.append((self.at_s, "draw", (start, type_id)))
        with self._watched("find_route"):
            return self.commands.find_route(start, end, type_id)

    def is_shut(self, edges: Sequence[str]) -> bool:
        """Return whether any of these edges is closed."""
        shut = {*self.commands.shut, *self.commands.open_lanes}
        return bool(shut) and not {self.network.edges.ids[edge] for edge in shut}.isdisjoint(edges)

    def replay(self, log: Iterable[Command], until_s: int) -> None:
        """Come from second 0 to `until_s` again by the same commands at the same seconds.

        SUMO's own saved state is not exact (a car that waits to enter, signals with several programs,
        all of mesoscopic mode), while the same commands give the same run to the bit.
        """
        if self.at_s or self.log:
            self.start()
        for second, command, arguments in log:
            if command.startswith("_") or not hasattr(Commands, command):
                raise self.fail(f"the saved state names an unknown command '{command}'")
            if second > self.at_s:
                self.step(second)
            self.do(command, *arguments)
        if until_s > self.at_s:
            self.step(until_s)

    def step(self, until_s: int) -> Stepped:
        """Run to `until_s` of the model."""
        with self._watched("step"):
            libsumo.simulationStep(self.begin_s + until_s)
        self.at_s = until_s
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
        co2_g_per_s[:] = np.asarray(self.do("emissions")) / (1000.0 * step_s)

    def kind(self, vehicle: str) -> tuple[str, bool]:
        """Return a vehicle's class and whether it is electric."""
        name = libsumo.vehicle.getTypeID(vehicle)
        if name not in self.electric_types:
            self.electric_types[name] = libsumo.vehicletype.getEmissionClass(name).lower().startswith(_ELECTRIC)
        return libsumo.vehicle.getVehicleClass(vehicle), self.electric_types[name]

    def target(self, vehicle: str) -> str:
        """Return the edge a vehicle goes to."""
        return remaining(vehicle)[-1]

    def positions(self, vehicles: Iterable[str]) -> list[tuple[float, float, float, float]]:
        """Return x, y (metres of the net), heading (degrees) and speed (m/s) of vehicles on the roads."""
        one = libsumo.vehicle
        return [(*one.getPosition(id), one.getAngle(id), one.getSpeed(id)) for id in vehicles]

    def on_roads(self) -> Sequence[str]:
        """Return the ids of the vehicles on the roads, sorted."""
        return sorted(libsumo.vehicle.getIDList())
