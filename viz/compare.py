"""Two runs side by side: what differs in what went in, in the key figures, in the record; and where they first part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.results import Run
from viz import divergence, evidence, pairs, tables, typeset, written
from viz.page import Block, Cell, Document, Facts, Note, Pictures, Section, Table, Text, Tiles
from viz.words import clock_span, duration, number, place_name, plural, status_cell

ROWS = 24
"""So many ports and scenario keys are written out; how many more there are is said."""


@dataclass(frozen=True)
class Both:
    """What is read of two runs once, for all sections of their comparison."""

    a: Run
    b: Run
    names: tuple[str, str]
    kpis: tables.Pairs
    apart: list[divergence.Apart]
    partings: list[divergence.Parting]
    same: bool
    sums: tuple[dict[str, str], dict[str, str]]


def compare(a: Run, b: Run, path: Path) -> str:
    """Write a comparison of two runs to `path`: .html, .md (pictures in NAME_files) or .pdf; return where they part, in a sentence.

    InputError: another format, a folder that is missing. StorageError: a run is damaged, or the disk refuses.
    """
    path = Path(path)
    typeset.check(path)
    both = _read(a, b)
    typeset.write(_document(both), path)
    return _first(both).text


def document(a: Run, b: Run) -> Document:
    """Return the comparison as plain data with its pictures."""
    return _document(_read(a, b))


def _document(both: Both) -> Document:
    a, b = both.a, both.b
    sections = [
        Section("Where they part", _partings(both)),
        Section("Key figures", tables.figures_of_two(a, b, both.kpis)),
        Section("Objectives", tables.objectives_of_two(a, b)),
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
    kpis = tables.paired(a, b)
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
    blocks += _provenance(both)
    blocks += _went_in(both)
    differing = [(name, one, other) for name, one, other in both.kpis if one and other and one["value"] != other["value"]]
    common = sum(1 for _, one, other in both.kpis if one and other)
    if both.kpis:
        blocks.append(Text(f"{len(differing)} of the {plural(common, 'key figure')} that both have differ; {_verdicts(both)}"))
    tiles = [_tile(one, other, tables.best(a, b, one, other)) for _, one, other in differing[:8]]
    blocks += [Tiles(tiles)] if tiles else []
    return [*blocks, _first(both)]


def _first(both: Both) -> Note | Text:
    """Say in one sentence where the two first part."""
    if both.same:
        return Note("Identical data: fields, positions, journal and static data of both runs are the same bytes.", "good")
    if both.partings:
        first = both.partings[0]
        what = f"{first.what} {first.element}".strip()
        here = f"A: {short(first.a) or 'nothing'}; B: {short(first.b) or 'nothing'}"
        return Text(f"They first part at {both.a.clock(first.second)}, in the {first.record}: {what} ({here}).")
    if _compared(both):
        return Text(f"No difference was found in what both recorded: {_listed(_compared(both))}.")
    return Note("Nothing was compared: the runs have no output at a common sample, no positions and no journal in common.")


def _provenance(both: Both) -> list[Block]:
    """Say once what both cities are, or of each what it is."""
    said = [[note.text for note in evidence.warnings(run, listed=False) if note.tone != "bad"] for run in (both.a, both.b)]
    if said[0] == said[1]:
        return [Note(text) for text in said[0]]
    return [Note(f"{letter}: {text}") for letter, texts in zip("AB", said, strict=True) for text in texts]


def _compared(both: Both) -> list[str]:
    """Return which kinds of record both runs have something of."""
    a, b = both.a, both.b
    upto = min(a.committed_s, b.committed_s)
    found = []
    if len(divergence.common_times(a, b)[0]) and any(True for _ in divergence.common_ports(a, b)):
        found.append("fields")
    if upto >= 0:
        found.append("journal")
    if upto >= 0 and divergence.common_track_s(a, b) and divergence.common_movers(a, b):
        found.append("positions")
    return found


def _listed(names: Sequence[str]) -> str:
    return " and ".join(", ".join(names).rsplit(", ", 1))


def _went_in(both: Both) -> list[Block]:
    """Return what differs in what went in, the first few keys, in one sentence."""
    rows = _unequal(both)
    if not rows:
        return [Text("Nothing differs in what went in: scenario, seed, city, versions and hosts.")]
    shown = "; ".join(f"{key} (A {short(ours)}, B {short(theirs)})" for key, ours, theirs in rows[:4])
    more = f"; and {len(rows) - 4:,} more, listed below" if len(rows) > 4 else ""
    return [Text(f"What went in differs in {plural(len(rows), 'key')}: {shown}{more}.")]


def short(text: str, most: int = 60) -> str:
    """Return text cut to `most` letters, the cut shown."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _verdicts(both: Both) -> str:
    pairs_of = [(one, other) for _, one, other in both.kpis if one and other and one["target"] and other["target"]]
    changed = [str(other["label"]) for one, other in pairs_of if one["verdict"] != other["verdict"]]
    return f"the verdict changes of {', '.join(changed)}." if changed else "no verdict changes."


def _tile(one: dict[str, Any], other: dict[str, Any], better: Cell) -> tuple[str, str, str, str]:
    tone = {"B": "good", "A": "bad"}.get(better.text, "")
    ours, theirs = (number(row["value"], row["unit"], beside=beside["value"]) for row, beside in ((one, other), (other, one)))
    said = f"B less A: A {ours}, B {theirs}"
    return tables.difference(one, other)[0] or "-", str(other["label"]), said, tone


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
    steps = [int(run.manifest["record_every_s"]) for run in (a, b)]
    if steps[0] != steps[1]:
        count = len(divergence.common_times(a, b)[0])
        said.append(f"A is recorded every {steps[0]} s, B every {steps[1]} s: compared at the {plural(count, 'sample')} that both have.")
    cities = [(run.manifest.get("city") or {}).get("digest") for run in (a, b)]
    if cities[0] != cities[1]:
        said.append("The cities differ: elements are compared where both have one of the same name.")
    for letter, models in (("A", set(a.models) - set(b.models)), ("B", set(b.models) - set(a.models))):
        if models:
            said.append(f"Only {letter} has {', '.join(sorted(models))}.")
    common = list(divergence.common_ports(a, b))
    for letter, run in (("A", a), ("B", b)):
        shared = [model for model in run.models if model in a.models and model in b.models]
        alone = [f"{model}.{name}" for model in shared for name in run.static[model].recorded]
        alone = [name for name in alone if name not in {f"{model}.{port.name}" for model, port in common}]
        if alone:
            told = ", ".join(alone[:6]) + (f" and {len(alone) - 6:,} more" if len(alone) > 6 else "")
            said.append(f"Only {letter} has {told} in this form (elements, unit).")
    for model, port in common:
        ours, theirs = (set(run.static[model].elements[port.at].ids) for run in (a, b))
        apart = f"{len(ours - theirs):,} only in A, {len(theirs - ours):,} only in B"
        text = f"{model}, {port.at}: {len(ours & theirs):,} elements in both are compared; {apart}."
        if ours != theirs and text not in said:
            said.append(text)
    return said


def _partings(both: Both) -> list[Block]:
    if both.same:
        return [
            Text("Nowhere: identical data. What differs, if anything, is in the scenario file and in where and when the runs were made.")
        ]
    compared = _compared(both)
    if not compared:
        return [Text("Not assessed: nothing of the two records could be compared.")]
    absent = [one for one in ("fields", "journal", "positions") if one not in compared]
    beside = [Text(f"Not compared, as not recorded in both: {_listed(absent)}.")] if absent else []
    if not both.partings:
        return [Text(f"Nowhere in what both recorded ({_listed(compared)}), at the samples and elements that both have."), *beside]
    rows = [
        [both.a.clock(one.second), one.record, f"{one.what} {one.element}".strip(), one.a or "nothing", one.b or "nothing"]
        for one in both.partings
    ]
    missing = set(compared) - {one.record for one in both.partings}
    blocks: list[Block] = [Table(("time", "record", "what", "A", "B"), rows, (1, 1, 2.4, 2.6, 2.6))]
    if missing:
        blocks.append(Text(f"No difference was found in the {' and the '.join(sorted(missing))}."))
    return [*blocks, *beside]


def _inputs(both: Both) -> list[Block]:
    rows = [[key, short(ours, 200), short(theirs, 200)] for key, ours, theirs in _unequal(both)]
    if not rows:
        return [Text("No difference: scenario, seed, city, versions and hosts are the same.")]
    more = [Text(f"{len(rows) - ROWS:,} more keys differ.")] if len(rows) > ROWS else []
    return [Table(("key", "A", "B"), rows[:ROWS], (2.5, 3, 3)), *more]


def _unequal(both: Both) -> list[tuple[str, str, str]]:
    sides = [_said(run) for run in (both.a, both.b)]
    keys = dict.fromkeys([*sides[0], *sides[1]])
    told = [(key, *(side.get(key, "(absent)") for side in sides)) for key in keys]
    return [(key, ours, theirs) for key, ours, theirs in told if ours != theirs]


def _said(run: Run) -> dict[str, str]:
    manifest = run.manifest
    said = {f"scenario: {key}": value for key, value in written.leaves(run.scenario).items()}
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
        fields = both.same or "fields" in _compared(both)
        return [Text("Not at all, on the elements and samples that both have." if fields else "Not assessed: no output is in both.")]
    rows = [
        [
            f"{one.model}: {one.port.label or one.port.name}",
            percent(one.share),
            *_furthest(both, one),
        ]
        for one in both.apart[:ROWS]
    ]
    more = [Text(f"{len(both.apart) - ROWS:,} more outputs differ.")] if len(both.apart) > ROWS else []
    columns = ("output", "values that differ", "largest, B less A", "at", "where")
    return [Table(columns, rows, (3.4, 1.4, 1.8, 1, 2), (1, 2)), *more]


def percent(share: float) -> str:
    """Return a share that is not 0 as percent: '100 %' for all, '>99.9 %' for nearly all, '<0.1 %' for nearly none."""
    if share == 1:
        return "100 %"
    return "<0.1 %" if share < 0.0005 else ">99.9 %" if share > 0.9995 else f"{100 * share:.1f} %"


def _furthest(both: Both, one: divergence.Apart) -> tuple[str, str, str]:
    """Return the largest difference of a port, when and where."""
    if not one.largest:
        return "one has no value where the other has", "-", "-"
    where = (both.a.clock(one.second), one.element)
    if one.port.dtype == "bool":
        return ("yes in B, no in A" if one.largest > 0 else "yes in A, no in B"), *where
    return ("+" if one.largest > 0 else "") + number(one.largest, one.port.unit), *where


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
