"""Presets: named composites from the literature, as functions."""

from torch import Tensor

from whence.composites import _where as where
from whence.composites._composite import Composite
from whence.composites._factors import is_pattern
from whence.composites._state_space import UNPUBLISHED, MambaLRP, has_scan, has_unpublished
from whence.composites._transformers import AttnLRP
from whence.engine import Op
from whence.rules import (
    AlphaBeta,
    Attention,
    Epsilon,
    Flat,
    Gamma,
    Hold,
    RecurrentCell,
    Rule,
    SignalTakesAll,
    WSquare,
    ZBox,
    ZPlus,
)

_CONVOLUTIONS = where.kind(
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"
)


def EpsilonEverywhere(epsilon: float = 1e-6) -> Composite:
    """The epsilon rule on every linear operation; products by signal-take-all."""
    return _on_convolutions(Epsilon(epsilon), epsilon)


def EpsilonPlus(epsilon: float = 1e-6) -> Composite:
    """z+ on convolutions, epsilon on dense layers. References: [lapuschkin2017]."""
    return _on_convolutions(ZPlus(), epsilon)


def EpsilonPlusFlat(epsilon: float = 1e-6) -> Composite:
    """z+ on convolutions, epsilon on dense layers, flat on the first layer."""
    return EpsilonPlus(epsilon) + [(where.first, Flat())]


def EpsilonAlpha2Beta1(epsilon: float = 1e-6) -> Composite:
    """alpha = 2, beta = 1 on convolutions, epsilon on dense layers. References: [bach2015]."""
    return _on_convolutions(AlphaBeta(2, 1), epsilon)


def EpsilonAlpha2Beta1Flat(epsilon: float = 1e-6) -> Composite:
    """As EpsilonAlpha2Beta1, with flat on the first layer."""
    return EpsilonAlpha2Beta1(epsilon) + [(where.first, Flat())]


def EpsilonGammaBox(
    low: float | Tensor, high: float | Tensor, epsilon: float = 1e-6, gamma: float = 0.25
) -> Composite:
    """gamma on convolutions, epsilon on dense layers, z-box on the first layer.

    References: [montavon2019, sec. 10.3].
    """
    return _on_convolutions(Gamma(gamma), epsilon) + [(where.first, ZBox(low, high))]


def DeepTaylorRules(
    low: float | Tensor | None = None, high: float | Tensor | None = None
) -> Composite:
    """Deep Taylor decomposition: z+ everywhere, z-box (or w-squared without a box) first.

    The theory has no positive biases, so biases take no relevance. References: [montavon2017].
    """
    first = WSquare() if low is None or high is None else ZBox(low, high)
    return Composite(
        [
            (where.nature("linear"), ZPlus(bias="zero")),
            (where.nature("recurrent"), RecurrentCell(bias="zero")),
            (where.nature("product"), SignalTakesAll()),
            (where.nature("attention"), Attention()),
            (where.normaliser, Hold()),
            (where.first, first),
        ]
    )


def default_composite(ops: list[Op]) -> Composite:
    """What `method="lrp"` uses without a composite: MambaLRP for nets with a selective scan,
    AttnLRP for others with attention, fused or written out, EpsilonPlusFlat for other nets with
    convolutions over numbers, epsilon everywhere for the rest. Convolutions over word vectors are
    among the rest [arras2016]: flat would share relevance among words of no effect, and padding.
    Recurrences without a published rule (RWKV, gated delta rules) pass it by the plain gradient.
    """
    composite = _fitting(ops)
    return composite + UNPUBLISHED if has_unpublished(ops) else composite


def _fitting(ops: list[Op]) -> Composite:
    if has_scan(ops):
        return MambaLRP()
    if any(op.nature == "attention" or is_pattern(op) for op in ops):
        return AttnLRP()
    convolutional = any(op.name.startswith("conv") and op.nature == "linear" for op in ops)
    of_words = any(op.nature == "embedding" for op in ops)
    return EpsilonPlusFlat() if convolutional and not of_words else EpsilonEverywhere()


def _on_convolutions(rule: Rule, epsilon: float) -> Composite:
    return Composite(
        [
            (where.nature("linear"), Epsilon(epsilon)),
            (where.nature("recurrent"), RecurrentCell(epsilon=epsilon)),
            (where.nature("product"), SignalTakesAll()),
            (where.nature("attention"), Attention()),
            (where.normaliser, Hold()),
            (_CONVOLUTIONS, rule),
        ]
    )
