"""Reads JSON from a stranger as text, once it is known that its values will not fill the memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twin.errors import InputError, Problem, nearest

LIMIT_BYTES = 32 * 2**20
MOST_PARTS = 1_000_000
"""Lists and mappings in one file: each takes some 60 bytes and 300 ns."""


def text_of(path: Path, limit_bytes: int = LIMIT_BYTES) -> str:
    """Return the text of a JSON file; InputError: no file, too big, not UTF-8, or of too many parts."""
    if not path.is_file():
        raise InputError(Problem("no such file", str(path)))
    try:
        size = path.stat().st_size
        if size > limit_bytes:
            raise InputError(Problem(f"{size:,} bytes; larger than the {limit_bytes:,} that are read", str(path)))
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(Problem(f"not UTF-8 text at byte {error.start}; save it as UTF-8", str(path), 1)) from None
    except OSError as error:
        raise InputError(Problem(f"cannot be read: {error.strerror}", str(path))) from None
    parts = text.count("[") + text.count("{")
    if parts > MOST_PARTS:
        raise InputError(Problem(f"{parts:,} lists and mappings; at most {MOST_PARTS:,}", str(path), 1))
    return text


class Document:
    """A stranger's JSON object with lists of objects under known names; `problems` collects what is wrong with it, line by line."""

    def __init__(self, path: Path, sections: Sequence[str]) -> None:
        """Read it; InputError when it is no JSON object."""
        self.path, self.text = str(path), text_of(path)
        self.problems: list[Problem] = []
        try:
            document = json.loads(self.text)
        except json.JSONDecodeError as error:
            raise InputError(Problem(f"not whole JSON ({error.msg}); is the file truncated?", self.path, error.lineno)) from None
        except (ValueError, RecursionError) as error:
            raise InputError(Problem(f"cannot be read: {error}", self.path, 1)) from None
        if not isinstance(document, dict):
            raise InputError(Problem(f"expected an object with {', '.join(sections)}", self.path, 1))
        self.document: dict[str, Any] = document
        for key in sorted(set(document) - set(sections)):
            self.wrong(key, nearest(key, sections, what="section"))

    def wrong(self, id: str, what: str) -> None:
        """Note a problem at the line where `id` stands."""
        at = self.text.find(f'"{id}"') if id else -1
        self.problems.append(Problem(what, self.path, self.text.count("\n", 0, at) + 1 if at >= 0 else 1))

    def each(self, section: str) -> list[dict[str, Any]]:
        """Return the objects of a section."""
        found = self.document.get(section, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            self.wrong(section, f"'{section}' must be a list of objects")
            return []
        return found

    def named(self, section: str) -> list[dict[str, Any]]:
        """Return the objects of a section, each of which has an id of its own."""
        found = self.each(section)
        seen: set[str] = set()
        for one in found:
            id = one.get("id")
            if not isinstance(id, str) or not id or id in seen:
                self.wrong(str(id), f"{section}: id {id!r} is missing, no text, or occurs twice")
            seen.add(str(id))
        return found
