"""What somebody who looks at a run sees: the second, whether it plays and how fast, layers, what is picked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twin.errors import InputError
from twin.results import Run
from viz import content

SPEEDS = (1, 2, 5, 10, 30, 60, 120, 300)
"""Simulated seconds a second of watching."""

MARKED = ("action", "inject")
"""Kinds of journal rows that the timeline shows: what was done to the city."""


@dataclass(frozen=True)
class Mark:
    """Something done to the city: seconds after the start, and what, in words."""

    second: int
    label: str


def marks(run: Run) -> list[Mark]:
    """Return what was done to the city while it was recorded, in order; one mark a second."""
    rows = run.events
    rows = rows[rows["kind"].isin(MARKED) & rows["t_happened_s"].between(0, run.committed_s)]
    found: dict[int, list[str]] = {}
    for _, row in rows.sort_values("t_happened_s", kind="stable").iterrows():
        what = ".".join(filter(None, (row["model"], row["name"]))) + (f" {row['element']}" if row["element"] else "")
        found.setdefault(int(row["t_happened_s"]), []).append(what)
    return [Mark(second, ", ".join(dict.fromkeys(words))) for second, words in found.items()]


class Player:
    """The state of a window or a page on one run; moves nothing but itself.

    `second`: seconds after the start, within what is recorded. `layers`: layer -> whether it is shown.
    `picked`: (model, element set, id) or None. InputError: a moment outside the run, an unknown layer or camera.
    """

    def __init__(self, run: Run, *, at: object = "", camera: str = "", layers: Sequence[str] | None = None) -> None:
        if not len(run.times_s):
            raise InputError(f"{run.path}: nothing is recorded yet")
        self.run = run
        self.camera = content.camera(run, camera).name
        self.cameras = list(content.cameras(run))
        shown = content.choose(run, layers)
        self.layers = {name: name in shown for name in content.layers(run)}
        self.marks = marks(run)
        self.second = 0.0
        if at:
            run.at(at)
            self.second = float(run.second(at))
        self.playing, self.speed = False, 60
        self.picked: tuple[str, str, str] | None = None

    @property
    def last_s(self) -> int:
        """The last recorded second."""
        return int(self.run.times_s[-1])

    @property
    def clock(self) -> str:
        """The local clock as text."""
        return self.run.clock(int(self.second))

    def seek(self, second: float) -> None:
        """Go to a second; the nearest end when it lies outside."""
        self.second = float(np.clip(second, 0, self.last_s))

    def step(self, samples: int) -> None:
        """Go so many samples on, or back for less than 0; stops playing."""
        self.playing = False
        times = self.run.times_s
        side = "right" if samples > 0 else "left"
        index = int(np.searchsorted(times, self.second, side=side)) + (samples - 1 if samples > 0 else samples)
        self.second = float(times[int(np.clip(index, 0, len(times) - 1))])

    def toggle(self) -> None:
        """Play, or pause; from the end it plays from the start again."""
        self.playing = not self.playing
        if self.playing and self.second >= self.last_s:
            self.second = 0.0

    def tick(self, elapsed_s: float) -> bool:
        """Let `elapsed_s` seconds of watching pass; return whether the picture changes."""
        if not self.playing:
            return False
        self.seek(self.second + elapsed_s * self.speed)
        self.playing = self.second < self.last_s
        return True

    def faster(self, steps: int = 1) -> None:
        """Take the next speed, or the one before for -1."""
        index = SPEEDS.index(self.speed) + steps
        self.speed = SPEEDS[int(np.clip(index, 0, len(SPEEDS) - 1))]

    def do(self, what: str) -> bool:
        """Do what a button or a key says: play, on, back, faster, slower, start, end; return whether it is one of these."""
        if what == "play":
            self.toggle()
        elif what in ("on", "back"):
            self.step(1 if what == "on" else -1)
        elif what in ("faster", "slower"):
            self.faster(1 if what == "faster" else -1)
        elif what in ("start", "end"):
            self.seek(0 if what == "start" else self.last_s)
        else:
            return False
        return True

    def next_camera(self) -> str:
        """Take the camera after this one, and return its name."""
        self.camera = self.cameras[(self.cameras.index(self.camera) + 1) % len(self.cameras)]
        return self.camera

    def happened(self) -> str:
        """Return the last thing done to the city up to now, with its clock; '' when nothing was."""
        before = [mark for mark in self.marks if mark.second <= self.second]
        return f"{self.run.clock(before[-1].second)} {before[-1].label}" if before else ""

    def note(self) -> str:
        """Return what a reader must know of a run that did not end as planned; '' for one that did."""
        run = self.run
        if run.status == "done":
            return ""
        upto = f"recorded to {run.clock(run.committed_s)} of {run.clock(run.duration_s)}" if run.committed_s < run.duration_s else ""
        return ": ".join(filter(None, (run.status, upto, str(run.manifest.get("error") or ""))))
