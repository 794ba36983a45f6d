import pytest
import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics import Metric, Scores, TopKIntersection
from whence.testing import check_metric

MASK = torch.tensor([[[True, True, False, False]]])


def top(k: int | float, relevance: list[float]) -> Scores:
    R = torch.tensor([[[relevance]]], dtype=torch.float64)
    return TopKIntersection(k)(_never, torch.zeros_like(R), R, masks=MASK)


def _never(x: Tensor) -> Tensor:
    raise AssertionError("localisation asks no model")


def test_by_hand() -> None:
    # Top 3 are 9, 8, 7; two of them lie in the object.
    assert top(3, [9, 7, 8, 1]).values.item() == 2 / 3


def test_a_share_is_a_number_of_pixels() -> None:
    assert top(0.25, [9, 7, 8, 1]).values.item() == 1
    assert top(0.01, [1, 7, 8, 1]).values.item() == 0


def test_the_best_and_the_worst_map() -> None:
    assert top(2, [5, 4, 1, 0]).values.item() == 1
    assert top(2, [0, 1, 4, 5]).values.item() == 0


def test_more_pixels_than_the_object_has_cannot_all_lie_in_it() -> None:
    scores = top(4, [5, 4, 1, 0])

    assert scores.values.item() == 2 / 4
    assert scores.details["best"].item() == 2 / 4


def test_k_must_fit_the_picture() -> None:
    with pytest.raises(InvalidInput, match="4 pixels, fewer than k=5"):
        top(5, [1, 2, 3, 4])


@pytest.mark.parametrize("k", [0, -1, 1.5, 0.0])
def test_k_is_a_number_or_a_share(k: int | float) -> None:
    with pytest.raises(InvalidInput, match="share of the picture"):
        TopKIntersection(k)


@pytest.mark.parametrize("metric", [TopKIntersection(), TopKIntersection(7)], ids=repr)
def test_it_keeps_its_contract(metric: Metric) -> None:
    check_metric(lambda: metric)
