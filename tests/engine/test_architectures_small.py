"""Small nets with the habits of large ones: everything adds up, and gradients are autograd's.

The large ones, unmodified, are in tests/peers/test_architectures.py.
"""

import pytest
import torch
from torch import Tensor, nn

from models import (
    PIECEWISE_LINEAR,
    SMALL,
    Sequence,
    assert_adds_up,
    assert_same,
    gradient_of,
    highest,
    images,
    prepared,
)
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

SIZE = 32
ZERO = Composite([(where.nature("linear"), Zero()), (where.nature("product"), SignalTakesAll())])
COMPOSITES = {
    "default": None,
    "epsilon-plus": EpsilonPlus(),
    "epsilon-alpha2-beta1-flat": EpsilonAlpha2Beta1Flat(),
    "epsilon-gamma-box": EpsilonGammaBox(-2.0, 2.0),
    "zero": ZERO,
}
rules = pytest.mark.parametrize("rules", COMPOSITES.values(), ids=COMPOSITES)
precision = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
every = pytest.mark.parametrize("name", SMALL)


def small(name: str, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Tensor]:
    return prepared(SMALL[name](), SIZE).to(dtype), images(SIZE).to(dtype)


@rules
@precision
@every
def test_relevance_and_what_is_booked_add_up(
    name: str, dtype: torch.dtype, rules: Composite | None
) -> None:
    model, x = small(name, dtype)
    ex = LRP(model, rules).explain(x, highest, ledger="full")

    assert_adds_up(ex)


@every
def test_a_summary_changes_no_relevance(name: str) -> None:
    model, x = small(name)
    full = LRP(model).explain(x, highest, ledger="full")
    summary = LRP(model).explain(x, highest)

    assert_adds_up(summary)
    assert torch.equal(full.relevance, summary.relevance)


@every
def test_the_gradient_is_that_of_autograd(name: str) -> None:
    model, x = small(name)

    assert_same(InputGradient(model).explain(x, highest).relevance, gradient_of(model, x), 1e-11)


@pytest.mark.parametrize("name", PIECEWISE_LINEAR)
def test_lrp_zero_is_gradient_times_input(name: str) -> None:
    model, x = small(name)

    assert_same(LRP(model, ZERO).explain(x, highest).relevance, x * gradient_of(model, x), 1e-11)


@every
def test_a_batch_is_explained_as_its_samples(name: str) -> None:
    model, x = small(name)
    alone = [LRP(model).explain(one[None], highest).relevance for one in x]

    assert_same(LRP(model).explain(x, highest).relevance, torch.cat(alone), 1e-11)


@every
def test_the_model_is_left_as_it_was(name: str) -> None:
    model, x = small(name)
    before = {key: each.clone() for key, each in model.state_dict().items()}
    given, output = x.clone(), model(x)
    LRP(model).explain(x, highest)

    assert all(torch.equal(each, before[key]) for key, each in model.state_dict().items())
    assert torch.equal(x, given)
    assert torch.equal(model(x), output)


def test_the_gradient_of_a_recurrent_net_is_that_of_autograd() -> None:
    model, x = prepared(Sequence(SIZE), SIZE).double(), images(SIZE).double()

    assert_same(InputGradient(model).explain(x, highest).relevance, gradient_of(model, x), 1e-11)


class _Gated(Sequence):
    def forward(self, x: Tensor) -> Tensor:
        last = self.lstm(x.movedim(2, 1).flatten(2))[0][:, -1]
        return self.head(last * x.mean((1, 2, 3))[:, None])


def test_operations_without_a_rule_are_listed_all_at_once() -> None:
    model, x = prepared(_Gated(SIZE), SIZE), images(SIZE)
    text = (
        r"3 operations have none:\n"
        r"  lstm in 'lstm' \(.*\.py:\d+\): add \(where\.kind\('lstm'\), rules\.\w+\(.*\)\)\n"
        r"  mul in the model's forward \(.*\.py:\d+\): "
        r"add \(where\.kind\('mul'\), rules\.HalfEach\(\)\)\n"
        r"  linear in 'head' \(.*\.py:\d+\): "
        r"add \(where\.kind\('linear'\), rules\.Epsilon\(\)\)\n"
    )

    with pytest.raises(UnsupportedOperations, match=text):
        LRP(model, Composite([])).explain(x)
