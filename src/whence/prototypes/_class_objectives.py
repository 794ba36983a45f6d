"""Objectives on the model's output: a class, any target of whence, a number of a regression."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from whence.errors import InvalidInput
from whence.prototypes._objective import Objective
from whence.prototypes._seen import Seen
from whence.targets import ClassTarget, Given, Relative, as_target

HEADS = ("auto", "scores", "softmax", "sigmoid", "probabilities")


@dataclass(frozen=True, repr=False)
class OfClasses(Objective):
    """A class, or several: then a batch has one prototype for each."""

    asked: int | Sequence[int]

    def __post_init__(self) -> None:
        if self.classes is None or not self.classes:
            raise InvalidInput("At least one class is needed, got none.")

    @property
    def classes(self) -> tuple[int, ...] | None:
        return (self.asked,) if isinstance(self.asked, int) else tuple(map(int, self.asked))

    def __repr__(self) -> str:
        asked = self.asked if isinstance(self.asked, int) else list(self.asked)
        return f"{type(self).__name__}({asked})"

    def pick(self, rows: Tensor, seen: Seen) -> Tensor:
        """The entry of each sample's class, from (batch, classes)."""
        asked = self.classes
        assert asked is not None
        if not all(0 <= k < rows.shape[1] for k in asked):
            wrong = next(k for k in asked if not 0 <= k < rows.shape[1])
            raise InvalidInput(f"Classes run from 0 to {rows.shape[1] - 1}, got {wrong}.")
        index = torch.tensor(asked, device=rows.device)
        index = index.expand(len(rows)) if len(asked) == 1 else index[seen.rows.to(rows.device)]
        return rows.gather(1, index[:, None])[:, 0]


@dataclass(frozen=True, repr=False)
class Logit(OfClasses):
    """The score z_k of a class before any softmax [simonyan2014].

    It grows without bound where the input may, so give a prior or a box. It can also grow while
    other classes grow faster; `LogProbability` rules that out.
    """

    def value(self, seen: Seen) -> Tensor:
        return self.pick(class_rows(seen.scores, len(seen)), seen)


@dataclass(frozen=True, repr=False)
class LogProbability(OfClasses):
    """log p(class | x), what activation maximisation is about [montavon2018, section 3].

        log p_k = z_k - log sum_j exp z_j      softmax, and scores z without a head
        log p_k = log sigmoid(z_k)             sigmoid; a single output z has classes 0 and 1

    - `asked`: a class, or several: one prototype for each.
    - `head`: how the output becomes probabilities. "auto" looks: after a softmax, log-softmax or
      sigmoid at the model's end the scores before it are used, which stay exact where
      probabilities round to 0; rows that are not negative and sum to 1 are probabilities; anything
      else are scores that a softmax would follow. "softmax" (or "scores"), "sigmoid" and
      "probabilities" say so by hand, for a head that cannot be seen, as in
      `LogProbability(1, head="sigmoid")` for a net that returns one logit.
    """

    head: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head not in HEADS:
            raise InvalidInput(f"head= must be one of {', '.join(HEADS)}; got {self.head!r}.")

    def value(self, seen: Seen) -> Tensor:
        head = seen.head if self.head == "auto" else self.head
        if head == "probabilities":
            return self.pick(class_rows(seen.output, len(seen)).log(), seen)
        rows = class_rows(seen.scores, len(seen))
        if head in ("sigmoid", "log_sigmoid"):
            pair = torch.cat([-rows, rows], 1) if rows.shape[1] == 1 else rows
            return self.pick(logsigmoid(pair), seen)
        if rows.shape[1] == 1:
            raise InvalidInput(
                "A single output has no class probabilities: a softmax over it is always 1. For a "
                'binary net use LogProbability(1, head="sigmoid"), for a regression Output().'
            )
        return self.pick(rows.log_softmax(1), seen)


@dataclass(frozen=True, eq=False)
class Target(Objective):
    """Any target of whence: `Target(whence.targets.LogOdds(3))`, or a function of the output.

    Class targets look at the scores before a softmax at the model's end, as `whence.explain` does.
    """

    target: Any

    def __post_init__(self) -> None:
        if isinstance(as_target(self.target), Given):
            raise InvalidInput("Given relevance does not depend on the input; maximise a target.")

    @property
    def modules(self) -> tuple[str, ...]:
        at = as_target(self.target).at
        return () if at is None else (at,)

    def value(self, seen: Seen) -> Tensor:
        target = as_target(self.target)
        inner = target.target if isinstance(target, Relative) else target
        if target.at is not None:
            return target.score(seen.at(target.at))
        softmax = seen.head in ("softmax", "log_softmax") and isinstance(inner, ClassTarget)
        return target.score(seen.scores if softmax else seen.output)


@dataclass(frozen=True, eq=False)
class Output(Objective):
    """The output itself: the extreme case max f(x) of a regression, or a function of the output.

    - `function`: output -> (batch,); without it the model must return one number for each sample.
    """

    function: Callable[[Any], Tensor] | None = None

    def value(self, seen: Seen) -> Tensor:
        if self.function is not None:
            return self.function(seen.output)
        output = seen.output
        if not isinstance(output, Tensor) or output.numel() != len(seen):
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise InvalidInput(
                f"Output() needs one number for each of {len(seen)} samples, got {shape}. Say "
                "which: Output(lambda output: output[:, k])."
            )
        return output.reshape(len(seen))


def class_rows(output: Any, batch: int) -> Tensor:
    """Scores as (batch, classes)."""
    if isinstance(output, Tensor) and output.shape == (batch,):
        return output[:, None]
    if not isinstance(output, Tensor) or output.dim() != 2 or len(output) != batch:
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise InvalidInput(
            f"Classes need an output of shape (batch, classes), got {shape}. Use "
            "Output(lambda output: ...) with one number for each sample, or output= to pick a part."
        )
    return output
