"""Ctrl-C between instants, never inside one."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twin.orchestrator import Orchestrator


@contextlib.contextmanager
def whole_instants(ran: Orchestrator) -> Iterator[None]:
    """Hold an interrupt back until the instant is settled and recorded; a second one is not held."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield
        return

    def hold(number: int, frame: FrameType | None) -> None:
        if ran.pause:
            signal.default_int_handler(number, frame)
        ran.pause = True

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        held, ran.pause = ran.pause, False
    if held:
        raise KeyboardInterrupt
