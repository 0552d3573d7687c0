"""Walkers: people as arrays that move by the collision-free speed model, pass gates and arrive.

```python
ground = Ground(walkable, cell_m=1.0, areas=[plaza, street])      # shapely, metres
fields = Fields(ground)
station = fields.add(station_polygon)                             # people vanish there
platform = fields.add(edge_polygon, absorbs=False)                # people stand there
gates = Gates([(0, 0, 4, 0)], capacity_per_s=[2.0])
walkers = Walkers(ground, fields, gates=gates)
walkers.add(records)                                              # dtype WALKER
arrived = walkers.step(0.1, 10)                                   # dtype ARRIVAL
walkers.counts(), walkers.density_per_m2(), walkers.gates.passed
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.crowd.geometry import Floats, Ground, bin_segments
from models.crowd.motion import ARRIVED, WAITING, WALKING, Doors, People, advance
from models.crowd.routing import Fields
from models.crowd.steering import Law, Ways

MAX_DT_S = 0.1
"""The longest sub-step (s): the verification cases pass at it, and longer ones are refused."""

WALKER = np.dtype(
    [
        ("id", "i8"),
        ("kind", "i2"),
        ("x_m", "f8"),
        ("y_m", "f8"),
        ("desired_speed_m_per_s", "f8"),
        ("radius_m", "f8"),
        ("field", "i4"),
    ]
)
"""A person who enters: identity, kind (the caller's code), where, free speed, body radius, destination field."""

ARRIVAL = np.dtype([("id", "i8"), ("kind", "i2"), ("field", "i4"), ("x_m", "f8"), ("y_m", "f8"), ("after_s", "f8")])
"""A person who reached a destination, and how long after the start of `Walkers.step` (s)."""

_TILE_M = 1.6
"""People are handed over sorted by squares of this side, so that neighbours lie together in memory (m)."""

_STATE = ("heading", "speed_m_per_s", "state", "arrived_step")

FRUIN_WALKWAY_PER_M2 = (0.308, 0.431, 0.718, 1.076, 2.153)
"""Upper densities of levels A to E on walkways; F above. Fruin (1971), modules of 35, 25, 15, 10 and 5 ft2 a person."""


@dataclass(frozen=True)
class Manner:
    """How people walk; the defaults are those of JuPedSim 1.4's CFSM V2 but for the time gap.

    Tordeux, Chraibi, Seyfried (2016), doi 10.1007/978-3-319-33482-0_29.
    """

    time_gap_s: float = 0.66
    strength_neighbor: float = 8.0
    range_neighbor_m: float = 0.1
    strength_geometry: float = 5.0
    range_geometry_m: float = 0.02


class Gates:
    """Segments that let a limited number of people through.

    `segments` is (n, 4) metres; `capacity_per_s` (n,) people per second, both ways together, inf for a gate that only
    counts, 0 for a shut one; it may be written at any time. `passed` is (n, 2): people who crossed to the left of the
    segment's direction, and to its right. Credit of at most one person is saved up while nobody comes. `shut` is (n, 2):
    nobody crosses to the left, to the right (a gate that is passed one way); it may be written at any time.
    """

    def __init__(self, segments: ArrayLike = (), *, capacity_per_s: ArrayLike = ()) -> None:
        self.segments = np.asarray(segments, dtype=np.float64).reshape(-1, 4)
        self.capacity_per_s = np.asarray(capacity_per_s, dtype=np.float64).reshape(-1).copy()
        if len(self.capacity_per_s) != len(self.segments) or np.any(~(self.capacity_per_s >= 0)):
            raise ValueError(f"{len(self.segments)} gates need as many capacities of 0 or more: {self.capacity_per_s}")
        self.credit = np.zeros(len(self.segments))
        self.passed = np.zeros((len(self.segments), 2), np.int64)
        self.shut = np.zeros((len(self.segments), 2), np.bool_)

    def __len__(self) -> int:
        return len(self.segments)


def draw_speeds(rng: np.random.Generator, n: int, *, mean: float = 1.34, sd: float = 0.26) -> Floats:
    """Draw `n` free speeds (m/s) from a normal distribution cut at two standard deviations (Weidmann 1993)."""
    return mean + sd * np.clip(rng.standard_normal(n), -2.0, 2.0)


def fruin_level(density_per_m2: ArrayLike) -> NDArray[np.int8]:
    """Return the level of service on walkways of each density: 0 is A, 5 is F."""
    return np.searchsorted(FRUIN_WALKWAY_PER_M2, np.asarray(density_per_m2), side="left").astype(np.int8)


class Walkers:
    """Everybody on one ground, sorted by id; nothing depends on the order in which people were added.

    Arrays of (n,), valid until the next `add`, `remove` or `step`: `id`, `kind`, `x_m`, `y_m`, `heading` (n, 2),
    `speed_m_per_s`, `desired_speed_m_per_s`, `radius_m`, `field`, `state` (WALKING or WAITING), `area` (-1: none).
    `speed_factor` is (areas,): what the desired speed is multiplied by there (dark streets: below 1); write to it.
    """

    def __init__(self, ground: Ground, fields: Fields, *, gates: Gates | None = None, manner: Manner | None = None) -> None:
        self.ground, self.fields, self.gates = ground, fields, gates or Gates()
        manner = manner or Manner()
        self.law = Law(
            manner.time_gap_s, manner.strength_neighbor, manner.range_neighbor_m, manner.strength_geometry, manner.range_geometry_m
        )
        self.speed_factor = np.ones(len(ground.areas))
        self._doors = bin_segments(self.gates.segments, ground.bounds_m, cell_m=5.0, reach_m=1.0)
        self._raster = ground.raster._replace(apart=ground.apart_from(ground.walls, self._doors))
        self.tick = 0
        self._take(np.empty(0, WALKER))

    def _take(self, records: NDArray[Any]) -> None:
        self.id, self.kind, self.field = (records[k].copy() for k in ("id", "kind", "field"))
        self.x_m, self.y_m = records["x_m"].copy(), records["y_m"].copy()
        self.desired_speed_m_per_s, self.radius_m = records["desired_speed_m_per_s"].copy(), records["radius_m"].copy()
        n = len(records)
        self.heading, self.speed_m_per_s = np.zeros((n, 2)), np.zeros(n)
        self.state, self.arrived_step = np.zeros(n, np.int8), np.full(n, -1, np.int32)

    def __len__(self) -> int:
        return len(self.id)

    @property
    def area(self) -> NDArray[np.int16]:
        """The label of the area each walker is in, -1 outside every area."""
        return self.ground.area_at(self.x_m, self.y_m)

    def records(self, mask: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """Return everybody (or those in `mask`) as WALKER records."""
        where = slice(None) if mask is None else mask
        out = np.empty(len(self.id[where]), WALKER)
        for name in WALKER.names or ():
            out[name] = getattr(self, name)[where]
        return out

    def add(self, records: NDArray[Any]) -> None:
        """Let people in (WALKER records, any order).

        Raises ValueError for an id that is present or given twice, an unknown field, a place off the ground or
        a speed or radius that is not positive (a radius above 0.5 m neither); nobody is added then.
        """
        if len(records) == 0:
            return
        problem = self._refuse(records)
        if problem:
            raise ValueError(problem)
        state = {name: getattr(self, name) for name in _STATE}
        known = len(self)
        joined = np.concatenate([self.records(), records.astype(WALKER)])
        order = np.argsort(joined["id"], kind="stable")
        self._take(joined[order])
        for name, old in state.items():
            fresh = getattr(self, name)
            fresh[order < known] = old

    def _refuse(self, records: NDArray[Any]) -> str:
        ids = records["id"]
        if len(np.unique(ids)) != len(ids) or np.any(np.isin(ids, self.id)):
            return "an id is given twice or is walking already"
        if np.any((records["field"] < 0) | (records["field"] >= len(self.fields))):
            return f"a walker's field is not one of the {len(self.fields)} there are"
        off = ~self.ground.inside(records["x_m"], records["y_m"])
        if np.any(off):
            first = records[off][0]
            return f"walker {first['id']} would stand off the ground at ({first['x_m']:g}, {first['y_m']:g}) m"
        r, v = records["radius_m"], records["desired_speed_m_per_s"]
        if not np.all((r > 0) & (r <= 0.5) & (v > 0) & (v < 3)):
            return "a walker's radius must lie in (0, 0.5] m and its desired speed in (0, 3) m/s"
        return ""

    def remove(self, mask: NDArray[np.bool_]) -> NDArray[Any]:
        """Take out those in `mask` and return them as WALKER records."""
        out = self.records(mask)
        state = {name: getattr(self, name)[~mask] for name in _STATE}
        self._take(self.records(~mask))
        for name, kept in state.items():
            setattr(self, name, kept)
        return out

    def retarget(self, mask: NDArray[np.bool_], field: int | NDArray[np.int32]) -> None:
        """Send those in `mask` to another destination; those who stood waiting walk again."""
        self.field[mask] = field
        self.state[mask] = WALKING

    def step(self, dt_s: float, n: int) -> NDArray[Any]:
        """Advance `n` sub-steps of `dt_s` (at most 0.1 s); return who arrived (ARRIVAL), by time and then by id.

        Those at an absorbing field are gone afterwards, those at another stand there as WAITING. Two calls
        give what one of the same total number gives. Raises ValueError for a longer sub-step.
        """
        if not 0 < dt_s <= MAX_DT_S:
            raise ValueError(f"a sub-step of {dt_s:g} s; the model is verified up to {MAX_DT_S:g} s")
        if len(self) == 0 and not len(self.gates):
            self.tick += n
            return np.empty(0, ARRIVAL)
        self.arrived_step[:] = -1
        order = np.lexsort((self.x_m // _TILE_M, self.y_m // _TILE_M))
        people = People(*(getattr(self, name)[order] for name in People._fields))
        advance(
            people,
            self._raster,
            self.ground.walls,
            Ways(self.fields.far_m, self.fields.way, self.fields.absorbs),
            Doors(self._doors, self.gates.capacity_per_s, self.gates.credit, self.gates.passed, self.gates.shut),
            self.law,
            np.append(self.speed_factor, 1.0),
            float(dt_s),
            int(n),
            self.tick,
        )
        for name in ("x_m", "y_m", *_STATE):
            getattr(self, name)[order] = getattr(people, name)
        self.tick += int(n)
        return self._arrivals(dt_s)

    def _arrivals(self, dt_s: float) -> NDArray[Any]:
        came = self.arrived_step >= 0
        out = np.empty(int(came.sum()), ARRIVAL)
        for name in ("id", "kind", "field", "x_m", "y_m"):
            out[name] = getattr(self, name)[came]
        out["after_s"] = (self.arrived_step[came] + 1) * dt_s
        gone = self.state == ARRIVED
        if np.any(gone):
            self.remove(gone)
        return out[np.lexsort((out["id"], out["after_s"]))]

    def counts(self) -> NDArray[np.int64]:
        """Return how many people are in each area, (areas,)."""
        label = self.area
        return np.bincount(label[label >= 0], minlength=len(self.ground.areas)).astype(np.int64)

    def density_per_m2(self) -> Floats:
        """Return people per square metre of walkable surface in each area, (areas,); 0 where it has no surface."""
        area_m2 = self.ground.area_m2
        return np.divide(self.counts(), area_m2, out=np.zeros(len(area_m2)), where=area_m2 > 0)

    def crowding_per_m2(self, radius_m: float = 1.0) -> Floats:
        """Return the density around each walker: those within `radius_m`, itself included, per disc, (n,).

        No correction is made for walls inside the disc, so it is a lower bound there.
        """
        from scipy.spatial import cKDTree

        if len(self) == 0:
            return np.zeros(0)
        tree = cKDTree(np.column_stack([self.x_m, self.y_m]))
        found = tree.query_ball_point(tree.data, radius_m, return_length=True)
        return np.asarray(found, dtype=np.float64) / (np.pi * radius_m**2)

    def is_free(self, x_m: Floats, y_m: Floats, clear_m: float = 0.4) -> NDArray[np.bool_]:
        """Return whether each point is on the ground and `clear_m` away from everybody (points are not held against each other)."""
        from scipy.spatial import cKDTree

        ok = self.ground.inside(x_m, y_m)
        if len(self):
            distance, _ = cKDTree(np.column_stack([self.x_m, self.y_m])).query(np.column_stack([x_m, y_m]))
            ok &= distance >= clear_m
        return ok

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return everything that decides the future, as copies: walkers, gates' credit, capacity and counts, factors."""
        held = {name: getattr(self, name).copy() for name in ("state", "heading", "speed_m_per_s")}
        gates = {f"gate_{k}": getattr(self.gates, k).copy() for k in ("capacity_per_s", "credit", "passed", "shut")}
        return {"records": self.records(), "tick": np.array(self.tick), "speed_factor": self.speed_factor.copy(), **held, **gates}

    def restore(self, saved: Mapping[str, NDArray[Any]]) -> None:
        """Put back what `snapshot` returned (fields and ground are the caller's)."""
        self._take(saved["records"])
        for name in ("state", "heading", "speed_m_per_s"):
            setattr(self, name, saved[name].copy())
        self.tick = int(saved["tick"])
        self.speed_factor[:] = saved["speed_factor"]
        for name in ("capacity_per_s", "credit", "passed", "shut"):
            getattr(self.gates, name)[:] = saved[f"gate_{name}"]


__all__ = [
    "ARRIVAL",
    "WAITING",
    "WALKER",
    "WALKING",
    "Fields",
    "Gates",
    "Ground",
    "Manner",
    "Walkers",
    "draw_speeds",
    "fruin_level",
]
