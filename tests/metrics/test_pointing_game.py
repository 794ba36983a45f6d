import pytest
import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics import Metric, PointingGame
from whence.testing import check_metric


def hit(point: tuple[int, int], pixel: tuple[int, int], tolerance: float) -> float:
    """The point of the maximum, and the one pixel of the object, in a 40 x 40 picture."""
    R, mask = torch.zeros(1, 3, 40, 40), torch.zeros(1, 40, 40, dtype=torch.bool)
    R[0, :, point[0], point[1]] = 1
    mask[0, pixel[0], pixel[1]] = True
    return PointingGame(tolerance)(_never, torch.zeros_like(R), R, masks=mask).values.item()


def _never(x: Tensor) -> Tensor:
    raise AssertionError("localisation asks no model")


def test_a_point_on_the_object_hits() -> None:
    assert hit((7, 30), (7, 30), 0) == 1


def test_without_tolerance_the_next_pixel_misses() -> None:
    assert hit((7, 30), (7, 31), 0) == 0


def test_the_tolerance_is_euclidean_and_includes_its_edge() -> None:
    # 9^2 + 12^2 = 15^2; one pixel further it is 9^2 + 13^2 = 250 > 225.
    assert hit((20, 20), (29, 32), 15) == 1
    assert hit((20, 20), (29, 33), 15) == 0


def test_fifteen_pixels_are_the_default() -> None:
    assert PointingGame() == PointingGame(15)


def test_rows_and_columns_are_not_mixed_up() -> None:
    R, mask = torch.zeros(1, 1, 3, 5), torch.zeros(1, 3, 5, dtype=torch.bool)
    R[0, 0, 2, 4], mask[0, 2, 3] = 1, True
    scores = PointingGame(1)(_never, torch.zeros_like(R), R, masks=mask)

    assert scores.values.tolist() == [1]
    assert scores.details["distance"].tolist() == [1]


def test_the_maximum_is_that_of_the_sum_over_channels() -> None:
    R = torch.tensor([[[[3.0, 2.0]], [[-2.0, 2.0]]]])  # sums 1 and 4
    mask = torch.tensor([[[False, True]]])

    assert PointingGame(0)(_never, R, R, masks=mask).values.tolist() == [1]


def test_of_several_maxima_one_is_drawn_by_the_sample() -> None:
    R = torch.zeros(400, 1, 1, 4)
    R[..., :2] = 1
    mask = torch.zeros(400, 1, 4, dtype=torch.bool)
    mask[..., 0] = True
    values = PointingGame(0)(_never, R, R, masks=mask).values
    reversed_ids = list(range(400))[::-1]
    again = PointingGame(0)(_never, R, R, masks=mask, ids=reversed_ids).values

    assert set(values.tolist()) == {0, 1}
    assert abs(values.mean().item() - 1 / 2) < 0.1  # four standard deviations of 400 coins
    assert torch.equal(again.flip(0), values)


def test_a_full_mask_cannot_be_missed_and_has_no_number() -> None:
    R = torch.rand(1, 1, 2, 2)
    scores = PointingGame(0)(_never, R, R, masks=torch.ones(1, 2, 2, dtype=torch.bool))

    assert scores.values.isnan().all()
    assert "full" in scores.reasons[0]


def test_a_negative_tolerance_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least 0, got -1"):
        PointingGame(-1)


def test_a_tolerance_beyond_the_picture_is_refused() -> None:
    R, mask = torch.rand(1, 1, 4, 5), torch.zeros(1, 4, 5, dtype=torch.bool)
    mask[0, 0, 0] = True

    assert PointingGame(4.99)(_never, R, R, masks=mask).values.shape == (1,)
    with pytest.raises(InvalidInput, match=r"covers the whole picture of 4 x 5"):
        PointingGame(5)(_never, R, R, masks=mask)


@pytest.mark.parametrize("metric", [PointingGame(0), PointingGame(2)], ids=repr)
def test_it_keeps_its_contract(metric: Metric) -> None:
    check_metric(lambda: metric)
