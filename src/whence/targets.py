"""What to explain: a class, a contrast, log-odds, a neuron, any weighing or function of the output.

A target gives coefficients c for the model's output z; the relevance that starts there is z c, and
its sum is the score that the explanation distributes over the inputs.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from whence._errors import InvalidInput

Class = int | Sequence[int] | Tensor


class Target(ABC):
    """A scalar for each sample, computed from one output tensor whose first axis is the batch."""

    at: str | None = None  # the module whose output it looks at; None is the model's output

    @abstractmethod
    def coefficients(self, output: Tensor) -> Tensor:
        """c, with the shape of the output."""

    def score(self, output: Tensor, c: Tensor | None = None) -> Tensor:
        """The explained number of each sample, shape (batch,); `c` saves computing it again."""
        return _sum(output * (self.coefficients(output) if c is None else c))


@dataclass(frozen=True)
class Highest(Target):
    """The class with the highest score, of each sample; what `target=None` means."""

    def coefficients(self, output: Tensor) -> Tensor:
        return _one_hot(output, self.classes(output))

    def classes(self, output: Tensor) -> Tensor:
        """The winning class of each sample."""
        return _rows(output).argmax(1)


@dataclass(frozen=True, eq=False)
class Logit(Target):
    """The score of class k; one k for all samples, or one for each."""

    k: Class

    def coefficients(self, output: Tensor) -> Tensor:
        return _one_hot(output, self.k)


@dataclass(frozen=True, eq=False)
class Contrast(Target):
    """Why class a and not class b: z_a - z_b."""

    a: Class
    b: Class

    def coefficients(self, output: Tensor) -> Tensor:
        return _one_hot(output, self.a) - _one_hot(output, self.b)


@dataclass(frozen=True, eq=False)
class LogOdds(Target):
    """log p_k / (1 - p_k) = z_k - log sum_{j != k} exp z_j, with the soft maximum's weights.

    The coefficients are its gradient, 1 for k and -softmax over the others; what they do not
    carry (the entropy of the others) is booked as bias.
    """

    k: Class

    def coefficients(self, output: Tensor) -> Tensor:
        chosen = _one_hot(output, self.k)
        others = output.masked_fill(chosen > 0, float("-inf"))
        return chosen - others.softmax(1)

    def score(self, output: Tensor, c: Tensor | None = None) -> Tensor:
        chosen = _one_hot(output, self.k)
        others = output.masked_fill(chosen > 0, float("-inf"))
        return (output * chosen).sum(1) - others.logsumexp(1)


@dataclass(frozen=True)
class Neuron(Target):
    """One element of the output, by its index after the batch axis; `at` names a hidden module."""

    index: int | tuple[int, ...]
    at: str | None = None

    def coefficients(self, output: Tensor) -> Tensor:
        index = self.index if isinstance(self.index, tuple) else (self.index,)
        c = torch.zeros_like(output)
        try:
            c[(slice(None), *index)] = 1
        except IndexError as error:
            raise InvalidInput(
                f"Neuron{index} is outside of the output, shape {tuple(output.shape[1:])} "
                "after the batch axis."
            ) from error
        return c


@dataclass(frozen=True, eq=False)
class Weights(Target):
    """Any weighing of the output: a tensor that broadcasts to it."""

    weights: Tensor
    at: str | None = None

    def coefficients(self, output: Tensor) -> Tensor:
        try:
            return self.weights.to(output).expand_as(output).clone()
        except RuntimeError as error:
            raise InvalidInput(
                f"Weights of shape {tuple(self.weights.shape)} do not broadcast to the output, "
                f"shape {tuple(output.shape)}."
            ) from error


@dataclass(frozen=True, eq=False)
class Given(Target):
    """Relevance that was computed elsewhere: it starts as R at the output or at a module."""

    relevance: Tensor
    at: str | None = None

    def coefficients(self, output: Tensor) -> Tensor:
        raise InvalidInput(
            "Given relevance has no coefficients, which this method needs. Use it with LRP and "
            "explain(); elsewhere give a class, a contrast or targets.Weights."
        )

    def score(self, output: Tensor, c: Tensor | None = None) -> Tensor:
        try:
            return _sum(self.relevance.to(output).expand_as(output))
        except RuntimeError as error:
            raise InvalidInput(
                f"Given relevance of shape {tuple(self.relevance.shape)} does not broadcast to "
                f"where it starts, shape {tuple(output.shape)}."
            ) from error


@dataclass(frozen=True, eq=False)
class Relative(Target):
    """A regression output relative to a reference value: f(x) - reference, booked as bias."""

    reference: float
    target: Target = Highest()

    def coefficients(self, output: Tensor) -> Tensor:
        return self.target.coefficients(output)

    def score(self, output: Tensor, c: Tensor | None = None) -> Tensor:
        return self.target.score(output) - self.reference


@dataclass(frozen=True, eq=False)
class Function(Target):
    """Any differentiable function of the model's output that gives one number for each sample."""

    function: Callable[[Any], Tensor]

    def coefficients(self, output: Tensor) -> Tensor:
        with torch.enable_grad():
            fresh = output.detach().requires_grad_()
            return torch.autograd.grad(self.score(fresh).sum(), fresh)[0]

    def score(self, output: Tensor, c: Tensor | None = None) -> Tensor:
        score = self.function(output)
        if not isinstance(score, Tensor) or score.shape != output.shape[:1]:
            got = tuple(score.shape) if isinstance(score, Tensor) else type(score).__name__
            raise InvalidInput(
                f"A target function must give one number for each sample, shape "
                f"({output.shape[0]},), got {got}. Try lambda output: output[:, k]."
            )
        return score


@dataclass(frozen=True, eq=False)
class Each:
    """Several targets for the same inputs; they share one forward pass.

    The explanation gets a leading axis, one entry for each target.
    """

    targets: Sequence[Any]

    def __post_init__(self) -> None:
        if len(self.targets) == 0:
            raise InvalidInput("Each needs at least one target, got none.")


def as_target(target: Any) -> Target:
    """The target that a user's argument means: None, class, classes, tensor, function, Target."""
    if target is None:
        return Highest()
    if isinstance(target, Target):
        return target
    if isinstance(target, bool):
        raise InvalidInput("target= must be a class index, got a bool.")
    if isinstance(target, int):
        return Logit(target)
    if isinstance(target, Tensor) and target.is_floating_point():
        return Weights(target)
    if isinstance(target, (Tensor, list, tuple)) or hasattr(target, "__array__"):
        return Logit(torch.as_tensor(target))
    if callable(target):
        return Function(cast(Callable[[Any], Tensor], target))
    raise InvalidInput(
        f"target= must be None, a class, one class for each sample, a target from whence.targets "
        f"or a function of the output; got {type(target).__name__}."
    )


def _sum(relevance: Tensor) -> Tensor:
    """One number for each sample; an output of shape (batch,) already is that."""
    return relevance.flatten(1).sum(1) if relevance.dim() > 1 else relevance


def _rows(output: Tensor) -> Tensor:
    """The output as (batch, classes)."""
    if output.dim() == 1:
        return output[:, None]
    if output.dim() != 2:
        raise InvalidInput(
            f"A class target needs an output of shape (batch, classes), got "
            f"{tuple(output.shape)}. Use targets.Neuron(index), targets.Weights(tensor) or a "
            "function such as lambda output: output[:, k].sum((1, 2))."
        )
    return output


def _one_hot(output: Tensor, k: Class) -> Tensor:
    rows = _rows(output)
    batch, classes = rows.shape
    if isinstance(k, int):
        if not -classes <= k < classes:
            raise InvalidInput(f"Classes run from 0 to {classes - 1}, got {k}.")
        hot = torch.zeros_like(rows)
        hot[:, k] = 1
        return hot.view(output.shape)
    index = torch.as_tensor(k, device=output.device)
    if index.dim() == 0:
        index = index.expand(batch)
    if index.shape != (batch,):
        raise InvalidInput(
            f"One class for each of the {batch} samples is needed, got shape {tuple(index.shape)}."
        )
    low, high = int(index.min()), int(index.max())
    if low < -classes or high >= classes:
        raise InvalidInput(f"Classes run from 0 to {classes - 1}, got {low if low < 0 else high}.")
    hot = torch.zeros_like(rows)
    hot[torch.arange(batch, device=output.device), index.long()] = 1
    return hot.view(output.shape)
