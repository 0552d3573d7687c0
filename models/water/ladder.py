"""What is tried, one after another, where EPANET's hydraulics do not balance; and where they balance least."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from epanet import toolkit as en  # type: ignore[import-untyped]

from models.water.engine import Project
from models.water.record import LOOSELY, NOT_BALANCED

RERUNS = 4
"""So often a new run goes on from the flows found so far."""
NEGLIGIBLE_M3_PER_S = 1e-6
"""EPANET's error is relative to all flow: where no source is left, less than a millilitre a second never balances."""
LOOSE = 0.01
"""The loosest accuracy that still counts as a solution: EPANET's own manual advises 0.001 (2.2, [OPTIONS]), L-TOWN is kept at 0.01."""
MORE_TRIALS = 10.0
DAMPED = 1e10
"""EPANET halves its steps (to 60 %) once the error is below DAMPLIMIT: so high, it does from the first trial on."""


@dataclass(frozen=True)
class Balanced:
    """How a solution came about: EPANET's code or `LOOSELY`, the relative error it stopped at, and the link that moved most to the last."""

    code: int
    error: float
    link: int


class Ladder:
    """Runs the hydraulics of now: as the file asks, again from the flows found, with more trials, damped, and less exactly.

    A run that balances as the file asks is EPANET's own. Options that a rung changes are put back before the next solution.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.own = {name: float(project.call("getoption", getattr(en, name))) for name in ("TRIALS", "DAMPLIMIT", "MAXCHECK")}
        self.limits = {name: float(project.call("getoption", getattr(en, name))) for name in ("ACCURACY", "HEADERROR", "FLOWCHANGE")}
        self.tried: list[str] = []
        """The rungs of the last solution, in the order they were tried."""

    def rungs(self) -> list[tuple[str, dict[str, float]]]:
        """Return what is tried after the ordinary run, each with the options it sets besides those before it."""
        more = {"TRIALS": self.own["TRIALS"] * MORE_TRIALS}
        loose = {"ACCURACY": max(LOOSE, self.limits["ACCURACY"]), "HEADERROR": 0.0, "FLOWCHANGE": 0.0}
        again: list[tuple[str, dict[str, float]]] = [("again from the flows found", {})] * RERUNS
        return [*again, ("more trials", more), ("damped", {"DAMPLIMIT": DAMPED, "MAXCHECK": 0.0}), ("less exactly", loose)]

    def run(self) -> Balanced:
        """Solve; `code` is 0, or EPANET's warning of the last rung."""
        p = self.project
        self.tried = ["as the file asks"]
        code, link = p.run(), 0
        try:
            for name, options in self.rungs():
                if not self._open(code):
                    break
                before = p.at_links("FLOW")
                for option, value in options.items():
                    p.call("setoption", getattr(en, option), value)
                code = p.run()
                link = self._restless(p.at_links("FLOW") - before)
                self.tried.append(name)
        finally:
            for option, value in {**self.own, **self.limits}.items():
                p.call("setoption", getattr(en, option), value)
        if code == NOT_BALANCED and not self._open(code):
            code = 0
        if code == 0 and self.tried[-1] == "less exactly":
            code = LOOSELY
        return Balanced(code, float(p.call("getstatistic", en.RELATIVEERROR)), link)

    def _restless(self, moved: np.ndarray) -> int:
        """Return the link whose flow moved most; a pump or valve before the pipes that carry its flow."""
        share = np.where(self.project.types > en.PIPE, 1.0, 0.9)
        return int((np.abs(moved) * share).argmax()) + 1

    def _open(self, code: int) -> bool:
        return code == NOT_BALANCED and self.project.imbalance_m3_per_s() >= NEGLIGIBLE_M3_PER_S
