"""The tiny city of `demo_city` with storm drainage, communications, hospitals, the air over it and crews, joined by a coupling of every kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import demo_city

from models.air.demo import DEMO as AIR
from models.air.demo import box
from models.comms.demo import document
from models.response.demo import document as crews
from twin.host import model_class

MODELS = ("drainage", "comms", "health", "air", "response")
COUPLINGS = """\
grid,B2,drainage,PU1,supply
grid,B5,drainage,PU2,supply
drainage,PU1,grid,B2,load
drainage,PU2,grid,B5,load
drainage,S1,traffic,S03f,flood
drainage,S4,traffic,S09f,flood
drainage,S2,grid,TR1,flood
water,P2,drainage,N2,washout
gas,P2,air,P2,leak
grid,B2,comms,C1,supply
grid,B5,comms,C2,supply
comms,C1,grid,B2,load
comms,C2,grid,B5,load
grid,B2,health,H1,supply
grid,V1,health,H2,lights
water,J1,health,H1,pressure
comms,desk,response,fire,dispatch
comms,desk,response,ambulance,dispatch
comms,PB1,response,station_w,service
health,H1,response,H1,accepts
health,H2,response,H2,accepts
health,H1,response,H1,share
health,H2,response,H2,share
response,H1,health,H1,patient
response,H2,health,H2,patient
"""
"""Besides, every area of the crowd is in the square `west`, and a place of the air; crews drive every road."""
TIMELINE = """
timeline:
  fault: {at: "+70 s", do: grid.fault, line: L2}
  cloudburst: {at: "+75 s", do: drainage.start_storm, depth: 150 mm, duration: 600 s}
  burst: {at: "+100 s", do: water.burst, pipe: P2, area: 50 cm2}
  leak: {at: "+130 s", do: gas.leak, pipe: P2, area: 3 cm2}
  sent: {at: "+137 s", do: comms.send_alert, area: west}
  asked: {at: "+137 s", do: crowd.advise, area: bowl}
  injured: {at: "+143 s", do: health.bring, place: venue, patients: 6, triage: red, over: 40 s}
  crew: {at: "+147 s", do: response.send, job: valve, skill: water, x_m: 480, y_m: 240, work: 60 s}
  scene: {at: "+151 s", do: response.patients, job: scene, x_m: 260, y_m: 10, red: 2, yellow: 3}
  closed: {at: "+160 s", do: traffic.close, edge: S03f}
  tanker: {at: "+166 s", do: air.puff, substance: chlorine, mass_kg: 40, place: plaza_w}
  turned: {at: "+190 s", do: air.set_wind, speed: 2 m/s, from_deg: 200}
  mended: {at: "+200 s", do: grid.isolate, line: L2}
  servers: {at: "+212 s", do: comms.lose_servers}
  opened: {at: "+230 s", do: traffic.reopen, edge: S03f}
"""
"""What happens within five minutes; the fault is that of `demo_city`'s feeder L1-L2-L3."""


def write(folder: Path) -> Path:
    """Assemble the pack and an eventless scenario of five minutes in `folder`; returns the scenario's file."""
    file = demo_city.write(folder)
    pack = folder / "pack"
    lines = []
    for name in MODELS:
        files = dict(model_class(name).demo(pack / name).files)
        roles = ", ".join(f"{role}: {path.relative_to(pack).as_posix()}" for role, path in sorted(files.items()))
        lines.append(f"  {name}: {{files: {{{roles}}}}}\n")
    ground = json.loads((pack / "crowd" / "crowd.json").read_text())
    areas = tuple(area["id"] for area in ground["areas"])
    (pack / "comms" / "comms.json").write_text(json.dumps(document()))
    (pack / "air" / "air.json").write_text(json.dumps(_air(areas)))
    city = pack / "city.yaml"
    city.write_text(city.read_text() + "".join(lines))
    joined = "".join(f"crowd,{id},comms,west,people\ncrowd,{id},air,{id},people\ncomms,west,crowd,{id},alert\n" for id in areas)
    joined += "".join(
        f"response,{id},traffic,{id},blue\ntraffic,{id},response,{id},reached\ntraffic,{id},response,{id},travel\n"
        for street in crews()["streets"]
        for id in street["ids"]
    )
    couplings = pack / "couplings.csv"
    couplings.write_text(couplings.read_text() + COUPLINGS + joined)
    file.write_text(file.read_text() + "  drainage: {}\n  comms: {period: 20 s}\n  health: {}\n  air: {ignition: false}\n  response: {}\n")
    return file


def _air(areas: tuple[str, ...]) -> dict[str, Any]:
    """Return the demo's air with the crowd's areas as places, and no source that lets anything out by itself."""
    return AIR | {
        "places": [*AIR["places"], *({"id": id, "ring": box(-20 + 5 * k, 0, -10 + 5 * k, 20)} for k, id in enumerate(areas))],
        "sources": [{"id": "P1", "at": [0, 0]}, {"id": "P2", "at": [0, 200]}],
    }
