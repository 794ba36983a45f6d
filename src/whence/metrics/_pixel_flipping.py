"""Pixel flipping: how fast a prediction falls as pixels are taken away, most relevant first."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch

from whence.errors import InvalidInput
from whence.metrics._batch import Batch
from whence.metrics._case import Case, check_order
from whence.metrics._cost import Cost
from whence.metrics._curve import Curve, Removal, counts_for, removal_cost, removed
from whence.metrics._features import Features, Pixels
from whence.metrics._height import mean_height
from whence.metrics._metric import Metric, Scores, by_rank, declare
from whence.metrics._replacements import Mean, Replacement


@dataclass(frozen=True)
class PixelFlipping(Metric):
    """Pixel flipping: the area over the curve of the prediction while pixels are replaced.

        x(0) = x,  x(k) = x(k-1) with pixel r_k replaced;   1 - integral of f(x(k)) over k / K

    r is the order of the pixels: "morf", most relevant first, as in the paper; "near-zero" and
    "lerf" are its other two orders, and "random" is the yardstick. f is the probability of the
    target class (`read`), or of another one: `k=8` asks how fast a 3 becomes an 8.

    The curve starts at the untouched sample, goes in steps of `step` pixels to `most` of them (by
    default all K), and the area is by trapezoids over the share of replaced pixels. It also shows
    the sample with all pixels replaced, which does not count if `most` is smaller. With
    `stop_at_zero`, "morf" takes only pixels of positive relevance, and "lerf" only negative ones,
    as in the paper: after the last whole step of such pixels, the curve holds its value.

    By default replaced pixels become the mean of their channel; `SignFlip` is what the paper does
    to digits in [-1, 1]. Equal values go in a random order that belongs to the sample.

    A large area is good in the order "morf", a small one in "lerf"; for the other orders and
    another class neither is.

    References: [bach2015].
    """

    order: str = "morf"
    step: int = 1
    most: int | None = None
    stop_at_zero: bool = False
    k: int | None = None
    replacement: Replacement = field(default_factory=Mean)
    features: Features = field(default_factory=Pixels)
    read: str = "auto"

    name: ClassVar[str] = "flipping"
    direction: ClassVar[int] = 1
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order", "scale", "channels"})
    sources: ClassVar[tuple[str, ...]] = ("bach2015",)
    equation: ClassVar[str] = "1 - int f(x(k)) dk / K"

    def __post_init__(self) -> None:
        check_order(self.order)
        if self.stop_at_zero and self.order not in SIGNS:
            raise InvalidInput(
                "stop_at_zero= is for orders that start with one sign, morf and lerf; got "
                f"{self.order!r}."
            )
        direction = SIGNS.get(self.order, 0) if self.k is None else 0
        kept = by_rank(self.features, self.order) - ({"offset"} if self.stop_at_zero else set())
        declare(self, direction=direction, read=self.read, invariances=kept)

    def measure(self, case: Case) -> Scores:
        counts = self._counts(case.batch)
        found = removed(case, self._removal, self.order, counts)
        share, y = found.share(counts), found.at(counts)
        curve = found.curve()
        if self.stop_at_zero:
            signed = case.pool(self.features) * SIGNS[self.order] > 0
            last = (
                torch.searchsorted(torch.tensor(counts, device=y.device), signed.sum(1), right=True)
                - 1
            )
            held = torch.arange(len(counts), device=y.device).minimum(last[:, None])
            y = y.gather(1, held)
            curve = Curve(share, y, curve.xlabel, curve.ylabel)
        ends = {"untouched": found.y[:, 0], "all replaced": found.y[:, -1]}
        return Scores(1 - mean_height(y, share, "petsiuk2018"), {self.name: curve}, ends)

    def cost(self, batch: Batch) -> Cost:
        return removal_cost(batch, self._removal, {self.order: self._counts(batch)})

    @property
    def _removal(self) -> Removal:
        return Removal(self.features, self.replacement, self.read, self.k)

    def _counts(self, batch: Batch) -> list[int]:
        return counts_for(batch.partition(self.features).count, step=self.step, most=self.most)


SIGNS = {"morf": 1, "lerf": -1}
