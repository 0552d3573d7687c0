"""Columns of an element table as checked arrays; problems are collected with file and line."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

import numpy as np

from models.gas.netfile import Table
from twin.errors import Problem


class Columns:
    """Reads columns of `tables` as arrays; everything wrong goes to `problems`."""

    def __init__(self, tables: Mapping[str, Table], path: str) -> None:
        self.tables, self.path = tables, path
        self.problems: list[Problem] = []
        self.place = {label: i for i, label in enumerate(tables["junction"].index)}

    def wrong(self, what: str, line: int = 0) -> None:
        """Note a problem."""
        self.problems.append(Problem(what, self.path, line or 1))

    def numbers(
        self, name: str, column: str, *, default: float | None = None, above: float = -np.inf, least: float = -np.inf
    ) -> np.ndarray:
        """Return a column as floats, finite and within its bounds; empty cells take `default`, else they are a problem."""
        table = self.tables[name]
        values = table.columns.get(column)
        if values is None:
            if default is None and len(table):
                self.wrong(f"table '{name}' has no column '{column}'; save the network with pandapipes 0.13 or newer", table.line)
            return np.full(len(table), np.nan if default is None else default)
        found = np.full(len(table), np.nan)
        for i, value in enumerate(values):
            if value is None or (isinstance(value, float) and isnan(value)):
                if default is None:
                    self.wrong(f"{name} {table.index[i]}: '{column}' is empty", table.line)
                else:
                    found[i] = default
            elif (
                isinstance(value, bool)
                or not isinstance(value, (int, float))
                or not abs(value) < 1e12
                or not (value > above and value >= least)
            ):
                bound = f" > {above:g}" if above > -np.inf else f" >= {least:g}" if least > -np.inf else ""
                self.wrong(f"{name} {table.index[i]}: '{column}' is {value!r}; a number{bound} is needed", table.line)
            else:
                found[i] = value
        return found

    def switches(self, name: str, column: str) -> np.ndarray:
        """Return a column of true and false; an absent column is true."""
        table = self.tables[name]
        values = table.columns.get(column, [True] * len(table))
        for label, value in zip(table.index, values, strict=True):
            if value not in (True, False):
                self.wrong(f"{name} {label}: '{column}' is {value!r}; true or false is needed", table.line)
        return np.array([value in (True, 1) for value in values], bool)

    def places(self, name: str, column: str, known: Mapping[int, int] | None = None, what: str = "junction") -> np.ndarray:
        """Return a column of labels as positions among the junctions (or in `known`)."""
        table, known = self.tables[name], self.place if known is None else known
        found = np.full(len(table), -1)
        for i, label in enumerate(table.columns.get(column, [None] * len(table))):
            if isinstance(label, (int, float)) and not isinstance(label, bool) and label in known:
                found[i] = known[int(label)]
            else:
                self.wrong(f"{name} {table.index[i]}: '{column}' names {what} {label!r}, which the file does not have", table.line)
        return found


def names(table: Table, prefix: str) -> list[str]:
    """Return an id a row: its name where that is given and occurs once, else prefix and row label."""
    given = ["" if name is None else str(name).strip() for name in table.columns.get("name", [None] * len(table))]
    count: dict[str, int] = {}
    for name in given:
        count[name] = count.get(name, 0) + 1
    return distinct([name if name and count[name] == 1 else f"{prefix}{label}" for name, label in zip(given, table.index, strict=True)])


def distinct(names: list[str]) -> list[str]:
    """Return the names with underscores put to those that occurred before."""
    seen: set[str] = set()
    for i in range(len(names)):
        while names[i] in seen:
            names[i] += "_"
        seen.add(names[i])
    return names
