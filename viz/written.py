"""The scenario a run was made from, as its folder keeps it: plain data, read only to be shown."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from twin.errors import InputError
from twin.results import Run

_QUANTITY = re.compile(r"(?:[<>]=?)?\s*([-+]?[0-9._]+(?:[eE][-+]?[0-9]+)?)\s*(.*)")
_UNIT = re.compile(r"(?:1|%|[A-Za-z°µ]+[0-9]?)(?:[ */][A-Za-z°µ]+[0-9]?){0,4}")
"""Only what looks like a unit reaches pint, which would compute any expression."""
VALUES = 20_000
"""More keys than this are not compared: a scenario has some hundred."""


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
        found[under] = "" if said is None else str(said)
    return found


def measured(run: Run) -> dict[str, dict[str, Any]]:
    """Return the KPIs as the scenario declares them, by name: of, at, across, over, target."""
    kpis = run.scenario.get("kpis")
    return {str(name): dict(one) for name, one in kpis.items() if isinstance(one, Mapping)} if isinstance(kpis, Mapping) else {}


def plans(run: Run) -> list[str]:
    """Return the titles of the scenario's plans, or their names; none where it has no such section."""
    said = run.scenario.get("plans")
    plans = said.items() if isinstance(said, Mapping) else ()
    return [str(one.get("title") or name) if isinstance(one, Mapping) else str(name) for name, one in plans]


def chosen(run: Run, said: Mapping[str, Any]) -> np.ndarray:
    """Return the (time, element) values of a KPI's port at its elements (`at`), all of them where it names none.

    InputError: no such port, or none of the elements that it names.
    """
    sheet, port = run.port(str(said.get("of", "")))
    field = run.fields[sheet.name][port.name]
    at = said.get("at") or ()
    named = [at] if isinstance(at, str) else [str(one) for one in at]
    ids = [id for id in named if id in sheet.elements[port.at].ids]
    if named and not ids:
        raise InputError(f"{said.get('of')}: this run has no {', '.join(named[:8])}")
    return np.asarray((field.sel({port.at: ids}) if ids else field).values, float)


def level(run: Run, said: Mapping[str, Any]) -> np.ndarray | None:
    """Return the one number a moment that a KPI is made of; None for a KPI of events, or where nothing is recorded."""
    try:
        return curve(run, said)[0]
    except InputError:
        return None


def curve(run: Run, said: Mapping[str, Any]) -> tuple[np.ndarray, str, str]:
    """Return the one number a moment that a KPI is made of, a word for it, and its unit ('1' for counts and shares).

    InputError: no such port or elements, no element at all, or a limit that is no quantity of the port's unit.
    """
    unit, across = run.port(str(said.get("of", "")))[1].unit, str(said.get("across") or "")
    values = chosen(run, said)
    if not values.size:
        raise InputError(f"{said.get('of')}: nothing is recorded of it")
    how, _, side = across.partition("_")
    if side in ("above", "below") and how in ("count", "share"):
        limit = quantity(said.get("limit"), unit)
        if limit is None:
            raise InputError(f"{said.get('of')}: '{said.get('limit')}' is no limit in {unit}")
        beyond = values > limit if side == "above" else values < limit
        word = f"{'number' if how == 'count' else 'share'} {side} {said.get('limit')}:"
        return (beyond.sum(axis=1) if how == "count" else beyond.mean(axis=1)).astype(float), word, "1"
    if values.shape[1] == 1:
        return values[:, 0], "", unit
    named = {"min": "lowest", "max": "highest", "sum": "sum of", "mean": "mean"}
    how = how if how in named else "mean"
    return np.asarray(getattr(values, how)(axis=1)), named[how], unit


def drawn(run: Run, said: Mapping[str, Any]) -> bool:
    """Tell whether a KPI has a curve: it is made of a recorded port of numbers (counts and shares of switches are such too)."""
    of = str(said.get("of", ""))
    try:
        switches = run.port(of)[1].dtype == "bool"
        return len(run.times_s) > 1 and not (switches and said.get("across") is None) and curve(run, said)[0].size > 0
    except InputError:
        return False


def window(run: Run, said: Mapping[str, Any]) -> slice:
    """Return which samples a KPI is made of: those between its `from` and `to`, both included; all of them where it says neither."""
    ends = [run.second(said[key]) if said.get(key) else None for key in ("from", "to")]
    first = 0 if ends[0] is None else int(np.searchsorted(run.times_s, ends[0]))
    last = len(run.times_s) if ends[1] is None else int(np.searchsorted(run.times_s, ends[1], side="right"))
    return slice(first, last) if first < last else slice(0, len(run.times_s))


def quantity(said: object, unit: str) -> float | None:
    """Return '8 min', '4 1/m2' or 4 as a number in `unit`; None when it is none."""
    match = _QUANTITY.fullmatch(str(said).strip()) if said not in (None, "") else None
    if match is None:
        return None
    try:
        number, written = float(match[1].replace("_", "")), match[2].strip()
        if written in ("", unit):
            return number
        if not (_UNIT.fullmatch(written) and _UNIT.fullmatch(unit)):
            return None
        return float(_units().Quantity(number, _spelled(written)).to(_spelled(unit)).magnitude)
    except (ValueError, TypeError, AttributeError):  # pint's own errors are of these kinds
        return None


def _spelled(unit: str) -> str:
    plain = {"1": "dimensionless", "people": "dimensionless", "vehicles": "dimensionless", "%": "percent"}
    return plain.get(unit) or re.sub(r"([a-zA-Z])([23])", r"\1^\2", unit)


@functools.cache
def _units() -> Any:
    import pint

    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)
