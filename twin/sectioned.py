"""Text files of [SECTIONS] with a row a line, as several engines read them: rows with their line numbers, and what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from twin.errors import SHOWN_PROBLEMS, InputError, Problem
from twin.jsonfile import LIMIT_BYTES


@dataclass(frozen=True)
class Row:
    """One line of a section: its words and its line number."""

    words: tuple[str, ...]
    line: int


class SectionedFile:
    """A file's rows by section; `problems` collects what is wrong. What a section holds and how a line is split is the heir's."""

    largest = 1e9
    """A larger number means nothing in such a file."""

    def __init__(self, file: Path, sections: Sequence[str], what: str) -> None:
        """`what`: what its trade calls such a file and how its name ends, for a message: 'is text ending in .inp'."""
        self.file, self.what = file, what
        self.problems: list[Problem] = []
        self.rows: dict[str, list[Row]] = {name: [] for name in sections}

    def wrong(self, what: str, line: int = 0) -> None:
        """Note a problem of this file; InputError when there are more than are shown."""
        self.problems.append(Problem(what, str(self.file), line))
        if len(self.problems) > SHOWN_PROBLEMS:
            raise InputError(self.problems)

    def text(self) -> str:
        """Return the file as text; InputError if it cannot be read as such."""
        try:
            if self.file.stat().st_size > LIMIT_BYTES:
                raise InputError(Problem(f"larger than the {LIMIT_BYTES:,} bytes that are read", str(self.file)))
            data = self.file.read_bytes()
        except OSError as error:
            raise InputError(Problem(f"cannot be read: {error.strerror or error}", str(self.file))) from None
        if b"\0" in data:
            raise InputError(Problem(f"is not a text file; {self.what}", str(self.file)))
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return data.decode("latin-1")

    def keep(self, section: str, words: tuple[str, ...], line: int, least: int) -> None:
        """Add a row to its section; a problem if it has fewer words than `least`."""
        if len(words) < least:
            self.wrong(f"a line of [{section}] needs at least {least} values, here are {len(words)}", line)
        else:
            self.rows[section].append(Row(words, line))

    def number(self, row: Row, place: int, what: str, *, above: float = -math.inf, default: str = "0") -> float:
        """Return the number at `place` of a row; a problem if it is none or not above the bound."""
        text = row.words[place] if place < len(row.words) else default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) <= self.largest:
            self.wrong(f"{what} of '{row.words[0]}' is '{text}'; a number is needed", row.line)
            return 1.0
        if value <= above:
            self.wrong(f"{what} of '{row.words[0]}' is {text}; it must be above {above:g}", row.line)
            return 1.0
        return value
