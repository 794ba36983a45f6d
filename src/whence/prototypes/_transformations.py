"""Small random changes of inputs before the model sees them, so that prototypes do not hang on
exact pixels."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from whence.errors import InvalidInput

Fill = Literal["border", "reflection", "zeros"]


class Transformation(ABC):
    """A random, differentiable change: the same draw for all samples of a batch, so that a
    prototype does not depend on what else is in it."""

    @abstractmethod
    def apply(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """The changed inputs; all random numbers come from the generator."""


@dataclass(frozen=True)
class Jitter(Transformation):
    """Shift by up to `pixels` along each position axis; what leaves on one side comes back on the
    other. (batch, channels, time) or (batch, channels, height, width).

    >>> x = torch.arange(4.0).view(1, 1, 4)
    >>> Jitter(1).apply(x, torch.Generator().manual_seed(0)).flatten().tolist()
    [3.0, 0.0, 1.0, 2.0]
    """

    pixels: int

    def apply(self, x: Tensor, generator: torch.Generator) -> Tensor:
        axes = _positions(self, x)
        shifts = [_whole(generator, -self.pixels, self.pixels) for _ in axes]
        return x.roll(shifts, axes)


@dataclass(frozen=True)
class Scale(Transformation):
    """Zoom images around their centre by a factor between `low` and `high`, at the same size.

    `fill`: what comes in from outside when the picture shrinks.
    """

    low: float = 0.9
    high: float = 1.1
    fill: Fill = "border"

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high:
            raise InvalidInput(f"Scale needs 0 < low <= high, got {self.low} and {self.high}.")

    def apply(self, x: Tensor, generator: torch.Generator) -> Tensor:
        factor = _between(generator, self.low, self.high)
        return _warp(self, x, [[1 / factor, 0.0], [0.0, 1 / factor]], self.fill)


@dataclass(frozen=True)
class Rotate(Transformation):
    """Turn images around their centre by up to `degrees` to either side."""

    degrees: float = 10.0
    fill: Fill = "border"

    def apply(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return turned(x, _between(generator, -self.degrees, self.degrees), self.fill)


@dataclass(frozen=True)
class Pad(Transformation):
    """A border of `pixels` on each side, of a constant `value` or by reflection (None).

    The model sees a larger picture. Where it needs its size, end with `Crop`: both together shift
    without wrapping around.
    """

    pixels: int
    value: float | None = 0.0

    def apply(self, x: Tensor, generator: torch.Generator) -> Tensor:
        sides = [self.pixels] * 2 * len(_positions(self, x))
        if self.value is None:
            return functional.pad(x, sides, mode="reflect")
        return functional.pad(x, sides, value=self.value)


@dataclass(frozen=True)
class Crop(Transformation):
    """A window of `size` along each position axis, anywhere."""

    size: int

    def apply(self, x: Tensor, generator: torch.Generator) -> Tensor:
        for axis in _positions(self, x):
            if x.shape[axis] < self.size:
                raise InvalidInput(
                    f"A crop of {self.size} does not fit into inputs of {tuple(x.shape)}."
                )
            x = x.narrow(axis, _whole(generator, 0, x.shape[axis] - self.size), self.size)
        return x


@dataclass(frozen=True)
class Flip(Transformation):
    """Mirror along the last axis (left and right) every second time, by chance."""

    def apply(self, x: Tensor, generator: torch.Generator) -> Tensor:
        _positions(self, x)
        return x.flip(-1) if _whole(generator, 0, 1) else x


@dataclass(frozen=True)
class Perturb(Transformation):
    """Add normal noise of standard deviation `std`; for inputs of any shape."""

    std: float

    def apply(self, x: Tensor, generator: torch.Generator) -> Tensor:
        noise = torch.randn(x.shape[1:], generator=generator, dtype=torch.float64)
        return x + self.std * noise.to(x)


def turned(x: Tensor, degrees: float, fill: Fill = "border") -> Tensor:
    """Images turned counter-clockwise."""
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    height, width = x.shape[-2:]
    # The grid has coordinates from -1 to 1 on both axes, which are not equally long.
    matrix = [[cos, -sin * height / width], [sin * width / height, cos]]
    return _warp(Rotate(degrees), x, matrix, fill)


def _warp(who: Transformation, x: Tensor, matrix: list[list[float]], fill: Fill) -> Tensor:
    """The picture whose pixel p is x's at matrix p, bilinear, with positions around the centre."""
    if x.dim() != 4:
        raise InvalidInput(
            f"{type(who).__name__} needs images, (batch, channels, height, width), got "
            f"{tuple(x.shape)}."
        )
    theta = torch.tensor([[*row, 0.0] for row in matrix], dtype=x.dtype, device=x.device)
    grid = functional.affine_grid(theta.expand(len(x), 2, 3), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode=fill, align_corners=False)


def _positions(who: Transformation, x: Tensor) -> list[int]:
    """The axes behind batch and channels."""
    if x.dim() < 3:
        raise InvalidInput(
            f"{type(who).__name__} needs positions, (batch, channels, ...), got {tuple(x.shape)}."
        )
    return list(range(2, x.dim()))


def _whole(generator: torch.Generator, low: int, high: int) -> int:
    return int(torch.randint(low, high + 1, (), generator=generator))


def _between(generator: torch.Generator, low: float, high: float) -> float:
    share = float(torch.rand((), generator=generator, dtype=torch.float64))
    return low + (high - low) * share
