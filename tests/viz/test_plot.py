import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "twin"))
import recorded

import viz
from twin.errors import InputError
from twin.ports import TRACK, ElementSet
from twin.recorder import ModelSheet, PortSheet
from twin.results import Building, Ground, Place, Run, open_run
from viz import plot
from viz.map import Layer, Style, _round_length, paint, paper

STREETS = tuple(np.array([[0.0, 300.0 * i], [1200.0, 300.0 * i]]) for i in range(4))
BUSES = tuple(np.array([[400.0 * i, 150.0]]) for i in range(4))
SHEETS = {
    "traffic": ModelSheet(
        "traffic",
        {
            "speed_m_per_s": PortSheet("speed_m_per_s", "edge", "m/s", label="mean speed", cmap="RdYlGn", range=(0.0, 17.0)),
            "is_open": PortSheet("is_open", "edge", dtype="bool", label="road is open"),
            "running": PortSheet("running", "network", label="vehicles"),
        },
        {"edge": ElementSet(("E1", "E2", "E3", "E4"), STREETS, label="road"), "network": ElementSet(("all",))},
        moving={0: "car"},
    ),
    "grid": ModelSheet(
        "grid",
        {
            "energized": PortSheet("energized", "bus", dtype="bool", label="energised"),
            "vm_pu": PortSheet("vm_pu", "bus", "pu", cmap="nonsense"),
        },
        {"bus": ElementSet(("B1", "B2", "B3", "B4"), BUSES, label="buses")},
    ),
    "crowd": ModelSheet(
        "crowd",
        {"density_per_m2": PortSheet("density_per_m2", "area", "1/m2", cmap="inferno", label="density")},
        {"area": ElementSet(("A",), (np.array([[0.0, 0.0], [100.0, 0.0], [100.0, 90.0]]),), closed=True)},
        moving={0: "to the metro", 1: "on foot"},
    ),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A fault at 21:35 leaves two buses dark and closes a street; people drift east, fewer of them later."""
    folder = tmp_path_factory.mktemp("runs") / "evening"
    recorder = recorded.start(folder, models=SHEETS)
    recorder.event(recorded.event_at(300) | {"t_seen_s": 0, "kind": "action", "model": "grid", "name": "fault", "element": "B2"})
    for t_s in range(0, 601, 10):
        after = t_s >= 300
        people = np.zeros(40 if not after else 10, TRACK)
        people["id"] = np.arange(len(people))
        people["kind"] = people["id"] % 2
        people["x_m"], people["y_m"] = t_s, np.arange(len(people))
        arrays = {
            "traffic": {
                "speed_m_per_s": np.array([10.0, 5.0, 0.0, t_s / 60.0]),
                "is_open": np.array([True, not after, True, True]),
                "running": np.array([7]),
            },
            "grid": {"energized": np.array([True, not after, not after, False]), "vm_pu": np.array([1.0, 0.98, 0.97, 0.0])},
            "crowd": {"density_per_m2": np.array([2.5])},
        }
        recorder.sample(t_s, arrays)
        recorder.tracks(t_s, "crowd", people)
    recorder.finish("done")
    return open_run(folder)


def labels(figure):
    return figure.axes[0].get_legend_handles_labels()[1]


def test_a_map_colours_each_street_by_its_value_at_that_moment(run):
    from matplotlib.collections import LineCollection

    figure = viz.map(run, "21:38", "traffic.speed_m_per_s")
    streets = [one for one in figure.axes[0].collections if isinstance(one, LineCollection) and one.get_array() is not None]
    assert streets[0].get_array().tolist() == [10.0, 5.0, 0.0, 8.0]
    assert streets[0].get_clim() == (0.0, 17.0)
    np.testing.assert_array_equal(streets[0].get_segments()[1], STREETS[1])
    assert figure.axes[1].get_ylabel() == "traffic: mean speed [m/s]"


def test_what_has_stopped_since_the_start_is_marked_and_what_never_ran_is_not(run):
    assert not [text for text in labels(viz.map(run, "21:34")) if "no (" in text]
    texts = labels(viz.map(run, "21:35"))
    assert "grid: energised - no (2)" in texts
    assert "traffic: road is open - no (1)" in texts
    black = [one for one in viz.map(run, "21:35").axes[0].collections if one.get_label().startswith("grid")]
    np.testing.assert_array_equal(black[0].get_offsets(), [[400.0, 150.0], [800.0, 150.0]])


def test_people_stand_where_they_were_at_that_moment_counted_by_kind(run):
    figure = viz.map(run, "21:34:05")
    assert {"crowd: on foot (20)", "crowd: to the metro (20)"} <= set(labels(figure))
    people = [one for one in figure.axes[0].collections if one.get_label().startswith("crowd: on foot")]
    assert set(people[0].get_offsets()[:, 0]) == {240.0}
    assert "crowd: on foot (5)" in labels(viz.map(run, "21:36"))
    assert not [text for text in labels(viz.map(run, "21:36", tracks=[])) if text.startswith("crowd")]


def test_a_kind_of_moving_thing_has_the_same_colour_at_any_moment(run, monkeypatch):
    def colours(figure):
        return {
            one.get_label().split(" (")[0]: one.get_facecolor().tolist()
            for one in figure.axes[0].collections
            if "crowd: " in one.get_label()
        }

    both = colours(viz.map(run, "21:34"))
    whole = run.tracks
    monkeypatch.setattr(run, "tracks", lambda *said: whole(*said).query("kind == 'on foot'"))
    assert colours(viz.map(run, "21:34")) == {"crowd: on foot": both["crowd: on foot"]}
    assert both["crowd: on foot"] != both["crowd: to the metro"]


def test_a_map_says_its_clock_and_scale(run):
    figure = viz.map(run, "21:38", title="Feeder fault")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "21:38:00   2014-08-16   Asia/Shanghai" in texts
    assert {"200 m", "N"} <= set(texts)
    assert figure.axes[0].get_title(loc="left") == "Feeder fault"


def test_the_scale_bar_is_as_long_as_it_says(run):
    axes = viz.map(run, "21:38", window=(0.0, 0.0, 1000.0, 1000.0)).axes[0]
    (bar,) = axes.lines
    assert axes.get_xlim() == (0.0, 1000.0)
    assert (bar.get_xdata()[1] - bar.get_xdata()[0]) * 1000.0 == pytest.approx(200.0)


@pytest.mark.parametrize(("metres", "length"), [(999.0, 500.0), (1000.0, 1000.0), (4999.0, 2000.0), (0.3, 0.2)])
def test_a_scale_bar_is_a_round_length(metres, length):
    assert _round_length(metres) == pytest.approx(length)


def test_by_default_a_map_shows_one_scale_for_lines_points_and_areas(run):
    assert [axes.get_ylabel() for axes in viz.map(run, "21:38").axes[1:]] == [
        "crowd: density [1/m2]",
        "traffic: mean speed [m/s]",
        "grid: vm_pu [pu]",
    ]


def test_a_map_of_what_is_not_there_is_refused(run):
    with pytest.raises(InputError, match="did you mean 'speed_m_per_s'"):
        viz.map(run, "21:38", "traffic.sped_m_per_s")
    with pytest.raises(InputError, match="'network' has no shapes to draw"):
        viz.map(run, "21:38", "traffic.running")
    with pytest.raises(InputError, match="outside the run"):
        viz.map(run, "22:38")


def test_a_map_is_written_as_a_picture(run, tmp_path):
    viz.map(run, "21:38", style=Style(dpi=60)).savefig(tmp_path / "map.png")
    import matplotlib.image

    picture = matplotlib.image.imread(tmp_path / "map.png")
    assert picture.shape[:2] == (480, 540)
    assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 50


def test_lines_follow_the_record_of_each_element(run):
    axes = plot.lines(run, "traffic.speed_m_per_s", at=["E4", "E1"]).axes[0]
    assert [line.get_label() for line in axes.lines[:2]] == ["E4", "E1"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), np.arange(0, 601, 10) / 60.0, rtol=1e-6)
    assert axes.get_ylabel() == "mean speed [m/s]"
    assert str(axes.lines[0].get_xdata()[0]).startswith("2014-08-16T21:30:00")


def test_lines_say_what_was_done_to_the_city(run):
    axes = plot.lines(run, "grid.energized", at=["B2"]).axes[0]
    assert [text.get_text() for text in axes.texts] == ["grid.fault B2"]
    assert axes.lines[0].get_drawstyle() == "steps-post"
    assert not plot.lines(run, "grid.energized", at=["B2"], actions=False).axes[0].texts


def test_lines_of_an_unknown_element_are_refused(run):
    with pytest.raises(InputError, match="no bus 'B9'; known: B1, B2"):
        plot.lines(run, "grid.energized", at=["B9"])


def test_the_map_names_places_in_both_languages_and_draws_the_ground(run, monkeypatch):
    place = Place("p", "venue", {"en": "Stadium", "zh": "奥体中心体育场"}, np.array([[600.0, 600.0]]))
    beside = Place("q", "venue", {"en": "On top of it"}, np.array([[605.0, 605.0]]))
    house = Building("b", np.array([[0.0, 0.0], [90.0, 0.0], [90.0, 40.0]]), 10.0, "office", 100.0, 5)
    monkeypatch.setattr(run, "city", Ground(places=(place, beside), buildings=(house,)))
    axes = viz.map(run, "21:38").axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert "Stadium 奥体中心体育场" in texts
    assert "On top of it" not in texts
    np.testing.assert_array_equal(axes.collections[0].get_paths()[0].vertices[:3], house.shape)


def test_a_title_is_taken_literally_even_where_matplotlib_would_read_mathematics(run, tmp_path):
    figure = viz.map(run, "21:38", title=r"$\frac{$ 南京")
    figure.savefig(tmp_path / "map.png", dpi=40)
    assert figure.axes[0].get_title(loc="left") == r"$\frac{$ 南京"


def test_what_is_empty_is_pale_so_that_the_ground_shows():
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    layer = Layer("a.b", "b", "1", "inferno", (0.0, 5.0), [square] * 3, True, np.array([0.0, 5.0, np.nan]))
    figure, axes = paper(Style())
    paint(figure, axes, layer, Style())
    assert axes.collections[0].get_alpha().tolist() == pytest.approx([0.12, 0.9, 0.12])


def test_a_river_is_drawn_and_does_not_widen_the_view(run, monkeypatch):
    before = viz.map(run, "21:38").axes[0].get_xlim()
    river = Place("r", "river", {}, np.array([[-9000.0, 0.0], [-100.0, 0.0], [-100.0, 900.0], [-9000.0, 900.0]]))
    monkeypatch.setattr(run, "city", Ground(places=(river,)))
    axes = viz.map(run, "21:38").axes[0]
    assert axes.get_xlim() == before
    np.testing.assert_array_equal(axes.collections[0].get_paths()[0].vertices[:4], river.shape)


def test_views_import_matplotlib_only_when_they_draw():
    code = "import sys, viz.map, viz.plot; print([m for m in ('matplotlib', 'xarray', 'zarr') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
