"""Reads and writes a table of text as CSV or XLSX; what a cell says is text and nothing in it is ever computed."""

from __future__ import annotations

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from twin.errors import InputError, Problem
from twin.storage import DAMAGED, refuse_a_bomb, write_atomic

KINDS = (".csv", ".xlsx")
FILE_BYTES, UNPACKED_BYTES = 4 * 2**20, 64 * 2**20
MOST_ROWS, MOST_COLUMNS, LONGEST = 1000, 60, 4000
SHEET = "MSEL"
"""The sheet of a workbook that is read; its first one where none is called so."""

SIGNS = "=+-@\t\r＝＋－＠"
"""A spreadsheet takes a cell that begins with one of these for a formula (OWASP, CSV injection)."""
_MARKED = re.compile(f"'+[{re.escape(SIGNS)}]")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_AROUND = " \n\u00a0\u3000\ufeff"

Line = tuple[int, list[str]]
"""The number of a row as a spreadsheet counts it, and its cells."""


def read(path: Path) -> list[Line]:
    """Return every row that holds anything, the first being the headers.

    InputError, a line for each cell: no such file, neither CSV nor XLSX, too big, not UTF-8, a formula, an error of the
    spreadsheet's, letters that cannot be printed, a row longer than the headers.
    """
    _check(path)
    found = _of_csv(path) if path.suffix.lower() == ".csv" else _of_workbook(path)
    lines: list[Line] = []
    problems: list[Problem] = []
    headers: list[str] = []
    for number, cells in found:
        if len(lines) > MOST_ROWS:
            raise InputError(Problem(f"more than {MOST_ROWS:,} rows; make several exercises of it", str(path), number))
        texts = []
        for i, cell in enumerate(cells):
            name = headers[i] if i < len(headers) and headers[i] else f"{chr(65 + i)}" if i < 26 else str(i + 1)
            try:
                texts.append(_text(cell))
            except (ValueError, OverflowError) as error:
                problems.append(Problem(f"column '{name}': {error}", str(path), number))
                texts.append("")
        while texts and not texts[-1]:
            texts.pop()
        if headers and len(texts) > len(headers):
            what = f"{len(texts)} cells where the headers are {len(headers)}; put quotes round a text with commas in it"
            problems.append(Problem(what, str(path), number))
        if texts:
            headers = headers or texts
            lines.append((number, texts))
    if problems:
        raise InputError(problems)
    if not lines:
        raise InputError(Problem("holds nothing; `twin msel --template FILE` writes a list to fill in", str(path)))
    return lines


def _check(path: Path) -> None:
    """Raise InputError for what is no file of a kind and size that is read."""
    if path.suffix.lower() not in KINDS:
        raise InputError(Problem("neither .csv nor .xlsx; save the list as one of them", str(path)))
    try:
        if not path.is_file():
            raise InputError(Problem("no such file", str(path)))
        if path.stat().st_size > FILE_BYTES:
            raise InputError(Problem(f"{path.stat().st_size:,} bytes; a list may have {FILE_BYTES:,}", str(path)))
        with path.open("rb"):
            pass
    except OSError as error:
        raise InputError(Problem(f"cannot be read: {error.strerror}", str(path))) from None


def _of_csv(path: Path) -> Iterator[tuple[int, Sequence[Any]]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"not UTF-8 text (byte {error.start}; GBK perhaps); save it as UTF-8: in Excel 'CSV UTF-8 (Comma delimited)'"
        raise InputError(Problem(what, str(path))) from None
    first = text.partition("\n")[0]
    split = max(",;\t", key=first.count)
    reader, number = csv.reader(io.StringIO(text, newline=""), delimiter=split, strict=True), 0
    try:
        for number, cells in enumerate(reader, start=1):
            if len(cells) > MOST_COLUMNS:
                raise InputError(Problem(f"{len(cells)} columns; at most {MOST_COLUMNS}", str(path), number))
            yield number, cells
    except csv.Error as error:
        raise InputError(Problem(f"no CSV: {error}; put quotes round texts and double those inside", str(path), number + 1)) from None


def _of_workbook(path: Path) -> Iterator[tuple[int, Sequence[Any]]]:
    """Yield the cells of a workbook's sheet as openpyxl has them, one row after the other; formulas are not computed."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        refuse_a_bomb(path)
        with zipfile.ZipFile(path) as held:
            if sum(one.file_size for one in held.infolist()) > UNPACKED_BYTES:
                raise ValueError(f"it would unpack to more than {UNPACKED_BYTES:,} bytes")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it would leave out: it is only read
            book = load_workbook(path, read_only=True, data_only=False, keep_links=False)
            try:
                sheet = book[SHEET] if SHEET in book.sheetnames else book.worksheets[0]
                for number, cells in enumerate(sheet.iter_rows(max_col=MOST_COLUMNS + 1), start=1):
                    yield number, [_cell(one) for one in cells]
                    if number > 20 * MOST_ROWS:
                        raise ValueError(f"it has cells below row {number}")
            finally:
                book.close()
    except (*DAMAGED, OSError, SyntaxError, IndexError, InvalidFileException) as error:
        if isinstance(error, InputError):
            raise
        said = " ".join(str(error).split()) or type(error).__name__
        raise InputError(Problem(f"cannot be read as XLSX ({said[:120]}); save it anew, without a password", str(path))) from None


@dataclass(frozen=True)
class Cell:
    """A cell of a workbook: its value, what kind it is to openpyxl, whether it was typed as text, with an apostrophe kept apart."""

    value: Any
    kind: str
    typed_as_text: bool


def _cell(one: Any) -> Cell:
    if one.value is None:
        return Cell(None, "", False)
    return Cell(one.value, one.data_type, bool(one.style_array.quotePrefix))


def _text(cell: Any) -> str:
    """Return what a cell says, of a workbook or of CSV; ValueError for what a list must not hold."""
    value, kind, typed_as_text = (cell.value, cell.kind, cell.typed_as_text) if isinstance(cell, Cell) else (cell, "", False)
    if value is None:
        return ""
    if kind == "e":
        raise ValueError(f"holds {value}, an error of the spreadsheet's; write what is meant")
    if isinstance(value, date | time | timedelta):
        return _moment(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if kind == "f" or not isinstance(value, str | int | float):
        raise ValueError("holds a formula; put in its value (in Excel: copy, paste values)")
    text = str(value).replace("\r\n", "\n").strip(_AROUND)
    if text[:1] and text[0] in SIGNS and not typed_as_text:
        raise ValueError(f"begins with the formula sign {text[0]!r}; write plain text, or an apostrophe (') before it")
    if len(text) > LONGEST:
        raise ValueError(f"{len(text):,} letters; at most {LONGEST:,}")
    if found := _UNPRINTABLE.search(text):
        raise ValueError(f"holds a letter that cannot be printed, {found[0]!a}; remove it")
    return (text[1:] if _MARKED.match(text) else text).strip(_AROUND + "\t")


def _moment(value: date | time | timedelta) -> str:
    """Return a date or time of a cell as it is written in a list, to whole seconds: `21:40:00`, `2014-08-16 21:40:00`, `T+720 s`."""
    if isinstance(value, timedelta):
        return f"T+{round(value.total_seconds())} s"
    if isinstance(value, time):
        exact = timedelta(hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond)
        whole = round(exact.total_seconds()) % 86400
        return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    return (moment + timedelta(microseconds=500_000)).strftime("%Y-%m-%d %H:%M:%S")


def write(path: Path, lines: Iterable[Sequence[str]]) -> None:
    """Write a table, whole or not at all; cells that begin with a formula sign get an apostrophe before it.

    InputError: neither .csv nor .xlsx, or no folder to write into. StorageError: the disk refuses.
    """
    if path.suffix.lower() not in KINDS:
        raise InputError(f"{path}: neither .csv nor .xlsx")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path}: no folder {path.parent}")
    # the mark at the beginning is by which Excel knows UTF-8
    write_atomic(path, csv_text(lines).encode("utf-8-sig") if path.suffix.lower() == ".csv" else _as_workbook(_safe(lines)))


def csv_text(lines: Iterable[Sequence[str]]) -> str:
    """Return a table as CSV; cells that begin with a formula sign get an apostrophe before it."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows(_safe(lines))
    return out.getvalue()


def _safe(lines: Iterable[Sequence[str]]) -> list[list[str]]:
    return [[_marked(cell) for cell in line] for line in lines]


def _marked(text: str) -> str:
    text = text.replace("\r\n", "\n").strip(_AROUND)
    return f"'{text}" if text[:1] and (text[0] in SIGNS or _MARKED.match(text)) else text


def _as_workbook(lines: Sequence[Sequence[str]]) -> bytes:
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title, sheet.freeze_panes = SHEET, "B2"
    for i, line in enumerate(lines, start=1):
        for j, text in enumerate(line, start=1):
            if text:
                cell = sheet.cell(i, j)
                cell.value, cell.number_format = text, "@"
                cell.data_type = "s"
                cell.alignment = Alignment(wrap_text=True, vertical="top")
                cell.font = Font(bold=i == 1)
    for j, column in enumerate(zip(*lines, strict=True), start=1):
        sheet.column_dimensions[get_column_letter(j)].width = min(48, max(10, *(len(text) for text in column)) + 2)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
