"""A scenario as its file and the one it is based on say it together, and which of them says what."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twin import yamlfile
from twin.errors import InputError, Problem, nearest
from twin.registry import registered

KEY = "based_on"
MOST = 5
"""So many files may be based on one another."""
READ = "read"
"""The key under which an entry that was read into a scenario from another file says from where; it changes nothing."""
FILES = (".yaml", ".yml", ".csv", ".xlsx")
"""What a scenario's sections name lies in such files."""

Place = Callable[[Sequence[Any]], tuple[str, int]]
"""`place(("timeline", "detour"))` -> the file and line of that key, or the override that set it."""


def load(path: Path, beside: Path, before: Sequence[Path] = ()) -> tuple[dict[str, Any], Place]:
    """Return a scenario's plain data, merged with the file it is `based_on`, and where each key is written.

    Mappings merge by name, null removes, anything else replaces. Paths in the other file mean what they mean there; paths in
    this one are relative to where `beside` lies. InputError: not a scenario, no such file, files based on one another in a ring.
    """
    if path.suffix in (".inp", ".xml", ".csv", ".geojson") and path.is_file():
        raise InputError(Problem("no scenario, which is YAML; `twin info PACK` reads and checks a city pack's files", str(path), 1))
    raw, locate = yamlfile.load(path)
    if not isinstance(raw, dict):
        raise InputError(Problem("a scenario is a mapping of keys; see `twin schema`", str(path), 1))
    if "crs" in raw and "start" not in raw:
        raise InputError(Problem(f"this is a city pack's manifest; a scenario names it: `city: {path.parent.name or '.'}`", str(path), 1))

    def here(key: Sequence[Any]) -> tuple[str, int]:
        return str(path), locate(key)

    if KEY not in raw:
        return gathered(raw, beside.parent, here), here
    other = raw.pop(KEY)
    if not isinstance(other, str) or not other:
        raise InputError(Problem(f"{KEY}: write the file of another scenario, from this file's folder", *here((KEY,))))
    base = Path(os.path.normpath(beside.parent / other))
    if not base.is_file():
        raise InputError(Problem(f"{KEY}: {other}: no such file in {beside.parent}", *here((KEY,))))
    chain = [*before, Path(os.path.normpath(beside))]
    if base in chain:
        raise InputError(Problem(f"{KEY}: {other} is itself based on this file; one of them must stand alone", *here((KEY,))))
    if len(chain) > MOST:
        raise InputError(Problem(f"{KEY}: more than {MOST} files based on one another", *here((KEY,))))
    under, there = load(base, base, chain)
    under = {key: _moved(value, base.parent, beside.parent, key) for key, value in under.items()}
    anew = {key for key, value in raw.items() if not isinstance(value, Mapping)}
    under = {key: _left(value, raw.get(key)) for key, value in under.items()}
    raw = gathered(raw, beside.parent, here)

    def place(key: Sequence[Any]) -> tuple[str, int]:
        return here(key) if _known(raw, key) >= _known(under, key) else there(key)

    return merged({key: value for key, value in under.items() if key not in anew}, raw, (), here), place


def _left(section: Any, changes: Any) -> Any:
    """Return a section less the entries that `changes` does not change but replaces: by another file, a number, a list."""
    if not isinstance(section, Mapping) or not isinstance(changes, Mapping):
        return section
    kept = {name for name, said in changes.items() if said is None or (isinstance(said, Mapping) and "file" not in said)}
    return {name: one for name, one in section.items() if name not in changes or name in kept}


def gathered(raw: Mapping[str, Any], folder: Path, place: Place | None = None) -> dict[str, Any]:
    """Return a scenario with what the files hold that its drivers' sections name, so that it says all by itself.

    `folder` is where those files are looked for, `place` where a key is written. InputError: a driver cannot read its file.
    """
    out = dict(raw)
    for found in registered("twin.drivers"):
        if out.get(found.name) is not None and (gather := getattr(found.load(), "gather", None)) is not None:
            try:
                out[found.name] = gather(out[found.name], folder)
            except InputError as error:
                raise InputError([_put(problem, place) for problem in error.problems]) from None
    return out


def _put(problem: Problem, place: Place | None) -> Problem:
    """Return a mistake that begins with its key, `plans.burst: ...`, with where that is written."""
    if problem.file or place is None:
        return problem
    return Problem(problem.what, *place(tuple(problem.what.partition(":")[0].split("."))))


def merged(base: Mapping[str, Any], changes: Mapping[str, Any], under: tuple[str, ...] = (), place: Place | None = None) -> dict[str, Any]:
    """Merge `changes` into a copy of `base`: mappings by name, None removes, anything else replaces.

    InputError: a name within a section that is to be removed and is not there; `place` says where that is written.
    """
    out = dict(copy.deepcopy(dict(base)))
    for key, value in changes.items():
        if value is None:
            if under and key not in out:
                said = f"{'.'.join(under)}: {nearest(key, out, what='entry')}; None (null) removes one that is there"
                raise InputError(Problem(said, *place((*under, key))) if place else said)
            out.pop(key, None)
        elif isinstance(value, Mapping):
            out[key] = merged(out[key] if isinstance(out.get(key), Mapping) else {}, value, (*under, key), place)
        else:
            out[key] = copy.deepcopy(value)
    return out


def _moved(value: Any, old: Path, new: Path, key: str = "") -> Any:
    """Return a value of a file in `old` as a file in `new` would say it: what names a file, and the city's folder, from there."""
    if isinstance(value, Mapping):
        return {name: _moved(one, old, new) for name, one in value.items()}
    if isinstance(value, list):
        return [_moved(one, old, new) for one in value]
    if isinstance(value, str) and (key == "city" or (value.endswith(FILES) and (old / value).is_file())):
        return os.path.relpath(old / value, new)
    return value


def _known(raw: Any, path: Sequence[Any]) -> int:
    """Return how many steps of a path a file has."""
    for steps, part in enumerate(path):
        inside = (isinstance(raw, Mapping) and part in raw) or (isinstance(raw, list) and isinstance(part, int) and 0 <= part < len(raw))
        if not inside:
            return steps
        raw = raw[part]
    return len(path)
