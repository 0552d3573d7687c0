"""What is written is what is read, whatever it is: quantities, moments, lines of YAML, `--set`, targets of KPIs."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from pathlib import Path

import mini
import pytest
import sixth
from hypothesis import example, given, settings
from hypothesis import strategies as st

import twin
from twin import scenario, units, yamlfile
from twin.kpi import Kpi

UNITS = ["m", "km", "mm", "s", "min", "h", "kW", "MW", "m3/s", "kW h", "kg/s", "%", "1", "bar"]
START = datetime(2014, 8, 16, 21, 30)
words = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
trees = st.recursive(st.integers(), lambda inner: st.dictionaries(words, inner, min_size=1, max_size=4), max_leaves=20)


@given(st.floats(-1e12, 1e12), st.sampled_from(UNITS))
def test_a_quantity_is_read_as_it_is_written(number: float, unit: str) -> None:
    assert units.quantity(f"{number!r} {unit}" if unit != "1" else repr(number), unit) == number


@given(st.floats(1e-6, 1e6), st.sampled_from([("km", "m"), ("h", "s"), ("MW", "kW"), ("m3/s", "m3/h"), ("bar", "Pa"), ("kW h", "J")]))
@settings(deadline=None)
def test_a_quantity_is_itself_there_and_back(number: float, pair: tuple[str, str]) -> None:
    there = units.quantity(f"{number!r} {pair[0]}", pair[1])
    assert units.quantity(f"{there!r} {pair[1]}", pair[0]) == pytest.approx(number, rel=1e-12)


@given(
    st.one_of(st.text(max_size=20), st.from_regex(r"[-+]?[0-9]{1,3}e[-+]?[0-9]{1,3} ?(km|m|h|MW)", fullmatch=True)), st.sampled_from(UNITS)
)
@example("1e308 km", "m")
@settings(deadline=None)
def test_a_quantity_is_finite_or_refused(text: str, unit: str) -> None:
    try:
        assert math.isfinite(units.quantity(text, unit))
    except ValueError as error:
        assert str(error)


@given(st.integers(0, 86399))
def test_a_time_of_day_is_the_next_one_from_the_start(second: int) -> None:
    found = units.clock_s(f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}", START)
    then = START + timedelta(seconds=found)
    assert 0 <= found < 86400
    assert (then.hour, then.minute, then.second) == (second // 3600, second // 60 % 60, second % 60)


@given(st.integers(0, 366 * 86400))
def test_seconds_after_the_start_are_read_as_they_are_written(second: int) -> None:
    assert units.clock_s(f"+{second} s", START) == second
    assert units.clock_s((START + timedelta(seconds=second)).isoformat(" "), START) == second


@given(st.dictionaries(words, trees, min_size=1, max_size=6), st.integers(0, 3))
@settings(max_examples=50, deadline=None)
def test_the_line_of_a_key_is_the_line_it_stands_on(tree: dict[str, object], gap: int) -> None:
    lines: list[str] = []
    at: dict[tuple[str, ...], int] = {}

    def write(value: object, path: tuple[str, ...]) -> None:
        for key, inner in value.items() if isinstance(value, dict) else ():
            lines.extend(["# a remark"] * gap)
            lines.append("  " * len(path) + f'"{key}":' + ("" if isinstance(inner, dict) else f" {inner}"))
            at[(*path, key)] = len(lines)
            write(inner, (*path, key))

    write(tree, ())
    data, locate = yamlfile.parse("\n".join(lines))
    assert data == tree
    assert {path: locate(path) for path in at} == at
    assert all(locate((*path, "unknown")) == line for path, line in at.items())


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mini.write(tmp_path_factory.mktemp("sets"))


@given(st.integers(1, 50), st.integers(0, 2**31), st.sampled_from([" ", ""]))
@settings(max_examples=30, deadline=None)
def test_what_is_set_is_what_is_read(file: Path, rooms: int, seed: int, space: str) -> None:
    read = scenario.read(file, [f"models.heat.rooms={space}{rooms}", f"seed={seed}"])
    assert (read.raw()["models"]["heat"]["rooms"], read.seed) == (rooms, seed)
    assert read.place(("seed",)) == (f"--set seed={seed}", 0)


@given(st.text(st.characters(codec="utf-8"), max_size=30))
@settings(max_examples=60, deadline=None)
def test_any_text_can_be_set_or_is_refused_in_lines_that_quote_it(file: Path, text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        sixth.register(patch)
        try:
            scenario.read(file, [text])
        except twin.InputError as error:
            assert all(line.startswith("--set") or str(file.name) in line for line in str(error).split("\n"))


@given(st.sampled_from(["<=", ">=", "<", ">"]), st.floats(-1e9, 1e9), st.sampled_from(UNITS), st.sampled_from(["", " ", "  "]))
@settings(deadline=None)
def test_a_target_is_its_sign_and_its_quantity(sign: str, number: float, unit: str, space: str) -> None:
    written = repr(number) if unit == "1" else f"{number!r} {unit}"
    kpi = Kpi(of="heat.temperature_degc", over="min", target=f"{sign}{space}{written}")
    assert kpi.goal == (sign, written)
    assert kpi.shown_unit("1") == unit
    assert units.quantity(kpi.goal[1], unit) == number
