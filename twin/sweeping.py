"""What `twin sweep` does and prints: progress for people or programs, a table of what came of it."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twin import experiment, sweep
from twin.errors import InputError, TwinError
from twin.experiment import Outcome, Progress, Sweep
from twin.storage import storing, write_atomic


def show(what: Path, *, workers: int, dask: str, resume: bool, table: Path | None, out: Path | None, as_json: bool) -> None:
    """Lay a sweep file's runs, or take up a folder's, run them, and print what came of them."""
    if table is not None:
        written = write_table(what, table)
        print(f"{table}: {written} runs")
        return
    if what.is_dir():
        if not resume:
            raise InputError(f"{what}: is a folder; `twin sweep --resume {what}` goes on with it, `--table kpis.csv` writes its table")
        folder = what
    else:
        if resume:
            raise InputError(f"{what}: --resume goes on with the folder of a sweep that was begun, for example runs/sweeps/NAME")
        scenario, design, fields = sweep.read(what)
        asked = Sweep(
            scenario, design.vary, design.seeds, sample=design.sample, fields=fields, folder=out or Path("runs") / "sweeps" / what.stem
        )
        sweep.check(asked.scenario, asked.design)
        asked.lay()
        folder = asked.folder
    outcomes = _finish(folder, workers=workers, dask=dask, again=resume, as_json=as_json)
    poisoned = [one for one in outcomes if one.status == "poisoned"]
    for one in poisoned:
        print(f"{folder}: {one.id} was set aside after {one.tries} tries: {one.said}", file=sys.stderr)
    if not as_json:
        print(f"{len(outcomes) - len(poisoned)} of {len(outcomes)} runs finished: {folder}")
        print(f"`twin sweep {folder} --table kpis.csv` writes their KPIs")
    if poisoned:
        raise SweepIncomplete(f"{folder}: {len(poisoned)} of {len(outcomes)} runs were set aside; their logs are in {folder / 'logs'}")


class SweepIncomplete(TwinError):
    """Some runs of a sweep could not be finished."""

    exit_code = 3


def _finish(folder: Path, *, workers: int, dask: str, again: bool, as_json: bool) -> Sequence[Outcome]:
    client = _client(dask) if dask else None
    if as_json:
        return experiment.finish(folder, client=client, workers=workers, again=again, watch=_say)
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = [
        TextColumn("[bold]sweep"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[last]}"),
    ]
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("sweep", total=None, last="")

        def watch(progress: Progress) -> None:
            bar.update(task, total=progress.total, completed=progress.finished, last=progress.last)

        return experiment.finish(folder, client=client, workers=workers, again=again, watch=watch)


def _say(progress: Progress) -> None:
    print(json.dumps(vars(progress)), flush=True)


def _client(address: str) -> Any:
    try:
        from dask.distributed import Client
    except ImportError:
        raise InputError("--dask: needs Dask: python -m pip install 'citytwin[dask]'") from None
    try:
        return Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise InputError(f"--dask {address}: no cluster answers there: {error}") from None


def write_table(folder: Path, path: Path) -> int:
    """Write one row a run: its varied values, seed, status and KPIs; return how many."""
    found = experiment.gather(folder)
    frame = found[[name for name, one in found.data_vars.items() if "time" not in one.dims]].to_dataframe().reset_index()
    held = io.StringIO()
    frame.to_csv(held, index=False, quoting=csv.QUOTE_MINIMAL)
    with storing(path):
        write_atomic(path, held.getvalue().encode())
    return len(frame)
