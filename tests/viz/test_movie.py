"""`twin movie`: films whose pictures are those of the scene, whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import town
from PIL import Image

from twin.cli import main
from twin.errors import InputError
from twin.results import Run, View, open_run
from viz.movie import Worker, factor, instants, movie, orbit

SIZE = (320, 200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return town.write(tmp_path_factory.mktemp("runs") / "town")


@pytest.fixture(scope="module")
def run(folder) -> Run:
    return open_run(folder)


@pytest.fixture(scope="module")
def gif(run, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("films") / "fault.gif"
    return movie(run, out, start="21:34", end="21:36", speed="60x", size=SIZE, fps=10)


def frames(path: Path) -> list[np.ndarray]:
    """Read a film's pictures."""
    with Image.open(path) as film:
        found = []
        for i in range(film.n_frames):
            film.seek(i)
            found.append(np.asarray(film.convert("RGB")))
        return found


def test_a_film_has_a_picture_for_every_instant_and_lasts_as_long_as_said(gif):
    with Image.open(gif) as film:
        lasts_ms = 0
        for i in range(film.n_frames):
            film.seek(i)
            lasts_ms += film.info["duration"]
        assert (film.n_frames, film.size, film.info["loop"]) == (21, SIZE, 0)
    assert lasts_ms == 2100
    assert [one.name for one in gif.parent.iterdir()] == ["fault.gif"]


def test_the_lights_go_out_half_way_through_the_film(gif, run):
    from viz.scene import Scene

    pictures = frames(gif)
    wanted = {i: Scene(run, size=SIZE).at(second).picture() for i, second in ((0, 240.0), (20, 360.0))}
    for i, picture in wanted.items():
        assert np.abs(pictures[i].astype(int) - picture).mean() < 4, "but for the 255 colours of a GIF"
    assert pictures[9].mean() > pictures[10].mean() + 1
    assert len({picture.tobytes() for picture in pictures}) == 21


@pytest.mark.skipif(find_spec("imageio_ffmpeg") is None, reason="the extra `movie` is not installed")
def test_an_mp4_is_the_same_film(run, tmp_path):
    import imageio_ffmpeg

    out = movie(run, tmp_path / "fault.mp4", start="21:34", end="21:36", size=SIZE, fps=10)
    count, lasts_s = imageio_ffmpeg.count_frames_and_secs(str(out))
    assert count == 21 and abs(lasts_s - 2.1) < 0.11
    reader = imageio_ffmpeg.read_frames(str(out))
    assert next(reader)["size"] == SIZE
    first = np.frombuffer(next(reader), np.uint8).reshape(SIZE[1], SIZE[0], 3)
    reader.close()
    from viz.scene import Scene

    assert np.abs(first.astype(int) - Scene(run, size=SIZE).at(240.0).picture()).mean() < 6


def test_mp4_without_its_extra_says_what_to_install(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install citytwin\[movie\]"):
        movie(run, tmp_path / "out.mp4", size=SIZE)
    assert not list(tmp_path.iterdir())


def test_an_orbit_goes_round_what_the_camera_looks_at():
    view = View("a", (100.0, 0.0, 50.0), (0.0, 0.0, 0.0))
    round_it = orbit(view, 61, 1)
    places = np.array([one.position_m for one in round_it])
    assert np.allclose(np.hypot(*places[:, :2].T), 100.0) and np.allclose(places[:, 2], 50.0)
    assert np.allclose(places[0], places[60]) and np.allclose(places[15], (0.0, 100.0, 50.0))


def test_the_camera_called_orbit_films_from_all_round(folder, tmp_path, capsys):
    out = tmp_path / "round.gif"
    said = ["movie", str(folder), "--from", "21:31", "--to", "21:32", "--speed", "4x", "--camera", "orbit", "--size", "160x100"]
    with pytest.raises(SystemExit) as left:
        main([*said, "--fps", "1", "-o", str(out)])
    assert not left.value.code
    first, *_, last = frames(out)
    assert (np.abs(first.astype(int) - last.astype(int)).max(axis=2) > 12).mean() > 0.03


@pytest.mark.parametrize(("said", "found"), [("60x", 60.0), ("0.5", 0.5), (" 12.5 x", 12.5)])
def test_a_speed_is_simulated_seconds_a_second(said, found):
    assert factor(said) == found


def test_instants_are_a_picture_apart_from_start_to_end(run):
    assert np.allclose(instants(run, "21:31", "21:32", 60.0, 4), [60, 75, 90, 105, 120])
    assert instants(run, "", "", 60.0, 1)[-1] == 600


@pytest.mark.parametrize(
    ("said", "right"),
    [
        (["--speed", "fast"], "--speed fast: a number above 0 is needed"),
        (["--speed", "0"], "--speed 0: a number above 0 is needed"),
        (["--from", "21:36", "--to", "21:34"], "the film must end after it begins"),
        (["--to", "23:00"], "23:00 is outside the run"),
        (["--camera", "orbitt"], "no camera 'orbitt'"),
        (["--layers", "lamsp"], "did you mean 'lamps'?"),
        (["-o", "out.avi"], "no format '.avi'"),
        (["-o", "nowhere/out.gif"], "there is no folder nowhere"),
        (["--speed", "0.001"], "pictures; film less of it, or faster"),
    ],
)
def test_what_cannot_be_filmed_is_refused_in_one_line(folder, tmp_path, monkeypatch, capsys, said, right):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["movie", str(folder), *said, "--size", "160x100"])
    words = capsys.readouterr().err.strip()
    assert left.value.code == 2 and right in words and "\n" not in words, words
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_a_disk_that_fills_up_while_filming_leaves_nothing_behind(folder, tmp_path, suffix):
    """A limit on the size of files stands for the end of the disk."""
    if suffix == ".mp4" and find_spec("imageio_ffmpeg") is None:
        pytest.skip("the extra `movie` is not installed")
    code = (
        "import resource, sys\n"
        "from viz.preflight import require_rendering\nrequire_rendering()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))\n"
        "from twin.cli import main\n"
        f"main(['movie', {str(folder)!r}, '--from', '21:34', '--to', '21:36', '--size', '320x200', '-o', 'out{suffix}'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 4, done.stderr
    assert f"out{suffix}" in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_what_goes_wrong_while_encoding_is_raised_where_the_pictures_are_drawn():
    def broken(pictures):
        next(pictures)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), Worker(broken) as film:
        for _ in range(50):
            film.put(np.zeros((2, 2, 3), np.uint8))


def test_a_picture_is_drawn_while_the_last_is_encoded():
    import threading

    drawn, seen = threading.Event(), []

    def slow(pictures):
        for picture in pictures:
            assert drawn.wait(5), "the encoder waits for a picture that is put after this one"
            seen.append(picture.sum())

    with Worker(slow) as film:
        film.put(np.zeros(3, np.uint8))
        film.put(np.ones(3, np.uint8))
        drawn.set()
    assert seen == [0, 3]
