"""Entropy, Gini index, effective size and file size: by hand, extremes, oracles."""

import zlib
from math import exp, log

import pytest
import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics import Batch, EffectiveSize, Entropy, FileSize, Gini, Metric, Patches

MAPS = torch.tensor([[1.0, 1.0, 2.0, 0.0], [0.0, -3.0, 0.0, 0.0], [1.0, -1.0, 1.0, 1.0]])


def of(metric: Metric, relevance: Tensor) -> Tensor:
    return metric(lambda x: x.flatten(1), torch.zeros_like(relevance), relevance).values


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def smooth(size: int) -> Tensor:
    along = torch.linspace(0, 1, size, dtype=torch.float64)
    return (along[:, None] * along)[None, None]


# Entropy.


def test_entropy_by_hand() -> None:
    # Shares 1/4, 1/4, 1/2: 2/4 ln 4 + 1/2 ln 2 = 3/2 ln 2; all in one; all alike.
    assert of(Entropy(), MAPS).tolist() == pytest.approx([1.5 * log(2), 0, log(4)], abs=1e-12)


def test_entropy_is_of_pixels_not_of_channels() -> None:
    relevance = torch.tensor([[[[2.0, 0.0]], [[1.0, 1.0]]]])  # pixels 3 and 1

    expected = -(0.75 * log(0.75) + 0.25 * log(0.25))
    assert of(Entropy(), relevance).tolist() == pytest.approx([expected], abs=1e-12)
    assert of(Entropy(), relevance.sum(1)[:, None]).tolist() == pytest.approx([expected])


def test_entropy_of_patches() -> None:
    relevance = torch.ones(1, 1, 4, 4)

    assert of(Entropy(Patches(2)), relevance).tolist() == pytest.approx([log(4)], abs=1e-12)


@pytest.mark.parametrize("metric", [Entropy(), Gini(), EffectiveSize()])
def test_a_map_of_zeros_has_no_number_and_the_reason_is_told(metric: Metric) -> None:
    relevance = torch.stack([torch.zeros(4), torch.ones(4)])
    scores = metric(lambda x: x, torch.zeros(2, 4), relevance)

    assert scores.values.isnan().tolist() == [True, False]
    assert scores.reasons == {0: "its relevance is zero everywhere"}


@pytest.mark.parametrize("metric", [Entropy(), Gini(), EffectiveSize()])
@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_tiny_and_huge_relevance_do_not_overflow(metric: Metric, size: float) -> None:
    expected = of(metric, MAPS.double())

    assert of(metric, MAPS.double() * size).tolist() == pytest.approx(expected.tolist(), abs=1e-12)


# Gini index.


def test_gini_by_hand() -> None:
    # Sorted shares 0, 1/4, 1/4, 1/2: 1 - 2 (5/2 + 3/2 + 2/2)/16 = 3/8; one has all: 1 - 1/4.
    assert of(Gini(), MAPS).tolist() == pytest.approx([3 / 8, 3 / 4, 0], abs=1e-12)


def test_gini_is_half_the_relative_mean_absolute_difference() -> None:
    relevance = noise(5, 30)
    sizes = relevance.abs()
    differences = (sizes[:, :, None] - sizes[:, None]).abs().sum((1, 2))
    expected = differences / (2 * 30 * sizes.sum(1))

    assert of(Gini(), relevance).tolist() == pytest.approx(expected.tolist(), abs=1e-12)


# Effective size.


def test_effective_size_by_hand() -> None:
    relevance = torch.tensor([[5.0, -3.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]])

    assert of(EffectiveSize(0.8), relevance).tolist() == [2, 4]
    assert of(EffectiveSize(0.81), relevance).tolist() == [3, 4]
    assert of(EffectiveSize(0.5), relevance).tolist() == [1, 2]
    assert of(EffectiveSize(1.0), relevance).tolist() == [4, 4]


@pytest.mark.parametrize("features", [10, 100, 1000])
def test_equal_shares_are_not_miscounted_by_rounding(features: int) -> None:
    assert of(EffectiveSize(0.9), torch.full((1, features), 0.1)).tolist() == [0.9 * features]


def test_perplexity_counts_the_features_of_an_even_map() -> None:
    scores = EffectiveSize()(lambda x: x, torch.zeros(3, 4), MAPS)

    expected = [exp(1.5 * log(2)), 1, 4]
    assert scores.details["perplexity"].tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_a_share_must_be_one(share: float) -> None:
    with pytest.raises(InvalidInput, match="share must lie in"):
        EffectiveSize(share)


# File size.


@pytest.mark.parametrize("format", ["png", "jpeg", "zlib"])
def test_a_constant_map_is_the_smallest_and_noise_the_largest(format: str) -> None:
    maps = torch.cat(
        [
            torch.zeros(1, 1, 32, 32),
            torch.full((1, 1, 32, 32), 3.0),
            smooth(32),
            noise(1, 1, 32, 32),
        ]
    )
    nothing, constant, gradual, noisy = of(FileSize(format), maps).tolist()

    # Of constants, the colour itself may cost a byte or two.
    assert abs(nothing - constant) <= 2 / 1024
    assert max(nothing, constant) < gradual < noisy


def test_the_bytes_are_those_of_the_grey_values() -> None:
    # 2, -1, 0 and 1 of at most 2: 255, 64.5 (rounded to even), 128, 191.5.
    relevance = torch.tensor([[2.0, -1.0, 0.0, 1.0]])
    expected = len(zlib.compress(bytes([255, 64, 128, 192]), 9)) / 4

    assert of(FileSize("zlib"), relevance).tolist() == [expected]


def test_channels_are_summed() -> None:
    relevance = noise(2, 3, 8, 8)

    found = of(FileSize(), relevance)
    assert found.tolist() == of(FileSize(), relevance.sum(1, keepdim=True)).tolist()


def test_pictures_need_two_axes() -> None:
    with pytest.raises(InvalidInput, match=r"png needs maps of two axes, got \(4,\).*zlib"):
        of(FileSize(), MAPS)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(InvalidInput, match="format must be one of png, jpeg, zlib, got 'gif'"):
        FileSize("gif")


@pytest.mark.parametrize("metric", [Entropy(), Gini(), EffectiveSize(), FileSize("zlib")])
def test_the_model_is_never_asked(metric: Metric) -> None:
    def model(x: Tensor) -> Tensor:
        raise AssertionError("asked")

    scores = metric(model, torch.zeros(3, 4), MAPS, 0)

    assert len(scores.values) == 3
    assert metric.cost(Batch(model, torch.zeros(3, 4), 0)).forwards == 0
