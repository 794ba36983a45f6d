"""Pixel flipping on small pictures: how fast a prediction falls as relevant pixels are replaced."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

Probabilities = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Flipped:
    """Flipping in the order of one method.

    curve: P(predicted class), shape (pictures, points), from the untouched picture to the one with
    all pixels replaced. fractions: the share of pixels replaced at each point.
    """

    method: str
    curve: Tensor
    fractions: Tensor

    @property
    def areas(self) -> Tensor:
        """The area over the curve of each picture, in 0..1; larger is better."""
        return 1 - torch.trapezoid(self.curve, self.fractions, dim=1)

    @property
    def area(self) -> float:
        """The mean area over the curve."""
        return float(self.areas.mean())

    @property
    def error(self) -> float:
        """The standard error of that mean over the pictures."""
        return float(self.areas.std()) / sqrt(len(self.areas))


def flip(
    probabilities: Probabilities,
    pictures: Tensor,
    replaced: Tensor,
    orders: Mapping[str, Tensor],
    *,
    step: int = 4,
) -> list[Flipped]:
    """Replace pixels, most relevant first, `step` at a time, once for each method.

    probabilities: pictures (n, channels, height, width) -> (n, classes). replaced: what the pixels
    become, of the pictures' shape. orders: method -> what to sort by, (n, height, width). Equal
    values go in random order: in reading order they would draw a pattern.

    References: [bach2015].
    """
    count, pixels = len(pictures), pictures[0, 0].numel()
    steps = [*range(0, pixels, step), pixels]
    # All methods share both ends of the curve.
    ends = _in_batches(probabilities, [pictures, replaced])
    samples, predicted = torch.arange(count), ends[0].argmax(1)
    first, last = (each[samples, predicted] for each in ends)
    found = []
    for method, values in orders.items():
        rank = _ranks(values.flatten(1)).view(count, 1, *values.shape[1:])
        changed = [torch.where(rank < k, replaced, pictures) for k in steps[1:-1]]
        middle = [each[samples, predicted] for each in _in_batches(probabilities, changed)]
        curve = torch.stack([first, *middle, last], dim=1).double()
        found.append(Flipped(method, curve, torch.tensor(steps, dtype=torch.float64) / pixels))
    return found


def _ranks(values: Tensor) -> Tensor:
    """How many pixels go before each, shape (n, pixels)."""
    shuffle = torch.randperm(values.shape[1], generator=torch.Generator().manual_seed(0))
    order = values[:, shuffle].argsort(dim=1, descending=True, stable=True)
    return shuffle[order].argsort(dim=1)


def _in_batches(probabilities: Probabilities, groups: list[Tensor]) -> list[Tensor]:
    """The probabilities of each group of pictures."""
    if not groups:
        return []
    together = torch.cat([probabilities(part) for part in torch.cat(groups).split(512)])
    return list(together.split(len(groups[0])))
