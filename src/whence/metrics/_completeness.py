"""Completeness: does relevance sum to what it explains?"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from whence._explanation import Explanation, named
from whence._numerics import divide
from whence.errors import InvalidInput
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._metric import Cost, Metric, Scores

_COLUMNS = ("bias", "epsilon", "dropped", "softmax")


@dataclass(frozen=True)
class Completeness(Metric):
    """Completeness: the part of the score that relevance does not account for.

        |f(x) - sum_i R_i| / |f(x)|

    0 if relevance is a full account. What is missing may be known: `details` has "unbooked",

        |f(x) - sum_i R_i - booked| / |f(x)|,

    where booked is what the ledger names: taken by biases, epsilon, dropped paths, softmax. That is
    0 up to rounding for every correct computation, and NaN where there is no ledger, or where a
    ledger knows sums over the whole batch only. "booked" is the share booked, with its sign.

    The score and the ledger come from the explanation. Methods that explain how a score differs
    from one at a baseline are held to the whole score all the same. A score of zero gives 0 if
    relevance sums to zero too, else infinity.

    References: [sundararajan2017, prop. 1], [bach2015, eq. 2].
    """

    name: ClassVar[str] = "completeness"
    direction: ClassVar[int] = -1
    range: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    needs: ClassVar[tuple[str, ...]] = ("ledger",)
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order", "channels"})
    sources: ClassVar[tuple[str, ...]] = ("sundararajan2017", "bach2015")
    equation: ClassVar[str] = "|f(x) - sum R| / |f(x)|"

    def measure(self, case: Case) -> Scores:
        explanation = case.explanation
        if not isinstance(explanation, Explanation):
            raise InvalidInput(
                "Completeness needs explanation=, the whole result of an explainer: it holds the "
                "score and the ledger."
            )
        others = list(named(explanation.relevance).values())[1:]
        given = sum((_sums(each) for each in others), _sums(case.relevance))
        score = explanation.score.double().to(given.device)
        booked = booked_of(explanation.ledger, len(score)).to(score.device)
        details = {
            "unbooked": _share((score - given - booked).abs(), score.abs()),
            "booked": _share(booked, score),
        }
        return Scores(_share((score - given).abs(), score.abs()), details=details)

    def cost(self, batch: Batch) -> Cost:
        return Cost()


def booked_of(ledger: Any, batch: int) -> Tensor:
    """What the ledger books for each sample, (samples,); NaN where it cannot say."""
    if ledger is None:
        return torch.full((batch,), torch.nan, dtype=torch.float64)
    total = torch.zeros(batch, dtype=torch.float64)
    for row in ledger:
        for column in _COLUMNS:
            found = getattr(row, column).double().cpu()
            apart = row.per_sample or batch == 1 or not bool(found.any())
            total = total + (found if apart else torch.nan)
    return total


def _sums(relevance: Tensor) -> Tensor:
    return relevance.double().flatten(1).sum(1)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    lost = (whole == 0) & (part != 0)
    return torch.where(lost, torch.inf, divide(part, whole))
