"""The proportional rule for products: each factor by its size."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from whence._numerics import sign
from whence.engine import Message, Node
from whence.errors import InvalidInput
from whence.rules._products import HalfEach, coefficient_of, gates_itself, signal_takes_all
from whence.rules._rule import Rule

_BY = ("value", "magnitude")


@dataclass(frozen=True)
class Proportional(Rule):
    """Each factor of an element-wise product in proportion to its value, or to its magnitude.

        by="value":      R_x = x / (x + y + e) R,  R_y = y / (x + y + e) R
        by="magnitude":  R_x = |x| / (|x| + |y|) R,  R_y = |y| / (|x| + |y|) R

    To compare with the other policies for gates: shares by value are large where factors cancel,
    which the stabiliser e = epsilon (|x| + |y|) sgn(x + y) bounds; shares by magnitude are never
    above one. A product x g(x) is one pointwise function of x, which takes all. Matrix products are
    sums of many products and share uniformly, and in a quotient the denominator is held.

    Unlike the paper, the stabiliser is relative.

    References: [ding2017], [arras2019].
    """

    by: str = "value"
    epsilon: float = 1e-3
    natures: ClassVar[tuple[str, ...]] = ("product",)
    source: ClassVar[str] = "ding2017"

    def __post_init__(self) -> None:
        if self.by not in _BY:
            raise InvalidInput(f"Proportional needs by= one of {_BY}, got {self.by!r}.")
        if not self.epsilon >= 0:
            raise InvalidInput(f"Proportional needs epsilon >= 0, got {self.epsilon}.")

    def send(self, node: Node) -> list[Message | None]:
        op = node.op
        if op.name != "mul" or len(op.inputs) != 2 or not (node.live(0) and node.live(1)):
            return HalfEach().send(node)
        first, second = op.inputs
        gates = [gates_itself(first, second), gates_itself(second, first)]
        if gates[0] != gates[1]:
            return signal_takes_all(node, gates.index(False))
        c = coefficient_of(node)
        x, y = self._shares(node.input(0), node.input(1))
        if node.booking:
            node.book(epsilon=node.output * c * (1 - x - y))
        return [
            None if given is None else Message(given)
            for given in (node.vjp([x * c])[0], node.vjp([y * c])[1])
        ]

    def _shares(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The share of each factor; half where both are zero."""
        size = x.abs() + y.abs()
        if self.by == "magnitude":
            x, y, total = x.abs(), y.abs(), size
        else:
            total = x + y
            total = total + self.epsilon * size * sign(total)
        gone = total == 0
        safe = torch.where(gone, 1, total)
        return torch.where(gone, 0.5, x / safe), torch.where(gone, 0.5, y / safe)
