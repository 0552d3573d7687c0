"""`twin shot`: a still from the command line, and one line for whoever asks for what cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import town
from PIL import Image

from twin.cli import main
from twin.errors import InputError
from twin.results import Run, open_run
from viz import preflight
from viz.shot import eventful, shot

SMALL = ["--size", "320x200"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return town.write(tmp_path_factory.mktemp("runs") / "town")


@pytest.fixture(scope="module")
def run(folder) -> Run:
    return open_run(folder)


def twin(*said: object) -> int:
    """Run the command line and return its exit code."""
    with pytest.raises(SystemExit) as left:
        main([str(one) for one in said])
    return int(left.value.code or 0)


def test_a_shot_is_a_picture_of_the_moment_size_and_layers_asked_for(folder, tmp_path, capsys):
    out = tmp_path / "out.png"
    assert twin("shot", folder, "--at", "21:32", "--camera", "corner", "--layers", "buildings,folk", *SMALL, "-o", out) == 0
    assert capsys.readouterr().out.strip() == str(out)
    picture = np.asarray(Image.open(out))
    assert picture.shape == (200, 320, 3) and len(np.unique(picture.reshape(-1, 3), axis=0)) > 100
    assert [one.name for one in tmp_path.iterdir()] == ["out.png"]


def test_without_a_time_a_shot_shows_the_first_thing_done_to_the_city(run, tmp_path):
    assert eventful(run) == town.FAULT_S
    shot(run, tmp_path / "a.png", size=(320, 200))
    shot(run, tmp_path / "b.png", at="21:35", size=(320, 200))
    a, b = (np.asarray(Image.open(tmp_path / name).convert("RGB"), int) for name in ("a.png", "b.png"))
    assert np.abs(a - b).max() < 12, "ambient occlusion is not the same to the last bit from one still to the next"


def test_without_a_time_a_run_in_which_nothing_was_done_is_shown_at_its_end(tmp_path):
    town.go_on(town.start(tmp_path / "calm"), last_s=200).finish("failed", error="an engine died")
    assert eventful(open_run(tmp_path / "calm")) == 200


@pytest.mark.parametrize(
    ("said", "right", "code"),
    [
        (["--layers", "lamsp"], "no layer 'lamsp'; did you mean 'lamps'?", 2),
        (["--camera", "cornr"], "no camera 'cornr'; did you mean 'corner'?", 2),
        (["--at", "23:10"], "23:10 is outside the run: recorded from 21:30:00 to 21:40:00", 2),
        (["--look", "dusk"], "no look 'dusk'", 2),
        (["-o", "nowhere/out.png"], "there is no folder nowhere", 2),
        (["-o", "out.pngg"], "did you mean '.png'?", 2),
        (["--size", "9x9"], "--size 9x9", 2),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(folder, tmp_path, monkeypatch, capsys, said, right, code):
    monkeypatch.chdir(tmp_path)
    assert twin("shot", folder, *said, *([] if "--size" in said else SMALL)) == code
    words = capsys.readouterr().err.strip()
    assert right in words and "\n" not in words
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_no_run_is_refused(tmp_path, capsys):
    assert twin("shot", tmp_path, *SMALL) == 4
    assert "is no run" in capsys.readouterr().err


def test_a_full_disk_leaves_nothing_behind(folder, tmp_path):
    """A limit on the size of files stands for the end of the disk."""
    code = (
        "import resource, sys\n"
        "from viz.scene import Scene\nfrom twin.results import open_run\n"
        f"shown = Scene(open_run({str(folder)!r}), size=(320, 200)).at('21:32')\n"
        "shown.picture()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from twin.errors import StorageError\n"
        "try:\n    shown.save('out.png')\n"
        "except StorageError as error:\n    print(error)\n    sys.exit(error.exit_code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 4, done.stderr
    assert "out.png: cannot be written" in done.stdout
    assert not list(tmp_path.iterdir())


# -- before VTK may end the process -----------------------------------------------------------------------------------


@pytest.fixture
def afresh():
    preflight.require_rendering.cache_clear()
    yield
    preflight.require_rendering.cache_clear()


def test_where_3d_can_be_drawn_the_preflight_passes_and_asks_once(afresh, monkeypatch):
    preflight.require_rendering()
    monkeypatch.setattr(preflight, "CHILD", "raise SystemExit(1)")
    preflight.require_rendering()
    asked = preflight.require_rendering.cache_info()
    assert (asked.misses, asked.hits) == (1, 1)


@pytest.mark.parametrize("missing", ["__EGL_VENDOR_LIBRARY_FILENAMES", "LIBGL_DRIVERS_PATH"])
def test_where_vtk_segfaults_the_command_names_the_packages_and_leaves_with_2(folder, tmp_path, missing):
    """Without a vendor of EGL, or without Mesa's drivers, VTK ends its process; it must not be ours."""
    environment = {key: value for key, value in os.environ.items() if key != "DISPLAY"} | {missing: "/nowhere"}
    command = [sys.executable, "-c", "from twin.cli import main; main()", "shot", str(folder), "-o", "out.png"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert preflight.PACKAGES in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("child", "why"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "VTK died of signal 11"),
        ("raise ImportError('libEGL')", "VTK draws nothing"),
        ("pass", "VTK draws nothing"),
        ("import time; time.sleep(60)", "VTK hangs"),
    ],
)
def test_a_child_that_does_not_draw_is_said_to_be_so(afresh, monkeypatch, child, why):
    monkeypatch.setattr(preflight, "CHILD", child)
    monkeypatch.setattr(preflight, "LIMIT_S", 1)
    with pytest.raises(InputError, match=why) as caught:
        preflight.require_rendering()
    assert preflight.PACKAGES in str(caught.value)
