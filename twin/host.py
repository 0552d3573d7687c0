"""Where a model lives: inline, or in a process of its own with its port arrays in shared memory."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from twin.errors import EngineFailure, TwinError
from twin.model import Account, Model, Setup, Snapshot
from twin.ports import Report
from twin.registry import registered

log = logging.getLogger(__name__)
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


NOTHING: Mapping[str, np.ndarray] = {}


@dataclass(slots=True)
class Reply:
    """What a model says after a step: whether outputs can have moved, and what it wants to tell."""

    moved: bool = False
    next_s: int | None = None
    notices: Sequence[Report] = ()
    degraded: Sequence[Report] = ()
    records: Mapping[str, np.ndarray] = field(default_factory=lambda: NOTHING)
    took_s: float = 0.0


Verb = tuple[str, dict[str, Any]]


class Inline:
    """A model in this process."""

    kind = "inline"

    def __init__(self, model: Model) -> None:
        self.model, self.arrays = model, model.arrays
        cls = type(model)
        self.still = cls.advance is Model.advance
        self.gives = [name for name, flow in cls.flows.items() if flow.gives]
        self.has_next = cls.next_s is not Model.next_s
        self._reply = Reply()

    def start_open(self) -> None:
        """Start the engine."""
        self._guarded(self.model.open)

    def finish_open(self) -> None:
        """Return when the engine has started: at once."""

    def start_advance(self, until_s: int, verbs: Sequence[Verb], records: Mapping[str, list[np.ndarray]]) -> None:
        """Move to `until_s` under the inputs held, then apply `verbs`."""
        model = self.model
        started = time.perf_counter()
        for name, arrays in records.items():
            for array in arrays:
                model.boxes[name].emit(array)
        moved = False
        if until_s > model.now_s:
            if not self.still:
                moved = self._guarded(model.advance, until_s) is not False
            model.now_s = until_s
        for name, arguments in verbs:
            self._guarded(model.actions[name].method, model, **arguments)
            moved = True
        self._reply = self._said(moved, started)

    def finish(self) -> Reply:
        """Return what came of the last step."""
        return self._reply

    def start_solve(self) -> None:
        """Write the outputs."""
        started = time.perf_counter()
        self._guarded(self.model.solve)
        self._reply = self._said(False, started)

    def _guarded(self, call: Any, *args: Any, **rest: Any) -> Any:
        try:
            return call(*args, **rest)
        except (TwinError, KeyboardInterrupt):
            raise
        except Exception as error:
            log.debug("in %s", self.model.name, exc_info=True)
            raise self.model.fail(f"{type(error).__name__}: {error}") from error

    def _said(self, moved: bool, started: float) -> Reply:
        model = self.model
        reply = Reply(moved, model.next_s() if self.has_next else None, (), (), NOTHING)
        if model.notices:
            reply.notices, model.notices = model.notices, []
        if model.degraded:
            reply.degraded, model.degraded = model.degraded, []
        if self.gives:
            reply.records = {name: records for name in self.gives if len(records := model.boxes[name].take())}
        reply.took_s = time.perf_counter() - started
        return reply

    def positions(self) -> np.ndarray:
        """Return the moving things now."""
        return self.model.positions()

    def ledger(self) -> list[Account]:
        """Return the conserved quantities since the start."""
        return self.model.ledger()

    def waiting(self) -> dict[str, int]:
        """Return, per incoming flow, how many records were delivered and not yet taken."""
        return {name: sum(map(len, self.model.boxes[name].waiting)) for name, flow in self.model.flows.items() if not flow.gives}

    def snapshot(self) -> Snapshot:
        """Return the model's whole state."""
        return self.model.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Bring the freshly opened model to a snapshot."""
        self.model.restore(snapshot)

    def close(self) -> None:
        """End the engine."""
        self.model.close()


class Process:
    """A model in a child process: one message a step, arrays in shared memory, a watchdog on every wait."""

    kind = "process"

    def __init__(self, model: Model, type_name: str, *, watchdog_s: float = 120.0) -> None:
        self.model, self.type_name, self.watchdog_s = model, type_name, watchdog_s
        self.memory = _memory(sum(array.nbytes + 64 for array in model.arrays.values()))
        self.arrays = model.arrays = _lay(model.arrays, self.memory[1])
        self.child: subprocess.Popen[bytes] | None = None
        self.tripped = False

    def start_open(self) -> None:
        """Start the child and its engine; returns at once, `finish_open` waits."""
        mine, theirs = socket.socketpair()
        fds = (theirs.fileno(), self.memory[0])
        scratch = self.model.setup.scratch
        scratch.mkdir(parents=True, exist_ok=True)
        with (scratch / "host.log").open("wb") as out:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "twin.host", *map(str, fds), str(os.getpid())],
                pass_fds=fds,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)},
            )
        theirs.close()
        self.pipe = Connection(mine.detach())
        self._send("open", self.type_name, self.model.setup)

    def finish_open(self) -> None:
        """Wait until the engine has started."""
        self._receive()

    def start_advance(self, until_s: int, verbs: Sequence[Verb], records: Mapping[str, list[np.ndarray]]) -> None:
        """Send the child on its way to `until_s`; `finish` waits for it."""
        self._send("advance", until_s, list(verbs), dict(records))

    def start_solve(self) -> None:
        """Ask the child for its outputs; `finish` waits for them."""
        self._send("solve")

    def finish(self) -> Reply:
        """Wait for the child, with the watchdog's patience."""
        reply = self._receive()
        self.model.now_s = reply[0]
        return reply[1]  # type: ignore[no-any-return]

    def positions(self) -> np.ndarray:
        """Return the moving things now."""
        return self._ask("positions")  # type: ignore[no-any-return]

    def ledger(self) -> list[Account]:
        """Return the conserved quantities since the start."""
        return self._ask("ledger")  # type: ignore[no-any-return]

    def waiting(self) -> dict[str, int]:
        """Return, per incoming flow, how many records were delivered and not yet taken."""
        return self._ask("waiting")  # type: ignore[no-any-return]

    def snapshot(self) -> Snapshot:
        """Return the model's whole state."""
        return self._ask("snapshot")  # type: ignore[no-any-return]

    def restore(self, snapshot: Snapshot) -> None:
        """Bring the freshly opened model to a snapshot."""
        self._ask("restore", snapshot)
        self.model.now_s = snapshot["now_s"]

    def close(self) -> None:
        """End the engine and the child, whatever state it is in."""
        if self.child is None:
            return
        if self.child.poll() is None and not self.tripped:
            with contextlib.suppress(EngineFailure, OSError):
                self._ask("close")
        self.kill()
        self.pipe.close()
        self.child = None

    def kill(self) -> None:
        """SIGKILL is the only end that works on a stopped engine."""
        if self.child is not None:
            self.child.kill()
            self.child.wait()

    def _ask(self, verb: str, *arguments: Any) -> Any:
        self._send(verb, *arguments)
        return self._receive()

    def _send(self, verb: str, *arguments: Any) -> None:
        try:
            self.pipe.send((verb, *arguments))
        except OSError:
            raise self._died() from None

    def _receive(self) -> Any:
        try:
            if not self.pipe.poll(self.watchdog_s):
                self.tripped = True
                self.kill()
                raise self.model.fail(f"did not answer within {self.watchdog_s:g} s of wall time and was ended")
            answer, value = self.pipe.recv()
        except (EOFError, OSError):
            raise self._died() from None
        if answer == "error":
            error, trace = value
            log.debug("in the process of %s:\n%s", self.model.name, trace)
            raise error
        return value

    def _died(self) -> EngineFailure:
        self.tripped = True
        code = self.child.wait() if self.child else None
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        tail = (self.model.setup.scratch / "host.log").read_text(errors="replace").strip().splitlines()[-1:]
        return self.model.fail(f"its process ended {how}" + (f"; it said last: {tail[0]}" if tail else ""))


def _memory(size: int) -> tuple[int, mmap.mmap]:
    """Return the descriptor and the map of anonymous memory that a child can inherit."""
    fd = os.memfd_create("twin-ports")
    os.ftruncate(fd, max(size, 1))
    return fd, mmap.mmap(fd, max(size, 1))


def _lay(arrays: Mapping[str, np.ndarray], memory: mmap.mmap) -> dict[str, np.ndarray]:
    """Lay copies of `arrays` into shared memory, in order of name, each on a cache line of its own."""
    laid, offset = {}, 0
    for name in sorted(arrays):
        array = arrays[name]
        laid[name] = np.frombuffer(memory, array.dtype, len(array), offset)
        offset += -(-array.nbytes // 64) * 64
        laid[name][...] = array
    return laid


def model_class(type_name: str) -> type[Model]:
    """Load the model registered as `type_name` in the entry points of group `twin.models`."""
    return next(found for found in registered("twin.models") if found.name == type_name).load()  # type: ignore[no-any-return]


def _die_with_parent(parent: int) -> None:
    """Have the kernel end this process with its parent, also while the engine holds the interpreter."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def serve(pipe: Connection, memory: mmap.mmap) -> None:
    """Answer one message after another until the parent closes the pipe."""
    host: Inline | None = None
    while True:
        try:
            verb, *arguments = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            if verb == "open":
                host = _hosted(arguments[0], arguments[1], memory)
                value: Any = None
            else:
                assert host is not None
                value = _answer(host, verb, arguments)
            pipe.send(("done", value))
        except TwinError as error:
            pipe.send(("error", (error, traceback.format_exc())))
        except Exception as error:  # noqa: BLE001 - whatever an engine raises goes back as data
            failure = (
                EngineFailure(type(error).__name__, str(error)) if host is None else host.model.fail(f"{type(error).__name__}: {error}")
            )
            pipe.send(("error", (failure, traceback.format_exc())))


def _hosted(type_name: str, setup: Setup, memory: mmap.mmap) -> Inline:
    model = model_class(type_name)(setup)
    model.arrays = _lay(model.arrays, memory)
    host = Inline(model)
    host.start_open()
    return host


def _answer(host: Inline, verb: str, arguments: list[Any]) -> Any:
    if verb == "advance":
        host.start_advance(*arguments)
        return host.model.now_s, host.finish()
    if verb == "solve":
        host.start_solve()
        return host.model.now_s, host.finish()
    return getattr(host, verb)(*arguments)


def main() -> None:
    """Run as `python -m twin.host PIPE MEMORY PARENT`: the child's side."""
    pipe_fd, memory_fd, parent = map(int, sys.argv[1:4])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent(parent)
    threading.current_thread().name = "twin.host"
    serve(Connection(pipe_fd), mmap.mmap(memory_fd, 0))


if __name__ == "__main__":
    # what is pickled must name this module as the parent knows it, not `__main__`
    import_module("twin.host").main()
