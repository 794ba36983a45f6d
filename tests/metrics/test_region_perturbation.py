"""AOPC in its three conventions, by hand, and region by region."""

import pytest
import torch

from perturbing import Scorer, Weighted, ones
from whence.errors import InvalidInput
from whence.metrics import Constant, Patches, RegionPerturbation, Segments, Uniform

FOUR = torch.tensor([[8.0, 8, 1, 1], [8, 8, 1, 1], [2, 2, 4, 4], [2, 2, 4, 4]]).double()[None, None]
SUM = Weighted(*[0.25] * 16)  # a patch of 2 x 2 is worth its value
QUARTERS = Patches(2)


def aopc(**knobs):
    metric = RegionPerturbation(features=QUARTERS, replacement=Constant(0.0), **knobs)
    return float(metric(SUM, FOUR, FOUR, 0).values)


def test_the_curve_falls_region_by_region() -> None:
    metric = RegionPerturbation(features=QUARTERS, replacement=Constant(0.0))
    curve = metric(SUM, FOUR, FOUR, 0).curves["region"]

    assert curve.y.tolist() == [[15, 7, 3, 1, 0]]
    assert curve.x.tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_the_three_conventions_by_hand() -> None:
    # falls after 0 .. 4 regions: 0, 8, 12, 14, 15
    assert aopc(aopc="samek2017") == pytest.approx(49 / 5)
    assert aopc(aopc="deyoung2020") == pytest.approx(49 / 4)
    assert aopc(aopc="petsiuk2018") == pytest.approx((49 - 7.5) / 4)
    assert aopc(aopc="samek2017", relative=True) == pytest.approx(49 / 5 / 15)


def test_fewer_steps_average_fewer_points_and_still_show_the_end() -> None:
    metric = RegionPerturbation(features=QUARTERS, replacement=Constant(0.0), steps=2)
    found = metric(SUM, FOUR, FOUR, 0)

    assert found.values.tolist() == pytest.approx([20 / 3])
    assert found.curves["region"].y.tolist() == [[15, 7, 3, 0]]


def test_the_order_is_turned_round() -> None:
    # falls: 0, 1, 3, 7, 15
    assert aopc(order="lerf") == pytest.approx(26 / 5)


def test_regions_of_nine_and_smaller_ones_at_the_edge() -> None:
    x = ones(1, 3, 20, 20)
    metric = RegionPerturbation(replacement=Constant(0.0), steps=None)
    curve = metric(lambda x: x.mean((1, 2, 3))[:, None], x, x, 0).curves["region"]

    # 3 x 3 regions, of 81, 18 and 4 pixels: the large ones hold most relevance
    falls = sorted((-curve.y[0].diff() * 400).round().tolist(), reverse=True)
    assert falls == [81, 81, 81, 81, 18, 18, 18, 18, 4]
    assert (-curve.y[0].diff() * 400).round().tolist() == falls


def test_segments_are_regions_too() -> None:
    labels = torch.tensor([[0, 0, 1, 1]] * 4)
    metric = RegionPerturbation(features=Segments(labels), replacement=Constant(0.0))
    curve = metric(SUM, FOUR, FOUR, 0).curves["region"]

    assert curve.y.tolist() == [[15, 5, 0]]


def test_noise_is_averaged_over_its_draws() -> None:
    # of a linear model, the mean over noise in [0, 1] is 1/2 for each pixel
    x = ones(300, 1, 4, 4)
    metric = RegionPerturbation(features=QUARTERS, replacement=Uniform(0.0, 1.0, draws=10))
    found = metric(Weighted(*[1 / 16] * 16), x, x, 0).curves["region"].y

    error = (1 / 12 / 16 / 10 / 300) ** 0.5
    assert abs(float(found[:, -1].mean()) - 0.5) < 4 * error
    torch.testing.assert_close(found[:, 0], ones(300))


def test_a_constant_map_has_the_area_of_a_random_order() -> None:
    x, flat = FOUR.expand(2000, 1, 4, 4), ones(2000, 1, 4, 4)
    knobs = {"features": QUARTERS, "replacement": Constant(0.0)}
    tied = RegionPerturbation(**knobs)(SUM, x, flat, 0).values
    random = RegionPerturbation(order="random", **knobs)(SUM, x, x, 0).values

    # the expected fall after k of 4 regions is 15 k / 4: AOPC = 7.5
    assert abs(float(tied.mean()) - 7.5) < 4 * float(tied.std()) / 2000**0.5
    assert abs(float(random.mean()) - 7.5) < 4 * float(random.std()) / 2000**0.5


@pytest.mark.parametrize("size", [1, 4, 8])
def test_the_batch_size_changes_nothing(size: int) -> None:
    x = torch.rand(8, 3, 6, 6, generator=torch.Generator().manual_seed(0)).double()
    metric = RegionPerturbation(features=QUARTERS, replacement=Uniform(draws=2))
    whole = metric(Scorer(), x, x).values
    parts = [
        metric(Scorer(), x[i : i + size], x[i : i + size], ids=list(range(i, i + size))).values
        for i in range(0, 8, size)
    ]

    assert torch.equal(torch.cat(parts), whole)


def test_series_have_patches_along_time() -> None:
    x = torch.arange(12.0, dtype=torch.float64).view(1, 2, 6)
    metric = RegionPerturbation(features=Patches(3), replacement=Constant(0.0))
    curve = metric(Weighted(*[1.0] * 12), x, x, 0).curves["region"]

    assert curve.y.tolist() == [[66, 24, 0]]


def test_an_unknown_convention_is_refused() -> None:
    with pytest.raises(InvalidInput, match="aopc must be one of samek2017, deyoung2020"):
        RegionPerturbation(aopc="mine")
