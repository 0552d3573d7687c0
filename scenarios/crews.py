"""Crews that a plan sends: which model has them, and where they are to go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from scenarios.plan import Crew
from twin.driver import Context
from twin.errors import nearest
from twin.model import Model

KEYS = ("skill", "units", "at", "work", "priority")
SEND, RECALL = "send", "recall"
"""Actions of a model that has crews; both take `job`."""
DONE, UNMET, REFUSED = "work_done", "unmet", "refused"
"""Notices of such a model about a job."""
CODE, SKILL = "unit_skill", "skill"
"""Output of such a model at its units: the position of a unit's skill in the model's element set `skill`."""
_ELEMENT = re.compile(r"\s*(\w+)\.(\w+)\[\s*['\"]?([^'\"\]]+)['\"]?\s*\]\s*")


def dispatcher(context: Context) -> str:
    """Return the name of the model that has crews; none where there is none."""
    return next((name for name, model in context.models.items() if SEND in model.actions and DONE in model.declared_notices), "")


def read(said: Any, goal: tuple[float, float] | None, path: tuple[Any, ...], context: Context) -> Crew | None:
    """Read `crew: {skill: water, units: 1, at: "water.pipe['P100']", work: 10 min}`; `goal` is where it goes when `at` is left out."""
    where, before = ".".join(map(str, path)), len(context.problems)
    if not isinstance(said, Mapping) or "skill" not in said:
        context.say(f"{where}: write {{skill: water, units: 1, at: \"water.pipe['P100']\", work: 10 min}}", path)
        return None
    for key in [key for key in said if key not in KEYS]:
        context.say(f"{where}: {nearest(key, KEYS, what='key of a crew')}", (*path, key))
    name = dispatcher(context)
    if not name:
        context.say(f"{where}: nobody can be sent: the scenario has no model with crews; add `response:` under models", path)
        return None
    if "at" in said:
        try:
            goal = place(said["at"], context)
        except ValueError as error:
            context.say(f"{where}.at: {error}", (*path, "at"))
    elif goal is None:
        context.say(f"{where}: 'at' is missing: where the crew goes, \"water.pipe['P100']\" or a place of the city", path)
    if goal is None or len(context.problems) > before:
        return None
    _enough(said, context.models[name], (where, path), context)
    arguments = {key: said[key] for key in KEYS if key in said and key != "at"} | {"job": "job", "x_m": goal[0], "y_m": goal[1]}
    problems = len(context.problems)
    _, _, taken = context.action(f"{name}.{SEND}", arguments, path)
    if len(context.problems) > problems:
        return None
    return Crew(name, {key: value for key, value in taken.items() if key != "job"})


def _enough(said: Mapping[str, Any], model: Model, at: tuple[str, tuple[Any, ...]], context: Context) -> None:
    """Note when the model's units could never do this, where it says what they can."""
    units, skill = said.get("units", 1), str(said["skill"])
    if CODE not in model.ports or skill not in model.elements[SKILL].ids or not isinstance(units, int):
        return
    if (there := count(model, model.ports[CODE].at, skill)) < units:
        context.say(f"{at[0]}: {units} units with the skill {skill}, and {model.name} has {there}", (*at[1], "units"))


def count(model: Model, elements: str, skill: str) -> int:
    """Return how many elements of a set have a skill; all of them where none is named."""
    if not skill:
        return len(model.elements[elements])
    if CODE not in model.ports or model.ports[CODE].at != elements or skill not in model.elements[SKILL].ids:
        return 0
    return int((model.arrays[CODE] == model.elements[SKILL].ids.index(skill)).sum())


def place(said: object, context: Context) -> tuple[float, float]:
    """Return where an element (`water.pipe['P100']`) or a place of the city lies, in metres; ValueError says what would be right."""
    match = _ELEMENT.fullmatch(str(said))
    if match is None:
        places = {one.id: one for one in context.city.places()}
        if str(said) not in places:
            raise ValueError(f"{nearest(str(said), places, what='place')}; an element is written \"water.pipe['P100']\"")
        return middle(np.asarray(places[str(said)].shape))
    name, elements, id = match.groups()
    if name not in context.models:
        raise ValueError(nearest(name, context.models, what="model"))
    sets = context.models[name].elements
    if elements not in sets:
        raise ValueError(nearest(elements, sets, what=f"element set of {name}"))
    if id not in sets[elements].ids:
        raise ValueError(nearest(id, sets[elements].ids, what=elements))
    found = of(context.models[name], elements, id)
    if found is None:
        raise ValueError(f"{name}.{elements} lie nowhere on the map; name a place of the city")
    return found


def of(model: Model, elements: str, id: str) -> tuple[float, float] | None:
    """Return where an element of a model lies; None when it lies nowhere."""
    found = model.elements[elements]
    return middle(np.asarray(found.shapes[found.ids.index(id)])) if len(found.shapes) else None


def middle(shape: np.ndarray) -> tuple[float, float]:
    """Return the point half way along a line, or a point itself."""
    import shapely

    point = shapely.Point(shape[0]) if len(shape) == 1 else shapely.LineString(shape).interpolate(0.5, normalized=True)
    return round(float(point.x), 2), round(float(point.y), 2)
