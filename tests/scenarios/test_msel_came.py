"""What came of a list: actual times and status from the journal alone, shown, and written for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json

import openpyxl
import pytest
import sixth
from exercise import LIST, write

import twin
from scenarios import msel_came
from twin.cli import main
from twin.errors import InputError
from twin.simulation import Simulation

MORE = LIST + (
    "M7,21:31,expected action,,,Warm it.,,heat.heat room=R1 within 2 min,,,\n"
    "M8,21:31,expected action,,,Decide.,,,,,\n"
    "M9,21:49,contextual,,,Late.,,,,,\n"
)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    sixth.register(monkeypatch)


def say(capsys, *words):
    """Run a command; return its code and what it printed."""
    with pytest.raises(SystemExit) as ended:
        main([*map(str, words)])
    out = capsys.readouterr()
    return ended.value.code, out.out + out.err


def test_every_row_says_what_came_of_it(tmp_path, capsys):
    with Simulation(write(tmp_path, MORE), tmp_path / "run") as simulation:
        simulation.until(30).do("msel.skip", row="M2", by="Li Wei")
        simulation.until(660).do("msel.publish", row="M6", by="Wang Fang")
        simulation.until(1200)
    run = twin.open_run(tmp_path / "run")
    came = msel_came.came(run)
    assert came == {
        "M1": ("21:33:00", "done"),
        "M2": ("", "skipped by Li Wei at 21:30:30"),
        "M3": ("21:40:00", "seen at 21:40:00, 4 min after"),
        "M4": ("", "not seen"),
        "M5": came["M5"],
        "M6": ("21:41:00", "done (published by hand; Wang Fang)"),
        "M7": ("21:40:00", "seen at 21:40:00, 9 min after; late, 2 min was asked"),
        "M8": ("21:31:00", "told; not assessed: its column 'expected' is empty"),
        "M9": ("21:49:00", "done"),
    }
    assert came["M5"] == ("", "not used"), "the room loses no heat without M2"
    code, said = say(capsys, "msel", tmp_path / "run")
    lines = said.splitlines()
    assert code == 0 and len(lines) == 10
    assert lines[0].split() == ["id", "scenario", "time", "type", "actual", "status", "message"]
    assert lines[2].split()[:2] == ["M2", "T+5"] and lines[2].endswith("A heater fails.")
    code, said = say(capsys, "msel", tmp_path / "run", "--json")
    assert json.loads(said)[2]["status"] == "seen at 21:40:00, 4 min after"


def test_a_run_that_ends_early_has_not_reached_its_rows(tmp_path):
    with Simulation(write(tmp_path, MORE), tmp_path / "run") as simulation:
        simulation.do("msel.pause", by="Li Wei")
        simulation.until(200).do("msel.publish", row="M3")
        simulation.until(240)
    came = msel_came.came(twin.open_run(tmp_path / "run"))
    assert came["M1"] == ("", "held back") and came["M9"] == ("", "not reached") and came["M6"] == ("", "not reached")
    assert came["M3"] == ("", "not reached: the run ends at 21:34:00")


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_the_list_is_written_for_a_spreadsheet_and_can_be_run_again(tmp_path, capsys, kind):
    file = write(tmp_path, LIST.replace("It is cold outside.", "'=1+1 it is cold"))
    twin.simulate(file, tmp_path / "run")
    out = tmp_path / "lists" / f"out.{kind}"
    assert say(capsys, "msel", tmp_path / "run", "--out", out) == (0, f"{out}\n")
    if kind == "csv":
        assert out.read_bytes().startswith(b"\xef\xbb\xbf"), "by which Excel knows UTF-8"
        rows = list(csv.DictReader(io.StringIO(out.read_text("utf-8-sig"), newline="")))
    else:
        header, *cells = openpyxl.load_workbook(out)["MSEL"].iter_rows(values_only=True)
        rows = [dict(zip(header, row, strict=True)) for row in cells]
    assert rows[0]["message en"] == "'=1+1 it is cold" and rows[0]["message zh"] == "外面很冷。"
    assert (rows[0]["actual"], rows[0]["status"]) == ("21:33:00", "done") and rows[1]["scenario time"] == "T+5 min"
    again = twin.load(file).with_(msel=f"lists/out.{kind}")
    before, after = twin.load(file).drivers["msel"], again.drivers["msel"]
    assert [{**one, "read": ""} for one in after.values()] == [{**one, "read": ""} for one in before.values()]
    assert after["M1"]["message_en"] == "=1+1 it is cold"


def test_what_cannot_be_shown_or_written_is_one_line(tmp_path, capsys):
    file = write(tmp_path)
    twin.simulate(twin.load(file).with_(msel=None, duration="1 min", timeline=None), tmp_path / "bare")
    with pytest.raises(InputError, match="its scenario has no list"):
        msel_came.rows(twin.open_run(tmp_path / "bare"))
    for words, wanted, said in [
        (("msel",), 2, "name a run, or --template FILE"),
        (("msel", tmp_path / "bare"), 2, "its scenario has no list"),
        (("msel", tmp_path / "nowhere"), 4, "no such folder"),
        (("msel", "--template", tmp_path / "a.ods"), 2, "neither .csv nor .xlsx"),
    ]:
        code, line = say(capsys, *words)
        assert code == wanted and said in line and line.count("\n") == 1
