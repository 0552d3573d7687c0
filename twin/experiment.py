"""Runs the variants of a sweep, each in a process of its own, and gathers what came of them as xarray."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin import sweep
from twin.errors import InputError, StorageError
from twin.storage import canonical, plain, storing, write_atomic
from twin.sweep import Design, Sampling, Variant

if TYPE_CHECKING:
    import xarray as xr

    from twin.scenario import Scenario

TRIES = 3
"""A variant that failed so often is set aside with its log."""

FINISHED = ("done", "degraded")
PLAN = "sweep.json"


@dataclass(frozen=True)
class Outcome:
    """What came of a variant: `done`, `degraded` or `poisoned`, after how many tries in this session, and why not."""

    id: str
    status: str
    tries: int = 0
    said: str = ""


@dataclass
class Progress:
    """Where a sweep stands."""

    total: int
    finished: int = 0
    poisoned: int = 0
    last: str = ""


Watch = Callable[[Progress], None]


@dataclass
class Children:
    """The processes of a sweep that are running, so that they can be ended with it."""

    running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: bool = False

    def run(self, command: Sequence[str], log: Path) -> int:
        """Run a command in a process group of its own, all it prints into `log`; return its exit code."""
        with log.open("wb") as out:
            with self.lock:
                if self.stopped:
                    return -signal.SIGTERM
                found = {**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
                child = subprocess.Popen(
                    command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True, env=found
                )
                self.running.add(child)
            try:
                return child.wait()
            finally:
                with self.lock:
                    self.running.discard(child)

    def stop(self) -> None:
        """End every running process with all that it started."""
        with self.lock:
            self.stopped = True
            for child in self.running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)


class Sweep:
    """A scenario over varied keys and seeds.

    `vary`: dotted key -> values, for example `{"models.crowd.people": [3000, 6000]}`. `seeds`: every row of values
    is run with each of them, so that differences are paired. `folder`: where the runs go (runs/sweeps/NAME when absent).
    `fields`: recorded ports to keep in the result besides the KPIs. InputError: a key or value the scenario cannot have.
    """

    def __init__(
        self,
        scenario: Scenario | str | Path,
        vary: Mapping[str, Sequence[Any] | sweep.Range],
        seeds: Iterable[int] = (1,),
        *,
        folder: str | Path | None = None,
        fields: Sequence[str] = (),
        sample: Sampling | None = None,
    ) -> None:
        from twin import load

        self.scenario = load(scenario) if isinstance(scenario, (str, Path)) else scenario
        self.design = Design(dict(vary), tuple(seeds), sample)
        self.fields = tuple(fields)
        self.folder = Path(folder) if folder is not None else Path("runs") / "sweeps" / self.scenario.name

    def run(self, client: Any = None, *, workers: int = 1, watch: Watch | None = None) -> xr.Dataset:
        """Run what is not run yet and return everything (see `gather`); `client`: a dask.distributed.Client to run it elsewhere."""
        sweep.check(self.scenario, self.design)
        self.lay()
        finish(self.folder, client=client, workers=workers, watch=watch)
        return gather(self.folder)

    def lay(self) -> None:
        """Write the plan and each variant's scenario into the folder; InputError when it holds another sweep."""
        plan = {
            "format": 1,
            "name": self.scenario.name,
            "file": str(self.scenario.file.absolute()),
            "keys": list(self.design.vary),
            "sampled": self.design.sample is not None,
            "seeds": list(self.design.seeds),
            "fields": list(self.fields),
            "variants": [asdict(variant) for variant in self.design.variants()],
            "scenario": self.scenario.raw(),
        }
        text = json.dumps(plain(plan), ensure_ascii=False, indent=1) + "\n"
        path = self.folder / PLAN
        if path.exists():
            if path.read_text("utf-8") != text:
                raise InputError(f"{self.folder}: holds another sweep; name another folder, or remove it first")
            return
        with storing(self.folder):
            (self.folder / "runs").mkdir(parents=True, exist_ok=True)
            (self.folder / "logs").mkdir(exist_ok=True)
            (self.folder / "scenarios").mkdir(exist_ok=True)
        for variant in self.design.variants():
            changed = self.scenario.with_(**variant.changes())
            write_atomic(self.folder / "scenarios" / f"{variant.id}.yaml", changed.text().encode())
        write_atomic(path, text.encode())


def read_plan(folder: Path) -> dict[str, Any]:
    """Read a sweep's plan; InputError when the folder holds none, StorageError when it is damaged."""
    path = Path(folder) / PLAN
    if not path.is_file():
        raise InputError(f"{folder}: is no sweep (no {PLAN})" if Path(folder).is_dir() else f"{folder}: no such folder")
    try:
        plan: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if plan["format"] != 1:
            raise StorageError(f"{path}: is a sweep of format {plan['format']!r}; this version reads format 1")
        plan["variants"] = [Variant(**one) for one in plan["variants"]]
        return plan
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path}: is damaged: {error}") from error


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the sweep's lock; InputError when another process works on it."""
    with storing(folder), (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: another process is working on this sweep") from None
        yield


def finish(folder: Path, *, client: Any = None, workers: int = 1, watch: Watch | None = None, again: bool = False) -> list[Outcome]:
    """Run every variant that is not finished, and return what came of all; finished runs are never run again.

    `again`: also those that were set aside. A Ctrl-C ends the runs that are going on; they start anew the next time.
    """
    plan = read_plan(folder)
    with _alone(folder):
        waiting, outcomes = [], []
        for variant in plan["variants"]:
            outcome = _outcome(folder, variant.id)
            if outcome is None or (again and outcome.status == "poisoned"):
                waiting.append(variant.id)
            else:
                outcomes.append(outcome)
        progress = Progress(len(plan["variants"]), len(outcomes), sum(one.status == "poisoned" for one in outcomes))
        for outcome in _on_dask(folder, waiting, client, plan) if client is not None else _here(folder, waiting, workers, plan):
            outcomes.append(outcome)
            progress.finished += 1
            progress.poisoned += outcome.status == "poisoned"
            progress.last = outcome.id
            if watch is not None:
                watch(progress)
        return sorted(outcomes, key=lambda outcome: outcome.id)


def _here(folder: Path, ids: Sequence[str], workers: int, plan: Mapping[str, Any]) -> Iterator[Outcome]:
    children = Children()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for one in as_completed([pool.submit(attempt, folder, id, plan["file"], children) for id in ids]):
                yield one.result()
        except BaseException:
            children.stop()
            pool.shutdown(cancel_futures=True)
            raise


def _on_dask(folder: Path, ids: Sequence[str], client: Any, plan: Mapping[str, Any]) -> Iterator[Outcome]:
    """Run each variant as a task that starts one process and leaves its result in the folder, which the workers must see."""
    from dask.distributed import as_completed as as_dask_completes

    tasks = client.map(attempt, [folder.absolute()] * len(ids), ids, [plan["file"]] * len(ids), pure=False, retries=TRIES)
    for task in as_dask_completes(tasks):
        yield task.result()


def _outcome(folder: Path, id: str) -> Outcome | None:
    """Return what came of a variant by its files; None when it is not finished."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        manifest = json.loads((folder / "runs" / id / "manifest.json").read_text("utf-8"))
        if manifest["status"] in FINISHED:
            return Outcome(id, manifest["status"])
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Outcome(**json.loads((folder / "poisoned" / f"{id}.json").read_text("utf-8")))
    return None


def attempt(folder: Path, id: str, file: str, children: Children | None = None) -> Outcome:
    """Run one variant to its end, again when it failed, and set it aside after `TRIES`; what the user did wrong is not tried twice."""
    if (already := _outcome(folder, id)) is not None and already.status in FINISHED:
        return already
    said, out = "", folder / "runs" / id
    for number in range(1, TRIES + 1):
        shutil.rmtree(out, ignore_errors=True)
        log = folder / "logs" / f"{id}-{number}.log"
        command = [sys.executable, "-m", "twin.experiment", str(folder / "scenarios" / f"{id}.yaml"), file, str(out)]
        code = (children or Children()).run(command, log)
        if children is not None and children.stopped:
            return Outcome(id, "stopped", number)
        if (found := _outcome(folder, id)) is not None and found.status in FINISHED:
            (folder / "poisoned" / f"{id}.json").unlink(missing_ok=True)
            return Outcome(id, found.status, number)
        said = _last_line(log) or (f"ended by signal {-code}" if code < 0 else f"exit code {code}")
        if code == InputError.exit_code:
            break
    outcome = Outcome(id, "poisoned", number, said)
    with storing(folder):
        (folder / "poisoned").mkdir(exist_ok=True)
    write_atomic(folder / "poisoned" / f"{id}.json", (canonical(asdict(outcome)) + "\n").encode())
    return outcome


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else ""


def gather(folder: Path | str) -> xr.Dataset:
    """Return the KPIs and kept fields of every variant: dims (varied keys..., seed), or (sample, seed) of samples.

    A variant that is not finished, or was set aside, is NaN; `status` says which. Attributes carry units.
    """
    import numpy as np
    import pandas as pd
    import xarray as xr

    import twin.statistics  # noqa: F401 - gives a dataset its `.twin`
    from twin.results import open_run

    folder = Path(folder)
    plan = read_plan(folder)
    names = [sweep.short(key) for key in plan["keys"]]
    rows: list[dict[str, Any]] = []
    arrays: dict[str, list[tuple[dict[str, Any], xr.DataArray]]] = {}
    units: dict[str, dict[str, Any]] = {}
    for variant in plan["variants"]:
        outcome = _outcome(folder, variant.id)
        values = {name: _coordinate(variant.values[key]) for name, key in zip(names, plan["keys"], strict=True)}
        row = values | {
            "seed": variant.seed,
            "status": outcome.status if outcome else "not run",
            "sample": int(variant.id.partition("-")[0]),
        }
        if outcome is not None and outcome.status in FINISHED:
            run = open_run(folder / "runs" / variant.id)
            for kpi in run.kpis.to_dict("records"):
                row[kpi["name"]] = np.nan if kpi["value"] is None else float(kpi["value"])
                units[kpi["name"]] = {"units": kpi["unit"], "long_name": kpi["label"], "target": kpi["target"]}
            for port in plan["fields"]:
                model, said = run.port(port)
                arrays.setdefault(port, []).append((row, run.fields[model.name][said.name].load()))
        rows.append(row)
    dims = [*(["sample"] if plan["sampled"] else names), "seed"]
    table = pd.DataFrame(rows).set_index(dims)
    found = xr.Dataset.from_dataframe(table.drop(columns=names) if plan["sampled"] else table)
    if plan["sampled"]:
        first = pd.DataFrame(rows).drop_duplicates("sample").set_index("sample")
        found = found.assign_coords({name: ("sample", first[name].to_numpy()) for name in names})
    else:
        found = found.drop_vars("sample")
    for port, held in arrays.items():
        index = pd.MultiIndex.from_tuples([tuple(row[dim] for dim in dims) for row, _ in held], names=dims)
        stacked = xr.concat([one for _, one in held], pd.RangeIndex(len(held), name="variant"), join="outer")
        found[port] = stacked.assign_coords(xr.Coordinates.from_pandas_multiindex(index, "variant")).unstack("variant")
    for name, attributes in units.items():
        found[name].attrs = attributes
    return found.assign_attrs(name=plan["name"], folder=str(folder))


def _coordinate(value: Any) -> Any:
    """Return a varied value as a coordinate: numbers as they are, all else as text."""
    return value if isinstance(value, int | float | str) and not isinstance(value, bool) else canonical(value)


def main() -> None:
    """Run one variant: `python -m twin.experiment SCENARIO_YAML FILE_IT_LIES_BESIDE OUT`, models inline, in this one process."""
    from twin import scenario
    from twin.errors import TwinError
    from twin.rehearse import simulate

    path, beside, out = map(Path, sys.argv[1:4])
    try:
        simulate(scenario.read(path, beside=beside), out, hosts="inline")
    except TwinError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
