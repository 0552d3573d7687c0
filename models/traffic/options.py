"""The keys of a scenario's `traffic:` stanza."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from twin.model import Options
from twin.units import Quantity, Seconds


class TrafficOptions(Options):
    """How traffic is computed; `begin` and `vehicles` choose from the pack's demand."""

    mode: Literal["micro", "meso"] = Field("micro", description="microscopic, or mesoscopic queues per edge (some ten times faster)")
    vehicles: int | None = Field(
        None, ge=0, description="how many of the pack's trips that depart in the run are kept, evenly; all when left out"
    )
    begin: Seconds | None = Field(None, ge=0, description="the demand's second at the start; by the pack's clock when left out")
    step: Quantity("s") = Field(1.0, ge=0.01, le=1.0, description="SUMO's step; must divide one second")  # type: ignore[valid-type]
    reroute_share: float = Field(0.6, ge=0, le=1, description="share of drivers who follow live travel times once something has happened")
    reroute_every: Seconds = Field(60, ge=1, description="how often they look for a faster way")
    close_above: Quantity("m3/s") = Field(0.01, ge=0, description="water on a road that closes it")  # type: ignore[valid-type]
    close_above_leak: Quantity("kg/s") = Field(0.05, ge=0, description="gas leaking at a road that closes it")  # type: ignore[valid-type]
    close_above_depth: Quantity("m") = Field(  # type: ignore[valid-type]
        0.3, gt=0, description="depth of water that closes a road to all; cars on it stall (a car floats or drowns near 0.3 m)"
    )
    electric_share: float = Field(0.15, ge=0, le=1, description="share of electric cars among those that leave a car park (synthetic)")

    @field_validator("step")
    @classmethod
    def _divides(cls, step_s: float) -> float:
        if abs(round(1 / step_s) * step_s - 1) > 1e-9:
            raise ValueError(f"{step_s:g} s does not divide one second; write for example '0.5 s'")
        return step_s
