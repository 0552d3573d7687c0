"""Reads a YAML 1.2 file from a stranger into plain data, and knows the line of every key."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, get_args

from pydantic import BaseModel, ValidationError

from twin.errors import InputError, Problem, nearest

SIZE_LIMIT_BYTES = 1_000_000
NODE_LIMIT = 100_000
WRITTEN_LIMIT = 20_000
"""Values and keys a file may have as written; reading takes some 50 us for each."""
TEXT_LIMIT = 20_000
"""Letters of one value."""
DEPTH_LIMIT = 40
BRACKET_LIMIT = 200

Locate = Callable[[Sequence[Any]], int]
"""`locate(("models", "crowd", "people"))` -> the line of that key, or of its nearest known parent."""

_PLAIN = "tag:yaml.org,2002:"


_WORDS = {
    "dict_type": "write keys and values here: {key: value}",
    "model_type": "write keys and values here: {key: value}",
    "model_attributes_type": "write keys and values here: {key: value}",
    "tuple_type": "write a list here: [value, value]",
    "list_type": "write a list here: [value, value]",
    "string_type": "write a word or a text here",
}
"""What to write, where pydantic names types of Python."""


def load(path: str | Path) -> tuple[Any, Locate]:
    """Read `path` as plain data (dict, list, str, int, float, bool, None) and a line finder.

    Dates and times stay text. InputError: no such file, too big, not UTF-8, not YAML, a tag, a
    duplicate key, a merge key, more than `WRITTEN_LIMIT` values, or aliases that multiply beyond `NODE_LIMIT`.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(Problem("this is a folder; name a YAML file in it", str(path)))
    if not path.is_file():
        there = os.path.lexists(path)
        raise InputError(Problem("no regular file" if there else "no such file" + _similar(path), str(path)))
    if path.stat().st_size > SIZE_LIMIT_BYTES:
        raise InputError(Problem(f"{path.stat().st_size:,} bytes; a YAML file here may have {SIZE_LIMIT_BYTES:,}", str(path)))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(Problem(f"not UTF-8 text (byte {error.start}); save it as UTF-8", str(path))) from None
    return parse(text, str(path))


def parse(text: str, file: str = "") -> tuple[Any, Locate]:
    """Read YAML text as `load` does; `file` is the name that errors carry."""
    from ruamel.yaml import YAML
    from ruamel.yaml.composer import Composer
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    class Counting(Composer):
        written = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.written += 1
            if self.written > WRITTEN_LIMIT:
                line = self.parser.peek_event().start_mark.line + 1
                raise InputError(Problem(f"more than {WRITTEN_LIMIT:,} values and keys; write a smaller file", file, line))
            return super().compose_node(parent, index)

    for number, line in enumerate(text.splitlines()[:20], 1):
        if line.startswith("%"):
            raise InputError(Problem("directives such as '%YAML' are not allowed; files are read as YAML 1.2", file, number))
    if deep := _too_many_brackets(text):
        raise InputError(Problem(f"nested too deep: more than {BRACKET_LIMIT} open brackets", file, deep))
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = Counting
    try:
        node = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(str(error.problem or error.context).split())
        raise InputError(Problem(f"not YAML: {said}", file, mark.line + 1 if mark else 0)) from None
    except YAMLError as error:
        said, at = str(error).splitlines()[0] if str(error) else "unreadable", getattr(error, "position", -1)
        raise InputError(Problem(f"not YAML: {said}", file, text.count("\n", 0, at) + 1 if at >= 0 else 0)) from None
    except (RecursionError, ValueError) as error:
        said = "nested too deep" if isinstance(error, RecursionError) else f"not YAML: {error}"
        raise InputError(Problem(said, file)) from None
    reader = _Reader(file)
    data = None if node is None else reader.value(node, ())
    if reader.problems:
        raise InputError(reader.problems)
    return data, reader.locate


def problems(
    error: ValidationError, file: str, locate: Locate, schema: type[BaseModel] | None = None, under: tuple[Any, ...] = ()
) -> list[Problem]:
    """Say each of pydantic's errors as one line of the user's file, in the order of the lines.

    `schema` lets an unknown key suggest the nearest known one; `under` is the path of the part of
    the file that was validated.
    """
    found = []
    for one in error.errors(include_url=False):
        loc = tuple(one["loc"])
        key = ".".join(str(part) for part in (*under, *loc) if not _is_tag(part))
        if one["type"] == "extra_forbidden":
            known = _fields(schema, loc[:-1])
            said = nearest(
                str(loc[-1]), known, what="key" + (f" of {'.'.join(map(str, (*under, *loc[:-1])))}" if (*under, *loc[:-1]) else "")
            )
        elif one["type"] == "missing":
            said = f"'{key}' is missing"
        else:
            words = _WORDS.get(one["type"], one["msg"].removeprefix("Value error, "))
            said = f"{key}: {words}" if key else words
        found.append(Problem(said, file, locate((*under, *loc))))
    return sorted(found, key=lambda problem: problem.line)


def _too_many_brackets(text: str) -> int:
    """Return the line where brackets nest so deep that the parser, whose time grows with their square, would not end; 0 if nowhere."""
    depth = 0
    for bracket in re.finditer(r"[\[\]{}]", text):
        depth = depth + 1 if bracket[0] in "[{" else max(0, depth - 1)
        if depth > BRACKET_LIMIT:
            return text.count("\n", 0, bracket.start()) + 1
    return 0


def _similar(path: Path) -> str:
    import difflib

    beside = [one.name for one in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, sorted(beside), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _is_tag(part: Any) -> bool:
    """Tell whether pydantic put this part into a location to name a branch of a union or a validator."""
    return isinstance(part, str) and ("[" in part or part in ("int", "float", "str", "bool"))


def _fields(schema: type[BaseModel] | None, loc: Iterable[Any]) -> list[str]:
    """Return the keys a nested part of `schema` knows."""
    here: Any = schema
    for part in loc:
        if here is None or not isinstance(part, str):
            continue
        field = here.model_fields.get(part)
        here = next(iter(_models(field.annotation)), None) if field is not None else here
    return [field.alias or name for name, field in here.model_fields.items()] if here is not None else []


def _models(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


class _Reader:
    """Turns ruamel's nodes into plain data, refusing what a stranger's file must not carry."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[tuple[Any, ...], int] = {(): 1}
        self.problems: list[Problem] = []
        self.nodes = 0

    def locate(self, path: Sequence[Any]) -> int:
        """Return the line of the key at `path`, or of its longest known prefix."""
        known: tuple[Any, ...] = ()
        for part in path:
            if (*known, part) in self.lines:
                known = (*known, part)
        return self.lines[known]

    def value(self, node: Any, path: tuple[Any, ...]) -> Any:
        self.nodes += 1
        if self.nodes > NODE_LIMIT:
            self.stop(node, f"more than {NODE_LIMIT:,} values (aliases multiply them); write a smaller file")
        if len(path) > DEPTH_LIMIT:
            self.stop(node, f"nested more than {DEPTH_LIMIT} deep (or an alias within itself)")
        tag = str(node.tag or "")
        if not tag.startswith(_PLAIN) or tag.removeprefix(_PLAIN) not in _READ:
            self.problem(node, f"tag '{tag.replace(_PLAIN, '!!')}' is not allowed; write plain values")
            return None
        return _READ[tag.removeprefix(_PLAIN)](self, node, path)

    def mapping(self, node: Any, path: tuple[Any, ...]) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node.value, str):
                self.problem(key_node, "a key must be a word, not a list or a mapping")
                continue
            if key_node.tag == _PLAIN + "merge":
                self.problem(key_node, "merge keys '<<' are not YAML 1.2; write the keys out")
                continue
            key = self.value(key_node, path)
            if key in found:
                self.problem(key_node, f"key '{key}' occurs twice, first at line {self.lines[(*path, key)]}; keep one")
                continue
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            found[key] = self.value(value_node, (*path, key))
        return found

    def sequence(self, node: Any, path: tuple[Any, ...]) -> list[Any]:
        found = []
        for i, item in enumerate(node.value):
            self.lines[(*path, i)] = item.start_mark.line + 1
            found.append(self.value(item, (*path, i)))
        return found

    def text(self, node: Any, _path: tuple[Any, ...]) -> str:
        text = str(node.value)
        if len(text) > TEXT_LIMIT:
            self.problem(node, f"a text of {len(text):,} letters; at most {TEXT_LIMIT:,}")
            return text[:1]
        if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t\r" for c in text):
            self.problem(node, f"control characters in {ascii(text)[:40]}; write plain text")
        return text

    def null(self, _node: Any, _path: tuple[Any, ...]) -> None:
        return None

    def boolean(self, node: Any, _path: tuple[Any, ...]) -> bool:
        return str(node.value).lower() == "true"

    def integer(self, node: Any, _path: tuple[Any, ...]) -> Any:
        return self.number(node, lambda text: int(text, 0) if text[:2].lower() in ("0x", "0o", "0b") else int(text))

    def floating(self, node: Any, _path: tuple[Any, ...]) -> Any:
        return self.number(node, lambda text: float(text.lower().replace(".inf", "inf").replace(".nan", "nan")))

    def number(self, node: Any, read: Callable[[str], Any]) -> Any:
        try:
            return read(str(node.value).replace("_", ""))
        except (ValueError, OverflowError):
            shown = str(node.value)[:20]
            self.problem(node, f"'{shown}' is no number that fits; write digits, or quote it if text is meant")
            return str(node.value)

    def problem(self, node: Any, what: str) -> None:
        self.problems.append(Problem(what, self.file, node.start_mark.line + 1))

    def stop(self, node: Any, what: str) -> NoReturn:
        raise InputError([*self.problems, Problem(what, self.file, node.start_mark.line + 1)])


_READ: dict[str, Callable[[_Reader, Any, tuple[Any, ...]], Any]] = {
    "map": _Reader.mapping,
    "seq": _Reader.sequence,
    "str": _Reader.text,
    "null": _Reader.null,
    "bool": _Reader.boolean,
    "int": _Reader.integer,
    "float": _Reader.floating,
    "timestamp": _Reader.text,
}
