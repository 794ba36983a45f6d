"""Gini index: how unequally relevance is distributed."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch

from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._features import Features, Pixels
from whence.metrics._metric import Cost, Metric, Scores
from whence.metrics._pooled import kept
from whence.metrics._shares import reasons, shares


@dataclass(frozen=True)
class Gini(Metric):
    """Gini index: how sparse a map is.

        G = 1 - 2 sum_k p_(k) (d - k + 1/2) / d,   p_(1) <= ... <= p_(d) the sorted shares of |R|

    0 if all d features have the same share, 1 - 1/d if one has all. A sparse map may still be
    wrong. A map of zeros has none: NaN.

    `features`: relevance is pooled to them first.

    References: [chalasani2020].
    """

    features: Features = field(default_factory=Pixels)

    name: ClassVar[str] = "gini"
    direction: ClassVar[int] = 1
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    needs: ClassVar[tuple[str, ...]] = ()
    invariances: ClassVar[frozenset[str]] = frozenset(
        {"batch", "order", "scale", "sign", "channels"}
    )
    sources: ClassVar[tuple[str, ...]] = ("chalasani2020",)
    equation: ClassVar[str] = "1 - 2 sum_k p_(k) (d - k + 1/2) / d, p sorted upwards"

    def measure(self, case: Case) -> Scores:
        p = shares(case, self.features).sort(1).values
        above = torch.arange(p.shape[1] - 1, -1, -1, dtype=p.dtype, device=p.device)  # d - k
        own = kept(case.batch)  # of texts, each has its own d; what it lacks sorts to the front
        d = p.shape[1] if own is None else own.sum(1)
        return Scores(1 - 2 * (p * (above + 0.5)).sum(1) / d, reasons=reasons(p))

    def cost(self, batch: Batch) -> Cost:
        return Cost()
