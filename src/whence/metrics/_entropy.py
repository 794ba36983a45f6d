"""Entropy: over how many features a map spreads."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch

from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._features import Features, Pixels
from whence.metrics._metric import Cost, Metric, Scores
from whence.metrics._shares import reasons, shares


@dataclass(frozen=True)
class Entropy(Metric):
    """Entropy: how many features a reader has to take in.

        H = -sum_i p_i ln p_i,   p_i = |R_i| / sum_j |R_j|

    Smaller is simpler: 0 if one feature has all relevance, ln of the number of features if all have
    the same. A simple map may still be wrong. A map of zeros has none: NaN.

    `features`: relevance is pooled to them first.

    References: [bhatt2020].
    """

    features: Features = field(default_factory=Pixels)

    name: ClassVar[str] = "entropy"
    direction: ClassVar[int] = -1
    range: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    needs: ClassVar[tuple[str, ...]] = ()
    invariances: ClassVar[frozenset[str]] = frozenset(
        {"batch", "order", "scale", "sign", "channels"}
    )
    sources: ClassVar[tuple[str, ...]] = ("bhatt2020",)
    equation: ClassVar[str] = "-sum p ln p, p = |R| / sum |R|"

    def measure(self, case: Case) -> Scores:
        p = shares(case, self.features)
        return Scores(torch.special.entr(p).sum(1), reasons=reasons(p))

    def cost(self, batch: Batch) -> Cost:
        return Cost()
