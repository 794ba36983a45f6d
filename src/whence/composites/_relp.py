"""The preset for relevance patching."""

from whence.composites import _where as where
from whence.composites._composite import Composite
from whence.composites._state_space import HELD_SCAN
from whence.rules import Attention, Hold, RecurrentCell, Uniform, Zero


def RelP() -> Composite:
    """Norms and attention patterns held, half for gates, identity for activations, LRP-0 for maps.

    Its coefficients take the place of the gradient in attribution patching: see
    `explainers.Patching`. The net that they belong to is piecewise linear in everything but its
    gates, so that scores come close to those of true patching at the price of a gradient. The gates
    of recurrent layers, of which the paper has none, are held.

    References: [rezaei2025].
    """
    return Composite(
        [
            (where.nature("linear"), Zero()),
            (where.nature("recurrent"), RecurrentCell(epsilon=0)),
            (where.nature("product"), Uniform()),
            (where.nature("attention"), Attention("held")),
            (where.normaliser | where.pattern, Hold()),
            *HELD_SCAN,
        ]
    )
