"""Desks, radio and hospitals: without them calls wait, orders go by messenger, patients go elsewhere; each with its link cut."""

from __future__ import annotations

import pytest
from demo_city import Stage, at, said, series

import twin
from twin.host import model_class
from twin.results import Run

CALL_S = 60
CALL = at(CALL_S, "response.send", job="fire", skill="fire", x_m=480.0, y_m=240.0, work_s=60.0)
CRASH = at(CALL_S, "response.patients", job="crash", x_m=250.0, y_m=250.0, red=3)
COUPLINGS = """\
source,source_element,target,target_element,kind
comms,desk,response,fire,dispatch
response,fire,comms,desk,calls
comms,PB1,response,station_w,service
health,H1,response,H1,accepts
health,H2,response,H2,accepts
health,H1,response,H1,share
health,H2,response,H2,share
response,H1,health,H1,patient
response,H2,health,H2,patient
"""
CITY = """\
name: desks
crs: EPSG:4549
timezone: Asia/Shanghai
provenance: schematic
couplings: couplings.csv
models:
  comms: {files: {network: comms/comms.json}}
  health: {files: {hospitals: health/hospitals.json}}
  response: {files: {network: response/response.json}}
"""
SCENARIO = """\
name: desks
city: pack
start: 2014-08-16 20:00
duration: 40 min
seed: 1
record_every: 60 s
models:
  comms: {fallback: 20 min}
  health: {walk_ins: 0}
  response: {spread: 0}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp("desks")
    for name in ("comms", "health", "response"):
        model_class(name).demo(folder / "pack" / name)
    (folder / "pack" / "city.yaml").write_text(CITY)
    (folder / "pack" / "couplings.csv").write_text(COUPLINGS)
    (folder / "desks.yaml").write_text(SCENARIO)
    runs = folder / "runs"
    runs.mkdir()
    return Stage(runs, twin.load(folder / "desks.yaml"))


def sent_s(run: Run) -> int:
    return said(run, "response", "sent")[0][0] - CALL_S


def left_s(run: Run) -> int:
    return said(run, "response", "on_scene")[0][0] - said(run, "response", "sent")[0][0]


def test_a_call_waits_while_its_desk_cannot_be_reached(stage: Stage) -> None:
    down = at(30, "comms.fail_site", site="CMD")

    def waits(base: Run, run: Run) -> None:
        assert sent_s(base) < 200
        assert sent_s(run) == 20 * 60 + 60, "waits: it is sent as ever"

    waits(stage.run(CALL), stage.run(down, CALL))
    with pytest.raises(AssertionError, match="waits: "):
        waits(stage.run(CALL, cut="dispatch"), stage.run(down, CALL, cut="dispatch"))


def test_calls_about_what_nobody_attends_to_let_the_next_one_wait_longer(stage: Stage) -> None:
    many = [at(60, "response.send", job=f"fire{i}", skill="fire", x_m=480.0, y_m=240.0, work_s=1200.0) for i in range(6)]

    def waits(base: Run, run: Run) -> None:
        # 3 dispatchers take 60 calls an hour; 40 are usual, and each of six fires brings 12 more (synthetic) until a crew is there
        calm, busy = (series(one, "comms.dispatch_delay_s", "desk") for one in (base, run))
        assert max(busy) > 2 * max(calm), "waits: the desk is as quick as ever"
        assert series(run, "response.calls_per_h", "fire")[2] > 12

    waits(stage.run(), stage.run(*many))
    with pytest.raises(AssertionError, match="waits: "):
        waits(stage.run(cut="calls"), stage.run(*many, cut="calls"))


def test_a_call_that_waits_comes_through_when_the_desk_is_back(stage: Stage) -> None:
    run = stage.run(at(30, "comms.fail_site", site="CMD"), CALL, at(360, "comms.restore_site", site="CMD"))
    assert 300 < sent_s(run) <= 300 + sent_s(stage.run(CALL)) + 10


def test_without_its_radio_base_a_depot_is_told_by_messenger(stage: Stage) -> None:
    down = at(30, "comms.fail_site", site="PB1")

    def told_late(base: Run, run: Run) -> None:
        assert left_s(run) == left_s(base) + 300, "late: the order was there as ever"

    told_late(stage.run(CALL), stage.run(down, CALL))
    with pytest.raises(AssertionError, match="late: "):
        told_late(stage.run(CALL, cut="service"), stage.run(down, CALL, cut="service"))


def brought_to(run: Run) -> set[str]:
    rows = run.events[(run.events["name"] == "patients_delivered")]
    return {facts["hospital"] for facts in rows["facts"]}


def test_a_hospital_that_diverts_sends_ambulances_to_the_other(stage: Stage) -> None:
    full = at(30, "health.divert", hospital="H1")

    def other(run: Run) -> None:
        assert brought_to(run) == {"H2"}, "other: they go where they always go"

    assert brought_to(stage.run(CRASH)) == {"H1"}
    other(stage.run(full, CRASH))
    with pytest.raises(AssertionError, match="other: "):
        other(stage.run(full, CRASH, cut="accepts"))


def test_a_department_near_its_capacity_shares_with_the_other(stage: Stage) -> None:
    busy = at(600, "health.bring_to", hospital="H1", patients=12, triage="yellow")

    def shared(run: Run) -> None:
        assert "H2" in brought_to(run), "shared: all go to the nearer"

    shared(stage.run(busy, CRASH, cut="accepts"))
    with pytest.raises(AssertionError, match="shared: "):
        shared(stage.run(busy, CRASH, cut="share accepts"))


def test_who_is_brought_is_a_patient_there_once(stage: Stage) -> None:
    def treated(run: Run) -> None:
        ((delivered,),) = (series(run, "response.delivered", "command")[-1:],)
        assert delivered == 3
        rows = run.ledger[run.ledger["what"] == "patients"]
        base = stage.run().ledger
        came = float(rows["gained"].iloc[0]) - float(base[base["what"] == "patients"]["gained"].iloc[0])
        assert came == delivered, "once: nobody came to the hospitals"

    treated(stage.run(CRASH))
    with pytest.raises(AssertionError, match="once: "):
        treated(stage.run(CRASH, cut="patient"))
