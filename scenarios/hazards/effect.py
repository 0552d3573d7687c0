"""What a hazard is told of a city, and what it answers: no model, no clock, only data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Exposed:
    """An element that a hazard may strike: `model.element` of the set `kind` at (x, y) metres of the pack's CRS.

    What a hazard needs besides stands in `facts`: `length_m`, `diameter_m`, `material` of a pipe; `voltage_kv`,
    `anchored` of a substation; `height_m` of a pole.
    """

    model: str
    kind: str
    element: str
    x_m: float
    y_m: float
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, order=True)
class Effect:
    """An action a hazard asks for, `t_s` seconds after the start of the run; `why` is for the journal."""

    t_s: int
    model: str
    action: str
    element: str
    arguments: Mapping[str, Any] = field(compare=False)
    why: str = field(default="", compare=False)


def quantile(seed: int, hazard: str, exposed: Exposed) -> float:
    """Return the element's own uniform number for a hazard: the same in every run with this seed, whatever else is in the city.

    An element fails when its probability exceeds it, so that paired runs differ only where the shaking does.
    """
    name = f"{hazard}/{exposed.model}/{exposed.kind}/{exposed.element}"
    return float(np.random.default_rng([seed, *name.encode()]).random())
