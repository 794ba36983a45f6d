import pytest
import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics import RelevanceMass, boxes_to_masks

X = torch.zeros(1, 1, 2, 3)
R = torch.ones(1, 1, 2, 3)


def never(x: Tensor) -> Tensor:
    raise AssertionError("localisation asks no model")


def test_a_box_is_half_open_as_a_slice_is() -> None:
    mask = boxes_to_masks([[(1, 0, 3, 1)]], height=2, width=4)

    assert mask.int().tolist() == [[[0, 1, 1, 0], [0, 0, 0, 0]]]


def test_a_voc_box_counts_from_one_and_includes_its_edges() -> None:
    mask = boxes_to_masks([[(2, 1, 3, 1)]], height=2, width=4, convention="voc")

    assert mask.int().tolist() == [[[0, 1, 1, 0], [0, 0, 0, 0]]]


def test_a_voc_box_may_be_one_pixel() -> None:
    assert boxes_to_masks([[(2, 2, 2, 2)]], 3, 3, convention="voc").nonzero().tolist() == [
        [0, 1, 1]
    ]


def test_several_boxes_are_joined_and_overlaps_count_once() -> None:
    mask = boxes_to_masks([[(0, 0, 2, 1), (1, 0, 3, 1)]], 1, 4)

    assert mask.int().tolist() == [[[1, 1, 1, 0]]]


def test_samples_may_have_no_box() -> None:
    masks = boxes_to_masks([[], [(0, 0, 1, 1)]], 1, 1)

    assert masks.flatten().tolist() == [False, True]


def test_a_tensor_holds_one_box_or_several_for_each_sample() -> None:
    one = torch.tensor([[0, 0, 1, 1], [1, 0, 2, 1]])

    assert boxes_to_masks(one, 1, 2).int().tolist() == [[[1, 0]], [[0, 1]]]
    assert boxes_to_masks(one[None], 1, 2).int().tolist() == [[[1, 1]]]


def test_what_lies_outside_is_cut_off() -> None:
    assert boxes_to_masks([[(-5, -5, 1, 9)]], 1, 2).int().tolist() == [[[1, 0]]]


def test_with_fractions_the_centre_of_a_pixel_decides() -> None:
    # The centres are 0.5, 1.5 and 2.5.
    assert boxes_to_masks([[(0.4, 0, 1.5, 1)]], 1, 3).int().tolist() == [[[1, 0, 0]]]


def test_no_samples_give_no_masks() -> None:
    assert boxes_to_masks([], 2, 3).shape == (0, 2, 3)


def test_a_box_of_width_and_height_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"x0 < x1.*sample 1\. Is it \(x, y, width, height\)"):
        boxes_to_masks([[], [(5, 5, 2, 2)]], 9, 9)


def test_an_empty_half_open_box_is_refused() -> None:
    with pytest.raises(InvalidInput, match="x0 < x1"):
        boxes_to_masks([[(2, 2, 2, 2)]], 3, 3)


def test_a_box_needs_four_numbers() -> None:
    with pytest.raises(InvalidInput, match="Sample 0 needs boxes"):
        boxes_to_masks([(0, 0, 1, 1)], 3, 3)  # type: ignore[list-item]


def test_an_unknown_convention_lists_those_there_are() -> None:
    with pytest.raises(InvalidInput, match="half-open, voc"):
        boxes_to_masks([[(0, 0, 1, 1)]], 3, 3, convention="coco")


def test_masks_must_be_given() -> None:
    with pytest.raises(InvalidInput, match="boxes_to_masks"):
        RelevanceMass()(never, X, R)


def test_masks_must_have_the_shape_of_the_pictures() -> None:
    with pytest.raises(InvalidInput, match=r"\(1, 2, 3\), got \(1, 3, 2\)"):
        RelevanceMass()(never, X, R, masks=torch.ones(1, 3, 2, dtype=torch.bool))


def test_masks_must_be_booleans() -> None:
    with pytest.raises(InvalidInput, match=r"booleans, got torch\.uint8\. Pass masks > 0"):
        RelevanceMass()(never, X, R, masks=torch.ones(1, 2, 3, dtype=torch.uint8))


def test_samples_without_axes_have_no_masks() -> None:
    with pytest.raises(InvalidInput, match="shape of the samples"):
        RelevanceMass()(never, torch.zeros(1, 3), torch.ones(1, 3), masks=torch.ones(1).bool())


def test_a_sample_without_an_object_has_no_number_and_the_others_have() -> None:
    masks = torch.tensor([[[False, False]], [[True, True]], [[True, False]]])
    scores = RelevanceMass()(never, torch.zeros(3, 1, 1, 2), torch.ones(3, 1, 1, 2), masks=masks)

    assert scores.values.isnan().tolist() == [True, True, False]
    assert scores.values[2] == 1 / 2
    assert "no object" in scores.reasons[0]
    assert "mask is full" in scores.reasons[1]
    assert set(scores.reasons) == {0, 1}
    assert scores.details["area"].tolist() == [0, 1, 1 / 2]
