"""Sufficiency and comprehensiveness by hand."""

import pytest
import torch

from perturbing import Weighted, all_orders, row
from whence.errors import InvalidInput
from whence.metrics import Comprehensiveness, Constant, Selectivity, Sufficiency

ERASED = Constant(0.0)
X, SUM = row(8, 1, 2, 4), Weighted(1, 1, 1, 1)


def test_both_by_hand() -> None:
    knobs = {"shares": (0.25, 0.5), "replacement": ERASED}

    # without the top 1 and 2: 7 and 3; with only them: 8 and 12; untouched 15
    assert Comprehensiveness(**knobs)(SUM, X, X, 0).values.tolist() == [(8 + 12) / 2]
    assert Sufficiency(**knobs)(SUM, X, X, 0).values.tolist() == [(7 + 3) / 2]


def test_a_share_is_at_least_one_feature() -> None:
    found = Comprehensiveness(shares=(0.01,), replacement=ERASED)(SUM, X, X, 0)

    assert found.values.tolist() == [8]


@pytest.mark.parametrize("metric", [Comprehensiveness, Sufficiency])
def test_contributions_are_the_best_and_their_negative_the_worst(metric) -> None:
    asked = metric(replacement=ERASED)
    every = asked(SUM, X.expand(24, 4), all_orders(4), 0).values * asked.direction
    best, worst = (asked(SUM, X, sign * X, 0).values * asked.direction for sign in (1, -1))

    assert float(best) == pytest.approx(float(every.max()))
    assert float(worst) == pytest.approx(float(every.min()))


@pytest.mark.parametrize("shares", [(), (0.0, 0.5), (1.5,)])
def test_shares_that_are_none_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInput, match="shares must lie above 0 and up to 1"):
        Sufficiency(shares=shares)


def test_selectivity_is_the_area_under_the_curve_of_patches() -> None:
    x = torch.tensor([[8.0, 1], [2, 4]]).double().repeat_interleave(4, 0).repeat_interleave(4, 1)
    found = Selectivity()(Weighted(*[1 / 16] * 64), x[None, None], x[None, None], 0)

    # patches of 4 x 4: 15 7 3 1 0
    assert found.curves["selectivity"].y.tolist() == [[15, 7, 3, 1, 0]]
    assert found.values.tolist() == pytest.approx([(7.5 + 7 + 3 + 1) / 4])
