"""The measures on cases with known answers; what came out for the classic methods, as trends."""

import math
from dataclasses import replace

import pytest
import torch
from theory.measuring import Setting, candidates, measure, own_change
from theory.settings import digits_setting, plane_setting
from torch import nn

from whence.composites import Composite, where
from whence.explainers import (
    LRP,
    DeepTaylor,
    GradientTimesInput,
    IntegratedGradients,
    Sensitivity,
    Taylor,
)
from whence.rules import AlphaBeta

PLAIN, BIASED = plane_setting("no biases", 0.0), plane_setting("biases", 0.5)


def straight() -> Setting:
    """f(x) = 3 x_1 - 2 x_2 + 1 at (2, 1) and (1, 3), with a path from (0, 0) to (1, 1)."""
    net = nn.Linear(2, 1, dtype=torch.float64).requires_grad_(False)
    net.weight.data = torch.tensor([[3.0, -2.0]]).double()
    net.bias.data = torch.ones(1).double()
    x = torch.tensor([[2.0, 1.0], [1.0, 3.0]]).double()

    def path(places: torch.Tensor) -> torch.Tensor:
        return places[:, None].expand(-1, 2)

    return Setting("straight", net, x, torch.tensor([0, 0]), ((path, 0),), 10, 0.0, 3.0, x)


def test_the_candidates_of_a_straight_function() -> None:
    found = candidates(straight())

    assert found.score.tolist() == [5.0, -2.0]
    assert found.difference.tolist() == [4.0, -3.0]
    assert found.slope.tolist() == [13.0, 13.0]


def test_gradient_times_input_of_a_straight_function_by_hand() -> None:
    found = measure(straight(), GradientTimesInput(straight().net))  # (6, -2) and (3, -6)

    assert found.score == pytest.approx((1 / 5 + 1 / 2) / 2)  # the median of two
    assert found.difference == 0.0
    assert found.slope == pytest.approx((9 / 13 + 16 / 13) / 2)
    assert found.negative == pytest.approx((2 / 8 + 6 / 9) / 2)
    assert found.coarse == pytest.approx(0.1)  # (3 t, -2 t) in ten steps
    assert found.kept == pytest.approx(0.01)
    assert found.decomposes == "f - f(0)"
    assert (found.conservative, found.positive, found.continuous) == (False, False, True)


def test_sensitivity_of_a_straight_function_is_constant() -> None:
    found = measure(straight(), Sensitivity(straight().net))

    assert found.decomposes == "‖∇f‖²"
    assert found.coarse == 0.0
    assert math.isnan(found.kept)
    assert found.continuous


def test_the_score_itself_has_a_slope() -> None:
    assert own_change(straight()).kept == pytest.approx(0.01)
    assert own_change(PLAIN).kept < 0.02


@pytest.mark.parametrize("setting", [PLAIN, BIASED], ids=lambda s: s.name)
def test_sensitivity_decomposes_the_squared_slope_and_jumps(setting: Setting) -> None:
    found = measure(setting, Sensitivity(setting.net))

    assert found.decomposes == "‖∇f‖²"
    assert found.slope < 1e-12
    assert found.positive
    assert not found.continuous
    assert not found.conservative


def test_simple_taylor_decomposes_the_score_without_biases_only() -> None:
    plain, biased = (measure(each, Taylor(each.net)) for each in (PLAIN, BIASED))

    assert plain.score < 1e-12
    assert not plain.positive
    assert not plain.continuous
    assert biased.decomposes == "neither"


@pytest.mark.parametrize("setting", [PLAIN, BIASED], ids=lambda s: s.name)
def test_deep_taylor_is_conservative_positive_and_continuous(setting: Setting) -> None:
    found = measure(setting, DeepTaylor(setting.net, setting.low, setting.high))

    assert found.score < 1e-12
    assert found.positive
    assert found.continuous


def test_integrated_gradients_decompose_the_difference_with_biases() -> None:
    setting = replace(BIASED, steps=1)  # its sum counts here, not its path
    found = measure(setting, IntegratedGradients(BIASED.net, steps=512, chunk=4096))

    assert found.decomposes == "f - f(0)"
    assert not found.positive


def test_alpha_beta_loses_what_has_no_negative_side() -> None:
    rule = Composite([(where.nature("linear"), AlphaBeta(2, 1))])
    found = measure(PLAIN, LRP(PLAIN.net, rule))

    assert not found.conservative
    assert not found.positive


def test_on_digits_deep_taylor_is_smoother_than_the_gradient() -> None:
    setting = digits_setting("digits", "digits-cnn")
    deep = measure(setting, DeepTaylor(setting.net, 0.0, 1.0))
    shallow = measure(setting, GradientTimesInput(setting.net))

    assert deep.conservative
    assert deep.positive
    assert deep.continuous
    assert shallow.conservative
    assert not shallow.positive
    assert not shallow.continuous
