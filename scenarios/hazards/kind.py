"""A kind of hazard: the keys of its entries, and what it does."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from scenarios.hazards.effect import Effect
from scenarios.hazards.ground import Ground
from scenarios.hazards.outflow import Outflow
from twin.units import Quantity

_WHERE = {
    "oneOf": [
        {"type": "string", "description": "a place of the city"},
        {"type": "object", "required": ["lon", "lat"], "properties": {"lon": {"type": "number"}, "lat": {"type": "number"}}},
        {"type": "object", "required": ["x", "y"], "properties": {"x": {"type": "string"}, "y": {"type": "string"}}},
    ]
}
Where = Annotated[Any, WithJsonSchema(_WHERE)]
"""A position, as `Ground.point` reads it."""
At = Annotated[str, Field(description="when it strikes: '21:40', '+12 min' or a date and time")]
Hole = Annotated[Quantity("m"), Field(gt=0, le=2)]
"""The diameter of a round hole."""
Mass = Annotated[Quantity("kg"), Field(gt=0, le=1e7)]


class Kind(BaseModel):
    """One entry of the section: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    strikes: ClassVar[tuple[str, ...]] = ()
    """The types of models it acts on; what it would do to one that takes no part is left out, and said."""
    also: ClassVar[tuple[str, ...]] = ()
    """Further types that some entries act on; nothing is said where they take no part."""
    everywhere: ClassVar[bool] = False
    """Whether what names no element is for every model of its type: weather."""

    model: str | tuple[str, ...] | None = Field(None, description="which models it is for, where several of a type would do")

    def effects(self, ground: Ground) -> list[Effect]:
        """Return what it does at known moments."""
        return []

    def outflows(self, ground: Ground, source: str) -> list[Outflow]:
        """Return what it lets out into the air at one of the air's sources, and what may be shut."""
        return []


class Injured(BaseModel):
    """People hurt, by triage class."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    red: int = Field(0, ge=0, le=10_000)
    yellow: int = Field(0, ge=0, le=10_000)
    green: int = Field(0, ge=0, le=10_000)
    black: int = Field(0, ge=0, le=10_000)


def brought(ground: Ground, injured: Injured | None, t_s: int, at_m: tuple[float, float], why: str) -> list[Effect]:
    """Return the call for ambulances to a point, and the patients who set out by themselves: those who walk, all without ambulances."""
    given = {} if injured is None else {triage: count for triage, count in injured.model_dump().items() if count}
    found = []
    if ground.has("response") and set(given) - {"green"}:
        grave = {triage: given.pop(triage) for triage in sorted(set(given) - {"green"})}
        found.append(Effect(t_s, "response", "patients", "", {"job": ground.name, "x_m": at_m[0], "y_m": at_m[1], **grave}, why))
    if given and ground.has("health"):
        place = ground.closest("health", "place", at_m)
        found += [
            Effect(t_s, "health", "bring", place, {"place": place, "patients": count, "triage": triage}, why)
            for triage, count in given.items()
        ]
    return found
