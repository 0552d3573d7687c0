"""Gas that leaks becomes air that burns, where the wind takes it; who stands there comes from the crowd."""

from __future__ import annotations

import json

import demo_city
import pytest
from demo_city import alike_before, at, said, value

import twin
from models.air.demo import DEMO, box
from twin.host import model_class
from twin.results import Run

CAUSE_S, TURN_S, END_S = 63, 180, 300
LEAK = at(CAUSE_S, "gas.leak", pipe="P1", area_m2=0.006)

CITY = """\
name: leaky
title: {en: A main beside a school}
crs: EPSG:4549
timezone: Asia/Shanghai
provenance: schematic
couplings: couplings.csv
models:
  gas: {files: {network: gas/gas.json}}
  crowd: {files: {areas: crowd/crowd.json}}
  air: {files: {places: air/air.json}}
"""
COUPLINGS = """\
source,source_element,target,target_element,kind
gas,P1,air,P1,leak
crowd,plaza_e,air,plaza_e,people
crowd,plaza_w,air,plaza_w,people
"""
SCENARIO = f"""\
name: leak
city: pack
start: 2014-08-16 20:00
duration: {END_S} s
seed: 1
record_every: 3 s
models:
  gas: {{}}
  crowd: {{people: 150, ends: +0 s, onset: 20 s, cell: 0.5 m}}
  air: {{wind: [{{speed: 2 m/s, from_deg: 270}}], stability: D, ignition: false}}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("leaky")
    pack = folder / "pack"
    for name in ("gas", "crowd"):
        (pack / name).mkdir(parents=True)
        model_class(name).demo(pack / name)
    (pack / "crowd/crowd.json").write_text(json.dumps(demo_city._ground()))
    (pack / "air").mkdir()
    (pack / "air/air.json").write_text(json.dumps(_air()))
    (pack / "city.yaml").write_text(CITY)
    (pack / "couplings.csv").write_text(COUPLINGS)
    (folder / "leak.yaml").write_text(SCENARIO)
    runs = tmp_path_factory.mktemp("runs")
    return lambda *models: demo_city.Stage(runs, demo_city.only(twin.load(folder / "leak.yaml"), *models), "inline", {})


def _air() -> dict:
    """Return places east and south of the middle of pipe P1, which is at (200, 0), and the crowd's squares."""
    return DEMO | {
        "grid": {"x0_m": -100, "y0_m": -300, "cell_m": 50, "columns": 14, "rows": 8},
        "places": [
            {"id": "east", "ring": box(215, -8, 235, 8), "people": 40},
            {"id": "south", "ring": box(192, -35, 208, -15), "people": 40},
            {"id": "plaza_e", "ring": box(10, 13, 40, 45)},
            {"id": "plaza_w", "ring": box(-20, 13, 10, 45)},
        ],
        "sources": [{"id": "P1", "at": [200, 0], "height_m": 0.5}],
        "sparks": [],
    }


def gas_lies_downwind(run: Run) -> None:
    assert value(run, "air.flammable_area_m2", "P1", CAUSE_S - 3) == 0
    assert value(run, "air.emission_kg_per_s", "P1", TURN_S - 3) == pytest.approx(value(run, "gas.leak_kg_per_s", "P1", TURN_S - 3)), (
        "blown: "
    )
    assert value(run, "air.flammable_area_m2", "P1", TURN_S - 3) > 50
    assert value(run, "air.share_of_lfl", "east", TURN_S - 3) >= 1
    assert value(run, "air.share_of_lfl", "south", TURN_S - 3) < 0.1
    assert CAUSE_S < said(run, "air", "above_lfl")[0][0] <= CAUSE_S + 30
    assert ("air", "outside_validity") in set(run.events[["model", "name"]].itertuples(index=False, name=None)), (
        "so near it is a guess, and says so"
    )


def test_a_leak_makes_the_air_flammable_downwind(stage):
    act = stage("gas", "air")
    base, run, cut = act.run(), act.run(LEAK), act.run(LEAK, cut="leak")
    alike_before(base, run, CAUSE_S)
    gas_lies_downwind(run)
    assert value(cut, "gas.leak_kg_per_s", "P1", TURN_S - 3) > 0
    with pytest.raises(AssertionError, match="blown: "):
        gas_lies_downwind(cut)


def test_when_the_wind_turns_the_flammable_air_moves(stage):
    act = stage("gas", "air")
    turn = at(TURN_S, "air.set_wind", speed_m_per_s=2.0, from_deg=0.0)
    run, steady = act.run(LEAK, turn), act.run(LEAK)
    assert (value(run, "air.share_of_lfl", "east", END_S) < 0.1) and value(run, "air.share_of_lfl", "south", END_S) >= 1
    assert value(steady, "air.share_of_lfl", "east", END_S) >= 1
    assert [place for _, place in said(run, "air", "above_lfl")] == ["east", "south"]
    assert [place for _, place in said(run, "air", "below_lfl")] == ["east"]


def test_when_the_main_is_shut_the_air_clears(stage):
    run = stage("gas", "air").run(LEAK, at(TURN_S, "gas.repair", pipe="P1"))
    assert value(run, "air.emission_kg_per_s", "P1", TURN_S) == 0
    assert value(run, "air.flammable_area_m2", "P1", END_S) == 0
    assert said(run, "air", "no_longer_flammable")


def the_crowd_is_counted(run: Run) -> None:
    there = value(run, "crowd.count", "plaza_e", 60) + value(run, "crowd.count", "plaza_w", 60)
    assert there > 20
    assert value(run, "air.people_above_aegl3", "district", 60) == pytest.approx(there, rel=0.1), "poisoned: "


def test_people_of_the_crowd_are_counted_where_the_chlorine_is(stage):
    act = stage("crowd", "air")
    spill = at(12, "air.release", substance="chlorine", rate_kg_per_s=2.0, x_m=-25.0, y_m=30.0)
    the_crowd_is_counted(act.run(spill))
    with pytest.raises(AssertionError, match="poisoned: "):
        the_crowd_is_counted(act.run(spill, cut="people"))
