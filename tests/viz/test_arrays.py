import numpy as np
import pytest
import torch
from PIL import Image

from whence.errors import InvalidInput
from whence.viz._arrays import to_array, to_grey, to_rgb


def test_the_copy_does_not_share_memory_with_the_values():
    values = np.ones(3)

    to_array(values)[0] = 7

    assert values[0] == 1


def test_a_bfloat16_tensor_with_gradient_is_accepted():
    values = torch.tensor([1.5], dtype=torch.bfloat16, requires_grad=True)

    assert to_array(values).tolist() == [1.5]


def test_nan_is_refused_and_counted():
    with pytest.raises(InvalidInput, match="relevance must be finite to be drawn, got 1 NaN"):
        to_array([1.0, float("nan")])


def test_infinity_is_refused():
    with pytest.raises(InvalidInput, match="1 NaN or infinite of 1 values"):
        to_array([float("inf")])


def test_an_empty_array_is_refused():
    with pytest.raises(InvalidInput, match=r"at least one value, got shape \(0, 3\)"):
        to_array(np.zeros((0, 3)))


def test_ragged_lists_are_refused():
    with pytest.raises(InvalidInput, match="rectangular array, got list"):
        to_array([[1.0], [1.0, 2.0]])


def test_bytes_keep_their_values():
    assert to_rgb(np.array([[3, 250]], dtype=np.uint8)).tolist() == [[[3] * 3, [250] * 3]]


def test_numbers_within_zero_and_one_are_not_stretched():
    assert to_rgb([[0.2, 0.4]])[0, :, 0].tolist() == [51, 102]


def test_other_ranges_are_stretched_from_black_to_white():
    assert to_rgb([[-1.0, 0.0, 3.0]])[0, :, 0].tolist() == [0, 64, 255]


def test_a_constant_picture_outside_the_range_is_grey():
    assert to_rgb([[7.0]])[0, 0].tolist() == [128] * 3


def test_channels_may_come_first_or_last():
    first = torch.rand(3, 5, 6)

    assert np.array_equal(to_rgb(first), to_rgb(first.permute(1, 2, 0)))


def test_two_channels_are_averaged_to_grey():
    assert to_rgb([[[0.0]], [[0.4]]]).tolist() == [[[51, 51, 51]]]


def test_a_pil_picture_is_taken_as_it_is():
    assert to_rgb(Image.new("L", (2, 1), 9)).tolist() == [[[9] * 3, [9] * 3]]


def test_white_has_luminance_one():
    assert to_grey([[1.0]])[0, 0] == pytest.approx(1.0)


def test_a_batch_of_pictures_is_refused():
    with pytest.raises(InvalidInput, match=r"\(C, H, W\) or \(H, W, 3\), got \(2, 3, 4, 4\)"):
        to_rgb(np.zeros((2, 3, 4, 4)))
