"""Input invariance: closed forms on linear models, and the bias changed by hand as the oracle."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from whence.composites import Composite, where
from whence.errors import InvalidInput
from whence.explainers import LRP, GradCAM, GradientTimesInput, InputGradient, Sensitivity
from whence.metrics import Batch, Case, InputInvariance
from whence.rules import Epsilon, Flat, WSquare, Zero
from whence.testing._untouched import untouched

X = torch.tensor([[1.0, -2.0], [3.0, 0.5]], dtype=torch.float64)


@pytest.fixture
def linear() -> nn.Linear:
    net = nn.Linear(2, 1).double().eval()
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[2.0, 3.0]]))
    return net


@pytest.fixture
def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2)).double().eval()


def moved(explainer: Any, x: Tensor = X, shift: Any = 1.0, **features: Any) -> list[float]:
    metric = InputInvariance(shift, **features)
    relevance = explainer.explain(x, 0).relevance
    return metric(explainer.model, x, relevance, 0, explainer=explainer).values.tolist()


def test_input_times_gradient_moves_by_hand(linear: nn.Linear) -> None:
    # R = (2, -6) and (6, 3/2) move by (2, 3) for a shift of 1.
    assert moved(GradientTimesInput(linear)) == pytest.approx([5 / 8, 5 / 7.5], abs=1e-12)
    assert moved(GradientTimesInput(linear), shift=-2.0) == pytest.approx([10 / 8, 10 / 7.5])


def test_a_shift_of_one_feature_moves_that_one(linear: nn.Linear) -> None:
    shift = torch.tensor([0.0, 1.0])

    assert moved(GradientTimesInput(linear), shift=shift) == pytest.approx([3 / 8, 3 / 7.5])


@pytest.mark.parametrize("make", [InputGradient, Sensitivity])
def test_gradients_stay(net: nn.Module, make: Any) -> None:
    assert moved(make(net)) == pytest.approx([0, 0], abs=1e-12)


@pytest.mark.parametrize("rule", [WSquare(), Flat()])
def test_rules_that_do_not_look_at_the_input_stay(net: nn.Module, rule: Any) -> None:
    rules = Composite([(where.nature("linear"), Epsilon()), (where.first, rule)])

    assert moved(LRP(net, rules)) == pytest.approx([0, 0], abs=1e-12)


@pytest.mark.parametrize("rule", [Zero(), Epsilon(), Epsilon(0.1), WSquare(), Flat()])
def test_it_is_the_change_of_the_first_bias(net: nn.Sequential, rule: Any) -> None:
    rules = Composite([(where.nature("linear"), Epsilon()), (where.first, rule)])
    shifted = copy.deepcopy(net)
    with torch.no_grad():
        shifted[0].bias -= net[0].weight.sum(1)
    before = LRP(net, rules).explain(X, 0).relevance
    after = LRP(shifted, rules).explain(X + 1, 0).relevance
    expected = (after - before).abs().sum(1) / before.abs().sum(1)

    assert moved(LRP(net, rules)) == pytest.approx(expected.tolist(), abs=1e-9)


def test_padding_is_no_trouble() -> None:
    net = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
    x = torch.rand(2, 2, 4, 4, dtype=torch.float64)
    shift = torch.tensor([1.0, -3.0]).view(2, 1, 1)

    assert moved(InputGradient(net.double().eval()), x, shift) == pytest.approx([0, 0], abs=1e-12)


def test_layers_are_found_by_their_names_and_functions_work_too() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2))
    net, x = net.double().eval(), torch.rand(2, 1, 4, 4, dtype=torch.float64)

    assert moved(GradCAM(net, "0"), x) == pytest.approx([0, 0], abs=1e-12)
    assert moved(InputGradient(lambda x: net(x)), x) == pytest.approx([0, 0], abs=1e-12)


def test_inputs_by_name() -> None:
    def model(x: Tensor, scale: Tensor) -> Tensor:
        return x * scale

    inputs = {"x": X, "scale": torch.tensor([2])}
    explainer = InputGradient(model)
    relevance = explainer.explain(inputs, 0).relevance["x"]
    scores = InputInvariance()(model, inputs, relevance, 0, explainer=explainer)

    assert scores.values.tolist() == [0, 0]


def test_the_model_and_the_inputs_are_as_they_were(net: nn.Module) -> None:
    with untouched(net, X):
        moved(LRP(net))


def test_it_costs_one_explanation_and_the_untouched_answer(net: nn.Module) -> None:
    batch, metric = Batch(net, X), InputInvariance()
    metric.measure(Case(batch, X, InputGradient(net)))

    assert metric.cost(batch).explanations == 1
    assert batch.forwarded == len(X) * sum(metric.cost(batch).shared.values())


def test_relevance_out_of_nothing_is_infinitely_far(linear: nn.Linear) -> None:
    zero = torch.zeros(1, 2, dtype=torch.float64)

    assert moved(GradientTimesInput(linear), zero) == [float("inf")]


def test_token_ids_cannot_be_shifted() -> None:
    ids = torch.tensor([[1, 2]])

    with pytest.raises(InvalidInput, match="Only numbers can be shifted"):
        InputInvariance()(lambda x: x.double(), ids, ids.double(), 0, explainer=InputGradient)
