"""Joining batch norms into their linear neighbours, on the tape, by data flow.

conv -> norm is one linear map if the norm is the only reader of the convolution. norm -> conv is
one if the convolution is unpadded (padding would see the shift as zero) and the norm's only
reader. The user's weights stay as they are; the joined operation answers to both module paths.
"""

from torch import Tensor

from whence.engine._tape import Op, Tape, Value

_WEIGHTED = {
    "linear",
    *(f"conv{n}d" for n in (1, 2, 3)),
    *(f"conv_transpose{n}d" for n in (1, 2, 3)),
}


def join(tape: Tape) -> None:
    """Merge what can be merged; everything else stays an operation of its own."""
    outputs = {id(value) for value in tape.values.values()}
    gone: set[int] = set()
    renamed: dict[int, Value] = {}
    for norm in tape.ops:
        if norm.name != "batch_norm" or norm.nature != "affine" or id(norm) in gone:
            continue
        if _statistics_depend(norm):
            continue
        made_by, value = norm.inputs[0].op, norm.inputs[0]
        if made_by is not None and _joinable(made_by, value, outputs):
            _join_after(made_by, norm)
            renamed[id(value)] = norm.outputs[0]
            gone.add(id(norm))
        elif _join_before(norm, outputs):
            renamed[id(norm.outputs[0])] = norm.outputs[0].readers[0].outputs[0]
            gone.add(id(norm))
    _rename(tape, renamed)
    tape.ops = [op for op in tape.ops if id(op) not in gone]


def _statistics_depend(norm: Op) -> bool:
    return len(norm.inputs) != 1 or norm.argument(1, "running_mean") is None


def _joinable(op: Op, value: Value, outputs: set[int]) -> bool:
    if op.nature != "linear" or op.name not in _WEIGHTED or op.joined is not None:
        return False
    weight = op.argument(1, "weight")
    batched = isinstance(weight, Tensor) and len(value.shape) == weight.dim()
    return batched and len(value.readers) == 1 and id(value) not in outputs


def _join_after(op: Op, norm: Op) -> None:
    old, new = op.outputs[0], norm.outputs[0]
    op.joined, op.before = norm, False
    op.paths = (*op.paths, *norm.paths)
    op.outputs = [new]
    new.op, new.slot = op, 0
    old.drop()


def _join_before(norm: Op, outputs: set[int]) -> bool:
    value = norm.outputs[0]
    if len(value.readers) != 1 or id(value) in outputs:
        return False
    op = value.readers[0]
    weight = op.argument(1, "weight")
    ready = op.nature == "linear" and op.joined is None and op.inputs[0] is value
    if not ready or not (op.name == "linear" or _plain(op)):
        return False
    if not isinstance(weight, Tensor) or len(value.shape) != weight.dim():
        return False
    op.joined, op.before = norm, True
    op.paths = (*norm.paths, *op.paths)
    op.inputs = list(norm.inputs)
    norm.inputs[0].readers = [op if reader is norm else reader for reader in norm.inputs[0].readers]
    value.drop()
    return True


def _plain(op: Op) -> bool:
    """An unpadded, ungrouped, ordinary convolution."""
    if op.name not in ("conv1d", "conv2d", "conv3d"):
        return False
    padding = op.argument(4, "padding", 0)
    none = padding in (0, "valid") or (isinstance(padding, (tuple, list)) and not any(padding))
    return none and op.argument(6, "groups", 1) == 1


def _rename(tape: Tape, renamed: dict[int, Value]) -> None:
    """Whoever asks for a part's output gets the joined operation's."""
    if not renamed:
        return
    for calls in tape.modules.values():
        for outputs in calls:
            outputs[:] = [_last(value, renamed) for value in outputs]


def _last(value: Value, renamed: dict[int, Value]) -> Value:
    while id(value) in renamed:
        value = renamed[id(value)]
    return value
