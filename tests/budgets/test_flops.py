"""The floating-point work of the methods, in multiples of one plain input gradient.

FLOPs are counted, not timed, so the budgets are exact; a budget of 1.50 means 1.50 after rounding
to two digits. Pictures are in 0..1 and of half the published size to be quick; the ratios of the
convolutions do not depend on it.
"""

import nets
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from whence.composites import (
    EpsilonAlpha2Beta1Flat,
    EpsilonEverywhere,
    EpsilonGammaBox,
    EpsilonPlus,
    EpsilonPlusFlat,
)
from whence.explainers import (
    LRP,
    Deconvnet,
    DeepTaylor,
    ExcitationBackprop,
    Explainer,
    GradientTimesInput,
    GuidedBackprop,
    Sensitivity,
)
from whence.targets import Each

BUDGETS = [
    (Sensitivity, 1.00, 1.00),
    (GradientTimesInput, 1.00, 1.00),
    (Deconvnet, 1.00, 1.00),
    (GuidedBackprop, 1.00, 1.00),
    (lambda model: LRP(model, EpsilonEverywhere()), 1.00, 1.00),
    (lambda model: LRP(model, EpsilonPlusFlat()), 1.50, 1.50),
    (lambda model: DeepTaylor(model, 0.0, 1.0), 1.50, 1.50),
    (ExcitationBackprop, 1.50, 1.50),
    (lambda model: LRP(model, EpsilonAlpha2Beta1Flat()), 2.00, 2.00),
    (lambda model: LRP(model, EpsilonGammaBox(0.0, 1.0)), 1.55, 1.75),
]
SIZE = 112
NAMES = [
    "sensitivity", "gradient-times-input", "deconvnet", "guided-backprop", "epsilon",
    "epsilon-plus-flat", "deep-taylor", "excitation-backprop", "epsilon-alpha2-beta1-flat",
    "epsilon-gamma-box",
]  # fmt: skip


@pytest.fixture(scope="module")
def vgg() -> nn.Module:
    return nets.vgg16().requires_grad_(False)


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    return nets.resnet50().requires_grad_(False)


@pytest.mark.parametrize(("make", "budget", "_"), BUDGETS, ids=NAMES)
def test_vgg16_keeps_the_budget(make: type[Explainer], budget: float, _: float, vgg: nn.Module):
    assert round(_flops_in_gradients(make(vgg), vgg, torch.rand(1, 3, SIZE, SIZE)), 2) <= budget


@pytest.mark.parametrize(("make", "_", "budget"), BUDGETS, ids=NAMES)
def test_resnet50_keeps_the_budget(
    make: type[Explainer], budget: float, _: float, resnet: nn.Module
):
    assert (
        round(_flops_in_gradients(make(resnet), resnet, torch.rand(1, 3, SIZE, SIZE)), 2) <= budget
    )


@pytest.mark.parametrize(
    ("rules", "budget"), [(EpsilonEverywhere(), 4.5), (EpsilonPlus(), 5.0)], ids=["epsilon", "z+"]
)
def test_eight_targets_share_one_forward(rules: object, budget: float, resnet: nn.Module) -> None:
    x = torch.rand(1, 3, SIZE, SIZE)
    explainer = LRP(resnet, rules)  # type: ignore[arg-type]
    work = _flops_in_gradients(explainer, resnet, x, Each(list(range(8))))

    assert round(work, 2) <= budget


def _flops_in_gradients(
    explainer: Explainer, model: nn.Module, x: Tensor, target: object = 3
) -> float:
    explainer.explain(x, target)  # fills the cache of modified weights
    with FlopCounterMode(display=False) as ours:
        explainer.explain(x, target)
    with FlopCounterMode(display=False) as plain:
        leaf = x.clone().requires_grad_()
        torch.autograd.grad(model(leaf * 1)[:, 3].sum(), leaf)
    return ours.get_total_flops() / plain.get_total_flops()
