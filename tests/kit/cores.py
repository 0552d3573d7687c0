"""Whether two cores are free while a wall time is taken."""

from __future__ import annotations

import subprocess
import sys
import time

FREE = 1.9
"""Two busy processes get at least so many times the work of one done where two cores are free."""

LOOP = [sys.executable, "-c", "for i in range(20_000_000): pass"]


def wall_s(count: int) -> float:
    """Return how long so many busy processes side by side take (s)."""
    started = time.perf_counter()
    for one in [subprocess.Popen(LOOP) for _ in range(count)]:
        one.wait()
    return time.perf_counter() - started


def two_at_once(rounds: int = 3) -> float:
    """Return how many times the work of one busy process two of them get done in the same time."""
    return 2.0 * min(wall_s(1) for _ in range(rounds)) / min(wall_s(2) for _ in range(rounds))
