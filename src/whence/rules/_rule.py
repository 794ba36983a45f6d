"""What a rule is: a frozen value that turns the message above an operation into those below."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from whence._numerics import divide
from whence.engine import Linear, Message, Node, Op
from whence.errors import InvalidInput

BIAS_POLICIES = ("absorb", "zero", "distribute")


class Rule(ABC):
    """One way to send relevance through an operation. Rules hold no state, so they are shared.

    `natures` says which operations the rule is written for; `source` cites it; `conserves` names
    what may leak by design (the ledger books it).
    """

    natures: ClassVar[tuple[str, ...]] = ("linear",)
    source: ClassVar[str] = ""
    conserves: ClassVar[str] = "all but what the ledger books"

    @abstractmethod
    def send(self, node: Node) -> list[Message | None]:
        """One message for each dependent input of the operation, None for none."""

    def held(self, op: Op) -> tuple[int, ...]:
        """The numbers of the outputs that count as constants; none, unless a rule says so."""
        return ()


def check_bias(name: str, policy: str) -> None:
    """Raise unless the policy is one of the three."""
    if policy not in BIAS_POLICIES:
        raise InvalidInput(f"{name} needs bias= one of {BIAS_POLICIES}, got {policy!r}.")


def linear_of(node: Node, rule: Rule) -> Linear:
    """The node as a linear map, or an error that says where the rule was put by mistake."""
    if not isinstance(node, Linear):
        raise InvalidInput(
            f"{rule!r} is for linear operations, but was given {node.op.where()} of nature "
            f"{node.op.nature!r}. Narrow its selector, e.g. where.nature('linear')."
        )
    return node


def book_bias(linear: Linear, bias: Tensor | None, s: Tensor) -> None:
    """Book b_j s_j, summed over space first."""
    if bias is None or not linear.booking:
        return
    axes = tuple(range(s.dim() - bias.dim() + 1, s.dim())) if bias.dim() > 1 else ()
    total = s.sum(axes) if axes else s
    linear.book(bias=total * bias.flatten())


def handed_out(linear: Linear, share: Tensor) -> Message:
    """Give each output's `share` to all of its inputs in equal parts, or book it without any."""
    count = linear.count()
    if linear.booking:
        linear.book(dropped=share * (count == 0))
    return Message(R=linear.spread(divide(share, count)))
