"""Mixtures of Gaussians against scikit-learn, torch's own densities and sums by hand."""

import math

import numpy as np
import pytest
import torch

from whence.errors import InvalidInput
from whence.prototypes import Mixture

sklearn_mixture = pytest.importorskip("sklearn.mixture")


def clouds(seed: int = 0) -> np.ndarray:
    """Three correlated clouds in three dimensions."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(3, 3, 3))
    centres = 4 * random.normal(size=(3, 3))
    return np.concatenate([random.normal(size=(60, 3)) @ mixing[k] + centres[k] for k in range(3)])


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_log_prob_is_scikit_learns_score_for_every_kind_of_covariance(kind: str) -> None:
    fitted = sklearn_mixture.GaussianMixture(3, covariance_type=kind, random_state=0).fit(clouds())
    inputs = clouds(seed=1)[::7]
    found = Mixture.from_sklearn(fitted).log_prob(torch.from_numpy(inputs))

    np.testing.assert_allclose(found.numpy(), fitted.score_samples(inputs), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_its_gradient_is_that_of_finite_differences(kind: str) -> None:
    mixture = Mixture.fit(torch.from_numpy(clouds()), 3, covariance=kind)
    inputs = torch.from_numpy(clouds(seed=1)[::40]).requires_grad_()

    assert torch.autograd.gradcheck(mixture.log_prob, (inputs,))


def test_fit_is_scikit_learns_fit_and_keeps_the_shape_of_inputs() -> None:
    rows = clouds()
    fitted = sklearn_mixture.GaussianMixture(2, covariance_type="full", random_state=4).fit(rows)
    mixture = Mixture.fit(torch.from_numpy(rows).view(-1, 1, 3), 2, seed=4)
    found = mixture.log_prob(torch.from_numpy(rows).view(-1, 1, 3))

    np.testing.assert_allclose(found.numpy(), fitted.score_samples(rows), rtol=1e-10, atol=1e-10)
    assert repr(mixture) == "Mixture(2 Gaussians, inputs of 1 x 3)"


def test_options_reach_scikit_learn() -> None:
    with pytest.raises(TypeError, match="no_such_option"):
        Mixture.fit(torch.from_numpy(clouds()), 2, no_such_option=1)


def test_two_gaussians_on_a_line_by_hand() -> None:
    # 1/4 N(0, 1) + 3/4 N(2, 1/4) at x = 1: the first has density phi(1), the second 2 phi(2).
    mixture = Mixture(
        torch.tensor([0.25, 0.75], dtype=torch.float64),
        torch.tensor([[0.0], [2.0]], dtype=torch.float64),
        torch.tensor([1.0, 2.0], dtype=torch.float64),
        (1,),
    )
    densities = math.exp(-0.5) / 4 + 3 / 4 * 2 * math.exp(-2)
    expected = math.log(densities / math.sqrt(2 * math.pi))

    assert mixture.log_prob(torch.ones(1, 1).double()).item() == pytest.approx(expected, abs=1e-14)


def test_a_kernel_density_is_the_mean_of_gaussians_on_the_samples() -> None:
    samples, inputs = torch.randn(9, 2, 2).double(), torch.randn(4, 2, 2).double()
    kernels = [
        torch.distributions.MultivariateNormal(each.flatten(), 0.49 * torch.eye(4).double())
        for each in samples
    ]
    density = torch.stack([each.log_prob(inputs.flatten(1)).exp() for each in kernels]).mean(0)
    found = Mixture.kernels(samples, bandwidth=0.7).log_prob(inputs)

    torch.testing.assert_close(found, density.log(), rtol=0, atol=1e-12)


def test_single_precision_inputs_stay_so() -> None:
    mixture = Mixture.fit(torch.from_numpy(clouds()), 2)

    assert mixture.log_prob(torch.zeros(2, 3)).dtype == torch.float32


def test_what_is_no_fitted_mixture_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"fitted sklearn.*got GaussianMixture"):
        Mixture.from_sklearn(sklearn_mixture.GaussianMixture(2))
    with pytest.raises(InvalidInput, match=r"fitted sklearn.*got int"):
        Mixture.from_sklearn(3)


def test_what_cannot_be_a_mixture_is_refused() -> None:
    one, two = torch.ones(1), torch.full((2,), 0.5)
    with pytest.raises(InvalidInput, match=r"means must have shape \(2, 3\)"):
        Mixture(two, torch.zeros(2, 2), two, (3,))
    with pytest.raises(InvalidInput, match=r"roots must have shape \(2, 3, 3\), \(1, 3, 3\)"):
        Mixture(two, torch.zeros(2, 3), one, (3,))
    with pytest.raises(InvalidInput, match="sum 1, got a least one of 1 and a sum of 2"):
        Mixture(2 * two, torch.zeros(2, 3), two, (3,))
    with pytest.raises(InvalidInput, match="covariance must be one of"):
        Mixture.fit(torch.zeros(3, 2), covariance="round")
    with pytest.raises(InvalidInput, match="bandwidth must be above zero"):
        Mixture.kernels(torch.zeros(3, 2), 0.0)
    with pytest.raises(InvalidInput, match=r"floats of shape \(batch, \.\.\.\)"):
        Mixture.kernels(torch.zeros(3), 1.0)


def test_inputs_of_another_shape_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"inputs of shape \(batch, 2\), got \(1, 3\)"):
        Mixture.kernels(torch.zeros(3, 2), 1.0).log_prob(torch.zeros(1, 3))
