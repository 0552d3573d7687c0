"""Two runs side by side: where they part, which is better, what of them can be compared at all."""

from __future__ import annotations

import functools
import io
import json
import re
import shutil
from pathlib import Path

import drill
import numpy as np
import pytest
from PIL import Image

from twin import cli
from twin.results import Run, open_run
from viz import compare as compares
from viz import divergence, tables, typeset
from viz.page import Document, Note, Pictures, Table

document = functools.cache(compares.document)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def a(root) -> Run:
    return open_run(drill.record(root / "early"))


@pytest.fixture(scope="module")
def b(root) -> Run:
    """The street closes two minutes later, and people leave faster."""
    return open_run(drill.record(root / "late", close_s=240, out_s=200, manifest={"seed": 8}))


def section(said: Document, title: str) -> list:
    return next(one.blocks for one in said.sections if one.title == title)


def rows(said: Document, title: str) -> list[list[str]]:
    table = next(block for block in section(said, title) if isinstance(block, Table))
    return [[getattr(cell, "text", cell) for cell in row] for row in table.rows]


def test_it_finds_the_first_sample_row_and_position_that_differ(a, b):
    assert rows(document(a, b), "Where they part") == [
        ["21:30:10", "fields", "people.inside everybody", "966.667", "950"],
        ["21:32:00", "journal", "roads.close E1", "roads.close E1 (edge E1, name shut)", "nothing"],
        ["21:32:00", "positions", "people: on foot 0", "240.0, 0.0 m", "120.0, 0.0 m"],
    ]
    assert "They first part at 21:30:10, in the fields: people.inside everybody (A: 966.667; B: 950)." in [
        getattr(one, "text", "") for one in document(a, b).head
    ]


def test_the_first_difference_of_the_fields_is_there_in_the_record(a, b):
    _, first = divergence.apart(a, b)
    model, port = first.what.split(".")
    ours, theirs = (run.fields[model][port].sel({run.static[model].ports[port].at: first.element}) for run in (a, b))
    assert (f"{float(ours.sel(time=a.time(first.second))):.6g}", f"{float(theirs.sel(time=a.time(first.second))):.6g}") == (
        first.a,
        first.b,
    )
    before = slice(None, a.time(first.second - 1))
    for name in a.models:
        assert a.fields[name].sel(time=before).equals(b.fields[name].sel(time=before))


def test_the_first_parting_is_found_without_drawing_and_same_files_are_not_read(a, b, root, monkeypatch):
    first = divergence.first(a, b)
    assert (a.clock(first.second), first.record, first.what) == ("21:30:10", "fields", "people.inside")
    copy = open_run(Path(shutil.copytree(a.path, root / "copy")))
    assert divergence.first(a, copy) is None
    monkeypatch.setattr(divergence, "values", lambda *_: pytest.fail("fields of the same bytes were read"))
    monkeypatch.setattr(divergence, "_positions", lambda *_: pytest.fail("positions of the same bytes were read"))
    assert divergence.first(a, copy) is None
    with pytest.raises(pytest.fail.Exception, match="fields of the same bytes"):
        divergence.first(a, b)


def test_the_same_bytes_mean_another_thing_where_elements_are_others(a, root):
    other = Path(shutil.copytree(a.path, root / "renamed"))
    sheet = other / "static" / "people.json"
    sheet.write_text(sheet.read_text().replace('"on foot"', '"afoot"'))
    assert not divergence._alike(a, open_run(other), "people") and divergence._alike(a, open_run(other), "roads")


def test_key_figures_stand_side_by_side_with_their_difference_and_who_is_better(a, b):
    assert rows(document(a, b), "Key figures") == [
        ["Nearly all out after", "4.5", "3", "min", "-1.5 min", "-33.3 %", "≤ 6 min", "met", "met", "B"],
        ["Slowest street", "0.5", "0.5", "m/s", "0 m/s", "0 %", "≥ 5 m/s", "missed", "missed", "same"],
        ["Jams", "2", "2", "", "0", "0 %", "-", "no target", "no target", "not assessed"],
    ]
    turned = rows(document(b, a), "Key figures")[0]
    assert (turned[4], turned[5], turned[9]) == ("+1.5 min", "+50.0 %", "A")


def test_higher_is_better_where_the_target_says_so():
    one = {"value": 3.0, "unit": "m", "target": ">= 2 m", "verdict": "met"}
    assert tables.better(one, one | {"value": 4.0}).text == "B"
    assert tables.better(one, one | {"value": None, "verdict": "not reached"}).text == "A"
    missed = one | {"verdict": "missed"}
    assert tables.better(missed, one | {"value": None, "verdict": "not reached"}).text == "not assessed"
    assert tables.better(one, one | {"value": None, "verdict": "no plans"}).text == "not assessed"
    assert tables.better(one, one | {"value": 4.0, "target": "<= 2 m"}).text == "not assessed"
    assert tables.better(one, one | {"value": 4.0, "unit": "km"}).text == "not assessed"


def test_objectives_stand_side_by_side(a, b):
    assert [row[:3] for row in rows(document(a, b), "Objectives")] == [
        ["People leave in time", "P", "P"],
        ["Streets keep flowing", "U", "U"],
        ["Nobody hurries", "not assessed", "not assessed"],
    ]


def test_what_went_in_is_told_apart_key_by_key(a, b):
    assert rows(document(a, b), "What went in") == [["scenario: timeline.shut.at", "+120 s", "+240 s"], ["seed", "7", "8"]]


def test_curves_and_difference_maps_are_pictures_with_something_on_them(a, b):
    said = document(a, b)
    (maps,) = (block for block in section(said, "Difference maps") if isinstance(block, Pictures))
    assert [one.caption for one in maps.items] == [
        "roads.speed_m_per_s at 21:32:00: red where late (B) is higher, blue where early (A) is."
    ]
    image = np.asarray(Image.open(io.BytesIO(maps.items[0].data)).convert("RGB")).astype(int)
    red = (image[..., 0] > image[..., 2] + 60).sum()
    assert red > 500  # E1 is faster in B, where it is still open
    (curves,) = (block for block in section(said, "Curves") if isinstance(block, Pictures))
    assert len(curves.items) == 1


def test_how_far_apart_the_records_get_is_told_by_output(a, b):
    told = {row[0]: row for row in rows(document(a, b), "How far apart the records get")}
    assert told["roads: mean speed"] == ["roads: mean speed", "4.9 %", "+9.5 m/s", "21:32:00", "E1"]
    assert set(told) == {"roads: mean speed", "roads: road is open", "people: people inside"}


def test_the_same_data_are_called_identical(a, root):
    again = open_run(drill.record(root / "again"))
    said = document(a, again)
    assert [one.text for one in said.head if isinstance(one, Note) and one.tone == "good"] == [
        "Identical data: fields, positions, journal and static data of both runs are the same bytes."
    ]
    assert section(said, "Where they part")[0].text.startswith("Nowhere: identical data.")


def test_a_run_cut_short_is_compared_as_far_as_it_goes_and_page_one_says_so(a, root):
    cut = open_run(drill.record(root / "cut", last_s=200, finish=""))
    notes = [one.text for one in document(cut, a).head if isinstance(one, Note)]
    assert notes[0].startswith("A: This run is unfinished. It was to end at 21:40:00; recorded from 21:30:00 up to 21:33:20.")
    assert "A is recorded for 3 min 20 s, B for 10 min: records are compared up to 21:33:20" in notes[1]
    assert section(document(cut, a), "Where they part")[0].text.startswith("Nowhere in what both recorded")
    assert [row[1:3] for row in rows(document(cut, a), "Key figures")] == [["-", "4.5"], ["-", "0.5"], ["-", "2"]]


def test_different_elements_and_cities_are_compared_where_they_meet(a, root):
    other = open_run(drill.record(root / "other", element="E9", manifest={"city": {"name": "elsewhere", "digest": "c2"}}))
    notes = [one.text for one in document(a, other).head if isinstance(one, Note)]
    assert "The cities differ: elements are compared where both have one of the same name." in notes
    assert "roads, edge: 3 elements in both are compared; 1 only in A, 1 only in B." in notes


def test_runs_without_anything_in_common_are_told_so(a, root):
    folder = root / "alone"
    shutil.copytree(a.path, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["models"], manifest["kpis"] = ["people"], []
    (folder / "manifest.json").write_text(json.dumps(manifest))
    alone = open_run(folder)
    assert "Only A has roads." in [one.text for one in document(a, alone).head if isinstance(one, Note)]


@pytest.mark.parametrize("suffix", typeset.FORMATS)
def test_the_command_writes_every_format_whole(a, b, tmp_path, capsys, suffix):
    path = tmp_path / f"compare{suffix}"
    with pytest.raises(SystemExit) as stop:
        cli.main(["compare", str(a.path), str(b.path), "-o", str(path)])
    assert stop.value.code == 0
    told = capsys.readouterr().out.splitlines()
    assert told == ["They first part at 21:30:10, in the fields: people.inside everybody (A: 966.667; B: 950).", str(path)]
    data = path.read_bytes()
    assert data.startswith({".html": b"<!DOCTYPE html>", ".md": b"Comparison of two runs", ".pdf": b"%PDF-"}[suffix])
    if suffix == ".md":
        assert all((tmp_path / name).is_file() for name in re.findall(r"\]\((compare_files/[^)]+)\)", data.decode()))


@pytest.mark.parametrize(("name", "code", "said"), [("x.doc", 2, "no format '.doc'"), ("no/x.html", 2, "there is no folder")])
def test_a_comparison_that_cannot_be_written_is_refused_in_one_line(a, b, tmp_path, capsys, name, code, said):
    with pytest.raises(SystemExit) as stop:
        cli.main(["compare", str(a.path), str(b.path), "-o", str(tmp_path / name)])
    told = capsys.readouterr().err
    assert (stop.value.code, told.count("\n"), said in told) == (code, 1, True)


def test_something_that_is_no_run_is_refused(a, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["compare", str(a.path), str(tmp_path), "-o", str(tmp_path / "x.html")])
    assert (stop.value.code, "is no run" in capsys.readouterr().err) == (4, True)


def test_a_damaged_scenario_file_is_named(a, root, tmp_path, capsys):
    folder = root / "damaged"
    shutil.copytree(a.path, folder)
    (folder / "scenario.yaml").write_text("name: {{{")
    with pytest.raises(SystemExit) as stop:
        cli.main(["compare", str(folder), str(a.path), "-o", str(tmp_path / "x.html")])
    assert (stop.value.code, "scenario.yaml: is damaged" in capsys.readouterr().err) == (4, True)
    assert not list(tmp_path.iterdir())


def test_a_figure_in_another_unit_is_compared_in_that_of_the_first():
    one, other = {"value": 367.0, "unit": "s"}, {"value": 6.5, "unit": "min"}
    assert tables.in_unit(other, one) == {"value": pytest.approx(390.0), "unit": "s"}
    assert tables.in_unit(other, one | {"unit": "kg"}) == other
    assert tables.in_unit(None, one) is None


def test_no_run_that_was_cut_short_is_called_better(a, root):
    stopped = open_run(drill.record(root / "stopped", last_s=400, finish="interrupted", out_s=200))
    told = rows(document(a, stopped), "Key figures")
    assert told[0][:3] == ["Nearly all out after", "4.5", "3"]
    assert {row[9] for row in told} == {"not assessed"}
