"""What replaced elements become."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from whence._draws import uniform
from whence.errors import InvalidInput
from whence.metrics._batch import Batch

Fill = Callable[[slice, Tensor], Tensor]


class Replacement(ABC):
    """A way to take elements away from samples; `draws` of it are averaged."""

    draws: int

    @abstractmethod
    def fill(self, batch: Batch, draw: int) -> Fill:
        """A function: a slice of samples and which elements are gone, booleans of shape (samples,
        times, ...) that broadcast to their elements -> the copies, (samples, times, channels, ...).
        """


@dataclass(frozen=True, eq=False)
class Constant(Replacement):
    """A number, or a tensor that broadcasts to one sample: black, grey, the valid minimum."""

    value: float | Tensor = 0.0
    draws: int = field(default=1, init=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and self._as_number() == other._as_number()

    def __hash__(self) -> int:
        return hash(self._as_number())

    def _as_number(self) -> Any:
        """The value in a form that can be compared: equal ones share their copies."""
        return str(self.value.tolist()) if isinstance(self.value, Tensor) else float(self.value)

    def fill(self, batch: Batch, draw: int) -> Fill:
        value = torch.as_tensor(self.value).to(batch.x)
        return by_picture(batch, value.expand_as(batch.x))


@dataclass(frozen=True)
class Mean(Replacement):
    """The mean of each channel of the sample itself."""

    draws: int = field(default=1, init=False)

    def fill(self, batch: Batch, draw: int) -> Fill:
        x = batch.x
        if x.dim() < 3:
            return by_picture(batch, x.flatten(1).mean(1, keepdim=True).expand_as(x))
        mean = x.flatten(2).mean(2).view(*x.shape[:2], *[1] * (x.dim() - 2))
        return by_picture(batch, mean.expand_as(x))


@dataclass(frozen=True)
class SignFlip(Replacement):
    """x becomes low + high - x: -x for pixels in [-1, 1], as Bach et al. 2015 flip digits."""

    low: float = -1.0
    high: float = 1.0
    draws: int = field(default=1, init=False)

    def fill(self, batch: Batch, draw: int) -> Fill:
        return by_picture(batch, self.low + self.high - batch.x)


@dataclass(frozen=True)
class Uniform(Replacement):
    """Uniformly random values between `low` and `high`, as Samek et al. 2017; the samples' own
    range (of the channel) where they are None."""

    low: float | None = None
    high: float | None = None
    draws: int = 10

    def fill(self, batch: Batch, draw: int) -> Fill:
        x = batch.x
        axes = tuple(range(2, x.dim())) if x.dim() > 2 else (1,)
        low = x.amin(axes, keepdim=True) if self.low is None else self.low
        high = x.amax(axes, keepdim=True) if self.high is None else self.high
        noise = uniform(batch.keys, x.shape[1:], stream=draw).to(x.dtype)
        return by_picture(batch, low + (high - low) * noise)


@dataclass(frozen=True)
class Blur(Replacement):
    """A blurred copy: a Gaussian of `sigma` pixels over the axes after the channels."""

    sigma: float = 5.0
    draws: int = field(default=1, init=False)

    def fill(self, batch: Batch, draw: int) -> Fill:
        if batch.x.dim() != 4:
            raise InvalidInput(f"Blur needs pictures, got samples of {tuple(batch.x.shape[1:])}.")
        return by_picture(batch, _blurred(batch.x, self.sigma))


def by_picture(batch: Batch, picture: Tensor) -> Fill:
    """The filling where the value of an element does not depend on which others are gone."""
    # A fast path for where(gone, picture, x), which takes twice as long: numbers are exchanged bit
    # by bit, exactly. `change` holds the bits in which the two differ.
    bits = _BITS[batch.x.element_size()]
    old = batch.x.contiguous().view(bits)
    change = picture.to(batch.x.dtype).contiguous().view(bits) ^ old

    def fill(samples: slice, gone: Tensor) -> Tensor:
        return (gone * change[samples, None]).bitwise_xor_(old[samples, None]).view(batch.x.dtype)

    return fill


_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _blurred(x: Tensor, sigma: float) -> Tensor:
    for axis in (2, 3):
        reach = min(int(3 * sigma + 0.5), x.shape[axis] - 1)
        at = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
        weights = (-(at**2) / (2 * sigma**2)).exp()
        shape = [1, 1, 1, 1]
        shape[axis] = len(at)
        kernel = (weights / weights.sum()).view(shape).expand(x.shape[1], 1, *shape[2:])
        border = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
        x = F.conv2d(F.pad(x, border, mode="reflect"), kernel, groups=x.shape[1])
    return x
