"""A strip: a sequence of inputs over their relevance, one row for each method."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from whence.errors import InvalidInput
from whence.viz._arrays import Values, to_array, to_rgb
from whence.viz._colour import find_scale
from whence.viz._drawing import Drawing
from whence.viz._grid import draw_grid
from whence.viz._heatmap import display_shape, enlarge, heatmap, pool_channels

_MOST = 0.995  # the quantile of |R| in full colour: a few outliers must not wash out the rest


def draw_strip(
    frames: Values,
    relevance: Mapping[str, Values],
    *,
    names: Sequence[str] | None = None,
    title: str | None = None,
    colours: str = "red-blue",
    cell: int | None = None,
) -> Drawing:
    """Lay out pictures of a sequence above their relevance, to see whether it moves along.

    Use it for a digit that moves pixel by pixel, or for the frames of a film. Each method has one
    scale for the whole strip, so that what flares up in one frame is seen. The thin grey line is
    the outline of the picture.

    - `frames`: (T, C, H, W) or (T, H, W).
    - `relevance`: method -> (T, C, H, W) or (T, H, W).
    - `names`: one for each frame.
    - `title`, `colours`, `cell`: as in `grid`.

    Raises `InvalidInput` if a method has another number of frames, and for NaN.

    >>> draw_strip([[[0.0, 1.0]], [[1.0, 0.0]]], {"lrp": [[[0, 2.0]], [[2.0, 0]]]}).image().mode
    'RGB'
    """
    pictures = _together(to_array(frames, "frames"))
    if not relevance:
        raise InvalidInput("draw_strip needs relevance of at least one method, got none.")
    # As large as the maps below them, which `heatmap` enlarges.
    rows: list[list[Image.Image]] = [
        [enlarge(to_rgb(each), display_shape(each.shape[-2:], None)) for each in pictures]
    ]
    for method, values in relevance.items():
        maps = to_array(values)
        if len(maps) != len(pictures):
            raise InvalidInput(
                f"{method} needs relevance for each of {len(pictures)} frames, got {len(maps)}."
            )
        pooled = np.stack([pool_channels(each) for each in maps])
        scale = find_scale(pooled, _MOST) or None
        rows.append(
            [
                heatmap(each, picture, scale=scale, colours=colours)
                for each, picture in zip(pooled, pictures, strict=True)
            ]
        )
    return draw_grid(
        rows,
        row_names=["input", *relevance],
        column_names=names,
        title=title,
        colours=colours,
        cell=cell,
    )


def _together(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frames of any range in [0, 1], all with one black and one white."""
    if frames.ndim not in (3, 4):
        raise InvalidInput(f"frames must have shape (T, C, H, W) or (T, H, W), got {frames.shape}.")
    low, high = frames.min(), frames.max()
    if low >= 0.0 and high <= 1.0:
        return frames
    span = high / 2 - low / 2  # halves: a range of the largest floats must not overflow
    return (frames / 2 - low / 2) / span if span > 0 else np.full_like(frames, 0.5)
