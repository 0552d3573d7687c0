"""People who stand close together share a cell: their calls are blocked, by Erlang B; each link with it cut."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from demo_city import Stage, series

import twin
from models.comms.demo import document
from models.comms.erlang import blocking
from models.crowd import Crowd
from models.health import Health
from models.water import Water
from twin.host import model_class
from twin.results import Run
from twin.scenario import Scenario

ERLANG = 0.5
"""Traffic a person offers: half of them call, so that the few people of the demo fill a cell of four channels."""
CHANNELS = 4
SCENARIO = "name: {0}\ncity: pack\nstart: 2014-08-16 20:00\nduration: {1} s\nseed: 1\nrecord_every: 10 s\nmodels: {2}\n"
CITY = "name: {0}\ncrs: EPSG:4549\ntimezone: Asia/Shanghai\nprovenance: schematic\ncouplings: couplings.csv\nmodels: {1}\n"


def pack(folder: Path, couplings: str, models: str, files: str, seconds: int) -> Scenario:
    """Write a pack around files that are there, and a scenario of it."""
    (folder / "runs").mkdir()
    (folder / "pack" / "couplings.csv").write_text("source,source_element,target,target_element,kind\n" + couplings)
    (folder / "pack" / "city.yaml").write_text(CITY.format("square", files))
    (folder / "square.yaml").write_text(SCENARIO.format("square", seconds, models))
    return twin.load(folder / "square.yaml")


def calls_are_blocked(run: Run) -> None:
    people = sum(series(run, "crowd.count", area) for area in run.fields["crowd"]["count"].indexes["area"])
    assert people.max() > 20
    attached = series(run, "comms.attached_people", "C1")
    assert attached.max() > 20, "people: the crowd is on the cell"
    k = int(attached.argmax())
    expected = blocking(np.array([ERLANG * attached[k]]), np.array([CHANNELS]))[0]
    assert series(run, "comms.blocked_share", "C1")[k] == pytest.approx(expected, abs=1e-3)
    assert series(run, "comms.blocked_share", "C1")[0] < series(run, "comms.blocked_share", "C1")[k]


def test_a_crowd_blocks_the_cell_it_stands_under(tmp_path):
    (tmp_path / "pack" / "crowd").mkdir(parents=True)
    (tmp_path / "pack" / "comms").mkdir()
    areas = Crowd.demo(tmp_path / "pack" / "crowd").files["areas"]
    network = document()
    network["areas"] = [{"id": "square", "ring": [[-60, -60], [60, -60], [60, 60], [-60, 60]], "people": 0.0}]
    network["sites"][0] |= {"x": 0.0, "y": 0.0, "channels": CHANNELS}
    (tmp_path / "pack" / "comms" / "comms.json").write_text(json.dumps(network))
    names = Crowd.read(Crowd.demo(tmp_path / "pack" / "crowd")).elements()["area"].ids
    rows = "".join(f"crowd,{area},comms,square,people\n" for area in names)
    files = f"{{crowd: {{files: {{areas: crowd/{areas.name}}}}}, comms: {{files: {{network: comms/comms.json}}}}}}"
    models = f"{{crowd: {{people: 60, ends: +0 s, onset: 5 s, cell: 0.5 m}}, comms: {{erlang_per_person: {ERLANG}, period: 10 s}}}}"
    stage = Stage(tmp_path / "runs", pack(tmp_path, rows, models, files, 60))
    calls_are_blocked(stage.run())
    with pytest.raises(AssertionError, match="people: "):
        calls_are_blocked(stage.run(cut="people"))


def part_of_them_leaves(run: Run) -> None:
    alerted = series(run, "comms.alerted", "square")
    assert 0.5 < alerted[-1] < 0.95, "a telephone in twelve shows no alert"
    told = series(run, "crowd.told", "everybody")
    assert told[0] == 0
    assert told[-1] == pytest.approx(60 * alerted[-1], abs=9), "heard: as many know as the alert has reached"
    seated = sum(series(run, "crowd.seated", sector)[-1] for sector in run.fields["crowd"]["seated"].indexes["sector"])
    assert seated >= 60 - told[-1] > 0, "heard: who was not reached keeps the seat"
    assert seated < 40, "most of those who know have gone"


def test_an_alert_by_telephone_moves_only_those_it_reaches(tmp_path):
    (tmp_path / "pack" / "crowd").mkdir(parents=True)
    (tmp_path / "pack" / "comms").mkdir()
    setup = Crowd.demo(tmp_path / "pack" / "crowd")
    areas, ground = setup.files["areas"], Crowd.read(setup)
    network = document()
    network["areas"] = [{"id": "square", "ring": [[-60, -60], [60, -60], [60, 60], [-60, 60]], "people": 0.0}]
    network["sites"][0] |= {"x": 0.0, "y": 0.0}
    (tmp_path / "pack" / "comms" / "comms.json").write_text(json.dumps(network))
    rows = "".join(f"crowd,{area},comms,square,people\ncomms,square,crowd,{area},alert\n" for area in ground.elements()["area"].ids)
    files = f"{{crowd: {{files: {{areas: crowd/{areas.name}}}}}, comms: {{files: {{network: comms/comms.json}}}}}}"
    models = "{crowd: {people: 60, ends: +30 min, onset: 5 s, cell: 0.5 m}, comms: {period: 10 s}}"
    stage = Stage(tmp_path / "runs", pack(tmp_path, rows, models, files, 240))
    events = (
        {"at": "+13 s", "do": "comms.send_alert", "area": "square"},
        {"at": "+13 s", "do": "crowd.advise", "area": ground.sectors[0].area},
    )
    part_of_them_leaves(stage.run(*events))
    unsent = stage.run(events[1])
    assert series(unsent, "crowd.told", "everybody")[-1] == 0, "an advice that nobody sends reaches nobody"
    with pytest.raises(AssertionError, match="heard: "):
        part_of_them_leaves(stage.run(*events, cut="alert"))


def reds_are_sent_on(run: Run) -> None:
    pressure = series(run, "water.pressure_m", "J1")
    assert pressure[0] > 14 > pressure[-1], "the main is broken"
    assert not series(run, "health.has_water", "H1")[-1], "pressure: the hospital is without water"
    assert series(run, "health.sent_on", "H1")[-1] == 2


def test_a_broken_main_takes_a_hospitals_water_and_its_reds_go_elsewhere(tmp_path):
    setups = {cls: model_class(name).demo(tmp_path / "pack" / name) for name, cls in (("water", Water), ("health", Health))}
    roles = {cls: ", ".join(f"{r}: {p.relative_to(tmp_path / 'pack')}" for r, p in one.files.items()) for cls, one in setups.items()}
    files = f"{{water: {{files: {{{roles[Water]}}}}}, health: {{files: {{{roles[Health]}}}}}}}"
    stage = Stage(tmp_path / "runs", pack(tmp_path, "water,J1,health,H1,pressure\n", "{water: {}, health: {walk_ins: 0}}", files, 900))
    events = (
        {"at": "+60 s", "do": "water.burst", "pipe": "P0", "area": "0.05 m2"},
        {"at": "+420 s", "do": "health.bring_to", "hospital": "H1", "patients": 2, "triage": "red"},
    )
    reds_are_sent_on(stage.run(*events))
    with pytest.raises(AssertionError, match="pressure: "):
        reds_are_sent_on(stage.run(*events, cut="pressure"))
