"""Effective size: how many features carry most of the relevance."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch

from whence.errors import InvalidInput
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._features import Features, Pixels
from whence.metrics._metric import Cost, Metric, Scores
from whence.metrics._shares import reasons, shares


@dataclass(frozen=True)
class EffectiveSize(Metric):
    """Effective size: the fewest features that carry a share of the absolute relevance.

        min { k : p_(1) + ... + p_(k) >= share },   p_(1) >= p_(2) >= ... the shares of |R|

    Smaller is simpler. `details` has "perplexity", exp of the entropy: the number of features of an
    even map that is as spread out. It looks at the map alone; how many features the model needs is
    what sufficiency and pixel flipping measure. A map of zeros has none: NaN.

    `features`: relevance is pooled to them first.

    References: [whence], after [bhatt2020].
    """

    share: float = 0.9
    features: Features = field(default_factory=Pixels)

    name: ClassVar[str] = "effective-size"
    direction: ClassVar[int] = -1
    range: ClassVar[tuple[float, float]] = (1.0, float("inf"))
    needs: ClassVar[tuple[str, ...]] = ()
    invariances: ClassVar[frozenset[str]] = frozenset(
        {"batch", "order", "scale", "sign", "channels"}
    )
    sources: ClassVar[tuple[str, ...]] = ("whence", "bhatt2020")
    equation: ClassVar[str] = "min { k : the k largest |R| sum to share sum |R| }"

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InvalidInput(f"share must lie in (0, 1], got {self.share}.")

    def measure(self, case: Case) -> Scores:
        p = shares(case, self.features)
        carried = p.sort(1, descending=True).values.cumsum(1)
        # Nine of ten equal shares are 0.9 but for rounding.
        short = carried < self.share - 1e-12
        size = (short.sum(1) + 1).clamp(max=p.shape[1]).double()
        perplexity = torch.special.entr(p).sum(1).exp()
        size = torch.where(perplexity.isnan(), torch.nan, size)
        return Scores(size, details={"perplexity": perplexity}, reasons=reasons(p))

    def cost(self, batch: Batch) -> Cost:
        return Cost()
