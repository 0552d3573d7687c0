"""What is wrong with a plan as a whole: nothing ever calls it, it comes too late, it turns in a circle."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from scenarios.plan import LEVELS, Action, Plan
from twin.driver import Context
from twin.errors import nearest


def check(plan: Plan, context: Context) -> None:
    """Note every mistake that no single key shows."""

    def say(what: str, *path: Any) -> None:
        context.say(f"{'.'.join(map(str, ('plans', plan.name, *path)))}: {what}", ("plans", plan.name, *path))

    called = [action for action in plan.actions.values() if action.level is not None or action.when is not None]
    if not called:
        say("it can never begin: no action has 'when' or 'level'", "actions")
    wanted = {action.level for action in called}
    for level in plan.levels:
        if called and wanted.isdisjoint(range(level.rank, len(LEVELS))):
            say(f"no action answers to level {level.name}; give one `level: {level.name}`, or remove the level", "levels", level.name)
    for action in plan.actions.values():
        if action.on_failure and action.on_failure not in plan.actions:
            say(nearest(action.on_failure, plan.actions, what="action"), "actions", action.name, "on_failure")
        if action not in called and not any(other.on_failure == action.name for other in plan.actions.values()):
            say("nothing ever calls it; write 'level', 'when', or name it in another's 'on_failure'", "actions", action.name)
        soonest_s = _soonest_s(plan, action)
        if action.deadline_s is not None and action.deadline_s <= soonest_s:
            said = (
                f"{action.deadline_s} s after its trigger, and it begins {soonest_s} s after it at the soonest (delay, decision, approval)"
            )
            say(f"{said}; write more than {soonest_s} s", "actions", action.name, "deadline")
        if action.on_failure and action.deadline_s is None and action.approval is None and all(step.crew is None for step in action.steps):
            say(
                "it can never fail; give it a deadline, an approval or a crew, or leave 'on_failure' out",
                "actions",
                action.name,
                "on_failure",
            )
        if wrong := _too_late(plan, action, context):
            say(wrong, "actions", action.name, "when" if action.when is not None else "level")
    for circle in _circles(plan):
        say(f"a circle: {' -> '.join([*circle, circle[0]])}; one of them must end it", "actions", circle[0], "on_failure")


def _too_late(plan: Plan, action: Action, context: Context) -> str:
    """Say why an action is called never, or only when it can no more begin within the run; nothing where neither is so."""
    if action.level is None and action.when is None:
        return ""

    def clock(second: int) -> str:
        return f"{context.start + timedelta(seconds=second):%H:%M:%S}"

    first_s = plan.from_s
    if action.level is not None:
        levels = [level.when.spans_s[0][0] for level in plan.levels if level.rank <= action.level]
        first_s = max(first_s, min(levels, default=0))
    if action.when is not None:
        called = [max(first_s, first) for first, last in action.when.spans_s if last >= first_s]
        if not called:
            after = f"{'its level' if action.level is not None else 'the plan'} begins {clock(first_s)} at the soonest"
            return f"it is never called: {after}, and this holds until {clock(action.when.spans_s[-1][1])} at most; change one of the times"
        first_s = called[0]
    begins_s = first_s + action.delay_s + (plan.roles[action.role].decides_s if action.role in plan.roles else 0)
    if begins_s <= context.duration_s:
        return ""
    ends = f"and the run ends {clock(context.duration_s)}"
    said = f"it is called {clock(first_s)} at the soonest, begins {clock(begins_s)} (delay, decision), {ends}"
    return f"{said}; call it sooner, shorten the delay, or let the run last longer"


def _soonest_s(plan: Plan, action: Action) -> int:
    """Return how long after it was called the last step of an action begins at the soonest."""
    soonest_s = action.delay_s + sum(step.after_s for step in action.steps)
    if action.role in plan.roles:
        soonest_s += plan.roles[action.role].decides_s
    if action.approval is not None and action.approval.rule == "approve":
        soonest_s += action.approval.after_s
    return soonest_s


def _circles(plan: Plan) -> list[list[str]]:
    """Return the circles of `on_failure`, each once, from the action that is written first."""
    found, seen = [], set()
    for name in plan.actions:
        walked: list[str] = []
        while name in plan.actions and name not in seen:
            seen.add(name)
            walked.append(name)
            name = plan.actions[name].on_failure
        if name in walked:
            found.append(walked[walked.index(name) :])
    return found
