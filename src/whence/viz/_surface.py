"""A function of two variables as a map: colours for its values, lines of equal height."""

import contourpy
import numpy as np
from PIL import Image

from whence.errors import InvalidInput
from whence.viz._arrays import Values, to_array
from whence.viz._colour import find_scale, lookup, normalise
from whence.viz._heatmap import display_shape, draw_lines, enlarge

_PALE, _DARK = (150, 150, 150), (40, 40, 40)
_NEAR = 1e-3  # of the scale: where the line at zero is drawn


def surface(
    values: Values,
    *,
    scale: float | None = None,
    levels: int = 8,
    colours: str = "red-blue",
    size: int | None = None,
) -> Image.Image:
    """Draw a function on a grid as a map with contour lines, the first axis going up.

    Use it for functions of two inputs: a score, or the relevance of one input as a function of
    both. Where lines bend the function has a kink, where many lie on each other it jumps.

    - `values`: (G, G'), the value at the j-th x_2 and the i-th x_1; x_2 grows upwards.
    - `scale`: the |value| drawn in full colour, by default the largest.
    - `levels`: how many lines between zero and the scale, on either side. The line at zero is
      darker.
    - `size`: height of the result in pixels, by default a whole multiple of G, at least 224.

    Raises `InvalidInput` for NaN, other shapes, or fewer than two rows or columns.

    >>> surface([[0.0, 1.0], [-1.0, 0.0]]).size
    (224, 224)
    """
    array = to_array(values, "values")
    if array.ndim != 2 or min(array.shape) < 2:
        raise InvalidInput(
            f"A surface needs values on a grid of at least 2 x 2 points, got {array.shape}."
        )
    if levels < 0:
        raise InvalidInput(f"levels must be 0 or more, got {levels}. Try 8.")
    array = array[::-1]
    shape = display_shape(array.shape, size)
    picture = enlarge(lookup(normalise(array, scale), colours), shape)
    full = find_scale(array) if scale is None else scale
    if full == 0:
        return picture
    lines = contourpy.contour_generator(z=array, line_type=contourpy.LineType.Separate)
    # A grid point is the middle of its square: index 0 lies half a square from the rim.
    factors = np.array([shape[1] / array.shape[1], shape[0] / array.shape[0]])
    thin = max(0.6, picture.height / 400)
    heights = full * np.arange(1, levels + 1) / (levels + 1)
    # Next to zero on both sides: where a ReLU makes it exactly zero, zero itself has no line.
    edges = [_NEAR * full, -_NEAR * full]
    for pen, chosen in (((thin, _PALE), [*heights, *-heights]), ((2 * thin, _DARK), edges)):
        found = [
            (np.asarray(line) + 0.5) * factors
            for height in chosen
            for line in lines.lines(float(height))
        ]
        picture = draw_lines(picture, found, [pen])
    return picture
