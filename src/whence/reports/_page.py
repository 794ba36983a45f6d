"""A report as a page: what stands on it, and the one template that writes it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jinja2

from whence._html import data_uri
from whence.reports._methods import About


@dataclass(frozen=True)
class Picture:
    """A picture that the page holds itself: an address with its bytes, and what it shows."""

    address: str
    alt: str
    caption: str = ""

    @classmethod
    def of(cls, image: Any, alt: str, caption: str = "") -> "Picture":
        """Of a PIL picture."""
        return cls(data_uri(image), alt, caption)


@dataclass(frozen=True)
class Table:
    """Rows below a head; columns from `numbers` on are right-aligned."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    numbers: int = 1


@dataclass(frozen=True)
class Piece:
    """A word in the colours of its relevance."""

    text: str
    value: str
    ground: str
    ink: str
    special: bool


@dataclass(frozen=True)
class Section:
    """One result: facts, pictures, words in colour, tables, what the ledger says, remarks.

    tone: of the verdict, "good", "bad" or "none". appendix: tables for the end of the page.
    """

    title: str
    facts: Sequence[tuple[str, str]] = ()
    verdict: str = ""
    tone: str = "none"
    pictures: Sequence[Picture] = ()
    texts: Sequence[tuple[str, Sequence[Piece]]] = ()
    tables: Sequence[Table] = ()
    appendix: Sequence[Table] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: str
    lead: str
    asked: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    methods: Sequence[About]
    reproduce: Sequence[tuple[str, str]]
    limits: Sequence[str]
    problems: Sequence[str] = ()
    audit: Sequence[tuple[str, str]] = field(default=())


def colour_key(signed: bool) -> str:
    """What the colours of a map mean."""
    if signed:
        return "Red speaks for what was explained, blue against it; white is zero."
    return "The darker red, the more; white is zero. No value of this map is negative."


def render(page: Page) -> str:
    """The page as HTML that needs nothing else: no script, no server, no network."""
    return _environment().get_template("report.html").render(page=page)


@cache
def _environment() -> jinja2.Environment:
    """The templates of the package; what is put in is escaped, what is missing is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("whence.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
