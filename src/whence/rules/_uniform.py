"""The uniform rule of AttnLRP for products inside transformers."""

from dataclasses import dataclass
from typing import ClassVar

from whence.engine import Message, Node
from whence.rules._products import HalfEach, gates_itself, signal_takes_all
from whence.rules._rule import Rule


@dataclass(frozen=True)
class Uniform(Rule):
    """Equal shares for two signals, all for a signal that gates itself.

        z = x y:  R_x = R_y = R / 2        z = x g(x):  R_x = R        O = P V:  R_P = R_V = R / 2

    The rule of AttnLRP for Q K^T, for P V, for gated layers (gate times up) and for router weights
    times experts. A product x g(x) of a value and a pointwise function of it, as in a GELU or SiLU
    written by hand, is one pointwise function of x, whose rule is the identity. In a quotient the
    denominator is held. Factors that a rule holds constant (`Hold`) take nothing.

    References: [achtibat2024].
    """

    natures: ClassVar[tuple[str, ...]] = ("product",)
    source: ClassVar[str] = "achtibat2024"

    def send(self, node: Node) -> list[Message | None]:
        op = node.op
        if op.name == "mul" and len(op.inputs) == 2 and node.live(0) and node.live(1):
            first, second = op.inputs
            gates = [gates_itself(first, second), gates_itself(second, first)]
            if gates[0] != gates[1]:
                return signal_takes_all(node, gates.index(False))
        return HalfEach().send(node)
