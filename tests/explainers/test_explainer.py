"""An explainer taken to another model is the explainer of that model."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from whence.composites import EpsilonPlus
from whence.explainers import (
    LRP,
    DeepTaylor,
    ExcitationBackprop,
    Explainer,
    GradCAM,
    GradientTimesInput,
    IntegratedGradients,
    Occlusion,
    Random,
    SmoothGrad,
)
from whence.testing import check_explainer

MAKERS: list[Callable[[nn.Module], Explainer]] = [
    LRP,
    lambda model: LRP(model, EpsilonPlus()),
    DeepTaylor,
    GradientTimesInput,
    lambda model: ExcitationBackprop(model, contrastive=True),
    lambda model: SmoothGrad(LRP(model), n=3, level=0.2),
    lambda model: IntegratedGradients(model, steps=4),
    GradCAM,
    lambda model: Occlusion(model, window=2),
    Random,
]


def net(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    layers = nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)
    return nn.Sequential(*layers).double().eval()


@pytest.mark.parametrize("make", MAKERS)
def test_it_explains_the_other_model_and_stays_with_its_own(
    make: Callable[[nn.Module], Explainer],
) -> None:
    first, second = net(0), net(1)
    x = torch.rand(2, 1, 4, 4, dtype=torch.float64)
    explainer = make(first)
    before = explainer.explain(x, 1).relevance
    moved = explainer.on(second)

    assert moved.model is second
    assert torch.equal(moved.explain(x, 1).relevance, make(second).explain(x, 1).relevance)
    assert explainer.model is first
    assert torch.equal(explainer.explain(x, 1).relevance, before)


def test_what_was_kept_of_one_models_weights_does_not_pile_up_in_the_other() -> None:
    explainer = LRP(net(0), EpsilonPlus())
    x = torch.rand(2, 1, 4, 4, dtype=torch.float64)
    explainer.explain(x, 1)
    kept = len(explainer._weights._made)
    explainer.on(net(1)).explain(x, 1)

    assert kept > 0
    assert len(explainer._weights._made) == kept


def test_it_keeps_the_contract_of_explainers() -> None:
    check_explainer(lambda model: SmoothGrad(LRP(nn.Identity()), n=2).on(model))


def test_a_baseline_that_is_a_python_number_is_not_rounded_to_single_precision() -> None:
    x, model = torch.rand(2, 3, dtype=torch.float64), nn.Linear(3, 2).double()
    point = torch.full((3,), 0.1, dtype=torch.float64)
    number, tensor = (
        IntegratedGradients(model, baseline=each).explain(x, 0) for each in (0.1, point)
    )

    assert torch.equal(number.relevance, tensor.relevance)
