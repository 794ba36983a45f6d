"""Rows of scores: checked as they come in, taken out, and joined in the order of their ids."""

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics._curve import Curve
from whence.metrics._metric import Scores

Id = int | str


def without(ids: tuple[Id, ...], scores: Scores, gone: Set[Id]) -> tuple[tuple[Id, ...], Scores]:
    """The samples of a part that stay."""
    if gone.isdisjoint(ids):
        return ids, scores
    rows = [row for row, each in enumerate(ids) if each not in gone]
    curves = {
        name: replace(c, x=c.x if c.x.dim() == 1 else c.x[rows], y=c.y[rows])
        for name, c in scores.curves.items()
    }
    details = {name: each[rows] for name, each in scores.details.items()}
    return tuple(ids[row] for row in rows), Scores(scores.values[rows], curves, details)


def checked(name: str, curve: Curve, count: int) -> Curve:
    """A curve with a row for each sample, as it is kept."""
    x, y = curve.x.detach().double().cpu(), curve.y.detach().double().cpu()
    if y.dim() != 2 or len(y) != count or x.shape not in (y.shape[1:], y.shape):
        raise InvalidInput(
            f"The curve {name!r} needs y of shape ({count}, points) and x of (points,) or the same "
            f"shape, got {tuple(y.shape)} and {tuple(x.shape)}."
        )
    return Curve(x, y, curve.xlabel, curve.ylabel)


def checked_detail(name: str, values: Tensor, count: int) -> Tensor:
    """A detail with a number for each sample, as it is kept."""
    if values.shape != (count,):
        raise InvalidInput(
            f"The detail {name!r} needs one number for each of {count} samples, got shape "
            f"{tuple(values.shape)}."
        )
    return values.detach().double().cpu()


def names_of(parts: Iterable[tuple[Any, Scores]], what: str) -> list[str]:
    """The names of all "curves" or "details"."""
    return list(dict.fromkeys(name for _, scores in parts for name in getattr(scores, what)))


def detail_of(name: str, parts: Sequence[tuple[tuple[Id, ...], Scores]]) -> Tensor:
    """A detail of all samples, NaN for those of parts that lack it."""
    found = [
        scores.details.get(name, torch.full_like(scores.values, torch.nan)) for _, scores in parts
    ]
    return torch.cat(found)


def curve_of(
    name: str, parts: Sequence[tuple[tuple[Id, ...], Scores]]
) -> tuple[tuple[Id, ...], Curve]:
    """A curve of all samples that have it; of different lengths, shorter rows end in NaN."""
    having = [(ids, scores.curves[name]) for ids, scores in parts if name in scores.curves]
    ids = [each for names, _ in having for each in names]
    order = sorted(range(len(ids)), key=lambda row: place_of(ids[row]))
    first = having[0][1]
    same = all(c.x.dim() == 1 and torch.equal(c.x, first.x) for _, c in having)
    longest = max(c.y.shape[1] for _, c in having)
    y = torch.cat([_padded(c.y, longest) for _, c in having])[order]
    if same:
        x = first.x
    else:
        x = torch.cat([_padded(c.x.expand(c.y.shape), longest) for _, c in having])[order]
    return tuple(ids[row] for row in order), Curve(x, y, first.xlabel, first.ylabel)


def _padded(rows: Tensor, length: int) -> Tensor:
    return torch.nn.functional.pad(rows, (0, length - rows.shape[1]), value=torch.nan)


def place_of(each: Id) -> tuple[Any, ...]:
    """Numbers by size, then names, in which numbers count by size too: digits-9, digits-10."""
    if isinstance(each, int):
        return (0, each)
    words = re.split(r"(\d+)", each)
    return (1, [(0, int(w), w) if i % 2 else (1, 0, w) for i, w in enumerate(words)])
