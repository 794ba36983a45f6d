"""What viz accepts as numbers and as pictures, turned into plain arrays."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from whence.errors import InvalidInput

Values: TypeAlias = torch.Tensor | NDArray[Any] | Sequence[Any]
"""Numbers to draw: a tensor on any device, an array, or nested lists."""

Picture: TypeAlias = Image.Image | Values
"""A picture: a PIL image, or numbers of shape (H, W), (C, H, W) or (H, W, 3)."""


def to_array(values: Values, what: str = "relevance") -> NDArray[np.float64]:
    """Copy numbers into a new float64 array, so that drawing never alters the raw values.

    Raises `InvalidInput`, naming `what`, if there are none or if any is NaN or infinite.
    """
    if isinstance(values, torch.Tensor):
        values = values.detach().to("cpu", torch.float64).numpy()
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"{what} must be numbers in a rectangular array, got {type(values).__name__} "
            f"({error}). Pass a tensor or an array."
        ) from error
    if array.size == 0:
        raise InvalidInput(f"{what} must hold at least one value, got shape {array.shape}.")
    bad = int(array.size - np.isfinite(array).sum())
    if bad:
        raise InvalidInput(
            f"{what} must be finite to be drawn, got {bad} NaN or infinite of {array.size} values. "
            "Find where they arise, or replace them with torch.nan_to_num first."
        )
    return array


def to_rgb(image: Picture) -> NDArray[np.uint8]:
    """Turn a picture into uint8 RGB of shape (H, W, 3).

    Bytes stay as they are, numbers within [0, 1] are scaled by 255, and any other range is
    stretched so that its smallest value is black and its largest white. Four channels are read as
    RGB and opacity (dropped); other numbers of channels are averaged to grey.
    """
    if isinstance(image, Image.Image):
        return np.array(image.convert("RGB"))
    is_bytes = getattr(image, "dtype", None) in (np.uint8, torch.uint8)
    array = _channels_last(to_array(image, "image"))
    low, high = array.min(), array.max()
    if is_bytes:
        return np.rint(array).astype(np.uint8)
    if low < 0.0 or high > 1.0:
        # Halves first: the range of values near the largest float must not overflow.
        span = high / 2 - low / 2
        array = (array / 2 - low / 2) / span if span > 0 else np.full_like(array, 0.5)
    return np.rint(array * 255.0).astype(np.uint8)


def to_grey(image: Picture) -> NDArray[np.float64]:
    """Luminance of a picture in [0, 1], of shape (H, W)."""
    rgb = to_rgb(image).astype(np.float64)
    return rgb @ np.array([0.299, 0.587, 0.114]) / 255.0


def _channels_last(array: NDArray[np.float64]) -> NDArray[np.float64]:
    if array.ndim == 2:
        return np.repeat(array[:, :, None], 3, axis=2)
    if array.ndim != 3:
        raise InvalidInput(
            f"an image must have shape (H, W), (C, H, W) or (H, W, 3), got {array.shape}. "
            "Draw one sample at a time, or use whence.viz.show for a batch."
        )
    if array.shape[2] == 3 and array.shape[0] not in (1, 3):
        return array
    if array.shape[0] in (3, 4):
        return np.moveaxis(array[:3], 0, 2)
    return np.repeat(array.mean(axis=0)[:, :, None], 3, axis=2)
