"""Samples on which the contract of metrics is checked, and how to take some of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from whence._explanation import Explanation, first
from whence.explainers import Explainer
from whence.explainers._inputs import Inputs
from whence.metrics import Batch, Case, Metric, Scores


@dataclass(frozen=True)
class Samples:
    """Samples with all that a metric may need, of which it is given what it declares."""

    model: Any
    inputs: Any
    target: Any
    make: Any  # model -> explainer
    masks: Tensor
    labels: Tensor
    relevance: Tensor
    ids: Sequence[Any]
    explained: list[int] = field(default_factory=list)  # samples, for each explanation made again

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Sequence[int]) -> "Samples":
        """Some of the samples, in this order."""
        names = ("inputs", "target", "masks", "labels", "relevance", "ids")
        count, rows = len(self), list(rows)
        return replace(self, **{name: _taken(getattr(self, name), rows, count) for name in names})

    def batch(self, needs: Sequence[str], chunk: int | None = None) -> Batch:
        """The batch, with what the metric says that it needs and nothing else."""
        return Batch(
            self.model,
            self.inputs,
            self.target,
            ids=list(self.ids),
            labels=self.labels if "labels" in needs else None,
            masks=self.masks if "masks" in needs else None,
            chunk=chunk,
        )

    def measure(self, metric: Metric, batch: Batch | None = None, without: str = "") -> Scores:
        """What the metric says of the relevance."""
        needs = [each for each in metric.needs if each != without]
        batch = self.batch(needs) if batch is None else batch
        explanation = self.explain() if "ledger" in needs else None
        explainer = self._counting if "explainer" in needs else None
        with torch.no_grad():
            return metric.measure(Case(batch, self.relevance, explainer, explanation))

    def explain(self) -> Explanation:
        return self.make(self.model).explain(self.inputs, self.target)

    def _counting(self, model: Any) -> Any:
        """(inputs, target) -> relevance, by the explainer; books how many samples it explains."""
        made: Explainer = self.make(model)

        def explain(inputs: Any, target: Any) -> Tensor:
            self.explained.append(Inputs.of(inputs).batch)
            return first(made.explain(inputs, target).relevance)

        return explain


def maps_of(samples: Samples) -> dict[str, Tensor]:
    """Relevance of several kinds. Its numbers are whole multiples of 1/1024, so that scaling by
    powers of 2, adding a number and summing over channels are exact, and make or break no ties."""
    found = first(samples.explain().relevance).detach().double()
    generator = torch.Generator().manual_seed(5)
    noise = torch.randn(found.shape, generator=generator, dtype=torch.float64).to(found)
    kinds = {
        "an explanation": found,
        "signed noise": noise,
        "positive noise, a third of it zero": noise.abs() * (noise.abs() > 0.4),
    }
    return {name: _whole(each) for name, each in kinds.items()}


def _taken(each: Any, rows: list[int], count: int) -> Any:
    """These samples of what has one entry for each of `count`, and the rest as it is."""
    if isinstance(each, Mapping):
        return {name: _taken(value, rows, count) for name, value in each.items()}
    if isinstance(each, tuple):
        return tuple(_taken(value, rows, count) for value in each)
    if isinstance(each, list) and len(each) == count:
        return [each[row] for row in rows]
    if isinstance(each, Tensor) and each.dim() and len(each) == count:
        return each[rows]
    return each


def _whole(relevance: Tensor) -> Tensor:
    return (relevance / relevance.abs().max().clamp(min=1e-300) * 1024).round() / 1024
