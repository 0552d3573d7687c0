"""A document as plain data (headings, tables, pictures), written as HTML, Markdown or PDF with the same content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

TONES = ("", "good", "fair", "bad", "warn", "info", "quiet")
"""What a chip or a row is coloured by; what it says is always written as well."""


@dataclass(frozen=True)
class Cell:
    """A table's cell: text, and a tone that makes it a chip."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Note:
    """A paragraph that must be seen: something is missing, cut short or made up."""

    text: str
    tone: str = "warn"
    kind: ClassVar[str] = "note"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences; each with the evidence that it cites."""

    items: Sequence[tuple[str, str]]
    kind: ClassVar[str] = "bullets"


@dataclass(frozen=True)
class Tiles:
    """A strip of figures to be read at a glance: value, label, remark, tone."""

    items: Sequence[tuple[str, str, str, str]]
    kind: ClassVar[str] = "tiles"


@dataclass(frozen=True)
class Facts:
    """Names and values, one a row."""

    rows: Sequence[tuple[str, str]]
    kind: ClassVar[str] = "facts"


@dataclass(frozen=True)
class Table:
    """Columns and rows of cells. `widths`: shares of the page's width; `right`: columns of numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    widths: Sequence[float] = ()
    right: Sequence[int] = ()
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Picture:
    """A PNG or JPEG with its caption; `name` becomes its file's name."""

    name: str
    data: bytes
    caption: str

    @property
    def format(self) -> str:
        """Its format by its first bytes: png or jpeg."""
        return "jpeg" if self.data.startswith(b"\xff\xd8") else "png"


@dataclass(frozen=True)
class Pictures:
    """Pictures one below the other, or side by side where the page is wide enough."""

    items: Sequence[Picture]
    across: int = 1
    kind: ClassVar[str] = "pictures"


Block = Text | Note | Bullets | Tiles | Facts | Table | Pictures


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """A whole report: `kicker` stands above the title, `head` is page one, `footer` below every page."""

    kicker: str
    title: str
    subtitle: str
    head: Sequence[Block]
    sections: Sequence[Section]
    footer: str = ""
    language: str = "en"
    badges: Sequence[Cell] = field(default=())

    def pictures(self) -> list[Picture]:
        """Return every picture, in order."""
        blocks = [*self.head, *(block for section in self.sections for block in section.blocks)]
        return [picture for block in blocks if isinstance(block, Pictures) for picture in block.items]
