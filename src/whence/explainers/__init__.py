"""Methods of explanation: model + input -> Explanation; one method per file."""

from whence.explainers._explainer import Explainer
from whence.explainers._gradient import (
    Deconvnet,
    GradientTimesInput,
    GuidedBackprop,
    InputGradient,
    Sensitivity,
)
from whence.explainers._lrp import LRP, DeepTaylor

__all__ = [
    "Deconvnet",
    "DeepTaylor",
    "Explainer",
    "GradientTimesInput",
    "GuidedBackprop",
    "InputGradient",
    "LRP",
    "Sensitivity",
]
