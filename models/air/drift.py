"""Time in the air: the weather of each second, what is let out, breathed and set alight."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from models.air import flammable as burnable
from models.air import network as files
from models.air import spread, weather
from models.air.engine import Air as Weather
from models.air.engine import Cloud, Puffs
from models.air.exposure import Exposure
from models.air.substances import NAMES, SMOKE, SUBSTANCES
from models.air.surface import Surface
from models.air.weather import CLASSES, Wind
from twin.errors import InputError, Problem
from twin.model import Setup
from twin.units import clock_s

STEP_S = 10
"""Doses grow and sparks are looked at on whole multiples of it, so that a split of time changes nothing."""
ROW_S = 30
SKY_S = 600
"""How often the class follows the sun."""
CO_YIELD, RADIANT = 0.02, 0.3
"""Synthetic: kg of carbon monoxide per kg burnt; share of a fire's heat that is radiated and does not lift the smoke."""
MG_PER_KG = 1e6


class Drift(Surface):
    """What the air does between two instants."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.puffs, self.exposure = Puffs(), Exposure(self.network.indoor)
        self.winds = self._series(setup)
        self.totals = {"released": 0.0, "burnt": 0.0, "left": 0.0}
        self.air = self.air_now()
        self._seen: Cloud | None = None

    @classmethod
    def read(cls, setup: Setup) -> files.AirNetwork:
        """Read air.json."""
        return files.read(setup.file("places"), setup.offset_m)

    def _series(self, setup: Setup) -> list[Wind]:
        series, wrong = [], []
        for i, one in enumerate(self.options.wind):
            try:
                series.append(Wind(clock_s(one.at, setup.start), float(one.speed), one.from_deg))
            except ValueError as error:
                wrong.append(Problem(f"models.{setup.name}.wind.{i}.at: {error}"))
        if not wrong and [one.start_s for one in series] != sorted({one.start_s for one in series}):
            wrong.append(Problem(f"models.{setup.name}.wind: entries must be in order of time, each at its own moment"))
        if not wrong and series[0].start_s > 0:
            wrong.append(Problem(f"models.{setup.name}.wind.0.at: the first entry must be at the start (+0 s) or before it"))
        if wrong:
            raise InputError(wrong)
        return series

    def open(self) -> None:
        """Nothing to start: the engine is arithmetic."""

    def touched(self) -> None:
        """Forget what was computed of the air."""
        self._seen = None

    # time

    def air_now(self) -> Weather:
        """Return the wind, class and lid of this second; the class follows the sun every ten minutes."""
        wind = weather.at(self.winds, self.now_s)
        if self.class_now == "auto":
            place = self.network.file.location
            moment = self.setup.start + timedelta(seconds=self.now_s // SKY_S * SKY_S)
            sun = weather.sun_deg(moment, place.lon_deg, place.lat_deg)
            found = weather.stability(wind.speed_m_per_s, sun, self.cloud_cover, self.options.ceiling)
        else:
            found = CLASSES.index(self.class_now)
        return Weather(wind.vector(), found, self.network.file.terrain, self.options.mixing_height, self.options.temperature_k)

    def advance(self, until_s: int) -> bool:
        """Let out, carry, breathe and light; returns whether anything was in the air or the weather changed."""
        before, moved = self.air, False
        while self.now_s < until_s:
            self._weather()
            stop_s = min(until_s, self._next_stop_s())
            if self.now_s % ROW_S == 0:
                self.puffs.close()
            self._follow()
            if len(self.puffs.rows):
                moved = True
                self.totals["released"] += self.puffs.drift(stop_s - self.now_s, self.air)
                self.touched()
            moved |= bool((self.away() < 1.0)[self.leave_from_s <= self.now_s].any())  # somebody is still leaving
            self.now_s = stop_s
            for i in np.flatnonzero(self.until_s <= self.now_s):
                self.end_release(int(i))
                moved = True
            if self.now_s % STEP_S == 0:
                moved |= self._step()
        self._weather()
        return moved or self.air != before

    def _next_stop_s(self) -> int:
        stops = [self.now_s // step * step + step for step in (STEP_S, ROW_S, SKY_S)]
        stops += [int(second) for second in self.until_s[np.isfinite(self.until_s)] if second > self.now_s]
        turn = weather.change_s(self.winds, self.now_s)
        return min(stops + ([] if turn is None else [turn]))

    def _weather(self) -> None:
        """Take up the weather of this second; rows end where it changes."""
        air = self.air_now()
        if air != self.air:
            self.puffs.close()
            self.puffs.change(self.air, air)
            self.air = air
            self.touched()

    def emissions(self) -> dict[tuple[int, int], tuple[float, float]]:
        """Return (source, substance) -> (kg/s let out, buoyancy flux): what leaks, what actions release, what burns as smoke."""
        found: dict[tuple[int, int], tuple[float, float]] = {}
        for i in np.flatnonzero((self.leak_kg_per_s > 0) | (self.rate_kg_per_s > 0)):
            lit = bool(self.burning[i])
            parts = ((int(self.substance[i]), self.leak_kg_per_s[i], 0.0), (int(self.extra[i]), self.rate_kg_per_s[i], self.heat_mw[i]))
            for kind, rate, heat in parts:
                burns = lit and SUBSTANCES[NAMES[kind]].flammable
                lift = rate * SUBSTANCES[NAMES[kind]].heat_mj_per_kg * (1.0 - RADIANT) if burns else heat
                key = (int(i), SMOKE if burns else kind)
                if rate > 0:
                    had = found.get(key, (0.0, 0.0))
                    flux = spread.buoyancy_m4_per_s3(float(lift), self.air.temperature_k)
                    found[key] = (had[0] + float(rate) * (CO_YIELD if burns else 1.0), had[1] + flux)
        return found

    def _follow(self) -> None:
        """End rows whose source changed, begin rows for what is let out now."""
        wanted, rows = self.emissions(), self.puffs.rows
        for r in np.flatnonzero(rows["open"]):
            rate, flux = wanted.get((int(rows["source"][r]), int(rows["substance"][r])), (0.0, 0.0))
            if rate != rows["rate_kg_per_s"][r] or flux != rows["flux"][r]:
                rows["open"][r] = False
        for (i, kind), (rate, flux) in wanted.items():
            at = (float(self.x_m[i]), float(self.y_m[i]), float(self.height_m[i]))
            self.puffs.let_out(i, kind, rate, at, flux, self.air)

    def _step(self) -> bool:
        """Every ten seconds: forget what left, breathe, look at the sparks."""
        if not len(self.puffs.rows) and self.exposure.idle:
            return False
        left = self.puffs.leave()
        self.totals["left"] += left
        if left:
            self.touched()
        toxic = np.isin(np.unique(self.puffs.rows["substance"]), [k for k, n in enumerate(NAMES) if SUBSTANCES[n].toxic]).any()
        if toxic or not self.exposure.idle:
            outside = self._at_places(self._mg(self.cloud().points(self.network.sample_x_m, self.network.sample_y_m)))
            self.exposure.step(outside, self.now_s, STEP_S, self.sheltered)
        if self.options.ignition and len(self.network.spark_x_m):
            self._sparks()
        return True

    def _sparks(self) -> None:
        burns = np.isin(self.puffs.rows["substance"], burnable.FLAMMABLE)
        net, lower = self.network, burnable.lower_kg_per_m3(self.air.temperature_k)[:, None]
        for i in np.unique(self.puffs.rows["source"][burns]):
            part = self.cloud()
            part = part.pick(part.source == i)
            share = (part.points(net.spark_x_m, net.spark_y_m) / lower).sum(axis=0)
            reached = np.flatnonzero((share >= 1.0) & self.live)
            if len(reached):
                self.light(int(i), self.elements["spark"].ids[reached[0]])

    def light(self, i: int, by: str) -> None:
        """Burn off the rows of source `i` that are flammable somewhere; what still comes out burns where it does."""
        cloud = self.cloud()
        part = cloud.pick((cloud.source == i) & np.isin(cloud.substance, burnable.FLAMMABLE))
        lower = burnable.lower_kg_per_m3(self.air.temperature_k)[:, None]
        share = (part.points(part.x_m, part.y_m) / lower).sum(axis=0) if len(part) else np.zeros(0)
        feeds = any(source == i and SUBSTANCES[NAMES[kind]].flammable for source, kind in self.emissions())
        if not (share >= 1.0).any() and not feeds:
            self.not_ignited(i, by=by, why="nothing flammable there")
            return
        if (share >= 1.0).any():
            patch = burnable.patch(cloud, i, (float(self.x_m[i]), float(self.y_m[i])), self.air.temperature_k)
            lit = np.zeros(len(self.puffs.rows), bool)
            lit[np.unique(part.row[share >= 1.0])] = True
            samples = self._mg(part.points(self.network.sample_x_m, self.network.sample_y_m))
            people = self._above_lfl(self._shares(samples))
            burnt = self.puffs.take(lit)
            self.totals["burnt"] += burnt
            facts = {"area_m2": patch.area_m2, "flammable_kg": patch.mass_kg} if patch else {}
            self.flash_fire(i, by=by, burnt_kg=burnt, people=float(people.sum()), **facts)
            for k in np.flatnonzero(people > 0):
                self.burnt(int(k), people=float(people[k]))
        if feeds and not self.burning[i]:
            self.burning[i] = True
            self.fire_started(i, by=by)
        self.puffs.close(np.array([i]))
        self.touched()

    def next_s(self) -> int | None:
        """Return when the wind turns or a release ends."""
        due = [int(second) for second in self.until_s[np.isfinite(self.until_s)]]
        turn = weather.change_s(self.winds, self.now_s)
        return min(due + ([] if turn is None else [turn]), default=None)

    def cloud(self) -> Cloud:
        """Return everything in the air as Gaussians; the last ones where nothing moved."""
        if self._seen is None:
            self._seen = self.puffs.cloud(self.air)
        return self._seen

    def _mg(self, field: np.ndarray) -> np.ndarray:
        """Return mg/m3 of kg/m3, never more than the pure gas."""
        pure = burnable.pure_kg_per_m3(self.air.temperature_k).reshape((-1,) + (1,) * (field.ndim - 1))
        return np.minimum(field, pure) * MG_PER_KG

    def _at_places(self, samples: np.ndarray) -> np.ndarray:
        """Return the highest of each place's points; the last axis is the points."""
        if not len(self.network.first_sample):
            return samples[..., :0]
        return np.maximum.reduceat(samples, self.network.first_sample, axis=-1)

    def _shares(self, field_mg_per_m3: np.ndarray) -> np.ndarray:
        """Return the share of the lower flammable limit, all substances together (Le Chatelier); the first axis is the substance."""
        lower = burnable.lower_kg_per_m3(self.air.temperature_k) * MG_PER_KG
        return (field_mg_per_m3 / lower.reshape((-1,) + (1,) * (field_mg_per_m3.ndim - 1))).sum(axis=0)

    def _above_lfl(self, shares: np.ndarray) -> np.ndarray:
        """Return (place,) people in flammable air, by the share of a place's points that it covers (a building's by its middle)."""
        net = self.network
        if not len(net.first_sample):
            return np.zeros(0)
        counts = np.diff(np.append(net.first_sample, len(net.sample_x_m)))
        covered = np.add.reduceat((shares >= 1.0).astype(float), net.first_sample) / counts
        return covered * self.people_there()
