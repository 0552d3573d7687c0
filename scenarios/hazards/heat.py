"""A heatwave: temperature over days, what it adds to demand, and what it leaves of the rating of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi

from scenarios.hazards.effect import Effect, Exposed

COMFORT_C = 26.0
"""Set point of cooling in public buildings in China (State Council 2007, no. 42)."""
RATED_AT_C = 30.0
"""Mean temperature of a day for which a transformer in oil is rated (IEEE C57.12.00-2010, 4.1.2.1)."""
LESS_PER_C = 0.015
"""Share of its rating that each degree above takes from one cooled by air and oil without fans (IEEE C57.91-2011, table 3)."""


@dataclass(frozen=True)
class Heatwave:
    """Days of heat from the start of the run on: night and day temperature, the usual day's, and what demand adds at the peak."""

    low_c: float = 28.0
    high_c: float = 39.0
    usual_high_c: float = 32.0
    added_at_peak: float = 0.15
    start_s: int = 0
    days: float = 3.0
    midnight_s: int = 0
    """Second of the run of a midnight, for the hour of the day."""

    def temperature_c(self, t_s: float) -> float:
        """Return the air temperature: a cosine with its top at 15:00."""
        hour = ((t_s - self.midnight_s) / 3600.0) % 24.0
        return 0.5 * (self.low_c + self.high_c) + 0.5 * (self.high_c - self.low_c) * cos(2.0 * pi * (hour - 15.0) / 24.0)

    def usual_c(self, t_s: float) -> float:
        """Return that of a usual summer day, as far below as its top is below the heatwave's."""
        return self.temperature_c(t_s) - (self.high_c - self.usual_high_c)

    def demand_factor(self, t_s: float) -> float:
        """Return demand over that of a usual summer day: in proportion to the degrees above comfort that are added, 1 outside the wave.

        Scaled so that the hottest hour has `added_at_peak` (15 %: the project's reference; the straight line is an assumption).
        """
        if not self.start_s <= t_s <= self.start_s + self.days * 86400.0:
            return 1.0

        def cooling(temperature: float) -> float:
            return max(temperature - COMFORT_C, 0.0)

        most = cooling(self.high_c) - cooling(self.usual_high_c)
        more = cooling(self.temperature_c(t_s)) - cooling(self.usual_c(t_s))
        return 1.0 + self.added_at_peak * more / most if most > 0 else 1.0

    def rating_factor(self) -> float:
        """Return what the mean of the wave's day leaves of a transformer's rating; it is not raised on cooler days."""
        mean_c = 0.5 * (self.low_c + self.high_c)
        return 1.0 - LESS_PER_C * max(mean_c - RATED_AT_C, 0.0)


def effects(wave: Heatwave, exposed: Sequence[Exposed], until_s: int, every_s: int = 1800) -> list[Effect]:
    """Return the changes of load of buses and of demand of junctions every half hour, transformers' ratings, and all back at the end."""
    verbs = {("grid", "bus"): ("scale_load", "bus"), ("water", "junction"): ("set_demand", "junction")}
    found = []
    last_s = min(until_s, wave.start_s + round(wave.days * 86400))
    for one in exposed:
        if one.kind == "trafo":
            found += _rated(wave, one, last_s, until_s)
        if (one.model, one.kind) not in verbs:
            continue
        verb, argument = verbs[one.model, one.kind]
        usual = float(one.facts.get("factor", 1.0))
        for t_s in range(wave.start_s, last_s, every_s):
            factor = usual * wave.demand_factor(t_s)
            why = f"{wave.temperature_c(t_s):.1f} C"
            found.append(Effect(t_s, one.model, verb, one.element, {argument: one.element, "factor": round(factor, 4)}, why))
        if last_s < until_s:
            found.append(Effect(last_s, one.model, verb, one.element, {argument: one.element, "factor": usual}, "the heat ends"))
    return sorted(found)


def _rated(wave: Heatwave, one: Exposed, last_s: int, until_s: int) -> list[Effect]:
    """Return the rating that the hot days leave a transformer, and its own again after them."""
    factor = round(wave.rating_factor(), 4)
    if factor == 1.0:
        return []
    why = f"{0.5 * (wave.low_c + wave.high_c):.1f} C in the mean of a day"
    found = [Effect(wave.start_s, one.model, "rate_trafo", one.element, {"trafo": one.element, "factor": factor}, why)]
    if last_s < until_s:
        found.append(Effect(last_s, one.model, "rate_trafo", one.element, {"trafo": one.element, "factor": 1.0}, "the heat ends"))
    return found
