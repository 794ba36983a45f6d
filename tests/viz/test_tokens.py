import pytest

from whence.errors import InvalidInput
from whence.viz import colour_text, draw_text, text_to_html
from whence.viz._drawing import BoxItem


def test_words_stand_on_the_colour_of_their_relevance():
    drawing = draw_text(["good", "the", "bad"], [1.0, 0.0, -1.0])
    grounds = [item.fill for item in drawing.items if isinstance(item, BoxItem)]

    assert grounds == [(182, 4, 19), (255, 255, 255), (0, 86, 207)]


def test_lines_break_to_the_width():
    drawing = draw_text(["word"] * 40, [0.0] * 40, width=200)

    assert max(item.x + item.width for item in drawing.items if isinstance(item, BoxItem)) <= 188
    assert drawing.height > 100


def test_a_word_wider_than_the_page_is_cut():
    assert colour_text(["x" * 500], [1.0], width=120).width == 120


def test_html_escapes_tokens():
    assert ">&lt;s&gt;</span>" in text_to_html(["<s>"], [1.0])


def test_letters_are_white_on_a_dark_ground():
    assert "background:#b60413;color:#ffffff" in text_to_html(["good"], [1.0])


def test_a_value_is_needed_for_each_token():
    with pytest.raises(InvalidInput, match="a value for each of 2 tokens, got 1"):
        colour_text(["a", "b"], [1.0])
