"""Explanations + model -> numbers: how good is an explanation?"""

from whence.metrics._agreement import MEASURES, Agreement, agreement
from whence.metrics._batch import Batch
from whence.metrics._between import ABPC, SRG
from whence.metrics._case import ORDERS, Case
from whence.metrics._completeness import Completeness
from whence.metrics._continuity import Continuity
from whence.metrics._continuity_strip import continuity_strip
from whence.metrics._curve import Curve
from whence.metrics._effective_size import EffectiveSize
from whence.metrics._entropy import Entropy
from whence.metrics._evidence import Evidence
from whence.metrics._features import Elements, Features, Patches, Pixels, Segments
from whence.metrics._file_size import FORMATS, FileSize
from whence.metrics._gini import Gini
from whence.metrics._height import CONVENTIONS
from whence.metrics._imputation import Inpaint
from whence.metrics._infidelity import Infidelity
from whence.metrics._input_invariance import InputInvariance
from whence.metrics._insertion_deletion import Deletion, Insertion
from whence.metrics._inside_outside import InsideOutside
from whence.metrics._label_randomisation import LabelRandomisation
from whence.metrics._layers import REDRAWS
from whence.metrics._mask_auc import MaskAUC
from whence.metrics._masks import boxes_to_masks
from whence.metrics._metric import INVARIANCES, Cost, Metric, Scores
from whence.metrics._neighbours import Ball, Cube, Neighbours, Shifts
from whence.metrics._non_sensitivity import NonSensitivity
from whence.metrics._parameter_randomisation import CASCADES, ParameterRandomisation
from whence.metrics._perturbations import Noise, Perturbation, Squares
from whence.metrics._pixel_flipping import PixelFlipping
from whence.metrics._pointing_game import PointingGame
from whence.metrics._read import READINGS
from whence.metrics._region_perturbation import RegionPerturbation
from whence.metrics._registry import describe_metric, metric, metric_class, names
from whence.metrics._relevance_mass import RelevanceMass
from whence.metrics._relevance_rank import RelevanceRank
from whence.metrics._replacements import Blur, Constant, Mean, Replacement, SignFlip, Uniform
from whence.metrics._selectivity import Selectivity
from whence.metrics._sensitivity_max import SensitivityMax
from whence.metrics._similarity import SIMILARITIES
from whence.metrics._spelling import REPLACEMENTS, replacement
from whence.metrics._statistics import (
    Difference,
    Interval,
    holm,
    mean_interval,
    paired_difference,
)
from whence.metrics._sufficiency import Comprehensiveness, Sufficiency
from whence.metrics._tally import Failure, Tally
from whence.metrics._top_k_intersection import TopKIntersection
from whence.metrics._trust import VERDICTS, Judgement, Trust, trust
from whence.metrics._word_deleting import WordDeleting

__all__ = [
    "ABPC",
    "Agreement",
    "Ball",
    "Batch",
    "Blur",
    "CASCADES",
    "CONVENTIONS",
    "Case",
    "Completeness",
    "Comprehensiveness",
    "Constant",
    "Continuity",
    "Cost",
    "Cube",
    "Curve",
    "Deletion",
    "Difference",
    "EffectiveSize",
    "Elements",
    "Entropy",
    "Evidence",
    "FORMATS",
    "Failure",
    "Features",
    "FileSize",
    "Gini",
    "INVARIANCES",
    "Infidelity",
    "Inpaint",
    "InputInvariance",
    "Insertion",
    "InsideOutside",
    "Interval",
    "Judgement",
    "LabelRandomisation",
    "MEASURES",
    "MaskAUC",
    "Mean",
    "Metric",
    "Neighbours",
    "Noise",
    "NonSensitivity",
    "ORDERS",
    "ParameterRandomisation",
    "Patches",
    "Perturbation",
    "PixelFlipping",
    "Pixels",
    "PointingGame",
    "READINGS",
    "REDRAWS",
    "REPLACEMENTS",
    "RegionPerturbation",
    "RelevanceMass",
    "RelevanceRank",
    "Replacement",
    "SIMILARITIES",
    "SRG",
    "Scores",
    "Segments",
    "Selectivity",
    "SensitivityMax",
    "Shifts",
    "SignFlip",
    "Squares",
    "Sufficiency",
    "Tally",
    "TopKIntersection",
    "Trust",
    "Uniform",
    "VERDICTS",
    "WordDeleting",
    "agreement",
    "boxes_to_masks",
    "continuity_strip",
    "describe_metric",
    "holm",
    "mean_interval",
    "metric",
    "metric_class",
    "names",
    "paired_difference",
    "replacement",
    "trust",
]
