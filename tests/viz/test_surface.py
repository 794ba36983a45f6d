import numpy as np
import pytest

from whence.errors import InvalidInput
from whence.viz import surface


def pixels(values: object, **options: object) -> np.ndarray:
    return np.asarray(surface(values, **options))  # type: ignore[arg-type]


def test_the_second_input_grows_upwards() -> None:
    picture = pixels([[1.0, 1.0], [4.0, 4.0]], levels=0, size=2)  # 4 where x_2 is large

    assert picture[0, 0].tolist() == [182, 4, 19]
    assert picture[1, 0].tolist() != [182, 4, 19]


def test_without_levels_only_the_line_at_zero_is_drawn() -> None:
    slope = np.tile(np.arange(1.0, 51.0), (50, 1))  # 1 to 50: no zero
    picture = pixels(slope, levels=0, size=50)

    assert (picture == picture[0]).all()
    assert len(np.unique(picture[0], axis=0)) == 50


def test_lines_stand_where_the_function_has_their_height() -> None:
    slope = np.tile(np.linspace(0.01, 1, 200), (200, 1))
    plain, lined = pixels(slope, levels=0, size=200), pixels(slope, levels=3, size=200)
    columns = np.flatnonzero((plain != lined).any(axis=(0, 2)))

    for_height = [0.25, 0.5, 0.75]
    expected = [round((height - 0.01) / 0.99 * 199) for height in for_height]
    assert {int(min(abs(columns - place))) for place in expected} <= {0, 1}
    assert max(min(abs(place - column) for place in expected) for column in columns) <= 2


def test_the_line_at_zero_is_darker_than_the_others() -> None:
    slope = np.tile(np.linspace(-1, 1, 201), (201, 1))
    row = pixels(slope, levels=1, size=201)[100].sum(axis=1)

    assert row[98:103].min() < row[48:53].min()
    assert row[98:103].min() < row[148:153].min()


def test_the_rim_of_a_flat_part_is_one_straight_line() -> None:
    ramp = np.maximum(0.0, np.tile(np.arange(60.0) - 29.7, (60, 1)))
    picture = pixels(ramp, levels=0, size=60)
    dark = np.flatnonzero(picture[30].sum(axis=1) < 500)

    assert (picture[5:-5] == picture[30]).all()
    assert 1 <= len(dark[dark < 45]) <= 3
    assert abs(dark[dark < 45].mean() - 29.7) < 1


def test_a_function_of_zeros_is_a_blank_map() -> None:
    assert (pixels(np.zeros((3, 3)), size=30) == 255).all()


def test_a_scale_sets_the_full_colour() -> None:
    values = [[1.0, 1.0], [1.0, 1.0]]

    assert pixels(values, levels=0, size=2)[0, 0].tolist() == [182, 4, 19]
    assert pixels(values, levels=0, size=2, scale=10.0)[0, 0].tolist() != [182, 4, 19]


@pytest.mark.parametrize("values", [np.ones(3), np.ones((1, 3)), np.ones((2, 2, 2))])
def test_a_surface_needs_a_grid(values: np.ndarray) -> None:
    with pytest.raises(InvalidInput, match="at least 2 x 2 points"):
        surface(values)


def test_levels_are_counted() -> None:
    with pytest.raises(InvalidInput, match="levels must be 0 or more, got -1"):
        surface(np.ones((2, 2)), levels=-1)
