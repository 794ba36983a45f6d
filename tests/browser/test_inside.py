"""The page "Inside": the operations of a prediction, and the way of relevance through them."""

import pytest

from browsing import BLANK, Tab


@pytest.fixture
def inside(tab: Tab) -> Tab:
    """The page with its first diagram."""
    return tab.open("inside")


def test_the_flow_and_the_ledger_show_the_same_operations(inside: Tab) -> None:
    inside.page.select_option("#stations", index=0)
    inside.settle()

    assert inside.page.locator("#flow svg").count() == 1
    assert inside.page.locator("#ledger tbody tr").count() > 3
    assert "score" in inside.text("#verdict")
    assert inside.page.evaluate(BLANK) == []


def test_a_station_is_chosen_in_the_diagram(inside: Tab) -> None:
    before = inside.text("#chosen-title")
    inside.page.locator("#flow [data-station='1'] text").first.click()
    after = inside.text("#chosen-title")
    inside.page.locator("#strip button").last.click()

    assert after != before
    assert inside.text("#chosen-title") != after
    assert inside.page.locator("#strip button[aria-pressed=true]").count() == 1


def test_an_operation_is_chosen_in_the_table_by_keyboard(inside: Tab) -> None:
    inside.page.locator("#ledger button", has_text="conv2d").first.focus()
    inside.page.keyboard.press("Enter")

    assert inside.text("#chosen-title").startswith("conv2d")
    assert inside.text("#facts").startswith("received")


@pytest.mark.parametrize(
    ("field", "value"), [("composite", "epsilon-alpha2-beta1"), ("model", "digits-mlp")]
)
def test_another_question_changes_the_diagram(field: str, value: str, inside: Tab) -> None:
    before = inside.page.locator("#flow").inner_html()
    inside.page.select_option(f"#{field}", value)
    inside.settle()

    assert inside.page.locator("#flow").inner_html() != before


def test_a_text_has_an_inside_too(inside: Tab) -> None:
    inside.page.select_option("#model", "sst-lstm")
    inside.settle()
    inside.page.fill("#text", "<b>Bold</b> and clever")
    inside.page.keyboard.press("Tab")
    inside.settle()

    assert "embedding" in inside.text("#ledger")
    assert inside.page.locator("main b").count() == 0


def test_biases_turn_aside_what_they_keep(inside: Tab) -> None:
    inside.page.select_option("#model", "digits-mlp")
    inside.settle()

    assert "bias" in inside.text("#ledger thead")
    assert "bias" in inside.text("#verdict")
