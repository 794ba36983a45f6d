"""What is replaced together."""

import pytest
import torch

from whence.errors import InvalidInput
from whence.metrics import Elements, Patches, Pixels, Segments
from whence.metrics._features import Partition

PICTURES = torch.arange(2 * 2 * 2 * 3, dtype=torch.float64).view(2, 2, 2, 3)


def test_pixels_tie_the_channels() -> None:
    partition = Partition.of(Pixels(), PICTURES)

    assert partition.count == 6
    assert partition.places.tolist() == [[[0, 1, 2], [3, 4, 5]]]
    assert torch.equal(partition.pool(PICTURES), PICTURES.sum(1).flatten(1))


def test_elements_tell_channels_apart() -> None:
    partition = Partition.of(Elements(), PICTURES)

    assert partition.count == 12
    assert torch.equal(partition.pool(PICTURES), PICTURES.flatten(1))


def test_inputs_without_channels_count_by_element() -> None:
    partition = Partition.of(Pixels(), torch.ones(2, 5))

    assert partition.places.tolist() == [0, 1, 2, 3, 4]


def test_patches_are_smaller_at_the_far_edges() -> None:
    partition = Partition.of(Patches(2), torch.ones(1, 1, 3, 5))

    assert partition.places.tolist() == [[[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]]
    assert partition.count == 6


def test_the_paper_has_625_patches_of_nine_pixels_in_a_picture() -> None:
    assert Partition.of(Patches(9), torch.ones(1, 3, 227, 227)).count == 26 * 26
    assert Partition.of(Patches(9), torch.ones(1, 3, 225, 225)).count == 25 * 25


def test_patches_cut_series_and_videos() -> None:
    assert Partition.of(Patches(3), torch.ones(1, 2, 7)).places.tolist() == [[0, 0, 0, 1, 1, 1, 2]]
    assert Partition.of(Patches((2, 1, 3)), torch.ones(1, 2, 4, 2, 6)).count == 2 * 2 * 2


def test_relevance_of_a_patch_is_its_sum() -> None:
    pooled = Partition.of(Patches(2), PICTURES).pool(PICTURES)

    # Channel 0 of sample 0 holds 0 .. 5, channel 1 holds 6 .. 11.
    assert pooled[0].tolist() == [0 + 1 + 3 + 4 + 6 + 7 + 9 + 10, 2 + 5 + 8 + 11]


def test_segments_may_have_any_numbers() -> None:
    labels = torch.tensor([[7, 7, -1], [7, 30, 30]])
    partition = Partition.of(Segments(labels), PICTURES)

    assert partition.count == 3
    assert partition.pool(PICTURES[:, :1])[0].tolist() == [2, 0 + 1 + 3, 4 + 5]


@pytest.mark.parametrize("features", [Pixels(), Elements(), Patches(2), Patches((1, 2))])
def test_spreading_gives_each_element_its_feature(features) -> None:
    partition = Partition.of(features, PICTURES)
    numbers = torch.arange(partition.count).expand(2, -1)

    assert torch.equal(partition.spread(numbers)[1], partition.places)


def test_pooled_relevance_cannot_tell_channels_apart() -> None:
    with pytest.raises(InvalidInput, match="tell channels apart, and relevance of shape"):
        Partition.of(Elements(), PICTURES).pool(PICTURES[:, :1])


@pytest.mark.parametrize("labels", [torch.zeros(3, 3).long(), torch.zeros(2, 3)])
def test_segments_must_be_integers_of_the_samples_shape(labels) -> None:
    with pytest.raises(InvalidInput, match=r"needs integer labels of shape \(2, 3\)"):
        Partition.of(Segments(labels), PICTURES)


@pytest.mark.parametrize("size", [0, (2, 2, 2), (2, -1)])
def test_patches_need_a_positive_size_for_each_axis(size) -> None:
    with pytest.raises(InvalidInput, match="Patches needs a positive size for each axis"):
        Partition.of(Patches(size), PICTURES)
