"""Label randomisation: an explanation must depend on what the labels meant in training."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from torch import nn

from whence.errors import InvalidInput
from whence.metrics._again import explained_on
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._features import Features, Pixels
from whence.metrics._metric import Cost, Metric, Scores, by_rank, declare
from whence.metrics._pooled import kept, pooled
from whence.metrics._similarity import UNCHANGED_BY, check_similarity, similar


@dataclass(frozen=True, eq=False)
class LabelRandomisation(Metric):
    """Label randomisation: how alike the maps of two models are, of which one learned nothing.

        s(R(x; theta), R(x; theta')),   theta' trained the same way on permuted labels

    A net can learn permuted labels by heart, but then knows nothing of the classes. If the maps are
    alike all the same, they show the inputs or the architecture and not what was learned.

    - `other`: the model trained on permuted labels, or a function without arguments that trains and
      gives it; it is called once.
    - `similarity`: see `metrics.SIMILARITIES`; of the relevance pooled to `features`.

    Both maps explain the same target, the one fixed on the untouched model.

    References: [adebayo2018, sec. 4].
    """

    other: nn.Module | Callable[[], nn.Module] = field(repr=False)
    similarity: str = "rank"
    features: Features = field(default_factory=Pixels)

    name: ClassVar[str] = "label-randomisation"
    direction: ClassVar[int] = -1
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    needs: ClassVar[tuple[str, ...]] = ("model", "explainer")
    invariances: ClassVar[frozenset[str]] = frozenset(
        {"batch", "order", "channels", "scale", "offset"}
    )
    sources: ClassVar[tuple[str, ...]] = ("adebayo2018",)
    equation: ClassVar[str] = "s(R(x; theta), R(x; theta of permuted labels))"

    def __post_init__(self) -> None:
        check_similarity(self.similarity)
        same = frozenset({"batch", "order", "channels"}) | UNCHANGED_BY[self.similarity]
        declare(self, invariances=same & (by_rank(self.features) | {"sign"}))

    def measure(self, case: Case) -> Scores:
        if self.model is case.batch.model:
            raise InvalidInput(
                "other= is the explained model itself. Give one trained on permuted labels."
            )
        own = pooled(case, self.features)
        other = pooled(explained_on(case, self.model), self.features)
        return Scores(similar(self.similarity, own, other, kept(case.batch)))

    def cost(self, batch: Batch) -> Cost:
        return Cost(shared={"untouched": 1}, explanations=1)

    @cached_property
    def model(self) -> nn.Module:
        """The model of permuted labels, trained on first use if it has to be."""
        found: Any = self.other if isinstance(self.other, nn.Module) else self.other()
        if not isinstance(found, nn.Module):
            raise InvalidInput(
                "other= must be an nn.Module or a function that trains and returns one, got one "
                f"that returns {type(found).__name__}."
            )
        if found.training:
            raise InvalidInput("The model of permuted labels is in training mode. Call .eval().")
        return found
