"""The preset for recurrent nets."""

from whence.composites import _where as where
from whence.composites._composite import Composite
from whence.rules import Attention, Epsilon, HalfEach, Hold, RecurrentCell, SignalTakesAll


def Recurrent(
    epsilon: float = 1e-6, bias: str = "absorb", gates: str = "signal", scale: str = "relative"
) -> Composite:
    """For LSTMs, GRUs and hand-written cells: the epsilon rule, and the signal takes all at gates.

    `gates="half"` gives each factor of a product half. `bias="distribute"` hands out what bias and
    stabiliser would keep, so that words and initial states sum to the score; the paper's setting is
    `Recurrent(0.001, bias, scale="absolute")`. References: [arras2017].
    """
    return Composite(
        [
            (where.nature("linear"), Epsilon(epsilon, scale, bias)),
            (where.nature("recurrent"), RecurrentCell(gates, epsilon, scale, bias)),
            (where.nature("product"), SignalTakesAll() if gates == "signal" else HalfEach()),
            (where.nature("attention"), Attention()),
            (where.normaliser, Hold()),
        ]
    )
