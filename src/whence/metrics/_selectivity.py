"""Selectivity: how fast the score falls as patches are blanked, most relevant first."""

from dataclasses import dataclass, field
from typing import ClassVar

from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._cost import Cost
from whence.metrics._curve import Removal, counts_for, removal_cost, removed
from whence.metrics._features import Features, Patches
from whence.metrics._height import mean_height
from whence.metrics._metric import Metric, Scores, by_rank, declare
from whence.metrics._replacements import Constant, Replacement


@dataclass(frozen=True)
class Selectivity(Metric):
    """Selectivity: the area under the curve while patches are removed, most relevant first; small
    is good.

        integral of f(x with the share s of the most relevant patches removed) over s = 0 .. 1

    Patches are 4 x 4 pixels, as the paper has for digits of 28 x 28, and become 0; their relevance
    is their sum. The mean over samples is the area under the mean curve. Unlike the paper, which
    follows the function value that was explained, the default is the probability of the class;
    `read="logit"` follows its score.

    References: [montavon2018, section 7.2].
    """

    step: int = 1
    replacement: Replacement = field(default_factory=Constant)
    features: Features = field(default_factory=lambda: Patches(4))
    read: str = "auto"

    name: ClassVar[str] = "selectivity"
    direction: ClassVar[int] = -1
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order", "scale", "channels"})
    sources: ClassVar[tuple[str, ...]] = ("montavon2018",)
    equation: ClassVar[str] = "int f(x without the top s) ds"

    def __post_init__(self) -> None:
        declare(self, read=self.read, invariances=by_rank(self.features))

    def measure(self, case: Case) -> Scores:
        counts = self._counts(case.batch)
        found = removed(case, self._removal, "morf", counts)
        area = mean_height(found.at(counts), found.share(counts), "petsiuk2018")
        return Scores(area, {self.name: found.curve()})

    def cost(self, batch: Batch) -> Cost:
        return removal_cost(batch, self._removal, {"morf": self._counts(batch)})

    @property
    def _removal(self) -> Removal:
        return Removal(self.features, self.replacement, self.read)

    def _counts(self, batch: Batch) -> list[int]:
        return counts_for(batch.partition(self.features).count, step=self.step)
