"""The page "Text" with a language model: click a generated token, see what it came from."""

from collections.abc import Callable, Iterator

import pytest

from browsing import AXE, BLANK, WIDE, Tab
from language import NAME, language_server


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a language model is offered."""
    with language_server(tmp_path_factory.mktemp("data")) as found:
        yield found


@pytest.fixture
def language(tabs: Callable[..., Tab], speaking: str) -> Tab:
    tab = tabs(at=speaking).open("text")
    tab.page.select_option("#model", NAME)
    tab.settle()
    tab.page.fill("#text", "the cat")
    tab.page.click("#go")
    return tab.settle()


def test_a_generated_token_shows_what_it_came_from(language: Tab) -> None:
    first = language.text("#why")
    language.page.click("#words button >> text=on")

    assert first == "Where does “sat” come from?"
    assert language.text("#why") == "Where does “on” come from?"
    assert language.text("#says").startswith("“on” comes most from “sat” (+8")
    assert language.page.locator("#words .r10").all_inner_texts() == ["sat"]
    assert language.page.locator("#words .later").all_inner_texts()[0] == "on"


def test_arrow_keys_go_from_token_to_token(language: Tab) -> None:
    language.page.focus("#words button")
    language.page.keyboard.press("ArrowRight")
    language.page.keyboard.press("Enter")

    assert language.text("#why") == "Where does “on” come from?"
    assert language.page.evaluate("() => document.activeElement.textContent") == "on"


def test_the_matrix_is_read_with_keys(language: Tab) -> None:
    language.page.focus("#matrix")
    language.page.keyboard.press("ArrowUp")

    assert " from “" in language.text("#cell")


def test_the_page_is_whole_and_usable_by_everyone(language: Tab, axe: str) -> None:
    language.page.evaluate(axe)

    assert language.page.evaluate(AXE) == []
    assert language.page.evaluate(BLANK) == []
    assert language.page.evaluate(WIDE) == []


def test_markup_in_a_token_stays_text(language: Tab) -> None:
    assert language.page.locator("#words button").all_inner_texts()[-1] == "<b>&amp;</b>"
