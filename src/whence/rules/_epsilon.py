"""LRP-0 and the epsilon rule: relevance in proportion to the contributions z_ij = a_i w_ij."""

from dataclasses import dataclass
from typing import ClassVar

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
        rows, gated = [linear.rows(each) for each in (c, z, eps)], linear.message.gate is z
        if linear.counting:
            linear.arrived(streamed(_relevance, *rows[:2])[1].view(_rows_of(z, linear)))
        if gated:  # z >= 0, and the sum over the stabiliser's shares is one over s
            s = streamed(_gated, *rows, write=True)[0].view(z.shape)
            self._book_gated(linear, s, eps)
        elif linear.booking:
            s, absorbed = streamed(_booked, *rows, write=True)
            linear.book(epsilon=absorbed.view(_rows_of(z, linear)))
            s = s.view(z.shape)
            book_bias(linear, linear.bias, s)
        else:
            s = streamed(_damped, *rows, write=True)[0].view(z.shape)
        return [Message(linear.transpose(s), fresh=True)]

    def _book_gated(self, linear: Linear, s: Tensor, eps: Tensor) -> None:
        """Book b_j s_j and eps_j s_j from one sum over space."""
        if not linear.booking:
            return
        bias = linear.bias
        if bias is not None and bias.dim() > 1 and s.dim() - len(linear.row_axes) == 1:
            sums = s.flatten(2).sum(2)  # (batch, channels)
            linear.book(bias=sums * bias.flatten(), epsilon=sums.sum(1) * eps.flatten())
            return
        linear.book(epsilon=s * eps)
        book_bias(linear, bias, s)

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


def _relevance(c: Tensor, z: Tensor, out: None) -> tuple[None, Tensor]:
    return None, dot(c, z)


def _damped(c: Tensor, z: Tensor, eps: Tensor, out: Tensor | None) -> tuple[Tensor]:
    """s = c z / (z + eps sgn z), in which the signs cancel."""
    size = z.abs()
    return (torch.mul(c / (size + eps), size, out=out),)


def _gated(c: Tensor, z: Tensor, eps: Tensor, out: Tensor | None) -> tuple[Tensor]:
    """The same for z >= 0."""
    return (torch.mul(c / (z + eps), z, out=out),)


def _booked(c: Tensor, z: Tensor, eps: Tensor, out: Tensor | None) -> tuple[Tensor, Tensor]:
    """The same, with the sum of eps_j s_j sgn z_j = eps R / (|z| + eps)."""
    size = z.abs()
    part = c / (size + eps)
    return torch.mul(part, size, out=out), _per_row(eps, c) * dot(part, z)


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
