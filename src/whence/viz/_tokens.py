"""Text whose words carry the colour of their relevance, as a drawing and as HTML."""

from collections.abc import Sequence
from html import escape

import numpy as np
from PIL import Image

from whence.errors import InvalidInput
from whence.viz._arrays import Values, to_array
from whence.viz._colour import lookup, normalise
from whence.viz._drawing import DARK, WHITE, BoxItem, Drawing, Item, TextItem, hex_colour
from whence.viz._text import clean, shorten, text_width

_SIZE, _LINE, _PAD, _MARGIN = 15, 26, 4, 12


def colour_text(
    tokens: Sequence[str],
    relevance: Values,
    *,
    width: int = 560,
    scale: float | None = None,
    colours: str = "red-blue",
) -> Image.Image:
    """Draw tokens as running text, each on a ground in the colour of its relevance.

    - `tokens`, `relevance`: one value for each token.
    - `width`: of the picture in pixels; lines break to fit.
    - `scale`: the |R| drawn in full colour, by default the largest.

    Raises `InvalidInput` for NaN or if the numbers of tokens and values differ.

    >>> colour_text(["not", "good"], [-1.0, 0.5]).width
    560
    """
    return draw_text(tokens, relevance, width=width, scale=scale, colours=colours).image()


def draw_text(
    tokens: Sequence[str],
    relevance: Values,
    *,
    width: int = 560,
    scale: float | None = None,
    colours: str = "red-blue",
) -> Drawing:
    """Lay out coloured text as a `Drawing`; takes what `colour_text` takes."""
    items: list[Item] = []
    x, y = _MARGIN, _MARGIN
    most = max(1, width - 2 * (_MARGIN + _PAD))
    for token, ground in zip(tokens, _grounds(tokens, relevance, scale, colours), strict=True):
        word = shorten(token, most, _SIZE)
        wide = text_width(word, _SIZE) + 2 * _PAD
        if x > _MARGIN and x + wide > width - _MARGIN:
            x, y = _MARGIN, y + _LINE
        items.append(BoxItem(x, y, wide, _LINE - 4, ground))
        middle = y + (_LINE - 4) // 2
        items.append(TextItem(word, x + _PAD, middle, _SIZE, colour=_ink(ground)))
        x += wide + 2
    return Drawing(width, y + _LINE + _MARGIN - 4, tuple(items))


def text_to_html(
    tokens: Sequence[str],
    relevance: Values,
    *,
    scale: float | None = None,
    colours: str = "red-blue",
) -> str:
    """Write tokens as HTML spans on a ground in the colour of their relevance.

    The value is shown when the pointer rests on a token. Takes what `colour_text` takes.

    >>> text_to_html(["a"], [0.0])
    '<span title="0" style="background:#ffffff;color:#1e1e1e">a</span>'
    """
    grounds = _grounds(tokens, relevance, scale, colours)
    values = to_array(relevance).reshape(-1).tolist()
    return " ".join(
        f'<span title="{value:.4g}" style="background:{hex_colour(ground)};'
        f'color:{hex_colour(_ink(ground))}">{escape(clean(token))}</span>'
        for token, value, ground in zip(tokens, values, grounds, strict=True)
    )


def _grounds(
    tokens: Sequence[str], relevance: Values, scale: float | None, colours: str
) -> list[tuple[int, int, int]]:
    values = to_array(relevance).reshape(-1)
    if len(tokens) != values.size:
        raise InvalidInput(
            f"relevance must hold a value for each of {len(tokens)} tokens, got {values.size}."
        )
    pixels = lookup(normalise(values, scale), colours).tolist()
    return [(red, green, blue) for red, green, blue in pixels]


def _ink(ground: tuple[int, int, int]) -> tuple[int, int, int]:
    """Dark letters on light ground and the other way round."""
    return DARK if float(np.dot(ground, (0.299, 0.587, 0.114))) > 120 else WHITE
