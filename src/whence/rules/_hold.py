"""Holding an operation's outputs constant, as if the model had detached them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from whence.engine import SENDERS, Message, Node, Op
from whence.errors import InvalidInput
from whence.rules._gradient import ANY
from whence.rules._rule import Rule


@dataclass(frozen=True)
class Hold(Rule):
    """The operation's outputs count as constants: no relevance goes to them or below them.

        z = x y with y held:  R_x = R        z = x + y with y held:  R_x = x / z R, the rest is bias

    Use it for gates, normalisers, attention patterns and the parameters of a state-space scan,
    where only the way of the signal is to be explained. An operation made of held values alone is
    held too; products and attention share among what is not. `outputs` are the numbers of the held
    outputs where an operation has several, as `split` has; None for all.

    ```python
    AttnLRP() + [(where.name("*.router"), Hold())]  # a mixture of experts without its routing
    ```

    References: [ali2022], [rezaei2024].
    """

    outputs: Sequence[int] | None = None
    natures: ClassVar[tuple[str, ...]] = (*ANY, "embedding", "constant")
    source: ClassVar[str] = "ali2022"
    conserves: ClassVar[str] = "all: what is held takes no share"

    def __post_init__(self) -> None:
        if self.outputs is None:
            return
        object.__setattr__(self, "outputs", tuple(self.outputs))
        if not self.outputs or min(self.outputs) < 0:
            raise InvalidInput(
                f"Hold needs outputs= as numbers from 0 on, got {self.outputs}. Try Hold()."
            )

    def held(self, op: Op) -> tuple[int, ...]:
        """The numbers of the outputs that count as constants."""
        if self.outputs is None:
            return tuple(range(len(op.outputs)))
        if max(self.outputs) >= len(op.outputs):
            raise InvalidInput(
                f"{self!r} was given {op.where()}, which has {len(op.outputs)} outputs. Narrow its "
                "selector, or leave outputs= out to hold all."
            )
        return tuple(self.outputs)

    def send(self, node: Node) -> list[Message | None]:
        if node.op.nature not in SENDERS:
            raise InvalidInput(
                f"{self!r} leaves outputs of {node.op.where()} that need a rule. Hold() holds all."
            )
        return SENDERS[node.op.nature](node)
