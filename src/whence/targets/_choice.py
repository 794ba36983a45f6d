"""Several targets at once, and what a user's `target=` means."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.targets._classes import Highest, Logit
from whence.targets._output import Function, Weights
from whence.targets._target import Target


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
