"""Keyframes against truth: the same motion recorded each second, and every ten seconds and exported."""

from __future__ import annotations

import sys
from pathlib import Path

import big_run
import numpy as np
import pytest
import shapely

sys.path.insert(0, str(Path(__file__).parents[1] / "twin"))
import recorded

from twin.ground import Ground
from twin.looks import Looks, MoverLook
from twin.ports import TRACK
from twin.recorder import ModelSheet
from twin.results import Building, open_run
from viz import replay as exporter
from viz.keyframes import ALONG_M
from viz.pack import array, decode, keyframes


@pytest.fixture(autouse=True, scope="module")
def bundle(tmp_path_factory):
    """A player that shows nothing: these tests read the data."""
    folder = tmp_path_factory.mktemp("dist")
    (folder / "player.js").write_text("document.title")
    (folder / "player.css").write_text("body{margin:0}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporter, "PLAYER", folder)
        yield


def replayed(run, path, model):
    """(id, t_s, x_m, y_m) each tenth of the keyframes' presence, as a browser would show them each second."""
    exporter.replay(run, path)
    index, chunks = decode(path)
    said = index["runs"][0]
    movers = next(one for one in said["movers"] if one["model"] == model)
    ids, found = array(chunks, movers["id"]).astype(int), []
    for chunk, held in zip(movers["chunks"], keyframes(chunks, movers, index["quantum_m"]), strict=True):
        ends = np.cumsum(held["rows"])
        for thing, first, end in zip(held["thing"], ends - held["rows"], ends, strict=True):
            t = held["t_s"][first:end]
            seconds = np.arange(np.ceil(t[0]), t[-1] + (chunk["to_s"] == run.committed_s and t[-1] == chunk["to_s"]))
            xy = [np.interp(seconds, t, held[axis][first:end]) + said["origin_m"][i] for i, axis in enumerate(("x_m", "y_m"))]
            found.append(np.column_stack([np.full(len(seconds), ids[thing]), seconds, *xy]))
    return np.concatenate(found)


def straight(tracks, every_s):
    """The same of straight lines between two records: the control."""
    found = []
    for id, one in tracks.groupby("id"):
        t = one["t"].to_numpy()
        seconds = np.arange(t[0], t[-1] + 1)
        found.append(np.column_stack([np.full(len(seconds), id), seconds, *(np.interp(seconds, t, one[a]) for a in ("x_m", "y_m"))]))
    return np.concatenate(found)


def tracks_of(run, model):
    tracks = run.tracks(model).sort_values(["id", "time"], kind="stable")
    tracks["t"] = (tracks["time"].to_numpy() - run.time(0)) / np.timedelta64(1, "s")
    return tracks


def away_m(shown, truth):
    """How far from truth each shown position is."""
    order = np.lexsort((shown[:, 1], shown[:, 0]))
    assert (shown[order, :2] == truth[["id", "t"]].to_numpy()).all(), "everything is shown at each second it was there"
    return np.hypot(*(shown[order, 2:] - truth[["x_m", "y_m"]].to_numpy()).T)


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    """The run recorded each second, and every ten."""
    folder = tmp_path_factory.mktemp("streets")
    return [open_run(big_run.write(folder / str(s), duration_s=240, every_s=s, moving=900, buildings=400)) for s in (1, 10)]


def test_vehicles_keep_to_their_lanes_between_two_records_and_straight_lines_do_not(streets, tmp_path):
    truth, coarse = tracks_of(streets[0], "traffic"), streets[1]
    shown, control = replayed(coarse, tmp_path / "a.html", "traffic"), straight(tracks_of(coarse, "traffic"), 10)
    roads = shapely.union_all([shapely.LineString(line).buffer(3.5, cap_style="square") for line in big_run.streets()])
    shapely.prepare(roads)
    ours, theirs = (1 - shapely.contains_xy(roads, found[:, 2], found[:, 3]).mean() for found in (shown, control))
    assert ours <= 0.0005, "nothing leaves its carriageway"
    assert theirs >= 0.02, "as straight lines do"
    d, c = away_m(shown, truth), away_m(control, truth)
    assert np.median(d) <= ALONG_M
    assert np.percentile(d, 95) < 0.5 * np.percentile(c, 95)


def walkers(t_s, count=60, side_m=34.0, speed_m_per_s=1.4):
    """People who go round a block 2 m from its walls, each from another place."""
    s = (t_s * speed_m_per_s + np.arange(count) * 4 * side_m / count) % (4 * side_m)
    leg, along = (s // side_m).astype(int), s % side_m
    found = np.zeros(count, TRACK)
    found["id"] = np.arange(count)
    found["x_m"] = np.choose(leg, [along, np.full(count, side_m), side_m - along, np.zeros(count)])
    found["y_m"] = np.choose(leg, [np.zeros(count), along, np.full(count, side_m), side_m - along])
    found["speed_m_per_s"] = speed_m_per_s
    return found


WALL = np.array([[2.0, 2.0], [32.0, 2.0], [32.0, 32.0], [2.0, 32.0]])


def block(folder, every_s, look):
    """A block that people go round."""
    sheet = ModelSheet("crowd", {}, {}, moving={0: "walker"}, looks=Looks({}, {"walker": look}).plain(), period_s=1)
    ground = Ground("block", buildings=(Building("B", WALL, 10.0, "homes", 900.0, 10),))
    recorder = recorded.start(folder, models={"crowd": sheet}, every_s=every_s, duration_s=300, ground=ground)
    for t_s in range(0, 301, every_s):
        recorder.sample(t_s, {"crowd": {}})
        recorder.tracks(t_s, "crowd", walkers(t_s))
    recorder.finish("done")
    return open_run(folder)


def test_people_go_round_a_building_between_two_records_and_straight_lines_go_through_it(tmp_path):
    person = MoverLook("person", (0.5, 0.6, 1.7), around_buildings=True)
    truth, coarse = block(tmp_path / "truth", 1, person), block(tmp_path / "coarse", 20, person)
    shown, control = replayed(coarse, tmp_path / "a.html", "crowd"), straight(tracks_of(coarse, "crowd"), 20)
    inside = [shapely.contains_xy(shapely.Polygon(WALL), found[:, 2], found[:, 3]).mean() for found in (shown, control)]
    assert inside[0] == 0
    assert inside[1] > 0.1
    d, c = away_m(shown, tracks_of(truth, "crowd")), away_m(control, tracks_of(truth, "crowd"))
    assert np.percentile(d, 95) < 0.6 * np.percentile(c, 95)


def test_who_may_walk_through_buildings_does(tmp_path):
    shown = replayed(block(tmp_path / "run", 20, MoverLook("person")), tmp_path / "a.html", "crowd")
    assert shapely.contains_xy(shapely.Polygon(WALL), shown[:, 2], shown[:, 3]).any()


def write(folder, seconds, rows, *, period_s=10, every_s=10):
    """A run whose one model moves what `rows(t_s)` gives: (id, kind, x, y, speed)."""
    sheet = ModelSheet("units", {}, {}, moving={0: "slow", 1: "fast"}, period_s=period_s)
    recorder = recorded.start(folder, models={"units": sheet}, every_s=every_s, duration_s=seconds)
    for t_s in range(0, seconds + 1, every_s):
        found = np.zeros(len(rows(t_s)), TRACK)
        for i, row in enumerate(rows(t_s)):
            found["id"][i], found["kind"][i], found["x_m"][i], found["y_m"][i], found["speed_m_per_s"][i] = row
        recorder.sample(t_s, {"units": {}})
        recorder.tracks(t_s, "units", found)
    recorder.finish("done")
    return open_run(folder)


def chunks_of(run, path):
    exporter.replay(run, path)
    index, chunks = decode(path)
    movers = index["runs"][0]["movers"][0]
    return movers, list(keyframes(chunks, movers, index["quantum_m"])), chunks


def test_paths_for_which_no_way_is_found_are_counted(tmp_path):
    person = MoverLook("person", around_buildings=True)
    sheet = ModelSheet("crowd", {}, {}, moving={0: "walker"}, looks=Looks({}, {"walker": person}).plain(), period_s=1)
    ground = Ground("block", buildings=(Building("B", WALL, 10.0, "homes", 900.0, 10),))
    recorder = recorded.start(tmp_path / "run", models={"crowd": sheet}, every_s=20, duration_s=40, ground=ground)
    for t_s in (0, 20, 40):
        out = np.zeros(1, TRACK)
        out["x_m"], out["y_m"], out["speed_m_per_s"] = 20.0 + t_s, 17.0, 1.0
        recorder.sample(t_s, {"crowd": {}})
        recorder.tracks(t_s, "crowd", out)
    recorder.finish("done")
    movers, held, _ = chunks_of(open_run(tmp_path / "run"), tmp_path / "a.html")
    assert movers["straight"] == 1, "who leaves a building does it through its wall"
    assert held[0]["t_s"][[0, -1]].tolist() == [0.0, 40.0]


def test_an_even_motion_takes_two_keyframes_a_chunk(tmp_path):
    run = write(tmp_path / "run", 240, lambda t: [(7, 0, 2.0 * t, 5.0, 2.0)])
    movers, held, _ = chunks_of(run, tmp_path / "a.html")
    assert [(one["from_s"], one["to_s"]) for one in movers["chunks"]] == [(0, 120), (120, 240)]
    assert [one["rows"].tolist() for one in held] == [[2], [2]]
    assert held[1]["t_s"].tolist() == [120.0, 240.0]


def test_a_gap_ends_a_presence_and_what_comes_back_is_the_same_thing(tmp_path):
    run = write(tmp_path / "run", 120, lambda t: [] if 30 < t < 80 else [(2**40, 0, float(t), 0.0, 1.0)])
    movers, held, chunks = chunks_of(run, tmp_path / "a.html")
    assert held[0]["thing"].tolist() == [0, 0]
    assert held[0]["t_s"].tolist() == [0.0, 30.0, 80.0, 120.0]
    assert array(chunks, movers["id"]).tolist() == [2**40]


def test_a_jump_is_not_shown_as_a_motion(tmp_path):
    run = write(tmp_path / "run", 120, lambda t: [(0, 0, 0.0 if t < 60 else 5000.0, 0.0, 0.0)])
    _, held, _ = chunks_of(run, tmp_path / "a.html")
    assert held[0]["rows"].tolist() == [2, 2]
    assert held[0]["t_s"].tolist() == [0.0, 50.0, 60.0, 120.0]


def test_who_changes_kind_is_two_things_of_one_id(tmp_path):
    run = write(tmp_path / "run", 120, lambda t: [(5, int(t >= 60), float(t), 0.0, 1.0)])
    movers, held, chunks = chunks_of(run, tmp_path / "a.html")
    assert array(chunks, movers["id"]).tolist() == [5, 5]
    assert array(chunks, movers["kind"]).tolist() == [0, 1]
    assert held[0]["thing"].tolist() == [0, 1]


def test_what_is_seen_once_is_there_and_a_position_that_is_none_is_not(tmp_path):
    run = write(tmp_path / "run", 120, lambda t: [(1, 0, 3.0, 4.0, 0.0), (2, 0, np.nan, 0.0, 0.0)] if t == 50 else [])
    movers, held, chunks = chunks_of(run, tmp_path / "a.html")
    assert array(chunks, movers["id"]).tolist() == [1]
    assert (held[0]["rows"].tolist(), held[0]["t_s"].tolist()) == ([1], [50.0])


def test_what_is_recorded_more_often_than_it_moves_does_not_stop_and_go(tmp_path):
    run = write(tmp_path / "run", 120, lambda t: [(0, 0, 10.0 * (t // 10), 0.0, 1.0)], every_s=2)
    _, held, _ = chunks_of(run, tmp_path / "a.html")
    assert held[0]["rows"].tolist() == [2], "an even motion, though recorded five times at each position"


def test_what_waits_stands_still_and_then_goes(tmp_path):
    run = write(tmp_path / "run", 120, lambda t: [(0, 0, 2.0 * max(0, t - 60), 0.0, 2.0 if t > 60 else 0.0)])
    _, held, _ = chunks_of(run, tmp_path / "a.html")
    assert np.interp(50.0, held[0]["t_s"], held[0]["x_m"]) == pytest.approx(0.0, abs=0.5)
    assert np.interp(100.0, held[0]["t_s"], held[0]["x_m"]) - held[0]["x_m"][0] == pytest.approx(80.0, abs=0.5)
