"""What is subtracted from samples to see whether an explanation foretells the change."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from whence._draws import normal, uniform
from whence.errors import InvalidInput
from whence.metrics._batch import Batch
from whence.metrics._replacements import Mean, Replacement

Taken = Callable[[slice, slice], tuple[Tensor, Tensor | None]]


class Perturbation(ABC):
    """`count` random differences I for each sample; the model is asked about x - I."""

    count: int

    @abstractmethod
    def of(self, batch: Batch) -> Taken:
        """A function: a slice of samples and one of draws -> I, (samples, draws, channels, ...),
        and which elements it takes away whole, booleans that broadcast to it, or None."""


@dataclass(frozen=True)
class Noise(Perturbation):
    """Gaussian noise; its standard deviation is `level` times the sample's range, max x - min x."""

    level: float = 0.1
    count: int = 64

    def __post_init__(self) -> None:
        if self.level <= 0 or self.count < 1:
            raise InvalidInput(
                f"Noise needs level > 0 and count >= 1, got {self.level} and {self.count}."
            )

    def of(self, batch: Batch) -> Taken:
        """I ~ N(0, level^2 (max x - min x)^2)."""
        x = _pictures(batch)
        rows = x.flatten(1)
        size = self.level * (rows.amax(1) - rows.amin(1)).double()

        def taken(samples: slice, draws: slice) -> tuple[Tensor, None]:
            noise = [
                normal(batch.keys[samples], x.shape[1:], stream=k) for k in range(self.count)[draws]
            ]
            scale = size[samples].view(-1, 1, *[1] * (x.dim() - 1))
            return (scale * torch.stack(noise, 1)).to(x.dtype), None

        return taken


@dataclass(frozen=True)
class Squares(Perturbation):
    """One square of pixels at a random place, all channels, gives way to its replacement.

    `side` is a share of each axis (0.25), or a number of pixels (7). All squares lie in the
    picture, so pixels at the border are taken less often. Samples without axes after their features
    lose a run of features. Of a replacement with several draws each square takes the next.
    """

    side: float | int = 0.25
    count: int = 64
    replacement: Replacement = field(default_factory=Mean)

    def __post_init__(self) -> None:
        share = isinstance(self.side, float)
        if self.side <= 0 or (share and self.side > 1) or self.count < 1:
            raise InvalidInput(
                "Squares needs a side that is a share of the picture, 0 < side <= 1, or a whole "
                f"number of pixels, and count >= 1; got side={self.side} and count={self.count}."
            )

    def of(self, batch: Batch) -> Taken:
        """I = x - x with the square replaced."""
        x = _pictures(batch)
        lengths = x.shape[1:] if x.dim() == 2 else x.shape[2:]
        sizes = [self._pixels(length) for length in lengths]
        fills = [self.replacement.fill(batch, draw) for draw in range(self.replacement.draws)]

        def taken(samples: slice, draws: slice) -> tuple[Tensor, Tensor]:
            corners = uniform(batch.keys[samples], (self.count, len(lengths)))[:, draws]
            gone = _squares(corners, lengths, sizes)
            gone = gone if x.dim() == 2 else gone[:, :, None]
            if len(fills) == 1:
                return x[samples, None] - fills[0](samples, gone), gone
            copies = [
                fills[k % len(fills)](samples, gone[:, i : i + 1])
                for i, k in enumerate(range(self.count)[draws])
            ]
            return x[samples, None] - torch.cat(copies, 1), gone

        return taken

    def _pixels(self, length: int) -> int:
        found = max(1, round(self.side * length)) if isinstance(self.side, float) else self.side
        if found > length:
            raise InvalidInput(
                f"A square of {found} pixels does not fit an axis of {length}. Choose a smaller "
                "side."
            )
        return found


def _squares(corners: Tensor, lengths: torch.Size, sizes: list[int]) -> Tensor:
    """Booleans (samples, draws, *lengths) from numbers in [0, 1) for each axis."""
    found = torch.ones((), dtype=torch.bool, device=corners.device)
    for axis, (length, size) in enumerate(zip(lengths, sizes, strict=True)):
        first = (corners[..., axis] * (length - size + 1)).long()[..., None]
        at = torch.arange(length, device=corners.device)
        along = (at >= first) & (at < first + size)
        found = found & along.view(*along.shape[:2], *_one_axis(axis, len(lengths), length))
    return found


def _one_axis(axis: int, axes: int, length: int) -> list[int]:
    return [length if each == axis else 1 for each in range(axes)]


def _pictures(batch: Batch) -> Tensor:
    if not batch.x.is_floating_point() or batch.embedded:
        raise InvalidInput(
            "Noise and squares are for pictures, signals and tables of numbers; for texts see "
            "metrics.WordDeleting."
        )
    return batch.x
