import numpy as np
import pytest

from whence.errors import InvalidInput
from whence.viz import colour_names, colourise
from whence.viz._colour import ink_colour

END_RED, WHITE, END_BLUE = [182, 4, 19], [255, 255, 255], [0, 86, 207]
RAMP = np.linspace(-1, 1, 513)[None]


def luminance(colours: str) -> np.ndarray:
    """CIE luminance of the ramp from -1 to 1."""
    light = colourise(RAMP, colours=colours)[0] / 255.0
    linear = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def test_the_ends_are_red_and_blue_and_zero_is_white():
    assert colourise([[2.0, 0.0, -2.0]]).tolist() == [[END_RED, WHITE, END_BLUE]]


def test_the_scale_is_symmetric_so_a_weaker_side_stays_pale():
    strongest, half = colourise([[2.0, -1.0]])[0].tolist()

    assert strongest == END_RED
    assert half == [136, 181, 254]  # the middle anchor of blue, not its end


def test_an_all_zero_map_is_neutral():
    assert colourise(np.zeros((2, 2))).tolist() == [[WHITE] * 2] * 2


def test_zero_is_black_on_the_dark_map():
    assert colourise([[0.0, 1.0]], colours="hot-cold")[0, 0].tolist() == [0, 0, 0]


def test_a_single_positive_pixel_is_the_end_red():
    assert colourise([[1e-300]]).tolist() == [[END_RED]]


def test_values_beyond_a_given_scale_get_the_end_colour():
    assert colourise([[9.0, -9.0]], scale=1.0).tolist() == [[END_RED, END_BLUE]]


def test_a_huge_value_over_a_tiny_scale_does_not_overflow():
    assert colourise([[1e300]], scale=1e-300).tolist() == [[END_RED]]


def test_a_quantile_clips_an_outlier():
    values = np.array([[1.0] * 9 + [100.0]])

    assert colourise(values, quantile=0.5)[0].tolist() == [END_RED] * 10


def test_a_quantile_ignores_zeros():
    values = np.array([[0.0] * 99 + [1.0]])

    assert colourise(values, quantile=0.5)[0, -1].tolist() == END_RED


def test_leading_axes_share_one_scale():
    pixels = colourise(np.array([[[1.0]], [[2.0]]]))

    assert pixels.shape == (2, 1, 1, 3)
    assert pixels[0, 0, 0].tolist() == [254, 145, 133]
    assert pixels[1, 0, 0].tolist() == END_RED


def test_raw_values_are_not_altered():
    values = np.array([[5.0, -3.0]])

    colourise(values, scale=1.0)

    assert values.tolist() == [[5.0, -3.0]]


@pytest.mark.parametrize("colours", ["red-blue", "orange-blue", "purple-green"])
def test_luminance_falls_from_zero_to_either_side(colours: str):
    light = luminance(colours)

    assert np.all(np.diff(light[:257]) >= 0)
    assert np.all(np.diff(light[256:]) <= 0)


def test_luminance_rises_from_zero_to_either_side_on_the_dark_map():
    light = luminance("hot-cold")

    assert np.all(np.diff(light[:257]) <= 0)
    assert np.all(np.diff(light[256:]) >= 0)


@pytest.mark.parametrize("colours", colour_names())
def test_for_and_against_of_equal_size_are_about_equally_light(colours: str):
    # In the cube root of luminance, which is close to perceived lightness.
    light = np.cbrt(luminance(colours))

    assert np.abs(light - light[::-1]).max() < 0.12


@pytest.mark.parametrize("colours", colour_names())
def test_every_map_has_an_ink_that_is_dark_enough_for_white_paper(colours: str):
    assert min(sum(ink_colour(colours, 1)), sum(ink_colour(colours, -1))) < 400


def test_nan_is_refused():
    with pytest.raises(InvalidInput, match="must be finite to be drawn, got 1 NaN or infinite"):
        colourise([[float("nan"), 1.0]])


def test_an_unknown_map_names_the_known_ones():
    with pytest.raises(InvalidInput, match=r"one of red-blue, orange-blue, .*, got 'jet'"):
        colourise([[1.0]], colours="jet")


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_not_positive_is_refused(scale: float):
    with pytest.raises(InvalidInput, match="scale must be a positive number"):
        colourise([[1.0]], scale=scale)


@pytest.mark.parametrize("quantile", [0.0, 1.5])
def test_a_quantile_outside_its_range_is_refused(quantile: float):
    with pytest.raises(InvalidInput, match=r"quantile must lie in \(0, 1\]"):
        colourise([[1.0]], quantile=quantile)
