"""A scenario made live: open its engines, step the clock, act, record, close."""

from __future__ import annotations

import contextlib
import math
import platform
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from twin import build, checkpoint, units
from twin.checkpoint import Past
from twin.driver import Heard
from twin.errors import InputError, Problem, StorageError, TwinError
from twin.ground import Ground, ground_of
from twin.orchestrator import Orchestrator
from twin.scenario import Scenario
from twin.storage import storing
from twin.view import ModelView

if TYPE_CHECKING:
    from twin.results import Run

COMMIT_AFTER_S = 20.0
"""Wall time after which the record is put on disk even if its chunk is not full: what a kill can cost."""

KERNEL = ("citytwin", "simpy", "numpy", "zarr", "pyarrow")


@dataclass(frozen=True)
class Progress:
    """Where a run stands: simulated second, its length, and simulated seconds per wall second."""

    now_s: int
    duration_s: int
    speed: float
    doing: str = ""


Watch = Callable[[Progress], None]


def free_folder(scenario: Scenario, out: str | Path | None) -> Path:
    """Return the folder a run will be written to; InputError if it holds something already."""
    if out is not None:
        folder = Path(out)
        with storing(folder, "cannot hold a run"):
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise InputError(f"{folder}: exists already; choose another --out, or remove it first")
        return folder
    number, folder = 1, Path("runs") / scenario.name
    while folder.exists():
        number += 1
        folder = Path("runs") / f"{scenario.name}-{number}"
    return folder


class Simulation:
    """A scenario that runs: use it as a context manager, step it with `until`, act with `do`.

    `sim["grid"].energized` is a labelled array of what a model says now. Leaving the block before the
    end closes the run at the second reached (status `interrupted`); what was recorded is kept.
    """

    def __init__(
        self,
        scenario: Scenario | str | Path,
        out: str | Path | None = None,
        *,
        watch: Watch | None = None,
        watchdog_s: float = 120.0,
        hosts: str = "",
        record: bool = True,
        checkpoint_every_s: int = 0,
        check: bool = False,
        past: Past | None = None,
    ) -> None:
        from twin import load

        self.scenario = load(scenario) if isinstance(scenario, (str, Path)) else scenario
        self.folder = past.run.path if past is not None and past.own else free_folder(self.scenario, out)
        self._folder_was_there = self.folder.exists()
        self.scratch = self.folder / "scratch"
        self.plan = build.plan(self.scenario, self.scratch)
        self.ground = ground_of(self.plan.city, self.scenario.cameras) if record else Ground()
        self.watch = watch
        self.recorder: Any = None
        self.status = "done"
        self.error: str | None = None
        self._watchdog_s, self._hosts, self._record, self._check = watchdog_s, hosts, record, check
        self._started = time.perf_counter()
        self._last_watch = self.recording_s = self.checkpoint_s = 0.0
        self._committed = self._started
        self._ran: Orchestrator | None = None
        self._sampled_s, self._closed = -1, False
        self.checkpoint_every_s, self._kept_s = checkpoint_every_s, 0
        self._past = past
        self.restarts = list(past.run.manifest.get("restarts", [])) if past is not None and past.own else []
        if past is not None:
            checkpoint.unlike(past.run, self.manifest())

    @classmethod
    def resume(cls, folder: str | Path, **rest: Any) -> Simulation:
        """Take up a run that did not reach its end, at its last checkpoint, or at second 0 where none was kept.

        InputError: the run is finished, or its city or the versions of its engines are others now.
        """
        from twin.results import open_run

        run = open_run(folder)
        if run.status in checkpoint.FINISHED:
            raise InputError(f"{folder}: is {run.status}; there is nothing to go on with")
        every_s = rest.pop("checkpoint_every_s", None) or int(run.manifest.get("checkpoint_every_s", 0))
        past = checkpoint.past(run, run.committed_s, own=True)
        return cls(checkpoint.scenario_of(run), past=past, checkpoint_every_s=every_s, **rest)

    @classmethod
    def branch(
        cls,
        folder: str | Path,
        at: object,
        scenario: Scenario | str | Path | None = None,
        out: str | Path | None = None,
        *,
        sets: Sequence[str] = (),
        **rest: Any,
    ) -> Simulation:
        """Make another future of a run from the moment `at`: same past, a variant of its scenario that differs only later.

        It starts at the run's last checkpoint before `at`, or at second 0 where none was kept; what the run recorded
        until then is shared on disk, not copied. InputError: the variant differs earlier, or in what shapes it from
        the start; the city or the versions of engines are others now; `at` is outside the run.
        """
        from twin import load
        from twin.results import open_run

        run = open_run(folder)
        at_s = run.second(at)
        run.at(at_s)
        if isinstance(scenario, (str, Path)):
            scenario = load(scenario, sets)
        variant = scenario or checkpoint.scenario_of(run, sets)
        checkpoint.unlike_before(run, variant, at_s)
        return cls(variant, out, past=checkpoint.past(run, at_s, own=False), **rest)

    def again(self) -> Simulation:
        """Return the simulation that goes on with this one from its last checkpoint, in the same way."""
        options = {"watch": self.watch, "watchdog_s": self._watchdog_s, "hosts": self._hosts, "check": self._check}
        return Simulation.resume(self.folder, **options)

    def __enter__(self) -> Simulation:
        try:
            self._open()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            if isinstance(error, InputError) and (self._past is None or not self._past.own):
                self._leave_nothing()
            raise
        return self

    def _leave_nothing(self) -> None:
        """Remove the folder of a run that an engine refused to start on the user's files."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._folder_was_there:
            self.folder.mkdir(exist_ok=True)

    def _open(self) -> None:
        plan, scenario = self.plan, self.scenario
        self._say("checking the disk")
        if self._record:
            self.recorder = self._recorder() if self._past is None else self._recorder_again(self._past)
        with storing(self.scratch):
            self.scratch.mkdir(parents=True, exist_ok=True)
        self._say("starting engines")
        wiring = build.join(plan, watchdog_s=self._watchdog_s, hosts=self._hosts)
        self._ran = Orchestrator(
            wiring,
            duration_s=scenario.duration,
            drivers=plan.drivers,
            journal=self._journal,
            sample=self._sample if self._record else None,
            sample_every_s=math.gcd(scenario.record_every, self._tracks_every_s),
            check=self._check,
            keep=self._keep if self.checkpoint_every_s and self._record else None,
        )
        state = None
        if self._past is not None and self._past.state is not None:
            self._say("taking up")
            state = self._past.state
            self.status, self._sampled_s, self._kept_s = state["status"], state["sampled_s"], self._past.t_s
        self.orchestrator.open(state["world"] if state is not None else None)
        self._started = time.perf_counter()
        self._say("running")

    @property
    def _tracks_every_s(self) -> int:
        return self.scenario.tracks_every or self.scenario.record_every

    def _recorder(self) -> Any:
        from twin.recorder import Recorder

        with storing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        return Recorder(
            self.folder,
            manifest=self.manifest(),
            scenario_text=self.scenario.text(),
            models=self.plan.sheets(),
            start=self.plan.start,
            duration_s=self.scenario.duration,
            record_every_s=self.scenario.record_every,
            tracks_every_s=self._tracks_every_s,
            ground=self.ground,
        )

    def _recorder_again(self, past: Past) -> Any:
        from twin.recorder import Recorder

        if not past.own:
            branched = {"run": str(past.run.path.absolute()), "digest": past.run.digest, "at_s": max(0, past.t_s)}
            checkpoint.share(past.run, self.folder, self.scenario.text(), self.manifest() | {"branched": branched})
        return Recorder.resume(self.folder, models=self.plan.sheets(), at_s=past.t_s)

    def _keep(self, t_s: int) -> None:
        """Keep a checkpoint at a sample that is due for one: first the record is put on disk, then the state."""
        if t_s - self._kept_s < self.checkpoint_every_s or t_s % self.scenario.record_every or t_s >= self.scenario.duration:
            return
        started = time.perf_counter()
        self.recorder.commit(t_s)
        state = {"status": self.status, "sampled_s": self._sampled_s, "world": self.orchestrator.save()}
        checkpoint.keep(self.folder, t_s, state)
        self._kept_s = t_s
        self.checkpoint_s += time.perf_counter() - started

    def manifest(self) -> dict[str, Any]:
        """Return what identifies this run: scenario, city, seed, versions, where its models live."""
        plan = self.plan
        engines = sorted({name for model in plan.models.values() for name in model.engines})
        return {
            "name": self.scenario.name,
            "file": str(self.scenario.file.absolute()),
            "checkpoint_every_s": self.checkpoint_every_s,
            "title": self.scenario.title,
            "city": {"name": plan.city.manifest.name, "provenance": plan.city.manifest.provenance, "digest": plan.city.digest()},
            "timezone": plan.city.manifest.timezone,
            "crs": plan.city.manifest.crs,
            "seed": self.scenario.seed,
            "objectives": [{"name": name, **one.model_dump()} for name, one in self.scenario.objectives.items()],
            "versions": {name: _version(name) for name in (*KERNEL, *engines)} | {"python": platform.python_version()},
            "hosts": {name: self._hosts or plan.stanzas[name].host or type(model).host for name, model in plan.models.items()},
        }

    def until(self, moment: str | int) -> Simulation:
        """Run up to and including a moment: `'21:40'`, `'+5 min'`, or whole seconds after the start."""
        t_s = self._moment_s(moment)
        if t_s < self.now_s:
            raise InputError(f"{moment} has passed; the clock stands at {self.clock}")
        step_s = max(1, min(60, self.scenario.duration // 100))
        with self._whole_instants(self.orchestrator):
            while self.now_s < t_s and not self.orchestrator.pause:
                self._guarded(self.orchestrator.until, min(t_s, self.now_s + step_s))
                self._say("running")
        return self

    @contextlib.contextmanager
    def _whole_instants(self, ran: Orchestrator) -> Iterator[None]:
        """Hold an interrupt back until the instant is settled and recorded; a second one is not held."""
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
            yield
            return

        def hold(number: int, frame: FrameType | None) -> None:
            if ran.pause:
                signal.default_int_handler(number, frame)
            ran.pause = True

        signal.signal(signal.SIGINT, hold)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            held, ran.pause = ran.pause, False
        if held:
            raise KeyboardInterrupt

    def _moment_s(self, moment: str | int) -> int:
        try:
            t_s = int(moment) if isinstance(moment, (int, np.integer)) else units.clock_s(moment, self.plan.start)
        except ValueError as error:
            raise InputError(str(error)) from None
        if not 0 <= t_s <= self.scenario.duration:
            raise InputError(f"'{moment}' is outside the run, which lasts {self.scenario.duration} s from {self.plan.start:%H:%M}")
        return t_s

    def do(self, action: str, /, **arguments: Any) -> None:
        """Apply an action now: `sim.do("grid.open", line="L4")`. InputError says what is wrong with it."""
        context = self.plan.context
        context.problems.clear()
        model, verb, taken = context.action(action, arguments, ())
        if context.problems:
            raise InputError([Problem(problem.what.removeprefix(": ")) for problem in context.problems])
        self._guarded(self.orchestrator.do, model, verb, taken)

    @property
    def orchestrator(self) -> Orchestrator:
        """The orchestrator, once the simulation is open."""
        if self._ran is None:
            raise TwinError("the simulation is not open: use it as `with twin.Simulation(...) as sim:`")
        return self._ran

    @property
    def now_s(self) -> int:
        """Simulated seconds since the start."""
        return self.orchestrator.now_s

    @property
    def clock(self) -> str:
        """The simulated local time."""
        return f"{self.plan.start.fromtimestamp(self.plan.start.timestamp() + self.now_s, self.plan.start.tzinfo):%H:%M:%S}"

    def __getitem__(self, model: str) -> ModelView:
        node = self.orchestrator.by_name.get(model)
        if node is None:
            raise KeyError(f"no model '{model}'; this run has {', '.join(self.orchestrator.by_name)}")
        return ModelView(node)

    def _guarded(self, call: Any, *arguments: Any) -> None:
        if self._closed or self.status in ("failed", "interrupted"):
            raise TwinError(f"the run {'is closed' if self._closed else self.status} at {self.clock} and cannot go on")
        try:
            call(*arguments)
        except KeyboardInterrupt:
            self.status = "interrupted"
            raise
        except BaseException as error:
            self.status, self.error = "failed", str(error)
            raise

    def _journal(self, heard: Heard) -> None:
        if heard.kind == "degraded" and self.status == "done":
            self.status = "degraded"
        if self.recorder is not None:
            report = heard.report
            self.recorder.event(
                {
                    "t_happened_s": report.happened_s,
                    "t_seen_s": heard.seen_s,
                    "kind": heard.kind,
                    "source": heard.source,
                    "model": report.model,
                    "name": report.notice,
                    "element": report.element,
                    "severity": report.severity,
                    "facts": report.facts,
                }
            )

    def _sample(self, t_s: int) -> None:
        scenario, last = self.scenario, t_s == self.scenario.duration
        started = time.perf_counter()
        if t_s % scenario.record_every == 0 or last:
            self.recorder.sample(t_s, {node.name: node.arrays for node in self.orchestrator.nodes})
        again, self._sampled_s = t_s == self._sampled_s, t_s
        if not again and (t_s % self._tracks_every_s == 0 or last):
            for node in self.orchestrator.nodes:
                if node.model.moving:
                    self.recorder.tracks(t_s, node.name, node.host.positions())
        if started - self._committed > COMMIT_AFTER_S:
            self.recorder.commit(t_s)
            self._committed = time.perf_counter()
        self.recording_s += time.perf_counter() - started

    def timing(self) -> dict[str, dict[str, float]]:
        """Return per model where the wall time went and how often it was called."""
        return {node.name: asdict(node.timing) | {"host": node.host.kind} for node in self.orchestrator.nodes}

    def ledger(self) -> list[dict[str, Any]]:
        """Return the conserved quantities of every model and flow with their residuals."""
        accounts = [(node.name, account) for node in self.orchestrator.nodes for account in node.host.ledger()]
        rows = []
        for name, account in accounts + self.orchestrator.exchanged():
            closes = abs(account.residual) <= account.tolerance
            rows.append({"model": name, **asdict(account), "residual": account.residual, "closes": closes})
        return rows

    def _say(self, doing: str) -> None:
        if self.watch is None:
            return
        now = time.perf_counter()
        ran = self._ran
        now_s = ran.now_s if ran else 0
        if doing != "running" or now - self._last_watch > 0.1 or now_s >= self.scenario.duration:
            self._last_watch = now
            self.watch(Progress(now_s, self.scenario.duration, now_s / max(now - self._started, 1e-9), doing))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        ran = self._ran
        if error is not None and self.status in ("done", "degraded"):
            self.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            self.error = str(error) or type(error).__name__
        elif ran is not None and error is None and ran.now_s < self.scenario.duration:
            self.status = "interrupted"
        try:
            with self._whole_instants(ran) if ran is not None else contextlib.nullcontext():
                self._finish(ran, error)
        except TwinError:
            if error is None:
                raise
        finally:
            self._closed = True
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _finish(self, ran: Orchestrator | None, error: BaseException | None) -> None:
        ledger: list[dict[str, Any]] = []
        broken: list[TwinError] = []
        if ran is not None:
            try:
                ledger = self.ledger() if ran.settles and self.status != "failed" else []
            except TwinError as wrong:
                broken.append(wrong)
            try:
                ran.close()
            except TwinError as wrong:
                broken.append(wrong)
        if broken and error is None:
            self.status, self.error = "failed", str(broken[0])
        if self.recorder is not None:
            self._say("writing the record")
            timing = self.timing() if ran else {}
            self.recorder.manifest |= {
                "wall_s": time.perf_counter() - self._started,
                "simulated_s": ran.now_s if ran else 0,
                "recording_s": self.recording_s,
                "restarts": self.restarts,
                "checkpoint_s": self.checkpoint_s,
                "settles": ran.settles if ran else 0,
            }
            kpis = self.plan.kpis if ran is not None and ran.settles else ()
            self.recorder.finish(self.status, timing=timing, kpis=kpis, ledger=ledger, error=self.error)
        if broken:
            raise broken[0]

    def result(self) -> Run:
        """Open what was recorded."""
        from twin.results import open_run

        if self.recorder is None:
            raise StorageError("this simulation recorded nothing")
        return open_run(self.folder)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


__all__ = ["Progress", "Simulation"]
