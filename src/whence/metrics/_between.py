"""The area between two curves: relevant features first, and last."""

from dataclasses import dataclass, field
from typing import ClassVar

from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._cost import Cost
from whence.metrics._curve import Removal, removal_cost, removed
from whence.metrics._features import Features, Patches, Pixels
from whence.metrics._height import check_convention, mean_height
from whence.metrics._metric import Metric, Scores, by_rank, declare
from whence.metrics._region_perturbation import step_counts
from whence.metrics._replacements import Mean, Replacement, Uniform


@dataclass(frozen=True)
class ABPC(Metric):
    """The area between the perturbation curves, least and most relevant regions first.

        ABPC = 1 / (L + 1) sum_{k = 0 .. L} f(x_LeRF(k)) - f(x_MoRF(k))

    It is AOPC(MoRF) - AOPC(LeRF) of `RegionPerturbation`, with the same knobs. Random and constant
    maps have 0 on average; the reverse of a map has the opposite sign. Over all regions in equal
    steps it is `SRG` times L / (L + 1), since both curves end in the same points.

    References: [samek2017].
    """

    steps: int | None = 100
    step: int = 1
    aopc: str = "samek2017"
    replacement: Replacement = field(default_factory=Uniform)
    features: Features = field(default_factory=Patches)
    read: str = "auto"

    name: ClassVar[str] = "abpc"
    direction: ClassVar[int] = 1
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order", "scale", "channels"})
    sources: ClassVar[tuple[str, ...]] = ("samek2017",)
    equation: ClassVar[str] = "1 / (L + 1) sum_k f(x_LeRF(k)) - f(x_MoRF(k))"

    def __post_init__(self) -> None:
        check_convention(self.aopc)
        declare(self, read=self.read, invariances=by_rank(self.features))

    def measure(self, case: Case) -> Scores:
        return between(case, self._removal, self._counts(case.batch), self.aopc)

    def cost(self, batch: Batch) -> Cost:
        counts = self._counts(batch)
        return removal_cost(batch, self._removal, {"morf": counts, "lerf": counts})

    @property
    def _removal(self) -> Removal:
        return Removal(self.features, self.replacement, self.read)

    def _counts(self, batch: Batch) -> list[int]:
        return step_counts(batch.partition(self.features).count, self.steps, self.step)


@dataclass(frozen=True)
class SRG(Metric):
    """The symmetric relevance gain: the area under the curve with the least influential features
    first, less that with the most influential ones first.

        SRG = LIF - MIF = integral of f(x_LeRF(s)) - f(x_MoRF(s)) over the share s = 0 .. 1

    Either area alone depends on what replaces the features, and ranks methods differently with it;
    the difference does so far less. All features go, `step` at a time; the areas are by trapezoids.
    It equals insertion less deletion where both replace alike. For L equal steps it is `ABPC` times
    (L + 1) / L.

    References: [bluecher2024].
    """

    step: int = 1
    replacement: Replacement = field(default_factory=Mean)
    features: Features = field(default_factory=Pixels)
    read: str = "auto"

    name: ClassVar[str] = "srg"
    direction: ClassVar[int] = 1
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order", "scale", "channels"})
    sources: ClassVar[tuple[str, ...]] = ("bluecher2024",)
    equation: ClassVar[str] = "int f(x_LeRF(s)) - f(x_MoRF(s)) ds"

    def __post_init__(self) -> None:
        declare(self, read=self.read, invariances=by_rank(self.features))

    def measure(self, case: Case) -> Scores:
        return between(case, self._removal, self._counts(case.batch), "petsiuk2018")

    def cost(self, batch: Batch) -> Cost:
        counts = self._counts(batch)
        return removal_cost(batch, self._removal, {"morf": counts, "lerf": counts})

    @property
    def _removal(self) -> Removal:
        return Removal(self.features, self.replacement, self.read)

    def _counts(self, batch: Batch) -> list[int]:
        return step_counts(batch.partition(self.features).count, None, self.step)


def between(case: Case, removal: Removal, counts: list[int], convention: str) -> Scores:
    """The mean distance of the two curves, and both curves."""
    lerf, morf = (removed(case, removal, order, counts) for order in ("lerf", "morf"))
    gap = mean_height(lerf.at(counts) - morf.at(counts), morf.share(counts), convention)
    ends = {"untouched": morf.y[:, 0], "all replaced": morf.y[:, -1]}
    return Scores(gap, {"lerf": lerf.curve(), "morf": morf.curve()}, ends)
