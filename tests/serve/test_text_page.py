"""The page "Text" without JavaScript: a form, and words in colour below it."""

import re
from html import unescape

import pytest

from serving import Client, form
from whence.reports._page import pieces
from whence.serve._samples import TEXTS

WARM = TEXTS["warm"]
HOSTILE = '<script>alert(1)</script> &amp; "quoted" <img src=x onerror=alert(2)> {{ 7 * 7 }}'


def sent(client: Client, **fields: str) -> tuple[int, str]:
    body, kind = form({"model": "sst-lstm"} | fields)
    found = client.post("text", body, {"Content-Type": kind, "Accept": "text/html"})
    return found.status, found.body.decode()


def shown(page: str) -> list[tuple[str, str]]:
    """The words of a page with the steps of their colours."""
    found = re.findall(r'<span class="piece r(-?\d+)" title="[^"]*">([^<]*)</span>', page)
    return [(unescape(text), step) for step, text in found]


def test_the_form_offers_models_samples_methods_and_rules(client: Client) -> None:
    page = client.get("text").body.decode()

    assert '<option value="sst-lstm"' in page
    assert '<option value="digits-cnn"' not in page
    assert '<option value="negation"' in page
    assert '<option value="attnlrp"' in page
    assert WARM in page


def test_without_a_language_model_the_page_says_how_to_offer_one(client: Client) -> None:
    assert "whence serve --model FOLDER" in client.get("text").body.decode()


def test_words_have_the_colours_of_the_library(client: Client) -> None:
    status, page = sent(client, text=WARM, target="positive", against="negative")
    asked = {"text": WARM, "target": "positive", "against": "negative"}
    item = client.post("api/explain/text", asked).json["texts"][0]
    wanted = [(each.text, str(each.step)) for each in pieces(item["words"], item["relevance"])]

    assert status == 200
    assert shown(page) == wanted
    assert "Why positive rather than negative?" in page
    assert f"The score for positive rather than negative is {item['score']:.4g}." in page
    assert item["verdict"] in unescape(page)


def test_a_sample_goes_before_the_text(client: Client) -> None:
    _, page = sent(client, text="something else", sample="dull")

    assert [word for word, _ in shown(page)][:3] == ["Two", "long", "hours"]
    assert f">{TEXTS['dull']}</textarea>" in page


def test_each_line_is_a_text_of_its_own(client: Client) -> None:
    _, page = sent(client, text="a good film\r\n\r\n  a bad film \n", mode="many")

    assert page.count("<h2>Why ") == 2
    assert [word for word, _ in shown(page)] == "a good film a bad film".split()


def test_what_was_chosen_stays_chosen(client: Client) -> None:
    _, page = sent(client, text="a film", mode="many", method="sensitivity", target="4")

    assert re.search(r'value="sensitivity"[^>]* selected', page)
    assert re.search(r'value="many" checked', page)
    assert re.search(r'id="target"[^>]* value="4"', page)


@pytest.mark.parametrize("mode", ["one", "many"])
def test_whatever_is_written_stays_text(client: Client, mode: str) -> None:
    status, page = sent(client, text=HOSTILE, mode=mode)

    assert status == 200
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "{{ 7 * 7 }}" in page
    assert unescape(re.findall(r"<textarea[^>]*>(.*)</textarea>", page)[0]) == HOSTILE


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"text": ""}, 422, "empty_text"),
        ({"text": " \n\t"}, 422, "empty_text"),
        ({"text": " \n\t", "mode": "many"}, 422, "There are no texts."),
        ({"text": "a film\n" * 33, "mode": "many"}, 413, "at most 32"),
        ({"text": "word " * 10_000}, 413, "text_too_long"),
        ({"text": "a", "model": "digits-cnn"}, 422, "wrong_kind"),
        ({"text": "a", "model": "../etc"}, 404, "There is no model"),
        ({"text": "a", "sample": "<b>"}, 404, "&lt;b&gt;"),
        ({"text": "a", "target": "99"}, 422, "99"),
        ({"text": "a", "target": "1", "against": "negative"}, 422, "same_class"),
        ({"text": "a", "mode": "some"}, 422, "mode"),
        ({"text": "a", "tokens": "many"}, 422, "tokens"),
        ({"text": "a", "odd": "1"}, 422, "odd"),
    ],
)
def test_what_is_wrong_is_said_on_a_page(
    client: Client, fields: dict[str, str], status: int, text: str
) -> None:
    found, page = sent(client, **fields)

    assert found == status
    assert text in page
    assert page.startswith("<!doctype html>")
