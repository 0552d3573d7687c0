"""The 3D scene: what is seen of a run, that everything changes in place, and what is said to a mistaken name."""

from itertools import pairwise

import numpy as np
import pytest
import town

from twin.errors import InputError
from twin.looks import MoverLook
from twin.ports import TRACK
from twin.results import Run, View, open_run
from viz.actors import STOPPED
from viz.cards import figures, fitting, readable
from viz.glyphs import COLOURS, body, larger
from viz.light import Sky, sun
from viz.scene import Scene, scene
from viz.shells import bowl, ribbons, shadows, tubes, walls
from viz.tape import Track

SIZE = (640, 400)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return open_run(town.write(tmp_path_factory.mktemp("runs") / "town"))


@pytest.fixture(scope="module")
def shown(run):
    """One scene for the tests that leave it as they found it."""
    made = Scene(run, size=SIZE)
    yield made
    made.plotter.close()


def near(picture: np.ndarray, colour, within: int = 40) -> int:
    """Count the pixels of about a colour."""
    return int((np.abs(picture.astype(int) - np.asarray(colour, int)).max(axis=2) < within).sum())


def changed(a: np.ndarray, b: np.ndarray) -> int:
    """Count the pixels that differ."""
    return int((np.abs(a.astype(int) - b.astype(int)).max(axis=2) > 12).sum())


# -- in place ---------------------------------------------------------------------------------------------------------


def test_a_scene_is_a_picture_of_the_size_asked_for(shown):
    picture = shown.at("21:32").picture()
    assert picture.shape == (SIZE[1], SIZE[0], 3) and picture.dtype == np.uint8
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 200


def test_many_moments_change_the_picture_and_no_actor(shown):
    first = shown.at(0).picture()
    actors = {id(one): one for one in shown.plotter.renderer.actors.values()}
    props = [
        shown.plotter.renderer.GetViewProps().GetItemAsObject(i) for i in range(shown.plotter.renderer.GetViewProps().GetNumberOfItems())
    ]
    pictures = [shown.at(float(second)).picture() for second in range(0, 600, 45)]
    after = shown.plotter.renderer.GetViewProps()
    assert [after.GetItemAsObject(i) for i in range(after.GetNumberOfItems())] == props
    assert {id(one) for one in shown.plotter.renderer.actors.values()} == set(actors)
    assert all(changed(a, b) > 20 for a, b in pairwise(pictures))
    assert changed(first, shown.at(0).picture()) == 0


def test_movers_that_come_and_go_use_the_same_actor(tmp_path):
    recorder = town.start(tmp_path / "run")
    counts = [0, 5, 300, 2, 900, 0, 70]
    for i, t_s in enumerate(range(0, 601, 10)):
        recorder.sample(t_s, town.arrays_at(t_s))
        people = np.zeros(counts[i % len(counts)], TRACK)
        people["id"] = np.arange(len(people))
        people["x_m"], people["y_m"] = people["id"] % 400, 60.0 + people["id"] // 400 * 40
        recorder.tracks(t_s, "folk", people)
    recorder.finish("done")
    crowd = Scene(open_run(tmp_path / "run"), size=SIZE)
    glyphs = crowd.at(0).cast.swarms[0].glyphs[0]
    actor, seen = glyphs.actor, []
    for t_s in range(0, 70, 10):
        seen.append((crowd.at(t_s).cast.swarms[0].glyphs[0].count, near(crowd.picture(), COLOURS[0], 60)))
    assert [count for count, _ in seen] == counts
    assert glyphs.actor is actor
    assert seen[0][1] < seen[2][1] < seen[4][1] and seen[5][1] == seen[0][1]
    crowd.plotter.close()


def test_between_two_records_a_mover_is_on_its_way(run, shown):
    swarm = shown.at(100).cast.swarms[0]
    before = swarm.track.at(100.0).xy[:20].copy()
    between, after = swarm.track.at(105.0).xy[:20], swarm.track.at(110.0).xy[:20]
    assert np.allclose(after - before, [5.0, 0.0], atol=1e-3)
    assert np.allclose(between - before, [2.5, 0.0], atol=0.05)


def test_what_jumps_between_two_records_stands_still_until_the_next(run, shown):
    track = shown.cast.swarms[0].track
    now, after = track.at(10.0), track.at(20.0)
    jumped = np.flatnonzero(np.abs(after.xy - now.xy).max(axis=1) > 300)
    assert len(jumped)
    assert (track.at(17.0).xy[jumped] == now.xy[jumped]).all()


def test_a_track_read_in_blocks_is_the_track_of_the_run(run):
    from viz import content

    track = Track(run, content.movers(run)[0])
    for second in (590, 0, 300, 600, 10):
        rows = run.tracks("folk", second, second).sort_values("id")
        assert np.array_equal(track.at(float(second)).xy, rows[["x_m", "y_m"]].to_numpy(np.float32))


# -- what is seen -----------------------------------------------------------------------------------------------------


def test_what_has_stopped_is_marked_and_what_it_lit_is_dark(run, shown):
    lit, dark = shown.at("21:34").picture(), shown.at("21:36").picture()
    assert near(lit, STOPPED) == 0
    assert near(dark, STOPPED, 90) > 100
    houses = shown.cast.stage.walls.colours
    assert houses.max() < 40
    shown.at("21:34")
    assert houses.max() > 150


def test_night_is_dark_and_day_is_light_and_auto_follows_the_sun(run):
    made = {look: Scene(run, size=SIZE, look=look) for look in ("day", "night", "auto")}
    brightness = {look: one.at("21:32").picture().mean() for look, one in made.items()}
    assert brightness["night"] < 70 and brightness["day"] > 130
    assert abs(brightness["auto"] - brightness["night"]) < 1
    for one in made.values():
        one.plotter.close()


def test_the_sun_stands_where_an_almanac_has_it(run):
    place = (118.73, 32.01)
    from datetime import datetime
    from zoneinfo import ZoneInfo

    zone = ZoneInfo("Asia/Shanghai")
    azimuth, altitude = sun(datetime(2014, 8, 16, 12, 9, tzinfo=zone), place)  # solar noon: 90 - 32.01 + 13.8 degrees
    assert abs(azimuth - 180) < 2 and abs(altitude - 71.8) < 0.5
    assert abs(sun(datetime(2014, 8, 16, 18, 43, tzinfo=zone), place)[1]) < 1.5  # sunset at Nanjing: 18:43
    assert sun(datetime(2014, 8, 16, 21, 30, tzinfo=zone), place)[1] < -25
    assert Sky(run, "auto").at(0).day == 0.0


def test_a_layer_that_is_hidden_is_not_in_the_picture_and_comes_back(shown):
    whole = shown.at("21:32").picture()
    for name in ("buildings", "lamps", "folk", "streets", "places"):
        without = shown.show_layer(name, False).picture()
        assert changed(whole, without) > 30, name
        assert changed(whole, shown.show_layer(name, True).picture()) == 0, name


def test_asking_for_layers_shows_those_and_no_other(run):
    only = Scene(run, layers=["streets", "folk"], size=SIZE).at("21:32")
    assert [name for name, on in only.cast.shown.items() if on] == ["streets", "folk"]
    assert near(only.picture(), COLOURS[0], 60) > 20
    assert not only.cast.stage.walls.actor.GetVisibility()
    only.plotter.close()


def test_a_port_asked_for_colours_its_elements(run):
    plain, asked = Scene(run, size=SIZE), Scene(run, size=SIZE, colour=["lamps.is_lit"])
    assert plain.at(0).cast.actors[0].scale.port.name == "level_v"
    assert asked.at(0).cast.actors[0].scale.port.name == "is_lit"
    assert changed(plain.picture(), asked.picture()) > 50
    for one in (plain, asked):
        one.plotter.close()


def test_the_clock_the_legend_and_the_scale_bar_say_what_is_true(shown):
    shown.at("21:34:30")
    assert shown.cast.header._shown[0] == 270
    assert shown.cast.legend.card.height > 30 and shown.cast.compass.card.width > 60
    before = shown.cast.header.card._image.GetPointData().GetScalars()
    shown.at("21:35:30")
    assert shown.cast.header.card._image.GetPointData().GetScalars() is not before


def test_a_name_is_shown_over_its_place_unless_places_are_hidden(shown):
    card = shown.at(0).cast.names.cards[0]
    shown.picture()
    assert card.actor.GetVisibility()
    shown.show_layer("places", False).picture()
    assert not card.actor.GetVisibility()
    shown.show_layer("places", True).picture()
    assert card.actor.GetVisibility()


def test_a_point_on_the_ground_picks_the_nearest_element(shown):
    assert shown.pick((62.0, 106.0, 0.0)) == ("lamps", "lamp", "K1")
    assert shown.pick((331.0, 108.0, 9.0)) == ("lamps", "lamp", "K4")
    assert shown.pick((9000.0, 9000.0, 0.0)) is None


def test_a_camera_can_be_named_or_given(run):
    made = Scene(run, size=SIZE, camera="corner").at(0)
    corner = made.picture()
    overview = made.look_from("overview").picture()
    assert changed(corner, overview) > 5000
    assert changed(overview, made.look_from(View("mine", (200.0, -320.0, 260.0), (200.0, 110.0, 0.0))).picture()) == 0
    made.plotter.close()


def test_a_still_is_smoother_than_a_fast_picture_and_shows_the_same(run):
    fast, still = Scene(run, size=SIZE, look="day"), Scene(run, size=SIZE, look="day", quality="still")
    a, b = fast.at("21:32").picture(), still.at("21:32").picture()
    assert changed(a, b) > 2000
    assert abs(a.mean() - b.mean()) < 25
    for one in (fast, still):
        one.plotter.close()


def test_an_unfinished_run_shows_what_there_is_and_says_so(tmp_path):
    town.go_on(town.start(tmp_path / "cut"), last_s=200).finish("failed", error="an engine died")
    whole = open_run(town.write(tmp_path / "whole"))
    cut = open_run(tmp_path / "cut")
    made = [Scene(one, size=SIZE).at(100) for one in (cut, whole)]
    assert made[0].cast.header.card.width > made[1].cast.header.card.width
    with pytest.raises(InputError, match="recorded from 21:30:00 to 21:33:20"):
        made[0].at("21:36")
    for one in made:
        one.plotter.close()


def test_a_notebook_shows_a_scene_as_its_picture(shown):
    import io

    from PIL import Image

    assert Image.open(io.BytesIO(shown.at("21:32")._repr_png_())).size == SIZE


def test_without_a_display_a_window_is_refused_in_one_line(run, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(InputError, match="no display") as caught:
        scene(run).show()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ({"layers": ["lamp"]}, "did you mean 'lamps'"),
        ({"camera": "overviev"}, "did you mean 'overview'"),
        ({"look": "nigth"}, "did you mean 'night'"),
        ({"colour": ["lamps.level"]}, ""),
        ({"colour": ["lamps.lvl_v"]}, "did you mean 'level_v'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(run, wrong, right):
    if not right:
        assert Scene(run, **wrong).colour
        return
    with pytest.raises(InputError, match=right):
        Scene(run, **wrong)


def test_a_scene_is_made_without_the_heavy_libraries():
    import subprocess
    import sys

    code = "import sys; from viz.scene import Scene; assert not {'pyvista', 'vtk', 'vtkmodules', 'matplotlib', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# -- meshes -----------------------------------------------------------------------------------------------------------


def test_a_ribbon_is_as_wide_as_asked_at_its_ends_and_at_a_bend():
    line = np.array([[0.0, 0.0], [100.0, 0.0], [100.0, 80.0]])
    shell = ribbons([line], np.array([10.0]), 1.0)
    across = np.linalg.norm(shell.points[0::2] - shell.points[1::2], axis=1)
    assert np.allclose(across, [10.0, 10.0 * np.sqrt(2), 10.0])
    assert (shell.points[:, 2] == 1.0).all() and len(shell.offsets) == 3


def test_walls_look_outwards_whichever_way_their_ring_goes_round():
    ring = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])
    for one in (ring, ring[::-1]):
        shell = walls([one], np.zeros(1), np.full(1, 5.0))
        quads = shell.points[shell.corners.reshape(-1, 4)]
        facing = np.cross(quads[:, 1] - quads[:, 0], quads[:, 2] - quads[:, 0])
        out = quads.mean(axis=1)[:, :2] - 5.0
        assert (np.einsum("ij,ij->i", facing[:, :2], out) > 0).all()


def test_a_tube_is_a_prism_for_each_segment_of_its_line():
    shell = tubes([np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]])], np.array([2.0]), np.array([4.0]))
    assert len(shell.points) == 2 * 12 and len(shell.offsets) == 1 + 2 * 6
    assert np.isclose(np.abs(shell.points[:, 2] - 4.0).max(), 1.0)


def test_shadows_fall_away_from_the_sun_and_meet_without_growing_darker():
    ring = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])
    shell = shadows([ring, ring + np.array([5.0, 0.0])], np.array([20.0, 20.0]), np.array([0.0, 1.0]), 0.0)
    triangles = shell.points[shell.corners.reshape(-1, 3)][:, :, :2]
    edges = triangles[:, 1:] - triangles[:, :1]
    area = np.abs(np.linalg.det(edges)).sum() / 2
    assert np.isclose(area, 15.0 * 30.0)
    assert shell.points[:, 1].max() == 30.0


def test_a_stadium_is_open_in_its_middle():
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    shell = bowl(np.column_stack([100 * np.cos(turn), 80 * np.sin(turn)]), 40.0)
    roof = shell.points[shell.points[:, 2] > 39.0]
    assert np.hypot(*roof[:, :2].T).min() > 60.0


def test_bodies_have_the_size_they_are_said_to_have():
    for look in (MoverLook("car", (4.5, 1.8, 1.5)), MoverLook("bus", (12.0, 2.5, 3.2)), MoverLook("person", (0.5, 0.6, 1.7)), MoverLook()):
        points = body(look).points
        assert np.allclose(np.ptp(points[:, :2], axis=0), look.size_m[:2]), look
        assert np.isclose(points[:, 2].max() - 0.9, look.size_m[2]), look
    assert np.ptp(body(MoverLook("blue_light", (6.0, 2.0, 2.0))).points[:, 2]) > 2.0


def test_movers_are_of_their_true_size_near_by_and_never_lost_from_afar():
    assert larger((4.5, 1.8, 1.5), 0.1) == 1.0
    assert np.isclose(larger((0.5, 0.6, 1.7), 0.68), 2.0)
    assert larger((0.5, 0.6, 1.7), 50.0) == 9.0


# -- odd ways to look -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", [float("nan"), float("inf"), -1, 600.4, 601])
def test_a_moment_that_is_none_of_the_run_is_refused_in_one_line(shown, when):
    with pytest.raises(InputError, match="is outside the run: recorded from 21:30:00 to 21:40:00") as caught:
        shown.at(when)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "view", [View("in it", (50.0, 50.0, 30.0), (50.0, 50.0, 30.0)), View("down", (50.0, 50.0, 900.0), (50.0, 50.0, 0.0))]
)
def test_a_camera_in_what_it_looks_at_or_straight_above_it_has_north_up(run, view):
    made = Scene(run, size=(320, 200)).look_from(view).at(0)
    assert len(np.unique(made.picture().reshape(-1, 3), axis=0)) > 20
    up, ahead = np.array(made.plotter.camera.up), np.subtract(made.plotter.camera.focal_point, made.plotter.camera.position)
    assert (up if ahead[2] < -1 else ahead)[1] > 0.9
    made.plotter.close()


def test_names_are_one_line_whatever_they_hold():
    assert readable("a\nb\u202ec\x00  d") == "a bc d"
    assert len(readable("x" * 10_000)) == 200
    assert fitting("x" * 200, " [m]", 12, 100.0).endswith("… [m]")


def test_the_figures_of_a_legend_can_be_told_apart():
    assert figures(0.0, 17.0) == ["0", "8.5", "17"]
    low, middle, high = figures(49.98, 50.02)
    assert float(low) < float(middle) < float(high)
    assert figures(0.0, 2e-5)[1:] == ["1e-05", "2e-05"]


def test_pins_are_made_anew_only_when_something_stopped(run, monkeypatch):
    made = Scene(run, size=(320, 200)).at(0)
    made.at("21:36")
    built = []
    monkeypatch.setattr("viz.actors.shells.halfway", lambda shape: built.append(1) or shape[0])
    made.at("21:36:10").at("21:36:20")
    assert not built, "the middle of an element does not move"
    made.plotter.close()
