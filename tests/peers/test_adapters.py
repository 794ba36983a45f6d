"""captum's methods as explainers of ours, and ours inside Quantus: the same numbers either way."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import whence
from models import SEQUENTIAL, assert_same, images, prepared
from whence.errors import InvalidInput
from whence.explainers import (
    Foreign,
    GradCAM,
    GradientTimesInput,
    InputGradient,
    IntegratedGradients,
    Occlusion,
    for_quantus,
)
from whence.metrics import Gini, Mean, Patches, RegionPerturbation

captum = pytest.importorskip("captum.attr", reason="compares with captum")

pytestmark = pytest.mark.filterwarnings("ignore:Setting (forward, )?backward hooks")
SIZE = 16
CLASSES = [1, 0, 3]


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return prepared(SEQUENTIAL["normed"](), SIZE).double()


@pytest.fixture
def x() -> Tensor:
    return images(SIZE, batch=3).double()


PAIRS = {
    "InputXGradient": (lambda net: Foreign(captum.InputXGradient(net)), GradientTimesInput, 1e-11),
    "Saliency": (lambda net: Foreign(captum.Saliency(net), abs=False), InputGradient, 1e-11),
    "IntegratedGradients": (
        lambda net: Foreign(captum.IntegratedGradients(net), n_steps=20),
        lambda net: IntegratedGradients(net, steps=20),
        1e-7,  # captum keeps the weights of the points in float32
    ),
    "Occlusion": (
        lambda net: Foreign(
            captum.Occlusion(net), sliding_window_shapes=(3, 4, 4), strides=(3, 4, 4)
        ),
        lambda net: Occlusion(net, window=4),
        1e-6,  # captum keeps differences in float32
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_method_of_captum_explains_as_ours_does(name: str, net: nn.Module, x: Tensor) -> None:
    theirs, ours, tolerance = PAIRS[name]
    found, expected = theirs(net).explain(x, CLASSES), ours(net).explain(x, CLASSES)

    assert_same(found.relevance, expected.relevance, tolerance)
    assert_same(found.score, expected.score, 1e-12)
    assert found.method.startswith(f"captum.{name}")


def test_the_highest_class_is_the_target_by_default(net: nn.Module, x: Tensor) -> None:
    found = Foreign(captum.InputXGradient(net)).explain(x)

    assert_same(found.relevance, GradientTimesInput(net).explain(x).relevance, 1e-11)


def test_an_enlarged_map_of_a_layer_goes_through_a_function(net: nn.Module, x: Tensor) -> None:
    def grad_cam(model: Any, inputs: Tensor, target: Tensor) -> Tensor:
        small = captum.LayerGradCam(model, model[4]).attribute(
            inputs, target, relu_attributions=True
        )
        return captum.LayerAttribution.interpolate(small, (SIZE, SIZE), "bilinear")

    found = Foreign(grad_cam, net).explain(x, CLASSES)

    assert_same(found.relevance, GradCAM(net, "4").explain(x, CLASSES).relevance, 1e-11)


def test_more_than_relevance_is_an_error(net: nn.Module, x: Tensor) -> None:
    both = Foreign(captum.IntegratedGradients(net), return_convergence_delta=True)

    with pytest.raises(InvalidInput, match="got 2 values"):
        both.explain(x, CLASSES)


MOVED = {
    "Saliency": (captum.Saliency, {}),
    "DeepLift": (captum.DeepLift, {}),
    "GuidedBackprop": (captum.GuidedBackprop, {}),
    "IntegratedGradients": (captum.IntegratedGradients, {"n_steps": 4}),
    "NoiseTunnel": (lambda net: captum.NoiseTunnel(captum.Saliency(net)), {"stdevs": 0.0}),
}


@pytest.mark.parametrize("name", MOVED)
def test_a_method_of_captum_moves_to_another_model(name: str, net: nn.Module, x: Tensor) -> None:
    make, options = MOVED[name]
    other = prepared(SEQUENTIAL["normed"](), SIZE, seed=5).double()
    moved = Foreign(make(net), **options).on(other).explain(x, CLASSES)
    expected = Foreign(make(other), **options).explain(x, CLASSES)

    assert_same(moved.relevance, expected.relevance, 1e-11)
    assert (
        float((moved.relevance - Foreign(make(net), **options).explain(x, 0).relevance).abs().max())
        > 0
    )


def test_a_method_of_captum_is_measured_beside_ours(net: nn.Module, x: Tensor) -> None:
    found = whence.evaluate(
        net,
        x,
        ["gradient-times-input", captum.InputXGradient(net), "random"],
        {"region": RegionPerturbation(features=Patches(4), replacement=Mean()), "gini": Gini()},
        progress=False,
    )
    ours, theirs, _ = found.methods

    assert theirs == "captum.InputXGradient"
    assert_same(found.scores(theirs, "gini"), found.scores(ours, "gini"), 1e-11)
    assert_same(found.scores(theirs, "region"), found.scores(ours, "region"), 1e-11)


@pytest.fixture
def quantus() -> Any:
    return pytest.importorskip("quantus", reason="runs inside Quantus")


def test_quantus_gets_the_relevance_that_we_give(quantus: Any, net: nn.Module, x: Tensor) -> None:
    """By our function, and by arrays computed before: the same scores."""
    model, arrays, y = net.float(), x.float().numpy(), np.array(CLASSES)
    options: dict[str, Any] = {
        "features_in_step": 64, "normalise": False, "disable_warnings": True,
        "display_progressbar": False, "perturb_baseline": "black",
    }  # fmt: skip
    before = for_quantus("lrp", composite="epsilon-plus")(model, arrays, y)
    asked = {"model": model, "x_batch": arrays, "y_batch": y, "softmax": True, "device": "cpu"}
    by_array = quantus.PixelFlipping(**options)(**asked, a_batch=before)
    by_function = quantus.PixelFlipping(**options)(
        **asked, a_batch=None, explain_func=for_quantus("lrp", composite="epsilon-plus")
    )

    assert np.array(by_function).shape[0] == len(x)
    assert np.allclose(by_function, by_array)


def test_options_of_quantus_reach_the_method(quantus: Any, net: nn.Module, x: Tensor) -> None:
    model, arrays, y = net.float(), x.float().numpy(), np.array(CLASSES)
    metric = quantus.Sparseness(disable_warnings=True, display_progressbar=False)
    asked = {"model": model, "x_batch": arrays, "y_batch": y, "a_batch": None, "device": "cpu"}
    few, many = (
        metric(**asked, explain_func=for_quantus("lrp"), explain_func_kwargs={"composite": each})
        for each in ("epsilon", "epsilon-plus-flat")
    )

    assert not np.allclose(few, many)


def test_quantus_randomises_the_model_under_our_function(
    quantus: Any, net: nn.Module, x: Tensor
) -> None:
    metric = quantus.MPRT(
        disable_warnings=True, display_progressbar=False, return_average_correlation=False
    )
    scores = metric(
        model=net.float(), x_batch=x.float().numpy(), y_batch=np.array(CLASSES), a_batch=None,
        explain_func=for_quantus("gradient"), device="cpu",
    )  # fmt: skip
    last = np.array(list(scores.values())[-1])

    assert np.abs(last).max() < 0.9
