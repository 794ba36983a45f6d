"""Metrics by name."""

import inspect
from dataclasses import MISSING, fields
from typing import Any

from whence.errors import InvalidInput
from whence.explainers._suggest import suggestion
from whence.metrics._between import ABPC, SRG
from whence.metrics._completeness import Completeness
from whence.metrics._continuity import Continuity
from whence.metrics._effective_size import EffectiveSize
from whence.metrics._entropy import Entropy
from whence.metrics._file_size import FileSize
from whence.metrics._gini import Gini
from whence.metrics._infidelity import Infidelity
from whence.metrics._input_invariance import InputInvariance
from whence.metrics._insertion_deletion import Deletion, Insertion
from whence.metrics._inside_outside import InsideOutside
from whence.metrics._label_randomisation import LabelRandomisation
from whence.metrics._mask_auc import MaskAUC
from whence.metrics._metric import Metric
from whence.metrics._non_sensitivity import NonSensitivity
from whence.metrics._parameter_randomisation import ParameterRandomisation
from whence.metrics._pixel_flipping import PixelFlipping
from whence.metrics._pointing_game import PointingGame
from whence.metrics._region_perturbation import RegionPerturbation
from whence.metrics._relevance_mass import RelevanceMass
from whence.metrics._relevance_rank import RelevanceRank
from whence.metrics._selectivity import Selectivity
from whence.metrics._sensitivity_max import SensitivityMax
from whence.metrics._spelling import spelled
from whence.metrics._sufficiency import Comprehensiveness, Sufficiency
from whence.metrics._top_k_intersection import TopKIntersection
from whence.metrics._word_deleting import WordDeleting

_METRICS: tuple[type[Metric], ...] = (
    PixelFlipping,
    RegionPerturbation,
    ABPC,
    SRG,
    Insertion,
    Deletion,
    Sufficiency,
    Comprehensiveness,
    Selectivity,
    WordDeleting,
    Continuity,
    SensitivityMax,
    Infidelity,
    RelevanceMass,
    RelevanceRank,
    InsideOutside,
    PointingGame,
    TopKIntersection,
    MaskAUC,
    ParameterRandomisation,
    LabelRandomisation,
    InputInvariance,
    Completeness,
    NonSensitivity,
    Entropy,
    Gini,
    EffectiveSize,
    FileSize,
)


def names() -> list[str]:
    """The names that `metric` and the command `whence evaluate` take."""
    return [kind.name for kind in _METRICS]


def metric(name: str, **knobs: Any) -> Metric:
    """A metric by its name, from `metrics.names()`, with its knobs.

    Knobs may be in words: `replacement="uniform"` (see `metrics.REPLACEMENTS`), `features="9x9"`,
    "pixels" or "elements", `near="ball"`, "cube" or "shifts", `perturbation="squares"` or "noise".

    ```python
    metrics.metric("region", features="5x5", replacement="blur")
    ```
    """
    kind = metric_class(name)
    made = {each.name: each for each in fields(kind) if each.init}  # type: ignore[arg-type]
    for knob in knobs:
        if knob not in made:
            raise InvalidInput(
                f"The metric {name} has no knob {knob!r}.{suggestion(knob, made)} "
                f"Its knobs: {', '.join(made) or 'none'}."
            )
    required = [
        each.name
        for each in made.values()
        if each.default is MISSING and each.default_factory is MISSING
    ]
    missing = [knob for knob in required if knob not in knobs]
    if missing:
        raise InvalidInput(
            f"The metric {name} needs {missing[0]}=, which only a program can give: "
            f"metrics.{kind.__name__}({missing[0]}=...)."
        )
    return kind(**{knob: spelled(knob, value) for knob, value in knobs.items()})


def metric_class(name: str) -> type[Metric]:
    """The class of a metric by its name."""
    for kind in _METRICS:
        if kind.name == name:
            return kind
    raise InvalidInput(
        f"There is no metric {name!r}.{suggestion(name, names())} "
        f"The metrics are: {', '.join(names())}."
    )


def describe_metric(name: str) -> dict[str, Any]:
    """One metric in words: its class, docstring, and which way is better."""
    kind = metric_class(name)
    better = {1: "larger", -1: "smaller", 0: "neither"}[kind.direction]
    text = inspect.getdoc(kind) or ""
    return {"name": name, "class": kind.__name__, "text": text, "better": better}
