"""Models and cases whose curves under perturbation are known."""

from itertools import permutations
from typing import Any

import torch
from torch import Tensor, nn

from whence.metrics import Batch, Case, Metric


class Weighted(nn.Module):
    """f(x) = sum w x, one score for each sample; the same bits in any batch."""

    def __init__(self, *weights: float) -> None:
        super().__init__()
        self.eval()
        self.register_buffer("weights", torch.tensor(weights, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1) * self.weights).sum(1, keepdim=True)


class Scorer(nn.Module):
    """Three classes from samples of any shape, smooth, the same bits in any batch."""

    def __init__(self) -> None:
        super().__init__()
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        at = torch.arange(flat.shape[1], dtype=x.dtype, device=x.device)
        waves = [(at * speed).sin() for speed in (0.7, 1.3, 2.9)]
        return torch.stack([(flat * wave).tanh().sum(1) for wave in waves], 1)


class Hungry(nn.Module):
    """A model for which memory is short above `limit` samples."""

    def __init__(self, limit: int, error: Exception) -> None:
        super().__init__()
        self.limit, self.error, self.most, self.scorer = limit, error, 0, Scorer()
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > self.limit:
            raise self.error
        self.most = max(self.most, len(x))
        return self.scorer(x)


class Counting(nn.Module):
    """A model that counts the samples it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen, self.scorer = 0, Scorer()
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        self.seen += len(x)
        return self.scorer(x)


def ones(*shape: int) -> Tensor:
    return torch.ones(shape, dtype=torch.float64)


def row(*values: float) -> Tensor:
    """One sample, (1, features)."""
    return torch.tensor([values], dtype=torch.float64)


def all_orders(count: int) -> Tensor:
    """Relevance for each order of `count` features, (count!, count)."""
    return torch.tensor(list(permutations(range(count))), dtype=torch.float64)


def in_parts(
    metric: Metric, model: nn.Module, x: Tensor, relevance: Tensor, parts: list[list[int]]
) -> Tensor:
    """The scores of samples measured in parts, put back in their order."""
    found = torch.zeros(len(x), dtype=torch.float64)
    for part in parts:
        about: dict[str, Any] = {"ids": part, "chunk": 3 + len(part)}
        found[part] = metric(model, x[part], relevance[part], **about).values
    return found


def measure_all(metrics: list[Metric], batch: Batch, maps: list[Tensor]) -> None:
    """All metrics on all explanations of a batch."""
    for relevance in maps:
        case = Case(batch, relevance)
        for metric in metrics:
            metric.measure(case)


def flipped_one_by_one(
    model: nn.Module, x: Tensor, order: list[int], fill: Tensor, k: int
) -> list[float]:
    """Pixel flipping of one picture (channels, height, width) as the papers tell it: in a loop."""
    now, width = x.clone(), x.shape[-1]
    probabilities = [float(model(now[None]).softmax(1)[0, k])]
    for pixel in order:
        now[:, pixel // width, pixel % width] = fill[:, pixel // width, pixel % width]
        probabilities.append(float(model(now[None]).softmax(1)[0, k]))
    return probabilities
