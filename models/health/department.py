"""Emergency departments and beds as one queueing system: arrays of patients, and events in order of time.

A patient is sorted at the door, waits (red before yellow before green, then in order of coming), takes a treatment bay, and goes
home or into a bed. Who needs a bed and finds none stays in the bay (boarding). Who cannot be taken is sent on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.health import patients as drawn
from models.health.network import Network
from models.health.patients import BLACK, CLASSES, RED

SCENE, MOVING, SORTING, WAITING, TREATED, BOARDING, IN_BED = range(7)
"""Stages of a patient: not yet on the way, on the way, at the door, in the queue, in a bay, in a bay for want of a bed, in a bed."""
_STAGES = 8
"""Stages, and the one of who has left (-1)."""
INSIDE = (SORTING, WAITING, TREATED, BOARDING)
"""Stages that count to the load of a department."""

PATIENT = np.dtype(
    [
        ("id", "i8"), ("triage", "i2"), ("stage", "i2"), ("hospital", "i4"), ("place", "i4"), ("until_s", "i8"), ("came_s", "i8"),
        ("treatment_s", "i4"), ("admitted", "?"), ("stay_s", "i8"), ("legs", "i2"), ("brought", "?"),
    ]
)  # fmt: skip
"""One patient; `until_s`: when its stage ends, NEVER where that depends on others; `came_s`: at the door; `brought`: no walk-in."""
_WALK_INS, _IN_BEDS = 10**9, 10**13
"""Ids by origin start here, so that those who are brought do not change what others draw."""
NEVER = np.iinfo(np.int64).max
EASED = 0.9
"""Share of its capacity at which a full department stops diverting: synthetic; without such a gap it would flutter."""
LIMIT = 1.2
"""Share of its capacity above which a department gets patients only when every other is above it too."""

Say = Callable[[str, int, dict[str, float | str]], None]
"""`say(notice, hospital, facts)`"""


@dataclass
class Rules:
    """What does not change, or only by an action."""

    network: Network
    seed: list[int]
    distribution: str
    speed_m_per_s: float
    detour: float
    policy: str = "nearest"


@dataclass
class Department:
    """All hospitals at once; plain data, changed only by `run`, `bring`, `arrive` and `transfer`."""

    rules: Rules
    say: Say
    now_s: int
    open_: np.ndarray
    """(hospital,) bool: treats at all (power)."""
    surgical: np.ndarray
    """(hospital,) bool: takes red patients (power and water)."""
    closed: np.ndarray
    """(hospital,) bool: diverts by order."""
    people: np.ndarray = field(default_factory=lambda: np.empty(0, PATIENT))
    next_id: int = 1
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("gained", "discharged", "dead"), 0))
    moved_on: np.ndarray = field(default_factory=lambda: np.empty(0, int))
    waits_s: np.ndarray = field(default_factory=lambda: np.empty(0))
    starts: np.ndarray = field(default_factory=lambda: np.empty(0, int))
    full: np.ndarray = field(default_factory=lambda: np.empty(0, bool))
    marked: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.rules.network.xy)
        if not len(self.moved_on):
            self.moved_on, self.full = np.zeros(count, int), np.zeros(count, bool)
            self.marked = {"diverts": np.zeros(count, bool), "over": np.zeros(count, bool)}
            self.waits_s, self.starts = np.zeros((count, len(CLASSES))), np.zeros((count, len(CLASSES)), int)
        figures = self.rules.network.figures
        self.bays, self.beds = figures["bays"].astype(int), figures["beds"].astype(int)
        self.capacity = np.maximum(self.bays + figures["waiting_places"], 1.0)

    # looking

    def count(self, *stages: int, triage: int | None = None) -> np.ndarray:
        """Return (hospital,) how many patients are in these stages."""
        people = self.people if triage is None else self.people[self.people["triage"] == triage]
        where = people["hospital"] * _STAGES + people["stage"] + 1
        tally = np.bincount(where, minlength=_STAGES * len(self.bays)).reshape(-1, _STAGES)
        return sum((tally[:, stage + 1] for stage in stages), np.zeros(len(self.bays), int))

    def load(self, *, inbound: bool = False) -> np.ndarray:
        """Return (hospital,) the share of the department's capacity in use; with `inbound`, also by those on their way to it."""
        stages = (*INSIDE, MOVING) if inbound else INSIDE
        return self.count(*stages) / self.capacity

    def diverting(self) -> np.ndarray:
        """Return (hospital,) bool: full, without power, or ordered to divert."""
        return self.full | ~self.open_ | self.closed

    def mark(self) -> None:
        """Note who is full, from all of the capacity on until the load is `EASED` again, and say who diverts since or no more."""
        load = self.load()
        self.full = (load >= 1.0) | (self.full & (load > EASED))
        turns = (
            ("diverts", self.diverting(), "diversion_started", "diversion_ended"),
            ("over", load > LIMIT, "department_over", "department_under"),
        )
        for name, now, rises, falls in turns:
            for i in np.flatnonzero(now != self.marked[name]):
                self.say(rises if now[i] else falls, int(i), {"share": round(float(load[i]), 3)})
            self.marked[name] = now

    def ready(self) -> bool:
        """Return whether somebody waits who could be treated now."""
        return bool(self._can_start().any())

    def _can_start(self) -> np.ndarray:
        """Return (hospital,) how many free bays it has for somebody who waits and may be treated there."""
        waits = self.count(WAITING)
        if not self.surgical.all():
            waits = np.where(self.open_, waits - np.where(self.surgical, 0, self.count(WAITING, triage=RED)), 0)
        return np.where(waits > 0, np.maximum(self.bays - self.count(TREATED, BOARDING), 0), 0)

    def next_event_s(self) -> int | None:
        """Return when the next stage of anybody ends by itself."""
        least = int(self.people["until_s"].min(initial=NEVER))
        return None if least == NEVER else least

    # coming

    def bring(self, place: int, triage: int, at_s: np.ndarray) -> None:
        """Put patients at a place; each sets out at its second for the hospital that is right then."""
        for second in at_s.tolist():
            self._add(triage, SCENE, -1, place, int(second))

    def arrive(self, hospital: int, triage: int, at_s: int, walk_in: int | None = None) -> None:
        """Let a patient come to a hospital's door: brought by somebody, or the walk-in of this number."""
        self._add(triage, MOVING, hospital, -1, at_s, walk_in)

    def _add(self, triage: int, stage: int, hospital: int, place: int, until_s: int, walk_in: int | None = None) -> None:
        id = self.next_id if walk_in is None else _WALK_INS * (hospital + 1) + walk_in
        need = drawn.fate(self.rules.seed, id, triage, self.rules.distribution)
        brought = walk_in is None
        row = (id, triage, stage, max(hospital, 0), place, until_s, -1, need.treatment_s, need.admitted, need.stay_s, 0, brought)
        self.people = np.append(self.people, np.array([row], PATIENT))
        self.next_id += brought
        self.counts["gained"] += 1

    def fill_beds(self, occupied: np.ndarray) -> None:
        """Put the patients of the start into their beds; what is left of an exponential stay is exponential again."""
        for hospital, taken in enumerate(occupied.tolist()):
            rng = np.random.default_rng([*self.rules.seed, 4, hospital])
            rows = np.zeros(taken, PATIENT)
            rows["id"] = _IN_BEDS * (hospital + 1) + np.arange(taken)
            rows["stage"], rows["triage"], rows["hospital"], rows["place"] = IN_BED, drawn.YELLOW, hospital, -1
            rows["until_s"] = self.now_s + 60 + np.round(rng.exponential(drawn.STAY_S, taken)).astype(int)
            self.people = np.append(self.people, rows)
            self.counts["gained"] += taken

    # time

    def run(self, until_s: int) -> None:
        """Let everything happen up to and including `until_s`, in order of time."""
        self._start()
        while (due := self.next_event_s()) is not None and due <= until_s:
            self.now_s = max(self.now_s, due)
            for row in np.flatnonzero(self.people["until_s"] <= self.now_s):
                self._end(int(row))
            if (self.people["stage"] < 0).any():
                self.people = self.people[self.people["stage"] >= 0]
            self._into_beds()
            self._start()
            self.mark()
        self.now_s = until_s

    def _end(self, row: int) -> None:
        """End one patient's stage."""
        who = self.people[row]
        stage, hospital = int(who["stage"]), int(who["hospital"])
        if stage == SCENE:
            target = self.choose(self.rules.network.place_xy[int(who["place"])], int(who["triage"]))
            self._send(row, self.rules.network.place_xy[int(who["place"])], target)
        elif stage == MOVING:
            self._at_the_door(row, hospital)
        elif stage == SORTING:
            if who["triage"] == BLACK:
                self._leave(row, "dead")
            else:
                self._set(row, WAITING, NEVER)
        elif stage == TREATED and who["admitted"]:
            self._set(row, BOARDING, NEVER)
        else:
            self._leave(row, "discharged")

    def _at_the_door(self, row: int, hospital: int) -> None:
        """Sort a patient, or send on one that was brought and cannot be taken while another hospital can."""
        who = self.people[row]
        if who["brought"] and who["legs"] <= 1 and self.rules.policy != "nearest_only" and self._must_divert(hospital, int(who["triage"])):
            target = self.choose(self.rules.network.xy[hospital], int(who["triage"]))
            if target != hospital:
                self.say("patient_diverted", hospital, {"to": self._name(target), "triage": CLASSES[int(who["triage"])]})
                self.moved_on[hospital] += 1
                self._send(row, self.rules.network.xy[hospital], target)
                return
        self.people["came_s"][row] = self.now_s
        self._set(row, SORTING, self.now_s + drawn.TRIAGE_S)

    def _must_divert(self, hospital: int, triage: int) -> bool:
        return bool(self.diverting()[hospital]) or (triage == RED and not self.surgical[hospital])

    def _send(self, row: int, start: np.ndarray, target: int) -> None:
        metres = self.rules.detour * float(np.hypot(*(self.rules.network.xy[target] - start)))
        self.people["hospital"][row] = target
        self.people["legs"][row] += 1
        who = self.people[row]
        seconds = drawn.travel_s(self.rules.seed, int(who["id"]), int(who["legs"]), metres, self.rules.speed_m_per_s)
        self._set(row, MOVING, self.now_s + seconds)

    def choose(self, start: np.ndarray, triage: int) -> int:
        """Return the hospital for a patient at a point.

        `nearest`: the nearest that does not divert, counting who is on the way to it; when all do, the nearest below `LIMIT`; when
        all are above it, the emptiest. `balanced`: the emptiest that treats. `nearest_only`: the nearest, whatever its state.
        """
        away = np.hypot(*(self.rules.network.xy - start).T)
        load = self.load(inbound=True)
        if self.rules.policy == "nearest_only":
            return int(np.argmin(away))
        treats = self.open_ & (self.surgical | (triage != RED))
        treats = treats if treats.any() else self.open_ if self.open_.any() else np.ones_like(self.open_)
        if self.rules.policy == "balanced":
            return int(np.lexsort((away, np.where(treats & ~self.closed, load, math.inf)))[0])
        for allowed in (treats & ~self.closed & ~self.full & (load < 1.0), treats & (load < LIMIT)):
            if allowed.any():
                return int(np.argmin(np.where(allowed, away, math.inf)))
        return int(np.lexsort((away, np.where(treats, load, math.inf)))[0])

    def _into_beds(self) -> None:
        """Give free beds to those who board, longest in the department first."""
        boarders = self.count(BOARDING)
        for hospital in np.flatnonzero((boarders > 0) & (self.beds > self.count(IN_BED))) if boarders.any() else ():
            boarding = np.flatnonzero((self.people["stage"] == BOARDING) & (self.people["hospital"] == hospital))
            order = boarding[np.lexsort((self.people["id"][boarding], self.people["came_s"][boarding]))]
            for row in order[: int(self.beds[hospital] - self.count(IN_BED)[hospital])]:
                self._set(int(row), IN_BED, self.now_s + int(self.people["stay_s"][row]))

    def _start(self) -> None:
        """Fill free bays: red before yellow before green, then in order of coming; send on reds that cannot be treated here."""
        self._move_reds()
        free = self._can_start()
        for hospital in np.flatnonzero(free):
            waits = (self.people["stage"] == WAITING) & (self.people["hospital"] == hospital)
            if not self.surgical[hospital]:
                waits &= self.people["triage"] != RED
            rows = np.flatnonzero(waits)
            order = rows[np.lexsort((self.people["id"][rows], self.people["came_s"][rows], self.people["triage"][rows]))]
            for row in order[: int(free[hospital])]:
                triage = int(self.people["triage"][row])
                self.waits_s[hospital, triage] += self.now_s - int(self.people["came_s"][row])
                self.starts[hospital, triage] += 1
                self._set(int(row), TREATED, self.now_s + int(self.people["treatment_s"][row]))

    def _move_reds(self) -> None:
        """Send waiting reds away from a hospital without power or water, when another can treat them."""
        stuck = ~(self.open_ & self.surgical)
        if not stuck.any() or stuck.all() or self.rules.policy == "nearest_only":
            return
        waits = (self.people["stage"] == WAITING) & (self.people["triage"] == RED) & stuck[self.people["hospital"]]
        for row in np.flatnonzero(waits):
            self.transfer(int(row))

    def transfer(self, row: int) -> None:
        """Send a waiting patient to the hospital that is right for it now."""
        hospital = int(self.people["hospital"][row])
        target = self.choose(self.rules.network.xy[hospital], int(self.people["triage"][row]))
        if target != hospital:
            self.moved_on[hospital] += 1
            facts: dict[str, float | str] = {"to": self._name(target), "triage": CLASSES[int(self.people["triage"][row])]}
            self.say("patient_transferred", hospital, facts)
            self._send(row, self.rules.network.xy[hospital], target)

    def _name(self, hospital: int) -> str:
        return self.rules.network.sets["hospital"].ids[hospital]

    def _set(self, row: int, stage: int, until_s: int) -> None:
        self.people["stage"][row], self.people["until_s"][row] = stage, until_s

    def _leave(self, row: int, how: str) -> None:
        self._set(row, -1, NEVER)
        self.counts[how] += 1

    # saving

    def save(self) -> dict[str, Any]:
        """Return the state as plain data."""
        plain = {"people": self.people.copy(), "next_id": self.next_id, "counts": dict(self.counts), "now_s": self.now_s}
        sums = {"moved_on": self.moved_on.copy(), "waits_s": self.waits_s.copy(), "starts": self.starts.copy()}
        flags = {"open": self.open_.copy(), "surgical": self.surgical.copy(), "closed": self.closed.copy(), "full": self.full.copy()}
        marked = {name: now.copy() for name, now in self.marked.items()}
        return {**plain, **sums, **flags, "marked": marked, "policy": self.rules.policy}

    def load_state(self, saved: dict[str, Any]) -> None:
        """Take up what `save` returned."""
        self.people, self.next_id, self.counts, self.now_s = saved["people"].copy(), saved["next_id"], dict(saved["counts"]), saved["now_s"]
        self.moved_on, self.waits_s, self.starts = (saved[name].copy() for name in ("moved_on", "waits_s", "starts"))
        self.open_, self.surgical, self.closed, self.full = (saved[name].copy() for name in ("open", "surgical", "closed", "full"))
        self.marked = {name: now.copy() for name, now in saved["marked"].items()}
        self.rules.policy = saved["policy"]
