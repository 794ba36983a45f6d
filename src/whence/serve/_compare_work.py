"""A comparison under way: samples are measured one after the other until the budget is spent."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics import Metric, Tally
from whence.runs import Evaluation
from whence.runs._evaluate_ask import Asked
from whence.runs._evaluate_data import samples_of
from whence.runs._evaluate_part import Part
from whence.runs._evaluate_work import Group, maker, measure
from whence.serve._compare_schemas import ComparedSample
from whence.serve._explaining import frame_of
from whence.serve._question import name_of
from whence.serve._schemas import Numbers
from whence.zoo import Dataset, Model
from whence.zoo._dataset import Pictures

MOST_CELLS, MOST_COLUMNS = 64, 12  # maps that are sent; all other samples only give numbers
_TOGETHER = 16  # samples that are measured at once
_SIDE = 128  # pixels of a map that travels; larger ones are summed over squares


@dataclass(eq=False)
class Comparison:
    """Methods by samples. How the work is cut into steps changes results by rounding only.

    data: the samples in the order they are taken. target: None, "label" or a class. budget: seconds
    of explaining and measuring; whatever pauses between steps does not count.
    """

    net: Model
    data: Dataset
    explainers: Sequence[Asked]
    metric: Metric
    target: str | int | None
    budget: float
    tally: Tally = field(default_factory=Tally)
    done: int = 0
    spent: float = 0.0
    stopped: bool = False

    @property
    def finished(self) -> bool:
        """Whether nothing more will be measured."""
        return self.stopped or self.done == len(self.data) or self._next() == 0

    @property
    def columns(self) -> int:
        """How many samples are shown as maps."""
        return min(MOST_COLUMNS, MOST_CELLS // len(self.explainers))

    def step(self, seconds: float) -> list[ComparedSample]:
        """Measure on for about so many seconds; the new samples that are shown."""
        new: list[ComparedSample] = []
        end = self.spent + seconds
        while not self.finished and self.spent < end:
            began = time.perf_counter()
            count = min(self._next(), max(1, self._fitting(end - self.spent)))
            new += self._measure(count)
            self.done += count
            self.spent += time.perf_counter() - began
        return new

    def evaluation(self) -> Evaluation:
        """What is measured so far, as `whence.evaluate` gives it."""
        return Evaluation(
            tally=self.tally,
            methods=tuple(each.label for each in self.explainers),
            metrics={self.metric.name: self.metric.protocol()},
            protocol={"samples": len(self.data)},
            complete=self.done == len(self.data),
        )

    def _next(self) -> int:
        """How many samples are measured next: as many as probably fit the rest of the budget."""
        return min(self._fitting(self.budget - self.spent), len(self.data) - self.done)

    def _fitting(self, seconds: float) -> int:
        if self.done == 0:  # one sample tells how long they take, whatever the budget
            return 1
        one = self.spent / self.done
        fits = int(seconds / one) if one > 0 else _TOGETHER
        return max(min(fits, _TOGETHER), 0)

    def _measure(self, count: int) -> list[ComparedSample]:
        group = Group(self._part(count), maker(self.net.module, output=None, seed=0, told=None))
        found, maps = Tally(), dict[str, Tensor | None]()
        shown = min(max(self.columns - self.done, 0), count)
        for asked in self.explainers:
            maps[asked.label] = _map_of(group, asked) if shown else None
            measure(group, [asked], {self.metric.name: self.metric}, found)
        self.tally.add(found)  # of a batch all methods count, or none
        return list(self._compared(group, maps, shown))

    def _part(self, count: int) -> Part:
        rows = range(self.done, self.done + count)
        held = subset(self.data, rows)
        samples = samples_of(held, self.net, target=self.target, batch_size=count)
        parts = next(iter(samples.batches())).load()
        if parts[-1].errors:
            raise InvalidInput(parts[-1].errors[0])
        return parts[0]

    def _compared(
        self, group: Group, maps: dict[str, Tensor | None], shown: int
    ) -> Iterator[ComparedSample]:
        targets = self._targets(group) if shown else []
        for row in range(shown):
            item = self.data[self.done + row]
            picture = frame_of(self.net, group.part.inputs[row : row + 1])
            factor = math.ceil(max(picture.shape[:2]) / _SIDE)
            yield ComparedSample(
                name=item.name,
                label=None if item.label is None else self.data.classes[item.label],
                target=name_of(self.net, targets[row]),
                picture=Numbers.of(pooled(picture, factor) / pooled(np.ones_like(picture), factor)),
                relevance={
                    label: None if R is None else Numbers.of(pooled(R[row].numpy(), factor))
                    for label, R in maps.items()
                },
                pooled=factor,
            )

    def _targets(self, group: Group) -> list[int]:
        if self.target is None:
            return group.batch.untouched.flatten(1).argmax(1).tolist()
        if self.target == "label":
            assert group.part.labels is not None
            return group.part.labels.tolist()
        return [int(self.target)] * len(group)


def subset(data: Dataset, rows: Sequence[int]) -> Dataset:
    """Some items of a data set, in this order; pictures are still read when asked for."""
    return replace(
        data,
        pictures=_Chosen(data.pictures, tuple(rows)),
        labels=data.labels[torch.tensor(list(rows), dtype=torch.int64)],
        names=tuple(data.names[row] for row in rows),
        boxes=tuple(data.boxes[row] for row in rows) if data.boxes else (),
    )


def pooled(values: np.ndarray, factor: int) -> np.ndarray:
    """Sums over squares of factor x factor, (height, width, ...); the last ones may be cut off."""
    if factor == 1:
        return values
    rows = range(0, values.shape[0], factor)
    columns = range(0, values.shape[1], factor)
    return np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)


def _map_of(group: Group, asked: Asked) -> Tensor | None:
    """Relevance summed over channels, (samples, height, width), float64; None where it failed."""
    try:
        R = group.case(asked).relevance.detach().double().cpu()
    except Exception:  # told of where it is measured
        return None
    return R.sum(1) if R.dim() == 4 and bool(R.isfinite().all()) else None


@dataclass(frozen=True)
class _Chosen:
    """Pictures of a data set by their place in a choice."""

    pictures: Pictures
    rows: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Tensor:
        return self.pictures[self.rows[index]]
