"""The command line: run, validate, info, doctor, city, schema, and what other packages add."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twin.errors import InputError, TwinError
from twin.interrupts import whole_steps
from twin.registry import registered

if TYPE_CHECKING:
    from twin.results import Run
    from twin.simulation import Progress, Simulation

app = typer.Typer(
    name="twin",
    help="Rehearse a city: traffic, power, water, gas and people under one clock.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
city_app = typer.Typer(help="City packs: build one from its small sources.", no_args_is_help=True)
app.add_typer(city_app, name="city")

WIDE = 90
"""Columns of a terminal that hold the whole progress bar."""

ScenarioFile = Annotated[Path, typer.Argument(metavar="FILE", help="a scenario, for example configs/scenarios/first_look.yaml")]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="change one key, for example --set seed=7 or --set timeline.feeder_fault.at=21:45; repeatable"
    ),
]


Strict = Annotated[bool, typer.Option("--strict", help="a run that ends degraded exits with 3")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress bar")]
Every = Annotated[
    str, typer.Option("--checkpoint-every", metavar="TIME", help="keep the state this often ('10 min'), so that the run can be resumed")
]
Check = Annotated[bool, typer.Option("--check", help="hold mass, energy, people and vehicles to their accounts at every exchange; slower")]
Watchdog = Annotated[float, typer.Option(min=1.0, max=86400.0, help="seconds of wall time a model in a process may take for one step")]
Pages = Annotated[bool, typer.Option("--pages", help="write the pages about the run into its folder: report.html, replay.html")]


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"twin {version('citytwin')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="print the version and exit")] = False,
) -> None:
    """Rehearse a city: traffic, power, water, gas and people under one clock."""


@app.command()
def run(
    file: ScenarioFile,
    sets: Sets = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="the run folder; runs/NAME when absent")] = None,
    hosts: Annotated[str, typer.Option(help="put every model 'inline' or in a 'process', whatever the scenario says")] = "",
    strict: Strict = False,
    quiet: Quiet = False,
    watchdog: Watchdog = 120.0,
    every: Every = "",
    check: Check = False,
    pages: Pages = False,
) -> None:
    """Run a scenario: a progress bar, then a table of what happened and the run folder's path."""
    if hosts not in ("", "inline", "process"):
        raise InputError(f"--hosts {hosts}: inline or process")
    with whole_steps():
        from twin import load
        from twin.simulation import Simulation

        scenario = load(file, sets or [])
    every_s = _every_s(every)
    if every_s >= scenario.duration:
        print(f"--checkpoint-every {every}: the run lasts {scenario.duration} s, so none is kept", file=sys.stderr)

    def make(watch: Any) -> Simulation:
        return Simulation(scenario, out, watch=watch, hosts=hosts, watchdog_s=watchdog, checkpoint_every_s=every_s, check=check)

    _rehearse(make, quiet=quiet, pages=pages, strict=strict)


@app.command()
def resume(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="a run folder that did not reach its end")],
    strict: Strict = False,
    quiet: Quiet = False,
    watchdog: Watchdog = 120.0,
    pages: Pages = False,
) -> None:
    """Go on with a run that was cut short, from its last checkpoint to the identical result."""
    from twin.simulation import Simulation

    def make(watch: Any) -> Simulation:
        return Simulation.resume(folder, watch=watch, watchdog_s=watchdog)

    _rehearse(make, quiet=quiet, pages=pages, strict=strict)


@app.command()
def branch(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="a run folder, best of a run made with --checkpoint-every")],
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="the moment from which the future is another: '21:43' or '+12 min'")],
    file: Annotated[
        Path | None, typer.Option("--scenario", metavar="FILE", help="a variant that differs only later; the run's own when absent")
    ] = None,
    sets: Sets = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="the run folder; runs/NAME when absent")] = None,
    strict: Strict = False,
    quiet: Quiet = False,
    watchdog: Watchdog = 120.0,
    every: Every = "",
    check: Check = False,
    pages: Pages = False,
) -> None:
    """Make another future of a run: the same past, which is not run again, and a variant of its scenario from a moment on."""
    from twin.simulation import Simulation

    asked = {"checkpoint_every_s": _every_s(every)} if every else {}
    asked |= {"check": True} if check else {}

    def make(watch: Any) -> Simulation:
        return Simulation.branch(folder, at, file, out, sets=sets or [], watch=watch, watchdog_s=watchdog, **asked)

    _rehearse(make, quiet=quiet, pages=pages, strict=strict)


def _every_s(text: str) -> int:
    """Read how often a checkpoint is kept; 0 for never."""
    from datetime import datetime

    from twin.units import clock_s

    try:
        every_s = clock_s(f"+{text}", datetime(2000, 1, 1)) if text else 0
    except ValueError as error:
        raise InputError(f"--checkpoint-every {text}: {error}") from None
    if text and every_s < 1:
        raise InputError(f"--checkpoint-every {text}: at least 1 s")
    return every_s


def _rehearse(make: Callable[[Any], Simulation], *, quiet: bool, pages: bool, strict: bool) -> None:
    """Run a simulation to its end under a progress bar, and tell what happened."""
    from twin import report
    from twin.rehearse import to_the_end

    simulation = None
    try:
        with _bar(quiet) as watch:
            with whole_steps():
                simulation = make(watch)
            simulation = to_the_end(simulation)
    except KeyboardInterrupt:
        kept = simulation is not None and simulation.recorder is not None and simulation.recorder.committed_s >= 0
        what = " before anything new was recorded"
        if simulation and kept:
            what = f"; what was recorded is kept; `twin resume {simulation.folder}` goes on"
        print(f"interrupted{what}", file=sys.stderr)
        sys.exit(130)
    result = simulation.result()
    report.show(result)
    for found in registered("twin.pages") if pages else ():
        path = result.path / f"{found.name}.html"
        found.load()(result, path)
        typer.echo(f"{found.name}: {path}")
    if strict and result.status == "degraded":
        raise typer.Exit(3)


@contextlib.contextmanager
def _bar(quiet: bool) -> Iterator[Any]:
    """Show simulated time and speed while a run goes on, on a terminal."""
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    wide = console.width >= WIDE
    columns = [TextColumn("[bold]{task.description:<18}"), BarColumn(40 if wide else 10), TextColumn("{task.fields[shown]}")]
    with Bar(*columns, *([TimeElapsedColumn()] if wide else []), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=None, shown="")

        def watch(progress: Progress) -> None:
            minutes, seconds = divmod(progress.now_s, 60)
            shown = f"{minutes:3d}:{seconds:02d} of {progress.duration_s // 60} min" + (
                f", {progress.speed:.0f}x real time"
                if progress.now_s and progress.speed >= 10
                else f", {progress.speed:.1f}x real time"
                if progress.now_s
                else ""
            )
            if progress.doing == "running" and not progress.now_s:
                shown = "the first run compiles" if wide else "compiles once"
            bar.update(task, description=progress.doing, total=progress.duration_s, completed=progress.now_s, shown=shown)

        yield watch
        bar.update(task, description="recorded")


@app.command()
def validate(file: ScenarioFile, sets: Sets = None) -> None:
    """Check a scenario and everything it names, without starting an engine."""
    from twin import build, scenario

    read = scenario.read(file, sets or [])
    plan = build.plan(read)
    sets_of = sum(len(elements) for model in plan.models.values() for elements in model.elements.values())
    links = sum(map(len, plan.pairs.values()))
    said = f"{len(plan.models)} models, {sets_of:,} elements, {links:,} couplings"
    typer.echo(f"{file}: fine ({said}, {read.duration // 60} min from {plan.start:%Y-%m-%d %H:%M %Z})")


@app.command()
def info(
    folder: Annotated[Path, typer.Argument(metavar="RUN_OR_CITY", help="a run folder or a city pack")],
    elements: Annotated[
        str, typer.Option("--elements", "-e", metavar="MODEL.SET", help="list every id of one element set, for example water.pump")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="machine-readable")] = False,
) -> None:
    """Tell what a run or a city pack holds: models and their time, elements and their ids."""
    from twin import report

    folder = folder.parent if folder.name in ("city.yaml", "manifest.json") else folder
    if not (folder / "manifest.json").exists() and not (folder / "city.yaml").exists():
        what = "no run (manifest.json) and no city pack (city.yaml)" if folder.is_dir() else "no such folder; name a run or a city pack"
        what = "is a file; name the folder of a run or a city pack (`twin validate` checks a scenario)" if folder.is_file() else what
        raise InputError(f"{folder}: {what}")
    if (folder / "manifest.json").is_file():
        if elements:
            raise InputError(f"--elements {elements}: lists what a city pack holds, and {folder} is a run")
        from twin.results import open_run

        result: Run = open_run(folder)
        if as_json:
            typer.echo(json.dumps(report.summary(result), indent=1, ensure_ascii=False))
        else:
            report.show(result, timing=True)
        return
    from twin.inventory import info as city_info

    report.show_city(city_info(folder), elements, as_json=as_json)


@app.command()
def doctor() -> None:
    """Load every engine in a process of its own and say how to mend what does not load."""
    from twin import doctor as checks

    if not checks.show():
        raise typer.Exit(3)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a scenario file, for an editor: `twin schema > scenario.schema.json`."""
    from twin.scenario import schema as made

    typer.echo(json.dumps(made(), indent=1, ensure_ascii=False))


@app.command()
def reference() -> None:
    """Print the reference of every model from its class, as Markdown: `twin reference > docs/reference.md`."""
    from twin.reference import markdown

    typer.echo(markdown(), nl=False)


@app.command("hash")
def hash_(folder: Annotated[Path, typer.Argument(metavar="RUN", help="a run folder")]) -> None:
    """Print the digest of a run's data: equal for equal scenario, seed and versions."""
    from twin.results import open_run
    from twin.storage import digest

    if (folder / "manifest.json").is_file() and (result := open_run(folder)).status not in ("done", "degraded"):
        print(f"{folder}: is {result.status}; this is the digest of what it holds so far", file=sys.stderr)
    typer.echo(digest(folder))


@app.command()
def sweep(
    what: Annotated[Path, typer.Argument(metavar="FILE_OR_FOLDER", help="a sweep file, or the folder of a sweep that was begun")],
    workers: Annotated[int, typer.Option(min=1, max=1024, help="runs at a time on this machine")] = 1,
    dask: Annotated[str, typer.Option(metavar="ADDRESS", help="run on an existing Dask cluster, for example tcp://host:8786")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="go on with the folder's sweep, also with what was set aside")] = False,
    table: Annotated[Path | None, typer.Option(metavar="CSV", help="only write the KPIs of every run as a table")] = None,
    compare: Annotated[str, typer.Option(metavar="KEY", help="only show how each value of a varied key differs, paired by seed")] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="the sweep's folder; runs/sweeps/NAME when absent")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="say how it stands as JSON lines")] = False,
) -> None:
    """Run many variants of a scenario, each in a process of its own; finished ones are never run again."""
    from twin import sweeping

    sweeping.show(what, workers=workers, dask=dask, resume=resume, table=table, out=out, as_json=as_json, compare=compare)


@city_app.command("build")
def city_build(pack: Annotated[Path, typer.Argument(metavar="PACK", help="the pack's folder, for example configs/cities/hexi")]) -> None:
    """Lay streets, buildings and every network of a pack anew from its small sources."""
    from rich.console import Console

    from twin.synthesis import build as build_city

    console = Console(stderr=True)
    with console.status("building") as status:
        report = build_city(pack, progress=lambda doing: status.update(str(doing)))
    from twin import report as pages

    pages.show_build(report, pack)


@cache
def whole() -> typer.Typer:
    """Return the command line with the commands that other packages add."""
    for found in registered("twin.commands"):
        found.load()(app)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every error of ours is one line per problem and its own exit code."""
    try:
        with whole_steps():
            command = whole()
        code = command(args=arguments, standalone_mode=False)
    except TwinError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # a usage error of the command line's own
            context = getattr(error, "ctx", None)
            hint = f"; see `{context.command_path} --help`" if context is not None else ""
            if said := " ".join(error.format_message().split()).rstrip("."):
                print(said + hint, file=sys.stderr)
            sys.exit(error.exit_code)
        raise
    if code == 130:  # typer makes this of an interrupt of which no command told
        print("interrupted", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
