"""Region perturbation: how far the score falls while regions become noise, step by step."""

from dataclasses import dataclass, field
from typing import ClassVar

from whence.metrics._batch import Batch
from whence.metrics._case import Case, check_order
from whence.metrics._cost import Cost
from whence.metrics._curve import Removal, counts_for, removal_cost, removed
from whence.metrics._features import Features, Patches
from whence.metrics._height import check_convention, mean_height
from whence.metrics._metric import Metric, Scores, by_rank, declare
from whence.metrics._replacements import Replacement, Uniform


@dataclass(frozen=True)
class RegionPerturbation(Metric):
    """Region perturbation: the area over the perturbation curve, AOPC.

        x(0) = x,  x(k) = x(k-1) with region r_k replaced
        AOPC = 1 / (L + 1) sum_{k = 0 .. L} f(x(0)) - f(x(k))

    Regions are patches of 9 x 9 pixels, ordered by their sum of relevance: "morf", "lerf" or
    "random". `steps` is L, at most all regions; `step` regions go at once. Replaced pixels become
    uniformly random, averaged over 10 draws. All of it as in the paper.

    `aopc` names the convention, since published numbers differ in it: "samek2017" is the equation
    above; "deyoung2020" leaves out the step 0, where nothing changed, and divides by L, as the code
    of ERASER does; "petsiuk2018" takes the area by trapezoids over the share of replaced regions.
    With `relative`, the fall is given as a share of f(x(0)), as the average drop of
    [chattopadhay2018] is, but without its cut at 0.

    The curve also shows the sample with everything replaced; it counts only if it is step L. Equal
    regions go in a random order that belongs to the sample. A large AOPC is good for "morf", a
    small one for "lerf".

    References: [samek2017].
    """

    order: str = "morf"
    steps: int | None = 100
    step: int = 1
    aopc: str = "samek2017"
    relative: bool = False
    replacement: Replacement = field(default_factory=Uniform)
    features: Features = field(default_factory=Patches)
    read: str = "auto"

    name: ClassVar[str] = "region"
    direction: ClassVar[int] = 1
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order", "scale", "channels"})
    sources: ClassVar[tuple[str, ...]] = ("samek2017", "deyoung2020", "petsiuk2018")
    equation: ClassVar[str] = "1 / (L + 1) sum_k f(x(0)) - f(x(k))"

    def __post_init__(self) -> None:
        check_order(self.order)
        check_convention(self.aopc)
        direction = {"morf": 1, "lerf": -1}.get(self.order, 0)
        read = "score" if self.relative else self.read
        kept = by_rank(self.features, self.order)
        declare(self, direction=direction, read=read, invariances=kept)

    def measure(self, case: Case) -> Scores:
        counts = self._counts(case.batch)
        found = removed(case, self._removal, self.order, counts)
        start, height = found.y[:, 0], mean_height(found.at(counts), found.share(counts), self.aopc)
        fall = (start - height) / start if self.relative else start - height
        ends = {"untouched": start, "all replaced": found.y[:, -1]}
        return Scores(fall, {self.name: found.curve()}, ends)

    def cost(self, batch: Batch) -> Cost:
        return removal_cost(batch, self._removal, {self.order: self._counts(batch)})

    @property
    def _removal(self) -> Removal:
        return Removal(self.features, self.replacement, self.read)

    def _counts(self, batch: Batch) -> list[int]:
        return step_counts(batch.partition(self.features).count, self.steps, self.step)


def step_counts(features: int, steps: int | None, step: int) -> list[int]:
    """How many features are gone after 0, 1, ... steps; None goes on until all are."""
    return counts_for(features, step=step, most=None if steps is None else steps * step)
