"""Sensitivity-max: how much an explanation can change in a small cube around its input."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch.linalg import vector_norm

from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._explained import explained
from whence.metrics._metric import Cost, Metric, Scores
from whence.metrics._neighbours import Cube, Neighbours


@dataclass(frozen=True)
class SensitivityMax(Metric):
    """Maximum sensitivity: the largest change of the explanation in a small cube, as a share of it.

        max_(|d| <= r) ||R(x + d) - R(x)||_2 / ||R(x)||_2

    Use it to ask whether an explanation would be another one for an input that looks the same. The
    maximum is over `near.points()` random points of the cube, so the value is a lower bound that
    grows with their number: compare only equal numbers. `Cube(0.02, scale="absolute")` is the
    authors' cube for inputs in 0..1; by default the radius is a share of the sample's own range.

    An explanation that is zero everywhere has no number. `details["mean"]` is the mean over the
    points.

    Unlike the paper's equation, and like its authors' code, the change is divided by the size of
    the explanation, without which methods of different units cannot be compared.
    References: [yeh2019].
    """

    near: Neighbours = field(default_factory=Cube)

    name: ClassVar[str] = "sensitivity-max"
    direction: ClassVar[int] = -1
    range: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    needs: ClassVar[tuple[str, ...]] = ("model", "explainer")
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order"})
    sources: ClassVar[tuple[str, ...]] = ("yeh2019",)
    equation: ClassVar[str] = "max_d ||R(x + d) - R(x)||_2 / ||R(x)||_2"

    def measure(self, case: Case) -> Scores:
        batch = case.batch
        changed = batch.x.new_zeros(len(batch), self.near.points(), dtype=torch.float64)
        for samples, part, _, R in explained(case, self.near):
            change = R - case.relevance[samples, None].double()
            changed[samples, part] = vector_norm(change.flatten(2), dim=2)
        size = vector_norm(case.relevance.double().flatten(1), dim=1)
        share = (changed / size[:, None]).masked_fill((size == 0)[:, None], torch.nan)
        none = (size == 0).nonzero().flatten().tolist()
        return Scores(
            share.amax(1),
            details={"mean": share.mean(1)},
            reasons=dict.fromkeys(none, "its relevance is zero everywhere"),
        )

    def cost(self, batch: Batch) -> Cost:
        return Cost(0, {"untouched": 1}, self.near.points())
