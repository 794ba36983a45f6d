"""Sampling prototypes against steps by hand and stationary distributions known exactly."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from whence import prototypes
from whence.errors import InvalidInput
from whence.prototypes import L2, Denoiser, Generator, Shake, plug_and_play


class Slope(nn.Module):
    """w · x, so that its gradient is w everywhere."""

    def __init__(self, *w: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.w).sum(1, keepdim=True)


def gaussian(features: int, std: float = 1.0) -> Independent:
    """An expert N(0, std^2) for inputs (batch, features)."""
    zeros = torch.zeros(features, dtype=torch.float64)
    return Independent(Normal(zeros, zeros + std), 1)


FIRST = prototypes.Output(lambda output: output[:, 0])


def test_steps_follow_the_equation_of_the_paper() -> None:
    # x <- x + 0.2 (-x / 4) + 0.1 w, three times.
    x = expected = torch.tensor([[1.0, -2.0]], dtype=torch.float64)
    for _ in range(3):
        expected = expected - 0.2 * expected / 4 + 0.1 * torch.tensor([3.0, 1.0]).double()
    expert, epsilons = gaussian(2, std=2.0), (0.2, 0.1, 0.0)
    found = plug_and_play(Slope(3, 1), FIRST, expert, epsilons=epsilons, start=x, steps=3)

    torch.testing.assert_close(found.inputs, expected, rtol=0, atol=1e-14)


def test_steps_in_code_space_follow_the_decoder() -> None:
    # x = A z: z <- z + 0.2 (-z) + 0.1 A^T w, three times.
    a, w = torch.tensor([[1.0, 2.0], [0.0, -1.0], [1.0, 1.0]]).double(), (3.0, 1.0, -2.0)
    z = expected = torch.tensor([[0.5, -0.5]], dtype=torch.float64)
    for _ in range(3):
        expected = expected - 0.2 * expected + 0.1 * torch.tensor(w).double() @ a
    found = plug_and_play(
        Slope(*w),
        FIRST,
        gaussian(2),
        epsilons=(0.2, 0.1, 0.0),
        generator=Generator(lambda code: code @ a.T, (2,)),
        start=z,
        steps=3,
    )

    torch.testing.assert_close(found.inputs, expected @ a.T, rtol=0, atol=1e-14)


def test_an_expert_may_judge_what_the_generator_makes() -> None:
    # x = A z: z <- z + A^T (0.2 (-A z) + 0.1 w).
    a, w = torch.tensor([[1.0, 2.0], [0.0, -1.0], [1.0, 1.0]]).double(), (3.0, 1.0, -2.0)
    z = torch.tensor([[0.5, -0.5]], dtype=torch.float64)
    expected = z + (-0.2 * z @ a.T + 0.1 * torch.tensor(w).double()) @ a
    found = plug_and_play(
        Slope(*w),
        FIRST,
        gaussian(3),
        epsilons=(0.2, 0.1, 0.0),
        generator=Generator(lambda code: code @ a.T, (2,)),
        judges="inputs",
        start=z,
        steps=1,
    )

    torch.testing.assert_close(found.inputs, expected @ a.T, rtol=0, atol=1e-14)


def test_what_the_generator_holds_of_its_codes_counts_too() -> None:
    # epsilon2 (objective - |z|^2 / 2) + epsilon1 log N(z): z <- z + 0.1 (w - z) - 0.2 z.
    z, w = torch.tensor([[0.5, -0.5]]).double(), torch.tensor([3.0, 1.0]).double()
    found = plug_and_play(
        Slope(3, 1),
        FIRST,
        gaussian(2),
        epsilons=(0.2, 0.1, 0.0),
        generator=Generator(nn.Identity(), (2,), prior=L2(0.5)),
        start=z,
        steps=1,
    )

    torch.testing.assert_close(found.inputs, z + 0.1 * (w - z) - 0.2 * z, rtol=0, atol=1e-14)


def test_samples_have_the_stationary_mean_and_variance() -> None:
    # x <- (1 - e1) x + e2 w + N(0, e3^2) comes to mean e2 w / e1, variance e3^2 / (1 - (1 - e1)^2).
    e1, e2, e3 = 0.2, 0.1, 0.5
    start = torch.zeros(20_000, 1, dtype=torch.float64)
    found = plug_and_play(
        Slope(4), FIRST, gaussian(1), epsilons=(e1, e2, e3), start=start, count=20_000, steps=60
    ).inputs

    # Standard errors 0.006 and 0.007; bounds of four of them.
    assert found.mean().item() == pytest.approx(e2 * 4 / e1, abs=0.024)
    assert found.var().item() == pytest.approx(e3**2 / (1 - (1 - e1) ** 2), abs=0.028)


def test_small_steps_sample_from_the_posterior() -> None:
    # p(x) p(c | x) with log p(c | x) = 1.5 x + const: N(1.5, 1) again.
    step = 0.02
    start = torch.zeros(10_000, 1, dtype=torch.float64)
    found = plug_and_play(
        Slope(1.5),
        FIRST,
        gaussian(1),
        epsilons=(step, step, math.sqrt(2 * step)),
        start=start,
        count=10_000,
        steps=300,
    ).inputs

    assert found.mean().item() == pytest.approx(1.5, abs=0.05)
    assert found.var().item() == pytest.approx(1, abs=0.08)


def test_the_same_seed_gives_the_same_draws() -> None:
    def draw(seed: int) -> Tensor:
        start = torch.zeros(3, 1, dtype=torch.float64)
        return plug_and_play(
            Slope(1),
            FIRST,
            gaussian(1),
            epsilons=(0.1, 0.1, 0.1),
            start=start,
            count=3,
            steps=5,
            seed=seed,
        ).inputs

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    assert len(draw(1).unique()) == 3


def test_the_model_is_left_alone() -> None:
    model = Slope(1, 2).train()
    model.w.grad = torch.ones(2).double()
    before = model.w.detach().clone()
    start = torch.zeros(1, 2, dtype=torch.float64)
    plug_and_play(model, FIRST, gaussian(2), epsilons=(0.1, 0.1, 0.1), start=start, steps=3)

    assert torch.equal(model.w, before)
    assert torch.equal(model.w.grad, torch.ones(2).double())
    assert model.training
    assert model.w.requires_grad
    assert not model._forward_hooks


def test_a_denoiser_gives_the_slope_of_the_density() -> None:
    # For N(0, 4) and noise of 0.5 the best denoiser is x 4 / 4.25, the noisy density N(0, 4.25).
    expert = Denoiser(lambda x: x * (4 / 4.25), sigma=0.5)
    x = torch.tensor([[1.0, -3.0], [0.0, 2.0]], dtype=torch.float64, requires_grad=True)
    value = expert.log_prob(x)
    (slope,) = torch.autograd.grad(value.sum(), x)

    torch.testing.assert_close(slope, -x / 4.25, rtol=0, atol=1e-14)
    assert value.tolist() == [0, 0]


def test_numbers_that_cannot_be_are_refused() -> None:
    start = torch.zeros(1, 1, dtype=torch.float64)
    with pytest.raises(InvalidInput, match="the second, of the model, above 0"):
        plug_and_play(Slope(1), FIRST, gaussian(1), epsilons=(1, 0, 1), start=start)
    with pytest.raises(InvalidInput, match='judges must be "code" or "inputs"'):
        plug_and_play(
            Slope(1), FIRST, gaussian(1), epsilons=(1, 1, 1), start=start, judges="pixels"
        )
    with pytest.raises(InvalidInput, match="Shake needs std > 0"):
        Shake(0.0)
    with pytest.raises(InvalidInput, match="sigma must be above zero"):
        Denoiser(nn.Identity(), sigma=0)
