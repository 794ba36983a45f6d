"""The rules that do not look at the input: w-squared and flat."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from whence._numerics import divide, one_signed
from whence.engine import Linear, Message, Node
from whence.rules._rule import Rule, linear_of


@dataclass(frozen=True)
class WSquare(Rule):
    """Deep Taylor's rule for unbounded real inputs: shares in proportion to squared weights.

        R_i = sum_j w_ij^2 / sum_i' w_i'j^2 R_j

    The bias takes no relevance.

    References: [montavon2017, table 1].
    """

    source: ClassVar[str] = "montavon2017, table 1"

    def send(self, node: Node) -> list[Message | None]:
        linear = linear_of(node, self)
        total = linear.respond(linear.squared)
        s = _shares(linear, total)
        return [Message(R=linear.transpose(s, linear.squared))]


@dataclass(frozen=True)
class Flat(Rule):
    """Equal shares for all inputs of a neuron; below a layer it only blurs, which sets resolution.

        R_i = sum_j 1 / (number of inputs of j) R_j

    References: [bach2016, sec. 3] (decomposition depth), [lapuschkin2019].
    """

    source: ClassVar[str] = "bach2016, sec. 3"

    def send(self, node: Node) -> list[Message | None]:
        linear = linear_of(node, self)
        return [Message(R=linear.spread(_shares(linear, linear.count())))]


def _shares(linear: Linear, total: Tensor) -> Tensor:
    """R / total, one total for all samples; what meets a total of zero is booked as dropped."""
    R = linear.relevance()
    if one_signed(total):  # fast path: nothing to mask, nothing dropped
        return R / total
    if linear.booking:
        linear.book(dropped=R * (total == 0))
    return divide(R, total)
