"""Runs the variants of a sweep, each in a process of its own; finished ones are never run again."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin import checkpoint, sweep
from twin.attempt import FINISHED, PLAN, SCENARIO, TRIES, UNSTORED, VARIANTS, Children, Outcome, attempt, outcome_of
from twin.errors import InputError, Problem, StorageError, nearest
from twin.gathering import gather
from twin.storage import plain, storing, write_atomic
from twin.sweep import Design, Sampling, Variant

if TYPE_CHECKING:
    import xarray as xr

    from twin.results import Run
    from twin.scenario import Scenario

FORMAT = 2
"""The version of a sweep's folder."""
_ID = re.compile(r"[0-9]{5,9}-[0-9]{1,19}")
"""What a run of a sweep may be called: it names files, so that it must not lead out of the folder."""
LIMIT_BYTES = 64 * 2**20
"""A larger plan is refused unread."""


@dataclass
class Progress:
    """Where a sweep stands: runs in all, finished or set aside, the last of them, and the seconds the rest may take."""

    total: int
    finished: int = 0
    poisoned: int = 0
    left_s: float | None = None
    last: Outcome | None = None
    began: float = field(default_factory=time.monotonic)
    ran: int = 0

    def take(self, outcome: Outcome) -> None:
        """Count a run that has just come to its end."""
        self.finished += 1
        self.ran += 1
        self.poisoned += outcome.status == "poisoned"
        self.left_s = (time.monotonic() - self.began) / self.ran * (self.total - self.finished)
        self.last = outcome


Watch = Callable[[Progress], None]


class Sweep:
    """A scenario over varied keys and seeds.

    `vary`: dotted key -> values, or a range that is sampled: `{"models.crowd.people": [3000, 6000]}`,
    `{"models.crowd.people": {"from": 3000, "to": 6000, "whole": True}}`. `sample`: how, `{"method": "sobol", "count": 64}`;
    see `twin.sweep.Range` and `Sampling`, which may be given as well. `seeds`: every row of values
    is run with each of them, so that differences are paired; 5 means 1 to 5; 1 when absent. `folder`: where the runs go
    (runs/sweeps/NAME when absent). `fields`: recorded ports to keep in the result besides the KPIs. `branch`: (run
    folder, moment): all variants go on from the run's state there, and may differ only later; `scenario` None is the
    run's own. InputError: a key or value the scenario cannot have.
    """

    def __init__(
        self,
        scenario: Scenario | str | Path | None,
        vary: Mapping[str, Iterable[Any] | sweep.Range | Mapping[str, Any]],
        seeds: Iterable[int] | int | str | None = None,
        *,
        folder: str | Path | None = None,
        fields: Sequence[str] = (),
        sample: Sampling | Mapping[str, Any] | None = None,
        branch: tuple[str | Path, object] | None = None,
    ) -> None:
        from twin import load
        from twin.results import open_run

        said = sweep.validated({"vary": _plain(vary), "seeds": _plain(seeds), "sample": _plain(sample), "fields": _plain(fields)})
        self.branched: tuple[Run, int] | None = None
        if branch is not None:
            run = open_run(branch[0])
            at_s = run.second(branch[1])
            run.at(at_s)
            self.branched = run, at_s
            scenario = checkpoint.scenario_of(run) if scenario is None else scenario
        if scenario is None:
            raise InputError("scenario: missing; name a scenario, or the run to branch off")
        self.scenario = load(scenario) if isinstance(scenario, (str, Path)) else scenario
        chosen = said.seeds
        if self.branched is not None:
            chosen = _seed_of(self.branched[0], chosen)
        self.design = Design(said.vary, (1,) if chosen is None else chosen, said.sample)
        self.fields = said.fields
        self.folder = Path(folder) if folder is not None else Path("runs") / "sweeps" / self.scenario.name

    def run(self, client: Any = None, *, workers: int = 1, watch: Watch | None = None) -> xr.Dataset:
        """Run what is not run yet and return everything (see `gather`); `client`: a dask.distributed.Client to run it elsewhere."""
        self.check()
        self.lay()
        finish(self.folder, client=client, workers=workers, watch=watch)
        return gather(self.folder)

    def check(self) -> None:
        """Check every value of every key, that a branch may differ so, and that the fields exist; InputError says which cannot be."""
        _check_names(self.scenario, self.design, self.fields)
        if self.branched is None:
            sweep.check(self.scenario, self.design)
            return
        from twin.simulation import Simulation

        run, at_s = self.branched
        Simulation.branch(run.path, at_s, out=self.folder / "checked")
        sweep.check(self.scenario, self.design, lambda variant: checkpoint.unlike_before(run, variant, at_s))

    def plan(self) -> dict[str, Any]:
        """Return what the sweep consists of, its variants aside, as plain data."""
        ranges = {key: isinstance(values, sweep.Range) for key, values in self.design.vary.items()}
        return {
            "format": FORMAT,
            "name": self.scenario.name,
            "file": str(self.scenario.file.absolute()),
            "keys": list(self.design.vary),
            "values": {key: values.model_dump() if isinstance(values, sweep.Range) else values for key, values in self.design.vary.items()},
            "ranges": [key for key, is_range in ranges.items() if is_range],
            "sample": self.design.sample.model_dump() if self.design.sample else None,
            "seeds": list(self.design.seeds),
            "branch": {"run": str(self.branched[0].path.absolute()), "at_s": self.branched[1]} if self.branched else None,
            "fields": list(self.fields),
            "scenario": self.scenario.raw(),
        }

    def lay(self) -> None:
        """Write the plan into the folder, or find it there and go on with it; InputError when it holds another sweep."""
        plan: dict[str, Any] = json.loads(json.dumps(plain(self.plan())))
        path = self.folder / PLAN
        if path.exists():
            there = read_plan(self.folder, variants=False)
            other = [key for key in plan if plan[key] != there.get(key)]
            if other:
                said = "scenario has changed" if other[0] == "scenario" else f"{other[0]}: not as here"
                raise InputError(f"{self.folder}: holds another sweep ({said}); name another folder, or remove it first")
            return
        plan["made_of"] = made_of(self.scenario)
        with storing(self.folder):
            for inside in ("runs", "logs"):
                (self.folder / inside).mkdir(parents=True, exist_ok=True)
        lines = "".join(_line(variant) for variant in self.design.variants())
        write_atomic(self.folder / VARIANTS, lines.encode())
        write_atomic(self.folder / SCENARIO, self.scenario.text().encode())
        write_atomic(path, (json.dumps(plan, ensure_ascii=False, indent=1) + "\n").encode())


def _plain(said: Any) -> Any:
    """Return what Python says of a sweep as its file would: mappings as they are, other collections and arrays as lists."""
    if isinstance(said, Mapping):
        return dict(said)
    if said is None or isinstance(said, str | bytes | sweep.Range | Sampling):
        return said
    return plain(list(said) if isinstance(said, Iterable) else said)


def _check_names(scenario: Scenario, design: Design, fields: Sequence[str]) -> None:
    """Raise InputError for every field that no run of the scenario can record, and for two things of one name in the results."""
    from twin import build

    sheets = build.plan(scenario).sheets() if fields else {}
    ports = {f"{model}.{name}": port for model, sheet in sheets.items() for name, port in sheet.recorded.items()}
    wrong = [field for field in fields if field not in ports and sum(name.startswith(f"{field}_") for name in ports) != 1]
    if wrong:
        raise InputError([Problem(f"fields: {nearest(one, ports, what='recorded port')}") for one in wrong])
    taken = dict.fromkeys(sweep.OWN_NAMES, "results have one of their own")
    for kept in fields:
        over = [port.at for name, port in ports.items() if name == kept or name.startswith(f"{kept}_")]
        taken |= dict.fromkeys(over, f"the field {kept} lies over elements of that name") | {kept: f"{kept} is kept as a field"}
    said = [
        f"kpis.{name}: cannot be told apart in the results: {taken[name]}; call it otherwise" for name in scenario.kpis if name in taken
    ]
    taken |= {name: f"a KPI is called '{name}'" for name in scenario.kpis}
    names = {key: sweep.short(key) for key in design.vary}
    said += [f"vary.{key}: would be called '{name}' in the results: {taken[name]}" for key, name in names.items() if name in taken]
    if said:
        raise InputError([Problem(one) for one in said])


def _line(variant: Variant) -> str:
    """Return a variant as a line that begins with its id."""
    return json.dumps(plain(asdict(variant)), ensure_ascii=False, separators=(",", ":")) + "\n"


def _seed_of(run: Run, asked: tuple[int, ...] | None) -> tuple[int]:
    seed = int(run.manifest["seed"])
    if asked not in (None, (seed,)):
        raise InputError(f"seeds: what branches off {run.path} has its seed, {seed}; leave seeds out, or sweep the scenario from its start")
    return (seed,)


def made_of(scenario: Scenario) -> dict[str, str]:
    """Return what a result depends on besides its scenario: the city's digest and the versions of kernel and engines."""
    from twin.simulation import Simulation

    manifest = Simulation(scenario, "never-made", record=False).manifest()
    return {"city": manifest["city"]["digest"], **manifest["versions"]}


def unchanged(folder: Path, plan: Mapping[str, Any]) -> None:
    """Raise InputError, one line for each thing that is not as it was when the sweep began: its runs would not be comparable."""
    from twin import scenario

    read = scenario.read(folder / SCENARIO, beside=Path(plan["file"]))
    if not read.city_folder.is_dir():
        raise InputError(f"{folder}: its city was {read.city_folder}, which is not there; put it back to go on")
    if plan["branch"] and not Path(plan["branch"]["run"]).is_dir():
        raise InputError(f"{folder}: it branches off {plan['branch']['run']}, which is not there; put it back to go on")
    was, now = plan["made_of"], made_of(read)
    said = []
    for name in sorted({*was, *now}):
        before, after = was.get(name, "absent"), now.get(name, "absent")
        if before != after and name == "city":
            said.append(f"{folder}: the city {read.city_folder} has changed since the sweep began (digest {before[:12]}, now {after[:12]})")
        elif before != after:
            said.append(f"{folder}: was begun with {name} {before}, and this is {after}; install {name}=={before} to go on")
    if said:
        raise InputError([Problem(one) for one in said])


def read_plan(folder: Path, *, variants: bool = True) -> dict[str, Any]:
    """Read a sweep's plan; InputError when the folder holds none, StorageError when it is damaged."""
    path = Path(folder) / PLAN
    if not path.is_file():
        raise InputError(f"{folder}: is no sweep (no {PLAN})" if Path(folder).is_dir() else f"{folder}: no such folder")
    try:
        for file in (path, path.with_name(VARIANTS)):
            if file.is_file() and file.stat().st_size > LIMIT_BYTES:
                raise StorageError(f"{file}: is too big for a sweep")
        plan: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if plan["format"] != FORMAT:
            raise StorageError(f"{path}: is a sweep of format {plan['format']!r}; this version reads format {FORMAT}")
        if variants:
            with storing(path.with_name(VARIANTS), "cannot be read"), path.with_name(VARIANTS).open("rb") as lines:
                plan["variants"] = [Variant(**json.loads(line)) for line in lines]
        _check_plan(plan)
        return plan
    except (ValueError, KeyError, TypeError, RecursionError, InputError) as error:
        raise StorageError(f"{path}: is damaged: {error}") from error


def _check_plan(plan: Mapping[str, Any]) -> None:
    """Raise ValueError, TypeError, KeyError or InputError for a plan that no sweep writes."""
    if not all(isinstance(plan[key], list) and all(isinstance(one, str) for one in plan[key]) for key in ("keys", "fields")):
        raise ValueError("its keys or fields are no list of names")
    variants = plan.get("variants")
    if variants is None:
        return
    strange = [one.id for one in variants if not (isinstance(one.id, str) and _ID.fullmatch(one.id) and isinstance(one.values, dict))]
    if strange:
        raise ValueError(f"{str(strange[0])[:80]!r} is no run of a sweep")
    if len({one.id for one in variants}) != len(variants):
        raise ValueError("a run stands in it twice")
    sweep.check_names(plan["keys"])
    rows = (
        len({one.id.partition("-")[0] for one in variants})
        if plan["sample"]
        else math.prod(len(plan["values"][key]) for key in plan["keys"])
    )
    if rows * len(plan["seeds"]) != len(variants) or any(one.values.keys() != set(plan["keys"]) for one in variants):
        raise ValueError(f"{len(variants)} runs of {rows} variants do not fit its keys and seeds")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the sweep's lock; InputError when another process works on it."""
    with storing(folder), (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: another process is working on this sweep") from None
        yield


def standing(folder: Path, ids: Iterable[str]) -> dict[str, Outcome]:
    """Return what came of every variant that is finished or set aside."""
    begun: set[str] = set()
    for inside in (folder / "runs", folder / "poisoned"):
        with contextlib.suppress(FileNotFoundError):
            begun |= {path.name.removesuffix(".json") for path in inside.iterdir()}
    found = {id: outcome_of(folder, id) for id in ids if id in begun}
    return {id: outcome for id, outcome in found.items() if outcome is not None}


def finish(folder: Path, *, client: Any = None, workers: int = 1, watch: Watch | None = None, again: bool = False) -> list[Outcome]:
    """Run every variant that is not finished, and return what came of all; finished runs are never run again.

    `again`: also those that were set aside. A Ctrl-C ends the runs that are going on; they start anew the next time.
    InputError: the city, or the version of an engine, is another than when the sweep began. StorageError: a run could not
    be written or read, as on a full disk; the sweep stops there, and that run is not set aside.
    """
    folder = Path(folder)
    plan = read_plan(folder)
    with _alone(folder):
        ids = [variant.id for variant in plan["variants"]]
        found = {id: one for id, one in standing(folder, ids).items() if not (again and one.status == "poisoned")}
        waiting = [id for id in ids if id not in found]
        if waiting:
            unchanged(folder, plan)
        progress = Progress(len(ids), len(found), sum(one.status == "poisoned" for one in found.values()))
        if watch is not None:
            watch(progress)
        for outcome in _there(folder, waiting, client, plan) if client is not None else _here(folder, waiting, workers, plan):
            if outcome.status == UNSTORED:
                raise StorageError(f"{outcome.said}; free space there, or mend it: `twin sweep --resume {folder}` goes on")
            found[outcome.id] = outcome
            progress.take(outcome)
            if watch is not None:
                watch(progress)
        return [found[id] for id in ids]


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


def _there(folder: Path, ids: Sequence[str], client: Any, plan: Mapping[str, Any]) -> Iterator[Outcome]:
    from twin import cluster

    return cluster.run(folder, ids, client, plan["file"])


__all__ = ["FINISHED", "SCENARIO", "TRIES", "Outcome", "Progress", "Sweep", "attempt", "finish", "gather", "read_plan", "standing"]
