"""Power, communications and hospitals: a feeder fails, batteries end, an alert reaches fewer; hospitals divert; each with its link cut."""

from __future__ import annotations

import pytest
from demo_city import Stage, alike_before, at, said, series, value

import twin
from twin.host import model_class
from twin.results import Run

FAULT_S = 63
BATTERY_S = 180
"""0.15 kWh at 3 kW, and 0.05 h of the first hospital's generator: both three minutes."""
CELL_MW = 0.003
DARK_S = FAULT_S + BATTERY_S
FAULT = at(FAULT_S, "grid.fault", line="L1")
ALERT = at(306, "comms.send_alert", area="west")
REDS = at(DARK_S + 12, "health.bring", place="venue", patients=4, triage="red")
BUS_MW = 0.8
"""The network file's own load at B2."""

COUPLINGS = """\
source,source_element,target,target_element,kind
grid,B2,comms,C1,supply
grid,B5,comms,C2,supply
grid,B5,comms,C3,supply
comms,C1,grid,B2,load
comms,C2,grid,B5,load
grid,B3,health,H1,supply
grid,B6,health,H2,supply
"""
"""Feeder L1-L2-L3 (buses B1 to B3) carries the western cell and the nearer hospital, the other feeder the rest."""

CITY = """\
name: night
crs: EPSG:4549
timezone: Asia/Shanghai
provenance: schematic
couplings: couplings.csv
models:
  grid: {files: {network: grid/grid.json, backup: grid/backup.csv}}
  comms: {files: {network: comms/comms.json}}
  health: {files: {hospitals: health/hospitals.json}}
"""
SCENARIO = """\
name: night
city: pack
start: 2014-08-16 20:00
duration: 540 s
seed: 1
record_every: 9 s
models:
  grid: {}
  comms: {}
  health: {walk_ins: 0}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp("night")
    for name in ("grid", "comms", "health"):
        model_class(name).demo(folder / "pack" / name)
    (folder / "pack" / "grid" / "scratch").rmdir()
    (folder / "pack" / "city.yaml").write_text(CITY)
    (folder / "pack" / "couplings.csv").write_text(COUPLINGS)
    (folder / "night.yaml").write_text(SCENARIO)
    runs = folder / "runs"
    runs.mkdir()
    return Stage(runs, twin.load(folder / "night.yaml"))


@pytest.fixture(scope="module")
def runs(stage: Stage) -> tuple[Run, Run, Run]:
    """Return the night without the fault, with it, and with it and no link of power; the alert and the injured are in all three."""
    return stage.run(ALERT, REDS), stage.run(FAULT, ALERT, REDS), stage.run(FAULT, ALERT, REDS, cut="supply")


def fewer_are_reached(base: Run, run: Run) -> None:
    reach, whole = series(run, "comms.reach", "west"), series(base, "comms.reach", "west")
    assert said(run, "comms", "site_dark") == [(DARK_S, "C1")], "dark: when its load has emptied the battery"
    assert value(run, "comms.reach", "west", DARK_S - 9) == pytest.approx(whole[0]), "until then the battery carries it"
    assert value(run, "comms.reach", "west", DARK_S) < 0.7 * whole[0]
    assert series(run, "comms.reach", "east") == pytest.approx(series(base, "comms.reach", "east"))
    assert reach[-1] > 0, "the neighbour covers the near part"


def test_a_feeder_fault_lets_batteries_run_down_and_an_alert_reaches_fewer(runs: tuple[Run, Run, Run]) -> None:
    base, run, cut = runs
    alike_before(base, run, FAULT_S)
    fewer_are_reached(base, run)
    shares = [series(one, "comms.alerted", "west")[-1] for one in runs]
    assert shares[0] > 0.9
    assert shares[1] < 0.7 * shares[0]
    alike_before(base, cut, FAULT_S)
    assert said(cut, "grid", "bus_dead"), "the feeder fails as it did"
    with pytest.raises(AssertionError, match="dark: "):
        fewer_are_reached(base, cut)
    assert shares[2] == shares[0]


def the_bus_carries_its_cell(run: Run) -> None:
    drawn = value(run, "grid.served_mw", "B2", 0) - BUS_MW
    assert drawn == pytest.approx(CELL_MW, abs=1e-6), "drawn: the bus serves the cell beside its own load"


def test_a_cell_loads_its_bus(stage: Stage, runs: tuple[Run, Run, Run]) -> None:
    the_bus_carries_its_cell(runs[0])
    with pytest.raises(AssertionError, match="drawn: "):
        the_bus_carries_its_cell(stage.run(ALERT, REDS, cut="load"))


def reds_go_to_the_other(run: Run) -> None:
    assert said(run, "health", "power_lost") == [(DARK_S, "H1")], "power: mains gone, and the generator's fuel with it"
    assert said(run, "health", "diversion_started") == [(DARK_S, "H1")]
    assert series(run, "health.ed_treated", "H1").max() == 0
    assert series(run, "health.ed_treated", "H2")[-1] + series(run, "health.inbound", "H2")[-1] == 4, "there or on the way there"


def test_a_hospital_without_mains_and_generator_diverts_to_the_other(runs: tuple[Run, Run, Run]) -> None:
    base, run, cut = runs
    assert series(base, "health.ed_treated", "H1")[-1] == 4, "else the nearer takes them"
    reds_go_to_the_other(run)
    with pytest.raises(AssertionError, match="power: "):
        reds_go_to_the_other(cut)
    assert series(cut, "health.ed_treated", "H1")[-1] == 4


def test_a_full_hospital_diverts_to_the_other_and_without_the_rule_it_does_not(stage: Stage) -> None:
    alone = Stage(stage.folder, stage.scenario.with_(models={"grid": None, "comms": None}))
    crowd = at(9, "health.bring", place="venue", patients=24, triage="yellow")
    run, ruled_out = alone.run(crowd), alone.run(at(0, "health.set_policy", policy="nearest_only"), crowd)
    assert [h for _, h in said(run, "health", "diversion_started")] == ["H1"]
    assert max(series(run, "health.ed_share", h).max() for h in ("H1", "H2")) <= 1.2
    assert series(run, "health.ed_share", "H2").max() > 0
    assert series(ruled_out, "health.ed_share", "H1").max() > 1.2
    assert series(ruled_out, "health.ed_share", "H2").max() == 0
