"""Insertion and deletion: how soon a sample is recognised, and how soon it no longer is."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._cost import Cost
from whence.metrics._curve import Curve, Removal, counts_for, removal_cost, removed
from whence.metrics._features import Features, Pixels
from whence.metrics._height import mean_height
from whence.metrics._metric import Metric, Scores, by_rank, declare
from whence.metrics._replacements import Blur, Constant, Replacement


@dataclass(frozen=True)
class Deletion(Metric):
    """Deletion: the area under the curve while pixels are deleted, most relevant first; small is
    good.

        integral of f(x with the share s of the most relevant pixels deleted) over s = 0 .. 1

    `step` pixels go at once, by default a row's worth, the square root of their number: 224 for
    224 x 224, as in the paper. Deleted pixels become 0, which is the mean of inputs that were
    normalised; the area is by trapezoids.

    References: [petsiuk2018].
    """

    step: int | None = None
    replacement: Replacement = field(default_factory=Constant)
    features: Features = field(default_factory=Pixels)
    read: str = "auto"

    name: ClassVar[str] = "deletion"
    direction: ClassVar[int] = -1
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order", "scale", "channels"})
    sources: ClassVar[tuple[str, ...]] = ("petsiuk2018",)
    equation: ClassVar[str] = "int f(x without the top s) ds"

    def __post_init__(self) -> None:
        declare(self, read=self.read, invariances=by_rank(self.features))

    def measure(self, case: Case) -> Scores:
        counts = _counts(case.batch, self.features, self.step)
        found = removed(case, self._removal, "morf", counts)
        area = mean_height(found.at(counts), found.share(counts), "petsiuk2018")
        return Scores(area, {self.name: found.curve()})

    def cost(self, batch: Batch) -> Cost:
        counts = _counts(batch, self.features, self.step)
        return removal_cost(batch, self._removal, {"morf": counts})

    @property
    def _removal(self) -> Removal:
        return Removal(self.features, self.replacement, self.read)


@dataclass(frozen=True)
class Insertion(Metric):
    """Insertion: the area under the curve while pixels come in, most relevant first; large is good.

        integral of f(x with only the share s of the most relevant pixels) over s = 0 .. 1

    It starts from a blurred picture, as in the paper, or any other replacement. To insert the top k
    is to replace all others, so the copies are those of the order "lerf", and are shared with other
    metrics that replace alike. `step` as for `Deletion`.

    References: [petsiuk2018].
    """

    step: int | None = None
    replacement: Replacement = field(default_factory=Blur)
    features: Features = field(default_factory=Pixels)
    read: str = "auto"

    name: ClassVar[str] = "insertion"
    direction: ClassVar[int] = 1
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order", "scale", "channels"})
    sources: ClassVar[tuple[str, ...]] = ("petsiuk2018",)
    equation: ClassVar[str] = "int f(x with only the top s) ds"

    def __post_init__(self) -> None:
        declare(self, read=self.read, invariances=by_rank(self.features))

    def measure(self, case: Case) -> Scores:
        counts = self._gone(case.batch)
        found = removed(case, self._removal, "lerf", counts)
        there, y = 1 - found.share(counts), found.at(counts)
        curve = Curve(there, y, "share of features inserted", found.ylabel)
        return Scores(mean_height(y, there, "petsiuk2018"), {self.name: curve})

    def cost(self, batch: Batch) -> Cost:
        return removal_cost(batch, self._removal, {"lerf": self._gone(batch)})

    @property
    def _removal(self) -> Removal:
        return Removal(self.features, self.replacement, self.read)

    def _gone(self, batch: Batch) -> list[int]:
        """How many are still gone after 0, 1, ... steps."""
        features = batch.partition(self.features).count
        return [features - each for each in _counts(batch, self.features, self.step)]


def _counts(batch: Batch, features: Features, step: int | None) -> list[int]:
    count = batch.partition(features).count
    return counts_for(count, step=max(1, round(math.sqrt(count))) if step is None else step)
