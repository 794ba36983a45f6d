"""Attention, with torch's fused kernel left as it is.

    O = P V,   P = softmax(S),   S = scale Q K^T + M

What each of Q, K and V gets follows from the kernel's own vector-Jacobian product, so no array of
tokens x tokens is ever made. Attention written out in single operations needs nothing of this file:
its products, its softmax and its sums give the same numbers.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from whence.engine import Message, Node, Op, Slot
from whence.errors import InvalidInput
from whence.rules._products import coefficient_of
from whence.rules._rule import Rule

PATTERNS = ("half", "held")
_ROLES = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa")
_BLOCK = 1 << 20  # elements of the pattern that exist at one time while the ledger is written


@dataclass(frozen=True)
class Attention(Rule):
    """Fused attention: the pattern P and the values V share R, Q and K share what reaches P.

        c_V = f J_V^T c,   c_Q = (f / n) J_Q^T c,   c_K = (f / n) J_K^T c

    J is the Jacobian of the kernel; n counts which of Q and K depend on the input; f = 1/2 where
    the pattern and the values both do, else 1. This is the uniform rule on both matrix products
    and the Taylor rule on softmax between them [achtibat2024]. With `pattern="held"`
    the pattern is a constant and V takes all, c_V = J_V^T c [ali2022]. For gradient times
    input give attention the rule `Gradient()`.

    The ledger's column softmax is the zero-order term of the Taylor expansion of softmax at S, and
    what a constant additive mask M has in S is booked as bias. Both are summed over blocks of
    queries, so that the tokens x tokens arrays exist in blocks only.

    Unlike the paper, n and f depend on what is explained: in cross-attention a query that no input
    reaches takes no share.

    References: [achtibat2024], [ali2022].
    """

    pattern: str = "half"

    natures: ClassVar[tuple[str, ...]] = ("attention",)
    source: ClassVar[str] = "achtibat2024"

    def __post_init__(self) -> None:
        if self.pattern not in PATTERNS:
            raise InvalidInput(f"Attention needs pattern= one of {PATTERNS}, got {self.pattern!r}.")

    def send(self, node: Node) -> list[Message | None]:
        roles = _roles(node.op)
        live = [role for i, role in enumerate(roles) if node.live(i)]
        pattern = [role for role in live if role != "value" and self.pattern == "half"]
        if not pattern and "value" not in live:
            if node.booking:
                node.book(dropped=node.relevance())
            return [None] * len(roles)
        c = coefficient_of(node)
        f = 0.5 if pattern and "value" in live else 1.0
        n = sum(role in ("query", "key") for role in pattern)
        shares = {"value": f, "query": f / max(n, 1), "key": f / max(n, 1), "attn_mask": f}
        with sdpa_kernel(SDPBackend.MATH) if node.context.graph else nullcontext():
            cs = node.vjp([c])  # of all kernels, only the plain one can be differentiated twice
        if pattern and node.booking:
            _book(node, f * c)
        return [
            Message(given * shares[role]) if taken and given is not None else None
            for role, given in zip(roles, cs, strict=True)
            for taken in [role in pattern or (role == "value" and role in live)]
        ]


def _arguments(op: Op) -> dict[str, Any]:
    """The arguments of the call by name."""
    return dict(zip(_ROLES, op.args, strict=False)) | op.kwargs


def _roles(op: Op) -> list[str]:
    """What each dependent input is to the attention."""
    given = {int(each): name for name, each in _arguments(op).items() if isinstance(each, Slot)}
    return [given[i] for i in range(len(op.inputs))]


def _book(node: Node, c: Tensor) -> None:
    """Book what softmax absorbs, and what the constant mask takes of the scores' relevance.

    With c_P = c V^T, J = diag(P) - P P^T and c_S = J c_P in each row:
        softmax:  sum c_P (P - J S) = sum P c_P (1 + sum P S) - sum P c_P S
        bias:     sum c_S M         = sum P c_P M - sum P c_P sum P M
    """
    masked = "attn_mask" in _roles(node.op)
    for P, S, M, c_P in _blocks(node, c):
        given = P * c_P
        total = given.sum(-1)
        node.book(softmax=total * (1 + _dot(P, S)) - _dot(given, S))
        if M is not None and not masked:
            node.book(bias=_dot(given, M) - total * _dot(P, M))


def _dot(x: Tensor, y: Tensor) -> Tensor:
    return torch.linalg.vecdot(x, y)


def _blocks(node: Node, c: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor | None, Tensor]]:
    """P, S, the additive mask M and c_P = c V^T for some queries at a time.

    What is masked has P = 0; its S and M are finite, so that they count nothing.
    """
    given = _arguments(node.op)
    Q, K, V = (_tensor(node, given[role], c.dtype) for role in ("query", "key", "value"))
    mask = given.get("attn_mask")
    mask = None if mask is None else _tensor(node, mask, c.dtype)
    if given.get("enable_gqa"):
        K, V = (each.repeat_interleave(Q.shape[-3] // each.shape[-3], -3) for each in (K, V))
    scale = given.get("scale")
    Q = Q * (Q.shape[-1] ** -0.5 if scale is None else scale)
    queries, keys = Q.shape[-2], K.shape[-2]
    step = max(1, _BLOCK // max(1, c[..., 0].numel() // queries * keys))
    for begin in range(0, queries, step):
        rows = slice(begin, begin + step)
        S, M = Q[..., rows, :] @ K.mT, None
        part = mask if mask is None or mask.dim() < 2 or mask.shape[-2] == 1 else mask[..., rows, :]
        if part is not None and part.dtype != torch.bool:
            M, P = _from_top(part), (S + part).softmax(-1)
            S = S + M
            P = P.masked_fill(S.isneginf().all(-1, keepdim=True), 0)  # as torch has it
            S, M = (each.masked_fill(P == 0, 0) for each in (S, M))
        elif part is not None:
            P = S.masked_fill(~part, -torch.inf).softmax(-1)
            P = P.masked_fill(~part.any(-1, keepdim=True), 0)
        elif given.get("is_causal"):
            order = torch.arange(queries, device=S.device)[rows]
            later = order[:, None] < torch.arange(keys, device=S.device)
            P = S.masked_fill(later, -torch.inf).softmax(-1)
        else:
            P = S.softmax(-1)
        yield P, S, M, c[..., rows, :] @ V.mT


def _from_top(mask: Tensor) -> Tensor:
    """A mask relative to its largest entry in each row, which softmax cannot tell from it.

    Where a query sees nothing but entries of finfo.min, sums with these would have no digits left.
    """
    top = mask.amax(-1, keepdim=True)
    return mask - torch.where(top.isfinite(), top, 0)


def _tensor(node: Node, given: Any, dtype: torch.dtype) -> Tensor:
    """An argument of the call as a tensor; masks of truth values stay as they are."""
    if isinstance(given, Slot):
        return node.input(given)
    return given.to(dtype) if given.is_floating_point() else given
