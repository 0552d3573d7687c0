"""Reports and comparisons of odd runs: cut short, of counts, with nothing in common, with names that no page should obey."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import drill
import numpy as np
import pytest

import twin
from twin.results import Run, open_run
from viz import charts, compare, divergence, evidence, ratings, report, story, tables, typeset, words, written
from viz.page import Bullets, Cell, Document, Facts, Note, Section, Table, Text, Tiles

COUNTS = {
    "slow": {"of": "roads.speed_m_per_s", "across": "count_below", "limit": "18 km/h", "over": "max"},
    "share": {"of": "roads.speed_m_per_s", "across": "share_below", "limit": "5 m/s", "over": "last"},
    "late": {"of": "roads.speed_m_per_s", "at": ["E1"], "over": "max", "from": "21:33", "to": "21:35"},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("odd")


@pytest.fixture(scope="module")
def run(root) -> Run:
    return open_run(drill.record(root / "run"))


def changed(run: Run, folder: Path, **manifest: object) -> Run:
    """Copy a run with some keys of its manifest changed."""
    shutil.copytree(run.path, folder)
    said = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(said | manifest))
    return open_run(folder)


def texts(blocks: list) -> list[str]:
    return [getattr(block, "text", "") for block in blocks]


def test_a_run_that_did_not_reach_its_end_is_not_rated_and_says_what_it_came_to_so_far(root):
    cut = open_run(drill.record(root / "cut", last_s=400, finish="interrupted"))
    assert dict(zip(cut.kpis["name"], cut.kpis["verdict"], strict=True))["out"] == "met"
    rated = ratings.ratings(cut)
    assert [one.letter for one in rated] == ["", "", ""]
    assert rated[0].why == "the run is interrupted and ends at 21:36:40; so far P (1 of 1 targets met)"
    assert ratings.ratings(open_run(drill.record(root / "whole")))[0].letter == "P"


def test_the_curve_of_a_count_is_the_count_and_ends_at_the_figure(root):
    counted = open_run(drill.record(root / "counted", kpis=COUNTS))
    figures = dict(zip(counted.kpis["name"], counted.kpis["value"], strict=True))
    slow, word, unit = written.curve(counted, COUNTS["slow"])
    assert (slow.max(), word, unit) == (figures["slow"], "number below 18 km/h:", "1")
    assert written.curve(counted, COUNTS["share"])[0][-1] == figures["share"] == 0.25
    inside = written.curve(counted, COUNTS["late"])[0][written.window(counted, COUNTS["late"])]
    assert (len(inside), inside.max()) == (13, figures["late"])
    assert len(charts.kpi_curves(counted, counted.kpis.to_dict("records"))) == 1


def test_a_curve_of_an_element_that_is_not_there_is_not_that_of_all(run):
    with pytest.raises(twin.InputError, match="this run has no E77"):
        written.chosen(run, {"of": "roads.speed_m_per_s", "at": "E77"})
    assert not written.drawn(run, {"of": "roads.speed_m_per_s", "at": "E77"})


@pytest.mark.parametrize(
    ("said", "unit", "number"),
    [
        ("<= 8 min", "s", 480.0),
        ("4 1/m2", "1/m2", 4.0),
        ("5 %", "1", 0.05),
        ("0.95 pu", "pu", 0.95),
        ("1 m3/s", "l/s", 1000.0),
        ("9 **9", "s", None),
        ("3 kg", "s", None),
        ("1.2.3 s", "s", None),
        ("", "s", None),
    ],
)
def test_a_level_is_read_in_the_units_of_its_axis_or_not_at_all(said, unit, number):
    assert written.quantity(said, unit) == (None if number is None else pytest.approx(number))


def test_an_action_in_the_first_second_is_not_called_nothing(root):
    early = open_run(drill.record(root / "early", close_s=0))
    before = story.moments(early, story.rows(early))[0]
    assert (before.second, before.why) == (0, "the first sample: none is earlier than roads: close (21:30:00)")


def test_a_figure_that_missed_its_target_never_looks_like_it():
    row = {"name": "out", "value": 8.00004, "unit": "min", "target": "<= 8 min"}
    assert words.figure(row) == "8.00004 min"
    assert words.number(1000.2, beside=1000.4) == "1,000.2"
    assert words.number(61443.0) == "61,443"
    assert (words.number(math.inf), words.number(math.nan), words.number(None)) == ("inf", "-", "-")


def test_facts_are_written_as_people_write_them_and_a_cut_shows():
    assert story._facts({"people": 61443.0, "gate": "S"}) == "people 61,443, gate S"
    assert story._facts({"why": "word " * 90}).endswith(" …")


def test_a_figure_without_target_that_has_no_value_is_no_failure(run):
    row = {"name": "jam", "value": None, "unit": "s", "target": "", "verdict": "not reached", "label": "First jam"}
    assert words.verdict_cell(row) == Cell("no value", "quiet")
    assert evidence.areas(run, [], [row])[0].cites == "ledger"


def test_areas_that_are_not_written_out_are_counted(run):
    rows = [story.Row(1, 1, "notice", "roads", f"odd_{i}", "warning", "model", (), 1, "") for i in range(evidence.AREAS + 3)]
    found = report.Found(run, rows, [], [], [], None, evidence.areas(run, rows, []))
    assert texts(report._areas(found))[-1] == "4 more are not written out here."


@pytest.mark.parametrize("manifest", [{"objectives": [{"name": "x"}]}, {"ledger": [{"model": "x", "closes": False}]}])
def test_a_damaged_manifest_is_named(run, tmp_path, manifest):
    with pytest.raises(twin.errors.StorageError, match=r"manifest\.json: is damaged"):
        report.document(changed(run, tmp_path / "damaged", **manifest))


def test_positions_are_compared_at_the_seconds_that_both_recorded(run, tmp_path):
    seldom = changed(run, tmp_path / "seldom", tracks_every_s=120)
    read = seldom.tracks
    seldom.tracks = lambda model, start, end: (found := read(model, start, end))[(found["time"] - seldom.time(0)).dt.seconds % 120 == 0]
    assert len(seldom.tracks("people", 0, 600)) < len(run.tracks("people", 0, 600))
    assert divergence.tracks(run, seldom) is None
    without = changed(run, tmp_path / "without", tracks_every_s=0)
    shutil.rmtree(without.path / "tracks")
    said = compare.document(run, without)
    assert "Not compared, as not recorded in both: positions." in texts(said.sections[0].blocks)


def test_runs_with_nothing_to_compare_are_not_called_alike(run, root):
    empty = open_run(drill.record(root / "empty", last_s=-10, finish=""))
    said = compare.document(run, empty)
    assert any(text.startswith("Nothing was compared") for text in texts(said.head))
    assert texts(said.sections[0].blocks) == ["Not assessed: nothing of the two records could be compared."]


def test_values_that_differ_never_look_the_same():
    assert divergence.apart_text(np.float32(1), np.float32(1.0000001)) == ("1", "1.0000001")
    assert divergence.apart_text(np.True_, np.False_) == ("yes", "no")
    assert [compare.percent(share) for share in (1.0, 0.99999, 0.5, 0.00001)] == ["100 %", ">99.9 %", "50.0 %", "<0.1 %"]
    one = {"value": 100_000.0, "unit": "m", "target": ""}
    assert tables.difference(one, one | {"value": 100_001.0}) == ("+1 m", "+<0.1 %")


def test_what_went_in_is_compared_whole_however_long():
    long = "x" * 400
    assert written.leaves({"note": long + "a"}) != written.leaves({"note": long + "b"})


def test_pictures_of_others_are_never_removed(tmp_path):
    (tmp_path / "r_files").mkdir()
    (tmp_path / "r_files" / "holiday.png").write_bytes(b"mine")
    with pytest.raises(twin.InputError, match="something else"):
        typeset.write(Document("k", "t", "s", [], []), tmp_path / "r.md")
    assert (tmp_path / "r_files" / "holiday.png").read_bytes() == b"mine"


def test_labels_that_cannot_be_drawn_or_never_end_leave_the_curves_whole(root, recwarn):
    run = open_run(drill.record(root / "labels", element="E" * 400, kpis=COUNTS))
    rows = [row | {"label": f"\ud800\x07 \U0001f600 {'x' * 400}"} for row in run.kpis.to_dict("records")]
    (picture,) = charts.kpi_curves(run, rows)
    (beside,) = charts.affected_curves(run, story.rows(run))
    assert min(len(picture.data), len(beside.data)) > 10_000
    assert not [str(one.message) for one in recwarn.list]


NASTY = "#eval(1) $x$ @a \\ <b> | `q` _u_ *s* [l](e) \u202e\u200f\x00\x07\ud800 2014. z"
SHOWN = "#eval(1) $x$ @a \\ <b> | `q` _u_ *s* [l](e)"


@pytest.mark.parametrize("suffix", typeset.FORMATS)
def test_letters_that_no_page_can_hold_are_replaced_and_markup_is_text(tmp_path, suffix):
    blocks = [Text(NASTY), Note(NASTY), Bullets([(NASTY, NASTY)]), Tiles([(NASTY, NASTY, NASTY, "bad")]), Facts([(NASTY, NASTY)])]
    blocks.append(Table((NASTY, "b"), [[NASTY, Cell(NASTY, "bad")]]))
    path = tmp_path / f"nasty{suffix}"
    typeset.write(Document(NASTY, NASTY, NASTY, blocks, [Section(NASTY, blocks)], NASTY, badges=[Cell(NASTY, "good")]), path)
    if suffix == ".pdf":
        pdf = pytest.importorskip("pypdfium2").PdfDocument(path)
        text = "".join(page.get_textpage().get_text_range() for page in pdf)
        assert "".join(text.replace("\u200b", "").split()).count("".join(SHOWN.split())) >= 10
        return
    text = path.read_text("utf-8")
    assert not set(text) & set("\u202e\u200f\x00\x07")
    assert "\ufffd" in text
    assert "<b> |" not in text
