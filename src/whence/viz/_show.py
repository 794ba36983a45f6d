"""One entry for relevance of any shape: it picks the right kind of picture."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from whence.errors import InvalidInput
from whence.viz._arrays import Values, to_array, to_rgb
from whence.viz._colour import colourise
from whence.viz._drawing import Drawing
from whence.viz._figure import render
from whence.viz._grid import LARGE, draw_grid, fit_picture
from whence.viz._heatmap import pool_channels
from whence.viz._series import bar_chart, plot_signal
from whence.viz._tokens import colour_text

Inputs: TypeAlias = Values | Sequence[Sequence[str]]
"""The explained inputs in the shape of the relevance, or the tokens of each sample."""

_MOST = 16


def show(
    relevance: Values,
    inputs: Inputs | None = None,
    titles: Sequence[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    colours: str = "red-blue",
) -> Image.Image:
    """Draw the relevance of a batch, whatever its shape, as one picture.

    | shape | picture |
    |---|---|
    | (N, C, H, W) | heatmaps, beside their inputs if given |
    | (N, C, T) | signals, coloured by relevance |
    | (N, F) | bars, one per feature |
    | (N, T), with tokens as `inputs` | words, coloured by relevance |

    Every sample has its own scale. At most 16 samples are drawn, and the title says so.

    - `inputs`: what was explained, of the relevance's shape (images may have other channels), or
      a list of tokens per sample.
    - `titles`: one per sample, such as "[3] 12.4".
    - `names`: of the features or channels.

    Raises `InvalidInput` for NaN and for shapes without a picture.

    >>> show([[[[1.0, -1.0], [0.0, 0.0]]]], titles=["[3] 12.4"]).mode
    'RGB'
    """
    return draw(relevance, inputs, titles, names=names, colours=colours).image()


def draw(
    relevance: Values,
    inputs: Inputs | None = None,
    titles: Sequence[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    colours: str = "red-blue",
) -> Drawing:
    """Lay out what `show` shows as a `Drawing`, for `save(..., "x.svg")`."""
    array = to_array(relevance)
    if array.ndim not in (2, 3, 4):
        raise InvalidInput(
            "relevance must have shape (N, C, H, W), (N, C, T) or (N, F) to be shown, "
            f"got {array.shape}. Add the batch axis, or sum over the axes that are too many."
        )
    count = array.shape[0]
    for what, given in (("inputs", inputs), ("titles", titles)):
        if given is not None and len(given) != count:
            raise InvalidInput(
                f"{what} must hold one for each of {count} samples, got {len(given)}."
            )
    shown = min(count, _MOST)
    cells = [
        _cell(array[index], None if inputs is None else inputs[index], names, colours)
        for index in range(shown)
    ]
    columns = min(_columns(array.ndim, inputs is not None), shown)
    starts = range(0, shown, columns)
    notes = list(titles or [""] * count)[:shown]
    return draw_grid(
        [cells[start : start + columns] for start in starts],
        title=f"the first {shown} of {count} samples" if shown < count else None,
        captions=[notes[start : start + columns] for start in starts],
        colours=colours,
        cell=max(side for cell in cells for side in cell.size),
    )


def _cell(
    relevance: NDArray[np.float64], given: Any, names: Sequence[str] | None, colours: str
) -> Image.Image:
    """Picture of one sample."""
    if relevance.ndim == 3:
        return _beside(relevance, given, colours)
    if relevance.ndim == 2:
        return render(plot_signal(relevance, given, names=names, colours=colours))
    if relevance.ndim == 1 and _are_words(given):
        return colour_text(given, relevance, colours=colours)
    return render(bar_chart(_labels(relevance.size, given, names), relevance, colours=colours))


def _beside(relevance: NDArray[np.float64], image: Any, colours: str) -> Image.Image:
    pixels = Image.fromarray(colourise(pool_channels(relevance), colours=colours))
    right = fit_picture(pixels, LARGE)
    if image is None:
        return right
    left = fit_picture(Image.fromarray(to_rgb(image)), LARGE)
    page = Image.new("RGB", (left.width + 4 + right.width, max(left.height, right.height)), "white")
    page.paste(left, (0, 0))
    page.paste(right, (left.width + 4, 0))
    return page


def _labels(count: int, given: Any, names: Sequence[str] | None) -> Sequence[str]:
    labels = list(names) if names is not None else [f"feature {index}" for index in range(count)]
    if given is None:
        return labels
    values = to_array(given, "inputs").reshape(-1).tolist()
    if not len(values) == len(labels) == count:
        raise InvalidInput(
            f"inputs and names must hold one for each of {count} features, "
            f"got {len(values)} and {len(labels)}."
        )
    return [f"{label} = {value:.4g}" for label, value in zip(labels, values, strict=True)]


def _are_words(given: Any) -> bool:
    return given is not None and len(given) > 0 and isinstance(given[0], str)


def _columns(ndim: int, has_inputs: bool) -> int:
    if ndim == 4:
        return 2 if has_inputs else 4
    return 1 if ndim == 3 else 2
