"""Golden numbers of SPEC section 8, worked out by hand, as fractions."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from whence.composites import Composite, where
from whence.explainers import LRP, GradientTimesInput, Sensitivity
from whence.rules import (
    AlphaBeta,
    BoxDirection,
    Epsilon,
    Flat,
    Gamma,
    Rule,
    TaylorRule,
    WSquare,
    ZBox,
    Zero,
    ZPlus,
    root_point,
)
from whence.targets import Given, Neuron

# One neuron: x = (1, 2, 1/2), w = (2, -1, 1), contributions (2, -2, 1/2), R = z = 1/2.
X = torch.tensor([[1.0, 2.0, 0.5]], dtype=torch.float64)
W = torch.tensor([[2.0, -1.0, 1.0]], dtype=torch.float64)

NEURON = [
    (Zero(), [2, -2, 1 / 2]),
    (Epsilon(0.25, scale="absolute"), [4 / 3, -4 / 3, 1 / 3]),
    (Epsilon(0.5), [4 / 3, -4 / 3, 1 / 3]),  # one row of one output: RMS 1/2
    (ZPlus(), [2 / 5, 0, 1 / 10]),
    (AlphaBeta(1.0, 0.0), [2 / 5, 0, 1 / 10]),
    (AlphaBeta(2.0, 1.0), [4 / 5, -1 / 2, 1 / 5]),
    (AlphaBeta.from_bach2015(2.0, -1.0), [4 / 5, -1 / 2, 1 / 5]),
    (WSquare(), [1 / 3, 1 / 12, 1 / 12]),
    (ZBox(-1.0, 3.0), [4 / 13, 1 / 13, 3 / 26]),
    (ZBox(torch.tensor([-1.0] * 3), torch.tensor([3.0] * 3)), [4 / 13, 1 / 13, 3 / 26]),
    (Flat(), [1 / 6, 1 / 6, 1 / 6]),
    (Gamma(0.5), [6 / 7, -4 / 7, 3 / 14]),
    (Gamma(0.0), [2, -2, 1 / 2]),
    (TaylorRule("weight"), [1 / 3, 1 / 12, 1 / 12]),
    (TaylorRule("activation"), [2, -2, 1 / 2]),
    (TaylorRule("positive"), [2 / 5, 0, 1 / 10]),
    (TaylorRule(lambda a, W: torch.ones_like(a)), [1 / 2, -1 / 4, 1 / 4]),
]


@pytest.mark.parametrize(("rule", "expected"), NEURON, ids=lambda each: repr(each)[:40])
def test_one_neuron_by_hand(rule: Rule, expected: list[float]) -> None:
    found = LRP(_dense(W), _everywhere(rule)).explain(X, 0)

    _assert_is(found.relevance, [expected])
    _assert_is(found.score, [1 / 2])


@pytest.mark.parametrize(("rule", "expected"), NEURON, ids=lambda each: repr(each)[:40])
def test_given_relevance_is_shared_like_a_score(rule: Rule, expected: list[float]) -> None:
    start = Given(torch.tensor([[0.5]], dtype=torch.float64))
    found = LRP(_dense(W), _everywhere(rule)).explain(X, start)

    _assert_is(found.relevance, [expected])


# The same neuron with bias 1/2, so z = R = 1: the bias's share is lost, left out, or handed out.
BIASED = [
    (Zero("absorb"), [2, -2, 1 / 2]),
    (Zero("zero"), [4, -4, 1]),
    (Zero("distribute"), [2 + 1 / 6, -2 + 1 / 6, 1 / 2 + 1 / 6]),
    (Epsilon(0.25, "absolute", "absorb"), [8 / 5, -8 / 5, 2 / 5]),
    (Epsilon(0.25, "absolute", "zero"), [8 / 3, -8 / 3, 2 / 3]),
    (Epsilon(0.25, "absolute", "distribute"), [9 / 5, -7 / 5, 3 / 5]),  # 3/4 / (5/4) in thirds
    (ZPlus("absorb"), [2 / 3, 0, 1 / 6]),
    (ZPlus("zero"), [4 / 5, 0, 1 / 5]),
    (ZPlus("distribute"), [2 / 3 + 1 / 18, 1 / 18, 1 / 6 + 1 / 18]),
    (AlphaBeta(2.0, 1.0, "absorb"), [4 / 3, -1, 1 / 3]),
    (Gamma(0.5, "absorb"), [6 / 5, -4 / 5, 3 / 10]),  # 3, -2, 3/4 and 3/4 of 5/2
    (Gamma(0.5, "zero"), [12 / 7, -8 / 7, 3 / 7]),
    (Gamma(0.5, "distribute"), [13 / 10, -7 / 10, 2 / 5]),
    (ZBox(-1.0, 3.0), [8 / 13, 2 / 13, 3 / 13]),
    (WSquare(), [2 / 3, 1 / 6, 1 / 6]),
    (Flat(), [1 / 3, 1 / 3, 1 / 3]),
]


@pytest.mark.parametrize(("rule", "expected"), BIASED, ids=lambda each: repr(each)[:50])
def test_one_neuron_with_a_bias_by_hand(rule: Rule, expected: list[float]) -> None:
    found = LRP(_dense(W, 0.5), _everywhere(rule)).explain(X, 0)

    _assert_is(found.relevance, [expected])
    found.ledger.check()


def test_gamma_mirrors_for_an_output_below_zero() -> None:
    found = LRP(_dense(-W), _everywhere(Gamma(0.5))).explain(X, 0)

    _assert_is(found.relevance, [[-6 / 7, 4 / 7, -3 / 14]])


def test_both_conventions_of_alpha_beta_are_one_rule() -> None:
    ours, bach = AlphaBeta(2.0, 1.0), AlphaBeta.from_bach2015(2.0, -1.0)
    x, model = torch.randn(4, 6), nn.Linear(6, 3)
    first, second = (LRP(model, _everywhere(rule)).explain(x, 1) for rule in (ours, bach))

    assert ours == bach
    assert torch.equal(first.relevance, second.relevance)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("weight", [5 / 6, 25 / 12, 5 / 12]),
        ("activation", [0, 0, 0]),
        ("positive", [4 / 5, 2, 2 / 5]),
        # z-box: towards l = -1 where w > 0 and towards h = 3 where w < 0, t = 1/13
        (BoxDirection(-1.0, 3.0), [11 / 13, 27 / 13, 5 / 13]),
    ],
    ids=["weight", "activation", "positive", "box"],
)
def test_the_root_point_lies_on_the_hyperplane(direction, expected: list[float]) -> None:
    root = root_point(X[0], W[0], direction)

    _assert_is(root, expected)
    assert abs(float(root @ W[0])) < 1e-15


def test_the_root_point_of_a_neuron_with_a_bias_lies_on_its_own_hyperplane() -> None:
    # 2 a1 - a2 + a3 - 1/4 = 1/4 at a: along w, of squared length 6, t = 1/24
    root = root_point(X[0], W[0], "weight", -0.25)

    _assert_is(root, [1 - 2 / 24, 2 + 1 / 24, 0.5 - 1 / 24])
    assert abs(float(root @ W[0]) - 0.25) < 1e-15


def test_an_input_of_weight_zero_stays_in_the_box_direction() -> None:
    d = BoxDirection(-1.0, 3.0)(X[None], torch.tensor([[2.0, 0.0, -1.0]], dtype=X.dtype))

    assert d.tolist() == [[[2.0, 0.0, -2.5]]]


def test_the_box_direction_gives_the_z_box_rule() -> None:
    x, model = torch.rand(4, 2, 5, 5, dtype=torch.float64), nn.Conv2d(2, 3, 3).double()
    low = torch.full((2, 5, 5), -0.1, dtype=torch.float64)
    target = Neuron((1, 0, 2))
    box = LRP(model, _everywhere(ZBox(low, 1.3))).explain(x, target)
    taylor = TaylorRule(BoxDirection(low.flatten(), 1.3))
    along = LRP(model, _everywhere(taylor)).explain(x, target)

    torch.testing.assert_close(along.relevance, box.relevance, rtol=1e-11, atol=1e-13)


def test_a_box_of_python_numbers_is_not_rounded_to_single_precision() -> None:
    x, model = torch.rand(4, 6, dtype=torch.float64), nn.Linear(6, 3).double()
    low, high = torch.tensor(-0.1, dtype=torch.float64), torch.tensor(1.1, dtype=torch.float64)
    numbers = LRP(model, _everywhere(ZBox(-0.1, 1.1))).explain(x, 0)
    tensors = LRP(model, _everywhere(ZBox(low, high))).explain(x, 0)

    assert torch.equal(numbers.relevance, tensors.relevance)


# f = max(x1, x2) for x >= 0: half the sum of max(0, x1 - x2), max(0, x2 - x1), max(0, x1 + x2)
TOY = [
    ([2, 1], [3 / 2, 1 / 2]),
    ([1, 2], [1 / 2, 3 / 2]),
    ([1, 1], [1 / 2, 1 / 2]),
    ([3, 1 / 2], [11 / 4, 1 / 4]),
]


@pytest.mark.parametrize(("x", "expected"), TOY)
def test_z_plus_explains_the_maximum(x: list[float], expected: list[float]) -> None:
    found = LRP(_toy(), _everywhere(ZPlus())).explain(torch.tensor([x], dtype=torch.float64), 0)

    _assert_is(found.score, [max(x)])
    _assert_is(found.relevance, [expected])


@pytest.mark.parametrize(
    ("x", "taylor", "slopes"),
    [([2, 1], [2, 0], [1, 0]), ([1, 2], [0, 2], [0, 1]), ([3, 1 / 2], [3, 0], [1, 0])],
)
def test_slopes_of_the_maximum_jump(x: list, taylor: list, slopes: list) -> None:
    inputs = torch.tensor([x], dtype=torch.float64)

    _assert_is(GradientTimesInput(_toy()).explain(inputs, 0).relevance, [taylor])
    _assert_is(Sensitivity(_toy()).explain(inputs, 0).relevance, [slopes])


def test_local_response_normalisation_by_its_taylor_terms() -> None:
    # x = (1, 2, 3), kappa = 2, alpha = 0.1, beta = 3/4, n = 3; the middle channel
    share, own, S = 0.1 / 3, 2 + 0.1 / 3 * 4, 2 + 0.1 / 3 * 14
    terms = [
        -2 * share * 0.75 * 2 * 1 * S**-1.75,
        2 * own**-0.75,
        -2 * share * 0.75 * 2 * 9 * S**-1.75,
    ]
    y = 2 * S**-0.75
    x = torch.tensor([[[1.0], [2.0], [3.0]]], dtype=torch.float64)
    model = nn.LocalResponseNorm(3, alpha=0.1, beta=0.75, k=2.0)
    found = LRP(model).explain(x, Neuron((1, 0)))

    assert terms == pytest.approx([-0.020597, 1.133016, -0.185374], abs=1e-6)
    assert y == pytest.approx(1.016125, abs=1e-6)
    _assert_is(found.relevance.flatten(), [y * term / sum(terms) for term in terms])


def test_epsilon_without_noise_is_lrp_0_and_with_much_noise_nothing() -> None:
    quiet = LRP(_dense(W), _everywhere(Epsilon(1e-14, "absolute"))).explain(X, 0)
    loud = LRP(_dense(W), _everywhere(Epsilon(1e14, "absolute"))).explain(X, 0)

    _assert_is(quiet.relevance, [[2, -2, 1 / 2]])
    assert loud.relevance.abs().max() < 1e-13


def test_relative_epsilon_is_a_fraction_of_the_size_of_the_row() -> None:
    # z = (3, 4): RMS sqrt(25 / 2); noise 0.1 RMS. The other sample, 10 times larger, has its own.
    x = torch.tensor([[1.0, 1.0], [10.0, 10.0]], dtype=torch.float64)
    model = _dense(torch.tensor([[3.0, 0.0], [0.0, 4.0]], dtype=torch.float64))
    found = LRP(model, _everywhere(Epsilon(0.1))).explain(x, Given(torch.ones(2, 2).double()))
    noise = 0.1 * 12.5**0.5

    _assert_is(found.relevance, [[3 / (3 + noise), 4 / (4 + noise)]] * 2)


@pytest.mark.parametrize("rule", [ZPlus(), WSquare(), ZBox(0.0, 1.0), Flat()])
def test_deep_taylor_rules_give_no_negative_relevance(rule: Rule) -> None:
    model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3), nn.ReLU())
    composite = Composite([*_everywhere(ZPlus()), (where.first, rule)])
    found = LRP(model, composite).explain(torch.rand(16, 8), 0)

    assert (found.relevance >= 0).all()
    assert found.relevance.any()


def _dense(weight: Tensor, bias: float | None = None) -> nn.Module:
    shift = None if bias is None else torch.full((len(weight),), bias, dtype=weight.dtype)
    return _Dense(weight, shift)


class _Dense(nn.Module):
    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), bias

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


def _toy() -> nn.Module:
    hidden = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    return nn.Sequential(_dense(hidden), nn.ReLU(), _dense(torch.full((1, 3), 0.5).double()))


def _everywhere(rule: Rule) -> Composite:
    return Composite([(where.nature("linear"), rule)])


def _assert_is(found: Tensor, expected: list) -> None:
    wanted = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(found.double(), wanted, rtol=1e-12, atol=1e-12)


def test_a_box_of_one_number_fits_a_layer_behind_a_flatten() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).double()
    x = torch.rand(2, 1, 2, 2, dtype=torch.float64)
    as_picture = ZBox(torch.zeros(1, 1, 1), torch.ones(1, 1, 1))
    found = LRP(model, Composite([(where.first, as_picture)])).explain(x, 1).relevance
    expected = LRP(model, Composite([(where.first, ZBox(0.0, 1.0))])).explain(x, 1).relevance

    assert found.abs().min() > 0
    assert torch.equal(found, expected)
