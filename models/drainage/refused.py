"""Says SWMM's refusal of a network in lines of the user's file."""

from __future__ import annotations

import re
from pathlib import Path

from twin.errors import Problem

_ERROR = re.compile(r"\s*ERROR (\d+): (.+?)(?: at line (\d+) of (?:\[\w+\] section|input file))?:?\s*$")


def problems(report: str, file: Path) -> list[Problem]:
    """Return each error of SWMM's report, with the line of `file` that it quotes on the next line."""
    source = [" ".join(line.split(";")[0].split()) for line in file.read_text("latin-1").splitlines()]
    lines, found = report.splitlines(), {}
    for line, quoted in zip(lines, [*lines[1:], ""], strict=True):
        match = _ERROR.match(line)
        if match is None or match[1] == "200":
            continue
        text = " ".join(quoted.split(";")[0].split())
        number = source.index(text) + 1 if text and text in source else 0
        found[Problem(f"SWMM refuses it: {match[2]}" + (f": {text}" if number else ""), str(file), number)] = None
    return list(found)
