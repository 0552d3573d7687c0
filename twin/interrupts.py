"""Ctrl-C between the steps of a run, never inside one.

Raised anywhere, an interrupt may be lost in a library's callback, come out of an import as another error, or leave what a library
began in the background.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Protocol


class Pausing(Protocol):
    """What is told that an interrupt waits, so that it may end its step early."""

    pause: bool


class _Step:
    pause = False


@contextlib.contextmanager
def whole_steps(ran: Pausing | None = None) -> Iterator[None]:
    """Hold an interrupt back until the step is done, and for an orchestrator its instant recorded; a second one is not held."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield
        return
    step = _Step() if ran is None else ran

    def hold(number: int, frame: FrameType | None) -> None:
        if step.pause:
            signal.default_int_handler(number, frame)
        step.pause = True

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        held, step.pause = step.pause, False
    if held:
        raise KeyboardInterrupt
