"""What every metric is: a frozen set of knobs, and one number for each sample."""

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import torch
from torch import Tensor

from whence._explanation import Relevance
from whence._references import REFERENCES
from whence.explainers import Explainer
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._cost import Cost
from whence.metrics._curve import Curve
from whence.metrics._features import Elements, Features, Pixels

INVARIANCES = {
    "batch": "the same whatever samples are measured together",
    "order": "the same in any order of samples",
    "scale": "the same when the relevance is multiplied by a positive number",
    "sign": "the same when the relevance is multiplied by -1",
    "offset": "the same when a constant is added to the relevance",
    "channels": "the same when relevance is pooled over channels beforehand",
}


@dataclass(frozen=True, eq=False)
class Scores:
    """One number for each sample, float64 of shape (samples,); NaN where there is none.

    curves: what the numbers summarise. details: further numbers of each sample. reasons: why a
    sample has no number, by its position in the batch.
    """

    values: Tensor
    curves: Mapping[str, Curve] = field(default_factory=dict)
    details: Mapping[str, Tensor] = field(default_factory=dict)
    reasons: Mapping[int, str] = field(default_factory=dict)


class Metric(ABC):
    """How good is an explanation? One number for each sample.

    Concrete metrics are frozen dataclasses of their knobs and declare:

    - `name`; `direction`: 1 if larger is better, -1 if smaller is, 0 if neither; `range`;
    - `needs`: "model", "explainer", "labels", "masks", "ledger";
    - `invariances`: names from `metrics.INVARIANCES`, tested by `testing.check_metric`;
    - `sources` (keys of `whence.citation`) and `equation`.

    A metric is called with a model, inputs and their relevance:

    ```python
    scores = PixelFlipping()(model, images, ex.relevance, target=3)
    scores.values.mean()
    ```
    """

    name: ClassVar[str]
    direction: ClassVar[int]
    range: ClassVar[tuple[float, float]]
    needs: ClassVar[tuple[str, ...]] = ("model",)
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order"})
    sources: ClassVar[tuple[str, ...]] = ()
    equation: ClassVar[str] = ""

    @abstractmethod
    def measure(self, case: Case) -> Scores:
        """One number for each sample of the case's batch."""

    @abstractmethod
    def cost(self, batch: Batch) -> Cost:
        """What one sample costs, exactly, for the budget that is told before work starts."""

    def __call__(
        self,
        model: Callable[..., Any],
        inputs: Any,
        relevance: Relevance,
        target: Any = None,
        *,
        explainer: Explainer | Callable[..., Any] | None = None,
        explanation: Any = None,
        **about: Any,
    ) -> Scores:
        """Measure relevance that is at hand. about: `ids`, `labels`, `masks`, `output`, `seed`,
        `chunk`, as for `metrics.Batch`."""
        batch = Batch(model, inputs, target, **about)
        with torch.no_grad():
            return self.measure(Case(batch, relevance, explainer, explanation))

    def protocol(self) -> dict[str, Any]:
        """All that was decided: every knob, what was read, the source."""
        knobs = {each.name: _plain(getattr(self, each.name)) for each in fields(self)}  # type: ignore[arg-type]
        return {
            "metric": self.name,
            "knobs": knobs,
            "direction": self.direction,
            "range": self.range,
            "equation": self.equation,
            "sources": [REFERENCES[key] for key in self.sources],
        }


def declare(
    metric: Metric,
    *,
    direction: int | None = None,
    read: str = "auto",
    invariances: frozenset[str] | None = None,
    range: tuple[float, float] | None = None,
) -> None:
    """What follows from a metric's knobs, for `__post_init__`: its direction, its bounds (none but
    for probabilities), and what leaves it as it is."""
    if direction is not None:
        object.__setattr__(metric, "direction", direction)
    if read not in ("auto", "probability", "right"):
        object.__setattr__(metric, "range", (-math.inf, math.inf))
    if invariances is not None:
        object.__setattr__(metric, "invariances", invariances)
    if range is not None:
        object.__setattr__(metric, "range", range)


def by_rank(features: Features, order: str = "morf") -> frozenset[str]:
    """The invariances of what sees of the relevance only the order of features."""
    if order == "random":
        return frozenset(INVARIANCES)
    kept = {"batch", "order", "scale"}
    if not isinstance(features, Elements):
        kept.add("channels")
    if order == "near-zero":
        kept.add("sign")
    elif isinstance(features, (Pixels, Elements)):
        kept.add("offset")  # of patches, those cut off at the edge gain less
    return frozenset(kept)


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def first_line(metric: Metric) -> str:
    """What the metric says, in a sentence."""
    return (inspect.getdoc(type(metric)) or "").split("\n")[0]
