"""Emergency response: calls, dispatchers, crews that drive the streets, work, and patients brought to hospital."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from models.response import network as files
from models.response.ambulances import RED, Ambulances
from models.response.crews import Outside
from models.response.jobs import CALLING, NEVER, QUEUED
from models.response.network import SKILLS
from models.response.surface import AT_DEPOT, CAME, Kind, Surface
from twin.looks import Looks, MoverLook, SetLook
from twin.model import Account, Setup, Snapshot, action
from twin.ports import FLOW, TRACK, At

Unit = Annotated[str, At("unit")]
Metres = Annotated[float, Field(ge=-1e7, le=1e7)]
Count = Annotated[int, Field(ge=0, le=5000)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
PATIENTS_A_CALL = 10
"""Patients of one scene about whom one calls: those beside them see that others do (synthetic)."""


class Response(Surface):
    """Dispatchers and crews. Units drive as vehicles of the traffic model where there is one, else by the street graph at free speed.

    A job's work is crew-time: two crews take half as long. Times vary about their means (lognormal), each drawn by its own name.
    """

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.declared = False
        self.unit_skill = self.network.unit_skill
        self.duty = Ambulances(self.network, self.options, Outside(self._say, self._order, self._hand_over), setup.seed)

    @classmethod
    def read(cls, setup: Setup) -> files.Network:
        """Read response.json."""
        return files.read(setup.file("network"), setup.offset_m)

    @classmethod
    def demo(cls, folder: Path) -> Setup:
        """Write nine crossings with two depots and two hospitals."""
        from models.response.demo import write

        folder.mkdir(parents=True, exist_ok=True)
        write(folder / "response.json")
        return Setup("response", {"network": folder / "response.json"}, folder)

    def open(self) -> None:
        """Find the state at second 0."""
        self.solve()

    def _say(self, notice: str, index: int | None, happened_s: int, **facts: float | str) -> None:
        getattr(self, notice)(index, happened_s=happened_s, **facts)

    def _order(self, unit: int, spot: int, what: int, t_s: int) -> None:
        self.orders.emit(np.array([(unit, spot, what, 1, t_s)], FLOW))

    def _hand_over(self, hospital: int, triage: int, patient: int, t_s: int) -> None:
        self.handed_over.emit(np.array([(patient, hospital, triage, 1, t_s)], FLOW))

    # time

    def advance(self, until_s: int) -> bool:
        """Take what the roads and hospitals say, then let everything happen up to `until_s`."""
        if self.now_s >= until_s:
            return False
        duty = self.duty
        self._now()
        if not self.declared:
            self.declared = True
            at, skill = duty.units["home"].tolist(), duty.units["skill"].tolist()
            self.orders.emit(np.array([(unit, at[unit], skill[unit], 1, self.now_s) for unit in range(len(at))], FLOW))
        answers = self.reached.take()
        duty.hear(answers)
        duty.hear_hospitals(self.now_s)
        happened = duty.run(until_s)
        self.now_s = until_s
        return happened or bool(answers.size) or bool(duty.jobs.open)

    def _now(self) -> None:
        """Tell duty what second it is and how things stand."""
        duty = self.duty
        duty.now_s = self.now_s
        duty.streets.set_times(self.passing_s)
        duty.delay_s, duty.radio_up = self.dispatch_delay_s.copy(), self.radio_up.copy()
        duty.accepts, duty.share = self.accepts.copy(), self.ed_share.copy()

    def next_s(self) -> int | None:
        """Return when something happens next by itself."""
        if not self.declared:
            return self.now_s + 1
        due_s = self.duty.next_event_s()
        return None if due_s >= NEVER else max(due_s, self.now_s + 1)

    # the instant

    def solve(self) -> None:
        """Write what units do, who is free, what waits."""
        duty = self.duty
        units, now_s = duty.units, self.now_s
        self.state, self.aboard = units["state"], units["aboard"].sum(axis=1)
        depots = len(self.units_free)
        self.units_free = np.bincount(units["depot"][units["state"] == AT_DEPOT], minlength=depots)
        self.units_out = np.bincount(units["depot"][units["job"] >= 0], minlength=depots)
        self.free = [duty.free(skill).size for skill in range(len(SKILLS))]
        self.jobs_waiting, self.wait_s = 0, 0.0
        for job, _ in duty.short_of():
            self.jobs_waiting[job.skill] += 1
            self.wait_s[job.skill] = max(self.wait_s[job.skill], now_s - job.called_s)
        self.calls_per_h = self._calls_per_h()
        jobs = duty.jobs
        self.calls_waiting = sum(job.stage in (CALLING, QUEUED) for job in jobs.open.values())
        self.jobs_open, self.jobs_done = len(jobs.open), jobs.counts["done"]
        waiting, aboard = duty.waiting(), duty.aboard()
        self.patients_waiting, self.patients_moving, self.delivered = waiting.sum(), aboard.sum(), duty.delivered.sum()
        self.reds_outside = waiting[RED] + aboard[RED]

    def _calls_per_h(self) -> np.ndarray:
        """Return (skill,) the calls an hour that open jobs bring: who waits calls again, and so do they who pass (synthetic)."""
        units, about = self.duty.units, np.zeros(len(SKILLS))
        reached = set(units["job"][np.isin(units["state"], CAME)].tolist())
        for job in self.duty.jobs.open.values():
            about[job.skill] += max(float(job.number not in reached), job.waiting() / PATIENTS_A_CALL)
        return about * self.options.callers

    # verbs

    @action
    def send(
        self,
        job: Name,
        skill: Kind,
        x_m: Metres,
        y_m: Metres,
        units: Annotated[int, Field(ge=1, le=1000)] = 1,
        work_s: Annotated[float, Field(ge=1, le=30 * 86400)] = 600.0,
        priority: Annotated[int, Field(ge=1, le=9)] = 2,
    ) -> None:
        """Call for `units` crews of a skill to a point; their work takes `work` on average, with all of them there."""
        self._now()
        self.duty.call(job, SKILLS.index(skill), x_m, y_m, units=units, work_s=work_s, priority=priority)

    @action
    def recall(self, job: Name) -> None:
        """Call a job off: its crews go home; patients who still wait on its scene are left there."""
        self._now()
        self.duty.recall(job)

    @action
    def patients(
        self,
        job: Name,
        x_m: Metres,
        y_m: Metres,
        red: Count = 0,
        yellow: Count = 0,
        green: Count = 0,
        black: Count = 0,
        ambulances: Annotated[int, Field(ge=1, le=1000)] = 1000,
        priority: Annotated[int, Field(ge=1, le=9)] = 1,
    ) -> None:
        """Report patients by triage class at a point: up to `ambulances` fetch them, red first, until nobody waits."""
        self._now()
        self.duty.casualties(job, x_m, y_m, [black, red, yellow, green], ambulances=ambulances, priority=priority)

    @action
    def staff(self, dispatchers: Annotated[int, Field(ge=0, le=1000)]) -> None:
        """Set the number of dispatchers."""
        self._now()
        self.duty.staff(dispatchers)

    @action
    def stage(self, unit: Unit, x_m: Metres, y_m: Metres) -> None:
        """Send a free unit to stand by at a point; from there it leaves sooner."""
        self._now()
        self.duty.stage(self.index("unit", unit), x_m, y_m)

    @action
    def stand_down(self, unit: Unit) -> None:
        """Take a unit off duty once it is back at its depot: broken down, or its shift is over."""
        self._now()
        self.duty.set_duty(self.index("unit", unit), on=False)

    @action
    def stand_up(self, unit: Unit) -> None:
        """Put a unit on duty again."""
        self._now()
        self.duty.set_duty(self.index("unit", unit), on=True)

    @action
    def set_policy(self, policy: Literal["nearest", "spread"]) -> None:
        """Say which of the hospitals that accept an ambulance drives to: the soonest reached, or the least crowded."""
        self.duty.policy = policy

    # the rest

    def save(self) -> Snapshot:
        """Return crews, jobs and patients."""
        return {"duty": self.duty.save(), "declared": self.declared}

    def load(self, saved: Snapshot) -> None:
        """Take up what `save` returned."""
        self.duty.load(saved["duty"])
        self.declared = saved["declared"]
        self._now()

    def ledger(self) -> list[Account]:
        """Return units, jobs and patients."""
        duty = self.duty
        jobs, here = duty.jobs, duty.waiting().sum() + duty.aboard().sum()
        gone = int(duty.delivered.sum() + duty.left.sum())
        return [
            Account("units", "1", len(self.network.unit_skill), 0, len(duty.units)),
            Account("jobs", "1", jobs.counts["called"], jobs.counts["done"] + jobs.counts["recalled"], len(jobs.open)),
            Account("patients to bring", "1", int(duty.reported.sum()), gone, int(here)),
            Account("patients handed over", "1", int(duty.delivered.sum()), self.boxes["handed_over"].passed, 0),
        ]

    def positions(self) -> np.ndarray:
        """Return the units that drive by the street graph; those on the simulated roads are the traffic model's."""
        rows = self.duty.positions()
        track = np.zeros(len(rows), TRACK)
        for at, (unit, x, y, angle, speed) in enumerate(rows):
            track[at] = (unit, 0, x, y, angle, speed)
        return track

    def looks(self) -> dict[str, Any]:
        """Return how depots, hospitals and vehicles are drawn: metres."""
        hidden = SetLook("marker", shown=False)
        sets = {
            "depot": SetLook("marker", width_m=30.0, height_m=14.0),
            "centre": SetLook("marker", width_m=34.0, height_m=26.0),
            "spot": SetLook("road", width_m=3.0, shown=False),
            **dict.fromkeys(("unit", "hospital", "skill"), hidden),
        }
        movers = {label: MoverLook("blue_light", (6.5, 2.3, 2.6), along="spot") for label in self.moving.values()}
        return Looks(sets, movers).plain()
