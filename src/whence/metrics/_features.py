"""What is replaced together: pixels, patches, single elements, given segments."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from torch import Tensor

from whence.errors import InvalidInput


class Features(ABC):
    """A partition of the elements of one sample of shape (channels, ...)."""

    @abstractmethod
    def places(self, shape: tuple[int, ...]) -> Tensor:
        """Which feature each element belongs to, integers from 0 that broadcast to `shape`."""


@dataclass(frozen=True)
class Pixels(Features):
    """Each pixel, all channels at once. Inputs without channels, (features,), count by element."""

    def places(self, shape: tuple[int, ...]) -> Tensor:
        pixels = shape if len(shape) == 1 else (1, *shape[1:])
        return torch.arange(math.prod(pixels)).view(pixels)


@dataclass(frozen=True)
class Elements(Features):
    """Each element, channels apart."""

    def places(self, shape: tuple[int, ...]) -> Tensor:
        return torch.arange(math.prod(shape)).view(shape)


@dataclass(frozen=True)
class Patches(Features):
    """Squares of `size` pixels side by side, all channels at once; smaller ones at the far edges.

    `size` may be one number for each axis after the channels.
    """

    size: int | tuple[int, ...] = 9

    def places(self, shape: tuple[int, ...]) -> Tensor:
        axes = shape[1:]
        sizes = (self.size,) * len(axes) if isinstance(self.size, int) else self.size
        if len(sizes) != len(axes) or not axes or min(sizes) < 1:
            raise InvalidInput(
                f"Patches needs a positive size for each axis after the channels, got {self.size} "
                f"for samples of shape {shape}."
            )
        found = torch.zeros((1, *axes), dtype=torch.int64)
        for axis, (length, size) in enumerate(zip(axes, sizes, strict=True)):
            tiles = torch.arange(length) // size
            along = tiles.view(-1, *[1] * (len(axes) - axis - 1))
            found = found * (int(tiles[-1]) + 1) + along
        return found


@dataclass(frozen=True, eq=False)
class Segments(Features):
    """Segments given as integers, the same for all samples, without the channel axis."""

    labels: Tensor = field(repr=False)

    def places(self, shape: tuple[int, ...]) -> Tensor:
        if tuple(self.labels.shape) != tuple(shape[1:]) or self.labels.is_floating_point():
            raise InvalidInput(
                f"Segments needs integer labels of shape {tuple(shape[1:])}, one for each pixel, "
                f"got {self.labels.dtype} of shape {tuple(self.labels.shape)}."
            )
        return self.labels.unique(return_inverse=True)[1][None]


@dataclass(frozen=True, eq=False)
class Partition:
    """Features of samples of one shape: relevance is pooled to them, ranks are spread from them."""

    places: Tensor
    count: int

    @classmethod
    def of(cls, features: Features, x: Tensor) -> "Partition":
        """The partition of one sample of x, (samples, channels, ...)."""
        places = features.places(tuple(x.shape[1:])).to(x.device)
        return cls(places, int(places.max()) + 1)

    def pool(self, relevance: Tensor) -> Tensor:
        """Sums over features, (samples, features); ties channels that count as one."""
        if any(a < b for a, b in zip(relevance.shape[1:], self.places.shape, strict=True)):
            raise InvalidInput(
                "These features tell channels apart, and relevance of shape "
                f"{tuple(relevance.shape)} was pooled over them. Give relevance with channels, or "
                "take Pixels() or Patches()."
            )
        for axis, size in enumerate(self.places.shape):
            if size == 1 and relevance.shape[axis + 1] != 1:
                relevance = relevance.sum(axis + 1, keepdim=True)
        flat = relevance.flatten(1)
        if self.places.numel() == self.count:
            return flat
        pooled = flat.new_zeros(len(flat), self.count)
        return pooled.index_add_(1, self.places.flatten(), flat)

    def spread(self, rank: Tensor) -> Tensor:
        """Each element's number of its feature, (samples, *places)."""
        if self.places.numel() == self.count:
            return rank.view(len(rank), *self.places.shape)
        return rank[:, self.places.flatten()].view(len(rank), *self.places.shape)
