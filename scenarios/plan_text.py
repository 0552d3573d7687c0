"""Where a plan's text comes from: a scenario's section names a file, which is read into the scenario; each key keeps its line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twin import yamlfile
from twin.driver import Context
from twin.errors import InputError, Problem
from twin.layered import READ, Place, merged

FILES = (".yaml", ".yml")


def gather(section: Any, folder: Path) -> Any:
    """Return the section `plans:` with what the files hold that it names, relative to `folder`."""
    if not isinstance(section, Mapping):
        return section
    return {name: _gathered(name, entry, folder) for name, entry in section.items()}


def _gathered(name: str, entry: Any, folder: Path) -> Any:
    if isinstance(entry, str):
        entry = {"file": entry}
    if not isinstance(entry, Mapping) or "file" not in entry:
        return entry
    file = entry["file"]
    if not isinstance(file, str) or not file.endswith(FILES):
        raise InputError(f"plans.{name}: 'file' names a YAML file, for example ../plans/main_burst.yaml")
    if READ in entry:
        raise InputError(f"plans.{name}: it is read from {entry[READ]} already; write `{name}: {file}` to have another plan instead")
    path = folder / file
    raw, _ = yamlfile.load(Path(os.path.normpath(path)))
    if not isinstance(raw, Mapping):
        raise InputError(Problem("a plan is a mapping of keys: roles, levels, actions (docs/scenarios.md, Plans)", str(path), 1))
    over = {key: value for key, value in entry.items() if key != "file"}
    return {READ: file} | merged(raw, over, ("plans", name))


def placed(name: str, entry: Mapping[str, Any], context: Context) -> Place:
    """Return what finds the file and line of a key of a plan: in its own file, unless the scenario says otherwise."""
    path = Path(os.path.normpath(context.folder / str(entry.get(READ, ""))))
    outer = context.place
    if READ not in entry or not path.is_file():
        return outer
    found: list[tuple[Any, yamlfile.Locate]] = []

    def place(key: Sequence[Any]) -> tuple[str, int]:
        if not found:
            found.append(yamlfile.load(path))
        raw, locate = found[0]
        inside = tuple(key)[2:]
        if tuple(key)[:2] != ("plans", name) or _at(entry, inside) != _at(raw, inside):
            return outer(key)
        return str(path), locate(inside)

    return place


def _at(value: Any, path: Sequence[Any]) -> Any:
    """Return what stands at a path: a value, or for a mapping and what is absent only that."""
    for part in path:
        inside = (isinstance(value, Mapping) and part in value) or (isinstance(value, list) and isinstance(part, int) and part < len(value))
        if not inside:
            return None
        value = value[part]
    return type(value) if isinstance(value, (Mapping, list)) else value
