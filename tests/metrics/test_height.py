"""The mean height of a curve, in the three ways of the literature."""

import pytest
import torch

from perturbing import row
from whence.errors import InvalidInput
from whence.metrics._height import check_convention, mean_height

CURVE = row(6.0, 3.0, 1.0, 0.0)
SHARE = torch.tensor([0.0, 0.1, 0.2, 0.4], dtype=torch.float64)


@pytest.mark.parametrize(
    ("convention", "height"),
    [
        ("samek2017", (6 + 3 + 1 + 0) / 4),
        ("deyoung2020", (3 + 1 + 0) / 3),
        ("petsiuk2018", (0.1 * 4.5 + 0.1 * 2 + 0.2 * 0.5) / 0.4),
    ],
)
def test_the_three_conventions_by_hand(convention: str, height: float) -> None:
    assert float(mean_height(CURVE, SHARE, convention)) == pytest.approx(height, rel=1e-14)


@pytest.mark.parametrize("convention", ["samek2017", "deyoung2020", "petsiuk2018"])
def test_a_level_curve_has_its_own_height(convention: str) -> None:
    level = torch.full((2, 4), 0.25, dtype=torch.float64)

    assert torch.allclose(mean_height(level, SHARE, convention), level[:, 0], rtol=1e-14)


def test_other_conventions_are_refused() -> None:
    with pytest.raises(InvalidInput, match="aopc must be one of samek2017, deyoung2020, petsiuk"):
        check_convention("trapezoid")
