"""The scenario a run was made from, as its folder keeps it: plain data, read only to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.errors import StorageError
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
