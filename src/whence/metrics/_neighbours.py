"""Inputs near the samples: random ones in a cube or a ball, and the sample moved step by step."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from whence._draws import normal, uniform
from whence.errors import InvalidInput
from whence.metrics._batch import Batch

Near = Callable[[slice, slice], Tensor]

SCALES = {
    "relative": "a radius is a share of the sample's own range, max x - min x",
    "absolute": "a radius is in units of the input, as in the papers",
}


class Neighbours(ABC):
    """Inputs near each sample."""

    @abstractmethod
    def points(self) -> int:
        """How many there are for each sample."""

    def path(self) -> tuple[int, ...]:
        """Empty where each stands for itself. Else their places on a path, from the sample (place
        0) outwards: 1, 2, ..., and -1, -2, ...; each is then a neighbour of the one before it."""
        return ()

    @abstractmethod
    def of(self, batch: Batch) -> Near:
        """A function: a slice of samples and one of neighbours -> inputs, (samples, neighbours,
        channels, ...)."""


@dataclass(frozen=True)
class Cube(Neighbours):
    """`count` points drawn uniformly from |d_i| <= radius, the ball of the maximum norm."""

    radius: float = 0.02
    count: int = 10
    scale: str = "relative"

    def __post_init__(self) -> None:
        _check(self.radius, self.count, self.scale)

    def points(self) -> int:
        """`count`."""
        return self.count

    def of(self, batch: Batch) -> Near:
        """x + d."""
        x, reach = _numbers(batch), _reach(batch, self.radius, self.scale)

        def near(samples: slice, points: slice) -> Tensor:
            noise = [
                2 * uniform(batch.keys[samples], x.shape[1:], stream=k) - 1
                for k in range(self.count)[points]
            ]
            return x[samples, None] + (reach[samples, None] * torch.stack(noise, 1)).to(x.dtype)

        return near


@dataclass(frozen=True)
class Ball(Neighbours):
    """`count` points drawn uniformly from the ball ||d||_2 <= radius."""

    radius: float = 0.1
    count: int = 10
    scale: str = "relative"

    def __post_init__(self) -> None:
        _check(self.radius, self.count, self.scale)

    def points(self) -> int:
        """`count`."""
        return self.count

    def of(self, batch: Batch) -> Near:
        """x + d."""
        x, reach = _numbers(batch), _reach(batch, self.radius, self.scale)

        def near(samples: slice, points: slice) -> Tensor:
            noise = [_in_ball(batch.keys[samples], x, k) for k in range(self.count)[points]]
            return x[samples, None] + (reach[samples, None] * torch.stack(noise, 1)).to(x.dtype)

        return near


@dataclass(frozen=True)
class Shifts(Neighbours):
    """The picture moved pixel by pixel, up to `reach` pixels each way.

    - `along`: the axis it moves along: -1 across (the width), -2 down (the height).
    - `background`: what comes in at the border: a number, or "edge" for the pixels at the border.
      Zero is black only where the preprocessing leaves it so; "edge" fits any digit.

    Choose `reach` so that the object stays in the picture.
    """

    reach: int = 5
    along: int = -1
    background: float | str = "edge"

    def __post_init__(self) -> None:
        if self.reach < 1:
            raise InvalidInput(f"Shifts needs reach >= 1, got {self.reach}.")
        if isinstance(self.background, str) and self.background != "edge":
            raise InvalidInput(f'background must be a number or "edge", got {self.background!r}.')

    def points(self) -> int:
        """How many moved pictures there are beside the sample itself."""
        return 2 * self.reach

    def path(self) -> tuple[int, ...]:
        """To the right (or down) first, then to the left (or up): 1, ..., n, -1, ..., -n."""
        return (*range(1, self.reach + 1), *range(-1, -self.reach - 1, -1))

    def of(self, batch: Batch) -> Near:
        """x(i - t) for each place t of the path."""
        x = _numbers(batch)
        self._check_shape(x)

        def near(samples: slice, points: slice) -> Tensor:
            return torch.stack([self.moved(x[samples], t) for t in self.path()[points]], 1)

        return near

    def frames(self, x: Tensor) -> Tensor:
        """All places in order, the sample in the middle: (samples, 2 reach + 1, channels, ...)."""
        self._check_shape(x)
        return torch.stack([self.moved(x, t) for t in range(-self.reach, self.reach + 1)], 1)

    def moved(self, x: Tensor, by: int) -> Tensor:
        """x moved by so many pixels."""
        length = x.shape[self.along]
        source = torch.arange(length, device=x.device) - by
        found = x.index_select(self.along, source.clamp(0, length - 1))
        if self.background == "edge":
            return found
        shape = [1] * x.dim()
        shape[self.along] = length
        outside = ((source < 0) | (source >= length)).view(shape)
        return found.masked_fill(outside, float(self.background))

    def _check_shape(self, x: Tensor) -> None:
        axes = x.dim() - 2
        if not -axes <= self.along <= -1:
            raise InvalidInput(
                f"Shifts moves samples of shape (channels, ...) along one of the axes after the "
                f"channels, -1 to {-axes}; got along={self.along} and {tuple(x.shape[1:])}."
            )
        if self.reach >= x.shape[self.along]:
            raise InvalidInput(
                f"A shift by {self.reach} moves all {x.shape[self.along]} pixels out of the "
                "picture. Choose a smaller reach."
            )


def _numbers(batch: Batch) -> Tensor:
    if not batch.x.is_floating_point():
        raise InvalidInput(
            f"Neighbours are made of numbers, got ids of type {batch.x.dtype}. Explain the "
            'embeddings: {"inputs_embeds": model.get_input_embeddings()(ids), ...}.'
        )
    return batch.x


def _reach(batch: Batch, radius: float, scale: str) -> Tensor:
    """The radius of each sample, to multiply its noise with."""
    x = batch.x.flatten(1).double()
    size = x.amax(1) - x.amin(1) if scale == "relative" else torch.ones_like(x[:, 0])
    return radius * size.view(-1, *[1] * (batch.x.dim() - 1))


def _in_ball(keys: Tensor, x: Tensor, stream: int) -> Tensor:
    """Uniform in the ball of radius 1: a direction, and a radius whose d-th power is uniform."""
    direction = F.normalize(normal(keys, (x[0].numel(),), stream), dim=1)
    radius = uniform(keys, (1,), stream) ** (1 / x[0].numel())
    return (radius * direction).view(len(keys), *x.shape[1:])


def _check(radius: float, count: int, scale: str) -> None:
    if radius <= 0 or count < 1:
        raise InvalidInput(f"Neighbours need radius > 0 and count >= 1, got {radius} and {count}.")
    if scale not in SCALES:
        raise InvalidInput(f"scale must be one of {', '.join(SCALES)}, got {scale!r}.")
