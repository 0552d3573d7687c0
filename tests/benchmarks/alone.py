"""What the engines of a scenario did in a coupled run, and each of them doing the same alone: one child process each.

`python tests/benchmarks/alone.py WHAT SCENARIO SECONDS FOLDER` prints a line of JSON. `coupled` runs the scenario inline;
`tape` runs it once more and writes down every call to an engine; `traffic`, `grid`, `water`, `gas` and `crowd` give an
engine those calls, with nothing of ours around it but a loop (the crowd's kernel is ours: its model in a bare loop).
Processor time counts from the moment the engine is open.
"""

from __future__ import annotations

import json
import pickle
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from twin import build, kpi, load
from twin.host import ONE_THREAD
from twin.simulation import Simulation

READS = {
    "read_motion": ("getLastStepVehicleNumber", "getLastStepMeanSpeed"),
    "read_queue": ("getLastStepHaltingNumber",),
    "read_co2": ("getCO2Emission",),
}
"""The getters of SUMO's edges behind each read of the traffic model."""


def cpu_s() -> float:
    """Return the processor time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def timed(work: Callable[[], Any]) -> dict[str, float]:
    """Return the processor and wall time of `work`."""
    cpu, wall = cpu_s(), time.perf_counter()
    work()
    return {"cpu_s": cpu_s() - cpu, "wall_s": time.perf_counter() - wall}


def coupled(file: Path, seconds: int, folder: Path, hosts: str = "inline") -> dict[str, Any]:
    """Run the scenario without recording."""
    with Simulation(file, folder / "coupled", hosts=hosts, record=False) as simulation:
        said: dict[str, Any] = timed(lambda: simulation.until(seconds))
        timing = simulation.timing()
    return said | {"models": {name: one["advance_s"] + one["solve_s"] for name, one in timing.items()}}


def recorded(file: Path, seconds: int, folder: Path) -> dict[str, Any]:
    """Run the scenario as `twin run` does, but inline; return what recording took, the last writing included."""
    from twin.recorder import Recorder
    from twin.results import open_run

    spent = {"_sample": 0.0, "event": 0.0, "finish": 0.0, "compute": 0.0}
    for owner, name in ((Simulation, "_sample"), (Recorder, "event"), (Recorder, "finish"), (kpi, "compute")):
        clocked(spent, owner, name)
    with Simulation(file, folder / "recorded", hosts="inline") as simulation:
        cpu = cpu_s()
        simulation.until(seconds)
        sampling_s = spent["_sample"]
    done = {"cpu_s": cpu_s() - cpu - spent["compute"], "sampling_cpu_s": sampling_s}
    run, files = open_run(folder / "recorded"), [path for path in (folder / "recorded").rglob("*") if path.is_file()]
    values = sum(len(sheet.elements[port.at]) for sheet in run.static.values() for port in sheet.recorded.values()) * len(run.times_s)
    fields = [path for path in files if "fields.zarr" in path.parts]
    done |= {"recording_cpu_s": sum(spent.values()) - 2 * spent["compute"], "values": values}
    return done | {"bytes": sum(map(size, files)), "fields_bytes": sum(map(size, fields))}


def size(path: Path) -> int:
    """Return a file's bytes."""
    return path.stat().st_size


def clocked(spent: dict[str, float], owner: Any, name: str) -> None:
    """Let every call of `owner.name` add its processor time to `spent[name]`."""
    method = getattr(owner, name)

    def call(*given: Any, **named: Any) -> Any:
        started = time.process_time()
        try:
            return method(*given, **named)
        finally:
            spent[name] += time.process_time() - started

    setattr(owner, name, call)


# ---- writing down


def keep(tape: list[Any], owner: Any, name: str, say: Callable[..., Any]) -> None:
    """Let every call of `owner.name` put what `say` makes of it on the tape first."""
    method = getattr(owner, name)

    def call(*given: Any, **named: Any) -> Any:
        tape.append(say(*given, **named))
        return method(*given, **named)

    setattr(owner, name, call)


def tape(file: Path, seconds: int, folder: Path) -> dict[str, Any]:
    """Run the scenario inline, noting what every engine is asked; writes `folder`/tape.pickle."""
    import models.gas.engine as gas
    from models.crowd import Crowd
    from models.grid import engine as grid
    from models.traffic.engine import Sumo
    from models.water.engine import Project

    tapes: dict[str, list[Any]] = {name: [] for name in ("reads", "steps", "grid", "water", "gas", "crowd")}
    for name in READS:
        keep(tapes["reads"], Sumo, name, lambda sumo, *_, name=name: (sumo.at_s, name))
    keep(tapes["water"], Project, "run", lambda *_: ("run", 0))
    keep(tapes["water"], Project, "move", lambda _, most_s: ("move", most_s))
    keep(tapes["gas"], gas.pp, "pipeflow", lambda net, **options: (pickle.dumps(settings(net)), options))
    for verb in ("advance", "solve"):
        keep(tapes["crowd"], Crowd, verb, lambda crowd, *until, verb=verb: (verb, until, inputs(crowd)))

    class Model(grid.PowerGridModel):  # type: ignore[misc]
        def update(self, *, update_data: Any) -> None:
            tapes["grid"].append(("change", pickle.dumps(update_data)))
            super().update(update_data=update_data)

        def calculate_power_flow(self, **options: Any) -> Any:
            tapes["grid"].append(("flow", options))
            return super().calculate_power_flow(**options)

    grid.PowerGridModel = Model
    with Simulation(file, folder / "tape", hosts="inline", record=False) as simulation:
        for said in tapes.values():
            said.clear()
        simulation.until(seconds)
        models = {node.name: node.model for node in simulation.orchestrator.nodes}
        commands = [one for one in models["traffic"].sumo.log if one[1] != "emissions"]  # these are among the reads
        solver = models["grid"].solver
        (folder / "tape.pickle").write_bytes(pickle.dumps({**tapes, "commands": commands, "grid_data": solver.data}))
    return {name: len(said) for name, said in tapes.items()} | {"commands": len(commands)}


def settings(net: Any) -> dict[str, np.ndarray]:
    """Return the columns of a pandapipes network that the gas model writes."""
    columns = ["sink.mdot_kg_per_s", "pipe.in_service", "valve.opened", "press_control.in_service", "press_control.control_active"]
    columns += ["ext_grid.in_service", "ext_grid.p_bar", "source.in_service"]
    return {name: net[name.split(".")[0]][name.split(".")[1]].to_numpy().copy() for name in columns if len(net[name.split(".")[0]])}


def inputs(crowd: Any) -> dict[str, np.ndarray]:
    """Return copies of what the others tell the crowd."""
    return {name: crowd.arrays[name].copy() for name in ("lit", "station_powered", "gas_leak_kg_per_s")}


# ---- alone


def opened(file: Path, folder: Path, name: str) -> Any:
    """Return a model of the scenario, opened without the others."""
    model = build.plan(load(file), folder / f"scratch-{name}").models[name]
    model.setup.scratch.mkdir(parents=True, exist_ok=True)
    model.open()
    return model


def traffic(file: Path, seconds: int, folder: Path, said: dict[str, Any], *, reads: bool) -> dict[str, float]:
    """Step SUMO second by second with the same commands, and read its edges as often where `reads`."""
    import libsumo

    model = opened(file, folder, "traffic")
    sumo, ids = model.sumo, model.network.edges.ids
    due: dict[int, list[str]] = {}
    for second, name in said["reads"] if reads else ():
        due.setdefault(second, []).extend(READS[name])
    given: dict[int, list[Any]] = {}
    for second, command, arguments in said["commands"]:
        given.setdefault(second, []).append((getattr(sumo.commands, command), arguments))

    def work() -> None:
        for second in range(seconds + 1):
            if second:
                libsumo.simulationStep(sumo.begin_s + second)
            for getter in due.get(second, ()):
                np.fromiter(map(getattr(libsumo.edge, getter), ids), float, len(ids))
            for command, arguments in given.get(second, ()):
                command(*arguments)

    return timed(work)


def grid(said: dict[str, Any]) -> dict[str, float]:
    """Give power-grid-model the same updates and the same power flows."""
    from power_grid_model import PowerGridModel

    model = PowerGridModel(said["grid_data"])
    calls = [(what, pickle.loads(value) if what == "change" else value) for what, value in said["grid"]]

    def work() -> None:
        for what, value in calls:
            if what == "change":
                model.update(update_data=value)
            else:
                model.calculate_power_flow(**value)

    return timed(work)


def water(file: Path, folder: Path, said: dict[str, Any]) -> dict[str, float]:
    """Let EPANET solve as often and step as far."""
    project = opened(file, folder, "water").session.project

    def work() -> None:
        for what, most_s in said["water"]:
            if what == "run":
                project.run()
            else:
                project.move(most_s)

    return timed(work)


def gas(file: Path, folder: Path, said: dict[str, Any]) -> dict[str, float]:
    """Let pandapipes solve the same flows."""
    import pandapipes

    net = opened(file, folder, "gas").engine.net
    calls = [(pickle.loads(columns), options) for columns, options in said["gas"]]

    def work() -> None:
        for columns, options in calls:
            for name, values in columns.items():
                table, column = name.split(".")
                net[table][column] = values
            pandapipes.pipeflow(net, **options)

    return timed(work)


def crowd(file: Path, folder: Path, said: dict[str, Any]) -> dict[str, float]:
    """Move the crowd in a bare loop under the same inputs."""
    model = opened(file, folder, "crowd")

    def work() -> None:
        for verb, until, given in said["crowd"]:
            for name, values in given.items():
                model.arrays[name][...] = values
            if verb == "advance":
                model.advance(*until)
                model.now_s = until[0]
                model.boxes["departures"].take()
            else:
                model.solve()

    return timed(work)


def night(file: Path, seconds: int, folder: Path) -> dict[str, Any]:
    """Move the crowd alone, nobody else there; return the busiest ten minutes of its first `seconds`."""
    model = opened(file, folder, "crowd")
    spent, walking, step_s = [], [], 60
    for until_s in range(step_s, seconds + 1, step_s):
        cpu = time.process_time()
        for second in range(until_s - step_s + model.period_s, until_s + 1, model.period_s):
            model.advance(second)
            model.solve()
        spent.append(time.process_time() - cpu)
        walking.append(len(model.evening.movement.walkers))
        print(until_s, round(spent[-1], 2), walking[-1], file=sys.stderr, flush=True)
    ten = [sum(spent[i : i + 10]) for i in range(max(1, len(spent) - 9))]
    worst = int(np.argmax(ten))
    return {"from_min": worst, "cpu_s": ten[worst], "ratio": min(10, len(spent)) * 60 / ten[worst], "most_people": max(walking)}


def main() -> None:
    """Do what the arguments say and print it."""
    import os

    os.environ.update(ONE_THREAD)
    what, file, seconds, folder = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    said = pickle.loads((folder / "tape.pickle").read_bytes()) if (folder / "tape.pickle").exists() else {}
    done = {
        "coupled": lambda: coupled(file, seconds, folder),
        "processes": lambda: coupled(file, seconds, folder, ""),
        "tape": lambda: tape(file, seconds, folder),
        "traffic": lambda: traffic(file, seconds, folder, said, reads=True),
        "traffic-bare": lambda: traffic(file, seconds, folder, said, reads=False),
        "grid": lambda: grid(said),
        "water": lambda: water(file, folder, said),
        "gas": lambda: gas(file, folder, said),
        "crowd": lambda: crowd(file, folder, said),
        "recorded": lambda: recorded(file, seconds, folder),
        "night": lambda: night(file, seconds, folder),
    }[what]()
    print(json.dumps(done))


if __name__ == "__main__":
    main()
