"""Normalisations, with the normaliser held constant: what remains is linear.

y = (x - mean) / sd * w + b, the deviation sd a constant: c_x = centre(c w / sd), b is booked.
Local response normalisation follows the Taylor rule of Binder et al. [binder2016, eq. 6-9].
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from whence.engine._message import Message
from whence.engine._node import Node


def send_norm(node: Node) -> list[Message | None]:
    """The message below a normalisation; relevance R passes unchanged."""
    message = node.message
    c = None if message.c is None else _SENDERS[node.op.name](node, message.c)
    return [Message(c, message.R)]


def _layer_norm(node: Node, c: Tensor) -> Tensor:
    shape = node.op.argument(1, "normalized_shape")
    axes = tuple(range(-len(shape), 0))
    weight, bias = node.op.argument(2, "weight"), node.op.argument(3, "bias")
    if bias is not None and node.booking:
        node.book(bias=c * bias)
    x = node.input()
    eps = node.op.argument(4, "eps", 1e-5)
    scale = _one_over_deviation(node, x, shape, eps)
    c = (c if weight is None else c * weight) * scale
    return c - c.mean(axes, keepdim=True)


def _one_over_deviation(node: Node, x: Tensor, shape: tuple[int, ...], eps: float) -> Tensor:
    """1 / sd by the norm's own kernel, which has no derivative, or in the open."""
    if not node.context.graph:
        return torch.native_layer_norm(x, list(shape), None, None, eps)[2]
    axes = tuple(range(-len(shape), 0))
    return (x.var(axes, unbiased=False, keepdim=True) + eps).rsqrt()


def _rms_norm(node: Node, c: Tensor) -> Tensor:
    shape = node.op.argument(1, "normalized_shape")
    axes = tuple(range(-len(shape), 0))
    weight, eps = node.op.argument(2, "weight"), node.op.argument(3, "eps")
    x = node.input()
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    scale = (x.square().mean(axes, keepdim=True) + eps).rsqrt()
    return (c if weight is None else c * weight) * scale


def _group_norm(node: Node, c: Tensor) -> Tensor:
    groups = node.op.argument(1, "num_groups")
    weight, bias = node.op.argument(2, "weight"), node.op.argument(3, "bias")
    return _grouped(node, c, groups, weight, bias, node.op.argument(4, "eps", 1e-5))


def _instance_norm(node: Node, c: Tensor) -> Tensor:
    weight, bias = node.op.argument(3, "weight"), node.op.argument(4, "bias")
    channels = node.op.inputs[0].shape[1]
    return _grouped(node, c, channels, weight, bias, node.op.argument(7, "eps", 1e-5))


def _grouped(
    node: Node, c: Tensor, groups: int, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    x = node.input()
    tail = [1] * (x.dim() - 2)
    if bias is not None and node.booking:
        node.book(bias=c * bias.view(-1, *tail))
    c = c if weight is None else c * weight.view(-1, *tail)
    rows = x.reshape(x.shape[0], groups, -1)
    scale = (rows.var(-1, unbiased=False, keepdim=True) + eps).rsqrt()
    c = c.reshape(rows.shape) * scale
    return (c - c.mean(-1, keepdim=True)).reshape(x.shape)


def _local_response(node: Node, c: Tensor) -> Tensor:
    """Share y_k's relevance over its window in proportion to the Taylor terms at (0, .., x_k, 0).

    With S_k = k + (alpha / n) sum_window x^2, q_k = k + (alpha / n) x_k^2:
    term_kk = x_k q_k^-beta,  term_ik = -2 (alpha / n) beta x_k x_i^2 S_k^(-beta-1), all
    normalised to 1.
    """
    size = node.op.argument(1, "size")
    alpha, beta = node.op.argument(2, "alpha", 1e-4), node.op.argument(3, "beta", 0.75)
    k = node.op.argument(4, "k", 1.0)
    x = node.input()
    share = alpha / size
    S = k + share * _window(x.square(), size)
    own = (k + share * x.square()).pow(-beta)
    pull = 2 * share * beta * S.pow(-beta - 1)  # of each neighbour, times x_k x_i^2
    others = _window(x.square(), size) - x.square()
    norm = own - pull * others  # the sum of the terms, divided by x_k
    t = c * S.pow(-beta) / norm  # R_k / (sum of the terms), R_k = x_k S_k^-beta c_k
    spread = _window(x * pull * t, size, transposed=True) - x * pull * t
    return own * t - x * spread


def _window(x: Tensor, size: int, *, transposed: bool = False) -> Tensor:
    """Sum over torch's window of channels: size // 2 before, (size - 1) // 2 after."""
    before, after = size // 2, (size - 1) // 2
    if transposed:
        before, after = after, before
    flat = x.reshape(x.shape[0], x.shape[1], -1)
    padded = F.pad(flat, (0, 0, before, after))
    return padded.unfold(1, size, 1).sum(-1).reshape(x.shape)


_SENDERS: dict[str, Callable[[Node, Tensor], Tensor]] = {
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "local_response_norm": _local_response,
}
