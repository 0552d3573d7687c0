"""Runs for `test_checkpoint_speed.py` and `scaling.py`, each in a process of its own; the last line printed is JSON.

`python kept.py keep SCENARIO EVERY_S UNTIL_S OUT` runs with checkpoints and leaves the run at a second, as one that was interrupted.
`python kept.py resume RUN STARTED` takes it up as `twin resume` does (`STARTED`: `time.monotonic()` when the process was started)
and says where the time went until the first five simulated seconds were over.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from twin.cli import whole

FIRST_S = 5
"""The crowd, the model with the shortest step, moves every five seconds."""


class Clock:
    """Wall time, and processor time of this process, by part (s)."""

    def __init__(self) -> None:
        self.parts: dict[str, tuple[float, float]] = {}

    def add(self, part: str, wall_s: float, cpu_s: float) -> None:
        """Add to a part."""
        before = self.parts.get(part, (0.0, 0.0))
        self.parts[part] = before[0] + wall_s, before[1] + cpu_s

    def around(self, what: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return `call` with its time added to a part; the host's model is named where it has one."""

        def timed(*arguments: Any, **rest: Any) -> Any:
            started, cpu = time.monotonic(), time.process_time()
            try:
                return call(*arguments, **rest)
            finally:
                name = getattr(getattr(arguments[0], "model", None), "name", "") if arguments else ""
                self.add(f"{what} {name}".strip(), time.monotonic() - started, time.process_time() - cpu)

        return timed


def keep(file: str, every_s: int, until_s: int, out: str) -> dict[str, Any]:
    """Run to a second with checkpoints; return what they cost (s) and take (bytes), and how long all took (s)."""
    from twin import checkpoint
    from twin.simulation import Simulation

    clock = Clock()
    checkpoint.keep = clock.around("writing", checkpoint.keep)
    with Simulation(file, out, checkpoint_every_s=every_s) as simulation:
        simulation._keep = clock.around("all", simulation._keep)
        simulation.orchestrator.keep = simulation._keep
        started, cpu = time.monotonic(), time.process_time()
        simulation.until(until_s)
        took_s, cpu_s = time.monotonic() - started, time.process_time() - cpu
    sizes = [path.stat().st_size for path in sorted((simulation.folder / checkpoint.FOLDER).iterdir())]
    return {"took_s": took_s, "cpu_s": cpu_s, "checkpoint_s": simulation.checkpoint_s, "parts_s": clock.parts, "bytes": sizes}


def resume(folder: str, started: float) -> dict[str, Any]:
    """Take a run up; return the seconds by part and in all, and the processor time of this process and the engines' (s)."""
    import psutil

    from twin.host import Inline, Process
    from twin.simulation import Simulation

    clock = Clock()
    clock.add("starting Python, imports", time.monotonic() - started, time.process_time())
    for kind, name in ((Inline, "start_open"), (Process, "start_open"), (Process, "finish_open")):
        setattr(kind, name, clock.around("waiting for" if name == "finish_open" else "opening", getattr(kind, name)))
    simulation = clock.around("reading run, state, scenario, city", Simulation.resume)(folder)
    with simulation:
        at_s = simulation.now_s
        clock.around(f"first {FIRST_S} simulated s", simulation.until)(at_s + FIRST_S)
        ready_s = time.monotonic() - started
        here = psutil.Process()
        mine_s, *engines_s = (sum(one.cpu_times()[:2]) for one in [here, *here.children(recursive=True)])
    walls, cpus = map(sum, zip(*clock.parts.values(), strict=True))
    clock.add("the rest", ready_s - walls, mine_s - cpus)
    clock.add("engines in processes", 0.0, sum(engines_s))
    return {"ready_s": ready_s, "at_s": at_s, "cpu_s": mine_s + sum(engines_s), "parts_s": clock.parts}


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    whole()
    print(json.dumps(keep(words[0], int(words[1]), int(words[2]), words[3]) if verb == "keep" else resume(words[0], float(words[1]))))
