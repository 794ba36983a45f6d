"""Products shared in proportion to their factors: by value and by magnitude."""

import pytest
import torch
from torch import Tensor, nn

from laws import rand
from whence._explanation import Explanation
from whence.composites import AttnLRP, Composite, where
from whence.errors import InvalidInput
from whence.explainers import LRP
from whence.rules import HalfEach, Proportional, Rule, Zero
from whence.targets import Given, Weights

BY = pytest.mark.parametrize("by", ["value", "magnitude"])


def explain(model, rule: Rule, inputs: tuple[Tensor, ...], R: Tensor | None = None) -> Explanation:
    """Every row of the ledger closes."""
    composite = Composite([(where.nature("linear"), Zero()), (where.nature("product"), rule)])
    target = Weights(torch.ones_like(model(*inputs)[0])) if R is None else Given(R)
    found = LRP(model, composite).explain(inputs, target, ledger="full")
    found.ledger.check()
    return found


def test_shares_by_value_by_hand() -> None:
    # z = x y: 3 * 1 = 3, shared as 3 : 1;  4 * -1 = -4, shared as 4 : -1 of 3
    x, y = torch.tensor([[3.0, 4.0]]).double(), torch.tensor([[1.0, -1.0]]).double()
    found = explain(torch.mul, Proportional(epsilon=0), (x, y))

    expected = (torch.tensor([[9 / 4, -16 / 3]]), torch.tensor([[3 / 4, 4 / 3]]))
    torch.testing.assert_close(found.relevance, tuple(each.double() for each in expected))


def test_shares_by_magnitude_by_hand() -> None:
    x, y = torch.tensor([[3.0, 4.0]]).double(), torch.tensor([[1.0, -1.0]]).double()
    found = explain(torch.mul, Proportional("magnitude"), (x, y))

    expected = (torch.tensor([[9 / 4, -16 / 5]]), torch.tensor([[3 / 4, -4 / 5]]))
    torch.testing.assert_close(found.relevance, tuple(each.double() for each in expected))


def test_factors_that_cancel_stay_bounded_and_the_stabiliser_is_booked() -> None:
    x, y = torch.tensor([[2.0]]).double(), torch.tensor([[-2.0]]).double()
    found = explain(torch.mul, Proportional(epsilon=0.25), (x, y))

    # e = 0.25 * 4 = 1: shares 2 and -2 of R = -4, which sum to nothing
    assert [float(R) for R in found.relevance] == [-8, 8]
    assert found.ledger.total("epsilon") == -4


@BY
def test_broadcast_factors_sum_what_they_get(by: str) -> None:
    x, g = rand(3, 4), rand(3, 1, seed=1)
    first, second = explain(torch.mul, Proportional(by, epsilon=0), (x, g)).relevance
    whole = x + g if by == "value" else x.abs() + g.abs()
    part = g if by == "value" else g.abs()

    torch.testing.assert_close(first, x * g * (1 - part / whole), rtol=1e-9, atol=1e-11)
    expected = (x * g * part / whole).sum(1, keepdim=True)
    torch.testing.assert_close(second, expected, rtol=1e-9, atol=1e-11)


@BY
def test_relevance_of_any_form_is_shared(by: str) -> None:
    x, y, R = rand(2, 3), rand(2, 3, seed=1), rand(2, 3, seed=2)
    found = explain(torch.mul, Proportional(by, epsilon=0), (x, y), R)

    torch.testing.assert_close(sum(found.relevance), R)


@BY
def test_nothing_times_nothing_is_no_division_by_zero(by: str) -> None:
    x = torch.zeros(2, 3).double()
    found = explain(torch.mul, Proportional(by), (x, x.clone()))

    assert not any(R.any() for R in found.relevance)


@BY
def test_a_value_that_gates_itself_keeps_all(by: str) -> None:
    x = rand(3, 4)
    found = explain(lambda x: x * torch.sigmoid(1.7 * x), Proportional(by), (x,))

    torch.testing.assert_close(found.relevance[0], x * torch.sigmoid(1.7 * x))


@BY
def test_matrix_products_are_uniform(by: str) -> None:
    inputs = rand(2, 3, 4), rand(2, 4, 5, seed=1)
    found = explain(torch.matmul, Proportional(by), inputs).relevance

    assert all(map(torch.equal, found, explain(torch.matmul, HalfEach(), inputs).relevance))


@BY
def test_a_gated_net_takes_the_policy_in_place_of_its_own(by: str) -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.gate = nn.Linear(4, 5), nn.Linear(4, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.up(x) * torch.sigmoid(self.gate(x))

    composite = AttnLRP() + [(where.nature("product"), Proportional(by))]
    found = LRP(Gated().double(), composite).explain(rand(3, 4), 1, ledger="full")

    assert found.relevance.all()
    found.ledger.check()


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(InvalidInput, match="by= one of"):
        Proportional("size")
    with pytest.raises(InvalidInput, match="epsilon >= 0"):
        Proportional(epsilon=-1.0)
