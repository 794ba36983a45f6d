import io

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from whence.errors import InvalidInput
from whence.viz import bars, summary, table


def printed(renderable: object, color_system: str | None = None, width: int = 80) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream,
        force_terminal=True,
        color_system=color_system,
        width=width,
        legacy_windows=False,
    )
    console.print(renderable)
    return stream.getvalue()


def longest_line(text: str) -> int:
    return max(cell_len(line) for line in text.splitlines())


def test_a_wide_map_is_averaged_down_to_the_width():
    assert longest_line(summary(np.ones((64, 100)), width=30).rich.plain) == 30


def test_a_small_map_is_enlarged_by_a_whole_factor():
    assert longest_line(summary(np.ones((8, 8)), width=30).rich.plain) == 24


def test_two_rows_of_pixels_share_a_line():
    assert summary(np.ones((4, 4)), width=4).rich.plain.splitlines() == ["▀▀▀▀", "▀▀▀▀"]


def test_a_pixel_is_printed_in_its_exact_colour():
    text = printed(summary([[1.0], [-1.0]], width=1), "truecolor")

    assert "38;2;182;4;19;48;2;0;86;207m▀" in text


def test_without_colour_signs_and_strength_become_characters():
    text = printed(summary([[1.0, 0.4, 0.0, -0.4, -1.0]] * 2, width=5))

    assert text.splitlines() == ["#* -="]


def test_without_colour_the_output_is_ascii():
    noise = np.random.default_rng(0).normal(size=(9, 9))

    assert str(summary(noise)).isascii()


def test_an_all_zero_map_is_blank():
    assert str(summary(np.zeros((2, 3)), width=3)) == "   "


def test_averaging_keeps_the_mean_of_uneven_blocks():
    # five columns into two: the first block has two, the second three
    assert str(summary([[3.0, 3.0, -2.0, -2.0, -2.0]] * 5, width=2)).splitlines()[0] == "#-"


def test_a_width_of_zero_is_refused():
    with pytest.raises(InvalidInput, match="width must be at least 1 character, got 0"):
        summary([[1.0]], width=0)


def test_bars_leave_the_axis_to_the_side_of_their_sign():
    first, second = str(bars(["for", "against"], [2.0, -2.0], width=40)).splitlines()

    assert "|#" in first
    assert "#|" in second


def test_bars_fit_the_width():
    block = bars(["日本語の長い名前です", "x" * 90], [1.0, -123456.789], width=50)

    assert longest_line(block.rich.plain) <= 50
    assert longest_line(block.plain) <= 50


def test_bars_are_red_for_and_blue_against():
    text = printed(bars(["a", "b"], [1.0, -1.0]), "truecolor")

    assert "38;2;182;4;19m█" in text
    assert "38;2;0;86;207m█" in text


def test_bars_of_zeros_are_empty():
    assert "#" not in str(bars(["a"], [0.0]))


def test_bars_need_a_name_for_each_value():
    with pytest.raises(InvalidInput, match="bars needs a name for each of 2 values, got 1"):
        bars(["a"], [1.0, 2.0])


def test_bars_need_room():
    with pytest.raises(InvalidInput, match="width must be at least 24 characters, got 5"):
        bars(["a"], [1.0], width=5)


def test_a_table_shows_brackets_and_rounds_floats():
    text = printed(table(["class", "score"], [["[3]", 12.34567]], title="[bold]"))

    assert "[3]" in text
    assert "12.35" in text
    assert "[bold]" in text


def test_a_table_refuses_a_short_row():
    with pytest.raises(InvalidInput, match="entry for each of 2 columns, got 1"):
        table(["a", "b"], [[1]])
