"""Methods that learn from data before they explain get the training part of the named data set."""

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from whence import zoo
from whence.errors import InvalidInput, WhenceError
from whence.explainers import Explainer, PatternNet, Patterns
from whence.zoo import Dataset, Model

_MOST = 2000  # pictures: patterns are a few means for each weight, and do not need more
_TOGETHER = 50


def learned(
    kinds: Sequence[type[Explainer]], net: Model, item: str | None, root: str | Path | None
) -> dict[str, Any]:
    """The option `patterns`, if one of the methods learns them; from the data that `item` names."""
    if not any(map(learns, kinds)):
        return {}
    return {"patterns": training_patterns(net, item, root)}


def learns(kind: type[Explainer]) -> bool:
    """Whether a method needs patterns."""
    return "patterns" in inspect.signature(kind.__init__).parameters


def training_patterns(
    net: Model,
    item: str | None,
    root: str | Path | None,
    estimator: str = "two-component",
    *,
    most: int = _MOST,
) -> Patterns:
    """Patterns of a model from at most `most` training pictures, evenly spread over them.

    item: a data set's name, or an item of it such as "digits:12".
    """
    data = _training(item, root)
    count = min(len(data), most)
    chosen = [number * len(data) // count for number in range(count)]
    explainer = PatternNet(net.module, estimator=estimator).fit(_seen(net, data, chosen))
    assert explainer.patterns is not None
    return explainer.patterns


def _training(item: str | None, root: str | Path | None) -> Dataset:
    name, colon, number = (item or "").rpartition(":")
    name = name if colon and number.isdecimal() else item or ""
    try:
        data = zoo.dataset(name, root, "train") if name else None
    except (WhenceError, KeyError):
        data = None
    if not isinstance(data, Dataset) or not data.name.endswith("/train"):
        raise InvalidInput(
            "patternnet and pattern-attribution learn from training data before they explain. Name "
            "an item of a data set that has a training part, such as digits:12; "
            f"{item or 'what is asked'} has none at hand. In Python: "
            "PatternAttribution(model).fit(data)."
        )
    return data


def _seen(net: Model, data: Dataset, chosen: Sequence[int]) -> Iterator[Tensor]:
    for start in range(0, len(chosen), _TOGETHER):
        part = chosen[start : start + _TOGETHER]
        yield torch.cat([net.preprocess(data[number].image[None]) for number in part])
