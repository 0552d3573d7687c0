"""What a contingency plan is once it is read: roles, levels, actions in steps, how it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scenarios.acts import Act
from scenarios.conditions import Condition
from twin.scenario import Objective

LEVELS = ("I", "II", "III", "IV")
"""Levels of response, the gravest first (National Emergency Response Law of China, 2007, art. 42)."""
RULES = ("approve", "refuse", "wait")
"""What becomes of an approval that nobody gives."""


@dataclass(frozen=True)
class Role:
    """Somebody who decides, one thing at a time where a decision takes `decides_s`."""

    name: str
    title: str
    held_by: str
    decides_s: int = 0

    def __str__(self) -> str:
        return f"{self.title} ({self.held_by})"


@dataclass(frozen=True)
class Level:
    """A level of response (rank 0 is the gravest), what it is declared on, and what that means to people."""

    rank: int
    when: Condition
    text: str = ""

    @property
    def name(self) -> str:
        """Its Roman number."""
        return LEVELS[self.rank]


@dataclass(frozen=True)
class Crew:
    """Units that are sent by the model that has them; `arguments` are those of its `send`, less the name of the job."""

    model: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """What is done at once, `after_s` after the step before it, or when the crew that it sends has done its work."""

    after_s: int
    acts: Sequence[Act]
    crew: Crew | None = None

    def __str__(self) -> str:
        said = [f"{act.model}.{act.verb} {' '.join(map(str, act.arguments.values()))}".strip() for act in self.acts[:3]]
        if self.crew is not None:
            said.insert(0, f"crew {self.crew.arguments['skill']}")
        return ", ".join(said) + (f" and {len(self.acts) - 3} more" if len(self.acts) > 3 else "")


@dataclass(frozen=True)
class Approval:
    """Whose word is needed, and what holds when nobody gives it within `after_s`."""

    role: str
    rule: str
    after_s: int


@dataclass(frozen=True)
class Action:
    """What a role does when its plan reaches a level, when a condition holds, or when another action failed."""

    plan: str
    name: str
    number: int
    role: str
    steps: Sequence[Step]
    text: str = ""
    level: int | None = None
    when: Condition | None = None
    delay_s: int = 0
    deadline_s: int | None = None
    on_failure: str = ""
    approval: Approval | None = None

    @property
    def key(self) -> str:
        """Its name among the actions of all plans: `burst.isolate`."""
        return f"{self.plan}.{self.name}"


@dataclass(frozen=True)
class Plan:
    """A contingency plan; `levels`: the gravest first."""

    name: str
    title: str
    roles: Mapping[str, Role]
    levels: Sequence[Level]
    actions: Mapping[str, Action]
    ends: Condition | None = None
    closing: Sequence[Act] = ()
    objectives: Mapping[str, Objective] = field(default_factory=dict)
    from_s: int = 0
