"""Files: PNG and SVG of pictures, maps, drawings and figures."""

import itertools
from pathlib import Path
from typing import TypeAlias

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from whence.errors import InvalidInput
from whence.viz._arrays import Values
from whence.viz._colour import colourise, end_colour
from whence.viz._drawing import Drawing, hex_colour, svg_document, svg_picture
from whence.viz._figure import figure_to_svg, render
from whence.viz._heatmap import display_shape, enlarge, heatmap, pool_channels

Drawable: TypeAlias = Image.Image | Drawing | Figure | Values
"""What can be saved; numbers are drawn as a heatmap."""

_MOST_RECTANGLES = 10_000  # a map of more runs than this is embedded as a picture instead


def save(drawable: Drawable, path: str | Path, *, colours: str = "red-blue") -> Path:
    """Write a picture as PNG or SVG; the suffix of the path decides.

    - `drawable`: a PIL picture, a `Drawing`, a matplotlib `Figure`, or a map of shape (C, H, W) or
      (H, W), which is drawn as `heatmap` draws it.
    - `colours`: for maps; what is drawn already keeps its own.
    - In SVG, text of drawings and figures stays text, and maps become rectangles.

    Returns the path. Missing folders are created. Raises `InvalidInput` for another suffix.

    ```python
    viz.save(relevance[0], "map.svg")
    ```
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".png", ".svg"):
        raise InvalidInput(f"pictures are saved as .png or .svg, got {path.name!r}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if suffix == ".png":
        _to_image(drawable, colours).save(path, format="PNG", optimize=True)
    else:
        path.write_text(to_svg(drawable, colours), encoding="utf-8")
    return path


def to_svg(drawable: Drawable, colours: str = "red-blue") -> str:
    """Write a picture as the text of an SVG document; see `save`."""
    if isinstance(drawable, Drawing):
        return drawable.svg()
    if isinstance(drawable, Figure):
        return figure_to_svg(drawable)
    if isinstance(drawable, Image.Image):
        return svg_document(*drawable.size, svg_picture(drawable, 0, 0))
    pixels = colourise(pool_channels(drawable), colours=colours)
    height, width = display_shape(pixels.shape[:2])
    body = _rectangles(pixels, height // pixels.shape[0], end_colour(colours, 0))
    if len(body) > _MOST_RECTANGLES:
        return svg_document(width, height, svg_picture(enlarge(pixels, (height, width)), 0, 0))
    return svg_document(width, height, "\n".join(body))


def _rectangles(pixels: NDArray[np.uint8], factor: int, neutral: tuple[int, int, int]) -> list[str]:
    """One rectangle for each run of equal pixels in a row, on a page of the neutral colour."""
    height, width = pixels.shape[:2]
    ground = f'width="{width * factor}" height="{height * factor}" fill="{hex_colour(neutral)}"'
    body = [f'<g shape-rendering="crispEdges"><rect {ground}/>']
    for y, row in enumerate(pixels):
        changes = np.flatnonzero((row[1:] != row[:-1]).any(axis=1)) + 1
        bounds = [0, *changes.tolist(), width]
        for start, stop in itertools.pairwise(bounds):
            red, green, blue = row[start].tolist()
            if (red, green, blue) == neutral:
                continue
            place = f'x="{start * factor}" y="{y * factor}" width="{(stop - start) * factor}"'
            fill = hex_colour((red, green, blue))
            body.append(f'<rect {place} height="{factor}" fill="{fill}"/>')
    return [*body, "</g>"]


def _to_image(drawable: Drawable, colours: str) -> Image.Image:
    if isinstance(drawable, Drawing):
        return drawable.image()
    if isinstance(drawable, Figure):
        return render(drawable)
    if isinstance(drawable, Image.Image):
        return drawable
    return heatmap(drawable, colours=colours)
