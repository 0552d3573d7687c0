"""What leaks or burns drifts over the district: puffs on a turning wind, concentrations, what is flammable, who is poisoned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from models.air import flammable as burnable
from models.air import network as files
from models.air import spread, weather
from models.air.engine import Air as Weather
from models.air.engine import Cloud, Puffs
from models.air.exposure import Exposure
from models.air.substances import AIR_KG_PER_MOL, NAMES, PRESSURE_PA, R_J_PER_MOL_K, SMOKE, SUBSTANCES
from models.air.surface import CALM, HEAVY, NEAR, Surface
from models.air.weather import CALM_M_PER_S, CLASSES, Wind
from twin.errors import InputError, Problem
from twin.looks import Looks, SetLook
from twin.model import Account, Setup, Snapshot
from twin.units import clock_s

STEP_S = 10
"""Doses grow and sparks are looked at on whole multiples of it, so that a split of time changes nothing."""
ROW_S = 30
SKY_S = 600
"""How often the class follows the sun."""
NEAR_M = 100.0
THIN = 1e-3
"""A cloud whose density is within this share of the air's no longer feels its weight (from memory; some models take 1e-2)."""
CO_YIELD, RADIANT = 0.02, 0.3
"""Synthetic: kg of carbon monoxide per kg burnt; share of a fire's heat that is radiated and does not lift the smoke."""
_MG_PER_KG = 1e6
_SEEN_MG_PER_M3 = 1e-3


class Air(Surface):
    """Gaussian puffs (Pasquill-Gifford classes, Briggs' formulas) released as time passes and carried by the wind.

    Where the formula does not hold the result says so: `validity`, `heavy`, and the notice `outside_validity`.
    """

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

    @classmethod
    def demo(cls, folder: Path) -> Setup:
        """Write a street, a school, a square and a filling station; gas, chlorine and smoke are let out from the first second on."""
        from models.air.demo import DEMO

        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "air.json"
        path.write_text(json.dumps(DEMO, indent=1), encoding="utf-8")
        wind = [{"at": "+0 s", "speed": "3 m/s", "from_deg": 270.0}, {"at": "+17 s", "speed": "2 m/s", "from_deg": 250.0}]
        return Setup(name="air", files={"places": path}, scratch=folder, options={"wind": wind, "ignition": False}, duration_s=600)

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

    # the instant

    def cloud(self) -> Cloud:
        """Return everything in the air as Gaussians; the last ones where nothing moved."""
        if self._seen is None:
            self._seen = self.puffs.cloud(self.air)
        return self._seen

    def _mg(self, field: np.ndarray) -> np.ndarray:
        """Return mg/m3 of kg/m3, never more than the pure gas."""
        pure = burnable.pure_kg_per_m3(self.air.temperature_k).reshape((-1,) + (1,) * (field.ndim - 1))
        return np.minimum(field, pure) * _MG_PER_KG

    def _at_places(self, samples: np.ndarray) -> np.ndarray:
        """Return the highest of each place's points; the last axis is the points."""
        if not len(self.network.first_sample):
            return samples[..., :0]
        return np.maximum.reduceat(samples, self.network.first_sample, axis=-1)

    def _shares(self, field_mg_per_m3: np.ndarray) -> np.ndarray:
        """Return the share of the lower flammable limit, all substances together (Le Chatelier); the first axis is the substance."""
        lower = burnable.lower_kg_per_m3(self.air.temperature_k) * _MG_PER_KG
        return (field_mg_per_m3 / lower.reshape((-1,) + (1,) * (field_mg_per_m3.ndim - 1))).sum(axis=0)

    def _above_lfl(self, shares: np.ndarray) -> np.ndarray:
        """Return (place,) people in flammable air, by the share of a place's points that it covers (a building's by its middle)."""
        net = self.network
        if not len(net.first_sample):
            return np.zeros(0)
        counts = np.diff(np.append(net.first_sample, len(net.sample_x_m)))
        covered = np.add.reduceat((shares >= 1.0).astype(float), net.first_sample) / counts
        return covered * (net.people + self.count)

    def solve(self) -> None:
        """Write concentrations, areas, levels and people for this second."""
        self._weather()
        cloud, net = self.cloud(), self.network
        samples = self._mg(cloud.points(net.sample_x_m, net.sample_y_m))
        side_m = net.file.grid.cell_m
        cells = self._mg(np.maximum(cloud.grid(net.cell_x_m, net.cell_y_m), cloud.grid(net.cell_x_m, net.cell_y_m, side_m=side_m)))
        shares = self._shares(samples)
        self.concentration_mg_per_m3 = self._at_places(samples.sum(axis=0))
        self.share_of_lfl = self._at_places(shares)
        self.breathed_mg_per_m3 = self.exposure.now_mg_per_m3()
        level, self.dose = self.exposure.levels(self.now_s // STEP_S * STEP_S)
        self.aegl = level
        self._write_cells(cells)
        self._write_sources(cloud)
        people = net.people + self.count
        in_flames = self._above_lfl(shares)
        self.exposed = np.where(level >= 3, people, in_flames)
        self.people_above_lfl = in_flames.sum()
        for k, port in enumerate((self.people_above_aegl1, self.people_above_aegl2, self.people_above_aegl3), 1):
            port[...] = people[level >= k].sum()
        self.airborne_kg, self.released_kg = self.puffs.held_kg(), self.totals["released"] + self.at_once_kg
        wind = weather.at(self.winds, self.now_s)
        self.wind_m_per_s, self.wind_from_deg, self.stability = wind.speed_m_per_s, wind.from_deg, self.air.stability + 1
        self._write_validity(cells)
        self._tell(level)

    def _write_cells(self, cells: np.ndarray) -> None:
        self.cloud_mg_per_m3 = cells.sum(axis=0).ravel()
        self.cloud_share_of_lfl = self._shares(cells).ravel()
        level = np.zeros(len(self.cloud_aegl), int)
        for k, name in enumerate(NAMES):
            if SUBSTANCES[name].toxic and cells[k].any():
                limits = SUBSTANCES[name].aegl_mg_per_m3()[:, 0]
                level = np.maximum(level, (cells[k].ravel() >= limits[:, None]).sum(axis=0))
        self.cloud_aegl = level

    def _write_sources(self, cloud: Cloud) -> None:
        """Write what comes out, what of it is flammable, fires, and which releases are heavy."""
        wanted = self.emissions()
        air_kg_per_m3 = PRESSURE_PA * AIR_KG_PER_MOL / (R_J_PER_MOL_K * self.air.temperature_k)
        self.emission_kg_per_s = self.flammable_area_m2 = self.flammable_mass_kg = self.flammable_reach_m = self.fire_mw = 0.0
        self.heavy = False
        for (i, kind), (rate, _) in wanted.items():
            self.emission_kg_per_s[i] += rate
            number = burnable.density_number(rate, self._density(i, kind), air_kg_per_m3, self.air.speed_m_per_s)
            self.heavy[i] |= number >= 0.15
            if self.burning[i] and kind == SMOKE:
                self.fire_mw[i] = self._fire_mw(i)
        aloft = np.unique(self.puffs.rows["source"])
        for i in aloft[self.puffed_kg[aloft] > 0]:
            number = burnable.density_number_at_once(
                self.puffed_kg[i], self._density(i, int(self.extra[i])), air_kg_per_m3, self.air.speed_m_per_s
            )
            self.heavy[i] |= number >= 0.20
        for i in np.unique(cloud.source[np.isin(cloud.substance, burnable.FLAMMABLE)]):
            found = burnable.patch(cloud, int(i), (float(self.x_m[i]), float(self.y_m[i])), self.air.temperature_k)
            if found is not None:
                self.flammable_area_m2[i], self.flammable_mass_kg[i] = found.area_m2, found.mass_kg
                self.flammable_reach_m[i] = found.reach_m
                self._show(found)

    def _density(self, i: int, kind: int) -> float:
        substance = SUBSTANCES[NAMES[kind]]
        return substance.density_kg_per_m3(substance.boiling_k if self.cold[i] and substance.boiling_k else self.air.temperature_k)

    def _fire_mw(self, i: int) -> float:
        parts = ((int(self.substance[i]), self.leak_kg_per_s[i]), (int(self.extra[i]), self.rate_kg_per_s[i]))
        return float(sum(rate * SUBSTANCES[NAMES[kind]].heat_mj_per_kg for kind, rate in parts))

    def _show(self, patch: burnable.Patch) -> None:
        """Lift each cell's share to the highest that the fine raster found in it."""
        grid, net = self.network.file.grid, self.network
        columns = np.floor((patch.x_m - net.cell_x_m[0]) / grid.cell_m + 0.5).astype(int)
        rows = np.floor((patch.y_m - net.cell_y_m[0]) / grid.cell_m + 0.5).astype(int)
        a, b = (columns >= 0) & (columns < grid.columns), (rows >= 0) & (rows < grid.rows)
        at = columns[a][:, None] * grid.rows + rows[b][None, :]
        np.maximum.at(self.cloud_share_of_lfl, at, patch.share[np.ix_(a, b)])

    def _write_validity(self, cells: np.ndarray) -> None:
        """Say where the formula does not hold, per cell and place that anything reaches."""
        net = self.network
        rows = self.puffs.rows
        active = np.unique(rows["source"][rows["path_m"].min(axis=1) < NEAR_M]) if len(rows) else np.empty(0, int)
        heavy = bool(self.heavy.any())
        calm = self.air.speed_m_per_s < CALM_M_PER_S
        x, y = (axis.ravel() for axis in np.meshgrid(net.cell_x_m, net.cell_y_m, indexing="ij"))
        lack = np.array([1.0 - AIR_KG_PER_MOL / SUBSTANCES[name].molar_kg_per_mol for name in NAMES])
        air_mg_per_m3 = PRESSURE_PA * AIR_KG_PER_MOL / (R_J_PER_MOL_K * self.air.temperature_k) * _MG_PER_KG
        weight = np.maximum((cells * lack[:, None, None]).sum(axis=0).ravel(), 0.0) / air_mg_per_m3
        for seen, at, dense, port in (
            (self.cloud_mg_per_m3, (x, y), weight, self.cloud_validity),
            (self.concentration_mg_per_m3, net.middle_m.T, self.concentration_mg_per_m3 / air_mg_per_m3, self.validity),
        ):
            there = seen > _SEEN_MG_PER_M3
            near = np.zeros(len(seen), bool)
            for i in active:
                near |= np.hypot(at[0] - self.x_m[i], at[1] - self.y_m[i]) < NEAR_M
            port[...] = np.where(there, NEAR * near + CALM * calm + HEAVY * (heavy & (dense > THIN)), 0)

    def _tell(self, level: np.ndarray) -> None:
        """Report what changed for places and sources since the last instant."""
        over = self.share_of_lfl >= 1.0
        for i in np.flatnonzero(over != self.told_lfl):
            (self.above_lfl if over[i] else self.below_lfl)(int(i), share=float(self.share_of_lfl[i]))
        for i in np.flatnonzero(level != self.told_aegl):
            names = {1: self.above_aegl1, 2: self.above_aegl2, 3: self.above_aegl3}
            if level[i] > self.told_aegl[i]:
                names[int(level[i])](int(i), breathed_mg_per_m3=float(self.breathed_mg_per_m3[i]))
            elif self.told_aegl[i] == 3:
                self.below_aegl3(int(i))
        area = self.flammable_area_m2 > 0
        for i in np.flatnonzero(area != self.told_area):
            if area[i]:
                self.flammable(int(i), area_m2=float(self.flammable_area_m2[i]), reach_m=float(self.flammable_reach_m[i]))
            else:
                self.no_longer_flammable(int(i))
        self.told_lfl, self.told_aegl, self.told_area = over, level, area
        self._tell_validity()

    def _tell_validity(self) -> None:
        outside = np.zeros(len(self.told_outside), int)
        aloft = np.unique(self.puffs.rows["source"])
        outside[aloft] = NEAR + CALM * (self.air.speed_m_per_s < CALM_M_PER_S) + HEAVY * self.heavy[aloft]
        why = {
            NEAR: "nearer than 100 m to the source the formulas were never fitted",
            CALM: "the wind is below 1 m/s: no direction holds",
            HEAVY: "it is heavier than air: near the source it spreads wider, lower and upwind, which a Gaussian does not say",
        }
        for i in np.flatnonzero(outside & ~self.told_outside):
            new = int(outside[i] & ~self.told_outside[i])
            self.outside_validity(int(i), why="; ".join(said for bit, said in why.items() if new & bit))
        self.told_outside = outside

    def looks(self) -> dict[str, Any]:
        """Return how the cloud, places and sources are drawn."""
        sets = {
            "cell": SetLook("cloud", height_m=20.0),
            "place": SetLook("area", shown=False),
            "source": SetLook("marker", width_m=3.0, height_m=2.0, shown=False),
            "spark": SetLook("marker", width_m=3.0, height_m=3.0, shown=False),
            "all": SetLook("area", shown=False),
        }
        return Looks(sets, {}).plain() | {"provenance": self.network.file.provenance}

    # state and sums

    def save(self) -> Snapshot:
        """Return rows, doses, the wind to come and the sums."""
        return {
            "rows": self.puffs.rows.copy(),
            "exposure": self.exposure.save(),
            "winds": [[one.start_s, one.speed_m_per_s, one.from_deg] for one in self.winds],
            "air": [*self.air.wind_m_per_s, self.air.stability],
            "sky": [self.class_now, self.cloud_cover],
            "totals": {**self.totals, "at_once": self.at_once_kg},
        }

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take them up again."""
        self.puffs.rows = saved["rows"].copy()
        self.exposure.load(saved["exposure"])
        self.winds = [Wind(int(start), float(speed), float(deg)) for start, speed, deg in saved["winds"]]
        self.class_now, self.cloud_cover = str(saved["sky"][0]), float(saved["sky"][1])
        east, north, found = saved["air"]
        options = self.options
        terrain = self.network.file.terrain
        self.air = Weather((float(east), float(north)), int(found), terrain, options.mixing_height, options.temperature_k)
        self.totals = {name: float(value) for name, value in saved["totals"].items()}
        self.at_once_kg = self.totals.pop("at_once")
        self.touched()

    def ledger(self) -> list[Account]:
        """Return the mass in the air: let out, burnt or drifted away, or still there."""
        gained = self.totals["released"] + self.at_once_kg
        lost = self.totals["burnt"] + self.totals["left"]
        return [Account("airborne mass", "kg", gained, lost, self.puffs.held_kg(), tolerance=1e-9 * gained + 1e-9)]
