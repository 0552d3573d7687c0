"""What is registered with the twin: the entry points of a group, ours and other packages'."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points


def registered(group: str) -> tuple[EntryPoint, ...]:
    """Return the entry points of `group`, sorted by name; read once per import path, since it takes some 20 ms."""
    return _registered(group, tuple(sys.path))


@cache
def _registered(group: str, _path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    return tuple(sorted(entry_points(group=group), key=lambda entry: entry.name))
