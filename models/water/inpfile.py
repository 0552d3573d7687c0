"""The rows of an EPANET input file by section, with line numbers, and every problem found on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from twin.errors import InputError, Problem, nearest

SECTIONS = (
    *("TITLE", "JUNCTIONS", "RESERVOIRS", "TANKS", "PIPES", "PUMPS", "VALVES", "TAGS", "DEMANDS", "STATUS", "PATTERNS", "CURVES"),
    *("CONTROLS", "RULES", "ENERGY", "EMITTERS", "LEAKAGE", "QUALITY", "SOURCES", "REACTIONS", "MIXING", "TIMES", "REPORT"),
    *("OPTIONS", "COORDINATES", "VERTICES", "LABELS", "BACKDROP", "END"),
)
LARGEST = 1e12
"""A larger number is no demand, length or head of a network."""
_NEEDS = {"JUNCTIONS": 1, "RESERVOIRS": 2, "TANKS": 6, "PIPES": 6, "PUMPS": 4, "VALVES": 6, "COORDINATES": 3, "VERTICES": 3}


@dataclass(frozen=True)
class Row:
    """One line of a section: its words and its line number."""

    words: tuple[str, ...]
    line: int


class InpFile:
    """A file's rows by section; `problems` collects what is wrong."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.rows: dict[str, list[Row]] = {name: [] for name in SECTIONS}
        self.last_line = 0

    def wrong(self, what: str, line: int = 0) -> None:
        """Note a problem of this file."""
        self.problems.append(Problem(what, str(self.file), line))

    def read(self) -> None:
        """Sort the file's lines into `rows`."""
        section = ""
        for number, raw in enumerate(self._text().splitlines(), 1):
            self.last_line = number
            text = raw.split(";", 1)[0].strip()
            if text.startswith("["):
                section = self._section(text, number)
                if section == "END":
                    return
            elif text and section == "" and not self.problems:
                self.wrong(f"'{text[:30]}' stands before any section; an EPANET file starts with [TITLE] or [JUNCTIONS]", number)
            elif text and section in self.rows:
                self._row(section, tuple(text.split()), number)
        self.wrong("the file stops without [END]: it may be truncated; end it with a line [END] if it is whole", max(1, self.last_line))

    def _text(self) -> str:
        try:
            data = self.file.read_bytes()
        except OSError as error:
            raise InputError(Problem(f"cannot be read: {error.strerror or error}", str(self.file))) from None
        if b"\0" in data:
            raise InputError(Problem("is not a text file; an EPANET network is text ending in .inp", str(self.file)))
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return data.decode("latin-1")

    def _section(self, text: str, line: int) -> str:
        name = text.strip("[] \t").upper()
        full = next((known for known in SECTIONS if known.startswith(name[:4]) and len(name) >= 3), "")
        if not full or not text.endswith("]"):
            self.wrong(nearest(name, SECTIONS, what="section"), line)
        return full

    def _row(self, section: str, words: tuple[str, ...], line: int) -> None:
        if section == "TANKS" and len(words) in (2, 3):
            self.rows["RESERVOIRS"].append(Row(words, line))
            return
        if len(words) < _NEEDS.get(section, 0):
            self.wrong(f"a line of [{section}] needs at least {_NEEDS[section]} values, here are {len(words)}", line)
            return
        self.rows[section].append(Row(words, line))

    def number(self, row: Row, place: int, what: str, *, above: float = -math.inf) -> float:
        """Return the number at `place` of a row; a problem if it is none or not above the bound."""
        text = row.words[place] if place < len(row.words) else "0"
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) <= LARGEST:
            self.wrong(f"{what} of '{row.words[0]}' is '{text}'; a number is needed", row.line)
            return 1.0
        if value <= above:
            self.wrong(f"{what} of '{row.words[0]}' is {text}; it must be above {above:g}", row.line)
            return 1.0
        return value
