"""Knobs in words, as on the command line: replacements, features, neighbours."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.explainers._suggest import suggestion
from whence.metrics._features import Elements, Features, Patches, Pixels
from whence.metrics._imputation import Inpaint
from whence.metrics._neighbours import Ball, Cube, Neighbours, Shifts
from whence.metrics._perturbations import Noise, Perturbation, Squares
from whence.metrics._replacements import Blur, Constant, Mean, Replacement, SignFlip, Uniform

REPLACEMENTS = {
    "mean": "the mean of each channel of the sample",
    "constant": "the smallest valid value, black in pictures; 0 where it is not known",
    "uniform": "uniformly random within the sample's own range, averaged over draws",
    "blur": "the sample blurred",
    "inpaint": "a noisy linear imputation from what is around",
    "flip": "low + high - x, so that black becomes white",
}
_DRAWN: Mapping[str, Callable[..., Replacement]] = {"uniform": Uniform, "inpaint": Inpaint}
_FEATURES: Mapping[str, Callable[[], Features]] = {"pixels": Pixels, "elements": Elements}
_PERTURBATIONS: Mapping[str, Callable[[], Perturbation]] = {"squares": Squares, "noise": Noise}
_NEIGHBOURS: Mapping[str, Callable[[], Neighbours]] = {"ball": Ball, "cube": Cube, "shifts": Shifts}


def replacement(
    name: str,
    *,
    low: float | Tensor | None = None,
    high: float | Tensor | None = None,
    draws: int | None = None,
) -> Replacement:
    """What removed elements become, by its name from `metrics.REPLACEMENTS`.

    low, high: the smallest and largest valid input, as a `whence.zoo` model has them; "constant"
    and "flip" ask for them. draws: how many draws are averaged, for "uniform" and "inpaint".
    """
    _check_name("replacement", name, REPLACEMENTS)
    if name in _DRAWN:
        return _DRAWN[name]() if draws is None else _DRAWN[name](draws=draws)
    if name == "mean":
        return Mean()
    if name == "blur":
        return Blur()
    if name == "constant":
        return Constant(0.0 if low is None else low)
    if low is None and high is None:
        return SignFlip()
    return SignFlip(_one_number(low), _one_number(high))


def spelled(knob: str, value: Any) -> Any:
    """The value of a metric's knob, which may be given in words."""
    if not isinstance(value, str):
        return value
    if knob == "replacement":
        return replacement(value)
    if knob == "near":
        _check_name("kind of neighbours", value, _NEIGHBOURS)
        return _NEIGHBOURS[value]()
    if knob == "perturbation":
        _check_name("kind of perturbation", value, _PERTURBATIONS)
        return _PERTURBATIONS[value]()
    if knob == "features":
        sides = re.fullmatch(r"(\d+)x(\d+)", value)
        if sides is not None:
            return Patches((int(sides[1]), int(sides[2])))
        _check_name("kind of features", value, [*_FEATURES, "9x9"])
        return _FEATURES[value]()
    return value


def _check_name(kind: str, name: str, known: Any) -> None:
    if name not in known:
        raise InvalidInput(
            f"There is no {kind} {name!r}.{suggestion(name, known)} Known: {', '.join(known)}."
        )


def _one_number(bound: float | Tensor | None) -> float:
    values = torch.as_tensor(torch.nan if bound is None else bound).unique()
    if len(values) != 1 or bool(values.isnan()):
        raise InvalidInput(
            "The replacement 'flip' needs one smallest and one largest value for all channels, and "
            f"this model's channels have {len(values)}. Try mean, uniform, blur or inpaint."
        )
    return float(values)
