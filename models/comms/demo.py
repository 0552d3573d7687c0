"""A tiny communications network: what the contract suite and the coupling tests run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CELL = {"kind": "cell", "load_kw": 3.0, "battery_kwh": 0.15, "radius_m": 450.0, "channels": 20, "mbit_per_s": 75.0}
"""Batteries of three minutes, so that a test sees them end."""


def document() -> dict[str, Any]:
    """Return three cells on two nodes, an exchange, a data centre with a remote recovery site, a desk, two terminals, two areas."""
    small = {"load_kw": 0.5, "battery_kwh": 2.0}
    big = {"load_kw": 40.0, "battery_kwh": 10.0, "generator_kw": 60.0, "generator_h": 8.0, "start_s": 30}
    sites = [
        {"id": "C1", "x": 400.0, "y": 0.0, **CELL},
        {"id": "C2", "x": 800.0, "y": 0.0, **CELL},
        {"id": "C3", "x": 800.0, "y": 300.0, **CELL},
        {"id": "N1", "kind": "node", "x": 400.0, "y": 100.0, **small},
        {"id": "N2", "kind": "node", "x": 800.0, "y": 100.0, **small},
        {"id": "PB1", "kind": "private", "x": 600.0, "y": 100.0, "radius_m": 1500.0, "load_kw": 1.0, "battery_kwh": 8.0},
        {"id": "X", "kind": "exchange", "x": 0.0, "y": 100.0, **big},
        {"id": "DC", "kind": "core", "x": 0.0, "y": 200.0, **big},
        {"id": "DR", "kind": "recovery", "x": 0.0, "y": 2000.0, **big},
        {"id": "CMD", "kind": "command", "x": 0.0, "y": 0.0, **big},
    ]
    pairs = (("N1", "C1"), ("N2", "C2"), ("N2", "C3"), ("N1", "N2"), ("N1", "PB1"), ("X", "N1"), ("DC", "X"), ("DR", "X"), ("CMD", "X"))
    box = [[200.0, -200.0], [600.0, -200.0], [600.0, 200.0], [200.0, 200.0]]
    return {
        "about": "demo",
        "sites": sites,
        "links": [{"id": f"F_{a}_{b}", "from": a, "to": b} for a, b in pairs],
        "areas": [
            {"id": "west", "ring": box, "people": 400.0},
            {"id": "east", "ring": [[x + 400.0, y] for x, y in box], "people": 300.0},
        ],
        "desks": [{"id": "desk", "site": "CMD", "dispatchers": 3, "calls_per_h": 40.0, "handling_s": 180.0}],
        "terminals": [{"id": "T1", "site": "N1", "x": 410.0, "y": 110.0}, {"id": "T2", "site": "N2", "x": 810.0, "y": 110.0}],
        "recovery": {"rto_s": 120, "rpo_s": 60},
    }


def write(path: Path) -> None:
    """Write the demo's comms.json."""
    path.write_text(json.dumps(document(), indent=1) + "\n", encoding="utf-8")
