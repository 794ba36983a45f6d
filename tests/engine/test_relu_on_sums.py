"""A ReLU over a sum: the sum is not kept, and is the same for whoever asks for it."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whence import rules
from whence.composites import Composite, where
from whence.explainers import LRP, GradientTimesInput, GuidedBackprop, Sensitivity


class Slopes(LRP):
    """The coefficients at modules."""

    def read_tap(self, tap) -> Tensor:
        return tap.c


class Residual(nn.Module):
    """Two layers added, written over or not, and one layer above."""

    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.first, self.second, self.top = nn.Linear(5, 6), nn.Linear(5, 6), nn.Linear(6, 3)
        self.add, self.relu = Add(in_place), nn.ReLU(in_place)

    def forward(self, x: Tensor) -> Tensor:
        return self.top(self.relu(self.add(self.first(x), self.second(x))))


class Add(nn.Module):
    """x + y, in x if asked for."""

    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.in_place = in_place

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        if self.in_place:
            x += y
            return x
        return x + y


def _models() -> tuple[Residual, Residual, Tensor]:
    torch.manual_seed(0)
    plain, over = Residual(False).double(), Residual(True).double()
    over.load_state_dict(plain.state_dict())
    x = torch.randn(4, 5, dtype=torch.float64)
    total = plain.first(x) + plain.second(x)
    assert bool((total < -0.1).any())
    assert bool((total > 0.1).any())
    return plain, over, x


LINEAR = where.nature("linear")
EXPLAINERS = [
    *(Sensitivity, GradientTimesInput, GuidedBackprop),
    *(
        lambda model, rule=rule: LRP(model, Composite([(LINEAR, rule)]))
        for rule in (rules.Epsilon(0.1), rules.ZPlus(), rules.Flat(), rules.WSquare())
    ),
]


@pytest.mark.parametrize("make", EXPLAINERS)
@pytest.mark.parametrize("ledger", ["summary", "full"])
def test_written_over_or_not_is_the_same(make, ledger: str) -> None:
    plain, over, x = _models()
    names = ("first", "second", "add", "relu")
    found, expected = (make(m).explain(x, 1, taps=names, ledger=ledger) for m in (over, plain))

    torch.testing.assert_close(found.relevance, expected.relevance, rtol=1e-13, atol=1e-15)
    for name in names[2:]:
        torch.testing.assert_close(found.at(name), expected.at(name), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("in_place", [False, True])
def test_the_slope_kept_at_a_relu_is_not_that_below_it(in_place: bool) -> None:
    model = _models()[in_place]
    x = _models()[2]
    ex = Slopes(model, Composite([(LINEAR, rules.Epsilon(1e-12))])).explain(
        x, 1, taps=("relu", "add")
    )
    above = model.top.weight[1].expand(4, 6)
    below = above * (F.relu(model.first(x) + model.second(x)) > 0)

    torch.testing.assert_close(ex.at("relu"), above)
    torch.testing.assert_close(ex.at("add"), below)


def test_the_sum_below_is_exact_where_the_relu_cuts_it() -> None:
    """Flat sends R to all inputs, so relevance passes zeros of the ReLU and is shared below it."""
    plain, over, x = _models()
    with torch.no_grad():
        first, second = plain.first(x), plain.second(x)
    R = torch.full_like(first, 1 / 6) * plain(x)[:, 1:2]
    share = first / (first + second)

    ex = LRP(over, Composite([(LINEAR, rules.Flat())])).explain(x, 1, taps=("first", "add"))

    torch.testing.assert_close(ex.at("add"), R.detach())
    torch.testing.assert_close(ex.at("first"), (R * share).detach())
