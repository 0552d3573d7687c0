"""A dead bus stops the pump of an underpass, rain fills it, traffic wades, stalls and is turned away; cut a link and it is not."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from demo_city import Stage, at, said, series

import twin
from twin.host import model_class

CITY = """\
name: wet_city
title: {en: Three demos in the rain}
crs: EPSG:4549
timezone: Asia/Shanghai
provenance: schematic
couplings: couplings.csv
models:
"""
ROAD = "S07f"
"""One of the two directions of the arterial on which the demo's underpass lies here."""
COUPLINGS = """\
source,source_element,target,target_element,kind
grid,B2,drainage,PU1,supply
grid,B2,drainage,PU2,supply
grid,B3,drainage,PU3,supply
drainage,PU1,grid,B2,load
drainage,PU2,grid,B2,load
drainage,PU3,grid,B3,load
drainage,S1,traffic,S01f,flood
drainage,S3,grid,TR1,flood
drainage,S4,traffic,S07f,flood
drainage,S4,traffic,S07b,flood
"""
SCENARIO = """\
name: shower
city: pack
start: 2014-08-16 20:00
duration: 25 min
seed: 1
record_every: 10 s
models:
  traffic: {}
  grid: {}
  drainage: {}
"""
DEAD_S = 63
"""The second at which the last line of the feeder opens: between two steps of every model."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp("wet")
    pack = folder / "pack"
    found = {name: dict(model_class(name).demo(pack / name).files) for name in ("traffic", "grid", "drainage")}
    for scratch in pack.glob("*/scratch"):
        shutil.rmtree(scratch)
    lines = [CITY]
    for name, files in sorted(found.items()):
        roles = ", ".join(f"{role}: {path.relative_to(pack).as_posix()}" for role, path in files.items())
        lines.append(f"  {name}: {{files: {{{roles}}}}}\n")
    (pack / "city.yaml").write_text("".join(lines))
    (pack / "couplings.csv").write_text(COUPLINGS)
    (folder / "shower.yaml").write_text(SCENARIO)
    return Stage(folder, twin.load(folder / "shower.yaml"))


def dark(stage: Stage, cut: str = "") -> twin.Run:
    return stage.run(at(DEAD_S, "grid.fault", line="L3"), cut=cut)


def test_a_dead_bus_stops_the_pump_and_floods_the_underpass(stage: Stage) -> None:
    base, run = stage.run(), dark(stage)
    assert series(base, "drainage.underpass_m", "UP1").max() == 0.0
    assert [s for s, pump in said(run, "drainage", "pump_stopped") if pump == "PU3"] == [DEAD_S]
    assert series(run, "drainage.power_mw", "PU3")[-1] == 0.0 < series(base, "drainage.power_mw", "PU3").max()
    assert series(run, "drainage.underpass_m", "UP1").max() > 0.3
    assert [place for _, place in said(run, "drainage", "underpass_flooded")] == ["UP1"]
    assert said(base, "drainage", "underpass_flooded") == []


def test_traffic_slows_stalls_and_is_turned_away(stage: Stage) -> None:
    base, run = stage.run(), dark(stage)
    depth = series(run, "drainage.depth_m", "S4")
    times = np.asarray(run.times_s)
    wet_s = int(times[np.flatnonzero(depth > 0.05)[0]])
    deep_s = int(times[np.flatnonzero(depth >= 0.3)[0]])
    closed = [s for s, edge in said(run, "traffic", "edge_closed") if edge == ROAD]
    assert len(closed) == 1
    assert wet_s < closed[0] <= deep_s + 60
    between = (times > wet_s + 30) & (times < closed[0])
    busy = between & (series(base, "traffic.density_per_km", ROAD) > 0) & (series(run, "traffic.density_per_km", ROAD) > 0)
    slow, free = (series(one, "traffic.speed_m_per_s", ROAD)[busy].mean() for one in (run, base))
    assert busy.sum() > 3
    assert slow < 0.75 * free
    assert not series(run, "traffic.is_open", ROAD)[-1]
    assert series(base, "traffic.is_open", ROAD).all()


@pytest.mark.parametrize("cut", ["supply", "flood"])
def test_with_its_link_cut_nothing_reaches_the_road(stage: Stage, cut: str) -> None:
    """The control: the same fault with one kind of link severed leaves the road as it was."""
    base, run = stage.run(cut=cut), dark(stage, cut)
    assert (series(run, "drainage.underpass_m", "UP1").max() > 0.3) == (cut == "flood")
    np.testing.assert_array_equal(series(run, "traffic.speed_m_per_s", ROAD), series(base, "traffic.speed_m_per_s", ROAD))
    assert said(run, "traffic", "edge_closed") == []


def test_pumps_load_their_bus(stage: Stage) -> None:
    base, cut = stage.run(), stage.run(cut="load")
    drawn = series(base, "drainage.power_mw", "PU1")
    assert drawn.max() > 0.01
    assert not np.array_equal(series(base, "grid.vm_pu", "B2"), series(cut, "grid.vm_pu", "B2"))


CLOUDBURST = (
    at(10, "drainage.start_storm", depth_mm=80.0, duration_s=1200.0),
    at(10, "drainage.block", conduit="C3"),
)
LOW = {"grid": {"trips_above_depth": "0.1 m"}}


def test_water_at_a_substation_trips_its_transformer(stage: Stage) -> None:
    lower = Stage(stage.folder, stage.scenario.with_(models=LOW))
    run = lower.run(*CLOUDBURST)
    wet = [s for s, _ in said(run, "grid", "trafo_flooded")]
    assert len(wet) == 1
    depth = series(run, "drainage.depth_m", "S3")
    assert depth[list(run.times_s).index(wet[0] - wet[0] % 10)] >= 0.1 - 0.02
    assert not series(run, "grid.energized", "B2")[-1]
    assert [pump for s, pump in said(run, "drainage", "pump_stopped") if s >= wet[0]] == ["PU1", "PU2", "PU3"]
    dry = lower.run(*CLOUDBURST, cut="flood")
    assert said(dry, "grid", "trafo_flooded") == []
    assert series(dry, "grid.energized", "B2").all()
