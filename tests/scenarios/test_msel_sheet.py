"""Lists as CSV and XLSX: what is written is read again, whatever its letters; what could be computed or unpack without end is refused."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import datetime, time, timedelta

import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.formula import ArrayFormula

from scenarios import msel_rows, msel_sheet
from twin.cli import main
from twin.errors import InputError
from twin.layered import READ

LETTERS = st.characters(exclude_categories=("Cs", "Cc", "Cn"), include_characters="\n\t")
TEXT = st.text(LETTERS, max_size=40).map(lambda text: text.strip(" \n\t\u00a0\u3000\ufeff")).filter(lambda text: "\r" not in text)
KEYS = [key for key in msel_rows.KEYS if key not in (READ, "at", "type")]
ENTRY = st.dictionaries(st.sampled_from(KEYS), TEXT.filter(bool), max_size=6)


@st.composite
def lists(draw):
    """Rows by id, as a scenario holds them."""
    names = draw(st.lists(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,8}\Z"), min_size=1, max_size=5, unique=True))
    moments = st.sampled_from(["21:40", "21:40:30", "+12 min", "+90 s", "2014-08-16 21:40"])
    return {name: {"at": draw(moments), "type": draw(st.sampled_from(msel_rows.TYPES)), **draw(ENTRY)} for name in names}


@settings(max_examples=60, deadline=None)
@given(entries=lists(), kind=st.sampled_from(["csv", "xlsx"]))
@example(entries={"M1": {"at": "+12 min", "type": "contextual", "message_zh": "=1+1\n水压'下降'", "notes": "'=x"}}, kind="csv")
@example(entries={"1": {"at": "21:40", "type": "contextual", "message_en": "@SUM(A1)", "sender": "'' =", "notes": "''-1"}}, kind="xlsx")
def test_a_list_that_is_written_is_read_again(tmp_path_factory, entries, kind):
    path = tmp_path_factory.mktemp("list") / f"list.{kind}"
    msel_sheet.write(path, msel_rows.lines(entries, dict.fromkeys(entries, ("21:41:00", "=done"))))
    read = msel_rows.read(path, "list")
    assert {name: {key: text for key, text in entry.items() if key != READ} for name, entry in read.items()} == entries
    if kind == "csv":
        cells = [cell for row in csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline="")) for cell in row if cell]
    else:
        cells = [cell.value for row in openpyxl.load_workbook(path).worksheets[0] for cell in row if cell.value is not None]
        assert {cell.data_type for row in openpyxl.load_workbook(path).worksheets[0] for cell in row if cell.value is not None} == {"s"}
    assert not [cell for cell in cells if cell[0] in msel_sheet.SIGNS], "nothing a spreadsheet would compute"


def workbook(path, *rows, sheet="MSEL"):
    """Write a workbook as somebody would who fills in a list."""
    book = openpyxl.Workbook()
    book.worksheets[0].title = sheet
    for row in rows:
        book.worksheets[0].append(row)
    book.save(path)
    return path


HEADERS = ("id", "Scenario Time", "Type", "message_en", "message/zh", "Notes")


def test_cells_of_a_workbook_are_times_numbers_and_text(tmp_path):
    path = workbook(
        tmp_path / "list.xlsx",
        HEADERS,
        (1, time(21, 40), "Contextual", "a", "水", None),
        (),
        ("M2", datetime(2014, 8, 16, 21, 41, 30), "Expected Action", 3.5, " ", True),
        (3.0, timedelta(minutes=12), "contingency", "b", None, time(9, 59, 59, 999_700)),
        ("M4", "T+0:12", "背景", "c"),
    )
    read = msel_rows.read(path, "list.xlsx")
    assert read == {
        "1": {"at": "21:40:00", "type": "contextual", "message_en": "a", "message_zh": "水", READ: "list.xlsx:2"},
        "M2": {"at": "2014-08-16 21:41:30", "type": "expected action", "message_en": "3.5", "notes": "True", READ: "list.xlsx:4"},
        "3": {"at": "+720 s", "type": "contingency", "message_en": "b", "notes": "10:00:00", READ: "list.xlsx:5"},
        "M4": {"at": "+720 s", "type": "contextual", "message_en": "c", READ: "list.xlsx:6"},
    }


def test_what_was_typed_as_text_with_an_apostrophe_is_text(tmp_path):
    """A spreadsheet keeps the apostrophe apart from the text, as a style of the cell."""
    book = openpyxl.Workbook()
    for row in (HEADERS[:4], ("M1", "21:40", "contextual", "=== ALERT ===")):
        book.worksheets[0].append(row)
    cell = book.worksheets[0]["D2"]
    cell.data_type, cell.quotePrefix = "s", True
    book.save(tmp_path / "list.xlsx")
    assert msel_rows.read(tmp_path / "list.xlsx", "l")["M1"]["message_en"] == "=== ALERT ==="


def test_a_chinese_list_is_understood(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("编号;情景时间;类型;中文信息;发送方;接收方\nM1;21:40;预期行动;水压下降;调度室;水务集团\n", encoding="utf-8")
    wanted = {"at": "21:40", "type": "expected action", "message_zh": "水压下降", "sender": "调度室", "receiver": "水务集团"}
    assert msel_rows.read(path, "l") == {"M1": wanted | {READ: "l:2"}}


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("=1+1", "column 'message_en': holds a formula; put in its value"),
        (ArrayFormula("D2", "=SUM(A1:A2)"), "column 'message_en': holds a formula"),
        ("+1", "begins with the formula sign '+'"),
        ("-a", "begins with the formula sign '-'"),
        ("@a", "begins with the formula sign '@'"),
        ("\ta", "begins with the formula sign '\\t'"),
        ("＝a", "begins with the formula sign '＝'"),
        ("#REF!", "column 'message_en': holds #REF!, an error of the spreadsheet's"),
        ("x" * 4001, "4,001 letters; at most 4,000"),
        (datetime(9999, 12, 31, 23, 59, 59, 900_000), "column 'message_en'"),
    ],
)
def test_what_a_cell_must_not_hold_is_named_by_row_and_column(tmp_path, cell, said):
    path = workbook(tmp_path / "list.xlsx", HEADERS, ("M1", "21:40", "contextual", cell))
    with pytest.raises(InputError) as raised:
        msel_rows.read(path, "list")
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"{path}:2: ") and said in line.replace("\\\\", "\\")


def bomb(path):
    """A workbook whose sheet unpacks to 200 MB."""
    workbook(path, HEADERS, ("M1", "21:40", "contextual", "a"))
    with zipfile.ZipFile(path) as held:
        parts = {name: held.read(name) for name in held.namelist()}
    parts["xl/worksheets/sheet1.xml"] = b"<worksheet>" + b" " * (200 * 2**20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as held:
        for name, data in parts.items():
            held.writestr(name, data)


def entities(path):
    """A workbook with an XML entity that grows without end."""
    workbook(path, HEADERS, ("M1", "21:40", "contextual", "a"))
    with zipfile.ZipFile(path) as held:
        parts = {name: held.read(name) for name in held.namelist()}
    grown = b"".join(b'<!ENTITY a%d "%s">' % (i, b"&a%d;" % (i - 1) * 10) for i in range(1, 10))
    sheet = parts["xl/worksheets/sheet1.xml"]
    parts["xl/worksheets/sheet1.xml"] = b'<!DOCTYPE x [<!ENTITY a0 "ha">' + grown + b"]>" + sheet.replace(b"contextual", b"&a9;")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as held:
        for name, data in parts.items():
            held.writestr(name, data)


@pytest.mark.parametrize(
    ("name", "made", "said"),
    [
        ("a.xlsx", bomb, "cannot be read as XLSX (it would unpack to"),
        ("a.xlsx", entities, "cannot be read as XLSX ("),
        ("a.xlsx", lambda path: path.write_bytes(b"PK\3\4" + bytes(200)), "cannot be read as XLSX (File is not a zip file)"),
        ("a.xlsx", lambda path: path.write_bytes(b""), "cannot be read as XLSX ("),
        ("a.xlsx", lambda path: zipfile.ZipFile(path, "w").close(), "cannot be read as XLSX ("),
        ("a.csv", lambda path: path.write_bytes("id,type,message zh\nM1,contextual,水压下降请检查\n".encode("gbk")), "save it as UTF-8"),
        ("a.csv", lambda path: path.write_bytes("id,type\n".encode("utf-16")), "save it as UTF-8"),
        ("a.csv", lambda path: path.write_bytes(bytes(5 * 2**20)), "5,242,880 bytes; a list may have"),
        ("a.csv", lambda path: path.write_text("id,type,message en\n" + "M,contextual,a\n" * 1100), "more than 1,000 rows"),
        ("a.csv", lambda path: path.write_text("id" + "," * 100 + "\n"), "101 columns; at most 60"),
        ("a.csv", lambda path: path.write_text('id,type,message en\nM1,contextual,"a\n'), "no CSV: unexpected end of data"),
        ("a.csv", lambda path: path.write_text("id,type,message en\nM1,contextual,a\0b\n"), "letter that cannot be printed"),
        ("a.csv", lambda path: path.mkdir(), "no such file"),
        (f"{'a' * 300}.csv", lambda path: None, "cannot be read: File name too long"),
        ("a.ods", lambda path: path.write_bytes(b""), "neither .csv nor .xlsx"),
    ],
)
def test_a_file_that_is_no_list_is_one_line(tmp_path, name, made, said):
    made(tmp_path / name)
    with pytest.raises(InputError) as raised:
        msel_rows.read(tmp_path / name, "list")
    (line,) = str(raised.value).splitlines()
    assert line.startswith(str(tmp_path / name)) and said in line


def test_a_template_is_a_list(tmp_path, capsys):
    for kind in ("csv", "xlsx"):
        with pytest.raises(SystemExit) as ended:
            main(["msel", "--template", str(tmp_path / f"t.{kind}")])
        assert ended.value.code == 0
        assert list(msel_rows.read(tmp_path / f"t.{kind}", "t")) == ["M1", "M2", "M3"]
    with pytest.raises(SystemExit) as ended:
        main(["msel", "--template", str(tmp_path / "no" / "t.csv")])
    assert ended.value.code == 2 and "no folder" in capsys.readouterr().err


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a list as both kinds of file."""
    folder = tmp_path_factory.mktemp("whole")
    for kind in ("csv", "xlsx"):
        msel_sheet.write(folder / f"list.{kind}", msel_rows.template())
    return {kind: (folder / f"list.{kind}").read_bytes() for kind in ("csv", "xlsx")}


@settings(max_examples=80, deadline=None)
@given(
    kind=st.sampled_from(["csv", "xlsx"]),
    at=st.lists(st.floats(0, 0.9999), min_size=1, max_size=4),
    byte=st.integers(0, 255),
    end=st.floats(0.3, 1),
)
def test_a_damaged_file_is_a_list_or_refused(whole, tmp_path_factory, kind, at, byte, end):
    data = bytearray(whole[kind])
    for share in at:
        data[int(share * len(data))] = byte
    path = tmp_path_factory.mktemp("damaged") / f"list.{kind}"
    path.write_bytes(data[: int(end * len(data))])
    try:
        msel_rows.read(path, "list")
    except InputError as refused:
        assert all(line.startswith(str(path)) for line in str(refused).splitlines())
