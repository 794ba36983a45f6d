"""Several texts in the colours of their relevance: a drawing, and lines for the terminal."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from rich.style import Style
from rich.text import Text

from whence.viz._colour import find_scale, normalise
from whence.viz._drawing import GREY, WHITE, BoxItem, Drawing, Item, TextItem, hex_colour
from whence.viz._terminal import Block
from whence.viz._text import clean, shorten
from whence.viz._tokens import _grounds, _ink, draw_text

Row: TypeAlias = tuple[str, list[str], list[float], list[bool]]
"""One text: title, pieces, their relevance, and which of them are special tokens."""

_TITLE, _MARGIN = 22, 12
_MOST_ROWS = 200


def row_scale(row: Row) -> float:
    """The |R| in full colour: the largest among words, so that a special token hides none."""
    values = np.asarray(row[2], dtype=np.float64)
    words = values[~np.asarray(row[3], dtype=bool)]
    return find_scale(words) or find_scale(values) or 1.0


def row_colours(row: Row, colours: str = "red-blue") -> list[tuple[int, int, int]]:
    """The ground of each piece; white for special tokens, whose relevance is told apart."""
    grounds = _grounds(row[1], row[2], row_scale(row), colours) if row[1] else []
    return [WHITE if apart else ground for ground, apart in zip(grounds, row[3], strict=True)]


def draw_texts(rows: Sequence[Row], *, width: int = 640, colours: str = "red-blue") -> Drawing:
    """Lay out texts below each other, each under its title and with a scale of its own.

    Special tokens stand in outline. At most 200 rows are drawn, and the last line says so.
    """
    items: list[Item] = []
    y = _MARGIN
    for row in rows[:_MOST_ROWS]:
        line = shorten(row[0], width - 2 * _MARGIN, 13, bold=True)
        items.append(TextItem(line, _MARGIN, y + _TITLE // 2, bold=True))
        y += _TITLE - _MARGIN // 2
        if not row[1]:
            continue
        page = draw_text(row[1], row[2], width=width, scale=row_scale(row), colours=colours)
        items += _moved(page.items, y, row[3])
        y += page.height
    if len(rows) > _MOST_ROWS:
        line = f"the first {_MOST_ROWS} of {len(rows)} rows"
        items.append(TextItem(line, _MARGIN, y + _TITLE // 2, colour=GREY))
        y += _TITLE
    return Drawing(width, y + _MARGIN, tuple(items))


def text_block(
    rows: Sequence[Row], remarks: Sequence[str] = (), *, colours: str = "red-blue"
) -> Block:
    """Write texts for the terminal: on coloured ground, or marked with up to three + or -.

    >>> print(text_block([("score 2", ["not", "good"], [-1.0, 2.0], [False, False])]))
    score 2
    not[--] good[+++]
    """
    rich, plain = Text(), []
    for row in rows:
        title = clean(row[0])
        rich.append(title + "\n", Style(bold=True))
        strengths = normalise(np.asarray(row[2] or [0.0]), row_scale(row)).tolist()
        marked = []
        for piece, ground, apart, strength in zip(
            row[1], row_colours(row, colours), row[3], strengths, strict=False
        ):
            word = clean(piece)
            style = Style(dim=True)
            if not apart:
                style = Style(color=hex_colour(_ink(ground)), bgcolor=hex_colour(ground))
            rich.append(word, style)
            rich.append(" ")
            marked.append(word + _mark(strength))
        rich.append("\n")
        plain += [title, " ".join(marked)]
    rich.append("\n".join(clean(each) for each in remarks))
    plain += [clean(each) for each in remarks]
    rich.rstrip()
    return Block(rich, "\n".join(plain), wrap=True)


def _mark(strength: float) -> str:
    level = int(np.ceil(max(abs(strength) - 0.05, 0) * 3))
    return f"[{('+' if strength > 0 else '-') * level}]" if level else ""


def _moved(items: Sequence[Item], y: int, apart: Sequence[bool]) -> list[Item]:
    """The items of one text further down the page; special tokens lose their ground."""
    moved: list[Item] = []
    for number, item in enumerate(items):
        special = apart[number // 2]  # a box and its text for each piece
        if isinstance(item, BoxItem):
            fill, rim = (None, GREY) if special else (item.fill, item.outline)
            moved.append(BoxItem(item.x, item.y + y, item.width, item.height, fill, rim))
        elif isinstance(item, TextItem):
            ink = GREY if special else item.colour
            moved.append(TextItem(item.text, item.x, item.y + y, item.size, colour=ink))
    return moved
