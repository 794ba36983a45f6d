"""Relevance rank accuracy: how many of the most relevant pixels lie in the object."""

from dataclasses import dataclass
from typing import ClassVar

from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._features import Pixels
from whence.metrics._masks import objects, where_object
from whence.metrics._metric import Cost, Metric, Scores


@dataclass(frozen=True)
class RelevanceRank(Metric):
    """Relevance rank accuracy: of the K most relevant pixels, the share that lies in the object of
    K pixels.

        |top_K(R) and object| / K,   K = |object|

    Use it beside the relevance mass, which a few very bright pixels decide; this one hears only the
    order. Pixels are ordered by the sum over their channels, equal ones at random, by the sample. A
    random order scores the object's share of the picture, `details["area"]`.

    The intersection over union of those K pixels with the object says the same: a / (2 - a).

    References: [arras2022, sec. 3.3].
    """

    name: ClassVar[str] = "relevance-rank"
    direction: ClassVar[int] = 1
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    needs: ClassVar[tuple[str, ...]] = ("masks",)
    invariances: ClassVar[frozenset[str]] = frozenset(
        {"batch", "order", "scale", "offset", "channels"}
    )
    sources: ClassVar[tuple[str, ...]] = ("arras2022",)
    equation: ClassVar[str] = "|top_K(R) and object| / K, K = |object|"

    def measure(self, case: Case) -> Scores:
        masks = objects(case)
        size = masks.sum(1, keepdim=True)
        top = case.rank(Pixels(), "morf") < size
        return where_object((top & masks).double().sum(1) / size[:, 0], masks)

    def cost(self, batch: Batch) -> Cost:
        return Cost()
