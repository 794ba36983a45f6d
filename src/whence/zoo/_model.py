"""What a model of the zoo is: the net, its preprocessing, the names of its classes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from whence.errors import InvalidInput
from whence.zoo._image_input import ImageInput


@dataclass(frozen=True, eq=False)
class Model:
    """A trained net with all that is needed to ask it about a picture.

    - `module`: a plain `nn.Module` in eval mode; preprocessed inputs to scores (batch, classes).
    - `preprocess`: Pillow picture, or floats in 0..1 of shape (batch, channels, height, width), to
      inputs. For most image nets an `ImageInput`, whose `to_picture` leads back to pixels.
    - `input_shape`: of one preprocessed input, without the batch axis.
    - `low`, `high`: the smallest and largest valid input (black and white pixels), shapes that
      broadcast to `input_shape`; for the rule ZBox. None for nets that read text.

    >>> import torch, whence.zoo
    >>> net = whence.zoo.model("digits-cnn")
    >>> net.module(net.preprocess(torch.zeros(2, 1, 8, 8))).shape
    torch.Size([2, 10])
    """

    name: str
    module: nn.Module
    preprocess: Callable[[Any], Any]
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]
    low: Tensor | None
    high: Tensor | None

    def __repr__(self) -> str:
        shape = " x ".join(str(side) for side in self.input_shape) or "text"
        return f"Model({self.name!r}, {shape} -> {len(self.classes)} classes)"


def image_model(
    name: str, module: nn.Module, preprocess: ImageInput, classes: tuple[str, ...], side: int
) -> Model:
    """A `Model` for square pictures of `side` pixels, as the net sees them."""
    return Model(
        name=name,
        module=module.eval(),
        preprocess=preprocess,
        classes=classes,
        input_shape=(preprocess.channels, side, side),
        low=preprocess.low,
        high=preprocess.high,
    )


def as_vectors(values: Tensor) -> Tensor:
    """The preprocessing of nets on plain numbers: none. Shape (batch, features), floats."""
    if not isinstance(values, torch.Tensor) or values.ndim != 2:
        raise InvalidInput(
            f"this net takes numbers of shape (batch, features), got {_describe(values)}."
        )
    return values


def _describe(values: Any) -> str:
    return str(tuple(values.shape)) if isinstance(values, Tensor) else type(values).__name__
