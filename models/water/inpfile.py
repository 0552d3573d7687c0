"""The rows of an EPANET input file by section, with line numbers, and every problem found on the way."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from twin.errors import SHOWN_PROBLEMS, InputError, Problem, nearest

SECTIONS = (
    *("TITLE", "JUNCTIONS", "RESERVOIRS", "TANKS", "PIPES", "PUMPS", "VALVES", "TAGS", "DEMANDS", "STATUS", "PATTERNS", "CURVES"),
    *("CONTROLS", "RULES", "ENERGY", "EMITTERS", "LEAKAGE", "QUALITY", "SOURCES", "REACTIONS", "MIXING", "TIMES", "REPORT"),
    *("OPTIONS", "COORDINATES", "VERTICES", "LABELS", "BACKDROP", "END"),
)
_BETWEEN = " \t\r,"
"""What EPANET takes for the space between words (SEPSTR of its text.h)."""
_FILES = {"OPTIONS": ("HYDR", "MAP"), "REPORT": ("FILE",)}
"""Words, as EPANET abbreviates them, whose line names another file."""
LONGEST_LINE = 1000
LARGEST_BYTES = 32_000_000
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
        """Note a problem of this file; InputError when there are more than are shown."""
        self.problems.append(Problem(what, str(self.file), line))
        if len(self.problems) > SHOWN_PROBLEMS:
            raise InputError(self.problems)

    def read(self) -> None:
        """Sort the file's lines into `rows`."""
        section = ""
        for number, raw in enumerate(self._text().split("\n"), 1):
            self.last_line = number
            text = raw.split(";", 1)[0].strip(_BETWEEN)
            if strange := self._strange(raw.removesuffix("\r"), text):
                self.wrong(strange, number)
            if text.startswith("["):
                section = self._section(text, number)
                if section == "END":
                    return
            elif text and section == "" and not self.problems:
                self.wrong(f"'{text[:30]}' stands before any section; an EPANET file starts with [TITLE] or [JUNCTIONS]", number)
            elif text and section in self.rows:
                words = tuple(word for word in re.split(f"[{_BETWEEN}]+", text) if word)
                if section in _FILES and words[0].strip('"').upper().startswith(_FILES[section]):
                    self.wrong(f"'{words[0]}' makes EPANET read or write another file; remove the line", number)
                self._row(section, words, number)
        self.wrong("the file stops without [END]: it may be truncated; end it with a line [END] if it is whole", max(1, self.last_line))

    def _strange(self, raw: str, text: str) -> str:
        """Say what is wrong with a line that EPANET would cut or read otherwise than it looks, so that something could hide in it."""
        if len(raw) > LONGEST_LINE:
            return f"a line of {len(raw):,} letters; EPANET reads {LONGEST_LINE}"
        if any(ord(c) < 32 and c != "\t" for c in raw):
            return "control characters in this line; write plain text"
        return "a quote before a section's name" if text.startswith('"') and "[" in text else ""

    def _text(self) -> str:
        try:
            if self.file.stat().st_size > LARGEST_BYTES:
                raise InputError(Problem(f"larger than the {LARGEST_BYTES:,} bytes that are read", str(self.file)))
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
