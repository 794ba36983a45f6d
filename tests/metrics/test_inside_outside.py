import pytest
import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics import InsideOutside, Metric, Scores
from whence.testing import check_metric

MASK = torch.tensor([[[True, False], [False, False]]])


def ratio(relevance: list[list[float]], per: str = "pixel", pool: str = "positive") -> Scores:
    R = torch.tensor([[relevance]], dtype=torch.float64)
    return InsideOutside(per, pool)(_never, torch.zeros_like(R), R, masks=MASK)


def _never(x: Tensor) -> Tensor:
    raise AssertionError("localisation asks no model")


def test_means_by_hand() -> None:
    # Inside 3 / 1; outside (1 + 0 + 2) / 3.
    scores = ratio([[3, 1], [-6, 2]])

    assert scores.values.item() == 1 / 3
    assert scores.details["context"].item() == 1 / 4


def test_sums_by_hand() -> None:
    assert ratio([[3, 1], [-6, 2]], per="picture").values.item() == 3 / 3


def test_signed_relevance_by_hand() -> None:
    # Outside (1 - 6 + 2) / 3 = -1.
    assert ratio([[3, 1], [-6, 2]], pool="signed").values.item() == -1 / 3


def test_absolute_relevance_by_hand() -> None:
    assert ratio([[3, 1], [-6, 2]], pool="absolute").values.item() == 3 / 3


def test_a_uniform_map_scores_exactly_one() -> None:
    assert ratio([[0.7, 0.7], [0.7, 0.7]]).values.item() == pytest.approx(1, abs=1e-15)


def test_without_areas_a_uniform_map_scores_their_ratio() -> None:
    assert ratio([[2, 2], [2, 2]], per="picture").values.item() == 3


def test_all_relevance_inside_is_zero_and_all_outside_infinite() -> None:
    assert ratio([[3, 0], [0, 0]]).values.item() == 0
    assert ratio([[0, 3], [0, 0]]).values.item() == torch.inf
    assert ratio([[0, 3], [0, 0]]).details["context"].item() == 1


def test_signed_relevance_that_is_not_positive_inside_has_no_ratio() -> None:
    scores = ratio([[-1, 3], [0, 0]], pool="signed")

    assert scores.values.isnan().all()
    assert scores.reasons == {0: "the relevance inside is not positive in sum"}


def test_a_map_of_zeros_has_no_ratio() -> None:
    scores = ratio([[0, 0], [0, 0]])

    assert scores.values.isnan().all()
    assert scores.reasons == {0: "there is no relevance"}


def test_unknown_words_list_those_there_are() -> None:
    with pytest.raises(InvalidInput, match="pixel, picture"):
        InsideOutside(per="area")
    with pytest.raises(InvalidInput, match="positive, absolute, signed"):
        InsideOutside(pool="negative")


@pytest.mark.parametrize(
    "metric",
    [
        InsideOutside(),
        InsideOutside("picture"),
        InsideOutside(pool="absolute"),
        InsideOutside(pool="signed"),
    ],
    ids=repr,
)
def test_it_keeps_its_contract(metric: Metric) -> None:
    check_metric(lambda: metric)
