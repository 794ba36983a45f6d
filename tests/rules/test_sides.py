"""z+ and z- of layers with inputs of any sign, from few products and to the last digits."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from laws import rand
from whence.composites import Composite, where
from whence.explainers import LRP
from whence.rules import AlphaBeta, Gamma, Rule, ZBox, ZPlus
from whence.targets import Weights

RULES = [ZPlus(), ZPlus("zero"), AlphaBeta(2.0, 1.0), Gamma(0.25), Gamma(100.0), ZBox(-1.0, 1.0)]


def _one_sided(thin: float) -> tuple[nn.Conv2d, Tensor]:
    """A convolution whose outputs have one large side and one of `thin` times its size."""
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 8, 3, padding=1)
    x = torch.rand(2, 3, 6, 6)
    x[:, 0].neg_()
    with torch.no_grad():
        large = torch.tensor([1.0] * 4 + [-1.0] * 4).view(8, 1, 1)  # the sign of the large side
        conv.weight.abs_()
        conv.weight[:, 0] *= -large
        conv.weight[:, 1] *= -large * thin
        conv.weight[:, 2] *= large
    return conv, x


def _relevance(rule: Rule, model: nn.Module, x: Tensor) -> Tensor:
    explainer = LRP(model, Composite([(where.nature("linear"), rule)]))
    return explainer.attribute(x, Weights(rand(*model(x).shape, seed=1, dtype=x.dtype)))


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("above", [nn.Identity(), nn.ReLU()], ids=["no ReLU", "ReLU"])
@pytest.mark.parametrize("thin", [1.0, 1e-2, 1e-4, 0.0])
def test_float32_keeps_its_digits_on_one_sided_outputs(
    rule: Rule, above: nn.Module, thin: float
) -> None:
    conv, x = _one_sided(thin)
    model = nn.Sequential(conv, above)
    found = _relevance(rule, model, x).double()
    exact = _relevance(rule, model.double(), x.double())

    assert float((found - exact).abs().max() / exact.abs().max()) < 2e-5


@pytest.mark.parametrize("rule", [ZPlus("zero"), Gamma(0.25, "zero"), ZBox(-1.0, 1.0)], ids=repr)
@pytest.mark.parametrize("bias", [-1e4, -1.0, 1.0, 1e4])
def test_float32_keeps_its_digits_under_a_large_bias(rule: Rule, bias: float) -> None:
    conv, x = _one_sided(1.0)
    nn.init.constant_(conv.bias, bias)
    found = _relevance(rule, conv, x).double()
    exact = _relevance(rule, conv.double(), x.double())

    assert float((found - exact).abs().max() / exact.abs().max()) < 2e-5


@pytest.mark.parametrize(
    ("rule", "above", "products"),
    [
        (ZPlus(), nn.ReLU(), 4),  # forward, |W| |a|, and back by W and by |W|
        (ZPlus("zero"), nn.ReLU(), 4),
        (AlphaBeta(2.0, 1.0), nn.ReLU(), 10),  # z- has too few digits: four by four more
        (Gamma(), nn.ReLU(), 5),
        (ZPlus(), nn.Identity(), 6),  # two and two more: z+ has too few digits where z < 0
    ],
)
def test_two_products_are_enough_where_the_side_that_is_read_keeps_its_digits(
    rule: Rule, above: nn.Module, products: int
) -> None:
    conv, x = _one_sided(1e-4)
    model = nn.Sequential(conv, above)
    with FlopCounterMode(display=False) as one:
        model(x)
    with FlopCounterMode(display=False) as counted:
        _relevance(rule, model, x)

    assert counted.get_total_flops() / one.get_total_flops() - 1 == products
