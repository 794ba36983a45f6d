"""A report as a page: what stands on it, and the templates that write it.

The pieces, parts.html, and their looks, static/, are those of the app, which loads them from here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from whence._html import data_uri
from whence.reports._methods import About
from whence.viz._colour import normalise
from whence.viz._text_rows import row_scale

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"
STEPS = 10  # of colour on either side of zero


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
    """A word on the ground of its relevance.

    value: in words. step: its ground, from -10, full blue, over 0 to 10, full red. special: not of
    the text, such as a token that begins it.
    """

    text: str
    value: str
    step: int
    special: bool = False


def pieces(
    texts: Sequence[str],
    values: Sequence[float],
    special: Sequence[bool] | None = None,
    scale: float | None = None,
) -> list[Piece]:
    """Words on grounds of their relevance; by default the largest |R| of a word has full colour.

    >>> [piece.step for piece in pieces(["not", "good"], [-2.0, 0.5])]
    [-10, 2]
    """
    apart = [False] * len(texts) if special is None else special
    limit = row_scale(("", list(texts), list(values), list(apart))) if scale is None else scale
    shares = normalise(np.asarray(values, dtype=np.float64), limit)
    return [
        Piece(text, f"{value:.4g}", 0 if left_out else round(STEPS * share), left_out)
        for text, value, share, left_out in zip(texts, values, shares.tolist(), apart, strict=True)
    ]


@dataclass(frozen=True)
class Section:
    """One result: facts, pictures, words in colour, tables, what the ledger says, remarks.

    holds: whether the verdict is good, "yes", "no", or "none". flows, appendix: diagrams of the
    ledger (SVG, as markup) and tables, for the end of the page.
    """

    title: str
    facts: Sequence[tuple[str, str]] = ()
    verdict: str = ""
    holds: str = "none"
    pictures: Sequence[Picture] = ()
    texts: Sequence[tuple[str, Sequence[Piece]]] = ()
    tables: Sequence[Table] = ()
    flows: Sequence[str] = ()
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
        loader=jinja2.FileSystemLoader([TEMPLATES, STATIC]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
