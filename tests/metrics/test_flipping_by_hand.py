"""Pixel flipping on four pixels, with every point of the curve computed by hand."""

import pytest
import torch
from torch import Tensor

from whence.metrics import Constant, PixelFlipping, SignFlip


def mean_and_rest(pictures: Tensor) -> Tensor:
    """Two "classes": the mean of the pixels, and a quarter of what is missing to one."""
    mean = pictures.flatten(1).mean(1)
    return torch.stack([mean, (1 - mean) / 4], dim=1)


FOUR = torch.tensor([[0.9, 0.7], [0.5, 0.3]], dtype=torch.float64).view(1, 1, 2, 2)


def test_the_curve_falls_by_what_each_pixel_gave() -> None:
    falls = PixelFlipping(replacement=Constant(0.0), read="logit")
    reverse = PixelFlipping(replacement=Constant(0.0), read="logit", order="lerf")
    right, wrong = (metric(mean_and_rest, FOUR, FOUR, 0) for metric in (falls, reverse))
    curves = [each.curves["flipping"].y[0].tolist() for each in (right, wrong)]

    assert curves[0] == pytest.approx([2.4 / 4, 1.5 / 4, 0.8 / 4, 0.3 / 4, 0])
    assert curves[1] == pytest.approx([2.4 / 4, 2.1 / 4, 1.6 / 4, 0.9 / 4, 0])
    # trapezia: 1 - (0.6 / 2 + 0.375 + 0.2 + 0.075 + 0 / 2) / 4
    assert right.values.tolist() == pytest.approx([1 - 0.95 / 4])


def test_a_step_that_does_not_divide_the_pixels_ends_with_all_of_them() -> None:
    pictures = torch.rand(3, 1, 2, 5, dtype=torch.float64)
    metric = PixelFlipping(step=4, replacement=SignFlip(0.0, 1.0), read="logit")
    curve = metric(mean_and_rest, pictures, pictures, 0).curves["flipping"]

    assert curve.x.tolist() == pytest.approx([0, 0.4, 0.8, 1])
    assert curve.y[:, -1].tolist() == pytest.approx((1 - pictures).flatten(1).mean(1).tolist())


def test_a_step_of_all_pixels_leaves_both_ends() -> None:
    metric = PixelFlipping(step=4, replacement=Constant(0.0), read="score")
    found = metric(mean_and_rest, torch.ones(2, 1, 2, 2), torch.rand(2, 1, 2, 2), 0)

    assert found.curves["flipping"].y.tolist() == [[1, 0], [1, 0]]
    assert found.values.tolist() == [0.5, 0.5]


def test_equal_relevance_is_not_flipped_in_reading_order() -> None:
    seen: list[Tensor] = []

    def look(pictures: Tensor) -> Tensor:
        seen.append(pictures)
        return mean_and_rest(pictures)

    pictures = torch.ones(1, 1, 8, 8)
    PixelFlipping(step=16, most=16, replacement=Constant(0.0), read="score")(
        look, pictures, torch.zeros(1, 8, 8), 0
    )
    changed = torch.cat(seen).flatten(1)
    changed = changed[changed.sum(1) == 48]

    assert len(changed) == 1
    assert changed[:, :16].sum() > 0
