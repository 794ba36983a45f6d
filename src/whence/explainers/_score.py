"""The explained number by a plain forward pass, for methods that only look at the model's answers."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from whence.explainers._inputs import Inputs
from whence.explainers._start import pick_output
from whence.targets import Highest, Logit, Target, as_target


def answer(model: Callable[..., Any], inputs: Any, output: Any = None) -> Tensor:
    """The model's explained output tensor, without gradients."""
    given = Inputs.of(inputs)
    with torch.no_grad():
        return pick_output(model(*given.args, **given.kwargs), output)


def fix_target(target: Any, output: Tensor) -> Target:
    """The target with "the highest" turned into the class that wins on this output, so that
    perturbed copies of an input are all asked about the same class."""
    found = as_target(target)
    return Logit(found.classes(output)) if isinstance(found, Highest) else found


def repeat_target(target: Target, times: int) -> Target:
    """The target for a batch that was repeated as a whole."""
    if isinstance(target, Logit) and not isinstance(target.k, int):
        return Logit(torch.as_tensor(target.k).repeat(times))
    return target
