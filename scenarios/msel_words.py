"""The words of a list's cells: what a row does, and what is expected of those who are exercised, as a grammar reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from twin import units

LONGEST = 2000
"""Characters of such a cell."""
MOST = 50
"""So many actions one cell may hold."""

GRAMMAR = r"""
start: deed (";" deed)* ";"?
deed: WORD "." WORD argument*
expected: WORD "." WORD argument? ("within" SPAN)?
argument: WORD "=" (TEXT | many)
many: "[" TEXT ("," TEXT)* "]"

SPAN: /\d+(\.\d+)?\s*[a-z]+/
TEXT: /"[^"\n]{0,500}"|'[^'\n]{0,500}'|“[^”\n]{0,500}”|[^\s;,=\[\]"'“”]{1,200}/
WORD: /[^\W\d]\w*/
%import common.WS
%ignore WS
"""
ACTION = 'water.burst pipe=P100 area="100 cm2"'
EXPECTED = "water.isolate pipe=P100 within 30 min"

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Deed:
    """A model's verb, or one of its notices, with arguments by name; `within_s` is how soon it is expected."""

    model: str
    verb: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    within_s: int | None = None


def actions(text: str) -> list[Deed]:
    """Read `water.burst pipe=P100 area="100 cm2"`, several of them with `;` between; ValueError, one line, says what is wrong."""
    deeds = [_deed(tree) for tree in _parsed(text, "start", "action", ACTION).children]
    if len(deeds) > MOST:
        raise ValueError(f"{len(deeds)} actions; at most {MOST} in one row")
    return deeds


def expected(text: str) -> Deed:
    """Read `water.isolate pipe=P100 within 30 min`: an action or a notice, of one element or any; ValueError says what is wrong."""
    tree = _parsed(text, "expected", "expected action", EXPECTED)
    spans = [str(one) for one in tree.children[2:] if getattr(one, "type", "") == "SPAN"]
    deed = _deed(tree)
    if not spans:
        return deed
    within_s = units.quantity(spans[0], "s")
    if within_s < 1 or within_s != int(within_s):
        raise ValueError(f"within {spans[0]}: whole seconds, at least 1 s")
    return Deed(deed.model, deed.verb, deed.arguments, int(within_s))


def _parsed(text: str, start: str, what: str, example: str) -> Any:
    from lark.exceptions import UnexpectedInput

    if len(text) > LONGEST:
        raise ValueError(f"{len(text):,} letters; at most {LONGEST:,}")
    try:
        return _parser().parse(text, start=start)
    except UnexpectedInput as error:
        at = max(0, getattr(error, "pos_in_stream", None) or 0)
        rest = text[at : at + 20].strip()
        where = f"at '{rest}'" if rest else "at its end"
        raise ValueError(f"'{text[:80]}' is no {what} {where}; write for example {example}") from None


@cache
def _parser() -> Any:
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr", start=["start", "expected"], maybe_placeholders=False)


def _deed(tree: Any) -> Deed:
    model, verb, *rest = tree.children
    arguments: dict[str, Any] = {}
    for argument in (one for one in rest if hasattr(one, "data")):
        name, value = argument.children
        if str(name) in arguments:
            raise ValueError(f"{name} is written twice")
        arguments[str(name)] = [_said(one) for one in value.children] if hasattr(value, "data") else _value(value)
    return Deed(str(model), str(verb), arguments)


def _said(token: str) -> str:
    return str(token)[1:-1] if token[:1] in "\"'“" else str(token)


def _value(token: str) -> str | int | float:
    """Return a value as YAML would have it: a bare number is one, what stands in quotes is text."""
    if token[:1] in "\"'“" or not _NUMBER.fullmatch(token):
        return _said(token)
    return float(token) if any(sign in token for sign in ".eE") else int(token)
