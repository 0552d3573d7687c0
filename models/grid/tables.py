"""A pandapower JSON file as plain tables: parsed by us, so that nothing in it can run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.errors import InputError, Problem
from twin.jsonfile import text_of

ALLOWED = frozenset({
    ("pandapower.auxiliary", "pandapowerNet"),
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.series", "Series"),
    ("numpy", "array"),
    ("builtins", "tuple"),
    ("builtins", "set"),
    ("builtins", "frozenset"),
})  # fmt: skip
"""What a network file may name. None of it is ever imported by name: a DataFrame becomes a `Table`, the rest stays data."""


_DTYPE = re.compile(r"(u?int(8|16|32|64)|float(32|64)|bool|object|U?Int(8|16|32|64)|Float(32|64)|boolean|string|str)")


@dataclass(frozen=True)
class Table:
    """One element table: `index[i]` is pandapower's index of row i, `line` where the table stands in the file."""

    name: str
    columns: tuple[str, ...]
    index: tuple[int, ...]
    rows: tuple[list[Any], ...]
    dtypes: dict[str, str]
    line: int

    def __len__(self) -> int:
        return len(self.index)

    def column(self, name: str, default: Any = None) -> list[Any]:
        """Return a column; nulls and an absent column give `default`."""
        if name not in self.columns:
            return [default] * len(self)
        at = self.columns.index(name)
        return [default if row[at] is None else row[at] for row in self.rows]


@dataclass(frozen=True)
class Tables:
    """A whole file: its element tables and its scalars (`f_hz`, `sn_mva`, `version`, ...)."""

    path: Path
    tables: dict[str, Table]
    scalars: dict[str, Any]

    def __getitem__(self, name: str) -> Table:
        return self.tables.get(name) or Table(name, (), (), (), {}, 0)

    def problem(self, table: str, what: str) -> Problem:
        """Make a problem that points at the line of `table`."""
        return Problem(what, str(self.path), self[table].line)


def read_tables(path: Path) -> Tables:
    """Read a file that pandapower's `to_json` wrote. InputError lists every problem with its line."""
    text = text_of(path)
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(Problem(f"not JSON: {error.msg} (truncated?)", str(path), error.lineno)) from None
    except (RecursionError, ValueError):  # too deep, or a number of thousands of digits
        raise InputError(Problem("nested too deeply, or with numbers too long, for a network file", str(path), 1)) from None
    if not isinstance(whole, dict) or whole.get("_class") != "pandapowerNet" or not isinstance(whole.get("_object"), dict):
        _vet(whole, text, path)
        raise InputError(Problem("not a pandapower network: write it with `pandapower.to_json(net, file)`", str(path), 1))
    lines = _lines(text)
    problems: list[Problem] = []
    tables, scalars = {}, {}
    for name, value in whole["_object"].items():
        if isinstance(value, dict) and value.get("_class") == "DataFrame":
            try:
                tables[name] = _table(name, value, lines.get(name, 1))
            except ValueError as error:
                problems.append(Problem(f"table '{name}': {error}", str(path), lines.get(name, 1)))
        else:
            scalars[name] = value
    _vet([whole, *(list(table.rows) for table in tables.values())], text, path)
    if problems:
        raise InputError(problems)
    return Tables(path, tables, scalars)


def _lines(text: str) -> dict[str, int]:
    """Return where each member name first starts a line; a file on one line has every table on line 1."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*"([^"\\]+)"\s*:', line[:200])
        if match:
            found.setdefault(match[1], number)
    return found


def _table(name: str, value: dict[str, Any], line: int) -> Table:
    """Decode pandas' `split` layout. ValueError says what is wrong with it."""
    held = value.get("_object")
    try:
        held = json.loads(held) if isinstance(held, str) else held
    except (ValueError, RecursionError):
        raise ValueError("its rows are not JSON") from None
    if not isinstance(held, dict) or not all(isinstance(held.get(key), list) for key in ("columns", "index", "data")):
        raise ValueError("not in the 'split' layout (columns, index, data) that to_json writes")
    columns, index, rows = held["columns"], held["index"], held["data"]
    if len(index) != len(rows) or any(not isinstance(row, list) or len(row) != len(columns) for row in rows):
        raise ValueError(f"{len(index)} indices, {len(rows)} rows and {len(columns)} columns do not fit together")
    if not all(isinstance(column, str) for column in columns):
        raise ValueError("a column's name is not text")
    if not name.startswith("res_") and not all(isinstance(i, int) for i in index) and name in ("bus", "line", "trafo", "load"):
        raise ValueError("its index must be whole numbers")
    if len(set(map(str, index))) != len(index):
        raise ValueError("an index occurs twice")
    dtypes = value.get("dtype") or {}
    if not isinstance(dtypes, dict):
        raise ValueError("its dtypes are not a list of columns and types")
    kept = {str(c): t for c, t in dtypes.items() if isinstance(t, str) and _DTYPE.fullmatch(t)}
    return Table(name, tuple(columns), tuple(index), tuple(rows), kept, line)


def _vet(whole: Any, text: str, path: Path) -> None:
    """Refuse every class or module that is not on the list, each with its line."""
    problems = []
    for module, name in sorted(set(_named(whole))):
        if (module, name) in ALLOWED:
            continue
        sought = next(
            (part for part, known in ((name, {c for _, c in ALLOWED}), (module, {m for m, _ in ALLOWED})) if part not in known), module
        )
        at = text.find(f'"{sought}') if f'"{sought}' in text else text.find(sought)
        line = text.count("\n", 0, at) + 1 if at >= 0 else 1
        right = (
            "a network file may hold only pandapowerNet, DataFrame, Series and numpy arrays; remove it (controllers, shapes) and save again"
        )
        problems.append(Problem(f"names {module or '?'}.{name or '?'}, which is not read: {right}", str(path), line))
    if problems:
        raise InputError(problems)


def _named(whole: Any) -> Iterator[tuple[str, str]]:
    """Yield each (module, class) pair anywhere in the data, also inside rows and strings that hold JSON."""
    waiting = [whole]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "_class" in value or "_module" in value:
                yield str(value.get("_module", "")), str(value.get("_class", ""))
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, str) and "_module" in value and value.lstrip()[:1] in ("{", "[", '"'):
            try:
                waiting.append(json.loads(value))
            except (ValueError, RecursionError):
                yield value[:40], ""
