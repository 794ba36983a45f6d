"""Pictures of one relevance map: alone, over its picture, or as an outline of what counts."""

from collections.abc import Sequence

import contourpy
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from whence.errors import InvalidInput
from whence.viz._arrays import Picture, Values, to_array, to_grey, to_rgb
from whence.viz._colour import ink_colour, lookup, normalise, vivid_colour

_LEAST_HEIGHT = 224  # smaller maps are enlarged by a whole factor to at least this many pixels
_MOST_WIDTH = 2048  # ... unless that would make them wider than this


def heatmap(
    relevance: Values,
    image: Picture | None = None,
    *,
    pool: str = "sum",
    scale: float | None = None,
    colours: str = "red-blue",
    size: int | None = None,
) -> Image.Image:
    """Draw a relevance map, each of its pixels as a crisp square: red for, blue against.

    Use it as the plain answer to "where does this prediction come from?". Given the `image`, its
    outline (where it passes through half brightness) is drawn in thin grey, so that one sees the
    shape under the relevance; that suits digits and drawings, `overlay` suits photographs.

    - `relevance`: (C, H, W) or (H, W).
    - `pool`: how channels become one value, see `pool_channels`.
    - `scale`: the |R| drawn in full colour, by default the largest.
    - `size`: height of the result in pixels, by default a whole multiple of H, at least 224.

    Raises `InvalidInput` for NaN, other shapes, or unknown names.

    >>> heatmap([[0.0, 1.0], [-1.0, 0.0]]).size
    (224, 224)
    """
    pooled = pool_channels(relevance, pool)
    shape = display_shape(pooled.shape, size)
    picture = enlarge(lookup(normalise(pooled, scale), colours), shape)
    return picture if image is None else _draw_shape(picture, image)


def overlay(
    relevance: Values,
    image: Picture,
    alpha: float = 0.9,
    *,
    pool: str = "sum",
    scale: float | None = None,
    colours: str = "red-blue",
    size: int | None = None,
) -> Image.Image:
    """Draw relevance over the grey picture, the more opaque the larger |R| is.

    Use it where the picture matters as much as the map, for photographs above all. Where R = 0
    the picture shows unchanged (in grey); at the scale the colour covers it by `alpha`.

    - `relevance`: (C, H, W) or (H, W); it may be coarser than the picture, as in Grad-CAM.
    - `image`: a PIL image, (H, W), (C, H, W) or (H, W, 3).
    - `alpha`: opacity of the strongest relevance, in [0, 1].
    - `pool`, `scale`, `colours`, `size`: as in `heatmap`.

    >>> overlay([[0.0, 1.0]], [[0.2, 0.8]], size=1).getpixel((0, 0))
    (51, 51, 51)
    """
    if not 0.0 <= alpha <= 1.0:
        raise InvalidInput(f"alpha must lie in [0, 1], got {alpha}. Try 0.9.")
    normalised = normalise(pool_channels(relevance, pool), scale)
    grey = to_grey(image)
    shape = display_shape(_finer(normalised.shape, grey.shape), size)
    # Full colours, not the map's pale ones: how faint the relevance is, opacity already says.
    signs = np.where(
        normalised[:, :, None] >= 0, vivid_colour(colours, 1), vivid_colour(colours, -1)
    ).astype(np.uint8)
    opacity = np.rint(np.abs(normalised) * alpha * 255).astype(np.uint8)
    below = enlarge(np.rint(grey * 255).astype(np.uint8), shape).convert("RGB")
    return Image.composite(enlarge(signs, shape), below, enlarge(opacity, shape))


def contour(
    relevance: Values,
    image: Picture,
    levels: Sequence[float] = (0.9,),
    *,
    pool: str = "sum",
    colours: str = "red-blue",
    size: int | None = None,
) -> Image.Image:
    """Outline the pixels that speak for the prediction most, on the picture in its own colours.

    Use it where colours laid over the picture would hide what is seen there.

    - `levels`: quantiles of the positive relevance in (0, 1); 0.9 encloses its top tenth.
    - the others as in `overlay`.

    Without positive relevance the picture comes back without an outline.
    """
    if not levels or not all(0.0 < level < 1.0 for level in levels):
        raise InvalidInput(f"levels must lie in (0, 1), got {tuple(levels)}. Try (0.9,).")
    pooled = pool_channels(relevance, pool)
    rgb = to_rgb(image)
    shape = display_shape(_finer(pooled.shape, rgb.shape[:2]), size)
    picture = enlarge(rgb, shape)
    positive = pooled[pooled > 0]
    if positive.size == 0:
        return picture
    # Each value fills the square of its pixel, so that lines follow squares, not their centres.
    factor = max(1, shape[0] // pooled.shape[0])
    squares = pooled.repeat(factor, axis=0).repeat(factor, axis=1)
    # A rim below every level closes lines that would run out of the picture.
    padded = np.pad(squares, 1, constant_values=min(0.0, pooled.min()))
    # Just below the quantile: a line is drawn around values above the level, not equal to it.
    limits = np.quantile(positive, sorted(set(levels))) * (1 - 1e-6)
    lines = _outlines(padded, limits, shape)
    # A light rim lets the line show on dark ground and on its own colour.
    thick = max(1.0, picture.height / 150)
    pens = [(thick * 2.2, (255, 255, 255)), (thick, ink_colour(colours, 1))]
    return draw_lines(picture, lines, pens)


def pool_channels(relevance: Values, pool: str = "sum") -> NDArray[np.float64]:
    """Reduce (C, H, W) to (H, W); a map of shape (H, W) passes as it is.

    "sum" keeps signs and conserves; "max-abs" gives max_c |R_c|, as saliency maps do, and "l2"
    the norm over channels: both are without sign.
    """
    array = to_array(relevance)
    pools = {
        "sum": lambda channels: channels.sum(axis=0),
        "max-abs": lambda channels: np.abs(channels).max(axis=0),
        "l2": lambda channels: np.sqrt((channels**2).sum(axis=0)),
    }
    if pool not in pools:
        raise InvalidInput(f"pool must be one of {', '.join(pools)}, got {pool!r}.")
    if array.ndim not in (2, 3):
        raise InvalidInput(
            f"relevance must have shape (C, H, W) or (H, W), got {array.shape}. "
            "Draw one sample at a time, or use whence.viz.show for a batch."
        )
    return array if array.ndim == 2 else pools[pool](array)


def display_shape(shape: tuple[int, ...], size: int | None = None) -> tuple[int, int]:
    """Height and width in which to draw a map of the given height and width."""
    height, width = shape
    if size is not None:
        if size < 1:
            raise InvalidInput(f"size must be a height of at least 1 pixel, got {size}.")
        return size, max(1, round(width * size / height))
    factor = max(1, min(-(-_LEAST_HEIGHT // height), _MOST_WIDTH // width))
    return height * factor, width * factor


def enlarge(pixels: NDArray[np.uint8], shape: tuple[int, int]) -> Image.Image:
    """Resize uint8 pixels, (H, W) or (H, W, 3): crisp squares when larger, means when smaller."""
    height, width = shape
    is_smaller = height < pixels.shape[0] or width < pixels.shape[1]
    method = Image.Resampling.BOX if is_smaller else Image.Resampling.NEAREST
    return Image.fromarray(pixels).resize((width, height), method)


def _finer(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return one if one[0] * one[1] > other[0] * other[1] else other


def _draw_shape(picture: Image.Image, image: Picture) -> Image.Image:
    """Thin grey lines where the image passes through half of its brightness."""
    grey = Image.fromarray(np.rint(to_grey(image) * 255).astype(np.uint8))
    # Isolines of a fine texture would fill the page, so details below 1% of the height go.
    smooth = np.asarray(grey.filter(ImageFilter.GaussianBlur(grey.height / 100)), dtype=np.float64)
    low, high = np.quantile(smooth, [0.02, 0.98])
    # Repeating the rim leaves lines open where the shape runs out of the picture.
    padded = np.pad(smooth, 1, mode="edge")
    lines = _outlines(padded, np.array([(low + high) / 2]), (picture.height, picture.width))
    thick = max(1.0, picture.height / 200)
    return draw_lines(picture, lines, [(thick, (110, 110, 110))])


def _outlines(
    padded: NDArray[np.float64], levels: NDArray[np.float64], shape: tuple[int, int]
) -> list[NDArray[np.float64]]:
    """Lines around the values above each level of a map padded by one, in pixels of the result."""
    generator = contourpy.contour_generator(z=padded, line_type=contourpy.LineType.Separate)
    factors = np.array([shape[1] / (padded.shape[1] - 2), shape[0] / (padded.shape[0] - 2)])
    lines = [line for level in levels for line in generator.lines(float(level))]
    return [(np.asarray(line) - 0.5) * factors for line in lines]  # (points, 2): x, y


def draw_lines(
    picture: Image.Image,
    lines: list[NDArray[np.float64]],
    pens: Sequence[tuple[float, tuple[int, int, int]]],
) -> Image.Image:
    """Draw all lines with each pen (width, colour) in turn; smooth, as it is drawn larger first."""
    factor = 3
    large = Image.new("RGBA", (picture.width * factor, picture.height * factor))
    draw = ImageDraw.Draw(large)
    for width, ink in pens:
        for line in lines:
            points = [(float(x), float(y)) for x, y in line * factor]
            draw.line(points, fill=ink, width=round(width * factor), joint="curve")
    ink_layer = large.resize(picture.size, Image.Resampling.BOX)
    return Image.alpha_composite(picture.convert("RGBA"), ink_layer).convert("RGB")
