"""What the air shows and takes: options, ports, notices, and the verbs that release, light and turn the wind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from models.air.engine import Puffs
from models.air.exposure import Exposure
from models.air.network import FREE, AirNetwork
from models.air.substances import NAMES
from models.air.weather import Wind
from twin.model import Model, Options, action
from twin.ports import At, In, Notice, Out, State
from twin.units import Quantity

SourceId = Annotated[str, At("source")]
PlaceId = Annotated[str, At("place")]
Kind = Literal["methane", "propane", "propylene", "chlorine", "ammonia", "smoke"]
Rate = Annotated[float, Field(gt=0, le=1e4)]
Class = Literal["auto", "A", "B", "C", "D", "E", "F"]

NEAR, CALM, HEAVY = 1, 2, 4
"""Bits of `validity`: nearer than 100 m to the source, wind below 1 m/s, a cloud heavier than air that is not yet thin."""


class WindAt(Options):
    """One entry of a wind series."""

    at: str = Field("+0 s", description="when: a clock time or '+20 min' after the start")
    speed: Annotated[Quantity("m/s"), Field(ge=0, le=60)] = 2.5
    from_deg: float = Field(135.0, ge=0, le=360, description="where it comes from; 0 = north, clockwise")


class AirOptions(Options):
    """The weather of a scenario; wind at 10 m."""

    wind: list[WindAt] = Field(default_factory=lambda: [WindAt()], description="in order of time (the default is synthetic)")
    cloud: float = Field(0.5, ge=0, le=1, description="share of the sky that is covered")
    ceiling: Annotated[Quantity("m"), Field(gt=0)] = 3000.0
    stability: Class = Field("auto", description="Pasquill-Gifford class; auto: by wind, sun and cloud (Turner's key)")
    mixing_height: Annotated[Quantity("m"), Field(ge=50, le=5000)] = 800.0
    temperature_k: float = Field(298.15, ge=230, le=325)
    ignition: bool = Field(True, description="whether sparks light what is flammable; otherwise only the action does")

    @field_validator("wind")
    @classmethod
    def _some(cls, wind: list[WindAt]) -> list[WindAt]:
        if not wind:
            raise ValueError("a wind series needs an entry")
        return wind


class Surface(Model, ABC):
    """The datasheet of `Air`. Concentrations at 1.5 m: of a place the highest of its points, of a cell the higher of middle and mean."""

    period_s = 10
    Options = AirOptions
    files = {"places": "air.json: raster, places, sources, sparks"}

    leak_kg_per_s = In(at="source", unit="kg/s", reduce="sum", wake=True, tol=1e-4, kind="leak", label="what leaks")
    count = In(at="place", reduce="sum", kind="people", label="people who are there now")
    live = In(at="spark", dtype=bool, fill=True, kind="supply", label="can set alight")

    people = Out(at="place", label="people there")
    concentration_mg_per_m3 = Out(at="place", unit="mg/m3", label="concentration", cmap="YlOrRd")
    share_of_lfl = Out(at="place", label="share of the lower flammable limit", cmap="inferno", range=(0.0, 1.0))
    aegl = Out(at="place", dtype=int, label="AEGL level reached", cmap="RdPu", range=(0, 3))
    dose = Out(at="place", label="share of the toxic load of AEGL-3", cmap="RdPu", range=(0.0, 1.0))
    breathed_mg_per_m3 = Out(at="place", unit="mg/m3", label="breathed")
    exposed = Out(at="place", label="people in flammable air or above AEGL-3")
    validity = Out(at="place", dtype=int, label="where the formula does not hold: 1 near, 2 calm, 4 heavy", range=(0, 7))
    cloud_mg_per_m3 = Out(at="cell", unit="mg/m3", label="cloud", cmap="YlOrRd", range=(0.0, 100.0))
    cloud_share_of_lfl = Out(at="cell", label="share of the lower flammable limit", cmap="inferno", range=(0.0, 1.0))
    cloud_aegl = Out(at="cell", dtype=int, label="AEGL level if breathed for 10 minutes", cmap="RdPu", range=(0, 3))
    cloud_validity = Out(at="cell", dtype=int, label="where the formula does not hold: 1 near, 2 calm, 4 heavy", range=(0, 7))
    emission_kg_per_s = Out(at="source", unit="kg/s", label="emission", cmap="Reds")
    flammable_area_m2 = Out(at="source", unit="m2", label="flammable area", cmap="inferno")
    flammable_mass_kg = Out(at="source", unit="kg", label="flammable mass")
    flammable_reach_m = Out(at="source", unit="m", label="reach of flammable air")
    fire_mw = Out(at="source", unit="MW", label="fire")
    heavy = Out(at="source", dtype=bool, label="heavier than air: a Gaussian is wrong near it")
    people_above_lfl = Out(at="all", label="people in flammable air")
    people_above_aegl1 = Out(at="all", label="people above AEGL-1")
    people_above_aegl2 = Out(at="all", label="people above AEGL-2")
    people_above_aegl3 = Out(at="all", label="people above AEGL-3")
    airborne_kg = Out(at="all", unit="kg", label="in the air")
    released_kg = Out(at="all", unit="kg", label="released")
    wind_m_per_s = Out(at="all", unit="m/s", label="wind")
    wind_from_deg = Out(at="all", unit="deg", label="wind from")
    stability = Out(at="all", dtype=int, label="stability class, A = 1 to F = 6", range=(1, 6))

    x_m = State(at="source", unit="m")
    y_m = State(at="source", unit="m")
    height_m = State(at="source", unit="m")
    substance = State(at="source", dtype=int)
    extra = State(at="source", dtype=int)
    """Substance of what an action releases there."""
    rate_kg_per_s = State(at="source", unit="kg/s")
    until_s = State(at="source", unit="s", fill=np.inf)
    heat_mw = State(at="source", unit="MW")
    cold = State(at="source", dtype=bool)
    burning = State(at="source", dtype=bool)
    puffed_kg = State(at="source", unit="kg")
    sheltered = State(at="place", dtype=bool)
    leave_from_s = State(at="place", unit="s", fill=np.inf)
    """When those who live or work there began to leave, and within how long they are gone."""
    leave_within_s = State(at="place", unit="s", fill=1.0)
    told_lfl = State(at="place", dtype=bool)
    told_aegl = State(at="place", dtype=int)
    told_area = State(at="source", dtype=bool)
    told_outside = State(at="source", dtype=int)

    released = Notice(at="source", severity="warning")
    stopped = Notice(at="source")
    flammable = Notice(at="source", severity="warning")
    no_longer_flammable = Notice(at="source")
    above_lfl = Notice(at="place", severity="warning")
    below_lfl = Notice(at="place")
    above_aegl1 = Notice(at="place")
    above_aegl2 = Notice(at="place", severity="warning")
    above_aegl3 = Notice(at="place", severity="warning")
    below_aegl3 = Notice(at="place")
    flash_fire = Notice(at="source", severity="warning")
    burnt = Notice(at="place", severity="warning")
    fire_started = Notice(at="source", severity="warning")
    fire_out = Notice(at="source")
    not_ignited = Notice(at="source")
    wind_turned = Notice(at="all")
    outside_validity = Notice(at="source", severity="warning")

    network: AirNetwork
    puffs: Puffs
    exposure: Exposure
    winds: list[Wind]

    def __init__(self, setup: Any) -> None:
        super().__init__(setup)
        net = self.network
        self.x_m, self.y_m, self.height_m = net.source_x_m, net.source_y_m, net.source_height_m
        self.substance = self.extra = net.source_substance
        self.rate_kg_per_s, self.heat_mw = net.source_kg_per_s, net.source_heat_mw
        self.class_now: str = self.options.stability
        self.cloud_cover: float = self.options.cloud
        self.at_once_kg = 0.0

    @action
    def release(
        self,
        substance: Kind,
        rate_kg_per_s: Rate,
        source: SourceId = FREE[0],
        place: PlaceId | None = None,
        x_m: float | None = None,
        y_m: float | None = None,
        height_m: Annotated[float, Field(ge=0, le=500)] = 1.0,
        duration_s: Annotated[float, Field(gt=0)] | None = None,
        heat_mw: Annotated[float, Field(ge=0, le=1e5)] = 0.0,
        cold: bool = False,
    ) -> None:
        """Let `rate_kg_per_s` of a substance out at a source (moved to a place or to x, y) until `stop` or for `duration_s`.

        `x_m`, `y_m`: metres of the frame that all models share.
        `heat_mw`: heat that lifts it (a fire's smoke). `cold`: it leaves at its boiling point (liquefied gas).
        """
        i = self._place(source, place, x_m, y_m, height_m)
        self.extra[i] = NAMES.index(substance)
        self.rate_kg_per_s[i], self.heat_mw[i], self.cold[i] = rate_kg_per_s, heat_mw, cold
        self.until_s[i] = np.inf if duration_s is None else self.now_s + max(1, round(duration_s))
        self.touched()
        self.released(i, substance=substance, rate_kg_per_s=rate_kg_per_s)

    @action
    def puff(
        self,
        substance: Kind,
        mass_kg: Annotated[float, Field(gt=0, le=1e7)],
        source: SourceId = FREE[0],
        place: PlaceId | None = None,
        x_m: float | None = None,
        y_m: float | None = None,
        height_m: Annotated[float, Field(ge=0, le=500)] = 1.0,
        width_m: Annotated[float, Field(gt=0, le=200)] = 5.0,
        cold: bool = False,
    ) -> None:
        """Put a mass into the air at once, in a cloud whose standard deviations are `width_m`: a vessel that bursts."""
        i = self._place(source, place, x_m, y_m, height_m)
        at = (float(self.x_m[i]), float(self.y_m[i]), float(self.height_m[i]))
        self.puffs.puff(i, NAMES.index(substance), mass_kg, at, width_m, self.air_now())
        self.extra[i], self.cold[i], self.puffed_kg[i] = NAMES.index(substance), cold, mass_kg
        self.at_once_kg += mass_kg
        self.touched()
        self.released(i, substance=substance, mass_kg=mass_kg)

    @action
    def stop(self, source: SourceId) -> None:
        """End what an action releases at a source; what leaks there by itself goes on."""
        self.end_release(self.index("source", source))

    @action
    def ignite(self, source: SourceId) -> None:
        """Set alight the cloud of a source: what is flammable burns off, what still comes out burns where it comes out."""
        self.light(self.index("source", source), "by action")

    @action
    def extinguish(self, source: SourceId) -> None:
        """Put out the fire at a source; what comes out is gas again."""
        i = self.index("source", source)
        if self.burning[i]:
            self.burning[i] = False
            self.touched()
            self.fire_out(i)

    @action
    def set_wind(self, speed_m_per_s: Annotated[float, Field(ge=0, le=60)], from_deg: Annotated[float, Field(ge=0, le=360)]) -> None:
        """Let the wind at 10 m blow like this from now on; the rest of the series is forgotten."""
        self.winds = [one for one in self.winds if one.start_s < self.now_s] + [Wind(self.now_s, speed_m_per_s, from_deg)]
        self.touched()
        self.wind_turned(0, speed_m_per_s=speed_m_per_s, from_deg=from_deg)

    @action
    def set_sky(self, cloud: Annotated[float, Field(ge=0, le=1)] = 0.5, stability: Class = "auto") -> None:
        """Cover a share of the sky, or name the stability class."""
        self.cloud_cover, self.class_now = cloud, stability
        self.touched()

    @action
    def shelter(self, place: PlaceId | None = None) -> None:
        """Shut windows and ventilation of a place (of all): a building's air changes 0.3 times an hour instead of twice (synthetic)."""
        self.sheltered[slice(None) if place is None else self.index("place", place)] = True

    @action
    def ventilate(self, place: PlaceId | None = None) -> None:
        """Open windows again."""
        self.sheltered[slice(None) if place is None else self.index("place", place)] = False

    @action
    def evacuate(self, place: PlaceId | None = None, over_s: Annotated[float, Field(gt=0)] = 1800.0) -> None:
        """Have those who live or work at a place (at all) leave it, evenly within `over_s`; on their way they are not followed.

        Who has left already stays away; those still there then leave as fast as if all of them left within `over_s`.
        """
        which = slice(None) if place is None else self.index("place", place)
        gone = self.away()[which]
        self.leave_from_s[which] = np.where(gone < 1.0, self.now_s - gone * over_s, self.leave_from_s[which])
        self.leave_within_s[which] = np.where(gone < 1.0, over_s, self.leave_within_s[which])

    def _place(self, source: str, place: str | None, x_m: float | None, y_m: float | None, height_m: float) -> int:
        i = self.index("source", source)
        if place is not None:
            self.x_m[i], self.y_m[i] = self.network.middle_m[self.index("place", place)]
        if x_m is not None:
            self.x_m[i] = x_m
        if y_m is not None:
            self.y_m[i] = y_m
        self.height_m[i] = height_m
        self.puffs.close(np.array([i]))
        return i

    def end_release(self, i: int) -> None:
        """End what an action let out at a source."""
        if self.rate_kg_per_s[i] > 0:
            self.rate_kg_per_s[i], self.until_s[i], self.heat_mw[i] = 0.0, np.inf, 0.0
            self.touched()
            self.stopped(i)

    def away(self) -> np.ndarray:
        """Return (place,) the share of those who live or work there that has left."""
        return np.clip((self.now_s - self.leave_from_s) / self.leave_within_s, 0.0, 1.0)

    def people_there(self) -> np.ndarray:
        """Return (place,) who is there: those of the place who have not left, and those who come and go."""
        return self.network.people * (1.0 - self.away()) + self.count

    @abstractmethod
    def touched(self) -> None:
        """Forget what was computed of the air."""

    @abstractmethod
    def air_now(self) -> Any:
        """Return what the air is like now."""

    @abstractmethod
    def light(self, i: int, by: str) -> None:
        """Set the cloud of source `i` alight."""


__all__ = ["CALM", "HEAVY", "NEAR", "AirOptions", "Surface", "WindAt"]
