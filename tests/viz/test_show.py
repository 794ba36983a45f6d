import numpy as np
import pytest
import torch

from whence import viz
from whence.errors import InvalidInput
from whence.viz import draw, show
from whence.viz._drawing import Drawing, PictureItem, TextItem


def texts(drawing: Drawing) -> list[str]:
    return [item.text for item in drawing.items if isinstance(item, TextItem)]


def pictures(drawing: Drawing) -> list[tuple[int, int]]:
    # the last picture is the bar of the legend
    return [item.image.size for item in drawing.items if isinstance(item, PictureItem)][:-1]


def test_a_batch_of_images_is_a_grid_of_heatmaps():
    assert pictures(draw(torch.ones(3, 1, 8, 8))) == [(224, 224)] * 3


def test_inputs_stand_beside_their_maps():
    assert pictures(draw(torch.ones(2, 1, 8, 8), torch.rand(2, 3, 8, 8))) == [(452, 224)] * 2


def test_titles_stand_below():
    assert texts(draw(torch.ones(1, 1, 2, 2), titles=["[3] 12.4"]))[0] == "[3] 12.4"


def test_more_than_sixteen_samples_are_cut_and_the_title_says_so():
    drawing = draw(torch.ones(20, 1, 2, 2), titles=["t"] * 20)

    assert len(pictures(drawing)) == 16
    assert texts(drawing)[0] == "the first 16 of 20 samples"


def test_every_sample_has_its_own_scale():
    drawing = draw(np.array([[[[1.0]]], [[[9.0]]]]))
    first, second = (item.image for item in drawing.items[1:4:2])

    assert first.getpixel((0, 0)) == second.getpixel((0, 0)) == (182, 4, 19)


def test_an_all_zero_batch_is_shown():
    assert show(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)).mode == "RGB"


def test_signals_are_below_each_other():
    (width, height), other = pictures(draw(torch.rand(2, 2, 30), torch.rand(2, 2, 30)))

    assert (width, height) == other
    assert width > 800


def test_features_are_bars():
    assert pictures(draw(torch.rand(1, 3), torch.rand(1, 3), names=["a", "b", "c"]))[0][0] == 660


def test_tokens_are_coloured_words():
    assert pictures(draw(np.array([[1.0, -1.0]]), [["not", "good"]]))[0][0] == 560


@pytest.mark.parametrize("shape", [(3,), (1, 1, 1, 1, 1)])
def test_a_shape_without_a_picture_is_refused(shape: tuple[int, ...]):
    with pytest.raises(InvalidInput, match=r"relevance must have shape \(N, C, H, W\)"):
        show(np.ones(shape))


def test_inputs_of_another_batch_are_refused():
    with pytest.raises(InvalidInput, match="inputs must hold one for each of 2 samples, got 3"):
        show(torch.ones(2, 1, 2, 2), torch.ones(3, 1, 2, 2))


def test_too_few_names_of_features_are_refused():
    with pytest.raises(InvalidInput, match="one for each of 3 features, got 3 and 2"):
        show(torch.ones(1, 3), torch.ones(1, 3), names=["a", "b"])


def test_nan_is_refused():
    with pytest.raises(InvalidInput, match="relevance must be finite"):
        show(np.full((1, 1, 2, 2), np.nan))


def test_every_public_name_is_there_and_sorted():
    assert viz.__all__ == sorted(viz.__all__)
    assert all(hasattr(viz, name) for name in viz.__all__)
