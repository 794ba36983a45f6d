"""Rules for products of two tensors that both depend on the input."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from whence._numerics import divide
from whence.engine import Message, Node, Op, Value
from whence.rules._rule import Rule

_ELEMENTWISE = {"pointwise", "scale", "sum", "product", "inverse"}
_CASTS = {"to", "float", "double", "half", "bfloat16", "type", "type_as", "contiguous", "clone"}
_GATES = {"sigmoid", "hardsigmoid", "softmax", "rsqrt", "reciprocal"}


@dataclass(frozen=True)
class HalfEach(Rule):
    """Each factor gets an equal share: c_x = (1/n) J_x^T c for n factors.

    For z = x y: R_x = R_y = R / 2. For matrix products it is the uniform rule. In a quotient
    x / y the denominator is held constant and x takes all.

    References: [achtibat2024, eq. 15], [arras2019].
    """

    natures: ClassVar[tuple[str, ...]] = ("product",)
    source: ClassVar[str] = "achtibat2024, eq. 15"

    def send(self, node: Node) -> list[Message | None]:
        if node.op.name in ("div", "rtruediv"):
            return signal_takes_all(node, 0 if node.op.name == "div" else 1)
        live = [node.live(i) for i in range(len(node.op.inputs))]
        cs = node.vjp([coefficient_of(node)])
        return [
            Message(c / sum(live)) if here and c is not None else None
            for here, c in zip(live, cs, strict=True)
        ]


@dataclass(frozen=True)
class SignalTakesAll(Rule):
    """The signal takes all, the gate takes none; two signals share equally.

        z = x_gate x_signal:  R_signal = R,  R_gate = 0

    A factor is a gate if a sigmoid, softmax or normaliser made it (seen through reshaping and
    constant scales), or if it is a pointwise function of the other factor, as in x * sigmoid(x).

    References: [arras2017, sec. 3.2].
    """

    natures: ClassVar[tuple[str, ...]] = ("product",)
    source: ClassVar[str] = "arras2017, sec. 3.2"

    def send(self, node: Node) -> list[Message | None]:
        op = node.op
        if op.name in ("div", "rtruediv"):
            return signal_takes_all(node, 0 if op.name == "div" else 1)
        if op.name != "mul" or len(op.inputs) != 2 or op.inputs[0] is op.inputs[1]:
            return HalfEach().send(node)
        if not (node.live(0) and node.live(1)):
            return HalfEach().send(node)
        first, second = op.inputs
        gates = [_is_gate(first, second), _is_gate(second, first)]
        if gates[0] == gates[1]:
            return HalfEach().send(node)
        return signal_takes_all(node, gates.index(False))


def signal_takes_all(node: Node, signal: int) -> list[Message | None]:
    """c to one factor, with the others held constant."""
    cs = node.vjp([coefficient_of(node)])
    return [Message(c) if i == signal and c is not None else None for i, c in enumerate(cs)]


def coefficient_of(node: Node) -> Tensor:
    """The message as one coefficient; relevance that is not of the form a c enters as R / z."""
    message = node.message
    if message.R is None:
        assert message.c is not None
        return message.c
    z = node.output
    if node.booking:
        node.book(dropped=torch.where(z == 0, message.R, 0))
    from_R = divide(message.R, z)
    return from_R if message.c is None else message.c + from_R


def _is_gate(value: Value, signal: Value) -> bool:
    """Whether a factor only opens and closes the way for the other."""
    op = value.op
    while op is not None and len(op.inputs) == 1 and op.nature in ("index", "scale", "sum"):
        op = op.inputs[0].op
    if op is None:
        return False
    if op.name in _GATES or op.nature == "inverse":
        return True
    return gates_itself(value, signal)


def gates_itself(value: Value, signal: Value) -> bool:
    """Whether `value` is a pointwise function of `signal` alone, as in x * sigmoid(x)."""
    return value is not signal and _pointwise_of(value, _origin(signal))


def _origin(value: Value) -> Value:
    while value.op is not None and len(value.op.inputs) == 1:
        if value.op.nature != "scale" and value.op.name not in _CASTS:
            break
        value = value.op.inputs[0]
    return value


def _pointwise_of(value: Value, origin: Value) -> bool:
    """Whether `value` is computed from `origin` alone, element by element, and is not it."""
    seen = False
    open_values = [value]
    for _ in range(50):
        if not open_values:
            return seen
        current = open_values.pop()
        if current is origin:
            continue
        op: Op | None = current.op
        if op is None:
            return False
        if op.nature not in _ELEMENTWISE and op.name not in _CASTS:
            return False
        seen = seen or op.nature in ("pointwise", "inverse")
        open_values.extend(op.inputs)
    return False
