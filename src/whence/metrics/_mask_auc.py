"""The area under the ROC curve of relevance as a detector of the object's pixels."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._masks import objects, pooled, where_object
from whence.metrics._metric import Cost, Metric, Scores


@dataclass(frozen=True)
class MaskAUC(Metric):
    """The probability that a pixel of the object is more relevant than one outside.

        AUC = (sum_(p in object) rank_p - K (K + 1) / 2) / (K (N - K)),   K = |object|, N pixels

    Use it as a measure of localisation without a threshold; it is the area under the ROC curve.
    Equal pixels share their ranks, so a constant map scores exactly 1/2.

    References: [whence].
    """

    name: ClassVar[str] = "mask-auc"
    direction: ClassVar[int] = 1
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    needs: ClassVar[tuple[str, ...]] = ("masks",)
    invariances: ClassVar[frozenset[str]] = frozenset(
        {"batch", "order", "scale", "offset", "channels"}
    )
    sources: ClassVar[tuple[str, ...]] = ("whence",)
    equation: ClassVar[str] = "P(R_in > R_out) + P(R_in = R_out) / 2"

    def measure(self, case: Case) -> Scores:
        masks, R = objects(case), pooled(case, "signed")
        rows = R.sort(1).values
        first = torch.searchsorted(rows, R)
        last = torch.searchsorted(rows, R, right=True)
        ranks = (first + last + 1).double() / 2  # from 1; equal ones get their mean
        size, rest = masks.sum(1), (~masks).sum(1)
        above = (ranks * masks).sum(1) - size * (size + 1) / 2
        return where_object(above / (size * rest), masks)

    def cost(self, batch: Batch) -> Cost:
        return Cost()
