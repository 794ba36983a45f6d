"""Signed colour maps: evidence for in one hue, evidence against in another, zero neutral."""

import numpy as np
from numpy.typing import NDArray

from whence.errors import InvalidInput
from whence.viz._arrays import Values, to_array

# Anchors run from zero to the largest |R|. They were chosen in OKLCH, both sides of a map at the
# same lightness step by step, so that evidence for and against of equal size looks equally strong.
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_RED = (_WHITE, (255, 210, 204), (254, 145, 133), (241, 57, 54), (182, 4, 19))
_BLUE = (_WHITE, (204, 223, 255), (136, 181, 254), (56, 131, 254), (0, 86, 207))
_ORANGE = (_WHITE, (254, 212, 185), (252, 152, 76), (206, 106, 0), (146, 74, 3))
_PURPLE = (_WHITE, (234, 212, 252), (209, 151, 251), (177, 86, 234), (134, 35, 186))
_GREEN = (_WHITE, (198, 233, 198), (113, 205, 118), (1, 166, 44), (0, 117, 29))
_HOT = (_BLACK, (92, 1, 9), (176, 12, 1), (230, 96, 6), (255, 179, 52), (255, 239, 179))
_COLD = (_BLACK, (15, 38, 105), (0, 83, 201), (7, 150, 234), (69, 215, 255), (190, 252, 255))

_MAPS = {  # name: (evidence for, evidence against)
    "red-blue": (_RED, _BLUE),
    "orange-blue": (_ORANGE, _BLUE),
    "purple-green": (_PURPLE, _GREEN),
    "hot-cold": (_HOT, _COLD),
}
_STEPS = 256  # a whole number of steps between the anchors, so that they are met exactly


def colour_names() -> list[str]:
    """List the names that `colours=` accepts.

    "red-blue" is the default; "orange-blue" and "purple-green" stay apart for colour-blind
    readers; "hot-cold" has zero black, which shows faint relevance best on a dark page.
    """
    return list(_MAPS)


def colourise(
    values: Values,
    scale: float | None = None,
    colours: str = "red-blue",
    quantile: float = 1.0,
) -> NDArray[np.uint8]:
    """Turn signed values into colours: red for, blue against, zero exactly neutral.

    Use it when you lay out pictures yourself; `heatmap` pools channels and enlarges as well.

    - `values`: any shape (..., H, W); they are copied, never altered.
    - `scale`: the |value| that gets the end colour; larger ones get it too. By default the largest
      |value| of the whole array, so that colours of one call can be compared.
    - `colours`: a name from `colour_names()`.
    - `quantile`: take that quantile of the non-zero |values| as scale, so that a few outliers do
      not wash out the rest; ignored when `scale` is given.

    Returns uint8 RGB of shape (..., H, W, 3). Raises `InvalidInput` for NaN, infinite values, an
    unknown name, or a scale that is not positive.

    >>> colourise([[1.0, 0.0, -1.0]]).tolist()
    [[[182, 4, 19], [255, 255, 255], [0, 86, 207]]]
    """
    return lookup(normalise(values, scale, quantile), colours)


def normalise(
    values: Values, scale: float | None = None, quantile: float = 1.0
) -> NDArray[np.float64]:
    """Divide values by the symmetric scale and clip them to [-1, 1]; all zeros stay zeros."""
    array = to_array(values)
    limit = find_scale(array, quantile) if scale is None else _checked_scale(scale)
    # Clipping first keeps huge values over a tiny scale from overflowing to infinity.
    return np.clip(array, -limit, limit) / (limit if limit > 0 else 1.0)


def find_scale(array: NDArray[np.float64], quantile: float = 1.0) -> float:
    """Find the |value| to draw in full colour; 0 if all values are zero."""
    if not 0.0 < quantile <= 1.0:
        raise InvalidInput(f"quantile must lie in (0, 1], got {quantile}. Try 0.99.")
    # Zeros are left out: in a sparse map they would pull the quantile down to nothing.
    sizes = np.abs(array[array != 0])
    return float(np.quantile(sizes, quantile)) if sizes.size else 0.0


def lookup(normalised: NDArray[np.float64], colours: str) -> NDArray[np.uint8]:
    """Colours of numbers in [-1, 1], from a table with as many steps on either side of zero."""
    return _table(colours)[np.rint(normalised * _STEPS).astype(np.intp) + _STEPS]


def end_colour(colours: str, sign: int) -> tuple[int, int, int]:
    """Colour of the strongest evidence for (`sign` 1) or against (-1), or of none (0)."""
    red, green, blue = _table(colours)[_STEPS * (1 + sign)].tolist()
    return red, green, blue


def ink_colour(colours: str, sign: int) -> tuple[int, int, int]:
    """Colour of a line, bar or word on a white page: the darkest that is clearly a colour."""
    side = _anchors(colours)[0 if sign >= 0 else 1]
    return side[-1] if side[0] == _WHITE else side[2]


def vivid_colour(colours: str, sign: int) -> tuple[int, int, int]:
    """Colour to lay over a picture: brighter than the end colour, so that it shows on black."""
    return _anchors(colours)[0 if sign >= 0 else 1][-2]


def _table(colours: str) -> NDArray[np.uint8]:
    evidence_for, against = (_interpolate(side) for side in _anchors(colours))
    return np.rint(np.concatenate([against[:0:-1], evidence_for])).astype(np.uint8)  # (513, 3)


def _interpolate(anchors: tuple[tuple[int, int, int], ...]) -> NDArray[np.float64]:
    places = np.linspace(0.0, 1.0, len(anchors))
    steps = np.linspace(0.0, 1.0, _STEPS + 1)
    channels = np.array(anchors, dtype=np.float64).T
    return np.stack([np.interp(steps, places, channel) for channel in channels], axis=1)


def _anchors(
    colours: str,
) -> tuple[tuple[tuple[int, int, int], ...], tuple[tuple[int, int, int], ...]]:
    if colours not in _MAPS:
        raise InvalidInput(f"colours must be one of {', '.join(_MAPS)}, got {colours!r}.")
    return _MAPS[colours]


def _checked_scale(scale: float) -> float:
    if not (np.isfinite(scale) and scale > 0):
        raise InvalidInput(
            f"scale must be a positive number, got {scale}. Leave it out to use the largest |R|."
        )
    return float(scale)
