"""Rules that treat the message as a gradient: plain, and the two variants at ReLUs."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from whence._numerics import divide
from whence.engine import Linear, Message, Node, known
from whence.errors import InvalidInput
from whence.rules._rule import Rule

ANY = (
    "linear", "product", "attention", "recurrent", "inverse", "unknown", "pointwise", "norm",
    "softmax", "max", "average", "sum", "scale", "affine", "index",
)  # fmt: skip


@dataclass(frozen=True)
class Gradient(Rule):
    """The plain vector-Jacobian product, whatever the operation: c_in = J^T c_out.

    On every operation it makes gradient times input. It conserves only where the operation is
    linear without bias or homogeneous; the ledger shows the rest as residual.

    References: [simonyan2014].
    """

    natures: ClassVar[tuple[str, ...]] = ANY
    source: ClassVar[str] = "simonyan2014"
    conserves: ClassVar[str] = "linear and homogeneous operations only"

    def send(self, node: Node) -> list[Message | None]:
        if isinstance(node, Linear):  # its transpose includes a joined batch norm
            c = _coefficient(node, node.message)
            sent = node.transpose(c)
            return [Message(sent, fresh=sent.data_ptr() != c.data_ptr())]
        if not node.op.outputs[0].dtype.is_floating_point:  # ids that were moved: R is all there is
            moved = node.vjp([None if m is None else m.R for m in node.messages])
            return [None if R is None else Message(R=R) for R in moved]
        messages = enumerate(node.messages)
        given = node.vjp([None if m is None else _coefficient(node, m, i) for i, m in messages])
        return [None if c is None else Message(c) for c in given]


@dataclass(frozen=True)
class DeconvnetReLU(Rule):
    """Deconvolution's ReLU: keep the positive part of the signal, c_in = max(c_out, 0).

    References: [zeiler2014, sec. 2.1].
    """

    natures: ClassVar[tuple[str, ...]] = ("pointwise",)
    source: ClassVar[str] = "zeiler2014, sec. 2.1"
    conserves: ClassVar[str] = "nothing"

    def send(self, node: Node) -> list[Message | None]:
        return [Message(_coefficient(node, node.message).clamp(min=0))]


@dataclass(frozen=True)
class GuidedReLU(Rule):
    """Guided backprop's ReLU: c_in = 1[x > 0] max(c_out, 0).

    References: [springenberg2015, sec. 3.4].
    """

    natures: ClassVar[tuple[str, ...]] = ("pointwise",)
    source: ClassVar[str] = "springenberg2015, sec. 3.4"
    conserves: ClassVar[str] = "nothing"

    def send(self, node: Node) -> list[Message | None]:
        c = _coefficient(node, node.message).clamp(min=0)
        return [Message(node.vjp([c])[0])]


@dataclass(frozen=True)
class Pass(Rule):
    """Relevance passes unchanged, R_in = R_out, through an operation that keeps the shape.

    References: [bach2015, sec. 2.2].
    """

    natures: ClassVar[tuple[str, ...]] = ANY
    source: ClassVar[str] = "bach2015"

    def send(self, node: Node) -> list[Message | None]:
        R = node.relevance()
        shapes = [value.shape for value in node.op.inputs]
        if shapes != [R.shape]:
            raise InvalidInput(
                f"Pass needs one input of the output's shape, but {node.op.where()} turns "
                f"{[tuple(shape) for shape in shapes]} into {tuple(R.shape)}. Try Epsilon()."
            )
        return [Message(R=R)]


def _coefficient(node: Node, message: Message, output: int = 0) -> Tensor:
    """c at one output, with relevance that is not of the form a c turned into R / z once."""
    if message.R is None:
        assert message.c is not None
        return message.c
    z = node.z if isinstance(node, Linear) else known(node.op.outputs[output]).to(message.R.dtype)
    from_R = divide(message.R, z)
    if node.booking:
        node.book(dropped=message.R * (z == 0))
    return from_R if message.c is None else message.c + from_R
