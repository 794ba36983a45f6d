"""Which values are known to be non-negative without looking at them.

Behind a ReLU and pooling the sign is known from the data flow, so half of the branches of z+,
alpha-beta and gamma are zero and need not run.
"""

from whence.engine._tape import Op, tensors_in

_ALWAYS = set("relu sigmoid softmax hardsigmoid softplus abs square sqrt exp relu6".split())
_MIXES_CONSTANTS = set(
    """where masked_fill setitem copy index_put index_copy scatter select_scatter slice_scatter
    masked_scatter index_fill fill rewrite pad constant_pad_nd alpha_dropout
    feature_alpha_dropout diff index_add index_reduce interpolate grid_sample sub""".split()
)
_KEEPS = {"index", "average", "max", "sum"}


def sign_of(op: Op) -> bool | None:
    """True where the operation's output is known to be >= 0, None where it is not known."""
    if op.name in _ALWAYS:
        return True
    if op.name == "hardtanh":
        return True if op.argument(1, "min_val", -1.0) >= 0 else None
    if op.name in ("clamp", "clamp_min"):
        low = op.argument(1, "min")
        return True if isinstance(low, (int, float)) and low >= 0 else None
    if op.name in ("pad", "constant_pad_nd"):
        value = op.argument(3, "value", 0) or 0
        return op.inputs[0].sign if value >= 0 else None
    if op.nature in _KEEPS and op.name not in _MIXES_CONSTANTS and _only_values(op):
        return True if all(value.sign for value in op.inputs) else None
    if op.nature == "product" and op.name == "mul":
        return True if all(value.sign for value in op.inputs) else None
    return None


def _only_values(op: Op) -> bool:
    """Constants have signs of their own, so only what is made of values alone counts."""
    if op.nature == "sum":
        return len(op.inputs) == 2
    constants = tensors_in([list(op.args), op.kwargs])
    return not any(tensor.is_floating_point() for tensor in constants)
