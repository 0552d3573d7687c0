"""Other people's XML, read as a stream and refused before SUMO could follow anything in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, Locator

from twin.errors import Problem

MAX_BYTES = 512 * 2**20
"""A larger file is refused unread: it is no district's."""

_PATHS = frozenset({"file", "href", "output", "imgFile", "routeFile", "dest", "edgesFile", "outputFile", "osgFile"})
"""Attributes through which SUMO's files name other files to read or write."""

_STREAMS = frozenset({"stdout", "stderr", "-"})


class _EnoughError(Exception):
    """Ends a parse early: the reader has said all there is to say."""


class Reader(ContentHandler):
    """Calls `seen(tag, attributes, line)` for every element and `left(tag)` at its end."""

    def __init__(self, seen: Callable[[str, AttributesImpl, int], None], left: Callable[[str], None] | None) -> None:
        super().__init__()
        self.seen, self.left = seen, left
        self.where: Locator | None = None

    def setDocumentLocator(self, locator: Locator) -> None:  # noqa: N802 - SAX names it
        """Keep what knows the line."""
        self.where = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - SAX names it
        """Hand an element over."""
        self.seen(name, attrs, self.where.getLineNumber() or 0 if self.where else 0)

    def endElement(self, name: str) -> None:  # noqa: N802 - SAX names it
        """Say that an element ended."""
        if self.left is not None:
            self.left(name)


def scan(
    path: Path, root: tuple[str, ...], seen: Callable[[str, AttributesImpl, int], None], left: Callable[[str], None] | None = None
) -> list[Problem]:
    """Read `path` as a stream; return what is wrong with it: DOCTYPE, truncation, outside paths, wrong root.

    `root` names the root elements that are right. Refuses every DOCTYPE (SUMO follows entities and
    external files), every `<include>` and every attribute that names a file outside the file's own folder.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.sax import make_parser

    problems: list[Problem] = []
    first = True

    def look(tag: str, attributes: AttributesImpl, line: int) -> None:
        nonlocal first
        if first and tag not in root:
            problems.append(Problem(f"the root element is <{tag}>, expected <{'> or <'.join(root)}>", str(path), line))
            raise _EnoughError
        first = False
        problems.extend(Problem(what, str(path), line) for what in _outside(tag, attributes))
        seen(tag, attributes, line)

    from xml.sax import SAXParseException

    try:
        if path.stat().st_size > MAX_BYTES:
            return [Problem(f"larger than {MAX_BYTES // 2**20} MiB", str(path))]
        parser = make_parser()
        parser.forbid_dtd = True
        parser.setContentHandler(Reader(look, left))
        with path.open("rb") as stream:
            parser.parse(stream)
    except _EnoughError:
        return problems
    except DefusedXmlException:
        problems.append(
            Problem("a DOCTYPE is refused: it can make SUMO read other files; remove the line", str(path), _line_of_doctype(path))
        )
    except SAXParseException as error:
        problems.append(Problem(f"not whole XML ({error.getMessage()}); is the file truncated?", str(path), error.getLineNumber() or 0))
    except (OSError, ValueError, LookupError) as error:
        problems.append(Problem(f"cannot be read: {error}", str(path)))
    return problems


def _line_of_doctype(path: Path) -> int:
    with path.open("rb") as stream:
        return next((number for number, line in enumerate(stream, 1) if b"<!DOCTYPE" in line), 0)


def _outside(tag: str, attributes: AttributesImpl) -> list[str]:
    if tag == "include":
        return ["<include> is refused: list the file in the pack instead"]
    named = {name: attributes[name] for name in sorted(_PATHS.intersection(attributes.keys()))}
    if tag == "param" and "file" in attributes.get("key", "").lower():
        named[attributes["key"]] = attributes.get("value", "")
    return [f"{tag} {name}='{value}' leaves the pack; name a file in the same folder" for name, value in named.items() if leaves(value)]


def leaves(value: str) -> bool:
    """Say whether a path written in a file points outside the folder of that file."""
    path = PurePosixPath(value.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or ":" in value or value in _STREAMS
