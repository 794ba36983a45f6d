"""Several prototypes of one class: a score with two peaks, and likeness by a slow double loop."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import whence
from whence.errors import InvalidInput
from whence.prototypes import Diversity, LogProbability, Noise, Seen, as_objective
from whence.testing._untouched import untouched

PEAK = 3.0


class TwoPeaks(nn.Module):
    """log of two Gaussian bumps on a line, at -3 and 3; (batch, 1) to (batch, 1)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.logaddexp(-((x - PEAK) ** 2) / 2, -((x + PEAK) ** 2) / 2)


def root(slope: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function crosses zero, by bisection."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return low


def climbed(objective: object, start: Tensor, count: int = 1) -> list[float]:
    found = whence.maximize(
        TwoPeaks(), objective, start=start, count=count, optimiser="sgd", rate=0.3, steps=150,
        keep="last",
    )  # fmt: skip
    return sorted(found.inputs.flatten().tolist())


HEIGHT = as_objective(lambda output: output[:, 0])
STARTS = torch.tensor([[0.05], [0.15]], dtype=torch.float64)


def test_two_prototypes_find_both_peaks() -> None:
    apart = climbed(HEIGHT + Diversity(10.0, similarity="gaussian", width=1.0), STARTS, count=2)

    # by symmetry x1 = -x2 = x, and the slope of what is climbed vanishes:
    # 3 tanh(3 x) - x + weight (2 x / width^2) exp(-(2 x)^2 / (2 width^2)) = 0
    x = root(lambda x: 3 * math.tanh(3 * x) - x + 10 * 2 * x * math.exp(-2 * x * x), 2.0, 9.0)

    assert apart == pytest.approx([-x, x], abs=1e-10)
    assert x == pytest.approx(PEAK, abs=1e-5)


def test_a_wide_penalty_pushes_further_apart_by_as_much_as_it_should() -> None:
    apart = climbed(HEIGHT + Diversity(40.0, similarity="gaussian", width=2.0), STARTS, count=2)
    x = root(lambda x: 3 * math.tanh(3 * x) - x + 40 * x / 2 * math.exp(-x * x / 2), 2.0, 9.0)

    assert apart == pytest.approx([-x, x], abs=1e-10)
    assert x > PEAK + 0.1


def test_without_it_both_find_the_same_peak_and_one_finds_one() -> None:
    x = root(lambda x: 3 * math.tanh(3 * x) - x, 1.0, 9.0)

    assert climbed(HEIGHT, STARTS, count=2) == pytest.approx([x, x], abs=1e-10)
    assert climbed(HEIGHT, STARTS[:1]) == pytest.approx([x], abs=1e-10)


def seen(phi: Tensor, rows: list[int]) -> Seen:
    made = {"layer": [phi]}
    return Seen(torch.zeros(len(phi), 1), phi, phi, "scores", torch.tensor(rows), made)


def pairs(phi: Tensor, rows: list[int], alike: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """sum_{m<n} sim over the pairs of one row."""
    found = [
        alike(phi[m], phi[n])
        for m, n in itertools.combinations(range(len(phi)), 2)
        if rows[m] == rows[n]
    ]
    return torch.stack(found).sum()


ALIKE = {
    ("cosine", "all"): lambda a, b: F.cosine_similarity(a.flatten(), b.flatten(), 0),
    ("cosine", "mean"): lambda a, b: F.cosine_similarity(a.mean((1, 2)), b.mean((1, 2)), 0),
    ("gaussian", "all"): lambda a, b: (-(a - b).square().sum() / (2 * 1.5**2)).exp(),
    ("cosine", "gram"): lambda a, b: F.cosine_similarity(gram(a), gram(b), 0),
}


def gram(a: Tensor) -> Tensor:
    """How often two channels are strong at the same position."""
    return torch.stack([(a[c] * a[d]).mean() for c in range(len(a)) for d in range(len(a))])


@pytest.mark.parametrize(("similarity", "features"), ALIKE)
def test_values_add_up_to_the_penalty_on_pairs(similarity: str, features: str) -> None:
    phi = torch.randn(6, 3, 2, 4, dtype=torch.float64, requires_grad=True)
    rows = [0, 0, 0, 1, 1, 2]
    term = Diversity(0.7, "layer", similarity=similarity, width=1.5, features=features)
    values = term.value(seen(phi, rows))
    wanted = -0.7 * pairs(phi, rows, ALIKE[similarity, features])

    torch.testing.assert_close(values.sum(), wanted)
    assert values[5] == 0  # alone in its class
    torch.testing.assert_close(
        torch.autograd.grad(values.sum(), phi)[0], torch.autograd.grad(wanted, phi)[0]
    )


def test_features_that_vanish_have_no_likeness_and_a_finite_gradient() -> None:
    phi = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    values = Diversity(1.0, "layer").value(seen(phi, [0, 0]))
    (gradient,) = torch.autograd.grad(values.sum(), phi)

    assert values.tolist() == [0, 0]
    assert bool(gradient.isfinite().all())


def test_prototypes_of_a_class_differ_in_the_features_of_a_net() -> None:
    net = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).double().eval()
    start, options = Noise((5,), std=0.1), {"count": 3, "steps": 60, "box": (-1.0, 1.0)}
    with untouched(net):
        plain = whence.maximize(net, [0, 2], start=start, **options)
        objective = LogProbability((0, 2)) + Diversity(1.0, "1")
        apart = whence.maximize(net, objective, start=start, **options)

    assert likeness(net, apart.inputs[:3]) < likeness(net, plain.inputs[:3]) - 0.1
    assert likeness(net, apart.inputs[3:]) < likeness(net, plain.inputs[3:]) - 0.1


def likeness(net: nn.Module, x: Tensor) -> float:
    """The mean cosine of three prototypes' features."""
    phi = F.normalize(net[1](net[0](x)).detach(), dim=1)
    return float((phi @ phi.T)[[0, 0, 1], [1, 2, 2]].mean())


def test_a_note_says_when_there_is_nothing_to_compare() -> None:
    net = nn.Linear(2, 2).double()
    start = torch.zeros(2, 2, dtype=torch.float64)
    found = whence.maximize(net, LogProbability((0, 1)) + Diversity(1.0), start=start, steps=1)

    assert any("here each is alone" in note for note in found.notes)


def test_errors_say_what_to_do() -> None:
    with pytest.raises(InvalidInput, match="weight is subtracted already"):
        Diversity(-1.0)
    with pytest.raises(InvalidInput, match="width > 0"):
        Diversity(1.0, width=0.0)
    with pytest.raises(InvalidInput, match="similarity must be one of cosine, gaussian"):
        Diversity(1.0, similarity="euclid")
    with pytest.raises(InvalidInput, match="features one of all, mean, gram"):
        Diversity(1.0, features="some")
