"""Coverage: a toy on a line counted by hand, and what real samples cover."""

import math

import pytest
import torch

from whence.errors import InvalidInput
from whence.prototypes import coverage


def points(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)[:, None]


def test_a_line_by_hand() -> None:
    # nearest neighbours of the samples are 1, 1, 2, 5 away: the median is 1.5
    found = coverage(points(0.0, 10.0), points(0.5, -1.5, 2.0, 9.0, 11.6, 50.0), points(0, 1, 3, 8))

    assert found.radius == 1.5
    assert found.nearest.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.covered.tolist() == [True, True, False, True, False, False]
    assert found.share == 0.5
    assert found.shares.tolist() == [2 / 6, 1 / 6]
    assert repr(found) == "Coverage(50% within 1.5; by prototype: 33%, 17%)"


def test_shares_add_up_and_more_prototypes_never_cover_less() -> None:
    x = torch.randn(40, 3, dtype=torch.float64)
    held = torch.randn(60, 3, dtype=torch.float64)
    few, many = coverage(x[:3], held, x), coverage(x[:9], held, x)

    assert math.isclose(float(many.shares.sum()), many.share)
    assert bool((many.covered >= few.covered).all())


def test_all_samples_cover_themselves() -> None:
    x = torch.randn(20, 2, 3)

    assert coverage(x, x, x).share == 1
    assert coverage(x[:1] + 1e6, x, x).share == 0


def test_a_larger_quantile_has_a_larger_radius() -> None:
    samples = points(0, 1, 3, 8)

    assert coverage(samples, samples, samples, quantile=1.0).radius == 5
    assert coverage(samples, samples, samples, quantile=0.0).radius == 1


def test_distances_keep_their_digits_far_from_zero() -> None:
    samples = points(1e8, 1e8 + 1, 1e8 + 3)

    assert coverage(samples, samples, samples).radius == 1


def test_errors_say_what_to_do() -> None:
    x = torch.zeros(3, 2)

    with pytest.raises(InvalidInput, match="all of one length"):
        coverage(x, torch.zeros(3, 4), x)
    with pytest.raises(InvalidInput, match="two samples"):
        coverage(x, x, x[:1])
    with pytest.raises(InvalidInput, match="quantile must lie in"):
        coverage(x, x, x, quantile=2)
