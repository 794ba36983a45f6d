"""torchvision's and timm's own definitions, unmodified: every explanation adds up.

Random weights by He, calibrated batch norms (`models.prepared`), 64 pixels where that is enough.
The hand-written nets are in tests/engine/test_architectures_small.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import Sequence, assert_adds_up, assert_same, gradient_of, images, prepared
from whence.composites import (
    Composite,
    EpsilonAlpha2Beta1Flat,
    EpsilonGammaBox,
    EpsilonPlus,
    where,
)
from whence.errors import UnsupportedOperations
from whence.explainers import LRP, InputGradient
from whence.rules import SignalTakesAll, Zero

vision = pytest.importorskip("torchvision", reason="explains torchvision's models").models
timm = pytest.importorskip("timm", reason="explains timm's models")

ZERO = Composite([(where.nature("linear"), Zero()), (where.nature("product"), SignalTakesAll())])
COMPOSITES = {
    "default": None,
    "epsilon-plus": EpsilonPlus(),
    "epsilon-alpha2-beta1-flat": EpsilonAlpha2Beta1Flat(),
    "epsilon-gamma-box": EpsilonGammaBox(-2.0, 2.0),
    "zero": ZERO,
}
PLAIN_GOOGLENET = partial(vision.googlenet, init_weights=False, aux_logits=False)
NETS: dict[str, tuple[Callable[[], nn.Module], int]] = {  # how to build it, image size
    "alexnet": (vision.alexnet, 96),
    "vgg16": (vision.vgg16, 64),
    "vgg16_bn": (vision.vgg16_bn, 64),
    "resnet18": (vision.resnet18, 64),
    "resnet50": (vision.resnet50, 64),
    "densenet121": (vision.densenet121, 64),
    "googlenet": (PLAIN_GOOGLENET, 64),
    "googlenet-transforms": (partial(PLAIN_GOOGLENET, transform_input=True), 64),
    "inception_v3": (partial(vision.inception_v3, init_weights=False), 96),
    "squeezenet1_1": (vision.squeezenet1_1, 64),
    "shufflenet_v2_x1_0": (vision.shufflenet_v2_x1_0, 64),
    "mobilenet_v2": (vision.mobilenet_v2, 64),
    "mobilenet_v3_small": (vision.mobilenet_v3_small, 64),
    "mobilenet_v3_large": (vision.mobilenet_v3_large, 64),
    "efficientnet_b0": (vision.efficientnet_b0, 64),
    "convnext_tiny": (vision.convnext_tiny, 64),
    "regnet_y_400mf": (vision.regnet_y_400mf, 64),
    "mixer_s32": (partial(timm.create_model, "mixer_s32_224", img_size=64), 64),
}
PIECEWISE_LINEAR = list(NETS)[:11]
# Attention and recurrence, for which ZERO and its like have no rules.
SEQUENCES: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "vit_b_16": (partial(vision.vit_b_16, image_size=64), 64),
    "lstm": (partial(Sequence, 64), 64),
    "swin_t": (vision.swin_t, 64),
}


@dataclass(frozen=True)
class Net:
    """A model with its images, in both precisions."""

    model: nn.Module
    x: Tensor

    def to(self, dtype: torch.dtype) -> tuple[nn.Module, Tensor]:
        return self.model.to(dtype), self.x.to(dtype)


@pytest.fixture(scope="module")  # pytest runs all tests of one net before it builds the next
def net(request: pytest.FixtureRequest) -> Net:
    build, size = {**NETS, **SEQUENCES}[request.param]
    torch.manual_seed(0)
    return Net(prepared(build(), size), images(size))


def nets(names: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("net", list(names), indirect=True)


@pytest.mark.parametrize("rules", COMPOSITES.values(), ids=COMPOSITES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@nets(NETS)
def test_relevance_and_what_is_booked_add_up(
    net: Net, dtype: torch.dtype, rules: Composite | None
) -> None:
    model, x = net.to(dtype)
    ex = LRP(model, rules).explain(x, ledger="full")

    assert_adds_up(ex)


@nets(NETS)
def test_a_summary_changes_no_relevance(net: Net) -> None:
    model, x = net.to(torch.float32)
    full = LRP(model).explain(x, ledger="full")
    summary = LRP(model).explain(x)

    assert_adds_up(summary)
    assert torch.equal(full.relevance, summary.relevance)


@nets([*NETS, *SEQUENCES])
def test_the_gradient_is_that_of_autograd(net: Net) -> None:
    model, x = net.to(torch.float64)

    assert_same(InputGradient(model).explain(x).relevance, gradient_of(model, x), 1e-11)


@nets(PIECEWISE_LINEAR)
def test_lrp_zero_is_gradient_times_input(net: Net) -> None:
    """Biases change nothing: c is the plain gradient, and what the biases take is booked."""
    model, x = net.to(torch.float64)

    assert_same(LRP(model, ZERO).explain(x).relevance, x * gradient_of(model, x), 1e-11)


@nets(NETS)
def test_a_model_is_left_as_it_was(net: Net) -> None:
    model, x = net.to(torch.float32)
    versions = [tensor._version for tensor in model.state_dict().values()]
    output = model(x)
    LRP(model).explain(x)

    assert [tensor._version for tensor in model.state_dict().values()] == versions
    assert not any(module._forward_hooks for module in model.modules())
    assert torch.equal(model(x), output)


@nets(["swin_t"])
def test_windows_that_take_the_place_of_samples_are_booked_for_the_whole_batch(net: Net) -> None:
    """swin_t multiplies queries and keys in the open: products and a softmax, which have rules."""
    model, x = net.to(torch.float64)
    ex = LRP(model).explain(x, ledger="full")
    lost = sum(row.lost.sum() for row in ex.ledger)
    missing = ex.score.sum() - ex.relevance.sum() - lost
    handled = max(float(row.absolute.sum()) for row in ex.ledger)

    assert not all(row.per_sample for row in ex.ledger)
    assert ex.relevance.isfinite().all()
    ex.ledger.check()
    assert abs(float(missing)) <= ex.ledger.tolerance * handled


@nets(["vit_b_16"])
def test_all_operations_without_a_rule_are_listed_at_once(net: Net) -> None:
    line = (
        r"  \w+ in 'encoder\.layers\.encoder_layer_{0}\.self_attention' "
        r"\(.*vision_transformer\.py:\d+\): add \(where\.kind\('\w+'\), rules\.\w+\(.*\)\)\n"
    )
    model, x = net.to(torch.float32)

    with pytest.raises(UnsupportedOperations) as error:
        LRP(model, Composite([(where.nature("linear"), Zero())])).explain(x)
    error.match("(?s)" + ".*".join(line.format(number) for number in range(12)))


@nets(["lstm"])
def test_recurrence_without_a_rule_is_named(net: Net) -> None:
    line = r"lstm in 'lstm' \(.*models\.py:\d+\): add \(where\.kind\('lstm'\), rules\.\w+\(.*\)\)\n"

    model, x = net.to(torch.float32)

    with pytest.raises(UnsupportedOperations, match=line):
        LRP(model, Composite([(where.nature("linear"), Zero())])).explain(x)


@nets(SEQUENCES)
def test_sequences_add_up_by_the_default_rules(net: Net) -> None:
    model, x = net.to(torch.float64)

    LRP(model).explain(x, ledger="full").ledger.check()
