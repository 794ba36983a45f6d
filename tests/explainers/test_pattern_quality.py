"""rho: how much of a neuron's output is left in what a signal estimator calls distractor."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pattern_oracle as oracle
from whence import zoo
from whence.errors import InvalidInput
from whence.explainers import PatternNet, Patterns, pattern_quality
from whence.explainers._patterns import LayerPatterns, fingerprint

# y and eps of mean zero and variance one, each with each
SIGNS = torch.tensor([-1.0, 1.0], dtype=torch.float64)
PAIRS = torch.cartesian_prod(SIGNS, SIGNS)
TOY = torch.stack([PAIRS.sum(1), PAIRS[:, 1]], 1)  # x = (1, 0) y + (1, 1) eps


def neuron() -> nn.Module:
    """w = (1, -1), so that w^T x = y."""
    net = nn.Linear(2, 1, bias=False).double()
    with torch.no_grad():
        net.weight[:] = torch.tensor([[1.0, -1.0]])
    return net


def with_pattern(net: nn.Module, a: list[float]) -> Patterns:
    layer = LayerPatterns(torch.tensor([a], dtype=torch.float64))
    return Patterns("linear", 4, {"forward": layer}, fingerprint(net))


def rho(net: nn.Module, patterns: Patterns, name: str = "linear") -> float:
    return float(pattern_quality(net, patterns, TOY, TOY).values[name]["forward"])


@pytest.mark.parametrize("t", [0.5, -0.5, 2.0])
def test_rho_by_hand(t: float) -> None:
    # a = (1 + t, t) leaves -(1, 1) t y + (1, 1) eps, whose correlation with y is |t| / sqrt(t² + 1)
    net = neuron()

    assert rho(net, with_pattern(net, [1 + t, t])) == pytest.approx(1 - abs(t) / (t**2 + 1) ** 0.5)


def test_the_true_pattern_leaves_nothing() -> None:
    net = neuron()

    assert rho(net, with_pattern(net, [1.0, 0.0])) == pytest.approx(1, abs=1e-12)
    assert rho(net, with_pattern(net, [0.0, 0.0])) == pytest.approx(0, abs=1e-3)


def test_the_filter_by_hand() -> None:
    # w / 2 leaves (1, 1) (y / 2 + eps)
    net = neuron()

    assert rho(net, with_pattern(net, [1.0, 0.0]), "filter") == pytest.approx(1 - 0.5 / 1.25**0.5)


def test_it_is_measured_on_other_data_than_it_is_fitted_on() -> None:
    # On the data, eps = y, so the rest (1, 1) eps tells y; on the held-out ones it does not.
    net = neuron()
    alike = torch.stack([2 * SIGNS, SIGNS], 1)
    patterns = with_pattern(net, [1.0, 0.0])
    same = pattern_quality(net, patterns, alike, alike).values["linear"]["forward"]
    other = pattern_quality(net, patterns, alike, TOY).values["linear"]["forward"]

    assert float(same) == pytest.approx(0, abs=1e-12)
    assert float(other) == pytest.approx(1, abs=1e-12)


def slow(pairs: tuple, held_out: tuple, opened: np.ndarray, closed: np.ndarray) -> float:
    """rho of one neuron from its patches, by least squares with a ridge."""

    def rest(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        d = np.array([each - (opened if out > 0 else closed) * out
                      for each, out in zip(x, y, strict=True)])  # fmt: skip
        return d - d.mean(0)

    (x, y), (x2, y2) = pairs, held_out
    d, d2 = rest(x, y), rest(x2, y2)
    ridge = 1e-4 * (d**2).sum() / d.shape[1]
    v = np.linalg.solve(d.T @ d + ridge * np.eye(d.shape[1]), d.T @ (y - y.mean()))
    return 1 - max(0.0, np.corrcoef(d2 @ v, y2)[0, 1])


def rows(theirs: list[dict], number: int, data: Tensor, neuron: int) -> tuple:
    found = oracle.samples(theirs, number, data.numpy())[neuron]
    return tuple(np.array(each) for each in zip(*found, strict=True))


@pytest.mark.parametrize("estimator", ["linear", "two-component", "centred"])
def test_rho_equals_the_slow_one(estimator: str) -> None:
    torch.manual_seed(0)
    conv, dense = nn.Conv2d(2, 4, 2, stride=2, padding=1, groups=2), nn.Linear(16, 2)
    net = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), dense).double().eval()
    weights = [(each.weight.detach().numpy(), each.bias.detach().numpy()) for each in (conv, dense)]
    options = {"stride": 2, "padding": 1, "dilation": 1, "groups": 2}
    theirs = [
        {"kind": "conv", "gated": True, "W": weights[0][0], "b": weights[0][1], **options},
        {"kind": "relu"},
        {"kind": "flatten"},
        {"kind": "dense", "gated": False, "W": weights[1][0], "b": weights[1][1]},
    ]
    seen, x, held_out = torch.randn(70, 2, 3, 3).double().split([20, 30, 20])
    patterns = PatternNet(net, estimator=estimator).fit(seen).patterns
    measured = pattern_quality(net, patterns, x, held_out, batch_size=7).values[estimator]
    of_conv = patterns.layers["0"]
    closed = of_conv.signal if of_conv.closed is None else of_conv.closed
    halves = [each.flatten(1).numpy() for each in (of_conv.signal, closed)]
    expected = [
        slow(rows(theirs, 0, x, j), rows(theirs, 0, held_out, j), *(half[j] for half in halves))
        for j in range(4)
    ]
    last = patterns["3"].numpy()
    of_dense = [
        slow(rows(theirs, 3, x, j), rows(theirs, 3, held_out, j), last[j], last[j]) for j in (0, 1)
    ]

    assert measured["0"].tolist() == pytest.approx(expected, abs=1e-9)
    assert measured["3"].tolist() == pytest.approx(of_dense, abs=1e-9)


def test_wide_layers_are_measured_at_some_of_their_neurons() -> None:
    net = nn.Linear(3, 10).double()
    x = torch.randn(20, 3).double()
    patterns = PatternNet(net).fit(x).patterns
    found = pattern_quality(net, patterns, x, x, neurons=4)

    assert found.values["filter"]["forward"].shape == (4,)
    assert str(found).splitlines()[0].split() == ["layer", "random", "filter", "two-component"]
    assert found.mean("two-component")["forward"] > 0.99


def test_neurons_that_do_not_vary_have_no_rho() -> None:
    net = nn.Linear(2, 2, bias=False).double()
    with torch.no_grad():
        net.weight[:] = torch.tensor([[1.0, -1.0], [0.0, 0.0]])
    patterns = PatternNet(net).fit(TOY).patterns
    found = pattern_quality(net, patterns, TOY, TOY)

    assert found.values["two-component"]["forward"].isnan().tolist() == [False, True]
    assert found.mean("two-component")["forward"] == pytest.approx(1)


def test_patterns_of_another_model_are_not_measured() -> None:
    other = nn.Linear(2, 1).double()

    with pytest.raises(InvalidInput, match="Refit"):
        pattern_quality(other, with_pattern(neuron(), [1.0, 0.0]), TOY, TOY)


def test_no_held_out_data_are_refused() -> None:
    net = neuron()

    with pytest.raises(InvalidInput, match="held_out data, got none"):
        pattern_quality(net, with_pattern(net, [1.0, 0.0]), TOY, [])


def lead(net: zoo.Model, x: Tensor, held_out: Tensor, estimator: str) -> float:
    """How much higher the mean rho of patterns is than the filter's, in the layer where least."""
    patterns = PatternNet(net.module, estimator=estimator).fit(x[::2]).patterns
    found = pattern_quality(net.module, patterns, x[1::2], held_out, neurons=2)
    pattern, gradient = found.mean(estimator), found.mean("filter")
    return min(pattern[layer] - gradient[layer] for layer in gradient)


@pytest.mark.parametrize(
    ("name", "estimator"),
    [("digits-mlp", "linear"), ("digits-mlp", "two-component"), ("digits-cnn", "two-component")],
)
def test_patterns_tell_signal_from_distractor_better_than_the_gradient_does(
    name: str, estimator: str
) -> None:
    net = zoo.model(name)
    train, test = (zoo.dataset("digits", split=split) for split in ("train", "test"))
    x, held_out = net.preprocess(train.images[::4]), net.preprocess(test.images[::3])

    assert lead(net, x, held_out, estimator) > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["linear", "two-component"])
def test_so_they_do_in_a_net_for_mnist(data: Path, estimator: str) -> None:
    net = zoo.model("lenet5-mnist", data)
    x, _ = zoo.dataset("mnist", data, "train").batch(range(1000))
    held_out, _ = zoo.dataset("mnist", data).batch(range(500))

    assert lead(net, net.preprocess(x), net.preprocess(held_out), estimator) > 0.5
