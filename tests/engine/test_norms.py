"""Normalisations, held constant."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from norming import ZERO, assert_same
from whence.composites import where
from whence.explainers import LRP
from whence.rules import HalfEach
from whence.targets import Given, Weights

_SLOPED = torch.arange(12.0).view(3, 4).double()
# -- deviations, as the normalisers of norms that are written by hand -----------------------------

BY_HAND = {
    "std": lambda x: (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True, unbiased=False),
    "var": lambda x: (x - x.mean(-1, True)) / torch.var(x, -1, correction=0, keepdim=True).sqrt(),
    "var and mean": lambda x: _standardised(*torch.var_mean(x, -1, False, True), x),
    "std and mean": lambda x: _standardised(*torch.std_mean(x, -1, False, keepdim=True), x, 1),
}


def _standardised(spread: Tensor, mean: Tensor, x: Tensor, power: float = 0.5) -> Tensor:
    return (x - mean) / spread**power


@pytest.mark.parametrize("name", BY_HAND)
def test_a_norm_by_hand_with_torchs_own_deviation_is_a_layer_norm(name: str) -> None:
    x = torch.randn(2, 3, 4).double()
    composite = ZERO + [(where.nature("product"), HalfEach())]
    found = LRP(BY_HAND[name], composite).explain(x, Weights(_SLOPED), ledger="full")
    expected = LRP(lambda x: F.layer_norm(x, (4,), eps=0.0), composite).explain(x, Weights(_SLOPED))

    assert_same(found, expected)
    found.ledger.check()


DEVIATIONS = {
    "std": lambda x: x.std(1),
    "std over all": lambda x: x.std().expand(2, 4),
    "var": lambda x: x.var(1),
    "var, biased": lambda x: torch.var(x, 1, correction=0),
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_a_deviation_that_is_pooled_passes_all_relevance(name: str) -> None:
    x, weights = torch.randn(2, 3, 4).double(), torch.randn(4).double()
    model = lambda x: DEVIATIONS[name](x) * 1.0  # noqa: E731
    leaf = x.clone().requires_grad_()
    gradient = torch.autograd.grad((model(leaf) * weights).sum(), leaf)[0]
    found = LRP(model, ZERO).explain(x, Weights(weights), ledger="full")
    given = LRP(model, ZERO).explain(x, Given(model(x) * weights), ledger="full")

    degree = 2 if "var" in name else 1
    torch.testing.assert_close(found.relevance, x * gradient / degree)
    torch.testing.assert_close(given.relevance, found.relevance)
    assert float(found.relevance.sum()) == pytest.approx(float((model(x) * weights).sum()))
    found.ledger.check()


def test_a_deviation_of_equal_values_is_zero_and_passes_nothing() -> None:
    found = LRP(lambda x: x.std(1), ZERO).explain(torch.ones(2, 3, 4).double(), 1)

    assert not found.relevance.any()


# -- layer, group, instance and RMS norm: linear once the normaliser is held constant -------------


def _layer(x: Tensor, axes: tuple[int, ...], weight, bias, eps: float) -> Tensor:
    mean = x.mean(axes, keepdim=True)
    deviation = ((x - mean).square().mean(axes, keepdim=True) + eps).sqrt().detach()
    y = (x - mean) / deviation
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _rms(x: Tensor, weight, eps: float) -> Tensor:
    y = x / (x.square().mean(-1, keepdim=True) + eps).sqrt().detach()
    return y if weight is None else y * weight


def _groups(x: Tensor, groups: int, weight, bias, eps: float) -> Tensor:
    tail = [1] * (x.dim() - 2)
    y = _layer(x.unflatten(1, (groups, -1)), tuple(range(2, x.dim() + 1)), None, None, eps)
    y = y.flatten(1, 2)
    y = y if weight is None else y * weight.view(-1, *tail)
    return y if bias is None else y + bias.view(-1, *tail)


def _filled(norm: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(5)
    for parameter in norm.parameters():
        parameter.data.normal_(generator=generator)
    return norm.double().eval()


LAYER, TWO, BARE = (_filled(nn.LayerNorm(*a)) for a in ((6,), ([2, 6],), (6, 1e-3, False)))
RMS, LOOSE = _filled(nn.RMSNorm(6)), _filled(nn.RMSNorm(6, 0.1, False))
GROUP, ALONE = _filled(nn.GroupNorm(2, 4)), _filled(nn.GroupNorm(1, 4, affine=False))
INSTANCE = _filled(nn.InstanceNorm2d(4, affine=True))
PLAIN = nn.InstanceNorm1d(4, eps=0.5)
HELD = {
    "layer": (LAYER, (3, 6), lambda x: _layer(x, (-1,), LAYER.weight, LAYER.bias, 1e-5)),
    "layer over two axes": (TWO, (2, 6), lambda x: _layer(x, (-2, -1), TWO.weight, TWO.bias, 1e-5)),
    "layer without weights": (BARE, (6,), lambda x: _layer(x, (-1,), None, None, 1e-3)),
    "rms": (RMS, (3, 6), lambda x: _rms(x, RMS.weight, torch.finfo(torch.float64).eps)),
    "rms with eps": (LOOSE, (6,), lambda x: _rms(x, None, 0.1)),
    "group": (GROUP, (4, 3, 2), lambda x: _groups(x, 2, GROUP.weight, GROUP.bias, 1e-5)),
    "group without weights": (ALONE, (4, 5), lambda x: _groups(x, 1, None, None, 1e-5)),
    "instance": (
        INSTANCE,
        (4, 3, 2),
        lambda x: _groups(x, 4, INSTANCE.weight, INSTANCE.bias, 1e-5),
    ),
    "instance without weights": (PLAIN, (4, 5), lambda x: _groups(x, 4, None, None, 0.5)),
}


@pytest.mark.parametrize("name", HELD)
def test_a_norm_is_linear_with_its_normaliser_held(name: str) -> None:
    norm, shape, slow = HELD[name]
    x = torch.randn(2, *shape, dtype=torch.float64, requires_grad=True)
    c = torch.randn(shape, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((slow(x) * c).sum(), x)
    found = LRP(norm).explain(x, Weights(c), ledger="full")

    torch.testing.assert_close(slow(x), norm(x))
    torch.testing.assert_close(found.relevance, (x * gradient).detach(), rtol=1e-10, atol=1e-11)
    found.ledger.check()


@pytest.mark.parametrize("name", HELD)
def test_given_relevance_passes_a_norm(name: str) -> None:
    norm, shape, _ = HELD[name]
    R = torch.randn(2, *shape, dtype=torch.float64)
    found = LRP(norm).explain(torch.randn(2, *shape, dtype=torch.float64), Given(R), ledger="full")

    assert torch.equal(found.relevance, R)
    found.ledger.check()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_norm_keeps_to_the_slow_formula_in_lower_precision(dtype: torch.dtype) -> None:
    x = torch.randn(2, 3, 6).to(dtype)
    norm = nn.LayerNorm(6).to(dtype)
    wide = x.double().requires_grad_()
    weights = Weights(torch.arange(6.0))
    slow = _layer(wide, (-1,), None, None, 1e-5)
    (gradient,) = torch.autograd.grad((slow * torch.arange(6.0).double()).sum(), wide)
    found = LRP(norm).explain(x, weights)
    tolerance = {torch.float32: 1e-5, torch.bfloat16: 0.05}[dtype]

    torch.testing.assert_close(
        found.relevance.double(), (wide * gradient).detach(), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("shape", [(5, 2), (5, 2, 3), (3, 4)], ids=str)
def test_local_response_norm_agrees_with_loops(size: int, shape: tuple[int, ...]) -> None:
    norm = nn.LocalResponseNorm(size, alpha=0.3, beta=0.6, k=1.5)
    x = torch.randn(2, *shape, dtype=torch.float64)
    R = norm(x) * (c := torch.randn(shape, dtype=torch.float64))
    found = LRP(norm).explain(x, Weights(c), ledger="full")

    torch.testing.assert_close(found.relevance, _lrn_loops(x, R, size), rtol=1e-10, atol=1e-11)
    found.ledger.check()


def _lrn_loops(x: Tensor, R: Tensor, size: int) -> Tensor:
    """[binder2016]: each output's Taylor terms at (0, .., x_k, 0), normalised to one."""
    share, beta, kappa, channels = 0.3 / size, 0.6, 1.5, x.shape[1]
    found = torch.zeros_like(x)
    for k in range(channels):
        window = [i for i in range(k - size // 2, k + (size - 1) // 2 + 1) if 0 <= i < channels]
        S = kappa + share * sum(x[:, i] ** 2 for i in window)
        terms = {i: -2 * share * beta * x[:, k] * x[:, i] ** 2 * S ** (-beta - 1) for i in window}
        terms[k] = x[:, k] * (kappa + share * x[:, k] ** 2) ** -beta
        total = sum(terms.values())
        for i in window:
            found[:, i] += terms[i] / total * R[:, k]
    return found
