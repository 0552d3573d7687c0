"""What a report rests on: areas to improve by rule, accounts that do not close, what a reader must be warned of, digests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twin.errors import StorageError
from twin.results import Run, digests
from viz import written
from viz.page import Note
from viz.story import GIVEN, LOUD, Row
from viz.words import duration, figure, number, plural, target

AREAS = 20
"""So many areas are written out: first missed targets, then what was degraded, then warnings; how many more there are is said."""


@dataclass(frozen=True)
class Area:
    """Something to improve: what, the sentence, the evidence, and what that evidence suggests to look at."""

    title: str
    said: str
    cites: str
    look: str


def areas(run: Run, rows: Sequence[Row], kpis: Sequence[Mapping[str, Any]]) -> list[Area]:
    """Return the areas to improve, by rule: each missed KPI, each kind of degraded row, each account, each kind of warning."""
    declared = written.measured(run)
    found = [
        _of_kpi(row, said := declared.get(str(row["name"]), {}), drawn=written.drawn(run, said))
        for row in kpis
        if row["target"] and row["verdict"] in ("missed", "not reached")
    ]
    for degraded in (True, False):
        grouped: dict[str, list[Row]] = {}
        for row in rows:
            if (row.kind == "degraded") == degraded and (degraded or row.severity in LOUD) and row.kind not in GIVEN:
                grouped.setdefault(row.what, []).append(row)
        found += [_of_rows(run, rows, group, degraded=degraded) for group in grouped.values()]
        if degraded:
            found += [
                Area(
                    f"{one['model']}: {one['what']}",
                    f"{one['model']}: {one['what']} do not balance ({residual(one)}).",
                    "ledger",
                    'the section "What was degraded"',
                )
                for one in open_accounts(run)
            ]
    return found


def _of_kpi(row: Mapping[str, Any], said: Mapping[str, Any], *, drawn: bool) -> Area:
    reached = "was not reached" if row["value"] is None else f"is {figure(row)}"
    window = " to ".join(str(said.get(key) or end) for key, end in (("from", "the start"), ("to", "the end")))
    window = window if said.get("from") or said.get("to") else ""
    source = (
        f"{said['of']}{f' from {window}' if window else ''}{': its curve below' if drawn else ''}"
        if said.get("of")
        else "how the KPI is made, in the scenario"
    )
    return Area(str(row["label"]), f"{row['label']} {reached}; the target is {target(row)}.", f"KPI {row['name']}", source)


def _of_rows(run: Run, rows: Sequence[Row], group: Sequence[Row], *, degraded: bool) -> Area:
    first, last = min(group, key=lambda row: row.happened_s), max(group, key=lambda row: row.happened_s)
    ids = list(dict.fromkeys(id for row in group for id in row.elements))
    count, word = sum(row.count for row in group), "degraded row" if degraded else "warning"
    since, until = run.clock(first.happened_s), run.clock(last.happened_s)
    span = f"at {since}" if since == until else f"from {since} to {until}"
    on = f", {plural(len(ids), 'element')}" if len(ids) > 1 else f" ({ids[0]})" if ids else ""
    before = [row for row in rows if row.kind in GIVEN and row.happened_s <= first.happened_s]
    look = f"first: {first.where}" if first.where else f"{first.model} as a whole"
    if before:
        came = before[-1]
        lead = first.happened_s - came.happened_s
        look += (
            f"; {duration(lead)} after {came.what} {came.where} ({run.clock(came.happened_s)})"
            if lead
            else f"; at the second of {came.what} {came.where}"
        )
    return Area(first.what, f"{first.what}: {plural(count, word)} {span}{on}.", first.cite(run), look)


def open_accounts(run: Run) -> list[dict[str, Any]]:
    """Return the rows of the ledger that do not close; StorageError when the ledger is damaged."""
    if missing := {"model", "what", "closes"} - set(run.ledger.columns) if len(run.ledger) else set():
        raise StorageError(f"{run.path / 'manifest.json'}: is damaged: its ledger has no {sorted(missing)[0]}")
    return [row for row in run.ledger.to_dict("records") if not row["closes"]]


def residual(account: Mapping[str, Any]) -> str:
    """Return what is missing from an account: 'residual 3 kg, tolerance 0.1 kg'."""
    unit = str(account.get("unit") or "1")
    return f"residual {number(account.get('residual'), unit)}, tolerance {number(account.get('tolerance'), unit)}"


def warnings(run: Run, *, listed: bool = True) -> list[Note]:
    """Return what a reader must know before anything else: a run cut short, a city that is made up.

    `listed`: the document lists what is invented at its end.
    """
    found = []
    if run.committed_s < run.duration_s or run.status in ("failed", "interrupted", "unfinished"):
        upto = f"recorded from {run.clock(0)} up to {run.clock(run.committed_s)}" if run.committed_s >= 0 else "nothing is recorded"
        error = f": {run.manifest['error']}" if run.manifest.get("error") else ""
        found.append(
            Note(
                f"This run is {run.status}{error}. It was to end at {run.clock(run.duration_s)}; {upto}. All below is of that part.", "bad"
            )
        )
    provenance = str(run.city.provenance or (run.manifest.get("city") or {}).get("provenance") or "")
    if provenance != "surveyed":
        outline = f"This city is {provenance}: it shows a place in outline, and its figures must not be taken for those of the real one."
        said = outline if provenance else "Nothing says where this city's data come from: they must not be taken for those of a real one."
        invented = len(run.city.synthetic)
        found.append(
            Note(
                said
                + (
                    f" What is invented stands at the end ({invented} {'entry' if invented == 1 else 'entries'})."
                    if invented and listed
                    else ""
                )
            )
        )
    return found


def no_figures(run: Run) -> str:
    """Say why there are no key figures."""
    if run.status in ("unfinished", "failed"):
        return f"they are computed at the end, and it is {run.status}."
    return "its scenario declares none, or it ended before they were computed."


def digests_of(run: Run) -> dict[str, str]:
    """Return the SHA-256 of each part of the run folder, and under `run` of all its data; nothing while a run may still be written."""
    if run.status == "unfinished":
        return {}
    sums = digests(run.path)
    return sums | {"run": hashlib.sha256("".join(sums.values()).encode()).hexdigest()}


def digest_of(sums: Mapping[str, str], part: str) -> str:
    """Return one of `digests_of` for a table."""
    return sums.get(part, "not taken: the run has not ended")


def identity(run: Run) -> list[tuple[str, str]]:
    """Return what a run was made from: scenario, city, seed, hosts, versions."""
    manifest: Mapping[str, Any] = run.manifest
    city: Mapping[str, Any] = manifest.get("city") or {}
    return [
        ("scenario", run.name),
        ("config digest", digest_of(digests_of(run), "scenario")),
        ("city", f"{city.get('name', 'not recorded')}, {city.get('provenance') or run.city.provenance or 'provenance not recorded'}"),
        ("city digest", str(city.get("digest", "not recorded"))),
        ("seed", str(manifest.get("seed", "not recorded"))),
        ("recorded", f"every {manifest.get('record_every_s')} s; positions every {manifest.get('tracks_every_s') or '-'} s"),
        ("hosts", ", ".join(f"{name} {host}" for name, host in (manifest.get("hosts") or {}).items()) or "not recorded"),
        ("versions", ", ".join(f"{name} {version}" for name, version in (manifest.get("versions") or {}).items()) or "not recorded"),
    ]
