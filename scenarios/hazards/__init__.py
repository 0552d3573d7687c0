"""Hazards: intensity over space and time, and what it does to which element, as plain data a driver can post."""

from scenarios.hazards.effect import Effect, Exposed, quantile

__all__ = ["Effect", "Exposed", "quantile"]
