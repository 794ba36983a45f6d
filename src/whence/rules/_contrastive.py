"""The top layer of contrastive excitation backprop."""

from dataclasses import dataclass
from typing import ClassVar

from whence.engine import Message, Node
from whence.rules._alpha_beta import send_sides
from whence.rules._rule import Rule, linear_of


@dataclass(frozen=True)
class Contrastive(Rule):
    """What speaks for a class minus what speaks for its negation, for the top layer.

        R_i = sum_j (z_ij+ / z_j+  -  z_ij- / z_j-) R_j,   both without bias

    The shares sum to zero: evidence for the class against evidence for anything else.

    References: [zhang2016, sec. 3.3].
    """

    source: ClassVar[str] = "zhang2016, sec. 3.3"
    conserves: ClassVar[str] = "nothing: the sum is zero"

    def send(self, node: Node) -> list[Message | None]:
        linear = linear_of(node, self)
        if linear.booking:
            linear.book(dropped=linear.relevance())
        return send_sides(linear, 1.0, 1.0, "zero")
