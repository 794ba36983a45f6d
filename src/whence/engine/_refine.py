"""What an operation is in this call: its nature can depend on which arguments the input reaches.

`x * 2` is a scale, `x * y` a product; a convolution with computed weights is a product; batch norm
in training mode is nothing that can be explained. Also runs the few calls that need to keep more
than their result (the winners of a max pooling, the mask of a dropout in training).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from whence.engine._kinds import Kind
from whence.engine._recurrent import only_states_depend
from whence.engine._tape import Op, Slot, Tape, tensors_in
from whence.errors import UnsupportedModel

_PRODUCTS = {"mul", "div", "rtruediv", "true_divide"}
_WINNERS = {f"{prefix}max_pool{n}d" for prefix in ("", "adaptive_") for n in (1, 2, 3)}
_DROPOUTS = {"dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout"}


def refine(op: Op, tape: Tape) -> None:
    """Set the operation's nature for this call, and remarks where it cannot be explained."""
    name = op.name
    if op.nature == "scale":
        _refine_scale(op)
    elif op.nature == "linear":
        _refine_linear(op)
    elif name == "embedding" and not isinstance(op.argument(0, "input"), Slot):
        op.nature = "index"
    elif name == "batch_norm" and op.argument(5, "training", False):
        _refuse(op, "batch norm in training mode mixes the samples; call model.eval() first")
    elif name == "instance_norm" and not op.argument(5, "use_input_stats", True):
        op.nature = "affine"
    elif name in _DROPOUTS and op.argument(2, "training", name == "dropout") is True:
        _freeze_dropout(op, tape)
    elif name.endswith("alpha_dropout") and op.argument(2, "training", False):
        _refuse(op, "alpha dropout in training mode; call model.eval() first")
    elif name == "rrelu" and op.argument(3, "training", False):
        _refuse(op, "random leaky ReLU in training mode; call model.eval() first")
    elif name == "pow" and (len(op.inputs) > 1 or not _positive_power(op)):
        op.nature = "inverse"
    elif name == "rpow":
        op.nature = "pointwise"
    elif op.nature == "recurrent" and not only_states_depend(op):
        _refuse(op, "its weights depend on the input, and no rule shares relevance with weights")
    elif op.nature in ("norm", "affine") and len(op.inputs) > 1:
        _refuse(op, "a normalisation whose scale depends on the input has no rule")


def run(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run the call, keeping what its closed form needs."""
    result = _result(op, args, kwargs)
    if any(tensor.is_complex() for tensor in tensors_in(result)):
        raise UnsupportedModel(
            f"{op.where()} makes complex numbers of what depends on the input, and relevance is "
            "defined for real ones. Write the step with real numbers: a rotary embedding as "
            "x * cos + rotated(x) * sin."
        )
    return result


def _result(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if op.name in _WINNERS and op.func.__module__ == "torch.nn.functional":
        asked = op.argument(6 if not op.name.startswith("adaptive") else 2, "return_indices")
        if not asked:
            result, op.extra = op.func(*args, **{**kwargs, "return_indices": True})
            return result
    if op.name.startswith("fractional") and op.argument(5, "_random_samples") is None:
        samples = {"_random_samples": _regions(args[0], int(op.name[-2]))}
        op.kwargs, kwargs = {**op.kwargs, **samples}, {**kwargs, **samples}
    if op.func is torch.mul and isinstance(op.extra, Tensor):
        return args[0] * op.extra
    return op.func(*args, **kwargs)


def _regions(x: Tensor, dims: int) -> Tensor:
    """One draw of fractional pooling's regions, kept so that the way back sees the same."""
    batch = x.shape[0] if x.dim() == dims + 2 else 1
    return torch.rand(batch, x.shape[-dims - 1], dims, dtype=x.dtype, device=x.device)


def _refine_scale(op: Op) -> None:
    if len(op.inputs) == 2:
        op.nature = "product"
    elif op.name in ("div", "rtruediv") and not isinstance(_numerator(op), Slot):
        op.nature = "inverse"
    elif op.name == "div" and op.kwargs.get("rounding_mode") is not None:
        op.nature = "constant"


def _numerator(op: Op) -> Any:
    if op.name == "rtruediv":  # other / self
        return op.args[1]
    return op.args[0] if op.args else op.kwargs.get("input")


def _refine_linear(op: Op) -> None:
    if len(op.inputs) > 1:
        op.nature = "product"


def _positive_power(op: Op) -> bool:
    exponent = op.argument(1, "exponent")
    return isinstance(exponent, (int, float)) and exponent > 0


def _refuse(op: Op, reason: str) -> None:
    op.nature, op.extra = "unknown", reason


def _freeze_dropout(op: Op, tape: Tape) -> None:
    probability = op.argument(1, "p", 0.5)
    if probability == 0:
        return
    data = op.inputs[0].data
    assert data is not None
    op.extra = op.func(torch.ones_like(data), probability, True)
    tape.note(f"{op.where()} is in training mode: one random draw of it is explained.")
    scale: Callable[..., Tensor] = torch.mul
    op.kind, op.nature, op.func = Kind("mul", "scale"), "scale", scale
    op.args, op.kwargs = (Slot(0), op.extra), {}
