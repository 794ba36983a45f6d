"""Relevance mass accuracy: how much of the relevance lies in the object."""

from dataclasses import dataclass
from typing import ClassVar

from whence.errors import InvalidInput
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._masks import objects, pooled, where_object
from whence.metrics._metric import Cost, Metric, Scores, declare


@dataclass(frozen=True)
class RelevanceMass(Metric):
    """Relevance mass accuracy: the share of the positive relevance that lies in the object.

        sum_(p in object) R_p / sum_p R_p,   R_p = max(0, sum_c R_pc)

    Use it with masks or boxes of what the model should look at; a good score needs a model that
    does. A uniform map scores the object's share of the picture, `details["area"]`.

    `pool` is "positive" or "absolute". A map without anything positive has no number, nor has a
    sample whose mask is empty or full. References: [arras2022, sec. 3.3].
    """

    pool: str = "positive"

    name: ClassVar[str] = "relevance-mass"
    direction: ClassVar[int] = 1
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    needs: ClassVar[tuple[str, ...]] = ("masks",)
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order", "scale", "channels"})
    sources: ClassVar[tuple[str, ...]] = ("arras2022",)
    equation: ClassVar[str] = "sum_in R / sum R"

    def __post_init__(self) -> None:
        if self.pool not in ("positive", "absolute"):
            raise InvalidInput(
                f"RelevanceMass needs relevance without sign: pool must be positive or absolute, "
                f"got {self.pool!r}. A share of a signed sum may be anything."
            )
        if self.pool == "absolute":
            declare(self, invariances=self.invariances | {"sign"})

    def measure(self, case: Case) -> Scores:
        masks, R = objects(case), pooled(case, self.pool)
        inside, whole = (R * masks).sum(1), R.sum(1)
        none = whole == 0
        return where_object(inside / whole, masks, none, f"there is no {self.pool} relevance")

    def cost(self, batch: Batch) -> Cost:
        return Cost()
