"""A made-up town for the tests of run folders: two models, their numbers known at every second."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from twin.ports import TRACK, ElementSet
from twin.recorder import ModelSheet, PortSheet, Recorder

START = datetime(2014, 8, 16, 21, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
SCENARIO = "name: made_up\n"
SHEETS = {
    "water": ModelSheet(
        name="water",
        ports={
            "pressure_m": PortSheet("pressure_m", "junction", "m", label="pressure", cmap="viridis", range=(0.0, 50.0)),
            "power_mw": PortSheet("power_mw", "pump", "MW"),
            "is_running": PortSheet("is_running", "pump", dtype="bool"),
            "starts": PortSheet("starts", "pump", dtype="int32"),
            "demand_factor": PortSheet("demand_factor", "junction", role="In"),
            "quality": PortSheet("quality", "junction"),
        },
        elements={
            "junction": ElementSet(("J1", "J2", "J17"), tuple(np.array([[100.0 * i, 50.0 * i]]) for i in range(3)), label="junctions"),
            "pump": ElementSet(("P1", "P2"), (np.array([[0.0, 0.0], [9.5, 1.0]]), np.array([[5.0, 5.0], [6.0, 6.0], [7.0, 5.0]]))),
        },
        absent=frozenset({"quality"}),
        notices={"pump_stopped": "pump"},
        actions={"burst": ""},
    ),
    "crowd": ModelSheet(
        name="crowd",
        ports={"walking": PortSheet("walking", "area", label="people walking")},
        elements={"area": ElementSet(("A1",), (np.array([[0.0, 0.0], [50.0, 0.0], [50.0, 40.0]]),), closed=True)},
        moving={0: "person", 1: "steward"},
        looks={"height_m": {"A1": 3.5}},
    ),
}


def arrays_at(t_s: int) -> dict[str, dict[str, np.ndarray]]:
    """What the models say at a second."""
    return {
        "water": {
            "pressure_m": np.array([40.0 - t_s / 60.0, 30.0, 20.0 + np.sin(t_s)]),
            "power_mw": np.array([0.5, 0.001 * t_s]),
            "is_running": np.array([True, t_s % 120 < 60]),
            "starts": np.array([1, t_s // 60], np.int32),
            "demand_factor": np.ones(3),
        },
        "crowd": {"walking": np.array([max(0.0, 400.0 - t_s)])},
    }


def people_at(t_s: int) -> np.ndarray:
    """Who walks where at a second; there are fewer as time goes on."""
    count = max(0, 20 - t_s // 60)
    people = np.zeros(count, TRACK)
    people["id"] = np.arange(count)
    people["kind"] = people["id"] % 2
    people["x_m"], people["y_m"] = t_s + people["id"], 2.0
    people["speed_m_per_s"] = 1.34
    return people


def event_at(t_s: int) -> dict[str, Any]:
    """What the journal says at a second."""
    facts = {"head_m": 12.5, "at": t_s, "cause": "no supply"}
    row = {"kind": "notice", "source": "model", "model": "water", "name": "pump_stopped", "element": "P1", "severity": "warning"}
    return row | {"t_happened_s": t_s - 1, "t_seen_s": t_s, "facts": facts}


def start(folder: Path, *, duration_s: int = 600, every_s: int = 10, models: Mapping[str, ModelSheet] = SHEETS, **rest: Any) -> Recorder:
    """Begin a recording of the town."""
    return Recorder(
        folder,
        manifest={"name": "made_up", "seed": 1},
        scenario_text=SCENARIO,
        models=models,
        start=START,
        duration_s=duration_s,
        record_every_s=every_s,
        tracks_every_s=every_s,
        **rest,
    )


def go_on(recorder: Recorder, first_s: int = 0, last_s: int = 600, every_s: int = 10) -> Recorder:
    """Record the town's seconds [first_s, last_s]."""
    for t_s in range(first_s, last_s + 1, every_s):
        if t_s % 60 == 0:
            recorder.event(event_at(t_s))
        recorder.sample(t_s, arrays_at(t_s))
        recorder.tracks(t_s, "crowd", people_at(t_s))
    return recorder


def record(folder: Path, **rest: Any) -> Path:
    """Record the town from start to end."""
    go_on(start(folder, **rest)).finish(
        "done", timing={"water": {"solve_s": 0.5, "solves": 61}}, ledger=[{"model": "water", "residual": 0.0}]
    )
    return folder
