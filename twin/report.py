"""Tables for a terminal: what a run did, where its time went, what a city holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from twin import checkpoint
from twin.errors import InputError, nearest

if TYPE_CHECKING:
    from twin.results import Run

SHOWN_EVENTS = 14
QUIET = ("debug",)


def _console() -> Console:
    """Return a console that shows text as it stands: labels, ids, paths and errors are others' and may hold brackets."""
    return Console(highlight=False, markup=False)


def show(run: Run, *, timing: bool = False) -> None:
    """Print what happened, the KPIs, what did not close, and the run folder's path."""
    console = _console()
    title = run.manifest.get("title") or run.name
    console.print(Text(f"\n{title}", style="bold"), soft_wrap=True)
    _happened(run, console)
    _kpis(run, console)
    if timing:
        _timing(run, console)
    open_ledgers = [row for row in run.ledger.to_dict("records") if not row["closes"]] if len(run.ledger) else []
    for row in open_ledgers:
        said = f"{row['model']}: {row['what']} do not balance: {row['residual']:g} {row['unit']} (tolerance {row['tolerance']:g})"
        console.print(said, style="yellow")
    error = run.manifest.get("error")
    if error:
        console.print(error, style="red", soft_wrap=True)
    for said in _how_it_came(run):
        console.print(said, style="dim", soft_wrap=True)
    console.print(_last_line(run), soft_wrap=True)
    if said := _where_it_goes_on(run):
        console.print(said, soft_wrap=True)


def _last_line(run: Run) -> Text:
    wall = run.manifest.get("wall_s")
    speed = f", {run.manifest['simulated_s'] / wall:.1f}x real time" if wall and run.manifest.get("simulated_s") else ""
    style = {"done": "green", "degraded": "yellow"}.get(run.status, "red")
    return Text.assemble((run.status, style), f"{speed}: {run.path}")


def _how_it_came(run: Run) -> list[str]:
    """Say what a run branched off, and when an engine was lost and started again."""
    said = []
    if branched := run.manifest.get("branched"):
        said.append(f"branched off {branched['run']} at {run.clock(branched['at_s'])}")
    for one in run.manifest.get("restarts", ()):
        said.append(f"went on from a checkpoint after {run.clock(one['at_s'])}: {one['why']}")
    return said


def _where_it_goes_on(run: Run) -> str:
    """Say how a run that did not reach its end is taken up, and from which moment."""
    if run.status in checkpoint.FINISHED:
        return ""
    kept = [t_s for t_s in checkpoint.moments_s(run.path) if t_s <= run.committed_s]
    where = f"its checkpoint of {run.clock(kept[-1])}" if kept else "its start: it kept no checkpoint"
    return f"`twin resume {run.path}` goes on from {where}"


def _happened(run: Run, console: Console) -> None:
    events = run.events
    if not len(events):
        return
    loud = events[~events["severity"].isin(QUIET)]
    table = Table("time", "what happened", "", box=None, header_style="dim")
    groups = loud.groupby(["t_seen_s", "kind", "model", "name"], sort=False)
    rows: list[tuple[int, str, str, str]] = []
    for (second, kind, model, name), group in groups:
        ids = [element for element in group["element"] if element]
        what = f"{model}.{name}"
        said = ", ".join(ids[:4]) + (f" and {len(ids) - 4} more" if len(ids) > 4 else "")
        if len(group) == 1:
            said = " ".join(filter(None, [said, _facts(group["facts"].iloc[0])]))
        rows.append((int(second), kind, what, said))
    for second, kind, what, said in _most_telling(rows):
        style = {"action": "bold cyan", "degraded": "yellow"}.get(kind, "")
        table.add_row(run.clock(second), Text(what, style=style), Text(said))
    console.print(table)
    if len(rows) > SHOWN_EVENTS:
        console.print(f"and {len(rows) - SHOWN_EVENTS} more in `events` of the run", style="dim")


def _most_telling(rows: Sequence[tuple[int, str, str, str]]) -> list[tuple[int, str, str, str]]:
    """Keep actions and what is degraded, then the first of each kind of notice, in order of time."""
    first: dict[str, int] = {}
    for i, row in enumerate(rows):
        first.setdefault(row[2], i)
    rank = {i: (0 if row[1] != "notice" else 1 if first[row[2]] == i else 2, i) for i, row in enumerate(rows)}
    chosen = sorted(rank, key=lambda i: rank[i])[:SHOWN_EVENTS]
    return [rows[i] for i in sorted(chosen)]


def _facts(text: object) -> str:
    facts = json.loads(text) if isinstance(text, str) and text else {}
    return ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in facts.items() if key not in ("name",)
    )[:90]


def _kpis(run: Run, console: Console) -> None:
    import pandas as pd

    kpis = run.kpis
    if not len(kpis):
        return
    table = Table("measure", Column("value", justify="right"), "unit", "target", "", box=None, header_style="dim")
    for row in kpis.to_dict("records"):
        value = row["value"]
        shown = "-" if value is None or pd.isna(value) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
        verdict = str(row.get("verdict") or "")
        style = {"met": "green", "missed": "red"}.get(verdict, "dim")
        table.add_row(
            str(row.get("label") or row["name"]),
            shown,
            "" if row["unit"] == "1" else str(row["unit"]),
            str(row.get("target") or ""),
            Text(verdict, style=style),
        )
    console.print(table)


def _timing(run: Run, console: Console) -> None:
    timing = run.timing
    if not len(timing):
        return
    table = Table(
        "model",
        "host",
        *(Column(name, justify="right") for name in ("advance s", "solve s", "waited s", "advanced", "solved")),
        box=None,
        header_style="dim",
    )
    for name, row in timing.iterrows():
        table.add_row(
            str(name),
            str(row["host"]),
            f"{row['advance_s']:.2f}",
            f"{row['solve_s']:.2f}",
            f"{row['wait_s']:.2f}",
            f"{row['advances']:.0f}",
            f"{row['solves']:.0f}",
        )
    console.print(table)


def summary(run: Run) -> dict[str, Any]:
    """Return what `show` prints as plain data."""
    return {
        "path": str(run.path),
        "status": run.status,
        "manifest": dict(run.manifest),
        "kpis": json.loads(run.kpis.to_json(orient="records")),
        "timing": json.loads(run.timing.to_json(orient="index")),
        "ledger": json.loads(run.ledger.to_json(orient="records")),
        "events": len(run.events),
    }


def show_city(info: Mapping[str, Any], elements: str = "", *, as_json: bool = False) -> None:
    """Print a pack's models and element sets, or every id of one set (`water.pump`)."""
    if elements:
        model, _, wanted = elements.partition(".")
        models = info["models"]
        if model not in models:
            raise InputError(nearest(model, models, what="model") + "; write for example --elements water.pump")
        sets = models[model]["elements"]
        if wanted not in sets:
            raise InputError(nearest(wanted, sets, what=f"element set of {model}"))
        print(json.dumps(list(sets[wanted]["ids"]), ensure_ascii=False) if as_json else "\n".join(sets[wanted]["ids"]))
        return
    if as_json:
        print(json.dumps(info, indent=1, ensure_ascii=False, default=str))
        return
    console = _console()
    console.print(Text(f"\n{info.get('title', {}).get('en') or info['name']}", style="bold"), f" {info['crs']}, {info['provenance']}")
    table = Table("model", "elements", Column("count", justify="right"), "ids", box=None, header_style="dim")
    for model, described in info["models"].items():
        for name, one in described["elements"].items():
            ids = list(one["ids"])
            shown = ", ".join(ids[:4]) + (", ..." if len(ids) > 4 else "")
            table.add_row(model, name, str(len(ids)), shown)
    console.print(table)
    console.print("every id of one set: twin info CITY --elements water.pump", style="dim")


def show_build(report: Any, folder: Path) -> None:
    """Print what `twin city build` laid, what was verified about it, and which files are new."""
    console = _console()
    table = Table("network", "verified", "figure", box=None, header_style="dim")
    for domain, checks in report.checks.items():
        for what, figure in checks.items():
            table.add_row(domain, what, str(figure))
    console.print(table)
    for need in report.unmet:
        console.print(f"unmet: {need}", style="yellow")
    size = sum(report.files.values()) / 1e6
    changed = f"{len(report.changed)} changed" if report.changed else "all as they were"
    console.print(Text.assemble(("built", "green"), f": {folder}, {len(report.files)} files, {size:.1f} MB, {changed}"))
