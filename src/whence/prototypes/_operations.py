"""What is done to parameters now and then between steps: blur, decay."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from whence.errors import InvalidInput


class Operation(ABC):
    """A change of a parameter after every so many steps; unlike a prior it has no gradient."""

    every: int  # after how many steps it comes again

    @property
    def of_inputs(self) -> bool:
        """Whether it makes sense on inputs only, not on codes and coefficients."""
        return False

    @abstractmethod
    def change(self, parameter: Tensor, generator: torch.Generator) -> Tensor:
        """The changed parameter, (batch, ...); random numbers come from the generator."""


@dataclass(frozen=True)
class Blur(Operation):
    """A Gaussian blur of standard deviation `sigma` pixels, every few steps [yosinski2015].

    High frequencies must be asked for again and again to stay. Positions are the axes behind batch
    and channels; at the border the edge is repeated.
    """

    sigma: float = 1.0
    every: int = 4

    def __post_init__(self) -> None:
        if self.sigma <= 0 or self.every < 1:
            raise InvalidInput(
                f"Blur needs sigma > 0 and every >= 1, got {self.sigma} and {self.every}."
            )

    @property
    def of_inputs(self) -> bool:
        return True

    def change(self, parameter: Tensor, generator: torch.Generator) -> Tensor:
        if parameter.dim() < 3:
            raise InvalidInput(
                "Blur needs positions: inputs of shape (batch, channels, ...), got "
                f"{tuple(parameter.shape)}."
            )
        for axis in range(2, parameter.dim()):
            parameter = _smooth(parameter, self.sigma, axis)
        return parameter


@dataclass(frozen=True)
class Decay(Operation):
    """Multiply by a factor just below 1: the penalty on the length, as a step of its own."""

    factor: float = 0.99
    every: int = 1

    def change(self, parameter: Tensor, generator: torch.Generator) -> Tensor:
        return self.factor * parameter


def _smooth(x: Tensor, sigma: float, axis: int) -> Tensor:
    """The convolution with a Gaussian along one axis."""
    reach = max(1, math.ceil(3 * sigma))
    places = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    kernel = (-(places**2) / (2 * sigma**2)).exp()
    rows = x.movedim(axis, -1)
    flat = functional.pad(rows.reshape(-1, 1, rows.shape[-1]), (reach, reach), mode="replicate")
    smooth = functional.conv1d(flat, (kernel / kernel.sum()).view(1, 1, -1))
    return smooth.view(rows.shape).movedim(-1, axis)
