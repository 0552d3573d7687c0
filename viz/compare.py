"""Two runs side by side: what differs in what went in, in the key figures, in the record; and where they first part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.results import Run
from viz import divergence, evidence, pairs, ratings, typeset, written
from viz.page import Block, Cell, Document, Facts, Note, Pictures, Section, Table, Text, Tiles
from viz.words import clock_span, duration, number, place_name, plural, status_cell, target, unit, verdict_cell

ROWS = 24
"""So many ports and scenario keys are written out; how many more there are is said."""


@dataclass(frozen=True)
class Both:
    """What is read of two runs once, for all sections of their comparison."""

    a: Run
    b: Run
    names: tuple[str, str]
    kpis: list[tuple[str, dict[str, Any] | None, dict[str, Any] | None]]
    apart: list[divergence.Apart]
    partings: list[divergence.Parting]
    same: bool
    sums: tuple[dict[str, str], dict[str, str]]


def compare(a: Run, b: Run, path: Path) -> None:
    """Write a comparison of two runs to `path`: .html, .md (pictures in NAME_files) or .pdf.

    InputError: another format, a folder that is missing. StorageError: a run is damaged, or the disk refuses.
    """
    path = Path(path)
    typeset.check(path)
    typeset.write(document(a, b), path)


def document(a: Run, b: Run) -> Document:
    """Return the comparison as plain data with its pictures."""
    both = _read(a, b)
    sections = [
        Section("Where they part", _partings(both)),
        Section("Key figures", _kpis(both)),
        Section("Objectives", _objectives(both)),
        Section("What went in", _inputs(both)),
        Section("Curves", _curves(both)),
        Section("Difference maps", _maps(both)),
        Section("How far apart the records get", _apart(both)),
        Section("The two runs", _runs(both)),
    ]
    title = f"{both.names[0]} and {both.names[1]}"
    footer = (
        "Written by twin compare from the records of two simulations: A is the first run named, B the second; a difference is B less A."
    )
    subtitle = f"{place_name(a)} · A: {clock_span(a)} · B: {clock_span(b)}"
    return Document("Comparison of two runs", title, subtitle, _head(both), sections, footer, badges=[_named("A", a), _named("B", b)])


def _read(a: Run, b: Run) -> Both:
    rows = [{str(row["name"]): row for row in run.kpis.astype(object).where(run.kpis.notna(), None).to_dict("records")} for run in (a, b)]
    kpis = [(name, rows[0].get(name), rows[1].get(name)) for name in dict.fromkeys([*rows[0], *rows[1]])]
    sums = (evidence.digests_of(a), evidence.digests_of(b))
    same = divergence.same_data(*sums)
    apart, first = ([], None) if same else divergence.apart(a, b)
    found = [] if same else [one for one in (first, divergence.journal(a, b), divergence.tracks(a, b)) if one is not None]
    names = (a.path.resolve().name, b.path.resolve().name)
    names = names if names[0] != names[1] else (f"{names[0]} (A)", f"{names[1]} (B)")
    return Both(a, b, names, kpis, apart, sorted(found, key=lambda one: one.second), same, sums)


def _named(letter: str, run: Run) -> Cell:
    return Cell(f"{letter}: {run.path.resolve().name}, {run.status}", status_cell(run).tone)


def _head(both: Both) -> list[Block]:
    a, b = both.a, both.b
    blocks: list[Block] = []
    for letter, run in (("A", a), ("B", b)):
        blocks += [Note(f"{letter}: {note.text}", note.tone) for note in evidence.warnings(run) if note.tone == "bad"]
    blocks += [Note(text) for text in _unlike(both)]
    blocks += [note for note in evidence.warnings(a) if note.tone != "bad"]
    if both.same:
        blocks.append(Note("Identical data: fields, positions, journal and static data of both runs are the same bytes.", "good"))
    elif both.partings:
        first = both.partings[0]
        blocks.append(
            Text(f"They first part at {a.clock(first.second)}, in the {first.record}: {first.what} {first.element}".strip() + ".")
        )
    else:
        blocks.append(Text("No difference was found on what both recorded."))
    differing = [(name, one, other) for name, one, other in both.kpis if one and other and one["value"] != other["value"]]
    if both.kpis:
        blocks.append(Text(f"{len(differing)} of {plural(len(both.kpis), 'key figure')} differ; {_verdicts(both)}"))
    tiles = [_tile(one, other) for _, one, other in differing[:8]]
    return [*blocks, Tiles(tiles)] if tiles else blocks


def _verdicts(both: Both) -> str:
    changed = [name for name, one, other in both.kpis if one and other and one["verdict"] != other["verdict"]]
    return f"the verdict changes of {', '.join(changed)}." if changed else "no verdict changes."


def _tile(one: dict[str, Any], other: dict[str, Any]) -> tuple[str, str, str, str]:
    better = _better(one, other)
    tone = {"B": "good", "A": "bad"}.get(better.text, "")
    said = f"A {number(one['value'], one['unit'])}, B {number(other['value'], other['unit'])}"
    return _difference(one, other)[0] or "-", str(other["label"]), said, tone


def _unlike(both: Both) -> list[str]:
    a, b = both.a, both.b
    said = []
    if a.start != b.start:
        starts = f"A starts {a.start:%Y-%m-%d %H:%M}, B {b.start:%Y-%m-%d %H:%M}"
        said.append(f"The clocks differ: {starts}. Both are compared by seconds since their start, and times are A's.")
    if a.committed_s != b.committed_s:
        upto = min(a.committed_s, b.committed_s)
        said.append(
            f"A is recorded for {duration(max(a.committed_s, 0))}, B for {duration(max(b.committed_s, 0))}: records are compared up to"
            f" {a.clock(max(upto, 0))}; key figures are of each whole run."
        )
    cities = [(run.manifest.get("city") or {}).get("digest") for run in (a, b)]
    if cities[0] != cities[1]:
        said.append("The cities differ: elements are compared where both have one of the same name.")
    for letter, models in (("A", set(a.models) - set(b.models)), ("B", set(b.models) - set(a.models))):
        if models:
            said.append(f"Only {letter} has {', '.join(sorted(models))}.")
    for model, port in divergence.common_ports(a, b):
        ours, theirs = (set(run.static[model].elements[port.at].ids) for run in (a, b))
        alone = f"{len(ours - theirs):,} only in A, {len(theirs - ours):,} only in B"
        text = f"{model}, {port.at}: {len(ours & theirs):,} elements in both are compared; {alone}."
        if ours != theirs and text not in said:
            said.append(text)
    return said


def _partings(both: Both) -> list[Block]:
    if both.same:
        return [
            Text("Nowhere: identical data. What differs, if anything, is in the scenario file and in where and when the runs were made.")
        ]
    if not both.partings:
        return [Text("Nowhere on what both recorded: the same elements at the same samples, the same rows of the journal.")]
    rows = [
        [both.a.clock(one.second), one.record, f"{one.what} {one.element}".strip(), one.a or "nothing", one.b or "nothing"]
        for one in both.partings
    ]
    missing = {"fields", "journal", "positions"} - {one.record for one in both.partings}
    blocks: list[Block] = [Table(("time", "record", "what", "A", "B"), rows, (1, 1, 2.4, 2.6, 2.6))]
    if missing:
        blocks.append(Text(f"No difference was found in the {' and the '.join(sorted(missing))}."))
    return blocks


def _difference(one: dict[str, Any], other: dict[str, Any]) -> tuple[str, str]:
    """Return the difference B less A, absolute and in percent of A; '' where there is none to tell."""
    if one["unit"] != other["unit"] or one["value"] is None or other["value"] is None:
        return "", ""
    less = other["value"] - one["value"]
    sign = "+" if less > 0 else ""
    share = f"{100 * less / abs(one['value']):+.1f} %" if one["value"] else ""
    return f"{sign}{number(less, one['unit'])}", share if less else "0 %"


def _better(one: dict[str, Any], other: dict[str, Any]) -> Cell:
    """Say which run is better by the direction of the target; without a common one it is not assessed."""
    signs = {str(row["target"]).strip()[:1] for row in (one, other)}
    if signs not in ({"<"}, {">"}) or one["unit"] != other["unit"]:
        return Cell("not assessed", "quiet")
    values = [row["value"] for row in (one, other)]
    if None in values:
        reached = [letter for letter, value in zip("AB", values, strict=True) if value is not None]
        return Cell(reached[0], "info") if reached else Cell("neither", "quiet")
    if values[0] == values[1]:
        return Cell("same", "quiet")
    return Cell("B" if (values[1] < values[0]) == (signs == {"<"}) else "A", "info")


def _kpis(both: Both) -> list[Block]:
    if not both.kpis:
        return [Text(f"Neither run has key figures: {evidence.no_figures(both.a)}")]
    rows: list[Sequence[str | Cell]] = []
    for _, one, other in both.kpis:
        either = one or other or {}
        shown = [number(row["value"]) if row else "-" for row in (one, other)]
        verdicts = [verdict_cell(row) if row else Cell("not in it", "quiet") for row in (one, other)]
        less, share = _difference(one, other) if one and other else ("", "")
        better = _better(one, other) if one and other else Cell("not assessed", "quiet")
        goals = list(dict.fromkeys(target(row) or "-" for row in (one, other) if row))
        units = list(dict.fromkeys(unit(row["unit"]) for row in (one, other) if row))
        rows.append([str(either["label"]), *shown, " / ".join(units), less or "-", share or "-", " / ".join(goals), *verdicts, better])
    columns = ("figure", "A", "B", "unit", "B less A", "%", "target", "A", "B", "better")
    return [
        Table(columns, rows, (2.6, 1, 1, 0.8, 1.5, 1.1, 1.2, 1.6, 1.6, 1.8), (1, 2, 4, 5)),
        Text("Better is said by the direction of the target alone; without a target it is not assessed."),
    ]


def _objectives(both: Both) -> list[Block]:
    rated = [{one.name: one for one in ratings.ratings(run)} for run in (both.a, both.b)]
    rows: list[Sequence[str | Cell]] = []
    for name in dict.fromkeys([*rated[0], *rated[1]]):
        found = [side.get(name) for side in rated]
        either = found[1] or found[0]
        cells = [Cell(one.letter or "not assessed", ratings.TONES[one.letter]) if one else Cell("not in it", "quiet") for one in found]
        if either is not None:
            rows.append([either.text, *cells, "; ".join(f"{letter}: {one.why}" for letter, one in zip("AB", found, strict=True) if one)])
    if not rows:
        return [Text("Not assessed: neither scenario states objectives.")]
    return [Table(("objective", "A", "B", "evidence"), rows, (3, 1.3, 1.3, 4))]


def _inputs(both: Both) -> list[Block]:
    a, b = both.a, both.b
    sides = [_said(run) for run in (a, b)]
    rows = []
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        ours, theirs = (side.get(key, "(absent)") for side in sides)
        if ours != theirs:
            rows.append([key, ours, theirs])
    if not rows:
        return [Text("No difference: scenario, seed, city, versions and hosts are the same.")]
    more = [Text(f"{len(rows) - ROWS:,} more keys differ.")] if len(rows) > ROWS else []
    return [Table(("key", "A", "B"), rows[:ROWS], (2.5, 3, 3)), *more]


def _said(run: Run) -> dict[str, str]:
    manifest = run.manifest
    said = {f"scenario: {key}": value for key, value in written.leaves(written.scenario(run)).items()}
    said |= {f"version: {key}": str(value) for key, value in (manifest.get("versions") or {}).items()}
    said |= {f"host: {key}": str(value) for key, value in (manifest.get("hosts") or {}).items()}
    said |= {f"city: {key}": str(value) for key, value in (manifest.get("city") or {}).items()}
    return said | {"seed": str(manifest.get("seed", "not recorded"))}


def _curves(both: Both) -> list[Block]:
    pictures = pairs.curves(both.a, both.b, both.names)
    return [Pictures(pictures)] if pictures else [Text("Not drawn: no key figure is made from an output that both recorded.")]


def _maps(both: Both) -> list[Block]:
    pictures = pairs.maps(both.a, both.b, both.apart, both.names)
    return [Pictures(pictures)] if pictures else [Text("Not drawn: no output with shapes differs.")]


def _apart(both: Both) -> list[Block]:
    if not both.apart:
        return [Text("Not at all, on the elements and samples that both have.")]
    rows = [
        [
            f"{one.model}: {one.port.label or one.port.name}",
            f"{100 * one.share:.2g} %",
            number(one.largest, one.port.unit),
            both.a.clock(one.second),
            one.element,
        ]
        for one in both.apart[:ROWS]
    ]
    more = [Text(f"{len(both.apart) - ROWS:,} more outputs differ.")] if len(both.apart) > ROWS else []
    columns = ("output", "values that differ", "largest, B less A", "at", "where")
    return [Table(columns, rows, (3.4, 1.4, 1.8, 1, 2), (1, 2)), *more]


def _runs(both: Both) -> list[Block]:
    blocks: list[Block] = []
    for letter, run, sums in zip("AB", (both.a, both.b), both.sums, strict=True):
        facts = [
            (f"{letter}", f"{run.path.resolve().name}: {run.manifest.get('title') or run.name}"),
            ("status", run.status),
            ("recorded", f"{clock_span(run)}, up to {run.clock(max(run.committed_s, 0))}, every {run.manifest.get('record_every_s')} s"),
            ("config digest", evidence.digest_of(sums, "scenario")),
            ("run digest", evidence.digest_of(sums, "run")),
        ]
        blocks.append(Facts(facts))
    return blocks
