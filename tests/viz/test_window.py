"""`twin view`: what its keys, buttons, timeline and clicks do to what is seen; a real window where Xvfb is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import town

from twin.errors import InputError
from twin.results import Run, open_run
from viz import window
from viz.curve import HEAD_PX, NOW, Curve
from viz.player import SPEEDS, Player
from viz.scene import Scene
from viz.window import Window

AMBER, PAPER = (255, 180, 84), (251, 250, 247)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return open_run(town.write(tmp_path_factory.mktemp("runs") / "town"))


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "cut"
    recorder = town.go_on(town.start(folder), last_s=200)
    recorder.finish("failed", error="the lamps' engine died")
    return open_run(folder)


@pytest.fixture
def shown(run) -> Iterator[Window]:
    """The window's widgets on a plotter without a window."""
    scene = Scene(run, size=(900, 600), off_screen=True)
    yield Window(scene, Player(run))
    scene.plotter.close()


def count(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    """Count the pixels of about a colour."""
    return int((np.abs(picture.astype(int) - colour).max(axis=2) < 12).sum())


# -- the player -------------------------------------------------------------------------------------------------------


def test_time_passes_as_fast_as_asked_and_stops_at_the_end(run):
    player = Player(run, at="21:31")
    assert (player.second, player.clock, player.tick(5.0)) == (60.0, "21:31:00", False)
    player.toggle()
    assert player.tick(2.0)
    assert player.clock == "21:33:00"
    player.faster()
    assert player.speed == 120
    player.tick(100.0)
    assert (player.clock, player.playing) == ("21:40:00", False)
    player.toggle()
    assert (player.second, player.playing) == (0.0, True), "from the end it plays from the start"
    for _ in range(20):
        player.faster(-1)
    assert player.speed == SPEEDS[0]


def test_steps_go_from_sample_to_sample_and_pause(run):
    player = Player(run)
    player.toggle()
    player.step(-1)
    assert (player.second, player.playing) == (0.0, False)
    player.seek(14.0)
    player.step(1)
    assert player.second == 20.0
    player.step(-1)
    assert player.second == 10.0
    player.seek(1e9)
    player.step(1)
    assert player.clock == "21:40:00"


def test_its_marks_are_what_was_done_to_the_city(run):
    player = Player(run)
    assert [(mark.second, mark.label) for mark in player.marks] == [(300, "lamps.fault K2")]
    assert player.happened() == ""
    player.seek(300)
    assert player.happened() == "21:35:00 lamps.fault K2"


def test_a_run_cut_short_plays_what_is_there_and_says_so(unfinished):
    player = Player(unfinished)
    player.seek(1e9)
    assert player.clock == "21:33:20"
    assert player.note() == "failed: recorded to 21:33:20 of 21:40:00: the lamps' engine died"


def test_a_moment_outside_an_unknown_layer_or_camera_and_an_empty_run_are_one_line(run, tmp_path):
    for options, said in (
        ({"at": "23:00"}, "23:00 is outside the run"),
        ({"layers": ["lamp"]}, "did you mean 'lamps'"),
        ({"camera": "cornr"}, "did you mean 'corner'"),
    ):
        with pytest.raises(InputError, match=said):
            Player(run, **options)
    town.start(tmp_path / "empty").finish("interrupted")
    with pytest.raises(InputError, match="nothing is recorded yet"):
        Player(open_run(tmp_path / "empty"))


# -- the curve --------------------------------------------------------------------------------------------------------


def test_a_curve_shows_every_port_of_the_element_with_its_unit_and_a_line_at_now(run):
    curve = Curve(run, ("lamps", "lamp", "K2"))
    assert [port.name for port in curve.ports] == ["level_v", "is_lit"]
    assert curve.said(299) == [("voltage", "230 V"), ("lit", "yes")]
    assert curve.said(300) == [("voltage", "0 V"), ("lit", "no")]
    for second in (0, 300, 600):
        red = np.flatnonzero((curve.at(second)[HEAD_PX + 10] == NOW).all(axis=1))
        assert abs(red.mean() - curve.now(second) * curve.image.shape[1]) < 2
    blue = (np.abs(curve.image.astype(int) - (31, 95, 168)).max(axis=2) < 40).sum()
    assert blue > 300
    with pytest.raises(InputError, match="did you mean 'K2'"):
        Curve(run, ("lamps", "lamp", "K2x"))


# -- the window -------------------------------------------------------------------------------------------------------


def test_the_timeline_and_the_keys_move_the_clock_and_the_picture(shown):
    before = shown.scene.picture()
    shown.on_slider(400)
    assert shown.player.clock == "21:36:40"
    assert shown.status() == "21:36:40    paused at 60x    21:35:00 lamps.fault K2"
    assert (before != shown.scene.picture()).any(axis=2).sum() > 500
    for key, clock in (("Left", "21:36:30"), ("Right", "21:36:40"), ("F5", "21:36:40")):
        shown.on_key(key)
        assert shown.player.clock == clock
    assert shown.slider.GetSliderRepresentation().GetValue() == 400


def test_no_actor_comes_or_goes_while_it_plays(shown):
    shown.pick(("lamps", "lamp", "K2"))
    props = shown.plotter.renderer.GetViewProps()
    before = [props.GetItemAsObject(i) for i in range(props.GetNumberOfItems())]
    for second in (100, 310, 500):
        shown.on_slider(second)
    after = [props.GetItemAsObject(i) for i in range(props.GetNumberOfItems())]
    assert before == after


def test_marks_stand_over_the_timeline(shown):
    amber = np.argwhere(np.abs(shown.scene.picture().astype(int) - AMBER).max(axis=2) < 12)
    high, wide = shown.plotter.window_size[1], shown.plotter.window_size[0]
    assert len(amber) > 30
    assert amber[:, 0].min() > 0.8 * high
    middle = window.LINE_FROM + (window.LINE_TO - window.LINE_FROM) / 2
    assert abs(np.bincount(amber[:, 1]).argmax() - middle * wide) < 4


def test_space_plays_and_time_passes_with_the_timer(shown):
    shown.on_key("space")
    shown.ticked -= 2.0
    shown.on_timer()
    assert shown.player.playing
    assert 110 < shown.player.second < 180
    shown.on_key("space")
    paused = shown.player.second
    shown.ticked -= 2.0
    shown.on_timer()
    assert shown.player.second == paused


def test_a_button_for_each_layer_hides_it(shown):
    assert len(shown.buttons) == len(shown.player.layers)
    before = shown.scene.picture()
    button = shown.buttons[list(shown.player.layers).index("buildings")]
    button.GetRepresentation().SetState(0)
    button.InvokeEvent("StateChangedEvent")
    assert shown.player.layers["buildings"] is False
    assert (before != shown.scene.picture()).any(axis=2).mean() > 0.02


def test_camera_keys_look_from_elsewhere(shown):
    before = shown.scene.picture()
    shown.on_key("2")
    assert shown.player.camera == "corner"
    assert (before != shown.scene.picture()).any(axis=2).mean() > 0.2
    shown.on_key("c")
    assert shown.player.camera == "overview"
    shown.on_key("9")
    assert shown.player.camera == "overview"


def test_a_click_on_an_element_shows_its_curve_and_a_drag_does_not(shown):
    shown.scene.picture()
    renderer = shown.plotter.renderer
    renderer.SetWorldPoint(150.0, 108.0, 5.0, 1.0)
    renderer.WorldToDisplay()
    x, y = map(round, renderer.GetDisplayPoint()[:2])
    shown.on_press(x - 50, y)
    shown.on_release(x, y)
    assert shown.player.picked is None
    bare = count(shown.scene.picture(), PAPER)
    shown.on_press(x, y)
    shown.on_release(x, y)
    assert shown.player.picked == ("lamps", "lamp", "K2")
    assert count(shown.scene.picture(), PAPER) > bare + 50_000
    shown.pick(None)
    assert count(shown.scene.picture(), PAPER) < bare + 1000


def test_a_click_means_the_ground_and_in_the_sky_nothing(shown):
    shown.scene.picture()
    x, y = shown.plotter.window_size[0] / 2, shown.plotter.window_size[1] / 2
    middle = window.point_m(shown.plotter, x, y)
    assert np.allclose(middle, (200.0, 105.0, 3.0), atol=4.0)
    shown.plotter.camera.position, shown.plotter.camera.focal_point = (200.0, -200.0, 40.0), (200.0, 100.0, 40.0)
    assert window.point_m(shown.plotter, x, 599) is None


def test_a_moment_that_cannot_be_shown_is_said_and_stops_it(shown, monkeypatch):
    def broken(when: object) -> None:
        raise InputError("this moment is gone")

    shown.on_key("space")
    monkeypatch.setattr(shown.scene, "at", broken)
    shown.on_slider(200)
    assert "this moment is gone" in shown.status()
    assert not shown.player.playing


def test_without_a_display_it_says_in_one_line_what_to_use_instead(run, monkeypatch):
    if not sys.platform.startswith("linux"):
        pytest.skip("windows open without DISPLAY on this system")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="no display to open a window on; use `twin shot`, `twin replay` or `twin serve`"):
        window.view(run)
    window.require_display({"DISPLAY": ":0"})


def with_a_display_of(name: str | None) -> dict[str, str]:
    """Return the environment with this display, and without what drawing off screen has put there."""
    kept = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "VTK_DEFAULT_OPENGL_WINDOW")}
    return kept | ({"DISPLAY": name} if name else {})


@pytest.mark.slow
def test_a_display_that_does_not_answer_is_one_line_and_not_a_window_that_never_opens(run):
    command = [sys.executable, "-m", "twin.cli", "view", str(run.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=with_a_display_of(":4711"))
    assert done.returncode == 2, done.stderr
    assert "the display :4711 does not answer" in done.stderr.splitlines()[-1]


REAL = """
import sys
from twin.results import open_run
from viz.player import Player
from viz.scene import Scene
from viz.window import Window
run = open_run(sys.argv[1])
shown = Window(Scene(run, size=(900, 600), off_screen=False), Player(run))
ticks = []
def tick(*_):
    ticks.append(1)
    if len(ticks) == 2:
        shown.on_key("space")
        shown.pick(("lamps", "lamp", "K2"))
    if len(ticks) > 4 and shown.player.second > 70:
        shown.plotter.screenshot(sys.argv[2])
        shown.on_key("q")
shown.plotter.iren.add_observer("TimerEvent", tick)
shown.show()
print("closed at", int(shown.player.second), "after", len(ticks))
"""


@pytest.fixture
def display() -> Iterator[str]:
    """A display of its own: Xvfb picks a free number and writes it once it listens there."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Debian's xvfb is not installed: no display to open a window on")
    told, number = os.pipe()
    with subprocess.Popen(
        ["Xvfb", "-displayfd", str(number), "-screen", "0", "1000x700x24", "-nolisten", "tcp"],
        pass_fds=[number],
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        os.close(number)
        with os.fdopen(told) as line:
            name = line.readline().strip()
        try:
            assert name, f"Xvfb ended before it listened: {server.communicate()[1]}"
            yield f":{name}"
        finally:
            server.terminate()


def test_a_real_window_opens_plays_and_closes(run, tmp_path, display):
    from matplotlib.image import imread

    command = [sys.executable, "-c", REAL, str(run.path), str(tmp_path / "seen.png")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=with_a_display_of(display))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[2]) >= 70, f"its timer lets time pass: {done.stdout} {done.stderr}"
    seen = (imread(tmp_path / "seen.png")[..., :3] * 255).astype(int)
    assert count(seen, PAPER) > 50_000
    assert count(seen, AMBER) > 30


def test_importing_the_views_or_asking_for_help_loads_no_heavy_library():
    heavy = ["pyvista", "vtk", "vtkmodules", "matplotlib", "jinja2", "trame", "typst", "imageio", "PIL"]
    views = "viz, viz.commands, viz.window, viz.server, viz.player, viz.curve, viz.guard, viz.console, viz.scene, viz.shot, viz.movie"
    views += ", viz.replay, viz.report, viz.compare, viz.map, viz.plot"
    asks = "from twin.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    for code in (f"import {views}", asks):
        code = f"import sys\n{code}\nprint([name for name in {heavy} if name in sys.modules])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
        assert done.stdout.splitlines()[-1] == "[]"
