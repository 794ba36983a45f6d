"""Explanations of perturbed copies of the samples, in bounded memory."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from whence._explanation import Explanation, first
from whence.errors import InvalidInput
from whence.explainers import Explainer
from whence.metrics._batch import rows, smaller
from whence.metrics._case import Case
from whence.metrics._neighbours import Neighbours


def explained(case: Case, near: Neighbours) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """The neighbours of the samples with their relevance, part by part: a slice of samples, one of
    neighbours, x and R of shape (samples, neighbours, channels or 1, ...).

    As many at a time as the batch's `chunk`, and fewer when memory is short. The target of a
    neighbour is its sample's, fixed on the untouched one.
    """
    batch, explain = case.batch, _explainer(case)
    make, points, size, place = near.of(batch), near.points(), batch.chunk, (0, 0)
    while place[0] < len(batch):
        wide = min(size, points - place[1])
        high = 1 if wide < points else min(max(1, size // points), len(batch) - place[0])
        samples, part = slice(place[0], place[0] + high), slice(place[1], place[1] + wide)
        try:
            x = make(samples, part)
            inputs = batch.again(x.flatten(0, 1), samples, wide)
            with torch.enable_grad():  # methods of others may need it
                found = explain(inputs, rows(batch.target, samples, wide, len(batch)))
        except (RuntimeError, MemoryError) as error:
            size = smaller(high * wide, error)
            continue
        yield samples, part, x, _like(case, x, found)
        place = (place[0], part.stop) if part.stop < points else (samples.stop, 0)


def _explainer(case: Case) -> Callable[[Any, Any], Any]:
    if case.explainer is None:
        raise InvalidInput(
            "This metric explains neighbours of the samples, so it needs explainer=, an explainer "
            "of the same method: explainer=LRP(model)."
        )
    given: Any = case.explainer
    made = given if isinstance(given, Explainer) else given(case.batch.model)
    return made.explain if isinstance(made, Explainer) else made


def _like(case: Case, x: Tensor, found: Any) -> Tensor:
    """Relevance of copies, in the form that the case's has."""
    R = first(found.relevance if isinstance(found, Explanation) else found).detach()
    given = case.relevance
    if R.shape == (len(R), *x.shape[3:]) and x.dim() > 3:
        R = R[:, None]
    if given.shape[1] == 1 and R.dim() == given.dim():
        R = R.sum(1, keepdim=True)
    if R.shape != (x.shape[0] * x.shape[1], *given.shape[1:]):
        raise InvalidInput(
            f"The explainer gives relevance of shape {tuple(R.shape[1:])} for a sample, and the "
            f"relevance to measure has {tuple(given.shape[1:])}. Pass the relevance as the "
            "explainer gives it, or summed over channels."
        )
    return R.view(*x.shape[:2], *given.shape[1:]).double()
