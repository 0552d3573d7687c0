"""Ambulances shuttle between casualty scenes and the hospitals that accept, until nobody waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.response.crews import Outside
from models.response.draws import lognormal_s
from models.response.duty import Duty
from models.response.jobs import CLASSES, Job
from models.response.network import SKILLS, Network
from models.response.surface import AT_HOSPITAL, DRIVING, HELD, TO_HOSPITAL, WORKING, ResponseOptions

BLACK, RED, YELLOW, GREEN = range(len(CLASSES))
URGENCY = (RED, YELLOW, GREEN, BLACK)
"""Who is fetched first; the dead last."""
AMBULANCE = SKILLS.index("ambulance")
MOST_LEGS = 3
"""An ambulance goes on to another hospital at most so often."""


class Ambulances(Duty):
    """Duty with patients: an ambulance on a casualty scene loads, drives to a hospital, hands over, and comes back for more."""

    def __init__(self, network: Network, options: ResponseOptions, outside: Outside, seed: int) -> None:
        super().__init__(network, options, outside, seed)
        count = len(network.hospital_xy)
        self.accepts, self.share = np.ones(count, bool), np.zeros(count)
        self.policy: str = options.policy
        self.scenes: dict[str, None] = {}
        self.delivered, self.reported, self.left = (np.zeros(len(CLASSES), int) for _ in range(3))

    def casualties(self, id: str, x_m: float, y_m: float, patients: list[int], *, ambulances: int, priority: int) -> None:
        """Report patients by triage class at a point; more at a scene that is known join those who wait there, or open it again."""
        job = self.jobs.named(id)
        if not any(patients) and (job is None or job.patients is None):
            self.outside.say(
                "refused", None, self.now_s, job=id, why="nobody to fetch: no patients are given, and no scene of this name is open"
            )
            return
        if job is None and id in self.scenes:
            del self.jobs.ids[id]
        if job is not None and job.patients is not None:
            job.patients = [a + b for a, b in zip(job.patients, patients, strict=True)]
            job.units, job.missed, job.priority = max(job.units, ambulances), False, min(job.priority, priority)
            self.again_s = self.now_s
        else:
            job = self.call(id, AMBULANCE, x_m, y_m, units=ambulances, work_s=1.0, priority=priority)
            if job is None:
                return
            job.patients = list(patients)
            self.scenes[id] = None
        self.reported += np.array(patients)

    def wanted(self, job: Job, mine: int, coming: int) -> int:
        """Return how many more ambulances a scene wants for: one a load, less those that come, no more than were asked for."""
        if job.patients is None:
            return super().wanted(job, mine, coming)
        return min(self._loads(job) - coming, job.units - mine)

    def _loads(self, job: Job) -> int:
        patients = job.patients or [0] * len(CLASSES)
        return sum(patients) - patients[GREEN] + -(-patients[GREEN] // self.options.seats)

    def begin(self, unit: int, t_s: int) -> None:
        """Let an ambulance on a casualty scene load whom it takes."""
        job = self.jobs.open[int(self.units["job"][unit])]
        if job.patients is None:
            super().begin(unit, t_s)
            return
        first = next((triage for triage in URGENCY if job.patients[triage]), None)
        if first is None:
            self.home(unit, t_s)
            return
        count = min(job.patients[first], self.options.seats if first == GREEN else 1)
        job.patients[first] -= count
        job.moving += count
        job.began_s = t_s if job.began_s < 0 else job.began_s
        one = self.units[unit]
        one["aboard"][first] = count
        one["state"], one["legs"] = WORKING, 0
        one["until_s"] = t_s + lognormal_s(self.seed, self.options.loading, self.options.spread, "load", unit, int(one["trips"]))

    def due(self, unit: int, t_s: int) -> None:
        """End what a unit did until now."""
        state = self.units["state"][unit]
        if state == WORKING:
            self._to_hospital(unit, t_s)
        elif state == AT_HOSPITAL:
            self._again(unit, t_s)
        else:
            super().due(unit, t_s)

    def _to_hospital(self, unit: int, t_s: int) -> None:
        one = self.units[unit]
        one["hospital"] = self._choose(unit)
        one["legs"] += 1
        x_m, y_m = self.network.hospital_xy[one["hospital"]].tolist()
        self.send(unit, x_m, y_m, TO_HOSPITAL, depart_s=t_s, blue=bool(one["aboard"][[RED, YELLOW]].any()))

    def crowding(self) -> np.ndarray:
        """Return (hospital,) the share of its department's capacity that is taken, with those on their way to it."""
        going = np.isin(self.units["state"], (TO_HOSPITAL, HELD)) & (self.units["hospital"] >= 0)
        inbound = np.bincount(
            self.units["hospital"][going], self.units["aboard"][going].sum(axis=1).astype(float), len(self.network.hospital_xy)
        )
        return self.share + inbound / self.network.capacity

    def _choose(self, unit: int) -> int:
        """Return the hospital: of those that accept and have room for who comes already, the soonest reached or the least crowded."""
        place, walk = self.place(unit), self.options.walk
        reaches = [self.streets.reach(place, x, y, walk) for x, y in self.network.hospital_xy.tolist()]
        drive_s = np.array([np.inf if reach is None else reach.drive_s for reach in reaches])
        load = self.crowding()
        for pool in (self.accepts & (load < 1.0), self.accepts, np.ones_like(self.accepts)):
            able = pool & np.isfinite(drive_s)
            if able.any():
                key = np.where(able, load if self.policy == "spread" else drive_s, np.inf)
                return int(np.lexsort((drive_s, key))[0])
        return int(np.argmin(load))

    def reached(self, unit: int, t_s: int) -> None:
        """Let a unit be where it drove; an ambulance at the door of a hospital hands over, or goes on to one that accepts."""
        one = self.units[unit]
        if one["state"] != TO_HOSPITAL:
            super().reached(unit, t_s)
            return
        if self._must_go_on(unit):
            self._divert(unit, t_s)
            return
        job, hospital = self.jobs.open.get(int(one["job"])), int(one["hospital"])
        for triage in np.flatnonzero(one["aboard"]).tolist():
            for _ in range(int(one["aboard"][triage])):
                self.outside.hand_over(hospital, triage, int(self.delivered.sum()), t_s)
                self.delivered[triage] += 1
        said = {name: int(count) for name, count in zip(CLASSES, one["aboard"].tolist(), strict=True) if count}
        at = self.network.sets["hospital"].ids[hospital]
        after_s = t_s - job.called_s if job else 0
        self.outside.say("patients_delivered", unit, t_s, job=job.id if job else "", hospital=at, after_s=after_s, **said)
        if job is not None:
            job.moving -= int(one["aboard"].sum())
        one["aboard"] = 0
        one["hospital"] = -1
        one["state"] = AT_HOSPITAL
        one["until_s"] = t_s + lognormal_s(self.seed, self.options.handover, self.options.spread, "hand over", unit, int(one["trips"]))
        if job is not None and not job.moving and not job.waiting():
            self.finish(job, t_s, unit)

    def _must_go_on(self, unit: int) -> bool:
        one = self.units[unit]
        return bool(not self.accepts[one["hospital"]] and self.accepts.any() and one["legs"] < MOST_LEGS)

    def _divert(self, unit: int, t_s: int) -> None:
        before = self.network.sets["hospital"].ids[int(self.units["hospital"][unit])]
        self._to_hospital(unit, t_s)
        now = self.network.sets["hospital"].ids[int(self.units["hospital"][unit])]
        job = self.jobs.open.get(int(self.units["job"][unit]))
        self.outside.say("diverted", unit, t_s, job=job.id if job else "", hospital=before, to=now)

    def hear_hospitals(self, t_s: int) -> None:
        """Turn ambulances on their way to a hospital that takes no more, while another does."""
        for unit in np.flatnonzero((self.units["state"] == TO_HOSPITAL) & (self.units["hospital"] >= 0)).tolist():
            if self._must_go_on(unit):
                self._divert(unit, t_s)

    def _again(self, unit: int, t_s: int) -> None:
        """Let an ambulance fetch the next, or go home."""
        one = self.units[unit]
        job = self.jobs.open.get(int(one["job"]))
        if job is None or one["off"]:
            self.home(unit, t_s)
            return
        one["job"] = -1
        mine, coming = self.tally()
        if self.wanted(job, int(mine[job.number]), int(coming[job.number])) <= 0:
            self.home(unit, t_s)
            return
        one["job"] = job.number
        one["trips"] += 1
        self.send(unit, job.x_m, job.y_m, DRIVING, depart_s=t_s, blue=True)

    def recall(self, id: str) -> None:
        """Call a job off; patients who still wait on its scene are left to themselves, and counted."""
        job = self.jobs.named(id)
        self.left += np.array(job.patients if job is not None and job.patients else [0] * len(CLASSES))
        super().recall(id)

    def leave(self, unit: int, t_s: int) -> None:
        """Let a unit leave its job; patients aboard are brought to hospital first, and a handing over is finished."""
        one = self.units[unit]
        if one["aboard"].any() or one["state"] == AT_HOSPITAL:
            one["job"] = -1
            return
        super().leave(unit, t_s)

    def waiting(self) -> np.ndarray:
        """Return (class,) the patients on scenes."""
        return sum((np.array(job.patients) for job in self.jobs.open.values() if job.patients), np.zeros(len(CLASSES), int))

    def aboard(self) -> np.ndarray:
        """Return (class,) the patients in ambulances."""
        return self.units["aboard"].sum(axis=0)

    def save(self) -> dict[str, Any]:
        """Return everything as plain data."""
        counts = {name: getattr(self, name).copy() for name in ("delivered", "reported", "left")}
        return {**super().save(), "policy": self.policy, "scenes": list(self.scenes), **counts}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take up what `save` returned."""
        super().load(saved)
        self.policy, self.scenes = saved["policy"], dict.fromkeys(saved["scenes"])
        self.delivered, self.reported, self.left = (saved[name].copy() for name in ("delivered", "reported", "left"))
