"""A street with a pipe in it, a school, a square and a filling station: what the contract suite runs."""

from __future__ import annotations

from typing import Any


def box(x0: float, y0: float, x1: float, y1: float) -> list[list[float]]:
    """Return the ring of a rectangle (metres)."""
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]


DEMO: dict[str, Any] = {
    "format": "air 1",
    "provenance": "made up, for tests",
    "location": {"lon_deg": 118.72, "lat_deg": 32.01},
    "terrain": "urban",
    "grid": {"x0_m": -400, "y0_m": -400, "cell_m": 50, "columns": 16, "rows": 16},
    "places": [
        {"id": "school", "ring": box(40, -10, 60, 10), "people": 200, "indoor": True},
        {"id": "square", "ring": box(20, -60, 140, 60)},
        {"id": "clinic", "ring": box(-60, -200, -40, -180), "people": 30, "indoor": True},
    ],
    "sources": [
        {"id": "P1", "at": [0, 0], "rate_kg_per_s": 0.5},
        {"id": "P2", "at": [0, 200], "substance": "chlorine", "rate_kg_per_s": 0.1},
        {"id": "stack", "at": [0, -200], "height_m": 20, "substance": "smoke", "rate_kg_per_s": 0.01, "heat_mw": 5},
    ],
    "sparks": [{"id": "pump_island", "at": [-60, 0]}],
}
