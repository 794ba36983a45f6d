"""What speaks for and against a single map: one check after the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from whence._draws import uniform
from whence._explanation import Explanation
from whence.errors import NotConserved, WhenceError
from whence.explainers import Explainer
from whence.metrics._case import Case
from whence.metrics._completeness import Completeness
from whence.metrics._features import Pixels
from whence.metrics._parameter_randomisation import ParameterRandomisation
from whence.metrics._pixel_flipping import PixelFlipping
from whence.metrics._similarity import similar

FOR, AGAINST, NEITHER = "for", "against", "neither"

# Ours, set with the two shipped nets for digits in view; `metrics.trust` states them.
MISSING = 0.5  # share of the score
CHANCE, BEATEN = 0.05, 0.25  # p of the order; share of random orders that are better
CHANGED, UNCHANGED, SAME = 0.3, 0.5, 0.95  # rank correlation with the maps of redrawn models
AGREES, DISAGREES = 0.3, 0.1  # rank correlation with other methods

_STREAM = 1000  # of the random orders, apart from those that break ties


@dataclass(frozen=True)
class Evidence:
    """One check of one map: its name, whether it speaks "for", "against" or "neither", the number
    that decided (NaN if there is none), and the finding in words."""

    check: str
    vote: str
    value: float
    says: str


def from_ledger(case: Case) -> list[Evidence]:
    """Whether relevance accounts for the score, and the book closes."""
    explanation = case.explanation
    if not isinstance(explanation, Explanation) or explanation.ledger is None:
        none = Evidence("ledger", NEITHER, float("nan"), "this method keeps no book")
        return [none] * len(case.batch)
    try:
        explanation.ledger.check()
    except NotConserved as error:
        return [Evidence("ledger", AGAINST, float("inf"), str(error))] * len(case.batch)
    found = []
    for missing in Completeness().measure(case).values.tolist():
        vote = FOR if missing <= MISSING else NEITHER
        says = f"every row closes; relevance accounts for the score up to {missing:.0%}"
        found.append(Evidence("ledger", vote, missing, says))
    return found


def from_flipping(case: Case, orders: int, points: int) -> list[Evidence]:
    """Whether removing by relevance hurts the prediction more than removing at random."""
    batch = case.batch
    features = case.partition(Pixels()).count
    flipping = PixelFlipping(step=max(1, -(-features // points)))
    own = flipping.measure(case).values
    shape = batch.x.shape[1:] if batch.x.dim() < 3 else (1, *batch.x.shape[2:])
    chance = [
        flipping.measure(Case(batch, uniform(batch.keys, shape, _STREAM + number))).values
        for number in range(orders)
    ]
    random = torch.stack(chance, 1)  # (samples, orders)
    higher = (random > own[:, None]).double().mean(1)
    p = (1 + (random >= own[:, None]).sum(1)) / (1 + orders)
    found = []
    for row, (area, better, chance_of) in enumerate(
        zip(own.tolist(), higher.tolist(), p.tolist(), strict=True)
    ):
        vote = FOR if chance_of <= CHANCE else AGAINST if better >= BEATEN else NEITHER
        mean = float(random[row].mean())
        says = (
            f"area over the flipping curve {area:.3f}, random orders {mean:.3f} on average; "
            f"{better:.0%} of {orders} random orders are better"
        )
        found.append(Evidence("flipping", vote, chance_of, says))
    return found


def from_redrawing(case: Case, redraws: int, seed: int) -> list[Evidence]:
    """Whether the map changes when all parameters are drawn anew."""
    model, name = case.batch.model, "randomisation"
    if not isinstance(model, nn.Module) or not any(True for _ in model.parameters()):
        none = Evidence(name, NEITHER, float("nan"), "the model has no parameters to redraw")
        return [none] * len(case.batch)
    draws = [
        ParameterRandomisation(layers=("",), seed=seed + number).measure(case).values
        for number in range(redraws)
    ]
    # Maps that only change sign are alike. Unrelated maps of d features have rho^2 = 1 / (d - 1).
    chance = 1 / max(case.pool(Pixels()).shape[1] - 1, 1)
    square = torch.stack(draws).square().mean(0)
    found = []
    for alike in (square - chance).clamp(min=0).sqrt().tolist():
        vote = FOR if alike <= CHANGED else AGAINST if alike >= UNCHANGED else NEITHER
        says = f"rank correlation {alike:.2f}, beyond chance, with the maps of {redraws} models "
        says += "with new parameters"
        found.append(Evidence(name, vote, alike, says))
    return found


def from_others(case: Case, others: Sequence[Explainer]) -> list[Evidence]:
    """Whether other methods say the same."""
    own = case.pool(Pixels())
    names, alike, refused = list[str](), list[Tensor](), list[str]()
    for other in others:
        try:
            found = other.explain(case.batch.inputs, case.batch.target)
            theirs = Case(case.batch, found.relevance).pool(Pixels())
        except WhenceError as error:
            refused.append(f"{other.name} could not explain this ({type(error).__name__})")
            continue
        names.append(other.name)
        alike.append(similar("rank", own, theirs))
    if not alike:
        says = "; ".join(refused) or "no other method was asked"
        return [Evidence("agreement", NEITHER, float("nan"), says)] * len(case.batch)
    each = torch.stack(alike, 1)  # (samples, methods)
    result = []
    for row, middle in zip(each.tolist(), each.quantile(0.5, dim=1).tolist(), strict=True):
        vote = FOR if middle >= AGREES else AGAINST if middle < DISAGREES else NEITHER
        parts = [f"{name} {value:.2f}" for name, value in zip(names, row, strict=True)]
        says = "; ".join([f"rank correlation with {', '.join(parts)}", *refused])
        result.append(Evidence("agreement", vote, middle, says))
    return result
