"""Token ids: the relevance of an embedded token is the sum over the embedding's axis.

What arrives at the embeddings before that sum is kept for the explainers, as `Embedded`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from whence._numerics import divide
from whence.engine._adjoints import call_again, known
from whence.engine._message import Message
from whence.engine._node import Node
from whence.engine._tape import Value


@dataclass(slots=True, eq=False)
class Embedded:
    """The embeddings that ids were turned into, shape ids.shape + (width,), and what arrived."""

    ids: Value
    data: Tensor
    message: Message


def send_embedding(node: Node) -> list[Message | None]:
    """R of a token = sum over the width of e c + R."""
    if node.op.name != "embedding":
        return [Message(R=_bag(node))]
    features = node.relevance()
    if node.context.embedded is not None:
        message = Message(node.message.c, node.message.R)
        node.context.embedded.append(Embedded(node.op.inputs[0], node.output, message))
    return [Message(R=features.sum(-1))]


def at_leaf(leaf: Value, embedded: Embedded, features: Tensor) -> Tensor | None:
    """Features at the embeddings moved to the ids they came from, (*leaf.shape, width).

    None if the embedded ids are not those of the leaf only moved: counted up, or mixed with
    constants.
    """
    places = _places(leaf, embedded.ids)
    if places is None:
        return None
    width = features.shape[-1]
    found = features.new_zeros(leaf.shape.numel(), width)
    found = found.index_add(0, places.flatten(), features.reshape(-1, width))
    return found.view(*leaf.shape, width)


def reads(embedded: Embedded, leaf: Value) -> bool:
    """Whether the embedded ids depend on a leaf at all."""
    ahead, seen = [embedded.ids], set()
    while ahead:
        value = ahead.pop()
        if value is leaf:
            return True
        if value.op is not None and id(value.op) not in seen:
            seen.add(id(value.op))
            ahead += value.op.inputs
    return False


def _places(leaf: Value, ids: Value) -> Tensor | None:
    """For each embedded id, the number of the leaf's element it was."""
    way = []
    value = ids
    while value is not leaf:
        op = value.op
        if op is None or op.nature != "index" or op.name in WITH_CONSTANTS or len(op.inputs) != 1:
            return None
        way.append((op, value.slot))
        value = op.inputs[0]
    device = leaf.data.device if leaf.data is not None else None
    places = torch.arange(leaf.shape.numel(), device=device).view(leaf.shape)
    for op, slot in reversed(way):
        places = call_again(op, [places])[slot].long()
    return places


# index operations that put constants beside values
WITH_CONSTANTS = set(
    """where masked_fill setitem copy index_put index_copy scatter select_scatter slice_scatter
    masked_scatter index_fill fill zero rewrite pad constant_pad_nd cat stack
    pad_sequence""".split()
)


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
    ids = known(node.op.inputs[0])
    c = _token_coefficient(node, ids)
    e = node.op.argument(1, "weight").to(c.dtype)[ids]
    if node.context.embedded is not None:
        node.context.embedded.append(Embedded(node.op.inputs[0], e, Message(c)))
    return (e * c).sum(-1)


def _token_coefficient(node: Node, ids: Tensor) -> Tensor:
    """c at each token's embedding, shape ids.shape + (width,)."""
    op = node.op
    offsets, mode = op.argument(2, "offsets"), op.argument(6, "mode", "mean")
    weights = op.argument(8, "per_sample_weights")
    c = _bag_coefficient(node)
    if ids.dim() == 2:
        bags = torch.arange(len(ids), device=ids.device)[:, None].expand(ids.shape)
    else:
        positions = torch.arange(len(ids), device=ids.device)
        bags = torch.bucketize(positions, offsets, right=True) - 1
    padding = op.argument(10, "padding_idx")
    alive = torch.ones_like(ids, dtype=c.dtype) if padding is None else (ids != padding).to(c.dtype)
    if mode == "max":
        e = op.argument(1, "weight").to(c.dtype)[ids]
        winner = (e == node.output[bags]) * alive[..., None]  # the same token twice shares equally
        ties = torch.zeros_like(c).index_add(0, bags.flatten(), winner.view(-1, c.shape[1]))
        return c[bags] * winner / ties[bags].clamp(min=1)
    sizes = torch.zeros(len(c), dtype=c.dtype, device=c.device)
    sizes = sizes.scatter_add(0, bags.flatten(), alive.flatten()).clamp(min=1)
    scale = alive / sizes[bags] if mode == "mean" else alive
    scale = scale if weights is None else scale * weights
    return c[bags] * scale[..., None]
