"""A tiny city of all five models, each with its own demo network, joined by a coupling of every kind.

The demos are taken as they are; what a coupling needs and a demo lacks is added here: busier roads, a second station and
way out (so that people have somewhere to be diverted to), three venues with different backup, a depot of electric vans.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import twin
from models.crowd.demo import DEMO, box
from twin.host import model_class
from twin.results import Run
from twin.scenario import Scenario

TRIPS_PER_H = 2400.0
"""The roads' evening peak: at the demo's own 900 its one signal is hardly missed."""

UPS_S, START_S = 60, 90
"""V2's UPS carries it for a minute; V1's generator starts in a minute and a half, bridged by a UPS of two and a half."""
VENUES = """\
id,bus,load_mw,ups_mwh,generator_mw,fuel_l,fuel_l_per_mwh,start_s
V1,B3,0.6,0.025,1.0,30,250,90
V2,B3,0.06,0.001,0,0,0,0
SL,B3,0.01,0,0,0,0,0
"""
DEPOT_BUS, DEPOT_LINE = "B7", "L7"
"""The depot's bus hangs on B3 by a line of its own that is open until somebody closes it."""
DEPOT = {"id": "depot", "edge": "S07b", "x": 240.0, "y": 60.0, "points": 20, "point_kw": 250.0, "parked": 20}
"""Twenty vans at fast chargers: 5 MW, which the demo's cable cannot carry beside its own 2.4 MW."""

COUPLINGS = """\
source,source_element,target,target_element,kind
grid,B2,traffic,X11,supply
grid,B2,water,PU1,supply
grid,B5,water,PU2,supply
grid,B7,traffic,depot,supply
grid,B6,traffic,charger_P1,supply
grid,B3,crowd,metro_w,supply
grid,B6,crowd,metro_e,supply
grid,V1,crowd,bowl,lights
grid,V2,crowd,plaza_e,lights
grid,SL,crowd,plaza_w,lights
water,PU1,grid,B2,load
water,PU2,grid,B5,load
traffic,depot,grid,B7,load
traffic,charger_P1,grid,B6,load
water,P2,traffic,S03f,washout
gas,P2,traffic,S09f,leak
gas,P2,crowd,plaza_w,leak
gas,S5,grid,G1,fuel
grid,G1,gas,S5,burn
crowd,carpark,traffic,P1,drive
"""
"""Feeder L1-L2-L3 (buses B1 to B3) carries the signal, a pump, the venues and the western station; the depot would be fourth."""

KINDS = ("supply", "lights", "load", "washout", "leak", "fuel", "burn", "drive")

CITY = """\
name: demo_city
title: {en: Five demos in one place}
crs: EPSG:4549
timezone: Asia/Shanghai
provenance: schematic
couplings: couplings.csv
models:
"""

RECORD_S = 3
"""Causes fall on multiples of it that are none of a model's period (5, 10, 60, 300 s): only a link that wakes acts in that second."""

SCENARIO = """\
name: evening
city: pack
start: 2014-08-16 20:00
duration: 5 min
seed: 1
record_every: 3 s
models:
  traffic: {}
  grid: {}
  water: {}
  gas: {}
  crowd: {people: 150, ends: +0 s, onset: 20 s, cell: 0.5 m}
"""


def write(folder: Path) -> Path:
    """Assemble the pack and an eventless scenario of five minutes in `folder`; returns the scenario's file."""
    pack = folder / "pack"
    found: dict[str, dict[str, Path]] = {}
    for name in ("grid", "water", "gas", "crowd"):
        found[name] = dict(model_class(name).demo(pack / name if name != "crowd" else _made(pack / name)).files)
    found["traffic"] = _roads(pack / "traffic")
    found["crowd"]["areas"].write_text(json.dumps(_ground(), indent=1))
    found["grid"]["backup"].write_text(VENUES)
    _depot_line(found["grid"]["network"])
    for scratch in pack.glob("*/scratch"):
        shutil.rmtree(scratch)
    lines = [CITY]
    for name, files in sorted(found.items()):
        roles = ", ".join(f"{role}: {path.relative_to(pack).as_posix()}" for role, path in files.items())
        lines.append(f"  {name}: {{files: {{{roles}}}}}\n")
    (pack / "city.yaml").write_text("".join(lines))
    (pack / "couplings.csv").write_text(COUPLINGS)
    (folder / "evening.yaml").write_text(SCENARIO)
    return folder / "evening.yaml"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _roads(folder: Path) -> dict[str, Path]:
    """Lay the roads of traffic's demo with peak demand and the depot."""
    from models.traffic.demo import demo_base
    from models.traffic.synth import FILES, write_files

    scratch = _made(folder / "scratch")
    write_files(demo_base(), folder, scratch, TRIPS_PER_H)
    sites = json.loads((folder / FILES["sites"]).read_text())
    sites["chargers"].append(DEPOT)
    (folder / FILES["sites"]).write_text(json.dumps(sites, indent=1))
    return {role: folder / name for role, name in FILES.items()}


def _depot_line(path: Path) -> None:
    """Add the depot's bus and its open line to the grid's file."""
    import pandapower as pp

    net = pp.from_json(str(path))
    start = int(net.bus.index[net.bus.name == "B3"][0])
    end = pp.create_bus(net, 10.0, name=DEPOT_BUS, geodata=(1600.0, 0.0))
    kind = net.line[net.line.name == "L3"].iloc[0]
    figures = {name: float(kind[name]) for name in ("r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "max_i_ka")}
    line = pp.create_line_from_parameters(net, start, end, 0.4, name=DEPOT_LINE, geodata=[(1200.0, 0.0), (1600.0, 0.0)], **figures)
    pp.create_switch(net, start, line, "l", closed=True, type="LBS", name="S_L7_B3")
    pp.create_switch(net, end, line, "l", closed=False, type="LBS", name="S_L7_B7")
    pp.to_json(net, str(path))


def _ground() -> dict[str, Any]:
    """Return the demo's walking ground with a western station like the eastern one, and a way out on each side."""
    ground = json.loads(json.dumps(DEMO))
    ground["ground"] += [{"ring": box(-21.1, 22, -19.9, 27)}, {"ring": box(-41, 20, -21, 30)}]
    ground["areas"].append({"id": "platform_w", "kind": "platform", "ring": box(-41, 20, -21, 30)})
    ground["gates"].append({"id": "fare_gates_w", "line": [[-21, 22], [-21, 27]], "role": "station", "flow_per_m_min": 40})
    east = ground["stations"][0]
    west = {"id": "metro_w", "platform": "platform_w", "entry": "fare_gates_w", "doors": [box(-38, 28, -32, 30), box(-30, 28, -24, 30)]}
    ground["stations"] = [{**east, "id": "metro_e"}, {**east, **west}]
    ground["exits"] = [{"id": "street_w", "ring": box(-8, 43, -2, 45)}, {"id": "street_e", "ring": box(22, 43, 28, 45)}]
    return ground


def kinds() -> set[str]:
    """Return the kinds of coupling that the pack has rows of."""
    return {row["kind"] for row in csv.DictReader(io.StringIO(COUPLINGS))}


def only(scenario: Scenario, *models: str, options: dict[str, dict[str, Any]] | None = None, **changes: Any) -> Scenario:
    """Return a variant in which only these models take part, with these options by model."""
    stanzas = {name: None for name in scenario.models if name not in models} | (options or {})
    return scenario.with_(models=stanzas, **changes)


class Stage:
    """Runs variants of one scenario, each only once, each with all its accounts closed; `hosts` as of `twin.simulate`."""

    def __init__(self, folder: Path, scenario: Scenario, hosts: str = "inline", done: dict[tuple[str, str], Run] | None = None) -> None:
        self.folder, self.scenario, self.hosts = folder, scenario, hosts
        self.done = {} if done is None else done

    def run(self, *timeline: dict[str, Any], cut: str = "") -> Run:
        """Run with these entries of a timeline, and with every link of the kinds in `cut` (separated by spaces) severed."""
        entries = {f"e{i}": entry for i, entry in enumerate(timeline)}
        scenario = self.scenario.with_(timeline=entries, couplings=dict.fromkeys(cut.split(), "off"))
        key = (scenario.text(), self.hosts)
        if key not in self.done:
            out = self.folder / f"run{sum(1 for _ in self.folder.iterdir())}"
            run = twin.simulate(scenario, out=out, hosts=self.hosts)
            assert run.status == "done"
            assert run.ledger["closes"].all(), run.ledger
            self.done[key] = run
        return self.done[key]


def at(second: int, verb: str, **arguments: Any) -> dict[str, Any]:
    """Return an entry of a timeline."""
    return {"at": f"+{second} s", "do": verb, **arguments}


def value(run: Run, of: str, element: str, second: int) -> float:
    """Return what a port of an element said at a recorded second."""
    model, port = of.split(".")
    return float(series(run, f"{model}.{port}", element)[list(run.times_s).index(second)])


def series(run: Run, of: str, element: str) -> np.ndarray:
    """Return (time,) what a port of an element said."""
    model, port = of.split(".")
    field = run.fields[model][port]
    return np.asarray(field.sel({field.dims[1]: element}).values, float)


def said(run: Run, model: str, name: str) -> list[tuple[int, str]]:
    """Return (second it happened, element) of every notice of this name."""
    rows = run.events
    rows = rows[(rows["model"] == model) & (rows["name"] == name) & (rows["kind"] == "notice")]
    return [(int(second), str(element)) for second, element in zip(rows["t_happened_s"], rows["element"], strict=True)]


def alike_before(base: Run, run: Run, cause_s: int) -> None:
    """Assert that nothing recorded differs before the cause: every port of every model, every notice."""
    early = np.asarray(base.times_s) < cause_s
    assert early.sum() > 1
    for model in base.models:
        for port in base.fields[model].data_vars:
            mine, other = (one.fields[model][port].values[early] for one in (base, run))
            np.testing.assert_array_equal(mine, other, err_msg=f"{model}.{port} differs before {cause_s} s")
    journals = [one.events[one.events["t_happened_s"] < cause_s].drop(columns=["facts"], errors="ignore") for one in (base, run)]
    pd.testing.assert_frame_equal(*(journal.reset_index(drop=True) for journal in journals))


def first_apart_s(base: Run, run: Run, of: str, element: str, *, every_s: int = 1) -> int:
    """Return the first recorded second at which a port differs between two runs; the end plus one if it never does.

    A model that is woken between its steps shows newer counts than one that is not. `every_s`: look only at multiples
    of it, where both have made a step.
    """
    differs = series(base, of, element) != series(run, of, element)
    apart = np.flatnonzero(differs & (np.asarray(base.times_s) % every_s == 0))
    return int(base.times_s[apart[0]]) if apart.size else int(base.times_s[-1]) + 1
