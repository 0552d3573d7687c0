"""One variant of a sweep, run in a process of its own: tried again when it fails, set aside when it keeps failing."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn

from twin.errors import InputError, StorageError, TwinError

TRIES = 3
"""A variant that failed so often is set aside with its log."""

FINISHED = ("done", "degraded")
PLAN, VARIANTS, SCENARIO = "sweep.json", "variants.jsonl", "scenario.yaml"
UNSTORED = "unstored"
"""A variant that could not be written or read, through no fault of its own: it is neither tried again nor set aside."""
LOOK_AGAIN_S = 0.2
"""How often it is looked whether another process has let go of a variant."""


@dataclass(frozen=True)
class Outcome:
    """What came of a variant: `done`, `degraded`, `poisoned`, `stopped` or `unstored`, after how many tries in this session, and why not.

    `code`: what its last process ended with; minus the number of a signal.
    """

    id: str
    status: str
    tries: int = 0
    said: str = ""
    code: int = 0


@dataclass
class Children:
    """The processes of a sweep that are running, so that they can be ended with it."""

    running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self, command: Sequence[str], log: IO[bytes]) -> int:
        """Run a command in a process group of its own, all it prints into `log`; return its exit code.

        Linux ends it with the thread that calls this, which waits for it here.
        """
        with self.lock:
            if self.stopped.is_set():
                return -signal.SIGTERM
            found = {**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
            child = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True, env=found
            )
            self.running.add(child)
        try:
            return child.wait()
        finally:
            with self.lock:
                self.running.discard(child)

    def stop(self) -> None:
        """End every running process with all that it started."""
        with self.lock:
            self.stopped.set()
            for child in self.running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)


def outcome_of(folder: Path, id: str) -> Outcome | None:
    """Return what came of a variant by its files; None when it is not finished."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        manifest = json.loads((folder / "runs" / id / "manifest.json").read_text("utf-8"))
        if manifest["status"] in FINISHED:
            return Outcome(id, manifest["status"])
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Outcome(**json.loads((folder / "poisoned" / f"{id}.json").read_text("utf-8")))
    return None


@contextlib.contextmanager
def _claimed(log: Path, children: Children) -> Iterator[IO[bytes] | None]:
    """Open a variant's log and hold it against any other process that would run the variant; None when the sweep was stopped.

    The process that runs it inherits the hold, which so outlasts a worker that is lost while its process goes on.
    """
    from twin.storage import storing

    with storing(log), log.open("ab") as file:
        while not children.stopped.is_set():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                children.stopped.wait(LOOK_AGAIN_S)
            else:
                yield file
                return
        yield None


def attempt(folder: Path, id: str, file: str, children: Children | None = None) -> Outcome:
    """Run one variant to its end, again when it failed, and set it aside after `TRIES`; what the user did wrong is not tried twice.

    Where a file cannot be written or read, it is left as it is.
    `folder`: the sweep's; `file`: the scenario's file, beside which its city is found.
    """
    children = children or Children()
    with _claimed(folder / "logs" / f"{id}.log", children) as log:
        if log is None:
            return Outcome(id, "stopped")
        if (already := outcome_of(folder, id)) is not None and already.status in FINISHED:
            return already
        said, out = "", folder / "runs" / id
        for number in range(1, TRIES + 1):
            shutil.rmtree(out, ignore_errors=True)
            start = log.seek(0, os.SEEK_END)
            code = children.run([sys.executable, "-m", "twin.attempt", str(folder), id, file, str(os.getpid())], log)
            if children.stopped.is_set():
                return Outcome(id, "stopped", number)
            if (found := outcome_of(folder, id)) is not None and found.status in FINISHED:
                (folder / "poisoned" / f"{id}.json").unlink(missing_ok=True)
                return Outcome(id, found.status, number)
            ended = f"ended by signal {-code}" if code < 0 else f"exit code {code}"
            said = _last_line(Path(log.name), start) or ended
            if code == StorageError.exit_code:
                return Outcome(id, UNSTORED, number, said if said != ended else f"{out}: cannot be written", code)
            log.write(f"-- try {number}: {ended}\n".encode())
            log.flush()
            if code == InputError.exit_code:
                break
        return set_aside(folder, Outcome(id, "poisoned", number, said, code))


def set_aside(folder: Path, outcome: Outcome) -> Outcome:
    """Keep that a variant cannot be finished, and why."""
    from twin.storage import canonical, storing, write_atomic

    with storing(folder):
        (folder / "poisoned").mkdir(exist_ok=True)
    write_atomic(folder / "poisoned" / f"{outcome.id}.json", (canonical(asdict(outcome)) + "\n").encode())
    return outcome


def _last_line(log: Path, start: int) -> str:
    """Return the last line that was printed into a log from a position on."""
    with log.open("rb") as file:
        file.seek(max(start, file.seek(0, os.SEEK_END) - 4096))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else ""


def variant_of(folder: Path, id: str) -> dict[str, Any]:
    """Return a variant's line of the plan: `id`, `values`, `seed`; StorageError when it is not there."""
    from twin.storage import storing

    path = folder / VARIANTS
    with storing(path, "cannot be read"), path.open("rb") as file:
        opening = f'{{"id":"{id}"'.encode()
        for line in file:
            if line.startswith(opening):
                found: dict[str, Any] = json.loads(line)
                return found
    raise StorageError(f"{path}: has no variant {id}")


def run(folder: Path, id: str, file: Path) -> None:
    """Run one variant in this process, its models inline."""
    from twin import rehearse, scenario
    from twin.sweep import Variant

    plan = json.loads((folder / PLAN).read_text("utf-8"))
    variant = scenario.read(folder / SCENARIO, beside=file).with_(**Variant(**variant_of(folder, id)).changes())
    out = folder / "runs" / id
    if plan["branch"]:
        rehearse.branch(plan["branch"]["run"], plan["branch"]["at_s"], variant, out, hosts="inline", checkpoint_every_s=0)
    else:
        rehearse.simulate(variant, out, hosts="inline")


def main() -> None:
    """Run one variant: `python -m twin.attempt SWEEP ID FILE_THE_SCENARIO_LIES_BESIDE PARENT`; ends with the parent's thread."""
    from twin.host import die_with_parent
    from twin.inline import FULL

    folder, id, file, parent = sys.argv[1:5]
    die_with_parent(int(parent))
    try:
        run(Path(folder), id, Path(file))
    except TwinError as error:
        _end(error, error.exit_code)
    except OSError as error:
        if error.errno not in FULL:
            raise
        _end(f"{error.filename or folder}: cannot be written: {error.strerror}", StorageError.exit_code)


def _end(said: object, code: int) -> NoReturn:
    """Say why and end with a code, which holds also where a full disk takes no more of the log."""
    with contextlib.suppress(OSError):
        os.write(sys.stderr.fileno(), f"{said}\n".encode())
    sys.exit(code)


if __name__ == "__main__":
    main()
