"""The page "Text" in use: words deleted, brought back and read; odd scripts; sorted lines."""

import pytest

from browsing import WIDE, Tab

TEXT = "This is not a good film."
RTL = "\u05e1\u05e8\u05d8 \u05d8\u05d5\u05d1 \U0001f468\u200d\U0001f469\u200d\U0001f467 cafe\u0301"
HOSTILE = "<img src=x onerror=alert(1)> <script>alert(2)</script> &amp; film"


def write(tab: Tab, text: str) -> None:
    tab.page.fill("#text", text)
    tab.page.click("#go")
    tab.settle()


def gone(tab: Tab) -> list[str]:
    return tab.page.locator("#words .gone").all_inner_texts()


def score(tab: Tab, number: int) -> str:
    return tab.page.locator("#scores .value").nth(number).inner_text()


@pytest.fixture
def text(tab: Tab) -> Tab:
    tab.open("text")
    write(tab, TEXT)
    return tab


def test_the_words_stand_as_they_were_written(text: Tab) -> None:
    assert text.text("#words") == TEXT
    assert text.text("#why") == "Why negative?"


def test_a_click_deletes_a_word_and_another_brings_it_back(text: Tab) -> None:
    before = score(text, 1)
    text.page.click("#words button >> text=not")
    deleted = gone(text.settle()), score(text, 1), text.text("#moved")
    text.page.click("#words button >> text=not")
    text.settle()

    assert deleted[0] == ["not"]
    assert deleted[1].startswith(f"{before} → ")
    assert deleted[2].startswith("Without “not”, the score for negative goes from ")
    assert (gone(text), score(text, 1), text.text("#moved")) == ([], before, "")


@pytest.mark.parametrize("key", ["Delete", "Backspace", "Enter"])
def test_keys_delete_words_and_undo(text: Tab, key: str) -> None:
    seen = []
    text.page.focus("#words button")
    for pressed in ("ArrowRight ArrowRight " + key, "End Delete", "Control+z", "Control+Shift+z"):
        for each in pressed.split():
            text.page.keyboard.press(each)
        seen.append(gone(text.settle()))

    assert seen == [["not"], ["not", "."], ["not"], ["not", "."]]
    assert text.page.evaluate("() => document.activeElement.textContent") == "."


def test_buttons_delete_undo_redo_and_restore(text: Tab) -> None:
    seen = []
    text.page.focus("#words button[data-k='4']")
    for name in ("delete", "strongest", "undo", "redo", "restore"):
        text.page.click(f"#{name}")
        seen.append(gone(text.settle()))

    assert seen == [["good"], ["not", "good"], ["good"], ["not", "good"], []]
    assert text.page.is_disabled("#redo")
    assert text.page.is_enabled("#undo")


def test_the_last_word_stays(text: Tab) -> None:
    write(text, "film")
    text.page.click("#words button")
    text.settle()

    assert text.text("#wrong").startswith("One word has to stay.")
    assert gone(text) == []


def test_pointing_and_focusing_tell_the_value(text: Tab) -> None:
    text.page.hover("#words button >> text=good")
    hovered = text.text("#readout")
    text.page.focus("#words button[data-k='2']")
    label = text.page.get_attribute("#words button[data-k='2']", "aria-label")

    assert hovered.startswith("good: ")
    assert text.text("#readout").startswith("not: +")
    assert label == text.text("#readout")


def test_a_class_is_chosen_by_its_bar(text: Tab) -> None:
    text.page.click("#scores button >> text=very positive")
    text.settle()

    assert text.text("#why") == "Why very positive?"
    assert text.page.input_value("#target") == "very positive"


@pytest.mark.parametrize("given", [RTL, HOSTILE, "a\nb\n\n  c", "x" * 3000, "don’t … “stop”"])
def test_odd_texts_stay_texts(tab: Tab, given: str) -> None:
    write(tab.open("text"), given)

    assert tab.page.locator("#words button").count() > 0
    assert tab.page.locator("#words img, #words script").count() == 0
    assert tab.page.evaluate(WIDE) == []


def test_ten_thousand_words_are_shown(tab: Tab) -> None:
    write(tab.open("text"), "a " * 10_000)

    assert tab.page.locator("#words button").count() == 10_000
    assert tab.page.locator("#words button[tabindex='0']").count() == 1


def test_a_text_beyond_the_limit_is_refused_kindly(text: Tab) -> None:
    write(text, "another " * 3000)
    text.forgive("413")

    assert "A text may have 20,000 characters." in text.text("#wrong")


def test_lines_are_sorted_and_opened(tab: Tab) -> None:
    tab.open("text").page.check("[name=mode][value=many]", force=True)
    tab.page.fill("#target", "very positive")
    write(tab, "A dull film.\n\nA warm and wonderful film!\nA film.")
    tab.page.select_option("#sort", "high")
    order = tab.page.locator("#rows .words").all_inner_texts()
    tab.page.select_option("#sort", "low")
    turned = tab.page.locator("#rows .words").all_inner_texts()
    tab.page.click("#rows button >> nth=2")
    tab.settle()

    assert order[0] == "A warm and wonderful film!"
    assert turned == order[::-1]
    assert tab.text("#words") == "A warm and wonderful film!"
