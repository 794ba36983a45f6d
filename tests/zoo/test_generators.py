"""The autoencoder: its bound against closed forms, what ships, and how good it is."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from whence import zoo
from whence.errors import InvalidInput
from whence.zoo._digits import DIGITS_INPUT, WEIGHTS


@pytest.fixture(scope="module")
def vae() -> zoo.Autoencoder:
    return zoo.generator("digits-vae")


def small(sigma: float | None = None) -> zoo.VAE:
    torch.manual_seed(0)
    return zoo.VAE((2, 3), code=2, widths=(5,), low=-1, high=3, sigma=sigma).double()


def test_the_bound_is_likelihood_less_divergence() -> None:
    net, x = small(sigma=0.7), 2 * torch.rand(4, 2, 3, dtype=torch.float64)
    noise = torch.randn(4, 2, dtype=torch.float64)
    seen = net.body(x)
    chosen = Independent(Normal(net.means(seen), net.spreads(seen).exp()), 1)
    before = Independent(Normal(torch.zeros(4, 2).double(), torch.ones(4, 2).double()), 1)
    decoded = net.decoder(net.means(seen) + net.spreads(seen).exp() * noise)
    likely = Normal(decoded, net.log_sigma.detach().exp()).log_prob(x).flatten(1).sum(1)
    expected = likely - kl_divergence(chosen, before)

    torch.testing.assert_close(net.bound(x, noise), expected, rtol=0, atol=1e-11)


class Constant(nn.Module):
    """The same values for each sample."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.values = values

    def forward(self, x: Tensor) -> Tensor:
        return self.values.expand(len(x), -1)


def test_with_the_true_posterior_the_bound_is_the_likelihood() -> None:
    # A linear decoder A z: p(x) = N(0, A A^T + s^2 I), and the posterior of z is Gaussian. On the
    # axes where its covariance is diagonal, A^T A diagonal, the encoder can be exact.
    net, s = small(sigma=0.5), 0.5
    a = torch.tensor([[1.0, 0], [0, 2], [0, 0], [1, 0], [0, 1], [0, 0]]).double()
    x = torch.tensor([[0.3, -1.0, 0.2, 0.5, 1.1, -0.4]]).double()
    precision = 1 + a.square().sum(0) / s**2
    net.decoder = nn.Sequential(nn.Linear(2, 6, bias=False).double(), nn.Unflatten(1, (2, 3)))
    net.decoder[0].weight.data = a
    net.means, net.spreads = Constant(x @ a / s**2 / precision), Constant(-precision.log() / 2)
    noise = torch.randn(200_000, 2, dtype=torch.float64)
    found = net.bound(x.view(1, 2, 3).expand(len(noise), -1, -1), noise)
    exact = MultivariateNormal(torch.zeros(6).double(), a @ a.T + s**2 * torch.eye(6).double())

    # The noise averages out: its standard error is 0.003 here.
    assert found.mean().item() == pytest.approx(exact.log_prob(x).item(), abs=0.015)


def test_the_decoder_stays_in_the_range_of_the_inputs() -> None:
    made = small().decoder(1000 * torch.randn(50, 2, dtype=torch.float64))

    assert made.shape == (50, 2, 3)
    assert made.amin() >= -1
    assert made.amax() <= 3


def blobs() -> Tensor:
    """Pictures with one bright pixel row out of four."""
    return 0.9 * torch.eye(4).repeat(16, 1)[:, :, None].expand(-1, -1, 3) + 0.05


def test_training_raises_the_bound_and_gives_inputs_back() -> None:
    x = blobs()
    short, long = (zoo.train_vae(x, 2, epochs=each, batch=16) for each in (1, 150))
    noise = torch.randn(len(x), 2)
    with torch.no_grad():
        gain = long.bound(x, noise).mean() - short.bound(x, noise).mean()
        error = (long(x) - x).abs().mean()

    assert gain > 5
    assert error < 0.1
    assert not long.training


def test_the_same_seed_gives_the_same_net_and_torchs_state_stays() -> None:
    before = torch.get_rng_state()
    nets = [zoo.train_vae(blobs(), 2, epochs=1, seed=seed) for seed in (3, 3, 4)]
    first, again, other = (net.decoder[0].weight for net in nets)

    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_given_sigma_stays() -> None:
    net = zoo.train_vae(blobs(), 2, epochs=2, sigma=0.3)

    assert net.log_sigma.item() == pytest.approx(math.log(0.3), abs=1e-6)


@pytest.mark.parametrize(
    ("inputs", "says"),
    [(torch.zeros(9, 2), "must differ"), (torch.zeros(1, 2), "two inputs or more")],
)
def test_inputs_that_cannot_be_learned_are_refused(inputs: Tensor, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        zoo.train_vae(inputs)


def test_the_shipped_one_gives_held_out_digits_back(vae: zoo.Autoencoder) -> None:
    inputs = vae.preprocess(zoo.dataset("digits", split="test").images)
    with torch.no_grad():
        error = (vae.decoder(vae.encoder(inputs)) - inputs).square().mean().sqrt()

    assert error < 0.055  # measured: 0.051; the mean digit leaves 0.18


def test_a_net_recognises_what_it_gives_back(vae: zoo.Autoencoder) -> None:
    net, digits = zoo.model("digits-cnn"), zoo.dataset("digits", split="test")
    with torch.no_grad():
        made = vae.decoder(vae.encoder(vae.preprocess(digits.images)))
        right = (net.module(made).argmax(1) == digits.labels).double().mean()

    assert right > 0.93  # of 355 held-out digits; the digits themselves: 99 %


def test_what_ships_is_small_and_fits_its_nets(vae: zoo.Autoencoder) -> None:
    net = zoo.model("digits-cnn")

    assert Path(WEIGHTS / "digits-vae.safetensors").stat().st_size < 1_000_000
    assert vae.input_shape == net.input_shape
    assert torch.equal(vae.low, net.low)
    assert torch.equal(vae.high, net.high)
    assert repr(vae) == "Autoencoder('digits-vae', codes of 16 -> inputs of 1 x 32 x 32)"


def test_an_unknown_generator_is_named_with_the_closest() -> None:
    with pytest.raises(InvalidInput, match=r"no generator 'digit-vae'\. Did you mean 'digits-vae'"):
        zoo.generator("digit-vae")


@pytest.mark.parametrize("name", zoo.generators())
def test_every_name_loads(name: str) -> None:
    assert zoo.generator(name).name == name


def test_a_generator_fits_the_nets_that_see_what_it_makes() -> None:
    vae, net = zoo.generator("digits-vae"), zoo.model("digits-cnn")

    assert vae.fits(net)
    assert vae.fits(zoo.model("digits-mlp"))
    assert not vae.fits(replace(net, input_shape=(1, 28, 28)))
    assert not vae.fits(replace(net, preprocess=replace(DIGITS_INPUT, mean=(0.5,))))
    assert not vae.fits(zoo.model("sst-lstm"))
