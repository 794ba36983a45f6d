"""Insertion and deletion by hand, and their extremes."""

import pytest
import torch

from perturbing import Scorer, Weighted, all_orders, row
from whence.metrics import Constant, Deletion, Insertion

ERASED = Constant(0.0)
X, SUM = row(8, 1, 2, 4), Weighted(1, 1, 1, 1)


def test_areas_by_hand() -> None:
    # without the top k: 15 7 3 1 0; with only the top k: 0 8 12 14 15
    deletion = Deletion(step=1, replacement=ERASED)(SUM, X, X, 0)
    insertion = Insertion(step=1, replacement=ERASED)(SUM, X, X, 0)

    assert deletion.values.tolist() == pytest.approx([(7.5 + 7 + 3 + 1) / 4])
    assert insertion.values.tolist() == pytest.approx([(8 + 12 + 14 + 7.5) / 4])
    assert insertion.curves["insertion"].y.tolist() == [[0, 8, 12, 14, 15]]
    assert insertion.curves["insertion"].x.tolist() == [0, 0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize("metric", [Deletion, Insertion])
def test_contributions_are_the_best_of_all_orders(metric) -> None:
    asked = metric(step=1, replacement=ERASED)
    every = asked(SUM, X.expand(24, 4), all_orders(4), 0).values * asked.direction
    best = asked(SUM, X, X, 0).values * asked.direction

    assert float(best) == pytest.approx(float(every.max()))


def test_a_row_of_pixels_goes_at_once() -> None:
    x = torch.rand(2, 1, 8, 8, dtype=torch.float64)
    found = Deletion()(Scorer(), x, x)

    assert found.curves["deletion"].x.tolist() == pytest.approx([k / 8 for k in range(9)])


def test_insertion_starts_from_the_blurred_picture_and_ends_untouched() -> None:
    x = torch.rand(2, 1, 8, 8, dtype=torch.float64)
    curve = Insertion()(Scorer(), x, x, 0).curves["insertion"]

    assert curve.x[0] == 0
    torch.testing.assert_close(curve.y[:, -1], Scorer()(x).softmax(1)[:, 0])
