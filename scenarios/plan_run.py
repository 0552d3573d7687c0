"""A plan while a run goes on: its level, and how far each of its actions has come. Plain data and a state machine."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from scenarios import crews
from scenarios.conditions import Condition, State
from scenarios.desks import Desks
from scenarios.plan import LEVELS, Action, Level, Plan
from twin.driver import SOURCES, Post, Said, Seen
from twin.ports import Report

NEVER = -1
IDLE, DESK, DELAY, APPROVAL, STEP, CREW, DONE, FAILED = "idle", "desk", "delay", "approval", "step", "crew", "done", "failed"
UNBEGUN = (DESK, DELAY, APPROVAL)
GOING = (*UNBEGUN, STEP, CREW)
NO_LEVEL = len(LEVELS)


@dataclass
class Watch:
    """A condition that is watched: what it remembers, whether it holds, whether that counts."""

    state: State
    holds: bool = False
    spent: bool = False
    """It held when the plan stood down, or as its end when it came into force, and counts again once it has ceased to."""
    next_s: int | None = None


@dataclass
class Course:
    """How far an action has come."""

    stage: str = IDLE
    called_s: int = NEVER
    due_s: int | None = None
    deadline_s: int | None = None
    step: int = 0
    job: str = ""
    calls: int = 0
    late: bool = False
    waited_s: int = 0
    why: str = ""
    by: str = ""


@dataclass
class Running:
    """One plan in a run; what it gives is put into `out`."""

    plan: Plan
    desks: Desks
    in_force: bool = False
    level: int = NO_LEVEL
    reached: str = ""
    """Why the plan is at its level."""
    watches: dict[str, Watch] = field(default_factory=dict)
    courses: dict[str, Course] = field(default_factory=dict)
    conditions: dict[str, Condition] = field(default_factory=dict)
    models: frozenset[str] = frozenset()
    unheard: dict[str, int] = field(default_factory=dict)
    """What the plan hears over and does not hold -> since when."""
    out: list[Post | Said] = field(default_factory=list)
    posted: int = 0

    def __post_init__(self) -> None:
        plan = self.plan
        self.conditions = {f"level {level.name}": level.when for level in plan.levels}
        self.conditions |= {f"action {name}": action.when for name, action in plan.actions.items() if action.when is not None}
        self.conditions |= {"end": plan.ends} if plan.ends is not None else {}
        self.watches = {name: self._watch(one) for name, one in self.conditions.items()}
        self.courses = {name: Course() for name in plan.actions}
        self.models = frozenset().union(*(one.models for one in self.conditions.values()))

    def _watch(self, condition: Condition) -> Watch:
        """Return a watch over a condition of which nothing is known yet; a time before the plan's first second is not looked at."""
        fresh = condition.fresh()
        first_s = self.plan.from_s if self.plan.from_s else None
        return Watch(fresh, next_s=first_s if first_s is not None else condition.next_s(fresh, NEVER))

    # -- conditions

    def watch(self, seen: Seen, spoke: AbstractSet[str]) -> None:
        """Ask the conditions whose models moved or reported, or whose time has come, and do what follows."""
        if seen.now_s < self.plan.from_s:
            return
        turned = False
        self._listen(seen)
        for name, condition in self.conditions.items():
            watch = self.watches[name]
            timely = watch.next_s is not None and watch.next_s <= seen.now_s
            if (timely or not spoke.isdisjoint(condition.models)) and (name != "end" or self.in_force):
                if watch.spent and condition.notices and name != "end":
                    watch.holds = watch.spent = condition.forget(seen, watch.state)  # what was heard before the plan stood down is over
                before, watch.holds = watch.holds, condition.holds(seen, watch.state)
                watch.spent &= watch.holds or watch.state.lost_s is not None  # what is not heard has not ceased to hold either
                watch.next_s = condition.next_s(watch.state, seen.now_s)
                turned |= watch.holds != before
        if turned:
            self._follow(seen)

    def _follow(self, seen: Seen) -> None:
        before = self.in_force
        if before and self._has_ended():
            self.stand_down(seen.now_s, self._saw("end", seen))
            return
        self._reach(seen)
        if self.in_force and not before and "end" in self.watches:  # what would end the plan is watched from now on
            end, fresh = self.conditions["end"], self.conditions["end"].fresh()
            holds = end.holds(seen, fresh)
            spent = holds or fresh.lost_s is not None
            self.watches["end"] = Watch(fresh, holds, spent=spent, next_s=end.next_s(fresh, seen.now_s))

    def _listen(self, seen: Seen) -> None:
        """Note what is no longer heard, and what is again."""
        for text, ear in {one.ear.text: one.ear for one in self.conditions.values() if one.ear is not None}.items():
            heard = ear.holds(seen, ear.fresh())
            if heard and text in self.unheard:
                lost_s = self.unheard.pop(text)
                self.say("hearing_back", "", seen.now_s, why=ear.saw(seen), after_s=seen.now_s - lost_s)
            elif not heard and text not in self.unheard:
                self.unheard[text] = seen.now_s
                self.say("hearing_lost", "", seen.now_s, "warning", why=f"not {ear.saw(seen)}")

    def _saw(self, name: str, seen: Seen) -> str:
        return self.conditions[name].saw(seen, self.watches[name].state)

    def _has_ended(self) -> bool:
        """Whether the plan stands down: what held already when it came into force counts once nothing calls for the plan any more."""
        if "end" not in self.watches or not self.watches["end"].holds:
            return False
        return not self.watches["end"].spent or not any(self._counts(name) for name in self.watches if name != "end")

    def _reach(self, seen: Seen) -> None:
        """Declare the gravest level that holds, and call the actions whose level and condition are reached."""
        gravest = next((level for level in self.plan.levels if self._counts(f"level {level.name}")), None)
        if gravest is not None and gravest.rank != self.level:
            self._declare(gravest, self._saw(f"level {gravest.name}", seen), seen.now_s)
        for action in self.plan.actions.values():
            course = self.courses[action.name]
            if course.stage != IDLE or (action.level is None and action.when is None):
                continue
            if (action.level is None or self.level <= action.level) and (action.when is None or self._counts(f"action {action.name}")):
                level = self.reached if action.level is not None else ""
                own = self._saw(f"action {action.name}", seen) if action.when is not None else ""
                why = "; ".join(filter(None, [level, own]))
                self.call(action, why, seen.now_s)

    def _counts(self, name: str) -> bool:
        return self.watches[name].holds and not self.watches[name].spent

    def _declare(self, level: Level, why: str, now_s: int) -> None:
        self._enter(now_s, why)
        before = {"before": LEVELS[self.level]} if self.level < NO_LEVEL else {}
        self.level, self.reached = level.rank, f"level {level.name}: {why}"
        self.say("level", "", now_s, level=level.name, why=why, text=level.text, **before)

    def _enter(self, now_s: int, why: str) -> None:
        """Put the plan in force."""
        if self.in_force:
            return
        self.in_force = True
        self.say("in_force", "", now_s, why=why, title=self.plan.title)

    # -- actions

    def call(self, action: Action, why: str, now_s: int) -> None:
        """Call upon a role to do an action: the matter is laid on its desk."""
        self._enter(now_s, why)
        course = self.courses[action.name]
        self.courses[action.name] = course = Course(DESK, now_s, calls=course.calls + 1, why=why)
        course.deadline_s = None if action.deadline_s is None else now_s + action.deadline_s
        role = self.plan.roles[action.role]
        deadline = {} if action.deadline_s is None else {"deadline_s": action.deadline_s}
        self.say("called", action.name, now_s, role=role.name, by=str(role), why=why, text=action.text, **deadline)
        self.desks.put(role.name, action.key, now_s, role.decides_s)

    def decided(self, action: Action, now_s: int) -> None:
        """Go on with what was decided at a desk: by the role itself, or by who approves it."""
        course = self.courses[action.name]
        if course.stage == APPROVAL and action.approval is not None:
            self.approve(action, now_s, approves=action.approval.rule == "approve", by=f"{self._approver(action)} by rule")
            return
        role = self.plan.roles[action.role]
        self.say("decided", action.name, now_s, role=role.name, by=str(role), waited_s=course.waited_s, takes_s=role.decides_s)
        course.stage, course.due_s = DELAY, now_s + action.delay_s

    def begun(self, action: Action, waited_s: int) -> None:
        """Keep how long a matter had waited when its role began to decide it."""
        self.courses[action.name].waited_s = waited_s

    def approve(self, action: Action, now_s: int, *, approves: bool, by: str) -> None:
        """Let an action go on, or give it up."""
        self.desks.take(f"{action.key}?")
        course = self.courses[action.name]
        waited_s = 0 if course.due_s is None else now_s - course.due_s
        said = {"role": action.approval.role if action.approval else "", "by": by, "waited_s": waited_s}
        self.say("approved" if approves else "refused", action.name, now_s, "info" if approves else "warning", **said)
        if approves:
            course.by = f"approved by {by}"
            self._begin(action, 0, now_s)
        else:
            self._fail(action, f"refused by {by}", now_s)

    def _approver(self, action: Action) -> str:
        return str(self.plan.roles[action.approval.role]) if action.approval else ""

    def _ask(self, action: Action, now_s: int) -> None:
        """Ask for approval where an action needs one; `due_s` keeps since when."""
        course = self.courses[action.name]
        if action.approval is None:
            self._begin(action, 0, now_s)
            return
        course.stage, course.due_s = APPROVAL, now_s
        role = self.plan.roles[action.approval.role]
        self.say("asks", action.name, now_s, role=role.name, by=str(role), rule=action.approval.rule, after_s=action.approval.after_s)
        if action.approval.rule != "wait":
            self.desks.put(role.name, f"{action.key}?", now_s, max(action.approval.after_s, role.decides_s))

    def _begin(self, action: Action, step: int, now_s: int) -> None:
        """Begin a step, or note that all are done."""
        course = self.courses[action.name]
        if step == len(action.steps):
            course.stage, course.due_s = DONE, None
            role = self.plan.roles[action.role]
            late = {} if course.deadline_s is None else {"in_time": int(now_s <= course.deadline_s)}
            effect = "; ".join(filter(None, map(str, action.steps))) or action.text
            took_s = now_s - course.called_s
            self.say("done", action.name, now_s, role=role.name, by=str(role), why=course.why, effect=effect, took_s=took_s, **late)
            return
        course.stage, course.step, course.due_s = STEP, step, now_s + action.steps[step].after_s

    def _act(self, action: Action, now_s: int) -> None:
        """Do a step whose time has come, or send the crew that is to do it."""
        course = self.courses[action.name]
        step = action.steps[course.step]
        if step.crew is None:
            self._finish_step(action, now_s)
            return
        again = f"#{course.calls}" if course.calls > 1 else ""
        course.job = f"{action.key}{again}" + (f"/{course.step + 1}" if len(action.steps) > 1 else "")
        course.stage, course.due_s = CREW, now_s
        self._post(action, step.crew.model, crews.SEND, {"job": course.job, **step.crew.arguments}, now_s)

    def _finish_step(self, action: Action, now_s: int) -> None:
        course = self.courses[action.name]
        for act in action.steps[course.step].acts:
            self._post(action, act.model, act.verb, act.arguments, now_s)
        self._begin(action, course.step + 1, now_s)

    def _post(self, action: Action, model: str, verb: str, arguments: Mapping[str, Any], now_s: int) -> None:
        course = self.courses[action.name]
        by = ", ".join(filter(None, [str(self.plan.roles[action.role]), course.by]))
        self._give(Post(now_s, *self._order(action.number), action.key, model, verb, arguments, course.why, by))

    def _order(self, number: int) -> tuple[int, int, int]:
        self.posted += 1
        return SOURCES.index("plan"), number, self.posted

    def _give(self, post: Post) -> None:
        self.out.append(post)

    def _waits(self, action: Action, now_s: int) -> dict[str, int]:
        """Return how long an action has waited for a decision or a word that has not come."""
        course = self.courses[action.name]
        if course.stage == APPROVAL and course.due_s is not None:
            return {"waited_s": now_s - course.due_s}
        since_s = self.desks.since_s(action.key)
        return {"waited_s": course.waited_s if since_s is None else now_s - since_s} if course.stage == DESK else {}

    def left_open(self, now_s: int) -> None:
        """Note what still waits for a decision or a word when the run ends."""
        for action in self.plan.actions.values():
            if waits := self._waits(action, now_s):
                self.say("open", action.name, now_s, "warning", stage=self.courses[action.name].stage, **waits)

    def _fail(self, action: Action, why: str, now_s: int, **facts: int) -> None:
        """Give an action up, and call what stands in for it."""
        course = self.courses[action.name]
        self.desks.take(action.key)
        self.desks.take(f"{action.key}?")
        course.stage, course.due_s = FAILED, None
        calls = {"calls": action.on_failure} if action.on_failure else {}
        self.say("failed", action.name, now_s, "warning", why=why, **calls, **facts)
        self._stand_in(action, why, now_s)

    def _stand_in(self, action: Action, why: str, now_s: int) -> None:
        other = self.plan.actions.get(action.on_failure)
        if other is not None and self.courses[other.name].stage == IDLE:
            self.call(other, f"{action.name} {why}", now_s)

    # -- time

    def move(self, now_s: int) -> bool:
        """Do what is due at a second; True if anything was."""
        if not self.in_force:
            return False
        moved = False
        for name, course in self.courses.items():
            if course.stage in (DELAY, STEP) and course.due_s is not None and course.due_s <= now_s:
                moved = True
                (self._ask if course.stage == DELAY else self._act)(self.plan.actions[name], now_s)
        return moved

    def overdue(self, now_s: int) -> bool:
        """Note which deadlines passed, once all that was due at a second is done; True if any did."""
        late = [name for name, course in self.courses.items() if self.in_force and self._overdue(course, now_s)]
        for name in late:
            self._miss(self.plan.actions[name], now_s)
        return bool(late)

    @staticmethod
    def _overdue(course: Course, now_s: int) -> bool:
        return course.deadline_s is not None and course.deadline_s <= now_s and not course.late and course.stage in GOING

    def _miss(self, action: Action, now_s: int) -> None:
        """Note that a deadline passed; what has not begun by then is given up, what has goes on beside what stands in for it."""
        course = self.courses[action.name]
        course.late = True
        self.say("missed", action.name, now_s, "warning", deadline_s=action.deadline_s or 0, stage=course.stage)
        if course.stage in UNBEGUN:
            self._fail(action, "was not begun by its deadline", now_s, **self._waits(action, now_s))
        else:
            self._stand_in(action, "was not done by its deadline", now_s)

    def next_s(self) -> int | None:
        """Return the next second at which something is due by time alone."""
        watched = (watch for name, watch in self.watches.items() if name != "end" or self.in_force)
        due = [watch.next_s for watch in watched if watch.next_s is not None]
        for course in self.courses.values() if self.in_force else ():
            due += [course.due_s] if course.due_s is not None and course.stage in (DELAY, STEP) else []
            due += [course.deadline_s] if course.deadline_s is not None and not course.late and course.stage in GOING else []
        return min(due, default=None)

    # -- crews

    def heard(self, report: Report, now_s: int) -> None:
        """Take in what became of a job."""
        for action in self.plan.actions.values():
            course = self.courses[action.name]
            if course.stage == CREW and course.job == report.facts.get("job"):
                if report.notice == crews.DONE:
                    self._finish_step(action, now_s)
                elif report.notice == crews.UNMET:
                    self._unmet(action, str(report.facts.get("why", "no crew to send")), now_s)
                elif report.notice == crews.REFUSED and course.due_s == now_s:
                    self._fail(action, f"had its crew refused ({report.facts.get('why', 'no reason given')})", now_s)
                return

    def _unmet(self, action: Action, why: str, now_s: int) -> None:
        """Note that nobody could be sent: another action stands in, and a crew that is found later still does its work."""
        if why == "recalled":
            self._fail(action, "had its crew recalled", now_s)
            return
        self.say("unmet", action.name, now_s, "warning", why=why, job=self.courses[action.name].job)
        self._stand_in(action, f"found no crew ({why})", now_s)

    # -- the end

    def stand_down(self, now_s: int, why: str, by: str = "") -> None:
        """End the plan: recall crews, drop what was not done, do what closes it; it may come into force again later."""
        self.say("stood_down", "", now_s, why=why, **({"by": by} if by else {}))
        for action in self.plan.actions.values():
            course = self.courses[action.name]
            if course.stage in GOING:
                self.say("dropped", action.name, now_s, why="stood down", stage=course.stage, **self._waits(action, now_s))
            if course.stage == CREW:
                crew = action.steps[course.step].crew
                if crew is not None:
                    self._post(action, crew.model, crews.RECALL, {"job": course.job}, now_s)
            self.desks.take(action.key)
            self.desks.take(f"{action.key}?")
            self.courses[action.name] = Course(calls=course.calls)
        for act in self.plan.closing:
            self._give(Post(now_s, *self._order(len(self.plan.actions)), self.plan.name, act.model, act.verb, act.arguments, why, by))
        self.in_force, self.level, self.reached = False, NO_LEVEL, ""
        for watch in self.watches.values():
            watch.spent = watch.holds
            watch.state.heard = [False] * len(watch.state.heard)

    # -- the journal

    def say(self, what: str, action: str, now_s: int, severity: str = "info", /, **facts: Any) -> None:
        """Write a row of the journal: `plans.called burst.isolate`."""
        element = f"{self.plan.name}.{action}" if action else self.plan.name
        kept = {key: fact for key, fact in facts.items() if fact != ""}
        self.out.append(Said("plan", Report("plans", what, element, now_s, severity, kept)))

    # -- plain data

    def save(self) -> dict[str, Any]:
        """Return all that a later second depends on."""
        return {
            "in_force": self.in_force,
            "level": self.level,
            "reached": self.reached,
            "posted": self.posted,
            "unheard": dict(self.unheard),
            "watches": {name: vars(watch) | {"state": vars(watch.state)} for name, watch in self.watches.items()},
            "courses": {name: dict(vars(course)) for name, course in self.courses.items()},
        }

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take up what `save` returned; a condition or an action that was not there then is as at the start."""
        self.in_force, self.level, self.reached, self.posted = (saved[name] for name in ("in_force", "level", "reached", "posted"))
        self.unheard = dict(saved.get("unheard", {}))
        for name, kept in saved["watches"].items():
            if name in self.watches:
                self.watches[name] = Watch(**{**kept, "state": State(**kept["state"])})
        for name, kept in saved["courses"].items():
            if name in self.courses:
                self.courses[name] = Course(**kept)
