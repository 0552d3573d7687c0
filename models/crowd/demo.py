"""A tiny walking ground: a stand, a plaza, a station with two doors, a car park and a way out on foot."""

from __future__ import annotations

from typing import Any


def box(x0: float, y0: float, x1: float, y1: float) -> list[list[float]]:
    """Return the ring of a rectangle, anticlockwise (metres)."""
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]


DEMO: dict[str, Any] = {
    "format": "crowd 1",
    "provenance": "made up, for tests",
    "ground": [
        {"ring": box(0, 0, 20, 12)},
        {"ring": box(8, 11.9, 12, 13.1)},
        {"ring": box(-20, 13, 40, 45)},
        {"ring": box(39.9, 22, 41.1, 27)},
        {"ring": box(41, 20, 61, 30)},
    ],
    "obstacles": [{"id": "kiosk", "ring": box(-2, 24, 2, 28)}],
    "areas": [
        {"id": "bowl", "kind": "concourse", "ring": box(0, 0, 20, 12)},
        {"id": "plaza_w", "kind": "plaza", "ring": box(-20, 13, 10, 45)},
        {"id": "plaza_e", "kind": "plaza", "ring": box(10, 13, 40, 45)},
        {"id": "platform", "kind": "platform", "ring": box(41, 20, 61, 30)},
    ],
    "gates": [
        {"id": "gate_n", "line": [[8, 12], [12, 12]]},
        {"id": "fare_gates", "line": [[41, 22], [41, 27]], "role": "station", "flow_per_m_min": 40},
    ],
    "stations": [
        {
            "id": "metro",
            "kind": "metro",
            "platform": "platform",
            "entry": "fare_gates",
            "doors": [box(44, 28, 50, 30), box(52, 28, 58, 30)],
            "capacity": 20,
            "headway_s": 60,
            "dwell_s": 20,
            "boarding_per_s": 2.0,
            "p_mw": 0.2,
        }
    ],
    "carparks": [{"id": "carpark", "ring": box(-20, 38, -14, 45), "spaces": 20, "exit_per_s": 0.1}],
    "exits": [{"id": "street", "ring": box(8, 43, 14, 45)}],
    "sectors": [
        {"id": "stand", "seats": 100, "area": "bowl", "mouths": [[x, 2] for x in (3.0, 5.5, 8.0, 12.0, 14.5, 17.0)], "width_m": 4.0}
    ],
}
"""What `Crowd.demo` writes as crowd.json; every figure is made up."""
