"""The page "Compare": methods by samples on a small budget, with their scores."""

import re

import pytest

from browsing import BLANK, Tab


@pytest.fixture
def compared(tab: Tab) -> Tab:
    """The page after a small comparison of its own."""
    tab.open("compare")
    tab.page.fill("#samples", "6")
    tab.page.fill("#budget", "5")
    tab.page.locator("#go").click()
    return tab.settle()


def test_methods_and_samples_make_a_grid(compared: Tab) -> None:
    chosen = compared.page.locator("#methods :checked").count()
    rows, maps = compared.page.locator("#grid tr"), compared.page.locator("#grid td canvas")

    assert rows.count() == chosen
    assert maps.count() == chosen * compared.page.locator("#samples-row th canvas").count()
    assert maps.count() > chosen
    assert compared.page.evaluate(BLANK) == []


def test_scores_and_curves_stand_beside_it(compared: Tab) -> None:
    drawn = "(image) => image.complete && image.naturalWidth > 0"

    assert compared.page.eval_on_selector("#curves", drawn)
    assert compared.page.eval_on_selector("#intervals", drawn)
    assert "6 of 6" in compared.text("#progress")
    assert compared.page.locator("#pairs tr").count() > 0


def test_a_method_more_is_a_row_more(compared: Tab) -> None:
    before = compared.page.locator("#grid tr").count()
    compared.page.locator("#methods [value=gradient]").check()
    compared.page.locator("#go").click()
    compared.settle()

    assert compared.page.locator("#grid tr").count() == before + 1
    assert "gradient" in compared.text("#grid")


def test_a_map_is_enlarged_read_and_closed_by_keyboard(compared: Tab) -> None:
    compared.page.locator("#grid td button").first.focus()
    compared.page.keyboard.press("Enter")
    shown = compared.page.locator("#large").is_visible()
    compared.page.locator("#large-map").focus()
    compared.page.keyboard.press("ArrowDown")
    value = compared.text("#readout")
    compared.page.keyboard.press("Escape")

    assert shown
    assert value.startswith("row ")
    assert not compared.page.locator("#large").is_visible()


def test_a_comparison_is_stopped(tab: Tab) -> None:
    tab.open("compare")
    tab.page.locator("#methods [value=smoothgrad]").check()
    tab.page.locator("#methods [value=occlusion]").check()
    tab.page.fill("#samples", "100")
    tab.page.fill("#budget", "15")
    with tab.page.expect_response(lambda response: response.url.endswith("api/compare")):
        tab.page.locator("#go").click()
    tab.page.wait_for_timeout(100)
    tab.page.locator("#stop").click()
    tab.settle()
    done, asked = map(int, re.findall(r"\d+", tab.text("#progress"))[:2])

    assert 0 < done < asked
    assert tab.page.locator("#stop").is_disabled()


def test_a_numbers_field_takes_no_nonsense(compared: Tab) -> None:
    compared.page.fill("#samples", "0")
    asked = len(compared.asked)
    compared.page.locator("#go").click()
    compared.page.wait_for_timeout(200)

    assert len(compared.asked) == asked  # the browser itself says what is wrong
