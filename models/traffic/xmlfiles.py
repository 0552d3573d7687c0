"""Other people's XML, read as a stream and refused before SUMO could follow anything in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from xml.parsers.expat import ErrorString, ExpatError, ParserCreate

from twin.errors import Problem

MAX_BYTES = 512 * 2**20
"""A larger file is refused unread: it is no district's."""

_PATHS = frozenset({"file", "href", "output", "imgFile", "routeFile", "dest", "edgesFile", "outputFile", "osgFile"})
"""Attributes through which SUMO's files name other files to read or write."""

_STREAMS = frozenset({"stdout", "stderr", "-"})
_SIGNS = frozenset(":$~%")
"""Signs by which a name becomes another: addresses, variables of the environment, homes, templates."""
_CHUNK_BYTES = 2**20
LONGEST_BYTES = 4 * 2**20
"""One tag may be so long; SUMO's own reader takes time by the square of it."""
MOST_ATTRIBUTES = 100
DEEPEST = 100

Seen = Callable[[str, Mapping[str, str], int], None]
"""`seen(tag, attributes, line)`, called for every element."""


class _RefusedError(Exception):
    """Ends a parse early: the reader has said all there is to say."""


def scan(path: Path, root: tuple[str, ...], seen: Seen, left: Callable[[str], None] | None = None) -> list[Problem]:
    """Read `path` as a stream; return what is wrong with it: DOCTYPE, truncation, outside paths, wrong root.

    `root` names the root elements that are right; `left(tag)` is called at an element's end. Refuses every
    DOCTYPE (SUMO follows entities and external files), every `<include>` and every attribute that names a
    file outside the file's own folder. Expat is spoken to directly: a city's files have some 100,000 elements.
    """
    problems: list[Problem] = []
    parser = ParserCreate()

    def say(what: str) -> None:
        problems.append(Problem(what, str(path), parser.CurrentLineNumber))

    def doctype(*_: Any) -> None:
        say("a DOCTYPE is refused: it can make SUMO read other files; remove the line")
        raise _RefusedError

    depth = 0

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        if left is not None:
            left(tag)

    def look(tag: str, attributes: Mapping[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST or len(attributes) > MOST_ATTRIBUTES:
            what = f"nested more than {DEEPEST} deep" if depth > DEEPEST else f"<{tag[:40]}> has more than {MOST_ATTRIBUTES} attributes"
            say(f"{what}: no file of SUMO's is like that")
            raise _RefusedError
        if tag in ("include", "param") or not _PATHS.isdisjoint(attributes):
            for what in _outside(tag, attributes):
                say(what)
        seen(tag, attributes, parser.CurrentLineNumber)

    def look_first(tag: str, attributes: Mapping[str, str]) -> None:
        if tag not in root:
            say(f"the root element is <{tag}>, expected <{'> or <'.join(root)}>")
            raise _RefusedError
        parser.StartElementHandler = look
        look(tag, attributes)

    parser.StartDoctypeDeclHandler, parser.StartElementHandler, parser.EndElementHandler = doctype, look_first, end
    try:
        if path.stat().st_size > MAX_BYTES:
            return [Problem(f"larger than {MAX_BYTES // 2**20} MiB", str(path))]
        fed = 0
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                parser.Parse(chunk, False)
                fed += len(chunk)
                if fed - parser.CurrentByteIndex > LONGEST_BYTES:
                    say(f"a tag or text of more than {LONGEST_BYTES // 2**20} MiB: no file of SUMO's is like that")
                    return problems
            parser.Parse(b"", True)
    except _RefusedError:
        return problems
    except ExpatError as error:
        problems.append(Problem(f"not whole XML ({ErrorString(error.code)}); is the file truncated?", str(path), error.lineno))
    except (OSError, ValueError, LookupError) as error:
        problems.append(Problem(f"cannot be read: {error}", str(path)))
    return problems


def _outside(tag: str, attributes: Mapping[str, str]) -> list[str]:
    if tag == "include":
        return ["<include> is refused: list the file in the pack instead"]
    named = {name: attributes[name] for name in sorted(_PATHS.intersection(attributes))}
    if tag == "param" and "file" in attributes.get("key", "").lower():
        named[attributes["key"]] = attributes.get("value", "")
    return [f"{tag} {name}='{value}' leaves the pack; name a file in the same folder" for name, value in named.items() if leaves(value)]


def leaves(value: str) -> bool:
    """Say whether a path written in a file points outside the folder of that file."""
    path = PurePosixPath(value.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or value in _STREAMS or not _SIGNS.isdisjoint(value)
