"""A pack of networks that other people drew for other places, put on top of each other by the offsets it declares.

Traffic: Bologna, Andrea Costa, one calibrated hour (SUMO). Water: L-TOWN of the BattLeDIM (EPANET). Electricity: the
medium-voltage grid Oberrhein that pandapower ships. Gas: Schutterwald, which pandapipes ships. Only city.yaml and
couplings.csv are ours.
"""

from __future__ import annotations

import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
BOLOGNA = SHARED / "traffic" / "bologna_acosta"
L_TOWN = SHARED / "water" / "L-TOWN.inp"

SUMO_SEED = 23423
"""What SUMO takes when nobody names a seed: a run with it is the configuration as published."""

OFFSET_M = {"traffic": (542.41, 877.56), "water": (-34.0, 706.0), "grid": (1451.0, 1553.0), "gas": (-3416334.0, -5367719.0)}
"""Bologna stands where it is (its net's offset less the pack's origin); the middles of the other three are moved onto its own."""

CITY = f"""\
name: borrowed
title: {{en: Networks of four other places}}
crs: EPSG:32632
origin_m: [683000, 4928000]
timezone: Europe/Rome
provenance: surveyed
couplings: couplings.csv
models:
  traffic: {{files: {{sumocfg: traffic/run.sumocfg}}, offset_m: {list(OFFSET_M["traffic"])}}}
  water: {{files: {{network: L-TOWN.inp}}, offset_m: {list(OFFSET_M["water"])}}}
  grid: {{files: {{network: oberrhein.json}}, offset_m: {list(OFFSET_M["grid"])}}}
  gas: {{files: {{network: schutterwald.json}}, offset_m: {list(OFFSET_M["gas"])}}}
"""

BUS, OTHER_BUS = "Bus 9", "Bus 12"
"""Buses of two feeders: the pump and three signals hang on the first, four signals on the second."""
DARK, LIT = ("209", "210", "219"), ("220", "221", "235", "273")
PUMP = "PUMP_1"
T1_BOTTOM_M = 98.68
"""Elevation of the tank that the pump fills."""
LINE = "Line 0"
"""A line of the first bus's feeder, not the one its breaker stands in."""
GAS_PIPE, LEAK_EDGE, WATER_PIPE, WET_EDGE = "P0", "1", "p1", "103"

COUPLINGS = "\n".join(
    [
        "source,source_element,target,target_element,kind",
        f"grid,{BUS},water,{PUMP},supply",
        *(f"grid,{BUS},traffic,{signal},supply" for signal in DARK),
        *(f"grid,{OTHER_BUS},traffic,{signal},supply" for signal in LIT),
        f"water,{PUMP},grid,{BUS},load",
        f"water,{WATER_PIPE},traffic,{WET_EDGE},washout",
        f"gas,{GAS_PIPE},traffic,{LEAK_EDGE},leak",
        "",
    ]
)

SCENARIO = f"""\
name: borrowed
city: pack
start: 2014-08-16 08:00
duration: 1 h
seed: {SUMO_SEED}
record_every: 30 s
models: {{traffic: {{}}, water: {{}}, grid: {{}}, gas: {{}}}}
couplings: {{load: "off"}}
"""


def need() -> None:
    """Skip, saying why, where the data of others does not lie beside the checkout."""
    for path in (BOLOGNA / "run.sumocfg", L_TOWN):
        if not path.exists():
            pytest.skip(f"{path} is not here: real networks lie in the folder `shared` beside the checkout")


def oberrhein():
    """Return pandapower's own copy of the grid, as it comes."""
    import pandapower.networks

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pandapower.networks.mv_oberrhein()


def schutterwald():
    """Return pandapipes' own copy of the gas network, as it comes."""
    import pandapipes.networks

    return pandapipes.networks.schutterwald_gas()


def copy_bologna(folder: Path) -> Path:
    """Copy the published configuration with all it names (SUMO writes beside its inputs); returns the configuration."""
    folder.mkdir(parents=True)
    for path in sorted(BOLOGNA.iterdir()):
        shutil.copyfile(path, folder / path.name)
    return folder / "run.sumocfg"


def write(folder: Path) -> Path:
    """Assemble the pack and a scenario of an eventless hour in `folder`; returns the scenario's file."""
    import pandapipes
    import pandapower

    pack = folder / "pack"
    copy_bologna(pack / "traffic")
    shutil.copyfile(L_TOWN, pack / "L-TOWN.inp")
    pandapower.to_json(oberrhein(), str(pack / "oberrhein.json"))
    pandapipes.to_json(schutterwald(), str(pack / "schutterwald.json"))
    (pack / "city.yaml").write_text(CITY)
    (pack / "couplings.csv").write_text(COUPLINGS)
    (folder / "borrowed.yaml").write_text(SCENARIO)
    return folder / "borrowed.yaml"


@dataclass(frozen=True)
class Water:
    """What EPANET alone found at a second: heads by node, level of T1 (m), flow (m3/s) and power (MW) of the pump."""

    head_m: dict[str, float]
    level_m: float
    pump_m3_per_s: float
    pump_mw: float


class Sumo:
    """SUMO's own program on the published configuration, in a process of its own, while something else runs."""

    def __init__(self, folder: Path, duration_s: int) -> None:
        import os
        import subprocess

        import sumo

        home = Path(sumo.SUMO_HOME)
        configuration = copy_bologna(folder)
        self.trips = folder / "trips.xml"
        arguments = ["--configuration-file", configuration.name, "--end", str(duration_s), "--tripinfo-output", self.trips.name]
        self.child = subprocess.Popen(
            [str(home / "bin" / "sumo"), *arguments],
            cwd=folder,
            env={**os.environ, "SUMO_HOME": str(home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def close(self) -> None:
        """End the program if it still runs."""
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()

    def arrivals(self) -> tuple[np.ndarray, np.ndarray]:
        """Wait for the end; return when each vehicle arrived and how long it was on the roads (seconds)."""
        from xml.etree.ElementTree import parse

        assert self.child.wait(600) == 0
        trips = [one for one in parse(self.trips).getroot() if one.tag == "tripinfo"]
        return np.array([float(one.get("arrival")) for one in trips]), np.array([float(one.get("duration")) for one in trips])


def epanet(folder: Path, duration_s: int, clock_s: int, shut: tuple[int, int] = (-1, -1)) -> dict[int, Water]:
    """EPANET by its own toolkit on L-TOWN, demand by pressure from 0 to 20 m, patterns from `clock_s` on.

    The pump is shut at the first second of `shut` and opened at the second. Returns what it found, by second.
    """
    from epanet import toolkit as en

    ph = en.createproject()
    en.open(ph, str(L_TOWN), str(folder / "alone.rpt"), "")
    en.setstatusreport(ph, 0)
    for what, value in ((en.DURATION, duration_s), (en.PATTERNSTART, clock_s), (en.STARTTIME, clock_s)):
        en.settimeparam(ph, what, value)
    en.setdemandmodel(ph, en.PDA, 0, 20, 0.5)
    en.openH(ph)
    en.initH(ph, 0)
    pump, nodes = en.getlinkindex(ph, PUMP), range(1, en.getcount(ph, en.NODECOUNT) + 1)
    found: dict[int, Water] = {}
    second = -1
    while second < duration_s:
        second = en.gettimeparam(ph, en.HTIME)
        if second in shut:
            en.setlinkvalue(ph, pump, en.STATUS, float(second == shut[1]))
        en.runH(ph)
        heads = {en.getnodeid(ph, i): en.getnodevalue(ph, i, en.HEAD) for i in nodes}
        flow, kw = en.getlinkvalue(ph, pump, en.FLOW), en.getlinkvalue(ph, pump, en.ENERGY)
        found[second] = Water(heads, heads["T1"] - T1_BOTTOM_M, flow / 3600.0, kw / 1000.0)
        en.settimeparam(ph, en.HYDSTEP, min(300, *(moment - second for moment in (*shut, second + 300) if moment > second)))
        en.nextH(ph)
    en.close(ph)
    en.deleteproject(ph)
    return found


def pandapower_alone(*, extra_mw: float = 0.0, tripped: bool = False):
    """Return the Oberrhein grid solved by pandapower with its pi transformers (power-grid-model has no others).

    `extra_mw`: drawn at `BUS` besides, at a power factor of 0.95. `tripped`: with the breaker open that feeds `BUS`.
    """
    import pandapower

    net = oberrhein()
    bus = net.bus.index[net.bus.name == BUS][0]
    if extra_mw:
        pandapower.create_load(net, bus, extra_mw, extra_mw * np.tan(np.arccos(0.95)))
    breakers = net.switch.index[net.switch.type == "CB"] if tripped else [None]
    for breaker in breakers:
        if breaker is not None:
            net.switch.loc[breaker, "closed"] = False
        pandapower.runpp(net, trafo_model="pi")
        if breaker is None or np.isnan(net.res_bus.vm_pu[bus]):
            return net
        net.switch.loc[breaker, "closed"] = True
    raise LookupError(f"no breaker feeds {BUS}")
