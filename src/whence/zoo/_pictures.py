"""Reading one picture from a file."""

import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from whence.errors import InvalidInput, NotAvailable

_GREY = ("1", "L", "LA")
# What Pillow's readers raise at broken files, beside their own errors, which are an OSError.
_BROKEN = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, OverflowError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)


def load_image(path: str | Path) -> Image.Image:
    """The picture in a file, upright, in mode "L" (grey) or "RGB", transparency on white.

    Any format that Pillow reads. Raises `NotAvailable` when there is no such file and
    `InvalidInput` when it holds no whole picture.

    >>> import whence.zoo
    >>> whence.zoo.load_image("cat.jpg").size  # doctest: +SKIP
    (640, 480)
    """
    path = Path(path).expanduser()
    try:
        if not path.is_file():
            raise NotAvailable(f"there is no picture {path}. Check the path.")
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            return _opaque(image)
    except _BROKEN as error:
        raise InvalidInput(f"{path} must be a picture that Pillow reads, got: {error}.") from error


def to_tensor(image: Image.Image) -> Tensor:
    """The pixels of a Pillow picture as floats in 0..1, shape (1 or 3, height, width)."""
    flat = _opaque(image)
    array = torch.from_numpy(np.array(flat, dtype=np.float32) / 255)
    return array.unsqueeze(0) if flat.mode == "L" else array.permute(2, 0, 1)


def read_picture(path: str | Path) -> Tensor:
    """The picture in a file as floats in 0..1, shape (1 or 3, height, width)."""
    return to_tensor(load_image(path))


def _opaque(image: Image.Image) -> Image.Image:
    mode = "L" if image.mode in _GREY else "RGB"
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion would clip it
        return Image.fromarray((np.asarray(image, dtype=np.float64) / 257).astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert(mode)
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert(mode)
