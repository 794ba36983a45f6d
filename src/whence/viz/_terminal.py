"""Maps, bars and tables for the terminal; without colour they degrade to plain ASCII."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions
from rich.style import Style
from rich.table import Table
from rich.text import Text

from whence.errors import InvalidInput
from whence.viz._arrays import Values, to_array
from whence.viz._colour import ink_colour, lookup, normalise
from whence.viz._drawing import hex_colour
from whence.viz._heatmap import pool_channels
from whence.viz._text import clean

_FOR, _AGAINST = " +*#", " .-="  # weak to strong, for terminals without colour
_MOST_CELLS = 10_000


@dataclass(frozen=True)
class Block:
    """Lines for the terminal in two forms: `rich` in colour, `plain` in ASCII.

    `print(block)` writes the plain form; `rich.print(block)` the form the terminal can show.
    """

    rich: Text
    plain: str
    wrap: bool = False  # running text may be broken to the width, a map may not

    def __str__(self) -> str:
        return self.plain

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        coloured = console.color_system is not None and not options.ascii_only
        yield self.rich if coloured else Text(self.plain, no_wrap=not self.wrap)


def summary(relevance: Values, width: int = 32, *, colours: str = "red-blue") -> Block:
    """Draw a map in the terminal: two pixels per character cell, red for, blue against.

    Maps wider than `width` are averaged down to it, smaller ones enlarged by a whole factor.
    Without colour, `+ * #` stand for evidence for and `. - =` for evidence against.

    - `relevance`: (C, H, W) or (H, W); channels are summed.

    >>> print(summary([[1.0, -1.0], [1.0, -1.0]], width=2))
    #=
    """
    if width < 1:
        raise InvalidInput(f"width must be at least 1 character, got {width}.")
    pooled = pool_channels(relevance)
    height, columns = pooled.shape
    if columns <= width:
        factor = width // columns
        pixels = pooled.repeat(factor, axis=0).repeat(factor, axis=1)
    else:
        pixels = _average(pooled, (max(1, round(height * width / columns)), width))
    if pixels.shape[0] > _MOST_CELLS:
        pixels = _average(pixels, (_MOST_CELLS, pixels.shape[1]))
    if pixels.shape[0] % 2:
        pixels = np.concatenate([pixels, np.zeros((1, pixels.shape[1]))])
    return Block(_half_blocks(lookup(normalise(pixels), colours)), _ascii(pixels))


def bars(
    names: Sequence[str], values: Values, width: int = 60, *, colours: str = "red-blue"
) -> Block:
    """Draw signed bars around a common axis: against to the left, for to the right.

    - `names`, `values`: one name per value.
    - `width`: characters per line in all, at least 24.

    >>> print(bars(["a", "b"], [2.0, -1.0], width=24))
    a          |#########  2
    b      ####|          -1
    """
    array = to_array(values, "values").reshape(-1)
    if len(names) != array.size:
        raise InvalidInput(f"bars needs a name for each of {array.size} values, got {len(names)}.")
    if width < 24:
        raise InvalidInput(f"width must be at least 24 characters, got {width}.")
    numbers = [f"{value:.4g}" for value in array]
    number_width = max(len(number) for number in numbers)
    labels = [clean(name) for name in names]
    room = width - number_width - 3
    name_width = min(max(cell_len(label) for label in labels), room // 3)
    half = (room - name_width) // 2
    rich, plain = Text(no_wrap=True), []
    lengths = np.rint(normalise(array) * half).astype(int).tolist()
    for label, length, number in zip(labels, lengths, numbers, strict=True):
        start = f"{set_cell_size(label, name_width)} "
        before, after = " " * (half - max(0, -length)), " " * (half - max(0, length))
        against, favour = max(0, -length), max(0, length)
        end = f"{after} {number:>{number_width}}"
        plain.append(f"{_to_ascii(start)}{before}{'#' * against}|{'#' * favour}{end}".rstrip())
        rich.append(start + before)
        rich.append("█" * against, Style(color=hex_colour(ink_colour(colours, -1))))
        rich.append("│")
        rich.append("█" * favour, Style(color=hex_colour(ink_colour(colours, 1))))
        rich.append(end + "\n")
    rich.right_crop(1)
    return Block(rich, "\n".join(plain))


def table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None
) -> Table:
    """Lay out a table for the terminal; floats get four digits and numbers stand to the right.

    - `columns`: headings.
    - `rows`: one entry per column; brackets such as "[3]" show as they are.

    Returns a rich `Table` to pass to `rich.print`.

    >>> table(["method", "AOPC"], [["lrp", 1.25]]).row_count
    1
    """
    made = Table(title=Text(title) if title else None, header_style="bold", title_justify="left")
    for index, name in enumerate(columns):
        are_numbers = all(isinstance(row[index], (int, float)) for row in rows if len(row) > index)
        made.add_column(Text(name), justify="right" if rows and are_numbers else "left")
    for row in rows:
        if len(row) != len(columns):
            raise InvalidInput(
                f"each row must have one entry for each of {len(columns)} columns, got {len(row)}."
            )
        made.add_row(*(Text(_entry(value)) for value in row))
    return made


def _half_blocks(pixels: NDArray[np.uint8]) -> Text:
    """Each character shows an upper pixel as its ink and a lower one as its ground."""
    text = Text(no_wrap=True)
    for index in range(0, len(pixels), 2):
        if index:
            text.append("\n")
        for upper, lower in zip(pixels[index].tolist(), pixels[index + 1].tolist(), strict=True):
            style = Style(color=hex_colour(tuple(upper)), bgcolor=hex_colour(tuple(lower)))
            text.append("▀", style)
    return text


def _ascii(pixels: NDArray[np.float64]) -> str:
    strength = normalise((pixels[0::2] + pixels[1::2]) / 2)
    # Rounded up, so that relevance that is not zero shows unless it is below a twentieth.
    level = np.ceil(np.maximum(np.abs(strength) - 0.05, 0) * 3).astype(int)
    lines = [
        "".join((_FOR if sign >= 0 else _AGAINST)[step] for sign, step in zip(*row, strict=True))
        for row in zip(strength.tolist(), level.tolist(), strict=True)
    ]
    return "\n".join(lines)


def _average(values: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Mean over a partition into shape[0] x shape[1] blocks of nearly equal size."""
    for axis, count in enumerate(shape):
        starts = np.arange(count) * values.shape[axis] // count
        sizes = np.diff([*starts, values.shape[axis]])
        sums = np.add.reduceat(values, starts, axis=axis)
        values = sums / (sizes[:, None] if axis == 0 else sizes)
    return values


def _to_ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode("ascii")


def _entry(value: object) -> str:
    return clean(f"{value:.4g}" if isinstance(value, float) else str(value))
