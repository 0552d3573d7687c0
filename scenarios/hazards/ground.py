"""What a hazard may ask when it is read: where things lie, what they are like, when; and where it says what is wrong or left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scenarios.hazards.effect import Effect, Exposed
from twin import units
from twin.driver import Context
from twin.errors import nearest
from twin.ports import ElementSet

WHERE = "write a place of the city, {lon: 118.72, lat: 32.01} or {x: 300 m, y: -200 m}"
NEAR_M = 150.0
"""A transformer has the voltage of the highest bus within this distance."""


@dataclass
class Ground:
    """The city and its models as one entry of the section may see them; `path` is where the entry stands."""

    context: Context
    path: tuple[Any, ...]
    notes: list[str] = field(default_factory=list)
    """What the journal should say of the entry: what was struck how hard, what was left out, where a formula does not hold."""
    only: tuple[str, ...] = ()
    """The models that the entry names by its key `model`; of a type of which it names none, all."""

    @property
    def name(self) -> str:
        """The entry's name."""
        return str(self.path[-1])

    @property
    def seed(self) -> int:
        """The run's seed, as every model of it has it."""
        return next((model.setup.seed for model in self.context.models.values()), 1)

    def say(self, key: str, what: str) -> None:
        """Note a mistake at a key of the entry."""
        self.context.say(f"{'.'.join(map(str, (*self.path, key)))}: {what}", (*self.path, key))

    def moment_s(self, key: str, text: object) -> int:
        """Read a moment of the run."""
        return self.context.moment_s(text, (*self.path, key))

    def point(self, key: str, said: object) -> tuple[float, float]:
        """Read a position: a place by id, or longitude and latitude (WGS 84), or metres of the pack."""
        if isinstance(said, str):
            known = {place.id: place for place in self.context.city.places()}
            if said in known:
                x_m, y_m = np.asarray(known[said].shape, float).reshape(-1, 2).mean(axis=0)
                return float(x_m), float(y_m)
            self.say(key, f"{nearest(said, known, what='place')}; or {WHERE}")
        elif isinstance(said, Mapping) and set(said) == {"lon", "lat"}:
            try:
                return self.context.city.metres(float(said["lon"]), float(said["lat"]))
            except (TypeError, ValueError) as error:
                self.say(key, f"{error}; {WHERE}")
        elif isinstance(said, Mapping) and set(said) == {"x", "y"}:
            try:
                return units.quantity(said["x"], "m"), units.quantity(said["y"], "m")
            except ValueError as error:
                self.say(key, str(error))
        else:
            self.say(key, WHERE)
        return 0.0, 0.0

    # models are asked for by their type: the scenario may call them otherwise, and have several of one

    def names(self, model: str) -> list[str]:
        """Return the models of a type that the entry is for."""
        found = self.context.of_type(model)
        return [name for name in found if name in self.only] or found

    def has(self, model: str) -> bool:
        """Whether the scenario has a model of this type."""
        return bool(self.names(model))

    def addressed(self, effect: Effect, *, everywhere: bool = False) -> list[Effect]:
        """Return an effect on a type of models as one on the model that owns its element; notes when several would do.

        `everywhere`: what names no element is for all of them.
        """
        names = self.names(effect.model)
        if len(names) > 1 and not (everywhere and not effect.element):
            verbs = {name: self.context.models[name].actions[effect.action] for name in names}
            taking = [name for name, verb in verbs.items() if not verb.check(effect.arguments, self.elements(name))[1]]
            if len(taking) > 1:
                of = f" have '{effect.element}'" if effect.element else " could be meant"
                self.say("model", f"{' and '.join(taking)}{of}; say which: 'model: {taking[0]}'")
            names = taking[:1] or names[:1]
        return [replace(effect, model=name) for name in names]

    def one(self, model: str) -> str:
        """Return the model of a type, "" where there is none; notes when several would do."""
        names = self.names(model)
        if len(names) > 1:
            self.say("model", f"{' and '.join(names)} could be meant; say which: 'model: {names[0]}'")
        return names[0] if names else ""

    def elements(self, name: str) -> Mapping[str, ElementSet]:
        """Return the element sets of a model by its own name."""
        return self.context.models[name].elements

    def known(self, key: str, model: str, elements: str, id: str) -> bool:
        """Check an element's id where a model of the type takes part; notes the nearest one."""
        ids = [one for name in self.names(model) for one in self.elements(name)[elements].ids]
        if self.has(model) and id not in ids:
            self.say(key, nearest(id, ids, what=f"{elements} of {' and '.join(self.names(model))}"))
        return id in ids

    def middle(self, model: str, elements: str, id: str) -> tuple[float, float]:
        """Return the middle of an element that is there."""
        shapes = next(found for name in self.names(model) if id in (found := self.elements(name)[elements]).ids)
        x_m, y_m = _middle(np.asarray(shapes.shapes[shapes.ids.index(id)], float))
        return float(x_m), float(y_m)

    def closest(self, model: str, elements: str, at_m: tuple[float, float]) -> str:
        """Return the element of a type of models nearest to a point."""
        return self.nearest_of(model, elements, np.array([at_m], float))[0]

    def nearest_of(self, model: str, elements: str, points_m: np.ndarray) -> list[str]:
        """Return the nearest element of a type of models to each of (n, 2) points; "" where there is none."""
        found = [pair for name in self.names(model) for pair in zip(*self._set(name, elements), strict=True)]
        if not found:
            return [""] * len(points_m)
        middles = np.array([_middle(np.asarray(shape, float)) for _, shape in found])
        away = np.hypot(*(points_m[:, None, :] - middles[None, :, :]).transpose(2, 0, 1))
        return [found[i][0] for i in away.argmin(axis=1).tolist()]

    def _set(self, name: str, elements: str) -> tuple[Sequence[str], Sequence[np.ndarray]]:
        found = self.elements(name)[elements]
        return found.ids, found.shapes

    def exposed(self, model: str, elements: str, facts: Mapping[str, Any] | None = None) -> list[Exposed]:
        """Return all elements of a set with their middle, length and bore; none where no such model takes part or it lies nowhere."""
        return [one for name in self.names(model) for one in self._exposed(name, model, elements, facts or {})]

    def _exposed(self, name: str, model: str, elements: str, facts: Mapping[str, Any]) -> list[Exposed]:
        widths = self.context.models[name].looks().get("sets", {}).get(elements, {}).get("width_m")
        made = []
        for i, (id, shape) in enumerate(zip(*self._set(name, elements), strict=False)):
            line = np.asarray(shape, float)
            x_m, y_m = _middle(line)
            own = {"length_m": float(np.hypot(*np.diff(line, axis=0).T).sum())} if len(line) > 1 else {}
            if isinstance(widths, Sequence):
                own["diameter_m"] = float(widths[i])
            made.append(Exposed(model, elements, id, float(x_m), float(y_m), own | dict(facts)))
        return made

    def transformers(self) -> list[Exposed]:
        """Return the transformers of the grids with their highest voltage."""
        return [one for name in self.names("grid") for one in self._transformers(name)]

    def _transformers(self, name: str) -> list[Exposed]:
        grid = self.context.models[name]
        kv = np.array(grid.looks().get("vn_kv", []), float)
        buses = np.array([_middle(np.asarray(shape, float)) for shape in grid.elements["bus"].shapes]).reshape(-1, 2)
        made = []
        for one in self._exposed(name, "grid", "trafo", {}):
            near = np.hypot(*(buses - (one.x_m, one.y_m)).T) <= NEAR_M if len(kv) == len(buses) else np.zeros(0, bool)
            facts = {"voltage_kv": float(kv[near].max())} if near.any() else {}
            made.append(Exposed("grid", "trafo", one.element, one.x_m, one.y_m, facts))
        return made


def _middle(line: np.ndarray) -> np.ndarray:
    """Return the point half way along a line, the mean of a ring's or a point's corners."""
    if len(line) == 2:
        return np.asarray(line.mean(axis=0))
    if len(line) > 2 and not np.allclose(line[0], line[-1]):
        gone = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        return np.array([np.interp(gone[-1] / 2.0, gone, line[:, k]) for k in (0, 1)])
    return np.asarray(line.mean(axis=0))
