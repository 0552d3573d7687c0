"""A stranger's YAML is read as YAML 1.2 data only, and every value has its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from twin import yamlfile
from twin.errors import InputError


def test_values_are_those_of_yaml_1_2() -> None:
    data, _ = yamlfile.parse("a: no\nb: 21:40\nc: 2014-08-16\nd: 0o17\ne: 1e3\nf: ~\ng: true\nh: 2014-08-16 20:00:00\n")
    # YAML 1.1 reads these as False, 1300 (base 60), a date, a string; times stay text for the schema to read
    assert data == {"a": "no", "b": "21:40", "c": "2014-08-16", "d": 15, "e": 1000.0, "f": None, "g": True, "h": "2014-08-16 20:00:00"}


def test_every_key_and_item_has_its_line() -> None:
    _, locate = yamlfile.parse("a:\n  b:\n    - 1\n    - c: 2\nd: 3\n")
    assert [locate(path) for path in (("a",), ("a", "b"), ("a", "b", 1), ("a", "b", 1, "c"), ("d",))] == [1, 2, 4, 4, 5]
    assert locate(("a", "b", 1, "unknown", "deeper")) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3: key 'a' occurs twice, first at line 1"),
        ("a: !!python/object/apply:os.system [id]\n", "f.yaml:1: tag '!!python/object/apply:os.system' is not allowed"),
        ("a: 1\nb: !include x\n", "f.yaml:2: tag '!include' is not allowed"),
        ("a: &x [*x]\n", "f.yaml:1: nested more than 40 deep"),
        ("a: {b: &x {c: 1}}\nd:\n  <<: *x\n", "f.yaml:3: merge keys"),
        ("%YAML 1.1\n---\na: no\n", "f.yaml:1: directives"),
        ("a: [1\nb: 2\n", "f.yaml:2: not YAML"),
        ("a: 1\n---\nb: 2\n", "not YAML"),
        ("[" * 100_000, "nested too deep"),
        ("a: 1\nb: \x00", "f.yaml:2: not YAML: unacceptable character"),
        ("? [1, 2]\n: 3\n", "a key must be a word"),
        ("a: " + "9" * 5000, "is no number that fits"),
    ],
)
def test_what_is_not_plain_data_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        yamlfile.parse(text, "f.yaml")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_an_alias_bomb_is_refused_before_it_is_built() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(InputError, match="more than 100,000 values"):
        yamlfile.parse("\n".join(lines), "f.yaml")


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text("a: 1")
    (tmp_path / "big.yaml").write_text("#" * (yamlfile.SIZE_LIMIT_BYTES + 1))
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    for name, said in (
        ("scenaro.yaml", "did you mean 'scenario.yaml'"),
        ("big.yaml", "1,000,001 bytes"),
        ("latin.yaml", "not UTF-8"),
        (".", "folder"),
    ):
        with pytest.raises(InputError, match=said):
            yamlfile.load(tmp_path / name)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    data, locate = yamlfile.load(tmp_path / "a.yaml")
    assert (data, locate(("b",))) == ({"a": 1, "b": 2}, 2)


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    people: int


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    models: dict[str, Inner]
    rows: list[Inner] = []


def test_pydantics_errors_become_lines_of_the_file() -> None:
    data, locate = yamlfile.parse("models:\n  crowd:\n    people: many\n  other:\n    peple: 3\n    people: 3\nrows:\n  - {}\nmodel: 3\n")
    with pytest.raises(ValidationError) as error:
        Outer.model_validate(data)
    said = [str(problem) for problem in yamlfile.problems(error.value, "s.yaml", locate, Outer)]
    assert said[0].startswith("s.yaml:3: models.crowd.people: Input should be a valid integer")
    assert said[1:] == [
        "s.yaml:5: no key of models.other 'peple'; did you mean 'people'?",
        "s.yaml:8: 'rows.0.people' is missing",
        "s.yaml:9: no key 'model'; did you mean 'models'?",
    ]


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@ \n\t0.~?,<", max_size=60))
def test_no_text_makes_anything_but_data_or_an_input_error(text: str) -> None:
    try:
        data, locate = yamlfile.parse(text, "f.yaml")
    except InputError as error:
        assert all(problem.what for problem in error.problems)
        return
    assert isinstance(data, (dict, list, str, int, float, bool, type(None)))
    assert locate(("a", 0)) >= 1
