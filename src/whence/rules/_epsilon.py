"""LRP-0 and the epsilon rule: relevance in proportion to the contributions z_ij = a_i w_ij."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from whence._errors import InvalidInput
from whence._numerics import divide, sign, stabiliser
from whence.engine import Linear, Message, Node
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
            return _through(linear, divide(linear.relevance(), linear.z - linear.bias), None)
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

    `epsilon` is relative by default: eps_j = epsilon times the RMS of z over one row of the map.
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
        message, z = linear.message, linear.z
        if self.bias == "zero" and linear.bias is not None:
            return self._without_bias(linear, z - linear.bias)
        eps = stabiliser(z, self.epsilon, self.scale, linear.row_axes)
        if message.R is None and message.c is not None:
            size = z.abs()
            s = message.c * (size / (size + eps))  # z / (z + eps sgn z), without the sign
        else:
            s = linear.relevance() / (z + eps * sign(z))
        if linear.booking and self.bias != "distribute":
            linear.book(epsilon=s * sign(z) * eps)
        if self.bias == "distribute":
            share = eps * sign(z) * s
            share = share if linear.bias is None else share + linear.bias * s
            return [Message(linear.transpose(s)).plus(handed_out(linear, share))]
        return _through(linear, s, linear.bias)

    def _without_bias(self, linear: Linear, z: Tensor) -> list[Message | None]:
        eps = stabiliser(z, self.epsilon, self.scale, linear.row_axes) * sign(z)
        s = linear.relevance() / (z + eps)
        if linear.booking:
            linear.book(epsilon=s * eps)
        return _through(linear, s, None)


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
