"""The commands that scenarios bring: scenarios, drill, msel, journal."""

from __future__ import annotations

import json
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="a run folder, for example runs/first_look")]
Json = Annotated[bool, typer.Option("--json", help="machine-readable")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (scenarios, drill, msel, journal):
        app.command()(command)


def scenarios(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="where scenarios lie")] = Path("configs/scenarios"), as_json: Json = False
) -> None:
    """List the scenarios of a folder, one line each."""
    from scenarios import catalogue

    found = catalogue.listed(folder)
    if as_json:
        typer.echo(json.dumps(catalogue.plain(found), indent=1, ensure_ascii=False))
        return
    for line in catalogue.lines(found):
        typer.echo(line)
    example = next((one.file for one in found if not one.problem), found[0].file)
    typer.echo(f"run one: twin run {example}; check one with all it names: twin validate {example}")


def drill(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a scenario, for example configs/scenarios/s11_mass_casualty.yaml")],
    pace: Annotated[float, typer.Option(help="simulated seconds in a second of the wall clock")] = 1.0,
    by: Annotated[str, typer.Option(metavar="NAME", help="who writes here, for the journal")] = "exercise control",
    sets: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="change one key; repeatable")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="the run folder; runs/NAME when absent")] = None,
) -> None:
    """Play an exercise by the wall clock: see what happens, answer what plans ask, bring or skip events, act; write help there."""
    from twin.interrupts import whole_steps

    with whole_steps():
        from scenarios.drill import Drill, typed
        from twin import load, report
        from twin.simulation import Simulation

        simulation = Simulation(load(file, sets or []), out)
    colours = {"warning": typer.colors.YELLOW, "alarm": typer.colors.RED, "asks": typer.colors.CYAN}

    def tell(line: str, grave: str) -> None:
        typer.secho(line, fg=colours.get(grave))

    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    played = Drill(simulation, typed(sys.stdin or ()), tell, pace=pace, by=by)
    tell("engines start; the first run compiles", "")
    try:
        played.play()
    except KeyboardInterrupt:
        typer.echo(f"interrupted; what was recorded is kept in {simulation.folder}", err=True)
        sys.exit(130)
    report.show(simulation.result())


def msel(
    folder: Annotated[Path | None, typer.Argument(metavar="[RUN]", help="a run folder whose scenario has a list")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="write the list: .csv or .xlsx")] = None,
    template: Annotated[Path | None, typer.Option(metavar="FILE", help="write a list to fill in: .csv or .xlsx")] = None,
    as_json: Json = False,
) -> None:
    """Show or write an exercise's list of events (MSEL) with what came of each row: actual times and status."""
    from scenarios import msel_came, msel_rows, msel_sheet
    from twin.errors import InputError

    if template is not None:
        msel_sheet.write(template, msel_rows.template())
        typer.echo(template)
        return
    if folder is None:
        raise InputError("name a run, or --template FILE for a list to fill in")
    from twin.results import open_run

    table = msel_came.table(open_run(folder))
    if out is not None:
        msel_sheet.write(out, table)
        typer.echo(out)
    elif as_json:
        typer.echo(json.dumps([dict(zip(table[0], row, strict=True)) for row in table[1:]], indent=1, ensure_ascii=False))
    else:
        shown = ("id", "scenario time", "type", "actual", "status")
        columns = [table[0].index(name) for name in shown]
        rows = [[row[i] for i in columns] + [_message(dict(zip(table[0], row, strict=True)))] for row in table]
        rows[0][-1] = "message"
        widths = [max(len(row[i]) for row in rows) for i in range(len(shown))]
        for row in rows:
            typer.echo("  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[-1]]).rstrip())


def _message(row: dict[str, str]) -> str:
    """Return what a row says, in one line."""
    return " ".join((row["message en"] or row["message zh"] or row["action"]).split())


def journal(
    folder: RunFolder,
    of: Annotated[str, typer.Option("--of", metavar="NAME", help="only deeds of this action, entry, element, person or role")] = "",
    first: Annotated[str, typer.Option("--from", metavar="TIME", help="from this moment on: '21:40' or '+12 min'")] = "",
    last: Annotated[str, typer.Option("--to", metavar="TIME", help="up to this moment")] = "",
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="as a table for a spreadsheet")] = False,
) -> None:
    """Say who did what in a run, when, why and what followed, one line each."""
    from scenarios import journal as reader
    from scenarios.msel_sheet import csv_text
    from twin.errors import InputError
    from twin.results import open_run

    if as_json and as_csv:
        raise InputError("--json or --csv, not both")
    found = reader.deeds(open_run(folder), of=of, first=first, last=last)
    if as_json:
        typer.echo(json.dumps([one.plain() for one in found], indent=1, ensure_ascii=False))
    elif as_csv:
        typer.echo(csv_text(reader.table(found)), nl=False)
    else:
        for one in found:
            typer.echo(one.line())
        if not found:
            typer.echo("nobody did anything" + (f" of '{of}'" if of else "") + " in this run" + (" then" if first or last else ""))
