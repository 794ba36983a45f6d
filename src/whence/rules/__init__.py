"""Rules: how relevance passes one operation. Each is a frozen value and reads as its equation."""

from whence.rules._alpha_beta import AlphaBeta, ZPlus
from whence.rules._attention import Attention
from whence.rules._box import ZBox
from whence.rules._contrastive import Contrastive
from whence.rules._epsilon import Epsilon, Zero
from whence.rules._gamma import Gamma
from whence.rules._gradient import DeconvnetReLU, Gradient, GuidedReLU, Pass
from whence.rules._hold import Hold
from whence.rules._max_pool import MaxPool
from whence.rules._pattern import InverseScale, PatternShare, PatternSignal, PatternSum, ReLUMask
from whence.rules._products import HalfEach, SignalTakesAll
from whence.rules._proportional import Proportional
from whence.rules._recurrent import RecurrentCell
from whence.rules._rule import Rule
from whence.rules._square import Flat, WSquare
from whence.rules._taylor import BoxDirection, TaylorRule, root_point
from whence.rules._uniform import Uniform

__all__ = [
    "AlphaBeta",
    "Attention",
    "BoxDirection",
    "Contrastive",
    "DeconvnetReLU",
    "Epsilon",
    "Flat",
    "Gamma",
    "Gradient",
    "GuidedReLU",
    "HalfEach",
    "Hold",
    "InverseScale",
    "MaxPool",
    "Pass",
    "PatternShare",
    "PatternSignal",
    "PatternSum",
    "Proportional",
    "ReLUMask",
    "RecurrentCell",
    "Rule",
    "SignalTakesAll",
    "TaylorRule",
    "Uniform",
    "WSquare",
    "ZBox",
    "ZPlus",
    "Zero",
    "root_point",
]
