"""Crowds on small grounds for the tests."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.crowd import Crowd
from models.crowd.demo import DEMO, box
from twin.model import Setup

QUICK = {"ends": "+0 s", "onset": "5 s", "cell": "0.5 m"}


def two_sided() -> dict[str, Any]:
    """A stand between two halves of a plaza, alike: a gate, a station and a way out on foot in each."""
    stations = [
        {"id": f"metro_{side}", "kind": "metro", "platform": f"platform_{side}", "entry": f"fare_{side}", "doors": [door],
         "capacity": 200, "headway_s": 60, "dwell_s": 40, "boarding_per_s": 5.0}
        for side, door in (("w", box(-49, 28, -43, 30)), ("e", box(63, 28, 69, 30)))
    ]  # fmt: skip
    return {
        "format": "crowd 1",
        "ground": [
            {"ring": box(0, 0, 20, 12)},
            {"ring": box(2, 11.9, 6, 13.1)},
            {"ring": box(14, 11.9, 18, 13.1)},
            {"ring": box(-40, 13, 60, 35)},
            {"ring": box(-41.1, 22, -39.9, 27)},
            {"ring": box(59.9, 22, 61.1, 27)},
            {"ring": box(-52, 20, -41, 30)},
            {"ring": box(61, 20, 72, 30)},
        ],
        "areas": [
            {"id": "bowl", "kind": "concourse", "ring": box(0, 0, 20, 12)},
            {"id": "west", "kind": "plaza", "ring": box(-40, 13, 10, 35)},
            {"id": "east", "kind": "plaza", "ring": box(10, 13, 60, 35)},
            {"id": "platform_w", "kind": "platform", "ring": box(-52, 20, -41, 30)},
            {"id": "platform_e", "kind": "platform", "ring": box(61, 20, 72, 30)},
        ],
        "gates": [
            {"id": "gate_w", "line": [[2, 12], [6, 12]]},
            {"id": "gate_e", "line": [[14, 12], [18, 12]]},
            {"id": "fare_w", "line": [[-41, 22], [-41, 27]], "role": "station"},
            {"id": "fare_e", "line": [[61, 22], [61, 27]], "role": "station"},
        ],
        "stations": stations,
        "exits": [{"id": "out_w", "ring": box(-40, 30, -35, 35)}, {"id": "out_e", "ring": box(55, 30, 60, 35)}],
        "sectors": [{"id": "stand", "seats": 400, "area": "bowl", "mouths": [[x, 2] for x in range(1, 20, 2)], "width_m": 10.0}],
    }


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Crowd]:
    """Return a function that opens a crowd: `make(options, network=...)` or `make(options, change=...)` of the demo's."""
    made: list[Crowd] = []

    def build(network: dict[str, Any] | None = None, change: Callable[[dict[str, Any]], None] | None = None, **options: Any) -> Crowd:
        data = copy.deepcopy(DEMO if network is None else network)
        if change is not None:
            change(data)
        path = tmp_path / f"crowd{len(made)}.json"
        path.write_text(json.dumps(data), encoding="utf-8")
        seed = options.pop("seed", 1)
        setup = Setup(name="crowd", files={"areas": path}, scratch=tmp_path, options={**QUICK, **options}, duration_s=3600, seed=seed)
        crowd = Crowd(setup)
        crowd.open()
        crowd.solve()
        made.append(crowd)
        return crowd

    return build


@pytest.fixture
def two_sides() -> dict[str, Any]:
    return two_sided()
