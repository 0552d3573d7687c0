"""A process that forks runs of the mini city which kill themselves just before their n-th change to the disk, and goes on with each.

`python dying.py FOLDER CASE STRIDE` prints one JSON line a death; CASE is run, resume, branch or live.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import mini
import pyarrow.parquet  # noqa: F401 - loaded once, before the forks
import sixth
import xarray  # noqa: F401
import zarr  # noqa: F401

import twin
from twin import claim
from twin.errors import TwinError
from twin.rehearse import to_the_end
from twin.simulation import Simulation
from twin.storage import digest

CHANGES = ("os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.truncate")
EVERY_S = 240


def die_before_change(n: int) -> None:
    """Have this process killed just before it changes the disk for the n-th time from now."""
    left = n

    def hear(event: str, arguments: tuple) -> None:
        nonlocal left
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or event in CHANGES:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)


def in_a_child(work: Callable[[], object], n: int = 0) -> bool:
    """Do the work in a fork that dies before its n-th change (0: never); True when it died."""
    child = os.fork()
    if child == 0:
        try:
            if n:
                die_before_change(n)
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a fork must end here, whatever happened
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL and n
        return True
    assert os.WEXITSTATUS(status) == 0, "the run failed by itself"
    return False


class Case:
    """One way to write a run: what dies, what is there before, and what the result must be."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self.folder = name, folder
        self.scenario = twin.load(mini.write(folder)).with_(record_every="10 s")
        self.variant = self.scenario.with_(timeline={"late": {"at": "+18 min"}})
        self.whole, self.left, self.direct = folder / "whole", folder / "left", folder / "direct"
        in_a_child(lambda: twin.simulate(self.scenario, self.whole, checkpoint_every_s=EVERY_S))
        in_a_child(lambda: twin.simulate(self.variant, self.direct))
        in_a_child(self._leave)
        self.lively = folder / "lively"
        in_a_child(lambda: self.live(self.lively))
        goals = {"run": self.whole, "resume": self.whole, "branch": self.direct, "live": self.lively}
        self.goal = digest(goals[name])
        self.without = digest(self.whole)
        self.kpis = twin.open_run(goals[name]).manifest["kpis"]

    def _leave(self) -> None:
        with Simulation(self.scenario, self.left, checkpoint_every_s=EVERY_S) as simulation:
            simulation.until(700)

    def live(self, out: Path, done: Path | None = None) -> None:
        """Run with two things done by hand, one in the second of a checkpoint; note in `done` when each was."""
        with Simulation(self.scenario, out, checkpoint_every_s=EVERY_S) as simulation:
            for second, power_kw in ((480, 3.5), (655, 0.25)):
                simulation.until(second)
                simulation.do("heat.heat", room="R2", p_kw=power_kw)
                if done is not None:
                    os.write(os.open(done, os.O_RDWR), b"x" * 1) if second == 480 else done.write_text("xx")
            simulation.until(1200)

    def begin(self, out: Path) -> Callable[[], object]:
        """Return the work that is to die."""
        if self.name == "run":
            return lambda: twin.simulate(self.scenario, out, checkpoint_every_s=EVERY_S)
        if self.name == "live":
            done = out.with_suffix(".done")
            done.write_text("")
            return lambda: self.live(out, done)
        if self.name == "branch":
            return lambda: twin.branch(self.whole, 750, self.variant, out)
        shutil.copytree(self.left, out)
        return lambda: twin.resume(out)

    def found(self, out: Path) -> str:
        """Say what a death left: not begun, finished, or where it goes on."""
        if not (out / "manifest.json").exists():
            try:
                Simulation.resume(out)
            except TwinError as error:
                assert "\n" not in str(error)
            assert claim.never_began(out) or not out.exists() or not any(out.iterdir())
            return "not begun"
        run = twin.open_run(out)
        _ = run.events, [run.fields[name].load() for name in run.models]
        if run.status in ("done", "degraded"):
            return "finished"
        held = [int(path.stem) for path in (out / "checkpoints").glob("*.state")]
        return "from a checkpoint" if held else "from second 0"

    def check(self, out: Path, found: str) -> str:
        """Go on with what a death left, or begin again; return what is wrong with the result."""
        if found == "not begun":
            in_a_child((lambda: twin.simulate(self.scenario, out)) if self.name == "live" else self.begin(out))
        elif found != "finished":
            in_a_child(lambda: to_the_end(Simulation.resume(out)))
        run, got = twin.open_run(out), digest(out)
        if self.name == "live":
            return self._lively(out, run, got, found)
        if got != self.goal:
            return "another digest"
        if run.status != "done" or run.manifest["kpis"] != self.kpis or not run.ledger["closes"].all():
            return f"{run.status}, or other KPIs"
        left = [str(path) for path in out.rglob("*") if path.suffix in (".tmp", ".partial") or path.name in ("scratch", claim.BEGINNING)]
        return "" if found == "finished" or not left else f"left over: {left}"

    def _lively(self, out: Path, run: twin.Run, got: str, found: str) -> str:
        promised = len(out.with_suffix(".done").read_text())
        kept = len(run.manifest["live"])
        if found != "not begun" and kept < promised:
            return f"{promised} things done by hand, {kept} kept"
        rows = run.events[run.events["source"] == "live"]
        if list(rows["t_seen_s"]) != [480, 655][:kept]:
            return f"{kept} kept, the journal says {list(rows['t_seen_s'])}"
        return "another digest" if got != {0: self.without, 2: self.goal}.get(kept, got) else ""


def main() -> None:
    """Die everywhere."""
    folder, name, stride = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    sixth.register(None)
    case = Case(folder, name)
    before = digest(case.whole)
    n, died = 1, True
    while died:
        out = folder / f"{name}-{n}"
        died = in_a_child(case.begin(out), n)
        found = case.found(out)
        print(json.dumps({"n": n, "died": died, "found": found, "wrong": case.check(out, found)}), flush=True)
        shutil.rmtree(out)
        n += stride
    assert digest(case.whole) == before, "the run that was branched from is as it was"


if __name__ == "__main__":
    main()
