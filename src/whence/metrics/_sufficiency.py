"""Sufficiency and comprehensiveness: do the most relevant features suffice, and are they all?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from whence.errors import InvalidInput
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._cost import Cost
from whence.metrics._curve import Removal, removal_cost, removed
from whence.metrics._features import Features, Pixels
from whence.metrics._metric import Metric, Scores, by_rank, declare
from whence.metrics._replacements import Mean, Replacement

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True)
class Comprehensiveness(Metric):
    """Comprehensiveness: how far the score falls without the most relevant features; large is good.

        mean over shares q of  f(x) - f(x without its top q)

    The shares are those of the paper, 1, 5, 10, 20 and 50 %, each at least one feature. Unlike the
    paper's equation, which divides by one more than the number of shares, and like its code, this
    is their mean; see `aopc="deyoung2020"` of `RegionPerturbation`.

    References: [deyoung2020].
    """

    shares: Sequence[float] = SHARES
    replacement: Replacement = field(default_factory=Mean)
    features: Features = field(default_factory=Pixels)
    read: str = "auto"

    name: ClassVar[str] = "comprehensiveness"
    direction: ClassVar[int] = 1
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order", "scale", "channels"})
    sources: ClassVar[tuple[str, ...]] = ("deyoung2020",)
    equation: ClassVar[str] = "mean_q f(x) - f(x without top q)"

    def __post_init__(self) -> None:
        _check(self.shares)
        declare(self, read=self.read, invariances=by_rank(self.features))

    def measure(self, case: Case) -> Scores:
        counts = _counts(case.batch, self.features, self.shares)
        found = removed(case, self._removal, "morf", counts)
        fall = found.y[:, 0] - found.at(counts).mean(1)
        return Scores(fall, {self.name: found.curve()})

    def cost(self, batch: Batch) -> Cost:
        counts = _counts(batch, self.features, self.shares)
        return removal_cost(batch, self._removal, {"morf": counts})

    @property
    def _removal(self) -> Removal:
        return Removal(self.features, self.replacement, self.read)


@dataclass(frozen=True)
class Sufficiency(Metric):
    """Sufficiency: how far the score falls when only the most relevant features stay; small is
    good.

        mean over shares q of  f(x) - f(x with only its top q)

    Shares and mean as for `Comprehensiveness`. To keep the top k is to replace all others: the
    copies are those of the order "lerf", and shared with it.

    References: [deyoung2020].
    """

    shares: Sequence[float] = SHARES
    replacement: Replacement = field(default_factory=Mean)
    features: Features = field(default_factory=Pixels)
    read: str = "auto"

    name: ClassVar[str] = "sufficiency"
    direction: ClassVar[int] = -1
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order", "scale", "channels"})
    sources: ClassVar[tuple[str, ...]] = ("deyoung2020",)
    equation: ClassVar[str] = "mean_q f(x) - f(x with only top q)"

    def __post_init__(self) -> None:
        _check(self.shares)
        declare(self, read=self.read, invariances=by_rank(self.features))

    def measure(self, case: Case) -> Scores:
        counts = self._gone(case.batch)
        found = removed(case, self._removal, "lerf", counts)
        fall = found.y[:, 0] - found.at(counts).mean(1)
        return Scores(fall, {self.name: found.curve()})

    def cost(self, batch: Batch) -> Cost:
        return removal_cost(batch, self._removal, {"lerf": self._gone(batch)})

    @property
    def _removal(self) -> Removal:
        return Removal(self.features, self.replacement, self.read)

    def _gone(self, batch: Batch) -> list[int]:
        features = batch.partition(self.features).count
        return [features - each for each in _counts(batch, self.features, self.shares)]


def _counts(batch: Batch, features: Features, shares: Sequence[float]) -> list[int]:
    """How many features each share is, rounded, at least one."""
    count = batch.partition(features).count
    return [max(1, round(share * count)) for share in shares]


def _check(shares: Sequence[float]) -> None:
    if not shares or min(shares) <= 0 or max(shares) > 1:
        raise InvalidInput(f"shares must lie above 0 and up to 1, got {tuple(shares)}.")
