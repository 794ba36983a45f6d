"""LRP-0 and the epsilon rule: relevance in proportion to the contributions z_ij = a_i w_ij."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from whence._numerics import divide, dot, sign, stabiliser, streamed
from whence.engine import Linear, Message, Node
from whence.errors import InvalidInput
from whence.rules._rule import Rule, book_bias, check_bias, handed_out, linear_of


@dataclass(frozen=True)
class Zero(Rule):
    """LRP-0, the basic rule: exact, and equal to gradient times input on bias-free ReLU nets.

        z_j = sum_i a_i w_ij + b_j,   R_i = sum_j a_i w_ij / z_j R_j

    In coefficients there is no division at all: c_i = sum_j w_ij c_j.

    References: [bach2015, eq. 56].
    """

    bias: str = "absorb"
    source: ClassVar[str] = "bach2015, eq. 56"

    def __post_init__(self) -> None:
        check_bias("Zero", self.bias)

    def send(self, node: Node) -> list[Message | None]:
        linear = linear_of(node, self)
        if self.bias == "zero" and linear.bias is not None:
            R, plain = linear.relevance(), linear.plain
            _book_dropped(linear, R, plain)
            return _through(linear, divide(R, plain), None)
        message = linear.message
        s = message.c
        if message.R is not None:
            from_R = divide(message.R, linear.z)
            _book_dropped(linear, message.R, linear.z)
            s = from_R if s is None else s + from_R
        assert s is not None
        return _through(linear, s, linear.bias, hand_out=self.bias == "distribute")


@dataclass(frozen=True)
class Epsilon(Rule):
    """The epsilon rule: LRP-0 with a denominator kept away from zero; the noise is absorbed.

        R_i = sum_j a_i w_ij / (z_j + eps_j sgn z_j) R_j,   sgn 0 = +1

    `epsilon` is relative by default: eps_j = epsilon times the RMS of z over one row of the map
    (of max(z, 0) where only a ReLU reads it).
    `scale="absolute"` takes eps_j = epsilon as the paper does.

    Unlike the paper, `bias="distribute"` gives the bias's (and the stabiliser's) share to the
    inputs in equal parts, and `bias="zero"` leaves the bias out of the denominator.

    References: [bach2015, eq. 58].
    """

    epsilon: float = 1e-6
    scale: str = "relative"
    bias: str = "absorb"
    source: ClassVar[str] = "bach2015, eq. 58"

    def __post_init__(self) -> None:
        check_bias("Epsilon", self.bias)
        if self.scale not in ("relative", "absolute"):
            raise InvalidInput(f"scale= must be 'relative' or 'absolute', got {self.scale!r}.")
        if not self.epsilon > 0:
            raise InvalidInput(f"Epsilon needs epsilon > 0, got {self.epsilon}. Try Zero().")

    def send(self, node: Node) -> list[Message | None]:
        linear = linear_of(node, self)
        if self.bias == "zero" and linear.bias is not None:
            return self._shared(linear, linear.plain, None, linear.plain)
        pair = linear.pair
        if pair is None or self.bias == "distribute":
            return self._shared(linear, linear.z, linear.bias, linear.let_through(linear.z))
        c, z = pair
        eps = stabiliser(linear.let_through(z), self.epsilon, self.scale, linear.row_axes)
        return [Message(linear.transpose(_damped(linear, c, z, eps)), fresh=True)]

    def _shared(
        self, linear: Linear, z: Tensor, bias: Tensor | None, scale: Tensor
    ) -> list[Message | None]:
        """The rule as it is written, for relevance that is not of the form z c as well."""
        eps = stabiliser(scale, self.epsilon, self.scale, linear.row_axes) * sign(z)
        s = linear.relevance() / (z + eps)
        if self.bias == "distribute":
            share = eps * s if bias is None else (eps + bias) * s
            return [Message(linear.transpose(s)).plus(handed_out(linear, share))]
        if linear.booking:
            linear.book(epsilon=s * eps)
        return _through(linear, s, bias)


def _rows_of(z: Tensor, linear: Linear) -> torch.Size:
    return z.shape[: z.dim() - len(linear.row_axes)]


def _damped(linear: Linear, c: Tensor, z: Tensor, eps: Tensor) -> Tensor:
    """s = c z / (z + eps sgn z), in which the signs cancel; with what bias and stabiliser take."""
    weigh = partial(
        _gated if linear.message.gate is z else _signed,
        booking=linear.booking,
        counting=linear.counting,
    )
    bias = linear.bias
    if linear.booking and bias is not None and bias.dim() > 1 and _by_channel(c, z, linear):
        return _booked_by_channel(linear, c, z, eps, weigh)
    s, *sums = streamed(weigh, *map(linear.rows, (c, z, eps)), write=True)
    if linear.booking:
        _, absorbed, *arrived = (each.view(z.shape[: -len(linear.row_axes)]) for each in sums)
        linear.book(epsilon=absorbed)
        book_bias(linear, bias, s.view(z.shape))
        for each in arrived:
            linear.arrived(each)
    return s.view(z.shape)


def _booked_by_channel(
    linear: Linear, c: Tensor, z: Tensor, eps: Tensor, weigh: Callable[..., Any]
) -> Tensor:
    """The same in one pass, with channels as rows: the bias is one number for each of them."""
    per_channel = z.shape[:2]
    each = eps.reshape(-1, 1).expand(per_channel).reshape(-1, 1)
    s, *sums = streamed(weigh, c.flatten(0, 1), z.flatten(0, 1), each, write=True)
    total, absorbed, *arrived = (each.view(per_channel) for each in sums)
    assert linear.bias is not None
    linear.book(bias=total * linear.bias.flatten(), epsilon=absorbed)
    for each in arrived:
        linear.arrived(each)
    return s.view(z.shape)


def _by_channel(c: Tensor, z: Tensor, linear: Linear) -> bool:
    """Whether samples and channels lie one after the other, so that channels can be rows."""
    one_batch_axis = z.dim() - len(linear.row_axes) == 1
    return one_batch_axis and c.is_contiguous() and z.is_contiguous()


def _gated(
    c: Tensor, z: Tensor, eps: Tensor, out: Tensor | None, *, booking: bool, counting: bool
) -> tuple[Tensor, ...]:
    """s for z >= 0; if asked for, for each row the sums of s, of eps_j s_j, and of R."""
    s = torch.mul(_into(torch.div, c, z + eps), z, out=out)
    if not booking:
        return (s,)
    total = s.sum(1)
    arrived = (dot(c, z),) if counting else ()
    return s, total, _per_row(eps, c) * total, *arrived


def _signed(
    c: Tensor, z: Tensor, eps: Tensor, out: Tensor | None, *, booking: bool, counting: bool
) -> tuple[Tensor, ...]:
    """s; if asked for, the sums of s, of eps_j s_j sgn z_j = eps R / (|z| + eps), and of R."""
    size = z.abs()
    part = _into(torch.div, c, size + eps)
    s = torch.mul(part, size, out=out)
    if not booking:
        return (s,)
    absorbed = _per_row(eps, c) * dot(part, z)
    arrived = (dot(c, z),) if counting else ()
    return s, s.sum(1), absorbed, *arrived


def _into(function: Callable[..., Tensor], x: Tensor, y: Tensor) -> Tensor:
    """function(x, y), in the memory of y where no graph needs it."""
    return function(x, y) if torch.is_grad_enabled() else function(x, y, out=y)


def _per_row(eps: Tensor, c: Tensor) -> Tensor:
    return eps.expand(len(c), 1)[:, 0]


def _through(
    linear: Linear, s: Tensor, bias: Tensor | None, *, hand_out: bool = False
) -> list[Message | None]:
    sent = Message(linear.transpose(s))
    if bias is not None and hand_out:
        return [sent.plus(handed_out(linear, bias * s))]
    book_bias(linear, bias, s)
    return [sent]


def _book_dropped(linear: Linear, R: Tensor, z: Tensor) -> None:
    if linear.booking:
        linear.book(dropped=R * (z == 0))
