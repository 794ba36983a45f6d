"""Alpha-beta and z+: positive and negative contributions get separate shares."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from whence._errors import InvalidInput
from whence._numerics import divide
from whence.engine import Linear, Message, Node
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
    """The common body of these rules."""
    sides = Sides(linear)
    R = linear.relevance()
    s_plus, lost_plus = _share(linear, sides.plus, alpha * R, policy, positive=True)
    s_minus, lost_minus = None, None
    if beta:
        s_minus, lost_minus = _share(linear, sides.minus, -beta * R, policy, positive=False)
    sent = Message(sides.back(s_plus, s_minus))
    for lost in (lost_plus, lost_minus):
        if lost is not None:
            sent = sent.plus(lost)
    return [sent]


def _share(
    linear: Linear, side: Tensor, R: Tensor, policy: str, *, positive: bool
) -> tuple[Tensor, Message | None]:
    """s = R / side with the bias's part of it, booked or handed out."""
    bias = linear.bias
    if bias is None or policy == "zero":
        s = divide(R, side)
        if linear.booking:
            linear.book(dropped=R * (side == 0))
        return s, None
    part = bias.clamp(min=0) if positive else bias.clamp(max=0)
    total = side + part
    s = divide(R, total)
    if linear.booking:
        linear.book(dropped=R * (total == 0))
    if policy == "distribute":
        return s, handed_out(linear, part * s)
    book_bias(linear, part, s)
    return s, None
