"""Where a run stands, for who watches it, and what its sittings took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Where a run stands: simulated second, its length, and simulated seconds per wall second."""

    now_s: int
    duration_s: int
    speed: float
    doing: str = ""


Watch = Callable[[Progress], None]


@dataclass(frozen=True)
class Spent:
    """What earlier sittings took, in wall time, to compute what a run goes on from; `simulated_s` is how much that was."""

    wall_s: float = 0.0
    recording_s: float = 0.0
    checkpoint_s: float = 0.0
    simulated_s: int = 0
