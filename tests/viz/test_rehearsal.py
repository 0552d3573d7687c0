"""Pages of rehearsals: made of runs of their file alone, with what the plans changed, and an index."""

from __future__ import annotations

import io
import re
from pathlib import Path

import drill
import pytest
import town
from PIL import Image
from ruamel.yaml import YAML

from twin import cli
from twin.errors import InputError
from twin.results import open_run
from viz import rehearsal, report, shot, story
from viz.rehearsal import Rehearsed
from viz.whereabouts import Whereabouts

PLANS = "plans:\n  shut_in_time: {levels: {}}\n"


def planned(folder: Path, **how: object) -> Path:
    """Record the drill as a run of a scenario that has a plan."""
    drill.record(folder, **how)
    with (folder / "scenario.yaml").open("a", encoding="utf-8") as file:
        file.write(PLANS)
    return folder


def jpeg() -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (32, 18)).save(held, "jpeg")
    return held.getvalue()


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> tuple[Path, Path]:
    """With the plan people are out in five minutes, doing nothing in ten."""
    folder = tmp_path_factory.mktemp("runs")
    return planned(folder / "plan"), drill.record(folder / "nothing", out_s=600)


@pytest.fixture
def one(runs, tmp_path, monkeypatch) -> Rehearsed:
    """The scenario's file with its runs; the picture is another test's."""
    monkeypatch.setattr(shot, "small", lambda *_, **__: jpeg())
    file = tmp_path / "s00_drill.yaml"
    file.write_text("# Numbers: drawn by hand\n# for a test.\n" + (runs[0] / "scenario.yaml").read_text("utf-8"), "utf-8")
    says = YAML(typ="safe", pure=True).load(file.read_text("utf-8"))
    return Rehearsed(file, says, open_run(runs[0]), open_run(runs[1]), "twin page s00_drill.yaml")


def cells(text: str, title: str) -> list[list[str]]:
    part = text.split(f". {title}\n")[1].split("\n## ", maxsplit=1)[0]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in part.splitlines() if line.startswith("| ")]


def test_a_page_tells_purpose_timeline_figures_and_what_the_plan_changed(one, tmp_path):
    text = rehearsal.write(one, tmp_path).read_text("utf-8")
    assert text.startswith("# drill\n")
    assert "1 of 2 targets met with the plan, 0 of 2 doing nothing." in text
    assert "People leave in time" in text and "Plans: shut\\_in\\_time." in text
    assert "What the file says of its numbers: Numbers: drawn by hand for a test." in text
    happened = cells(text, "What happened, who did it and why")
    assert happened[1][:3] == ["21:32:00", "action", "roads: close (timeline)"]
    kpis = cells(text, "Key figures")
    assert kpis[1][:5] == ["Nearly all out after", "4.5", "min", "≤ 6 min", "met"]
    changed = cells(text, "What the plan changed")
    assert changed[0][1:5] == ["nothing", "plan", "unit", "plan less nothing"]
    assert changed[1][1:3] == ["9", "4.5"] and changed[1][4] == "\\-4.5 min" and changed[1][-1].strip(" |") == "plan"
    assert re.search(r"run digest\*\* \| [0-9a-f]{64}", text) and "run digest, nothing" in text
    assert "twin page s00\\_drill.yaml" in text and "python 3.11" in text


def test_what_only_a_plan_can_reach_is_not_counted_against_doing_nothing(one, tmp_path):
    row = next(row for row in one.nothing.manifest["kpis"] if row["target"])
    row.update(value=None, verdict="no plans")
    text = rehearsal.write(one, tmp_path).read_text("utf-8")
    assert "1 of 2 targets met with the plan, 0 of 1 doing nothing." in text
    changed = next(cells for cells in cells(text, "What the plan changed") if cells[0] == row["label"])
    assert [changed[1], changed[7], changed[9].strip(" |")] == ["\\-", "no plans", "not assessed"]


def test_the_picture_lies_beside_the_page_and_the_index_names_every_page(one, tmp_path):
    rehearsal.write(one, tmp_path)
    assert [path.name for path in (tmp_path / "s00_drill_files").iterdir()] == ["01-scene.jpeg"]
    assert "](s00_drill_files/01-scene.jpeg)" in (tmp_path / "s00_drill.md").read_text("utf-8")
    index = (tmp_path / "README.md").read_text("utf-8")
    assert "- [drill](s00_drill.md): 1 of 2 targets met with the plan, 0 of 2 doing nothing." in index
    rehearsal.write(one, tmp_path)
    assert (tmp_path / "README.md").read_text("utf-8") == index


def test_a_page_of_a_reduced_file_says_so_first(one, tmp_path):
    reduced = tmp_path / "s00_small.yaml"
    reduced.write_text("based_on: ../s00_drill.yaml\n", "utf-8")
    text = rehearsal.write(Rehearsed(reduced, one.says, one.run, one.nothing), tmp_path).read_text("utf-8")
    assert text.splitlines()[6].startswith("> **Note.** Made from the reduced size of this rehearsal")
    assert "(reduced size)" in (tmp_path / "README.md").read_text("utf-8")


def test_the_timeline_says_who_did_it_and_why(one):
    plan = story.Row(60, 60, "plan", "plans", "level_reached", "info", "plan", (), 1, "level II", "water.pressure_m['J17'] = 8 m < 10 m")
    did = story.Row(120, 120, "action", "roads", "close", "info", "plan", ("E1",), 1, "name detour", "level II", "police")
    noticed = story.Row(121, 121, "notice", "roads", "jam", "alarm", "model", ("E2",), 1, "")
    (table,) = report.happened(one.run, [plan, did, noticed], Whereabouts(one.run))
    assert table.columns[-1] == "who and why"
    assert [row[-1] for row in table.rows] == ["water.pressure_m['J17'] = 8 m < 10 m", "police; level II", ""]
    assert [row[1].tone for row in table.rows] == ["info", "info", "bad"]


def test_facts_of_the_journal_give_who_and_why(tmp_path):
    run = open_run(drill.record(tmp_path / "plain"))
    run.events.at[0, "facts"] |= {"why": "it leaked", "by": "duty engineer"}
    first = story.rows(run)[0]
    assert (first.by, first.why) == ("duty engineer", "it leaked")
    assert "leaked" not in first.facts


def test_a_run_of_another_scenario_is_refused(one, tmp_path):
    other = Rehearsed(one.file, {**one.says, "seed": 99}, one.run, one.nothing)
    with pytest.raises(InputError, match=r"plan: was not made from .*s00_drill\.yaml: seed is another"):
        rehearsal.write(other, tmp_path)
    with pytest.raises(InputError, match="has plans: a page needs a run without them"):
        rehearsal.write(Rehearsed(one.file, one.says, one.run, None), tmp_path)


def test_a_run_cut_short_is_refused(one, tmp_path):
    short = open_run(planned(tmp_path / "short", last_s=300, finish="interrupted"))
    with pytest.raises(InputError, match=r"is interrupted and ends at 21:35:00; a page needs whole runs"):
        rehearsal.write(Rehearsed(one.file, one.says, short, one.nothing), tmp_path)


def test_a_small_picture_fits_the_bytes_it_may_have(tmp_path):
    run = open_run(town.write(tmp_path / "town"))
    found = shot.small(run, town.FAULT_S, most_bytes=20_000, size=(480, 270))
    assert len(found) <= 20_000
    assert Image.open(io.BytesIO(found)).format == "JPEG"


def test_the_command_refuses_in_one_line_what_is_no_scenario(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["page", str(tmp_path / "none.yaml"), "-o", str(tmp_path)])
    assert left.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
