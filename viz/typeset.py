"""Writes a document: one HTML file, Markdown with its pictures beside it, or a PDF; whole or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from twin.errors import InputError, StorageError
from viz import fonts
from viz.output import check_suffix, writing
from viz.page import Cell, Document, Picture

FORMATS = (".html", ".md", ".pdf")
PAGES = Path(__file__).parent / "pages"
"""The templates; all text of a run goes in as data and is escaped there."""


def check(path: Path) -> None:
    """Raise InputError unless a document can be written to `path`: its format, its folder, what stands there."""
    check_suffix(path, FORMATS)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; make it first")
    if path.suffix.lower() == ".md":
        _check_beside(_beside(path))


def write(document: Document, path: Path) -> None:
    """Write `document` to `path` (.html, .md, .pdf); InputError for another format, StorageError when the disk refuses."""
    check(path)
    with writing(path) as beside:
        if path.suffix.lower() == ".pdf":
            beside.write_bytes(_pdf(document))
        elif path.suffix.lower() == ".html":
            beside.write_text(_html(document), "utf-8")
        else:
            _markdown(document, path, beside)


def _template(name: str) -> Any:
    """Return a template; whatever goes into it is escaped, for HTML unless its filter `md` says for Markdown."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    made = Environment(loader=FileSystemLoader(PAGES), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    made.filters["md"] = lambda text: Markup(escape_markdown(text))  # noqa: S704  escaped a word before
    made.filters["cell"] = lambda one: one if isinstance(one, Cell) else Cell(str(one))
    made.filters["slug"] = lambda text: re.sub(r"[^a-z0-9]+", "-", str(text).lower()).strip("-")
    return made.get_template(name)


def _html(document: Document) -> str:
    everything = json.dumps(_plain(document, lambda _: ""), ensure_ascii=False)
    woff = b64encode(fonts.subset(everything)).decode()
    css = (PAGES / "page.css").read_text("utf-8")
    return printable(str(_template("page.html").render(page=document, woff=woff, css=css, data_uri=_data_uri)))


def _data_uri(picture: Picture) -> str:
    return f"data:image/{picture.format};base64," + b64encode(picture.data).decode()


def _plain(value: Any, picture: Callable[[Picture], str]) -> Any:
    if isinstance(value, Picture):
        return {"file": picture(value), "caption": value.caption}
    if isinstance(value, Cell):
        return {"text": printable(value.text), "tone": value.tone}
    if is_dataclass(value):
        said = {key: _plain(one, picture) for key, one in vars(value).items()}
        return said | ({"kind": value.kind} if hasattr(value, "kind") else {})
    if isinstance(value, list | tuple):
        return [_plain(one, picture) for one in value]
    return printable(value) if isinstance(value, str) else value


_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """Return text without what no page can hold or what would turn the words around it: control letters, marks of direction."""
    return _UNPRINTABLE.sub("\ufffd", text)


def _pdf(document: Document) -> bytes:
    import typst

    font = fonts.cjk_font()
    with tempfile.TemporaryDirectory(prefix="twin-page-") as made:
        folder = Path(made)
        names = _put_pictures(document, folder)
        (folder / "page.json").write_text(json.dumps(_plain(document, lambda one: names[id(one)]), ensure_ascii=False), "utf-8")
        shutil.copyfile(PAGES / "page.typ", folder / "page.typ")
        try:
            return bytes(
                typst.compile(folder / "page.typ", root=folder, font_paths=[font.parent] if font else [], ignore_system_fonts=bool(font))
            )
        except RuntimeError as error:
            raise StorageError(f"the PDF cannot be made: {str(error).splitlines()[0]}") from error


def _put_pictures(document: Document, folder: Path) -> dict[int, str]:
    names = {}
    for number, picture in enumerate(document.pictures(), start=1):
        name = f"{number:02}-{re.sub(r'[^A-Za-z0-9_-]+', '-', picture.name)[:60]}.{picture.format}"
        (folder / name).write_bytes(picture.data)
        names[id(picture)] = name
    return names


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}_files")


_OURS = re.compile(r"[0-9]{2,}-[A-Za-z0-9_-]*\.(png|jpeg)")
"""How pictures are named: nothing else is ever removed."""


def _check_beside(folder: Path) -> None:
    if not folder.exists():
        return
    strange = [one.name for one in folder.iterdir() if not _OURS.fullmatch(one.name)] if folder.is_dir() else ["no folder"]
    if strange:
        raise InputError(f"{folder}: the pictures belong there, and it holds something else ({strange[0]}); choose another name")


def _markdown(document: Document, path: Path, beside: Path) -> None:
    """Write the text to `beside` and move the pictures into place, so that the text can follow."""
    folder = _beside(path)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        partial.mkdir()
        names = _put_pictures(document, partial)
        address = re.sub(r"[^\w.\-/]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), folder.name)
        files: Mapping[int, str] = {key: f"{address}/{name}" for key, name in names.items()}
        text = str(_template("page.md").render(page=document, file=lambda picture: files[id(picture)]))
        beside.write_text(printable(re.sub(r"\n{3,}", "\n\n", text).strip()) + "\n", "utf-8")
        if folder.is_dir():
            shutil.rmtree(folder)
        if names:
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


_SPECIAL = re.compile(r"[\\`*_\[\]{}<>|~$^]|&(?=[#\w])|(?<=\w):(?=//)|@|(?<=www)\.|^[#+=-]|^\d{1,9}[.)](?=\s|$)", re.IGNORECASE)


def escape_markdown(text: object) -> str:
    """Return text as Markdown shows it literally, on one line: no markup, link or table cell can begin in it."""
    line = " ".join(str(text).split())

    def escaped(found: re.Match[str]) -> str:
        letter = found[0]
        if letter in ("<", ">", "&"):
            return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}[letter]
        return f"{letter[:-1]}\\{letter[-1]}"

    return _SPECIAL.sub(escaped, line)
