"""The explained number by a plain forward pass, for methods that only look at the model's answers."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from whence.explainers._inputs import Inputs
from whence.explainers._start import pick_output
from whence.targets import Highest, Logit, Target, as_target


def answer(model: Callable[..., Any], inputs: Any, output: Any = None) -> Tensor:
    """The model's explained output tensor, without gradients, computed on a copy of the inputs."""
    given = Inputs.of(inputs)
    given = Inputs.of(given.replaced([leaf.detach().clone() for leaf in given.leaves]))
    with torch.no_grad():
        return pick_output(model(*given.args, **given.kwargs), output)


def fix_target(target: Any, output: Tensor) -> Target:
    """The target with "the highest" turned into the class that wins on this output, so that
    perturbed copies of an input are all asked about the same class."""
    found = as_target(target)
    return Logit(found.classes(output)) if isinstance(found, Highest) else found


def repeat_target(target: Target, times: int, batch: int) -> Target:
    """The target for a batch that was repeated as a whole: what it has for each sample repeats."""
    if times == 1 or not is_dataclass(target):
        return target

    def repeat(held: Any) -> Any:
        if isinstance(held, Target):
            return repeat_target(held, times, batch)
        if isinstance(held, (list, tuple)) and len(held) == batch:
            return list(held) * times
        if isinstance(held, Tensor) and held.dim() and len(held) == batch > 1:
            return held.repeat(times, *[1] * (held.dim() - 1))
        return held

    shared = ("at", "index")
    held = {each.name: getattr(target, each.name) for each in fields(target)}
    return replace(target, **{n: v if n in shared else repeat(v) for n, v in held.items()})
