"""Rules of PatternNet and PatternAttribution: what goes back is the signal learned from data.

A neuron y_j = sum_i w_ij x_i reads a signal a_ij y_j out of its inputs and cancels the rest, the
distractor. The pattern a_j, with sum_i w_ij a_ij = 1, is estimated from data; the filter w_j alone
does not show it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from whence._numerics import divide
from whence.engine import SENDERS, Linear, Message, Node
from whence.errors import InvalidInput
from whence.rules._rule import Rule, linear_of

Patterned = Callable[[Linear], Tensor]
Summed = Callable[[Node], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class PatternSignal(Rule):
    """PatternNet's rule: the signal of each neuron goes back along its pattern.

        s_i = sum_j a_ij s_j

    It estimates what in the input made the output, and decomposes nothing. `pattern` gives the
    pattern of a layer in the layout of its weights.

    References: [kindermans2018, sec. 4].
    """

    pattern: Patterned
    source: ClassVar[str] = "kindermans2018, sec. 4"
    conserves: ClassVar[str] = "nothing: it estimates a signal"

    def send(self, node: Node) -> list[Message | None]:
        linear = linear_of(node, self)
        return [Message(R=linear.transpose(linear.relevance(), _fitting(self, linear)))]


@dataclass(frozen=True)
class PatternShare(Rule):
    """PatternAttribution's rule: relevance in proportion to weight times pattern.

        R_i = sum_j w_ij a_ij R_j,   sum_i w_ij a_ij = 1

    The root point of neuron j is x - a_j y_j, its input without the signal. What a neuron whose
    pattern is zero receives, and what would fall on padding, is booked as dropped.

    References: [kindermans2018, sec. 4].
    """

    pattern: Patterned
    source: ClassVar[str] = "kindermans2018, sec. 4"

    def send(self, node: Node) -> list[Message | None]:
        linear = linear_of(node, self)
        R, shares = linear.relevance(), linear.weight * _fitting(self, linear)
        if linear.booking:
            linear.book(dropped=R * (1 - linear.respond(shares)))
        return [Message(R=linear.transpose(R, shares))]


@dataclass(frozen=True)
class ReLUMask(Rule):
    """A ReLU stops relevance where it is closed: R_in = 1[x > 0] R_out.

    For rules that send relevance to neurons whatever their activation is. Clamps and the like count
    where what comes out of them is never below zero; elsewhere all passes.

    References: [kindermans2018, sec. 4].
    """

    natures: ClassVar[tuple[str, ...]] = ("pointwise",)
    source: ClassVar[str] = "kindermans2018, sec. 4"
    conserves: ClassVar[str] = "what reaches open ReLUs"

    def send(self, node: Node) -> list[Message | None]:
        R = node.relevance()
        if node.op.outputs[0].sign is not True:
            return [Message(R=R)]
        fires = node.output > 0
        if node.booking:
            node.book(dropped=torch.where(fires, 0, R))
        return [Message(R=torch.where(fires, R, 0))]


@dataclass(frozen=True)
class InverseScale(Rule):
    """The signal below a fixed scale: s_in = s_out / scale, as the pattern of y = scale x is
    1 / scale. A scale of zero hides the signal, and nothing goes back.

    References: [kindermans2018, sec. 4].
    """

    natures: ClassVar[tuple[str, ...]] = ("scale", "affine")
    source: ClassVar[str] = "kindermans2018, sec. 4"
    conserves: ClassVar[str] = "nothing: it estimates a signal"

    def send(self, node: Node) -> list[Message | None]:
        s = node.relevance()
        scale = node.vjp([torch.ones_like(s)])[0]
        if scale is None or scale.shape != s.shape:
            raise InvalidInput(
                f"InverseScale needs a scale that keeps the shape, but {node.op.where()} turns "
                f"{tuple(node.op.inputs[0].shape)} into {tuple(s.shape)}."
            )
        return [Message(R=divide(s, scale))]


@dataclass(frozen=True)
class PatternSum(Rule):
    """A sum of two branches as a neuron with weights of one: each gets its part of the signal.

        y = u_1 + u_2,   s_k = a_k s,   a_1 + a_2 = 1

    Shares in proportion to the branches would be large wherever they cancel. `pattern` gives a_1
    and a_2 as they broadcast with the sum. With `signal`, what goes back is the branch's own
    signal, of the other sign where it is subtracted; else its relevance.

    Unlike the paper, which has no such sums.

    References: [kindermans2018, sec. 4].
    """

    pattern: Summed
    signal: bool = False
    natures: ClassVar[tuple[str, ...]] = ("sum",)
    source: ClassVar[str] = "kindermans2018, sec. 4"

    def send(self, node: Node) -> list[Message | None]:
        if len(node.op.inputs) != 2:  # a constant is added
            return SENDERS["sum"](node)
        s = node.relevance()
        parts = [s * a.to(s) for a in self.pattern(node)]
        if node.booking:
            node.book(dropped=s - parts[0] - parts[1])
        shapes = [value.shape for value in node.op.inputs]
        if self.signal:
            scales = node.vjp([torch.ones_like(s)])
            parts = [
                part if scale is None or scale.shape != part.shape else divide(part, scale)
                for part, scale in zip(parts, scales, strict=True)
            ]
        return [
            Message(R=part.sum_to_size(shape)) for part, shape in zip(parts, shapes, strict=True)
        ]


def _fitting(rule: Rule, linear: Linear) -> Tensor:
    """The pattern of a layer, in the message's precision; raises where it is another layer's."""
    weight = linear.weight
    pattern = rule.pattern(linear)  # type: ignore[attr-defined]
    if pattern.shape != weight.shape:
        raise InvalidInput(
            f"The pattern of {linear.op.where()} must have the shape of its weights, "
            f"{tuple(weight.shape)}, got {tuple(pattern.shape)}. Fit the patterns to this model."
        )
    return pattern.to(weight)
