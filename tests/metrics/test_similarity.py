"""Similarity of maps: by hand, against scipy, and where correlation is undefined."""

import pytest
import torch
from scipy.stats import spearmanr

from whence.errors import InvalidInput
from whence.metrics._similarity import SIMILARITIES, midranks, similar

ROWS = torch.tensor([[1.0, -2.0, 3.0, 0.5]], dtype=torch.float64)


def test_equal_values_share_their_mean_rank() -> None:
    found = midranks(torch.tensor([[3.0, 1.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0]]))

    assert found.tolist() == [[2.5, 0.0, 2.5, 1.0], [1.5, 1.5, 1.5, 1.5]]


def test_rank_correlation_by_hand() -> None:
    # Ranks 0 1 2 3 and 1 0 3 2: 1 - 6 (4 x 1) / (4 x 15) = 3/5.
    first = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    second = torch.tensor([[20.0, 10.0, 40.0, 30.0]])

    assert similar("rank", first, second).tolist() == pytest.approx([3 / 5], abs=1e-15)


def test_cosine_by_hand() -> None:
    found = similar("cosine", torch.tensor([[3.0, 4.0]]), torch.tensor([[4.0, -3.0]]))

    assert found.tolist() == pytest.approx([0.0], abs=1e-15)


def test_rank_correlation_agrees_with_scipy_also_with_ties() -> None:
    first = torch.randint(-4, 5, (6, 40)).double()
    second = torch.randint(-4, 5, (6, 40)).double()
    expected = [float(spearmanr(a, b).statistic) for a, b in zip(first, second, strict=True)]

    assert similar("rank", first, second).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("how", sorted(SIMILARITIES))
def test_a_map_is_like_itself(how: str) -> None:
    assert similar(how, ROWS, ROWS).tolist() == pytest.approx([1.0], abs=1e-15)


@pytest.mark.parametrize(
    ("how", "expected"),
    [("rank", -1.0), ("cosine", -1.0), ("absolute-rank", 1.0), ("absolute-cosine", 1.0)],
)
def test_a_change_of_sign_counts_unless_magnitudes_are_compared(how: str, expected: float) -> None:
    assert similar(how, ROWS, -ROWS).tolist() == pytest.approx([expected], abs=1e-15)


@pytest.mark.parametrize("how", sorted(SIMILARITIES))
def test_two_maps_that_say_nothing_are_alike_and_one_is_like_no_other(how: str) -> None:
    nothing = torch.zeros(1, 4)

    assert similar(how, nothing, nothing).tolist() == [1.0]
    assert similar(how, nothing, ROWS).tolist() == [0.0]


def test_ranks_of_a_constant_say_nothing() -> None:
    assert similar("rank", torch.ones(1, 4), ROWS).tolist() == [0.0]
    assert similar("rank", torch.ones(1, 4), 2 * torch.ones(1, 4)).tolist() == [1.0]


def test_an_unknown_similarity_is_refused() -> None:
    with pytest.raises(InvalidInput, match="similarity must be one of rank, absolute-rank"):
        similar("pearson", ROWS, ROWS)
