"""The rows of a SWMM input file by section, with line numbers, and every problem found on the way."""

from __future__ import annotations

import re
from pathlib import Path

from twin.sectioned import SectionedFile

SECTIONS = (
    *("TITLE", "OPTIONS", "REPORT", "FILES", "RAINGAGES", "EVAPORATION", "TEMPERATURE", "ADJUSTMENTS", "SUBCATCHMENTS", "SUBAREAS"),
    *("INFILTRATION", "LID_CONTROLS", "LID_USAGE", "AQUIFERS", "GROUNDWATER", "GWF", "SNOWPACKS", "JUNCTIONS", "OUTFALLS", "DIVIDERS"),
    *("STORAGE", "CONDUITS", "PUMPS", "ORIFICES", "WEIRS", "OUTLETS", "XSECTIONS", "TRANSECTS", "STREETS", "INLETS", "INLET_USAGE"),
    *("LOSSES", "CONTROLS", "POLLUTANTS", "LANDUSES", "COVERAGES", "LOADINGS", "BUILDUP", "WASHOFF", "TREATMENT", "INFLOWS", "DWF"),
    *("RDII", "HYDROGRAPHS", "CURVES", "TIMESERIES", "PATTERNS", "MAP", "POLYGONS", "COORDINATES", "VERTICES", "LABELS", "SYMBOLS"),
    *("BACKDROP", "TAGS", "PROFILES", "EVENTS"),
)
"""SWMM 5.2 user's manual, appendix D."""
LONGEST_LINE = 1000
"""Bytes; SWMM reads what is beyond its 1,023rd byte as a line of its own, even of a comment."""
_WORD = re.compile(r'"([^"]*)"?|([^ \t]+)')
_NEEDS = {"JUNCTIONS": 2, "OUTFALLS": 3, "STORAGE": 6, "CONDUITS": 7, "PUMPS": 3, "SUBCATCHMENTS": 7, "RAINGAGES": 5, "XSECTIONS": 3}
_NEEDS |= {"COORDINATES": 3, "VERTICES": 3, "POLYGONS": 3, "ORIFICES": 6, "WEIRS": 6, "OUTLETS": 5, "DIVIDERS": 4, "OPTIONS": 2}


def split(line: str) -> tuple[str, ...]:
    """Return the words of a line as SWMM sees them: parted by blanks and tabs, quoted ones whole and without quotes, no comment."""
    return tuple(found[1] if found[2] is None else found[2] for found in _WORD.finditer(line.split(";", 1)[0]))


class InpFile(SectionedFile):
    """A file's rows by section; `problems` collects what is wrong."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, SECTIONS, "a SWMM network is text ending in .inp")

    def read(self) -> None:
        """Sort the file's lines into `rows`."""
        section = ""
        for number, raw in enumerate(self.lines(), 1):
            if len(raw.encode()) > LONGEST_LINE:
                self.wrong(f"a line of more than {LONGEST_LINE:,} bytes; SWMM takes its rest for another line", number)
                continue
            words = split(raw)
            if words and words[0].startswith("["):
                section = self._section(" ".join(words), number)
            elif words and not section and not self.problems:
                self.wrong(f"'{raw.strip()[:30]}' stands before any section; a SWMM file starts with [TITLE] or [OPTIONS]", number)
            elif words and section:
                self.keep(section, words, number, _NEEDS.get(section, 0))

    def lines(self) -> list[str]:
        """Return the lines as SWMM counts them: other separators of Unicode end no line there."""
        return re.split(r"\r\n|\r|\n", self.text())

    def _section(self, text: str, line: int) -> str:
        name = text.strip("[] \t").upper()
        full = next((known for known in SECTIONS if known == name), "") or next((k for k in SECTIONS if k.startswith(name[:5])), "")
        if not full or not text.endswith("]"):
            self.wrong(f"no section '{name}' in a SWMM file (the file has no [END])", line)
        return full

    def option(self, name: str, default: str) -> str:
        """Return the value of an option as the file says it, upper case."""
        return next((row.words[1].upper() for row in self.rows["OPTIONS"] if row.words[0].upper() == name), default)
