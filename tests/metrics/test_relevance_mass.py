import pytest
import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics import Batch, Cost, Metric, RelevanceMass
from whence.testing import check_metric

MASK = torch.tensor([[[True, False], [False, False]]])


def mass(relevance: list[list[float]], pool: str = "positive") -> float:
    R = torch.tensor([[relevance]], dtype=torch.float64)
    return RelevanceMass(pool)(_never, torch.zeros_like(R), R, masks=MASK).values.item()


def _never(x: Tensor) -> Tensor:
    raise AssertionError("localisation asks no model")


def test_by_hand() -> None:
    # Positive: 3 of 3 + 1 + 2. Absolute: 3 of 3 + 1 + 2 + 6.
    assert mass([[3, 1], [-6, 2]]) == 3 / 6
    assert mass([[3, 1], [-6, 2]], "absolute") == 3 / 12


def test_the_best_map_lies_in_the_object() -> None:
    assert mass([[5, 0], [0, -1]]) == 1


def test_the_worst_map_lies_outside() -> None:
    assert mass([[-5, 1], [0, 0]]) == 0


def test_a_uniform_map_scores_the_area() -> None:
    assert mass([[7, 7], [7, 7]]) == 1 / 4


def test_channels_are_summed_before_negative_sums_are_left_out() -> None:
    # Sums (2 - 3, 1 + 1): only the second is positive. Without summing, 2 of 4 would be inside.
    R = torch.tensor([[[[2.0, 1.0]], [[-3.0, 1.0]]]])
    scores = RelevanceMass()(_never, R, R, masks=torch.tensor([[[True, False]]]))

    assert scores.values.tolist() == [0]


def test_a_map_without_positive_relevance_has_no_number() -> None:
    R = torch.tensor([[[[-1.0, 0.0]]]])
    scores = RelevanceMass()(_never, R, R, masks=torch.tensor([[[True, False]]]))

    assert scores.values.isnan().all()
    assert scores.reasons == {0: "there is no positive relevance"}


def test_signed_relevance_has_no_share() -> None:
    with pytest.raises(InvalidInput, match="without sign"):
        RelevanceMass("signed")


def test_it_asks_the_model_nothing() -> None:
    batch = Batch(_never, torch.zeros(1, 1, 2, 2), masks=MASK)

    assert RelevanceMass().cost(batch) == Cost()


@pytest.mark.parametrize("metric", [RelevanceMass(), RelevanceMass("absolute")], ids=repr)
def test_it_keeps_its_contract(metric: Metric) -> None:
    check_metric(lambda: metric)
