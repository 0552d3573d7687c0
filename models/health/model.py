"""Hospitals treat who comes, send on who cannot be taken, and stop without power or water."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from models.health import network as files
from models.health import patients as drawn
from models.health.department import BOARDING, IN_BED, MOVING, SCENE, TREATED, WAITING, Department, Rules
from models.health.patients import CLASSES, GREEN, RED, YELLOW
from twin.looks import Looks, SetLook
from twin.model import Account, Model, Options, Setup, Snapshot, action
from twin.ports import At, FlowIn, In, Notice, Out, State
from twin.units import Quantity

Hospital = Annotated[str, At("hospital")]
Place = Annotated[str, At("place")]
Triage = Literal["black", "red", "yellow", "green"]
Policy = Literal["nearest", "balanced", "nearest_only"]

WARM_S = 6 * 3600
"""Walk-ins are treated for so long before the start, so that no department begins empty."""
FINE_M = 30.0
"""Pressure where no water network says one."""


class HealthOptions(Options):
    """The health stanza of a scenario."""

    policy: Policy = Field("nearest", description="who goes where: nearest that does not divert, balanced, or nearest_only (no diversion)")
    walk_ins: float = Field(1.0, ge=0, le=20, description="walk-in patients over the pack's figure")
    treatment: Literal["lognormal", "exponential"] = Field("lognormal", description="treatment times; exponential to compare with M/M/c")
    speed: Quantity("m/s") = Field(8.0, gt=0, description="ambulance speed between places (synthetic); roads are another model's")  # type: ignore[valid-type]
    detour: float = Field(1.3, ge=1, le=5, description="way over straight distance (synthetic)")


class Health(Model):
    """Emergency departments and beds: START classes, priority queues, boarding, diversion, power and water.

    Deaths and deterioration by waiting are not computed. Who is brought dead (black) is counted and takes no bay.
    """

    period_s = 60
    Options = HealthOptions
    files = {"hospitals": "hospitals.json: hospitals with beds, bays, walk-ins; places patients come from"}
    engines = ("numpy",)

    supplied = In(at="hospital", dtype=bool, fill=True, wake=True, kind="supply", label="hospital has mains")
    venue_powered = In(at="hospital", dtype=bool, fill=True, wake=True, kind="lights", label="essential supply with the grid's backup")
    pressure_m = In(at="hospital", unit="m", fill=FINE_M, wake=True, tol=0.5, kind="pressure", label="water pressure")
    arrivals = FlowIn(at="hospital", kind="patient")
    """Patients brought by somebody: `destination` is the triage class (0 black, 1 red, 2 yellow, 3 green), `size` how many."""

    beds_occupied = Out(at="hospital", dtype=int, label="beds occupied")
    beds_free = Out(at="hospital", dtype=int, label="beds free")
    ed_queue = Out(at="hospital", dtype=int, label="patients waiting", cmap="YlOrRd", range=(0.0, 60.0))
    ed_treated = Out(at="hospital", dtype=int, label="patients in treatment")
    ed_boarding = Out(at="hospital", dtype=int, label="patients in a bay for want of a bed")
    inbound = Out(at="hospital", dtype=int, label="patients on their way")
    ed_share = Out(at="hospital", kind="share", label="share of the department's capacity", cmap="RdYlGn_r", range=(0.0, 1.2))
    wait_red_s = Out(at="hospital", unit="s", label="mean wait, red")
    wait_yellow_s = Out(at="hospital", unit="s", label="mean wait, yellow")
    wait_green_s = Out(at="hospital", unit="s", label="mean wait, green")
    diverting = Out(at="hospital", dtype=bool, label="diverts")
    accepts = Out(at="hospital", dtype=bool, fill=True, kind="accepts", label="takes patients")
    has_power = Out(at="hospital", dtype=bool, fill=True, label="has power")
    has_water = Out(at="hospital", dtype=bool, fill=True, label="has water")
    sent_on = Out(at="hospital", dtype=int, label="patients sent on since the start")
    reds_outside = Out(at="all", dtype=int, label="red patients not yet in a hospital")
    outside = Out(at="all", dtype=int, label="patients brought and not yet in a hospital")
    treated = Out(at="all", dtype=int, label="patients discharged since the start")
    dead = Out(at="all", dtype=int, label="brought dead")

    generator_h = State(at="hospital", unit="h")
    was_powered = State(at="hospital", dtype=bool, fill=True)
    was_wet = State(at="hospital", dtype=bool, fill=True)

    patients_brought = Notice(at="place")
    patient_diverted = Notice(at="hospital")
    patient_transferred = Notice(at="hospital")
    diversion_started = Notice(at="hospital", severity="warning")
    diversion_ended = Notice(at="hospital")
    department_over = Notice(at="hospital", severity="alarm")
    department_under = Notice(at="hospital")
    power_lost = Notice(at="hospital", severity="alarm")
    power_back = Notice(at="hospital")
    generator_empty = Notice(at="hospital", severity="alarm")
    water_lost = Notice(at="hospital", severity="warning")
    water_back = Notice(at="hospital")

    network: files.Network

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        options, seed = self.options, [setup.seed, *setup.name.encode()]
        rules = Rules(self.network, seed, options.treatment, options.speed, options.detour, options.policy)
        self.midnight_s = setup.start.hour * 3600 + setup.start.minute * 60 + setup.start.second
        self.generator_h = self.network.figures["generator_h"]
        yes = np.ones(len(self.network.xy), bool)
        self.quiet = True
        self.department = Department(rules, self._say, -WARM_S, yes, yes.copy(), ~yes)
        self.came_until_s = -WARM_S - 1
        self._days: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}

    @classmethod
    def read(cls, setup: Setup) -> files.Network:
        """Read hospitals.json."""
        return files.read(setup.file("hospitals"), setup.offset_m)

    @classmethod
    def demo(cls, folder: Path) -> Setup:
        """Write two hospitals and two places."""
        from models.health.demo import write

        folder.mkdir(parents=True, exist_ok=True)
        write(folder / "hospitals.json")
        return Setup("health", {"hospitals": folder / "hospitals.json"}, folder)

    def open(self) -> None:
        """Fill the beds and let the departments run warm until second 0."""
        figures = self.network.figures
        self.department.fill_beds(np.round(figures["beds"] * figures["occupied"]).astype(int))
        self._walk_in(0)
        self.department.run(0)
        self.department.waits_s[:], self.department.starts[:] = 0.0, 0
        self.department.counts["gained"] -= self.department.counts["discharged"] + self.department.counts["dead"]
        self.department.counts.update(discharged=0, dead=0)
        self.quiet = False
        self.solve()

    def _say(self, notice: str, hospital: int, facts: dict[str, float | str]) -> None:
        if not self.quiet:
            getattr(self, notice)(hospital, happened_s=self.department.now_s, **facts)

    # time

    def advance(self, until_s: int) -> bool:
        """Let patients come, be treated and leave; stop where a generator runs dry."""
        moved = self.now_s < until_s
        for record in self.arrivals.take():
            self._brought(int(record["at"]), int(record["destination"]), max(int(record["t_s"]), self.now_s), int(record["size"]))
        while self.now_s < until_s:
            lasts_s = self._generator_s()
            stop_s = min(until_s, self.now_s + lasts_s) if lasts_s else until_s
            self._conditions()
            self._walk_in(stop_s)
            self.department.run(stop_s)
            self._burn(stop_s - self.now_s)
            self.now_s = stop_s
            self._look()
        return moved

    def _brought(self, hospital: int, triage: int, at_s: int, count: int) -> None:
        if not 0 <= triage < len(CLASSES):
            raise self.fail(f"a record of `patient` has the class {triage}; 0 black, 1 red, 2 yellow, 3 green", self._id(hospital))
        for _ in range(count):
            self.department.arrive(hospital, triage, at_s)

    def _id(self, hospital: int) -> str:
        return self.elements["hospital"].ids[hospital]

    def _walk_in(self, until_s: int) -> None:
        """Let the walk-ins up to a second come, each with the number it has on its day."""
        for day in range((self.came_until_s + 1) // 86400, until_s // 86400 + 1):
            for hospital, (at_s, kinds) in enumerate(self._day(day)):
                for k in np.flatnonzero((at_s > self.came_until_s) & (at_s <= until_s)):
                    self.department.arrive(hospital, int(kinds[k]), int(at_s[k]), walk_in=100_000 * (day + 1) + int(k))
        self.came_until_s = max(self.came_until_s, until_s)

    def _day(self, day: int) -> list[tuple[np.ndarray, np.ndarray]]:
        if day not in self._days:
            rates = self.network.figures["walk_ins_per_day"] * self.options.walk_ins
            seed = self.department.rules.seed
            self._days[day] = [drawn.walk_ins(seed, h, day, rate, self.midnight_s) for h, rate in enumerate(rates.tolist())]
        return self._days[day]

    def _on_generator(self) -> np.ndarray:
        return ~self.supplied & (self.generator_h > 0)

    def _generator_s(self) -> int:
        """Return the whole seconds until the first running generator is dry; 0 when none runs."""
        running = self._on_generator()
        return max(1, int(np.ceil(3600.0 * self.generator_h[running].min() - 1e-6))) if running.any() else 0

    def _burn(self, seconds: int) -> None:
        running = self._on_generator()
        left = self.generator_h - np.where(running, seconds / 3600.0, 0.0)
        for i in np.flatnonzero(running & (left <= 1e-9)):
            self.generator_empty(int(i), happened_s=self.now_s + seconds)
        self.generator_h = np.where(left <= 1e-9, 0.0, left)

    def next_s(self) -> int | None:
        """Return when a stage of a patient ends, a generator runs dry, or a bay can be taken."""
        due = [self.department.next_event_s(), self.now_s + self._generator_s() if self._on_generator().any() else None]
        self._conditions()
        if self.department.ready():
            due.append(self.now_s + 1)
        seconds = [max(second, self.now_s + 1) for second in due if second is not None]
        return min(seconds, default=None)

    # the instant

    def _powered(self) -> np.ndarray:
        return (self.supplied | self._on_generator()) & self.venue_powered

    def _wet(self) -> np.ndarray:
        return self.pressure_m >= self.network.figures["least_pressure_m"]

    def _conditions(self) -> None:
        """Tell the departments what works: without power nobody's treatment starts, without water no red patient's."""
        self.department.open_ = self._powered()
        self.department.surgical = self.department.open_ & self._wet()

    def solve(self) -> None:
        """Write beds, queues, waits and who diverts."""
        self._look()
        ward = self.department
        self.beds_occupied = ward.count(IN_BED)
        self.beds_free = np.maximum(ward.beds - self.beds_occupied, 0)
        self.ed_queue, self.ed_treated, self.ed_boarding = ward.count(WAITING), ward.count(TREATED), ward.count(BOARDING)
        self.inbound, self.ed_share = ward.count(MOVING), ward.load()
        self.wait_red_s, self.wait_yellow_s, self.wait_green_s = (self._wait_s(triage) for triage in (RED, YELLOW, GREEN))
        self.diverting = ward.diverting()
        self.accepts = ~self.diverting
        self.has_power, self.has_water = self._powered(), self._wet()
        self.sent_on = ward.moved_on
        away = np.isin(ward.people["stage"], (SCENE, MOVING)) & ward.people["brought"]
        self.outside, self.reds_outside = away.sum(), (away & (ward.people["triage"] == RED)).sum()
        self.treated, self.dead = ward.counts["discharged"], ward.counts["dead"]

    def _wait_s(self, triage: int) -> np.ndarray:
        """Return (hospital,) the mean wait of all of a class: of those taken since the start, and so far of those who wait."""
        ward, people = self.department, self.department.people
        waits = (people["stage"] == WAITING) & (people["triage"] == triage)
        so_far = np.bincount(people["hospital"][waits], (self.now_s - people["came_s"][waits]).astype(float), len(ward.bays))
        count = ward.starts[:, triage] + ward.count(WAITING, triage=triage)
        return (ward.waits_s[:, triage] + so_far) / np.maximum(count, 1)

    def _look(self) -> None:
        """Report what changed since the last look; nothing when nothing did."""
        self._conditions()
        self.department.mark()
        marks = (
            ("was_powered", self._powered(), self.power_back, self.power_lost),
            ("was_wet", self._wet(), self.water_back, self.water_lost),
        )
        for name, now, rises, falls in marks:
            before = self.arrays[name]
            for i in np.flatnonzero(now != before):
                (rises if now[i] else falls)(int(i))
            before[:] = now

    # verbs

    @action
    def bring(
        self,
        place: Place,
        patients: Annotated[int, Field(ge=1, le=5000)],
        triage: Triage,
        over_s: Annotated[float, Field(ge=0, le=86400)] = 0.0,
    ) -> None:
        """Have `patients` of a class set out from a place, evenly over `over_s`; each goes where it is right when it leaves."""
        at_s = self.now_s + np.floor(np.arange(patients) * over_s / patients).astype(int)
        i = self.index("place", place)
        self.department.bring(i, CLASSES.index(triage), at_s)
        self.patients_brought(i, patients=patients, triage=triage, over_s=over_s)

    @action
    def bring_to(self, hospital: Hospital, patients: Annotated[int, Field(ge=1, le=5000)], triage: Triage) -> None:
        """Let `patients` of a class come to a hospital's door now."""
        self._brought(self.index("hospital", hospital), CLASSES.index(triage), self.now_s, patients)

    @action
    def divert(self, hospital: Hospital) -> None:
        """Have a hospital take nobody who is brought while another can."""
        self.department.closed[self.index("hospital", hospital)] = True

    @action
    def reopen(self, hospital: Hospital) -> None:
        """End an ordered diversion; a full department goes on diverting."""
        self.department.closed[self.index("hospital", hospital)] = False

    @action
    def set_policy(self, policy: Policy) -> None:
        """Say who goes where from now on."""
        self.department.rules.policy = policy

    @action
    def set_bays(self, hospital: Hospital, bays: Annotated[int, Field(ge=0, le=10_000)]) -> None:
        """Staff treatment bays (surge); the capacity of the department grows or falls with them."""
        i, ward = self.index("hospital", hospital), self.department
        ward.capacity[i] = max(ward.capacity[i] + bays - ward.bays[i], 1.0)
        ward.bays[i] = bays

    @action
    def transfer(self, hospital: Hospital, patients: Annotated[int, Field(ge=1, le=5000)], triage: Triage) -> None:
        """Send up to `patients` who wait in a hospital to where it is right for them now."""
        people, ward = self.department.people, self.department
        waits = (people["stage"] == WAITING) & (people["triage"] == CLASSES.index(triage))
        self._conditions()
        for row in np.flatnonzero(waits & (people["hospital"] == self.index("hospital", hospital)))[-patients:]:
            ward.transfer(int(row))

    # the rest

    def save(self) -> Snapshot:
        """Return the patients and what is staffed."""
        ward = self.department
        staffed = {"bays": ward.bays.copy(), "capacity": ward.capacity.copy(), "came_until_s": self.came_until_s}
        return {"department": ward.save(), **staffed}

    def load(self, saved: Snapshot) -> None:
        """Take up what `save` returned."""
        ward = self.department
        ward.load_state(saved["department"])
        ward.bays, ward.capacity, self.came_until_s = saved["bays"].copy(), saved["capacity"].copy(), saved["came_until_s"]
        self.quiet = False

    def ledger(self) -> list[Account]:
        """Return the patients: who came, who left, who is there or on the way."""
        counts = self.department.counts
        held = float(len(self.department.people))
        return [Account("patients", "1", counts["gained"], counts["discharged"] + counts["dead"], held)]

    def looks(self) -> dict[str, Any]:
        """Return how hospitals and places are drawn."""
        marker = SetLook("marker", width_m=40.0, height_m=45.0)
        return Looks({"hospital": marker, "place": SetLook("marker", width_m=12.0, height_m=8.0, shown=False)}, {}).plain()
