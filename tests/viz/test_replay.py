"""The file that a replay is: what stands in it, that nothing breaks out of it, and what it is refused for."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import mini
import numpy as np
import pytest
import sixth

sys.path.insert(0, str(Path(__file__).parents[1] / "twin"))
import recorded

import twin
from twin.cli import main
from twin.errors import InputError, StorageError
from twin.ground import Ground, View
from twin.looks import Looks, MoverLook, SetLook
from twin.ports import ElementSet
from twin.recorder import ModelSheet, PortSheet
from twin.results import Building, Place, Street, open_run
from viz import replay as exporter
from viz.pack import array, decode, field

EVIL = "</script><script>alert(1)</script>\"'<!--\u2028\u2029\x00\x07&lt;奥体"
GROUND = Ground(
    "town",
    {"en": "Town"},
    provenance="schematic",
    cameras=(View("first", (10.0, -100.0, 80.0), (50.0, 20.0, 0.0)),),
    places=(
        Place("p", "stadium", {"en": "Stadium", "zh": "体育场"}, np.array([[0.0, 0.0], [40.0, 0.0], [40.0, 40.0]]), {"height_m": 30}),
        Place("q", "square", {"en": EVIL}, np.array([[7.0, 8.0]])),
    ),
    streets=(Street("S1", "a", "b", np.array([[-100.0, 0.0], [300.0, 0.0]]), EVIL, "local", 2, 13.9),),
    buildings=(Building("B1", np.array([[60.0, 60.0], [80.0, 60.0], [80.0, 90.0], [60.0, 90.0]]), 21.0, "homes", 600.0, 40),),
)


class Page(HTMLParser):
    """The elements of a page, as a browser would find them: tag, attributes, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[list] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append([tag, dict(attrs), ""])
        self.inside = True

    def handle_endtag(self, _):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.found[-1][2] += data

    def all(self, tag, **attrs):
        return [one for one in self.found if one[0] == tag and all(one[1].get(key) == value for key, value in attrs.items())]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A player that shows nothing, so that these tests need no build."""
    folder = tmp_path_factory.mktemp("dist")
    (folder / "player.js").write_text("document.body.append('测试 {x}')", "utf-8")
    (folder / "player.css").write_text("body{margin:0}")
    return folder


@pytest.fixture(autouse=True)
def player(bundle, monkeypatch):
    monkeypatch.setattr(exporter, "PLAYER", bundle)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return recorded.record(tmp_path_factory.mktemp("runs") / "town", ground=GROUND)


@pytest.fixture
def run(folder):
    return open_run(folder)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "replay.html"


def test_a_replay_is_one_file_that_may_fetch_nothing_and_runs_no_script_but_the_player(run, out, bundle):
    exporter.replay(run, out)
    page = Page(out.read_text("utf-8"))
    script = (bundle / "player.js").read_text("utf-8")
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0][1]["content"]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}';" in policy
    assert [one[2] for one in page.all("script") if "type" not in one[1]] == [script]
    assert page.all("style")[0][2] == "body{margin:0}"
    assert page.all("div", id="app")
    assert page.all("html")[0][1] == {"lang": "en"}
    assert not re.search(r"https?:|//\w+\.\w+/", out.read_text("utf-8").replace("\n", " "))
    links = [value for one in page.found for key, value in one[1].items() if key in ("src", "href")]
    assert links == ["data:,"]


def test_every_array_of_the_index_lies_in_a_chunk(run, out):
    exporter.replay(run, out)
    index, chunks = decode(out)
    found = []

    def walk(said):
        for value in said.values() if isinstance(said, dict) else said:
            if isinstance(value, dict) and {"chunk", "at", "n", "type"} <= value.keys():
                found.append(array(chunks, value))
                assert value["at"] % 8 == 0
                assert len(found[-1]) == value["n"]
            elif isinstance(value, dict | list):
                walk(value)

    walk(index)
    assert len(found) > 30


def test_the_index_says_the_clock_the_ground_and_the_cameras(run, out):
    exporter.replay(run, out, language="zh")
    index, chunks = decode(out)
    said = index["runs"][0]
    assert (index["format"], index["language"]) == (1, "zh")
    assert (said["clock0"], said["timezone"], said["status"], said["offset_s"]) == ("2014-08-16T21:30:00", "Asia/Shanghai", "done", 0)
    assert array(chunks, said["times_s"]).tolist() == list(range(0, 601, 10))
    origin = np.array(said["origin_m"])
    buildings, streets, places = (said["ground"][name] for name in ("buildings", "streets", "places"))
    assert np.allclose(array(chunks, buildings["xy"]).reshape(-1, 2) + origin, GROUND.buildings[0].shape)
    assert array(chunks, buildings["height_m"]).tolist() == [21.0]
    assert (streets["ids"], array(chunks, streets["rows"]).tolist()) == (["S1"], [2])
    assert places[0]["name"]["zh"] == "体育场"
    assert np.allclose(array(chunks, places[0]["ring"]).reshape(-1, 2) + origin, GROUND.places[0].shape)
    assert (places[0]["height_m"], places[1]["ring"], places[1]["height_m"]) == (30.0, None, None)
    assert [one["name"] for one in said["cameras"]] == ["first", "overview"]
    assert np.allclose(np.array(said["cameras"][0]["position_m"][:2]) + origin, [10, -100])
    assert said["layers"] == ["buildings", "streets", "places", "water", "crowd"]
    assert len(said["journal"]) == 11
    assert said["journal"][1] == {
        "t_s": 60, "happened_s": 59, "kind": "notice", "source": "model", "model": "water", "name": "pump_stopped",
        "element": "P1", "severity": "warning", "facts": {"at": 60, "cause": "no supply", "head_m": 12.5},
    }  # fmt: skip


def test_every_value_reads_back_within_half_a_step_and_switches_and_counts_exactly(run, out):
    exporter.replay(run, out)
    index, chunks = decode(out)
    ports = {(part["model"], port["name"]): (port, len(part["ids"])) for part in index["runs"][0]["parts"] for port in part["ports"]}
    assert set(ports) == {
        ("water", "pressure_m"), ("water", "power_mw"), ("water", "is_running"), ("water", "starts"), ("crowd", "walking"),
    }  # fmt: skip
    for (model, name), (port, elements) in ports.items():
        truth, found = run.fields[model][name].values, field(chunks, port, elements)
        assert found.shape == truth.shape
        if truth.dtype == bool or np.issubdtype(truth.dtype, np.integer):
            assert (found == truth).all()
        else:
            assert np.abs(found - truth).max() <= (port["high"] - port["low"]) / 65534 / 2 * (1 + 1e-9)
    assert ports["water", "is_running"][0]["type"] == "switch"
    pressure = ports["water", "pressure_m"][0]
    assert (pressure["label"], pressure["unit"], pressure["cmap"], pressure["range"]) == ("pressure", "m", "viridis", [0.0, 50.0])
    assert ports["crowd", "walking"][0]["unit"] == ""
    assert len(base64.b64decode(index["cmaps"]["viridis"])) == 768


def test_values_that_are_none_are_absent_and_not_zero(tmp_path, out):
    ports = {"level_m": PortSheet("level_m", "tank", "m"), "dry": PortSheet("dry", "tank", "m")}
    sheet = ModelSheet("tanks", ports, {"tank": ElementSet(("T1", "T2"), [np.zeros((1, 2)), np.ones((1, 2))])})
    recorder = recorded.start(tmp_path / "run", models={"tanks": sheet}, duration_s=20)
    for t_s in (0, 10, 20):
        recorder.sample(t_s, {"tanks": {"level_m": np.array([np.nan if t_s == 10 else 1.5, np.inf]), "dry": np.full(2, np.nan)}})
    recorder.finish("done")
    exporter.replay(open_run(tmp_path / "run"), out)
    index, chunks = decode(out)
    level, dry = index["runs"][0]["parts"][0]["ports"]
    assert np.array_equal(field(chunks, level, 2), [[1.5, np.nan], [np.nan, np.nan], [1.5, np.nan]], equal_nan=True)
    assert np.isnan(field(chunks, dry, 2)).all()
    assert dry["range"] == [0.0, 1.0]


def test_single_figures_without_a_shape_are_included(tmp_path, out):
    elements = {
        "network": ElementSet(("all",)),
        "hall": ElementSet(("H",), [np.zeros((1, 2))]),
        "shown": ElementSet(("S",), [np.zeros((1, 2))]),
    }
    ports = {
        name: PortSheet(name, at, "kW", label=f"the {name}") for name, at in (("load", "network"), ("heat", "hall"), ("light", "shown"))
    }
    looks = Looks({"hall": SetLook(shown=False)}, {}).plain()
    recorder = recorded.start(tmp_path / "run", models={"any": ModelSheet("any", ports, elements, looks=looks)}, duration_s=20)
    for t_s in (0, 10, 20):
        recorder.sample(t_s, {"any": {"load": np.array([t_s / 2]), "heat": np.array([1.0]), "light": np.array([1.0])}})
    recorder.finish("done")
    exporter.replay(open_run(tmp_path / "run"), out)
    index, chunks = decode(out)
    load, heat = index["runs"][0]["figures"]
    assert (load["model"], load["name"], load["label"], load["unit"]) == ("any", "load", "the load", "kW")
    assert np.allclose(field(chunks, load, 1)[:, 0], [0, 5, 10])
    assert heat["name"] == "heat"


def hostile(folder):
    """A run whose every text wants out."""
    elements = {EVIL[:20]: ElementSet((EVIL, "x"), [np.zeros((1, 2)), np.ones((1, 2))], label=EVIL)}
    ports = {"level_m": PortSheet("level_m", EVIL[:20], EVIL, label=EVIL, cmap="</script>")}
    sheet = ModelSheet("units", ports, elements, moving={0: EVIL}, looks=Looks({}, {EVIL: MoverLook()}).plain())
    recorder = recorded.start(folder, models={"units": sheet}, duration_s=20, ground=GROUND)
    manifest = folder / "manifest.json"
    for t_s in (0, 10, 20):
        recorder.sample(t_s, {"units": {"level_m": np.ones(2)}})
        recorder.tracks(t_s, "units", recorded.people_at(t_s))
    recorder.event(recorded.event_at(20) | {"name": EVIL, "element": EVIL, "facts": {EVIL: EVIL}})
    recorder.finish("done")
    said = json.loads(manifest.read_text()) | {"title": EVIL, "name": EVIL, "error": EVIL}
    kpi = {"name": EVIL, "value": float("nan"), "unit": EVIL, "target": EVIL, "verdict": EVIL, "label": EVIL}
    manifest.write_text(json.dumps(said | {"kpis": [kpi]}))
    return open_run(folder)


def test_no_text_of_a_run_breaks_out_of_its_place(tmp_path, out):
    exporter.replay(hostile(tmp_path / "run"), out)
    text = out.read_text("utf-8")
    page = Page(text)
    assert len([one for one in page.all("script") if "type" not in one[1]]) == 1
    assert "alert" not in page.all("script")[-1][2]
    assert {one[0] for one in page.found} == {"html", "head", "meta", "title", "link", "style", "body", "div", "script"}
    for one in page.all("script", type="text/plain"):
        assert re.fullmatch(r"[\w/]+", one[1]["data-name"])
    held = page.all("script", type="application/json")[0][2]
    assert held.isascii()
    assert "<" not in held
    index = json.loads(held)
    said = index["runs"][0]
    assert index["title"] == said["title"] == said["error"] == EVIL
    assert said["parts"][0]["ids"] == [EVIL, "x"]
    assert said["ground"]["streets"]["names"] == [EVIL]
    assert said["journal"][0]["facts"] == {EVIL: EVIL}
    assert said["kpis"][0]["label"] == EVIL
    assert said["kpis"][0]["value"] is None
    assert said["movers"][0]["kinds"][0]["label"] == EVIL


def test_the_same_run_gives_the_same_bytes(folder, tmp_path):
    first, second = tmp_path / "first.html", tmp_path / "second.html"
    exporter.replay(open_run(folder), first)
    exporter.replay(open_run(folder), second)
    assert first.read_bytes() == second.read_bytes()


def test_two_runs_share_a_clock_and_what_is_equal_of_their_ground(folder, tmp_path, out):
    manifest = json.loads((folder / "manifest.json").read_text())
    other = recorded.record(tmp_path / "later", ground=GROUND)
    (other / "manifest.json").write_text(json.dumps(manifest | {"name": "later", "start": "2014-08-16T21:35:00+08:00"}))
    exporter.replay(open_run(other), out, beside=open_run(folder))
    index, chunks = decode(out)
    a, b = index["runs"]
    assert ([a["key"], b["key"]], [a["name"], b["name"]]) == (["a", "b"], ["later", "made_up"])
    assert [a["offset_s"], b["offset_s"]] == [300, 0]
    assert a["ground"]["buildings"]["xy"]["chunk"] == b["ground"]["buildings"]["xy"]["chunk"]
    assert a["movers"][0]["chunks"][0]["t"]["chunk"] == b["movers"][0]["chunks"][0]["t"]["chunk"], "equal tracks too"
    assert "a/ground" in chunks
    assert "b/ground" not in chunks


def test_two_runs_that_never_meet_begin_together(folder, tmp_path, out):
    manifest = json.loads((folder / "manifest.json").read_text())
    other = recorded.record(tmp_path / "later", ground=Ground())
    (other / "manifest.json").write_text(json.dumps(manifest | {"start": "2015-08-16T21:30:00+08:00"}))
    exporter.replay(open_run(folder), out, beside=open_run(other))
    index, _ = decode(out)
    assert [one["offset_s"] for one in index["runs"]] == [0, 0]
    assert [len(one["ground"]["buildings"]["ids"]) for one in index["runs"]] == [1, 0], "each has its own ground"
    assert index["apart"] == ["clock", "city"]


def test_two_runs_of_one_city_on_one_clock_are_not_apart(folder, out):
    exporter.replay(open_run(folder), out, beside=open_run(folder))
    assert decode(out)[0]["apart"] == []


def test_only_the_layers_asked_for_are_included(run, out):
    exporter.replay(run, out, layers=["streets", "water"])
    said = decode(out)[0]["runs"][0]
    assert said["layers"] == ["streets", "water"]
    assert {part["model"] for part in said["parts"]} == {"water"}
    assert said["movers"] == []
    assert said["ground"]["buildings"]["ids"] == []
    assert said["ground"]["streets"]["ids"] == ["S1"]


def test_a_run_cut_short_is_written_up_to_its_committed_second_and_says_so(tmp_path, out):
    recorder = recorded.start(tmp_path / "run", ground=GROUND)
    recorded.go_on(recorder, 0, 300)
    recorder.finish("failed", error="water: the engine stopped at 21:35")
    exporter.replay(open_run(tmp_path / "run"), out)
    index, chunks = decode(out)
    said = index["runs"][0]
    assert (said["status"], said["committed_s"], said["duration_s"]) == ("failed", 300, 600)
    assert said["error"] == "water: the engine stopped at 21:35"
    assert array(chunks, said["times_s"])[-1] == 300
    assert said["movers"][0]["chunks"][-1]["to_s"] == 300
    assert max(row["t_s"] for row in said["journal"]) <= 300


def test_a_run_without_tracks_has_nothing_that_moves(tmp_path, out):
    recorder = recorded.start(tmp_path / "run", duration_s=20)
    for t_s in (0, 10, 20):
        recorder.sample(t_s, recorded.arrays_at(t_s))
    recorder.finish("done")
    exporter.replay(open_run(tmp_path / "run"), out)
    movers = decode(out)[0]["runs"][0]["movers"]
    assert [(one["things"], one["chunks"]) for one in movers] == [(0, [])]


def test_a_sixth_domain_appears_with_its_shapes_values_and_what_moves(tmp_path, monkeypatch, out):
    sixth.register(monkeypatch)
    monkeypatch.chdir(tmp_path)
    run = twin.simulate(twin.load(mini.write(tmp_path)), out="runs/base")
    exporter.replay(run, out)
    index, chunks = decode(out)
    said = index["runs"][0]
    assert said["layers"] == ["heat", "cellar"]
    rooms = said["parts"][0]
    assert (rooms["model"], rooms["set"], rooms["form"], rooms["colour"]) == ("heat", "room", "marker", "temperature_degc")
    assert array(chunks, rooms["width_m"]).tolist() == [8.0] * 4
    temperature = next(port for port in rooms["ports"] if port["name"] == "temperature_degc")
    assert np.abs(field(chunks, temperature, 4) - run.fields["heat"].temperature_degc.values).max() < 1e-3
    assert said["movers"][0]["kinds"] == [{"label": "warden", "body": "person", "size_m": [0.5, 0.6, 1.8]}]
    assert said["movers"][0]["things"] == 1
    assert said["kpis"][0]["name"] == "coldest"


@pytest.mark.parametrize(
    ("asked", "words"),
    [({"language": "de"}, "language"), ({"layers": ["watr"]}, "did you mean 'water'"), ({"layers": ["buildings", "nothing"]}, "layer")],
)
def test_what_is_not_known_is_one_line_and_leaves_nothing(run, out, asked, words):
    with pytest.raises(InputError, match=words) as error:
        exporter.replay(run, out, **asked)
    assert "\n" not in str(error.value)
    assert list(out.parent.iterdir()) == []


def test_a_run_of_which_nothing_is_recorded_is_refused(tmp_path, out):
    recorded.start(tmp_path / "run")
    with pytest.raises(InputError, match="nothing is recorded yet"):
        exporter.replay(open_run(tmp_path / "run"), out)


def test_a_full_disk_leaves_nothing_behind_and_an_older_file_alone(run, out, monkeypatch):
    out.write_text("older")

    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("viz.pack.Packer.add", refuse)
    with pytest.raises(StorageError, match="No space left"):
        exporter.replay(run, out)
    assert [one.name for one in out.parent.iterdir()] == [out.name]
    assert out.read_text() == "older"


def test_a_player_that_was_not_built_or_breaks_the_page_is_refused(run, out, tmp_path, monkeypatch):
    monkeypatch.setattr(exporter, "PLAYER", tmp_path / "nothing")
    with pytest.raises(StorageError, match="npm run build"):
        exporter.replay(run, out)
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "player.js").write_text("'</script>'")
    monkeypatch.setattr(exporter, "PLAYER", tmp_path / "dist")
    with pytest.raises(StorageError, match="</script>"):
        exporter.replay(run, out)


def test_the_player_as_it_is_built_fits_into_the_page():
    script, style = exporter._player(Path(exporter.__file__).parent / "web" / "dist")
    assert len(script) > 10_000
    assert style


def test_a_replay_needs_no_vtk(folder, out):
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['vtk', 'vtkmodules', 'pyvista', 'trame']))\n"
        "from pathlib import Path\nfrom twin.results import open_run\nfrom viz import replay\n"
        f"replay.replay(open_run({str(folder)!r}), Path({str(out)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert decode(out)[0]["runs"][0]["name"] == "made_up"


def test_the_command_prints_the_path_and_refuses_in_one_line(folder, tmp_path, capsys):
    path = tmp_path / "night.html"
    command = ["replay", str(folder), "-o", str(path), "--beside", str(folder), "--layers", "water"]
    with pytest.raises(SystemExit) as end:
        main([*command, "--language", "zh"])
    assert (end.value.code, capsys.readouterr().out.strip()) == (0, str(path))
    index = decode(path)[0]
    assert (index["language"], len(index["runs"])) == ("zh", 2)
    with pytest.raises(SystemExit) as end:
        main([*command, "--language", "chinese"])
    said = capsys.readouterr()
    assert (end.value.code, said.out, said.err.count("\n")) == (2, "", 1)
