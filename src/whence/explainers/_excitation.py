"""Excitation backprop and its contrastive form."""

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor

from whence.composites import Composite, where
from whence.engine import Message, Op
from whence.errors import InvalidInput
from whence.explainers._start import Start
from whence.explainers._tape import TapeExplainer
from whence.rules import Attention, Contrastive, Hold, RecurrentCell, SignalTakesAll, ZPlus


class ExcitationBackprop(TapeExplainer):
    """Excitation backprop: the probability that a top-down walk over excitatory links ends at i.

        P(a_i) = sum_j P(a_i | a_j) P(a_j),   P(a_i | a_j) = a_i w_ij+ / sum_i a_i w_ij+

    The walk starts with probability 1 at the class, so the map sums to 1. It is z+ without biases,
    which is alpha-beta with alpha = 1, beta = 0. With `contrastive=True` the top layer sends what
    speaks for the class minus what speaks for its negation; the map keeps the positive part.
    `.at(layer)` gives the map at a hidden layer, where the paper shows it.

    Unlike the paper, walks also pass residual connections, in proportion to the addends, and what
    it does not know: attention to its values, in proportion, and recurrent layers with their gates
    held. Parts of one sum may have two signs there, and so may the map.

    References: [zhang2016].
    """

    name: ClassVar[str] = "excitation-backprop"
    decomposes: ClassVar[str] = "probability 1, not the score (contrastive: a difference of two)"
    sources: ClassVar[tuple[str, ...]] = ("zhang2016",)

    def __init__(
        self,
        model: Callable[..., Any],
        *,
        contrastive: bool = False,
        output: Any = None,
        batch_axis: int = 0,
    ) -> None:
        super().__init__(model, output=output, batch_axis=batch_axis)
        self.contrastive = contrastive

    def composite_for(self, ops: list[Op]) -> Composite:
        rules = Composite(
            [
                (where.nature("linear"), ZPlus(bias="zero")),
                (where.nature("recurrent"), RecurrentCell(bias="zero")),
                (where.nature("product"), SignalTakesAll()),
                (where.nature("attention"), Attention("held")),
                (where.normaliser | where.pattern, Hold()),
            ]
        )
        return rules + [(where.last, Contrastive())] if self.contrastive else rules

    def begin(self, start: Start) -> Start:
        c = start.message.c
        if c is None:
            raise InvalidInput("Excitation backprop starts from a class, not from given relevance.")
        return Start(start.value, Message(R=c), c.flatten(1).sum(1) if c.dim() > 1 else c)

    def finish(self, x: Tensor, message: Message) -> Tensor:
        R = super().finish(x, message)
        return R.clamp(min=0) if self.contrastive else R
