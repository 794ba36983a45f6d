"""The outside-inside ratio: how much relevance lies on the context of an object."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from whence.errors import InvalidInput
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._masks import POOLS, objects, pooled, where_object
from whence.metrics._metric import Cost, Metric, Scores, declare

PER = {
    "pixel": "means over the pixels outside and inside, so that the object's size does not count",
    "picture": "sums, as on the tutorial's slide: a uniform map scores the ratio of the areas",
}


@dataclass(frozen=True)
class InsideOutside(Metric):
    """The outside-inside ratio mu: the importance of context.

        mu = (1/|out| sum_(p in out) R_p) / (1/|in| sum_(p in in) R_p)

    Use it to compare how much models, or classes, lean on what surrounds the object: 0 if all
    relevance lies in it, exactly 1 for a uniform map, infinite if none does. `per="picture"` drops
    the areas, as the tutorial's slide does; then large objects score low whatever the map. `pool`
    is what counts: "positive" relevance, "absolute", or "signed", all of it.

    Take the median of many samples, or the mean of `details["context"]` = mu / (1 + mu), which is
    1/2 for a uniform map: a single infinite ratio spoils a mean. Signed relevance whose sum inside
    is not positive has no ratio, nor has a map of zeros or a mask that is empty or full.

    Smaller is not better: a good model may use context. References: [lapuschkin2016b, eq. 6].
    """

    per: str = "pixel"
    pool: str = "positive"

    name: ClassVar[str] = "inside-outside"
    direction: ClassVar[int] = 0
    range: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    needs: ClassVar[tuple[str, ...]] = ("masks",)
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order", "scale", "channels"})
    sources: ClassVar[tuple[str, ...]] = ("lapuschkin2016b",)
    equation: ClassVar[str] = "(mean of R outside) / (mean of R inside)"

    def __post_init__(self) -> None:
        if self.per not in PER:
            raise InvalidInput(f"per must be one of {', '.join(PER)}, got {self.per!r}.")
        if self.pool not in POOLS:
            raise InvalidInput(f"pool must be one of {', '.join(POOLS)}, got {self.pool!r}.")
        if self.pool == "absolute":
            declare(self, invariances=self.invariances | {"sign"})
        if self.pool == "signed":
            declare(self, range=(-float("inf"), float("inf")))

    def measure(self, case: Case) -> Scores:
        masks, R = objects(case), pooled(case, self.pool)
        inside, outside = (R * masks).sum(1), (R * ~masks).sum(1)
        if self.per == "pixel":
            inside, outside = inside / masks.sum(1), outside / (~masks).sum(1)
        undefined, reason = (inside <= 0) & (outside <= 0), "there is no relevance"
        if self.pool == "signed":
            undefined, reason = inside <= 0, "the relevance inside is not positive in sum"
        context = (outside / (outside + inside)).masked_fill(undefined, torch.nan)
        return where_object(outside / inside, masks, undefined, reason, {"context": context})

    def cost(self, batch: Batch) -> Cost:
        return Cost()
