"""A run folder of the size the views are measured at: 5,000 buildings, 3,000 streets, 20,000 moving things, an hour.

Nothing is simulated: vehicles go round blocks of a street grid and stop at red lights, people walk round theirs.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from twin.base import Building, Place, Street
from twin.ground import Ground, View
from twin.looks import Looks, MoverLook, SetLook
from twin.ports import TRACK, ElementSet
from twin.recorder import ModelSheet, PortSheet, Recorder

BLOCK_M, SIDE = 120.0, 39
"""A grid of 39 x 39 crossings has 2,964 streets; 36 more lead out of it."""
START = datetime(2014, 8, 16, 21, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
LIGHT_S, RED_S = 60, 20
"""Every street ends in a light that is red for the first 20 s of each minute of its own."""


def streets() -> list[np.ndarray]:
    """Return the lines of 3,000 streets."""
    at = np.arange(SIDE) * BLOCK_M
    east = [np.array([[x, y], [x + BLOCK_M, y]]) for y in at for x in at[:-1]]
    north = [np.array([[x, y], [x, y + BLOCK_M]]) for x in at for y in at[:-1]]
    out = [np.array([[x, at[-1]], [x, at[-1] + BLOCK_M]]) for x in at[: 3000 - len(east) - len(north)]]
    return east + north + out


def ground(buildings: int = 5000) -> Ground:
    """Return the ground: buildings in the middle of blocks, streets, the blocks' names."""
    rng = np.random.default_rng(5)
    blocks = np.argwhere(np.ones((SIDE - 1, SIDE - 1))) * BLOCK_M
    made = []
    for i in range(buildings):
        corner = blocks[(i // 4) % len(blocks)] + np.array([18.0, 18.0]) + np.array([44.0 * (i % 2), 44.0 * (i // 2 % 2)])
        wide = rng.uniform(24, 36, 2)
        ring = corner + np.array([[0, 0], [wide[0], 0], wide, [0, wide[1]]])
        made.append(Building(f"B{i}", ring, float(rng.uniform(9, 90)), "homes", float(wide.prod()), 50))
    named = [Street(f"S{i}", "a", "b", line, f"Street {i}", "local", 1, 13.9) for i, line in enumerate(streets())]
    middle = (SIDE - 1) * BLOCK_M / 2
    places = (Place("centre", "stadium", {"en": "Centre", "zh": "中心"}, np.array([[middle, middle]])),)
    view = View("overview", (middle, -middle, middle * 0.9), (middle, middle, 0.0))
    return Ground(
        "grid",
        {"en": "Grid"},
        "EPSG:4549",
        provenance="schematic",
        cameras=(view,),
        places=places,
        streets=tuple(named),
        buildings=tuple(made),
    )


def sheets() -> dict[str, ModelSheet]:
    """Return a model of vehicles with its roads, and one of people."""
    lines = streets()
    road = ElementSet(tuple(f"E{i}" for i in range(len(lines))), lines, label="road")
    speed = PortSheet("speed_m_per_s", "edge", "m/s", "float64", "mean speed", "RdYlBu", (0.0, 15.0))
    cars = Looks({"edge": SetLook("road", width_m=7.0)}, {"car": MoverLook("car", (4.5, 1.8, 1.5), along="edge")})
    people = Looks({}, {"person": MoverLook("person", (0.5, 0.6, 1.7), around_buildings=True)})
    return {
        "traffic": ModelSheet("traffic", {"speed_m_per_s": speed}, {"edge": road}, moving={0: "car"}, looks=cars.plain()),
        "crowd": ModelSheet("crowd", {}, {}, moving={0: "person"}, looks=people.plain()),
    }


class Movers:
    """Things that go round rectangles of blocks: `inset_m` off the street's middle, waiting at red lights or not."""

    def __init__(self, count: int, speed_m_per_s: tuple[float, float], inset_m: float, *, lights: bool, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.corner = rng.integers(0, SIDE - 4, (count, 2)) * BLOCK_M + inset_m
        self.size = rng.integers(1, 4, (count, 2)) * BLOCK_M - 2 * inset_m
        self.round_m = 2 * self.size.sum(axis=1)
        self.speed = rng.uniform(*speed_m_per_s, count)
        self.s = rng.uniform(0, self.round_m)
        self.offset_s = rng.integers(0, LIGHT_S, count)
        self.lights = lights
        self.now = np.zeros(count)

    def step(self, dt_s: float, t_s: float) -> None:
        """Move on; a light holds what stands before a corner."""
        leg_end = np.concatenate([[np.zeros(len(self.s))], np.cumsum([*self.size.T, *self.size.T], axis=0)]).T
        ahead = np.take_along_axis(leg_end, (self.leg(leg_end) + 1)[:, None], axis=1)[:, 0] - self.s
        red = self.lights & ((t_s + self.offset_s) % LIGHT_S < RED_S) & (ahead < 8.0 + self.speed * dt_s)
        self.now = np.where(red, 0.0, self.speed)
        self.s = (self.s + self.now * dt_s) % self.round_m

    def leg(self, leg_end: np.ndarray) -> np.ndarray:
        return np.minimum((self.s[:, None] >= leg_end[:, 1:]).sum(axis=1), 3)

    def tracks(self) -> np.ndarray:
        """Return their positions as a `TRACK` array."""
        wide, deep = self.size.T
        leg_end = np.concatenate([[np.zeros(len(self.s))], np.cumsum([*self.size.T, *self.size.T], axis=0)]).T
        leg = self.leg(leg_end)
        along = self.s - np.take_along_axis(leg_end, leg[:, None], axis=1)[:, 0]
        x = np.choose(leg, [along, wide, wide - along, np.zeros_like(wide)])
        y = np.choose(leg, [np.zeros_like(deep), along, deep, deep - along])
        found = np.zeros(len(self.s), TRACK)
        found["id"] = np.arange(len(self.s))
        found["x_m"], found["y_m"] = self.corner[:, 0] + x, self.corner[:, 1] + y
        found["angle_deg"] = np.choose(leg, [90.0, 0.0, 270.0, 180.0])
        found["speed_m_per_s"] = self.now
        return found


def write(folder: Path, *, duration_s: int = 3600, every_s: int = 10, moving: int = 20_000, buildings: int = 5000) -> Path:
    """Write the run into `folder` and return it; two fifths of what moves are vehicles."""
    vehicles = Movers(moving * 2 // 5, (6.0, 15.0), 2.0, lights=True, seed=1)
    people = Movers(moving - moving * 2 // 5, (0.8, 1.7), 8.0, lights=False, seed=2)
    recorder = Recorder(
        folder,
        manifest={
            "name": "big",
            "title": "A grid of streets",
            "city": {"name": "grid", "provenance": "schematic", "digest": ""},
            "seed": 1,
            "versions": {},
        },
        scenario_text="name: big\n",
        models=sheets(),
        start=START,
        duration_s=duration_s,
        record_every_s=every_s,
        tracks_every_s=every_s,
        ground=ground(buildings),
    )
    count = 3000
    for t_s in range(0, duration_s + 1, every_s):
        speeds = 7.5 + 7.5 * np.sin(t_s / 300.0 + np.arange(count) / 50.0)
        recorder.sample(t_s, {"traffic": {"speed_m_per_s": speeds}, "crowd": {}})
        recorder.tracks(t_s, "traffic", vehicles.tracks())
        recorder.tracks(t_s, "crowd", people.tracks())
        for second in range(every_s):
            vehicles.step(1.0, t_s + second)
            people.step(1.0, t_s + second)
    recorder.event(
        {
            "t_happened_s": duration_s,
            "t_seen_s": duration_s,
            "kind": "notice",
            "source": "model",
            "model": "traffic",
            "name": "end",
            "element": "",
            "severity": "info",
            "facts": {},
        }
    )
    recorder.finish("done")
    return folder
