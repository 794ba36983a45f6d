"""Which real samples show best what a unit stands for: the most active, the most relevant ones."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from rich.progress import track
from torch import Tensor, nn

from whence.errors import InvalidInput
from whence.prototypes._receptive import output_of
from whence.prototypes._samples import batches, count_of

AGGREGATES = ("max", "sum")


@runtime_checkable
class Explains(Protocol):
    """An explainer that can keep the relevance at a module, such as `LRP(model)`."""

    model: Any

    def explain(self, inputs: Any, target: Any = None) -> Any: ...


@dataclass(frozen=True, eq=False)
class Examples:
    """The best samples of each unit of a module, best first.

    - `how`: "most active" or "most relevant".
    - `units`: channels or neurons of `module`, (units,).
    - `samples`: their numbers in the data, int64 (units, count); -1 where there were not as many.
    - `values`: what they were ranked by, float64 (units, count).
    - `positions`: where in the unit's map the value, or its largest part, lies, int64
      (units, count, axes of the map).
    - `target`: what was explained, for relevance.
    """

    how: str
    module: str
    units: tuple[int, ...]
    samples: Tensor
    values: Tensor
    positions: Tensor
    axis: int = 1
    target: Any = None

    def of(self, unit: int) -> list[tuple[int, float, tuple[int, ...]]]:
        """Sample, value and position of one unit's examples, best first."""
        if unit not in self.units:
            raise InvalidInput(f"No examples for unit {unit}; there are some for {self.units}.")
        row = self.units.index(unit)
        found = zip(self.samples[row], self.values[row], self.positions[row], strict=True)
        return [(int(s), float(v), tuple(p.tolist())) for s, v, p in found if s >= 0]

    def __repr__(self) -> str:
        count = self.samples.shape[1]
        return f"Examples({self.how}, {self.module!r}, {len(self.units)} units, {count} of each)"


def most_active(
    model: nn.Module,
    data: Any,
    module: str,
    *,
    units: Sequence[int] | None = None,
    count: int = 8,
    aggregate: str = "max",
    label: int | None = None,
    axis: int = 1,
    batch_size: int = 32,
    progress: bool = False,
) -> Examples:
    """The samples that make a unit fire most (ActMax reference samples).

    A unit's activation on a sample is the largest over the positions of its map, or their sum.

    - `data`: a tensor (samples, ...), a pair of tensors (inputs, labels), a torch `Dataset`, or a
      loader of batches; gone through once.
    - `module`: a name from `model.named_modules()`; `units`: its channels (or neurons, for a dense
      layer), all by default; `axis`: where they are, -1 in layers on tokens.
    - `label`: only samples with this label count.

    Of equal values the earlier sample, and the first position, wins. Batches make no difference.

    References: [zeiler2014]; [achtibat2023] for the comparison with relevance.
    """

    def values(inputs: Tensor, labels: Tensor | None) -> Tensor:
        return output_of(model, inputs, module)

    ranked = _ranked(
        values, _chosen(data, label, batch_size, progress), units, (count, aggregate, axis)
    )
    return Examples("most active", module, *ranked, axis=axis)


def most_relevant(
    explainer: Explains,
    data: Any,
    module: str,
    *,
    target: Any = None,
    units: Sequence[int] | None = None,
    count: int = 8,
    aggregate: str = "sum",
    label: int | None = None,
    axis: int = 1,
    batch_size: int = 32,
    progress: bool = False,
) -> Examples:
    """The samples in whose prediction a unit matters most (RelMax reference samples).

    A unit can fire on much that the model then ignores. Here samples are ranked by the relevance
    that reaches the unit when the target is explained: R_c = sum_p R_{c,p}, or the largest R_{c,p}.

    - `explainer`: an explainer that goes back along the model, such as `LRP(model)`.
    - `target`: what is explained, the same for all samples: None (each sample's highest score), a
      class, anything from `whence.targets`; "label" explains each sample's own label.
    - `label`: only samples with this label count; with `target` the same class it gives the
      class-conditional examples of the paper.
    - the others as in `most_active`.

    Unlike the paper relevance is not normalised: a sample with a higher score has more to give.

    References: [achtibat2023].
    """
    if "taps" not in inspect.signature(explainer.explain).parameters:
        raise InvalidInput(
            f"most_relevant needs relevance inside the model, which {type(explainer).__name__} "
            "does not have. Use one that goes back along it, such as whence.LRP(model)."
        )
    if isinstance(target, (Tensor, list, tuple)):
        raise InvalidInput(
            "target= is the same for all samples here. For one class each, give the labels with "
            'the data, (inputs, labels), and target="label".'
        )
    explain: Callable[..., Any] = explainer.explain

    def values(inputs: Tensor, labels: Tensor | None) -> Tensor:
        asked = target
        if isinstance(target, str):
            asked = _labels(labels, target)
        found = explain(inputs, asked, taps=(module,)).at(module)
        if not isinstance(found, Tensor):
            raise InvalidInput(f"Module {module!r} runs several times; name one that runs once.")
        return found

    ranked = _ranked(
        values, _chosen(data, label, batch_size, progress), units, (count, aggregate, axis)
    )
    return Examples("most relevant", module, *ranked, axis=axis, target=target)


Chosen = Iterator[tuple[Tensor, Tensor | None, Tensor]]


def _chosen(data: Any, label: int | None, size: int, progress: bool) -> Chosen:
    """Inputs, labels and numbers of the samples that count, batch by batch."""
    begin = 0
    parts = batches(data, size)
    for inputs, labels in track(
        parts, "samples", count_of(data, max(size, 1)), disable=not progress
    ):
        numbers = torch.arange(begin, begin + len(inputs))
        begin += len(inputs)
        if label is not None:
            keep = _labels(labels, "label=") == label
            inputs, labels, numbers = inputs[keep], _labels(labels, "")[keep], numbers[keep]
        if len(inputs):
            yield inputs, labels, numbers


def _labels(labels: Tensor | None, asked: str) -> Tensor:
    if asked not in ("label", "label=", ""):
        raise InvalidInput(f'target= must be "label" if it is a text, got {asked!r}.')
    if labels is None:
        raise InvalidInput(
            "Labels are needed, and the data has none. Pass a pair of tensors (inputs, labels), or "
            "data that gives pairs of sample and label."
        )
    return labels


def _ranked(
    values: Callable[[Tensor, Tensor | None], Tensor],
    chosen: Chosen,
    units: Sequence[int] | None,
    how: tuple[int, str, int],
) -> tuple[tuple[int, ...], Tensor, Tensor, Tensor]:
    """Units, samples, values and positions of the best, batch by batch."""
    count, aggregate, axis = how
    if count < 1 or aggregate not in AGGREGATES:
        raise InvalidInput(
            f"count must be at least 1 and aggregate one of {', '.join(AGGREGATES)}, got {count} "
            f"and {aggregate!r}."
        )
    best: _Best | None = None
    for inputs, labels, numbers in chosen:
        maps = _maps(values(inputs, labels), len(inputs), axis)
        if best is None:
            best = _Best(_units(units, maps.shape[1]), count, tuple(maps.shape[2:]))
        best.add(maps[:, list(best.units)].double().cpu(), numbers, aggregate)
    if best is None:
        raise InvalidInput("There was no sample to rank. Check the data, and label=.")
    return best.units, best.samples, best.values, best.positions()


def _maps(made: Tensor, batch: int, axis: int) -> Tensor:
    """A module's output as (batch, units, *positions)."""
    if made.dim() < 2 or len(made) != batch:
        raise InvalidInput(
            f"The module's output must be (batch, units, ...), got {tuple(made.shape)} for "
            f"{batch} samples."
        )
    if not made.isfinite().all():
        raise InvalidInput("The module's values must be finite to be ranked; some are not.")
    return made.detach().movedim(axis, 1)


def _units(units: Sequence[int] | None, most: int) -> tuple[int, ...]:
    if units is None:
        return tuple(range(most))
    wrong = [unit for unit in units if not 0 <= unit < most]
    if wrong or not len(units):
        raise InvalidInput(f"units= must lie in 0..{most - 1}, got {wrong or 'none'}.")
    return tuple(int(unit) for unit in units)


class _Best:
    """The best so far of each unit; earlier samples stand before later ones of the same value."""

    def __init__(self, units: tuple[int, ...], count: int, grid: tuple[int, ...]) -> None:
        self.units, self.count, self.grid = units, count, grid
        self.values = torch.full((len(units), count), float("-inf"), dtype=torch.float64)
        self.samples = torch.full((len(units), count), -1)
        self.places = torch.full((len(units), count), -1)

    def add(self, maps: Tensor, numbers: Tensor, aggregate: str) -> None:
        """One batch, (batch, units, *positions), with the numbers of its samples."""
        if tuple(maps.shape[2:]) != self.grid:
            raise InvalidInput(
                f"All samples must have maps of one size, got {tuple(maps.shape[2:])} after "
                f"{self.grid}. Resize them, or rank those of one size at a time."
            )
        flat = maps.flatten(2) if maps.dim() > 2 else maps.unsqueeze(2)  # (batch, units, positions)
        peaks = flat.amax(2)
        values = peaks if aggregate == "max" else flat.sum(2)
        order = torch.arange(flat.shape[2]).expand_as(flat)
        # torch leaves open which of several maxima argmax finds
        places = torch.where(flat == peaks.unsqueeze(2), order, flat.shape[2]).amin(2)
        numbers = numbers[:, None].expand_as(values)
        joined = torch.cat([self.values, values.T], 1)
        index = joined.sort(dim=1, descending=True, stable=True).indices[:, : self.count]
        self.values = joined.gather(1, index)
        self.samples = torch.cat([self.samples, numbers.T], 1).gather(1, index)
        self.places = torch.cat([self.places, places.T], 1).gather(1, index)

    def positions(self) -> Tensor:
        """The places as indices into the map, (units, count, axes)."""
        found = self.places.clone()
        columns = []
        for size in reversed(self.grid):
            columns.append(found % size)
            found = found // size
        if not columns:
            return self.places.new_zeros(*self.places.shape, 0)
        return torch.stack(columns[::-1], -1)
