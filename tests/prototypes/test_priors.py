"""Priors, computed by hand; all are rewards."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, MultivariateNormal, Normal

import whence
from whence.errors import InvalidInput
from whence.prototypes import L2, Density, Norm, Prior, TotalVariation

X = torch.tensor([[1.0, -2.0], [0.0, 3.0]]).double()
IMAGE = torch.tensor([[[[1.0, 2.0], [4.0, 8.0]]]]).double()


@pytest.mark.parametrize(
    ("prior", "expected"),
    [
        (L2(0.5), [-2.5, -4.5]),
        (L2(0.5, around=1.0), [-4.5, -2.5]),
        (L2(2.0, around=torch.tensor([1.0, 0.0])), [-8.0, -20.0]),
        (L2(1.0, around=X + 1), [-2.0, -2.0]),
        (Norm(2.0), [-6.0, -6.0]),
        (Norm(1.0, p=3.0), [-9.0, -27.0]),
        (Norm(3.0, p=math.inf), [-6.0, -9.0]),
        (L2(1.0) + 2 * Norm(1.0), [-11.0, -15.0]),
    ],
    ids=repr,
)
def test_a_prior_has_its_value(prior: Prior, expected: list[float]) -> None:
    torch.testing.assert_close(prior.log_density(X), torch.tensor(expected).double())


@pytest.mark.parametrize(
    ("power", "expected"), [(1.0, -(1 + 4 + 3 + 6) / 2), (2.0, -(1 + 16 + 9 + 36) / 2)]
)
def test_total_variation_sums_the_steps_between_neighbours(power: float, expected: float) -> None:
    assert TotalVariation(0.5, power).log_density(IMAGE).item() == expected


def test_total_variation_of_a_signal_is_along_time() -> None:
    signal = torch.tensor([[[1.0, 3.0, 0.0], [0.0, 0.0, 1.0]]])

    assert TotalVariation(1.0).log_density(signal).item() == -(2 + 3 + 0 + 1)


def test_an_expert_gives_its_log_density() -> None:
    expert = MultivariateNormal(torch.zeros(2).double(), 2 * torch.eye(2).double())

    # -1/2 x^T x / 2 - log(2 pi) - 1/2 log 4
    expected = -X.square().sum(1) / 4 - math.log(2 * math.pi) - math.log(2)
    torch.testing.assert_close(Density(expert).log_density(X), expected)
    torch.testing.assert_close(Density(expert, weight=0.25).log_density(X), expected / 4)


def test_an_expert_on_flat_inputs_sees_them_flat() -> None:
    expert = MultivariateNormal(torch.zeros(4).double(), torch.eye(4).double())

    torch.testing.assert_close(
        Density(expert, flat=True).log_density(IMAGE), expert.log_prob(IMAGE.flatten(1))
    )


PRIORS = [
    L2(0.7),
    L2(0.7, around=0.3),
    Norm(1.3, p=3.0),
    Norm(1.3),
    Norm(0.4, p=math.inf),
    TotalVariation(0.3),
    TotalVariation(0.3, power=2.0),
    L2(0.1) * 3 + TotalVariation(2.0),
    Density(Independent(Normal(torch.zeros(2, 3, 4).double(), 2.0), 3)),
]


@pytest.mark.parametrize("prior", PRIORS, ids=repr)
def test_a_gradient_is_the_slope(prior: Prior) -> None:
    x = torch.randn(3, 2, 3, 4, dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(prior.log_density, x)


@pytest.mark.parametrize("prior", PRIORS, ids=repr)
def test_samples_are_apart(prior: Prior) -> None:
    x = torch.randn(3, 2, 3, 4, dtype=torch.float64)

    alone = torch.cat([prior.log_density(each[None]) for each in x])
    torch.testing.assert_close(prior.log_density(x), alone, rtol=1e-12, atol=0)


def test_a_prior_around_rows_keeps_those_of_a_group() -> None:
    prior = 2 * L2(1.0, around=X) + L2(1.0, around=X[0])
    some = prior.of_rows(torch.tensor([1, 1]), 2)

    expected = -2 * (X - X[1]).square().sum(1) - (X - X[0]).square().sum(1)
    torch.testing.assert_close(some.log_density(X), expected)


@pytest.mark.parametrize("make", [L2, Norm, TotalVariation])
def test_a_negative_penalty_is_an_error(make: type[L2]) -> None:
    with pytest.raises(InvalidInput, match=r"at least 0|weight >= 0"):
        make(-1.0)


def test_a_sign_mistake_is_explained() -> None:
    with pytest.raises(InvalidInput, match=r"subtracted already: L2\(0.1\) is the log-density"):
        L2(-0.1)


@pytest.mark.parametrize("p", [0.5, 0.0])
def test_a_norm_below_one_is_an_error(p: float) -> None:
    with pytest.raises(InvalidInput, match="p must be at least 1"):
        Norm(1.0, p=p)


@pytest.mark.parametrize("around", [torch.zeros(3), torch.zeros(5, 2)])
def test_a_mean_of_another_shape_is_an_error(around: Tensor) -> None:
    with pytest.raises(InvalidInput, match=r"broadcast to the inputs, shape \(2, 2\)"):
        L2(1.0, around=around).log_density(X)


def test_positions_are_needed_for_their_variation() -> None:
    with pytest.raises(InvalidInput, match="Total variation needs positions"):
        TotalVariation(1.0).log_density(X)


def test_a_density_of_single_elements_is_an_error() -> None:
    with pytest.raises(InvalidInput, match=r"one number for each sample, \(2,\), got \(2, 2\)"):
        Density(Normal(0.0, 1.0)).log_density(X)


class Cut:
    """An expert that leaves torch."""

    def log_prob(self, value: Tensor) -> Tensor:
        return torch.as_tensor(value.detach().numpy().sum(1))


def test_an_expert_without_a_gradient_is_an_error() -> None:
    with pytest.raises(InvalidInput, match=r"Cut.log_prob must be differentiable"):
        whence.maximize(torch.nn.Linear(2, 2).double(), 0, start=X, prior=Density(Cut()))
