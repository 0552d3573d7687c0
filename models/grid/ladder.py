"""A power flow that is found the ordinary way, or by one method after another, or not at all."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from models.grid.engine import Demand, Diverged, Flow, PandapowerSolver, Solver

if TYPE_CHECKING:
    from models.grid.network import GridNetwork

log = logging.getLogger(__name__)

LEAST_PU = 0.5
"""A solution in which a live bus has less is on the lower, unstable branch of the nose curve: the most that a line can
carry to a load of constant power leaves half the voltage or more (Kundur, Power System Stability and Control, 1994, ch. 14)."""

Rung = tuple[Solver, str]


class Ladder:
    """Tries one method after another; the first is the ordinary one, and where it converges nothing else is asked.

    No rung starts from an earlier solution: a run that is taken up must find what it found in one go.
    """

    def __init__(self, rungs: Sequence[Rung]) -> None:
        self.rungs = list(rungs)
        self.tried: list[str] = []
        """The methods of the last solution, in the order they were tried."""

    @classmethod
    def of(cls, network: GridNetwork, ordinary: Solver) -> Ladder:
        """Return every method of the ordinary solver, then those of pandapower where that is another one."""
        rungs = [(ordinary, method) for method in ordinary.methods]
        if ordinary.name != PandapowerSolver.name:
            other = PandapowerSolver(network, ordinary.net)
            rungs += [(other, method) for method in other.methods]
        return cls(rungs)

    def solve(self, demand: Demand) -> Flow:
        """Return the flow; Diverged when no method finds one."""
        self.tried = []
        for solver, method in self.rungs:
            ordinary = not self.tried
            self.tried.append(f"{solver.name} {method}")
            try:
                flow = solver.solve(demand, method)
            except Diverged as error:
                why = str(error)
                continue
            if ordinary or flow.vm_pu[flow.energized].min(initial=1.0) >= LEAST_PU:
                if not ordinary:
                    log.info("no power flow by %s; found by %s", ", ".join(self.tried[:-1]), self.tried[-1])
                return flow
            why = "only a solution of the unstable branch"
        raise Diverged(f"none of {len(self.tried)} methods finds a power flow: {why}")
