"""Agreement with zennit, element by element, for every rule and composite that both have.

Both start from the highest score. zennit's stabiliser, which it adds to each denominator, is set
so small that it changes nothing; where a rule has an epsilon, both take the same absolute one.
Where a denominator is exactly zero Whence drops and books the share, and zennit divides by the
stabiliser: contributions of zero then stay zero in both.

Batch norms are merged into the convolutions by zennit's canonizer, and on the tape by Whence.
zennit leaves x / sqrt(1 + eps) of a merged one; so those of `models.normed` have hardly any eps.
"""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import SEQUENTIAL, assert_same, images, prepared
from whence import composites, rules
from whence.composites import Composite, where
from whence.explainers import LRP, Deconvnet, ExcitationBackprop, GuidedBackprop, InputGradient

pytest.importorskip("zennit", reason="compares with zennit")
from zennit import composites as zc
from zennit import rules as zr
from zennit.attribution import Gradient
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.types import Activation, AvgPool, BatchNorm, Linear

SIZE = 16
EPSILON = 1e-3
TINY = 1e-30  # zennit's stabiliser
LOW, HIGH = torch.full((1, 3, 1, 1), -2.0), torch.tensor([2.0, 2.5, 3.0]).view(1, 3, 1, 1)
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9}
NO_BIAS = {"stabilizer": TINY, "zero_params": "bias"}
WITH_BIAS = {"stabilizer": TINY}


RULES: dict[str, tuple[rules.Rule, Any]] = {
    "zero": (rules.Zero(), zr.Epsilon(TINY)),
    "epsilon": (rules.Epsilon(EPSILON, "absolute"), zr.Epsilon(EPSILON)),
    "epsilon, no bias": (
        rules.Epsilon(EPSILON, "absolute", bias="zero"),
        zr.Epsilon(EPSILON, zero_params="bias"),
    ),
    "z-plus": (rules.ZPlus(), zr.ZPlus(**WITH_BIAS)),
    "z-plus, no bias": (rules.ZPlus(bias="zero"), zr.ZPlus(**NO_BIAS)),
    "alpha-beta 2 1": (rules.AlphaBeta(2, 1), zr.AlphaBeta(2, 1, **WITH_BIAS)),
    "alpha-beta 2 1, no bias": (
        rules.AlphaBeta(2, 1, bias="zero"),
        zr.AlphaBeta(2, 1, **NO_BIAS),
    ),
    "alpha-beta 1 0": (rules.AlphaBeta(1, 0), zr.AlphaBeta(1, 0, **WITH_BIAS)),
    "gamma": (rules.Gamma(0.25), zr.Gamma(0.25, **WITH_BIAS)),
    "gamma 3": (rules.Gamma(3), zr.Gamma(3, **WITH_BIAS)),
    "w-square": (rules.WSquare(), zr.WSquare(**NO_BIAS)),
    "flat": (rules.Flat(), zr.Flat(stabilizer=TINY)),
}
# Without the bias a denominator z - b can come close to zero where z does not. The float32 results
# of both libraries are then up to 5e-3 away from their own float64 results, which agree to 1e-12.
SINGULAR: dict[str, tuple[rules.Rule, Any]] = {
    "zero, no bias": (rules.Zero(bias="zero"), zr.Epsilon(TINY, zero_params="bias")),
    "gamma, no bias": (rules.Gamma(0.25, bias="zero"), zr.Gamma(0.25, **NO_BIAS)),
}
COMPOSITES: dict[str, tuple[Composite, Any]] = {
    "epsilon-plus": (composites.EpsilonPlus(TINY), zc.EpsilonPlus),
    "epsilon-plus-flat": (composites.EpsilonPlusFlat(TINY), zc.EpsilonPlusFlat),
    "epsilon-alpha2-beta1": (composites.EpsilonAlpha2Beta1(TINY), zc.EpsilonAlpha2Beta1),
    "epsilon-alpha2-beta1-flat": (
        composites.EpsilonAlpha2Beta1Flat(TINY),
        zc.EpsilonAlpha2Beta1Flat,
    ),
}
every_net = pytest.mark.parametrize("name", SEQUENTIAL)
precision = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


def net(name: str, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return prepared(SEQUENTIAL[name](), SIZE).to(dtype), images(SIZE, batch=3).to(dtype)


def theirs(model: nn.Module, x: Tensor, composite: Any, *, probability: bool = False) -> Tensor:
    """zennit's relevance of the highest score, or of 1 at the highest class."""

    def start(output: Tensor) -> Tensor:
        hot = torch.nn.functional.one_hot(output.argmax(1), output.shape[1]).to(output)
        return hot if probability else hot * output

    with Gradient(model, composite) as attributor:
        return attributor(x.clone(), start)[1].detach()


def layers(first: list[Any], rest: Any) -> Any:
    """zennit's composite of one rule for the first linear layer and one for the others."""
    basic = [
        (Activation, zr.Pass()),
        (AvgPool, zr.Norm(stabilizer=TINY)),
        (BatchNorm, zr.Pass()),
        (Linear, rest),
    ]
    first_map = [(Linear, rule) for rule in first]
    return zc.SpecialFirstLayerMapComposite(basic, first_map, [SequentialMergeBatchNorm()])


@pytest.mark.parametrize(("ours", "zennit"), RULES.values(), ids=RULES)
@precision
@every_net
def test_a_rule_on_all_layers_agrees(
    name: str, dtype: torch.dtype, ours: rules.Rule, zennit: Any
) -> None:
    """Biases take no relevance in Whence's w-squared and flat; zennit's w-squared has them in the
    denominator unless told `zero_params="bias"`, its flat never has."""
    model, x = net(name, dtype)
    found = LRP(model, Composite([(where.nature("linear"), ours)])).explain(x).relevance

    assert_same(found, theirs(model, x, layers([], zennit)), TOLERANCE[dtype])


@pytest.mark.parametrize(("ours", "zennit"), SINGULAR.values(), ids=SINGULAR)
@every_net
def test_a_rule_with_small_denominators_agrees_in_double_precision(
    name: str, ours: rules.Rule, zennit: Any
) -> None:
    model, x = net(name)
    found = LRP(model, Composite([(where.nature("linear"), ours)])).explain(x).relevance

    assert_same(found, theirs(model, x, layers([], zennit)), 1e-9)


@pytest.mark.parametrize(
    ("ours", "zennit"),
    [
        (rules.ZBox(LOW, HIGH), zr.ZBox(LOW, HIGH, **WITH_BIAS)),
        (rules.ZBox(LOW, HIGH), zr.ZBox(LOW, HIGH, **NO_BIAS)),
        (rules.WSquare(), zr.WSquare(**NO_BIAS)),
        (rules.Flat(), zr.Flat(stabilizer=TINY)),
    ],
    ids=["z-box", "z-box, no bias", "w-square", "flat"],
)
@precision
@every_net
def test_a_rule_on_the_first_layer_agrees(
    name: str, dtype: torch.dtype, ours: rules.Rule, zennit: Any
) -> None:
    """In z-box the bias cancels, b - b+ - b- = 0, whatever zennit is told about it."""
    model, x = net(name, dtype)
    chosen = Composite([(where.nature("linear"), rules.Zero()), (where.first, ours)])
    expected = theirs(model, x, layers([zennit], zr.Epsilon(TINY)))

    assert_same(LRP(model, chosen).explain(x).relevance, expected, TOLERANCE[dtype])


@pytest.mark.parametrize(("ours", "zennit"), COMPOSITES.values(), ids=COMPOSITES)
@precision
@every_net
def test_a_composite_agrees(name: str, dtype: torch.dtype, ours: Composite, zennit: Any) -> None:
    model, x = net(name, dtype)
    merge = [SequentialMergeBatchNorm()]
    expected = theirs(model, x, zennit(epsilon=TINY, stabilizer=TINY, canonizers=merge))

    assert_same(LRP(model, ours).explain(x).relevance, expected, TOLERANCE[dtype])


@precision
@every_net
def test_epsilon_gamma_box_agrees(name: str, dtype: torch.dtype) -> None:
    model, x = net(name, dtype)
    ours = composites.EpsilonGammaBox(LOW, HIGH, TINY, 0.4)
    merge = [SequentialMergeBatchNorm()]
    zennit = zc.EpsilonGammaBox(LOW, HIGH, TINY, 0.4, stabilizer=TINY, canonizers=merge)

    assert_same(LRP(model, ours).explain(x).relevance, theirs(model, x, zennit), TOLERANCE[dtype])


def test_only_whence_passes_relevance_through_an_average_of_zeros() -> None:
    """Where a pool averages nothing but zeros, Whence gives equal shares and zennit gives none."""
    model = nn.Sequential(nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, 1)).double()
    x = torch.full((1, 1, 4, 4), -1.0, dtype=torch.float64)
    zennit = theirs(model, x, layers([], zr.Flat(stabilizer=TINY)))
    ex = LRP(model, Composite([(where.nature("linear"), rules.Flat())])).explain(x, 0)

    assert zennit.abs().max() == 0
    torch.testing.assert_close(ex.relevance, (ex.score / 16).expand_as(x))


@every_net
def test_pass_through_layers_that_keep_the_shape_agrees(name: str) -> None:
    model, x = net(name)
    model = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh(), *model).double()
    ours = Composite([(where.nature("linear"), rules.Zero()), (where.first, rules.Pass())])
    expected = theirs(model, x, layers([zr.Pass()], zr.Epsilon(TINY)))

    assert_same(LRP(model, ours).explain(x).relevance, expected, 1e-9)


@pytest.mark.parametrize(
    ("ours", "zennit"),
    [
        (InputGradient, None),
        (GuidedBackprop, zc.GuidedBackprop()),
        (Deconvnet, zc.DeconvNet()),
    ],
    ids=["gradient", "guided-backprop", "deconvnet"],
)
@pytest.mark.parametrize("name", ["plain", "normed"])
def test_a_method_of_gradients_agrees(name: str, ours: Any, zennit: Any) -> None:
    model, x = net(name)

    assert_same(ours(model).explain(x).relevance, theirs(model, x, zennit, probability=True), 1e-9)


@pytest.mark.parametrize("name", ["plain", "normed"])
def test_excitation_backprop_agrees(name: str) -> None:
    model, x = net(name)
    merge = [SequentialMergeBatchNorm()]
    zennit = zc.ExcitationBackprop(**NO_BIAS, canonizers=merge)
    expected = theirs(model, x, zennit, probability=True)

    assert_same(ExcitationBackprop(model).explain(x).relevance, expected, 1e-9)
