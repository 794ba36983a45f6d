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
from whence.composites._where import Scene, Selector

__all__ = [
    "Assignment",
    "Composite",
    "DeepTaylorRules",
    "EpsilonAlpha2Beta1",
    "EpsilonAlpha2Beta1Flat",
    "EpsilonEverywhere",
    "EpsilonGammaBox",
    "EpsilonPlus",
    "EpsilonPlusFlat",
    "Scene",
    "Selector",
    "assignment",
    "default_composite",
    "where",
]
