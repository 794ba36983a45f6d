"""Alpha-beta and z+: positive and negative contributions get separate shares."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from whence._numerics import divide, dot, one_signed, streamed
from whence.engine import Linear, Message, Node
from whence.errors import InvalidInput
from whence.rules._rule import Rule, book_bias, check_bias, handed_out, linear_of
from whence.rules._sides import Sides


@dataclass(frozen=True)
class AlphaBeta(Rule):
    """Positive contributions get alpha R, negative ones -beta R, with alpha - beta = 1.

        R_i = sum_j (alpha z_ij+ / z_j+  -  beta z_ij- / z_j-) R_j

    z+ and z- include the bias of their sign (`bias="absorb"`). A side without contributions sends
    nothing; its share is booked as dropped. `AlphaBeta.from_bach2015(alpha, beta)` takes the
    convention alpha + beta = 1 of the paper.

    References: [bach2015, eq. 60] and [montavon2018, eq. 21].
    """

    alpha: float = 2.0
    beta: float = 1.0
    bias: str = "absorb"
    source: ClassVar[str] = "bach2015, eq. 60"

    def __post_init__(self) -> None:
        check_bias("AlphaBeta", self.bias)
        if abs(self.alpha - self.beta - 1) > 1e-9 or self.beta < 0:
            raise InvalidInput(
                f"AlphaBeta needs alpha - beta = 1 and beta >= 0, got {self.alpha} and "
                f"{self.beta}. Try AlphaBeta(2, 1), or AlphaBeta.from_bach2015(2, -1)."
            )

    @classmethod
    def from_bach2015(cls, alpha: float, beta: float, bias: str = "absorb") -> "AlphaBeta":
        """The rule in the paper's convention alpha + beta = 1, so beta <= 0."""
        if abs(alpha + beta - 1) > 1e-9:
            raise InvalidInput(
                f"The convention of Bach et al. needs alpha + beta = 1, got {alpha} and {beta}. "
                "Try AlphaBeta.from_bach2015(2, -1)."
            )
        return cls(alpha, -beta, bias)

    def send(self, node: Node) -> list[Message | None]:
        return send_sides(linear_of(node, self), self.alpha, self.beta, self.bias)


@dataclass(frozen=True)
class ZPlus(Rule):
    """The z+ rule of deep Taylor decomposition: only positive contributions count.

        R_i = sum_j z_ij+ / z_j+ R_j,   z_ij+ = max(a_i w_ij, 0)

    Equal to AlphaBeta(1, 0); without bias it is excitation backprop.

    References: [montavon2017, table 1], [zhang2016].
    """

    bias: str = "absorb"
    source: ClassVar[str] = "montavon2017, table 1"

    def __post_init__(self) -> None:
        check_bias("ZPlus", self.bias)

    def send(self, node: Node) -> list[Message | None]:
        return send_sides(linear_of(node, self), 1.0, 0.0, self.bias)


def send_sides(linear: Linear, alpha: float, beta: float, policy: str) -> list[Message | None]:
    """The common body of these rules: s+ = alpha R / z+, s- = -beta R / z-, and back."""
    sides = Sides(linear, biased=policy != "zero", read="both" if beta else "plus")
    s_minus = None
    s_plus = _by_ratio(linear, sides, alpha) if not beta else None
    if s_plus is None:
        s_plus = share(linear, sides.plus, alpha, never_empty=sides.never_empty)
    if beta:
        s_minus = share(linear, sides.minus, -beta, never_empty=sides.solid)
    sent = Message(sides.back(s_plus, s_minus), fresh=True)
    for s, bias in ((s_plus, sides.high), (s_minus, sides.low)):
        if s is None or bias is None:
            continue
        if policy == "distribute":
            sent = sent.plus(handed_out(linear, bias * s))
        else:
            book_bias(linear, bias, s)
    return [sent]


@dataclass(frozen=True, eq=False)
class _Ratio:
    """part z / z+, 0 where z+ is; and z there, or None if z+ is empty nowhere."""

    by: Tensor
    lost: Tensor | None


def _by_ratio(linear: Linear, sides: Sides, part: float) -> Tensor | None:
    """s+ = c (part z / z+), where several targets over one tape share the ratio; else None."""
    name = sides.key(f"{part} z / z+")
    shared = linear.context.retain or name in linear.op.cache
    if not shared or linear.pair is None or torch.is_grad_enabled():
        return None
    c, z = linear.pair
    # z+ is not kept beside the ratio, which is all that is needed of it
    ratio = linear.keep(name, lambda: _ratio(z, sides.make_plus(), part, sides.never_empty))
    if linear.booking and ratio.lost is not None:
        linear.book(dropped=part * c * ratio.lost)
    if not linear.counting:
        return c * ratio.by
    s, arrived = streamed(_times, c, z, ratio.by, write=True)
    linear.arrived(arrived)
    return s


def _times(c: Tensor, z: Tensor, ratio: Tensor, out: Tensor | None) -> tuple[Tensor, Tensor]:
    return torch.mul(c, ratio, out=out), dot(c, z)


def _ratio(z: Tensor, plus: Tensor, part: float, never_empty: bool) -> _Ratio:
    if never_empty:
        plus = _safe(plus, part)
        return _Ratio(_divided(z, plus, part, plus), None)
    empty = plus == 0
    if not empty.any():
        return _Ratio(_divided(z, plus, part, None), None)
    return _Ratio(_divided(z, plus, part, None).masked_fill_(empty, 0), torch.where(empty, z, 0))


def share(linear: Linear, side: Tensor, part: float = 1.0, *, never_empty: bool = False) -> Tensor:
    """part R / side; what meets an empty side is booked as dropped."""
    if linear.pair is None:
        R = part * linear.relevance()
        if linear.booking:
            linear.book(dropped=R * (side == 0))
        return divide(R, side)
    return shared_out(linear, side, part, never_empty=never_empty)


def shared_out(linear: Linear, total: Tensor, part: float = 1.0, *, never_empty: bool) -> Tensor:
    """s = part z c / total in one pass over large tensors, with the sums for the ledger.

    `never_empty` says that the total has the sign of `part` wherever relevance arrives.
    """
    pair = linear.pair
    assert pair is not None
    booking, counting = linear.booking, linear.counting

    def function(c: Tensor, z: Tensor, t: Tensor, out: Tensor | None) -> tuple[Tensor, ...]:
        R = c * z
        if never_empty:
            s = _divided(R, _safe(t, part), part, out)
            return (s, R.sum(1)) if counting else (s,)
        s, dropped = _quotient(R, t, part, out)
        booked = (dropped,) if booking else ()
        return (s, *booked, R.sum(1)) if counting else (s, *booked)

    s, *sums = streamed(function, *pair, total, write=True)
    if counting:
        linear.arrived(sums.pop())
    if booking and not never_empty:
        linear.book(dropped=part * sums[0])
    return s


def _quotient(R: Tensor, t: Tensor, part: float, out: Tensor | None) -> tuple[Tensor, Tensor]:
    """part R / t, and the sum of R where t is zero; nothing is masked where t never is."""
    if torch.is_grad_enabled():
        return divide(part * R, t), (R * (t == 0)).sum(1)
    if one_signed(t):
        return _divided(R, t, part, out), R.new_zeros(len(R))
    empty = t == 0
    return _divided(R, t, part, out).masked_fill_(empty, 0), (R * empty).sum(1)


def _safe(t: Tensor, part: float) -> Tensor:
    """t with the sign of `part`, which it has wherever relevance arrives."""
    tiny = torch.finfo(t.dtype).tiny
    return t.clamp(min=tiny) if part > 0 else t.clamp(max=-tiny)


def _divided(R: Tensor, t: Tensor, part: float, out: Tensor | None) -> Tensor:
    if torch.is_grad_enabled():
        return part * R / t
    if part == 1:
        return torch.div(R, t, out=out)
    return torch.addcdiv(R.new_zeros(()), R, t, value=part, out=out)  # in one pass
