"""An after-action report of a run: every rating, cause and effect in it cites a journal row or a KPI, or says 'not assessed'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.results import Run
from viz import charts, evidence, ratings, story, tables, typeset
from viz.page import Block, Bullets, Cell, Document, Facts, Note, Pictures, Section, Table, Text, Tiles
from viz.whereabouts import Whereabouts
from viz.words import clock_span, figure, judged, place_name, plural, status_cell, target

ROWS = 60
"""So many rows of the journal are written out; the table of their kinds holds them all."""

MODEL_ONLY = "Only what the run recorded is assessed: staff, communication and decisions of people outside the model are not assessed."


@dataclass(frozen=True)
class Found:
    """What is read of a run once, for all sections of its report."""

    run: Run
    rows: list[story.Row]
    kpis: list[dict[str, Any]]
    rated: list[ratings.Rating]
    moments: list[story.Moment]
    where: Whereabouts
    areas: list[evidence.Area]


def report(run: Run, path: Path) -> None:
    """Write the after-action report of `run` to `path`: .html, .md (pictures in NAME_files) or .pdf.

    InputError: another format, a folder that is missing. StorageError: the run is damaged, or the disk refuses.
    """
    path = Path(path)
    typeset.check(path)
    typeset.write(document(run), path)


def document(run: Run) -> Document:
    """Return the report as plain data with its pictures."""
    rows = story.rows(run)
    kpis = tables.rows_of(run)
    found = Found(run, rows, kpis, ratings.ratings(run), story.moments(run, rows), Whereabouts(run), evidence.areas(run, rows, kpis))
    sections = [
        Section("What happened", _happened(found)),
        Section("Key figures", _kpis(found)),
        Section("Objectives", _objectives(found)),
        Section("Strengths", _strengths(found)),
        Section("Areas to improve", _areas(found)),
        Section("Improvement plan", _plan(found)),
        Section("Resources used", _resources(found)),
        Section("Maps before, during and after", _maps(found)),
        Section("Curves", _curves(found)),
        Section("What was degraded", _degraded(found)),
        Section("How to reproduce it", _reproduce(run)),
    ]
    footer = f"{run.name}, {run.start:%Y-%m-%d}: written by twin report from the record of a simulation. {MODEL_ONLY}"
    return Document(
        "After-action report",
        str(run.manifest.get("title") or run.name.replace("_", " ")),
        f"{place_name(run)} · {clock_span(run)} · run {run.name}",
        [*evidence.warnings(run), *_summary(found)],
        sections,
        footer,
        badges=[status_cell(run), Cell("a simulation, not an observation", "quiet")],
    )


def _summary(found: Found) -> list[Block]:
    run, off = found.run, story.stopped(found.run)[0]
    given = [row for row in found.rows if row.kind in story.GIVEN]
    warned = [row for row in found.rows if row.severity in story.LOUD]
    said = [f"The run covers {clock_span(run)} in {place_name(run)}; its status is {run.status}."]
    if given:
        first = given[0]
        count = sum(row.count for row in given)
        nouns = " and ".join(f"{kind}s" for kind in story.GIVEN if any(row.kind == kind for row in given))
        noun = given[0].kind if count == 1 else nouns
        said.append(f"The journal holds {count:,} {noun}{', the first' if count > 1 else ','} at {_first(run, first)}.")
    else:
        said.append("Nobody acted on the city: the journal holds no action or inject.")
    if warned:
        first, last_s = min(warned, key=lambda row: row.happened_s), max(row.happened_s for row in warned)
        count = sum(row.count for row in warned)
        until = f", the last at {run.clock(last_s)}" if count > 1 else ""
        said.append(f"The journal holds {plural(count, 'warning')}{', the first' if until else ','} at {_first(run, first)}{until}.")
    else:
        said.append("The journal holds no warning.")
    if off.any():
        worst, still = run.clock(int(run.times_s[int(off.argmax())])), f"{off[-1]:,}" if off[-1] else "none"
        most = plural(int(off.max()), "element")
        upto = "at the end" if run.committed_s >= run.duration_s else "where the record ends"
        were = _were(int(off.max()))
        said.append(f"At {worst}, the worst moment, {most} that {were} on at the start {were} off; {upto}, {still}.")
    met = [row["verdict"] for row in found.kpis if judged(row)]
    none = "No key figure has a target." if found.kpis else "The run has no key figures."
    said.append(f"{met.count('met')} of {plural(len(met), 'target')} {_were(len(met))} met." if met else none)
    letters = [one.letter for one in found.rated]
    counted = ", ".join(f"{letters.count(letter)} {letter or 'not assessed'}" for letter in ratings.WORDS if letter in letters)
    said.append(f"Objectives: {counted}." if counted else "Objectives: not assessed (the scenario states none).")
    return [Text(" ".join(said)), *_tiles(found)]


def _first(run: Run, row: story.Row) -> str:
    return f"{run.clock(row.happened_s)} ({f'{row.what} {row.where}'.strip()})"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _tiles(found: Found) -> list[Block]:
    order = {"missed": 0, "not reached": 0, "met": 1}
    ranked = sorted(found.kpis, key=lambda row: order.get(row["verdict"], 2) if row["target"] else 2)
    tones = {"met": "good", "missed": "bad", "not reached": "bad"}
    items = [
        (figure(row), str(row["label"]), target(row) or "no target", tones.get(row["verdict"], "") if row["target"] else "")
        for row in ranked
    ]
    return [Tiles(items[:8])] if items else []


def happened(run: Run, rows: Sequence[story.Row], where: Whereabouts, *, repeats: bool = True) -> list[Block]:
    """Return what the journal tells as a table of at most `ROWS` rows, and how many more there are; `repeats` as of `story.telling`."""
    shown = story.telling(rows, ROWS, repeats=repeats)
    if not shown:
        return [Text("The journal is empty: nothing was done, and no model had anything to report.")]
    reasons = any(row.by or row.why for row in shown)
    columns, widths = (("who and why",), (2.4,)) if reasons else ((), ())
    body: list[Sequence[str | Cell]] = []
    for row in shown:
        delay = row.seen_s - row.happened_s
        said = [row.where, where.names(row.model, row.elements), row.facts, f"seen {delay} s later" if delay > 0 else ""]
        source = f" ({row.source})" if row.source and row.source != "model" else ""
        told = [run.clock(row.happened_s), _kind(row), f"{row.what}{source}", "; ".join(one for one in said if one)]
        body.append([*told, "; ".join(one for one in (row.by, row.why) if one)] if reasons else told)
    left = len(rows) - len(shown)
    more = f"{left:,} more rows are not written out here: actions, what was degraded and the first and last of each kind come first."
    return [
        Table(("time", "kind", "what", "where and facts", *columns), body, (1, 1.2, 2.4, 4.6, *widths)),
        *([Text(more)] if left else []),
    ]


def _happened(found: Found) -> list[Block]:
    run = found.run
    blocks = happened(run, found.rows, found.where)
    if not found.rows:
        return blocks
    kinds = [
        [
            one.kind,
            f"{one.model}: {str(one.name).replace('_', ' ')}",
            one.severity,
            f"{one.count:,}",
            run.clock(one.first_s),
            run.clock(one.last_s),
        ]
        for one in story.counts(run).itertuples()
    ]
    return [
        *blocks,
        Text("All rows of the journal by kind:"),
        Table(("kind", "what", "severity", "rows", "first", "last"), kinds, (1.2, 3, 1.2, 1, 1.2, 1.2), (3,)),
    ]


def _kind(row: story.Row) -> Cell:
    if row.kind in (*story.GIVEN, *story.DECIDED):
        return Cell(row.kind, "info")
    if row.kind == "degraded" or row.severity in story.GRAVE:
        return Cell(row.kind, "bad")
    return Cell("warning" if row.severity == "warning" else row.kind, "warn" if row.severity == "warning" else "quiet")


def _kpis(found: Found) -> list[Block]:
    if not found.kpis:
        return [Note("The run has no key figures: " + evidence.no_figures(found.run), "info")]
    return [*_partial(found.run), tables.figures(found.kpis)]


def _partial(run: Run) -> list[Block]:
    """Say that figures are of a part, where they are."""
    if run.committed_s >= run.duration_s:
        return []
    upto, end = run.clock(max(run.committed_s, 0)), run.clock(run.duration_s)
    return [Note(f"The run is {run.status}: these are of the part recorded up to {upto}, and could be others at {end}.")]


def _objectives(found: Found) -> list[Block]:
    if not found.rated:
        return [Text("Not assessed: the scenario states no objectives (section `objectives:` of its file).")]
    body: list[Sequence[str | Cell]] = []
    for one in found.rated:
        letter = Cell(one.letter or "not assessed", ratings.TONES[one.letter])
        body.append([one.text, letter, ratings.WORDS[one.letter], f"{one.why} (KPI {', '.join(one.kpis)})"])
    rule = (
        "Rated from the verdicts of the KPIs with a target alone. P: all met. S: each missed one by at most"
        f" {ratings.NEAR:.0%} of its target. M: some met, some missed by more. U: none met, or one not reached."
        " A run that did not reach its end is not rated."
    )
    return [Table(("objective", "rating", "in words", "evidence"), body, (3, 1.3, 2.3, 3.2)), Text(rule)]


def _strengths(found: Found) -> list[Block]:
    items = [
        (f"{row['label']}: {figure(row)}, target {target(row)}.", f"KPI {row['name']}") for row in found.kpis if row["verdict"] == "met"
    ]
    return [*_partial(found.run), Bullets(items)] if items else [Text("Not assessed: no key figure with a target was met.")]


def _areas(found: Found) -> list[Block]:
    if not found.areas:
        return [Text("None found: no target was missed, nothing was degraded, and the journal holds no warning.")]
    shown: list[Block] = [Bullets([(area.said, area.cites) for area in found.areas[: evidence.AREAS]])]
    left = len(found.areas) - evidence.AREAS
    return [*shown, Text(f"{left:,} more {'is' if left == 1 else 'are'} not written out here.")] if left > 0 else shown


def _plan(found: Found) -> list[Block]:
    if not found.areas:
        return [Text("Nothing to plan from the record: see above.")]
    body = [[str(i), area.title, area.cites, area.look, "", ""] for i, area in enumerate(found.areas[: evidence.AREAS], start=1)]
    columns = ("", "area", "evidence", "what the evidence suggests to look at", "responsible", "due")
    return [
        Table(columns, body, (0.4, 2, 2.6, 3.2, 1.4, 1)),
        Text(
            "Derived by rule from missed targets, degraded rows and warnings. That one thing came after another is not called its effect."
        ),
    ]


def _resources(found: Found) -> list[Block]:
    used: dict[tuple[str, str], list[story.Row]] = {}
    for row in found.rows:
        if row.kind in story.GIVEN:
            used.setdefault((row.what, row.source), []).append(row)
    body: list[Sequence[str | Cell]] = []
    for (what, source), rows in used.items():
        ids = list(dict.fromkeys(id for row in rows for id in row.elements))
        clocks = list(dict.fromkeys(found.run.clock(row.happened_s) for row in (rows[0], rows[-1])))
        named = ", ".join(ids[:6]) + (f" and {len(ids) - 6:,} more" if len(ids) > 6 else "")
        body.append([what, named or "-", str(sum(row.count for row in rows)), " to ".join(clocks), source])
    outside = Text("People, vehicles, material and costs of the organisations involved: not assessed (the run records none).")
    if not body:
        return [Text("Not assessed: the journal holds no action or inject."), outside]
    return [Table(("action", "on", "times", "when", "by"), body, (2.4, 3, 0.8, 2, 1.4), (2,)), outside]


def _maps(found: Found) -> list[Block]:
    pictures = charts.maps(found.run, found.moments, found.rows, found.where)
    return (
        [Pictures(pictures)] if pictures else [Text("Not drawn: no recorded output has both shapes and colours, or nothing is recorded.")]
    )


def _curves(found: Found) -> list[Block]:
    blocks: list[Block] = []
    for pictures in (charts.kpi_curves(found.run, found.kpis), charts.affected_curves(found.run, found.rows)):
        blocks += [Pictures(pictures)] if pictures else []
    return blocks or [Text("Not drawn: no key figure is made from a recorded output, and no element that is warned of has one that moved.")]


def _degraded(found: Found) -> list[Block]:
    run = found.run
    rows: list[Sequence[str | Cell]] = [
        [run.clock(row.happened_s), Cell("degraded", "bad"), f"{row.what} {row.where}".strip(), row.facts]
        for row in found.rows
        if row.kind == "degraded"
    ]
    rows += [
        ["-", Cell("does not close", "bad"), f"{one['model']}: {one['what']}", evidence.residual(one)]
        for one in evidence.open_accounts(run)
    ]
    if run.manifest.get("error") or run.committed_s < run.duration_s:
        ends = run.clock(run.committed_s) if run.committed_s >= 0 else "-"
        rows.append([ends, Cell(run.status, "bad"), "the run", str(run.manifest.get("error") or "ends before its time")])
    for model in run.models:
        for port in sorted(run.static[model].absent):
            rows.append(["-", Cell("absent", "quiet"), f"{model}.{port}", "its engine could not give it in this mode: absent, not zero"])
    accounts = len(run.ledger)
    closed = (
        f"{accounts - len(evidence.open_accounts(run))} of {plural(accounts, 'account')} of what is conserved close:"
        f" {', '.join(dict.fromkeys(str(one['what']) for one in run.ledger.to_dict('records')))}."
        if accounts
        else "The accounts of what is conserved: not assessed (the run kept none)."
    )
    told = Text(closed)
    nothing = Text("Nothing: no row of the journal says so, and every declared output was recorded.")
    return [Table(("time", "what", "where", "facts"), rows, (1, 1.5, 3, 4)) if rows else nothing, told]


def _reproduce(run: Run) -> list[Block]:
    command = f"twin run {run.path.resolve().name}/scenario.yaml (put beside the original scenario file: its city is relative)"
    run_digest = evidence.digest_of(evidence.digests_of(run), "run")
    blocks: list[Block] = [Facts([("command", command), ("run digest", run_digest), *evidence.identity(run)])]
    if run.city.synthetic:
        blocks += [Text("What is invented in this city, as its pack says:"), Bullets([(one, "") for one in run.city.synthetic])]
    if run.city.licences:
        blocks.append(Bullets([(one, "licence of the city pack") for one in run.city.licences]))
    return blocks
