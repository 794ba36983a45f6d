import numpy as np
import pytest
from PIL import Image

from whence.errors import InvalidInput
from whence.viz import draw_grid, grid
from whence.viz._drawing import BoxItem, PictureItem, TextItem

CELL = Image.new("RGB", (224, 224), (1, 2, 3))


def items(kind: type, **options: object) -> list:
    drawing = draw_grid([[CELL, CELL], [CELL, CELL]], colours=None, **options)
    return [item for item in drawing.items if isinstance(item, kind)]


def test_a_plain_grid_is_cells_gaps_and_margins():
    # two cells of 224, a gap of 12, margins of 24
    assert grid([[CELL, CELL], [CELL, CELL]], colours=None).size == (508, 508)


def test_cells_stand_in_rows_and_columns():
    places = [(item.x, item.y) for item in items(PictureItem)]

    assert places == [(24, 24), (260, 24), (24, 260), (260, 260)]


def test_every_name_caption_and_title_is_written():
    texts = items(
        TextItem,
        row_names=["r0", "r1"],
        column_names=["c0", "c1"],
        title="t",
        captions=[["[3] 12.4", "b"], ["c", "d"]],
    )

    assert {item.text for item in texts} == {
        *("t", "c0", "c1", "r0", "r1", "[3] 12.4", "b", "c", "d")
    }


def test_no_text_leaves_the_page():
    drawing = draw_grid(
        [[CELL]],
        row_names=["a very long name of a method " * 9],
        column_names=["unbreakable" * 40],
        title="many words " * 40,
    )
    pixels = np.asarray(drawing.image())

    assert (pixels[:, -8:] == 255).all()
    assert (pixels[:, :8] == 255).all()


def test_the_legend_says_against_zero_for():
    texts = [item.text for item in draw_grid([[CELL]]).items if isinstance(item, TextItem)]

    assert texts == ["against", "0", "for"]


def test_the_legend_of_a_single_small_cell_stays_on_the_page():
    bar = draw_grid([[Image.new("RGB", (5, 5))]], cell=20).items[-4]

    assert isinstance(bar, PictureItem)
    assert bar.x >= 24


def test_a_map_is_coloured_and_enlarged_by_a_whole_factor():
    drawing = draw_grid([[np.array([[1.0, 0.0, -1.0]])]], colours="red-blue")
    picture = next(item.image for item in drawing.items if isinstance(item, PictureItem))

    assert picture.size == (222, 74)
    assert picture.getpixel((0, 0)) == (182, 4, 19)
    assert picture.getpixel((100, 50)) == (255, 255, 255)
    assert picture.getpixel((221, 73)) == (0, 86, 207)


def test_a_large_picture_is_reduced_to_the_cell():
    drawing = draw_grid([[Image.new("RGB", (1000, 500))]], cell=100)
    picture = next(item.image for item in drawing.items if isinstance(item, PictureItem))

    assert picture.size == (100, 50)


def test_many_columns_make_smaller_cells():
    assert grid([[CELL] * 9], colours=None).size == (9 * 112 + 8 * 12 + 48, 112 + 48)


def test_an_empty_cell_leaves_its_place_free():
    drawing = draw_grid([[CELL, None], [CELL]], colours=None)

    assert sum(isinstance(item, PictureItem) for item in drawing.items) == 2
    assert drawing.image().size == (508, 508)


def test_each_cell_has_a_hair_line_around_it():
    frame = items(BoxItem)[0]

    assert (frame.x, frame.y, frame.width, frame.height) == (23, 23, 226, 226)


@pytest.mark.parametrize("text", ["日本語", "مرحبا", "Ω → é", "a\nb\x00", "\ud800", "", "🙂"])
def test_text_in_any_script_is_drawn(text: str):
    drawing = draw_grid([[CELL]], row_names=[text], column_names=[text], captions=[[text]])

    assert drawing.image().width >= 272


def test_nothing_to_draw_is_refused():
    with pytest.raises(InvalidInput, match="grid needs at least one cell, got none"):
        grid([])


def test_too_few_row_names_are_refused():
    with pytest.raises(InvalidInput, match="row_names must have one entry for each of 2, got 1"):
        grid([[CELL], [CELL]], row_names=["only one"])


def test_too_many_column_names_are_refused():
    with pytest.raises(InvalidInput, match="column_names must have one entry for each of 1, got 2"):
        grid([[CELL]], column_names=["a", "b"])
