"""The JSON Schema of the section `plans:`, for editors and `twin schema`."""

from __future__ import annotations

from typing import Any

from scenarios.plan import LEVELS, RULES

_WHEN = {"type": "string", "description": "a condition, for example water.pressure_m['J17'] < 14 m for 5 min"}
_HEARS = {"type": "string", "description": "while it holds `when` is heard, for example comms.telemetry_up['T1'] is on; or always"}
_SPAN = {"type": "string", "description": "a duration such as 5 min"}


def _named(entry: dict[str, Any], text: str) -> dict[str, Any]:
    return {"type": "object", "description": text, "additionalProperties": entry}


def _entry(required: list[str], *, more: bool = False, **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": more}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


_CREW = _entry(
    ["skill"],
    skill=_text("what the units can do: water, power, gas, fire, ambulance, police, bus"),
    units={"type": "integer", "minimum": 1},
    at=_text("where they go: water.pipe['P100'], or a place of the city; where `do` acts when left out"),
    work=_SPAN,
    priority={"type": "integer"},
)
_STEP: dict[str, Any] = {"do": _text("model.action, for example water.isolate; its arguments beside it"), "crew": _CREW}
_ACTION = _entry(
    ["role"],
    more=True,
    level={"enum": list(LEVELS), "description": "called at this level and graver ones"},
    when=_WHEN,
    hears=_HEARS,
    role=_text("who does it, a name under roles"),
    text=_text("what it is, for people"),
    delay=_SPAN,
    deadline=_SPAN,
    on_failure=_text("another action, called when this one is late, refused or finds no crew"),
    approval=_entry(["by"], by=_text("a role"), rule={"enum": list(RULES)}, after=_SPAN),
    then={"type": "array", "items": _entry([], more=True, after=_SPAN, **_STEP)},
    **_STEP,
)
_OBJECTIVE = _entry(["text", "kpis"], text=_text("one sentence"), kpis={"type": "array", "items": {"type": "string"}})
_ROLE = _entry(["held_by"], title=_text("for people"), held_by=_text("who"), decides=_SPAN)
_RESOURCE = _entry(
    ["model", "element", "number"],
    model=_text("a model"),
    element=_text("a set of its elements"),
    skill=_text("those with this skill"),
    number={"type": "integer", "minimum": 1},
)
_PLAN = _entry(
    [],
    file=_text("a file that holds the plan; keys beside it change it"),
    read=_text("the file that it was read from"),
    title=_text("for people"),
    hears=_HEARS,
    roles=_named(_ROLE, "who decides"),
    resources=_named(_RESOURCE, "what the plan counts on"),
    levels={
        "type": "object",
        "properties": {name: _entry(["when"], when=_WHEN, hears=_HEARS, text=_text("for people")) for name in LEVELS},
    },
    actions=_named(_ACTION, "what is done"),
    stand_down=_entry(
        ["when"], more=True, when=_WHEN, hears=_HEARS, then={"type": "array", "items": _entry(["do"], more=True, do=_STEP["do"])}
    ),
    objectives=_named(_OBJECTIVE, "what it should achieve"),
)
_PLAN["properties"]["from"] = _text("the first moment at which it is looked at, for a branch")
_PLAN["properties"]["levels"]["additionalProperties"] = False

SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "contingency plans: who does what, when, on whose word, and what if it fails",
    "additionalProperties": {"oneOf": [_text("a file that holds the plan, for example ../plans/main_burst.yaml"), _PLAN]},
}
