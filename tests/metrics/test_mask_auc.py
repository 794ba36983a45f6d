import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from whence.metrics import MaskAUC
from whence.testing import check_metric

MASK = torch.tensor([[[True, False, False, True, False]]])


def auc(relevance: list[float]) -> float:
    R = torch.tensor([[[relevance]]], dtype=torch.float64)
    return MaskAUC()(_never, torch.zeros_like(R), R, masks=MASK).values.item()


def _never(x: Tensor) -> Tensor:
    raise AssertionError("localisation asks no model")


def test_by_hand() -> None:
    # Pairs inside x outside: 5 beats 1, 2, 3; 2 beats 1, ties with 2, loses to 3. (3 + 1.5) / 6.
    assert auc([5, 1, 2, 2, 3]) == 4.5 / 6


def test_the_best_the_worst_and_a_constant_map() -> None:
    assert auc([5, 1, 0, 4, 3]) == 1
    assert auc([0, 2, 3, 1, 4]) == 0
    assert auc([7, 7, 7, 7, 7]) == 1 / 2


def test_against_scikit_learn_with_ties() -> None:
    R = torch.randint(-3, 4, (6, 1, 4, 5)).double()
    masks = torch.rand(6, 4, 5) > 0.6
    found = MaskAUC()(_never, R, R, masks=masks).values
    wanted = [roc_auc_score(mask.flatten(), r.flatten()) for mask, r in zip(masks, R, strict=True)]

    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64))


def test_it_keeps_its_contract() -> None:
    check_metric(MaskAUC)
