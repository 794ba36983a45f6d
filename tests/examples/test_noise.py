import math

import pytest
import torch
from theory.noise import HALF, high_frequencies, total_variation
from torch import Tensor


def waves(period: int, side: int = 16) -> Tensor:
    """One map of waves along its rows."""
    phase = 2 * math.pi * torch.arange(side, dtype=torch.float64) / period
    return (phase + 0.3).cos().expand(1, side, side)


def test_one_value_everywhere_has_no_variation() -> None:
    assert total_variation(torch.full((1, 5, 5), -2.0)).item() == 0.0


def test_the_variation_of_a_chessboard_is_that_of_its_inner_edges() -> None:
    sign = (torch.arange(6)[:, None] + torch.arange(6)).double() % 2 * 2 - 1

    assert total_variation(sign[None]).item() == 2 * (2 * 6 * 5) / 36  # 60 edges of height 2


def test_a_pixel_alone_has_four_edges_of_its_height() -> None:
    maps = torch.zeros(2, 5, 5)
    maps[0, 2, 2], maps[1, 0, 0] = -7.0, 7.0

    assert total_variation(maps).tolist() == [4.0, 2.0]  # a corner has two


def test_long_waves_have_no_high_frequencies_and_short_ones_nothing_else() -> None:
    assert high_frequencies(waves(8)).item() == pytest.approx(0, abs=1e-15)
    assert high_frequencies(waves(2)).item() == pytest.approx(1, abs=1e-15)


def test_waves_add_their_squared_heights() -> None:
    mixed = 3 * waves(8) + 2 * waves(2) / waves(2).square().mean().sqrt() / math.sqrt(2)
    energy = 9 * waves(8).square().mean()

    assert high_frequencies(mixed).item() == pytest.approx(2 / (2 + energy.item()))


def test_white_noise_has_the_share_of_the_plane_outside_the_circle() -> None:
    share = high_frequencies(torch.randn(200, 64, 64).double()).mean().item()

    assert share == pytest.approx(1 - math.pi * HALF**2, abs=0.01)


@pytest.mark.parametrize("measure", [total_variation, high_frequencies])
def test_the_unit_and_the_sign_of_a_map_do_not_matter(measure: object) -> None:
    assert callable(measure)
    maps = torch.randn(3, 8, 8).double()

    torch.testing.assert_close(measure(-1e-6 * maps), measure(maps))
