"""Metrics by name, and their knobs in words."""

import inspect
from typing import Any

import pytest
import torch

from whence import metrics
from whence.errors import InvalidInput
from whence.metrics import (
    Ball,
    Blur,
    Constant,
    Elements,
    Inpaint,
    Mean,
    Metric,
    Patches,
    PixelFlipping,
    Pixels,
    RegionPerturbation,
    Replacement,
    Shifts,
    SignFlip,
    Uniform,
    metric,
    names,
    replacement,
)

EXPORTED = [getattr(metrics, name) for name in metrics.__all__]
CLASSES = [each for each in EXPORTED if inspect.isclass(each) and not inspect.isabstract(each)]


def test_every_exported_metric_has_a_name_here() -> None:
    found = {each.name for each in CLASSES if issubclass(each, Metric)}

    assert found == set(names())
    assert len(names()) == len(set(names()))


def test_every_replacement_has_a_name() -> None:
    kinds = {each for each in CLASSES if issubclass(each, Replacement)}

    assert {type(replacement(name)) for name in metrics.REPLACEMENTS} == kinds


def test_a_name_gives_the_metric_with_default_knobs() -> None:
    assert metric("flipping") == PixelFlipping()


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({"replacement": "uniform"}, {"replacement": Uniform()}),
        ({"replacement": Mean()}, {"replacement": Mean()}),
        ({"features": "5x7"}, {"features": Patches((5, 7))}),
        ({"features": "elements"}, {"features": Elements()}),
        ({"features": "pixels", "steps": 3}, {"features": Pixels(), "steps": 3}),
    ],
)
def test_knobs_may_be_in_words(knobs: dict[str, Any], expected: dict[str, Any]) -> None:
    assert metric("region", **knobs) == RegionPerturbation(**expected)


@pytest.mark.parametrize(("word", "kind"), [("ball", Ball), ("shifts", Shifts)])
def test_neighbours_may_be_in_words(word: str, kind: type) -> None:
    assert metric("continuity", near=word).near == kind()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: metric("flippin"), "Did you mean 'flipping'"),
        (lambda: metric("flipping", stepp=1), "no knob 'stepp'. Did you mean 'step'"),
        (lambda: metric("label-randomisation"), "needs other="),
        (lambda: metric("flipping", replacement="blurr"), "Did you mean 'blur'"),
        (lambda: metric("flipping", features="circles"), "no kind of features 'circles'"),
        (lambda: metric("continuity", near="bal"), "Did you mean 'ball'"),
        (lambda: replacement("flip", low=torch.zeros(3, 1, 1), high=torch.rand(3, 1, 1)), "have 3"),
    ],
)
def test_what_is_not_known_is_said(ask: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        ask()


def test_constants_and_flips_ask_for_the_valid_range() -> None:
    low, high = torch.full((1, 1, 1), -1.5), torch.full((1, 1, 1), 0.5)

    assert replacement("constant", low=low) == Constant(low)
    assert replacement("constant") == Constant(0.0)
    assert replacement("flip", low=low, high=high) == SignFlip(-1.5, 0.5)
    assert replacement("flip") == SignFlip(-1.0, 1.0)


def test_draws_are_for_what_is_drawn() -> None:
    assert replacement("uniform", draws=3) == Uniform(draws=3)
    assert replacement("inpaint", draws=3) == Inpaint(draws=3)
    assert replacement("blur") == Blur()


@pytest.mark.parametrize("name", names())
def test_every_metric_says_what_it_is(name: str) -> None:
    about = metrics.describe_metric(name)

    assert len(about["text"]) > 100
    assert about["better"] in ("larger", "smaller", "neither")
