"""A pack and a scenario of two row houses: the sixth model twice, coupled by the air between them."""

from __future__ import annotations

from pathlib import Path

CITY = """\
name: mini
crs: EPSG:4549
timezone: Asia/Shanghai
provenance: schematic
couplings: couplings.csv
models:
  heat: {}
  cellar: {}
"""
COUPLINGS = """\
source,source_element,target,target_element,kind
heat,R0,cellar,R0,air
heat,R1,cellar,R1,air
heat,R1,cellar,R2,air
"""
SCENARIO = """\
name: mini
title: Two row houses
city: pack
start: 2014-08-16 21:30
duration: 20 min
record_every: 30 s
models:
  heat: {rooms: 4}
  cellar: {type: heat, rooms: 3}
timeline:
  boost: {at: "21:40", do: heat.heat, room: R1, p: 4 kW}
  late: {at: +15 min, do: cellar.heat, room: R0, p_kw: 2}
kpis:
  coldest: {of: heat.temperature_degc, across: min, over: min, target: ">= 10 degC"}
"""


def write(folder: Path, scenario: str = SCENARIO, city: str = CITY, couplings: str = COUPLINGS) -> Path:
    """Write the pack and the scenario into `folder`; return the scenario's path."""
    (folder / "pack").mkdir(parents=True, exist_ok=True)
    (folder / "pack" / "city.yaml").write_text(city)
    (folder / "pack" / "couplings.csv").write_text(couplings)
    (folder / "mini.yaml").write_text(scenario)
    return folder / "mini.yaml"
