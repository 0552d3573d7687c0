"""A small drill as a run folder: a street closes, a pump stops, people leave; with KPIs, objectives and a named city."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from twin import kpi
from twin.ports import TRACK, ElementSet
from twin.recorder import ModelSheet, PortSheet, Recorder
from twin.results import Building, Ground, Place, Street

START = datetime(2014, 8, 16, 21, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
SHEETS = {
    "roads": ModelSheet(
        "roads",
        {
            "speed_m_per_s": PortSheet("speed_m_per_s", "edge", "m/s", label="mean speed", cmap="RdYlBu", range=(0.0, 17.0)),
            "is_open": PortSheet("is_open", "edge", dtype="bool", label="road is open"),
            "noise_db": PortSheet("noise_db", "edge", "dB"),
        },
        {"edge": ElementSet(tuple(f"E{i}" for i in range(4)), [np.array([[0.0, 300.0 * i], [1200.0, 300.0 * i]]) for i in range(4)])},
        absent=frozenset({"noise_db"}),
        notices={"jam": "edge"},
        actions={"close": ""},
    ),
    "people": ModelSheet(
        "people",
        {"inside": PortSheet("inside", "all", label="people inside")},
        {"all": ElementSet(("everybody",))},
        moving={0: "on foot"},
        notices={},
        actions={},
    ),
}
KPIS = {
    "out": {"of": "people.inside", "over": "last_above", "threshold": 100, "target": "<= 6 min", "label": "Nearly all out after"},
    "slowest": {"of": "roads.speed_m_per_s", "across": "min", "over": "min", "target": ">= 5 m/s", "label": "Slowest street"},
    "jams": {"of": "events.roads.jam", "over": "count", "label": "Jams"},
}
OBJECTIVES = [
    {"name": "leave", "text": "People leave in time", "kpis": ["out"]},
    {"name": "flow", "text": "Streets keep flowing", "kpis": ["slowest", "jams"]},
    {"name": "calm", "text": "Nobody hurries", "kpis": ["jams"]},
]


def ground(title: str = "Hexi") -> Ground:
    """The drill's city: one street, one place, one house, all named in two languages."""
    return Ground(
        name="hexi",
        title={"en": title, "zh": "南京河西"},
        provenance="schematic",
        synthetic=("every building",),
        licences=("drawn by hand",),
        places=(Place("stadium", "venue", {"en": "Stadium", "zh": "奥体中心体育场"}, np.array([[600.0, 310.0]])),),
        streets=(Street("S1", "X0", "X1", np.array([[0.0, 0.0], [1200.0, 0.0]]), "Yurun Dajie 雨润大街", "arterial", 2, 14.0),),
        buildings=(Building("B1", np.array([[20.0, 20.0], [90.0, 20.0], [90.0, 60.0]]), 20.0, "office", 900.0, 40),),
    )


def _row(t_s: int, kind: str, model: str, name: str, element: str, severity: str = "info", **rest: Any) -> dict[str, Any]:
    source = "timeline" if kind == "action" else "model"
    said = {"t_happened_s": t_s, "t_seen_s": t_s, "kind": kind, "source": source, "model": model, "name": name, "element": element}
    return said | {"severity": severity, "facts": {}} | rest


def record(
    folder: Path,
    *,
    title: str = "A street closes",
    element: str = "E1",
    close_s: int = 120,
    last_s: int = 600,
    finish: str = "done",
    out_s: int = 300,
    manifest: dict[str, Any] | None = None,
    city: Ground | None = None,
    kpis: dict[str, dict[str, Any]] | None = None,
    degraded: bool = True,
) -> Path:
    """Write the drill; `last_s` below 600 cuts it short there, `finish` '' leaves it as a kill would."""
    ids = tuple(element if i == 1 else f"E{i}" for i in range(4))
    edges = ElementSet(ids, SHEETS["roads"].elements["edge"].shapes)
    sheets = SHEETS | {"roads": ModelSheet(**{**vars(SHEETS["roads"]), "elements": {"edge": edges}})}
    declared = KPIS if kpis is None else kpis
    base = {"name": "drill", "title": title, "seed": 7, "city": {"name": "hexi", "provenance": "schematic", "digest": "c1"}}
    base |= {"versions": {"python": "3.11"}, "hosts": {"roads": "inline"}, "objectives": OBJECTIVES} | (manifest or {})
    lines = [f"name: drill\ntimeline:\n  shut: {{at: +{close_s} s}}\nkpis:\n"]
    lines += [
        f"  {name}: {{{', '.join(f'{key}: {json.dumps(value)}' for key, value in said.items())}}}\n" for name, said in declared.items()
    ]
    recorder = Recorder(
        folder,
        manifest=base,
        scenario_text="".join(lines),
        models=sheets,
        start=START,
        duration_s=600,
        record_every_s=10,
        tracks_every_s=60,
        ground=city or ground(),
    )
    events = [
        _row(close_s, "action", "roads", "close", element, facts={"edge": element, "name": "shut"}),
        _row(close_s, "notice", "roads", "jam", element, "warning", t_seen_s=close_s + 5, facts={"queue": 12.345678}),
        _row(close_s + 60, "notice", "roads", "jam", "E2", "warning"),
        _row(close_s + 70, "notice", "people", "arrived", "", "debug"),
    ]
    if degraded:
        events.append(_row(close_s + 90, "degraded", "roads", "degraded", "", "warning", facts={"why": "no convergence"}))
    for t_s in range(0, last_s + 1, 10):
        for row in events:
            if t_s - 10 < row["t_seen_s"] <= t_s:
                recorder.event(row)
        speeds = np.array([12.0, 10.0 if t_s < close_s else 0.5, 12.0, 12.0])
        inside = max(0.0, 1000.0 * (1 - t_s / out_s))
        opened = np.array([True, not close_s <= t_s < 400, True, True])
        recorder.sample(t_s, {"roads": {"speed_m_per_s": speeds, "is_open": opened}, "people": {"inside": np.array([inside])}})
        walkers = np.zeros(3, TRACK)
        walkers["id"], walkers["x_m"] = np.arange(3), t_s + np.arange(3) + (close_s if t_s >= close_s else 0)
        if t_s % 60 == 0:
            recorder.tracks(t_s, "people", walkers)
    if finish:
        account = {"model": "people", "what": "people", "unit": "1", "residual": 3.0, "tolerance": 0.0, "closes": not degraded}
        recorder.finish(finish, kpis=kpi.read(declared, sheets)[0], ledger=[account])
    else:
        recorder.commit(last_s)
    return folder
