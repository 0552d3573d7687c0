"""A sweep whose runs, whose workers and which itself are killed and interrupted: every result is there once, and is the right one.

The whole, with its figures: `python -m pytest -q -s -m slow tests/twin/test_sweep_kills.py`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import mini
import psutil
import pytest
import sixth

import twin
from twin import experiment
from twin.sweep import Variant

SWEEP = "scenario: mini.yaml\nvary:\n  models.heat.rooms: {rooms}\nseeds: {seeds}\n"
LOOK_S = 0.02


@pytest.fixture(scope="module", autouse=True)
def heated():
    with pytest.MonkeyPatch.context() as patch:
        sixth.register(patch)
        yield


@dataclass
class Torture:
    """A sweep that is run by the command line, and what is done to it."""

    folder: Path
    file: Path
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)
    first_seen: dict[str, int] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)

    def start(self) -> psutil.Popen:
        """Start the sweep, or go on with it."""
        self.done["starts"] += 1
        what = ["--resume", self.folder] if (self.folder / "sweep.json").exists() else [self.file, "--out", self.folder]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, "-m", "twin.cli", "sweep", *what, "--workers", "2", "--json"]
        with (self.folder.parent / "said").open("ab") as said:
            return psutil.Popen(list(map(str, command)), stdout=said, stderr=said, env=env, start_new_session=True)

    def look(self) -> int:
        """Return how many runs are finished, and note any that was run again after it was."""
        for manifest in self.folder.glob("runs/*/manifest.json"):
            id, now = manifest.parent.name, 0
            try:
                if json.loads(manifest.read_text())["status"] in experiment.FINISHED:
                    now = manifest.stat().st_mtime_ns
            except (OSError, ValueError):
                now = 0
            if self.first_seen.setdefault(id, now) == 0:
                self.first_seen[id] = now
            elif now != self.first_seen[id]:
                self.again.append(id)
        return sum(when > 0 for when in self.first_seen.values())

    def hurt(self, sweep: psutil.Popen, how: str) -> bool:
        """End a run, or the sweep itself by kill -9 or Ctrl-C; whether there was one to end."""
        running = attempts(sweep)
        if not running:
            return False
        if how == "run killed":
            self.chance.choice(running).kill()
            return True
        begun = [one for one in running if (self.folder / "runs" / one.cmdline()[4]).exists()]
        if not begun:
            return False
        for one in begun:  # one that stands still does not come to its end by itself
            one.suspend()
        sweep.send_signal(signal.SIGKILL if how == "sweep killed" else signal.SIGINT)
        code = sweep.wait(60)
        assert code == (-signal.SIGKILL if how == "sweep killed" else 130), (how, code)
        _, alive = psutil.wait_procs(running, timeout=10)
        assert not alive, f"{how}: runs go on without their sweep"
        return True

    def until_all_are_there(self, hurts: list[str], every_s: tuple[float, float]) -> None:
        """Run the sweep to its end, and hurt it in these ways meanwhile; what was set aside by that is taken up again."""
        while True:
            sweep, ends = self.start(), None
            when = time.monotonic() + self.chance.uniform(*every_s)
            while ends is None:
                ends = sweep.poll()
                self.look()
                if hurts and ends is None and time.monotonic() > when and self.hurt(sweep, hurts[-1]):
                    self.done[hurts.pop()] += 1
                    when = time.monotonic() + self.chance.uniform(*every_s)
                time.sleep(LOOK_S)
            assert ends in (0, 3, 130, -signal.SIGKILL), (self.folder.parent / "said").read_text()[-2000:]
            if ends == 0:
                return
            self.done["set aside, and taken up again"] += len(list(self.folder.glob("poisoned/*.json"))) if ends == 3 else 0


def attempts(sweep: psutil.Process) -> list[psutil.Process]:
    """Return the processes of runs below a sweep's process."""
    found = []
    try:
        for one in sweep.children(recursive=True):
            if "twin.attempt" in one.cmdline():
                found.append(one)
    except psutil.Error:
        return []
    return found


def is_whole(torture: Torture, runs: int) -> None:
    """Hold every result to the same run made alone; print the figures."""
    plan = experiment.read_plan(torture.folder)
    assert torture.look() == runs == len(plan["variants"]) == len(list((torture.folder / "runs").iterdir()))
    assert torture.again == [], "a finished run was run again"
    scenario = twin.load(torture.file.parent / "mini.yaml")
    for variant in plan["variants"]:
        assert isinstance(variant, Variant)
        alone = twin.simulate(scenario.with_(**variant.changes()), torture.folder.parent / "alone" / variant.id)
        swept = twin.open_run(torture.folder / "runs" / variant.id)
        assert swept.status == "done" and swept.digest == alone.digest, variant.id
    ds = experiment.gather(torture.folder)
    assert ds.coldest.notnull().all() and ds.coldest.size == runs


def tries(folder: Path) -> int:
    """Return how many tries failed, by the logs."""
    return sum(
        log.read_text("utf-8", "replace").count("\n-- try ") + log.read_text().startswith("-- try ") for log in folder.glob("logs/*.log")
    )


@pytest.mark.parametrize(
    ("rooms", "seeds", "hurts"),
    [
        pytest.param([2, 3], 2, ["sweep killed", "Ctrl-C", "run killed"], id="4 runs"),
        pytest.param([2, 3, 4, 5, 6, 7, 8, 9, 10, 11], 20, None, id="200 runs", marks=pytest.mark.slow),
    ],
)
def test_a_sweep_that_is_killed_and_interrupted_has_every_result_once(tmp_path, rooms, seeds, hurts):
    mini.write(tmp_path)
    file = tmp_path / "rooms.yaml"
    file.write_text(SWEEP.format(rooms=rooms, seeds=seeds))
    torture = Torture(tmp_path / "swept", file, random.Random(11))
    runs, began = len(rooms) * seeds, time.monotonic()
    hurts = hurts or torture.chance.choices(["run killed", "sweep killed", "Ctrl-C"], [4, 1, 1], k=60)
    torture.until_all_are_there(hurts, (0.5, 4.0) if runs > 4 else (0.5, 1.0))
    took_s = time.monotonic() - began
    is_whole(torture, runs)
    assert not hurts, "it ended before all was done to it"
    said = ", ".join(f"{count} {what}" for what, count in torture.done.items() if count)
    print(f"\n{runs} runs, each once and as alone; {said}; {tries(torture.folder)} tries failed; {took_s:.0f} s")
