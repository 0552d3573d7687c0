"""Nine crossings with two depots and two hospitals: what the contract suite and the coupling tests run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BLOCK_M = 250.0


def document() -> dict[str, Any]:
    """Return 3 x 3 crossings, arterials through the middle; the streets bear the names of the roads of traffic's demo."""
    crossings = {f"X{i}{j}": [j * BLOCK_M, i * BLOCK_M] for i in range(3) for j in range(3)}
    pairs = [(f"X{i}{j}", f"X{i}{j + 1}", i == 1) for i in range(3) for j in range(2)]
    pairs += [(f"X{i}{j}", f"X{i + 1}{j}", j == 1) for j in range(3) for i in range(2)]
    streets = [
        {
            "ids": [f"S{number:02d}f", f"S{number:02d}b"],
            "from": start,
            "to": end,
            "speed_m_per_s": 13.89 if arterial else 8.33,
            "line": [crossings[start], crossings[end]],
        }
        for number, (start, end, arterial) in enumerate(pairs, 1)
    ]
    return {
        "about": "demo",
        "centre": {"id": "command", "x": 125.0, "y": 10.0, "dispatchers": 2},
        "depots": [
            {"id": "station_w", "x": 120.0, "y": 15.0, "units": {"fire": 2, "ambulance": 2, "police": 1, "water": 1}},
            {"id": "yard_e", "x": 480.0, "y": 385.0, "units": {"ambulance": 1, "water": 1, "power": 1, "gas": 1, "bus": 2}},
        ],
        "hospitals": [
            {"id": "H1", "x": 375.0, "y": 260.0, "capacity": 10},
            {"id": "H2", "x": 10.0, "y": 380.0, "capacity": 30},
        ],
        "streets": streets,
    }


def write(path: Path) -> None:
    """Write the demo's response.json."""
    path.write_text(json.dumps(document(), indent=1) + "\n", encoding="utf-8")
