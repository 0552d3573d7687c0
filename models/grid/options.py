"""The keys of a scenario's `grid:` stanza."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from twin.model import Options
from twin.units import Quantity, Seconds


class GridOptions(Options):
    """The keys of a scenario's `grid:` stanza."""

    solver: Literal["auto", "pgm", "pandapower"] = "auto"
    """auto: power-grid-model where it agrees with pandapower on this network, else pandapower"""
    profile: Literal["file", "daily"] = "file"
    """file: loads follow the pack's profile, or stay as the network has them; daily: synthetic factors by use, 1 at 21:00"""
    overload_trips: bool = True
    line_pickup: Annotated[float, Field(ge=1)] = 1.2
    """current setting of line relays over rated current"""
    line_tms: Annotated[float, Field(gt=0)] = 0.5
    """time multiplier of line relays, IEC 60255-151 standard inverse"""
    trafo_pickup: Annotated[float, Field(ge=1)] = 1.3
    trafo_tms: Annotated[float, Field(gt=0)] = 1.0
    trips_above_depth: Annotated[Quantity("m"), Field(gt=0)] = 0.5  # type: ignore[valid-type]
    """water at a substation that trips its transformers: plinths and cabinets stand about this high; synthetic"""
    relay_reset: Seconds = 60
    """time in which a relay that had nearly operated returns to rest"""
    power_factor: Annotated[float, Field(gt=0, le=1)] = 0.95
    """of venues and of what other models draw (pumps, chargers)"""
