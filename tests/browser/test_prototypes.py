"""The page "Prototypes": pictures that a class likes best, with what they owe to a prior."""

import json
from pathlib import Path

import pytest

from browsing import BLANK, Tab


@pytest.fixture
def found(tab: Tab) -> Tab:
    """The page with prototypes of two classes."""
    tab.open("prototypes")
    for number in (3, 9):
        tab.page.locator("#chips button").nth(number).click()
    tab.page.fill("#steps", "30")
    tab.page.locator("#go").click()
    return tab.settle()


def test_the_chosen_classes_are_shown(found: Tab) -> None:
    assert found.page.locator("#gallery strong").all_inner_texts() == ["3", "9"]
    assert "real pictures" in found.text("#measure")


def test_every_picture_of_the_gallery_is_there(found: Tab) -> None:
    drawn = "(all) => all.map((image) => image.complete && image.naturalWidth > 0)"

    assert all(found.page.locator("#gallery img").evaluate_all(drawn))


def test_a_prototype_is_looked_at_and_explained(found: Tab) -> None:
    found.page.locator("#gallery button").first.click()
    found.settle()
    before = found.look("#map")
    found.page.select_option("#method", "sensitivity")
    found.settle()

    assert found.text("#detail-title") == "A prototype of 3"
    assert "The score for 3 is" in found.text("#says")
    assert found.look("#map") != before
    assert found.page.evaluate(BLANK) == []


def test_questions_stay_for_comparison(found: Tab) -> None:
    before = found.page.locator("#strips button").count()
    found.page.select_option("#prior", "l2")
    found.page.locator("#go").click()
    found.settle()

    assert found.page.locator("#strips button").count() == before + 1
    assert "l2" in found.text("#gallery-title")


def test_the_numbers_are_saved(found: Tab, tmp_path: Path) -> None:
    with found.page.expect_download() as waiting:
        found.page.locator("#save-json").click()
    waiting.value.save_as(tmp_path / "numbers.json")
    held = json.loads((tmp_path / "numbers.json").read_text(encoding="utf-8"))

    assert [each["target"]["name"] for each in held["prototypes"]] == ["3", "9"]
