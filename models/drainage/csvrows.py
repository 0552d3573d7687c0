"""The rows of a table in CSV with their line numbers; what is no such table is one line, never a traceback."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from twin.errors import InputError, Problem


def read_rows(file: Path) -> list[tuple[int, list[str]]]:
    """Return (line, values) of every row; InputError names the line where the file stops being CSV in UTF-8."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(Problem(f"cannot be read: {error.strerror or error}", str(file))) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(Problem("is not UTF-8 here; save the table as UTF-8", str(file), line)) from None
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        return [(rows.line_num, row) for row in rows]
    except csv.Error as error:
        raise InputError(Problem(f"not CSV: {error}", str(file), max(1, rows.line_num))) from None
