"""Composites: which rule where, as ordered lists of selectors and rules, and named presets."""

from whence.composites import _where as where
from whence.composites._composite import Assignment, Composite, assignment
from whence.composites._presets import (
    DeepTaylorRules,
    EpsilonAlpha2Beta1,
    EpsilonAlpha2Beta1Flat,
    EpsilonEverywhere,
    EpsilonGammaBox,
    EpsilonPlus,
    EpsilonPlusFlat,
    default_composite,
)
from whence.composites._recurrent import Recurrent
from whence.composites._relp import RelP
from whence.composites._state_space import MambaLRP
from whence.composites._transformers import CPLRP, AttnLRP
from whence.composites._where import Scene, Selector

__all__ = [
    "Assignment",
    "AttnLRP",
    "CPLRP",
    "Composite",
    "DeepTaylorRules",
    "EpsilonAlpha2Beta1",
    "EpsilonAlpha2Beta1Flat",
    "EpsilonEverywhere",
    "EpsilonGammaBox",
    "EpsilonPlus",
    "EpsilonPlusFlat",
    "MambaLRP",
    "Recurrent",
    "RelP",
    "Scene",
    "Selector",
    "assignment",
    "default_composite",
    "where",
]
