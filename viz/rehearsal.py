"""A page about a rehearsal, from its scenario's file and its runs: what it is for, what happened, what its plans changed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.errors import InputError
from twin.results import Run
from viz import evidence, ratings, report, shot, story, tables, typeset, written
from viz.output import writing
from viz.page import Block, Bullets, Document, Facts, Note, Picture, Pictures, Section, Text
from viz.typeset import escape_markdown
from viz.whereabouts import Whereabouts
from viz.words import clock_span, judged, place_name, plural, status_cell

SIDES = ("nothing", "plan")
"""How the two runs are called in tables: without the scenario's plans, and with them."""
APART = ("name", "title", "plans")
"""What the scenario of the run without plans may have otherwise."""
PICTURE, PICTURE_BYTES = (1200, 675), 150_000
REDUCED = "Made from the reduced size of this rehearsal"
INDEX = "README.md"
FOREWORD = """# Rehearsals

A page for every scenario of the catalogue, each made by `twin page` from two runs of its file: as it is, and with its plans removed.
"""


@dataclass(frozen=True)
class Rehearsed:
    """A scenario's file as it was named, what it says (merged), and its runs: with its plans, and without where it has any."""

    file: Path
    says: Mapping[str, Any]
    run: Run
    nothing: Run | None
    command: str = ""

    def check(self) -> None:
        """Raise InputError unless both runs were made from the file and reached their ends."""
        self._check(self.run, ())
        if self.nothing is not None:
            self._check(self.nothing, APART)
        elif self.says.get("plans"):
            raise InputError(f"{self.file}: has plans: a page needs a run without them too (--set plans=null)")

    def _check(self, run: Run, apart: Sequence[str]) -> None:
        ours, theirs = (_without(written.leaves(said), apart) for said in (self.says, run.scenario))
        unlike = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
        if unlike:
            raise InputError(f"{run.path}: was not made from {self.file}: {unlike[0]} is another; run it again")
        if run.committed_s < run.duration_s:
            raise InputError(f"{run.path}: is {run.status} and ends at {run.clock(max(run.committed_s, 0))}; a page needs whole runs")


def _without(leaves: Mapping[str, str], keys: Sequence[str]) -> dict[str, str]:
    return {key: text for key, text in leaves.items() if key.partition(".")[0] not in keys}


def write(one: Rehearsed, folder: Path, *, at: str = "", camera: str = "", layers: Sequence[str] | None = None, look: str = "auto") -> Path:
    """Write `folder`/NAME.md with its picture, bring the index up to date, and return the page's path.

    `at` "": the worst moment by the rules of reports. InputError: a run that was not made from this file, a time, layer
    or camera that is not there, a folder that is missing.
    """
    one.check()
    path = folder / f"{one.file.stem}.md"
    typeset.check(path)
    second, why = one.run.second(one.run.at(at)) if at else 0, ""
    if not at:
        moments = {moment.name: moment for moment in story.moments(one.run, story.rows(one.run))}
        worst = moments.get("during") or moments["after"]
        second, why = worst.second, f": {worst.why}"
    jpg = shot.small(one.run, second, most_bytes=PICTURE_BYTES, size=PICTURE, camera=camera, layers=layers, look=look)
    said = f"{one.run.clock(second)}{', with the plan' if one.nothing is not None else ''}{why}."
    typeset.write(document(one, Picture("scene", jpg, said)), path)
    with writing(folder / INDEX) as beside:
        beside.write_text(index(folder), "utf-8")
    return path


def document(one: Rehearsed, picture: Picture) -> Document:
    """Return the page as plain data."""
    run = one.run
    sections = [
        Section("Purpose", _purpose(one)),
        Section("What happened, who did it and why", report.happened(run, story.rows(run), Whereabouts(run), repeats=False)),
        Section("Key figures", [tables.figures(tables.rows_of(run))]),
        Section("What the plan changed", _changed(one)),
        Section("How to make it again", _again(one)),
    ]
    head: list[Block] = [*_reduced(one), Text(_summary(one)), *evidence.warnings(run, listed=False), Pictures([picture])]
    footer = f"{one.file.name}: written by twin page from the record of simulations. {report.MODEL_ONLY}"
    title = str(one.says.get("title") or run.name.replace("_", " "))
    return Document("", title, f"{place_name(run)} · {clock_span(run)}", head, sections, footer, badges=[status_cell(run)])


def _reduced(one: Rehearsed) -> list[Block]:
    base = re.search(r"^based_on:\s*(\S+)", one.file.read_text("utf-8"), re.MULTILINE)
    if not base:
        return []
    full = base[1].strip("'\"")
    return [Note(f"{REDUCED} ({one.file}), not from the full one ({full}): its figures differ.")]


def _summary(one: Rehearsed) -> str:
    """Say in a sentence what came of it; the index takes it from here."""
    met = [[row["verdict"] == "met" for row in tables.rows_of(run) if judged(row)] for run in (one.run, one.nothing) if run is not None]
    if not met[0]:
        return "No key figure has a target."
    said = f"{sum(met[0])} of {plural(len(met[0]), 'target')} met"
    return f"{said} with the plan, {sum(met[1])} of {len(met[1])} doing nothing." if one.nothing is not None else f"{said}."


def _purpose(one: Rehearsed) -> list[Block]:
    objectives = [(rated.text + ".", f"rated {rated.letter or 'not assessed'}: {rated.why}") for rated in ratings.ratings(one.run)]
    plans = written.plans(one.run)
    blocks: list[Block] = [Bullets(objectives)] if objectives else [Text("The file states no objectives.")]
    blocks += [Text(f"Plans: {'; '.join(plans)}.")] if plans else [Text("It has no plan: it shows what happens.")]
    source = _foreword(one.file)
    return [*blocks, *([Text(f"What the file says of its numbers: {source}")] if source else [])]


def _foreword(file: Path) -> str:
    """Return the comment that a file begins with."""
    lines = []
    for line in file.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
    return " ".join(lines)


def _changed(one: Rehearsed) -> list[Block]:
    if one.nothing is None:
        return [Text("The scenario has no plans: there is nothing to compare with.")]
    beside = Text("nothing: the same file with its plans removed, same seed; plan: as it is.")
    pairs = tables.paired(one.nothing, one.run)
    return [
        beside,
        *tables.figures_of_two(one.nothing, one.run, pairs, SIDES),
        *tables.objectives_of_two(one.nothing, one.run, SIDES),
    ]


def _again(one: Rehearsed) -> list[Block]:
    run = one.run
    facts = [("plan", f"twin run {one.file}")]
    facts += [("nothing", f"twin run {one.file} --set plans=null")] if one.nothing is not None else []
    facts += [("this page", one.command)] if one.command else []
    facts += [("run digest", evidence.digest_of(evidence.digests_of(run), "run"))]
    if one.nothing is not None:
        facts.append(("run digest, nothing", evidence.digest_of(evidence.digests_of(one.nothing), "run")))
    return [Facts([*facts, *evidence.identity(run)])]


def index(folder: Path) -> str:
    """Return the index of a folder's pages: each with its title and the sentence that says what came of it."""
    lines = [FOREWORD]
    for page in sorted(folder.glob("*.md")):
        if page.name == INDEX:
            continue
        text = page.read_text("utf-8").splitlines()
        title = next((line.removeprefix("# ") for line in text if line.startswith("# ")), escape_markdown(page.stem))
        met = next((line for line in text if re.match(r"\d+ of \d+ targets? met", line)), "")
        reduced = " (reduced size)" if any(line.startswith(f"> **Note.** {REDUCED}") for line in text) else ""
        lines.append(f"- [{title}]({page.name}){reduced}{': ' if met else ''}{met}")
    return "\n".join(lines) + "\n"
