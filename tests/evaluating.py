"""A linear model whose explanations are known, for tests of evaluate."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

import whence
from whence.explainers import GradientTimesInput, Random
from whence.metrics import Batch, Case, Cost, Metric, PixelFlipping, Scores
from whence.runs import Evaluation

ALL = [GradientTimesInput, Random]


@dataclass(frozen=True)
class Total(Metric):
    """The sum of relevance; fails for samples whose first value is `bad`."""

    bad: float | None = None
    name: ClassVar[str] = "total"
    direction: ClassVar[int] = 1
    range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def measure(self, case: Case) -> Scores:
        if self.bad is not None and bool((case.batch.x[:, 0] == self.bad).any()):
            raise RuntimeError("a bad sample")
        return Scores(case.relevance.flatten(1).sum(1).double())

    def cost(self, batch: Batch) -> Cost:
        return Cost()


class Linear(nn.Module):
    """Three scores of six numbers without biases; counts samples, and may raise or stop."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.linear = nn.Linear(6, 3, bias=False).double()
        self.asked = 0
        self.raises: Callable[[Tensor], BaseException | None] = lambda x: None

    def forward(self, x: Tensor) -> Tensor:
        error = self.raises(x)
        if error is not None:
            raise error
        self.asked += len(x)
        return self.linear(x)


X = torch.randn(10, 6, generator=torch.Generator().manual_seed(1)).double()
LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])


def run(model: Any, data: Any = (X, LABELS), explainers: Any = ALL, **options: Any) -> Evaluation:
    options.setdefault("metrics", [Total(), PixelFlipping(read="logit")])
    return whence.evaluate(model, data, explainers, **options)
