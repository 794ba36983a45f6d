"""The explained number by a plain forward pass, for methods that only look at answers."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from whence.explainers._inputs import Inputs
from whence.explainers._language import located
from whence.explainers._start import pick_output
from whence.targets import Highest, Logit, Target, as_target


def answer(model: Callable[..., Any], inputs: Any, output: Any = None) -> Tensor:
    """The model's explained output tensor, without gradients, computed on a copy of the inputs."""
    given = Inputs.of(inputs)
    given = Inputs.of(given.replaced([leaf.detach().clone() for leaf in given.leaves]))
    with torch.no_grad():
        return pick_output(model(*given.args, **given.kwargs), output)


def fix_target(target: Any, output: Tensor, given: Inputs) -> Target:
    """The target with "the highest" turned into the class that wins on this output, so that
    perturbed copies of an input are all asked about the same class."""
    found = located(as_target(target), given, output)
    if isinstance(found, Highest):
        return Logit(found.classes(output), found.position)
    return found
