"""How alike two maps of the same samples are."""

from collections.abc import Callable

import torch
from torch import Tensor

from whence._numerics import divide
from whence.errors import InvalidInput

SIMILARITIES = {
    "rank": "Spearman's rank correlation",
    "absolute-rank": "Spearman's rank correlation of the magnitudes",
    "cosine": "the cosine of the angle between the maps",
    "absolute-cosine": "the cosine between the magnitudes",
}
# What does not change it: see `metrics.INVARIANCES`.
UNCHANGED_BY = {
    "rank": frozenset({"scale", "offset"}),
    "absolute-rank": frozenset({"scale", "sign"}),
    "cosine": frozenset({"scale"}),
    "absolute-cosine": frozenset({"scale", "sign"}),
}


def check_similarity(how: str) -> None:
    """Raise unless there is such a similarity."""
    if how not in SIMILARITIES:
        raise InvalidInput(f"similarity must be one of {', '.join(SIMILARITIES)}, got {how!r}.")


def similar(how: str, first: Tensor, second: Tensor, kept: Tensor | None = None) -> Tensor:
    """Similarity in [-1, 1] of two maps (samples, features), float64 of shape (samples,); of the
    features that are kept, where samples have some only.

    Equal values share the mean of their ranks. Where correlation is undefined: two maps that both
    say nothing (constant, or zero for cosines) are alike, 1; one of them and another are not, 0.
    """
    check_similarity(how)
    if kept is not None and not bool(kept.all()):
        rows = zip(first, second, kept, strict=True)
        return torch.cat([similar(how, a[None, own], b[None, own]) for a, b, own in rows])
    of: Callable[[Tensor], Tensor] = _magnitudes if how.startswith("absolute") else _signed
    pair = of(first.double()), of(second.double())
    if how.endswith("rank"):
        pair = _centred(midranks(pair[0])), _centred(midranks(pair[1]))
    return _cosine(*pair)


def midranks(values: Tensor) -> Tensor:
    """The rank of each value in its row, from 0; equal values share their mean rank."""
    ordered, order = values.sort(1)
    new = torch.zeros_like(order)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    group = new.cumsum(1)  # of equal values, numbered in each row
    places = torch.arange(values.shape[1], dtype=torch.float64, device=values.device)
    places = places.expand_as(ordered)
    empty = torch.zeros_like(ordered, dtype=torch.float64)
    sums = empty.scatter_add(1, group, places)
    sizes = empty.scatter_add(1, group, torch.ones_like(places))
    mean = divide(sums, sizes).gather(1, group)
    return torch.empty_like(mean).scatter_(1, order, mean)


def _cosine(first: Tensor, second: Tensor) -> Tensor:
    sizes = first.norm(dim=1), second.norm(dim=1)
    cosine = (divide(first, sizes[0][:, None]) * divide(second, sizes[1][:, None])).sum(1)
    nothing = (sizes[0] == 0) & (sizes[1] == 0)
    return torch.where(nothing, 1.0, cosine.clamp(-1, 1))


def _centred(values: Tensor) -> Tensor:
    return values - values.mean(1, keepdim=True)


def _magnitudes(values: Tensor) -> Tensor:
    return values.abs()


def _signed(values: Tensor) -> Tensor:
    return values
