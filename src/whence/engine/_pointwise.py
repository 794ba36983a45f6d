"""Pointwise functions: relevance passes, R_in = R_out but for f(0), which is booked as bias.

With R = a c on both sides: c_in = c_out (f(x) - f(0)) / x, and f'(0) where x = 0.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from whence.engine._adjoints import call_again, known
from whence.engine._message import Message
from whence.engine._node import Node


def send_pointwise(node: Node) -> list[Message | None]:
    """The message below a pointwise function; relevance R passes unchanged, also where x = 0."""
    message = node.message
    if message.c is None:
        return [message]
    if node.op.name == "relu":
        return [_behind_relu(node, message)]
    closed = _RATIO.get(node.op.name)
    ratio = closed(node) if closed is not None else None
    if ratio is None:
        ratio = _ratio(node)
    if node.booking and node.op.name not in _ZERO_AT_ZERO:
        # what was masked by minus infinity is a constant: it keeps f there
        fixed = torch.where(node.input().isinf(), node.output, _at_zero(node))
        node.book(bias=message.c * fixed)
    return [Message(message.c * ratio, message.R)]


def _behind_relu(node: Node, message: Message) -> Message:
    gate, c = known(node.op.outputs[0]), message.c
    if c is not None and gate.dtype == c.dtype and not node.context.graph:
        # x c [x > 0] = y c
        return Message(c, message.R, gate=gate, fresh=message.fresh, total=message.total)
    return Message(node.vjp([c])[0], message.R)


def _ratio(node: Node) -> Tensor:
    """(f(x) - f(0)) / x, in float64 where f(0) is not zero, since the difference cancels."""
    x, y = node.input(), node.output
    zero = _at_zero(node)
    slope = _slope_at_zero(node)
    if node.op.name not in _ZERO_AT_ZERO:
        y = call_again(node.op, [x.double()])[0] - zero.double()
        ratio = y / torch.where(x == 0, 1, x).double()
        ratio = torch.where(x.abs() < 1e-9, slope.double(), ratio)
        return ratio.to(x.dtype)
    return torch.where(x == 0, slope, y / torch.where(x == 0, 1, x))


def _at_zero(node: Node) -> Tensor:
    x = node.input()
    return call_again(node.op, [torch.zeros_like(x[:1])])[0].detach()


def _slope_at_zero(node: Node) -> Tensor:
    with torch.enable_grad():
        x = torch.zeros_like(node.input()[:1]).requires_grad_()
        y = call_again(node.op, [x])[0]
        slope = torch.autograd.grad(y.sum(), x)[0] if y.requires_grad else torch.zeros_like(x)
    return slope.detach().nan_to_num(0.0, 0.0, 0.0)


def _silu(node: Node) -> Tensor:
    return torch.sigmoid(node.input())


def _gelu(node: Node) -> Tensor:
    x = node.input()
    if node.op.outputs[0].dtype == x.dtype:
        # torch's own y: for x << 0 the closed form rounds differently, and the book would not close
        return torch.where(x == 0, 0.5, node.output / torch.where(x == 0, 1, x))
    if node.op.kwargs.get("approximate", "none") == "tanh":
        inner = (2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)
        return 0.5 * (1 + torch.tanh(inner))
    return 0.5 * (1 + torch.erf(x / 2**0.5))


def _sigmoid(node: Node) -> Tensor:
    x = node.input()
    safe = torch.where(x == 0, 1, x)  # sigmoid(x) - 1/2 = tanh(x / 2) / 2, exact near zero
    return torch.where(x == 0, 0.25, torch.tanh(safe / 2) / (2 * safe))


def _leaky_relu(node: Node) -> Tensor:
    slope = node.op.argument(1, "negative_slope", 0.01)
    # the sign of the output is the sign of the input, which may have been overwritten
    positive = known(node.op.outputs[0]) >= 0 if slope > 0 else node.input() > 0
    dtype = node.input().dtype
    one = torch.ones((), dtype=dtype, device=positive.device)
    return torch.where(positive, one, one * slope)


_RATIO: dict[str, Callable[[Node], Tensor]] = {
    "silu": _silu,
    "gelu": _gelu,
    "sigmoid": _sigmoid,
    "leaky_relu": _leaky_relu,
}
_ZERO_AT_ZERO = set(
    """relu relu6 leaky_relu elu celu selu gelu silu mish hardswish hardshrink softshrink softsign
    tanhshrink tanh prelu rrelu abs sqrt square sin tan sinh asinh atan asin erf log1p expm1 pow
    nan_to_num""".split()
)
