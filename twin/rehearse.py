"""A rehearsal from its start, or from where it was left, to its end: engines whose process is lost are started again."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin import checkpoint
from twin.errors import EngineLost
from twin.simulation import Simulation, Watch

if TYPE_CHECKING:
    from twin.results import Run
    from twin.scenario import Scenario

RESTARTS = 3
"""So often a run goes on after the process of one of its engines was lost."""

log = logging.getLogger(__name__)


def to_the_end(simulation: Simulation, *, restarts: int = RESTARTS) -> Simulation:
    """Run a simulation to its end and return it, or the one that went on in its place.

    Where checkpoints are kept, a run whose engine died or hung goes on from the last one, up to `restarts` times, to the
    identical result; the manifest says when and why. EngineLost: too often, or there is no checkpoint to go on from.
    """
    again = 0
    while True:
        try:
            with simulation:
                simulation.until(simulation.scenario.duration)
            return simulation
        except EngineLost as error:
            again += 1
            kept = checkpoint.moments_s(simulation.folder)
            if not kept and not simulation.checkpoint_every_s:
                hint = "with --checkpoint-every the run would have gone on by itself"
                raise EngineLost(error.engine, f"{error.what}; {hint}", now_s=error.now_s, element=error.element) from error
            if again > restarts or not kept:
                raise
            log.warning("%s; going on from the last checkpoint", error)
            before, simulation = simulation, simulation.again()
            simulation.restarts = [*before.restarts, {"at_s": error.now_s, "why": str(error)}]


def simulate(scenario: Scenario | str | Path, out: str | Path | None = None, *, watch: Watch | None = None, **rest: Any) -> Run:
    """Run a scenario from start to end and return its record."""
    return to_the_end(Simulation(scenario, out, watch=watch, **rest)).result()


def resume(folder: str | Path, **rest: Any) -> Run:
    """Go on with a run that did not reach its end, from its last checkpoint (see `Simulation.resume`), and return its record."""
    return to_the_end(Simulation.resume(folder, **rest)).result()


def branch(
    folder: str | Path, at: object, scenario: Scenario | str | Path | None = None, out: str | Path | None = None, **rest: Any
) -> Run:
    """Run another future of a run from `at` on (see `Simulation.branch`)."""
    return to_the_end(Simulation.branch(folder, at, scenario, out, **rest)).result()
