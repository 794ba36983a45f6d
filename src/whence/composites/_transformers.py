"""Presets for transformers."""

from whence.composites import _where as where
from whence.composites._composite import Composite
from whence.rules import (
    Attention,
    Epsilon,
    Hold,
    RecurrentCell,
    Rule,
    SignalTakesAll,
    Uniform,
    Zero,
)


def AttnLRP(epsilon: float = 0.0) -> Composite:
    """Attention explained with its pattern: uniform on products, Taylor on softmax, norms held.

    The paper stabilises its divisions; coefficients need none, so `epsilon` is off by default.

    References: [achtibat2024].
    """
    return _with_norms_held(_on_weights(epsilon), Uniform(), Attention())


def CPLRP(epsilon: float = 0.0) -> Composite:
    """Attention patterns, norms and sigmoid gates held constant: values alone carry relevance.

    `epsilon` as for AttnLRP. References: [ali2022].
    """
    rules = _with_norms_held(_on_weights(epsilon), SignalTakesAll(), Attention("held"))
    return rules + [(where.pattern, Hold())]


def _on_weights(epsilon: float) -> Rule:
    return Epsilon(epsilon) if epsilon else Zero()


def _with_norms_held(linear: Rule, product: Rule, attention: Rule) -> Composite:
    return Composite(
        [
            (where.nature("linear"), linear),
            (where.nature("recurrent"), RecurrentCell()),
            (where.nature("product"), product),
            (where.nature("attention"), attention),
            (where.normaliser, Hold()),
        ]
    )
