"""Crews and roads: units are vehicles of the traffic model, so jams and closed roads delay them; each with its link cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from demo_city import Stage, at, said, series

import twin
from models.traffic.demo import demo_base
from models.traffic.synth import FILES, write_files
from twin.host import model_class
from twin.results import Run
from twin.simulation import Simulation
from twin.storage import digests

TRIPS_PER_H = 2400.0
CALL_S = 180
FIRE = at(CALL_S, "response.send", job="fire", skill="fire", x_m=480.0, y_m=240.0, work_s=60.0)
"""From the station in the south-west to a house in the east, past or round the one junction with a signal."""
BEYOND = at(CALL_S, "response.send", job="fire", skill="fire", x_m=260.0, y_m=480.0, work_s=60.0)
"""In the north."""
JAM = tuple(at(30, "traffic.slow", edge=edge, speed_m_per_s=1.0) for edge in ("S07f", "S09f", "S11f"))
"""Every road north crawls past something, with a queue before it."""
CLOSED = tuple(at(30, "traffic.close", edge=edge) for edge in ("S04f", "S12b", "S11b"))
"""Every way into the last block from the west and the south."""

CITY = """\
name: drill
crs: EPSG:4549
timezone: Asia/Shanghai
provenance: schematic
couplings: couplings.csv
models:
  traffic: {files: {net: traffic/roads.net.xml, routes: traffic/trips.rou.xml, routes2: traffic/buses.rou.xml, vtypes: traffic/vtypes.add.xml, additional: traffic/stops.add.xml, sites: traffic/sites.json}}
  response: {files: {network: response/response.json}}
"""
SCENARIO = """\
name: drill
city: pack
start: 2014-08-16 20:00
duration: 10 min
seed: 1
record_every: 3 s
models:
  traffic: {}
  response: {spread: 0}
"""


@pytest.fixture(scope="module", params=["micro", "meso"])
def stage(request, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp("drill")
    roads = folder / "pack" / "traffic"
    (roads / "scratch").mkdir(parents=True)
    write_files(demo_base(), roads, roads / "scratch", TRIPS_PER_H)
    (roads / "scratch" / "x").touch()
    for one in (roads / "scratch").iterdir():
        one.unlink()
    (roads / "scratch").rmdir()
    assert set(FILES.values()) <= {one.name for one in roads.iterdir()}
    model_class("response").demo(folder / "pack" / "response")
    edges = [id for one in json.loads((folder / "pack" / "response" / "response.json").read_text())["streets"] for id in one["ids"]]
    rows = [f"{row}" for id in edges for row in (f"response,{id},traffic,{id},blue", f"traffic,{id},response,{id},reached")]
    rows += [f"traffic,{id},response,{id},travel" for id in edges]
    (folder / "pack" / "city.yaml").write_text(CITY)
    (folder / "pack" / "couplings.csv").write_text("\n".join(["source,source_element,target,target_element,kind", *sorted(rows)]) + "\n")
    (folder / "drill.yaml").write_text(SCENARIO)
    runs = folder / "runs"
    runs.mkdir()
    return Stage(runs, twin.load(folder / "drill.yaml").with_(models={"traffic": {"mode": request.param}}))


def there_s(run: Run) -> int:
    """Return the seconds from the call until the first unit is on scene; those to the end of the run if nobody is."""
    seconds = [second for second, _ in said(run, "response", "on_scene")]
    return (seconds[0] if seconds else run.duration_s) - CALL_S


def test_a_unit_is_a_vehicle_on_the_simulated_roads_and_without_the_link_it_is_none(stage: Stage) -> None:
    def drives(run: Run) -> None:
        tracks = run.tracks("traffic")
        assert "fire engine" in set(tracks["kind"]) or 11 in set(tracks["kind"]), "vehicle: no fire engine on the roads"
        assert len(said(run, "response", "on_scene")) == len(said(run, "response", "work_done")) == 1

    drives(stage.run(FIRE))
    cut = stage.run(FIRE, cut="blue")
    assert said(cut, "response", "roads_free"), "it says that free roads are driven"
    with pytest.raises(AssertionError, match="vehicle: "):
        drives(cut)


def test_it_drives_there_with_blue_lights_faster_than_home_without(stage: Stage) -> None:
    run = stage.run(FIRE)
    state = series(run, "response.state", "fire_1")
    out_s, home_s = (3 * int((state == code).sum()) for code in (2, 7))
    assert 0 < out_s < 0.85 * home_s


def test_a_jam_delays_it_and_not_when_the_link_is_cut(stage: Stage) -> None:
    def is_late(base: Run, jam: Run) -> None:
        assert there_s(jam) > there_s(base) + 60, "late: it is there as soon as ever"

    is_late(stage.run(BEYOND), stage.run(*JAM, BEYOND))
    with pytest.raises(AssertionError, match="late: "):
        is_late(stage.run(BEYOND, cut="blue travel"), stage.run(*JAM, BEYOND, cut="blue travel"))


def test_a_closed_road_sends_it_round_and_not_when_the_link_is_cut(stage: Stage) -> None:
    def goes_round(base: Run, closed: Run) -> None:
        assert there_s(closed) > there_s(base) + 10, "round: it is there as soon as ever"

    goes_round(stage.run(FIRE), stage.run(*CLOSED, FIRE))
    with pytest.raises(AssertionError, match="round: "):
        goes_round(stage.run(FIRE, cut="blue travel"), stage.run(*CLOSED, FIRE, cut="blue travel"))


def test_with_every_road_to_it_closed_a_unit_is_stranded_and_says_so(stage: Stage) -> None:
    edges = [f"S{number:02d}{way}" for number in (4, 6, 11, 12) for way in "fb"]
    shut = [at(30, "traffic.close", edge=edge) for edge in edges]
    tight = Stage(stage.folder, stage.scenario.with_(models={"response": {"strand_after": "120 s", "walk": "50 m"}}))
    run = tight.run(*shut, FIRE)
    assert said(run, "response", "stranded")
    assert said(run, "response", "unmet")
    assert not said(run, "response", "work_done")


def test_dispatchers_reckon_with_the_roads_as_they_are(stage: Stage) -> None:
    """The eastern yard's ambulance is nearest; where its street crawls, the western ones are sooner."""
    call = at(CALL_S, "response.send", job="ill", skill="ambulance", x_m=375.0, y_m=260.0, work_s=60.0)
    slow = [at(30, "traffic.slow", edge=edge, speed_m_per_s=0.5) for edge in ("S12f", "S12b")]

    def sends_another(base: Run, run: Run) -> None:
        units = [said(one, "response", "sent")[0][1] for one in (base, run)]
        assert units[0] == "ambulance_3", "the yard's is the nearest"
        assert units[1] != units[0], "another: the same is sent"

    sends_another(stage.run(call), stage.run(*slow, call))
    with pytest.raises(AssertionError, match="another: "):
        sends_another(stage.run(call), stage.run(*slow, call, cut="travel"))


def test_crews_on_the_roads_go_on_to_the_identical_result_after_a_restart(stage: Stage, tmp_path: Path) -> None:
    skills = ("police", "water", "ambulance", "bus")
    calls = [at(60 + 9 * n, "response.send", job=f"j{n}", skill=skills[n % 4], x_m=60.0 * n, y_m=250.0) for n in range(8)]
    crash = at(66, "response.patients", job="crash", x_m=250.0, y_m=255.0, red=2, green=3)
    shut = at(210, "traffic.close", edge="S04f")
    scenario = stage.scenario.with_(timeline={f"e{n}": entry for n, entry in enumerate([*calls, crash, shut])})
    whole = twin.simulate(scenario, tmp_path / "whole", checkpoint_every_s=60, check=True)
    assert whole.ledger["closes"].all(), whole.ledger
    with Simulation(scenario, tmp_path / "left", checkpoint_every_s=60) as simulation:
        simulation.until(301)
    twin.resume(tmp_path / "left")
    assert digests(tmp_path / "left") == digests(tmp_path / "whole")
