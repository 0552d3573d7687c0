"""What `twin sweep` does and prints: progress for people or programs, a table of what came of it."""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin import experiment, sweep
from twin.errors import EngineFailure, InputError, TwinError
from twin.experiment import Outcome, Progress, Sweep, Watch
from twin.gathering import gather, write_table

if TYPE_CHECKING:
    import xarray as xr


def show(
    what: Path, *, workers: int, dask: str, resume: bool, table: Path | None, out: Path | None, as_json: bool, compare: str = ""
) -> None:
    """Lay a sweep file's runs, or take up a folder's, run them, and print what came of them."""
    if table is not None or compare:
        if table is not None:
            print(f"{table}: {write_table(what, table)} runs")
        if compare:
            show_compared(what, compare)
        return
    folder = _taken_up(what) if what.is_dir() else _laid(what, resume=resume, out=out)
    outcomes = _finish(folder, workers=workers, dask=dask, again=resume, as_json=as_json)
    poisoned = [one for one in outcomes if one.status == "poisoned"]
    for one in poisoned[:20]:
        tries = f"after {one.tries} tries" if one.tries != 1 else "at once"
        print(f"{folder}: {one.id} was set aside {tries}: {one.said}", file=sys.stderr)
    if not as_json:
        print(f"{len(outcomes) - len(poisoned)} of {len(outcomes)} runs finished: {folder}")
        print(f"`twin sweep {folder} --table kpis.csv` writes their KPIs")
    if poisoned:
        raise SweepIncomplete(folder, poisoned, len(outcomes))


class SweepIncomplete(TwinError):
    """Some runs of a sweep could not be finished; its exit code is 2 where all of them were the scenario's own mistake, else 3."""

    def __init__(self, folder: Path, aside: Sequence[Outcome], total: int) -> None:
        codes = Counter(one.code for one in aside)
        self.exit_code = InputError.exit_code if set(codes) == {InputError.exit_code} else EngineFailure.exit_code
        said = ", ".join(f"{count} {ENDS.get(code, _ended(code))}" for code, count in sorted(codes.items()))
        super().__init__(
            f"{folder}: {len(aside)} of {total} runs were set aside ({said}); their logs are in {folder / 'logs'}; "
            f"`twin sweep --resume {folder}` tries them again"
        )


ENDS = {InputError.exit_code: "by what the scenario says", EngineFailure.exit_code: "by an engine"}
"""Whose doing it was, by the exit code of a run."""


def _ended(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"


def _laid(file: Path, *, resume: bool, out: Path | None) -> Path:
    """Lay the runs of a sweep file; InputError: what is wrong in it, or another sweep lies there."""
    if resume and file.is_file():
        raise InputError(f"{file}: --resume goes on with the folder of a sweep that was begun, for example runs/sweeps/NAME")
    said = sweep.read(file)
    folder = out or Path("runs") / "sweeps" / file.stem
    try:
        asked = Sweep(said.scenario, said.vary, said.seeds, sample=said.sample, fields=said.fields, folder=folder, branch=said.branch)
        asked.check()
    except InputError as error:
        raise said.placed(error) from None
    asked.lay()
    return folder


def _taken_up(folder: Path) -> Path:
    """Return the folder of a sweep that was begun, having said whether its scenario's file is another now."""
    from twin import load

    plan = experiment.read_plan(folder, variants=False)
    with contextlib.suppress(TwinError):
        if load(plan["file"]).raw() != load_beside(folder, plan["file"]):
            print(f"{plan['file']}: has changed since; the sweep goes on with the scenario as it was", file=sys.stderr)
    return folder


def load_beside(folder: Path, file: str) -> dict[str, Any]:
    """Return the scenario that a sweep was begun with, as plain data."""
    from twin import scenario

    return scenario.read(folder / experiment.SCENARIO, beside=Path(file)).raw()


def _finish(folder: Path, *, workers: int, dask: str, again: bool, as_json: bool) -> Sequence[Outcome]:
    with contextlib.ExitStack() as stack:
        client = None
        if dask:
            client = stack.enter_context(_client(dask))
        where = f"on {dask}" if dask else f"{workers} at a time"
        watch = _say if as_json else stack.enter_context(_bar(folder, where))
        try:
            return experiment.finish(folder, client=client, workers=workers, again=again, watch=watch)
        except KeyboardInterrupt:
            print(f"interrupted; what is finished is kept; `twin sweep --resume {folder}` goes on", file=sys.stderr)
            sys.exit(130)


def _say(progress: Progress) -> None:
    """Print a line for a program: how it stands, and the run that has just ended."""
    stands = {key: getattr(progress, key) for key in ("finished", "poisoned", "total", "left_s")}
    if progress.last is not None:
        print(json.dumps({**asdict(progress.last), **stands}), flush=True)


@contextlib.contextmanager
def _bar(folder: Path, where: str) -> Iterator[Watch]:
    """Show how a sweep stands; where no one looks at a terminal, one line at its start."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = [TextColumn("[bold]sweep"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}"), TimeElapsedColumn()]
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("sweep", total=None, told="")

        def watch(progress: Progress) -> None:
            if progress.last is None:
                print(", ".join([f"{progress.total} runs", *before(progress, folder), where]) + f": {folder}", file=sys.stderr, flush=True)
            bar.update(task, total=progress.total, completed=progress.finished, told=told(progress))

        yield watch


def before(progress: Progress, folder: Path) -> list[str]:
    """Return what came of runs before this session: how many are finished, and how many were set aside."""
    finished = progress.finished - progress.poisoned
    said = [f"{finished} of them finished before"] if finished else []
    aside = f"{progress.poisoned} set aside before (`twin sweep --resume {folder}` tries them again)"
    return [*said, aside] if progress.poisoned else said


def told(progress: Progress) -> str:
    """Return how a sweep stands besides its count: what was set aside, and the time the rest may take."""
    aside = [f"{progress.poisoned} set aside"] if progress.poisoned else []
    left = [f"about {timedelta(seconds=round(progress.left_s))} left"] if progress.left_s else []
    return ", ".join(aside + left)


def _client(address: str) -> Any:
    try:
        from twin import cluster
    except ImportError:
        raise InputError("--dask: needs Dask: python -m pip install 'citytwin[dask]'") from None
    return cluster.connect(address)


def show_compared(folder: Path, key: str) -> None:
    """Print, for every KPI, how each value of a varied key differs from the first one."""
    from rich.console import Console
    from rich.table import Table

    found = gather(folder)
    compared = found.twin.compare(key)
    percent = f"{100 * compared.attrs['confidence']:g} % interval"
    table = Table(title=f"{compared.attrs['compared']}: differences from {compared.attrs['to']}, by pairs of one seed")
    key = compared.attrs["compared"]
    others = [name for name in found.attrs["varied"] if name != key]
    for name in ("KPI", key, *others):
        table.add_column(name)
    for name in ("difference", percent, "pairs", ""):
        table.add_column(name, justify="right")
    for kpi, figures in compared.data_vars.items():
        for row in _rows(figures, [key, *others]):
            table.add_row(str(kpi), *row)
    Console(width=None if sys.stdout.isatty() else 140, markup=False).print(table)


def _rows(figures: xr.DataArray, dims: list[str]) -> Iterator[list[str]]:
    unit = str(figures.attrs.get("units") or "")
    for place, one in figures.stack(row=dims).transpose("row", "figure").groupby("row", squeeze=False):
        difference, low, high, pairs, sign = one.to_numpy().ravel()
        held = "-" if low != low else f"{low:+.4g} to {high:+.4g}"  # noqa: PLR0124 - NaN: no interval
        side = {1.0: "more", -1.0: "less", 0.0: "not told apart"}.get(sign, "")
        shown = "-" if difference != difference else f"{difference:+.4g} {unit}".strip()  # noqa: PLR0124
        yield [*map(str, place if isinstance(place, tuple) else (place,)), shown, held, str(int(pairs)), side]
