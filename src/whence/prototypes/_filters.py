"""The filters of a first layer, as pictures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from whence import viz
from whence.errors import InvalidInput
from whence.zoo import ImageInput, Model

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True, eq=False)
class Filters:
    """The weights with which the units of a layer look at the model's input.

    - `module`: the layer's name; `weights`: (units, channels, height, width), or one number per
      input of a dense layer, (units, inputs).
    - `colour`: whether the three channels are red, green and blue, in this order.
    """

    module: str
    weights: Tensor
    colour: bool

    def __len__(self) -> int:
        return len(self.weights)

    def __repr__(self) -> str:
        kind = "colour" if self.colour else "grey"
        return f"Filters({self.module!r}, {len(self)} of {tuple(self.weights.shape[1:])}, {kind})"

    def pictures(self) -> Tensor:
        """Each filter as a picture, (units, 3, height, width) within 0 and 1.

        Weight 0 is the middle grey, and each filter is as strong as its largest |w| allows:
        0.5 + w / (2 max |w|). Colour filters are in their own colours. Of other numbers of channels
        the mean is shown.
        """
        w = self.weights if self.colour else self.weights.mean(1, keepdim=True)
        most = w.flatten(1).abs().amax(1).clamp_min(torch.finfo(w.dtype).tiny)
        return (0.5 + w / (2 * most[:, None, None, None])).expand(-1, 3, -1, -1)

    def frequencies(self) -> Tensor:
        """The wave that each filter answers to most, (units, 2): cycles per pixel, downwards and
        to the right; the largest value of its spectrum, of 64 x 64 or more places.

        A wave and its opposite are the same: the second number is at least 0.
        """
        w = self.weights.sum(1).double()
        w = w - w.mean((1, 2), keepdim=True)
        size = max(64, *w.shape[1:])
        spectrum = torch.fft.rfft2(w, s=(size, size)).abs()
        place = spectrum.flatten(1).argmax(1)
        row, column = place // spectrum.shape[2], place % spectrum.shape[2]
        row = torch.where(row > size // 2, row - size, row)
        return torch.stack([row, column], 1) / size

    def orientations(self) -> Tensor:
        """The direction of that wave in degrees, (units,), from -90 to 90: 0 for vertical stripes,
        90 or -90 for horizontal ones."""
        down, right = self.frequencies().unbind(1)
        return torch.atan2(down, right) * (180 / math.pi)

    def drawing(self, *, columns: int | None = None, cell: int = 48) -> viz.Drawing:
        """The grid of all filters, in their order row by row; `cell` is the size of one."""
        pixels = (self.pictures().permute(0, 2, 3, 1) * 255).round().byte().cpu().numpy()
        cells = [Image.fromarray(np.ascontiguousarray(each)) for each in pixels]
        columns = columns or max(1, math.isqrt(len(cells) - 1) + 1)
        rows = [cells[begin : begin + columns] for begin in range(0, len(cells), columns)]
        return viz.draw_grid(rows, colours=None, cell=cell)

    def plot(self) -> Image.Image:
        """The grid as a picture."""
        return self.drawing().image()

    def save(self, path: str | Path) -> Path:
        """Write the grid as .png or .svg."""
        return viz.save(self.drawing(), path)


def filters(
    model: nn.Module | Model,
    module: str | None = None,
    *,
    shape: Sequence[int] | None = None,
    bgr: bool | None = None,
) -> Filters:
    """The filters of the first layer, which see the input itself and can be shown as pictures.

    Use it as a first look at what a net was trained to see: edges, colours, blobs, or still noise.

    - `module`: the layer's name; by default the first convolution, or the first dense layer, in the
      order in which the model holds them.
    - `shape`: (channels, height, width) of the inputs, for a dense layer on flattened images.
    - `bgr`: the three channels are blue, green, red; a model of the zoo knows that itself.
    """
    if bgr is None and isinstance(model, Model):
        bgr = isinstance(model.preprocess, ImageInput) and model.preprocess.bgr
    if isinstance(model, Model):
        shape = model.input_shape if shape is None else shape
        model = model.module
    name, layer = _layer(model, module)
    weights = layer.get_parameter("weight").detach().clone()
    if isinstance(layer, nn.Linear):
        weights = _as_images(weights, shape, name)
    if weights.dim() != 4:
        raise InvalidInput(
            f"Filters are drawn for images, (units, channels, height, width); those of {name!r} "
            f"have shape {tuple(weights.shape)}."
        )
    colour = weights.shape[1] == 3
    return Filters(name, weights.flip(1) if colour and bgr else weights, colour)


def _layer(model: nn.Module, module: str | None) -> tuple[str, nn.Module]:
    modules = dict(model.named_modules())
    if module is not None:
        if not isinstance(modules.get(module), (*_CONVOLUTIONS, nn.Linear)):
            raise InvalidInput(f"{module!r} must be a convolution or a dense layer of the model.")
        return module, modules[module]
    for kinds in (_CONVOLUTIONS, nn.Linear):
        for name, each in modules.items():
            if isinstance(each, kinds):
                return name, each
    raise InvalidInput("The model has neither a convolution nor a dense layer with filters.")


def _as_images(weights: Tensor, shape: Sequence[int] | None, name: str) -> Tensor:
    if shape is None or len(shape) != 3 or math.prod(shape) != weights.shape[1]:
        raise InvalidInput(
            f"The dense layer {name!r} has {weights.shape[1]} inputs; say which image they are: "
            f"shape=(channels, height, width), got {shape}."
        )
    return weights.reshape(len(weights), *shape)
