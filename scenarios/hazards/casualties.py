"""Casualties: people where the cloud, the fire or the shaking is become patients; the gravely hurt wait there for ambulances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from scenarios.hazards import earthquake
from scenarios.hazards.earthquake import Quake
from scenarios.hazards.effect import Effect
from scenarios.hazards.ground import Ground
from scenarios.hazards.kind import Kind
from scenarios.hazards.toll import CLASSES, GREEN, RED, Toll
from twin.driver import Seen
from twin.units import Quantity, Seconds

FULL = 8.0
"""Intensity at which the share `shaken` holds."""
TENFOLD = 10.0
"""Synthetic: so many times as many are hurt one degree of intensity further up."""
MOST = 5000
"""Patients of a class that one `response.patients` or `health.bring` takes; more of them are several."""
LONGEST_JOB = 200
"""Letters of the longest name of a job that a response model takes."""


class Shares(BaseModel):
    """Shares of people who become patients, by triage class."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    black: float = Field(0.0, ge=0, le=1)
    red: float = Field(0.0, ge=0, le=1)
    yellow: float = Field(0.0, ge=0, le=1)
    green: float = Field(0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _no_more_than_all(self) -> Shares:
        if self.sum() > 1.0 + 1e-9:
            raise ValueError(f"the shares add up to {self.sum():g}; no more than 1 of the people there can be patients")
        return self

    def sum(self) -> float:
        """Return the share of people who become patients at all."""
        return self.black + self.red + self.yellow + self.green

    def array(self) -> np.ndarray:
        """Return (class,) shares."""
        return np.array([getattr(self, name) for name in CLASSES])


class Casualties(Kind):
    """People at the air's places become patients by a share of those exposed; those who walk go to a hospital by themselves.

    The shares are synthetic. Their proportions: of chlorine in Graniteville 2005 nine dead, some 70 in hospital, over 500 who were
    treated and went home (MMWR 54(3):64; those in hospital from memory); of 28 July 2010 in Nanjing 13 dead, 120 in hospital.
    """

    strikes: ClassVar[tuple[str, ...]] = ("air",)
    also: ClassVar[tuple[str, ...]] = ("health", "response")

    above_aegl2: Shares = Field(Shares(yellow=0.01, green=0.06), description="of people above AEGL-2 and not above AEGL-3")
    above_aegl3: Shares = Field(Shares(black=0.01, red=0.15, yellow=0.15, green=0.3), description="of people above AEGL-3")
    burnt: Shares = Field(Shares(black=0.1, red=0.3, yellow=0.6), description="of people in flammable air as it burns")
    shaken: Shares = Field(
        Shares(black=0.0001, red=0.0002, yellow=0.0006, green=0.001),
        description="of people in an earthquake of intensity VIII; ten times as many one degree up, a tenth one down",
    )
    walk_within: Seconds = Field(20 * 60, ge=0, le=86400, description="those who walk set out within so long")
    scene: Annotated[Quantity("m"), Field(ge=50, le=2000)] = Field(300.0, description="side of the square whose hurt are one scene")
    every: Seconds = Field(60, ge=10, description="how often those who breathe a poison are counted")

    @model_validator(mode="after")
    def _graver(self) -> Casualties:
        if self.above_aegl3.sum() < self.above_aegl2.sum():
            raise ValueError("above_aegl3: no smaller share of people than above_aegl2")
        return self


@dataclass
class Scene:
    """Where the gravely hurt of one square wait; `x_m`, `y_m`: the first place of it where anybody was hurt."""

    number: int
    x_m: float
    y_m: float


@dataclass
class Watch:
    """What an entry of casualties does while a run goes on."""

    entry: Casualties
    name: str
    air: str
    response: str
    """The model whose ambulances fetch; "" when there is none."""
    health: str
    """The model to whose hospitals the others go; "" when there is none."""
    middles_m: np.ndarray
    """(place, 2)"""
    ids: Mapping[str, int]
    doors: Sequence[str]
    """(place,) the place of the hospitals' model that is nearest."""
    shocks: Sequence[tuple[int, Quake]] = ()
    """(second when the shaking is there, earthquake), in order of time."""
    looked_s: int = -1
    shaken: int = 0
    scenes: dict[tuple[int, int], Scene] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.toll = Toll(len(self.middles_m))

    def expect(self, quakes: Sequence[Quake]) -> None:
        """Take up the earthquakes; the shaking is everywhere when it is at the middle of the places."""
        middle_m = self.middles_m.mean(axis=0)
        comes_s = [one.start_s + round(float(np.hypot(*(middle_m - (one.x_m, one.y_m)))) / earthquake.SPEED_M_PER_S) for one in quakes]
        self.shocks = sorted(zip(comes_s, quakes, strict=True), key=lambda one: one[0])

    def next_s(self) -> int | None:
        """Return the second of the next shaking."""
        return self.shocks[self.shaken][0] if self.shaken < len(self.shocks) else None

    def hear(self, seen: Seen) -> list[Effect | str]:
        """Return what is done for whom is hurt since, and what is only said of them."""
        if self.looked_s < 0:
            self._begin(seen.now_s)
        people, level = seen[self.air]["people"], seen[self.air]["aegl"]
        self.toll.see(people)
        expected, why = np.zeros_like(self.toll.struck), []
        for what, new in [*self._shaking(seen.now_s, people), *self._burning(seen)]:
            expected += new
            why.append(what)
        if seen.now_s // self.entry.every > self.looked_s // self.entry.every and (level >= 2).any():
            new = self.toll.poison(people, level, np.stack([self.entry.above_aegl2.array(), self.entry.above_aegl3.array()]))
            if new.any():
                expected += new
                why.append("above AEGL-2 {:.0f} people, above AEGL-3 {:.0f}".format(*self.toll.above.sum(axis=1)))
        self.looked_s = seen.now_s
        return self._told(self.toll.patients(expected), seen.now_s, "; ".join(why)) if why else []

    def _begin(self, now_s: int) -> None:
        """Leave the shaking before the first look behind: an entry that a saved state knows nothing of hurts nobody by what was before."""
        while self.shaken < len(self.shocks) and self.shocks[self.shaken][0] < now_s:
            self.shaken += 1

    def _shaking(self, now_s: int, people: np.ndarray) -> list[tuple[str, np.ndarray]]:
        found = []
        while self.shaken < len(self.shocks) and self.shocks[self.shaken][0] <= now_s:
            quake = self.shocks[self.shaken][1]
            self.shaken += 1
            level = earthquake.intensity(quake, *self.middles_m.T)
            shares = self.entry.shaken.array() * TENFOLD ** (level - FULL)[:, None]
            shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1.0)
            found.append((f"{quake.name}, intensity {level.min():.1f} to {level.max():.1f}", self.toll.strike(people, shares)))
        return found

    def _burning(self, seen: Seen) -> list[tuple[str, np.ndarray]]:
        burnt = np.zeros(len(self.middles_m))
        for one in seen.reports:
            if (one.model, one.notice) == (self.air, "burnt"):
                burnt[self.ids[one.element]] += float(one.facts["people"])
        self.toll.see(burnt)
        return [(f"{burnt.sum():.0f} people in a flash fire", self.toll.strike(burnt, self.entry.burnt.array()))] if burnt.any() else []

    def _told(self, patients: np.ndarray, now_s: int, why: str) -> list[Effect | str]:
        """Return the calls for ambulances, scene by scene, and those who go to hospital by themselves."""
        found: list[Effect | str] = []
        grave = patients.copy()
        grave[:, GREEN] = 0
        walking = patients - grave
        if self.response:
            scenes = self._by_scene(grave).items()
            found += [self._call(key, part, now_s, why) for key, counts in scenes for part in _parts(counts)]
        else:
            walking = patients
        doors: dict[str, np.ndarray] = {}
        for i in np.flatnonzero(walking.any(axis=1)).tolist():
            doors[self.doors[i]] = doors.get(self.doors[i], np.zeros(len(CLASSES), int)) + walking[i]
        for door, counts in sorted(doors.items()):
            for triage, count in zip(CLASSES, counts.tolist(), strict=True):
                if count and self.health:
                    found += [self._go(door, triage, int(part), now_s, why) for part in _parts(np.array(count))]
                elif count:
                    found.append(f"{count} {triage} patients near {door or 'there'}, whom no model takes ({why})")
        return found

    def _by_scene(self, patients: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
        found: dict[tuple[int, int], np.ndarray] = {}
        for i in np.flatnonzero(patients.any(axis=1)).tolist():
            x_m, y_m = self.middles_m[i].tolist()
            key = int(x_m // self.entry.scene), int(y_m // self.entry.scene)
            if key not in self.scenes:
                self.scenes[key] = Scene(len(self.scenes) + 1, x_m, y_m)
            found[key] = found.get(key, np.zeros(len(CLASSES), int)) + patients[i]
        return found

    def _call(self, key: tuple[int, int], counts: np.ndarray, now_s: int, why: str) -> Effect:
        scene, given = self.scenes[key], dict(zip(CLASSES, counts.tolist(), strict=True))
        job = f"{self.name}_{scene.number}"
        arguments = {"job": job, "x_m": scene.x_m, "y_m": scene.y_m, **given, "priority": 1 if counts[RED] else 2}
        return Effect(now_s, self.response, "patients", job, arguments, why)

    def _go(self, door: str, triage: str, count: int, now_s: int, why: str) -> Effect:
        within_s = float(self.entry.walk_within) if triage == CLASSES[GREEN] else 0.0
        arguments = {"place": door, "patients": count, "triage": triage, "over_s": within_s}
        return Effect(now_s, self.health, "bring", door, arguments, why)

    def save(self) -> dict[str, Any]:
        """Return it as plain data."""
        scenes = [[*key, one.number, one.x_m, one.y_m] for key, one in self.scenes.items()]
        return {"toll": self.toll.save(), "looked_s": self.looked_s, "shaken": self.shaken, "scenes": scenes}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take that up."""
        self.toll.load(saved["toll"])
        self.looked_s, self.shaken = saved["looked_s"], saved["shaken"]
        self.scenes = {(int(i), int(j)): Scene(int(number), float(x_m), float(y_m)) for i, j, number, x_m, y_m in saved["scenes"]}


def _parts(counts: np.ndarray) -> Iterator[np.ndarray]:
    """Split counts of patients into as many as one action takes each; together they are the same patients."""
    while counts.any():
        part = np.minimum(counts, MOST)
        yield part
        counts = counts - part


def _fits(entry: Casualties, ground: Ground, names: Mapping[str, str], door: str, places: int) -> bool:
    """Check the longest name and the most patients that the entry can ever post; notes what the models would not take."""
    context, before, last = ground.context, len(ground.context.problems), f"_{places}"
    if names["response"] and len(ground.name) + len(last) > LONGEST_JOB:
        most = LONGEST_JOB - len(last)
        what = f"hazards.{ground.name}: a name of {len(ground.name)} letters; it names jobs ('..._1'): write one of at most {most}"
        context.say(what, ground.path)
    elif names["response"]:
        arguments = {"job": f"{ground.name}{last}", "x_m": 0.0, "y_m": 0.0, **dict.fromkeys(CLASSES, MOST), "priority": 2}
        context.action(f"{names['response']}.patients", arguments, ground.path)
    if names["health"] and door:
        arguments = {"place": door, "patients": MOST, "triage": CLASSES[GREEN], "over_s": float(entry.walk_within)}
        context.action(f"{names['health']}.bring", arguments, ground.path)
    return len(context.problems) == before


def watch(entry: Casualties, ground: Ground) -> Watch | None:
    """Return what an entry does while a run goes on; None where no air says where people are."""
    if not ground.has("air"):
        return None
    names = {type_name: ground.one(type_name) for type_name in ("air", "response", "health")}
    places = ground.elements(names["air"])["place"]
    middles = np.array([np.asarray(shape, float).mean(axis=0) for shape in places.shapes]).reshape(-1, 2)
    if not len(middles):
        ground.notes.append("the air of this city has no places with people: nobody is hurt")
        return None
    if not names["response"]:
        ground.notes.append("no model 'response': the gravely hurt do not wait for ambulances, but come to hospital by themselves")
    if not names["health"]:
        ground.notes.append("no model 'health': those who would go to hospital by themselves are only counted here")
    doors = ground.nearest_of("health", "place", middles)
    if not _fits(entry, ground, names, doors[0], len(middles)):
        return None
    ids = {id: i for i, id in enumerate(places.ids)}
    return Watch(entry, ground.name, names["air"], names["response"], names["health"], middles, ids, doors)
