import torch
from torch import Tensor

from whence.metrics import RelevanceRank
from whence.testing import check_metric

MASK = torch.tensor([[[True, True, False], [False, True, False]]])


def rank(relevance: list[list[float]]) -> float:
    R = torch.tensor([[relevance]], dtype=torch.float64)
    return RelevanceRank()(_never, torch.zeros_like(R), R, masks=MASK).values.item()


def _never(x: Tensor) -> Tensor:
    raise AssertionError("localisation asks no model")


def test_by_hand() -> None:
    # The object has 3 pixels; of the top three, 9, 8 and 7, two lie in it.
    assert rank([[9, 7, 8], [1, 2, 3]]) == 2 / 3


def test_only_the_order_counts() -> None:
    assert rank([[-1, -1.2, -1.1], [-100, -50, -20]]) == 2 / 3


def test_the_best_map_ranks_the_object_first() -> None:
    assert rank([[1, 2, 0], [0, 3, -5]]) == 1


def test_the_worst_map_ranks_it_last() -> None:
    assert rank([[0, 0, 1], [2, -1, 3]]) == 0


def test_ties_are_broken_at_random_and_not_by_the_reading_order() -> None:
    masks = torch.zeros(400, 2, 2, dtype=torch.bool)
    masks[:, 0, 0] = True
    R = torch.zeros(400, 1, 2, 2)
    hits = RelevanceRank()(_never, R, R, masks=masks).values

    # 400 draws of 1/4: four standard deviations are 0.087.
    assert abs(hits.mean().item() - 1 / 4) < 0.087


def test_it_keeps_its_contract() -> None:
    check_metric(RelevanceRank)
