"""Reads JSON from a stranger as text, once it is known that its values will not fill the memory."""

from __future__ import annotations

from pathlib import Path

from twin.errors import InputError, Problem

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
