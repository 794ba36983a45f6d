"""Does the model end in a softmax or a sigmoid, and what are the scores before it?"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

# What autograd calls the operation that made the output.
_NODES = {
    "SoftmaxBackward0": "softmax",
    "LogSoftmaxBackward0": "log_softmax",
    "SigmoidBackward0": "sigmoid",
    "LogSigmoidBackward0": "log_sigmoid",
}
_CALLS = {"softmax", "log_softmax", "sigmoid", "special_softmax", "special_log_softmax"} | {
    "special_expit",
    "logsigmoid",
    "log_sigmoid",
}


def head_of(output: Any) -> str:
    """ "softmax", "log_softmax", "sigmoid", "log_sigmoid", or "scores" for anything else."""
    if not isinstance(output, Tensor) or output.grad_fn is None:
        return "scores"
    return _NODES.get(output.grad_fn.name(), "scores")


def are_probabilities(output: Any) -> bool:
    """Whether every row is at least 0 and sums to 1, as scores never do by chance."""
    if not isinstance(output, Tensor) or output.dim() != 2 or output.shape[1] < 2:
        return False
    if not output.is_floating_point():
        return False
    rows = output.detach()
    return bool((rows >= 0).all() and ((rows.sum(1) - 1).abs() < 1e-3).all())


class Scores(TorchFunctionMode):
    """Remembers what went into each softmax and sigmoid while a model runs."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[int, tuple[Tensor, Tensor]] = {}

    def before(self, output: Tensor) -> Tensor | None:
        """What the softmax or sigmoid that returned this tensor was given."""
        found = self._made.get(id(output))
        return None if found is None else found[1]

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") in _CALLS and isinstance(made, Tensor):
            given = args[0] if args else (kwargs or {}).get("input")
            if isinstance(given, torch.Tensor):
                self._made[id(made)] = (made, given)  # the tensor is kept, so its id stays its own
        return made
