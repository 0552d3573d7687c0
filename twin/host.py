"""Where a model lives: inline, or in a process of its own with its port arrays in shared memory."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import mmap
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from twin.errors import EngineFailure, EngineLost, TwinError
from twin.inline import Inline, Reply, Verb
from twin.model import Account, Model, Setup, Snapshot
from twin.registry import registered

log = logging.getLogger(__name__)
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
OPENING = 5
"""So many times the watchdog's patience an engine has to start: it imports, reads and compiles."""


class Process:
    """A model in a child process: one message a step, arrays in shared memory, a watchdog on every wait."""

    kind = "process"

    def __init__(self, model: Model, type_name: str, *, watchdog_s: float = 120.0) -> None:
        self.model, self.type_name, self.watchdog_s = model, type_name, watchdog_s
        self.memory_fd, memory = _memory(sum(array.nbytes + 64 for array in model.arrays.values()))
        self.arrays = model.arrays = _lay(model.arrays, memory)
        self.child: subprocess.Popen[bytes] | None = None
        # Linux ends a child with the thread that started it, so that thread must live as long as the host; what it blocks, the child does
        no_ctrl_c = (signal.SIG_BLOCK, (signal.SIGINT,))
        self.starter = ThreadPoolExecutor(1, "twin.host", initializer=signal.pthread_sigmask, initargs=no_ctrl_c)
        self.opening: Future[None] | None = None
        self.pending, self.tripped = 0, False

    @property
    def log(self) -> Path:
        """Where everything goes that the child prints."""
        return self.model.setup.scratch / "host.log"

    def start_open(self, snapshot: Snapshot | None = None) -> None:
        """Start the child and its engine, and bring that to a snapshot; returns at once, `finish_open` waits."""
        mine, theirs = socket.socketpair()
        for limit in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            mine.setsockopt(socket.SOL_SOCKET, limit, struct.pack("ll", int(self.watchdog_s), int(self.watchdog_s % 1 * 1e6)))
        fds = (theirs.fileno(), self.memory_fd)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with theirs, self.log.open("wb") as out:
            self.child = self.starter.submit(
                subprocess.Popen,
                [sys.executable, "-m", "twin.host", *map(str, fds), str(os.getpid())],
                pass_fds=fds,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)},
            ).result()
        self.pipe = Connection(mine.detach())
        self.pending += 1
        # a snapshot may be large, and a child that is only starting takes nothing yet: this process has other engines to open
        self.opening = self.starter.submit(self._say, "open", self.type_name, self.model.setup, snapshot)

    def finish_open(self) -> None:
        """Wait until the engine has started, and is where its snapshot was taken."""
        if self.opening is not None:
            self.opening.result()
        self.model.now_s = self._receive(self.watchdog_s * OPENING)

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

    def passed(self) -> dict[str, int]:
        """Return, per flow, how many records the model was ever given or ever gave, by its own count."""
        return self._ask("passed")  # type: ignore[no-any-return]

    def snapshot(self) -> Snapshot:
        """Return the model's whole state."""
        return self._ask("snapshot")  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the engine and the child, whatever state it is in; one that is still at work is not waited for."""
        try:
            if self.child is not None and self.child.poll() is None and not self.tripped and not self.pending:
                self._ask("close")
        finally:
            self.kill()
            self.starter.shutdown()
            self.child, self.tripped = None, True
            self._let_go()

    def _let_go(self) -> None:
        if self.memory_fd >= 0:
            os.close(self.memory_fd)
            self.memory_fd = -1
        if hasattr(self, "pipe"):
            self.pipe.close()

    def kill(self) -> None:
        """SIGKILL is the only end that works on a stopped engine."""
        if self.child is not None:
            self.child.kill()
            self.child.wait()

    def _ask(self, verb: str, *arguments: Any) -> Any:
        while self.pending and not self.tripped:  # of a step that was broken off between its question and its answer
            self._receive()
        self._send(verb, *arguments)
        return self._receive()

    def _send(self, verb: str, *arguments: Any) -> None:
        if self.tripped:
            raise self.model.fail("its process was ended")
        self.pending += 1
        self._say(verb, *arguments)

    def _say(self, verb: str, *arguments: Any) -> None:
        with self._whole():
            self.pipe.send((verb, *arguments))

    def _receive(self, patience_s: float | None = None) -> Any:
        patience_s = patience_s or self.watchdog_s
        if not self.pipe.poll(patience_s):
            raise self._hung(patience_s)
        with self._whole():
            answer, value = self.pipe.recv()
        self.pending -= 1
        if answer == "error":
            error, trace = value
            log.debug("in the process of %s:\n%s", self.model.name, trace)
            raise error
        return value

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """Let a message through as a whole; after half of one nothing can be said to the child any more."""
        try:
            yield
        except BlockingIOError:
            raise self._hung(self.watchdog_s) from None
        except (EOFError, OSError):
            raise self._died() from None
        except BaseException as error:
            self.tripped = True
            if not isinstance(error, Exception):
                raise
            raise self.model.fail(f"a message to or from its process cannot be read: {type(error).__name__}: {error}") from error

    def _hung(self, patience_s: float) -> EngineFailure:
        self.tripped = True
        self.kill()
        return self.model.fail(f"did not answer within {patience_s:g} s of wall time and was ended", kind=EngineLost)

    def _died(self) -> EngineFailure:
        self.tripped = True
        code = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self.child.wait(1.0) if self.child else None
        self.kill()
        how = "without a word" if code is None else f"by signal {-code}" if code < 0 else f"with exit code {code}"
        tail = _last_line(self.log)
        return self.model.fail(f"its process ended {how}" + (f"; it said last: {tail}" if tail else ""), kind=EngineLost)


def _last_line(log: Path) -> str:
    """Return the last line of what a child printed, which may be very long."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
        lines = file.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""
    return ""


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


def die_with_parent(parent: int) -> None:
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
                host = _hosted(arguments[0], arguments[1], arguments[2], memory)
                value: Any = host.model.now_s
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


def _hosted(type_name: str, setup: Setup, snapshot: Snapshot | None, memory: mmap.mmap) -> Inline:
    model = model_class(type_name)(setup)
    model.arrays = _lay(model.arrays, memory)
    host = Inline(model)
    host.start_open(snapshot)
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
    die_with_parent(parent)
    threading.current_thread().name = "twin.host"
    serve(Connection(pipe_fd), mmap.mmap(memory_fd, 0))


__all__ = ["Inline", "Process", "Reply", "Verb", "main", "model_class"]

if __name__ == "__main__":
    # what is pickled must name this module as the parent knows it, not `__main__`
    import_module("twin.host").main()
