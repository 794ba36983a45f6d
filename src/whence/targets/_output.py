"""Targets that weigh the output itself: a neuron, weights, given relevance, any function."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.targets._classes import Highest
from whence.targets._target import Target, sum_samples


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
            return sum_samples(self.relevance.to(output).expand_as(output))
        except RuntimeError as error:
            raise InvalidInput(
                f"Given relevance of shape {tuple(self.relevance.shape)} does not broadcast to "
                f"where it starts, shape {tuple(output.shape)}."
            ) from error


@dataclass(frozen=True, eq=False)
class Relative(Target):
    """A regression output relative to a reference value: f(x) - reference, booked as bias."""

    reference: float
    target: Target = field(default_factory=Highest)

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
