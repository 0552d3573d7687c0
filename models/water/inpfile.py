"""The rows of an EPANET input file by section, with line numbers, and every problem found on the way."""

from __future__ import annotations

import re
from pathlib import Path

from twin.errors import nearest
from twin.sectioned import SectionedFile

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
_NEEDS = {"JUNCTIONS": 1, "RESERVOIRS": 2, "TANKS": 6, "PIPES": 6, "PUMPS": 4, "VALVES": 6, "COORDINATES": 3, "VERTICES": 3}


class InpFile(SectionedFile):
    """A file's rows by section; `problems` collects what is wrong."""

    largest = 1e12
    """A larger number is no demand, length or head of a network."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, SECTIONS, "an EPANET network is text ending in .inp")
        self.last_line = 0

    def read(self) -> None:
        """Sort the file's lines into `rows`."""
        section = ""
        for number, raw in enumerate(self.text().split("\n"), 1):
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

    def _section(self, text: str, line: int) -> str:
        name = text.strip("[] \t").upper()
        full = next((known for known in SECTIONS if known.startswith(name[:4]) and len(name) >= 3), "")
        if not full or not text.endswith("]"):
            self.wrong(nearest(name, SECTIONS, what="section"), line)
        return full

    def _row(self, section: str, words: tuple[str, ...], line: int) -> None:
        if section == "TANKS" and len(words) in (2, 3):
            section = "RESERVOIRS"
        self.keep(section, words, line, _NEEDS.get(section, 0))
