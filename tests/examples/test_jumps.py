import math

import pytest
import torch
from theory.jumps import find_jumps, largest_change
from torch import Tensor


def step(places: Tensor) -> Tensor:
    """0 up to 0.3, then 2, from 0.72 on 3."""
    return (2.0 * (places > 0.3) + (places > 0.72))[:, None].double()


def test_all_of_a_jump_is_kept_in_finer_steps() -> None:
    change = largest_change(step, 50)

    assert (change.coarse, change.fine, change.kept) == (2 / 3, 2 / 3, 1.0)


def test_a_straight_line_changes_a_hundredth_in_a_hundredth_of_a_step() -> None:
    change = largest_change(lambda places: places[:, None], 50)

    assert change.coarse == pytest.approx(1 / 50)
    assert change.kept == pytest.approx(0.01)


def test_a_steep_kink_is_no_jump() -> None:
    change = largest_change(lambda places: (50 * (places - 0.501)).relu()[:, None], 50)

    assert change.kept == pytest.approx(0.01)


def test_the_change_counts_all_features() -> None:
    change = largest_change(lambda places: torch.stack([places, -3 * places], 1), 10)

    assert change.coarse == pytest.approx(0.1)  # 4 / 10 of 4


def test_a_constant_keeps_nothing_and_zero_changes_nothing() -> None:
    constant = largest_change(lambda places: torch.ones(len(places), 1).double(), 10)
    zero = largest_change(lambda places: torch.zeros(len(places), 1).double(), 10)

    assert constant.coarse == zero.coarse == 0.0
    assert math.isnan(constant.kept)


def test_jumps_are_found_in_their_steps() -> None:
    assert find_jumps(step, 50).tolist() == pytest.approx([0.30, 0.72], abs=1e-12)


def test_a_steep_slope_and_a_tiny_jump_are_not_listed() -> None:
    def value(places: Tensor) -> Tensor:
        steep = (100 * (places - 0.5)).clamp(0, 1)
        return (steep + 0.001 * (places > 0.2))[:, None]

    assert find_jumps(value, 50).tolist() == []
