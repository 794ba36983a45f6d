"""How relevance passes an operation for which no rule was chosen, one function for each nature.

Natures that need a choice (linear, product, attention, recurrent, ...) are not here: without a
rule they are an error that lists them all.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from whence.engine._adjoints import call_again, restrict
from whence.engine._embedding import WITH_CONSTANTS, send_embedding
from whence.engine._message import Message
from whence.engine._node import Node
from whence.engine._norms import send_norm
from whence.engine._pointwise import send_pointwise
from whence.engine._softmax import send_softmax
from whence.engine._tape import Op
from whence.engine._weights import affine_of

Sent = list[Message | None]
NEEDS_RULE = ("linear", "product", "attention", "recurrent", "inverse", "unknown")

# sums onto a tensor that was there before, which may be a constant
_ADDS_TO = {"index_add", "scatter_add"}
_CASTS = set("to float double half bfloat16 type type_as".split())


def send_index(node: Node) -> Sent:
    """Moved values carry their messages with them; what lands on constants is booked."""
    if node.booking and node.op.name in WITH_CONSTANTS:
        _book_constants(node)
    if node.booking and node.op.name in _CASTS:
        _book_rounding(node)
    return _both(node)


def send_average(node: Node) -> Sent:
    """c by the transpose; R in proportion to the inputs, in equal shares where all are zero."""
    cs = _vjp(node, [each and each.c for each in node.messages])
    sent = [Message(c) for c in cs]
    c, R = node.message.c, node.message.R
    if node.booking and c is not None and node.op.name in _ADDS_TO and len(sent) == 1:
        node.book(bias=c * _without_inputs(node))
    if R is not None:
        shares = _proportional(node, R)
        sent = [each.plus(Message(R=share)) for each, share in zip(sent, shares, strict=True)]
    return list(sent)


def send_sum(node: Node) -> Sent:
    """c to every addend; R in proportion to the addends; a constant addend is booked as bias."""
    message = node.message
    cs = _vjp(node, [message.c])
    sent = [Message(c) for c in cs]
    if node.booking and message.c is not None and len(node.op.inputs) == 1:
        # a masked score has a constant of -inf in it, and c = 0
        node.book(bias=torch.where(message.c == 0, 0, message.c * _without_inputs(node)))
    if message.R is None:
        return list(sent)
    if len(sent) == 1:
        share = restrict(message.R, node.op.inputs[0].shape)
        return [sent[0].plus(Message(R=share))]
    return [
        each.plus(Message(R=restrict(message.R * share, value.shape)))
        for each, share, value in zip(sent, _shares(node), node.op.inputs, strict=True)
    ]


def send_scale(node: Node) -> Sent:
    """c times the constant; R passes unchanged."""
    message = node.message
    c = _vjp(node, [message.c])[0]
    R = None if message.R is None else restrict(message.R, node.op.inputs[0].shape)
    return [Message(c, R)]


def send_affine(node: Node) -> Sent:
    """A batch norm that could not be joined: c times its scale, its shift booked as bias."""
    message = node.message
    if message.c is None:
        return [Message(R=message.R)]
    scale, shift = affine_of(_as_batch_norm(node.op), message.c.dtype)
    tail = [1] * (message.c.dim() - 2)
    if node.booking:
        node.book(bias=message.c * shift.view(-1, *tail))
    return [Message(message.c * scale.view(-1, *tail), message.R)]


def send_max(node: Node) -> Sent:
    """The winner takes all; norms, deviations and power pooling are homogeneous, f(t x) = t^n f(x),
    so that sum x f'(x) = n f(x), and c passes exactly as J^T c / n."""
    degree = _DEGREES.get(node.op.name)
    if degree is None:
        return _both(node)
    c, R = node.message.c, node.message.R
    sent = Message(_homogeneous(node, c, degree))
    if R is not None:
        y = node.output
        s = torch.where(y == 0, 0, R / torch.where(y == 0, 1, y))
        given = _homogeneous(node, s, degree)
        sent = sent.plus(Message(R=None if given is None else node.input() * given))
    return [sent]


SENDERS: dict[str, Callable[[Node], Sent]] = {
    "index": send_index,
    "average": send_average,
    "sum": send_sum,
    "scale": send_scale,
    "affine": send_affine,
    "pointwise": send_pointwise,
    "max": send_max,
    "norm": send_norm,
    "softmax": send_softmax,
    "embedding": send_embedding,
}
_NORMS = ("lp_pool1d", "lp_pool2d", "lp_pool3d", "norm", "vector_norm", "frobenius_norm", "std")
_DEGREES = {**dict.fromkeys(_NORMS, 1), "var": 2}


def _vjp(node: Node, grads: list[Tensor | None]) -> list[Tensor | None]:
    if all(grad is None for grad in grads):
        return [None] * len(node.op.inputs)
    return node.vjp(grads)


def _both(node: Node) -> Sent:
    cs = _vjp(node, [each and each.c for each in node.messages])
    Rs = _vjp(node, [each and each.R for each in node.messages])
    return [Message(c, R) for c, R in zip(cs, Rs, strict=True)]


def _book_rounding(node: Node) -> None:
    """A cast that rounds adds what it rounds by, a constant, as seen in the message's precision."""
    c, wide, narrow = node.message.c, node.op.inputs[0].dtype, node.op.outputs[0].dtype
    if c is None or not wide.is_floating_point or not narrow.is_floating_point:
        return
    eps = torch.finfo(narrow).eps
    if eps > torch.finfo(wide).eps and eps > torch.finfo(c.dtype).eps:
        # a mask may have become minus infinity, and c = 0
        node.book(bias=torch.where(c == 0, 0, c * (node.output - node.input())))


def _homogeneous(node: Node, c: Tensor | None, degree: int) -> Tensor | None:
    """J^T c / n; at zero, where a root has no slope, nothing."""
    given = _vjp(node, [c])[0]
    return None if given is None else given.nan_to_num(0.0, 0.0, 0.0) / degree


def _without_inputs(node: Node) -> Tensor:
    """f(0): what the operation gives from its constants alone."""
    zeros = [torch.zeros_like(node.input(i)) for i in range(len(node.op.inputs))]
    return call_again(node.op, zeros)[0]


def _book_constants(node: Node) -> None:
    for output, message in enumerate(node.messages):
        if message is None:
            continue
        inputs = [node.input(i) for i in range(len(node.op.inputs))]
        if message.c is not None:
            alone = call_again(node.op, [torch.zeros_like(x) for x in inputs])[output]
            node.book(bias=torch.where(message.c == 0, 0, message.c * alone))
        if message.R is not None:
            zero = call_again(node.op, [torch.zeros_like(x) for x in inputs])[output]
            one = call_again(node.op, [torch.ones_like(x) for x in inputs])[output]
            node.book(dropped=torch.where(one == zero, message.R, 0))


def _proportional(node: Node, R: Tensor) -> list[Tensor]:
    z = node.output
    gone = z.abs() <= torch.finfo(z.dtype).tiny
    s = torch.where(gone, 0, R / torch.where(gone, 1, z))
    inputs = [node.input(i) for i in range(len(node.op.inputs))]
    alone = _without_inputs(node) if node.op.name in _ADDS_TO else torch.zeros_like(z)
    if node.booking and node.op.name in _ADDS_TO:
        node.book(bias=alone * s)
    count = call_again(node.op, [torch.ones_like(a) for a in inputs])[0] - alone
    empty = torch.where(gone, R / torch.where(count == 0, 1, count), 0)
    if node.booking:
        node.book(dropped=torch.where(gone & (count == 0), R, 0))
    given, equal = node.vjp([s]), node.vjp([empty])
    return [
        a * part + share
        for a, part, share in zip(inputs, given, equal, strict=True)
        if part is not None and share is not None
    ]


def _shares(node: Node) -> list[Tensor]:
    """The share of each addend in the sum; equal shares where the sum is exactly zero."""
    z = node.output
    one, other = (torch.zeros_like(node.input(i)) for i in (0, 1))
    first = call_again(node.op, [node.input(0), other])[0]
    second = call_again(node.op, [one, node.input(1)])[0]
    tiny = torch.finfo(z.dtype).tiny
    safe = torch.where(z.abs() <= tiny, 1, z)
    return [torch.where(z.abs() <= tiny, 0.5, part / safe) for part in (first, second)]


def _as_batch_norm(op: Op) -> Op:
    if op.name == "batch_norm":
        return op
    names = ("input", "running_mean", "running_var", "weight", "bias")
    args = tuple(op.argument(i, name) for i, name in enumerate(names))
    eps = {"eps": op.argument(7, "eps", 1e-5)}
    return Op(op.kind, op.nature, op.func, args, eps, op.inputs)
