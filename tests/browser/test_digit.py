"""The page "Draw a digit", used as visitors use it: mouse, finger, keyboard."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from browsing import BLANK, SEVEN, Tab, draw, places
from serving import decoded

VALUE = r"row (\d+), column (\d+): [+−]?[\d.e−]+"


def touch(tab: Tab, points: list[tuple[float, float]] = SEVEN) -> None:
    """Draw one line with a finger."""
    session = tab.page.context.new_cdp_session(tab.page)
    found = [{"x": x, "y": y} for x, y in places(tab, points)]
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": found[:1]})
    for point in found[1:]:
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
        tab.page.wait_for_timeout(30)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


@pytest.fixture
def drawn(tab: Tab) -> Tab:
    """The page with a seven on it."""
    tab.open()
    draw(tab)
    return tab.settle()


def answered(tab: Tab, act: Callable[[], Any], path: str = "api/explain") -> Any:
    """What the server answers to the first question that an action makes the page ask."""
    with tab.page.expect_response(lambda response: path in response.url) as waiting:
        act()
    found = waiting.value.json()
    tab.settle()
    return found


def test_scores_and_heatmap_follow_the_mouse_while_it_draws(tab: Tab) -> None:
    tab.open()
    before, asked = tab.look("#map"), len(tab.asked)
    first, *others = places(tab, SEVEN)
    tab.page.mouse.move(*first)
    tab.page.mouse.down()
    tab.page.mouse.move(*others[0], steps=8)
    tab.settle()
    half, half_map = tab.text("#scores"), tab.look("#map")
    for point in others[1:]:
        tab.page.mouse.move(*point, steps=8)
    tab.settle()  # the button is still down

    assert len({before, half_map, tab.look("#map")}) == 3
    assert half != tab.text("#scores")
    assert set(tab.asked[asked:]) == {"api/explain/digit"}
    assert tab.text("#map-title") == "Why 7?"


def test_what_was_drawn_takes_the_place_of_the_example(drawn: Tab) -> None:
    assert drawn.text("#map-title") == "Why 7?"
    assert "The score for 7 is" in drawn.text("#says")
    assert "arrived here" in drawn.text("#says .verdict")
    assert drawn.page.locator("#scores button").count() == 10
    assert drawn.page.evaluate(BLANK) == []


def test_the_class_to_explain_is_chosen_among_the_scores(drawn: Tab) -> None:
    before = drawn.look("#map")
    answer = answered(drawn, drawn.page.locator("#scores button").nth(3).click)

    assert answer["target"]["index"] == 3
    assert drawn.text("#map-title") == "Why 3?"
    assert drawn.page.input_value("#target") == "3"
    assert drawn.look("#map") != before


def test_one_digit_for_and_another_against_stand_side_by_side(drawn: Tab) -> None:
    drawn.page.select_option("#target", "3")
    drawn.settle()
    drawn.page.select_option("#against", "9")
    drawn.settle()
    titles = drawn.page.locator("#pair figcaption strong").all_inner_texts()
    maps = {drawn.look(f"#map-{name}") for name in ("for", "rival", "contrast")}

    assert titles == ["for 3", "for 9", "3 rather than 9"]
    assert len(maps) == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [("method", "sensitivity"), ("composite", "epsilon-alpha2-beta1"), ("model", "digits-mlp")],
)
def test_method_rules_and_model_are_chosen_on_the_page(field: str, value: str, drawn: Tab) -> None:
    before = drawn.look("#map")
    answer = answered(drawn, lambda: drawn.page.select_option(f"#{field}", value))

    assert answer[field] == value
    assert drawn.look("#map") != before


def test_other_colours_need_no_request(drawn: Tab) -> None:
    before, asked = drawn.look("#map"), len(drawn.asked)
    drawn.page.select_option("#colours", "hot-cold")
    drawn.settle()

    assert drawn.look("#map") != before
    assert len(drawn.asked) == asked


@pytest.mark.parametrize("way", ["left", "right", "up", "down"])
def test_a_shift_moves_drawing_and_explanation(way: str, drawn: Tab) -> None:
    before = drawn.look("#pad"), drawn.look("#map")
    answered(drawn, drawn.page.locator(f"#shift-{way}").click)
    shifted = drawn.look("#pad"), drawn.look("#map")
    answered(drawn, drawn.page.locator("#undo").click)

    assert shifted[0] != before[0]
    assert shifted[1] != before[1]
    assert (drawn.look("#pad"), drawn.look("#map")) == before


def test_what_is_erased_counts_no_more(drawn: Tab) -> None:
    before = drawn.text("#scores"), drawn.look("#map")
    drawn.page.locator("#eraser").click()
    draw(drawn, [(0.25, 0.25), (0.75, 0.25)])  # the upper stroke
    drawn.settle()

    assert drawn.text("#scores") != before[0]
    assert drawn.look("#map") != before[1]


def test_a_cleared_field_has_no_explanation(drawn: Tab) -> None:
    drawn.page.locator("#clear").click()
    drawn.settle()

    assert "Nothing is drawn" in drawn.text("#says")
    assert drawn.page.locator("#scores button").count() == 0


def test_pointing_at_the_map_tells_its_values(drawn: Tab) -> None:
    answer = answered(drawn, drawn.page.locator("#shift-left").click)
    relevance = decoded(answer["relevance"])
    height, width = relevance.shape
    row, column = np.unravel_index(np.abs(relevance).argmax(), relevance.shape)
    drawn.page.locator("#map").scroll_into_view_if_needed()
    box = drawn.page.locator("#map").bounding_box()
    drawn.page.mouse.move(
        box["x"] + box["width"] * (column + 0.5) / width,
        box["y"] + box["height"] * (row + 0.5) / height,
    )
    place, value = drawn.text("#readout").split(": ")

    assert place == f"row {row + 1}, column {column + 1}"
    assert float(value.replace("−", "-")) == pytest.approx(relevance[row, column], rel=5e-3)


def test_a_finger_draws_and_the_page_stays_where_it_is(tabs: Callable[..., Tab]) -> None:
    tab = tabs("phone", has_touch=True, is_mobile=True).open()
    before = tab.look("#map")
    tab.page.locator("#pad").scroll_into_view_if_needed()
    height = tab.page.evaluate("() => scrollY")
    touch(tab)
    tab.settle()

    assert tab.text("#map-title") == "Why 7?"
    assert tab.look("#map") != before
    assert tab.page.evaluate("() => scrollY") == height


def test_the_keyboard_alone_chooses_shifts_and_reads(tab: Tab) -> None:
    tab.open()
    press, focus = tab.page.keyboard.press, tab.page.locator
    press("Tab")
    press("Enter")  # the link that skips the menu
    press("Tab")
    at_first = tab.page.evaluate("() => document.activeElement.id")
    before = tab.look("#map")
    press("ArrowRight")
    tab.settle()
    shifted = tab.look("#map")
    focus("#samples button").nth(5).focus()
    press("Enter")
    tab.settle()
    focus("#scores button").nth(2).focus()
    press("Enter")
    tab.settle()
    focus("#map").focus()
    press("ArrowDown")

    assert at_first == "pad"
    assert shifted != before
    assert tab.text("#map-title") == "Why 2?"
    assert re.fullmatch(VALUE, tab.text("#readout"))


def test_two_visitors_do_not_see_each_others_drawings(tabs: Callable[..., Tab]) -> None:
    one, other = tabs().open(), tabs().open()
    before = other.look("#map")
    draw(one)
    one.settle()
    other.settle()

    assert one.look("#map") != before
    assert other.look("#map") == before
