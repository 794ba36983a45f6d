"""Methods of explanation: model + input -> Explanation; one method per file."""

from whence.explainers._audit import Audit, audit
from whence.explainers._constancy import Constancy
from whence.explainers._continuation import ContinuationExplanation, explain_continuation
from whence.explainers._deep_taylor_steps import DeepTaylorSteps, DeepTaylorTrace, RootCensus
from whence.explainers._excitation import ExcitationBackprop
from whence.explainers._explainer import Explainer
from whence.explainers._foreign import Foreign
from whence.explainers._grad_cam import GradCAM
from whence.explainers._gradient import (
    Deconvnet,
    GradientTimesInput,
    GuidedBackprop,
    InputGradient,
    Sensitivity,
)
from whence.explainers._lrp import LRP, DeepTaylor
from whence.explainers._min_max import MinMaxDeepTaylor
from whence.explainers._neuron import NeuronSteps
from whence.explainers._noise import SmoothGrad
from whence.explainers._patching import Patching, PatchingScores
from whence.explainers._path import IntegratedGradients
from whence.explainers._pattern import PatternAttribution, PatternNet
from whence.explainers._pattern_quality import PatternQuality, pattern_quality
from whence.explainers._patterns import Patterns
from whence.explainers._quantus import for_quantus
from whence.explainers._random import Random
from whence.explainers._registry import (
    describe,
    describe_preset,
    explain,
    method_class,
    methods,
    preset,
    presets,
)
from whence.explainers._taylor import Taylor
from whence.explainers._tiles import Occlusion
from whence.explainers._transformers import CPLRP, AttnLRP

__all__ = [
    "AttnLRP",
    "Audit",
    "CPLRP",
    "Constancy",
    "ContinuationExplanation",
    "Deconvnet",
    "DeepTaylor",
    "DeepTaylorSteps",
    "DeepTaylorTrace",
    "ExcitationBackprop",
    "Explainer",
    "Foreign",
    "GradCAM",
    "GradientTimesInput",
    "GuidedBackprop",
    "InputGradient",
    "IntegratedGradients",
    "LRP",
    "MinMaxDeepTaylor",
    "NeuronSteps",
    "Occlusion",
    "Patching",
    "PatchingScores",
    "PatternAttribution",
    "PatternNet",
    "PatternQuality",
    "Patterns",
    "Random",
    "RootCensus",
    "Sensitivity",
    "SmoothGrad",
    "Taylor",
    "audit",
    "describe",
    "describe_preset",
    "explain",
    "explain_continuation",
    "for_quantus",
    "method_class",
    "methods",
    "pattern_quality",
    "preset",
    "presets",
]
