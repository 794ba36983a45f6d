"""Layer-wise relevance propagation and deep Taylor decomposition."""

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor

from whence.composites import Composite, DeepTaylorRules, default_composite
from whence.engine import Op
from whence.explainers._tape import TapeExplainer


class LRP(TapeExplainer):
    """Layer-wise relevance propagation: the score, shared out to the inputs layer by layer.

        sum_i R_i = ... = sum_j R_j = f(x),   up to what the ledger books

    Use it to see what speaks for and against a decision. Without a composite a documented default
    is chosen from the operations: EpsilonPlusFlat where there are convolutions, else epsilon.

    ```python
    ex = LRP(model, EpsilonPlus()).explain(images, target=3)
    ex.relevance, ex.ledger.verdict
    ```

    References: [bach2015], [montavon2019].
    """

    name: ClassVar[str] = "lrp"
    decomposes: ClassVar[str] = "the score: relevance sums to f(x), up to what the ledger books"
    sources: ClassVar[tuple[str, ...]] = ("bach2015", "montavon2019")
    default_ledger = "summary"

    def __init__(
        self,
        model: Callable[..., Any],
        composite: Composite | None = None,
        *,
        output: Any = None,
        batch_axis: int = 0,
    ) -> None:
        super().__init__(model, output=output, batch_axis=batch_axis)
        self.composite = composite

    def composite_for(self, ops: list[Op]) -> Composite:
        return default_composite(ops) if self.composite is None else self.composite

    def __repr__(self) -> str:
        rules = "default: chosen from the operations" if self.composite is None else self.composite
        return f"LRP({type(self.model).__name__}, {rules!r})"


class DeepTaylor(LRP):
    """Deep Taylor decomposition: LRP with z+ in hidden layers and z-box or w-squared first.

    Give the box of valid inputs as `low` and `high`; without it inputs count as unbounded. Scores
    should be positive, so that relevance is. Biases take no relevance.

    References: [montavon2017].
    """

    name: ClassVar[str] = "deep-taylor"
    decomposes: ClassVar[str] = "the score, in non-negative parts where the score is positive"
    sources: ClassVar[tuple[str, ...]] = ("montavon2017",)

    def __init__(
        self,
        model: Callable[..., Any],
        low: float | Tensor | None = None,
        high: float | Tensor | None = None,
        *,
        output: Any = None,
        batch_axis: int = 0,
    ) -> None:
        rules = DeepTaylorRules(low, high)
        super().__init__(model, rules, output=output, batch_axis=batch_axis)
