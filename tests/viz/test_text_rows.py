"""Several texts on a page, in the terminal and in files."""

import io

import pytest
from rich.console import Console

from whence.viz import draw_texts, text_block, text_latex, text_page
from whence.viz._drawing import BoxItem, TextItem
from whence.viz._text_rows import Row

ROW: Row = ("score 1", ["[CLS]", "good", "bad"], [9.0, 1.0, -1.0], [True, False, False])


def test_special_tokens_do_not_set_the_scale_and_have_no_ground() -> None:
    boxes = [item for item in draw_texts([ROW]).items if isinstance(item, BoxItem)]

    assert [box.fill for box in boxes] == [None, (182, 4, 19), (0, 86, 207)]


def test_the_terminal_marks_words_by_their_own_scale() -> None:
    assert str(text_block([ROW])) == "score 1\n[CLS][+++] good[+++] bad[---]"


def test_the_terminal_breaks_long_texts_to_its_width() -> None:
    row: Row = ("t", ["word"] * 40, [1.0] * 40, [False] * 40)
    stream = io.StringIO()
    Console(file=stream, width=30).print(text_block([row]))

    assert stream.getvalue().count("word[+++]") == 40
    assert max(map(len, stream.getvalue().splitlines())) <= 30


def test_where_there_are_special_tokens_only_they_set_the_scale() -> None:
    row: Row = ("t", ["[CLS]", "[SEP]"], [2.0, -1.0], [True, True])

    assert str(text_block([row])) == "t\n[CLS][+++] [SEP][--]"


def test_a_row_without_words_is_shown_empty() -> None:
    row: Row = ("nothing", [], [], [])

    assert str(text_block([row])) == "nothing\n"
    assert "<h2>nothing</h2>" in text_page("t", [row])
    assert draw_texts([row]).height > 0


def test_each_row_has_its_title() -> None:
    drawing = draw_texts([ROW, ROW])
    titles = [item for item in drawing.items if isinstance(item, TextItem) and item.bold]

    assert [item.text for item in titles] == ["score 1", "score 1"]
    assert titles[0].y < titles[1].y < drawing.height


def test_a_very_long_page_says_where_it_ends() -> None:
    texts = [item.text for item in draw_texts([ROW] * 201).items if isinstance(item, TextItem)]

    assert texts[-1] == "the first 200 of 201 rows"


@pytest.mark.parametrize("write", [text_latex, lambda rows: text_page("t", rows)])
def test_files_hold_every_piece(write) -> None:
    text = write([ROW])

    assert all(piece in text for piece in ROW[1])
