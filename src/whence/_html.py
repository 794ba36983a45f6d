"""Pieces of HTML that stand alone, for results that show themselves in notebooks.

Styles are in the elements, so that nothing leaks into the page around; all text is escaped.
"""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

_CELL = "padding:.15rem .6rem;text-align:{};border-bottom:1px solid #8884"
_FRAME = "font:14px/1.45 system-ui,sans-serif;max-width:60rem;overflow-x:auto"


def fragment(title: str, *parts: str) -> str:
    """Parts below a bold title, in one frame."""
    head = f'<div style="font-weight:600;margin:.2rem 0">{escape(title)}</div>'
    return f'<div style="{_FRAME}">{head}{"".join(parts)}</div>'


def paragraph(text: str) -> str:
    """A line of text."""
    return f'<div style="margin:.2rem 0">{escape(text)}</div>'


def fixed(text: str) -> str:
    """Text whose columns stand below each other."""
    return f'<pre style="margin:.2rem 0;line-height:1.3">{escape(text)}</pre>'


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table; what is a number, or looks like one, stands on the right."""
    body = "".join(f"<tr>{''.join(_cell(each) for each in row)}</tr>" for row in rows)
    names = "".join(
        f'<th scope="col" style="{_CELL.format("left")}">{escape(each)}</th>' for each in head
    )
    return (
        '<table style="border-collapse:collapse;margin:.3rem 0">'
        f"<thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"
    )


def picture(image: Any, alt: str) -> str:
    """A PIL picture, in the text itself."""
    return (
        f'<img alt="{escape(alt)}" src="{data_uri(image)}" '
        'style="max-width:100%;height:auto;background:#fff">'
    )


def data_uri(image: Any) -> str:
    """A PIL picture as an address that holds it."""
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def _cell(value: Any) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return f'<td style="{_CELL.format("right" if number else "left")}">{escape(text)}</td>'
