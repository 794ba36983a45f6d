"""Vector-Jacobian products of recorded operations.

Closed forms for the operations that fill convolutional nets; everything else is run once more on
detached copies of its inputs under a local `enable_grad`. Whether the user froze parameters,
trains them, or runs under `no_grad` makes no difference.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from whence.engine._message import working_dtype
from whence.engine._tape import Op, Slot, Value, fill

Grads = list[Tensor | None]


def vjp(op: Op, grads: Grads, *, graph: bool = False) -> Grads:
    """One gradient for each dependent input, given one (or None) for each output."""
    closed = _CLOSED.get(op.name)
    if closed is not None and len(grads) == 1 and grads[0] is not None:
        result = closed(op, grads[0])
        if result is not None:
            return result
    return general_vjp(op, grads, graph=graph)


def general_vjp(op: Op, grads: Grads, *, graph: bool = False) -> Grads:
    """The product by running the operation again; the slow, general path."""
    data = [known(value) for value in op.inputs]
    with torch.enable_grad():
        fresh = [_fresh(tensor, graph) for tensor in data]
        outputs = call_again(op, fresh)
        pairs = [
            (out, grad.to(out.dtype))
            for out, grad in zip(outputs, grads, strict=True)
            if grad is not None and out.requires_grad
        ]
        if not pairs:
            return [None] * len(fresh)
        outs, seeds = zip(*pairs, strict=True)
        found = torch.autograd.grad(outs, fresh, seeds, allow_unused=True, create_graph=graph)
    return list(found)


def call_again(op: Op, tensors: list[Tensor]) -> list[Tensor]:
    """The operation's outputs on other inputs; a write in place goes to a copy."""
    args = [_widen(fill(argument, tensors), tensors) for argument in op.args]
    kwargs = {key: _widen(fill(each, tensors), tensors) for key, each in op.kwargs.items()}
    writes = op.kind.writes(op.args, op.kwargs)
    if writes:
        args[0] = args[0].clone()
    if op.name in _WRITE_INTO and tensors[0].is_floating_point():
        args[0] = args[0].to(torch.promote_types(args[0].dtype, tensors[0].dtype))
    result = op.func(*args, **kwargs)
    if writes and op.name == "setitem":
        result = args[0]
    return [result] if isinstance(result, Tensor) else _flatten(result)


# what token ids are written into is made of integers, while their relevance is not
_WRITE_INTO = set(
    """setitem copy index_put index_copy scatter select_scatter slice_scatter
    masked_scatter""".split()
)


def known(value: Value) -> Tensor:
    """The value's tensor; where only a ReLU read it, the ReLU's output (equal where it counts).

    What a cheap operation made and nobody kept is computed again.
    """
    while value.data is None and value.stand_in is not None:
        value = value.stand_in
    if value.data is None:
        if value.op is None:
            raise RuntimeError("a recorded value was freed too early")
        restore(value)
    assert value.data is not None
    return value.data


def restore(value: Value) -> Tensor:
    """The value's exact tensor, computed again if only a stand-in for it is left."""
    if value.data is None and value.op is not None:
        op = value.op
        tensors = [known(each) for each in op.inputs]
        if op.joined is not None and op.before:
            tensors = call_again(op.joined, tensors)
        exact = call_again(op, tensors)[value.slot]
        if op.joined is not None and not op.before:
            exact = call_again(op.joined, [exact])[0]
        value.keep(exact)
    return known(value)


def restrict(tensor: Tensor, shape: torch.Size) -> Tensor:
    """Sum over the axes along which an operand was broadcast."""
    return tensor if tensor.shape == shape else tensor.sum_to_size(shape)


def _fresh(tensor: Tensor, graph: bool) -> Tensor:
    if graph:
        return tensor.view_as(tensor)
    if not tensor.is_floating_point():
        return tensor.detach().double().requires_grad_()
    return tensor.detach().to(working_dtype(tensor.dtype)).requires_grad_()


def _widen(argument: Any, tensors: list[Tensor]) -> Any:
    """Half-precision constants follow their dependent partners to float32."""
    if not isinstance(argument, Tensor) or not argument.is_floating_point():
        return argument
    wanted = tensors[0].dtype
    halves = (torch.float16, torch.bfloat16)
    return argument.to(wanted) if argument.dtype in halves and wanted not in halves else argument


def _flatten(result: Any) -> list[Tensor]:
    if isinstance(result, Tensor):
        return [result]
    if not isinstance(result, (list, tuple)):
        return []  # attention gives None for weights that nobody asked for
    return [tensor for each in result for tensor in _flatten(each)]


# -- closed forms: (op, c) -> one c for each dependent input, or None to use the general path -----


def _reshape(op: Op, c: Tensor) -> Grads:
    return [c.reshape(op.inputs[0].shape)]


def _same(op: Op, c: Tensor) -> Grads | None:
    return [c] if len(op.inputs) == 1 and c.shape == op.inputs[0].shape else None


def _cast(op: Op, c: Tensor) -> Grads | None:
    """Another precision or device of the same values: c keeps the higher precision."""
    if len(op.inputs) != 1 or not op.inputs[0].dtype.is_floating_point:
        return None
    wide = torch.promote_types(c.dtype, working_dtype(op.inputs[0].dtype))
    return [c.to(known(op.inputs[0]).device, wide)]


def _add(op: Op, c: Tensor) -> Grads:
    return [restrict(c, value.shape) for value in op.inputs]


def _sub(op: Op, c: Tensor) -> Grads | None:
    if len(op.inputs) == 2:
        return [restrict(c, op.inputs[0].shape), restrict(-c, op.inputs[1].shape)]
    first = op.args[0] if op.args else None
    return [restrict(-c if isinstance(first, (Tensor, float)) else c, op.inputs[0].shape)]


def _mul(op: Op, c: Tensor) -> Grads | None:
    """c times the other factor, which may be a constant."""
    floats = all(value.dtype.is_floating_point for value in op.inputs)
    if len(op.args) != 2 or op.kwargs or not floats:
        return None
    given = [known(op.inputs[each]) if isinstance(each, Slot) else each for each in op.args]
    grads: Grads = [None] * len(op.inputs)
    for slot, other in zip(op.args, given[::-1], strict=True):
        if isinstance(slot, Slot):
            grads[slot] = restrict(c * other, op.inputs[slot].shape)
    return grads


def _transpose(op: Op, c: Tensor) -> Grads | None:
    one, other = op.argument(1, "dim0"), op.argument(2, "dim1")
    return None if one is None or other is None else [c.transpose(one, other)]


def _permute(op: Op, c: Tensor) -> Grads | None:
    given = op.args[1:] if len(op.args) > 1 else (op.kwargs.get("dims"),)
    dims: list[Any] = list(given[0] if isinstance(given[0], (tuple, list)) else given)
    if not all(isinstance(dim, int) for dim in dims):
        return None
    places = [dim % len(dims) for dim in dims]
    return [c.permute([places.index(axis) for axis in range(len(dims))])]


def _neg(op: Op, c: Tensor) -> Grads:
    return [-c]


def _cat(op: Op, c: Tensor) -> Grads | None:
    parts = op.args[0] if op.args else op.kwargs.get("tensors")
    if parts is None or len(parts) != len(op.inputs):
        return None
    dim = op.argument(1, "dim", 0)
    return list(c.split([value.shape[dim] for value in op.inputs], dim))


def _relu(op: Op, c: Tensor) -> Grads:
    return [torch.ops.aten.threshold_backward(c, known(op.outputs[0]).to(c.dtype), 0)]


def _max_pool(op: Op, c: Tensor) -> Grads | None:
    """Send each c to the position that won, whatever the pooling's geometry."""
    if op.extra is None:
        return None
    shape = op.inputs[0].shape
    dims = int(op.name[-2])
    flat = c.new_zeros((*shape[:-dims], shape[-dims:].numel())).flatten(0, -2)
    index = op.extra.flatten(-dims).flatten(0, -2)
    flat = flat.scatter_add(1, index, c.flatten(-dims).flatten(0, -2))
    return [flat.view(shape)]


def _max_pool2d(op: Op, c: Tensor) -> Grads | None:
    """Torch's own backward kernel, where it applies (floats, batched)."""
    data = op.inputs[0].data
    if op.extra is None or data is None or data.dtype != c.dtype:
        return _max_pool(op, c)
    kernel = op.argument(1, "kernel_size")
    stride = op.argument(2, "stride") or kernel
    padding, dilation = op.argument(3, "padding", 0), op.argument(4, "dilation", 1)
    pairs = [[n, n] if isinstance(n, int) else list(n) for n in (kernel, stride, padding, dilation)]
    ceil = bool(op.argument(5, "ceil_mode", False))
    backward = torch.ops.aten.max_pool2d_with_indices_backward
    return [backward(c, data, *pairs, ceil, op.extra)]


def _mean_over_space(op: Op, c: Tensor) -> Grads | None:
    size = op.argument(1, "output_size")
    shape = op.inputs[0].shape
    if size not in (1, (1, 1), [1, 1]) or len(shape) < 3:
        return None
    return [(c / shape[-2:].numel()).expand(shape)]


_CLOSED: dict[str, Callable[[Op, Tensor], Grads | None]] = {
    **dict.fromkeys(
        "view reshape flatten unflatten squeeze unsqueeze view_as reshape_as ravel".split(),
        _reshape,
    ),
    **dict.fromkeys(
        "contiguous clone positive dropout dropout1d dropout2d dropout3d".split(), _same
    ),
    **dict.fromkeys("to float double half bfloat16 type type_as cpu cuda".split(), _cast),
    "mul": _mul,
    "transpose": _transpose,
    "permute": _permute,
    "add": _add,
    "sub": _sub,
    "neg": _neg,
    "cat": _cat,
    "relu": _relu,
    "max_pool1d": _max_pool,
    "max_pool2d": _max_pool2d,
    "max_pool3d": _max_pool,
    "adaptive_max_pool1d": _max_pool,
    "adaptive_max_pool2d": _max_pool,
    "adaptive_max_pool3d": _max_pool,
    "adaptive_avg_pool2d": _mean_over_space,
}
