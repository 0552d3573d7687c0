"""The scenario a run was made from, as its folder keeps it: plain data, read only to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from twin.errors import InputError, StorageError
from twin.results import Run

LIMIT_BYTES = 2 * 2**20
VALUES = 20_000
"""More keys than this are not compared: a scenario has some hundred."""


def scenario(run: Run) -> dict[str, Any]:
    """Return `scenario.yaml` of the run folder as a mapping; empty when there is none or it is no mapping; StorageError when damaged."""
    from ruamel.yaml import YAML, YAMLError

    file = run.path / "scenario.yaml"
    try:
        if not file.is_file():
            return {}
        if file.stat().st_size > LIMIT_BYTES:
            raise StorageError(f"{file}: is too big for a scenario")
        said = YAML(typ="safe", pure=True).load(file.read_text("utf-8"))
    except OSError as error:
        raise StorageError(f"{file}: cannot be read: {error.strerror or error}") from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise StorageError(f"{file}: is damaged: {str(error).splitlines()[0]}") from error
    return dict(said) if isinstance(said, Mapping) else {}


def leaves(said: object, under: str = "", found: dict[str, str] | None = None) -> dict[str, str]:
    """Return a mapping of mappings as `key.key` -> text, at most `VALUES` of them."""
    found = {} if found is None else found
    if len(found) >= VALUES:
        return found
    if isinstance(said, Mapping) and said and under.count(".") < 20:
        for key, value in said.items():
            leaves(value, f"{under}.{key}" if under else str(key), found)
    elif isinstance(said, list) and said and all(isinstance(one, Mapping) and "name" in one for one in said):
        for one in said:
            leaves({key: value for key, value in one.items() if key != "name"}, f"{under}.{one['name']}", found)
    else:
        found[under] = "" if said is None else str(said)[:200]
    return found


def measured(run: Run) -> dict[str, dict[str, Any]]:
    """Return the KPIs as the scenario declares them, by name: of, at, across, over, target."""
    kpis = scenario(run).get("kpis")
    return {str(name): dict(one) for name, one in kpis.items() if isinstance(one, Mapping)} if isinstance(kpis, Mapping) else {}


def chosen(run: Run, said: Mapping[str, Any]) -> np.ndarray:
    """Return the (time, element) values of a KPI's port at its elements (`at`), all of them where it names none."""
    sheet, port = run.port(str(said.get("of", "")))
    field = run.fields[sheet.name][port.name]
    at = said.get("at") or ()
    ids = [id for id in ([at] if isinstance(at, str) else map(str, at)) if id in sheet.elements[port.at].ids]
    return np.asarray((field.sel({port.at: ids}) if ids else field).values, float)


def level(run: Run, said: Mapping[str, Any]) -> np.ndarray | None:
    """Return the one number a moment that a KPI is made of; None for a KPI of events, or where nothing is recorded."""
    try:
        values = chosen(run, said)
    except InputError:
        return None
    return reduced(values, said.get("across"))[0] if values.size else None


def reduced(values: np.ndarray, across: object) -> tuple[np.ndarray, str]:
    """Return one number a moment of (time, element) values, as the KPI's `across` says, and a word for it."""
    if values.shape[1] == 1:
        return values[:, 0], ""
    how = across if across in ("min", "max", "sum", "mean") else "mean"
    named = {"min": "lowest", "max": "highest", "sum": "sum", "mean": "mean"}[str(how)]
    return getattr(np, f"nan{how}")(values, axis=1), named
