"""A run of five coupled models, ended in every rude way: killed, interrupted, stopped, or out of disk."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import demo_city
import numpy as np
import psutil
import pytest

import twin
from twin import checkpoint
from twin.storage import digests

TWIN = [str(Path(sys.executable).with_name("twin"))]
ONLY_TRAFFIC = [
    word for key in ("models.grid", "models.water", "models.gas", "models.crowd", "timeline") for word in ("--set", f"{key}=null")
]
PATIENCE_S = 60.0
MOMENTS = random.Random(20140816).sample(range(0, 3001), 6)
"""Milliseconds after the clock began to run (the first in every test run, the rest with `slow`)."""


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo city's scenario, an hour long and with two things that happen; run once before, so that nothing is left to compile."""
    file = demo_city.write(tmp_path_factory.mktemp("crash"))
    subprocess.run([*TWIN, "run", str(file), "-q", "--set", "duration=30 s", "--out", str(file.parent / "first")], check=True)
    text = file.read_text().replace("duration: 5 min", "duration: 60 min")
    file.write_text(
        text
        + 'timeline:\n  fault: {at: "+1 min", do: grid.fault, line: L2}\n  burst: {at: "+2 min", do: water.burst, pipe: P2, area: 50 cm2}\n'
    )
    return file


@contextlib.contextmanager
def running(evening: Path, out: Path, *words: str, **rest: Any) -> Iterator[subprocess.Popen[str]]:
    """Start `twin run` as the head of a process group of its own; what is left of the group is killed at the end."""
    command = [*TWIN, "run", str(evening), "--quiet", "--out", str(out), *words]
    child = subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, cwd=out.parent, **rest
    )
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def hosts_of(child: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the processes that models of a run live in."""
    return [one for one in psutil.Process(child.pid).children(recursive=True) if "twin.host" in one.cmdline()]


def until(true: Any, child: subprocess.Popen[str]) -> Any:
    """Wait until `true()` is, and return it."""
    end = time.monotonic() + PATIENCE_S
    while not (found := true()):
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def begun(out: Path, child: subprocess.Popen[str]) -> list[psutil.Process]:
    """Wait until the clock runs: the traffic's process has stepped SUMO, and the folder is there."""
    until((out / "manifest.json").exists, child)
    return until(lambda: [one for one in hosts_of(child) if one.cpu_times().user > 0.6], child)


def committed_s(out: Path) -> int:
    """Return the second up to which a run is on disk."""
    return int(json.loads((out / "manifest.json").read_text())["committed_s"])


def check_that_it_opens(out: Path) -> twin.Run:
    """Open a run and read all of it: whole up to the committed second, and nothing after."""
    run = twin.open_run(out)
    assert set(run.models) == {"traffic", "grid", "water", "gas", "crowd"}
    assert list(run.times_s) == [t for t in run.times_s if t <= run.committed_s]
    assert (run.events["t_seen_s"] <= run.committed_s).all()
    for model in run.models:
        fields = run.fields[model].load()
        assert fields.sizes["time"] == len(run.times_s)
    if len(run.times_s):
        assert run.times_s[-1] == run.committed_s
        assert np.isfinite(run.fields["grid"].vm_pu.values).all()
        assert len(run.tracks("traffic")) == 0 or run.tracks("traffic")["time"].max() <= run.time(run.committed_s)
    return run


@pytest.mark.parametrize(
    ("number", "after_ms"), [pytest.param(i, after, marks=[] if i < 1 else [pytest.mark.slow]) for i, after in enumerate(MOMENTS)]
)
def test_a_run_killed_at_any_moment_opens_and_leaves_no_process(evening: Path, tmp_path: Path, number: int, after_ms: int) -> None:
    out = tmp_path / "run"
    with running(evening, out, "--set", "record_every=1 s") as child:
        hosts = begun(out, child)
        if number % 2 == 0:
            until(lambda: committed_s(out) > 0, child)
        time.sleep(after_ms / 3000)
        before = committed_s(out)
        if number % 3 == 1:
            child.kill()  # the parent alone: its children must see to themselves
        else:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait(10)
        assert psutil.wait_procs(hosts, timeout=10)[1] == []
    run = check_that_it_opens(out)
    assert run.status == "unfinished"
    assert run.committed_s >= before


def test_a_second_run_in_the_folder_of_a_killed_one_is_refused(evening: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with running(evening, out, *ONLY_TRAFFIC) as child:
        until((out / "manifest.json").exists, child)
    done = subprocess.run([*TWIN, "run", str(evening), "--out", str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "exists already" in done.stderr


def test_ctrl_c_keeps_what_was_recorded_and_exits_130(evening: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with running(evening, out, "--checkpoint-every", "10 s") as child:
        hosts = begun(out, child)
        until(lambda: checkpoint.moments_s(out), child)
        os.killpg(child.pid, signal.SIGINT)  # as a terminal does: to the whole group
        said, wrong = child.communicate(timeout=30)
        assert (child.returncode, said, wrong) == (130, "", f"interrupted; what was recorded is kept; `twin resume {out}` goes on\n")
        assert psutil.wait_procs(hosts, timeout=5)[1] == []
    run = check_that_it_opens(out)
    assert run.status == "interrupted"
    assert run.committed_s >= 0
    assert not (out / "scratch").exists()
    assert run.ledger["closes"].all()


@pytest.mark.parametrize("after_s", [0.4, 0.8, *(pytest.param(one / 20, marks=pytest.mark.slow) for one in range(5, 80, 2))])
def test_ctrl_c_while_it_starts_is_no_traceback(evening: Path, tmp_path: Path, after_s: float) -> None:
    with running(evening, tmp_path / "run") as child:
        until(lambda: psutil.Process(child.pid).cpu_times().user > after_s, child)
        os.killpg(child.pid, signal.SIGINT)
        _, wrong = child.communicate(timeout=30)
    assert child.returncode == 130, wrong
    assert len(wrong.splitlines()) == 1
    assert wrong.startswith("interrupted")


def test_an_engine_that_hangs_is_named_with_its_time(evening: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with running(evening, out, *ONLY_TRAFFIC, "--watchdog", "3") as child:
        (host,) = begun(out, child)
        until(lambda: committed_s(out) >= 0, child)  # an engine that still opens is given longer
        host.suspend()
        _, wrong = child.communicate(timeout=30)
        assert child.returncode == 3
        assert not host.is_running()
    assert "traffic (libsumo) at t=" in wrong
    assert "did not answer within 3 s of wall time" in wrong
    assert len(wrong.splitlines()) == 1
    assert twin.open_run(out).status == "failed"


def test_an_engine_that_dies_is_named_with_its_time(evening: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with running(evening, out) as child:
        (host,) = begun(out, child)
        host.kill()
        _, wrong = child.communicate(timeout=30)
        assert child.returncode == 3
    assert "traffic (libsumo) at t=" in wrong
    assert "its process ended by signal 9" in wrong
    assert len(wrong.splitlines()) == 1
    run = check_that_it_opens(out)
    assert run.status == "failed"
    assert "signal 9" in run.manifest["error"]


def _files_no_larger_than(size: int) -> Any:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.parametrize("size", [2_000, *(pytest.param(size, marks=pytest.mark.slow) for size in (20_000, 300_000))])
def test_a_disk_that_fills_is_named_and_exits_4(evening: Path, tmp_path: Path, size: int) -> None:
    """No file may be larger: the manifest, a copy of the network for SUMO, or tracks are refused as on a full disk."""
    out = tmp_path / "run"
    with running(evening, out, "--set", "record_every=1 s", preexec_fn=_files_no_larger_than(size)) as child:
        said, wrong = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 4, wrong
    assert "cannot be written" in wrong
    assert len(wrong.splitlines()) == 1
    assert said == ""


@pytest.mark.slow
def test_a_full_file_system_is_named_and_what_was_committed_opens(evening: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    try:
        with running(evening, disk / "run", "--set", "record_every=1 s") as child:
            _, wrong = child.communicate(timeout=PATIENCE_S)
        assert child.returncode == 4, wrong
        if (disk / "run" / "manifest.json").exists():
            check_that_it_opens(disk / "run")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


SETTINGS: dict[str, tuple[list[str], dict[str, str]]] = {
    "a": ([], {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"}),
    "an other place": (["--hosts", "inline"], {"PYTHONHASHSEED": "4711", "TZ": "America/St_Johns", "LC_ALL": "C.UTF-8"}),
    "an other seed": (["--hosts", "inline", "--set", "seed=2"], {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"}),
}


def test_the_same_seed_gives_the_same_bytes_wherever_and_however_it_runs(evening: Path, tmp_path: Path) -> None:
    children = {}
    for name, (words, environment) in SETTINGS.items():
        folder = tmp_path / name
        folder.mkdir()
        command = [*TWIN, "run", str(evening), "--quiet", "--set", "duration=4 min", "--out", str(folder / "run"), *words]
        children[name] = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **environment}, cwd=folder)
    for child in children.values():
        assert child.wait(4 * PATIENCE_S) == 0
    runs = [twin.open_run(tmp_path / name / "run") for name in SETTINGS]
    assert all(len(run.events) > 5 for run in runs)
    one, other, third = (digests(run.path) for run in runs)
    assert one == other
    assert {part for part in one if one[part] != third[part]} >= {"fields", "tracks", "scenario"}
