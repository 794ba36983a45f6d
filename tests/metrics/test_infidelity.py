import pytest
import torch
from torch import Tensor, nn

from whence.errors import InvalidInput
from whence.explainers import GradientTimesInput, InputGradient
from whence.metrics import (
    Batch,
    Case,
    Constant,
    Infidelity,
    Mean,
    Metric,
    Noise,
    Perturbation,
    Scores,
    Squares,
    Uniform,
)
from whence.testing import check_metric

W = torch.tensor([2.0, -1.0, 3.0, 0.5], dtype=torch.float64)
X = torch.tensor([[1.0, 2.0, -1.0, 4.0], [0.5, 0.0, 3.0, -2.0]], dtype=torch.float64)
GRADIENT = W.expand(2, 4)


def linear(x: Tensor) -> Tensor:
    return (x * W).sum(1, keepdim=True) + 7


def measured(metric: Infidelity, relevance: Tensor) -> Scores:
    return metric(linear, X, relevance)


class One(Perturbation):
    """Takes the first two features to zero, always."""

    count = 2

    def of(self, batch: Batch):  # type: ignore[no-untyped-def]
        gone = torch.tensor([True, True, False, False])

        def make(samples: slice, draws: slice) -> tuple[Tensor, Tensor]:
            times = len(range(2)[draws])
            x = batch.x[samples, None].expand(-1, times, -1)
            return x * gone, gone.expand(len(x), times, 4)

        return make


def test_by_hand() -> None:
    # Sample 0 loses w x = 2 and -2: the score changes by 0. R foretells 5 + 1 = 6; 36.
    # Sample 1 loses 1 and 0: it changes by 1. R foretells 5 + 1; 25.
    R = torch.tensor([[5.0, 1, 9, 9], [5, 1, 9, 9]], dtype=torch.float64)

    assert measured(Infidelity(One()), R).values.tolist() == [36, 25]
    # As coefficients, I^T R = 1 * 5 + 2 * 1 = 7 and 0.5 * 5 + 0 = 2.5.
    found = measured(Infidelity(One(), meaning="coefficients"), R).values
    assert found.tolist() == [49, 1.5**2]


def test_the_best_factor_by_hand() -> None:
    # One draw twice: beta = 1 * 6 / 36, and nothing is left.
    R = torch.tensor([[5.0, 1, 9, 9], [5, 1, 9, 9]], dtype=torch.float64)
    found = measured(Infidelity(One(), scaled=True), R)

    assert found.details["beta"].tolist() == pytest.approx([0, 1 / 6])
    assert found.values.tolist() == pytest.approx([0, 0])


@pytest.mark.parametrize("perturbation", [Noise(0.3), Squares(2), Squares(1, 20, Constant(9.0))])
def test_the_weights_of_a_linear_model_are_perfect_coefficients(
    perturbation: Perturbation,
) -> None:
    found = measured(Infidelity(perturbation, meaning="coefficients"), GRADIENT)

    assert found.values.abs().max() < 1e-25


def test_weights_times_inputs_are_perfect_contributions_where_zero_replaces() -> None:
    squares = Squares(2, replacement=Constant(0.0))

    assert measured(Infidelity(squares), W * X).values.abs().max() < 1e-25


def test_contributions_are_perfect_against_what_replaces() -> None:
    away = X - X.mean(1, keepdim=True)

    assert measured(Infidelity(Squares(2, replacement=Mean())), W * away).values.max() < 1e-25
    assert measured(Infidelity(Squares(2, replacement=Mean())), W * X).values.min() > 0.1


def test_the_trap_coefficients_read_as_contributions_are_wrong() -> None:
    squares = Squares(2, replacement=Constant(0.0))

    assert measured(Infidelity(squares), GRADIENT).values.min() > 0.1
    assert measured(Infidelity(squares, meaning="coefficients"), W * X).values.min() > 0.1


def test_the_scaled_value_ignores_unit_and_sign_and_is_never_larger() -> None:
    R = torch.randn(2, 4, dtype=torch.float64)
    plain = measured(Infidelity(), R).values
    one = measured(Infidelity(scaled=True), R)
    many = measured(Infidelity(scaled=True), -100 * R)

    torch.testing.assert_close(one.values, many.values)
    torch.testing.assert_close(one.details["beta"], -100 * many.details["beta"])
    assert bool((one.values <= plain).all())
    assert not torch.allclose(measured(Infidelity(), -100 * R).values, plain)


def test_no_factor_is_better_than_the_best_one() -> None:
    R = torch.randn(2, 4, dtype=torch.float64)
    best = measured(Infidelity(scaled=True), R)
    others = torch.stack(
        [
            measured(Infidelity(), best.details["beta"][:, None] * R * factor).values
            for factor in (0.9, 1.0, 1.1)
        ]
    )

    torch.testing.assert_close(others[1], best.values)
    assert bool((others[0] > others[1]).all())
    assert bool((others[2] > others[1]).all())


def test_a_map_of_zeros_foretells_no_change() -> None:
    plain = measured(Infidelity(), torch.zeros_like(X)).values
    scaled = measured(Infidelity(scaled=True), torch.zeros_like(X)).values

    assert plain.min() > 0
    assert torch.equal(plain, scaled)


def test_on_a_net_the_gradient_is_right_for_small_noise_only() -> None:
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(6, 40), nn.Tanh(), nn.Linear(40, 1)).double().eval()
    x = torch.randn(5, 6, dtype=torch.float64)
    R = InputGradient(net).explain(x).relevance
    small, large = (
        Infidelity(Noise(level), meaning="coefficients")(net, x, R).values for level in (1e-3, 1)
    )

    # The rest is of second order, so its square falls with the fourth power of the level.
    assert bool((small < 1e-9 * large).all())


def test_channels_may_be_summed_beforehand() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    net = net.double().eval()
    x = torch.rand(3, 3, 8, 8, dtype=torch.float64)
    R = GradientTimesInput(net).explain(x).relevance
    apart = Infidelity()(net, x, R).values
    summed = Infidelity()(net, x, R.sum(1)).values

    torch.testing.assert_close(apart, summed)


@pytest.mark.parametrize("chunk", [1, 7, 10000])
def test_samples_do_not_depend_on_their_company(chunk: int) -> None:
    whole = Infidelity()(linear, X, X**2, ids=["a", "b"], chunk=chunk).values
    alone = Infidelity()(linear, X[1:], X[1:] ** 2, ids=["b"]).values

    torch.testing.assert_close(whole[1:], alone)


def test_all_explanations_share_the_perturbed_copies() -> None:
    batch = Batch(linear, X)
    metric = Infidelity(Squares(2, count=10))
    for R in (GRADIENT, W * X, torch.zeros_like(X)):
        metric.measure(Case(batch, R))
    cost = metric.cost(batch)

    assert cost.forwards == cost.explanations == 0
    assert batch.forwarded == 2 * sum(cost.shared.values()) == 2 * 11


def test_noise_and_contributions_do_not_fit() -> None:
    with pytest.raises(InvalidInput, match='meaning="coefficients"'):
        Infidelity(Noise())


def test_coefficients_cannot_have_been_summed() -> None:
    x = torch.rand(1, 3, 4, 4, dtype=torch.float64)
    with pytest.raises(InvalidInput, match="single elements"):
        Infidelity(meaning="coefficients")(lambda x: x.flatten(1), x, x.sum(1))


def test_an_unknown_meaning_lists_those_there_are() -> None:
    with pytest.raises(InvalidInput, match="contributions, coefficients"):
        Infidelity(meaning="gradient")


@pytest.mark.parametrize(
    "metric",
    [
        Infidelity(Squares(count=8)),
        Infidelity(Squares(count=8), scaled=True),
        Infidelity(Squares(2, 5, Uniform(draws=2))),
    ],
    ids=repr,
)
def test_it_keeps_its_contract(metric: Metric) -> None:
    check_metric(lambda: metric)


@pytest.mark.parametrize("scaled", [False, True])
def test_with_coefficients_it_keeps_its_contract(scaled: bool) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 9), nn.Tanh(), nn.Linear(9, 3))
    check_metric(
        lambda: Infidelity(Noise(count=8), meaning="coefficients", scaled=scaled),
        model=net.double().eval(),
        inputs=torch.randn(4, 1, 4, 4, dtype=torch.float64),
        target=[0, 1, 2, 1],
    )
