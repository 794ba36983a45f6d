"""Presets for transformers."""

from whence.composites import _where as where
from whence.composites._composite import Composite
from whence.rules import Attention, Epsilon, Hold, RecurrentCell, Rule, SignalTakesAll, Uniform


def AttnLRP(epsilon: float = 1e-6) -> Composite:
    """Attention explained with its pattern: uniform on products, Taylor on softmax, norms held.

    References: [achtibat2024].
    """
    return _with_norms_held(Epsilon(epsilon), Uniform(), Attention())


def CPLRP(epsilon: float = 1e-6) -> Composite:
    """Attention patterns, norms and sigmoid gates held constant: values alone carry relevance.

    References: [ali2022].
    """
    rules = _with_norms_held(Epsilon(epsilon), SignalTakesAll(), Attention("held"))
    return rules + [(where.pattern, Hold())]


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
