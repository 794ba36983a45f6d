"""With JavaScript switched off every page still says something, and forms are answered."""

from collections.abc import Callable

import pytest

from browsing import SHOTS, Tab
from whence.serve._pages import ABOUT, DOCS, PAGES, Page

FORMS = {"image": "image?model=digits-cnn", "text": "text"}


@pytest.fixture
def plain(tabs: Callable[..., Tab]) -> Tab:
    """A tab without JavaScript."""
    return tabs(java_script_enabled=False)


@pytest.mark.parametrize("page", [*PAGES, ABOUT, DOCS], ids=lambda page: page.name)
def test_a_page_says_what_it_is_and_what_can_be_done(page: Page, plain: Tab) -> None:
    plain.page.goto(plain.address + page.path)
    plain.page.screenshot(path=SHOTS / f"{page.name}-plain.png", full_page=True)
    useful = "main form button:visible, main noscript, main a:visible, main table:visible"

    assert len(plain.text("main").split()) > 20
    assert plain.page.locator(useful).count() > 0
    assert plain.page.locator("canvas:visible").count() == 0


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_form_is_answered(form: str, plain: Tab) -> None:
    plain.page.goto(plain.address + form)
    plain.page.click("#go")

    assert plain.page.locator("#plain").is_visible()
    assert "The score for" in plain.text("#plain")


def test_a_class_is_chosen_in_the_form(plain: Tab) -> None:
    plain.page.goto(f"{plain.address}image?model=digits-cnn")
    plain.page.fill("#target", "3")
    plain.page.click("#go")

    assert plain.text("#plain-title") == "Why 3?"
    assert plain.page.get_attribute("#plain img", "alt").startswith("The score for 3 is ")
    assert plain.page.evaluate("() => document.querySelector('#plain img').naturalWidth") > 0


def test_a_wrong_form_is_told_in_words(plain: Tab) -> None:
    plain.page.goto(f"{plain.address}image?model=digits-cnn")
    plain.page.fill("#target", "<b>none</b>")
    plain.page.click("#go")

    assert "<b>none</b>" in plain.text("main h1")
    assert plain.page.locator("main b").count() == 0
    plain.forgive("status 422", "status of 422")


def test_the_home_page_says_that_drawing_needs_scripts(plain: Tab) -> None:
    plain.page.goto(plain.address)
    text = plain.text("main")

    assert "Drawing needs JavaScript." in text
    assert "Eraser" not in text
