from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from whence.errors import InvalidInput
from whence.viz import bar_chart, draw_grid, grid, heatmap, save, to_svg

SVG = "{http://www.w3.org/2000/svg}"


def elements(svg: str, tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg.encode()).iter(SVG + tag))


def read(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.copy()


def test_a_png_keeps_the_pixels(tmp_path: Path):
    path = save(heatmap([[1.0, -1.0]]), tmp_path / "new" / "map.PNG")

    assert np.array_equal(np.asarray(read(path)), np.asarray(heatmap([[1.0, -1.0]])))


def test_a_map_saved_as_png_is_its_heatmap(tmp_path: Path):
    path = save(np.array([[1.0, -1.0]]), tmp_path / "map.png")

    assert read(path).tobytes() == heatmap([[1.0, -1.0]]).tobytes()


def test_a_map_becomes_one_rectangle_for_each_run():
    rectangles = elements(to_svg(np.array([[1.0, 1.0, 0.0, -1.0]])), "rect")

    # the page, its neutral ground, a run of two red pixels, and a blue one
    assert [each.get("fill") for each in rectangles] == ["#ffffff", "#ffffff", "#b60413", "#0056cf"]
    assert [each.get("width") for each in rectangles] == ["896", "896", "448", "224"]


def test_an_all_zero_map_is_an_empty_page():
    assert len(elements(to_svg(np.zeros((5, 5))), "rect")) == 2


def test_a_large_noisy_map_is_embedded_as_a_picture():
    noise = np.random.default_rng(0).normal(size=(150, 150))
    svg = to_svg(noise)

    assert len(elements(svg, "image")) == 1
    assert len(elements(svg, "rect")) == 1


def test_a_picture_is_embedded():
    assert len(elements(to_svg(grid([[np.ones((2, 2))]])), "image")) == 1


def test_the_text_of_a_drawing_stays_text():
    drawing = draw_grid([[np.ones((2, 2))]], row_names=["a < b & c"], captions=[["日本\x00\ud800"]])

    texts = [each.text for each in elements(drawing.svg(), "text")]

    assert texts == ["a < b & c", "日本 ?", "against", "0", "for"]


def test_a_figure_is_written_as_text_and_the_same_each_time(tmp_path: Path):
    first = save(bar_chart(["age"], [1.0]), tmp_path / "one.svg").read_text()
    second = save(bar_chart(["age"], [1.0]), tmp_path / "two.svg").read_text()

    assert first == second
    assert "age" in [each.text for each in elements(first, "text")]


def test_a_figure_is_written_as_png(tmp_path: Path):
    path = save(bar_chart(["age"], [1.0]), tmp_path / "bars.png")

    assert read(path).mode == "RGB"


def test_a_drawing_is_written_as_png(tmp_path: Path):
    drawing = draw_grid([[np.ones((2, 2))]])

    assert read(save(drawing, tmp_path / "x.png")).size == (drawing.width, drawing.height)


def test_colours_apply_to_maps(tmp_path: Path):
    path = save(np.array([[1.0]]), tmp_path / "x.png", colours="purple-green")

    assert read(path).getpixel((0, 0)) == (134, 35, 186)


@pytest.mark.parametrize("name", ["map.jpg", "map", "map.svg.gz"])
def test_another_suffix_is_refused_and_nothing_is_written(name: str, tmp_path: Path):
    with pytest.raises(InvalidInput, match=r"saved as \.png or \.svg, got 'map"):
        save([[1.0]], tmp_path / "folder" / name)

    assert not (tmp_path / "folder").exists()
