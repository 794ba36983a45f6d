"""The page "Text": words in colour, words taken away, many lines, and what markup becomes."""

from pathlib import Path

import pytest

from browsing import Tab

TEXT = "A warm and clever film, and never dull."
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def read(tab: Tab) -> Tab:
    """The page with an explained text."""
    tab.open("text")
    tab.page.fill("#text", TEXT)
    tab.page.wait_for_timeout(350)  # it answers when whoever types pauses
    return tab.settle()


def words(tab: Tab) -> list[str]:
    return tab.page.locator("#words button").all_inner_texts()


def test_a_typed_text_is_explained_word_by_word(read: Tab) -> None:
    pressed = read.page.locator("#words button").all()
    labels = [each.get_attribute("aria-label") or "" for each in pressed]

    assert "".join(words(read)).replace(" ", "") == TEXT.replace(" ", "")
    assert all(": " in label for label in labels)
    assert read.text("#why").startswith("Why ")
    assert "The score for" in read.text("#says")
    assert len({each.get_attribute("class") for each in pressed}) > 1


def test_without_a_word_the_score_moves_and_comes_back(read: Tab) -> None:
    before = read.text("#scores")
    read.page.locator("#words button").nth(3).click()
    read.settle()
    without, told = read.text("#scores"), read.text("#moved")
    read.page.locator("#restore").click()
    read.settle()

    assert "clever" in told
    assert "→" in without
    assert read.text("#scores") == before


def test_words_are_taken_away_by_keyboard(read: Tab) -> None:
    read.page.locator("#words button").first.focus()
    for key in ("ArrowRight", "Delete"):
        read.page.keyboard.press(key)
    read.settle()
    gone = read.page.locator("#words button[aria-pressed=true]").all_inner_texts()
    read.page.keyboard.press("Control+z")
    read.settle()

    assert [word.strip() for word in gone] == ["warm"]
    assert read.page.locator("#words button[aria-pressed=true]").count() == 0


@pytest.mark.parametrize("field", ["target", "against"])
def test_another_class_is_asked_about_by_name(field: str, read: Tab) -> None:
    before = read.text("#why")
    options = read.page.locator("#classes option")
    names = options.evaluate_all("(all) => all.map(({ value }) => value)")
    other = next(name for name in names if name not in before)
    read.page.fill(f"#{field}", other)
    read.page.keyboard.press("Tab")
    read.settle()

    assert read.text("#why") != before
    assert other in read.text("#why")


def test_lines_are_read_one_by_one(read: Tab) -> None:
    read.page.fill("#text", "A lovely film.\nA dull film.\nA film.")
    read.page.locator("[name=mode][value=many]").check()
    read.settle()
    read.page.select_option("#sort", "high")

    assert read.page.locator("#rows > li").count() == 3
    assert read.text("#count") != ""


def test_another_method_is_chosen(read: Tab) -> None:
    before = read.page.locator("#words").inner_html()
    read.page.select_option("#method", "sensitivity")
    read.settle()

    assert read.page.locator("#words").inner_html() != before


def test_markup_in_a_text_stays_text(read: Tab) -> None:
    read.page.fill("#text", f"A {MARKUP} film <b>indeed</b>")
    read.page.wait_for_timeout(350)
    read.settle()

    assert "onerror" in read.text("#words")
    assert read.page.locator("#words img, #words b, img[src=x]").count() == 0


def test_a_wish_that_cannot_be_met_is_told(read: Tab) -> None:
    read.page.fill("#target", "no such class")
    read.page.keyboard.press("Tab")
    read.settle()
    told = read.text("#wrong")
    read.page.fill("#target", "")
    read.page.keyboard.press("Tab")
    read.settle()

    assert "no such class" in told
    assert not read.page.locator("#wrong").is_visible()
    read.forgive("status 422", "status of 422")


def test_what_the_page_saves_is_what_was_answered(read: Tab, tmp_path: Path) -> None:
    with read.page.expect_download() as waiting:
        read.page.locator("#save").click()
    waiting.value.save_as(tmp_path / "text.json")

    assert TEXT in (tmp_path / "text.json").read_text(encoding="utf-8")
