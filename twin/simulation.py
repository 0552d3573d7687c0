"""A scenario made live: open its engines, step the clock, act, record, close."""

from __future__ import annotations

import contextlib
import math
import shutil
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from twin import attached, build, checkpoint, claim, units
from twin.attached import Process
from twin.checkpoint import Past
from twin.driver import Commanded, Heard
from twin.errors import InputError, StorageError, TwinError
from twin.ground import Ground, ground_of
from twin.identity import identity
from twin.interrupts import whole_steps
from twin.orchestrator import Orchestrator, Timing
from twin.progress import Progress, Spent, Watch
from twin.scenario import Scenario
from twin.storage import plain, storing
from twin.view import ModelView

if TYPE_CHECKING:
    from twin.results import Run

COMMIT_AFTER_S = 20.0
"""Wall time after which the record is put on disk even if its chunk is not full: what a kill can cost."""


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
        processes: Sequence[Process] = (),
    ) -> None:
        from twin import load

        self.scenario = load(scenario) if isinstance(scenario, (str, Path)) else scenario
        self.folder = past.run.path if past is not None and past.own else claim.free_folder(self.scenario, out)
        self._folder_was_there = self.folder.exists()
        self.scratch = self.folder / "scratch"
        self.plan = build.plan(self.scenario, self.scratch)
        self.ground = ground_of(self.plan.city, self.scenario.cameras) if record and past is None else Ground()
        self.watch = watch
        self.listen: Callable[[Heard], None] | None = None
        """Who is told all that is journaled, at its second."""
        self.recorder: Any = None
        self.status = "done"
        self.error: str | None = None
        self._watchdog_s, self._hosts, self._record, self._check = watchdog_s, hosts, record, check
        self._started = time.perf_counter()
        self._last_watch = self.recording_s = self.checkpoint_s = 0.0
        self._committed = self._started
        self._ran: Orchestrator | None = None
        self._sampled_s, self._closed, self._began_s = -1, False, 0
        self.checkpoint_every_s, self._kept_s = checkpoint_every_s, 0
        self._live: deque[Mapping[str, Any]] = deque()
        self._lived = 0
        self._spent = Spent()
        self._held = contextlib.ExitStack()
        self._waits: attached.Waits | None = None
        self._processes = tuple(processes)
        self.restarts = list(past.run.manifest.get("restarts", [])) if past is not None and past.own else []
        if past is not None:
            checkpoint.unlike(past.run, self.manifest())
        self._past = past.taken_up() if past is not None else None

    @classmethod
    def resume(cls, folder: str | Path, **rest: Any) -> Simulation:
        """Take up a run that did not reach its end, at its last checkpoint, or at second 0 where none was kept.

        What was done by hand after that moment is done again at its second, as far as it was recorded. Hosts and checks
        are those of the run. InputError: the run is finished or never began, another process is writing it, or its
        scenario, its city or the versions of its engines are others now.
        """
        from twin.results import open_run

        if claim.never_began(Path(folder)):
            raise InputError(f"{folder}: was ended before anything was recorded; run its scenario again into the same folder")
        run = open_run(folder)
        if run.status in checkpoint.FINISHED:
            raise InputError(f"{folder}: is {run.status}; there is nothing to go on with")
        checkpoint.warn_of_another_file(run)
        attached.refuse_others(run, rest.get("processes", ()))
        said = run.manifest
        every_s = rest.pop("checkpoint_every_s", None) or int(said.get("checkpoint_every_s", 0))
        kinds = set(said.get("hosts", {}).values())
        rest = {"hosts": kinds.pop() if len(kinds) == 1 else "", "check": bool(said.get("check"))} | rest
        return cls(checkpoint.scenario_of(run), past=Past(run, run.committed_s, own=True), checkpoint_every_s=every_s, **rest)

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
        the start; the city or the versions of engines are others now; `at` is outside the run. It keeps checkpoints and
        holds accounts as the run did, unless `rest` says otherwise.
        """
        from twin import load
        from twin.results import open_run

        run = open_run(folder)
        at_s = run.second(at)
        run.at(at)
        attached.refuse_others(run, ())
        if isinstance(scenario, (str, Path)):
            scenario = load(scenario, sets)
        variant = scenario or checkpoint.scenario_of(run, sets)
        differs_s = checkpoint.unlike_before(run, variant, at_s)
        said = run.manifest
        kept = {"checkpoint_every_s": int(said.get("checkpoint_every_s", 0)), "check": bool(said.get("check"))}
        return cls(variant, out, past=Past(run, at_s, own=False, differs_s=differs_s), **kept | rest)

    def again(self) -> Simulation:
        """Return the simulation that goes on with this one from its last checkpoint, in the same way."""
        options = {"watch": self.watch, "watchdog_s": self._watchdog_s, "hosts": self._hosts, "check": self._check}
        return Simulation.resume(self.folder, **options)

    def __enter__(self) -> Simulation:
        self._held.enter_context(claim.alone(self.folder))
        try:
            with whole_steps():
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
            from twin import recording

            past, manifest = self._past, self.manifest()
            self.recorder = (
                recording.begin(self.folder, plan, self.ground, manifest)
                if past is None
                else recording.go_on(past, self.folder, plan, manifest)
            )
        with storing(self.scratch):
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch.mkdir(parents=True, exist_ok=True)
        self._say("starting engines")
        wiring = build.join(plan, watchdog_s=self._watchdog_s, hosts=self._hosts)
        self._ran = Orchestrator(
            wiring,
            duration_s=scenario.duration,
            drivers=plan.drivers.values(),
            sections=plan.drivers,
            journal=self._journal,
            sample=self._sample if self._record else None,
            sample_every_s=math.gcd(scenario.record_every, self._tracks_every_s),
            check=self._check,
            keep=self._keep if self.checkpoint_every_s and self._record else None,
        )
        if self._past is not None and self._past.state is not None:
            self._say("taking up")
            self._take_up(self._past, self._past.state)
        else:
            self.orchestrator.open()
        self._live = deque(self._past.live if self._past is not None else ())
        self._started, self._began_s = time.perf_counter(), self.now_s
        for process in self._processes:
            self.attach(process)
        self._do_again()
        self._say("running")

    def _take_up(self, past: Past, state: Mapping[str, Any]) -> None:
        """Bring the engines to a kept state; what was sampled at its second is sampled again, since then more may have been done."""
        try:
            self.status, self._sampled_s, self._kept_s, self._lived = state["status"], state["sampled_s"], past.t_s, state["live"]
            self.orchestrator.open(state["world"])
            if past.own:
                self._spent = Spent(**state["spent"])
                for node in self.orchestrator.nodes:
                    node.timing = Timing(**state["timing"][node.name])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            file = checkpoint.path_of(past.run.path, past.t_s)
            what = f"{file}: does not fit this run ({type(error).__name__} {error}); remove it to go on from an earlier moment"
            raise StorageError(what) from error
        if self.recorder is not None:
            self.recorder.sample(past.t_s, {node.name: node.arrays for node in self.orchestrator.nodes})

    @property
    def _tracks_every_s(self) -> int:
        return self.scenario.tracks_every or self.scenario.record_every

    def _keep(self, t_s: int) -> None:
        """Keep a checkpoint at a sample that is due for one: first the record is put on disk, then the state."""
        if t_s - self._kept_s < self.checkpoint_every_s or t_s % self.scenario.record_every or t_s >= self.scenario.duration:
            return
        started = time.perf_counter()
        self.recorder.commit(t_s)
        state = {
            "status": self.status,
            "sampled_s": self._sampled_s,
            "live": self._lived,
            "rows": self.recorder.rows,
            "spent": asdict(self._until_now()),
            "timing": {node.name: asdict(node.timing) for node in self.orchestrator.nodes},
            "world": self.orchestrator.save(),
        }
        checkpoint.keep(self.folder, t_s, state)
        self._kept_s = t_s
        self.checkpoint_s += time.perf_counter() - started

    def _until_now(self) -> Spent:
        """Return what all sittings took so far to compute what is recorded."""
        before, now_s = self._spent, self._ran.now_s if self._ran is not None else 0
        return Spent(
            before.wall_s + time.perf_counter() - self._started,
            before.recording_s + self.recording_s,
            before.checkpoint_s + self.checkpoint_s,
            before.simulated_s + max(0, now_s - self._began_s),
        )

    def manifest(self) -> dict[str, Any]:
        """Return what identifies this run: scenario, city, seed, versions, where its models live."""
        return identity(self.plan, hosts=self._hosts, check=self._check, checkpoint_every_s=self.checkpoint_every_s)

    def until(self, moment: str | int) -> Simulation:
        """Run up to and including a moment: `'21:40'`, `'+5 min'`, or whole seconds after the start."""
        t_s = self._moment_s(moment)
        if t_s < self.now_s:
            raise InputError(f"{moment} has passed; the clock stands at {self.clock}")
        step_s = max(1, min(60, self.scenario.duration // 100))
        with whole_steps(self.orchestrator):
            while self.now_s < t_s and not self.orchestrator.pause:
                again_s = self._live[0]["at_s"] if self._live else t_s
                self.guarded(self.orchestrator.until, min(t_s, self.now_s + step_s, max(again_s, self.now_s + 1)))
                self._do_again()
                self._say("running")
        return self

    def _moment_s(self, moment: str | int) -> int:
        try:
            t_s = int(moment) if isinstance(moment, (int, np.integer)) else units.clock_s(moment, self.plan.start)
        except ValueError as error:
            raise InputError(str(error)) from None
        if not 0 <= t_s <= self.scenario.duration:
            raise InputError(f"'{moment}' is outside the run, which lasts {self.scenario.duration} s from {self.plan.start:%H:%M}")
        return t_s

    def do(self, action: str, /, **arguments: Any) -> None:
        """Apply an action now: `sim.do("grid.open", line="L4")`. InputError says what is wrong with it.

        Or tell a driver that takes it, by its section's name: `sim.do("msel.skip", row="M3", by="Li")`. `by`, who says so, is
        journaled, also with an action.

        It is part of the run: the manifest's `live` holds it, and a resume or a branch does it again at its second. Where
        checkpoints are kept it is on disk when this returns; otherwise with the next commit.
        """
        if self._live:
            first = self._live[0]
            raise InputError(
                f"{action}: what was done by hand before is done again first, {first['do']} at {first['at_s']} s; wait until then"
            )
        self._do(action, arguments, again=False)

    def attach(self, process: Process) -> None:
        """Start a Python process beside the run: a generator function of the city (`twin.attached.LiveCity`).

        It waits, reads and acts; the journal names it. InputError: the run keeps checkpoints, and no generator can be kept.
        """
        self._waits = attached.attach(self, process, self._waits)

    def _do_again(self) -> None:
        """Do what was done by hand at this second when the run was here before."""
        while self._live and self._live[0]["at_s"] <= self.now_s:
            one = self._live.popleft()
            self._do(one["do"], one["arguments"], again=True)

    def _do(self, action: str, arguments: Mapping[str, Any], *, again: bool) -> None:
        model, verb, taken = self.plan.asked(action, arguments)
        if (driver := self.plan.drivers.get(model)) is not None:
            posts = cast(Commanded, driver).told(verb, taken, self.now_s)  # what it refuses leaves the run as it was
            self.guarded(self.orchestrator.post, posts)
        else:
            told = dict(taken)
            by = told.pop("by", "")
            self.guarded(self.orchestrator.do, model, verb, told, by)
        self._lived += 1
        if self.recorder is not None and not again:
            self.recorder.live({"at_s": self.now_s, "do": f"{model}.{verb}", "arguments": plain(taken)})
            if self.checkpoint_every_s:
                self.recorder.commit(self.now_s)

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

    def guarded(self, call: Any, *arguments: Any) -> None:
        """Call something that moves the run; one that fails there cannot go on."""
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
        if self.listen is not None:
            self.listen(heard)
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
        rows = []
        for name, account in self.orchestrator.ledger():
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
            self.watch(Progress(now_s, self.scenario.duration, (now_s - self._began_s) / max(now - self._started, 1e-9), doing))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        ran = self._ran
        if error is not None and self.status in ("done", "degraded"):
            self.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            self.error = str(error) or type(error).__name__
        elif ran is not None and error is None and self.status != "failed" and ran.now_s < self.scenario.duration:
            self.status = "interrupted"
        try:
            with whole_steps(ran):
                self._finish(ran, error)
        except TwinError:
            if error is None:
                raise
        finally:
            self._closed = True
            shutil.rmtree(self.scratch, ignore_errors=True)
            self._held.close()

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
            more = {"restarts": self.restarts, "settles": ran.settles if ran else 0}
            self.recorder.manifest |= asdict(self._until_now()) | more
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


__all__ = ["Progress", "Simulation", "Watch"]
