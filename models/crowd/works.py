"""What is set up for one evening: ground that people are kept off, and footbridges across it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.crowd.network import GREEN_GUIDE_STEPPED, Area, CrowdNetwork, Gate
from twin.units import Quantity

_XY = tuple[float, float]
_INSET_M = 1.0
"""A footbridge's gates stand this far within the ground people are kept off, so that nobody steps on beside them."""
Ring = Annotated[list[_XY], Field(min_length=3, max_length=1000)]


class Footbridge(BaseModel):
    """A straight footbridge between two points of the ground, `width` between its rails, over ground people are kept off.

    It becomes an area by its name, with a gate of role `way` at each end, `<name>_1` at the first point and `<name>_2`
    at the second. The stairs there pass `flow_per_m_min` people per metre and minute, both ways together.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)
    start: _XY = Field(alias="from")
    end: _XY = Field(alias="to")
    width: Quantity("m") = Field(4.0, ge=1, le=50)  # type: ignore[valid-type]
    flow_per_m_min: float = Field(GREEN_GUIDE_STEPPED, gt=0)


def build(network: CrowdNetwork, bridges: Mapping[str, Footbridge], barred: Mapping[str, Sequence[_XY]]) -> CrowdNetwork:
    """Return the network with people kept off the rings `barred` and the `bridges` laid over all that is in their way.

    ValueError names a bridge that crosses no such ground, or is called as an area already is.
    """
    if not bridges and not barred:
        return network
    import shapely

    areas, gates, decks = list(network.areas), list(network.gates), []
    kept_off = shapely.union_all([shapely.Polygon(ring) for ring in barred.values()])
    for name, bridge in bridges.items():
        if name in {area.id for area in areas}:
            raise ValueError(f"footbridges.{name}: there is an area of that name; choose another")
        over = shapely.LineString([bridge.start, bridge.end]).intersection(kept_off)
        if over.geom_type != "LineString" or over.length < 2 * _INSET_M + bridge.width:
            raise ValueError(
                f"footbridges.{name}: it must cross one stretch of `barred` ground, longer than it is wide; people walk beside it else"
            )
        near, far = shapely.get_coordinates(over)[[0, -1]]
        along = (far - near) / np.hypot(*(far - near))
        across = np.array([-along[1], along[0]]) * bridge.width / 2
        decks.append(np.array([bridge.start - across, bridge.end - across, bridge.end + across, bridge.start + across]))
        ends = [near + _INSET_M * along, far - _INSET_M * along]
        corners = [ends[0] - across, ends[1] - across, ends[1] + across, ends[0] + across]
        areas.append(Area(id=name, kind="street", ring=[_xy(corner) for corner in corners]))
        for number, (at, left) in enumerate(zip(ends, (across, -across), strict=True), start=1):
            line = (_xy(at + left), _xy(at - left))
            gates.append(Gate(id=f"{name}_{number}", line=line, role="way", flow_per_m_min=bridge.flow_per_m_min))
    rings = tuple(np.asarray(ring, float) for ring in barred.values())
    return dataclasses.replace(network, areas=tuple(areas), gates=tuple(gates), barred=rings, bridges=tuple(decks))


def _xy(point: np.ndarray) -> _XY:
    return float(point[0]), float(point[1])
