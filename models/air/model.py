"""What leaks or burns drifts over the district: puffs on a turning wind, concentrations, what is flammable, who is poisoned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.air import flammable as burnable
from models.air import weather
from models.air.drift import MG_PER_KG, STEP_S, Drift
from models.air.engine import Air as Weather
from models.air.engine import Cloud
from models.air.substances import AIR_KG_PER_MOL, NAMES, PRESSURE_PA, R_J_PER_MOL_K, SMOKE, SUBSTANCES
from models.air.surface import CALM, HEAVY, NEAR
from models.air.weather import CALM_M_PER_S, Wind
from twin.looks import Looks, SetLook
from twin.model import Account, Setup, Snapshot

NEAR_M = 100.0
THIN = 1e-3
"""A cloud whose density is within this share of the air's no longer feels its weight (from memory; some models take 1e-2)."""
_SEEN_MG_PER_M3 = 1e-3


class Air(Drift):
    """Gaussian puffs (Pasquill-Gifford classes, Briggs' formulas) released as time passes and carried by the wind.

    Where the formula does not hold the result says so: `validity`, `heavy`, and the notice `outside_validity`.
    """

    @classmethod
    def demo(cls, folder: Path) -> Setup:
        """Write a street, a school, a square and a filling station; gas, chlorine and smoke are let out from the first second on."""
        from models.air.demo import DEMO

        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "air.json"
        path.write_text(json.dumps(DEMO, indent=1), encoding="utf-8")
        wind = [{"at": "+0 s", "speed": "3 m/s", "from_deg": 270.0}, {"at": "+17 s", "speed": "2 m/s", "from_deg": 250.0}]
        return Setup(name="air", files={"places": path}, scratch=folder, options={"wind": wind, "ignition": False}, duration_s=600)

    # the instant

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
        self.people = people = self.people_there()
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
        air_mg_per_m3 = PRESSURE_PA * AIR_KG_PER_MOL / (R_J_PER_MOL_K * self.air.temperature_k) * MG_PER_KG
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
