"""Quantities with units at the edge of the program; plain numbers in the unit of their name inside."""

from __future__ import annotations

import math
import re
from datetime import datetime, time, timedelta
from fractions import Fraction
from functools import cache
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_UNIT = re.compile(r"(?:1|%|[A-Za-zµ°]{1,24}[0-9]?)(?:[ /*](?:[A-Za-zµ°]{1,24}[0-9]?)){0,4}")
"""What a unit may be spelled like: `m3/s`, `1/m2`, `kW h`; no expression of a stranger reaches pint."""
LONGEST_TEXT = 100
"""No quantity or moment is longer; a pattern tries a longer one in all too many ways."""
LONGEST_S = 366 * 86400
"""The longest time a scenario may name, in seconds."""
_SI_FIRST = {"%": "percent", "people": "1", "vehicles": "1"}
_NONE, _LENGTH, _MASS, _TIME, _POWER = (0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (2, 1, -3)
_COMMON: dict[str, tuple[str, tuple[int, ...]]] = {
    **dict.fromkeys(("1", "people", "vehicles", "pu"), ("1", _NONE)),
    **{name: (scale, _LENGTH) for name, scale in (("mm", "1e-3"), ("cm", "1e-2"), ("m", "1"), ("km", "1e3"))},
    **{name: (scale, _MASS) for name, scale in (("g", "1e-3"), ("kg", "1"))},
    **{name: (scale, _TIME) for name, scale in (("s", "1"), ("min", "60"), ("h", "3600"))},
    **{name: (scale, _POWER) for name, scale in (("W", "1"), ("kW", "1e3"), ("MW", "1e6"))},
    "%": ("1e-2", _NONE),
    "bar": ("1e5", (-1, 1, -2)),
}
"""Units that need no pint, which takes a fifth of a second to import: scale to SI, powers of metre, kilogram, second."""


@cache
def registry() -> Any:
    """The one pint registry (imported on first use: it is slow to start)."""
    import pint

    units: Any = pint.UnitRegistry(cache_folder=":auto:", autoconvert_offset_to_baseunit=True)
    units.define("pu = []")
    return units


@cache
def factor(source: str, target: str) -> float:
    """Return what a value in `source` is multiplied by to be in `target`; ValueError if unlike."""
    if source == target:
        return 1.0
    for unit in (source, target):
        if len(unit) > LONGEST_TEXT or not _UNIT.fullmatch(unit):
            raise ValueError(f"'{unit[:LONGEST_TEXT]}' is no unit")
    give, take = _common(source), _common(target)
    if give and take:
        if give[1] != take[1]:
            raise ValueError(f"{source} cannot be converted to {target}")
        return float(give[0] / take[0])
    import pint

    try:
        zero, one = (float(registry().Quantity(number, _spelled(source)).to(_spelled(target)).magnitude) for number in (0.0, 1.0))
        if zero:
            raise ValueError("they count from different zeros, so that no factor converts them")
        return one
    except (pint.errors.PintError, AttributeError, AssertionError, ValueError, TypeError) as error:
        raise ValueError(f"{source} cannot be converted to {target}") from error


def _common(unit: str) -> tuple[Fraction, tuple[int, ...]] | None:
    """Return the scale and dimension of products of common units over single ones (`kW h`, `m3/s`); None for others."""
    scale = Fraction(1)
    powers: tuple[int, ...] = _NONE
    over, *under = unit.split("/")
    for part, sign in [(part, 1) for part in re.split("[ *]", over)] + [(part, -1) for part in under]:
        name, power = (part[:-1], int(part[-1])) if part[-1:] in ("2", "3") else (part, 1)
        if name not in _COMMON:
            return None
        scale *= Fraction(_COMMON[name][0]) ** (sign * power)
        powers = tuple(total + sign * power * one for total, one in zip(powers, _COMMON[name][1], strict=True))
    return scale, powers


def _spelled(unit: str) -> str:
    unit = _SI_FIRST.get(unit, unit)
    return "dimensionless" if unit == "1" else re.sub(r"([a-zA-Z])([23])", r"\1^\2", unit)


def suffix(unit: str) -> str:
    """Return how a port's name must end for `unit`: `m3/s` -> `_m3_per_s`; `1` -> ``."""
    if unit == "1":
        return ""
    head, *rest = unit.replace(" ", "").split("/")
    parts = ([] if head == "1" else [head]) + [f"per_{part}" for part in rest]
    return "_" + "_".join(parts).lower().replace("%", "percent")


def quantity(text: object, unit: str) -> float:
    """Read `'300 m'` as a number in `unit`; ValueError for a bare number or an unlike unit."""
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        if not math.isfinite(text):
            raise ValueError(f"{text} is no number that fits; write for example '5 {unit}'")
        if unit == "1":
            return float(text)
        raise ValueError(f"a bare number {text:g} where a unit is needed; write '{text:g} {unit}' if that is meant")
    if not isinstance(text, str):
        raise ValueError(f"expected a quantity such as '5 {unit}'")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"'{text[:LONGEST_TEXT]}...' is no quantity; write for example '5 {unit}'")
    match = re.fullmatch(r"\s*([-+]?[0-9][0-9_]*\.?[0-9]*(?:[eE][-+]?[0-9]+)?)\s*([^\d\s].*|1/.*)?", text)
    if match is None:
        raise ValueError(f"'{text}' is no quantity; write for example '5 {unit}'")
    number, found = float(match[1].replace("_", "")), (match[2] or "").strip()
    if not math.isfinite(number):
        raise ValueError(f"'{text}' is too large a number")
    if not found:
        if unit == "1":
            return number
        raise ValueError(f"a bare number {text.strip()} where a unit is needed; write '{text.strip()} {unit}' if that is meant")
    try:
        value = number * factor(found, unit)
    except ValueError:
        raise ValueError(f"'{text}' is not in a unit of {unit}; write for example '5 {unit}'") from None
    if not math.isfinite(value):
        raise ValueError(f"'{text}' is too large a number")
    return value


def Quantity(unit: str) -> Any:  # noqa: N802 - it is used as a type
    """Make the type of an option given as `'300 m'` and held as a float in `unit`."""
    schema = {"type": "string", "pattern": r"^\s*[-+]?[0-9].*\S\s*$", "description": f"a quantity in a unit of {unit}"}
    return Annotated[float, BeforeValidator(lambda text: quantity(text, unit)), WithJsonSchema(schema)]


def _whole_seconds(text: object) -> int:
    seconds = quantity(text, "s")
    if abs(seconds) > LONGEST_S:
        raise ValueError(f"'{text}' is longer than the {LONGEST_S // 86400} days that a clock here counts")
    if seconds != int(seconds):
        raise ValueError(f"'{text}' is {seconds:g} s; the clock counts whole seconds")
    return int(seconds)


_DURATION = {"type": "string", "pattern": r"^\s*[0-9.]+\s*[a-zA-Z]+\s*$", "description": "a duration such as '30 min' or '90 s'"}

Seconds = Annotated[int, BeforeValidator(_whole_seconds), WithJsonSchema(_DURATION)]
"""The type of a duration given as `'30 min'` and held as whole seconds."""


def clock_s(text: object, start: datetime) -> int:
    """Read a moment as seconds after `start`: `'21:40'`, `'21:40:30'`, `'+12 min'` or a date and time.

    A clock time earlier than the start's is on the next day. ValueError says what would be right.
    """
    if isinstance(text, datetime):
        moment = text if text.tzinfo else text.replace(tzinfo=start.tzinfo)
        return round((moment - start).total_seconds())
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no time; write for example '21:40' or '+12 min'")
    text = text.strip()
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"'{text[:LONGEST_TEXT]}...' is no time; write for example '21:40'")
    if text.startswith("+"):
        return _whole_seconds(text[1:].strip())
    if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", text):
        try:
            moment = datetime.combine(start.date(), time.fromisoformat(text.zfill(len(text) + (text[1] == ":"))), start.tzinfo)
        except ValueError:
            raise ValueError(f"'{text}' is no time of day; write for example '21:40'") from None
        if moment < start:
            moment += timedelta(days=1)
        return round((moment - start).total_seconds())
    try:
        return clock_s(datetime.fromisoformat(text), start)
    except ValueError:
        raise ValueError(f"'{text}' is no time; write for example '21:40', '+12 min' or '2014-08-16 21:40'") from None
