"""Contingency plans: who does what, when, on whose word, and what if it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from scenarios import plan_file, plan_text
from scenarios.desks import Desks
from scenarios.plan import Plan
from scenarios.plan_run import APPROVAL, DELAY, DESK, IDLE, Running
from scenarios.plan_schema import SCHEMA
from twin.driver import Context, Post, Said, Seen
from twin.errors import InputError, nearest
from twin.scenario import Objective

EARLY = "; too early: it has not asked; let the word come at least 1 s after the question"
"""Said of a word to an action that asks nothing yet: entries of a timeline are done before what comes about in their second."""


class Plans:
    """Entries such as `burst: ../plans/main_burst.yaml`, or a plan itself.

    A plan comes into force when one of its levels is reached or one of its actions is called, and ends when it stands down. Each
    action goes through the desk of its role, its delay, an approval where it needs one, and its steps, some of which crews do.
    """

    source: ClassVar[str] = "plan"
    rows: ClassVar[tuple[str, ...]] = (
        *("in_force", "level", "called", "decided", "asks", "approved", "refused"),
        *("done", "missed", "unmet", "failed", "dropped", "stood_down", "open", "hearing_lost", "hearing_back"),
    )
    """Names of the rows that it writes into the journal."""
    verbs: ClassVar[Mapping[str, str]] = {
        "approve": "let an action that waits for approval go on",
        "refuse": "give up an action that waits for approval",
        "stand_down": "end a plan that is in force",
    }

    def __init__(self, plans: Sequence[Plan], end_s: int | None = None) -> None:
        self.desks = Desks()
        self.running = [Running(plan, self.desks) for plan in plans]
        self.actions = {action.key: (one, action) for one in self.running for action in one.plan.actions.values()}
        self.objectives: dict[str, Objective] = {name: goal for plan in plans for name, goal in plan.objectives.items()}
        self.now_s = 0
        self.end_s = end_s
        """The run's last second; None once it was said what is still open then."""
        self._next_s: int | None = self._due_s()

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the section."""
        return SCHEMA

    @staticmethod
    def gather(section: Any, folder: Path) -> Any:
        """Return the section with what the files hold that it names."""
        return plan_text.gather(section, folder)

    @classmethod
    def read(cls, section: Any, context: Context) -> Plans:
        """Make the plans from their section; mistakes go to `context.problems`."""
        if section is None:
            return cls([])
        if not isinstance(section, Mapping):
            context.say("plans: write named entries such as `burst: ../plans/main_burst.yaml`", ("plans",))
            return cls([])
        read = [plan_file.read(str(name), number, entry, context) for number, (name, entry) in enumerate(section.items())]
        plans = [plan for plan in read if plan is not None]
        _one_role_each(plans, context)
        return cls(plans, context.duration_s)

    def begin(self) -> list[Post]:
        """Return nothing: what a plan does is not known beforehand."""
        return []

    def hear(self, seen: Seen) -> list[Post | Said]:
        """Ask conditions, take in what crews report, and do what is due."""
        self.now_s = seen.now_s
        due = self._next_s is not None and self._next_s <= seen.now_s
        spoke = seen.moved | {report.model for report in seen.reports}
        if not due and all(spoke.isdisjoint(one.models) for one in self.running) and not any("job" in one.facts for one in seen.reports):
            return []
        for report in seen.reports:
            if "job" in report.facts:
                for one in self.running:
                    one.heard(report, seen.now_s)
        for one in self.running:
            one.watch(seen, spoke)
        return self._given(seen.now_s)

    def _given(self, now_s: int) -> list[Post | Said]:
        """Do all that is due now, and return what came of it."""
        moving = True
        while moving:
            begun, decided = self.desks.turn(now_s)
            for matter, waited_s in begun:
                one, action = self.actions[matter.removesuffix("?")]
                one.begun(action, waited_s)
            for matter in decided:
                one, action = self.actions[matter.removesuffix("?")]
                one.decided(action, now_s)
            moving = any([bool(begun or decided), *[one.move(now_s) for one in self.running]])
            moving = moving or any(one.overdue(now_s) for one in self.running)  # in time is up to and including the deadline
        if self.end_s is not None and now_s >= self.end_s:
            self.end_s = None
            for one in self.running:
                one.left_open(now_s)
        given: list[Post | Said] = []
        for one in self.running:
            given, one.out = given + one.out, []
        self._next_s = self._due_s()
        return given

    def wrong(self, verb: str, arguments: Mapping[str, Any]) -> str:
        """Say whether a plan, or an action that waits for a word, is named that there is."""
        wanted = "plan" if verb == "stand_down" else "action"
        if set(arguments) - {"by"} != {wanted} or not all(isinstance(one, str) for one in arguments.values()):
            return f"write {wanted}=... and by=... (who says so), as text"
        asks = {key for key, (_, action) in self.actions.items() if action.approval is not None}
        known = {one.plan.name for one in self.running} if verb == "stand_down" else asks
        return (
            ""
            if arguments[wanted] in known
            else nearest(arguments[wanted], known, what="plan" if verb == "stand_down" else "action that waits for approval")
        )

    def told(self, verb: str, arguments: Mapping[str, Any], now_s: int) -> list[Post | Said]:
        """Approve or refuse an action that waits for it, or end a plan: `sim.do("plans.approve", action="burst.detour", by="Li Wei")`."""
        if wrong := self.wrong(verb, arguments):
            raise InputError(f"plans.{verb}: {wrong}")
        by = arguments.get("by") or "by hand"
        if verb == "stand_down":
            plans = {one.plan.name: one for one in self.running if one.in_force}
            if arguments["plan"] not in plans:
                raise InputError(f"plans.{verb}: {nearest(arguments['plan'], plans, what='plan in force')}")
            plans[arguments["plan"]].stand_down(now_s, "told to", by)
            return self._given(now_s)
        waiting = {key: pair for key, pair in self.actions.items() if pair[0].courses[pair[1].name].stage == APPROVAL}
        if arguments["action"] not in waiting:
            running, action = self.actions[arguments["action"]]
            early = running.courses[action.name].stage in (IDLE, DESK, DELAY)
            raise InputError(f"plans.{verb}: {nearest(action.key, waiting, what='action that waits for approval')}{EARLY if early else ''}")
        one, action = waiting[arguments["action"]]
        one.approve(action, now_s, approves=verb == "approve", by=by)
        return self._given(now_s)

    def next_s(self) -> int | None:
        """Return the next second at which something is due by time alone."""
        return self._next_s

    def _due_s(self) -> int | None:
        due = [self.end_s, self.desks.next_s(), *(one.next_s() for one in self.running)]
        return min((t_s for t_s in due if t_s is not None), default=None)

    def save(self) -> dict[str, Any]:
        """Return how far every plan has come, by name, and what lies on the desks."""
        return {"plans": {one.plan.name: one.save() for one in self.running}, "desks": self.desks.save()}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take up what was saved; a plan that was not there then is as at the start, and what is of no plan any more is dropped."""
        self.desks.load(saved["desks"])
        for one in self.running:
            if one.plan.name in saved["plans"]:
                one.load(saved["plans"][one.plan.name])
        for matter in self.desks.matters():
            if matter.removesuffix("?") not in self.actions:
                self.desks.take(matter)
        self._next_s = self._due_s()


def _one_role_each(plans: Sequence[Plan], context: Context) -> None:
    """Note roles of one name that decide in unlike times: they are one desk."""
    first: dict[str, tuple[str, int]] = {}
    for plan in plans:
        for role in plan.roles.values():
            name, decides_s = first.setdefault(role.name, (plan.name, role.decides_s))
            if decides_s != role.decides_s:
                what = f"it decides in {role.decides_s} s here and in {decides_s} s in plan '{name}'; roles of one name are one desk"
                context.say(f"plans.{plan.name}.roles.{role.name}: {what}", ("plans", plan.name, "roles", role.name))
