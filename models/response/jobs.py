"""Jobs from the call to their end, and the desk whose dispatchers take the calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

NEVER = 2**62
CALLING, QUEUED, HANDLED, OUT = range(4)
"""Where a job is: on its way to the desk, waiting for a dispatcher, being taken down, dispatched."""
CLASSES = ("black", "red", "yellow", "green")
"""Triage classes by code, as hospitals know them."""


@dataclass(slots=True)
class Job:
    """One job; `left_s` counts seconds of one crew's work, so that two crews take half as long."""

    number: int
    id: str
    skill: int
    x_m: float
    y_m: float
    units: int
    priority: int
    called_s: int
    through_s: int
    stage: int = CALLING
    left_s: float = 0.0
    marked_s: int = 0
    began_s: int = -1
    at_work: int = 0
    missed: bool = False
    patients: list[int] | None = None
    """waiting on the scene by triage class; None where it is no casualty scene"""
    moving: int = 0
    """patients in ambulances"""
    barred: dict[int, int] = field(default_factory=dict)
    """unit -> second until which it is not sent again: it had no way"""

    def order(self) -> tuple[int, int, int]:
        """Return what jobs are taken in order of: priority (1 first), then time of the call."""
        return self.priority, self.called_s, self.number

    def waiting(self) -> int:
        """Return the patients who wait on the scene."""
        return sum(self.patients or ())

    def mark(self, now_s: int) -> None:
        """Count the work done since the last mark."""
        if self.at_work:
            self.left_s = max(0.0, self.left_s - self.at_work * (now_s - self.marked_s))
        self.marked_s = now_s

    def done_s(self) -> int:
        """Return the second at which it will be done by those who work; NEVER when nobody does."""
        if self.patients is not None or not self.at_work:
            return NEVER
        return self.marked_s + -int(-self.left_s // self.at_work)


class Jobs:
    """All jobs that are not over, the ids that were ever used, and the dispatchers."""

    def __init__(self, dispatchers: int) -> None:
        self.open: dict[int, Job] = {}
        self.ids: dict[str, int] = {}
        self.dispatchers = dispatchers
        self.talking: dict[int, int] = {}
        """job number -> second at which a dispatcher is done with it"""
        self.counts = dict.fromkeys(("called", "done", "recalled"), 0)

    def add(self, job: Job) -> None:
        """Take a new job."""
        self.open[job.number] = job
        self.ids[job.id] = job.number
        self.counts["called"] += 1

    def end(self, job: Job, how: str) -> None:
        """Close a job: `done` or `recalled`."""
        self.counts[how] += 1
        self.talking.pop(job.number, None)
        del self.open[job.number]

    def named(self, id: str) -> Job | None:
        """Return the open job of this id."""
        return self.open.get(self.ids.get(id, -1))

    def hear(self, now_s: int, delay_s: Mapping[int, int]) -> None:
        """Let calls on their way come through no later than one placed now would."""
        for job in self.open.values():
            if job.stage == CALLING:
                job.through_s = min(job.through_s, now_s + delay_s[job.skill])

    def queue(self) -> list[Job]:
        """Return the calls that wait for a dispatcher, the next one first."""
        return sorted((job for job in self.open.values() if job.stage == QUEUED), key=Job.order)

    def short(self) -> list[Job]:
        """Return the jobs that were dispatched, in the order in which crews are given to them."""
        return sorted((job for job in self.open.values() if job.stage == OUT), key=Job.order)

    def next_s(self) -> int:
        """Return when a call comes through, a dispatcher is free, a job is done, or a unit that had no way may be sent again."""
        calls = (job.through_s for job in self.open.values() if job.stage == CALLING)
        done = (job.done_s() for job in self.open.values() if job.stage == OUT)
        bars = (second for job in self.open.values() for second in job.barred.values())
        firsts = (min(seconds, default=NEVER) for seconds in (calls, done, bars))
        return min(*firsts, min(self.talking.values(), default=NEVER))

    def save(self) -> dict[str, Any]:
        """Return everything as plain data."""
        jobs = [asdict(job) for job in self.open.values()]
        return {
            "open": jobs,
            "ids": dict(self.ids),
            "dispatchers": self.dispatchers,
            "talking": dict(self.talking),
            "counts": dict(self.counts),
        }

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take up what `save` returned."""
        self.open = {job.number: job for job in _jobs(saved["open"])}
        self.ids, self.dispatchers = dict(saved["ids"]), saved["dispatchers"]
        self.talking = {int(number): second for number, second in saved["talking"].items()}
        self.counts = dict(saved["counts"])


def _jobs(saved: Iterable[Mapping[str, Any]]) -> Iterable[Job]:
    names = {one.name for one in fields(Job)}
    for one in saved:
        job = Job(**{name: value for name, value in one.items() if name in names})
        job.barred = {int(unit): second for unit, second in job.barred.items()}
        job.patients = None if job.patients is None else list(job.patients)
        yield job
