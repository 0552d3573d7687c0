"""Whatever is wrong with what somebody asks a view for: one line, exit code 2 or 4, nothing left behind."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import town

from twin.cli import main

COMMANDS = {
    "view": (),
    "shot": ("--size", "320x180", "-o", "out.png"),
    "movie": ("--size", "160x96", "--fps", "2", "--speed", "10x", "-o", "out.gif"),
    "replay": ("-o", "out.html"),
    "serve": (),
    "report": ("-o", "out.html"),
    "compare": ("-o", "out.html"),
}
WRITERS = [name for name, options in COMMANDS.items() if options]
LOOKERS = ("view", "shot", "movie", "serve")


class Said(NamedTuple):
    """How a command ended: its exit code and its lines on standard error."""

    code: int
    lines: list[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return town.write(tmp_path_factory.mktemp("runs") / "town")


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in, without a display."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "here"


@pytest.fixture
def twin(place, capfd) -> Callable[..., Said]:
    """Run the command line; what it leaves in the folder is checked at once."""

    def run(*words: object) -> Said:
        before = tree(place)
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        said = capfd.readouterr()
        code = ended.value.code or 0
        lines = [line for line in said.err.splitlines() if line.strip() and "vtkXOpenGLRenderWindow" not in line]
        assert "Traceback" not in said.err + said.out
        if code:
            assert tree(place) == before, "something is left behind"
        return Said(code, lines)

    return run


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def words(command: str, run: Path | str, *more: object) -> list[object]:
    """Return a command line on a run; `compare` gets it twice."""
    return [command, run, *([run] if command == "compare" else []), *COMMANDS[command], *more]


def is_one_line(said: Said, *wanted: str) -> None:
    assert said.code in (2, 4), said
    assert len(said.lines) == 1, said.lines
    for part in wanted:
        assert part in said.lines[0], said.lines[0]


# -- runs that are none -----------------------------------------------------------------------------------------------


def empty(folder: Path) -> None:
    folder.mkdir()


def a_file(folder: Path) -> None:
    folder.write_text("I am a file")


def cut_manifest(folder: Path) -> None:
    town.write(folder, duration_s=20)
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text[: len(text) // 2])


def list_for_a_manifest(folder: Path) -> None:
    folder.mkdir()
    (folder / "manifest.json").write_text("[1, 2]")


def other_format(folder: Path) -> None:
    folder.mkdir()
    (folder / "manifest.json").write_text('{"format": 99}')


def impossible_numbers(folder: Path) -> None:
    town.write(folder, duration_s=20)
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"record_every_s": 10', '"record_every_s": 0'))


def damaged_ground(folder: Path) -> None:
    town.write(folder, duration_s=20)
    (folder / "static" / "city" / "city.json").write_text('{"name": ')


def damaged_sheet(folder: Path) -> None:
    town.write(folder, duration_s=20)
    (folder / "static" / "lamps.json").write_bytes(b"\xff\x00")


def nothing_recorded(folder: Path) -> None:
    town.start(folder).finish("interrupted")


BAD_RUNS = {
    "missing": (lambda folder: None, "no such folder"),
    "empty": (empty, "is no run"),
    "file": (a_file, ""),
    "cut": (cut_manifest, "manifest.json: is damaged"),
    "list": (list_for_a_manifest, "manifest.json: is damaged"),
    "format": (other_format, "is a run of format 99"),
    "numbers": (impossible_numbers, "is damaged: ValueError recorded every 0 s"),
    "ground": (damaged_ground, "city.json"),
    "sheet": (damaged_sheet, "lamps.json"),
    "nothing": (nothing_recorded, "nothing"),
}


@pytest.mark.parametrize(
    ("command", "bad"),
    [(command, bad) for command in COMMANDS for bad in BAD_RUNS if (command, bad) != ("view", "sheet")],  # it asks for a display first
)
def test_a_folder_that_is_no_run_or_a_damaged_one_is_one_line(twin, tmp_path, command, bad):
    make, wanted = BAD_RUNS[bad]
    make(tmp_path / "bad")
    said = twin(*words(command, tmp_path / "bad"))
    if bad == "nothing" and said.code == 0:
        assert command in ("report", "compare"), "a document can say that nothing was recorded; a picture cannot"
        assert "nothing" in (tmp_path / "here" / "out.html").read_text()
    else:
        is_one_line(said, wanted, str(tmp_path / "bad"))


# -- what is asked of a run -------------------------------------------------------------------------------------------

BAD_OPTIONS = [
    *[
        (command, ("--at", "23:30"), "23:30 is outside the run: recorded from 21:30:00 to 21:40:00")
        for command in ("view", "shot", "serve")
    ],
    *[(command, ("--at", "noonish"), "noonish") for command in ("view", "shot", "serve")],
    *[(command, ("--layers", "lampz"), "no layer 'lampz'; did you mean 'lamps'?") for command in (*LOOKERS, "replay")],
    *[(command, ("--camera", "cornet"), "no camera 'cornet'; did you mean 'corner'?") for command in LOOKERS],
    *[(command, ("--look", "nite"), "no look 'nite'; did you mean 'night'?") for command in LOOKERS],
    *[(command, ("--size", size), "--size") for command in ("shot", "movie") for size in ("big", "0x0", "99999x99999", "640")],
    ("movie", ("--from", "23:30"), "outside the run"),
    ("movie", ("--from", "21:35", "--to", "21:31"), "must end after it begins"),
    *[("movie", ("--speed", speed), "--speed") for speed in ("fast", "0x", "-3x", "nan")],
    ("movie", ("--speed", "0.001x"), "pictures"),
    ("replay", ("--language", "fr"), "no language 'fr'"),
    ("replay", ("--beside", "nowhere"), "no such folder"),
    ("serve", ("--host", "no.such.host.invalid"), "cannot be listened at"),
]


@pytest.mark.parametrize(("command", "options", "wanted"), BAD_OPTIONS, ids=lambda said: said if isinstance(said, str) else " ".join(said))
def test_what_is_not_there_is_one_line_with_what_would_be_right(twin, folder, command, options, wanted):
    said = twin(*words(command, folder, *options))
    is_one_line(said, wanted)
    assert said.code == (4 if wanted == "no such folder" else 2)


@pytest.mark.parametrize(
    "options", [("movie", "--fps", "0"), ("movie", "--fps", "many"), ("serve", "--port", "70000"), ("shot", "--colour", "x")]
)
def test_what_the_command_line_itself_refuses_exits_with_2(twin, folder, options):
    command, *rest = options
    said = twin(*words(command, folder, *rest))
    assert said.code == 2
    assert any(rest[0] in line for line in said.lines)


def test_a_window_without_a_display_is_one_line(twin, folder):
    is_one_line(twin("view", folder), "there is no display", "twin serve")


# -- where it is to be written ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", WRITERS)
def test_a_format_it_does_not_write_is_one_line(twin, folder, command):
    for name in ("out.xyz", "out"):
        said = twin(*words(command, folder)[:-1], name)
        is_one_line(said, name)
        assert said.code == 2


@pytest.mark.parametrize("command", WRITERS)
def test_a_target_that_is_a_folder_or_lies_in_none_is_one_line(twin, folder, place, command):
    name = COMMANDS[command][-1]
    (place / name).mkdir()
    is_one_line(twin(*words(command, folder)), name, "is a folder")
    is_one_line(twin(*words(command, folder)[:-1], f"nowhere/{name}"), "there is no folder nowhere")


@pytest.mark.parametrize("command", WRITERS)
def test_a_target_that_may_not_be_written_is_one_line(twin, folder, place, command, monkeypatch):
    name = COMMANDS[command][-1]
    (place / "closed").mkdir()
    (place / "closed").chmod(0o500)
    if os.access(place / "closed", os.W_OK):  # root may write anywhere: a folder of the kernel's that takes no file
        said = twin(*words(command, folder)[:-1], f"/proc/{name}")
    else:
        said = twin(*words(command, folder)[:-1], f"closed/{name}")
    is_one_line(said, name, "cannot be written")
    assert said.code == 4


@contextmanager
def small_disk() -> Iterator[None]:
    """No file may grow beyond 6 kB: the system refuses the rest as a full disk does, in the middle of writing.

    Nor may the tests' own log, so this must end before a test does.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


FULL = {"shot": "out.png", "movie": "out.gif", "replay": "out.html", "report": "out.html", "compare": "out.html"}


@pytest.mark.parametrize(("command", "name"), [*FULL.items(), ("report", "out.pdf"), ("report", "out.md"), ("movie", "out.mp4")])
def test_a_disk_that_takes_no_more_is_one_line_and_nothing_half_written_is_left(twin, folder, place, command, name):
    with small_disk():
        said = twin(*words(command, folder)[:-1], name)
    is_one_line(said, name)
    assert said.code == 4


@pytest.mark.parametrize("command", WRITERS)
def test_what_stood_there_before_stays_when_the_disk_takes_no_more(twin, folder, place, command):
    name = FULL[command]
    (place / name).write_text("what stood there")
    with small_disk():
        said = twin(*words(command, folder))
    assert said.code == 4
    assert (place / name).read_text() == "what stood there"


# -- runs that were cut short work ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cut_short(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "cut"
    town.go_on(town.start(folder), last_s=320).commit(320)
    return folder


@pytest.mark.parametrize("command", WRITERS)
def test_a_run_that_is_still_going_shows_what_is_there(twin, cut_short, place, command):
    said = twin(*words(command, cut_short))
    assert said.code == 0, said
    assert (place / COMMANDS[command][-1]).stat().st_size > 500


def test_a_report_of_a_run_that_is_still_going_says_so(twin, cut_short, place):
    assert twin("report", cut_short, "-o", "out.md").code == 0
    text = (place / "out.md").read_text()
    assert "unfinished" in text
    assert "21:35" in text


def test_a_run_can_be_looked_at_where_nothing_may_be_written_to_it(twin, folder, place, tmp_path):
    shutil.copytree(folder, tmp_path / "kept")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").rglob("*")}
    for command in ("shot", "replay", "report"):
        assert twin(*words(command, tmp_path / "kept")).code == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").rglob("*")} == before
