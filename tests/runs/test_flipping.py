import pytest
import torch

from whence.runs._flipping import flip


def first_is_the_sum(pictures: torch.Tensor) -> torch.Tensor:
    """Two "classes": the mean of the pixels, and a quarter of what is missing to one."""
    mean = pictures.flatten(1).mean(1)
    return torch.stack([mean, (1 - mean) / 4], dim=1)


def test_the_curve_falls_by_what_each_pixel_gave() -> None:
    pictures = torch.tensor([[0.9, 0.7], [0.5, 0.3]]).view(1, 1, 2, 2)
    order = {"right": pictures[:, 0], "wrong": -pictures[:, 0]}
    right, wrong = flip(first_is_the_sum, pictures, torch.zeros(1, 1, 2, 2), order, step=1)

    assert right.curve[0].tolist() == pytest.approx([2.4 / 4, 1.5 / 4, 0.8 / 4, 0.3 / 4, 0])
    assert wrong.curve[0].tolist() == pytest.approx([2.4 / 4, 2.1 / 4, 1.6 / 4, 0.9 / 4, 0])
    # trapezia: 1 - (0.6 / 2 + 0.375 + 0.2 + 0.075 + 0 / 2) / 4
    assert right.area == pytest.approx(1 - 0.95 / 4)


def test_a_step_that_does_not_divide_the_pixels_ends_with_all_of_them() -> None:
    pictures = torch.rand(3, 1, 2, 5)
    (found,) = flip(first_is_the_sum, pictures, 1 - pictures, {"any": pictures[:, 0]}, step=4)

    assert found.fractions.tolist() == pytest.approx([0, 0.4, 0.8, 1])
    assert found.curve[:, -1].tolist() == pytest.approx((1 - pictures).flatten(1).mean(1).tolist())


def test_a_step_of_all_pixels_leaves_both_ends() -> None:
    pictures = torch.ones(2, 1, 2, 2)
    (found,) = flip(first_is_the_sum, pictures, 0 * pictures, {"any": pictures[:, 0]}, step=4)

    assert found.curve.tolist() == [[1, 0], [1, 0]]
    assert found.area == 0.5


def test_equal_relevance_is_not_flipped_in_reading_order() -> None:
    seen: list[torch.Tensor] = []

    def look(pictures: torch.Tensor) -> torch.Tensor:
        seen.append(pictures)
        return first_is_the_sum(pictures)

    pictures = torch.ones(2, 1, 8, 8)
    flip(look, pictures, 0 * pictures, {"all equal": torch.zeros(2, 8, 8)}, step=16)
    changed = seen[1][:2].view(2, 64)

    assert changed.sum(1).tolist() == [48, 48]
    assert changed[:, :16].sum() > 0


def test_the_error_is_that_of_the_mean() -> None:
    pictures = torch.rand(50, 1, 2, 2) / 2 + 0.5
    (found,) = flip(first_is_the_sum, pictures, 0 * pictures, {"any": pictures[:, 0]}, step=1)

    assert found.error == pytest.approx(float(found.areas.std()) / 50**0.5)
