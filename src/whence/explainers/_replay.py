"""Recorded operations run again on other values: what the net above or below would have done."""

from typing import Any

import torch
from torch import Tensor

from whence.engine import Op, Tape, Value, call_again, known

_GATES = ("relu", "relu6", "leaky_relu")


def forward(op: Op, tensors: list[Tensor]) -> list[Tensor]:
    """An operation's outputs on other inputs, with the batch norm that was joined into it."""
    if op.joined is None:
        return call_again(op, tensors)
    if op.before:
        return call_again(op, call_again(op.joined, tensors))
    return call_again(op.joined, call_again(op, tensors))


def replay(tape: Tape, value: Value, data: Tensor) -> dict[int, Tensor]:
    """What the operations after a value make if it holds `data` instead, by id of their values."""
    found = {id(value): data}
    for op in tape.ops:
        if any(id(each) in found for each in op.inputs):
            inputs = [found[id(v)] if id(v) in found else known(v) for v in op.inputs]
            made = forward(op, inputs)
            found |= {id(v): made[v.slot] for v in op.outputs if id(v) not in found}
    return found


def switched(tape: Tape, op: Op, root: Tensor, place: tuple[int, int]) -> tuple[int, int]:
    """ReLUs from an operation on that switch if it is given `root`, of how many; not the neuron's
    own. place: the sample, and the neuron among the operation's outputs."""
    sample, j = place
    data = known(op.inputs[0])
    other = data.clone()
    other[sample] = root.to(data)
    here, there = (replay(tape, op.inputs[0], each) for each in (data, other))
    count = total = 0
    for each in tape.ops:
        value = each.inputs[0] if each.inputs else None
        if each.name not in _GATES or id(value) not in there:
            continue
        gates = [run[id(value)][sample].flatten() > 0 for run in (here, there)]
        differ = gates[0] != gates[1]
        own = value is op.outputs[0]
        if own:
            differ[j] = False
        count, total = count + int(differ.sum()), total + differ.numel() - own
    return count, total


def approach(
    tape: Tape, value: Value, wanted: tuple[int, Tensor], *, tries: int, rate: float, box: Any
) -> float:
    """The smallest ||h(x') - point|| that Adam finds over inputs x', from the recorded one on, h
    being a value. wanted: (sample, point); box: (low, high) of valid inputs, or None."""
    sample, point = wanted
    leaf = tape.leaves[0]
    x = known(leaf).detach().clone().requires_grad_()
    adam = torch.optim.Adam([x], lr=rate * float(known(leaf).std().clamp(min=1e-3)))
    least = float((known(value)[sample] - point).norm())
    with torch.enable_grad():
        for _ in range(tries):
            gap = (replay(tape, leaf, x)[id(value)][sample] - point).norm()
            least = min(least, float(gap.detach()))
            x.grad = torch.autograd.grad(gap, x)[0]
            adam.step()
            if box is not None:
                x.data = clamped(x.data, box)
    return least


def clamped(x: Tensor, box: tuple[Any, Any]) -> Tensor:
    """x in the box (low, high) of numbers or tensors that broadcast to it."""
    low, high = (torch.as_tensor(bound, dtype=x.dtype, device=x.device) for bound in box)
    return torch.minimum(torch.maximum(x, low), high)
