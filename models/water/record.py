"""The plain data of a water network in time: held links, volumes, origins of a log, one solution."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np

NOT_BALANCED, FROZEN, LOOSELY = 1, 2, 7
"""EPANET's warnings that its trials ran out, and that it balanced only with statuses frozen; and one of ours: less exactly than asked."""
NOT_SOLVED = (NOT_BALANCED, FROZEN, LOOSELY)
"""Codes of solutions that are less than what was asked for."""


@dataclass
class Held:
    """A link kept shut, and what it goes back to."""

    since_s: int
    status: int
    setting: float
    loss: float
    pattern: int
    controls: list[int]


@dataclass
class Volumes:
    """Water in m3 (or m3/s) since the start."""

    produced: float = 0.0
    served: float = 0.0
    leaked: float = 0.0
    spilled: float = 0.0

    def after(self, rates: Volumes, dt_s: float) -> Volumes:
        """Return these volumes after `dt_s` seconds at `rates`."""
        return Volumes(
            self.produced + rates.produced * dt_s,
            self.served + rates.served * dt_s,
            self.leaked + rates.leaked * dt_s,
            self.spilled + rates.spilled * dt_s,
        )


@dataclass
class Origin:
    """Where a log starts: plain data that a fresh project goes on from; levels and settings in the file's units."""

    t_s: int = 0
    splits: list[str] = field(default_factory=list)
    levels: dict[str, float] = field(default_factory=dict)
    links: dict[str, tuple[int, float]] = field(default_factory=dict)
    held: dict[str, tuple[int, int, float]] = field(default_factory=dict)
    factors: dict[int, float] = field(default_factory=dict)
    holes: dict[str, float] = field(default_factory=dict)
    volumes: dict[str, float] = field(default_factory=lambda: asdict(Volumes()))


@dataclass
class Fields:
    """One hydraulic solution in SI units: nodes in the network's order, pipes and pumps in theirs."""

    head_m: np.ndarray
    wanted_m3_per_s: np.ndarray
    served_m3_per_s: np.ndarray
    supplied: np.ndarray
    pipe_flow_m3_per_s: np.ndarray
    pipe_velocity_m_per_s: np.ndarray
    leak_m3_per_s: np.ndarray
    leak_head_m: dict[str, float]
    pump_flow_m3_per_s: np.ndarray
    pump_kw: np.ndarray
    pump_on: np.ndarray
