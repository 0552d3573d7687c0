"""Says EPANET's refusal of a network in lines of the user's file."""

from __future__ import annotations

import re
from pathlib import Path

from twin.errors import Problem

_ERROR = re.compile(r"\s*(?:Input )?Error (\d+): (.+?)(?: in (?:following line of )?\[(\w+)\] section)?:?\s*$")
_SUMMARY = "200"
"""EPANET's last word on any file it refuses: one or more errors in input file."""


def problems(report: str, file: Path) -> list[Problem]:
    """Return each error of EPANET's report with the line of `file` that it quotes (the line after the error)."""
    source = [" ".join(line.split(";")[0].split()) for line in file.read_text("latin-1").splitlines()]
    lines, found = report.splitlines(), {}
    for line, quoted in zip(lines, [*lines[1:], ""], strict=True):
        match = _ERROR.match(line)
        if match is None or (match[1] == _SUMMARY and not match[3]):
            continue
        text = " ".join(quoted.split(";")[0].split())
        number = source.index(text) + 1 if text and text in source else 0
        said = f"EPANET refuses it: {match[2]}" + (f" in [{match[3]}]" if match[3] else "") + (f": {text}" if number else "")
        if match[1] != _SUMMARY or number not in {one.line for one in found}:
            found[Problem(said, str(file), number)] = None
    return list(found) or [Problem("EPANET refuses it and does not say why", str(file))]
