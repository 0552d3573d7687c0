"""A crowd leaves a venue: groups decide, people walk and queue, trains, coaches and cars take them away."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from models.crowd import network as files
from models.crowd import works
from models.crowd.demo import DEMO
from twin.errors import InputError, Problem, nearest
from twin.looks import Looks, MoverLook, SetLook
from twin.model import Account, Model, Options, Setup, Snapshot, action
from twin.ports import TRACK, At, FlowOut, In, Notice, Out
from twin.units import Quantity, Seconds, clock_s

AreaId = Annotated[str, At("area")]
GateId = Annotated[str, At("gate")]
StationId = Annotated[str, At("station")]
SectorId = Annotated[str, At("sector")]

MODE_SHARES = {"metro": 0.52, "coach": 0.22, "car": 0.10, "foot": 0.16}
"""Shares of groups by the way they go home (synthetic)."""

DARK_SPEED = 0.6
"""Walking speed without lighting over that with it. Boyce (1985), Lighting Research & Technology 17: as fast as in
normal light at 1 lx, hesitant at 0.2 lx; no speed is given for a plaza at night, so the figure is synthetic."""


class CrowdOptions(Options):
    """How many people there are, when and how they leave, and how finely they are moved."""

    people: int | None = Field(None, ge=0, le=500_000, description="people in the seats at the start; all seats unless given")
    ends: str = Field("+1 min", description="when the event ends: a clock time or '+5 min' after the start")
    onset: Seconds = Field(120, description="median time from the end until a group stands up (synthetic)")
    onset_spread: float = Field(0.6, ge=0, le=2, description="sigma of that lognormal time (synthetic)")
    modes: dict[str, float] = Field(MODE_SHARES, description="shares of groups by metro, coach, car and foot")
    dark_speed: float = Field(
        DARK_SPEED, gt=0, le=1, description="walking speed in the dark over that in light (synthetic; see DARK_SPEED)"
    )
    dark_aversion: float = Field(2.0, ge=1, le=20, description="what a second in the dark weighs when people choose their way (synthetic)")
    gas_limit_kg_per_s: float = Field(0.01, gt=0, description="an area where more gas leaks is cleared (synthetic)")
    cell: Quantity("m") = Field(2.0, ge=0.1, le=5, description="side of the routing raster")  # type: ignore[valid-type]
    dt: Quantity("s") = Field(0.1, ge=0.001, le=0.1, description="sub-step of movement; divides a second")  # type: ignore[valid-type]

    arrive: tuple[str, str, str] | None = Field(
        None,
        description="when people come: the first, most of them, the last (triangular; synthetic); all sit there at the start unless given",
    )
    arriving: float = Field(1.0, ge=0, le=1, description="share of the people who come as `arrive` says; the others sit there at the start")
    stations: dict[str, float] | None = Field(
        None, description="weights by which those who come by train or coach are spread over stations; what these carry unless given"
    )
    free_places: float = Field(1.0, gt=0, le=1, description="share of the pack's places in a metro train that is free when it comes")
    barred: dict[str, works.Ring] = Field({}, max_length=50, description="rings of ground that people are kept off, by name")
    footbridges: dict[str, works.Footbridge] = Field(
        {},
        max_length=20,
        description="footbridges over such ground, by name: `{from: [x, y], to: [x, y], width: 4 m}` in the pack's metres",
    )

    @field_validator("modes")
    @classmethod
    def _known(cls, modes: dict[str, float]) -> dict[str, float]:
        for name, share in modes.items():
            if name not in MODE_SHARES or not share >= 0:
                raise ValueError(f"'{name}: {share}': modes are {', '.join(MODE_SHARES)}, shares 0 or more")
        if not sum(modes.values()) > 0:
            raise ValueError("no mode has a share above 0")
        return modes

    @field_validator("dt")
    @classmethod
    def _divides(cls, dt_s: float) -> float:
        if abs(1.0 / dt_s - round(1.0 / dt_s)) > 1e-9:
            raise ValueError(f"{dt_s:g} s does not divide a second")
        return dt_s


class Crowd(Model):
    """Spectators of a venue on their way home.

    Mesa agents decide group by group (`decide.py`), the collision-free speed kernel moves every person on the
    walking ground (`engine.py`), stations and car parks take them away (`stations.py`).
    """

    period_s = 5
    Options = CrowdOptions
    files: ClassVar[Mapping[str, str]] = {"areas": "crowd.json: walking ground, areas, gates, stations, car parks, exits, seats"}
    engines = ("Mesa", "numba")
    moving: ClassVar[Mapping[int, str]] = {0: "to the metro", 1: "to a coach", 2: "to a car", 3: "on foot", 4: "to a seat"}

    lit = In(at="area", dtype=bool, fill=True, wake=True, kind="lights")
    station_powered = In(at="station", dtype=bool, fill=True, wake=True, kind="supply")
    alerted_share = In(at="area", fill=1.0, kind="alert", label="share of people whom an alert by telephone has reached")
    gas_leak_kg_per_s = In(at="area", unit="kg/s", reduce="sum", wake=True, tol=0.001, kind="leak")

    count = Out(at="area", dtype=int, kind="people", label="people")
    density_per_m2 = Out(at="area", unit="1/m2", label="density", cmap="inferno", range=(0.0, 5.0))
    fruin = Out(at="area", dtype=int, fill=1, label="level of service, A = 1 to F = 6 (Fruin, walkways)", cmap="RdYlBu_r", range=(1, 6))
    cleared = Out(at="area", dtype=bool, label="people are sent away")
    flow_per_s = Out(at="gate", unit="1/s", label="people per second over the last 10 s", cmap="viridis", range=(0.0, 20.0))
    bound = Out(at="gate", dtype=int, label="people on their way to it")
    passed = Out(at="gate", dtype=int, label="people passed")
    is_open = Out(at="gate", dtype=bool, fill=True, label="open")
    waiting = Out(at="station", dtype=int, label="people waiting")
    platform_density_per_m2 = Out(at="station", unit="1/m2", label="platform density", cmap="inferno", range=(0.0, 5.0))
    boarded = Out(at="station", dtype=int, label="people boarded")
    in_service = Out(at="station", dtype=bool, fill=True, label="in service")
    parked = Out(at="carpark", dtype=int, label="cars of the crowd not yet gone")
    queue = Out(at="carpark", dtype=int, label="cars at the exit")
    cars_left = Out(at="carpark", dtype=int, label="cars gone")
    walked_off = Out(at="exit", dtype=int, label="people gone on foot")
    seated = Out(at="sector", dtype=int, label="people in the seats and rows")
    coming = Out(at="all", dtype=int, label="people who have not come yet")
    in_venue = Out(at="all", dtype=int, label="people inside the gates")
    walking = Out(at="all", dtype=int, label="people outside on foot or waiting")
    in_cars = Out(at="all", dtype=int, label="people in cars that have not left")
    gone = Out(at="all", dtype=int, label="people gone home")
    told = Out(at="all", dtype=int, label="people who know what was asked by telephone")

    departures = FlowOut(at="carpark", kind="drive")

    gate_jammed = Notice(at="gate", severity="warning")
    gate_flows = Notice(at="gate")
    density_high = Notice(at="area", severity="warning")
    density_normal = Notice(at="area")
    area_clearing = Notice(at="area", severity="warning")
    area_cleared = Notice(at="area")
    area_advised = Notice(at="area", severity="warning")
    threat_reported = Notice(at="area", severity="warning")
    went_dark = Notice(at="area", severity="warning")
    station_closed = Notice(at="station", severity="warning")
    station_opened = Notice(at="station")
    trains_stopped = Notice(at="station", severity="warning")
    trains_resumed = Notice(at="station")
    bus_bridge_began = Notice(at="station")
    venue_empty = Notice(at="all")
    everybody_gone = Notice(at="all")

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        try:
            self.ends_s = clock_s(self.options.ends, setup.start)
        except ValueError as error:
            raise InputError(Problem(f"models.{setup.name}.ends: {error}")) from None
        self.arrive_s = self._arrival_s(setup)
        self.evening: Any = None

    def _arrival_s(self, setup: Setup) -> tuple[int, int, int] | None:
        if self.options.arrive is None:
            return None
        try:
            first, most, last = (clock_s(text, setup.start) for text in self.options.arrive)
        except ValueError as error:
            raise InputError(Problem(f"models.{setup.name}.arrive: {error}")) from None
        ids = [station.id for station in self.network.stations]
        for unknown in sorted(set(self.options.stations or {}) - set(ids)):
            raise InputError(Problem(f"models.{setup.name}.stations: {nearest(unknown, ids, what='station')}"))
        if not 0 <= first <= most <= last:
            raise InputError(
                Problem(f"models.{setup.name}.arrive: write the first, most and last moment in this order, none before the start")
            )
        return first, most, last

    @classmethod
    def read(cls, setup: Setup) -> files.CrowdNetwork:
        """Read crowd.json and lay what is set up for the evening over it."""
        options = CrowdOptions.model_validate(dict(setup.options))
        network = files.read(setup.file("areas"), setup.offset_m)
        try:
            return works.build(network, options.footbridges, options.barred)
        except ValueError as error:
            raise InputError(Problem(f"models.{setup.name}.{error}")) from None

    @classmethod
    def demo(cls, folder: Path) -> Setup:
        """Write a plaza with one gate, one station, one car park and one way out; 60 people leave at once."""
        path = folder / "crowd.json"
        path.write_text(json.dumps(DEMO, indent=1), encoding="utf-8")
        options = {"people": 60, "ends": "+0 s", "onset": "5 s", "cell": "0.5 m"}
        return Setup(name="crowd", files={"areas": path}, scratch=folder, options=options, duration_s=600)

    def open(self) -> None:
        """Draw the groups, build the ground and its routing fields."""
        from models.crowd.evening import Evening

        self.evening = Evening(self)

    def close(self) -> None:
        """Forget the people."""
        self.evening = None

    @action
    def close_gate(self, gate: GateId) -> None:
        """Let nobody through `gate`; groups bound for it turn to others as they hear. A station's entry closes the station."""
        self.evening.set_gate(self.index("gate", gate), 0.0)

    @action
    def open_gate(self, gate: GateId) -> None:
        """Open `gate` in its full width."""
        self.evening.set_gate(self.index("gate", gate), np.inf)

    @action
    def narrow_gate(self, gate: GateId, width_m: Annotated[float, Field(ge=0, le=200)]) -> None:
        """Leave at most `width_m` of `gate` open: its flow shrinks in proportion."""
        self.evening.set_gate(self.index("gate", gate), width_m)

    @action
    def meter_gate(self, gate: GateId, people_per_min: Annotated[float, Field(ge=0, le=60_000)]) -> None:
        """Let at most so many people a minute through `gate`, both ways together, until `open_gate`: scanners, stewards who count."""
        self.evening.meter(self.index("gate", gate), people_per_min / 60.0)

    @action
    def one_way(self, gate: GateId, direction: Literal["in", "out", "both"]) -> None:
        """Let people pass `gate` only `in` (to the venue, the platform, the bridge), only `out`, or `both` ways again."""
        self.evening.bar(self.index("gate", gate), np.array([direction == "out", direction == "in"]))

    @action
    def limit_platform(self, station: StationId, limit: Annotated[float, Field(gt=0, le=10)]) -> None:
        """Let nobody more in at the entry of `station` while its platform holds `limit` people per m2 or more."""
        self.evening.limit[self.index("station", station)] = limit

    @action
    def set_headway(self, station: StationId, headway_s: Annotated[float, Field(gt=0, le=86_400)]) -> None:
        """Let a train or coach come every `headway_s` on each track of `station`, not below the time it stands there."""
        self.evening.set_headway(self.index("station", station), headway_s)

    @action
    def stop_trains(self, station: StationId, told: bool = True) -> None:
        """Let nothing come to `station` until `resume_trains`; people who are `told` look for another way, others go on waiting.

        The line controller knows of it either way (`trains_stopped`); `station_closed` is what people hear.
        """
        self.evening.switch_station(self.index("station", station), stopped=True, told=told)

    @action
    def resume_trains(self, station: StationId) -> None:
        """Let trains come again, in place of the buses of a bridge if there is one; the first after one interval."""
        self.evening.switch_station(self.index("station", station), stopped=False)

    @action
    def bus_bridge(
        self, station: StationId, buses: Annotated[int, Field(ge=1, le=50)], headway_s: Annotated[float, Field(gt=0, le=86_400)]
    ) -> None:
        """Let `buses` of 80 places at a time come to `station` every `headway_s`, the first now, in place of its trains."""
        self.evening.bus_bridge(self.index("station", station), buses, headway_s)

    @action
    def alert(self, area: AreaId, text: str = "") -> None:
        """Send everybody away from `area`, those in its seats included; others keep clear until `all_clear`."""
        self.evening.alert(self.index("area", area), text)

    @action
    def report_threat(self, area: AreaId, text: str = "") -> None:
        """Tell those in charge that something threatens `area`, by a caller or a steward; nobody is sent away by that alone."""
        self.threat_reported(self.index("area", area), **({"why": text} if text else {}))

    @action
    def advise(self, area: AreaId | None = None, gate: GateId | None = None, text: str = "") -> None:
        """Ask people by telephone to leave `area` and keep clear of it, or to avoid `gate`: only those heed it whom an alert has reached.

        Whom it has reached says the model that sends alerts, everybody where none takes part. Ends with `all_clear`, `recommend`.
        """
        self.evening.advise(text, None if area is None else self.index("area", area), None if gate is None else self.index("gate", gate))

    @action
    def recommend(self, gate: GateId) -> None:
        """Take back that people are to avoid `gate`."""
        self.evening.recommend(self.index("gate", gate))

    @action
    def all_clear(self, area: AreaId) -> None:
        """End an alert and an advice; an area where gas still leaks stays closed."""
        self.evening.all_clear(self.index("area", area))

    @action
    def hold(self, sector: SectorId | None = None) -> None:
        """Keep those still in the seats of `sector` (of all sectors) there until `release`."""
        self.evening.hold(None if sector is None else self.index("sector", sector))

    @action
    def release(self, sector: SectorId | None = None, share: Annotated[float, Field(gt=0, le=1)] = 1.0) -> None:
        """Let `share` of the groups held in `sector` (in all sectors) go, those first who wanted to go first."""
        self.evening.release(None if sector is None else self.index("sector", sector), share)

    def advance(self, until_s: int) -> bool:
        """Move people second by second; decisions fall on whole multiples of 5 s, so that a split changes nothing."""
        moved = self.evening.advance(until_s)
        self.now_s = until_s
        return moved

    def solve(self) -> None:
        """Count."""
        self.evening.write()

    def positions(self) -> np.ndarray:
        """Return everybody who is on the ground."""
        walkers = self.evening.movement.walkers
        tracks = np.zeros(len(walkers), TRACK)
        tracks["id"], tracks["kind"] = walkers.id, walkers.kind
        tracks["x_m"], tracks["y_m"] = walkers.x_m + self.setup.offset_m[0], walkers.y_m + self.setup.offset_m[1]
        tracks["angle_deg"] = np.degrees(np.arctan2(walkers.heading[:, 0], walkers.heading[:, 1])) % 360.0
        tracks["speed_m_per_s"] = walkers.speed_m_per_s
        return tracks

    def ledger(self) -> list[Account]:
        """Return the people: all were in the seats; they boarded, drove or walked away, or are still here."""
        evening = self.evening
        here = int(evening.seated().sum()) + len(evening.movement.walkers) + evening.in_cars() + evening.coming()
        drove, handed_over = evening.parks.driven, self.boxes["departures"].sizes
        return [
            Account("people", "1", float(evening.people), float(evening.gone()), float(here)),
            Account("people who drove off", "1", float(drove), float(handed_over), 0.0),
        ]

    def looks(self) -> dict[str, Any]:
        """Return how areas and people are drawn; seats, gate widths and names."""
        net = self.network
        sets = {
            "area": SetLook("area"),
            "gate": SetLook("tube", width_m=1.0),
            "carpark": SetLook("area", shown=False),
            "exit": SetLook("area", shown=False),
            "sector": SetLook("area", shown=False),
            "all": SetLook("area", shown=False),
        }
        movers = {label: MoverLook("person", (0.5, 0.6, 1.7), around_buildings=True) for label in self.moving.values()}
        return Looks(sets, movers).plain() | {
            "provenance": net.provenance,
            "names": {id: dict(name) for id, name in net.names.items()},
            "area_kind": [area.kind for area in net.areas],
            "gate_width_m": [gate.width_m for gate in net.gates],
            "seats": [sector.seats for sector in net.sectors],
        }

    def save(self) -> Snapshot:
        """Return groups, walkers, queues and services as arrays."""
        return self.evening.save()

    def load(self, saved: Snapshot) -> None:
        """Restore them; the Mesa agents read their rows from the restored groups."""
        self.evening.load(saved)
