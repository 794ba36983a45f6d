"""How the model's answer changes as features are replaced one after the other."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._cost import Cost
from whence.metrics._features import Features
from whence.metrics._replacements import Fill, Replacement


@dataclass(frozen=True, eq=False)
class Curve:
    """y at each x: (samples, points) and (points,), or one x for each sample."""

    x: Tensor
    y: Tensor
    xlabel: str
    ylabel: str


@dataclass(frozen=True)
class Removal:
    """What is taken away, how, and what is read from the model meanwhile.

    k: the class that is asked about, by default the target of the batch.
    """

    features: Features
    replacement: Replacement
    read: str = "auto"
    k: int | None = None


@dataclass(frozen=True, eq=False)
class Removed:
    """y: the number read when so many features (`counts`) of an order are gone, float64 of shape
    (samples, points). `features`: how many there are."""

    counts: list[int]
    features: int
    y: Tensor
    ylabel: str

    def at(self, counts: Iterable[int]) -> Tensor:
        """y at some of the counts, (samples, points)."""
        column = {each: place for place, each in enumerate(self.counts)}
        return self.y[:, [column[each] for each in counts]]

    def share(self, counts: Iterable[int]) -> Tensor:
        """The share of the features that is gone, (points,)."""
        return torch.tensor(list(counts), dtype=torch.float64, device=self.y.device) / self.features

    def curve(self) -> Curve:
        """All of it, to be drawn."""
        return Curve(self.share(self.counts), self.y, "share of features replaced", self.ylabel)


def removed(case: Case, removal: Removal, order: str, counts: Iterable[int]) -> Removed:
    """The curve at these counts, and always at nothing and everything gone."""
    features = case.partition(removal.features).count
    every = sorted({0, *counts, features})
    y = removal_curve(case, removal, order, every)
    reading = case.batch.reading(removal.read, removal.k)
    whose = "target" if removal.k is None else f"class {removal.k}"
    return Removed(every, features, y, f"{reading} of the {whose}")


def removal_cost(batch: Batch, removal: Removal, counts: Mapping[str, Iterable[int]]) -> Cost:
    """What `removed` costs one sample for these counts by order."""
    features, draws = batch.partition(removal.features).count, removal.replacement.draws
    shared = {_all_gone(removal, draw): 1 for draw in range(draws)} | {"untouched": 1}
    points = {
        order: {("point", removal, order, k): draws for k in ks if 0 < k < features}
        for order, ks in counts.items()
    }
    random = points.pop("random", {})
    return Cost(
        shared=shared | random, own={k: n for each in points.values() for k, n in each.items()}
    )


def removal_curve(case: Case, removal: Removal, order: str, counts: Sequence[int]) -> Tensor:
    """The number read when the first `counts` features of an order are gone, averaged over the
    draws of the replacement; float64 of shape (samples, points).

    Each point is asked once for an explanation, whatever metrics need it. The untouched samples,
    those with everything gone and the random order are asked once for all explanations.
    """
    features = case.partition(removal.features).count
    if case.batch.embedded or not case.batch.x.is_floating_point():
        raise InvalidInput(
            "The samples hold tokens, whose numbers cannot be replaced one by one. Take "
            "WordDeleting."
        )
    if not counts or min(counts) < 0 or max(counts) > features:
        raise InvalidInput(f"Counts must lie between 0 and {features} features, got {counts}.")
    keeper = case.batch if order == "random" else case
    known: dict[int, int] = keeper.keep(("columns", removal, order), dict)  # count -> column
    parts: list[Tensor] = keeper.keep(("curve", removal, order), list)
    missing = sorted(set(counts) - known.keys())
    inner = [each for each in missing if 0 < each < features]
    ends = [each for each in missing if not 0 < each < features]
    found = [_end(case, removal, each > 0)[:, None] for each in ends]
    if inner:
        found.append(_points(case, removal, order, inner))
    known |= {each: len(known) + place for place, each in enumerate(ends + inner)}
    parts[:] = [torch.cat(parts + found, 1)]
    return parts[0][:, [known[each] for each in counts]]


def _points(case: Case, removal: Removal, order: str, counts: list[int]) -> Tensor:
    """Copies with some features gone: those whose place in the order is below a count."""
    batch, partition = case.batch, case.partition(removal.features)
    read, draws = batch.read(removal.read, removal.k), removal.replacement.draws
    spread = partition.spread(case.rank(removal.features, order).to(_narrow(partition.count)))
    limits = torch.tensor(counts, device=batch.x.device, dtype=spread.dtype)
    limits = limits.view(1, -1, *[1] * (spread.dim() - 1))  # (1, points, 1, ...)
    total = torch.zeros(len(batch), len(counts), dtype=torch.float64, device=batch.x.device)
    for draw in range(draws):
        fill = removal.replacement.fill(batch, draw)

        def make(samples: slice, points: slice, fill: Fill = fill) -> Tensor:
            return fill(samples, spread[samples, None] < limits[:, points]).flatten(0, 1)

        total += batch.grid(make, len(counts), read)
    return total / draws


def _end(case: Case, removal: Removal, gone: bool) -> Tensor:
    """The number for the untouched samples, or for those with everything replaced."""
    batch, draws = case.batch, removal.replacement.draws
    read, everyone = batch.read(removal.read, removal.k), slice(0, len(batch))
    if not gone:
        return read(batch.untouched, everyone, 1)[:, 0]
    every = torch.ones(1, 1, *[1] * (batch.x.dim() - 1), dtype=torch.bool, device=batch.x.device)
    total = torch.zeros(len(batch), dtype=torch.float64, device=batch.x.device)
    for draw in range(draws):

        def make(samples: slice, draw: int = draw) -> Tensor:
            return removal.replacement.fill(batch, draw)(samples, every).flatten(0, 1)

        output = batch.output_for(_all_gone(removal, draw), make)
        total += read(output, everyone, 1)[:, 0]
    return total / draws


def _all_gone(removal: Removal, draw: int) -> tuple[str, Replacement, int]:
    """What the samples with everything replaced are known by, whatever the features."""
    return "all gone", removal.replacement, draw


def _narrow(count: int) -> torch.dtype:
    """The narrowest integers that hold a rank: comparisons are bound by memory."""
    return torch.int16 if count < 2**15 else torch.int32


def counts_for(features: int, *, step: int = 1, most: int | None = None) -> list[int]:
    """0, step, 2 step, ..., up to `most` (all features by default), which is always included."""
    last = features if most is None else min(most, features)
    if step < 1 or last < 1:
        raise InvalidInput(f"step and most must be at least 1, got {step} and {most}.")
    return [*range(0, last, step), last]
