"""A run folder of a small town with ground: streets, buildings, lamps along a street, people who walk, things done to it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from twin.base import Building, Place, Street
from twin.ground import Ground, View
from twin.looks import Looks, MoverLook, SetLook
from twin.ports import TRACK, ElementSet
from twin.recorder import ModelSheet, PortSheet, Recorder

START = datetime(2014, 8, 16, 21, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
LAMPS = ("K1", "K2", "K3", "K4")
FAULT_S = 300
"""At 21:35 the lamps go out and their voltage falls to nothing."""


def ground() -> Ground:
    """Return two streets that cross, twelve houses and a square."""
    lines = (np.array([[0.0, 100.0], [400.0, 100.0]]), np.array([[200.0, 0.0], [200.0, 300.0]]))
    streets = tuple(Street(f"S{i}", "a", "b", line, f"Street {i}", "local", 1, 13.9) for i, line in enumerate(lines))
    corners = [np.array([30.0 + 60 * (i % 6), 130.0 if i < 6 else 40.0]) for i in range(12)]
    houses = tuple(
        Building(f"H{i}", at + np.array([[0, 0], [30, 0], [30, 25], [0, 25]]), 12.0 + 3 * i, "homes", 750.0, 20)
        for i, at in enumerate(corners)
        if not 180 < at[0] + 15 < 220
    )
    places = (Place("square", "square", {"en": "Square", "zh": "广场"}, np.array([[200.0, 100.0]])),)
    cameras = (
        View("overview", (200.0, -320.0, 260.0), (200.0, 110.0, 0.0)),
        View("corner", (60.0, 20.0, 90.0), (200.0, 100.0, 0.0)),
    )
    return Ground(
        "town", {"en": "Town"}, "EPSG:4549", provenance="schematic", cameras=cameras, places=places, streets=streets, buildings=houses
    )


def sheets() -> dict[str, ModelSheet]:
    """Return lamps with a voltage, and people; the names are of no domain."""
    shapes = tuple(np.array([[60.0 + 90 * i, 108.0]]) for i in range(len(LAMPS)))
    ports = {
        "level_v": PortSheet("level_v", "lamp", "V", label="voltage", cmap="viridis", range=(0.0, 250.0)),
        "is_lit": PortSheet("is_lit", "lamp", dtype="bool", label="lit"),
    }
    lamps = Looks({"lamp": SetLook("marker", width_m=8.0, height_m=10.0, lights="is_lit")}, {})
    people = Looks({}, {"walker": MoverLook("person", (0.6, 0.6, 1.8))})
    return {
        "lamps": ModelSheet("lamps", ports, {"lamp": ElementSet(LAMPS, shapes, label="lamps")}, looks=lamps.plain()),
        "folk": ModelSheet("folk", {}, {}, moving={0: "walker"}, looks=people.plain()),
    }


def arrays_at(t_s: int) -> dict[str, dict[str, np.ndarray]]:
    """Return what the lamps say at a second."""
    lit = t_s < FAULT_S
    return {"lamps": {"level_v": np.full(len(LAMPS), 230.0 if lit else 0.0), "is_lit": np.full(len(LAMPS), lit)}, "folk": {}}


def start(folder: Path, *, duration_s: int = 600, every_s: int = 10) -> Recorder:
    """Begin a recording."""
    return Recorder(
        folder,
        manifest={"name": "town", "title": "A small town", "seed": 1},
        scenario_text="name: town\n",
        models=sheets(),
        start=START,
        duration_s=duration_s,
        record_every_s=every_s,
        tracks_every_s=every_s,
        ground=ground(),
    )


def go_on(recorder: Recorder, first_s: int = 0, last_s: int = 600, every_s: int = 10) -> Recorder:
    """Record the seconds [first_s, last_s]."""
    for t_s in range(first_s, last_s + 1, every_s):
        if t_s == FAULT_S:
            recorder.event(_row(t_s, "action", "timeline", "fault", "K2"))
            recorder.event(_row(t_s, "notice", "model", "went_dark", "K2"))
        recorder.sample(t_s, arrays_at(t_s))
        people = np.zeros(60, TRACK)
        people["id"] = np.arange(60)
        people["x_m"], people["y_m"] = 20.0 + (people["id"] * 6 + t_s * 0.5) % 360, 96.0
        people["angle_deg"], people["speed_m_per_s"] = 90.0, 0.5
        recorder.tracks(t_s, "folk", people)
    return recorder


def write(folder: Path, *, duration_s: int = 600) -> Path:
    """Record the town from start to end and return its folder."""
    go_on(start(folder, duration_s=duration_s), last_s=duration_s).finish("done")
    return folder


def _row(t_s: int, kind: str, source: str, name: str, element: str) -> dict[str, Any]:
    row = {"t_happened_s": t_s, "t_seen_s": t_s, "kind": kind, "source": source, "model": "lamps"}
    return row | {"name": name, "element": element, "severity": "info", "facts": {}}
