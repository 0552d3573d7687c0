"""Reads a contingency plan against the models of a scenario; every mistake is said with the plan's file and line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from scenarios import acts, conditions, crews, hearing, plan_checks, plan_text
from scenarios.acts import Act
from scenarios.conditions import Condition
from scenarios.plan import LEVELS, RULES, Action, Approval, Level, Plan, Role, Step
from twin import units
from twin.driver import Context
from twin.errors import nearest
from twin.layered import READ
from twin.scenario import Objective

KEYS = ("title", "from", "hears", "roles", "resources", "levels", "actions", "stand_down", "objectives")
OWN = ("level", "when", "hears", "role", "delay", "deadline", "on_failure", "approval", "text", "do", "then", "crew", "after")
"""Keys of an action that are no arguments of what it does."""
EXAMPLE = "write for example isolate: {level: III, role: duty_engineer, do: water.isolate, pipe: P100}"


def read(name: str, number: int, entry: Any, context: Context) -> Plan | None:
    """Make a plan from its entry in the section; None when something is wrong, which is then among `context.problems`."""
    if not isinstance(entry, Mapping):
        context.say(f"plans.{name}: name a file such as ../plans/main_burst.yaml, or write the plan here", ("plans", name))
        return None
    before = len(context.problems)
    context = replace(context, place=plan_text.placed(name, entry, context))
    plan = _Reader(name, context).plan(entry, number)
    if len(context.problems) == before:
        plan_checks.check(plan, context)
    return plan if len(context.problems) == before else None


class _Reader:
    """Reads the parts of one plan."""

    def __init__(self, name: str, context: Context) -> None:
        self.name, self.context = name, context
        self.roles: dict[str, Role] = {}
        self.ranks: set[int] = set()
        self.ear: Condition | None = None
        """What its conditions are heard over, where they do not say."""

    def say(self, what: str, *path: Any) -> None:
        """Note a mistake at a key of the plan."""
        self.context.say(f"{'.'.join(map(str, ('plans', self.name, *path)))}: {what}", ("plans", self.name, *path))

    def plan(self, entry: Mapping[str, Any], number: int) -> Plan:
        """Read all of it."""
        self.keys(entry, (*KEYS, READ), "plan")
        self.ear = self.hears(entry)
        self.roles = {name: one for name, said in self.named(entry, "roles") if (one := self.role(name, said))}
        levels = [level for name, said in self.named(entry, "levels") if (level := self.level(name, said))]
        self.ranks = {level.rank for level in levels} | {LEVELS.index(name) for name, _ in self.named(entry, "levels") if name in LEVELS}
        for name, said in self.named(entry, "resources"):
            self.resource(name, said)
        written = list(self.named(entry, "actions"))
        if not written:
            self.say(f"it does nothing; {EXAMPLE}", "actions")
        actions = {name: self.action(name, i, said) for i, (name, said) in enumerate(written) if isinstance(said, Mapping)}
        for name in [name for name, said in written if not isinstance(said, Mapping)]:
            self.say(EXAMPLE, "actions", name)
        ends, closing = self.stand_down(entry["stand_down"]) if "stand_down" in entry else (None, [])
        from_s = self.context.moment_s(entry["from"], ("plans", self.name, "from")) if "from" in entry else 0
        title = str(entry.get("title") or self.name)
        goals = {name: goal for name, said in self.named(entry, "objectives") if (goal := self.objective(name, said))}
        return Plan(self.name, title, self.roles, sorted(levels, key=lambda one: one.rank), actions, ends, closing, goals, from_s)

    def named(self, entry: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
        """Return the named entries of a part of the plan."""
        said = entry.get(key) or {}
        if not isinstance(said, Mapping):
            self.say("write named entries here: {name: {...}}", key)
            return []
        return [(str(name), one) for name, one in said.items()]

    def keys(self, said: Mapping[str, Any], known: Sequence[str], what: str, *path: Any) -> None:
        """Note keys that nothing reads."""
        for key in [key for key in said if key not in known]:
            self.say(nearest(str(key), [one for one in known if one != READ], what=f"key of {what}"), *path, key)

    def seconds(self, said: Mapping[str, Any], key: str, *path: Any) -> int:
        """Return a duration in whole seconds, 0 when it is left out."""
        if key not in said:
            return 0
        try:
            value = units.quantity(said[key], "s")
        except ValueError as error:
            self.say(str(error), *path, key)
            return 0
        if value < 0 or value != int(value):
            self.say(f"{said[key]}: whole seconds, 0 s or more", *path, key)
        return int(value)

    def when(self, said: Mapping[str, Any], *path: Any) -> Condition | None:
        """Return the condition of a part of the plan, as it is heard there."""
        condition, ear = self.condition(said["when"], *path, "when"), self.hears(said, *path)
        if condition is None or ear is None:
            return condition
        try:
            return hearing.over(condition, ear, self.context.duration_s)
        except ValueError as error:
            self.say(str(error), *path, "when")
            return None

    def hears(self, said: Mapping[str, Any], *path: Any) -> Condition | None:
        """Return what must hold for a part of the plan to be heard: its own, else the plan's; None where it always is."""
        if "hears" not in said or said["hears"] == hearing.ALWAYS:
            return self.ear if "hears" not in said else None
        ear = self.condition(said["hears"], *path, "hears")
        if ear is not None and (wrong := hearing.wrong(ear)):
            self.say(wrong, *path, "hears")
            return None
        return ear

    def condition(self, text: Any, *path: Any) -> Condition | None:
        """Return a condition."""
        try:
            return conditions.read(text, self.context)
        except ValueError as error:
            self.say(str(error), *path)
            return None

    def role(self, name: str, said: Any) -> Role | None:
        """Return a role with who holds it."""
        if not isinstance(said, Mapping):
            self.say('write {title: "Water duty engineer", held_by: "Water Group"}', "roles", name)
            return None
        self.keys(said, ("title", "held_by", "decides"), "a role", "roles", name)
        return Role(name, str(said.get("title") or name), str(said.get("held_by") or ""), self.seconds(said, "decides", "roles", name))

    def level(self, name: str, said: Any) -> Level | None:
        """Return a level."""
        if name not in LEVELS:
            self.say(nearest(name, LEVELS, what="level") + " (I is the gravest)", "levels", name)
            return None
        if not isinstance(said, Mapping) or "when" not in said:
            self.say("write {when: \"water.pressure_m['J17'] < 14 m for 5 min\"}", "levels", name)
            return None
        self.keys(said, ("when", "hears", "text"), "a level", "levels", name)
        when = self.when(said, "levels", name)
        return Level(LEVELS.index(name), when, str(said.get("text") or "")) if when else None

    def resource(self, name: str, said: Any) -> None:
        """Check that what a plan counts on is there."""
        path = ("resources", name)
        if not isinstance(said, Mapping) or not {"model", "element", "number"} <= set(said):
            self.say("write {model: response, element: unit, skill: water, number: 2}", *path)
            return
        self.keys(said, ("model", "element", "skill", "number"), "a resource", *path)
        model = self.context.models.get(str(said["model"]))
        if model is None:
            self.say(nearest(str(said["model"]), self.context.models, what="model"), *path, "model")
        elif str(said["element"]) not in model.elements:
            self.say(nearest(str(said["element"]), model.elements, what=f"element set of {model.name}"), *path, "element")
        elif type(said["number"]) is not int or said["number"] < 1:
            self.say("a whole number, at least 1", *path, "number")
        else:
            skill = str(said.get("skill") or "")
            there = crews.count(model, str(said["element"]), skill)
            if there < said["number"]:
                named = f" with the skill {skill}" if skill else ""
                what = f"it counts on {said['number']} of {model.name}.{said['element']}{named}, and there are {there}"
                self.say(f"{what}; ask for fewer, or give the city more", *path, "number")

    def action(self, name: str, number: int, said: Mapping[str, Any]) -> Action:
        """Return an action with its steps, as far as they can be read."""
        path = ("actions", name)
        role = self.holder(said, "role", *path)
        approval = self.approval(said["approval"], *path, "approval") if "approval" in said else None
        if approval is not None and approval.role == role and role in self.roles:
            self.say(f"'{role}' would approve what it does itself; name another role, or leave 'approval' out", *path, "approval", "by")
        if "hears" in said and "when" not in said:
            self.say("it has no 'when' that would be heard; a level's stands under levels", *path, "hears")
        level = None
        if "level" in said:
            level = LEVELS.index(said["level"]) if said["level"] in LEVELS else None
            if level is None or level not in self.ranks:
                known = [LEVELS[rank] for rank in sorted(self.ranks)]
                self.say(f"no level '{said['level']}' is defined under levels; it has {', '.join(known) or 'none'}", *path, "level")
        return Action(
            self.name,
            name,
            number,
            role,
            self.steps(said, path),
            text=str(said.get("text") or ""),
            level=level,
            when=self.when(said, *path) if "when" in said else None,
            delay_s=self.seconds(said, "delay", *path),
            deadline_s=self.seconds(said, "deadline", *path) if "deadline" in said else None,
            on_failure=str(said.get("on_failure") or ""),
            approval=approval,
        )

    def holder(self, said: Mapping[str, Any], key: str, *path: Any) -> str:
        """Return the name of a role that somebody holds."""
        role = said.get(key)
        if role is None:
            self.say(f"'{key}' is missing: a role; there are {', '.join(self.roles) or 'none so far'}", *path)
        elif str(role) not in self.roles:
            self.say(nearest(str(role), self.roles, what="role") + " (name it under roles)", *path, key)
        elif not self.roles[str(role)].held_by:
            self.say(f"nobody holds the role '{role}'; write `held_by:` under roles.{role}", *path, key)
        return str(role)

    def approval(self, said: Any, *path: Any) -> Approval | None:
        """Return whose word is needed."""
        if not isinstance(said, Mapping):
            self.say("write {by: commander, rule: approve, after: 3 min}", *path)
            return None
        self.keys(said, ("by", "rule", "after"), "an approval", *path)
        rule = said.get("rule", "wait")
        if rule not in RULES:
            self.say(nearest(str(rule), RULES, what="rule"), *path, "rule")
        return Approval(self.holder(said, "by", *path), str(rule), self.seconds(said, "after", *path))

    def steps(self, said: Mapping[str, Any], path: tuple[Any, ...]) -> list[Step]:
        """Return what is done, one after another."""
        if "then" not in said:
            return [self.step(said, path)]
        listed = said["then"] if isinstance(said["then"], list) else []
        if not listed or any(not isinstance(one, Mapping) for one in listed):
            self.say("write a list such as [{do: grid.open, line: L4}, {do: grid.close, line: T1, after: 2 min}]", *path, "then")
            return []
        for key in [key for key in said if key not in OWN or key in ("do", "crew", "after")]:
            self.say("with 'then', each of its steps has its own", *path, key)
        return [self.step(one, (*path, "then", i)) for i, one in enumerate(listed)]

    def step(self, said: Mapping[str, Any], path: tuple[Any, ...]) -> Step:
        """Return one step: actions on models, at once or when a crew has done its work."""
        full = ("plans", self.name, *path)
        arguments = {key: value for key, value in said.items() if key not in OWN}
        done: list[Act] = []
        if "do" in said:
            done = acts.read(said["do"], arguments, full, self.context)
        else:
            for key in arguments:
                self.say(nearest(str(key), OWN, what="key of an action"), *path, key)
            if not {"crew", "text"} & set(said):
                self.say(f"it says nothing to do; {EXAMPLE}", *path)
        crew = crews.read(said["crew"], self.goal(done), (*full, "crew"), self.context) if "crew" in said else None
        whole = len(path) == 2
        if whole and "after" in said:
            self.say("a step of 'then' has 'after'; the delay of an action is 'delay'", *path, "after")
        return Step(0 if whole else self.seconds(said, "after", *path), done, crew)

    def goal(self, done: Sequence[Act]) -> tuple[float, float] | None:
        """Return where the element lies that is acted on."""
        for act in done[:1]:
            if (model := self.context.models.get(act.model)) is None:
                continue
            for key, (_, at, _) in model.actions[act.verb].parameters.items():
                if at and act.arguments.get(key) is not None:
                    return crews.of(model, at, str(act.arguments[key]))
        return None

    def stand_down(self, said: Any) -> tuple[Condition | None, list[Act]]:
        """Return what ends the plan, and what is done then."""
        if not isinstance(said, Mapping) or "when" not in said:
            self.say('write {when: "min(water.pressure_m) > 20 m for 10 min"}', "stand_down")
            return None, []
        listed = said.get("then", [said] if "do" in said else [])
        closing: list[Act] = []
        for i, one in enumerate(listed if isinstance(listed, list) else [listed]):
            path: tuple[Any, ...] = ("plans", self.name, "stand_down", *(("then", i) if "then" in said else ()))
            if not isinstance(one, Mapping) or "do" not in one:
                self.context.say(f"{'.'.join(map(str, path))}: write {{do: traffic.open, edge: S0175f}}", path)
                continue
            closing += acts.read(
                one["do"], {key: value for key, value in one.items() if key not in ("do", "when", "hears")}, path, self.context
            )
        if "then" in said and "do" in said:
            self.say("with 'then', each of its steps has its own; put it and its arguments into the list", "stand_down", "do")
        elif "do" not in said:
            self.keys(said, ("when", "hears", "then", "do"), "stand_down", "stand_down")
        return self.when(said, "stand_down"), closing

    def objective(self, name: str, said: Any) -> Objective | None:
        """Return what the plan should achieve, by KPIs of the scenario."""
        try:
            one = Objective.model_validate(said)
        except ValidationError as error:
            for wrong in error.errors():
                self.say(wrong["msg"], "objectives", name, *wrong["loc"][:1])
            return None
        for kpi in one.kpis:
            if kpi not in self.context.kpis:
                self.say(nearest(kpi, self.context.kpis, what="KPI of the scenario"), "objectives", name, "kpis")
        return one
