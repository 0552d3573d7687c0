"""What comes out of a hole into the air, step by step, until it is empty or somebody shuts it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scenarios.hazards.effect import Effect
from scenarios.hazards.release import Emptying, steps

COUNT = 16
"""So many steps of equal mass stand for a rate that falls."""

ALIKE = 0.05
"""Rates of one size to within this share are one step."""

Rates = Sequence[tuple[int, float]]
"""(seconds after its start, kg/s into the air), the last one 0 unless something still comes out when the run ends."""


@dataclass(frozen=True)
class Outflow:
    """A release at one of the air's sources. `rates(shut_s)`: what comes out, told when a valve or a plug shut it, if ever.

    A stop of its source (`air.stop`, whoever gives it) is that shutting. What still comes out then, out of the stretch between
    the valves, goes on.
    """

    source: str
    substance: str
    x_m: float
    y_m: float
    start_s: int
    cold: bool
    rates: Callable[[int | None], Rates]
    model: str = "air"
    """The air it goes into."""

    def effects(self, shut_s: int | None) -> list[Effect]:
        """Return the releases and the stop at the end, from `shut_s` (second of the run) on as it is after that."""
        return [self._effect(self.start_s + t_s, rate) for t_s, rate in self.rates(None if shut_s is None else shut_s - self.start_s)]

    def _effect(self, t_s: int, rate: float) -> Effect:
        if rate <= 0.0:
            return Effect(t_s, self.model, "stop", self.source, {"source": self.source}, "nothing more comes out")
        arguments = {"substance": self.substance, "rate_kg_per_s": rate, "source": self.source, "x_m": self.x_m, "y_m": self.y_m}
        return Effect(t_s, self.model, "release", self.source, {**arguments, "cold": self.cold}, f"{self.substance}: {rate:.2f} kg/s")


def stepped(
    emptying: Emptying, until_s: int, share: float = 1.0, corners: Sequence[int] = (), *, shut: bool = False
) -> list[tuple[int, float]]:
    """Return the rates of an emptying in steps that keep its mass, begun anew at each of `corners`, where the rate jumps.

    `shut`: at `until_s` somebody shuts it; else the run ends then, and what still comes out is not said to end.
    """
    edges = sorted({0, until_s, *(t_s for t_s in corners if 0 < t_s < until_s)})
    found: list[tuple[int, float]] = []
    for a, b in itertools.pairwise(edges):
        one = slice(a, b + 1)
        shifted = Emptying(
            emptying.t_s[one] - a,
            emptying.rate_kg_per_s[one],
            emptying.left_kg[one],
            emptying.pressure_pa[one],
            emptying.temperature_k[one],
        )
        if shifted.released_kg(b - a) <= 0.0:
            found.append((a, 0.0))
            continue
        made = steps(shifted, b - a, COUNT)
        found += [(a + start, rate * share) for start, _, rate in made]
        if a + made[-1][1] < b:
            found.append((a + made[-1][1], 0.0))
    if found and found[-1][1] <= 0.0:
        return _joined(found)
    joined = _joined([*found, (until_s, 0.0)])
    return joined if shut else joined[:-1]


def _joined(found: Rates) -> list[tuple[int, float]]:
    """Return the steps with those that hardly differ from their neighbour made one, the mass kept."""
    joined: list[tuple[int, float]] = []
    ends = [t_s for t_s, _ in found[1:]] + [found[-1][0]]
    until_s = found[0][0]
    for (t_s, rate), end_s in zip(found, ends, strict=True):
        if joined and rate > 0.0 and abs(rate / joined[-1][1] - 1.0 if joined[-1][1] else 1.0) < ALIKE:
            first_s, had = joined[-1]
            joined[-1] = first_s, (had * (until_s - first_s) + rate * (end_s - t_s)) / (end_s - first_s)
        elif not joined or rate != joined[-1][1]:
            joined.append((t_s, rate))
        until_s = end_s
    return joined


def constant(rate: float, until_s: int, shut_s: int | None) -> list[tuple[int, float]]:
    """Return one rate that knows no end but a valve or a plug; when the run ends it still flows."""
    return [(0, rate), *ended(until_s, shut_s)]


def ended(until_s: int, shut_s: int | None) -> list[tuple[int, float]]:
    """Return the end of what is shut within the run, if it is."""
    return [] if shut_s is None or shut_s > until_s else [(shut_s, 0.0)]
