"""Gives the command line hostile files and watches it: what it opens, starts and imports, what it touches outside, what it costs.

One child process imports everything once and forks for each case, so that a case costs what its reading costs and cannot
harm the next. An audit hook sees what Python does; inotify sees whoever else (an engine) touches the folder outside.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIMIT_S, LIMIT_BYTES = 2.0, 500e6
"""The most processor time and memory that reading a hostile file may take, beyond starting."""
DRAWS_S = 2.0
"""What drawing a report takes beyond reading it, where an input is harmless in truth: an unspoilt run takes as long."""
HANGS_S = 40
ROOM_BYTES = 3 * 2**30
"""Address space a case may take beyond what its parent holds: a bomb that goes off ends the case, not the machine."""

SECRET, MARK = "canary-7f3a91c4e2", "marked-by-hostile-code"
"""What lies in the file outside, and the file that code of a stranger would leave behind."""

_STARTS = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.startfile",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.bind",
)
_CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "shutil.rmtree")
_BENIGN = ("/usr", "/lib", "/etc", "/proc", "/sys", "/dev/null", "/dev/urandom", "/dev/shm", "/dev/tty")


@dataclass(frozen=True)
class Spot:
    """Where a case happens: its own folder, where the command runs, and a folder outside that nobody may touch."""

    folder: Path
    outside: Path

    def filled(self, text: str) -> str:
        """Return a text with the absolute path of the folder outside for `OUTSIDE`."""
        return text.replace("OUTSIDE", str(self.outside))


Spoil = Callable[[Spot], object]


@dataclass(frozen=True)
class Case:
    """A hostile input in one sentence: what is spoilt, what is then asked, and how that must end.

    `code` 0: harmless in truth, read as what it is. `said`: must stand in what is said.
    """

    reader: str
    what: str
    bed: str
    spoil: Spoil
    said: str
    argv: tuple[str, ...] = ("validate", "evening.yaml")
    code: int = 2

    def __str__(self) -> str:
        return f"{self.reader}: {self.what}"


@dataclass(frozen=True)
class Watched:
    """What came of a command: exit code, what it said, its costs, and everything it did that no reader does."""

    code: int
    out: str
    err: str
    cpu_s: float
    grown_bytes: int
    did: list[str]
    touched: list[str] = field(default_factory=list)


class Warden:
    """A process that runs one command at a time, each in a fork. `warm`: with all that commands import imported before."""

    def __init__(self, *, warm: bool) -> None:
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1"}
        self.child = subprocess.Popen(
            [sys.executable, __file__, "warm" if warm else "bare"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        )

    def run(self, argv: tuple[str, ...], spot: Spot) -> Watched:
        """Run `twin ARGV` in the spot's folder."""
        assert self.child.stdin is not None and self.child.stdout is not None
        with touches(spot.outside) as touched:
            self.child.stdin.write(json.dumps([list(argv), str(spot.folder)]) + "\n")
            self.child.stdin.flush()
            answer = self.child.stdout.readline()
        assert answer, "the warden itself has died"
        return Watched(**json.loads(answer), touched=touched)

    def close(self) -> None:
        """End the process."""
        assert self.child.stdin is not None
        self.child.stdin.close()
        self.child.wait(30)


@contextmanager
def touches(folder: Path) -> Any:
    """Collect the names in `folder` that any process opens, reads, writes or makes (inotify), in the order it happens."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.inotify_init1(os.O_NONBLOCK)
    if handle < 0 or libc.inotify_add_watch(handle, os.fsencode(folder), 0x1 | 0x2 | 0x20 | 0x100 | 0x200 | 0x80) < 0:
        raise OSError(ctypes.get_errno(), "inotify")
    found: list[str] = []
    try:
        yield found
    finally:
        try:
            held = os.read(handle, 65536)
        except BlockingIOError:
            held = b""
        os.close(handle)
        while held:
            mask, length = struct.unpack("iIII", held[:16])[1], struct.unpack("iIII", held[:16])[3]
            name = held[16 : 16 + length].rstrip(b"\0").decode(errors="replace")
            if name:  # opening the folder itself, to list it, has none
                found.append(f"{name} ({mask:#x})")
            held = held[16 + length :]


def lay(beds: dict[str, Path], case: Case, base: Path) -> Spot:
    """Copy the case's bed, put a secret outside, and spoil it."""
    spot = Spot(base / "case", base / "outside")
    shutil.copytree(beds[case.bed], spot.folder, symlinks=True)
    for plan in [*spot.folder.glob("*/sweep.json"), *spot.folder.glob("*/manifest.json")]:  # they say where their scenario lies
        plan.write_text(plan.read_text().replace(str(beds[case.bed]), str(spot.folder)))
    spot.outside.mkdir()
    (spot.outside / "secret.txt").write_text(SECRET)
    os.mkfifo(spot.outside / "fifo")
    (spot.folder / "evil.py").write_text(f"open({MARK!r}, 'w').close()\n")
    case.spoil(spot)
    return spot


def faults(case: Case, seen: Watched, spot: Spot, before: set[str]) -> list[str]:
    """Return everything in which a command did not do as a reader of hostile files must."""
    said, wrong = seen.out + seen.err, []
    if seen.code != case.code:
        wrong.append(f"exit code {seen.code} instead of {case.code}")
    if "Traceback" in said:
        wrong.append("a traceback")
    if case.said not in said:
        wrong.append(f"does not say {case.said!r}")
    if case.code and any(len(line) > 2000 or not line.strip() for line in seen.err.splitlines()):
        wrong.append("an empty or endless line")
    if case.code and any(not (c.isprintable() or c == "\n") for c in said):
        wrong.append("control characters in what it says")
    if case.code and seen.out:
        wrong.append("says something on stdout")
    if seen.did:
        wrong.append(f"did {seen.did[:5]}")
    if seen.touched:
        wrong.append(f"touched outside: {seen.touched[:5]}")
    if seen.cpu_s > LIMIT_S + (DRAWS_S if not case.code and case.argv[0] == "report" else 0):
        wrong.append(f"took {seen.cpu_s:.2f} s of processor time")
    if seen.grown_bytes > LIMIT_BYTES:
        wrong.append(f"took {seen.grown_bytes / 1e6:.0f} MB")
    after = names(spot.folder)
    if case.code and after != before:
        wrong.append(f"left {sorted(after ^ before)[:5]}")
    if any(path.endswith(MARK) for path in after) or (spot.outside / MARK).exists():
        wrong.append("ran hostile code")
    leaks = [name for name in after - before if (spot.folder / name).is_file() and SECRET.encode() in (spot.folder / name).read_bytes()]
    if leaks or SECRET in said:
        wrong.append(f"tells what lies outside, in {leaks or 'what it says'}")
    return wrong


def names(folder: Path) -> set[str]:
    """Return every path in a folder, from there."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


class _Hook:
    """Notes what no reader does: opening or changing what lies elsewhere, starting or reaching others."""

    def __init__(self, folder: str) -> None:
        home = str(Path.home())
        kept = (f"{home}/.cache", f"{home}/.config/matplotlib")
        roots = (folder, sys.prefix, sys.base_prefix, str(Path(__file__).parents[2]), tempfile.gettempdir(), *kept, *_BENIGN)
        self.roots = tuple(os.path.realpath(root) for root in (*roots, *filter(None, sys.path)))
        self.did: list[str] = []
        self.on, self.busy = True, False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on or self.busy or not (event == "open" or event in _STARTS or event in _CHANGES or event == "pickle.find_class"):
            return
        self.busy = True
        try:
            self.look(event, arguments)
        finally:
            self.busy = False

    def look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STARTS:
            if not (event == "subprocess.Popen" and list(arguments[1])[1:3] in (["-m", "twin.host"], ["-m", "twin.experiment"])):
                self.did.append(f"{event} {str(arguments[:2])[:200]}")
        elif event == "pickle.find_class":
            if not str(arguments[0]).startswith(
                ("numba", "models.", "numpy", "llvmlite", "builtins", "collections", "types", "copyreg", "_")
            ):
                self.did.append(f"{event} {arguments}")
        elif isinstance(arguments[0], str | bytes | os.PathLike):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if not path.startswith(tuple(root + os.sep for root in self.roots)) and path not in self.roots:
                self.did.append(f"{event} {path}")


def _run(argv: list[str], folder: str, answer: int) -> None:
    """Run one command in this fork, and say what came of it."""
    os.chdir(folder)
    streams = [tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") for _ in range(2)]  # noqa: SIM115 - the fork ends with them
    for number, stream in enumerate(streams, 1):
        os.dup2(stream.fileno(), number)
    from twin import cli

    scratch = tempfile.mkdtemp(prefix="hostile-")
    tempfile.tempdir = scratch
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for kind, most in ((resource.RLIMIT_AS, held + ROOM_BYTES), (resource.RLIMIT_FSIZE, 2**30), (resource.RLIMIT_CPU, HANGS_S)):
        resource.setrlimit(kind, (most, most))
    hook = _Hook(folder)
    sys.addaudithook(hook)
    before = resource.getrusage(resource.RUSAGE_SELF)
    try:
        cli.main(argv)
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    except BaseException:  # noqa: BLE001 - whatever a command lets through is what we look for
        traceback.print_exc()
        code = 1
    hook.on = False
    after = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu_s = sum(one.ru_utime + one.ru_stime for one in after) - before.ru_utime - before.ru_stime
    sys.stdout.flush()
    sys.stderr.flush()
    said = []
    for stream in streams:
        stream.seek(0)
        said.append(stream.read(1_000_000))
    shutil.rmtree(scratch, ignore_errors=True)
    grown = (max(one.ru_maxrss for one in after) - before.ru_maxrss) * 1024
    told = {"code": code, "out": said[0], "err": said[1], "cpu_s": cpu_s, "grown_bytes": max(0, grown), "did": hook.did}
    with os.fdopen(answer, "w") as pipe:
        json.dump(told, pipe)


def _fork(argv: list[str], folder: str) -> dict[str, Any]:
    """Fork, run a command there, and return what it says came of it; a case that hangs is ended."""
    theirs, ours = os.pipe()
    started, child = time.monotonic(), os.fork()
    if child == 0:
        os.close(theirs)
        os.setpgid(0, 0)
        signal.alarm(HANGS_S)
        try:
            _run(argv, folder, ours)
        finally:
            os._exit(0)
    os.close(ours)
    with os.fdopen(theirs) as pipe:
        text = pipe.read()
    status = os.waitpid(child, 0)[1]
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        text = text or ""
    if text:
        return dict(json.loads(text))
    how = f"died by signal {os.WTERMSIG(status)} after {time.monotonic() - started:.0f} s" if os.WIFSIGNALED(status) else "said nothing"
    return {"code": -1, "out": "", "err": how, "cpu_s": 0.0, "grown_bytes": 0, "did": []}


def _warm() -> None:
    """Import what commands import when they need it, and nothing that starts a thread."""
    import sixth

    sixth.register(None)
    import defusedxml.ElementTree
    import libsumo
    import pint
    import pyarrow.parquet
    import pyproj
    import ruamel.yaml
    import scipy.stats
    import xarray
    import zarr

    import models.crowd
    import models.gas
    import models.grid
    import models.traffic
    import models.water
    import models.water.engine
    import viz.compare
    import viz.replay
    import viz.report
    from twin import build, checkpoint, cli, inventory, report, results, scenario, simulation, sweeping, units

    cli.whole()
    units.registry()
    del defusedxml, libsumo, pint, pyarrow, pyproj, ruamel, scipy, xarray, zarr, models, viz
    del build, checkpoint, inventory, report, results, scenario, simulation, sweeping


def main() -> None:
    """Read commands from standard input, one a line, until it ends; answer each with a line."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if sys.argv[1] == "warm":
        _warm()
    for line in sys.stdin:
        argv, folder = json.loads(line)
        answers.write(json.dumps(_fork(argv, folder)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
