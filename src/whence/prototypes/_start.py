"""Where an ascent begins: noise, zeros, the mean of data, the mean of each class."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from whence import _draws
from whence.errors import InvalidInput


class Start(ABC):
    """A first input for each prototype."""

    @abstractmethod
    def draw(self, keys: Tensor, classes: Sequence[int | None]) -> Tensor:
        """(n, ...): one input for each key (a random number of its own, int64) and class."""


@dataclass(frozen=True, eq=False)
class Noise(Start):
    """Normal noise: mean + std * normal(0, 1), of `shape` without the batch.

    The noise of a prototype depends on the seed, its class and its number among those of the same
    class, not on what else is in the batch.
    """

    shape: Sequence[int]
    std: float = 1.0
    mean: float | Tensor = 0.0

    def draw(self, keys: Tensor, classes: Sequence[int | None]) -> Tensor:
        noise = _draws.normal(keys, tuple(self.shape))
        mean = self.mean.detach().cpu() if isinstance(self.mean, Tensor) else self.mean
        return mean + self.std * noise

    def __repr__(self) -> str:
        return f"Noise({tuple(self.shape)}, std={self.std:g})"


@dataclass(frozen=True)
class Zeros(Start):
    """Zeros of `shape`, without the batch."""

    shape: Sequence[int]

    def draw(self, keys: Tensor, classes: Sequence[int | None]) -> Tensor:
        return torch.zeros(len(keys), *self.shape, dtype=torch.float64)


@dataclass(frozen=True, eq=False)
class Mean(Start):
    """The mean of data, (samples, ...)."""

    data: Tensor

    def draw(self, keys: Tensor, classes: Sequence[int | None]) -> Tensor:
        mean = self.data.detach().mean(0, dtype=torch.float64)
        return mean.expand(len(keys), *mean.shape)

    def __repr__(self) -> str:
        return f"Mean(data of {tuple(self.data.shape)})"


@dataclass(frozen=True, eq=False)
class ClassMeans(Start):
    """The mean of the data of each prototype's own class.

    - `data`: (samples, ...). `labels`: (samples,).
    """

    data: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if self.labels.shape != self.data.shape[:1]:
            raise InvalidInput(
                f"ClassMeans needs one label for each of {len(self.data)} samples, got labels of "
                f"shape {tuple(self.labels.shape)}."
            )

    def draw(self, keys: Tensor, classes: Sequence[int | None]) -> Tensor:
        return torch.stack([self._mean(k) for k in classes])

    def _mean(self, k: int | None) -> Tensor:
        if k is None:
            raise InvalidInput(
                "Class means need an objective that names classes, such as LogProbability(3). For "
                "others start from Mean(data) or from a tensor."
            )
        chosen = self.data.detach()[self.labels == k]
        if not len(chosen):
            raise InvalidInput(f"No sample has the label {k}, so class {k} has no mean.")
        return chosen.mean(0, dtype=torch.float64)

    def __repr__(self) -> str:
        return f"ClassMeans(data of {tuple(self.data.shape)})"
