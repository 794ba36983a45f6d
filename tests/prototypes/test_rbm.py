"""The Gaussian-binary machine against sums over all hidden states, integrals and closed forms."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.prototypes import L2, Density, GaussianBinaryRBM, PersistentDivergence, maximize


def machine(hidden: int, features: int, seed: int = 0) -> GaussianBinaryRBM:
    """Random parameters, large enough for hidden units to matter."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return GaussianBinaryRBM(
        draw(hidden, features), draw(hidden), draw(features), draw(features).exp(), (features,)
    )


def energy(rbm: GaussianBinaryRBM, x: Tensor, h: Tensor) -> Tensor:
    """E(x, h) by its definition, one input and one hidden state."""
    gaussian = sum((x[i] - rbm.mean[i]) ** 2 / rbm.sigma[i] ** 2 for i in range(len(x))) / 2
    pairs = [
        h[j] * (rbm.bias[j] + sum(rbm.weights[j, i] * x[i] for i in range(len(x))))
        for j in range(len(h))
    ]
    return gaussian - sum(pairs)


def states(hidden: int) -> list[Tensor]:
    return [
        torch.tensor(bits, dtype=torch.float64)
        for bits in itertools.product((0.0, 1.0), repeat=hidden)
    ]


def test_log_prob_is_the_sum_over_all_256_states_of_8_hidden_bits() -> None:
    rbm = machine(8, 3)
    x = torch.tensor([[0.3, -1.2, 2.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    expected = [torch.stack([-energy(rbm, each, h) for h in states(8)]).logsumexp(0) for each in x]

    torch.testing.assert_close(rbm.log_prob(x), torch.stack(expected), rtol=0, atol=1e-12)


def test_a_hidden_unit_is_on_as_often_as_the_states_say() -> None:
    rbm, x = machine(6, 2), torch.tensor([[0.4, -0.7]], dtype=torch.float64)
    weights = torch.softmax(torch.stack([-energy(rbm, x[0], h) for h in states(6)]), 0)
    expected = (weights[:, None] * torch.stack(states(6))).sum(0)

    torch.testing.assert_close(rbm.activations(x)[0], expected, rtol=0, atol=1e-12)


def test_its_gradient_is_the_closed_form() -> None:
    rbm = machine(5, 4)
    x = torch.randn(7, 4, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(rbm.log_prob(x).sum(), x)
    on = torch.sigmoid(x @ rbm.weights.T + rbm.bias)
    expected = on @ rbm.weights - (x - rbm.mean) / rbm.sigma**2

    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert torch.autograd.gradcheck(rbm.log_prob, (x,))


def test_one_feature_and_one_hidden_unit_by_hand() -> None:
    # w = 2, b = -1, mean 1, sigma 1/2 at x = 3/2: log(1 + e^2) - 1/2.
    rbm = GaussianBinaryRBM(
        *(torch.tensor(v, dtype=torch.float64) for v in ([[2.0]], [-1.0], [1.0], [0.5])), (1,)
    )
    found = rbm.log_prob(torch.tensor([[1.5]], dtype=torch.float64))

    assert found.item() == pytest.approx(math.log1p(math.exp(2)) - 0.5, abs=1e-14)


def test_the_density_integrates_to_one_in_one_dimension() -> None:
    rbm = machine(4, 1)
    x = torch.linspace(-120, 120, 200_001, dtype=torch.float64)
    density = (rbm.log_prob(x[:, None]) - rbm.log_partition()).exp()

    assert torch.trapezoid(density, x).item() == pytest.approx(1, abs=1e-9)


def test_the_density_integrates_to_one_in_two_dimensions() -> None:
    weights = torch.tensor([[1.0, -1.0], [0.5, 2.0], [-1.5, 0.3]], dtype=torch.float64)
    bias, mean, sigma = (
        torch.tensor(v, dtype=torch.float64) for v in ([0.2, -1.0, 0.4], [0.1, -0.3], [0.8, 1.3])
    )
    rbm = GaussianBinaryRBM(weights, bias, mean, sigma, (2,))
    line = torch.linspace(-15, 15, 601, dtype=torch.float64)
    density = (rbm.log_prob(torch.cartesian_prod(line, line)) - rbm.log_partition()).exp()
    inner = torch.trapezoid(density.view(601, 601), line)

    assert torch.trapezoid(inner, line).item() == pytest.approx(1, abs=1e-9)


def test_the_normaliser_of_no_hidden_units_is_the_gaussians() -> None:
    sigma = torch.tensor([0.5, 3.0], dtype=torch.float64)
    none = torch.zeros(0, 2, dtype=torch.float64)
    rbm = GaussianBinaryRBM(none, none[:, 0], torch.zeros_like(sigma), sigma, (2,))

    assert rbm.log_partition().item() == pytest.approx(math.log(2 * math.pi * 1.5), abs=1e-14)


def without_hidden_units(weight: float, around: Tensor) -> GaussianBinaryRBM:
    """The machine with Sigma = I / (2 weight)."""
    none = around.new_zeros(0, around.numel())
    sigma = torch.full_like(around.flatten(), (2 * weight) ** -0.5)
    return GaussianBinaryRBM(none, none.sum(1), around.flatten(), sigma, tuple(around.shape))


def test_without_hidden_units_it_is_the_l2_prior() -> None:
    around = torch.randn(1, 3, 2, dtype=torch.float64)
    x = torch.randn(5, 1, 3, 2, dtype=torch.float64, requires_grad=True)
    expert = Density(without_hidden_units(0.3, around))
    found, expected = expert.log_density(x), L2(0.3, around).log_density(x)
    slopes = [torch.autograd.grad(each.sum(), x)[0] for each in (found, expected)]

    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)
    torch.testing.assert_close(*slopes, rtol=0, atol=1e-13)


def test_without_hidden_units_prototypes_are_those_of_the_l2_prior() -> None:
    torch.manual_seed(1)
    layers = torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)
    model = torch.nn.Sequential(torch.nn.Flatten(), *layers).double()
    around, start = torch.randn(2, 1, 3, 2, dtype=torch.float64)[:, :1]
    priors = Density(without_hidden_units(0.3, around)), L2(0.3, around)
    found, expected = (
        maximize(model, range(3), start=start[None], prior=each, steps=150) for each in priors
    )

    assert (expected.inputs - start).abs().amax() > 0.1  # they did climb
    torch.testing.assert_close(found.inputs, expected.inputs, rtol=0, atol=1e-10)
    torch.testing.assert_close(found.prior, expected.prior, rtol=0, atol=1e-10)


def test_samples_have_the_moments_that_the_states_say() -> None:
    # p(x) is a mixture of Gaussians, one for each hidden state, of weights known exactly.
    weights = torch.tensor([[1.0, -0.5], [0.5, 1.0]], dtype=torch.float64)
    bias, mean, sigma = (
        torch.tensor(v, dtype=torch.float64) for v in ([0.3, -0.6], [0.2, -0.1], [0.8, 1.2])
    )
    rbm = GaussianBinaryRBM(weights, bias, mean, sigma, (2,))
    h = torch.stack(states(2))
    shift = h @ weights
    level = h @ bias + shift @ mean + (shift * sigma).square().sum(1) / 2
    share = torch.softmax(level, 0)[:, None]
    centres = mean + sigma**2 * shift
    expected = (share * centres).sum(0)
    second = (share * centres.square()).sum(0) + sigma**2
    found = rbm.sample(20_000, steps=60, seed=3)

    # Twenty thousand draws: standard errors below 0.015 and 0.04; bounds of four of them.
    torch.testing.assert_close(found.mean(0), expected, rtol=0, atol=0.06)
    torch.testing.assert_close(found.square().mean(0), second, rtol=0, atol=0.16)


def known(count: int, seed: int) -> tuple[GaussianBinaryRBM, Tensor]:
    """A machine of two hidden units with four separate modes, and exact draws from it."""
    weights = 2.5 * torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, -1]]).double()
    bias = -(weights.square().sum(1) / 2) - torch.tensor([0.0, 0.5]).double()
    zeros, ones = torch.zeros(4).double(), torch.ones(4).double()
    rbm = GaussianBinaryRBM(weights, bias, zeros, ones, (4,))
    generator = torch.Generator().manual_seed(seed)
    h = torch.stack(states(2))
    shift = h @ weights
    share = torch.softmax(h @ bias + shift.square().sum(1) / 2, 0)
    chosen = torch.multinomial(share, count, replacement=True, generator=generator)
    return rbm, shift[chosen] + torch.randn(count, 4, generator=generator, dtype=torch.float64)


def mean_likelihood(rbm: GaussianBinaryRBM, x: Tensor) -> float:
    return float(rbm.log_prob(x).mean() - rbm.log_partition())


@pytest.mark.parametrize("sigma", ["shared", "each", 1.0])
def test_training_comes_close_to_the_true_density_on_held_out_draws(sigma: float | str) -> None:
    truth, draws = known(3000, seed=1)
    train, held_out = draws[:2000], draws[2000:]
    knobs = PersistentDivergence(
        epochs=15, batch=100, chains=100, rate=0.05, decay=0, hidden_start=0.3
    )
    learned = GaussianBinaryRBM.fit(train, hidden=2, sigma=sigma, training=knobs)
    gaussian = GaussianBinaryRBM.fit(train, hidden=0, sigma="each", training=knobs)
    best, plain = mean_likelihood(truth, held_out), mean_likelihood(gaussian, held_out)

    assert best - plain > 0.5  # nats: there is something to learn
    assert mean_likelihood(learned, held_out) > best - 0.1 * (best - plain)


def test_without_hidden_units_training_finds_mean_and_deviation() -> None:
    x = torch.randn(2000, 2, dtype=torch.float64) * torch.tensor([0.5, 4.0]) + 3
    knobs = PersistentDivergence(epochs=30, batch=200, chains=500, rate=0.05)
    rbm = GaussianBinaryRBM.fit(x, hidden=0, sigma="each", training=knobs)

    torch.testing.assert_close(rbm.mean, x.mean(0), rtol=0.05, atol=0)
    torch.testing.assert_close(rbm.sigma, x.std(0), rtol=0.05, atol=0)


def test_training_does_not_depend_on_units_and_level_of_the_inputs() -> None:
    x = known(200, seed=2)[1]
    knobs = PersistentDivergence(epochs=3)
    first = GaussianBinaryRBM.fit(x, hidden=3, training=knobs)
    second = GaussianBinaryRBM.fit(10 * x + 7, hidden=3, training=knobs)
    expected = first.log_prob(x) - first.log_prob(x[:1])
    found = second.log_prob(10 * x + 7) - second.log_prob(10 * x[:1] + 7)

    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def test_the_same_seed_gives_the_same_machine_and_torchs_state_stays() -> None:
    x = known(100, seed=4)[1]
    knobs, before = PersistentDivergence(epochs=2), torch.get_rng_state()
    first = GaussianBinaryRBM.fit(x, hidden=4, training=knobs, seed=5)
    again = GaussianBinaryRBM.fit(x, hidden=4, training=knobs, seed=5)
    other = GaussianBinaryRBM.fit(x, hidden=4, training=knobs, seed=6)

    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.weights, again.weights)
    assert torch.equal(first.sample(3, 5), again.sample(3, 5))
    assert not torch.equal(first.weights, other.weights)


def test_a_fixed_sigma_stays_in_the_units_of_the_inputs() -> None:
    x = 5 * known(100, seed=4)[1]
    rbm = GaussianBinaryRBM.fit(x, hidden=2, sigma=0.7, training=PersistentDivergence(epochs=2))

    torch.testing.assert_close(
        rbm.sigma, torch.full((4,), 0.7, dtype=torch.float64), rtol=0, atol=1e-12
    )


def test_a_bar_is_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    knobs = PersistentDivergence(epochs=1)
    GaussianBinaryRBM.fit(known(20, seed=4)[1], hidden=1, training=knobs, progress=True)

    assert "training the machine" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_what_is_saved_comes_back(ending: str, tmp_path: Path) -> None:
    pictures = torch.rand(12, 1, 4, 3)
    rbm = GaussianBinaryRBM.fit(pictures, hidden=5, training=PersistentDivergence(epochs=1))
    rbm.save(tmp_path / f"expert.{ending}")
    again = GaussianBinaryRBM.load(tmp_path / f"expert.{ending}")

    assert torch.equal(again.log_prob(pictures), rbm.log_prob(pictures))
    assert again.sample(2, 3).shape == (2, 1, 4, 3)
    assert repr(again) == "GaussianBinaryRBM(5 hidden units, inputs of 1 x 4 x 3)"


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"must end in \.safetensors or \.npz"):
        machine(1, 1).save(tmp_path / "expert.pt")

    np.savez(tmp_path / "other.npz", weights=np.zeros(1))
    with pytest.raises(InvalidInput, match="must hold weights, bias, mean, sigma, shape"):
        GaussianBinaryRBM.load(tmp_path / "other.npz")


def test_parameters_that_cannot_be_are_refused() -> None:
    ones = torch.ones(2)
    with pytest.raises(InvalidInput, match=r"weights must have shape \(hidden, 2\)"):
        GaussianBinaryRBM(torch.ones(3, 4), torch.ones(3), ones, ones, (2,))
    with pytest.raises(InvalidInput, match=r"bias must have shape \(3,\), got \(2,\)"):
        GaussianBinaryRBM(torch.ones(3, 2), ones, ones, ones, (2,))
    with pytest.raises(InvalidInput, match="sigma must be above zero, got 0"):
        GaussianBinaryRBM(torch.ones(3, 2), torch.ones(3), ones, 0 * ones, (2,))


def test_inputs_of_another_shape_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"inputs of shape \(batch, 2\), got \(5, 3\)"):
        machine(1, 2).log_prob(torch.zeros(5, 3).double())


def test_the_normaliser_of_many_hidden_units_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at most 20 hidden units, got 21"):
        machine(21, 2).log_partition()


@pytest.mark.parametrize(
    ("inputs", "options", "says"),
    [
        (torch.zeros(9, 2), {}, "must differ from each other"),
        (torch.zeros(1, 2), {}, "two inputs or more"),
        (torch.zeros(9, 2, dtype=torch.int64), {}, "floats of shape"),
        (torch.full((9, 2), math.nan), {}, "finite"),
        (torch.rand(9, 2), {"sigma": 0.0}, "sigma must be"),
        (torch.rand(9, 2), {"sigma": "all"}, "sigma must be"),
        (torch.rand(9, 2), {"hidden": -1}, "hidden must be 0 or more"),
    ],
)
def test_inputs_that_cannot_be_learned_are_refused(
    inputs: Tensor, options: dict[str, float | str | int], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        GaussianBinaryRBM.fit(inputs, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("knob", [{"epochs": 0}, {"gibbs": 0}, {"rate": 0.0}, {"decay": -1.0}])
def test_knobs_that_cannot_be_are_refused(knob: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="must be"):
        PersistentDivergence(**knob)  # type: ignore[arg-type]
