"""Measuring one batch: what fails is tried again on halves, until the failing sample is alone."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from whence.errors import InvalidInput, WhenceError
from whence.metrics import Batch, Case, Failure, Metric, Scores, Tally
from whence.runs._evaluate_ask import Asked
from whence.runs._evaluate_part import Part
from whence.runs._reason import reason


@dataclass(eq=False)
class Group:
    """Samples that are measured together, what explanations of them share, and their halves."""

    part: Part
    make: Callable[[Part], Batch]
    _batch: Batch | None = None
    _cases: dict[str, Case] = field(default_factory=dict)
    _halves: "tuple[Group, Group] | None" = None

    def __len__(self) -> int:
        return len(self.part)

    @property
    def batch(self) -> Batch:
        """The samples, with the target fixed on them."""
        if self._batch is None:
            if self.part.errors:
                raise InvalidInput(self.part.errors[0])
            target = self.part.target
            whole = isinstance(target, Tensor) and not target.is_floating_point()
            if whole and bool((target < 0).any()):
                raise InvalidInput(
                    f"Classes run from 0, got {int(target.min())}: the label is unknown."
                )
            batch = self.make(self.part)
            if batch.target.at is None:
                batch.target.score(batch.untouched)  # a class that is not there is an error here
            self._batch = batch
        return self._batch

    def case(self, asked: Asked) -> Case:
        """One explanation of the samples."""
        if asked.label not in self._cases:
            batch = self.batch
            explanation = asked.explain(batch.inputs, batch.target)
            self._cases[asked.label] = Case(
                batch, explanation.relevance, asked.explainer, explanation
            )
        return self._cases[asked.label]

    def forget(self, asked: Asked) -> None:
        """Let go of an explanation that has been measured."""
        self._cases.pop(asked.label, None)
        for half in self._halves or ():
            half.forget(asked)

    @property
    def halves(self) -> "tuple[Group, Group]":
        """The same samples in two groups."""
        if self._halves is None:
            middle = (len(self) + 1) // 2
            parts = self.part.take(0, middle), self.part.take(middle, len(self))
            self._halves = Group(parts[0], self.make), Group(parts[1], self.make)
        return self._halves


def measure(
    group: Group,
    explainers: Sequence[Asked],
    metrics: Mapping[str, Metric],
    tally: Tally,
    owed: Set[tuple[str, str]] | None = None,
) -> None:
    """Explain the samples by every explainer, and measure every explanation by every metric.

    owed: the pairs (explainer's label, metric) that are wanted, by default all of them.
    """
    for asked in explainers:
        wanted = {
            name: metric
            for name, metric in metrics.items()
            if owed is None or (asked.label, name) in owed
        }
        if wanted:
            _explain(group, asked, wanted, tally)
            group.forget(asked)


def _explain(group: Group, asked: Asked, metrics: Mapping[str, Metric], tally: Tally) -> None:
    try:
        group.case(asked)
    except Exception as error:
        halves = _halved(group)
        if not halves:
            for name in metrics:
                _fail(group, asked, name, error, tally, explained=False)
        for half in halves:
            _explain(half, asked, metrics, tally)
        return
    for name, metric in metrics.items():
        _score(group, asked, name, metric, tally)


def _score(group: Group, asked: Asked, name: str, metric: Metric, tally: Tally) -> None:
    try:
        with torch.no_grad():
            scores = metric.measure(group.case(asked))
        tally.update(scores, group.part.ids, method=asked.label, metric=name)
    except Exception as error:
        halves = _halved(group)
        if not halves:
            _fail(group, asked, name, error, tally, explained=True)
        for half in halves:
            _score(half, asked, name, metric, tally)


def _halved(group: Group) -> tuple[Group, ...]:
    """Two smaller groups; none if there is one sample, or the samples cannot be told apart."""
    if len(group) == 1:
        return ()
    try:
        return group.halves
    except WhenceError:
        return ()


def _fail(
    group: Group, asked: Asked, name: str, error: Exception, tally: Tally, *, explained: bool
) -> None:
    nothing = Scores(torch.full((len(group),), torch.nan, dtype=torch.float64))
    tally.update(nothing, group.part.ids, method=asked.label, metric=name)
    for each in group.part.ids:
        tally.fail(Failure(asked.label, name if explained else "", each, reason(error)))


def maker(
    model: Any, *, output: Any, seed: int, told: Callable[[int], None] | None
) -> Callable[[Part], Batch]:
    """A function that makes the batch of some samples, where the model's weights are."""
    weights = next(model.parameters(), None) if isinstance(model, nn.Module) else None

    def make(part: Part) -> Batch:
        if weights is not None:
            part = part.to(weights.device)
        return Batch(
            model,
            part.inputs,
            part.target,
            ids=part.ids,
            labels=part.labels,
            masks=part.masks,
            output=output,
            seed=seed,
            told=told,
        )

    return make
