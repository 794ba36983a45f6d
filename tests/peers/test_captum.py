"""Agreement with captum, element by element, for the methods that both have."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import SEQUENTIAL, assert_same, images, prepared
from whence.composites import Composite, where
from whence.explainers import (
    LRP,
    Deconvnet,
    GradCAM,
    GradientTimesInput,
    GuidedBackprop,
    IntegratedGradients,
    Occlusion,
    Sensitivity,
)
from whence.rules import Epsilon, Gamma, Rule, ZPlus

captum = pytest.importorskip("captum.attr", reason="compares with captum")
from captum.attr._utils import lrp_rules  # noqa: E402  (after the check that it is there)

pytestmark = pytest.mark.filterwarnings(
    "ignore:Setting (forward, )?backward hooks",  # captum says so each time
    "ignore:Input Tensor 0 (did not|has a dtype)",
)
SIZE = 16
CLASSES = [1, 0, 3]  # one for each sample
EPSILON = 1e-3
TINY = 1e-30
every_net = pytest.mark.parametrize("name", SEQUENTIAL)


def net(name: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return prepared(SEQUENTIAL[name](), SIZE).double(), images(SIZE, batch=3).double()


def theirs(method: Any, x: Tensor, **options: Any) -> Tensor:
    leaf = x.clone().requires_grad_()
    return method.attribute(leaf, target=torch.tensor(CLASSES), **options).detach()


@every_net
def test_sensitivity_is_the_square_of_saliency(name: str) -> None:
    model, x = net(name)
    expected = theirs(captum.Saliency(model), x, abs=True).square()

    assert_same(Sensitivity(model).explain(x, CLASSES).relevance, expected, 1e-11)


@every_net
def test_gradient_times_input_agrees(name: str) -> None:
    model, x = net(name)
    expected = theirs(captum.InputXGradient(model), x)

    assert_same(GradientTimesInput(model).explain(x, CLASSES).relevance, expected, 1e-11)


@pytest.mark.parametrize(
    ("ours", "peer"),
    [(Deconvnet, "Deconvolution"), (GuidedBackprop, "GuidedBackprop")],
    ids=["deconvnet", "guided-backprop"],
)
@pytest.mark.parametrize("name", ["normed", "plain"])  # "odd" has other activations than ReLU
def test_a_method_of_rectified_signals_agrees(name: str, ours: Any, peer: str) -> None:
    model, x = net(name)
    expected = theirs(getattr(captum, peer)(model), x)

    assert_same(ours(model).explain(x, CLASSES).relevance, expected, 1e-11)


@pytest.mark.parametrize("baseline", [0.0, -0.5])
@every_net
def test_integrated_gradients_agree(name: str, baseline: float) -> None:
    """Both sum at the points of Gauss and Legendre; captum keeps their weights in float32."""
    model, x = net(name)
    ours = IntegratedGradients(model, baseline=baseline, steps=20).explain(x, CLASSES)
    expected = theirs(captum.IntegratedGradients(model), x, baselines=baseline, n_steps=20)

    assert_same(ours.relevance, expected, 1e-7)


@pytest.mark.parametrize(
    ("name", "layer"), [("normed", "4"), ("odd", "2"), ("plain", "3"), ("plain", "4")]
)
def test_grad_cam_agrees(name: str, layer: str) -> None:
    """Whence gives each channel of the input an equal part of the map."""
    model, x = net(name)
    peer = captum.LayerGradCam(model, model[int(layer)])
    small = theirs(peer, x, relu_attributions=True)
    large = captum.LayerAttribution.interpolate(small, (SIZE, SIZE), "bilinear")
    ours = GradCAM(model, layer).explain(x, CLASSES)

    assert_same(ours.at(layer), small, 1e-11)
    assert_same(ours.relevance.sum(1, keepdim=True), large, 1e-11)


@pytest.mark.parametrize(("window", "stride"), [(4, 4), (4, 2), (8, 4)])
@every_net
def test_occlusion_agrees(name: str, window: int, stride: int) -> None:
    """captum's answer is in float32."""
    model, x = net(name)
    options = {"sliding_window_shapes": (3, window, window), "strides": (3, stride, stride)}
    expected = captum.Occlusion(model).attribute(
        x, target=torch.tensor(CLASSES), baselines=0.25, **options
    )
    ours = Occlusion(model, window=window, stride=stride, value=0.25).explain(x, CLASSES)

    assert_same(ours.relevance, expected.double(), 1e-6)


class Plain(nn.Module):
    """captum's LRP has no rule for a Flatten module, so it is a function here."""

    def __init__(self, *, bias: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, bias=bias)
        self.second = nn.Conv2d(8, 8, 3, padding=1, bias=bias)
        self.relus = nn.ModuleList([nn.ReLU(), nn.ReLU()])
        self.most, self.mean = nn.MaxPool2d(2), nn.AvgPool2d(2)
        self.head = nn.Linear(72, 5, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        h = self.most(self.relus[0](self.first(x)))
        h = self.mean(self.relus[1](self.second(h)))
        return self.head(torch.flatten(h, 1))


def with_rule(model: Plain, peer: Any) -> Any:
    """captum keeps a rule as an attribute of its layer, and removes it afterwards."""
    model.first.rule, model.second.rule = peer(), peer()
    model.head.rule = lrp_rules.EpsilonRule(EPSILON)
    model.most.rule, model.mean.rule = lrp_rules.EpsilonRule(TINY), lrp_rules.EpsilonRule(TINY)
    return captum.LRP(model)


def test_the_epsilon_rule_agrees() -> None:
    model, x = prepared(Plain(bias=True), SIZE).double(), images(SIZE, batch=3).double()
    expected = theirs(with_rule(model, lambda: lrp_rules.EpsilonRule(EPSILON)), x)
    ours = LRP(model, Composite([(where.all, Epsilon(EPSILON, "absolute"))]))

    assert_same(ours.explain(x, CLASSES).relevance, expected, 1e-9)


@pytest.mark.parametrize(
    ("ours", "peer"),
    [(Gamma(0.25), "GammaRule"), (ZPlus(), "Alpha1_Beta0_Rule")],
    ids=["gamma", "z-plus"],
)
def test_a_rule_for_inputs_without_sign_and_layers_without_bias_agrees(
    ours: Rule, peer: str
) -> None:
    """captum changes weights only: its rules hold for inputs >= 0, and keep biases as they are."""
    model = prepared(Plain(bias=False), SIZE).double()
    x = images(SIZE, batch=3).double().abs()
    expected = theirs(with_rule(model, getattr(lrp_rules, peer)), x)
    chosen = [(where.all, Epsilon(EPSILON, "absolute")), (where.kind("conv2d"), ours)]

    assert_same(LRP(model, Composite(chosen)).explain(x, CLASSES).relevance, expected, 1e-7)
