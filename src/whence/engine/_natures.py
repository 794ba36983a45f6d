"""How relevance passes an operation for which no rule was chosen, one function for each nature.

Natures that need a choice (linear, product, attention, recurrent, ...) are not here: without a
rule they are an error that lists them all.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from whence._numerics import divide
from whence.engine._adjoints import call_again, known, restrict
from whence.engine._message import Message
from whence.engine._node import Node
from whence.engine._norms import send_norm
from whence.engine._pointwise import send_pointwise
from whence.engine._tape import Op
from whence.engine._weights import affine_of

Sent = list[Message | None]
NEEDS_RULE = ("linear", "product", "attention", "recurrent", "inverse", "unknown")

# index operations that put constants beside values
_WITH_CONSTANTS = set(
    """where masked_fill setitem copy index_put index_copy scatter select_scatter slice_scatter
    masked_scatter index_fill fill zero rewrite pad constant_pad_nd cat stack""".split()
)


def send_index(node: Node) -> Sent:
    """Moved values carry their messages with them; what lands on constants is booked."""
    if node.booking and node.op.name in _WITH_CONSTANTS:
        _book_constants(node)
    return _both(node)


def send_average(node: Node) -> Sent:
    """c by the transpose; R in proportion to the inputs, in equal shares where all are zero."""
    cs = _vjp(node, [each and each.c for each in node.messages])
    sent = [Message(c) for c in cs]
    R = node.message.R
    if R is not None:
        sent[0] = sent[0].plus(Message(R=_proportional(node, R)))
    return list(sent)


def send_sum(node: Node) -> Sent:
    """c to every addend; R in proportion to the addends; a constant addend is booked as bias."""
    message = node.message
    cs = _vjp(node, [message.c])
    sent = [Message(c) for c in cs]
    if node.booking and message.c is not None and len(node.op.inputs) == 1:
        node.book(bias=message.c * _without_inputs(node))
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
    """The winner takes all; norms and power pooling are homogeneous, so c passes exactly."""
    if node.op.name in _POWER_MEANS and node.message.R is not None:
        y = node.output
        s = torch.where(y == 0, 0, node.message.R / torch.where(y == 0, 1, y))
        given = _vjp(node, [s])[0]
        sent = Message(R=None if given is None else node.input() * given.nan_to_num())
        return [sent.plus(Message(_clean(_vjp(node, [node.message.c])[0])))]
    if node.op.name in _POWER_MEANS:
        return [Message(_clean(_vjp(node, [node.message.c])[0]))]
    return _both(node)


def send_softmax(node: Node) -> Sent:
    """Softmax by its Taylor expansion at x: c by the plain gradient, the zero-order term booked."""
    message = node.message
    given = _vjp(node, [message.c])[0]
    if node.booking and message.c is not None:
        x = node.input().detach().requires_grad_()
        y, slope = torch.autograd.functional.jvp(
            lambda values: call_again(node.op, [values])[0], x, x.detach()
        )
        assert isinstance(y, Tensor)
        assert isinstance(slope, Tensor)
        node.book(softmax=message.c * (y - slope).detach())
    return [Message(given, message.R)]


def send_embedding(node: Node) -> Sent:
    """The relevance of an embedded token is the sum over the embedding's axis."""
    if node.op.name == "embedding":
        return [Message(R=node.relevance().sum(-1))]
    return [Message(R=_bag(node))]


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
_POWER_MEANS = {"lp_pool1d", "lp_pool2d", "lp_pool3d", "norm", "vector_norm", "frobenius_norm"}


def _vjp(node: Node, grads: list[Tensor | None]) -> list[Tensor | None]:
    if all(grad is None for grad in grads):
        return [None] * len(node.op.inputs)
    return node.vjp(grads)


def _both(node: Node) -> Sent:
    cs = _vjp(node, [each and each.c for each in node.messages])
    Rs = _vjp(node, [each and each.R for each in node.messages])
    return [Message(c, R) for c, R in zip(cs, Rs, strict=True)]


def _clean(c: Tensor | None) -> Tensor | None:
    return None if c is None else c.nan_to_num(0.0, 0.0, 0.0)


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


def _proportional(node: Node, R: Tensor) -> Tensor:
    a, z = node.input(), node.output
    tiny = torch.finfo(z.dtype).tiny
    s = torch.where(z.abs() <= tiny, 0, R / torch.where(z.abs() <= tiny, 1, z))
    given = node.vjp([s])[0]
    count = call_again(node.op, [torch.ones_like(a)])[0]
    empty = torch.where(z.abs() <= tiny, R / torch.where(count == 0, 1, count), 0)
    equal = node.vjp([empty])[0]
    assert given is not None
    assert equal is not None
    return a * given + equal


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


def _bag_coefficient(node: Node) -> Tensor:
    """c at the bags; a bag is linear in its tokens, so R enters as R / z."""
    message, z = node.message, node.output
    if message.R is None:
        assert message.c is not None
        return message.c
    if node.booking:
        node.book(dropped=message.R * (z == 0))
    from_R = divide(message.R, z)
    return from_R if message.c is None else message.c + from_R


def _bag(node: Node) -> Tensor:
    """Embedding bags: each token's own share of its bag's sum, mean or maximum."""
    op = node.op
    ids, weight = known(op.inputs[0]), op.argument(1, "weight")
    offsets, mode = op.argument(2, "offsets"), op.argument(6, "mode", "mean")
    weights = op.argument(8, "per_sample_weights")
    c = _bag_coefficient(node)
    e = weight.to(c.dtype)[ids]
    if ids.dim() == 2:
        bags = torch.arange(len(ids), device=ids.device)[:, None].expand(ids.shape)
    else:
        positions = torch.arange(len(ids), device=ids.device)
        bags = torch.bucketize(positions, offsets, right=True) - 1
    padding = op.argument(10, "padding_idx")
    alive = torch.ones_like(ids, dtype=c.dtype) if padding is None else (ids != padding).to(c.dtype)
    if mode == "max":
        winner = (e == node.output[bags]) * alive[..., None]  # the same token twice shares equally
        ties = torch.zeros_like(c).index_add(0, bags.flatten(), winner.view(-1, c.shape[1]))
        return (e * c[bags] * winner / ties[bags].clamp(min=1)).sum(-1)
    sizes = torch.zeros(len(c), dtype=c.dtype, device=c.device)
    sizes = sizes.scatter_add(0, bags.flatten(), alive.flatten()).clamp(min=1)
    scale = alive / sizes[bags] if mode == "mean" else alive
    scale = scale if weights is None else scale * weights
    return (e * c[bags]).sum(-1) * scale
