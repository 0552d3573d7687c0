"""The after-action report: what it says, in three formats, through the command line; what it refuses."""

from __future__ import annotations

import base64
import dataclasses
import functools
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import drill
import mini
import numpy as np
import pytest
import sixth
from PIL import Image

import twin
from twin import cli
from twin.results import Run, open_run
from viz import charts, typeset
from viz import report as reports
from viz.page import Pictures, Table
from viz.report import report


@pytest.fixture(scope="module", autouse=True)
def _small_maps() -> Iterator[None]:
    """Draw maps with few dots: what is on them is asserted, not how fine they are."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MAP", "CLOSE"):
            patch.setattr(charts, name, dataclasses.replace(getattr(charts, name), dpi=40))
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return open_run(drill.record(tmp_path_factory.mktemp("runs") / "drill"))


class Page(HTMLParser):
    """What a browser would see: text, tags, addresses."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self.links, self.images = "", [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        said = dict(attrs)
        self.links += [said[key] for key in ("href", "src") if key in said and tag != "img"]
        if tag == "img":
            self.images.append(said["src"])

    def handle_data(self, data):
        self.text += data


document = functools.cache(reports.document)
"""The report of a run, made once however many tests read or write it."""


@pytest.fixture
def made_once(monkeypatch) -> None:
    monkeypatch.setattr(reports, "document", document)


@pytest.fixture(scope="module")
def page(run, tmp_path_factory) -> Page:
    path = tmp_path_factory.mktemp("html") / "report.html"
    typeset.write(document(run), path)
    return Page(path.read_text("utf-8"))


def section(run: Run, title: str) -> list:
    return next(one.blocks for one in document(run).sections if one.title == title)


def rows(run: Run, title: str) -> list[list[str]]:
    table = next(block for block in section(run, title) if isinstance(block, Table))
    return [[getattr(cell, "text", cell) for cell in row] for row in table.rows]


def test_the_first_page_says_what_when_where_and_that_the_city_is_made_up(page):
    assert "A street closes" in page.text
    assert "Hexi 南京河西 · 2014-08-16, 21:30:00 to 21:40:00 (10 min, Asia/Shanghai)" in page.text
    assert "This city is schematic" in page.text
    assert "The journal holds 1 action, at 21:32:00 (roads: close E1)." in page.text
    assert "1 of 2 targets were met. Objectives: 1 P, 1 U, 1 not assessed." in page.text


def test_the_timeline_tells_actions_from_warnings_and_what_was_seen_later(run):
    told = rows(run, "What happened")
    assert told[0] == ["21:32:00", "action", "roads: close (timeline)", "E1; near Stadium 奥体中心体育场; edge E1, name shut"]
    assert told[1] == ["21:32:00", "warning", "roads: jam", "E1; near Stadium 奥体中心体育场; queue 12.35; seen 5 s later"]
    assert told[3][1:3] == ["degraded", "roads: degraded"]
    assert not [row for row in told if "arrived" in row[2]]


def test_every_row_of_the_journal_is_counted_by_kind(run):
    counted = next(block for block in reversed(section(run, "What happened")) if isinstance(block, Table))
    assert ["notice", "people: arrived", "debug", "1", "21:33:10", "21:33:10"] in [list(row) for row in counted.rows]
    assert sum(int(row[3]) for row in counted.rows) == len(run.events)


def test_key_figures_stand_with_unit_target_and_verdict(run):
    assert rows(run, "Key figures") == [
        ["Nearly all out after", "4.5", "min", "≤ 6 min", "met", "out"],
        ["Slowest street", "0.5", "m/s", "≥ 5 m/s", "missed", "slowest"],
        ["Jams", "2", "", "-", "no target", "jams"],
    ]


def test_objectives_are_rated_and_each_rating_cites_its_kpis(run):
    assert [row[:2] for row in rows(run, "Objectives")] == [
        ["People leave in time", "P"],
        ["Streets keep flowing", "U"],
        ["Nobody hurries", "not assessed"],
    ]
    assert all(re.search(r"\(KPI \w+", row[3]) for row in rows(run, "Objectives"))


def test_without_objectives_nothing_is_rated(tmp_path):
    bare = open_run(drill.record(tmp_path / "bare", manifest={"objectives": []}))
    assert section(bare, "Objectives")[0].text == "Not assessed: the scenario states no objectives (section `objectives:` of its file)."
    del bare.manifest["objectives"]
    assert section(bare, "Objectives")[0].text.startswith("Not assessed")


def test_every_strength_and_area_cites_a_kpi_the_journal_or_the_ledger(run):
    cited = [cite for title in ("Strengths", "Areas to improve") for _, cite in section(run, title)[0].items]
    assert cited == [
        "KPI out",
        "KPI slowest",
        "journal 21:33:30, roads.degraded",
        "ledger",
        "journal 21:32:00, roads.jam E1",
    ]
    kpis, journal = set(run.kpis["name"]), {(run.clock(row.t_happened_s), f"{row.model}.{row.name}") for row in run.events.itertuples()}
    for cite in cited:
        if cite.startswith("KPI"):
            assert cite.removeprefix("KPI ") in kpis
        elif cite.startswith("journal"):
            clock, what = cite.removeprefix("journal ").split(", ", 1)
            assert (clock, what.split()[0]) in journal


def test_the_plan_leaves_who_and_when_to_the_organiser_and_calls_nothing_a_cause(run):
    plan = rows(run, "Improvement plan")
    assert [row[1] for row in plan] == ["Slowest street", "roads: degraded", "people: people", "roads: jam"]
    assert all(row[4:] == ["", ""] for row in plan)
    assert plan[1][3] == "roads as a whole; 1 min 30 s after roads: close E1 (21:32:00)"


def test_resources_come_from_actions_and_the_rest_is_not_assessed(run):
    assert rows(run, "Resources used") == [["roads: close", "E1", "1", "21:32:00", "timeline"]]
    assert section(run, "Resources used")[-1].text.endswith("not assessed (the run records none).")


def test_what_was_degraded_absent_or_does_not_balance_is_listed(run):
    assert [row[1:3] for row in rows(run, "What was degraded")] == [
        ["degraded", "roads: degraded"],
        ["does not close", "people: people"],
        ["absent", "roads.noise_db"],
    ]


def test_it_says_how_to_reproduce_the_run(run):
    facts = dict(section(run, "How to reproduce it")[0].rows)
    assert facts["run digest"] == run.digest
    assert (facts["seed"], facts["city digest"], facts["versions"]) == ("7", "c1", "python 3.11")
    assert re.fullmatch("[0-9a-f]{64}", facts["config digest"])


def test_maps_show_before_during_and_after_by_rule(run):
    (pictures,) = (block for block in section(run, "Maps before, during and after") if isinstance(block, Pictures))
    said = [picture.caption for picture in pictures.items]
    assert said[-3:] == [
        "Before, 21:31:50: the last sample before roads: close (21:32:00).",
        "During, 21:32:00: the first sample at which the most elements were off that were on at the start (1).",
        "After, 21:40:00: the last sample.",
    ]
    images = [np.asarray(Image.open(io.BytesIO(picture.data)).convert("RGB")) for picture in pictures.items[-3:]]
    assert all(len(np.unique(image.reshape(-1, 3), axis=0)) > 50 for image in images)
    assert (images[0] != images[1]).any()


def test_the_html_is_one_file_that_asks_nobody_for_anything(page):
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert all(link.startswith("#") for link in page.links)
    assert len(page.images) == 6
    for image in page.images:
        kind, data = image.split(",", 1)
        assert kind == "data:image/png;base64"
        Image.open(io.BytesIO(base64.b64decode(data))).verify()


@pytest.mark.usefixtures("made_once")
def test_markdown_has_its_pictures_beside_it_and_a_second_report_replaces_them(run, tmp_path):
    path = tmp_path / "my report.md"
    for _ in range(2):
        report(run, path)
        text = path.read_text("utf-8")
        shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
        assert len(shown) == 6
        assert all((tmp_path / name.replace("%20", " ")).is_file() for name in shown)
        assert sorted(one.name for one in tmp_path.iterdir()) == ["my report.md", "my report_files"]
    assert "| Slowest street | 0.5 | m/s | ≥ 5 m/s | missed | slowest |" in text
    assert "奥体中心体育场" in text


@pytest.mark.usefixtures("made_once")
def test_a_folder_with_something_else_is_not_taken_for_pictures(run, tmp_path):
    (tmp_path / "report_files").mkdir()
    (tmp_path / "report_files" / "thesis.docx").write_text("mine")
    with pytest.raises(twin.InputError, match="holds something else"):
        report(run, tmp_path / "report.md")
    assert (tmp_path / "report_files" / "thesis.docx").read_text() == "mine"
    assert not (tmp_path / "report.md").exists()


@pytest.mark.usefixtures("made_once")
def test_the_pdf_has_pages_with_the_chinese_font_and_the_text(run, tmp_path):
    path = tmp_path / "report.pdf"
    report(run, path)
    data = path.read_bytes()
    assert data.startswith(b"%PDF-")
    assert b"NotoSansSC" in data
    assert data.count(b"/Subtype /Image") >= 6 or data.count(b"/Subtype/Image") >= 6


HOSTILE = r"""<script>alert(1)</script> #eval("1") $x$ *b* _i_ [l](http://x.example) |cell| `c` {{ 7*7 }} {% raw %} \"' </title> 奥"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Run:
    said = {"kpis": {"out": {**drill.KPIS["out"], "label": HOSTILE}}, "city": drill.ground(HOSTILE)}
    objectives = [{"name": "leave", "text": HOSTILE, "kpis": ["out"]}]
    folder = tmp_path_factory.mktemp("hostile") / "run"
    return open_run(drill.record(folder, title=HOSTILE, element=f"E1{HOSTILE}", manifest={"objectives": objectives}, **said))


@pytest.mark.usefixtures("made_once")
def test_a_hostile_scenario_writes_text_into_the_page_and_nothing_else(hostile, tmp_path):
    path = tmp_path / "hostile.html"
    report(hostile, path)
    page = Page(path.read_text("utf-8"))
    assert page.text.count(HOSTILE) >= 6
    assert not {"script", "a href"} & set(page.tags)
    assert all(link.startswith("#") for link in page.links)


@pytest.mark.usefixtures("made_once")
def test_a_hostile_scenario_writes_text_into_markdown_and_nothing_else(hostile, tmp_path):
    from markdown_it import MarkdownIt

    path = tmp_path / "hostile.md"
    report(hostile, path)
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(path.read_text("utf-8"))
    page = Page(html)
    assert HOSTILE in page.text
    assert not {"script", "a", "code"} & set(page.tags)
    (heading,) = re.findall(r"<h1>(.*)</h1>", html)
    assert "<" not in heading


@pytest.mark.usefixtures("made_once")
def test_a_hostile_scenario_writes_text_into_the_pdf_and_nothing_else(hostile, tmp_path):
    report(hostile, tmp_path / "hostile.pdf")
    assert (tmp_path / "hostile.pdf").read_bytes().startswith(b"%PDF-")
    template = (typeset.PAGES / "page.typ").read_text()
    assert "eval(" not in template
    assert "include" not in template


def test_a_run_cut_short_says_so_on_page_one_and_shows_what_is_there(tmp_path):
    cut = open_run(drill.record(tmp_path / "cut", last_s=240, finish=""))
    head = document(cut).head[0]
    assert head.text.startswith("This run is unfinished. It was to end at 21:40:00; recorded from 21:30:00 up to 21:34:00.")
    assert head.tone == "bad"
    assert "they are computed at the end" in section(cut, "Key figures")[0].text
    assert "After, 21:34:00: the last sample." in [one.caption for one in section(cut, "Maps before, during and after")[0].items]
    assert section(cut, "Objectives")[0].rows[0][1].text == "not assessed"


def test_a_failed_run_says_which_error_ended_it(tmp_path):
    folder = drill.record(tmp_path / "failed", last_s=240, finish="failed")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"error": "roads at 21:34:00: the engine died"}))
    failed = open_run(folder)
    assert "This run is failed: roads at 21:34:00: the engine died." in document(failed).head[0].text
    assert "roads at 21:34:00: the engine died" in [row[3] for row in rows(failed, "What was degraded")]


def test_a_run_with_nothing_recorded_still_gives_a_report(tmp_path):
    empty = open_run(drill.record(tmp_path / "empty", last_s=-10, finish=""))
    report(empty, tmp_path / "empty.html")
    assert "nothing is recorded" in Page((tmp_path / "empty.html").read_text("utf-8")).text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("report.docx", "no format '.docx'"),
        ("report.htm", "no format '.htm'; did you mean '.html'?"),
        ("nowhere/report.html", "there is no folder"),
        ("folder.html", "is a folder; name a file"),
    ],
)
def test_a_report_that_cannot_be_written_is_refused_in_one_line(run, tmp_path, capsys, name, said):
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(SystemExit) as stop:
        cli.main(["report", str(run.path), "-o", str(tmp_path / name)])
    told = capsys.readouterr().err
    assert (stop.value.code, told.count("\n")) == (2, 1)
    assert said in told
    assert [one.name for one in tmp_path.iterdir()] == ["folder.html"]


def test_a_folder_that_is_no_run_is_a_matter_of_storage(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["report", str(tmp_path), "-o", str(tmp_path / "report.html")])
    assert (stop.value.code, "is no run" in capsys.readouterr().err, list(tmp_path.iterdir())) == (4, True, [])


@pytest.mark.usefixtures("made_once")
def test_a_full_disk_leaves_nothing_half_written(run, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    monkeypatch.setattr(Path, "write_bytes", full)
    for name in ("report.html", "report.md", "report.pdf"):
        with pytest.raises(twin.errors.StorageError, match="No space left"):
            report(run, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_the_report_needs_neither_vtk_nor_a_browser(tmp_path):
    run = open_run(drill.record(tmp_path / "run", last_s=10, finish="interrupted"))
    code = (
        "import sys\n"
        "for name in ('vtk', 'vtkmodules', 'pyvista', 'trame', 'playwright'): sys.modules[name] = None\n"
        "from twin.cli import main\n"
        f"main(['report', {str(run.path)!r}, '-o', {str(tmp_path / 'report.html')!r}])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(tmp_path / "report.html"), "")


def test_a_sixth_model_is_reported_without_a_change(tmp_path, monkeypatch):
    sixth.register(monkeypatch)
    text = mini.SCENARIO + 'objectives:\n  warm: {text: "Nobody freezes", kpis: [coldest]}\n'
    with twin.Simulation(mini.write(tmp_path, text), tmp_path / "run") as sim:
        sim.until("+20 min")
    found = open_run(tmp_path / "run")
    assert rows(found, "Objectives")[0][:2] == ["Nobody freezes", "P"]
    assert rows(found, "Key figures")[0][4:] == ["met", "coldest"]
    assert "heat: heat" in {row[0] for row in rows(found, "Resources used")}
    assert [one.name for one in section(found, "Curves")[0].items] == ["curves-kpis"]
    assert section(found, "Maps before, during and after")[0].items


def test_an_objective_that_names_no_kpi_is_refused_with_its_line(tmp_path, capsys, monkeypatch):
    sixth.register(monkeypatch)
    text = mini.SCENARIO + 'objectives:\n  warm: {text: "Nobody freezes", kpis: [coldset]}\n'
    with pytest.raises(SystemExit) as stop:
        cli.main(["validate", str(mini.write(tmp_path, text))])
    line = text[: text.index("warm:")].count("\n") + 1
    assert stop.value.code == 2
    assert capsys.readouterr().err.strip().endswith(f"mini.yaml:{line}: objectives.warm: no KPI 'coldset'; did you mean 'coldest'?")
