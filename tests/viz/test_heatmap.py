import numpy as np
import pytest
import torch

from whence.errors import InvalidInput
from whence.viz import contour, heatmap, overlay, pool_channels

RED, WHITE, BLUE = (182, 4, 19), (255, 255, 255), (0, 86, 207)


def test_a_map_of_two_by_two_is_four_crisp_squares():
    pixels = np.asarray(heatmap([[1.0, 0.0], [0.0, -1.0]]))

    assert pixels.shape == (224, 224, 3)
    assert (pixels[:112, :112] == RED).all()
    assert (pixels[:112, 112:] == WHITE).all()
    assert (pixels[112:, 112:] == BLUE).all()


def test_a_single_pixel_fills_the_picture():
    assert heatmap([[3.0]]).getcolors() == [(224 * 224, RED)]


def test_an_all_zero_map_is_white():
    assert heatmap(torch.zeros(3, 4, 4)).getcolors() == [(224 * 224, WHITE)]


def test_a_map_is_enlarged_by_a_whole_factor():
    assert heatmap(np.ones((9, 10))).size == (250, 225)


def test_a_large_map_keeps_its_size():
    assert heatmap(np.ones((300, 240))).size == (240, 300)


def test_a_very_wide_map_is_not_enlarged_beyond_measure():
    assert heatmap(np.ones((1, 2000))).size == (2000, 1)


def test_size_sets_the_height():
    assert heatmap(np.ones((10, 20)), size=7).size == (14, 7)


def test_channels_are_summed_by_default():
    assert heatmap(np.array([[[1.0]], [[-1.0]]]), size=1).getpixel((0, 0)) == WHITE


def test_pooling_by_max_abs_gives_the_largest_size():
    assert pool_channels(np.array([[[1.0]], [[-3.0]]]), "max-abs").tolist() == [[3.0]]


def test_pooling_by_l2_gives_the_norm():
    assert pool_channels(np.array([[[3.0]], [[-4.0]]]), "l2").tolist() == [[5.0]]


def test_an_unknown_pool_names_the_known_ones():
    with pytest.raises(InvalidInput, match="pool must be one of sum, max-abs, l2, got 'mean'"):
        heatmap([[1.0]], pool="mean")


def test_a_batch_is_refused_and_show_is_named():
    with pytest.raises(InvalidInput, match=r"got \(2, 3, 4, 4\).*whence.viz.show"):
        heatmap(np.zeros((2, 3, 4, 4)))


def test_a_size_of_zero_is_refused():
    with pytest.raises(InvalidInput, match="size must be a height of at least 1 pixel, got 0"):
        heatmap([[1.0]], size=0)


def test_the_shape_of_the_image_is_drawn_in_grey():
    image = np.zeros((8, 8))
    image[2:6, 2:6] = 1.0

    pixels = np.asarray(heatmap(np.zeros((8, 8)), image)).astype(int)

    assert (pixels[112, 112] == WHITE).all()  # inside the shape nothing is drawn
    assert pixels.min() < 160  # on its border there is
    assert np.ptp(pixels, axis=2).max() == 0  # and it is grey, no evidence


def test_a_constant_image_has_no_shape_to_draw():
    assert heatmap(np.zeros((4, 4)), np.ones((4, 4))).getcolors() == [(224 * 224, WHITE)]


def test_overlay_leaves_the_grey_picture_where_relevance_is_zero():
    assert overlay([[0.0, 1.0]], [[0.2, 0.2]], size=1).getpixel((0, 0)) == (51, 51, 51)


def test_overlay_at_full_alpha_shows_the_colour_alone():
    picture = overlay([[1.0, -1.0]], [[0.2, 0.2]], 1.0, size=1)

    assert picture.getpixel((0, 0)) == (241, 57, 54)
    assert picture.getpixel((1, 0)) == (56, 131, 254)


def test_overlay_is_opaque_in_proportion_to_relevance():
    picture = overlay([[0.4, 1.0]], [[0.0, 0.0]], 1.0, size=1)

    assert picture.getpixel((0, 0)) == (96, 23, 22)  # two fifths of (241, 57, 54) on black


def test_overlay_of_zeros_is_the_grey_picture():
    assert overlay([[0.0]], np.full((1, 1, 3), 0.6), size=1).getpixel((0, 0)) == (153,) * 3


def test_overlay_takes_a_map_coarser_than_the_picture():
    assert overlay(np.ones((7, 7)), np.zeros((3, 230, 240))).size == (240, 230)


def test_overlay_refuses_alpha_beyond_one():
    with pytest.raises(InvalidInput, match=r"alpha must lie in \[0, 1\], got 2"):
        overlay([[1.0]], [[1.0]], 2.0)


def test_contour_runs_around_the_strongest_square():
    relevance = np.zeros((8, 8))
    relevance[2:4, 2:4] = 1.0
    picture = contour(relevance, np.zeros((8, 8)), [0.5])
    pixels = np.asarray(picture)

    assert picture.getpixel((84, 84)) == (0, 0, 0)  # the middle of the square stays
    assert picture.getpixel((200, 200)) == (0, 0, 0)  # far from it as well
    assert (pixels[84, 56] == (182, 4, 19)).all()  # the line runs on the border of the square


def test_contour_without_positive_relevance_is_the_picture():
    assert contour(-np.ones((2, 2)), np.zeros((2, 2))).getcolors() == [(224 * 224, (0, 0, 0))]


def test_contour_closes_at_the_rim_for_a_constant_map():
    assert contour(np.ones((2, 2)), np.zeros((2, 2))).size == (224, 224)


def test_contour_refuses_levels_outside_zero_and_one():
    with pytest.raises(InvalidInput, match=r"levels must lie in \(0, 1\), got \(90.0,\)"):
        contour([[1.0]], [[1.0]], [90.0])
