"""Duty: calls come to the desk, dispatchers send crews, crews drive, work and go home; nothing but plain data and an order of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.response.crews import MOVING, Crews, Outside
from models.response.draws import READY_S, TURNOUT_S, TURNOUT_SPREAD, lognormal_s
from models.response.jobs import CALLING, HANDLED, NEVER, OUT, QUEUED, Job, Jobs
from models.response.network import SKILLS, Network
from models.response.streets import WALK_M_PER_S
from models.response.surface import (
    AT_DEPOT,
    DRIVING,
    HELD,
    OFF,
    ON_SCENE,
    RETURNING,
    STANDING_BY,
    TURNING_OUT,
    WORKING,
    ResponseOptions,
)


class Duty(Crews):
    """Jobs and crews; patients are for `Ambulances`, which adds them."""

    def __init__(self, network: Network, options: ResponseOptions, outside: Outside, seed: int) -> None:
        super().__init__(network, options, outside, seed)
        self.jobs = Jobs(network.dispatchers if options.dispatchers is None else options.dispatchers)
        self.delay_s = np.zeros(len(SKILLS))
        self.radio_up = np.ones(len(network.depot_xy), bool)
        self.again_s = NEVER

    # calls

    def call(self, id: str, skill: int, x_m: float, y_m: float, *, units: int, work_s: float, priority: int) -> Job | None:
        """Take a call for a job; None (and a notice) when its id was used before."""
        if id in self.jobs.ids or not id.strip():
            why = "a job of this name was called before: give it another" if id.strip() else "a job needs a name"
            self.outside.say("refused", None, self.now_s, job=id, why=why)
            return None
        through_s = self.now_s + round(float(self.delay_s[skill]))
        job = Job(self.jobs.counts["called"], id, skill, x_m, y_m, units, priority, self.now_s, through_s)
        job.left_s = float(units * lognormal_s(self.seed, work_s, self.options.spread, "work", id))
        self.jobs.add(job)
        self.outside.say("called", None, self.now_s, job=id, skill=SKILLS[skill])
        return job

    def recall(self, id: str) -> None:
        """Call a job off: its crews go home."""
        job = self.jobs.named(id)
        if job is None:
            why = "it is over" if id in self.jobs.ids else "no job of this name was called"
            self.outside.say("refused", None, self.now_s, job=id, why=why)
            return
        self._close(job, "recalled", self.now_s)
        self.outside.say("recalled", None, self.now_s, job=id)
        self.outside.say("unmet", None, self.now_s, job=id, asked=job.units, free=0, why="recalled")

    def _close(self, job: Job, how: str, t_s: int) -> None:
        self.jobs.end(job, how)
        for unit in np.flatnonzero(self.units["job"] == job.number).tolist():
            self.leave(unit, t_s)

    def leave(self, unit: int, t_s: int) -> None:
        """Let a unit leave its job and go home."""
        self.home(unit, t_s)

    # time

    def next_event_s(self) -> int:
        """Return when something happens next by itself."""
        return min(self.jobs.next_s(), int(self.units["until_s"].min()), self.again_s)

    def run(self, until_s: int) -> bool:
        """Let everything happen up to and including `until_s`, in order of time; returns whether anything did."""
        happened = False
        self.jobs.hear(self.now_s, dict(enumerate(np.round(self.delay_s).astype(int).tolist())))
        while (due_s := self.next_event_s()) <= until_s:
            self.now_s = max(self.now_s, due_s)
            self._step(self.now_s)
            happened = True
        self.now_s = until_s
        return happened

    def _step(self, t_s: int) -> None:
        self.again_s = NEVER
        self._desk(t_s)
        for job in self.jobs.short():
            if job.done_s() <= t_s:
                self.finish(job, t_s)
        for job in self.jobs.open.values():
            job.barred = {unit: until_s for unit, until_s in job.barred.items() if until_s > t_s}
        for unit in np.flatnonzero(self.units["until_s"] <= t_s).tolist():
            self.units["until_s"][unit] = NEVER
            self.due(unit, t_s)
        self._give(t_s)

    def _desk(self, t_s: int) -> None:
        """Let calls come through and dispatchers take the next ones."""
        for job in self.jobs.open.values():
            if job.stage == CALLING and job.through_s <= t_s:
                job.stage = QUEUED
        for number, end_s in sorted(self.jobs.talking.items()):
            if end_s <= t_s:
                del self.jobs.talking[number]
                self.jobs.open[number].stage = OUT
        for job in self.jobs.queue()[: max(0, self.jobs.dispatchers - len(self.jobs.talking))]:
            job.stage = HANDLED
            self.jobs.talking[job.number] = t_s + lognormal_s(self.seed, self.options.handling, self.options.spread, "call", job.id)

    def due(self, unit: int, t_s: int) -> None:
        """End what a unit did until now."""
        state = self.units["state"][unit]
        if state == TURNING_OUT:
            self.start(unit, t_s)
        elif state == HELD:
            self.go_on(unit, t_s)
        elif state in MOVING and unit in self.ways:
            self.arrive(unit, t_s)
        elif state in MOVING:
            self._overdue(unit, t_s)
        elif state == ON_SCENE:
            self.begin(unit, t_s)

    def _overdue(self, unit: int, t_s: int) -> None:
        """Say that a unit is far later than reckoned, and count on another; it goes on trying."""
        one = self.units[unit]
        if not one["late"]:
            one["late"] = True
            self.stuck(unit, t_s, "overdue on the road")

    def stuck(self, unit: int, t_s: int, why: str) -> None:
        """Say that a unit is stranded."""
        job = self.jobs.open.get(int(self.units["job"][unit]))
        self.outside.say("stranded", unit, t_s, job=job.id if job else "", why=why)

    def gave_up(self, unit: int, t_s: int) -> None:
        """Take a unit without a way off its job; who must go home or to a hospital goes on looking."""
        one = self.units[unit]
        job = self.jobs.open.get(int(one["job"]))
        self.stuck(unit, t_s, "no way: every road to it is closed")
        one["blocked_s"] = -1
        if one["then"] == DRIVING and job is not None:
            job.barred[unit] = t_s + self.options.strand_after
            self.home(unit, t_s)
            self._unmet(job, 1, t_s, "stranded")
        elif one["then"] == DRIVING:
            self.home(unit, t_s)
        else:
            self.hold(unit, t_s)

    # crews and jobs

    def _give(self, t_s: int) -> None:
        """Give free crews to the jobs that want for them."""
        short = self.short_of()
        free: dict[int, list[int]] = {}
        for job, wanted in sorted(short, key=lambda one: one[0].order()):
            if job.stage != OUT:
                continue
            if job.skill not in free:
                free[job.skill] = self.free(job.skill).tolist()
            self._assign(job, wanted, free[job.skill], t_s)

    def tally(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (job number,) the units each job has that are not late, and how many of them are still to come to it."""
        mine = self.units[(self.units["job"] >= 0) & ~self.units["late"]]
        coming = np.isin(mine["state"], (TURNING_OUT, DRIVING, ON_SCENE)) | ((mine["state"] == HELD) & (mine["then"] == DRIVING))
        size = self.jobs.counts["called"]
        return np.bincount(mine["job"], minlength=size), np.bincount(mine["job"][coming], minlength=size)

    def wanted(self, job: Job, mine: int, coming: int) -> int:
        """Return how many more units a job wants for, which has these."""
        del coming
        return job.units - mine

    def short_of(self) -> list[tuple[Job, int]]:
        """Return the jobs that want for units, and for how many."""
        if not self.jobs.open:
            return []
        mine, coming = self.tally()
        found = ((job, self.wanted(job, int(mine[job.number]), int(coming[job.number]))) for job in self.jobs.open.values())
        return [(job, wanted) for job, wanted in found if wanted > 0]

    def _assign(self, job: Job, wanted: int, able: list[int], t_s: int) -> None:
        """Send the free units that are soonest there; they are taken out of those that are `able`."""
        free = [unit for unit in able if unit not in job.barred]
        if free:
            places = np.array([self.place(unit) for unit in free], int)
            drive_s = self.streets.times_to(job.x_m, job.y_m, self.options.walk, places)
            for at in np.argsort(drive_s, kind="stable")[:wanted].tolist():
                able.remove(free[at])
                self._dispatch(free[at], job, t_s, float(drive_s[at]))
        if len(free) < wanted:
            has = bool((self.network.unit_skill == job.skill).any())
            self._unmet(job, wanted, t_s, "no unit free" if has else "no unit with the skill", len(free))

    def _unmet(self, job: Job, asked: int, t_s: int, why: str, free: int = 0) -> None:
        """Say once that a job does not get what it wants for; it goes on waiting."""
        if not job.missed:
            job.missed = True
            self.outside.say("unmet", None, t_s, job=job.id, asked=asked, free=free, why=why)

    def _dispatch(self, unit: int, job: Job, t_s: int, drive_s: float) -> None:
        one = self.units[unit]
        one["job"] = job.number
        one["trips"] += 1
        if one["state"] in MOVING:
            depart_s = t_s
        elif one["state"] == STANDING_BY:
            depart_s = t_s + round(READY_S)
        else:
            drawn_s = lognormal_s(self.seed, TURNOUT_S[SKILLS[job.skill]], TURNOUT_SPREAD, "turnout", unit, int(one["trips"]))
            depart_s = t_s + drawn_s + (0 if self.radio_up[one["depot"]] else self.options.messenger)
        self.send(unit, job.x_m, job.y_m, DRIVING, depart_s=depart_s, blue=True)
        facts = {"expected_s": depart_s - t_s + round(drive_s / self.options.blue_factor)} if np.isfinite(drive_s) else {}
        self.outside.say("sent", unit, t_s, job=job.id, skill=SKILLS[job.skill], **facts)

    def reached(self, unit: int, t_s: int) -> None:
        """Let a unit be where it drove: at its job, its post, or home."""
        one = self.units[unit]
        if one["state"] == RETURNING:
            self.rest(unit, AT_DEPOT)
        elif one["state"] == DRIVING and (job := self.jobs.open.get(int(one["job"]))) is not None:
            one["state"], one["until_s"] = ON_SCENE, t_s + max(1, round(float(one["away_m"]) / WALK_M_PER_S))
            away_m = round(float(one["away_m"]), 1)
            self.outside.say("on_scene", unit, t_s, job=job.id, away_m=away_m, after_s=t_s - job.called_s)
        else:
            self.rest(unit, STANDING_BY)

    def begin(self, unit: int, t_s: int) -> None:
        """Let a unit that is on scene begin its work."""
        job = self.jobs.open[int(self.units["job"][unit])]
        self.units["state"][unit] = WORKING
        job.mark(t_s)
        job.at_work += 1
        job.began_s = t_s if job.began_s < 0 else job.began_s

    def finish(self, job: Job, t_s: int, unit: int | None = None) -> None:
        """Say that a job is done (by `unit`, or by the first of its crews at work), and send its crews home."""
        at_work = np.flatnonzero((self.units["job"] == job.number) & (self.units["state"] == WORKING)).tolist()
        by = at_work[0] if unit is None and at_work else unit
        worked_s = t_s - job.began_s
        self._close(job, "done", t_s)
        self.outside.say("work_done", by, t_s, job=job.id, worked_s=worked_s)

    # orders

    def stage(self, unit: int, x_m: float, y_m: float) -> None:
        """Send a free unit to stand by at a point."""
        if unit not in self.free(int(self.units["skill"][unit])).tolist():
            self.outside.say("refused", unit, self.now_s, job="", why="the unit is not free to stand by elsewhere")
            return
        self.send(unit, x_m, y_m, DRIVING, depart_s=self.now_s, blue=False)

    def set_duty(self, unit: int, *, on: bool) -> None:
        """Take a unit off duty as soon as it is at its depot, or on duty again."""
        self.units["off"][unit] = not on
        if self.units["state"][unit] in (AT_DEPOT, OFF):
            self.rest(unit, AT_DEPOT)
        self.again_s = self.now_s

    def staff(self, dispatchers: int) -> None:
        """Set the number of dispatchers; calls being taken are finished."""
        self.jobs.dispatchers = dispatchers
        self.again_s = self.now_s

    # looking

    def busy(self) -> bool:
        """Return whether anybody is anywhere but at rest."""
        return bool(self.jobs.open) or bool((self.units["until_s"] < NEVER).any()) or bool(np.isin(self.units["state"], MOVING).any())

    def save(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {**super().save(), "jobs": self.jobs.save(), "again_s": self.again_s}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take up what `save` returned."""
        super().load(saved)
        self.jobs.load(saved["jobs"])
        self.again_s = saved["again_s"]
