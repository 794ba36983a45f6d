"""Softmax and its kin, by their Taylor expansion at x: c by the plain gradient.

    y = f(x) = f(x) - J x  +  J x,   c_x = J^T c

The zero-order term f(x) - J x is what softmax absorbs; it is booked as softmax [achtibat2024].
"""

import torch
from torch import Tensor

from whence.engine._adjoints import call_again
from whence.engine._message import Message, working_dtype
from whence.engine._node import Node


def send_softmax(node: Node) -> list[Message | None]:
    """The message below a softmax; relevance R passes unchanged."""
    message = node.message
    c = message.c
    if c is None:
        return [Message(R=message.R)]
    c = c.to(torch.promote_types(c.dtype, working_dtype(node.op.inputs[0].dtype)))
    if node.op.name == "softmax":
        return [Message(_softmax(node, c), message.R)]
    if node.booking:
        absorbed = _log_softmax(node) if node.op.name == "log_softmax" else _by_torch(node)
        node.book(softmax=torch.where(c == 0, 0, c * absorbed))
    return [Message(node.vjp([c])[0], message.R)]


def _softmax(node: Node, c: Tensor) -> Tensor:
    """J = diag(y) - y y^T; where y = 0 the entry was masked, and x may be minus infinity."""
    y, dim = node.output.to(c.dtype), _dim(node)
    if node.booking:
        x = torch.where(y == 0, 0, node.input()).to(c.dtype)
        x = torch.where(y == 0, 0, x - x.amin(dim, keepdim=True))  # a sum with finfo.min overflows
        slope = y * (x - (y * x).sum(dim, keepdim=True))
        node.book(softmax=c * (y - slope))
    return y * (c - (y * c).sum(dim, keepdim=True))


def _log_softmax(node: Node) -> Tensor:
    """J = 1 - 1 p^T with p = exp(y): f(x) - J x = sum p x - log sum exp x, one for each row."""
    x, dim = node.input(), _dim(node)
    p = node.output.to(x.dtype).exp()
    mean = (p * torch.where(p == 0, 0, x)).sum(dim, keepdim=True)
    return mean - x.logsumexp(dim, keepdim=True)


def _by_torch(node: Node) -> Tensor:
    x = node.input().detach().requires_grad_()
    y, slope = torch.autograd.functional.jvp(
        lambda values: call_again(node.op, [values])[0], x, x.detach()
    )
    assert isinstance(y, Tensor)
    assert isinstance(slope, Tensor)
    return (y - slope).detach()


def _dim(node: Node) -> int:
    dim = node.op.argument(1, "dim")
    if dim is not None:
        return int(dim)
    return 0 if len(node.op.inputs[0].shape) in (0, 1, 3) else 1  # torch's old default
