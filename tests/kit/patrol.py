"""A domain that lives only in the tests: crews who take one minute to a place and work there as long as they are told.

Its actions and notices are those of any model that has crews.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import mini
import numpy as np
from pydantic import Field

from twin.model import Model, Options, Setup, action
from twin.ports import At, ElementSet, Notice, Out

Unit = Annotated[str, At("unit")]
DRIVE_S = 60
SKILLS = ("water", "police")


class Crews:
    def __init__(self, ids: tuple[str, ...]) -> None:
        self.ids = ids

    def elements(self):
        return {"unit": ElementSet(self.ids, [np.array([[0.0, 0.0]]) for _ in self.ids], label="crews"), "skill": ElementSet(SKILLS)}


class Patrol(Model):
    """Crews, each with one skill; a job for which none is free is unmet."""

    period_s = 600
    engines = ("numpy",)

    class Options(Options):
        water: Annotated[int, Field(ge=0, le=100)] = 2

    busy = Out(at="unit", dtype=bool, label="on a job")
    unit_skill = Out(at="unit", dtype=int, label="0 water, 1 police")

    sent = Notice(at="unit")
    on_scene = Notice(at="unit")
    work_done = Notice(at="unit")
    unmet = Notice(severity="warning")

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.jobs: dict[str, list] = {}
        self.unit_skill = [int(name == "police_1") for name in self.elements["unit"].ids]

    @classmethod
    def read(cls, setup: Setup) -> Crews:
        return Crews((*(f"water_{i + 1}" for i in range(setup.options.get("water", 2))), "police_1"))

    @classmethod
    def demo(cls, folder: Path) -> Setup:
        return Setup("patrol", {}, folder / "scratch")

    @action
    def send(self, job: str, skill: str, x_m: float, y_m: float, units: int = 1, work_s: float = 60.0, priority: int = 2) -> None:
        """Send units with a skill."""
        taken = {one[0] for one in self.jobs.values()}
        free = [i for i, code in enumerate(self.unit_skill.tolist()) if SKILLS[code] == skill and i not in taken]
        if len(free) < units:
            self.unmet(job=job)
            return
        self.jobs[job] = [free[0], self.now_s + DRIVE_S, self.now_s + DRIVE_S + int(work_s)]
        self.sent(free[0], job=job)

    @action
    def recall(self, job: str) -> None:
        """Take a job back."""
        self.jobs.pop(job, None)

    def advance(self, until_s: int) -> None:
        self.now_s = until_s
        for job, (unit, there_s, done_s) in list(self.jobs.items()):
            if until_s == there_s:
                self.on_scene(unit, job=job)
            if until_s >= done_s:
                self.work_done(unit, job=job)
                del self.jobs[job]

    def solve(self) -> None:
        self.busy = np.isin(np.arange(len(self.elements["unit"])), [one[0] for one in self.jobs.values()])

    def next_s(self) -> int | None:
        moments = [t_s for one in self.jobs.values() for t_s in one[1:] if t_s > self.now_s]
        return min(moments, default=None)

    def save(self):
        return {"jobs": {job: list(one) for job, one in self.jobs.items()}}

    def load(self, saved) -> None:
        self.jobs = {job: list(one) for job, one in saved["jobs"].items()}


def register(monkeypatch) -> None:
    """Install the metadata of a distribution that brings the model `patrol`."""
    folder = Path(tempfile.mkdtemp(prefix="patrol-"))
    info = folder / "patrol_domain-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: patrol-domain\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[twin.models]\npatrol = patrol:Patrol\n")
    for path in (str(folder), str(Path(__file__).parent)):
        if monkeypatch is None:
            sys.path.append(path)
        else:
            monkeypatch.syspath_prepend(path)


def write(folder: Path, plan: str, more: str = "") -> Path:
    """Write the two row houses with crews, and a plan in a file of its own."""
    (folder / "plan.yaml").write_text(plan)
    scenario = mini.SCENARIO.replace("models:\n", "models:\n  patrol:\n") + "plans: {warm: plan.yaml}\n" + more
    return mini.write(folder, city=mini.CITY + "  patrol: {}\n", scenario=scenario)


def said(run) -> list[tuple]:
    """Return what plans said in a run: second, what, of what."""
    rows = run.events[run.events["kind"] == "plan"]
    return list(zip(rows["t_seen_s"], rows["name"], rows["element"], strict=True))


def facts(run, what: str, of: str) -> dict:
    """Return the facts of the first such row."""
    rows = run.events[(run.events["name"] == what) & (run.events["element"] == of)]
    first = rows["facts"].iloc[0]
    return first if isinstance(first, dict) else json.loads(first)
