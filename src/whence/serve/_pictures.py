"""Pictures of strangers: uploaded files and drawings, read within limits and refused plainly."""

import base64
import binascii
import io
import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from whence.serve._problem import Problem
from whence.serve._settings import Limits

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
_STARTS = (b"\x89PNG", b"\xff\xd8", b"RIFF", b"BM", b"GIF8")
_LONGEST = 10  # times the shorter side: nets resize by the shorter side, and the longer one follows
_ENOUGH = 1024  # pixels of the shorter side; more are averaged before anything else is done
_SMALLEST = 4


def read_upload(data: bytes, limits: Limits) -> tuple[Image.Image, list[str]]:
    """The picture in an uploaded file, upright, and notes on what was done to it.

    Only the header is read before its size is checked. Of animations the first frame counts; the
    others are never read. Raises `Problem` for whatever is not such a picture.
    """
    if not data:
        raise Problem("bad_picture", "The file is empty.")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as file:
            _check_size(file.width, file.height, limits)
            image = ImageOps.exif_transpose(file)
            image.load()
    except Problem:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Problem("picture_too_large", f"Its header claims too many pixels: {error}") from error
    except Exception as error:  # decoders fail in many ways on broken files, all of them meant here
        raise _unread(data) from error
    return _reduced(image)


def read_drawing(pixels: str, height: int | None, limits: Limits) -> Tensor:
    """A drawing as floats in 0..1 (ink is 1), shape (1, height, width).

    pixels: base64 of height x width bytes, row by row. Without `height` it is square.
    """
    try:
        data = base64.b64decode(pixels, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Problem("bad_numbers", "`pixels` is not base64.") from error
    side = math.isqrt(len(data))
    width = side if height is None else len(data) // max(height, 1)
    height = side if height is None else height
    if height * width != len(data) or min(height, width) < _SMALLEST:
        raise Problem(
            "bad_numbers",
            f"{len(data)} bytes are no drawing of {height} rows of at least {_SMALLEST} pixels; "
            "give `height` unless it is square.",
        )
    if max(height, width) > limits.side:
        raise Problem("picture_too_large", f"A drawing has at most {limits.side} rows and columns.")
    values = np.frombuffer(data, dtype=np.uint8).reshape(1, height, width)
    return torch.from_numpy(values.astype(np.float32) / 255)


def as_coarse(drawing: Tensor, side: int) -> Tensor:
    """A drawing on the grid of a data set: squared with paper, then averaged to side x side.

    Nets for coarse digits saw strokes as shares of ink in each cell; so must drawings be.
    """
    _, height, width = drawing.shape
    more = max(height, width)
    top, left = (more - height) // 2, (more - width) // 2
    square = F.pad(drawing, (left, more - width - left, top, more - height - top))
    return F.adaptive_avg_pool2d(square[None], side)[0]


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.pixels:
        raise Problem(
            "picture_too_large",
            f"The picture has {width} x {height} pixels; at most {limits.pixels:,} are read.",
        )
    if max(width, height) > _LONGEST * min(width, height):
        raise Problem(
            "bad_picture",
            f"The picture has {width} x {height} pixels; the longer side may be {_LONGEST} times "
            "the shorter one.",
        )


def _reduced(image: Image.Image) -> tuple[Image.Image, list[str]]:
    factor = min(image.size) // _ENOUGH
    if factor < 2:
        return image, []
    if image.mode not in ("L", "RGB", "RGBA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    note = f"The picture was made {factor} times smaller first, by averaging."
    return image.reduce(factor), [note]


def _unread(data: bytes) -> Problem:
    if data.startswith(_STARTS):
        return Problem("bad_picture", "The picture is damaged or incomplete.")
    return Problem("unsupported_picture", "The file is no picture of a kind that is read here.")
