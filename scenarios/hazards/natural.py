"""Hazards of nature: an earthquake with its aftershocks, a typhoon, a heatwave."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from scenarios.hazards import aftershocks, earthquake, heat, wind
from scenarios.hazards.earthquake import MATERIALS, Quake
from scenarios.hazards.effect import Effect, Exposed
from scenarios.hazards.ground import Ground
from scenarios.hazards.heat import Heatwave
from scenarios.hazards.kind import At, Kind, Where
from scenarios.hazards.wind import Fix, Typhoon
from twin.units import Quantity, Seconds

Material = Literal["cast_iron", "ductile_iron", "steel", "polyethylene", "concrete", "welded_steel"]
SCALE = (5.0, 10.0)
"""Intensities between which the Chinese scale gives peaks (GB/T 17742-2020, from memory)."""
REACH_M = 200e3
"""Distance to which the attenuation relations were made (from memory)."""
BRIEFLY = 0.01
"""A factor of demand is posted again when it has moved by so much."""


class Aftershock(BaseModel):
    """One aftershock that the file names itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: At
    magnitude: float = Field(ge=3.0, le=8.5)


class Earthquake(Kind):
    """Shaking by an attenuation relation; pipes burst and leak, transformers are lost, each with a luck of its own from the seed."""

    strikes: ClassVar[tuple[str, ...]] = ("water", "gas", "grid")

    at: At
    magnitude: float = Field(ge=4.5, le=8.5)
    epicentre: Where
    strike_deg: float = Field(0.0, ge=0, le=360, description="bearing of the long axis of the ellipse")
    law: Literal["moderate", "eastern"] = "moderate"
    residual: float = Field(0.0, ge=-2, le=2, description="added to the intensity: a standard deviation is some 0.5")
    aftershocks: bool | tuple[Aftershock, ...] = Field(False, description="true: drawn from the seed; or a list of {at, magnitude}")
    least: float = Field(4.5, ge=4.0, le=7.5, description="weaker aftershocks are not drawn")
    materials: dict[Literal["water", "gas"], Material] = Field({}, description="of the pipes; ductile iron and polyethylene (synthetic)")
    inspection: bool = Field(True, description="transformers with moderate damage are off until somebody has looked and closes them")

    def effects(self, ground: Ground) -> list[Effect]:
        """Return holes in pipes and transformers off, of the main shock and then of each aftershock what still was whole."""
        quakes = self.quakes(ground)
        exposed = [
            *ground.exposed("water", "pipe", {"material": self.materials.get("water", "ductile_iron")}),
            *ground.exposed("gas", "pipe", {"material": self.materials.get("gas", "polyethylene")}),
            *ground.transformers(),
        ]
        found: list[Effect] = []
        holed: set[tuple[str, str]] = set()
        for quake in quakes:
            shaken = [one for one in exposed if (one.model, one.element) not in holed]
            made = earthquake.effects(quake, shaken, ground.seed, "moderate" if self.inspection else earthquake.OUT_FROM)
            holed |= {(one.model, one.element) for one in made if one.model != "grid"}
            found += made
            ground.notes.append(_said(quake, exposed, made))
        _check(quakes[0], exposed, ground)
        return found

    def quakes(self, ground: Ground) -> list[Quake]:
        """Return the main shock and its aftershocks."""
        x_m, y_m = ground.point("epicentre", self.epicentre)
        main = Quake(self.magnitude, x_m, y_m, self.strike_deg, ground.moment_s("at", self.at), self.law, self.residual)
        return [main, *self._after(main, ground)]

    def _after(self, main: Quake, ground: Ground) -> list[Quake]:
        if isinstance(self.aftershocks, bool):
            return aftershocks.draw(main, ground.seed, ground.context.duration_s, self.least) if self.aftershocks else []
        named = []
        for i, one in enumerate(self.aftershocks):
            t_s = ground.context.moment_s(one.at, (*ground.path, "aftershocks", i, "at"))
            if t_s <= main.start_s:
                ground.say("aftershocks", f"'{one.at}' is not after the main shock")
            named.append(Quake(one.magnitude, main.x_m, main.y_m, self.strike_deg, t_s, self.law, self.residual))
        return aftershocks.numbered(main, sorted(named, key=lambda one: one.start_s))


def _said(quake: Quake, exposed: Sequence[Exposed], made: Sequence[Effect]) -> str:
    """Return one line: how hard it shook and what came of it."""
    if not exposed:
        return f"{quake.name}, M {quake.magnitude:g}: nothing in this scenario that it could shake"
    level = earthquake.intensity(quake, np.array([one.x_m for one in exposed]), np.array([one.y_m for one in exposed]))
    pga = earthquake.pga_m_per_s2(float(level.max())) / earthquake.G_M_PER_S2
    pgv = 100.0 * earthquake.pgv_m_per_s(float(level.max()))
    counts = {what: sum(one.model == what for one in made) for what in ("water", "gas", "grid")}
    struck = f"{counts['water']} water pipes, {counts['gas']} gas pipes, {counts['grid']} transformers"
    return (
        f"{quake.name}, M {quake.magnitude:g}: intensity {level.min():.1f} to {level.max():.1f}, "
        f"at most PGA {pga:.2f} g and PGV {pgv:.0f} cm/s; struck: {struck}"
    )


def _check(quake: Quake, exposed: Sequence[Exposed], ground: Ground) -> None:
    """Say where the relations are used outside what they were made for."""
    if not exposed:
        return
    x, y = np.array([one.x_m for one in exposed]), np.array([one.y_m for one in exposed])
    level = earthquake.intensity(quake, x, y)
    if level.min() < SCALE[0] or level.max() > SCALE[1]:
        ground.notes.append(
            f"intensity {level.min():.1f} to {level.max():.1f}: the scale gives peaks from {SCALE[0]:g} to {SCALE[1]:g} only"
        )
    away = np.hypot(x - quake.x_m, y - quake.y_m).max()
    if away > REACH_M:
        ground.notes.append(f"{away / 1e3:.0f} km from the epicentre: the attenuation relation was made for up to {REACH_M / 1e3:.0f} km")


class TrackFix(BaseModel):
    """Where the typhoon's centre is at a moment, how deep it is and how far off its strongest wind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: At
    centre: Where
    centre_hpa: float = Field(ge=850, le=1010)
    radius: Annotated[Quantity("m"), Field(ge=5e3, le=300e3)] = 40e3


class Surge(BaseModel):
    """How the river rises while the storm passes: half a cosine about the moment it is nearest (a synthetic shape)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    river: Quantity("m") = Field(description="level before and after, in the drainage file's datum")  # type: ignore[valid-type]
    peak: Annotated[Quantity("m"), Field(gt=0, le=10)] = Field(description="the highest rise above `river`, no level itself")
    lasts: Seconds = 6 * 3600


class Rain(BaseModel):
    """Rain of the storm, about the moment it is nearest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    depth: Annotated[Quantity("mm"), Field(gt=0, le=2000)]
    lasts: Seconds = 6 * 3600


class TyphoonKind(Kind):
    """Wind by Holland's profile along a track, overhead lines down, the river up, rain into the sewers."""

    strikes: ClassVar[tuple[str, ...]] = ("grid", "drainage", "air")
    everywhere: ClassVar[bool] = True

    track: tuple[TrackFix, ...] = Field(min_length=2)
    every: Seconds = Field(600, description="how often wind and river are set")
    overhead: tuple[str, ...] = Field((), description="grid lines that hang in the air; cables in the ground do not fall")
    surge: Surge | None = None
    rain: Rain | None = None

    def effects(self, ground: Ground) -> list[Effect]:
        """Return lines that fall, the wind over the city's middle, the river's levels and the rain."""
        fixes = []
        for i, one in enumerate(self.track):
            t_s = ground.context.moment_s(one.at, (*ground.path, "track", i, "at"))
            fixes.append(Fix(t_s, *ground.point("track", one.centre), one.centre_hpa, one.radius))
        if [one.t_s for one in fixes] != sorted({one.t_s for one in fixes}):
            ground.say("track", "its fixes must be in order of time, each at its own moment")
            return []
        for line in self.overhead:
            ground.known("overhead", "grid", "line", line)
        storm, until_s = Typhoon(tuple(fixes)), ground.context.duration_s
        lines = [
            Exposed(one.model, one.kind, one.element, one.x_m, one.y_m, {"overhead": one.element in self.overhead})
            for one in ground.exposed("grid", "line")
        ]
        times = range(fixes[0].t_s, min(fixes[-1].t_s, until_s) + 1, max(self.every, 1))
        if not times:
            return []
        nearest_s = min(times, key=lambda t_s: float(np.hypot(storm.fix(t_s).x_m, storm.fix(t_s).y_m)))
        fallen = wind.effects(storm, lines, ground.seed, until_s, self.every) if self.overhead else []
        found = [*fallen, *self._wind(storm, times, ground), *self._water(times, nearest_s, until_s, ground)]
        strongest = max(float(np.hypot(*_blows(storm, t_s))) for t_s in times)
        fell = f"{len(fallen)} of {len(self.overhead)} overhead lines fall"
        ground.notes.append(f"strongest mean wind over the city {strongest:.0f} m/s; {fell}")
        return found

    def _wind(self, storm: Typhoon, times: range, ground: Ground) -> list[Effect]:
        if not ground.has("air"):
            return []
        found = []
        for t_s in times:
            east, north = _blows(storm, t_s)
            speed, from_deg = float(np.hypot(east, north)), float(np.degrees(np.arctan2(-east, -north)) % 360.0)
            arguments = {"speed_m_per_s": round(min(speed, 60.0), 2), "from_deg": round(from_deg, 1)}
            found.append(Effect(t_s, "air", "set_wind", "", arguments, f"{speed:.0f} m/s from {from_deg:.0f} degrees"))
        return found

    def _water(self, times: range, nearest_s: int, until_s: int, ground: Ground) -> list[Effect]:
        found: list[Effect] = []
        if not ground.has("drainage"):
            return found
        if self.rain is not None:
            begins_s = max(nearest_s - self.rain.lasts // 2, 0)
            arguments = {"depth_mm": self.rain.depth, "duration_s": float(self.rain.lasts)}
            found.append(Effect(begins_s, "drainage", "start_storm", "", arguments, f"{self.rain.depth:g} mm of rain"))
        if self.surge is not None:
            half = self.surge.lasts / 2.0
            first = max(nearest_s - int(half), 0)
            for t_s in range(first, min(nearest_s + int(half), until_s) + 1, times.step):
                level = self.surge.river + self.surge.peak * cos(pi * (t_s - nearest_s) / self.surge.lasts) ** 2
                found.append(Effect(t_s, "drainage", "set_river", "", {"level_m": round(level, 3)}, "surge"))
        return found


def _blows(storm: Typhoon, t_s: int) -> tuple[float, float]:
    """Return the mean wind over the pack's origin, metres a second east and north."""
    east, north = wind.wind_m_per_s(storm, t_s, np.zeros(1), np.zeros(1))
    return float(east[0]), float(north[0])


class HeatwaveKind(Kind):
    """Days of heat: what they add to demand, hour by hour, and take from the rating of transformers.

    Cables keep theirs: the soil about them warms over weeks, not over the days of a wave.
    """

    strikes: ClassVar[tuple[str, ...]] = ("grid",)
    also: ClassVar[tuple[str, ...]] = ("water",)

    at: At = "+0 s"
    days: float = Field(3.0, gt=0, le=60)
    low_c: float = Field(28.0, ge=0, le=45)
    high_c: float = Field(39.0, ge=10, le=55)
    usual_high_c: float = Field(32.0, ge=10, le=55)
    added_at_peak: float = Field(0.15, gt=0, le=1, description="demand added in the hottest hour")
    demand: tuple[Literal["grid", "water"], ...] = Field(("grid",), description="whose demand grows")

    def effects(self, ground: Ground) -> list[Effect]:
        """Return the factors of demand of every bus (and junction), each time they have moved by a hundredth."""
        start_s = ground.moment_s("at", self.at)
        if self.high_c <= self.usual_high_c or self.high_c <= self.low_c:
            ground.say("high_c", "it must be above 'usual_high_c' and 'low_c'")
        clock = ground.context.start
        midnight_s = -(clock.hour * 3600 + clock.minute * 60 + clock.second)
        wave = Heatwave(self.low_c, self.high_c, self.usual_high_c, self.added_at_peak, start_s, self.days, midnight_s)
        sets = {"grid": "bus", "water": "junction"}
        exposed = [one for model in self.demand for one in ground.exposed(model, sets[model])]
        exposed += ground.exposed("grid", "trafo")
        ground.notes.append(
            f"{self.low_c:g} to {self.high_c:g} C: up to {100 * self.added_at_peak:.0f} % more demand, "
            f"transformers at {100 * wave.rating_factor():.1f} % of their rating"
        )
        last: dict[tuple[str, str, str], float] = {}
        found = []
        for one in heat.effects(wave, exposed, ground.context.duration_s):
            key, factor = (one.model, one.action, one.element), float(one.arguments["factor"])
            if abs(factor - last.get(key, 1.0)) >= BRIEFLY or (factor == 1.0 != last.get(key, 1.0)):
                last[key] = factor
                found.append(one)
        return found


NATURAL: dict[str, type[Any]] = {"earthquake": Earthquake, "typhoon": TyphoonKind, "heatwave": HeatwaveKind}

__all__ = ["MATERIALS", "NATURAL", "Earthquake", "HeatwaveKind", "TyphoonKind"]
