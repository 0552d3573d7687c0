"""Two hospitals and two places: what the contract suite and the coupling tests run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def document() -> dict[str, Any]:
    """Return a small hospital beside the venue, a larger one further away."""
    return {
        "about": "demo",
        "hospitals": [
            {"id": "H1", "x": 500.0, "y": 0.0, "beds": 40, "bays": 6, "waiting_places": 4, "walk_ins_per_day": 60, "generator_h": 0.05},
            {"id": "H2", "x": 2500.0, "y": 0.0, "beds": 120, "bays": 16, "waiting_places": 14, "walk_ins_per_day": 150},
        ],
        "places": [{"id": "venue", "x": 0.0, "y": 0.0}, {"id": "station", "x": 2200.0, "y": 300.0}],
    }


def write(path: Path) -> None:
    """Write the demo's hospitals.json."""
    path.write_text(json.dumps(document(), indent=1) + "\n", encoding="utf-8")
