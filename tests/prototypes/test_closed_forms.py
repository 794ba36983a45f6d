"""Ascents whose end is known: equations solved another way, and laws between parametrisations."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import whence
from whence.prototypes import (
    L2,
    Generator,
    LogProbability,
    Noise,
    Output,
    Prototypes,
    Zeros,
)

W, B, PENALTY = torch.tensor([[1.5, -2.0, 0.5]], dtype=torch.float64), 0.3, 0.25


def logistic(weight: Tensor = W, bias: float = B) -> nn.Linear:
    """One logit w x + b."""
    net = nn.Linear(weight.shape[1], 1).double()
    net.weight.data, net.bias.data = weight.clone(), torch.tensor([bias], dtype=torch.float64)
    return net.eval()


def fixed_point(square: float, bias: float, penalty: float) -> float:
    """The t with t = (1 - sigmoid(t |w|^2 + b)) / (2 penalty), by bisection: the left side rises,
    the right side falls."""
    low, high = 0.0, 1 / (2 * penalty)
    for _ in range(200):
        t = (low + high) / 2
        excess = t - (1 - 1 / (1 + math.exp(-(t * square + bias)))) / (2 * penalty)
        low, high = (low, t) if excess > 0 else (t, high)
    return (low + high) / 2


def climb(net: nn.Module, objective: object, **options: object) -> Prototypes:
    return whence.maximize(net, objective, optimiser="lbfgs", steps=6, **options)  # type: ignore


@pytest.mark.parametrize("penalty", [0.01, 0.25, 3.0])
def test_a_logistic_model_has_the_prototype_of_its_equation(penalty: float) -> None:
    # d/dx [log sigmoid(w x + b) - penalty x^2] = (1 - sigmoid) w - 2 penalty x = 0
    t = fixed_point(float(W.square().sum()), B, penalty)

    found = climb(
        logistic(), LogProbability(1, head="sigmoid"), start=Zeros((3,)), prior=L2(penalty)
    )

    torch.testing.assert_close(found.inputs, t * W, rtol=1e-7, atol=1e-9)


def test_the_other_class_of_one_logit_is_the_logistic_model_of_its_negative() -> None:
    t = fixed_point(float(W.square().sum()), -B, PENALTY)

    found = climb(
        logistic(), LogProbability(0, head="sigmoid"), start=Zeros((3,)), prior=L2(PENALTY)
    )

    torch.testing.assert_close(found.inputs, -t * W, rtol=1e-7, atol=1e-9)


def test_two_logits_are_the_logistic_model_of_their_difference() -> None:
    net = nn.Linear(3, 2).double().eval()
    w = (net.weight[1] - net.weight[0]).detach()
    t = fixed_point(float(w.square().sum()), float((net.bias[1] - net.bias[0]).detach()), PENALTY)

    found = climb(net, 1, start=Zeros((3,)), prior=L2(PENALTY))

    torch.testing.assert_close(found.inputs[0], t * w, rtol=1e-7, atol=1e-9)


def test_the_values_of_the_result_are_those_of_the_equation() -> None:
    t = fixed_point(float(W.square().sum()), B, PENALTY)
    square = float(W.square().sum())

    found = climb(
        logistic(), LogProbability(1, head="sigmoid"), start=Zeros((3,)), prior=L2(PENALTY)
    )

    assert found.objective.item() == pytest.approx(-math.log1p(math.exp(-t * square - B)), 1e-8)
    assert found.prior.item() == pytest.approx(-PENALTY * t * t * square, 1e-8)


def test_a_penalty_around_a_mean_moves_the_prototype_from_that_mean() -> None:
    # With x = m + u the logit is w u + (w m + b), and the penalty is on u.
    mean = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)
    bias = float(W[0] @ mean) + B
    t = fixed_point(float(W.square().sum()), bias, PENALTY)

    found = climb(
        logistic(),
        LogProbability(1, head="sigmoid"),
        start=Zeros((3,)),
        prior=L2(PENALTY, around=mean),
    )

    torch.testing.assert_close(found.inputs[0], mean + t * W[0], rtol=1e-7, atol=1e-9)


# Regression: f(x) = 4 - (x1 - 1)^2 - 3 (x2 + 2)^2 has its maximum, 4, at (1, -2).


def parabola(x: Tensor) -> Tensor:
    centre = torch.tensor([1.0, -2.0], dtype=x.dtype)
    return 4 - ((x - centre).square() * torch.tensor([1.0, 3.0], dtype=x.dtype)).sum(1)


START = torch.tensor([[0.5, 0.25]], dtype=torch.float64)


@pytest.mark.parametrize("optimiser", ["adam", "sgd", "lbfgs"])
def test_the_extreme_case_of_a_regression_is_its_maximum(optimiser: str) -> None:
    found = whence.maximize(
        parabola, Output(), start=START, optimiser=optimiser, rate=0.1, schedule="cosine", steps=400
    )

    torch.testing.assert_close(
        found.inputs, torch.tensor([[1.0, -2.0]]).double(), atol=1e-6, rtol=0
    )
    assert found.objective.item() == pytest.approx(4.0, abs=1e-10)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_in_a_box_it_is_the_nearest_corner_of_a_separable_parabola(optimiser: str) -> None:
    found = whence.maximize(
        parabola, Output(), start=START, box=(0.0, 0.75), optimiser=optimiser, steps=80
    )

    assert found.inputs.tolist() == [[0.75, 0.0]]  # exactly: projection clips


def test_a_squashed_box_holds_an_inner_maximum_and_never_touches_its_bounds() -> None:
    box = (torch.tensor([-3.0, -1.5]).double(), torch.tensor([3.0, 4.0]).double())
    form = whence.prototypes.Squashed(whence.prototypes.Pixels(), box)

    found = whence.maximize(
        parabola, Output(), start=START, parametrisation=form, optimiser="lbfgs", steps=6
    )

    assert found.inputs[0, 0].item() == pytest.approx(1.0, abs=1e-6)
    assert -1.5 < found.inputs[0, 1].item() < -1.4999


# Generators. With x = A z, log sigmoid(w A z + b) - penalty z^2 is the logistic model of A^T w.

A = torch.tensor([[1.0, 0.5], [0.0, 2.0], [-1.0, 1.0]], dtype=torch.float64)


def linear_decoder(matrix: Tensor) -> nn.Linear:
    decoder = nn.Linear(matrix.shape[1], matrix.shape[0], bias=False).double()
    decoder.weight.data = matrix.clone()
    return decoder.eval()


def test_a_linear_decoder_gives_the_prototype_of_the_codes_equation() -> None:
    v = A.T @ W[0]
    t = fixed_point(float(v.square().sum()), B, PENALTY)
    form = Generator(linear_decoder(A), (2,), prior=L2(PENALTY))

    found = climb(logistic(), LogProbability(1, head="sigmoid"), parametrisation=form)

    torch.testing.assert_close(found.parameters[0][0], t * v, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(found.inputs[0], A @ (t * v), rtol=1e-7, atol=1e-9)


def test_a_linear_decoder_maximises_in_its_subspace() -> None:
    # With orthonormal columns |z| = |A z|: the penalty on codes is that on inputs of the subspace,
    # where the prototype is t P w.
    columns = torch.linalg.qr(A).Q
    project = columns @ columns.T
    t = fixed_point(float(W[0] @ project @ W[0]), B, PENALTY)
    form = Generator(linear_decoder(columns), (2,))

    found = climb(
        logistic(), LogProbability(1, head="sigmoid"), parametrisation=form, prior=L2(PENALTY)
    )

    torch.testing.assert_close(found.inputs[0], t * (project @ W[0]), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("optimiser", ["adam", "sgd", "lbfgs"])
def test_an_identity_decoder_is_simple_activation_maximisation(optimiser: str) -> None:
    net, start = nn.Linear(3, 4).double().eval(), Noise((3,))
    options = {"start": start, "optimiser": optimiser, "steps": 15}
    form = Generator(nn.Identity(), (3,), prior=L2(PENALTY))

    code = whence.maximize(net, [0, 3], parametrisation=form, **options)  # type: ignore
    simple = whence.maximize(net, [0, 3], prior=L2(PENALTY), **options)  # type: ignore

    assert torch.equal(code.inputs, simple.inputs)
    assert torch.equal(code.history, simple.history)
    assert torch.equal(code.prior, simple.prior)


def small_net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 4)).double().eval()


@pytest.mark.parametrize("optimiser", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("start", [Noise((5,)), Zeros((5,))], ids=["noise", "zeros"])
def test_a_batch_of_classes_equals_one_class_at_a_time(
    optimiser: str, start: whence.prototypes.Start
) -> None:
    net = small_net()

    def run(classes: list[int]) -> Prototypes:
        return whence.maximize(
            net, classes, start=start, prior=L2(0.1), optimiser=optimiser, steps=12, count=2, seed=4
        )

    together, apart = run([2, 0, 3]), [run([k]) for k in (2, 0, 3)]

    torch.testing.assert_close(
        together.inputs, torch.cat([each.inputs for each in apart]), rtol=1e-9, atol=1e-12
    )
    torch.testing.assert_close(
        together.history, torch.cat([each.history for each in apart], 1), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("size", [1, 2, 4])
def test_groups_give_what_one_batch_gives(size: int) -> None:
    net, means = small_net(), torch.randn(3, 5).double()

    def run(size: int | None) -> Prototypes:
        prior = L2(0.2, around=means)
        return whence.maximize(
            net, [0, 1, 2], start=means, prior=prior, steps=10, count=2, batch_size=size
        )

    torch.testing.assert_close(run(size).inputs, run(None).inputs, rtol=1e-10, atol=1e-12)


def test_a_finite_difference_agrees_with_the_first_step() -> None:
    net = small_net()
    x = torch.randn(1, 5, dtype=torch.float64)
    prior = L2(0.3, around=0.5)

    def total(point: Tensor) -> float:
        log_p = net(point).log_softmax(1)[0, 2]
        return float((log_p - 0.3 * (point - 0.5).square().sum()).detach())

    slope = [(total(x + h) - total(x - h)) / 2e-6 for h in 1e-6 * torch.eye(5).double()]
    found = whence.maximize(
        net, 2, start=x, prior=prior, optimiser="sgd", rate=0.01, steps=1, keep="last"
    )

    torch.testing.assert_close(
        (found.inputs - x)[0] / 0.01, torch.tensor(slope).double(), rtol=1e-7, atol=1e-7
    )


def test_the_history_is_the_objective_at_each_place() -> None:
    # Gradient ascent on -(x - 1)^2 with rate r: x - 1 shrinks by 1 - 2 r in each step.
    places: Callable[[Tensor], Tensor] = lambda x: -(x[:, 0] - 1).square()  # noqa: E731
    found = whence.maximize(
        places, Output(), start=torch.zeros(1, 1).double(), optimiser="sgd", rate=0.25, steps=3
    )

    assert found.history[:, 0].tolist() == [-1.0, -1 / 4, -1 / 16, -1 / 64]
    assert found.inputs.item() == 1 - 1 / 8
