"""From a picture to what a net takes, and from the net's relevance back to the picture's pixels."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from whence.errors import InvalidInput
from whence.zoo._pictures import to_tensor

_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's mode "L"


@dataclass(frozen=True)
class ImageInput:
    """The preprocessing of an image net: resize, crop, pad, normalise, in this order.

    Use it as a function on a picture; `to_picture` sends relevance the other way. Two values are
    equal when they preprocess alike.

    - `channels`: 1 (grey) or 3 (colour); colour pictures become grey by luminance, grey ones are
      repeated.
    - `resize`: (height, width), or one number for the shorter side with the shape kept, or None.
    - `crop`: side of the square cut from the centre, or None.
    - `pad`: black pixels added on each side, after the crop.
    - `mean`, `std`: per channel, in units of 0..1 pixels; the net sees (x - mean) / std.
    - `interpolation`: "bilinear" or "bicubic", both antialiased.
    - `bgr`: hand the channels over as blue, green, red (nets trained with Caffe); `mean` and `std`
      then follow that order.

    >>> import torch, whence.zoo
    >>> grey = whence.zoo.ImageInput(channels=1, resize=(32, 32))
    >>> grey(torch.rand(5, 3, 8, 8)).shape
    torch.Size([5, 1, 32, 32])
    """

    channels: int
    resize: int | tuple[int, int] | None = None
    crop: int | None = None
    pad: int = 0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    interpolation: str = "bilinear"
    bgr: bool = False

    def __call__(self, image: Image.Image | Tensor) -> Tensor:
        """The net's input, shape (batch, channels, height, width).

        `image` is a Pillow picture, or floats in 0..1 of shape (batch, channels, height, width) or
        (channels, height, width). Raises `InvalidInput` for other shapes, types or values.
        """
        pixels = as_batch(image, self.channels)
        # The clamp removes the overshoot of bicubic interpolation.
        return self._normalise(self._frame(pixels).clamp(0, 1))

    def to_picture(self, relevance: Tensor, height: int, width: int) -> Tensor:
        """Relevance in the pixels of the picture that was preprocessed, its sum kept.

        `relevance` has shape (batch, any, height, width) as the net sees it; the result has the
        picture's `height` and `width`. Each pixel's share goes where its value was averaged from
        (the transpose of resize and crop); only what lies on padding is left out.
        """
        batch, channels = relevance.shape[:2]
        blank = relevance.new_zeros(batch, channels, height, width, requires_grad=True)
        with torch.enable_grad():
            seen = self._frame(blank)
        if seen.shape != relevance.shape:
            raise InvalidInput(
                f"a {height} x {width} picture is seen as {tuple(seen.shape[2:])} pixels, got "
                f"relevance of {tuple(relevance.shape[2:])}. Pass the size of the original picture."
            )
        (spread,) = torch.autograd.grad(seen, blank, relevance)
        return spread.flip(1) if self.bgr and channels == 3 else spread

    def pixels(self, inputs: Tensor) -> Tensor:
        """What the net sees as a picture again, clipped to 0..1, colours red, green, blue.

        `inputs` has shape (batch, channels, height, width); so has the result, which is the whole
        frame that the net sees, padding included.
        """
        shown = ((inputs - self.low.to(inputs)) / (self.high - self.low).to(inputs)).clamp(0, 1)
        return shown.flip(1) if self.bgr else shown

    @property
    def low(self) -> Tensor:
        """The net's input for a black pixel, shape (channels, 1, 1): the lower edge of the box."""
        return self._normalise(torch.zeros(1, self.channels, 1, 1))[0]

    @property
    def high(self) -> Tensor:
        """The net's input for a white pixel, shape (channels, 1, 1): the upper edge of the box."""
        return self._normalise(torch.ones(1, self.channels, 1, 1))[0]

    def _frame(self, pixels: Tensor) -> Tensor:
        height, width = pixels.shape[2:]
        wanted = _resized(height, width, self.resize)
        if wanted != (height, width):
            pixels = F.interpolate(pixels, size=wanted, mode=self.interpolation, antialias=True)
        if self.crop is not None:
            pixels = _centre(pixels, self.crop)
        return F.pad(pixels, [self.pad] * 4)

    def _normalise(self, pixels: Tensor) -> Tensor:
        if self.bgr:
            pixels = pixels.flip(1)
        mean = pixels.new_tensor(self.mean)[:, None, None]
        std = pixels.new_tensor(self.std)[:, None, None]
        return (pixels - mean) / std


def as_batch(image: Image.Image | Tensor, channels: int) -> Tensor:
    """Pixels in 0..1 of shape (batch, channels, height, width), made grey or colour as asked.

    Raises `InvalidInput` for other shapes, types or values.
    """
    pixels = to_tensor(image) if isinstance(image, Image.Image) else image
    batch = pixels.unsqueeze(0) if pixels.ndim == 3 else pixels
    if batch.ndim != 4 or batch.shape[1] not in (1, 3) or batch.numel() == 0:
        raise InvalidInput(
            "images must have shape (batch, 1 or 3 channels, height, width), got "
            f"{tuple(pixels.shape)}. Put the channels before height and width."
        )
    low, high = batch.amin().item(), batch.amax().item()
    if not batch.is_floating_point() or not 0 <= low <= high <= 1:
        raise InvalidInput(
            f"images must be floats in 0..1, got {batch.dtype} in {low:g}..{high:g}. "
            "Divide bytes by 255, and leave the normalisation to `preprocess`."
        )
    if batch.shape[1] == channels:
        return batch
    if channels == 3:
        return batch.expand(-1, 3, -1, -1)
    weights = batch.new_tensor(_LUMINANCE)[:, None, None]
    return (batch * weights).sum(1, keepdim=True)


def _resized(height: int, width: int, resize: int | tuple[int, int] | None) -> tuple[int, int]:
    if resize is None:
        return height, width
    if isinstance(resize, tuple):
        return resize
    short = min(height, width)
    return resize * height // short, resize * width // short


def _centre(pixels: Tensor, side: int) -> Tensor:
    height, width = pixels.shape[2:]
    if min(height, width) < side:
        raise InvalidInput(
            f"the net sees the central {side} x {side} pixels, got {height} x {width}. "
            "Pass a larger picture."
        )
    top, left = round((height - side) / 2), round((width - side) / 2)
    return pixels[:, :, top : top + side, left : left + side]
