"""Many maps on one page, such as methods x samples, with names and a legend."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from PIL import Image

from whence.errors import InvalidInput
from whence.viz._arrays import Values
from whence.viz._colour import colourise, lookup
from whence.viz._drawing import (
    DARK,
    GREY,
    PALE,
    WHITE,
    BoxItem,
    Drawing,
    Item,
    PictureItem,
    TextItem,
)
from whence.viz._heatmap import pool_channels
from whence.viz._text import text_width, wrap

Cell: TypeAlias = Image.Image | Values | None
"""A picture, a map of shape (C, H, W) or (H, W), or None for an empty place."""

_MARGIN, _GAP = 24, 12
_TITLE, _NAME, _CAPTION = 20, 15, 13  # font sizes in pixels
_LEAST_WIDTH = 180  # of the page without margins: room for the legend
_LINE = 1.3  # height of a line of text, in font sizes
LARGE, _SMALL = 224, 112  # widest and highest a cell may be, with few and with many columns


def grid(
    rows: Sequence[Sequence[Cell]],
    *,
    row_names: Sequence[str] | None = None,
    column_names: Sequence[str] | None = None,
    title: str | None = None,
    captions: Sequence[Sequence[str]] | None = None,
    colours: str | None = "red-blue",
    cell: int | None = None,
) -> Image.Image:
    """Lay out pictures and maps as a table: by habit one row per method, one column per sample.

    - `rows`: PIL pictures as they are, maps coloured each by its own largest |R|, None for empty.
    - `row_names`, `column_names`: one per row and column; long ones are broken, then cut.
    - `title`: a line above.
    - `captions`: a short text under each cell, such as "[3] 12.4".
    - `colours`: colour map of maps and legend; None leaves the legend out and uses red-blue.
    - `cell`: the longest side of a cell in pixels, by default 224, or 112 beyond eight columns;
      small pictures are enlarged towards it by a whole factor, larger ones reduced to it.

    Raises `InvalidInput` if there is nothing to draw or names do not match the rows and columns.

    >>> grid([[[[1.0, -1.0]]]], row_names=["lrp"], column_names=["sample"]).mode
    'RGB'
    """
    return draw_grid(
        rows,
        row_names=row_names,
        column_names=column_names,
        title=title,
        captions=captions,
        colours=colours,
        cell=cell,
    ).image()


def draw_grid(
    rows: Sequence[Sequence[Cell]],
    *,
    row_names: Sequence[str] | None = None,
    column_names: Sequence[str] | None = None,
    title: str | None = None,
    captions: Sequence[Sequence[str]] | None = None,
    colours: str | None = "red-blue",
    cell: int | None = None,
) -> Drawing:
    """Lay out a grid as a `Drawing`, for `save(..., "x.svg")` with text that stays text.

    Takes what `grid` takes.
    """
    columns = max((len(row) for row in rows), default=0)
    if columns == 0:
        raise InvalidInput("grid needs at least one cell, got none. Pass rows=[[picture, ...]].")
    _check_names("row_names", row_names, len(rows))
    _check_names("column_names", column_names, columns)
    _check_names("captions", captions, len(rows))
    most = cell or (LARGE if columns <= 8 else _SMALL)
    cells = [[_picture(each, most, colours or "red-blue") for each in row] for row in rows]
    width = max([min(most, 100), *(each.width for row in cells for each in row if each)])

    left = _MARGIN + _names_width(row_names)
    right = max(left + columns * (width + _GAP) - _GAP, _MARGIN + _LEAST_WIDTH)
    items, top = _title(title, right - _MARGIN)
    names, top = _column_names(column_names, left, top, width)
    items += names
    for index, row in enumerate(cells):
        notes = captions[index] if captions else []
        height = max([1, *(each.height for each in row if each)])
        if row_names:
            items += _lines(row_names[index], _MARGIN, top + height // 2, left - _MARGIN - _GAP)
        items += _row(row, left, top, (width, height))
        below = _captions(notes, left, top + height, width)
        items += below
        lines = max((item.y for item in below), default=top + height)
        top = lines + (_CAPTION if below else 0) + _GAP
    if colours:
        items += legend(colours, right, top + 4)
        top += 44
    return Drawing(right + _MARGIN, top + _MARGIN - _GAP, tuple(items))


def legend(colours: str, right: int, top: int, width: int = _LEAST_WIDTH) -> list[Item]:
    """Draw a colour bar that ends at `right`, with "against", "0" and "for" below it."""
    left = right - width
    bar = np.repeat(lookup(np.linspace(-1, 1, width - 2), colours)[None], 10, axis=0)
    y = top + 24
    return [
        BoxItem(left, top, width, 12, WHITE, PALE),
        PictureItem(Image.fromarray(bar), left + 1, top + 1),
        TextItem("against", left, y, 12, "left", colour=GREY),
        TextItem("0", left + width // 2, y, 12, "middle", colour=GREY),
        TextItem("for", right, y, 12, "right", colour=GREY),
    ]


def fit_picture(picture: Image.Image, most: int) -> Image.Image:
    """Enlarge a picture by a whole factor, or reduce it, to at most `most` pixels a side."""
    longest = max(picture.size)
    if longest > most:
        # Means of whole blocks keep the squares of an enlarged map crisp.
        method = Image.Resampling.BOX if longest % most == 0 else Image.Resampling.LANCZOS
        size = (max(1, picture.width * most // longest), max(1, picture.height * most // longest))
        return picture.convert("RGB").resize(size, method)
    factor = most // longest
    size = (picture.width * factor, picture.height * factor)
    return picture.convert("RGB").resize(size, Image.Resampling.NEAREST)


def _picture(cell: Cell, most: int, colours: str) -> Image.Image | None:
    if cell is None:
        return None
    if not isinstance(cell, Image.Image):
        cell = Image.fromarray(colourise(pool_channels(cell), colours=colours))
    return fit_picture(cell, most)


def _row(
    row: Sequence[Image.Image | None], left: int, top: int, box: tuple[int, int]
) -> list[Item]:
    items: list[Item] = []
    for column, cell in enumerate(row):
        if cell is None:
            continue
        x = left + column * (box[0] + _GAP) + (box[0] - cell.width) // 2
        y = top + (box[1] - cell.height) // 2
        # A hair line around the cell: most of a heatmap is as white as the page.
        items.append(BoxItem(x - 1, y - 1, cell.width + 2, cell.height + 2, None, PALE))
        items.append(PictureItem(cell, x, y))
    return items


def _title(title: str | None, width: int) -> tuple[list[Item], int]:
    if not title:
        return [], _MARGIN
    lines = wrap(title, width, _TITLE, bold=True)
    step = round(_TITLE * _LINE)
    items: list[Item] = [
        TextItem(line, _MARGIN, _MARGIN + step * index + step // 2, _TITLE, bold=True)
        for index, line in enumerate(lines)
    ]
    return items, _MARGIN + step * len(lines) + _GAP


def _column_names(
    names: Sequence[str] | None, left: int, top: int, width: int
) -> tuple[list[Item], int]:
    if not names:
        return [], top
    broken = [wrap(name, width, _NAME) for name in names]
    step, most = round(_NAME * _LINE), max(len(lines) for lines in broken)
    items: list[Item] = []
    for column, lines in enumerate(broken):
        x = left + column * (width + _GAP) + width // 2
        for index, line in enumerate(lines):
            # Names stand on the cells: short ones leave their first line empty.
            y = top + step * (most - len(lines) + index) + step // 2
            items.append(TextItem(line, x, y, _NAME, "middle"))
    return items, top + step * most + _GAP // 2


def _lines(text: str, x: int, y: int, width: int) -> list[Item]:
    """Lines of text, the block centred on the height y."""
    lines, step = wrap(text, width, _NAME, most=3), round(_NAME * _LINE)
    first = y - step * (len(lines) - 1) // 2
    return [TextItem(line, x, first + step * i, _NAME, "left") for i, line in enumerate(lines)]


def _captions(notes: Sequence[str], left: int, bottom: int, width: int) -> list[TextItem]:
    items: list[TextItem] = []
    for column, note in enumerate(notes):
        x = left + column * (width + _GAP) + width // 2
        for index, line in enumerate(wrap(note, width, _CAPTION) if note else []):
            y = bottom + round(_CAPTION * (0.9 + _LINE * index))
            items.append(TextItem(line, x, y, _CAPTION, "middle", colour=DARK))
    return items


def _names_width(names: Sequence[str] | None) -> int:
    if not names:
        return 0
    return min(200, max(text_width(name, _NAME) for name in names)) + _GAP


def _check_names(what: str, names: Sequence[object] | None, count: int) -> None:
    if names is not None and len(names) != count:
        raise InvalidInput(f"{what} must have one entry for each of {count}, got {len(names)}.")
