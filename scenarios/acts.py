"""What a driver has models do: an action with its arguments, on one element or on all that a selector names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scenarios.selectors import Selector
from twin.driver import Context


@dataclass(frozen=True)
class Act:
    """An action on a model, so many seconds after what brings it about."""

    after_s: int
    model: str
    verb: str
    arguments: Mapping[str, Any]


def read(do: object, arguments: Mapping[str, Any], path: Sequence[Any], context: Context, *, after_s: int = 0) -> list[Act]:
    """Check an action; an element's argument may be a list of ids or a selector, and then stands for one action each.

    Mistakes go to `context.problems`, and then nothing is returned.
    """
    before = len(context.problems)
    listed = _listed(do, arguments, path, context)
    if len(context.problems) > before:
        return []
    acts = []
    for each in listed:
        model, verb, taken = context.action(do, {**arguments, **each}, path)
        if len(context.problems) > before:
            return []
        acts.append(Act(after_s, model, verb, taken))
    return acts


def _listed(do: object, arguments: Mapping[str, Any], path: Sequence[Any], context: Context) -> list[dict[str, str]]:
    """Return what replaces the one argument that names several elements: one mapping for each of them."""
    model_name, _, verb = str(do).partition(".")
    model = context.models.get(model_name)
    if model is None or verb not in model.actions:
        return [{}]
    parameters = model.actions[verb].parameters
    several = [key for key, value in arguments.items() if key in parameters and parameters[key][1] and not isinstance(value, str)]
    several = [key for key in several if isinstance(arguments[key], (Mapping, list, tuple))]
    if not several:
        return [{}]
    where = ".".join(map(str, path))
    if len(several) > 1:
        context.say(
            f"{where}: {' and '.join(several)} both name several elements; write one entry for each of the one", (*path, several[1])
        )
        return []
    elements = model.elements[parameters[several[0]][1]]
    try:
        rows = Selector.read(arguments[several[0]]).rows(elements, context.city)
    except ValueError as error:
        context.say(f"{where}.{several[0]}: {error}", (*path, several[0]))
        return []
    return [{several[0]: elements.ids[row]} for row in rows]
