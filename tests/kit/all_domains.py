"""A scenario of every model, and a rig that kills runs of it at moments drawn by a seed and goes on with what is left.

`python tests/kit/all_domains.py 15` strikes fifteen times and prints the figures.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import worst_day

import twin
from twin import checkpoint, claim
from twin.storage import digests

TWIN = [sys.executable, "-m", "twin.cli"]
PLANS = ("opening", "running", "running", "checkpoint", "running", "resume", "finishing", "running", "resume", "running")
"""What a strike aims at, in turn: before or while the run begins, anywhere, the writing of a state, the end, and the going on itself."""
PATIENCE_S = 600.0
DEAD_WITHIN_S = 10.0


def write(folder: Path, minutes: int, people: int = 150) -> Path:
    """Write the worst day and what happens in it; traffic, water and drainage live in processes of their own."""
    file = worst_day.write(folder)
    text = file.read_text().replace("duration: 5 min", f"duration: {minutes} min")
    text = text.replace("people: 150,", f"people: {people},").replace("water: {}", "water: {host: process}")
    file.write_text(text + worst_day.TIMELINE)
    return file


@dataclass
class Tally:
    """What came of the strikes."""

    struck: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    orphans: int = 0
    unopened: int = 0
    longest_s: float = 0.0

    def line(self, name: str, whole_s: float) -> str:
        """Return the figures in one line."""
        aimed = ", ".join(f"{count} {what}" for what, count in sorted(self.struck.items()))
        left = ", ".join(f"{count} {what}" for what, count in sorted(self.found.items()))
        return (
            f"{name}: {sum(self.struck.values())} runs of {whole_s:.1f} s killed ({aimed}); {left}; orphans {self.orphans}, "
            f"folders that do not open {self.unopened}, wrong results {len(self.wrong)}, longest resume {self.longest_s:.1f} s"
        )


class Rig:
    """Kills runs of one scenario, and holds what they become against the run that nobody killed."""

    def __init__(self, file: Path, folder: Path, every: str, words: Sequence[str] = (), warm: Sequence[str] = ()) -> None:
        self.file, self.folder, self.words = file, folder, ["--quiet", "--checkpoint-every", every, *words]
        whole = folder / "whole"
        if not whole.exists():  # once before, so that nothing is left to compile
            short = [word for one in ("duration=1 min", "timeline=null", *warm) for word in ("--set", one)]
            command = [*TWIN, "run", str(file), "--quiet", "--out", str(folder / "warm"), *short]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        started = time.monotonic()
        subprocess.run([*TWIN, "run", str(file), *self.words, "--out", str(whole)], check=True, stdout=subprocess.DEVNULL)
        self.whole_s = time.monotonic() - started
        self.run = twin.open_run(whole)
        self.digests, self.moments_s = digests(whole), checkpoint.moments_s(whole)
        assert self.run.status == "done" and self.run.ledger["closes"].all() and len(self.moments_s) > 2
        self.begin_s = self.whole_s - float(self.run.manifest["wall_s"])
        self.tally = Tally()

    def strike_all(self, count: int, seed: int, at_a_time: int = 2) -> Tally:
        """Strike so often, `at_a_time` side by side."""
        with ThreadPoolExecutor(at_a_time) as pool:
            list(pool.map(self.strike, range(count), [seed] * count))
        return self.tally

    def strike(self, number: int, seed: int) -> None:
        """Kill one run (and, if that is the plan, also what goes on with it), go on, and tally what came of it."""
        plan, rng = PLANS[number % len(PLANS)], random.Random(1000 * seed + number)
        out = self.folder / f"struck-{number}"
        self._kill(["run", str(self.file), *self.words, "--out", str(out)], out, plan, rng)
        found = self._found(out)
        if plan == "resume" and found.startswith("went on"):
            self._kill(["resume", str(out), "--quiet"], out, "again", rng)
            found = self._found(out)
        self.tally.struck[plan] += 1
        self.tally.found[found] += 1
        took_s = self._go_on(out, found)
        self.tally.longest_s = max(self.tally.longest_s, took_s)
        run = twin.open_run(out)
        if digests(out) != self.digests or run.manifest["kpis"] != self.run.manifest["kpis"] or run.status != "done":
            self.tally.wrong.append(f"{number} ({plan}, {found}): {out}")

    def _kill(self, words: list[str], out: Path, plan: str, rng: random.Random) -> None:
        mark = uuid.uuid4().hex
        child = subprocess.Popen(
            [*TWIN, *words],
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "STRUCK": mark},
        )
        self._wait(child, out, plan, rng)
        if rng.random() < 0.75:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()  # the parent alone: its children must see to themselves
        child.wait()
        if left := _alive(mark):
            self.tally.orphans += len(left)
            for one in left:
                one.kill()

    def _wait(self, child: subprocess.Popen[bytes], out: Path, plan: str, rng: random.Random) -> None:
        """Wait for the moment that the plan draws, or until the run is over."""
        manifest = out / "manifest.json"
        if plan == "opening":
            _until(lambda: False, child, rng.uniform(0, self.begin_s))
        elif plan == "checkpoint":
            target = checkpoint.path_of(out, rng.choice(self.moments_s))
            beside = target.with_name(target.name + ".tmp")
            _until(lambda: beside.exists() or target.exists(), child)
        elif plan == "finishing":
            _until(lambda: manifest.exists() and json.loads(manifest.read_text())["committed_s"] == self.run.duration_s, child)
            time.sleep(rng.uniform(0, 0.05))
        elif plan == "again":
            _until(lambda: False, child, rng.uniform(0, 0.8 * self.whole_s))
        else:  # after one of the states was kept, or the folder laid, for up to as long as it takes to the next
            last = rng.choice([manifest, *(checkpoint.path_of(out, t_s) for t_s in self.moments_s)])
            _until(last.exists, child)
            _until(lambda: False, child, rng.uniform(0, (self.whole_s - self.begin_s) / len(self.moments_s)))

    def _found(self, out: Path) -> str:
        """Open what a kill left, and say what it is."""
        if not (out / "manifest.json").exists():
            return "never began"
        try:
            run = twin.open_run(out)
            for model in run.models:
                assert run.fields[model].load().sizes["time"] == len(run.times_s)
                assert len(run.tracks(model)) == 0 or run.tracks(model)["time"].max() <= run.time(run.committed_s)
            assert (run.events["t_seen_s"] <= run.committed_s).all()
        except (twin.TwinError, AssertionError) as error:
            self.tally.unopened += 1
            return f"did not open: {error}"
        if run.status in checkpoint.FINISHED:
            return "finished already"
        return "went on from a checkpoint" if checkpoint.moments_s(out) else "went on from second 0"

    def _go_on(self, out: Path, found: str) -> float:
        """Resume the run, or run it again in its folder when it never began; return the seconds a resume took."""
        started = time.monotonic()
        done = _said([*TWIN, "resume", str(out), "--quiet"])
        took_s = time.monotonic() - started
        if found.startswith("went on"):
            if done.returncode:
                self.tally.wrong.append(f"{out}: resume said {done.stderr}")
            return took_s
        if done.returncode not in (2, 4) or len(done.stderr.splitlines()) != 1:
            self.tally.wrong.append(f"{out}: a resume of one that {found} said {done.returncode} {done.stderr}")
        if found == "never began":
            assert not out.exists() or claim.never_began(out) or not any(out.iterdir())
            again = _said([*TWIN, "run", str(self.file), *self.words, "--out", str(out)])
            if again.returncode:
                self.tally.wrong.append(f"{out}: running again said {again.stderr}")
        return 0.0


def _said(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def _until(true, child: subprocess.Popen[bytes], patience_s: float = PATIENCE_S) -> None:
    """Wait until `true()`, the child has ended, or patience has."""
    end = time.monotonic() + patience_s
    while child.poll() is None and time.monotonic() < end and not true():
        time.sleep(0.002)


def _alive(mark: str) -> list[psutil.Process]:
    """Return the processes that still bear a mark in their environment after some seconds' grace."""
    end = time.monotonic() + DEAD_WITHIN_S
    while left := [one for one in psutil.process_iter() if _bears(one, mark)]:
        if time.monotonic() > end:
            break
        time.sleep(0.05)
    return left


def _bears(process: psutil.Process, mark: str) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        return process.environ().get("STRUCK") == mark and process.status() != psutil.STATUS_ZOMBIE
    return False


def main() -> None:
    """Strike so often as the first argument says, with the seed of the second."""
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory(prefix="struck-") as folder:
        rig = Rig(write(Path(folder), minutes=30), Path(folder), "30 s")
        tally = rig.strike_all(count, seed)
        print(tally.line("all domains", rig.whole_s))
        print("\n".join(tally.wrong))


if __name__ == "__main__":
    main()
