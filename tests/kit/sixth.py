"""A sixth domain that lives only in the tests: rooms that are heated and lose warmth to the outside.

It is added as any other package would add it: an entry point in the metadata of a distribution.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from twin.looks import Looks, MoverLook, SetLook
from twin.model import Account, Model, Options, Setup, action
from twin.ports import TRACK, At, ElementSet, In, Notice, Out, State

Room = Annotated[str, At("room")]
LOSS_KW_PER_K, HEAT_KWH_PER_K = 0.1, 0.5


class Rooms:
    def __init__(self, n: int) -> None:
        self.n = n

    def elements(self):
        return {
            "room": ElementSet(tuple(f"R{i}" for i in range(self.n)), [np.array([[10.0 * i, 0.0]]) for i in range(self.n)], label="rooms")
        }


class Heat(Model):
    """Rooms in a row, warmed by heaters that need power, cooled by the air outside."""

    period_s = 30
    engines = ("numpy",)
    files = {"rooms?": "a JSON file with the number of rooms"}

    class Options(Options):
        rooms: Annotated[int, Field(ge=1, le=1000)] = 4

    heater_powered = In(at="room", dtype=bool, fill=True, wake=True, kind="supply")
    outside_degc = In(at="room", unit="degC", fill=5.0, kind="air")
    temperature_degc = Out(at="room", unit="degC", kind="air", label="temperature", cmap="inferno", range=(0, 30))
    power_mw = Out(at="room", unit="MW", kind="load", label="heating")
    warmth_degc = State(at="room", unit="degC", fill=18.0)
    heater_kw = State(at="room", unit="kW", fill=1.0)
    gained_kwh = State(at="room")
    lost_kwh = State(at="room")

    moving = {0: "warden"}

    cold = Notice(at="room", severity="warning")

    @classmethod
    def read(cls, setup: Setup) -> Rooms:
        if "rooms" in setup.files:
            return Rooms(int(json.loads(setup.files["rooms"].read_text())["rooms"]))
        return Rooms(int(setup.options.get("rooms", 4)))

    @classmethod
    def demo(cls, folder: Path) -> Setup:
        return Setup("heat", {}, folder / "scratch", options={"rooms": 3})

    @action
    def heat(self, room: Room, p_kw: Annotated[float, Field(ge=0)]) -> None:
        """Set a heater."""
        self.heater_kw[self.index("room", room)] = p_kw

    @action
    def divide(self) -> None:
        """Fail as an engine would."""
        _ = 1 // 0

    def advance(self, until_s: int) -> None:
        dt_h = (until_s - self.now_s) / 3600
        rate = LOSS_KW_PER_K / HEAT_KWH_PER_K
        settled = self.outside_degc + self.power_kw / LOSS_KW_PER_K
        before = self.warmth_degc.copy()
        self.warmth_degc = settled + (self.warmth_degc - settled) * np.exp(-rate * dt_h)
        stored = HEAT_KWH_PER_K * (self.warmth_degc - before)
        self.gained_kwh += self.power_kw * dt_h
        self.lost_kwh += self.power_kw * dt_h - stored
        for i in np.flatnonzero((self.warmth_degc < 16) & (before >= 16)):
            self.cold(int(i), happened_s=until_s)
        self.now_s = until_s

    @property
    def power_kw(self) -> np.ndarray:
        return np.where(self.heater_powered, self.heater_kw, 0.0)

    def solve(self) -> None:
        self.temperature_degc = self.warmth_degc
        self.power_mw = self.power_kw / 1000

    def looks(self) -> dict:
        return Looks({"room": SetLook("marker", width_m=8.0, height_m=5.0)}, {"warden": MoverLook("person", (0.5, 0.6, 1.8))}).plain()

    def positions(self) -> np.ndarray:
        wardens = np.zeros(1, TRACK)
        wardens["x_m"], wardens["angle_deg"], wardens["speed_m_per_s"] = 0.01 * self.now_s, 90.0, 0.01
        return wardens

    def ledger(self) -> list[Account]:
        held = float(HEAT_KWH_PER_K * (self.warmth_degc - 18.0).sum())
        return [Account("heat", "kWh", float(self.gained_kwh.sum()), float(self.lost_kwh.sum()), held, 1e-9)]


def register(monkeypatch) -> None:
    """Install the metadata of a distribution that brings the model `heat`, on the path of this process and its children."""
    folder = Path(tempfile.mkdtemp(prefix="sixth-"))
    info = folder / "sixth_domain-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sixth-domain\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[twin.models]\nheat = sixth:Heat\n")
    for path in (str(folder), str(Path(__file__).parent)):
        if monkeypatch is None:
            sys.path.append(path)
        else:
            monkeypatch.syspath_prepend(path)
