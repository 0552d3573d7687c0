"""Inverse-time overload relays: how long a line or transformer may carry too much."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

K, ALPHA = 0.14, 0.02
"""Standard inverse (curve A) of IEC 60255-151:2009, table A.1."""


@dataclass(frozen=True)
class Relay:
    """The setting of a group of relays.

    `pickup`: current setting over rated current. `tms`: time multiplier. `reset_s`: time in which a
    fully advanced relay returns once the current is below the setting.
    """

    pickup: float
    tms: float
    reset_s: float

    def operate_s(self, percent: np.ndarray) -> np.ndarray:
        """Return the operating time at loadings in percent of rated current; inf at or below the setting.

        t = TMS * 0.14 / ((I/Is)^0.02 - 1), IEC 60255-151. The curve is cut off at 20 times the setting,
        as the standard lets the effective range end.
        """
        ratio = np.minimum(np.asarray(percent, float) / (100.0 * self.pickup), 20.0)
        above = ratio > 1.0
        seconds = np.full(ratio.shape, np.inf)
        seconds[above] = self.tms * K / np.expm1(ALPHA * np.log(ratio[above]))
        return seconds

    def advance(self, wear: np.ndarray, percent: np.ndarray, dt_s: float) -> None:
        """Move the relays' travel `wear` (0 at rest, 1 operates) over `dt_s` seconds of constant loading, in place.

        The integral form of the curve, IEC 60255-151 eq. 2: a relay operates when the sum of dt / t(I) is 1.
        """
        seconds = self.operate_s(percent)
        above = np.isfinite(seconds)
        wear[above] += dt_s / seconds[above]
        wear[~above] = np.maximum(0.0, wear[~above] - dt_s / self.reset_s) if self.reset_s > 0 else 0.0

    def due_s(self, wear: np.ndarray, percent: np.ndarray) -> int | None:
        """Return after how many whole seconds the first relay operates if nothing changes; None if none does."""
        left = (1.0 - wear) * self.operate_s(percent)
        first = float(np.min(left, initial=np.inf))
        return max(1, math.ceil(first - 1e-6)) if math.isfinite(first) else None

    def operated(self, wear: np.ndarray) -> np.ndarray:
        """Return the rows of the relays that have run out."""
        return np.flatnonzero(wear >= 1.0 - 1e-7)
