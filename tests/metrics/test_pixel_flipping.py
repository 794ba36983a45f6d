"""Pixel flipping against closed forms of linear models and a loop written from the paper."""

import pytest
import torch

from perturbing import Scorer, Weighted, all_orders, flipped_one_by_one, in_parts, ones, row
from whence.errors import InvalidInput
from whence.metrics import Constant, Elements, Mean, PixelFlipping, SignFlip, Uniform

ERASED = Constant(0.0)
PICTURES = torch.rand(4, 3, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
MAPS = torch.randn(4, 3, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def test_morf_of_a_linear_model_is_the_sorted_cumulative_sum() -> None:
    x = torch.randn(6, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    model = Weighted(*range(-5, 7))
    parts = x * model.weights
    found = PixelFlipping(replacement=ERASED)(model, x, parts, 0).curves["flipping"].y

    rest = parts.sort(1).values.cumsum(1).flip(1)
    torch.testing.assert_close(found[:, :-1], rest, rtol=1e-12, atol=1e-12)
    assert found[:, -1].tolist() == [0] * 6


def test_the_contributions_are_the_best_of_all_orders_and_their_negative_the_worst() -> None:
    x, model = row(3, -1, 2, 0.5), Weighted(1, 2, -1, 4)
    metric, every = PixelFlipping(replacement=ERASED), all_orders(4)
    areas = metric(model, x.expand(24, 4), every, 0).values
    parts = x * model.weights

    assert metric(model, x, parts, 0).values[0] == pytest.approx(float(areas.max()))
    assert metric(model, x, -parts, 0).values[0] == pytest.approx(float(areas.min()))
    # each point of the best curve lies below the same point of every other one
    best = metric(model, x, parts, 0).curves["flipping"].y
    others = metric(model, x.expand(24, 4), every, 0).curves["flipping"].y
    assert bool((best <= others + 1e-12).all())


def test_random_order_has_the_area_of_its_expectation() -> None:
    # of a linear model, the mean curve falls on a straight line: area 1 - f(x) / 2
    x, model = row(3, 1, 2, 2), Weighted(0.1, 0.2, 0.05, 0.1)
    many = PixelFlipping(order="random", replacement=ERASED)(
        model, x.expand(4000, 4), ones(4000, 4), 0
    ).values

    expected = 1 - float(model(x)) / 2
    error = float(many.std()) / 4000**0.5
    assert abs(float(many.mean()) - expected) < 4 * error


def test_a_constant_map_is_the_random_order_and_never_the_reading_order() -> None:
    flat, x = torch.full((50, 12), 0.3, dtype=torch.float64), ones(50, 12)
    model = Weighted(*range(12))
    tied, random = (
        PixelFlipping(order=order, replacement=ERASED)(model, x, flat, 0)
        for order in ("morf", "random")
    )
    first = -tied.curves["flipping"].y.diff(dim=1)[:, 0]

    assert torch.equal(tied.values, random.values)
    assert set(first.tolist()) == set(range(12))  # each pixel goes first in some sample


@pytest.mark.parametrize("fill", [0.25, -2.0])
def test_it_equals_a_loop_over_pixels(fill: float) -> None:
    metric = PixelFlipping(replacement=Constant(fill))
    found = metric(Scorer(), PICTURES, MAPS, 2).curves["flipping"].y
    loops = [
        flipped_one_by_one(Scorer(), x, order, torch.full_like(x, fill), 2)
        for x, order in zip(
            PICTURES, MAPS.sum(1).flatten(1).argsort(1, descending=True).tolist(), strict=True
        )
    ]

    torch.testing.assert_close(found, torch.tensor(loops, dtype=torch.float64), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("order", "sequence"),
    [("morf", [3, 1, 0, 2]), ("lerf", [2, 0, 1, 3]), ("near-zero", [0, 1, 2, 3])],
)
def test_the_three_orders_of_the_paper(order: str, sequence: list[int]) -> None:
    x, relevance = row(8, 4, 2, 1), row(-0.5, 1, -2, 3)
    metric = PixelFlipping(order=order, replacement=ERASED)
    found = metric(Weighted(1, 1, 1, 1), x, relevance, 0).curves["flipping"].y[0]
    gone = [float(x[0, place]) for place in sequence]

    assert (-found.diff()).tolist() == gone


def test_after_the_positive_pixels_the_curve_holds() -> None:
    x, relevance = row(8, 4, 2, 1), row(-0.5, 1, 0, 3)
    stop = PixelFlipping(replacement=ERASED, stop_at_zero=True)
    found = stop(Weighted(1, 1, 1, 1), x, relevance, 0).curves["flipping"].y[0]
    backwards = PixelFlipping(order="lerf", replacement=ERASED, stop_at_zero=True)

    assert found.tolist() == [15, 14, 10, 10, 10]
    again = backwards(Weighted(1, 1, 1, 1), x, relevance, 0).curves["flipping"].y[0]
    assert again.tolist() == [15, 7, 7, 7, 7]


def test_another_class_may_be_watched() -> None:
    found = PixelFlipping(k=1)(Scorer(), PICTURES, MAPS, 0).curves["flipping"].y
    direct = PixelFlipping()(Scorer(), PICTURES, MAPS, 1).curves["flipping"].y

    assert torch.equal(found, direct)
    assert PixelFlipping(k=1).direction == 0


@pytest.mark.parametrize("step", [1, 2, 3, 5, 12])
def test_the_curve_always_starts_untouched_and_ends_with_all_replaced(step: int) -> None:
    # Curves without their first point give another area for each step.
    found = PixelFlipping(step=step)(Scorer(), PICTURES, MAPS, 0)
    curve, probability = found.curves["flipping"], Scorer()(PICTURES).softmax(1)[:, 0]
    mean = PICTURES.mean((2, 3), keepdim=True).expand_as(PICTURES)

    assert curve.x[0] == 0
    assert curve.x[-1] == 1
    torch.testing.assert_close(curve.y[:, 0], probability)
    torch.testing.assert_close(curve.y[:, -1], Scorer()(mean).softmax(1)[:, 0])


def test_the_area_of_a_straight_fall_does_not_depend_on_the_step() -> None:
    x, model = ones(1, 12), Weighted(*[1 / 12] * 12)
    areas = [
        float(PixelFlipping(step=step, replacement=ERASED)(model, x, ones(1, 12), 0).values)
        for step in (1, 2, 5, 7, 12)
    ]

    assert areas == pytest.approx([0.5] * 5)


def test_channels_go_together_unless_asked_for_apart() -> None:
    tied = PixelFlipping(replacement=ERASED)(Scorer(), PICTURES, MAPS, 0).curves["flipping"]
    apart = PixelFlipping(replacement=ERASED, features=Elements())(Scorer(), PICTURES, MAPS, 0)
    pooled = PixelFlipping(replacement=ERASED)(Scorer(), PICTURES, MAPS.sum(1), 0)

    assert tied.y.shape == (4, 13)
    assert apart.curves["flipping"].y.shape == (4, 37)
    torch.testing.assert_close(pooled.curves["flipping"].y, tied.y)


@pytest.mark.parametrize("replacement", [ERASED, Mean(), SignFlip(0, 1), Uniform(draws=3)])
@pytest.mark.parametrize(
    "parts", [[[0, 1, 2, 3]], [[0], [1], [2], [3]], [[3, 1], [2, 0]], [[2], [0, 3, 1]]], ids=str
)
def test_batches_shards_and_order_change_no_bit(replacement, parts: list[list[int]]) -> None:
    metric = PixelFlipping(replacement=replacement, order="morf")
    whole = metric(Scorer(), PICTURES, MAPS).values

    assert torch.equal(in_parts(metric, Scorer(), PICTURES, MAPS, parts), whole)


def test_ties_too_belong_to_the_sample() -> None:
    metric, flat = PixelFlipping(order="random"), torch.zeros_like(MAPS)
    whole = metric(Scorer(), PICTURES, flat).values

    assert torch.equal(in_parts(metric, Scorer(), PICTURES, flat, [[3, 0], [2], [1]]), whole)
    assert torch.equal(
        in_parts(PixelFlipping(), Scorer(), PICTURES, flat, [[3, 0], [2], [1]]),
        PixelFlipping()(Scorer(), PICTURES, flat).values,
    )


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(InvalidInput, match="order must be one of morf, lerf, near-zero, random"):
        PixelFlipping(order="best")


def test_stopping_needs_an_order_with_a_sign() -> None:
    with pytest.raises(InvalidInput, match="morf and lerf; got 'random'"):
        PixelFlipping(order="random", stop_at_zero=True)


def test_maps_of_another_shape_or_with_nan_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"shape of the samples, \(4, 3, 3, 4\)"):
        PixelFlipping()(Scorer(), PICTURES, MAPS[:, :, :2])
    broken = MAPS.clone()
    broken[2, 0, 0, 0] = torch.nan
    with pytest.raises(InvalidInput, match=r"NaN or infinity in the samples \[2\]"):
        PixelFlipping()(Scorer(), PICTURES, broken)
