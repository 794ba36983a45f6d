"""Relevance beside its samples: orders of their features, for samples of any shape."""

import pytest
import torch

from perturbing import Scorer, ones, row
from whence.errors import InvalidInput
from whence.metrics import (
    ABPC,
    Batch,
    Case,
    Elements,
    Mean,
    Patches,
    PixelFlipping,
    Pixels,
    RegionPerturbation,
    SignFlip,
    Uniform,
)

SHAPES = {
    "features": (3, 8),
    "series": (3, 2, 9),
    "pictures": (3, 2, 4, 5),
    "video": (3, 2, 3, 4, 5),
}
KINDS = {"float32": torch.float32, "float64": torch.float64}


def case_of(relevance, x=None) -> Case:
    return Case(Batch(Scorer(), relevance if x is None else x), relevance)


@pytest.mark.parametrize(
    ("order", "places"),
    [("morf", [2, 0, 3, 1]), ("lerf", [1, 3, 0, 2]), ("near-zero", [1, 2, 3, 0])],
)
def test_places_in_each_order_by_hand(order: str, places: list[int]) -> None:
    rank = case_of(row(-0.5, 2.0, -3.0, 0.1)).rank(Pixels(), order)

    assert rank.tolist() == [places]


def test_channels_are_summed_before_they_are_ordered() -> None:
    relevance = torch.tensor([[[3.0, 0.0, 1.0], [-3.0, 1.0, 1.0]]])  # sums 0, 1, 2

    assert case_of(relevance).rank(Pixels(), "morf").tolist() == [[2, 1, 0]]
    assert case_of(relevance).rank(Elements(), "morf")[0, [0, 3]].tolist() == [0, 5]


def test_equal_values_go_in_the_random_order_between_the_others() -> None:
    x = ones(200, 4)
    relevance = x * torch.tensor([5.0, 1.0, 1.0, -2.0])
    rank = case_of(relevance, x).rank(Pixels(), "morf")

    assert bool((rank[:, 0] == 0).all())
    assert bool((rank[:, 3] == 3).all())
    assert 60 < int((rank[:, 1] == 1).sum()) < 140  # 4 standard deviations around 100


def test_a_constant_map_has_the_random_order() -> None:
    case = case_of(ones(50, 6))

    assert torch.equal(case.rank(Pixels(), "morf"), case.rank(Pixels(), "random"))


def test_relevance_may_lack_its_channels() -> None:
    x = torch.rand(2, 3, 4, 4)
    pooled = x.sum(1)

    expected = PixelFlipping()(Scorer(), x, x.sum(1, keepdim=True)).values
    assert torch.equal(PixelFlipping()(Scorer(), x, pooled).values, expected)


@pytest.mark.parametrize("dtype", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("replacement", [Mean(), SignFlip(), Uniform(draws=2)])
def test_samples_of_any_shape_are_copied_in_their_own_type(shape, dtype, replacement) -> None:
    x = torch.rand(shape, dtype=dtype)
    seen = []
    model = Scorer()
    model.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    features = torch.Size(shape[2:] or shape[1:]).numel()
    scores = PixelFlipping(replacement=replacement)(model, x, x)

    assert {each.dtype for each in seen} == {dtype}
    assert {tuple(each.shape[1:]) for each in seen} == {tuple(shape[1:])}
    assert scores.curves["flipping"].y.shape == (3, features + 1)
    assert bool(scores.values.isfinite().all())


@pytest.mark.parametrize("shape", list(SHAPES.values())[1:], ids=list(SHAPES)[1:])
def test_patches_of_one_are_pixels(shape) -> None:
    x = torch.rand(shape, dtype=torch.float64)
    pixels = RegionPerturbation(features=Pixels(), replacement=Mean())(Scorer(), x, x)
    patches = RegionPerturbation(features=Patches(1), replacement=Mean())(Scorer(), x, x)

    assert torch.equal(pixels.values, patches.values)


def test_a_dict_with_one_float_tensor_is_measured_like_the_tensor() -> None:
    x = torch.rand(3, 2, 4, 4, dtype=torch.float64)
    metric = ABPC(features=Patches(2))
    by_name = metric(lambda pixels: Scorer()(pixels), {"pixels": x}, x)

    assert torch.equal(by_name.values, metric(Scorer(), x, x).values)


def test_relevance_of_another_shape_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"Relevance must have the shape of the samples"):
        case_of(ones(2, 3), ones(2, 4))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_relevance_that_is_no_number_names_its_samples(bad: float) -> None:
    relevance = ones(3, 4)
    relevance[1, 2] = bad

    with pytest.raises(InvalidInput, match=r"NaN or infinity in the samples \[1\]"):
        case_of(relevance, ones(3, 4))


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(InvalidInput, match="order must be one of morf, lerf, near-zero, random"):
        case_of(ones(1, 4)).rank(Pixels(), "highest")
