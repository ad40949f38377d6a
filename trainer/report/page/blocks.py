"""What a page is made of: plain values that say what is shown, and nothing of how."""

import base64
from dataclasses import dataclass
from typing import Literal

MediaType = Literal["image/svg+xml", "image/png", "image/jpeg"]


@dataclass(frozen=True)
class Paragraph:
    """Plain text; ``kind`` warning is set apart, note is smaller."""

    text: str
    kind: Literal["text", "note", "warning"] = "text"


@dataclass(frozen=True)
class Facts:
    """Names and their values."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """Rows of as many cells as ``heading``; the first cell of a row names it, the others are set to the right."""

    caption: str
    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: bool = False
    """Cells hold words, set to the left."""


@dataclass(frozen=True)
class Picture:
    """An image with what it shows in words, for those who do not see it; size in CSS pixels."""

    alt: str
    content: bytes
    media_type: MediaType
    width: int
    height: int
    caption: str = ""

    @property
    def uri(self) -> str:
        """The image itself, as a data URI (RFC 2397)."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"


@dataclass(frozen=True)
class Pictures:
    """Side by side where there is room."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Case:
    """A film beside the same film with what the network looked at, and what is said of both."""

    film: Picture
    overlay: Picture
    text: str


@dataclass(frozen=True)
class Cases:
    """Films of one kind."""

    title: str
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Fold:
    """Long text as it is, shown on demand (and in print)."""

    summary: str
    text: str


Block = Paragraph | Facts | Table | Pictures | Cases | Fold


@dataclass(frozen=True)
class Part:
    """A part of the page, in the table of contents by its title; ``parts`` are one heading lower."""

    name: str
    """Unique on the page; its anchor."""
    title: str
    blocks: tuple[Block, ...]
    parts: tuple["Part", ...] = ()


@dataclass(frozen=True)
class Page:
    """The whole."""

    title: str
    lead: tuple[Paragraph, ...]
    parts: tuple[Part, ...]
    footer: str
